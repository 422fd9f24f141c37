"""What every CI format says alike: how it stands, whom a finding is about, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from legacy_doctor.model import Finding, Gate, Judgement, Report, Severity, Standing
from legacy_doctor.report.json import status
from legacy_doctor.report.text import counted, cpu_name, place, some

NOUNS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
EXIT_CODES: Final = {"healthy": 0, "findings": 1, "nothing-to-examine": 2}

_ILLEGIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, what turns the direction of writing, and what is no character at all.

Names and messages come from the environment: a folder name may hold any byte.
"""


def legible(text: str) -> str:
    """Return a text that every format can hold and no terminal obeys.

    Every line break becomes a line feed; whatever is not to be read becomes U+FFFD.
    """
    return _ILLEGIBLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Return a legible text without line breaks."""
    return " ".join(legible(text).split())


def exit_code(judgement: Judgement) -> int:
    """Return what the command exits with: the same in every format."""
    return EXIT_CODES[status(judgement)]


def standing(judgement: Judgement) -> str:
    """Return how it stands in words: `healthy`, `findings` or `nothing to examine`."""
    return status(judgement).replace("-", " ")


def counts(judgement: Judgement) -> str:
    """Return `1 error, 0 warnings, 2 notes, 1 ignored`: always all of them."""
    parts = [counted(judgement.count(severity), noun) for severity, noun in NOUNS.items()]
    return ", ".join([*parts, f"{judgement.ignored} ignored"])


def examined(judgement: Judgement) -> str:
    """Return what was looked at: how many distributions, or how many files."""
    if isinstance(judgement, Report):
        return f"in {counted(judgement.distributions, 'distribution')}"
    if isinstance(judgement, Gate):
        return f"in {counted(len(judgement.files), 'file')}"
    return ""


def cpu(judgement: Judgement) -> str:
    """Return the CPU, its level, and how it came to be the one that is judged by."""
    how = f"named {judgement.target_name}" if judgement.what_if else "this CPU"
    return f"{cpu_name(judgement.cpu)}, {judgement.cpu.level} ({how})"


def project(judgement: Judgement) -> str:
    """Return the outlook of the project that was asked about, in one line; empty where none was."""
    if not isinstance(judgement, Report) or judgement.outlook is None:
        return ""
    from legacy_doctor.report import outlook

    return one_line(outlook.told(judgement.outlook))


def nothing(judgement: Judgement) -> str:
    """Return why there was nothing to examine; empty where there was something."""
    if not isinstance(judgement, Report) or not judgement.empty:
        return ""
    target = judgement.interpreter
    return (
        f"{target.prefix}: nothing to examine, no distribution is installed there (chosen by "
        f"{target.chosen_by}; name another with --python)"
    )


def who(finding: Finding) -> str:
    """Return whom a finding is about: `numpy 2.4.6`."""
    return f"{finding.subject} {finding.version}" if finding.version else finding.subject


def headline(finding: Finding) -> str:
    """Return whom it is about and what is wrong."""
    if finding.message.startswith(f"{finding.subject}="):  # VARIABLE=value: ...
        return finding.message
    return f"{who(finding)}: {finding.message}"


def ground(finding: Finding) -> str:
    """Return what it may be believed by: `emulated, confirmed`; no evidence, no grade."""
    if finding.evidence:
        return f"{finding.evidence[0].grade.value}, {finding.standing.value}"
    return "" if finding.standing is Standing.PREDICTED else finding.standing.value


def affected(finding: Finding) -> str:
    """Return `also affects: pandas, scipy`; empty where it affects nobody else."""
    return f"also affects: {some(finding.affects)}" if finding.cause and finding.affects else ""


def cure(finding: Finding) -> str:
    """Return what to do, in words; empty where nobody has to do anything."""
    return finding.remedy.text if finding.remedy else ""


def typed(finding: Finding) -> tuple[str, ...]:
    """Return what can be copied of the remedy: commands, or requirements to install."""
    if finding.remedy is None:
        return ()
    return finding.remedy.commands or finding.remedy.install


def told(finding: Finding) -> str:
    """Return all that a person needs of a finding, a line each: what, who else, how known, cure."""
    return "\n".join(map(one_line, _told(finding)))


def _told(finding: Finding) -> Iterator[str]:
    yield headline(finding)
    if finding.location:
        yield f"in {place(finding.location)}"
    if affected(finding):
        yield affected(finding)
    if ground(finding):
        yield f"evidence: {ground(finding)}"
    if finding.remedy:
        yield f"remedy: {cure(finding)}"
    yield from typed(finding)
