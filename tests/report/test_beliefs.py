"""A pin-set for a person, and what two of them say differently."""

from __future__ import annotations

import pytest

from legacy_doctor.model import Conflict, Incompatibility, Pin, PinSet, Removal, SoftImport
from legacy_doctor.report import beliefs, layout
from legacy_doctor.report.beliefs import Change
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import evidence, pin, pinset

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
numpy: >=2.4 dies on import without sse4_1 (SIGILL at pinsrq); good: <2.4
    [silicon] ours: numpy 2.4.6 dies, 2.3.5 lives
pillow: every version tried runs (import)
    [emulated] example/project#1
hnswlib: remove: built elsewhere
a + b: same files
c<1 with d>2: fails; use c 1
pandas: imports pyarrow when it is installed
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
    "a boundary": (NUMPY, ">=2.4 dies on import without sse4_1 (SIGILL at pinsrq); good: <2.4"),
    "no wheel": (pin("x", ""), "every version dies on import (SIGILL); no wheel works"),
    "in use": (pin("x", ">2", "<2", stage="use"), ">2 fails in use (SIGILL); good: <2"),
    "a cure": (
        pin("x", "", cure="one thread"),
        "every version dies on import (SIGILL); cure: one thread",
    ),
    "every good version": (
        pin("x", ">2", ""),
        ">2 dies on import (SIGILL); good: every other version",
    ),
    "it runs": (pin("x", good="==1"), "==1 runs (import)"),
    "all that was tried runs": (pin("x", good="", stage="use"), "every version tried runs (use)"),
}


@pytest.mark.parametrize(("claim", "said"), SUMMARIES.values(), ids=SUMMARIES)
def test_a_pin_in_one_sentence(claim: Pin, said: str) -> None:
    assert beliefs.summary(claim) == said


OTHER = pin("numpy", ">=2.5", "<2.5", symptom="SIGILL")
REMOVAL = Removal(distribution="x", reason="r", evidence=(evidence(),))
CHANGES: dict[str, tuple[PinSet, PinSet, list[Change]]] = {
    "nothing": (pinset(NUMPY), pinset(NUMPY), []),
    "another version alone": (pinset(NUMPY, version="2026-01-01"), pinset(NUMPY), []),
    "a new one": (pinset(), pinset(NUMPY), [Change("numpy", (), (beliefs.summary(NUMPY),))]),
    "one gone": (pinset(NUMPY), pinset(), [Change("numpy", (beliefs.summary(NUMPY),), ())]),
    "one changed": (
        pinset(NUMPY),
        pinset(OTHER),
        [Change("numpy", (beliefs.summary(NUMPY),), (beliefs.summary(OTHER),))],
    ),
    "one more of the same": (
        pinset(NUMPY),
        pinset(NUMPY, OTHER),
        [
            Change(
                "numpy",
                (beliefs.summary(NUMPY),),
                (beliefs.summary(NUMPY), beliefs.summary(OTHER)),
            )
        ],
    ),
    "a removal": (
        pinset(pin("x", good="")),
        pinset(pin("x", good=""), removals=(REMOVAL,)),
        [
            Change(
                "x",
                ("every version tried runs (import)",),
                ("every version tried runs (import)", "remove: r"),
            )
        ],
    ),
    "in the order of names": (
        pinset(),
        pinset(pin("b", good=""), pin("a", good="")),
        [
            Change("a", (), ("every version tried runs (import)",)),
            Change("b", (), ("every version tried runs (import)",)),
        ],
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
- >=2.4 dies on import without sse4_1 (SIGILL at pinsrq); good: <2.4
+ >=2.5 dies on import (SIGILL); good: <2.5
"""
    )


def test_no_difference_is_said() -> None:
    assert diff(pinset(NUMPY), pinset(NUMPY)) == (
        "--- below-v2@2026-11-20\n+++ below-v2@2026-11-20\nno difference\n"
    )
