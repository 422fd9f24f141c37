"""How single probes ended: whole screens, and each line of them."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_doctor.diagnosis import words
from legacy_doctor.model import FaultKind, Frame, ProbeResult
from legacy_doctor.report import layout, probes
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import SITE, dist, patient
from tests.diagnosis.probed import PHENOM_PLAYED, died, fault, raised, ran, say

WHO = patient(dist("numpy", "2.4.6"), dist("torch", "2.7.0"))


def screen(*results: ProbeResult, how: str = PHENOM_PLAYED, **page: Any) -> str:
    return layout.plain(probes.lines(WHO, how, results, Page(**page), say))


DEAD = died("numpy", known="numpy 2.3.5 and older run here")

DEAD_SCREEN = """\
[✗] numpy 2.4.6  ends on import: SIGILL
    instruction  pinsrq $1, %rax, %xmm0
    needs        sse4_1
    library      numpy/_core/_multiarray_umath…so +0x2dbcc
    symbol       _GLOBAL__sub_I_argfunc
    owner        numpy
    place        static initialiser
    frames       numpy/__init__.py:110 in <module>
    known        numpy 2.3.5 and older run here
    held         no-network, read-only

1 probe under qemu-x86_64 7.2.22 -cpu phenom: 0 ok, 1 failed.
"""


def test_a_death_with_all_that_is_known() -> None:
    assert screen(DEAD) == DEAD_SCREEN


def test_the_same_in_ascii() -> None:
    shown = screen(DEAD, unicode=False)
    assert shown.isascii()
    assert shown == DEAD_SCREEN.replace("✗", "x").replace("…", "...")


def test_a_death_of_which_nothing_is_known() -> None:
    unknown = fault(
        owner=None,
        needs="",
        kind=FaultKind.OTHER,
        library=None,
        path=None,
        offset=None,
        symbol=None,
        bytes="0f0b",
        instruction=None,
        place="",
        frames=(),
    )
    shown = screen(ran("numpy", "illegal-instruction", fault=unknown, held=()))
    assert shown.splitlines()[:3] == [
        "[✗] numpy 2.4.6  ends in use: SIGILL",
        "    instruction  0f0b",
        "",
    ]


HEADLINES = {
    "passed, and was used": (ran("numpy"), "[✓] numpy 2.4.6  import and use ok"),
    "passed, and has no use": (ran("numpy", use=""), "[✓] numpy 2.4.6  import ok"),
    "died": (died("numpy", "use"), "[✗] numpy 2.4.6  ends in use: SIGILL"),
    "raised": (raised("numpy", "no"), "[✗] numpy 2.4.6  ends on import: raised"),
    "timed out": (ran("numpy", "timeout"), "[!] numpy 2.4.6  ends in use: timeout"),
    "vanished": (ran("numpy", "vanished"), "[!] numpy 2.4.6  ends in use: vanished"),
    "skipped": (
        ran("numpy", "skipped", "", reason="needs onnx, which is not installed"),
        "[i] numpy 2.4.6  skipped: needs onnx, which is not installed",
    ),
    "one of several": (ran("torch/fft"), "[✓] torch 2.7.0 (fft)  import and use ok"),
    "with the user's own variables": (
        ran("numpy", overrides=(("A", "1"), ("B", "2"))),
        "[✓] numpy 2.4.6 with A=1 B=2  import and use ok",
    ),
    "no distribution of that name": (ran("gone"), "[✓] gone  import and use ok"),
}


@pytest.mark.parametrize(("result", "line"), HEADLINES.values(), ids=HEADLINES)
def test_a_line_for_each_end(result: ProbeResult, line: str) -> None:
    assert screen(result).splitlines()[0] == line


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"leftovers": 1}, ["    left behind  1 process, killed"], id="one"),
        pytest.param({"leftovers": 3}, ["    left behind  3 processes, killed"], id="several"),
    ],
)
def test_what_it_left_behind(changes: dict[str, Any], wanted: list[str]) -> None:
    assert screen(ran("numpy", **changes)).splitlines()[1:-2] == wanted


def test_the_innermost_frames_of_an_exception_are_shown() -> None:
    shown = screen(raised("numpy", "no", "a.py", "b.py", "c.py", "d.py"))
    assert shown.splitlines()[1:-2] == [
        "    frames       b.py:1 in <module>",
        "                 c.py:1 in <module>",
        "                 d.py:1 in <module>",
    ]


def test_the_frames_of_other_places_have_their_whole_path() -> None:
    shown = screen(
        ran("numpy", "illegal-instruction", fault=fault(frames=(Frame("/home/me/x.py", 7, "f"),)))
    )
    assert "    frames       /home/me/x.py:7 in f" in shown.splitlines()


def test_the_variables_are_told_once() -> None:
    lines = probes.lines(
        WHO, "on this CPU", [died("numpy", overrides=(("A", "1"),))], Page(), words.sentence
    )
    (first, *_) = layout.plain(lines).splitlines()
    assert first.startswith("[✗] numpy 2.4.6 with A=1  dies on import: SIGILL, `pinsrq` needs SSE4")
    assert layout.plain(lines).count("A=1") == 1


def test_a_library_that_nobody_owns_is_named_by_its_path() -> None:
    loose = ran("numpy", "illegal-instruction", fault=fault(None, path=None, library="/x/lib.so"))
    assert "    library      /x/lib.so +0x2dbcc" in screen(loose).splitlines()


SUMMARIES = {
    "none": ([], "0 probes on this CPU: 0 ok, 0 failed."),
    "one": ([ran("numpy")], "1 probe on this CPU: 1 ok, 0 failed."),
    "of each": (
        [
            ran("numpy", cached=True),
            died("numpy", cached=True),
            ran("torch", "timeout"),
            ran("torch/fft", "skipped", ""),
        ],
        "4 probes on this CPU: 1 ok, 2 failed, 1 skipped, 2 from the cache.",
    ),
}


@pytest.mark.parametrize(("results", "said"), SUMMARIES.values(), ids=SUMMARIES)
def test_the_closing_line(results: list[ProbeResult], said: str) -> None:
    assert screen(*results, how="on this CPU").splitlines()[-1] == said


@pytest.mark.parametrize(
    ("result", "styles"),
    [
        pytest.param(ran("numpy"), ("green", "green"), id="passed"),
        pytest.param(died("numpy"), ("bold red", "bold red"), id="died"),
        pytest.param(ran("numpy", "timeout"), ("bold yellow", "bold red"), id="timed out"),
        pytest.param(ran("numpy", "skipped", ""), ("cyan", "green"), id="skipped"),
    ],
)
def test_colours(result: ProbeResult, styles: tuple[str, str]) -> None:
    lines = probes.lines(WHO, "on this CPU", [result], Page(), say)
    assert (lines[0][0].style, lines[-1][0].style) == styles
    assert lines[0][1] == layout.Span("numpy 2.4.6", "bold")


def test_no_line_is_wider_than_the_page() -> None:
    long = died("numpy", known="word " * 40)
    many = fault(
        symbol="std::vector<int, std::allocator<int> >::emplace_back(int&&) " * 3,
        frames=tuple(Frame(f"{SITE}/deep/{'deep/' * 20}x.py", 7, "call") for _ in range(4)),
    )
    shown = screen(long, ran("torch", "illegal-instruction", fault=many))
    assert max(map(len, shown.splitlines())) <= 80
