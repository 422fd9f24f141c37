"""What is trusted, and what is not for want of a reason."""

from __future__ import annotations

import pytest

from legacy_doctor.checkpoint import globals as judge
from legacy_doctor.model import Trust

JUDGED = {
    Trust.ALLOWED: "collections.OrderedDict torch._utils._rebuild_tensor_v2 torch.FloatStorage "
    "torch.bfloat16 torch.Size builtins.set",
    Trust.HARMLESS: "argparse.Namespace pathlib.PosixPath numpy.dtype collections.defaultdict "
    "numpy._core.multiarray.scalar builtins.dict",
    Trust.UNKNOWN: "__main__.Config models.StyleEncoder torch.nn.modules.linear.Linear "
    "omegaconf.dictconfig.DictConfig utils.signal.Filter torch.distributed.tensor.DTensor "
    "osgeo.system systems.open",
    Trust.GATEWAY: "builtins.getattr functools.partial operator.methodcaller builtins.map "
    "models.Encoder.__init__ (hidden).?",
    Trust.DANGEROUS: "os.system posix.system nt.system builtins.eval builtins.exec "
    "builtins.__import__ subprocess.Popen _posixsubprocess.fork_exec pickle.loads _pickle.loads "
    "shutil.rmtree socket.create_connection urllib.request.urlopen importlib.import_module "
    "runpy.run_path ctypes.CDLL webbrowser.open builtins.open io.open torch.load torch.hub.load "
    "torch.jit._pickle.restore_type_tag multiprocessing.util.spawnv_passfds pty.spawn pdb.run "
    "timeit.timeit code.interact numpy.testing._private.utils.runstring os.path.join "
    "pip._internal.main logging.config.fileConfig torch.fx.graph_module.reduce_graph_module",
}


@pytest.mark.parametrize(
    ("trust", "name"),
    [
        pytest.param(trust, name, id=f"{name} is {trust.value}")
        for trust, names in JUDGED.items()
        for name in names.split()
    ],
)
def test_what_a_name_is_trusted_with(trust: Trust, name: str) -> None:
    if name.startswith("models.Encoder."):
        assert judge.trust("models", "Encoder.__init__") is trust
    else:
        module, _, last = name.rpartition(".")
        assert judge.trust(module, last) is trust


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.serialization", "os.system"),
        ("torch.serialization", "os"),
        ("models", "helpers.sys.modules"),
        ("posixpath", "os.system"),
        ("models", "Encoder.subprocess.run"),
    ],
)
def test_a_name_that_goes_through_another_module_is_seen(module: str, name: str) -> None:
    assert judge.trust(module, name) is Trust.DANGEROUS


def test_every_trust_has_its_reason() -> None:
    assert set(judge.WHY) == set(Trust)
