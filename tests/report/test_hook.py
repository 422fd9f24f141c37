"""The screens of a start-up hook: what it stops, what it watches for, what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from legacy_doctor.model import HookReport, HookRule
from legacy_doctor.report import hook, layout
from legacy_doctor.report.layout import Page
from tests.report.test_text import report


def rule(name: str, **facts: Any) -> HookRule:
    """A guard that acts."""
    plain: dict[str, Any] = {
        "kind": "guard",
        "name": name,
        "distribution": name,
        "versions": ">=2",
        "needs": frozenset({"sse4_1"}),
        "installed": "2.1",
        "here": True,
        "acts": True,
        "remedy": f"pip install '{name}<2'",
    }
    return HookRule(**{**plain, **facts})


def value(*rules: HookRule, **facts: Any) -> HookReport:
    examined = report()
    plain: dict[str, Any] = {
        "interpreter": examined.interpreter,
        "cpu": examined.cpu,
        "via": "pth",
        "files": (Path("/v/boot.py"), Path("/v/_legacy_doctor.pth")),
        "made_for": "AMD Phenom(tm) II X4 955 Processor",
        "pinsets": ("below-v2@2026-11-20",),
        "rules": rules,
    }
    return HookReport(**{**plain, **facts})


def screen(told: HookReport) -> str:
    return layout.plain(hook.status(told, Page()))


def said(told: HookReport) -> str:
    return " ".join(screen(told).split())


def test_the_whole_screen() -> None:
    shim = rule("datasets-stub", kind="shim", distribution="datasets")
    waits = rule("polars", installed=None, acts=False)

    assert screen(value(rule("numpy"), waits, shim, live=True)) == (
        "[✓] /home/me/project/.venv: the start-up hook is live: Python was started, and\n"
        "    had it armed\n"
        "  made for   AMD Phenom(tm) II X4 955 Processor\n"
        "  by         below-v2@2026-11-20\n"
        "  judged by  AMD Phenom(tm) II X4 955 Processor\n"
        "  files      /v/_legacy_doctor.pth, and 1 file beside it\n"
        "  stops      numpy 2.1, which needs sse4_1\n"
        "             remedy: pip install 'numpy<2'\n"
        "  watches    1 more package, should one come to be deadly here: polars\n"
        "  shim       datasets-stub\n"
        "  switch off LEGACY_DOCTOR_DISABLE=1; single ones by name: guard:numpy\n"
        "\n"
        "Remove: legacy-doctor hook remove\n"
    )


def test_a_module_of_another_name_is_named() -> None:
    text = said(value(rule("cv2", distribution="opencv-python")))
    assert "stops opencv-python 2.1 (import cv2), which needs sse4_1" in text


def test_what_is_about_a_kind_of_cpu_names_no_feature() -> None:
    assert "stops torch 2.1 remedy:" in said(value(rule("torch", needs=frozenset())))


def test_nothing_to_stop_is_told_with_the_reason() -> None:
    idle = rule("numpy", acts=False)
    assert "stops nothing now: what is installed runs" in said(value(idle))
    elsewhere = rule("numpy", acts=False, here=False)
    assert "stops nothing now: this CPU has all that they need" in said(value(elsewhere))


def test_a_shim_tells_its_files_and_whether_it_has_work() -> None:
    shim = rule("torch-load-weights-only-false", kind="shim", acts=False, listed=("/models",))
    assert "shim torch-load-weights-only-false: /models (with nothing to do here)" in said(
        value(shim)
    )
    assert "switch off LEGACY_DOCTOR_DISABLE=1 Remove:" in said(value(shim))


def test_what_is_wrong_and_what_has_changed_is_told_with_the_command_that_helps() -> None:
    interpreter = report().interpreter
    broken = said(value(problems=("a file is missing",), target="phenom-ii", made_for=""))
    assert "[✗] /home/me/project/.venv: the start-up hook does not work" in broken
    assert "[✗] a file is missing" in broken
    assert "Repair: legacy-doctor hook install --cpu phenom-ii" in broken
    old = said(value(stale=("newer pin-sets",), target="my cpu", pinsets=()))
    assert "(named my cpu)" in old
    assert "[!] newer pin-sets" in old
    assert "Renew: legacy-doctor hook install --cpu 'my cpu'" in old
    none = said(value(files=(), rules=()))
    assert "[i] /home/me/project/.venv: no start-up hook is there" in none
    assert none.endswith("Install: legacy-doctor hook install")
    assert interpreter.chosen_by != "--python"


def test_the_off_switch_is_told() -> None:
    assert "LEGACY_DOCTOR_DISABLE=1 is set here" in said(value(disabled="1"))


def test_the_installation_is_told_with_the_way_back() -> None:
    from dataclasses import replace

    named = replace(report().interpreter, chosen_by="--python")
    told = value(rule("numpy"), interpreter=named)
    text = " ".join(layout.plain(hook.installed(told, Page(), 3, 5)).split())

    assert "It was tried: Python starts as before, and the hook is armed" in text
    assert "5 files changed, journaled as run 3." in text
    assert "Undo: legacy-doctor undo 3 --python /home/me/project/.venv" in text
