"""The shipped patches: consistent, right on the real files they claim, and seen to help."""

from __future__ import annotations

import ast
import base64
import builtins
import contextlib
import csv
import fcntl
import hashlib
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import types
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.cpu import cpuid, models
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue, patches
from legacy_doctor.knowledge.patches import Kind, Patch, admits
from legacy_doctor.model import Grade
from legacy_doctor.treatment import patching
from legacy_doctor.treatment.patching import PatchError, Source, State
from tests.conftest import TORCH, _cache, clean, lacking, real_environment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = catalogue.folder("patches")
ALL = {item.id: item for item in patches.every()}
FILE = {name: item for name, item in ALL.items() if item.kind is Kind.FILE}
TORCHES = """2.0.1 2.1.2 2.2.0 2.2.1 2.2.2 2.3.0 2.3.1 2.4.0 2.4.1 2.5.0 2.5.1 2.6.0 2.7.0 2.7.1
2.8.0 2.9.0 2.9.1 2.10.0 2.11.0 2.12.0 2.12.1 2.13.0 2.13.0+cpu 2.14.0 2.14.1 2.15.0""".split()
GUARD = FOLDER / "torch-onednn-off/legacy_doctor_torch_guard/__init__.py"
WRITE_UP = 'the write-up "Running TTS on CPUs below AVX2" (Phenom II X6)'


# --- data


def test_the_six_of_the_write_up_are_there_and_the_cure_in_its_three_forms() -> None:
    assert {name: (item.kind.value, item.recommended) for name, item in ALL.items()} == {
        "torch-onednn-off": ("distribution", True),
        "torch-onednn-off-hook": ("hook", True),
        "torch-onednn-off-source": ("file", False),
        "torch-dynamo-stub": ("file", False),
        "mel-on-gpu": ("hook", False),
        "dataloader-num-workers-0": ("hook", False),
        "torch-load-weights-only-false": ("hook", False),
        "datasets-stub": ("distribution", True),
        "no-build-isolation": ("build", True),
    }


@pytest.mark.parametrize("name", ALL)
def test_every_patch_is_valid_by_the_schema(name: str) -> None:
    schema = json.loads((FOLDER / "schema.json").read_text("utf-8"))
    document = tomllib.loads((FOLDER / name / "patch.toml").read_text("utf-8"))

    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("patch", ALL.values(), ids=ALL)
def test_what_is_better_is_there_and_no_worse_advice(patch: Patch) -> None:
    for name in patch.instead:
        assert ALL[name].recommended
    assert not (patch.recommended and patch.instead)
    assert patch.dangers


@pytest.mark.parametrize("patch", ALL.values(), ids=ALL)
def test_emulated_evidence_is_of_a_cpu_that_the_patch_is_for(patch: Patch) -> None:
    for item in patch.evidence:
        if item.grade is Grade.EMULATED:
            match = re.fullmatch(
                r"emulated: (\S+), \d{4}-\d{2}-\d{2}, CPython 3\.\d+\.\d+", item.source
            )
            assert match, item.source
            assert patch.suits(models.find(match[1]).cpu)


@pytest.mark.parametrize("name", ALL)
def test_no_address_and_no_path_is_told(name: str) -> None:
    text = (FOLDER / name / "patch.toml").read_text("utf-8")

    assert "://" not in text
    assert not re.search(r"/(home|tmp|root|opt)/", text)


@pytest.mark.parametrize("patch", FILE.values(), ids=FILE)
def test_every_claimed_version_has_exactly_one_edit(patch: Patch) -> None:
    for version in TORCHES:
        fitting = [item for item in patch.edits if admits(item.versions, version)]
        assert len(fitting) == patch.claims(version), version


@pytest.mark.parametrize("version", TORCHES)
def test_every_torch_that_has_the_fault_has_one_recommended_cure(version: str) -> None:
    cures = [
        name for name in ("torch-onednn-off", "torch-onednn-off-hook") if ALL[name].claims(version)
    ]

    assert len(cures) == (not version.startswith(("2.0", "2.1.")))


@pytest.mark.parametrize(
    ("model", "cured"),
    [
        ("phenom", True),
        ("core2duo", True),
        ("qemu64", True),
        ("Nehalem", False),
        ("Opteron_G4", False),
        ("Haswell", False),
    ],
)
def test_who_needs_onednn_off(model: str, cured: bool) -> None:
    for name in ("torch-onednn-off", "torch-onednn-off-hook", "torch-onednn-off-source"):
        assert ALL[name].suits(models.find(model).cpu) is cured


def test_checkpoints_are_opened_by_list_only_and_the_danger_is_spelled_out() -> None:
    patch = ALL["torch-load-weights-only-false"]

    assert patch.hooked is not None
    assert patch.hooked.scope == "paths"
    assert "RUN ANY CODE" in patch.dangers[0]


@pytest.mark.parametrize("patch", FILE.values(), ids=FILE)
def test_a_block_fits_any_encoding_and_the_oldest_python(patch: Patch) -> None:
    for edit in patch.edits:
        assert edit.block.isascii()
        ast.parse(
            f"def f():\n    {edit.block}" if "\n" not in edit.block else edit.block,
            feature_version=(3, 8),
        )


def test_the_sources_of_distributions_are_for_python_3_8() -> None:
    for patch in ALL.values():
        for path, text in patch.provides.modules if patch.provides else ():
            ast.parse(text, path, feature_version=(3, 8))


# --- the guard


def guard() -> Any:
    spec = importlib.util.spec_from_file_location("legacy_doctor_torch_guard", GUARD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Torch(types.ModuleType):
    """What the guard touches of torch."""

    def __init__(self, engine: str = "onednn") -> None:
        super().__init__("torch")
        self.onednn = True
        self._C = types.SimpleNamespace(_set_mkldnn_enabled=self.switch)
        self.backends = types.SimpleNamespace(quantized=types.SimpleNamespace(engine=engine))

    def switch(self, on: bool) -> None:
        self.onednn = on


@pytest.mark.parametrize(
    ("cpu", "needed"),
    [
        pytest.param(("AuthenticAMD", 5, False), True, id="K10"),
        pytest.param(("AuthenticAMD", 6, True), True, id="an AMD with few leaves"),
        pytest.param(("AuthenticAMD", 13, True), False, id="Bulldozer"),
        pytest.param(("GenuineIntel", 10, False), True, id="Core 2 before Penryn"),
        pytest.param(("GenuineIntel", 10, True), False, id="Penryn"),
        pytest.param(("GenuineIntel", 11, True), False, id="Nehalem"),
    ],
)
@pytest.mark.parametrize("engine", ["onednn", "x86"])
def test_the_guard_acts_on_a_cpu_that_needs_it(
    cpu: tuple[str, int, bool], needed: bool, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, torch = guard(), Torch(engine)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(module, "legacy_doctor_cpu", lambda: cpu)

    module.legacy_doctor_autoload()

    assert torch.onednn is not needed
    assert torch.backends.quantized.engine == (
        "qnnpack" if needed and engine == "onednn" else engine
    )


@pytest.mark.parametrize(
    ("value", "acts"),
    [("1", False), ("datasets,torch", False), ("datasets", True), ("", True), ("0", True)],
)
def test_the_guard_can_be_switched_off(
    value: str, acts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, torch = guard(), Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(module, "legacy_doctor_cpu", lambda: ("AuthenticAMD", 5, False))
    monkeypatch.setenv("LEGACY_DOCTOR_DISABLE", value)

    module.legacy_doctor_autoload()

    assert torch.onednn is not acts


def _raise(*_: object) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("broken", ["legacy_doctor_cpu", "legacy_doctor_needs_guard", "torch"])
def test_the_guard_never_raises_and_fails_open(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, torch = guard(), Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(module, "legacy_doctor_cpu", lambda: ("AuthenticAMD", 5, False))
    if broken == "torch":
        torch.switch = _raise  # type: ignore[method-assign]
        torch._C._set_mkldnn_enabled = _raise
    else:
        monkeypatch.setattr(module, broken, _raise)

    module.legacy_doctor_autoload()

    assert torch.onednn


def test_the_guard_reads_what_the_doctor_reads() -> None:
    reading = cpuid.read()

    assert guard().legacy_doctor_cpuid() == (
        reading.vendor,
        reading.max_leaf,
        "sse4_1" in reading.silicon,
    )


def test_where_cpuid_is_refused_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    module = guard()
    expected = module.legacy_doctor_cpuid()
    monkeypatch.setattr("ctypes.CDLL", _raise)

    assert module.legacy_doctor_cpu() == module.legacy_doctor_cpuinfo()
    assert module.legacy_doctor_cpu()[0] == expected[0]


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("model", "needed"),
    [("phenom", True), ("core2duo", True), ("Nehalem", False), ("Opteron_G4", False)],
)
def test_the_guard_is_not_deceived_by_the_hosts_cpuinfo(
    model: str, needed: bool, qemu: Path
) -> None:
    code = "import legacy_doctor_torch_guard as g; print(g.legacy_doctor_needs_guard(g.legacy_doctor_cpu()))"
    done = run(
        sys.executable, "-c", code, under=[str(qemu), "-cpu", model], path=[GUARD.parent.parent]
    )

    assert done.stdout == f"{needed}\n"


def run(
    *command: str, under: list[str] | None = None, path: list[Path], **env: str
) -> subprocess.CompletedProcess[str]:
    environ = {**clean(os.environ), "PYTHONPATH": os.pathsep.join(map(str, path)), **env}
    return subprocess.run(
        [*(under or []), *command],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        timeout=900,
    )


def installed(patch: Patch, folder: Path) -> Path:
    """Write the distribution of a patch into a folder, as the file engine would."""
    assert patch.provides is not None
    for path, content in patching.files_of(patch.provides).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.mark.wheels
@pytest.mark.parametrize("tool", ["pip", "uv"])
@pytest.mark.parametrize("name", ["torch-onednn-off", "datasets-stub"])
def test_the_installers_know_it_and_remove_it_without_a_trace(
    name: str, tool: str, tmp_path: Path
) -> None:
    env = clean(os.environ)
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    python = tmp_path / "venv/bin/python"
    provided = ALL[name].provides
    assert provided is not None
    make = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(make, check=True, env=env)
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    pip = {
        "pip": [sys.executable, "-m", "pip", "--python", str(python)],
        "uv": [sys.executable, "-m", "uv", "pip"],
    }[tool]
    target = [] if tool == "pip" else ["--python", str(python)]
    yes = ["-y"] if tool == "pip" else []

    def tree() -> set[str]:
        return {str(path.relative_to(site)) for path in site.rglob("*")}

    before = tree()
    installed(ALL[name], site)
    module = provided.modules[0][0].partition("/")[0].removesuffix(".py")
    subprocess.run([str(python), "-c", f"import {module}"], check=True, env=env)
    listed = subprocess.run(
        [*pip, "list", *target], check=True, capture_output=True, text=True, env=env
    ).stdout
    subprocess.run(
        [*pip, "uninstall", *yes, *target, provided.name],
        check=True,
        capture_output=True,
        env=env,
    )

    assert re.search(rf"^{provided.name}\s+{re.escape(provided.version)}$", listed, re.MULTILINE)
    assert tree() == before


# --- the real files of torch


class Released(NamedTuple):
    """A file as a wheel holds it, and RECORD's hash of it."""

    content: bytes
    recorded: str


def wheel_files(wheel: Path) -> dict[str, Released]:
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = csv.reader(io.StringIO(archive.read(record).decode()))
        wanted = {edit.file for patch in FILE.values() for edit in patch.edits}
        return {
            row[0]: Released(archive.read(row[0]), row[1].removeprefix("sha256="))
            for row in rows
            if row[0] in wanted
        }


@cache
def released(version: str) -> dict[str, Released]:
    """The files of a torch release that patches edit.

    2.13.0 is the local CPU build. The others are taken once from the smallest wheel of the
    index: the Python files for macOS are those for Linux, byte for byte (compared for 2.7.0
    and 2.13.0).
    """
    if version == "2.13.0+cpu":
        folders = os.environ.get("PIP_FIND_LINKS", "").split()
        found = [Path(item) / TORCH for item in folders if (Path(item) / TORCH).is_file()]
        if not found:
            lacking("torch", f"no {TORCH} in the folders of PIP_FIND_LINKS")
        return wheel_files(found[0])
    folder = _cache() / f"torch-{version}-files"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "files.zip").exists():
            _fetch(version, folder)
    with zipfile.ZipFile(folder / "files.zip") as archive:
        names = archive.namelist()
        contents = {name: archive.read(name) for name in names if name.endswith(".py")}
    return {name: Released(content, spelt(content)) for name, content in contents.items()}


def _fetch(version: str, folder: Path) -> None:
    platforms = [f"--platform=macosx_{number}_0_arm64" for number in (11, 12, 13, 14)]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*pip, "--python-version=3.11", *platforms, "-d", str(folder), f"torch=={version}"],
        capture_output=True,
        text=True,
        check=False,
        env=clean(os.environ),
    )
    if done.returncode:
        lacking("wheels", f"pip could not fetch torch {version}: {done.stderr[-300:]}")
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(folder / "new.zip", "w") as archive:
        for name, item in wheel_files(wheel).items():
            assert spelt(item.content) == item.recorded
            archive.writestr(name, item.content)
    wheel.unlink()
    (folder / "new.zip").replace(folder / "files.zip")


def spelt(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


REAL = [
    pytest.param("2.4.1", marks=pytest.mark.wheels),
    pytest.param("2.7.0", marks=pytest.mark.wheels),
    pytest.param("2.13.0+cpu", marks=pytest.mark.torch),
]


def real(patch: Patch, version: str) -> tuple[Source, bytes]:
    edit = patching.edit_for(patch, version)
    assert edit is not None
    item = released(version)[edit.file]
    return Source(content=item.content, version=version, recorded=item.recorded), item.content


def without_hashes(patch: Patch) -> Patch:
    """The same patch where only RECORD can prove a file: the result is compiled then."""
    return replace(patch, edits=tuple(replace(edit, pristine=()) for edit in patch.edits))


@pytest.mark.parametrize(
    ("patch", "version"),
    [
        pytest.param(patch, *item.values, marks=item.marks, id=f"{name}-{item.values[0]}")
        for name, patch in FILE.items()
        for item in REAL
        if patch.claims(str(item.values[0]))
    ],
)
@pytest.mark.parametrize("proof", ["record", "known hash"])
def test_a_file_patch_goes_in_compiles_and_comes_out_as_recorded(
    patch: Patch, version: str, proof: str
) -> None:
    before, content = real(patch, version)
    if proof == "record":
        patch = without_hashes(patch)
    else:
        before = replace(before, recorded=None)

    patched = patching.apply(patch, before)

    after = replace(before, content=patched)
    ast.parse(patched, feature_version=(3, 9))
    assert patched.count(f"# >>> legacy-doctor: {patch.id}\n".encode()) == 1
    assert patching.standing(patch, after) == (State.APPLIED, "between its markers")
    assert patching.apply(patch, after) == patched
    assert spelt(patching.revert(patch, after)) == spelt(content)


@pytest.mark.parametrize("version", REAL)
def test_the_block_in_torch_leaves_no_name_behind(version: str) -> None:
    patch = ALL["torch-onednn-off-source"]
    before, content = real(patch, version)
    block = ast.parse(patching.edit_for(patch, version).block)  # type: ignore[union-attr]

    names = {node.name for node in block.body if isinstance(node, ast.FunctionDef)}
    deleted = {
        target.id
        for node in block.body
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert names == deleted
    assert not any(name.encode() in content for name in names)
    assert before.recorded == spelt(content)


@pytest.mark.wheels
def test_what_upstream_changed_is_left_alone() -> None:
    patch = ALL["torch-dynamo-stub"]
    _, content = real(patch, "2.7.0")
    changed = content.replace(b"inp0 = torch.ones(1)", b"inp0 = torch.ones(2)")
    moved = content.replace(b"def populate_builtin_to_tensor_fn_map", b"def elsewhere")
    states = {
        name: patching.standing(
            patch, Source(content=text, version="2.8.9", recorded=spelt(text))
        ).state
        for name, text in {"changed": changed, "moved": moved}.items()
    }

    assert states == {"changed": State.DRIFTED, "moved": State.OBSOLETE}
    assert patching.standing(patch, Source(content=content, version="2.5.1")).state is State.ABSENT


@pytest.mark.wheels
@pytest.mark.parametrize("line", ["    return\n", "    return  # K10\n", "    return None\n"])
def test_the_write_ups_own_stub_is_known_and_reverted_by_its_backup(line: str) -> None:
    patch = ALL["torch-dynamo-stub"]
    before, content = real(patch, "2.7.0")
    head = b"def populate_builtin_to_tensor_fn_map():\n"
    stubbed = content.replace(head, head + line.encode())
    found = replace(before, content=stubbed, backup=content)

    if line == "    return None\n":  # another statement: the hash tells that it is not ours
        assert patching.standing(patch, found).state is State.DRIFTED
        return
    assert patching.standing(patch, found).state is State.APPLIED_BY_HAND
    assert patching.revert(patch, found) == content


@pytest.mark.torch
@settings(max_examples=15, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("patch", FILE.values(), ids=FILE)
def test_random_edits_of_the_real_file_never_corrupt_it(patch: Patch, data: st.DataObject) -> None:
    before, content = real(patch, "2.13.0+cpu")
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 200))
    new = data.draw(st.sampled_from([b"", b"\n", b"x = 1\n", b"    pass\n", b"'''", b"\r\n"]))
    edited = content[:at] + new + content[at + cut :]

    # RECORD does not know the edit: refused. Were it a new release: inverse, or refused.
    for recorded in (before.recorded, spelt(edited)):
        found = replace(before, content=edited, recorded=recorded)
        try:
            patched = patching.apply(without_hashes(patch), found)
        except PatchError:
            continue
        assert recorded == spelt(edited)
        again = replace(found, content=patched)
        assert patching.revert(without_hashes(patch), again) == edited

    # The patched file, edited: reverted to the release, or refused.
    patched = patching.apply(patch, before)
    spoilt = replace(before, content=patched[:at] + new + patched[at + cut :])
    with contextlib.suppress(DoctorError):
        assert patching.revert(patch, spoilt) == content


# --- torch itself

DEPENDENCIES = ("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions")
PROBE = """
import torch
print("onednn", torch._C._get_mkldnn_enabled(), torch.backends.quantized.engine, flush=True)
try:
    print("conv1d", *torch.nn.Conv1d(4, 8, 3)(torch.ones(2, 4, 32)).shape, flush=True)
except RuntimeError as error:
    print(error, flush=True)
print("lstm", *torch.nn.LSTM(8, 8)(torch.ones(4, 2, 8))[0].shape, flush=True)
"""
WORKS = "conv1d 2 8 30\nlstm 4 2 8\n"


class Live(NamedTuple):
    """A torch that can be imported, and where it lies."""

    python: Path
    site: Path
    dependencies: Path


def site_of(venv: Path) -> Path:
    return next(venv.glob("lib/python*/site-packages"))


@pytest.fixture(scope="module")
def live(torch_environment: Path) -> Live:
    return Live(
        python=torch_environment / "bin/python",
        site=site_of(torch_environment),
        dependencies=site_of(real_environment(*DEPENDENCIES)),
    )


def shadow(live: Live, folder: Path) -> Path:
    """torch by links, but for its `__init__.py`: that one is patched."""
    (folder / "torch").mkdir()
    for entry in (live.site / "torch").iterdir():
        if entry.name != "__init__.py":
            (folder / "torch" / entry.name).symlink_to(entry)
    source = Source(
        content=(live.site / "torch/__init__.py").read_bytes(),
        version="2.13.0+cpu",
        recorded=released("2.13.0+cpu")["torch/__init__.py"].recorded,
    )
    patched = patching.apply(ALL["torch-onednn-off-source"], source)
    (folder / "torch/__init__.py").write_bytes(patched)
    return folder


@pytest.fixture(params=["torch-onednn-off", "torch-onednn-off-source"])
def cure(request: pytest.FixtureRequest, live: Live, tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that holds one form of the cure."""
    if request.param == "torch-onednn-off":
        return installed(ALL["torch-onednn-off"], tmp_path)
    return shadow(live, tmp_path)


@pytest.mark.torch
@pytest.mark.qemu
def test_torch_fails_under_a_phenom_without_the_cure(live: Live, qemu: Path) -> None:
    done = probe(live, [], [str(qemu), "-cpu", "phenom"])

    assert done.stdout == "onednn True onednn\ncould not create a primitive\n"
    assert done.returncode == -signal.SIGILL


@pytest.mark.torch
@pytest.mark.qemu
def test_torch_works_under_a_phenom_with_the_cure(cure: Path, live: Live, qemu: Path) -> None:
    done = probe(live, [cure], [str(qemu), "-cpu", "phenom"])

    assert done.stdout == f"onednn False qnnpack\n{WORKS}"
    assert done.returncode == 0


@pytest.mark.torch
def test_onednn_stays_on_where_the_cpu_can(cure: Path, live: Live) -> None:
    done = probe(live, [cure], [])

    assert done.stdout.startswith("onednn True ")
    assert done.stdout.endswith(WORKS)


def probe(live: Live, path: list[Path], under: list[str]) -> subprocess.CompletedProcess[str]:
    command = [str(live.python), "-W", "ignore", "-c", PROBE]
    return run(*command, under=under, path=[*path, live.dependencies])


@pytest.mark.torch
def test_no_name_that_the_guard_uses_is_another_thing_in_torch(live: Live) -> None:
    tree = ast.parse(GUARD.read_text("utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used &= set(dir(builtins))
    code = f"import torch; print({sorted(used)!r}, sorted({used!r} & set(vars(torch))))"

    done = run(str(live.python), "-W", "ignore", "-c", code, path=[live.dependencies])

    assert used >= {"bytes", "OSError"}
    assert done.stdout.endswith("[]\n"), done.stderr


# --- the stand-in for datasets

USES = """
import importlib.util, json, sys
told = {"spec": importlib.util.find_spec("datasets").origin.rpartition("site")[2][-20:]}
import transformers, transformers.utils, transformers.modelcard
told["available"] = transformers.utils.is_datasets_available()
import transformers.models.rag.retrieval_rag
from datasets import Dataset, IterableDataset, load_dataset, load_from_disk
import datasets, datasets.load
from datasets.arrow_writer import ArrowWriter
from datasets.exceptions import DatasetNotFoundError
from packaging.version import Version
told["version"] = str(Version(datasets.__version__))
told["classes"] = [isinstance(1, Dataset), issubclass(DatasetNotFoundError, Exception)]
class Mine(Dataset):
    pass
uses = {
    "a function": lambda: load_dataset("squad"),
    "a class": lambda: ArrowWriter(path="x"),
    "a subclass": Mine,
    "a class method": lambda: Dataset.from_dict({}),
    "a function of a submodule": lambda: datasets.load.init_dynamic_modules(),
    "a nested module": lambda: datasets.utils.logging.set_verbosity_error(),
    "a constant": lambda: datasets.config.HF_DATASETS_CACHE,
}
told["errors"] = {}
for name, use in uses.items():
    try:
        use()
    except ImportError as error:
        told["errors"][name] = str(error)
told["loaded"] = sorted({"pyarrow", "pandas"} & set(sys.modules))
print(json.dumps(told))
"""


@pytest.mark.wheels
@pytest.mark.parametrize("version", ["4.57.3", "5.24.0"])
def test_transformers_takes_the_stand_in_and_its_user_is_told(version: str, tmp_path: Path) -> None:
    venv = real_environment(f"transformers=={version}", "numpy==2.3.5")
    folder = installed(ALL["datasets-stub"], tmp_path)

    done = run(str(venv / "bin/python"), "-W", "ignore", "-c", USES, path=[folder])

    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout)
    assert told["available"] is True
    assert told["version"] == "5.2.0+legacy.doctor"
    assert told["classes"] == [False, True]
    assert told["loaded"] == []
    assert len(told["errors"]) == 7
    for said in told["errors"].values():
        assert re.match(r"datasets\.[\w.]+: this is legacy-doctor's stand-in for `datasets`", said)
        assert "pip uninstall datasets, then pip install datasets" in said


@pytest.mark.wheels
def test_every_import_of_datasets_in_f5_tts_succeeds(tmp_path: Path) -> None:
    site = site_of(real_environment("f5-tts==1.1.22", options=["--no-deps"]))
    found = {
        ast.unparse(node)
        for path in (site / "f5_tts").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.ImportFrom) and str(node.module).startswith("datasets"))
        or (isinstance(node, ast.Import) and node.names[0].name.startswith("datasets"))
    }
    folder = installed(ALL["datasets-stub"], tmp_path)

    done = run(sys.executable, "-c", "\n".join(sorted(found)), path=[folder])

    assert "from datasets import Dataset as Dataset_" in found
    assert done.returncode == 0, done.stderr


def stub(folder: Path, code: str) -> str:
    done = run(sys.executable, "-c", code, path=[installed(ALL["datasets-stub"], folder)])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        pytest.param(
            "print(datasets.Dataset is datasets.arrow_dataset.Dataset)", "True", id="one class"
        ),
        pytest.param("print(hasattr(datasets, '__wrapped__'))", "False", id="no dunder names"),
        pytest.param("print(hasattr(datasets.Dataset, '_x'))", "False", id="no private names"),
        pytest.param("print(hasattr(datasets.load, '_x'))", "False", id="none in submodules"),
        pytest.param("print(issubclass(datasets.SomeWarning, Warning))", "True", id="warnings"),
        pytest.param(
            "import abc\nclass A(datasets.Dataset, abc.ABC): pass\nprint(A.__mro__[1].__name__)",
            "Dataset",
            id="beside an abstract class",
        ),
        pytest.param(
            "import importlib.util as u\nprint(u.find_spec('datasets.load').name, u.find_spec('numbers').name)",
            "datasets.load numbers",
            id="specs",
        ),
        pytest.param(
            "import pickle\nprint(pickle.loads(pickle.dumps(datasets.load_dataset)) is datasets.load_dataset)",
            "True",
            id="pickled",
        ),
    ],
)
def test_the_stand_in_behaves_like_a_package(code: str, printed: str, tmp_path: Path) -> None:
    assert (
        stub(tmp_path, f"import datasets, datasets.arrow_dataset, datasets.load\n{code}") == printed
    )
