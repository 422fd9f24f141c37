"""A treatment for a person: the plan, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from legacy_doctor.model import Course, Grade, Step
from legacy_doctor.report import layout, treatment
from legacy_doctor.report.layout import Page
from tests.report.test_text import NUMPY, PROVEN, VARIABLE, finding, report

PACKAGES = Step(
    id="packages",
    title="install numpy<2.4",
    reasons=("numpy: dies on import: SIGILL at pinsrq (emulated)",),
    commands=("/venv/bin/python -m pip install 'numpy<2.4'",),
    remarks=("resolved together with pandas",),
)
PATCH = Step(
    id="patch:torch-onednn-off",
    title="Switch oneDNN off",
    reasons=("nothing of it is installed",),
    grade=Grade.EMULATED,
    costs=("slower",),
    files=(Path("/venv/guard.py"),),
    diff="--- /dev/null\n+++ b/guard.py\n",
)


def screen(*, diff: bool = False, **changes: Any) -> str:
    facts: dict[str, Any] = {"report": report(NUMPY), "steps": (PACKAGES, PATCH)}
    course = Course(**{**facts, **changes})
    return layout.plain(treatment.lines(course, Page(unicode=True), diff=diff))


def test_a_plan_tells_reason_grade_cost_command_and_file() -> None:
    assert screen(probes=("numpy", "pandas")) == (
        "Plan for /home/me/project/.venv\n"
        "AMD Phenom(tm) II X4 955 Processor · x86-64-v1\n"
        "\n"
        "1. packages  install numpy<2.4\n"
        "    why: numpy: dies on import: SIGILL at pinsrq (emulated)\n"
        "    note: resolved together with pandas\n"
        "    $ /venv/bin/python -m pip install 'numpy<2.4'\n"
        "2. patch:torch-onednn-off  Switch oneDNN off [emulated]\n"
        "    why: nothing of it is installed\n"
        "    costs: slower\n"
        "    file: /venv/guard.py\n"
        "\n"
        "Afterwards probed again: numpy, pandas.\n"
        "Nothing was changed.\n"
        "\n"
        "Do it: legacy-doctor fix --apply\n"
    )


def test_the_command_names_the_very_treatment_that_was_planned() -> None:
    told = screen(options=("--only", "numpy", "--no-index", "--find-links", "my wheels"))
    assert told.endswith(
        "Do it: legacy-doctor fix --apply --only numpy --no-index --find-links 'my wheels'\n"
    )


def test_with_diff_the_changes_stand_in_place_of_the_names() -> None:
    told = screen(diff=True)
    assert "    --- /dev/null\n    +++ b/guard.py\n" in told
    assert "file:" not in told


def test_nothing_to_do() -> None:
    told = screen(report=report(), steps=())
    assert told.endswith("[✓] nothing to do\n\nNothing was changed.\n")


def test_what_has_no_safe_remedy_is_said() -> None:
    told = " ".join(screen(untreated=(finding(), VARIABLE)).split())
    assert "[✗] numpy (broken-pin) is not treated: no safe remedy is known" in told
    assert "[!] OPENBLAS_CORETYPE (broken-pin) is not treated: unset OPENBLAS_CORETYPE" in told


def test_what_was_done_is_proven_and_can_be_undone() -> None:
    told = screen(applied=True, runs=(1, 2), outcome=report(), remarks=("run 1 was finished",))
    assert told.startswith("Treatment of /home/me/project/.venv\n")
    assert "[i] run 1 was finished\n" in told
    assert "Done, and journaled as runs 1, 2.\nAfterwards: 0 errors, no probe ran.\n" in told
    assert "Undo:  legacy-doctor undo\nLook:  legacy-doctor check\n" in told


def test_the_probes_afterwards_are_counted() -> None:
    told = " ".join(screen(applied=True, runs=(1,), outcome=PROVEN).split())
    assert "Done, and journaled as run 1." in told
    assert f"of {len(PROVEN.probing.results)} ok" in told


def test_applied_without_a_run_changed_nothing() -> None:
    assert screen(applied=True, steps=()).endswith("Nothing was changed.\n")
