"""Findings for the page: one card each, with all that is known of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Evidence,
    Fault,
    Finding,
    Frame,
    RemedyKind,
    Report,
    Severity,
    Standing,
)
from legacy_doctor.report.beliefs import ground
from legacy_doctor.report.markup import Markup, join, prose, tag
from legacy_doctor.report.text import counted, target_options

MARKS: Final = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.INFO: "i"}
NAMES: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
STANDINGS: Final = {
    Standing.CONFIRMED: "proven by a probe",
    Standing.PREDICTED: "predicted",
    Standing.REFUTED: "refuted by a probe",
    Standing.NEW: "found by a probe",
}
_TREATED: Final = frozenset({RemedyKind.PIN, RemedyKind.REMOVE, RemedyKind.REPLACE})
"""What `fix` carries out by itself."""
_MANY: Final = 12
"""A tree with more names than this is folded."""
_SHOWN_FRAMES: Final = 6
_PROBE: Final = re.compile(r"/probe_\w+\.py$")
"""The snippet itself, in a folder whose name is another one each time."""


def card(finding: Finding, number: int, report: Report) -> Markup:
    """Return one finding; `number` makes its ids."""
    who = " ".join(filter(None, (finding.subject, finding.version)))
    severity = finding.severity
    title = tag(
        "h3",
        tag("span", MARKS[severity], class_=f"mark {severity.value}", aria_hidden="true"),
        " ",
        tag("span", f"{NAMES[severity]}: ", class_="unseen"),
        who,
        id=f"finding-{number}",
    )
    chips = tag(
        "p",
        tag("span", NAMES[severity], class_=f"chip {severity.value}"),
        " ",
        tag("span", STANDINGS[finding.standing], class_="chip"),
        " ",
        tag("code", finding.rule, class_="rule"),
        class_="chips",
    )
    return tag(
        "article",
        tag("header", title, chips),
        tag("p", prose(sentence(_spoken(finding.message))), class_="message"),
        _remedy(finding, report),
        _tree(finding),
        _fault(finding.fault) if finding.fault is not None else None,
        _evidence(finding.evidence),
        _details(finding),
        class_=f"card {severity.value}",
        aria_labelledby=f"finding-{number}",
    )


def _spoken(message: str) -> str:
    """Return a message that is to be read after the name as one that stands below it."""
    return f"this {message}" if message.startswith("is where ") else message


def sentence(text: str) -> str:
    """Return a message as a sentence of its own."""
    text = text.strip()
    if not text:
        return ""
    ending = "" if text[-1] in ".!?…\"'" else "."
    # Names of variables, features and functions keep their case.
    first = text.split(maxsplit=1)[0]
    return f"{text[0].upper() if first.isalpha() else text[0]}{text[1:]}{ending}"


def command(text: str) -> Markup:
    """Return a command that one click selects whole."""
    return tag("pre", tag("code", text), class_="command")


def _remedy(finding: Finding, report: Report) -> Markup | None:
    remedy = finding.remedy
    if remedy is None:
        return None
    typed = list(remedy.commands)
    if remedy.kind in _TREATED and finding.severity is not Severity.INFO:
        only = shlex.quote(finding.subject)
        typed.append(f"legacy-doctor fix --apply --only {only}{target_options(report)}")
    return tag(
        "div",
        tag("h4", "What to do"),
        tag("p", prose(sentence(remedy.text))),
        *map(command, typed),
        class_="remedy",
    )


def _tree(finding: Finding) -> Markup | None:
    """Return who falls with the cause: each below what it requires."""
    if not finding.cause or not finding.affects:
        return None
    below: dict[str, list[str]] = {}
    for name in finding.affects:
        path = finding.paths.get(name, ())
        below.setdefault(path[1] if len(path) > 1 else finding.cause, []).append(name)
    version = f" {finding.version}" if finding.version and finding.cause == finding.subject else ""
    root = tag("span", f"{finding.cause}{version}", class_="root")
    # What a path leads through and the finding does not name hangs below the root.
    loose = [name for name in below if name != finding.cause and name not in finding.affects]
    branches = _branches([finding.cause, *loose], below)
    astray = [tag("li", name) for names in below.values() for name in names]
    rest = tag("ul", *astray) if astray else None
    tree = tag("ul", tag("li", root, branches, rest), class_="tree")
    one = len(finding.affects) == 1
    if finding.missing or finding.fault is not None:
        verb = "falls with it" if one else "fall with it"
    else:
        verb = "requires it" if one else "require it"
    said = f"{counted(len(finding.affects), 'distribution')} {verb}"
    if len(finding.affects) > _MANY:
        return tag("details", tag("summary", said), tree)
    return tag("div", tag("h4", said), tree)


def _branches(names: Iterable[str], below: dict[str, list[str]]) -> Markup | None:
    """Return the branches below these names; every name is told once, so that none loops."""
    children = [child for name in names for child in below.pop(name, ())]
    if not children:
        return None
    return tag("ul", *(tag("li", child, _branches([child], below)) for child in sorted(children)))


def _fault(fault: Fault) -> Markup:
    """Return the record of a fault, as a debugger would tell it."""
    return tag(
        "div",
        tag("h4", "Where it died"),
        tag(
            "dl",
            *(join(tag("dt", name), tag("dd", value)) for name, value in facts(fault)),
            class_="facts",
        ),
    )


def facts(fault: Fault) -> Iterator[tuple[str, Markup]]:
    """Yield what is known of a fault, by name."""
    code = f" ({fault.code})" if fault.code else ""
    yield "signal", tag("code", f"{fault.signal}{code}")
    if fault.instruction or fault.bytes:
        yield "instruction", tag("code", fault.instruction or fault.bytes)
    if fault.needs:
        yield "needs", join(", ".join(map(features.display, features.ordered(fault.needs))))
    library = fault.path or fault.library
    if library:
        offset = "" if fault.offset is None else f" +{fault.offset:#x}"
        yield "library", tag("code", f"{library}{offset}")
    if fault.symbol:
        yield "function", tag("code", fault.symbol)
    if fault.place:
        yield "reached in", join(fault.place)
    if fault.owner:
        yield "installed by", join(fault.owner)
    frames = [
        tag("li", tag("code", place(frame))) for frame in telling(fault.frames)[-_SHOWN_FRAMES:]
    ]
    if frames:
        yield "Python frames", tag("ol", *frames, class_="frames")


def telling(frames: Iterable[Frame]) -> list[Frame]:
    """Leave out the import machinery: that an import was under way can be seen without it."""
    return [item for item in frames if not item.file.startswith("<frozen importlib")]


def place(frame: Frame) -> str:
    """Say where a frame is: below site-packages where it lies there, or in our own snippet."""
    file = "the probe" if _PROBE.search(frame.file) else frame.file.rpartition("-packages/")[2]
    return f"{file}:{frame.line} in {frame.function}"


def _evidence(evidence: Iterable[Evidence]) -> Markup | None:
    items = [tag("li", grade(item.grade.value), " ", _source(item)) for item in evidence]
    if not items:
        return None
    return tag("div", tag("h4", "Why to believe it"), tag("ul", *items, class_="evidence"))


def grade(name: str) -> Markup:
    """Return the grade of an evidence, as a chip."""
    return tag("span", name, class_="chip grade")


def _source(evidence: Evidence) -> Markup:
    """Return source and detail; an address is a link, and the only kind there is on the page."""
    if not evidence.source.startswith(("https://", "http://")):
        return prose(ground(evidence))
    link = tag("a", evidence.source, href=evidence.source, rel="noreferrer")
    return join(link, f": {evidence.detail}" if evidence.detail else None)


def _details(finding: Finding) -> Markup | None:
    told = [item for item in finding.details if item not in finding.message]
    if not told:
        return None
    items = (tag("li", prose(sentence(item))) for item in told)
    return tag("details", tag("summary", "More about it"), tag("ul", *items))
