"""The findings as workflow commands: GitHub Actions turns them into annotations.

Syntax: "Workflow commands for GitHub Actions", `::error file=F,line=L,col=C,title=T::MESSAGE`.
The runner also obeys an older form, `##[command]`, wherever on a line it stands, but only on
lines that are no command of the new form: so every line here is one, and names or messages that
an environment made up cannot give orders. GitHub shows ten annotations of a kind for each step,
in this order: errors come first, and the whole list is in the job summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from legacy_doctor.model import Finding, Judgement, Severity
from legacy_doctor.report import wording

COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}


def render(judgement: Judgement) -> str:
    """Return one command a line: how it stands, then every finding, worst first."""
    return "".join(f"{line}\n" for line in _lines(judgement))


def _lines(judgement: Judgement) -> Iterator[str]:
    title = f"legacy-doctor {judgement.version}"
    nothing = wording.nothing(judgement)
    if nothing:
        yield _command("error", nothing, title=title)
        return
    counts = f"{wording.counts(judgement)} {wording.examined(judgement)}".rstrip()
    text = f"{wording.standing(judgement)}: {counts}; {wording.cpu(judgement)}"
    yield _command("notice", wording.one_line(text), title=title)
    project = wording.project(judgement)
    if project:
        yield _command("notice", project, title=title)
    for finding in judgement.findings:
        yield _annotation(finding)


def _annotation(finding: Finding) -> str:
    place = finding.location
    properties: dict[str, str | int] = {}
    if place is not None:
        properties = {"file": place.path, "line": place.line, "col": place.column}
    return _command(
        COMMANDS[finding.severity],
        wording.told(finding),
        **properties,
        title=f"{finding.rule}: {wording.who(finding)}",
    )


def _command(name: str, message: str, **properties: str | int) -> str:
    words = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {words}::{_data(wording.legible(message))}"


def _data(text: str) -> str:
    """Escape a message as `escapeData` of the actions toolkit does: the per cent sign first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property, which a colon or a comma would end, as `escapeProperty` does."""
    return _data(wording.one_line(text)).replace(":", "%3A").replace(",", "%2C")
