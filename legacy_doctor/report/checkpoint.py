"""A checkpoint for a person and for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from legacy_doctor.model import Checkpoint, Finding, StrippedCopy, Trust
from legacy_doctor.report import json
from legacy_doctor.report.layout import Line, Page, Span, field, line, paragraph
from legacy_doctor.report.text import STYLES, commands, counted

_FORMS: Final = {
    "torch-zip": "zip archive of torch.save",
    "torch-legacy": "stream of torch.save before 1.6",
    "torchscript": "TorchScript archive",
    "pickle": "a pickle by itself",
    "safetensors": "safetensors",
}
_SHOWN: Final = 6


def body(value: Checkpoint, copy: StrippedCopy | None) -> dict[str, Any]:
    """Return the body of `checkpoint`."""
    return {
        "path": value.path,
        "form": value.form,
        "size": value.size,
        "protocol": value.protocol,
        "weights_only": value.weights_only,
        "prefix": value.prefix,
        "sha256": value.sha256 or None,
        "parameters": sum(item.elements for item in value.tensors),
        "data": value.data,
        "dtypes": dict(sorted(Counter(item.dtype for item in value.tensors).items())),
        "tensors": [
            {"name": item.name, "dtype": item.dtype, "shape": list(item.shape)}
            for item in value.tensors
        ],
        "references": [
            {
                "name": item.name,
                "trust": item.trust.value,
                "why": item.why,
                "calls": list(item.calls),
                "count": item.count,
            }
            for item in value.references
        ],
        "findings": [json.finding(item) for item in value.findings],
        "copy": None
        if copy is None
        else {
            "path": str(copy.path),
            "tensors": copy.tensors,
            "size": copy.size,
            "dropped": list(copy.dropped),
        },
    }


def lines(value: Checkpoint, copy: StrippedCopy | None, page: Page) -> list[Line]:
    """Return the facts, the findings and what was written."""
    result: list[Line] = [(Span(_plain(value.path), "bold"),)]
    protocol = "" if value.protocol is None else f", pickle protocol {value.protocol}"
    result += field(page, "form", f"{_FORMS[value.form]}, {_bytes(value.size)}{protocol}")
    result += field(page, "holds", _holdings(value))
    result += field(page, "asks for", _asked(value))
    takes = {True: "takes it", False: "does not take it"}[value.weights_only]
    result += field(page, "weights_only", f"torch.load with weights_only=True {takes}")
    result.append(line())
    for finding in value.findings:
        result += _finding(finding, page)
    if not value.failed:
        text = "no finding: it loads wherever torch runs, and runs nothing"
        result += paragraph(page, f"{page.mark('ok')} ", text, style=STYLES["ok"])
    ways = [word for item in value.findings if item.remedy for word in item.remedy.commands]
    if copy is not None:
        result += [line(), *_written(copy, page)]
    elif ways:
        result += [line(), *commands("Fix:", ways)]
    return result


def _holdings(value: Checkpoint) -> str:
    if not value.tensors:
        return "no tensor"
    dtypes = Counter(item.dtype for item in value.tensors)
    kinds = ", ".join(f"{dtype} {count:,}" for dtype, count in dtypes.most_common())
    numbers = sum(item.elements for item in value.tensors)
    return (
        f"{counted(len(value.tensors), 'tensor')} ({kinds}), {numbers:,} parameters, "
        f"{_bytes(value.data)}"
    )


def _asked(value: Checkpoint) -> str:
    """Say which classes and functions the pickle needs beyond torch's own list."""
    if value.protocol is None:
        return "nothing: there is no pickle in it"
    foreign = [item for item in value.references if item.trust is not Trust.ALLOWED]
    if not foreign:
        return "nothing beyond torch's own list"
    shown = "; ".join(f"{item.name} ({item.trust.value}: {item.why})" for item in foreign[:_SHOWN])
    more = len(foreign) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _finding(finding: Finding, page: Page) -> Iterator[Line]:
    severity = finding.severity.value
    grade = f" [{finding.evidence[0].grade.value}]" if finding.evidence else ""
    text = f"{_plain(finding.subject)}  {finding.message}{grade}"
    yield from paragraph(page, f"{page.mark(severity)} ", text, style=STYLES[severity], indent=4)
    for detail in finding.details:
        yield from paragraph(page, f"    {page.dot} ", detail, style="dim", indent=6)
    if finding.remedy:
        yield from paragraph(page, "    hint: ", finding.remedy.text, style="green", indent=10)


def _written(copy: StrippedCopy, page: Page) -> Iterator[Line]:
    text = f"{_plain(str(copy.path))}: {counted(copy.tensors, 'tensor')}, {_bytes(copy.size)}"
    yield from field(page, "written", text, style="bold green")
    if copy.dropped:
        shown = ", ".join(_plain(name) for name in copy.dropped[:_SHOWN])
        more = len(copy.dropped) - _SHOWN
        yield from field(page, "left out", f"{shown} and {more} more" if more > 0 else shown)


def _bytes(number: int) -> str:
    """Return a size in the unit that suits it; a MB is a million bytes."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return counted(number, "byte")


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
