"""A pin-set for a person, and what two of them say differently."""

from __future__ import annotations

import dataclasses

import pytest

from legacy_doctor.model import (
    Conflict,
    Evidence,
    Incompatibility,
    Pin,
    PinSet,
    Removal,
    SoftImport,
    When,
)
from legacy_doctor.report import beliefs, layout
from legacy_doctor.report.beliefs import Change
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import alternative, evidence, pin, pinset

NUMPY = pin(
    "numpy",
    ">=2.4",
    "<2.4",
    needs="sse4_1",
    symptom="SIGILL at pinsrq",
    evidence=(evidence("silicon", "ours", "numpy 2.4.6 dies, 2.3.5 lives"),),
)
WHOLE = pinset(
    NUMPY,
    pin("pillow", good=""),
    supersedes=("below-v2@2026-01-01",),
    notes="Read\n  me.",
    removals=(Removal(distribution="hnswlib", reason="built elsewhere", evidence=(evidence(),)),),
    conflicts=(Conflict(distributions=("a", "b"), effect="same files", evidence=(evidence(),)),),
    incompatibilities=(
        Incompatibility(
            first="c<1", second="d>2", effect="fails", resolution="use c 1", evidence=(evidence(),)
        ),
    ),
    soft_imports=(SoftImport(distribution="pandas", imports="pyarrow", evidence=(evidence(),)),),
)


def test_a_whole_pin_set() -> None:
    assert layout.plain(beliefs.lines(WHOLE, Page())) == (
        """\
below-v2@2026-11-20
CPUs below x86-64-v2
  for CPUs without ssse3 sse4_1 sse4_2
  supersedes       below-v2@2026-01-01
  notes            Read me.
numpy: >=2.4 dies on import without sse4_1: SIGILL at pinsrq; good: <2.4
    [silicon] ours: numpy 2.4.6 dies, 2.3.5 lives
pillow: every version tried runs (import)
    [emulated] example/project#1
hnswlib: remove: built elsewhere
    [emulated] example/project#1
a + b: same files
    [emulated] example/project#1
c<1 with d>2: fails; use c 1
    [emulated] example/project#1
pandas: imports pyarrow when it is installed
    [emulated] example/project#1
"""
    )


def test_a_pin_set_that_says_little() -> None:
    assert layout.plain(beliefs.lines(pinset(title="T"), Page())) == (
        "below-v2@2026-11-20\nT\n  for CPUs without ssse3 sse4_1 sse4_2\n"
    )


def test_no_line_is_wider_than_the_page() -> None:
    long = pin("x", "", symptom="word " * 60, evidence=(evidence(detail="word " * 60),))
    for line in layout.plain(beliefs.lines(pinset(long, notes="word " * 60), Page())).splitlines():
        assert len(line) <= 80


SUMMARIES = {
    "a boundary": (NUMPY, ">=2.4 dies on import without sse4_1: SIGILL at pinsrq; good: <2.4"),
    "no wheel": (pin("x", ""), "every version dies on import: SIGILL; no wheel works"),
    "in use": (pin("x", ">2", "<2", stage="use"), ">2 fails in use: SIGILL; good: <2"),
    "a cure": (
        pin("x", "", cure="one thread"),
        "every version dies on import: SIGILL; cure: one thread",
    ),
    "a vendor": (
        pin("x", "", "<2", when=When(vendor="AuthenticAMD")),
        "every version dies on import on AuthenticAMD CPUs: SIGILL; good: <2",
    ),
    "one that keeps it harmless": (
        pin("x", "", unless=("a",)),
        "every version dies on import: SIGILL; unless a is installed; no wheel works",
    ),
    "a warning": (
        pin("x", "", severity="warning"),
        "every version dies on import: SIGILL; no wheel works; told as warning",
    ),
    "a note": (
        pin("x", "", severity="info"),
        "every version dies on import: SIGILL; no wheel works; told as info",
    ),
    "all of it": (
        pin(
            "x",
            ">2",
            "<2",
            needs="avx sse4_1",
            when=When(vendor="AuthenticAMD", cpuid_level_below=7),
            unless=("a", "b"),
            stage="use",
            severity="warning",
            alternatives=(alternative("y", "avx2"), alternative("z>1", instead=False)),
        ),
        (
            ">2 fails in use without sse4_1 avx on AuthenticAMD CPUs whose highest basic CPUID "
            "leaf is below 7: SIGILL; unless a, b is installed; good: <2; or y; or z>1; told as "
            "warning"
        ),
    ),
    "it runs": (pin("x", good="==1"), "==1 runs (import)"),
    "all that was tried runs": (pin("x", good="", stage="use"), "every version tried runs (use)"),
}


@pytest.mark.parametrize(("claim", "said"), SUMMARIES.values(), ids=SUMMARIES)
def test_a_pin_in_one_sentence(claim: Pin, said: str) -> None:
    assert beliefs.summary(claim) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(evidence("reported", "a#1"), "a#1", id="a source"),
        pytest.param(evidence("reported", "a#1", "1.2 dies"), "a#1: 1.2 dies", id="a detail"),
        pytest.param(
            evidence("emulated", "emulated: phenom, 2026-11-20", "1.2"),
            "phenom, 2026-11-20: 1.2",
            id="a source that starts with its grade",
        ),
        pytest.param(
            evidence("inferred", "emulated: phenom"), "emulated: phenom", id="with another grade"
        ),
    ],
)
def test_a_grade_is_not_said_twice(given: Evidence, said: str) -> None:
    assert beliefs.ground(given) == said


OTHER = pin("numpy", ">=2.5", "<2.5", symptom="SIGILL")
GROUND = "[emulated, example/project#1]"
NUMPY_SAID = (
    ">=2.4 dies on import without sse4_1: SIGILL at pinsrq; good: <2.4 "
    "[silicon, ours: numpy 2.4.6 dies, 2.3.5 lives]"
)
OTHER_SAID = f">=2.5 dies on import: SIGILL; good: <2.5 {GROUND}"
RUNS_SAID = f"every version tried runs (import) {GROUND}"
REMOVAL = Removal(distribution="x", reason="r", evidence=(evidence(),))
CHANGES: dict[str, tuple[PinSet, PinSet, list[Change]]] = {
    "nothing": (pinset(NUMPY), pinset(NUMPY), []),
    "nothing at all of much": (WHOLE, WHOLE, []),
    "another version alone": (pinset(NUMPY, version="2026-01-01"), pinset(NUMPY), []),
    "a new one": (pinset(), pinset(NUMPY), [Change("numpy", (), (NUMPY_SAID,))]),
    "one gone": (pinset(NUMPY), pinset(), [Change("numpy", (NUMPY_SAID,), ())]),
    "one changed": (
        pinset(NUMPY),
        pinset(OTHER),
        [Change("numpy", (NUMPY_SAID,), (OTHER_SAID,))],
    ),
    "one more of the same": (
        pinset(NUMPY),
        pinset(NUMPY, OTHER),
        [Change("numpy", (NUMPY_SAID,), (NUMPY_SAID, OTHER_SAID))],
    ),
    "its evidence alone": (
        pinset(pin("x", good="")),
        pinset(pin("x", good="", evidence=(evidence(), evidence("silicon", "ours", "1.2 runs")))),
        [Change("x", (RUNS_SAID,), (f"{RUNS_SAID[:-1]} | silicon, ours: 1.2 runs]",))],
    ),
    "a removal": (
        pinset(pin("x", good="")),
        pinset(pin("x", good=""), removals=(REMOVAL,)),
        [Change("x", (RUNS_SAID,), (RUNS_SAID, f"remove: r {GROUND}"))],
    ),
    "all that is no pin": (
        pinset(),
        dataclasses.replace(WHOLE, pins=()),
        [
            Change("a + b", (), (f"same files {GROUND}",)),
            Change("c<1 with d>2", (), (f"fails; use c 1 {GROUND}",)),
            Change("hnswlib", (), (f"remove: built elsewhere {GROUND}",)),
            Change("pandas", (), (f"imports pyarrow when it is installed {GROUND}",)),
        ],
    ),
    "in the order of names": (
        pinset(),
        pinset(pin("b", good=""), pin("a", good="")),
        [Change("a", (), (RUNS_SAID,)), Change("b", (), (RUNS_SAID,))],
    ),
}


@pytest.mark.parametrize(("old", "new", "wanted"), CHANGES.values(), ids=CHANGES)
def test_what_two_pin_sets_say_differently(old: PinSet, new: PinSet, wanted: list[Change]) -> None:
    assert list(beliefs.changes(old, new)) == wanted


def diff(old: PinSet, new: PinSet) -> str:
    return layout.plain(beliefs.diff_lines(old, new, beliefs.changes(old, new), Page()))


def test_a_difference_looks_like_one() -> None:
    assert diff(pinset(NUMPY, version="2026-01-01"), pinset(OTHER)) == (
        """\
--- below-v2@2026-01-01
+++ below-v2@2026-11-20
numpy
- >=2.4 dies on import without sse4_1: SIGILL at pinsrq; good: <2.4 [silicon,
  ours: numpy 2.4.6 dies, 2.3.5 lives]
+ >=2.5 dies on import: SIGILL; good: <2.5 [emulated, example/project#1]
"""
    )


def test_no_difference_is_said() -> None:
    assert diff(pinset(NUMPY), pinset(NUMPY)) == (
        "--- below-v2@2026-11-20\n+++ below-v2@2026-11-20\nno difference\n"
    )
