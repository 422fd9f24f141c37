"""A measurement as bars and as a drawing."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from legacy_doctor.model import Contender
from legacy_doctor.report import curve, layout
from legacy_doctor.report.layout import Page
from tests.tune.consultations import ALL, measurement, timing

SVG = "{http://www.w3.org/2000/svg}"


def test_the_bars() -> None:
    assert layout.plain(curve.plot(measurement(1.4, kept=True), Page())) == (
        """\
  measured       torch 2.13.0+cpu, 3 rounds; speed beside 12 threads (1.00),
                 with what of it may be chance
    unset (12)                    ███████████████          0.90 ±  2%
    12 threads                    ████████████████         1.00 ±  2%  advised
    4 threads, the P-cores alone  ███████████████████████  1.40 ±  5%

  verdict        4 threads, the P-cores alone is 1.40 times as fast as 12
                 threads, which is more than the noise: it is kept
"""
    )


def test_the_bars_in_ascii() -> None:
    shown = layout.plain(curve.plot(measurement(0.001, kept=False), Page(unicode=False)))

    assert shown.isascii()
    assert max(map(len, shown.splitlines())) <= 80
    assert "# " in shown, "even the slowest has a bar"
    assert "+-  2%" in shown


@pytest.mark.parametrize(
    ("speed", "kept", "said"),
    [
        pytest.param(1.4, True, "which is more than the noise: it is kept", id="a winner"),
        pytest.param(1.03, False, "is within the noise (5%): 12 threads stays", id="noise"),
        pytest.param(0.5, False, "nothing was faster than 12 threads: it stays", id="no winner"),
    ],
)
def test_the_verdict(speed: float, kept: bool, said: str) -> None:
    assert curve.verdict(measurement(speed, kept=kept)).endswith(said)


def test_the_drawing_stands_alone_and_tells_its_numbers() -> None:
    drawn = ET.fromstring(curve.svg(measurement(1.4, kept=True)))  # noqa: S314  our own

    assert drawn.tag == f"{SVG}svg"
    assert next(item.text for item in drawn.iter(f"{SVG}title")) == (
        "Speed by threads: torch 2.13.0+cpu, 3 rounds"
    )
    assert "4 threads, the P-cores alone: 1.40 ± 5%" in [
        item.text for item in drawn.iter(f"{SVG}title")
    ]
    lines = list(drawn.iter(f"{SVG}polyline"))
    assert len(lines) == 2, "the whole, and one part"
    assert all(len(item.attrib["points"].split()) == 3 for item in lines)
    assert not list(drawn.iter(f"{SVG}script"))
    assert "href" not in curve.svg(measurement(1.4, kept=True))


def test_all_points_lie_within_the_drawing() -> None:
    wild = measurement(9.0, kept=True)
    wild = replace(wild, timings=(*wild.timings, timing(Contender("<&>", 2), 0.01, 50.0)))

    drawn = ET.fromstring(curve.svg(wild))  # noqa: S314  our own

    for item in drawn.iter(f"{SVG}polyline"):
        for point in item.attrib["points"].split():
            across, down = map(float, point.split(","))
            assert 0 <= across <= 640
            assert 0 <= down <= 300


def test_one_contender_is_drawn_in_the_middle() -> None:
    alone = replace(measurement(1.0, kept=False), timings=(timing(ALL, 1.0),), best=ALL.label)

    assert 'points="320.0,' in curve.svg(alone)
