"""The diagnosis for a person: whole screens of 80 columns, and each part of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.model import (
    Finding,
    Interpreter,
    Location,
    ProbeResult,
    Probing,
    Remedy,
    RemedyKind,
    Report,
    Severity,
    Standing,
)
from legacy_doctor.report import layout, terminal, text
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import NEW, PHENOM, cpu, evidence, interpreter, pinset, words
from tests.diagnosis.probed import PHENOM_PLAYED, UMATH, died, fault, ran
from tests.report.test_terminal import CODES

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
Plan:  legacy-doctor fix
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


def test_a_place_is_told_as_editors_take_it() -> None:
    value = report(finding(location=Location("a/r.txt", 3, 7)))
    assert part(value, "    ╰─>") == ["    ╰─> in a/r.txt:3:7"]


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


CONFIRMED = finding(
    message="dies on import: SIGILL, `pinsrq` needs SSE4.1, in "
    f"{UMATH} +0x2dbcc (static initialiser)",
    cause="numpy",
    affects=("pandas",),
    details=("predicted [emulated]: dies on import: SIGILL at pinsrq; needs sse4_1",),
    remedy=NUMPY.remedy,
    standing=Standing.CONFIRMED,
    fault=fault(),
)
NEW_ONE = finding(
    rule="probe-failure",
    subject="orjson",
    version="3.11",
    message="dies in use: SIGILL",
    standing=Standing.NEW,
)
REFUTED = finding(
    "info",
    subject="polars",
    version="1.36",
    message="predicted to break (reported), but it ran here: under qemu; please keep this evidence",
    standing=Standing.REFUTED,
)
PROVEN = report(
    CONFIRMED,
    NEW_ONE,
    REFUTED,
    probing=Probing(
        wanted="risky",
        how=PHENOM_PLAYED,
        results=(died("numpy"), died("orjson"), ran("polars"), ran("x", "skipped", "")),
    ),
)

PROVEN_SCREEN = """\
[✗] numpy 2.4.6  dies on import: SIGILL, `pinsrq` needs SSE4.1, in
    numpy/_core/_multiarray_umath…so +0x2dbcc (static initialiser) [confirmed:
    emulated]
    ╰─> also affects: pandas
    · predicted [emulated]: dies on import: SIGILL at pinsrq; needs sse4_1
    hint: install numpy<2.4 (2.3.5 is known to run)
[✗] orjson 3.11  dies in use: SIGILL [new]
[i] polars 1.36  predicted to break (reported), but it ran here: under qemu;
    please keep this evidence [refuted: emulated]

2 errors, 0 warnings in 12 distributions.
Proven: 3 probes ran under qemu-x86_64 7.2.22 -cpu phenom (1 confirmed, 1
refuted, 1 new, 1 skipped). Pin-sets: below-v2@2026-11-20.
Plan:  legacy-doctor fix
Next:  legacy-doctor explain numpy
"""


def test_a_proven_screen() -> None:
    assert screen(PROVEN, verbose=True).split("\n\n", 1)[1] == PROVEN_SCREEN


def test_a_proven_screen_in_ascii() -> None:
    shown = screen(PROVEN, verbose=True, unicode=False)
    assert shown.isascii()
    assert "numpy/_core/_multiarray_umath...so +0x2dbcc" in shown


def test_a_refuted_finding_is_a_note_and_details_are_for_the_curious() -> None:
    shown = screen(PROVEN)
    assert part(PROVEN, "[i]") == ["[i] 1 note, shown with -v"]
    assert "predicted" not in shown


def test_a_detail_that_the_headline_tells_is_not_told_again() -> None:
    value = report(finding(message="two: a 1, b 2", details=("a 1", "b 2", "c 3")))
    assert part(value, "    ·", verbose=True) == ["    · c 3"]


@pytest.mark.parametrize(
    ("changes", "ground"),
    [
        pytest.param({}, " [emulated]", id="predicted"),
        pytest.param({"evidence": ()}, "", id="predicted on no evidence"),
        pytest.param({"standing": Standing.CONFIRMED}, " [confirmed: emulated]", id="confirmed"),
        pytest.param(
            {"standing": Standing.CONFIRMED, "evidence": (evidence("silicon"), evidence())},
            " [confirmed: silicon]",
            id="confirmed by the best evidence",
        ),
        pytest.param({"standing": Standing.REFUTED, "evidence": ()}, " [refuted]", id="refuted"),
        pytest.param({"standing": Standing.NEW}, " [new]", id="new"),
    ],
)
def test_what_to_believe_a_finding_by(changes: dict[str, Any], ground: str) -> None:
    assert part(report(finding(message="m", **changes)), "[✗]") == [f"[✗] numpy 2.4.6  m{ground}"]


PROBING: dict[str, tuple[Probing, str]] = {
    "nothing was wanted": (Probing(), "Predicted, not proven: no package was imported."),
    "nothing could be run": (
        Probing(wanted="risky", obstacle="qemu-user is not installed."),
        "Predicted, not proven: qemu-user is not installed.",
    ),
    "nothing was risky": (Probing(wanted="risky"), "Predicted, not proven: nothing to probe."),
    "all were skipped": (
        Probing(wanted="risky", how="on this CPU", results=(ran("x", "skipped", ""),)),
        "Predicted, not proven: nothing to probe.",
    ),
    "one ran here": (
        Probing(wanted="all", how="on this CPU", results=(ran("x"),)),
        "Proven: 1 probe ran on this CPU (0 confirmed, 0 refuted, 0 new).",
    ),
    "the emulator lacks something": (
        Probing(
            wanted="all", how="qemu 7", results=(ran("x"),), unplayable=frozenset({"xop", "fma4"})
        ),
        (
            "Proven: 1 probe ran under qemu 7 (0 confirmed, 0 refuted, 0 new); it cannot play fma4 "
            "xop."
        ),
    ),
}


@pytest.mark.parametrize(("probing", "said"), PROBING.values(), ids=PROBING)
def test_whether_it_is_proven(probing: Probing, said: str) -> None:
    shown = " ".join(screen(report(probing=probing)).split())
    assert f"in 12 distributions. {said} Pin-sets: below-v2@2026-11-20." in shown


@pytest.mark.parametrize(
    ("results", "said"),
    [
        pytest.param((), "breaks here", id="no probe was run"),
        pytest.param((ran("x"),), "breaks here, and no probe failed", id="all passed"),
        pytest.param(
            (ran("x"), ran("y", "skipped", "")), "breaks here, and no probe failed", id="or skipped"
        ),
        pytest.param((ran("x", "skipped", ""),), "breaks here", id="all skipped"),
        pytest.param((ran("x"), ran("y", "timeout")), "breaks here", id="one timed out in use"),
    ],
)
def test_how_far_health_goes(results: tuple[ProbeResult, ...], said: str) -> None:
    value = report(probing=Probing(wanted="risky", how="on this CPU", results=results))
    assert " ".join(part(value, "[✓]")).endswith(said)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(f"in {UMATH} +0x1", "in numpy/_core/_multiarray_umath…so +0x1", id="an ABI"),
        pytest.param(
            "in a/x.pypy310-pp73-x86_64-linux-gnu.so.", "in a/x…so.", id="the ABI of PyPy"
        ),
        pytest.param("in a/x.abi3.so", "in a/x.abi3.so", id="a short path"),
        pytest.param("x.cpython-311-x86_64-linux-gnu.so", None, id="a name alone"),
        pytest.param(
            "torch/lib/" + "deep/" * 12 + "libtorch_cpu.so",
            "torch/lib/deep/deep/deep/deep…eep/deep/deep/libtorch_cpu.so",
            id="a long path",
        ),
        pytest.param("see https://example.org/" + "deep/" * 12, None, id="an address stays whole"),
        pytest.param("a" * 99, None, id="a long word is no path"),
    ],
)
def test_paths_are_cut_where_they_tell_least(said: str, shown: str | None) -> None:
    assert text.shortened(said, Page()) == (said if shown is None else shown)
    assert text.shortened(said, Page(unicode=False)).isascii()


def test_the_words_of_others_are_ascii_too() -> None:
    said = "in a/b…so, it said “no”"
    assert text.shortened(said, Page(unicode=False)) == 'in a/b...so, it said "no"'
    assert text.shortened(said, Page()) == said


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
