"""One distribution's whole story, for a person."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_doctor.diagnosis import stories
from legacy_doctor.model import Conflict, Distribution, Pin, Story, When
from legacy_doctor.report import layout, story
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import (
    PHENOM,
    alternative,
    dist,
    evidence,
    interpreter,
    knowing,
    patient,
    pin,
)

NUMPY = pin(
    "numpy",
    ">=2.4",
    "<2.4",
    needs="popcnt sse4_1",
    symptom="SIGILL at pinsrq",
    first_bad="2.4.0",
    last_good="2.3.5",
    evidence=(evidence("emulated", detail="numpy 2.4.6"), evidence("reported", "a user")),
)
INSTALLED = (
    dist("datasets", "4", "pandas"),
    dist("numpy", "2.4.6"),
    dist("pandas", "3.1", "numpy>=1.26"),
    dist("shap", "1", "numpy"),
)


def told(name: str, *pins: Pin, installed: tuple[Distribution, ...] = INSTALLED) -> str:
    value = stories.tell(name, patient(*installed), knowing(*pins))
    return layout.plain(story.lines(value, Page()))


def test_a_whole_story() -> None:
    assert told("numpy", NUMPY, pin("numpy", "<1", ">=1"), pin("numpy", ">=9", needs="avx2")) == (
        """\
numpy 2.4.6 on AMD Phenom(tm) II X4 955 Processor (x86-64-v1)
  installed      2.4.6 by pip
  required by    pandas 3.1 (>=1.26); shap 1 (any version)
  path           datasets > pandas > numpy
  verdict        error: dies on import: SIGILL at pinsrq; needs sse4_1

  broken         >=2.4: dies on import: SIGILL at pinsrq
  good           <2.4
  boundary       last good 2.3.5, first bad 2.4.0
  needs          sse4_1 popcnt
  this CPU lacks sse4_1
  evidence       [emulated] example/project#1: numpy 2.4.6
  evidence       [reported] a user
  pin-set        below-v2@2026-11-20

  broken         <1: dies on import: SIGILL
  good           >=1
  evidence       [emulated] example/project#1
  pin-set        below-v2@2026-11-20

  other versions >=9 dies on import without avx2: SIGILL; no wheel works
  remedy         install numpy<2.4,>=1 (2.3.5 is known to run)

Fix:   uv pip install --python /venv/bin/python 'numpy<2.4,>=1'
"""
    )


def test_the_story_of_a_victim() -> None:
    assert told("datasets", NUMPY) == (
        """\
datasets 4 on AMD Phenom(tm) II X4 955 Processor (x86-64-v1)
  installed      4 by pip
  required by    nobody: it was asked for
  verdict        datasets itself is not at fault: datasets > pandas > numpy, and
                 numpy 2.4.6 dies on import: SIGILL at pinsrq; needs sse4_1
  remedy         install numpy<2.4 (2.3.5 is known to run)

Fix:   uv pip install --python /venv/bin/python 'numpy<2.4'
"""
    )


def line(text: str, name: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(f"  {name}")]
    return lines[0].removeprefix(f"  {name}").strip() if lines else ""


def test_what_is_not_installed() -> None:
    text = told("numpy", NUMPY, installed=())
    assert text.startswith("numpy on AMD Phenom(tm) II X4 955 Processor (x86-64-v1)\n")
    assert line(text, "installed") == "no, not in /venv"
    assert line(text, "verdict") == ""
    assert line(text, "broken") == ">=2.4: dies on import: SIGILL at pinsrq"


@pytest.mark.parametrize(
    ("pins", "verdict"),
    [
        pytest.param((), "no pin-set says anything about it on this CPU", id="nothing known"),
        pytest.param(
            (pin("shap", ">=2", "<2"),),
            "no failure is known for this version on this CPU",
            id="another version",
        ),
        pytest.param(
            (pin("shap", "", when=When(vendor="GenuineIntel")),),
            "no failure is known on a CPU like this one",
            id="another CPU",
        ),
    ],
)
def test_a_verdict_without_a_finding(pins: tuple[Pin, ...], verdict: str) -> None:
    assert line(told("shap", *pins), "verdict") == verdict


PINS: dict[str, tuple[Pin, str, str]] = {
    "every version": (pin("shap", ""), "broken", "every version: dies on import: SIGILL"),
    "in use": (pin("shap", "", stage="use"), "broken", "every version: fails in use: SIGILL"),
    "no wheel": (pin("shap", ""), "good", "no wheel is known to work"),
    "every version runs": (pin("shap", good=""), "good", "every version tried"),
    "a report that it runs": (pin("shap", good="==1"), "broken", ""),
    "a cure instead of a version": (pin("shap", "", cure="one thread"), "good", ""),
    "a cure": (pin("shap", "", cure="one thread"), "cure", "one thread"),
    "no first bad": (
        pin("shap", "", last_good="0.9"),
        "boundary",
        "last good 0.9, first bad unknown",
    ),
    "no last good": (pin("shap", "", first_bad="1"), "boundary", "last good none, first bad 1"),
    "no boundary": (pin("shap", ""), "boundary", ""),
    "a vendor": (pin("shap", "", when=When(vendor="AuthenticAMD")), "only on", "AuthenticAMD CPUs"),
    "a level": (
        pin("shap", "", when=When(cpuid_level_below=7)),
        "only on",
        "CPUs whose highest basic CPUID leaf is below 7",
    ),
    "both": (
        pin("shap", "", when=When(vendor="AuthenticAMD", cpuid_level_below=7)),
        "only on",
        "AuthenticAMD CPUs whose highest basic CPUID leaf is below 7",
    ),
    "no condition": (pin("shap", ""), "only on", ""),
    "a grade is not said twice": (
        pin("shap", "", evidence=(evidence("emulated", "emulated: phenom", "1 dies"),)),
        "evidence",
        "[emulated] phenom: 1 dies",
    ),
}


@pytest.mark.parametrize(("claim", "name", "said"), PINS.values(), ids=PINS)
def test_each_line_of_a_pin(claim: Pin, name: str, said: str) -> None:
    assert line(told("shap", claim), name) == said


@pytest.mark.parametrize(
    ("option", "said"),
    [
        pytest.param(alternative("x"), "x: runs here", id="it runs"),
        pytest.param(
            alternative("x", "popcnt avx2 sse4_1"),
            "x: needs sse4_1 avx2, which this CPU lacks",
            id="it does not",
        ),
        pytest.param(alternative("x", note="slow"), "x: runs here; slow", id="with a note"),
    ],
)
def test_an_alternative_says_whether_it_runs_here(option: Any, said: str) -> None:
    assert line(told("shap", pin("shap", "", alternatives=(option,))), "alternative") == said


def test_pins_about_other_cpus_are_only_named() -> None:
    elsewhere = (
        pin("shap", ">=2", when=When(vendor="GenuineIntel")),
        pin("shap", good="<2", when=When(vendor="GenuineIntel")),
        pin("shap", "", when=When(vendor="GenuineIntel")),
        pin("shap", "", when=When(vendor="GenuineIntel")),
    )
    text = told("shap", *elsewhere)
    assert "on other CPUs: >=2 (below-v2@2026-11-20); <2" in text
    assert text.count("* (below-v2@2026-11-20)") == 1


def test_who_installed_it_may_be_unknown() -> None:
    assert line(told("x", installed=(dist("x", installer=""),)), "installed") == "1.0"


def test_a_conflict_is_the_verdict_on_both_sides() -> None:
    known = Conflict(distributions=("a", "b"), effect="both write m", evidence=(evidence(),))
    who = patient(dist("a"), dist("b"))
    for name in ("a", "b"):
        value = stories.tell(name, who, knowing(conflicts=(known,)))
        shown = layout.plain(story.lines(value, Page()))
        assert line(shown, "verdict") == "error: both write m"


def test_a_note_prescribes_nothing() -> None:
    note = told("shap", pin("shap", ">=1", "<1", severity="info"))
    assert line(note, "remedy") == ""
    assert "Fix:" not in note
    warning = told("shap", pin("shap", ">=1", "<1", severity="warning"))
    assert line(warning, "remedy") == "install shap<1"
    assert warning.endswith("\n\nFix:   uv pip install --python /venv/bin/python 'shap<1'\n")


def test_all_commands_stand_below_one_another() -> None:
    claim = pin("shap", "", alternatives=(alternative("other>1"),))
    assert told("shap", claim).endswith(
        """
  remedy         uninstall shap, then install other>1

Fix:   uv pip uninstall --python /venv/bin/python shap
       uv pip install --python /venv/bin/python 'other>1'
"""
    )


def test_what_a_warning_is_about_is_to_be_tried() -> None:
    text = told("shap", pin("shap", "", severity="warning"))
    assert text.endswith(
        """
  remedy         try it on this CPU before you rely on it; no better version of
                 shap is known
"""
    )


def test_a_lack_that_a_condition_brings_in_is_not_made_up() -> None:
    value = Story(
        name="x",
        cpu=PHENOM,
        interpreter=interpreter(),
        installed=None,
        required_by=(),
        path=("x",),
        pins=(claim := pin("x", "", needs="popcnt"),),
        decisive=(claim,),
        elsewhere=(),
        findings=(),
        alternatives=(),
    )
    assert line(layout.plain(story.lines(value, Page())), "this CPU lacks") == "nothing of it"
