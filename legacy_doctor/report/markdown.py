"""The findings in GitHub Flavored Markdown: fit for a pull request's comment or a job summary.

Whatever comes from an environment or a file stands in a code span or is escaped: it makes no
column, no HTML and no link but a visible address, and it calls nobody by `@name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from legacy_doctor.model import Finding, Gate, Judgement, Report, Severity
from legacy_doctor.report import wording
from legacy_doctor.report.text import counted, place, proof

MARKS: Final = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}  # noqa: RUF001
_HEAD: Final = (
    "| | What | Finding | Evidence | Remedy |",
    "| --- | --- | --- | --- | --- |",
)
_SPECIAL: Final = re.compile(r"([$*<>\[\\\]_`|~])")
_CALLS: Final = re.compile(r"([@#])(?=\w)")
"""`@name` notifies a person, `#12` leaves a mark in that issue: an empty character parts them."""
_APART: Final = r"\1&#8203;"


def render(judgement: Judgement, *, limit: int | None = None) -> str:
    """Return the report; of more than `limit` bytes, with fewer findings, and how many are left."""
    text = _text(judgement, judgement.findings)
    if limit is None or len(text.encode()) <= limit:
        return text
    shown = list(judgement.findings)
    while shown and len(text.encode()) > limit:
        shown = shown[: len(shown) // 2]
        text = _text(judgement, shown)
    return text


def _text(judgement: Judgement, shown: Iterable[Finding]) -> str:
    return "\n".join(_lines(judgement, tuple(shown))) + "\n"


def _lines(judgement: Judgement, shown: tuple[Finding, ...]) -> Iterator[str]:
    yield f"## legacy-doctor: {wording.standing(judgement)}"
    yield ""
    nothing = wording.nothing(judgement)
    if nothing:
        yield escaped(nothing)
        return
    examined = wording.examined(judgement)
    yield f"**{wording.counts(judgement)}** {examined}".rstrip() + "  "
    project = wording.project(judgement)
    yield f"CPU: {escaped(wording.cpu(judgement))}" + ("  " if project else "")
    if project:
        yield f"Profile: {escaped(project)}"
    if shown:
        yield from ("", *_HEAD)
        yield from map(_row, shown)
    left = len(judgement.findings) - len(shown)
    if left:
        yield from ("", f"{counted(left, 'more finding')}: there is no room for all of them here.")
    yield from _commands(judgement)
    yield from ("", _ground(judgement))


def _row(finding: Finding) -> str:
    cells = (
        f"{MARKS[finding.severity]} {wording.NOUNS[finding.severity]}",
        f"{code(wording.who(finding))}<br>{code(finding.rule)}",
        "<br>".join(_said(finding)),
        escaped(wording.ground(finding)),
        "<br>".join(_cure(finding)),
    )
    return f"| {' | '.join(cells)} |"


def _said(finding: Finding) -> Iterator[str]:
    yield prose(finding.message)
    if finding.location:
        yield f"in {code(place(finding.location))}"
    if wording.affected(finding):
        yield escaped(wording.affected(finding))


def _cure(finding: Finding) -> Iterator[str]:
    if finding.remedy:
        yield prose(wording.cure(finding))
    yield from map(code, wording.typed(finding))


def _commands(judgement: Judgement) -> Iterator[str]:
    commands = judgement.prescription if isinstance(judgement, Report) else ()
    if commands:
        yield from ("", "What carries out all remedies together:", "", *fenced(commands))


def _ground(judgement: Judgement) -> str:
    sets = ", ".join(code(item.label) for item in judgement.pinsets) or "none applies to this CPU"
    told = f"Pin-sets: {sets}. legacy-doctor {escaped(judgement.version)}."
    if isinstance(judgement, Report):
        return f"{prose(proof(judgement.probing, judgement.findings))}. {told}"
    if isinstance(judgement, Gate):
        return f"Predicted from the files alone: nothing was installed. {told}"
    return told


def prose(text: str) -> str:
    """Return a sentence of ours: what stands in backticks stays code, the rest is escaped."""
    parts = re.split(r"`([^`]+)`", wording.one_line(text))
    return "".join(code(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))


def escaped(text: str) -> str:
    """Return text as Markdown that shows it to the letter, within a line or a table's cell.

    CommonMark 0.31, section 2.4: a backslash before ASCII punctuation makes it literal.
    """
    return _escaped(wording.one_line(text))


def _escaped(line: str) -> str:
    return _CALLS.sub(_APART, _SPECIAL.sub(r"\\\1", line.replace("&", "&amp;")))


def code(text: str) -> str:
    """Return a code span of one line; a pipe in it does not end the cell of a table.

    CommonMark 0.31, section 6.1: longer runs of backticks enclose shorter ones; GFM 0.29, section
    4.10: in a table a pipe is escaped even within a code span.
    """
    plain = wording.one_line(text).replace("|", "\\|") or " "
    fence = _fence(plain, 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def fenced(lines: Iterable[str]) -> tuple[str, ...]:
    """Return a block of commands, each on a line of its own."""
    plain = tuple(map(wording.one_line, lines))
    fence = _fence("\n".join(plain), 3)
    return (f"{fence}sh", *plain, fence)


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(longest + 1 if longest >= least else least, least)
