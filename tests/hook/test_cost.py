"""What the hook costs a Python that imports nothing listed, in instructions: they repeat."""

from __future__ import annotations

import re
import shutil

import pytest

from legacy_doctor.hook.rules import Armed, Listed, Shim
from tests.conftest import lacking
from tests.hook.conftest import PRESENT, STAND_IN, Room, guard, start

BUDGET = 1_000_000


def instructions(valgrind: str, room: Room, *flags: str, code: str = "pass") -> int:
    """Count what one start executes, the end of the process with it."""
    said = start(
        [
            valgrind,
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            room.python,
            *flags,
            "-c",
            code,
        ],
        {"PYTHONHASHSEED": "0"},
        room.folder,
    )
    found = re.search(r"Collected : (\d+)", said.err)
    assert found is not None, said.err[-500:]
    return int(found[1])


@pytest.fixture
def valgrind() -> str:
    path = shutil.which("valgrind")
    if path is None:
        lacking("valgrind", "valgrind is not installed (apt-get install valgrind)")
    return str(path)


FULL = Armed(
    cpu="AMD Phenom(tm) II X6 1090T Processor",
    guards=tuple(
        guard(name, PRESENT, ">=1")
        for name in (
            *("pyarrow", "numpy", "pandas", "scipy", "polars", "torchcodec", "ctranslate2"),
            *("onnxruntime", "faiss", "tensorflow", "jaxlib", "numba", "llvmlite", "duckdb"),
        )
    ),
    shims=(
        Shim(id="torch-onednn-off"),
        Shim(id="dataloader-num-workers-0"),
        Shim(id="torch-load-weights-only-false", listed=(Listed(path="/models"),)),
        Shim(id="mel-on-gpu"),
        Shim(id="datasets-stub", stand_in=STAND_IN),
    ),
)


def test_a_start_with_nothing_listed_stays_within_its_budget(own_room: Room, valgrind: str) -> None:
    bare = instructions(valgrind, own_room)
    own_room.compile(FULL)
    hooked = instructions(valgrind, own_room)
    assert 0 < hooked - bare <= BUDGET
    assert (hooked - bare) / bare <= 0.03


def test_an_import_that_is_not_listed_costs_a_look_into_a_table(
    own_room: Room, valgrind: str
) -> None:
    own_room.compile(FULL)
    code = "import sys; f = sys.meta_path[{}].find_spec\nfor _ in range({}): f('not_listed', None)"
    counts = [
        instructions(valgrind, own_room, code=code.format(place, times))
        for place, times in ((0, 0), (0, 5000), (1, 0), (1, 5000))
    ]
    # Behind ours comes Python's own finder of built-in modules, the cheapest that it has.
    assert (counts[1] - counts[0]) * 2 <= counts[3] - counts[2]
