"""A measurement as a picture: bars for a screen, a drawing for a page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from legacy_doctor.model import Measurement, Timing
from legacy_doctor.report.layout import Line, Page, Span, field, line

_LONGEST: Final = 28
"""Characters of the fastest one's bar, at most."""
_BESIDE: Final = 29
"""Characters beside label and bar: the margins, the number, what marks a row."""

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT = 640, 300, 56, 24, 44
_COLOURS: Final = ("#1b6ca8", "#a3541a", "#4a7c59", "#7d3c98")
"""The whole, then its parts."""


def plot(measurement: Measurement, page: Page) -> Iterator[Line]:
    """Yield a bar for each contender: how fast it was, beside the baseline."""
    head = (
        f"{measurement.library}, {measurement.rounds} rounds; speed beside "
        f"{measurement.baseline} (1.00), with what of it may be chance"
    )
    yield from field(page, "measured", head, style="bold")
    width = max(len(_label(item)) for item in measurement.timings)
    most = max(item.speed for item in measurement.timings)
    longest = max(min(page.width - width - _BESIDE, _LONGEST), 1)
    for item in measurement.timings:
        filled = max(round(item.speed / most * longest), 1)
        bar = ("█" if page.unicode else "#") * filled
        speed = f"{item.speed:5.2f} {'±' if page.unicode else '+-'}{item.noise:4.0%}"
        mark = _mark(item, measurement)
        style = "green" if item.contender.label == measurement.best else ""
        yield (
            Span(f"    {_label(item):<{width}}  "),
            Span(f"{bar:<{longest}}", style),
            Span(f" {speed}{mark}"),
        )
    yield line()
    yield from field(page, "verdict", verdict(measurement), style="bold")


def verdict(measurement: Measurement) -> str:
    """Return what follows from the measurement, in a sentence."""
    best = measurement.timing(measurement.best)
    if measurement.kept:
        return (
            f"{measurement.best} is {best.speed:.2f} times as fast as {measurement.baseline}, "
            "which is more than the noise: it is kept"
        )
    if measurement.best == measurement.baseline:
        return f"nothing was faster than {measurement.baseline}: it stays"
    return (
        f"{measurement.best} was {best.speed:.2f} times as fast as {measurement.baseline}, which "
        f"is within the noise ({best.noise:.0%}): {measurement.baseline} stays"
    )


def _label(item: Timing) -> str:
    took = f" ({item.threads})" if item.contender.threads is None and item.threads else ""
    return f"{item.contender.label}{took}"


def _mark(item: Timing, measurement: Measurement) -> str:
    return "  advised" if item.contender.label == measurement.baseline else ""


def svg(measurement: Measurement) -> str:
    """Return the curve as an SVG element: threads across, speed upwards, noise as a bar.

    It stands alone: no script, no style sheet, no reference to anything outside.
    """
    drawn = sorted(measurement.timings, key=lambda item: (_across(item), item.contender.label))
    lines = _lines(drawn, measurement)
    most = max(
        1.0,
        *(_range(item)[1] for item in drawn),
        *(speed for _, speeds in lines for speed in speeds),
    )
    title = f"Speed by threads: {measurement.library}, {measurement.rounds} rounds"
    head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    parts = [
        f'<svg {head} font-family="sans-serif" font-size="12" fill="currentColor">',
        f"<title>{escape(title)}</title>",
        *_axes(drawn, most),
        *_curves(drawn, lines, most),
        *_whiskers(drawn, most),
        "</svg>",
    ]
    return "\n".join(parts)


def _range(item: Timing) -> tuple[float, float]:
    """Return between what the speed lies; a noise that would dwarf the picture is cut off."""
    return item.speed / (1 + item.noise), item.speed * (1 + min(item.noise, 1.0))


def _across(item: Timing) -> int:
    return item.contender.threads or item.threads or 0


def _lines(drawn: list[Timing], measurement: Measurement) -> list[tuple[str, list[float]]]:
    """Return the whole and each part: a speed beside the baseline for each contender."""
    base = measurement.timing(measurement.baseline).seconds
    whole = ("all", [item.speed for item in drawn])
    return [
        whole,
        *((part, [min(base[part]) / min(item.seconds[part]) for item in drawn]) for part in base),
    ]


def _x(index: int, count: int) -> float:
    room = _WIDTH - 2 * _LEFT
    return _LEFT + (room / 2 if count == 1 else room * index / (count - 1))


def _y(speed: float, most: float) -> float:
    return _HEIGHT - _FOOT - (_HEIGHT - _FOOT - _TOP) * speed / most


def _axes(drawn: list[Timing], most: float) -> Iterator[str]:
    floor = _y(0, most)
    yield f'<path d="M{_LEFT} {_TOP}V{floor:g}H{_WIDTH - _LEFT}" fill="none" stroke="#888"/>'
    step = 0.5 if most <= 3 else math.ceil(most / 6)
    for number in range(int(most / step) + 1):
        height = _y(number * step, most)
        yield (
            f'<text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{number * step:g}</text>'
        )
    for index, item in enumerate(drawn):
        words = escape(_label(item).partition(",")[0])
        yield (
            f'<text x="{_x(index, len(drawn)):.1f}" y="{floor + 18:.1f}" text-anchor="middle">'
            f"{words}</text>"
        )


def _curves(
    drawn: list[Timing], lines: list[tuple[str, list[float]]], most: float
) -> Iterator[str]:
    for number, (name, speeds) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_x(index, len(drawn)):.1f},{_y(speed, most):.1f}"
            for index, speed in enumerate(speeds)
        )
        weight = 3 if number == 0 else 1
        yield (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{weight}"/>'
        )
        yield (
            f'<text x="{_LEFT + 12 + number * 96}" y="{_TOP - 8}" fill="{colour}">'
            f"{escape(name)}</text>"
        )


def _whiskers(drawn: list[Timing], most: float) -> Iterator[str]:
    for index, item in enumerate(drawn):
        place = _x(index, len(drawn))
        low, high = (_y(speed, most) for speed in _range(item))
        yield (
            f'<path d="M{place:.1f} {low:.1f}V{high:.1f}" stroke="{_COLOURS[0]}">'
            f"<title>{escape(item.contender.label)}: {item.speed:.2f} ± {item.noise:.0%}</title>"
            "</path>"
        )
