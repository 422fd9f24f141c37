"""What an environment holds against what its pins foresee, and how that is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from legacy_doctor.diagnosis import confirmation, rules, selection
from legacy_doctor.errors import UnknownNameError
from legacy_doctor.knowledge import catalogue, patches
from legacy_doctor.model import (
    AlteredFile,
    Finding,
    Patient,
    Pin,
    ProbeResult,
    Severity,
    Standing,
)
from tests.diagnosis.patients import SITE, dist, evidence, knowing, patient, pin, words
from tests.diagnosis.probed import PHENOM_PLAYED, died, ran

TORCH = dist("torch", "2.13.0")
OLDER = dist("torch", "2.4.1")
GUARD = dist("legacy-doctor-torch-guard")
NAMES = ("torch-onednn-off", "torch-onednn-off-hook", "torch-onednn-off-source")
USE = pin("torch", ">=2.2", needs="sse4_1", stage="use", symptom="LSTM dies", treated_by=NAMES)
OTHER = pin("torch", ">=2", needs="sse4_2", stage="use", severity="warning", symptom="int8 dies")
PATCHED = AlteredFile(
    distribution="torch",
    path=SITE / "torch/__init__.py",
    problem="changed",
    patches=("torch-onednn-off-source",),
    intact=True,
)
ARMED = {"torch-onednn-off": ">=2.2,<2.5"}


def told(who: Patient, *pins: Pin) -> dict[str, Finding]:
    """What the rules say of torch, by rule."""
    found = rules.diagnose(who, knowing(*(pins or (USE,))))
    return {item.rule: item for item in found if item.subject == "torch"}


# what is installed, and where its treatment is seen; nothing: it is not treated
FORCES: dict[str, tuple[Patient, str]] = {
    "the guard is installed": (patient(TORCH, GUARD), "legacy-doctor-torch-guard 1.0 is installed"),
    "the file is patched": (patient(TORCH, altered=(PATCHED,)), "torch/__init__.py is patched"),
    "the hook is armed": (patient(OLDER, armed=ARMED), "the import-time hook is armed"),
    "the hook is armed for this one, as was asked for": (
        patient(TORCH, armed={"torch-onednn-off": ">=2.5,<3"}),
        "the import-time hook is armed",
    ),
    "nothing": (patient(TORCH), ""),
    "the guard, which this torch does not ask": (patient(OLDER, GUARD), ""),
    "the hook, whose shim leaves this torch alone": (patient(TORCH, armed=ARMED), ""),
    "another shim is armed": (patient(OLDER, armed={"datasets-stub": ""}), ""),
    "another patch is in its file": (
        patient(TORCH, altered=(replace(PATCHED, patches=("torch-dynamo-stub",)),)),
        "",
    ),
    "the file of another is patched": (
        patient(TORCH, altered=(replace(PATCHED, distribution="x"),)),
        "",
    ),
}


@pytest.mark.parametrize(("who", "how"), FORCES.values(), ids=FORCES)
def test_what_is_in_force_is_told_in_place_of_the_failure(who: Patient, how: str) -> None:
    found = told(who)

    assert ("treated" in found) is bool(how)
    assert ("no-working-wheel" in found) is not bool(how)


def test_the_note_says_what_would_fail_and_what_keeps_it_from_failing() -> None:
    assert told(patient(TORCH, GUARD))["treated"] == Finding(
        rule="treated",
        severity=Severity.INFO,
        subject="torch",
        version="2.13.0",
        message="legacy-doctor-torch-guard 1.0 is installed; without that it fails in use: LSTM "
        "dies; needs sse4_1",
        needs=words("sse4_1"),
        missing=words("sse4_1"),
        evidence=(evidence(),),
        details=(f"patch torch-onednn-off: {patches.find('torch-onednn-off').title}",),
    )


def test_what_the_patch_does_not_answer_stands_as_ever() -> None:
    treated, untreated = told(patient(TORCH, GUARD), USE, OTHER), told(patient(TORCH), USE, OTHER)

    assert {*treated} == {"treated", "no-working-wheel"}
    assert treated["no-working-wheel"].severity is Severity.WARNING
    assert treated["no-working-wheel"].message == "fails in use: int8 dies; needs sse4_2"
    assert untreated["no-working-wheel"].details == ("fails in use: int8 dies; needs sse4_2",)


def test_two_failures_with_one_treatment_are_one_note() -> None:
    found = told(patient(TORCH, GUARD), USE, replace(USE, symptom="conv raises"))["treated"]

    assert found.message.count("is installed") == 1
    assert found.details[0] == "fails in use: conv raises; needs sse4_1"


def test_a_pin_with_an_unknown_patch_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="no patch 'torch-onednn-of'; did you mean"):
        told(patient(TORCH), replace(USE, treated_by=("torch-onednn-of",)))


def test_the_shipped_pins_name_shipped_patches_of_their_own_distribution() -> None:
    named = [
        (item.distribution, patches.find(name).distribution)
        for pinset in catalogue.every()
        for item in pinset.pins
        for name in item.treated_by
    ]

    assert named
    assert all(one == other for one, other in named)


# --- what the probes say of it


def followed(*results: ProbeResult) -> Finding:
    who, known = patient(TORCH, GUARD), knowing(USE)
    found = confirmation.confirm(
        who, known, rules.diagnose(who, known), results, PHENOM_PLAYED, today=date(2026, 11, 26)
    )
    return next(item for item in found if item.rule == "treated")


def test_what_is_treated_is_still_probed() -> None:
    assert list(selection.suspects(told(patient(TORCH, GUARD)).values())) == ["torch"]


def test_that_it_runs_refutes_nothing() -> None:
    found = followed(ran("torch"))

    assert (found.severity, found.standing) == (Severity.INFO, Standing.PREDICTED)
    assert found.details[-1] == f"so treated, it ran here ({PHENOM_PLAYED})"


def test_that_it_dies_all_the_same_is_an_error() -> None:
    found = followed(died("torch", "use"))

    assert (found.severity, found.standing) == (Severity.ERROR, Standing.CONFIRMED)
    assert found.details[0].startswith("predicted [emulated]: legacy-doctor-torch-guard 1.0 is")


def test_a_probe_that_did_not_come_that_far_says_so() -> None:
    found = followed(ran("torch", "timeout", "use"))

    assert found.severity is Severity.INFO
    assert found.details[-1] == "not reached: its probe ended first (timeout)"
