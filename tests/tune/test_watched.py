"""IPEX: archived, and deadly where it does not match."""

from __future__ import annotations

import pytest

from legacy_doctor.knowledge import tuning
from legacy_doctor.model import Outcome, Probe, ProbeResult, Raised, Severity
from legacy_doctor.tune import watched
from tests.tune.consultations import cpu

(IPEX,) = tuning.find("general").watched
PROBE = Probe(id="x", distribution="x", imports="import x")


def ended(
    outcome: Outcome, *, reason: str = "", raised: Raised | None = None, emulator: str = ""
) -> ProbeResult:
    return ProbeResult(
        probe=PROBE, outcome=outcome, reason=reason, raised=raised, emulator=emulator
    )


@pytest.mark.parametrize(
    ("torch", "result", "said"),
    [
        pytest.param(
            "2.13.0+cpu",
            ended(Outcome.RAISED, raised=Raised(type="AttributeError", message="module 'os' has no attribute 'exit'")),
            "torch is 2.13.0+cpu, of another minor version; imported in a child it ended so: "
            "AttributeError: module 'os' has no attribute 'exit' (what it does where torch does not match)",
            id="2.6 to 2.8 raise AttributeError",
        ),
        pytest.param(
            "2.9.0",
            ended(Outcome.VANISHED, reason="ended without a word (os._exit), exit status 127"),
            "exit status 127 (what it does where torch does not match)",
            id="the last commit ends with 127",
        ),
        pytest.param(
            "2.9.0",
            ended(Outcome.RAISED, raised=Raised(type="SystemExit", message="")),
            "it ended so: SystemExit (what",
            id="older ones leave by SystemExit",
        ),
        pytest.param(None, ended(Outcome.ILLEGAL_INSTRUCTION), "torch is not installed beside it", id="no torch"),
        pytest.param("2.9.0", None, "of another minor version", id="not tried"),
        pytest.param("nonsense", None, "of another minor version", id="a version that is none"),
        pytest.param(
            "2.9.0", ended(Outcome.SKIPPED, reason="no qemu-user"), "not imported: no qemu-user", id="could not be tried"
        ),
    ],
)  # fmt: skip
def test_a_mismatch_is_an_error(torch: str | None, result: ProbeResult | None, said: str) -> None:
    versions = {IPEX.name: "2.8.0"} | ({"torch": torch} if torch else {})

    found = watched.remark(IPEX, versions, cpu("haswell"), result)

    assert found.severity is Severity.ERROR
    assert found.subject == "intel-extension-for-pytorch 2.8.0"
    assert said in found.text
    assert "archived on 2026-03-30" in found.text


def test_a_match_that_lives_is_still_not_recommended() -> None:
    found = watched.remark(
        IPEX,
        {IPEX.name: "2.8.0", "torch": "2.8.1"},
        cpu("haswell"),
        ended(Outcome.OK, emulator="qemu"),
    )

    assert found.severity is Severity.WARNING
    assert found.text.startswith("imported in a child it lives (qemu). IPEX was archived")


def test_a_match_that_nobody_tried_is_a_warning() -> None:
    found = watched.remark(IPEX, {IPEX.name: "2.8.0", "torch": "2.8.1"}, cpu("haswell"), None)

    assert (found.severity, found.text[:4]) == (Severity.WARNING, "IPEX")


def test_a_cpu_without_avx2_is_named() -> None:
    found = watched.remark(
        IPEX,
        {IPEX.name: "2.8.0", "torch": "2.8.0"},
        cpu("sandy-bridge"),
        ended(Outcome.ILLEGAL_INSTRUCTION),
    )

    assert found.severity is Severity.ERROR
    assert "this CPU lacks" in found.text
    assert "avx2" in found.text
    assert "illegal-instruction" in found.text


def test_what_must_match_nothing_is_not_compared() -> None:
    free = tuning.Watched(
        name="x", imports="import x", needs=frozenset(), same_minor_as=None, advice="Leave it."
    )

    assert watched.remark(free, {"x": "1"}, cpu("haswell"), None).text == "Leave it."
