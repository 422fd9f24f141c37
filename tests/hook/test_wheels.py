"""Real pyarrow, pandas, datasets and transformers, on an emulated Phenom and on this CPU."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import real_environment
from tests.hook.conftest import Room, printed

pytestmark = [pytest.mark.wheels, pytest.mark.qemu]

# pyarrow 26 refuses numpy 1; numpy 2.3.5 is the last that lives on every CPU.
COMMON = ("numpy==2.3.5", "pandas==2.3.3", "pyarrow==26.0.1")
GENERATIONS = {
    "transformers 4": ("transformers==4.57.3", "datasets==5.0.1"),
    "transformers 5": ("transformers==5.24.0", "datasets==5.2.0"),
}

QUIET = {"TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}
"""transformers says at every import that it misses torch."""


@pytest.fixture(params=GENERATIONS)
def wheels(request: pytest.FixtureRequest, own_room: Room) -> Room:
    """An environment of its own that sees the wheels of another: those stay untouched."""
    own_room.borrow(real_environment(*GENERATIONS[request.param], *COMMON))
    return own_room


@pytest.fixture
def phenom(qemu: Path) -> Sequence[str]:
    return [str(qemu), "-cpu", "phenom"]


PROGRAM = """
import json
answers = {}
try:
    import pyarrow
except ImportError as error:
    answers["pyarrow"] = str(error)
import pandas
answers["sum"] = int(pandas.DataFrame({"a": [1, 2]}).a.sum())
import transformers
answers["available"] = transformers.is_datasets_available()
from datasets import Dataset, load_dataset
answers["is one"] = isinstance({}, Dataset)
import datasets
answers["version"] = datasets.__version__
try:
    load_dataset("x")
except ImportError as error:
    answers["use"] = str(error)
from transformers import GenerationConfig
answers["config"] = GenerationConfig(max_length=7).max_length
print(json.dumps(answers))
"""


def test_without_the_hook_it_dies_and_with_it_all_that_can_live_lives(
    wheels: Room, phenom: Sequence[str]
) -> None:
    died = wheels.run("import datasets", under=phenom)
    assert died.code in (-signal.SIGILL, 128 + signal.SIGILL)
    wheels.hook("--cpu", "phenom-ii")
    answers = printed(wheels.run(PROGRAM, "-W", "ignore", env=QUIET, under=phenom))
    assert isinstance(answers, dict)
    assert answers.pop("pyarrow") == (
        "pyarrow 26.0.1 would kill this process: this CPU (AMD Phenom(tm) II X6 1090T Processor) "
        "lacks sse4_1 (SIGILL in a static initialiser of libarrow (`pinsrq`)). Remedy: pip "
        "uninstall pyarrow. To import it all the same: LEGACY_DOCTOR_DISABLE=guard:pyarrow"
    )
    assert "legacy-doctor's stand-in" in answers.pop("use")
    assert answers.pop("version").startswith("5.")
    assert answers == {"sum": 3, "available": True, "is one": False, "config": 7}


NATIVE = """
import datasets, pandas, pyarrow, transformers, json, sys
ours = {"_legacy_doctor_boot"}
print(json.dumps([
    sorted(set(sys.modules) - ours), datasets.__file__, datasets.Dataset.__module__,
    [[str(type(m.__spec__.loader)), sorted(vars(m.__spec__.loader)), sorted(vars(m))]
     for m in (datasets, pyarrow)],
    datasets.Dataset.from_dict({"a": [1, 2]})["a"][1], transformers.is_datasets_available(),
]))
"""


def test_on_a_cpu_that_has_it_nothing_differs(wheels: Room) -> None:
    (wheels.packages / "any.pth").write_text("# nothing\n")
    before = wheels.run(NATIVE, env=QUIET)
    wheels.hook("--cpu", "phenom-ii")
    assert wheels.run(NATIVE, env=QUIET) == before
    assert printed(before)[2] == "datasets.arrow_dataset"  # type: ignore[index]
