"""What the shipped pin-sets predict, held against what really happened under emulation.

`ground_truth.jsonl`: one environment a line (binary wheels, CPython 3.11.7, qemu-user 7.2) with one
snippet that was run on five CPU models; `culprit` is the distribution that owns the faulting library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import rules
from legacy_doctor.diagnosis.claims import judge
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import (
    Distribution,
    Finding,
    Interpreter,
    Knowledge,
    Patient,
    Pin,
    Severity,
)

MODELS = ("phenom", "Penryn", "Nehalem", "SandyBridge", "Haswell")
CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("ground_truth.jsonl").read_text("utf-8").splitlines()
]

INTERPRETER = Interpreter(
    executable=Path("/target/bin/python"),
    prefix=Path("/target"),
    version=(3, 11, 7),
    implementation="cpython",
    platform="linux-x86_64",
    chosen_by="--python",
    site_packages=(Path("/target/lib/python3.11/site-packages"),),
    machine="x86_64",
)

# The environment holds a distribution that dies when imported here, and the snippet lives because
# it never imports it. The finding about it is right all the same.
NEVER_IMPORTED = {
    ("clarabel / import", "numpy"): "numpy is imported when a problem is built",
    ("statsmodels / import", "numpy"): "statsmodels/__init__.py imports nothing",
    ("usearch / import", "numpy"): "usearch catches the RuntimeError that numpy raises with SSE4.1",
}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return catalogue.choose()


def patient(model: str, resolved: list[str]) -> Patient:
    root = INTERPRETER.site_packages[0]
    return Patient(
        cpu=models.find(model).cpu,
        interpreter=INTERPRETER,
        distributions=tuple(
            Distribution(name=name, version=version, root=root, info=root / f"{name}.dist-info")
            for name, _, version in (item.partition("==") for item in resolved)
        ),
        what_if=True,
    )


def errors(who: Patient, knowledge: Knowledge) -> dict[str, Finding]:
    """The error findings by the distribution at fault."""
    return {
        finding.cause: finding
        for finding in rules.diagnose(who, knowledge)
        if finding.severity is Severity.ERROR and finding.cause is not None
    }


def deadly(who: Patient, knowledge: Knowledge) -> Iterator[tuple[str, Pin]]:
    """Yield each distribution with every error-grade pin that stands against it."""
    for judgement in judge(who, knowledge):
        for pin in judgement.standing:
            if pin.severity is Severity.ERROR:
                yield judgement.distribution.name, pin


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_prediction(case: dict[str, Any], model: str, knowledge: Knowledge) -> None:
    who = patient(model, case["resolved"])
    result = case["results"][model]
    if result != "ok":
        found = errors(who, knowledge)
        assert result["culprit"] in found
        finding = found[result["culprit"]]
        assert finding.missing, "an illegal instruction is always a missing feature"
        return
    # What ran may hold a pin about its use; what was used may hold none.
    fatal = {
        name
        for name, pin in deadly(who, knowledge)
        if pin.stage == "import" or (case["stage"] == "use" and name == case["distribution"])
    }
    assert {name for name in fatal if (case["case"], name) not in NEVER_IMPORTED} == set()


def test_exceptions_are_needed(knowledge: Knowledge) -> None:
    names = {
        (case["case"], name)
        for case in CASES
        for name, _ in deadly(patient("phenom", case["resolved"]), knowledge)
        if case["results"]["phenom"] == "ok" or case["results"]["Penryn"] == "ok"
    }
    assert set(NEVER_IMPORTED) <= names


def test_haswell_has_nothing_to_fear(knowledge: Knowledge) -> None:
    assert not any(pinset.applies(models.find("Haswell").cpu) for pinset in knowledge.pinsets)
