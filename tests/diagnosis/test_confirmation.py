"""Findings follow evidence: for each way in which probes can end, what is left to say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from legacy_doctor.diagnosis import confirmation, rules, words
from legacy_doctor.model import (
    DeclaredIsa,
    Evidence,
    FaultKind,
    Finding,
    Frame,
    Grade,
    Incompatibility,
    Knowledge,
    Patient,
    Pin,
    ProbeResult,
    Probing,
    Remedy,
    RemedyKind,
    Removal,
    Severity,
    Standing,
)
from tests.diagnosis.patients import (
    PHENOM,
    SITE,
    dist,
    evidence,
    files,
    interpreter,
    knowing,
    patient,
    pin,
)
from tests.diagnosis.patients import words as features
from tests.diagnosis.probed import PHENOM_PLAYED, UMATH, died, fault, probe, raised, ran, say

TODAY = date(2026, 11, 26)
SOURCE = "emulated: phenom, 2026-11-26, CPython 3.11.7"
HOUSE = words.sentence
BASELINE = (
    "NumPy was built with baseline optimizations: (X86_V2) but your machine doesn't support: "
    "(X86_V2)."
)
NUMPY = pin("numpy", ">=2.4", "<2.4", needs="sse4_1", symptom="SIGILL at pinsrq", last_good="2.3.5")
TORCH = pin("torch", "", needs="sse4_1", stage="use", severity="warning", symptom="no conv")
WHO = (
    dist("app", "1", "pandas"),
    dist("numpy", "2.4.6", files=files("numpy/__init__.py", "numpy/_core/multiarray.py", UMATH)),
    dist("orjson", "3.11", files=files("orjson/__init__.py")),
    dist("pandas", "3.1.1", "numpy>=1.26", files=files("pandas/__init__.py")),
    dist("polars", "1.36"),
    dist("torch", "2.7.0", files=files("torch/nn/functional.py")),
)


@pytest.fixture(autouse=True)
def _short_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "sentence", say)


def follow(
    *results: ProbeResult,
    pins: Iterable[Pin] = (NUMPY,),
    who: Patient | None = None,
    how: str = PHENOM_PLAYED,
    **knowledge: Any,
) -> tuple[Finding, ...]:
    who = who or patient(*WHO)
    known = knowing(*pins, **knowledge)
    predicted = rules.diagnose(who, known)
    return confirmation.confirm(who, known, predicted, results, how, today=TODAY)


def told(findings: Iterable[Finding]) -> list[str]:
    return [
        f"{item.severity.value}, {item.standing.value}: {item.subject}: {item.message}"
        for item in findings
    ]


PREDICTED = "error, predicted: numpy: dies on import: SIGILL at pinsrq; needs sse4_1"
CONFIRMED = "error, confirmed: numpy: ends on import: SIGILL"
UNSUITED = "; it does not look like something that this CPU lacks"
NO_ISA = "; not an ISA problem by its words"
CASES: dict[str, tuple[list[ProbeResult], list[str]]] = {
    "no probe was run": ([], [PREDICTED]),
    "its probe was skipped": ([ran("numpy", "skipped", "")], [PREDICTED]),
    "it died of its own": ([died("numpy")], [CONFIRMED]),
    "it died in use where an import was foreseen": (
        [died("numpy", "use")],
        ["error, confirmed: numpy: ends in use: SIGILL"],
    ),
    "it died of an integer division": (
        [died("numpy", kind=FaultKind.DIVIDE, needs="", outcome="floating-point-exception")],
        [CONFIRMED],
    ),
    "it died of an instruction that nobody decoded": ([died("numpy", needs="")], [CONFIRMED]),
    "it died where it was foreseen, of a null pointer": (
        [died("numpy", kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")],
        [CONFIRMED],
    ),
    "it died and nobody knows where": (
        [ran("numpy", "illegal-instruction", "import")],
        ["error, confirmed: numpy: ends on import: illegal-instruction"],
    ),
    "it died in a file that nobody owns": ([died("numpy", owner=None)], [CONFIRMED]),
    "it refused the CPU": (
        [raised("numpy", BASELINE, "numpy/__init__.py", "numpy/_core/multiarray.py")],
        ["error, confirmed: numpy: ends on import: raised"],
    ),
    "another died in it": (
        [died("pandas", owner="numpy")],
        ["error, confirmed: numpy: is where pandas 3.1.1 ends on import: SIGILL"],
    ),
    "it and two others died in it: one root, one finding": (
        [died("pandas", owner="numpy"), died("numpy"), died("orjson", owner="numpy")],
        [CONFIRMED],
    ),
    "another was refused by it": (
        [raised("pandas", BASELINE, "pandas/__init__.py", "numpy/_core/multiarray.py")],
        ["error, confirmed: numpy: is where pandas 3.1.1 ends on import: raised"],
    ),
    "it died, and another of its own": (
        [died("numpy"), died("orjson", needs="sse4_2")],
        [CONFIRMED, "error, new: orjson: ends on import: SIGILL"],
    ),
    "it imported and was used": (
        [ran("numpy")],
        [
            (
                "info, refuted: numpy: predicted to break (emulated), but it ran here: "
                f"{PHENOM_PLAYED}; please keep this evidence"
            )
        ],
    ),
    "it imported, and its use timed out": (
        [ran("numpy", "timeout")],
        [
            (
                "info, refuted: numpy: predicted to break (emulated), but it ran here: "
                f"{PHENOM_PLAYED}; please keep this evidence"
            ),
            "info, new: numpy: ends in use: timeout",
        ],
    ),
    "it imported, and another died in it": (
        [ran("numpy"), died("pandas", "use", owner="numpy")],
        ["error, confirmed: numpy: is where pandas 3.1.1 ends in use: SIGILL"],
    ),
    "only another imported": ([ran("pandas")], [PREDICTED]),
    "it died in another": (
        [died("numpy", owner="orjson")],
        [PREDICTED, "error, new: orjson: is where numpy 2.4.6 ends on import: SIGILL"],
    ),
    "it raised what is no refusal": (
        [raised("numpy", "No module named 'x'", of="ImportError")],
        [
            PREDICTED,
            f"warning, new: numpy: raises ImportError on import: No module named 'x'{NO_ISA}",
        ],
    ),
    "it timed out on import": (
        [ran("numpy", "timeout", "import")],
        [PREDICTED, "warning, new: numpy: ends on import: timeout"],
    ),
    "it died of what the CPU has and the emulator has not": (
        [died("numpy", needs="sse2")],
        [PREDICTED],
    ),
    "another died, and no rule knew": (
        [died("orjson")],
        [PREDICTED, "error, new: orjson: ends on import: SIGILL"],
    ),
    "another died in use": (
        [died("orjson", "use")],
        [PREDICTED, "error, new: orjson: ends in use: SIGILL"],
    ),
    "another died in a file that nobody owns": (
        [died("orjson", owner=None)],
        [PREDICTED, "error, new: orjson: ends on import: SIGILL"],
    ),
    "another died in what is not installed": (
        [died("orjson", owner="gone")],
        [PREDICTED, "error, new: gone: is where orjson 3.11 ends on import: SIGILL"],
    ),
    "another died of a null pointer on import": (
        [died("orjson", kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")],
        [PREDICTED, f"error, new: orjson: ends on import: SIGILL{UNSUITED}"],
    ),
    "another died of a null pointer in use": (
        [died("orjson", "use", kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")],
        [PREDICTED, f"warning, new: orjson: ends in use: SIGILL{UNSUITED}"],
    ),
    "another gave up in use": (
        [died("orjson", "use", kind=FaultKind.SENT, needs="", outcome="aborted")],
        [PREDICTED, f"warning, new: orjson: ends in use: SIGILL{UNSUITED}"],
    ),
    "another trapped itself in use": (
        [died("orjson", "use", kind=FaultKind.DELIBERATE, needs="")],
        [PREDICTED, f"warning, new: orjson: ends in use: SIGILL{UNSUITED}"],
    ),
    "another gave up, and said that it is the CPU": (
        [
            died(
                "orjson",
                "use",
                kind=FaultKind.SENT,
                needs="",
                outcome="aborted",
                stderr="Incompatible processor. This Qt build requires sse4.1",
            )
        ],
        [PREDICTED, "error, new: orjson: ends in use: SIGILL"],
    ),
    "another left without a word but about the CPU": (
        [ran("orjson", "vanished", stderr="Fatal: CPU does not support x86-64-v2")],
        [PREDICTED, "error, new: orjson: ends in use: vanished"],
    ),
    "another died of what the emulator has not, on import": (
        [died("orjson", needs="sse2")],
        [
            PREDICTED,
            (
                "warning, new: orjson: ends on import: SIGILL; the emulator cannot play it, so it proves "
                "nothing"
            ),
        ],
    ),
    "another died of what the CPU has, on import, on the CPU itself": (
        [died("orjson", needs="sse2", emulator="")],
        [PREDICTED, f"error, new: orjson: ends on import: SIGILL{UNSUITED}"],
    ),
    "another died of what the CPU has, on the CPU itself": (
        [died("orjson", "use", needs="sse2", emulator="")],
        [PREDICTED, f"warning, new: orjson: ends in use: SIGILL{UNSUITED}"],
    ),
    "another was aborted and nobody knows where": (
        [ran("orjson", "aborted")],
        [PREDICTED, f"warning, new: orjson: ends in use: aborted{UNSUITED}"],
    ),
    "another refused the CPU in use": (
        [raised("torch", "could not create a primitive", "torch/nn/functional.py", stage="use")],
        [PREDICTED, "error, new: torch: ends in use: raised"],
    ),
    "another raised in use": (
        [raised("orjson", "no\n  network", stage="use", of="OSError")],
        [PREDICTED, f"info, new: orjson: raises OSError in use: no network{NO_ISA}"],
    ),
    "another raised and said nothing": (
        [raised("orjson", "")],
        [PREDICTED, f"warning, new: orjson: raises RuntimeError on import{NO_ISA}"],
    ),
    "another raised and quoted a book": (
        [raised("orjson", "x" * 200)],
        [
            PREDICTED,
            f"warning, new: orjson: raises RuntimeError on import: {'x' * 160}...{NO_ISA}",
        ],
    ),
    "another raised and nobody heard what": (
        [ran("orjson", "raised", "import")],
        [PREDICTED, f"warning, new: orjson: raises an exception on import{NO_ISA}"],
    ),
    "another timed out on import": (
        [ran("orjson", "timeout", "import")],
        [PREDICTED, "warning, new: orjson: ends on import: timeout"],
    ),
    "another vanished before it began": (
        [ran("orjson", "vanished", "")],
        [PREDICTED, "warning, new: orjson: ends on import: vanished"],
    ),
    "another timed out in use": (
        [ran("orjson", "timeout")],
        [PREDICTED, "info, new: orjson: ends in use: timeout"],
    ),
    "another ran": ([ran("orjson")], [PREDICTED]),
    "another was skipped": ([ran("orjson", "skipped", "")], [PREDICTED]),
    "the interpreter itself died under two of them": (
        [died("orjson", "", owner=None), died("polars", "", owner=None)],
        [PREDICTED, "error, new: python: is where orjson 3.11 ends on import: SIGILL"],
    ),
    "it died, but with the user's own variables": (
        [died("numpy", overrides=(("OPENBLAS_CORETYPE", "Haswell"),))],
        [PREDICTED],
    ),
    "another died, but with the user's own variables": (
        [died("orjson", overrides=(("X", "1"),)), ran("orjson")],
        [PREDICTED],
    ),
}


@pytest.mark.parametrize(("results", "wanted"), CASES.values(), ids=CASES)
def test_what_the_probes_leave(results: list[ProbeResult], wanted: list[str]) -> None:
    assert told(follow(*results)) == wanted


@pytest.mark.parametrize(("results", "wanted"), CASES.values(), ids=CASES)
def test_nothing_is_told_twice(results: list[ProbeResult], wanted: list[str]) -> None:
    blamed = [item.subject for item in follow(*results) if item.cause and item.fault]
    assert len(blamed) == len(set(blamed))


def test_a_confirmed_finding_keeps_the_prediction_and_gains_the_proof() -> None:
    (found,) = follow(died("pandas", owner="numpy"), died("numpy"), died("orjson", owner="numpy"))
    assert found == Finding(
        rule="broken-pin",
        severity=Severity.ERROR,
        subject="numpy",
        version="2.4.6",
        message="ends on import: SIGILL",
        needs=features("sse4_1"),
        missing=features("sse4_1"),
        evidence=(
            Evidence(
                grade=Grade.EMULATED,
                source=SOURCE,
                detail="numpy 2.4.6: illegal-instruction (import)",
            ),
            evidence(),
        ),
        cause="numpy",
        affects=("app", "orjson", "pandas"),
        paths={"app": ("app", "pandas", "numpy"), "pandas": ("pandas", "numpy")},
        details=("predicted [emulated]: dies on import: SIGILL at pinsrq; needs sse4_1",),
        remedy=Remedy(
            kind=RemedyKind.PIN,
            text="install numpy<2.4 (2.3.5 is known to run)",
            install=("numpy<2.4",),
        ),
        standing=Standing.CONFIRMED,
        fault=fault("numpy"),
    )


def test_a_new_finding_is_whole() -> None:
    (found,) = follow(died("numpy", needs="sse4_2 sse2", known="cured by prayer"), pins=())
    assert found == Finding(
        rule="probe-failure",
        severity=Severity.ERROR,
        subject="numpy",
        version="2.4.6",
        message="ends on import: SIGILL",
        needs=features("sse4_2 sse2"),
        missing=features("sse4_2"),
        evidence=(
            Evidence(
                grade=Grade.EMULATED,
                source=SOURCE,
                detail="numpy 2.4.6: illegal-instruction (import)",
            ),
        ),
        cause="numpy",
        affects=("app", "pandas"),
        paths={"app": ("app", "pandas", "numpy"), "pandas": ("pandas", "numpy")},
        remedy=Remedy(kind=RemedyKind.ADVICE, text="cured by prayer"),
        standing=Standing.NEW,
        fault=fault("numpy", "sse4_2 sse2", known="cured by prayer"),
    )


def test_what_dies_in_use_affects_only_who_was_seen_to_die() -> None:
    (found,) = follow(died("numpy", "use"), died("pandas", "use", owner="numpy"), pins=())
    assert (found.affects, found.paths) == (("pandas",), {"pandas": ("pandas", "numpy")})


def test_a_known_fault_is_told_with_its_cure() -> None:
    (found,) = follow(died("numpy", known="hide leaf 4"))
    assert found.details[-1] == "hide leaf 4"


@pytest.mark.parametrize(
    ("results", "advice"),
    [
        pytest.param(
            [died("orjson")],
            "no pin-set knows this: try another version of orjson, then `legacy-doctor probe "
            "orjson`; please report it",
            id="a distribution",
        ),
        pytest.param(
            [died("orjson", "", owner=None)],
            "recreate the environment with a Python built for plain x86-64",
            id="the interpreter",
        ),
    ],
)
def test_advice_where_no_pin_set_knows(results: list[ProbeResult], advice: str) -> None:
    (found,) = follow(*results, pins=())
    assert found.remedy == Remedy(kind=RemedyKind.ADVICE, text=advice)


def test_a_warning_or_a_note_that_comes_true_is_an_error() -> None:
    for severity in ("warning", "info"):
        claim = pin("orjson", "", severity=severity, grade="reported")
        (found,) = follow(died("orjson"), pins=(claim,))
        assert (found.severity, found.standing) == (Severity.ERROR, Standing.CONFIRMED)
        assert [item.grade for item in found.evidence] == [Grade.EMULATED, Grade.REPORTED]


class TestWhichFindingComesTrue:
    def test_an_unwanted_distribution(self) -> None:
        removal = Removal(distribution="orjson", reason="it dies", evidence=(evidence(),))
        (found,) = follow(died("orjson"), pins=(), removals=(removal,))
        assert (found.rule, found.standing) == ("unwanted-distribution", Standing.CONFIRMED)
        assert found.remedy is not None
        assert found.remedy.uninstall == ("orjson",)

    def test_a_declared_level(self) -> None:
        note = DeclaredIsa(distribution="orjson", path="orjson/x.so", level="x86-64-v3")
        (found,) = follow(died("orjson"), pins=(), who=patient(*WHO, declared=(note,)))
        assert (found.rule, found.severity) == ("declared-isa", Severity.ERROR)
        assert found.remedy is not None

    def test_the_interpreter_that_needs_more(self) -> None:
        who = patient(*WHO, interpreter=interpreter(march="x86-64-v2"))
        (found,) = follow(died("orjson", "", owner=None), pins=(), who=who)
        assert (found.rule, found.standing) == ("interpreter-needs", Standing.CONFIRMED)
        assert found.affects == ("orjson",)

    def test_a_dispute_where_nothing_better_is_said(self) -> None:
        claims = (pin("orjson", "", grade="reported"), pin("orjson", good="", stage="use"))
        (found,) = follow(died("orjson"), pins=claims)
        assert (found.rule, found.severity) == ("disputed-evidence", Severity.ERROR)

    def test_the_pin_before_the_dispute(self) -> None:
        claims = (
            pin("orjson", "", needs="sse4_1", grade="maintainer"),
            pin("orjson", "", needs="sse4_2", grade="reported"),
            pin("orjson", "<1", ">=1", needs="sse4_2", grade="emulated"),
        )
        first, second = follow(died("orjson"), pins=claims)
        assert (first.rule, first.standing) == ("no-working-wheel", Standing.CONFIRMED)
        assert (second.rule, second.standing) == ("disputed-evidence", Standing.PREDICTED)
        assert second.details == ()

    MISFIT = Incompatibility(
        first="orjson>=3", second="polars", effect="crash", resolution="less", evidence=()
    )

    def test_versions_that_do_not_fit_explain_a_crash(self) -> None:
        crash = died("orjson", kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")
        (found,) = follow(crash, pins=(), incompatibilities=(self.MISFIT,))
        assert (found.rule, found.standing) == ("incompatible-versions", Standing.CONFIRMED)
        assert found.subject == "orjson + polars"

    def test_versions_that_do_not_fit_explain_two_crashes_at_once(self) -> None:
        crashes = [
            died(name, kind=FaultKind.MEMORY, needs="", outcome="segmentation-fault")
            for name in ("orjson", "polars")
        ]
        (found,) = follow(*crashes, pins=(), incompatibilities=(self.MISFIT,))
        assert (found.standing, found.cause) == (Standing.CONFIRMED, "orjson")

    def test_versions_that_do_not_fit_explain_no_missing_instruction(self) -> None:
        found = follow(died("orjson"), pins=(), incompatibilities=(self.MISFIT,))
        assert [item.rule for item in found] == ["incompatible-versions", "probe-failure"]


class TestWhoRefuses:
    def test_whose_file_it_is_may_be_looked_up_elsewhere(self) -> None:
        who = patient(*WHO)
        refused = raised("pandas", BASELINE, "numpy/_core/multiarray.py")
        (found,) = confirmation.confirm(
            who, knowing(), (), [refused], "", today=TODAY, owner=lambda _path: "polars"
        )
        assert found.subject == "polars"

    def test_whose_file_it_is_may_be_unknown(self) -> None:
        (found,) = follow(raised("polars", BASELINE, "elsewhere.py"), pins=())
        assert (found.subject, found.severity) == ("polars", Severity.ERROR)


class TestTheOrder:
    def test_errors_first_then_causes_before_symptoms_and_the_probes_last(self) -> None:
        found = follow(
            ran("orjson", "timeout", "import"),
            raised("polars", "x"),
            died("torch"),
            died("numpy"),
            pins=(NUMPY, TORCH, pin("polars", "", severity="warning")),
        )
        assert [(item.severity.value, item.rule, item.subject) for item in found] == [
            ("error", "broken-pin", "numpy"),
            ("error", "no-working-wheel", "torch"),
            ("warning", "no-working-wheel", "polars"),
            ("warning", "probe-failure", "orjson"),
            ("warning", "probe-raised", "polars"),
        ]

    def test_it_is_that_of_the_diagnosis(self) -> None:
        who, known = patient(*WHO), knowing(NUMPY, TORCH)
        predicted = rules.diagnose(who, known)
        assert confirmation.confirm(who, known, predicted, [], "", today=TODAY) == predicted
        assert confirmation.ordered(reversed(predicted)) == predicted

    def test_a_rule_that_nobody_knows_comes_last(self) -> None:
        (known,) = follow()
        strange = dataclasses.replace(known, rule="of-your-own")
        assert confirmation.ordered([strange, known]) == (known, strange)

    def test_every_rule_of_the_probes_is_named_once(self) -> None:
        ids = [name for name, _ in confirmation.RULES]
        assert len({*ids, *(rule.id for rule in rules.RULES)}) == len(ids) + len(rules.RULES)
        assert all(summary.endswith(".") for _, summary in confirmation.RULES)


class TestUnproven:
    @pytest.mark.parametrize(
        "probing",
        [
            pytest.param(Probing(), id="nothing was wanted"),
            pytest.param(Probing(obstacle="no qemu"), id="nothing was wanted, nor possible"),
            pytest.param(Probing(wanted="risky", how="on this CPU"), id="they ran"),
        ],
    )
    def test_says_nothing(self, probing: Probing) -> None:
        assert confirmation.unproven(probing, explicit=True) == ()

    @pytest.mark.parametrize(
        ("explicit", "severity"),
        [
            pytest.param(False, Severity.WARNING, id="a default"),
            pytest.param(True, Severity.ERROR, id="asked for in so many words"),
        ],
    )
    def test_the_exit_code_does_not_pretend(self, *, explicit: bool, severity: Severity) -> None:
        obstacle = "qemu-user is not installed (apt-get install qemu-user)"
        probing = Probing(wanted="risky", obstacle=obstacle)
        assert confirmation.unproven(probing, explicit=explicit) == (
            Finding(
                rule="probes-not-run",
                severity=severity,
                subject="probes",
                message=f"none was run, so nothing is proven: {obstacle}",
                remedy=Remedy(
                    kind=RemedyKind.ADVICE,
                    text="install qemu-user (Debian, Ubuntu: apt-get install qemu-user), then "
                    "check again",
                ),
            ),
        )

    def test_what_no_installation_helps(self) -> None:
        probing = Probing(wanted="all", obstacle="qemu-user cannot play it: TCG has no AVX-512")
        (found,) = confirmation.unproven(probing)
        assert found.remedy is not None
        assert found.remedy.text == (
            "check on that CPU itself, or with --probe none to see predictions only"
        )


def test_a_patient_without_anything() -> None:
    nobody = patient(on=PHENOM)
    assert confirmation.confirm(nobody, Knowledge(pinsets=()), (), (), "", today=TODAY) == ()


def test_the_words_of_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "sentence", HOUSE)
    frames = (
        Frame("/sandbox/import.py", 1, "<module>"),
        Frame(f"{SITE}/pandas/__init__.py", 22, "<module>"),
        Frame(f"{SITE}/numpy/__init__.py", 110, "<module>"),
    )
    dead = dataclasses.replace(died("pandas"), fault=fault("numpy", frames=frames))
    assert told(follow(dead)) == [
        (
            "error, confirmed: numpy: is where pandas 3.1.1 dies on import: SIGILL, `pinsrq` needs "
            "SSE4.1, in numpy/_core/_multiarray_umath…so +0x2dbcc (static initialiser), reached from "
            "pandas/__init__.py:22"
        )
    ]
    dead = dataclasses.replace(dead, probe=probe("numpy"))
    assert told(follow(dead)) == [
        (
            "error, confirmed: numpy: dies on import: SIGILL, `pinsrq` needs SSE4.1, in "
            "numpy/_core/_multiarray_umath…so +0x2dbcc (static initialiser), reached from "
            "pandas/__init__.py:22"
        )
    ]
    (found,) = follow(died("orjson", needs="sse2"), pins=())
    assert ", which this CPU has, in " in found.message
    assert found.message.endswith("; the emulator cannot play it, so it proves nothing")
