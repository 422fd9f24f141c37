"""The shims on the real torch 2.13.0, on this CPU and on an emulated Phenom."""

from __future__ import annotations

import signal
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from legacy_doctor.hook.rules import Armed, Shim, Where
from tests.conftest import real_environment
from tests.hook.conftest import Room, printed

pytestmark = pytest.mark.torch
QUIET = ("-W", "ignore::UserWarning")
"""torch misses numpy, which is none of our business."""

ONEDNN = ("--cpu", "phenom-ii", "--shim", "torch-onednn-off")


@pytest.fixture
def torch(own_room: Room, torch_environment: Path) -> Room:
    """An environment of its own that sees torch and what it needs."""
    needs = real_environment(
        "filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"
    )
    own_room.borrow(torch_environment)
    own_room.borrow(needs)
    return own_room


LOADER = """
import json, warnings, multiprocessing, os, sys
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset
class Squares(Dataset):
    def __len__(self):
        return 10
    def __getitem__(self, index):
        return index * index, os.getpid()
class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))
def batches(dataset, epochs=2, **options):
    made = DataLoader(dataset, batch_size=3, generator=torch.Generator().manual_seed(1), **options)
    return [[b for b in made] for _ in range(epochs)], made
def run():
    told = []
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *rest: told.append(str(message))
    answers, pids = [], set()
    for options in (
        {"num_workers": 2},
        {"num_workers": 2, "shuffle": True, "persistent_workers": True, "prefetch_factor": 4},
        {"num_workers": 2, "multiprocessing_context": "spawn", "timeout": 60, "shuffle": True},
    ):
        epochs, made = batches(Squares(), **options)
        for epoch in epochs:
            pids |= {int(pid) for _, batch in epoch for pid in batch}
        answers.append([[numbers.tolist() for numbers, _ in epoch] for epoch in epochs])
        answers.append([made.num_workers, made.prefetch_factor, made.persistent_workers,
                        made.multiprocessing_context is not None])
    for options in ({"num_workers": 1}, {"num_workers": 1, "persistent_workers": True}):
        epochs, _ = batches(Stream(), **options)
        answers.append([[batch.tolist() for batch in epoch] for epoch in epochs])
    errors = []
    for options in ({"prefetch_factor": 2}, {"persistent_workers": True}, {"num_workers": -1},
                    {"num_workers": 1, "multiprocessing_context": "nonsense"}):
        try:
            DataLoader([1], **options)
        except ValueError as error:
            errors.append(str(error))
    told = [text for text in told if "legacy-doctor" in text]
    print(json.dumps([answers, errors, len(told), pids == {os.getpid()}, len(pids)]))
if __name__ == "__main__":
    run()
"""


def test_the_same_batches_without_a_child(torch: Room) -> None:
    torch.put(program=LOADER)
    start = "import runpy; runpy.run_module('program', run_name='__main__', alter_sys=True)"
    workers = printed(torch.run(start, *QUIET))
    torch.hook("--shim", "dataloader-num-workers-0")
    here = printed(torch.run(start, *QUIET))
    assert isinstance(workers, list)
    assert isinstance(here, list)
    assert here[:2] == workers[:2]
    assert workers[2:4] == [0, False]
    assert here[2:] == [1, True, 1]


LOAD = """
import collections, io, json, sys
import torch
class Thing:
    value = 7
def attempt(f, **options):
    try:
        return torch.load(f, **options)["thing"].value
    except Exception as error:
        return type(error).__name__
sys.modules["__main__"].Thing = Thing
for name in ("listed.pt", "hashed.pt", "other.pt"):
    torch.save({"thing": Thing(), "name": name}, name)
"""


def test_only_listed_checkpoints_are_unpickled(torch: Room) -> None:
    import hashlib
    import json

    assert torch.run(LOAD).code == 0
    digest = hashlib.sha256((torch.folder / "hashed.pt").read_bytes()).hexdigest()
    torch.hook("--load-file", "listed.pt", "--load-file", digest)
    code = (
        LOAD.partition("for name in")[0]
        + """
answers = [attempt(name) for name in ("listed.pt", "hashed.pt", "other.pt")]
answers += [attempt("listed.pt", weights_only=True), attempt("other.pt", weights_only=False)]
with open("listed.pt", "rb") as file:
    answers.append(attempt(file))
answers.append(attempt("listed.pt", mmap=True))
answers.append(attempt("hashed.pt", mmap=True, map_location="cpu"))
import inspect
answers.append("weights_only" in inspect.signature(torch.load).parameters)
answers.append(torch.load is torch.serialization.load)
print(json.dumps(answers))
"""
    )
    refused = "UnpicklingError"
    assert json.loads(torch.run(code).out) == [7, 7, refused, refused, 7, 7, 7, 7, True, True]
    off = torch.run(code, env={"LEGACY_DOCTOR_DISABLE": "shim:torch-load-weights-only-false"})
    assert json.loads(off.out)[:3] == [refused] * 3


def test_onednn_stays_on_where_it_runs(torch: Room) -> None:
    code = "import torch, json; print(json.dumps(torch._C._get_mkldnn_enabled()))"
    torch.hook(*ONEDNN)
    assert printed(torch.run(code, *QUIET)) is True
    needed = Where(needs=frozenset({"3dnow"}))
    torch.arm(Armed(cpu="any", shims=(Shim(id="torch-onednn-off", where=(needed,)),)))
    assert printed(torch.run(code, *QUIET)) is False


NETS = """
import torch
def nets():
    torch.manual_seed(0)
    try:
        found = [round(float(torch.nn.Conv1d(16, 16, 5)(torch.ones(2, 16, 64)).sum()), 1)]
    except RuntimeError as error:
        found = [str(error)]
    print(*found, flush=True)
    found.append(round(float(torch.nn.LSTM(4, 4)(torch.ones(3, 1, 4))[0].sum()), 2))
    print(found[1], flush=True)
    return found
"""
WORKER = """
import multiprocessing, sys
from nets import nets
if __name__ == "__main__":
    nets()
    context = multiprocessing.get_context("spawn")
    context.set_executable(sys.argv[1])
    worker = context.Process(target=nets)
    worker.start()
    worker.join()
    sys.exit(worker.exitcode)
"""


@pytest.mark.qemu
def test_onednn_is_off_on_an_old_cpu_in_the_process_and_in_its_workers(
    torch: Room, qemu: Path
) -> None:
    phenom: Sequence[str] = [str(qemu), "-cpu", "phenom"]
    # A child of an emulated process runs on the real CPU, unless it is emulated in its turn.
    python = torch.folder / "emulated"
    python.write_text(f'#!/bin/sh\nexec {" ".join(phenom)} {torch.python} "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    torch.put(nets=NETS, program=WORKER)
    start = f"""
import runpy, sys
sys.argv = ["program", {str(python)!r}]
runpy.run_module("program", run_name="__main__", alter_sys=True)
"""
    before = torch.run(start, under=phenom)
    assert before.code in (-signal.SIGILL, 128 + signal.SIGILL)
    assert "could not create a primitive" in before.out
    native = torch.run("import nets; nets.nets()").out.splitlines()
    torch.hook(*ONEDNN)
    after = torch.run(start, under=phenom)
    assert after.code == 0, after.err
    assert after.out.splitlines() == native * 2
