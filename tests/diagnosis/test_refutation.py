"""Predictions that no probe confirmed: refuted in whole, in part, outweighed, or never reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from legacy_doctor.diagnosis import confirmation, rules, words
from legacy_doctor.model import (
    Evidence,
    FaultKind,
    Finding,
    Grade,
    Pin,
    ProbeResult,
    Severity,
    Standing,
)
from tests.diagnosis.patients import dist, evidence, files, knowing, patient, pin
from tests.diagnosis.probed import PHENOM_PLAYED, died, raised, ran, say

WHO = (
    dist("app", "1", "x"),
    dist("other", "1", files=files("other/__init__.py")),
    dist("x", "2"),
)
IMPORT = pin("x", ">=2", "<2", needs="sse4_1", symptom="it dies")
USE = pin("x", ">=2", "<1", needs="sse4_2", stage="use", severity="warning", symptom="it hangs")


@pytest.fixture(autouse=True)
def _short_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "sentence", say)


def follow(
    *results: ProbeResult, pins: Iterable[Pin] = (IMPORT,), how: str = PHENOM_PLAYED, **more: Any
) -> tuple[Finding, ...]:
    who = patient(*(more.pop("installed", WHO)))
    known = knowing(*pins, **more)
    predicted = rules.diagnose(who, known)
    return confirmation.confirm(who, known, predicted, results, how, today=date(2026, 11, 26))


def only(*results: ProbeResult, **more: Any) -> Finding:
    """The finding about x."""
    (found,) = (item for item in follow(*results, **more) if item.rule != "probe-raised")
    return found


def test_a_refuted_finding_asks_for_nothing_and_keeps_both_evidences() -> None:
    assert only(ran("x", use="")) == Finding(
        rule="broken-pin",
        severity=Severity.INFO,
        subject="x",
        version="2",
        message="predicted to break (emulated), but it ran here: qemu-x86_64 7.2.22 -cpu phenom; "
        "please keep this evidence",
        needs=IMPORT.needs,
        missing=IMPORT.needs,
        evidence=(
            Evidence(
                grade=Grade.EMULATED,
                source="emulated: phenom, 2026-11-26, CPython 3.11.7",
                detail="x 2: ok (use)",
            ),
            evidence(),
        ),
        details=("predicted [emulated]: dies on import: it dies; needs sse4_1",),
        standing=Standing.REFUTED,
    )


REPORTED_USE = replace(USE, evidence=(evidence("reported"),))
SAID = "predicted to fail in use (reported), but the smallest use ran here: "
IMPORTS = {
    "the use passed too": ([ran("x")], "refuted"),
    "there is no use": ([ran("x", stage="import", use="")], "refuted"),
    "the use raised": ([raised("x", "no", stage="use")], "refuted"),
    "the use died elsewhere": ([died("x", "use", owner=None), ran("x")], "confirmed"),
    "another of its probes was skipped": (
        [ran("x/one", "skipped", ""), ran("x")],
        "refuted",
    ),
    "the import timed out": ([ran("x", "timeout", "import")], "predicted"),
    "it never began": ([ran("x", "vanished", "")], "predicted"),
    "only its dependant passed": ([ran("app")], "predicted"),
}
USES = {
    "the smallest use passed": ([ran("x")], "refuted"),
    "there is no use": ([ran("x", use="")], "predicted"),
    "the use raised": ([raised("x", "no", stage="use")], "predicted"),
    "one use passed, another timed out": ([ran("x"), ran("x/two", "timeout")], "predicted"),
    "one use passed, another died": ([ran("x"), died("x/two", "use")], "confirmed"),
    "one use passed, a second one too": ([ran("x"), ran("x/two")], "refuted"),
    "it passed, and its dependant died in it": (
        [ran("x"), died("app", "use", owner="x")],
        "confirmed",
    ),
    "it passed, and its dependant died of what the emulator lacks": (
        [ran("x"), died("app", "use", owner="x", needs="sse2")],
        "predicted",
    ),
}


@pytest.mark.parametrize(("results", "standing"), IMPORTS.values(), ids=IMPORTS)
def test_an_import_that_was_foreseen_to_die(results: list[ProbeResult], standing: str) -> None:
    found = next(item for item in follow(*results) if item.rule == "broken-pin")
    assert found.standing.value == standing


@pytest.mark.parametrize(("results", "standing"), USES.values(), ids=USES)
def test_a_use_that_was_foreseen_to_fail(results: list[ProbeResult], standing: str) -> None:
    found = next(
        item for item in follow(*results, pins=(REPORTED_USE,)) if item.rule == "broken-pin"
    )
    assert found.standing.value == standing
    if standing == "refuted":
        assert found.message.startswith(SAID)
        assert found.severity is Severity.INFO


def test_a_use_that_was_seen_to_fail_may_be_another_than_the_smallest() -> None:
    found = only(ran("x"), pins=(USE,))
    assert found.standing is Standing.PREDICTED
    assert found.details == (
        f"it ran here ({PHENOM_PLAYED}), which weighs no more than the evidence against it",
    )


def test_where_it_ran_is_told() -> None:
    found = only(ran("x", emulator=""), how="on this CPU")
    assert "but it ran here: on this CPU; please" in found.message
    assert found.evidence[0].grade is Grade.SILICON


@pytest.mark.parametrize("grade", ["emulated", "maintainer", "reported", "inferred"])
def test_an_emulated_run_refutes_what_was_never_seen_on_silicon(grade: str) -> None:
    claim = pin("x", ">=2", "<2", needs="sse4_1", grade=grade)
    found = only(ran("x"), pins=(claim,))
    assert found.message.startswith(f"predicted to break ({grade}), but it ran here")


def test_what_died_on_silicon_is_not_refuted_by_an_emulator() -> None:
    claim = pin("x", ">=2", "<2", needs="sse4_1", grade="silicon")
    found = only(ran("x"), pins=(claim,))
    assert (found.standing, found.severity) == (Standing.PREDICTED, Severity.ERROR)
    assert found.details == (
        f"it ran here ({PHENOM_PLAYED}), which weighs no more than the evidence against it",
    )
    assert only(ran("x", emulator=""), pins=(claim,)).standing is Standing.REFUTED


class TestSeveralClaims:
    def test_all_refuted(self) -> None:
        found = only(ran("x"), pins=(IMPORT, REPORTED_USE))
        assert found.standing is Standing.REFUTED
        assert found.details[1:] == ("fails in use: it hangs; needs sse4_2",)

    def test_the_import_refuted_and_the_use_not(self) -> None:
        found = only(ran("x", use=""), pins=(IMPORT, USE))
        assert (found.standing, found.severity) == (Standing.PREDICTED, Severity.WARNING)
        assert found.message == "fails in use: it hangs; needs sse4_2"
        assert found.remedy is not None
        assert found.remedy.install == ("x<1",)
        assert found.details == (f"refuted, it got past that here ({PHENOM_PLAYED}): it dies",)

    def test_what_is_left_may_have_no_working_wheel(self) -> None:
        left = pin("x", "", stage="use", severity="warning", symptom="it hangs")
        found = only(ran("x", use=""), pins=(IMPORT, left))
        assert (found.rule, found.message) == ("no-working-wheel", "fails in use: it hangs")


class TestDisputes:
    CLAIMS = (pin("x", "", grade="reported", symptom="it dies"), pin("x", good="", stage="use"))

    def test_a_run_settles_it(self) -> None:
        found = only(ran("x"), pins=self.CLAIMS)
        assert (found.rule, found.standing) == ("disputed-evidence", Standing.REFUTED)
        assert found.message.startswith("predicted to break (reported), but it ran here")

    def test_another_run_does_not(self) -> None:
        found = only(ran("app"), pins=self.CLAIMS)
        assert found.standing is Standing.PREDICTED

    def test_half_a_run_settles_half(self) -> None:
        use = pin("x", "", needs="sse4_1", stage="use", grade="reported", symptom="it hangs")
        for found in follow(ran("x", use=""), pins=(*self.CLAIMS, use)):
            assert (found.rule, found.standing) == ("disputed-evidence", Standing.PREDICTED)
            assert found.details == ()


class TestContradictions:
    INSTALLED = (dist("app", "1", "x>=2"), dist("x", "2"))

    def contradiction(self, *results: ProbeResult) -> Finding:
        found = follow(*results, installed=self.INSTALLED)
        return next(item for item in found if item.rule == "contradicting-pins")

    def test_a_refuted_pin_contradicts_nobody(self) -> None:
        found = self.contradiction(ran("x"))
        assert (found.severity, found.standing) == (Severity.INFO, Standing.REFUTED)
        assert found.message == "the pin is refuted, so this matters no more"
        assert found.details == (
            "predicted [emulated]: the pin x<2 contradicts app 1, which requires x>=2",
        )
        assert (found.remedy, found.affects) == (None, ())

    @pytest.mark.parametrize("result", [died("x"), ran("app"), ran("x", "timeout", "import")])
    def test_a_pin_that_stands_does(self, result: ProbeResult) -> None:
        found = self.contradiction(result)
        assert (found.severity, found.standing) == (Severity.WARNING, Standing.PREDICTED)


UNREACHED = {
    "it died in another": ([died("x", owner="other")], ["other died first"]),
    "another refused the CPU": (
        [raised("x", "Incompatible processor", "other/__init__.py")],
        ["other refused this CPU first"],
    ),
    "it raised": ([raised("x", "no", of="OSError")], ["its probe raised OSError first"]),
    "it timed out": ([ran("x", "timeout", "import")], ["its probe ended first (timeout)"]),
    "it vanished": ([ran("x", "vanished", "")], ["its probe ended first (vanished)"]),
    "each of its probes says so": (
        [died("x", owner="other"), ran("x/two", "timeout", "import")],
        ["other died first", "its probe ended first (timeout)"],
    ),
    "the emulator cannot play it": (
        [died("x", needs="sse2")],
        ["x 2 ends on import: SIGILL; the emulator cannot play it, so it proves nothing"],
    ),
    "it was not run": ([ran("app")], []),
}


@pytest.mark.parametrize(("results", "remarks"), UNREACHED.values(), ids=UNREACHED)
def test_what_kept_a_probe_from_the_point(results: list[ProbeResult], remarks: list[str]) -> None:
    found = next(item for item in follow(*results) if item.rule == "broken-pin")
    assert found.standing is Standing.PREDICTED
    assert [item.removeprefix("not reached: ") for item in found.details] == remarks


def test_a_prediction_of_nobody_here_is_left_alone() -> None:
    strange = Finding(rule="broken-pin", severity=Severity.ERROR, subject="gone", message="m")
    left = confirmation.confirm(
        patient(*WHO), knowing(), [strange], [ran("x")], "", today=date(2026, 11, 26)
    )
    assert left == (strange,)


def test_a_null_pointer_comes_true_as_well() -> None:
    crash = died("x", kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")
    assert only(crash).standing is Standing.CONFIRMED
