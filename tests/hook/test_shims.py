"""What the shims change in the modules they are made for: here on stand-ins, the real ones beside.

test_torch.py runs the same on the real torch.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from legacy_doctor.hook.rules import Listed, Shim
from tests.hook.conftest import ABSENT, PRESENT, STAND_IN, guard
from tests.hook.parts import Load


class Tensor:
    def __init__(self, device: str) -> None:
        self.device = SimpleNamespace(type=device)
        self._version = 0
        self.dtype = "float32"

    def data_ptr(self) -> int:
        return 1

    def to(self, device: Any) -> Tensor:
        return Tensor(device if isinstance(device, str) else device.type)


class Cuda:
    """A torch with the part of it that tells of a GPU."""

    def __init__(self, *, there: bool, forked: bool = False) -> None:
        self.cuda = SimpleNamespace(is_available=lambda: there, _is_in_bad_fork=lambda: forked)


def transform(log: list[str], fails: bool = False) -> type:
    class MelSpectrogram:
        def __init__(self) -> None:
            self.window = Tensor("cpu")
            self.name = "original"

        def buffers(self) -> Iterator[Tensor]:
            yield self.window

        def parameters(self) -> Iterator[Tensor]:
            return iter(())

        def to(self, device: str) -> MelSpectrogram:
            self.window = self.window.to(device)
            self.name = "twin"
            return self

        def __call__(self, waveform: Tensor) -> Tensor:
            if fails and waveform.device.type == "cuda":
                raise RuntimeError("out of memory")
            log.append(f"{self.name} on {waveform.device.type}")
            return Tensor(waveform.device.type)

    return MelSpectrogram


@pytest.mark.parametrize(
    ("torch", "device", "fails", "ran"),
    [
        (Cuda(there=True), "cpu", False, "twin on cuda"),
        (Cuda(there=True), "cuda", False, "original on cuda"),
        (Cuda(there=False), "cpu", False, "original on cpu"),
        (Cuda(there=True, forked=True), "cpu", False, "original on cpu"),
        (Cuda(there=True), "cpu", True, "original on cpu"),
    ],
    ids=["a GPU", "already there", "no GPU", "a forked child", "a GPU that fails"],
)
def test_mels_are_computed_on_the_gpu_and_come_back(
    load: Load, monkeypatch: pytest.MonkeyPatch, torch: Any, device: str, fails: bool, ran: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    log: list[str] = []
    module = SimpleNamespace(MelSpectrogram=transform(log, fails))
    shim = load(shims=[Shim(id="mel-on-gpu")], part="shims")["SHIMS"]["mel-on-gpu"]
    shim(module)
    shim(module)
    mel = module.MelSpectrogram()
    for _ in range(2):
        assert mel(Tensor(device)).device.type == device
    assert log == [ran] * 2
    assert mel.window.device.type == "cpu"


def test_a_transform_that_changed_gets_another_twin(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", Cuda(there=True))
    space = load(shims=[Shim(id="mel-on-gpu")], part="shims")
    twins: dict[Any, Any] = {}
    mel = transform([])()
    first = space["twin_of"](mel, Tensor("cpu"), twins)
    assert space["twin_of"](mel, Tensor("cpu"), twins) is first
    mel.window._version += 1
    assert space["twin_of"](mel, Tensor("cpu"), twins) is not first
    mel.window = Tensor("cuda")
    assert space["twin_of"](mel, Tensor("cpu"), twins) is None


@pytest.mark.parametrize(("engine", "after"), [("onednn", "qnnpack"), ("fbgemm", "fbgemm")])
def test_onednn_is_switched_off(load: Load, engine: str, after: str) -> None:
    calls: list[bool] = []
    torch = SimpleNamespace(
        _C=SimpleNamespace(_set_mkldnn_enabled=calls.append),
        backends=SimpleNamespace(quantized=SimpleNamespace(engine=engine)),
    )
    load(shims=[Shim(id="torch-onednn-off")], part="shims")["SHIMS"]["torch-onednn-off"](torch)
    assert (calls, torch.backends.quantized.engine) == ([False], after)


def dataloader() -> Any:
    """The parts of torch.utils.data.dataloader that the shim takes hold of."""

    class InProcess:
        def __init__(self, loader: Any) -> None:
            assert (loader.num_workers, loader.timeout) == (0, 0)
            self.rest = iter(loader.data)
            self._dataset_kind = self._dataset = self._auto_collation = None
            self._collate_fn = self._drop_last = None

        def _reset(self, loader: Any, first_iter: bool = False) -> None:
            self.rest = iter(loader.data)

    class DataLoader:
        def __init__(self, data: list[int], num_workers: int, timeout: int = 0) -> None:
            self.data, self.num_workers, self.timeout = data, num_workers, timeout

        def _get_iterator(self) -> Any:
            return f"{self.num_workers} processes"

        def __iter__(self) -> Any:
            return self._get_iterator().rest

    return SimpleNamespace(
        DataLoader=DataLoader,
        _SingleProcessDataLoaderIter=InProcess,
        _DatasetKind=SimpleNamespace(create_fetcher=lambda *_: "fetcher"),
    )


def test_data_is_loaded_in_the_process_and_told_once(load: Load) -> None:
    module = dataloader()
    shim = load(shims=[Shim(id="dataloader-num-workers-0")], part="shims")["SHIMS"]
    shim["dataloader-num-workers-0"](module)
    shim["dataloader-num-workers-0"](module)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        loader = module.DataLoader([1, 2], 2, timeout=5)
        assert list(loader) == list(loader) == [1, 2]
    assert (loader.num_workers, loader.timeout) == (2, 5)
    assert [str(item.message)[:44] for item in told] == [
        "legacy-doctor loads data in this process: nu"
    ]
    assert told[0].filename == __file__
    iterator = loader._get_iterator()
    iterator._reset(loader)
    assert (list(iterator.rest), iterator._dataset_fetcher) == ([1, 2], "fetcher")
    assert module.DataLoader([1], 0)._get_iterator() == "0 processes"


def test_the_warning_is_no_error_where_warnings_are(load: Load) -> None:
    module = dataloader()
    load(shims=[Shim(id="dataloader-num-workers-0")], part="shims")["SHIMS"][
        "dataloader-num-workers-0"
    ](module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(module.DataLoader([1], 2)) == [1]


CONTENT = b"a checkpoint"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def serialization(load: Load, *listed: Listed) -> tuple[Any, list[Any]]:
    """A torch.serialization with a list, and what its `load` was called with."""
    calls: list[Any] = []

    def original(f: Any, map_location: Any = None, **kwargs: Any) -> object:
        content = Path(f).read_bytes() if isinstance(f, (str, os.PathLike)) else f.read()
        calls.append((kwargs.get("weights_only", "unsaid"), content))
        return content

    module = SimpleNamespace(load=original)
    shim = Shim(id="torch-load-weights-only-false", listed=listed or (Listed(path="/absent"),))
    space = load(shims=[shim], part="shims")
    entries = tuple((item.path, item.sha256, item.size) for item in shim.listed)
    space["SHIMS"][shim.id](module, entries)
    space["SHIMS"][shim.id](module, entries)
    return module, calls


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    path = tmp_path / "models/a.pt"
    path.write_bytes(CONTENT)
    return path


def by_path(path: Path) -> Any:
    return path


def as_text(path: Path) -> Any:
    return str(path)


def roundabout(path: Path) -> Any:
    return f"{path.parent}/../models/./{path.name}"


def opened(path: Path) -> Any:
    return path.open("rb")


def in_memory(path: Path) -> Any:
    return io.BytesIO(path.read_bytes())


def half_read(path: Path) -> Any:
    file = path.open("rb")
    file.read(3)
    return file


def linked_from_elsewhere(path: Path) -> Any:
    link = path.parent.parent / "link.pt"
    link.symlink_to(path)
    return link


def under_its_name(path: Path) -> Any:
    """Another file, opened under the listed name before that was replaced."""
    other = path.open("rb")
    path.unlink()
    path.write_bytes(CONTENT)
    return other


def writable_by_all(path: Path) -> Any:
    path.chmod(0o666)
    return path


PATHS = [by_path, as_text, roundabout, opened, linked_from_elsewhere]
HASHES = [by_path, as_text, opened, in_memory, writable_by_all]


@pytest.mark.parametrize(
    ("kind", "give", "trusted"),
    [
        *(("path", give, True) for give in PATHS),
        *(("folder", give, True) for give in PATHS),
        *(("hash", give, True) for give in HASHES),
        *(("both", give, True) for give in (by_path, opened)),
        *(("path", give, False) for give in (in_memory, under_its_name, writable_by_all)),
        *(("hash", give, False) for give in (half_read,)),
        *(("both", give, False) for give in (in_memory,)),
        *((kind, by_path, False) for kind in ("other path", "other hash", "other size")),
        *((kind, by_path, False) for kind in ("other folder", "other path, same hash")),
        ("size", by_path, True),
    ],
)
def test_listed_files_and_no_others_are_trusted(
    load: Load, checkpoint: Path, kind: str, give: Callable[[Path], Any], trusted: bool
) -> None:
    folder = str(checkpoint.parent)
    listed = {
        "path": Listed(path=str(checkpoint)),
        "folder": Listed(path=folder + "/"),
        "hash": Listed(sha256=SHA256),
        "both": Listed(path=str(checkpoint), sha256=SHA256),
        "size": Listed(sha256=SHA256, size=len(CONTENT)),
        "other path": Listed(path=str(checkpoint) + "x"),
        "other folder": Listed(path=folder[:-1]),
        "other hash": Listed(sha256="0" * 64),
        "other size": Listed(sha256=SHA256, size=1),
        "other path, same hash": Listed(path="/elsewhere/a.pt", sha256=SHA256),
    }[kind]
    module, calls = serialization(load, listed)
    given = give(checkpoint)
    module.load(given)
    assert calls[-1][0] == (False if trusted else "unsaid")
    if give is not half_read:
        assert calls[-1][1] == CONTENT
    if hasattr(given, "close"):
        given.close()


@pytest.mark.parametrize("said", [True, False])
def test_a_caller_that_says_weights_only_is_not_overruled(
    load: Load, checkpoint: Path, said: bool
) -> None:
    module, calls = serialization(load, Listed(path=str(checkpoint)))
    module.load(checkpoint, weights_only=said)
    module.load(checkpoint, None, weights_only=None)
    assert [call[0] for call in calls] == [said, False]


def test_a_file_that_is_mapped_is_given_by_its_path(load: Load, checkpoint: Path) -> None:
    module, calls = serialization(load, Listed(sha256=SHA256))
    module.load(str(checkpoint), mmap=True)
    assert calls == [(False, CONTENT)]


def test_what_cannot_be_read_is_left_to_torch(load: Load, tmp_path: Path) -> None:
    module, _ = serialization(load, Listed(path=str(tmp_path / "absent.pt")), Listed(sha256=SHA256))
    with pytest.raises(FileNotFoundError):
        module.load(tmp_path / "absent.pt")


def test_a_stream_that_cannot_go_back_is_not_trusted(load: Load) -> None:
    class Stream(io.BytesIO):
        def tell(self) -> int:
            raise OSError("no way back")

    module, calls = serialization(load, Listed(sha256=SHA256))
    module.load(Stream(CONTENT))
    assert calls == [("unsaid", CONTENT)]


# From here on: the second part of the hook itself, in this process.


def write(folder: Path, name: str, text: str, version: str | None = None) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    if version:
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


Armed = Callable[..., dict[str, Any]]


def imported(name: str) -> ModuleType:
    return __import__(name, fromlist=["x"])


def test_here_a_guard_stops_and_lets_through(armed_here: Armed, tmp_path: Path) -> None:
    write(tmp_path, "made_up_deadly", "raise SystemExit", "2.0")
    write(tmp_path, "made_up_healthy", "x = 1")
    boot = armed_here(
        guard("made_up_deadly", broken=">=2"), guard("made_up_healthy", PRESENT), guard("absent_x")
    )
    with pytest.raises(ImportError, match=r"made-up-deadly 2\.0 would kill this process"):
        imported("made_up_deadly")
    assert imported("made_up_healthy").x == 1
    with pytest.raises(ModuleNotFoundError):
        imported("absent_x")
    boot["arm"]()
    assert sys.meta_path.count(sys.modules["_legacy_doctor_boot"]) == 1  # type: ignore[arg-type]
    assert boot["LOG"][0].startswith("guard:made_up_deadly: raised CpuFeatureError")


def test_here_each_part_is_read_from_beside_the_first(
    armed_here: Armed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.hook.parts import execute

    monkeypatch.setenv("LEGACY_DOCTOR_DEBUG", "1")
    boot = armed_here(guard("made_up"))
    assert capsys.readouterr().err == "legacy-doctor: armed for made_up\n"
    fresh = execute(
        "boot", dict(boot, __name__="_legacy_doctor_boot"), {"NAMES": {"made_up": None}}
    )
    assert fresh["load"]("rt")["find"]("made_up", None, None) is None
    assert issubclass(fresh["__getattr__"]("CpuFeatureError"), ImportError)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        fresh["__getattr__"]("other")
    fresh["RUNTIME"] = None
    (tmp_path / "_legacy_doctor_rt.py").write_text("raise OSError")
    assert fresh["find_spec"]("made_up") is None
    assert fresh["find_spec"]("another") is None


def test_here_the_off_switch(
    armed_here: Armed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "made_up_deadly", "x = 1")
    boot = armed_here(guard("made_up_deadly"))
    monkeypatch.setenv("LEGACY_DOCTOR_DISABLE", "guard:made_up_deadly")
    assert imported("made_up_deadly").x == 1
    assert boot["LOG"] == ["guard:made_up_deadly: switched off"]


def test_here_the_stand_in(armed_here: Armed, tmp_path: Path) -> None:
    write(tmp_path, "datasets", "import pyarrow", "3.1.4")
    armed_here(guard("pyarrow"), shims=[Shim(id="datasets-stub", stand_in=STAND_IN)])
    datasets = imported("datasets")
    assert datasets.__version__ == "3.1.4"
    with pytest.raises(ImportError, match="LEGACY_DOCTOR_DISABLE=1"):
        datasets.load_dataset("x")


@pytest.mark.parametrize("stand_in", ["raise ValueError", "1 +"])
def test_here_a_stand_in_that_fails_leaves_the_real_one(
    armed_here: Armed, tmp_path: Path, stand_in: str
) -> None:
    write(tmp_path, "datasets", "from datasets import part", "3.1.4")
    (tmp_path / "datasets/part.py").write_text("x = 1")
    armed_here(guard("pyarrow"), shims=[Shim(id="datasets-stub", stand_in=stand_in)])
    assert imported("datasets").part.x == 1


TORCH = """
calls = []
class _C:
    _set_mkldnn_enabled = staticmethod(calls.append)
class backends:
    class quantized:
        engine = "fbgemm"
"""


@pytest.mark.parametrize(
    ("shim", "version", "off", "calls"),
    [
        (Shim(id="torch-onednn-off"), "2.4.0", "", [False]),
        (Shim(id="torch-onednn-off", versions="<2.5"), "2.4.0", "", [False]),
        (Shim(id="torch-onednn-off", versions="<2.5"), "2.6.0", "", []),
        (Shim(id="torch-onednn-off", versions="<2.5"), None, "", []),
        (Shim(id="torch-onednn-off"), "2.4.0", "shim:torch-onednn-off", []),
        (Shim(id="torch-onednn-off", where=(guard("x").where,)), "2.4.0", "", [False]),
        (Shim(id="torch-onednn-off", where=(guard("x", PRESENT).where,)), "2.4.0", "", []),
    ],
    ids=[
        "armed",
        "its version",
        "another version",
        "no version",
        "switched off",
        "its CPU",
        "another CPU",
    ],
)
def test_here_a_shim_acts_where_it_is_wanted(
    armed_here: Armed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shim: Shim,
    version: str | None,
    off: str,
    calls: list[bool],
) -> None:
    write(tmp_path, "torch", TORCH, version)
    armed_here(shims=[shim])
    monkeypatch.setenv("LEGACY_DOCTOR_DISABLE", off)
    assert imported("torch").calls == calls


@pytest.mark.parametrize("fault", [ValueError, BaseException])
def test_here_a_shim_that_fails_is_left_out(
    armed_here: Armed, tmp_path: Path, fault: type[BaseException]
) -> None:
    write(
        tmp_path,
        "torch",
        f"class _C:\n    def _set_mkldnn_enabled(x):\n        raise {fault.__name__}",
    )
    boot = armed_here(shims=[Shim(id="torch-onednn-off")])
    imported("torch")
    assert boot["LOG"][-1].startswith("shim:torch-onednn-off: left out, because of")


def test_here_an_interrupt_goes_through(armed_here: Armed, tmp_path: Path) -> None:
    write(
        tmp_path,
        "torch",
        "class _C:\n    def _set_mkldnn_enabled(x):\n        raise KeyboardInterrupt",
    )
    armed_here(shims=[Shim(id="torch-onednn-off")])
    with pytest.raises(KeyboardInterrupt):
        imported("torch")


class Shared:
    """A finder and loader of many modules, like the one of an archive."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self) if name.startswith("shared_") else None  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        module.x = 1


def test_here_a_loader_of_many_modules_is_not_written_to(armed_here: Armed) -> None:
    armed_here(guard("shared_good", PRESENT), guard("shared_bad"))
    finder = Shared()
    sys.meta_path.append(finder)  # type: ignore[arg-type]
    module = imported("shared_good")
    assert (module.x, module.__loader__, module.__spec__.loader) == (1, finder, finder)
    with pytest.raises(ImportError, match="would kill"):
        imported("shared_bad")
    assert vars(finder) == {}


def test_here_a_finder_of_the_old_kind_is_left_to_python(armed_here: Armed, tmp_path: Path) -> None:
    write(tmp_path, "made_up_deadly", "x = 1")
    boot = armed_here(guard("made_up_deadly"))
    sys.meta_path.insert(1, SimpleNamespace(find_spec=lambda *_: None))  # type: ignore[arg-type]
    old = SimpleNamespace(find_module=lambda *_: None)
    finders = sys.meta_path[:]
    sys.meta_path.insert(2, old)  # type: ignore[arg-type]
    assert boot["find_spec"]("made_up_deadly") is None
    sys.meta_path[:] = finders
    assert boot["find_spec"]("made_up_deadly") is not None


def test_here_an_extension_module_is_stopped_when_it_is_created(load: Load) -> None:
    from importlib.machinery import ExtensionFileLoader, ModuleSpec

    space = load(guard("made_up"), guard("fine", PRESENT))
    made: list[Any] = []
    for name in ("made_up", "fine"):
        loader = ExtensionFileLoader(name, f"/{name}.so")
        loader.create_module = made.append  # type: ignore[assignment, method-assign]
        spec = ModuleSpec(name, loader)
        space["ask_the_others"] = lambda *_, spec=spec: spec
        found = space["find"](name, None, None)
        if name == "made_up":
            with pytest.raises(ImportError, match="would kill"):
                found.loader.create_module(spec)
        else:
            found.loader.create_module(spec)
    assert len(made) == 1


def test_here_two_layers_of_one_import_act_once(load: Load) -> None:
    from importlib.machinery import ModuleSpec, SourceFileLoader

    space = load(guard("made_up", PRESENT))
    loader = SourceFileLoader("made_up", "/made_up.py")
    ran: list[Any] = []
    loader.exec_module = ran.append  # type: ignore[method-assign]
    for _ in range(2):  # what wrapt's finder does: it asks for the spec again
        space["ask_the_others"] = lambda *_: ModuleSpec("made_up", loader)
        found = space["find"]("made_up", None, None)
    found.loader.exec_module(ModuleType("made_up"))
    assert len(ran) == 1
    assert len(space["LOG"]) == 1
    assert space["BUSY"] == set()


def test_here_a_module_keeps_a_loader_that_it_chose(load: Load) -> None:
    space = load(guard("m"))
    module = ModuleType("m")
    module.__spec__ = SimpleNamespace(loader="theirs")  # type: ignore[assignment]
    module.__loader__ = "theirs"  # type: ignore[assignment]
    space["hand_over"]("m", space["Holder"]("ours"), module)
    assert (module.__spec__.loader, module.__loader__) == ("theirs", "theirs")  # type: ignore[union-attr]


def test_here_our_own_faults_let_the_import_run(load: Load) -> None:
    space = load(guard("m"))
    space["lacking"] = lambda _: 1 / 0
    assert space["verdict"]("m", None) is None
    assert "let through, because of ZeroDivisionError" in space["LOG"][-1]
    space["hand_over"]("m", space["Holder"](None), None)
    assert "AttributeError" in space["LOG"][-1]


def test_here_a_stream_that_cannot_be_written_is_no_fault(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = load(guard("m"))
    monkeypatch.setenv("LEGACY_DOCTOR_DEBUG", "1")
    monkeypatch.setattr(sys, "stderr", SimpleNamespace())
    space["LOG"].extend([""] * 1000)
    space["say"]("x")
    assert len(space["LOG"]) == 1000


def test_here_a_copy_of_a_holder_does_not_look_for_its_loader_for_ever(load: Load) -> None:
    import copy

    holder = load(guard("m"))["Holder"](SimpleNamespace(archive="a.zip"))
    assert copy.copy(holder).archive == "a.zip"


def test_here_doomed_asks_the_guard(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyarrow-12.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for broken, feature, doomed in (
        (">=13", ABSENT, False),
        ("<13", ABSENT, True),
        ("", PRESENT, False),
    ):
        assert load(guard("pyarrow", feature, broken))["doomed"]("pyarrow") is doomed
