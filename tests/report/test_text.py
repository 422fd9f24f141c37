"""The diagnosis for a person: whole screens of 80 columns, and each part of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.model import (
    Finding,
    Interpreter,
    ProbePlan,
    Remedy,
    RemedyKind,
    Report,
    Severity,
)
from legacy_doctor.report import layout, terminal, text
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import NEW, PHENOM, cpu, evidence, interpreter, pinset, words
from tests.report.test_terminal import CODES

NOT_RUN = ProbePlan(ran=False, reason="no package was imported")
PYTHON = interpreter(chosen_by="./.venv", prefix=Path("/home/me/project/.venv"))


def finding(severity: str = "error", **changes: Any) -> Finding:
    facts: dict[str, Any] = {
        "rule": "broken-pin",
        "severity": Severity(severity),
        "subject": "numpy",
        "version": "2.4.6",
        "message": "dies on import: SIGILL at pinsrq; needs sse4_1",
        "evidence": (evidence(),),
    }
    return Finding(**{**facts, **changes})


NUMPY = finding(
    cause="numpy",
    affects=("datasets", "pandas"),
    remedy=Remedy(
        kind=RemedyKind.PIN,
        text="install numpy<2.4 (2.3.5 is known to run)",
        install=("numpy<2.4",),
    ),
)
VARIABLE = finding(
    "warning",
    subject="OPENBLAS_CORETYPE",
    version=None,
    message="OPENBLAS_CORETYPE=Haswell: asks for avx2, which this CPU lacks; OpenBLAS takes the "
    "kernels of that core without asking the CPU",
    evidence=(evidence("maintainer"),),
    remedy=Remedy(kind=RemedyKind.UNSET, text="unset OPENBLAS_CORETYPE"),
)
HINT = finding(
    "info",
    subject="wheel tags",
    version=None,
    message="manylinux_2_34 or newer",
    evidence=(),
    remedy=Remedy(kind=RemedyKind.ADVICE, text="nobody needs to know"),
)


def report(*findings: Finding, **changes: Any) -> Report:
    facts: dict[str, Any] = {
        "version": "0.1.0",
        "cpu": PHENOM,
        "interpreter": PYTHON,
        "pinsets": (pinset(),),
        "findings": findings,
        "distributions": 12,
        "unjudged": (),
        "probes": NOT_RUN,
    }
    return Report(**{**facts, **changes})


def screen(value: Report, *, unicode: bool = True, verbose: bool = False) -> str:
    return layout.plain(text.lines(value, Page(unicode=unicode), verbose=verbose))


SICK = report(
    NUMPY,
    VARIABLE,
    HINT,
    unjudged=("orjson", "lxml"),
    ignored=2,
    prescription=(
        "unset OPENBLAS_CORETYPE",
        "/home/me/project/.venv/bin/python -m pip install 'numpy<2.4' 'a-very-long-name<2.0'",
    ),
)

SICK_SCREEN = """\
legacy-doctor 0.1.0 · Python 3.11.7 · /home/me/project/.venv (./.venv)
AMD Phenom(tm) II X4 955 Processor · x86-64-v1 (read by cpuid)
x86-64-v2 also needs ssse3 sse4_1 sse4_2

[✗] numpy 2.4.6  dies on import: SIGILL at pinsrq; needs sse4_1 [emulated]
    ╰─> also affects: datasets, pandas
    hint: install numpy<2.4 (2.3.5 is known to run)
[!] OPENBLAS_CORETYPE=Haswell: asks for avx2, which this CPU lacks; OpenBLAS
    takes the kernels of that core without asking the CPU [maintainer]
    hint: unset OPENBLAS_CORETYPE
[i] wheel tags  manylinux_2_34 or newer

1 error, 1 warning, 2 ignored in 12 distributions; no evidence about orjson,
lxml.
Predicted, not proven: no package was imported. Pin-sets: below-v2@2026-11-20.

Fix:   unset OPENBLAS_CORETYPE
       /home/me/project/.venv/bin/python -m pip install 'numpy<2.4' 'a-very-long-name<2.0'
Next:  legacy-doctor explain numpy
"""


def test_a_whole_screen() -> None:
    assert screen(SICK, verbose=True) == SICK_SCREEN


def test_the_same_screen_in_ascii() -> None:
    shown = screen(SICK, unicode=False, verbose=True)
    assert shown.isascii()
    wanted = SICK_SCREEN.replace("✗", "x").replace("╰─>", "`->").replace("·", "-")
    assert shown == wanted


def test_the_same_screen_in_colour() -> None:
    lines = text.lines(SICK, Page(), verbose=True)
    colored = terminal.render(lines)
    assert "\x1b[1;31m[✗] \x1b[0m\x1b[1mnumpy 2.4.6\x1b[0m" in colored
    assert CODES.sub("", colored) == SICK_SCREEN
    assert not CODES.search(layout.plain(lines))


def test_a_healthy_screen() -> None:
    assert screen(report(cpu=NEW, pinsets=(), interpreter=interpreter())) == (
        """\
legacy-doctor 0.1.0 · Python 3.11.7 · /venv (--python)
New · x86-64-v4 (read by cpuid)
it has all of x86-64-v4

[✓] no finding: nothing that the pin-sets know breaks here

0 errors, 0 warnings in 12 distributions.
Predicted, not proven: no package was imported. Pin-sets: none applies to this
CPU.
"""
    )


def test_no_line_is_wider_than_the_page_but_commands_and_long_words() -> None:
    long = finding(
        subject="overwriting-" * 9,
        message="word " * 60 + "/a/path" * 20 + " word" * 30,
        affects=tuple(f"some-distribution-{index}" for index in range(6)),
        cause="numpy",
        remedy=Remedy(kind=RemedyKind.ADVICE, text="advice " * 40),
    )
    value = report(NUMPY, long, VARIABLE, HINT, unjudged=tuple("abcdefgh"), distributions=1)
    for line in screen(value, verbose=True).splitlines():
        lead, _, rest = line.lstrip().partition(" ")
        single = " " not in rest or not rest
        assert len(line) <= 80 or single or line.startswith("[✗] overwriting"), (lead, line)


def part(value: Report, start: str, **options: bool) -> list[str]:
    return [line for line in screen(value, **options).splitlines() if line.startswith(start)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, "(read by cpuid)", id="the CPU at hand"),
        pytest.param(
            {"what_if": True, "target_name": "phenom-ii"}, "(named phenom-ii)", id="a named CPU"
        ),
    ],
)
def test_where_the_cpu_comes_from(changes: dict[str, Any], said: str) -> None:
    assert screen(report(**changes)).splitlines()[1].endswith(said)


@pytest.mark.parametrize(
    ("on", "name"),
    [
        pytest.param(cpu(brand="Intel(R) Core(TM)2"), "Intel(R) Core(TM)2", id="its brand"),
        pytest.param(cpu(brand=""), "GenuineIntel family 6 model 15", id="no brand"),
        pytest.param(cpu(brand="", vendor=""), "family 6 model 15", id="no vendor either"),
    ],
)
def test_what_a_cpu_is_called(on: Any, name: str) -> None:
    assert text.cpu_name(on) == name


@pytest.mark.parametrize(
    ("on", "said"),
    [
        pytest.param(PHENOM, "x86-64-v2 also needs ssse3 sse4_1 sse4_2", id="below v2"),
        pytest.param(
            cpu(level="x86-64-v3", lacking="avx2"), "x86-64-v3 also needs avx2", id="below v3"
        ),
        pytest.param(NEW, "it has all of x86-64-v4", id="nothing"),
    ],
)
def test_what_keeps_a_cpu_from_the_next_level(on: Any, said: str) -> None:
    assert text.lacks_next(on) == said


def test_a_long_list_of_the_affected_is_cut() -> None:
    names = tuple("abcdefgh")
    for count, said in ((6, "a, b, c, d, e, f"), (8, "a, b, c, d, e, f and 2 more")):
        value = report(finding(cause="numpy", affects=names[:count]))
        assert part(value, "    ╰─>") == [f"    ╰─> also affects: {said}"]


def test_a_long_list_of_the_unjudged_is_cut() -> None:
    value = report(unjudged=tuple("abcdefgh"))
    assert part(value, "0 errors") == [
        "0 errors, 0 warnings in 12 distributions; no evidence about a, b, c, d, e, f and"
    ]


def test_who_is_affected_is_said_only_where_a_cause_is_known() -> None:
    assert part(report(finding(affects=("torch",))), "    ╰─>") == []
    assert part(report(finding(cause="numpy")), "    ╰─>") == []


def test_a_note_is_no_advice() -> None:
    assert part(report(HINT), "    hint:", verbose=True) == []


def test_without_verbose_notes_are_counted_and_not_shown() -> None:
    shown = screen(report(NUMPY, HINT))
    assert "wheel tags" not in shown
    assert part(report(NUMPY, HINT), "[i]") == ["[i] 1 note, shown with -v"]
    assert part(report(HINT, HINT), "[i]") == ["[i] 2 notes, shown with -v"]
    assert part(report(HINT), "[✓]")
    assert part(report(NUMPY), "[i]") == []


def test_what_hides_features_is_not_called_cpu_twice() -> None:
    value = report(finding("warning", subject="cpu", version=None, message="avx: switched off"))
    assert part(value, "[!]") == ["[!] avx: switched off [emulated]"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"distributions": 1}, "0 errors, 0 warnings in 1 distribution.", id="one"),
        pytest.param({"ignored": 3}, "0 errors, 0 warnings, 3 ignored in 12", id="ignored"),
    ],
)
def test_the_closing_line(changes: dict[str, Any], said: str) -> None:
    (line,) = part(report(**changes), "0 errors")
    assert line.startswith(said)


def test_what_was_proven_is_not_called_predicted() -> None:
    assert part(report(probes=ProbePlan(ran=True, reason="")), "Predicted") == []


@pytest.mark.parametrize(
    ("target", "changes", "command"),
    [
        pytest.param(PYTHON, {}, "legacy-doctor explain numpy", id="the default target"),
        pytest.param(
            interpreter(prefix=Path("/my venv")),
            {},
            "legacy-doctor explain numpy --python '/my venv'",
            id="a target that was named",
        ),
        pytest.param(
            PYTHON,
            {"what_if": True, "target_name": "Core 2 Duo"},
            "legacy-doctor explain numpy --cpu 'Core 2 Duo'",
            id="a CPU that was named",
        ),
    ],
)
def test_the_next_step_can_be_pasted(
    target: Interpreter, changes: dict[str, Any], command: str
) -> None:
    assert part(report(NUMPY, interpreter=target, **changes), "Next:") == [f"Next:  {command}"]


def test_no_next_step_where_no_distribution_is_at_fault() -> None:
    assert part(report(VARIABLE), "Next:") == []


@pytest.mark.parametrize(
    ("findings", "style"),
    [
        pytest.param((NUMPY, HINT), "bold red", id="an error"),
        pytest.param((VARIABLE,), "bold yellow", id="a warning"),
        pytest.param((HINT,), "cyan", id="a note"),
        pytest.param((), "green", id="nothing"),
    ],
)
def test_the_closing_line_has_the_colour_of_the_worst(
    findings: tuple[Finding, ...], style: str
) -> None:
    lines = text.lines(report(*findings), Page())
    (closing,) = [line for line in lines if line[0].text.endswith("in 12 distributions.")]
    assert closing[0].style == style


def test_words_are_counted() -> None:
    assert [text.counted(number, "error") for number in (0, 1, 2)] == [
        "0 errors",
        "1 error",
        "2 errors",
    ]
    assert words("a b") == {"a", "b"}
