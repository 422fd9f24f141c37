"""What is said of a file against what torch 2.13.0 does with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from legacy_doctor.checkpoint import globals as judge
from legacy_doctor.checkpoint import source, strip
from legacy_doctor.errors import DoctorError
from legacy_doctor.model import StrippedCopy, Trust
from tests.checkpoint.conftest import Torch
from tests.checkpoint.files import judged, rules

pytestmark = pytest.mark.torch

MAKE = """
import argparse, collections, datetime, io, json, os, pathlib, pickle, subprocess, sys, zipfile
import numpy, torch
from torch import nn
folder = pathlib.Path(sys.argv[1])
plain = nn.Linear(8, 4).state_dict()
class Config:
    def __init__(self): self.layers = 2
class Hostile:
    def __reduce__(self): return (os.system, (f"touch {folder}/RAN",))
class Quiet:
    def __reduce__(self): return (getattr, (subprocess.Popen, "kill"))
class Nested:
    def __reduce__(self): return (pickle.loads, (pickle.dumps(Hostile()),))
model = nn.Linear(4, 4)
adam = torch.optim.AdamW(model.parameters())
model(torch.ones(1, 4)).sum().backward(); adam.step()
kinds = {str(t): torch.ones(3).to(t) for t in (torch.float64, torch.float16, torch.bfloat16,
         torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.uint16)}
odd = {"parameter": nn.Parameter(torch.ones(2)), "view": torch.arange(12.)[3:9].view(2, 3).t(),
       "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
       "sparse": torch.eye(2).to_sparse(), "none": torch.empty(0, 3), "scalar": torch.tensor(1.)}
ema = {**{f"ema_model.{name}": value for name, value in plain.items()},
       "step": torch.tensor(5), "initted": torch.tensor(True)}
files = {
    "plain": plain, "kinds": kinds, "odd": odd, "lists": {"a": [1, 2.5, None, True, (3, "x")]},
    "counter": {"c": collections.Counter("abca"), "s": {1, 2}, "b": b"bytes", "l": 1 << 70},
    "size": {"size": torch.Size([2, 3]), "device": torch.device("cpu"), "dtype": torch.float16},
    "training": {"model": model.state_dict(), "optimizer": adam.state_dict(), "epoch": 3},
    "class": {"model": plain, "config": Config()}, "module": model,
    "namespace": {"args": argparse.Namespace(lr=1e-5)}, "path": {"path": pathlib.Path("/x")},
    "defaultdict": {"d": collections.defaultdict(list, a=[1])},
    "date": {"at": datetime.datetime(2026, 1, 1)},
    "numpy": {"loss": numpy.float64(0.5)}, "array": {"mel": numpy.zeros(3)},
    "method": {"forward": model.forward}, "dtypes": {"t": numpy.dtype("float32")},
    "hostile": {"model": plain, "x": Hostile()}, "quiet": {"x": Quiet()}, "nested": {"x": Nested()},
    "ema": ema, "ema-table": {"ema_model_state_dict": ema},
}
for name, value in files.items():
    torch.save(value, folder / f"{name}.pt")
for name in ("plain", "class", "training", "ema", "hostile", "odd"):
    torch.save(files[name], folder / f"{name}-legacy.pt", _use_new_zipfile_serialization=False)
for protocol in (0, 1, 3, 4):
    torch.save(plain, folder / f"protocol-{protocol}.pt", pickle_protocol=protocol)
(folder / "bare.pkl").write_bytes(pickle.dumps({"a": 1}, 2))
(folder / "hostile.pkl").write_bytes(pickle.dumps(Hostile(), 4))
torch.jit.script(model).save(folder / "script.pt")
from safetensors.torch import save_file
save_file(plain, folder / "plain.safetensors", metadata={"format": "pt"})
save_file(ema, folder / "ema.safetensors", metadata={"format": "pt"})
tag = torch.serialization.location_tag
torch.serialization.location_tag = lambda storage: "cuda:0"
torch.save(plain, folder / "cuda.pt")
torch.save(ema, folder / "cuda-ema.pt")
entries = [(item.filename, zipfile.ZipFile(folder / "plain.pt").read(item))
           for item in zipfile.ZipFile(folder / "plain.pt").infolist()]
with zipfile.ZipFile(folder / "packed.pt", "w", zipfile.ZIP_DEFLATED) as out:
    for name, data in entries: out.writestr(name, data)
with zipfile.ZipFile(folder / "capitals.pt", "w") as out:
    for name, data in entries: out.writestr(name.upper(), data)
with zipfile.ZipFile(folder / "double.pt", "w") as out:
    for name, data in entries: out.writestr(name, data)
    out.writestr("plain/DATA.PKL", pickle.dumps("another", 2))
answers = {}
for path in sorted(folder.iterdir()):
    if path.name != "RAN":
        try:
            torch.load(path, weights_only=True); answers[path.name] = ""
        except Exception as error:
            answers[path.name] = f"{type(error).__name__}: {error}"
print(json.dumps(answers))
"""
TAKEN = [
    *("plain.pt", "kinds.pt", "odd.pt", "lists.pt", "counter.pt", "size.pt", "training.pt"),
    *("ema.pt", "ema-table.pt", "plain-legacy.pt", "training-legacy.pt", "ema-legacy.pt"),
    *("odd-legacy.pt", "packed.pt", "capitals.pt", "protocol-3.pt"),
    *("plain.safetensors", "ema.safetensors"),
]
REFUSED = {
    "class.pt": Trust.UNKNOWN,
    "class-legacy.pt": Trust.UNKNOWN,
    "module.pt": Trust.UNKNOWN,
    "namespace.pt": Trust.HARMLESS,
    "path.pt": Trust.HARMLESS,
    "defaultdict.pt": Trust.HARMLESS,
    "date.pt": Trust.HARMLESS,
    "numpy.pt": Trust.HARMLESS,
    "array.pt": Trust.HARMLESS,
    "dtypes.pt": Trust.HARMLESS,
    "method.pt": Trust.GATEWAY,
    "quiet.pt": Trust.DANGEROUS,
    "hostile.pt": Trust.DANGEROUS,
    "hostile-legacy.pt": Trust.DANGEROUS,
    "hostile.pkl": Trust.DANGEROUS,
    "nested.pt": Trust.DANGEROUS,
    "bare.pkl": Trust.ALLOWED,
    "protocol-0.pt": Trust.ALLOWED,
    "protocol-1.pt": Trust.ALLOWED,
    "protocol-4.pt": Trust.ALLOWED,
    "script.pt": Trust.UNKNOWN,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def answers(torch: Torch, folder: Path) -> dict[str, str]:
    """What torch.load(weights_only=True) says of each file: an error, or nothing."""
    told: dict[str, str] = torch.run(MAKE, folder)
    return told


def test_the_list_is_that_of_torch(torch: Torch) -> None:
    code = "import json, torch._weights_only_unpickler as u; print(json.dumps(sorted(u._get_allowed_globals())))"

    assert set(torch.run(code)) == judge.ALLOWED


@pytest.mark.parametrize("name", TAKEN)
def test_what_torch_takes_is_said_to_be_taken(
    name: str, folder: Path, answers: dict[str, str]
) -> None:
    found = judged(folder / name)

    assert answers[name] == ""
    assert found.weights_only
    assert {item.trust for item in found.references} <= {Trust.ALLOWED}


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_said_to_be_refused(
    name: str, folder: Path, answers: dict[str, str]
) -> None:
    found = judged(folder / name)

    assert answers[name]
    assert not found.weights_only
    assert found.failed
    worst = found.references[0].trust if found.references else Trust.ALLOWED
    assert worst is REFUSED[name]


def test_every_file_has_its_place_in_the_tables(answers: dict[str, str]) -> None:
    assert {*TAKEN, *REFUSED, "cuda.pt", "cuda-ema.pt", "double.pt"} == set(answers)


def test_a_hostile_file_is_named_and_runs_nothing(
    torch: Torch, folder: Path, answers: dict[str, str]
) -> None:
    called = f"posix.system('touch {folder}/RAN')"

    for name in ("hostile.pt", "hostile-legacy.pt", "hostile.pkl"):
        found = judged(folder / name)
        assert rules(found) == ["checkpoint-runs-code"]
        assert called in found.findings[0].message
        assert found.sha256 == ""  # nothing that would help to list it
    assert not (folder / "RAN").exists()

    load = "import sys, torch; torch.load(sys.argv[1], weights_only=False); print(1)"
    torch.run(load, folder / "hostile.pt")
    assert (folder / "RAN").exists()  # it was no empty threat
    (folder / "RAN").unlink()


def test_of_two_pickles_torch_reads_the_other(folder: Path, answers: dict[str, str]) -> None:
    """And says nothing: the name differs in case alone."""
    assert answers["double.pt"] == ""
    assert "checkpoint-ambiguous" in rules(judged(folder / "double.pt"))


def test_what_was_saved_on_a_gpu_fails_where_there_is_none(
    folder: Path, answers: dict[str, str]
) -> None:
    found = judged(folder / "cuda.pt")

    assert "torch.cuda.is_available() is False" in answers["cuda.pt"]
    assert found.weights_only
    assert rules(found) == ["checkpoint-device"]
    assert "cuda:0" in found.findings[0].message


INVENTORY = """
import json, sys, torch
def tensors(value, keys=()):
    if isinstance(value, torch.Tensor):
        yield [".".join(keys), str(value.dtype).removeprefix("torch."), list(value.shape)]
    elif isinstance(value, dict):
        for key, item in value.items(): yield from tensors(item, (*keys, str(key)))
loaded = (torch.load(path, weights_only=True) for path in sys.argv[1:])
print(json.dumps([list(tensors(value)) for value in loaded]))
"""


def test_names_dtypes_and_shapes_are_those_that_torch_loads(
    torch: Torch, folder: Path, answers: dict[str, str]
) -> None:
    names = ["plain.pt", "kinds.pt", "training.pt", "ema-table.pt", "ema-legacy.pt"]

    told = torch.run(INVENTORY, *(folder / name for name in names))

    for name, tensors in zip(names, told, strict=True):
        found = judged(folder / name)
        listed = [[item.name, item.dtype, list(item.shape)] for item in found.tensors]
        assert listed == tensors, name


def test_a_harmless_class_is_admitted_as_the_hint_says(
    torch: Torch, folder: Path, answers: dict[str, str]
) -> None:
    (finding,) = judged(folder / "namespace.pt").findings
    assert finding.remedy is not None
    words = finding.remedy.text.partition(" before ")[0]
    assert words == "torch.serialization.add_safe_globals([argparse.Namespace])"

    code = f"import argparse, sys, torch; {words}; torch.load(sys.argv[1], weights_only=True); print(1)"
    assert torch.run(code, folder / "namespace.pt") == 1


def test_the_hint_lists_exactly_this_file(folder: Path, answers: dict[str, str]) -> None:
    path = folder / "class.pt"
    content = path.read_bytes()

    (finding,) = judged(path).findings

    assert finding.remedy is not None
    assert hashlib.sha256(content).hexdigest() in finding.remedy.text
    assert finding.remedy.commands == (f"legacy-doctor hook install --load-file {path}",)


def copied(path: Path, start: str, out: Path) -> StrippedCopy:
    with source.opened(path) as opened:
        return strip.write(opened, start, out, force=False, watch=source.unwatched)


COMPARE = """
import json, sys, torch
answers = []
for first, second, table, start in json.loads(sys.argv[1]):
    old = torch.load(first, weights_only=True, map_location="cpu")
    old = old[table] if table else old
    new = torch.load(second, weights_only=True)
    archive = not second.endswith(".safetensors")
    mapped = torch.load(second, weights_only=True, mmap=True) if archive else new
    wanted = {k[len(start):]: v for k, v in old.items() if k.startswith(start)}
    answers.append([
        sorted(new) == sorted(wanted),
        all(torch.equal(new[k], v) and torch.equal(mapped[k], v) and new[k].dtype == v.dtype
            and new[k].stride() == v.stride() for k, v in wanted.items()),
        not archive or all(v.untyped_storage().data_ptr() % 64 == 0 for v in mapped.values())])
print(json.dumps(answers))
"""
TABLE = "ema_model_state_dict"


class Copying(NamedTuple):
    """A file to copy, the prefix, and what the copy is compared with."""

    name: str
    start: str
    kept: int
    left: tuple[str, ...] | None = None
    table: str = ""
    like: tuple[str, str] | None = None
    """Another file and prefix of the same numbers, where torch does not take the original."""


COPIES = {
    "a zip archive": Copying("ema.pt", "ema_model.", 2, ("initted", "step")),
    "a table in a zip archive": Copying(
        *("ema-table.pt", "ema_model.", 2, (f"{TABLE}.initted", f"{TABLE}.step"), TABLE)
    ),
    "a stream of before 1.6": Copying("ema-legacy.pt", "ema_model.", 2, ("initted", "step")),
    "from a GPU": Copying("cuda-ema.pt", "ema_model.", 2, ("initted", "step")),
    "safetensors": Copying("ema.safetensors", "ema_model.", 2, ("initted", "step")),
    "a view": Copying("odd.pt", "vie", 1),
    "a parameter": Copying("odd.pt", "para", 1),
    "a quantized tensor": Copying("odd.pt", "quant", 1),
    "a tensor of nothing": Copying("odd.pt", "no", 1),
    "a view in a stream": Copying("odd-legacy.pt", "vie", 1),
    "every dtype": Copying("kinds.pt", "torch.", 9, ()),
    "beside a class": Copying("class.pt", "model.", 2, ("config",), "", ("plain.pt", "")),
}


@pytest.fixture(scope="module")
def copies(
    torch: Torch,
    folder: Path,
    answers: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[StrippedCopy, list[bool]]]:
    """Every copy, and what torch says of it: same names, same numbers, at multiples of 64."""
    made, orders = {}, []
    for number, (title, case) in enumerate(COPIES.items()):
        path = folder / case.name
        before = path.read_bytes(), path.stat().st_mtime_ns
        out = tmp_path_factory.mktemp("copies") / f"{number}{path.suffix}"
        made[title] = copied(path, case.start, out)
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before
        first, start = case.like or (case.name, case.start)
        orders.append([str(folder / first), str(out), case.table, start])
    told = torch.run(COMPARE, json.dumps(orders))
    return dict(zip(COPIES, zip(made.values(), told, strict=True), strict=True))


@pytest.mark.parametrize(("title", "case"), COPIES.items(), ids=COPIES)
def test_the_copy_holds_the_same_numbers_under_plain_names(
    title: str, case: Copying, copies: dict[str, tuple[StrippedCopy, list[bool]]]
) -> None:
    copy, told = copies[title]

    assert told == [True, True, True]
    assert copy.tensors == case.kept
    assert case.left is None or tuple(sorted(copy.dropped)) == case.left
    assert not judged(copy.path).failed


def test_what_is_made_of_more_is_not_copied(
    folder: Path, answers: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(DoctorError, match="holds no table of tensors"):
        copied(folder / "script.pt", "x", tmp_path / "copy.pt")
    assert list(tmp_path.iterdir()) == []
