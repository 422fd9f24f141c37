"""A finding in the words of the file that asks for the distribution, and what to write there."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from legacy_doctor.diagnosis import relocking, remedies
from legacy_doctor.diagnosis.claims import Judgement
from legacy_doctor.diagnosis.specifiers import compatible, intersect
from legacy_doctor.model import (
    Distribution,
    Finding,
    Remedy,
    RemedyKind,
    Requirement,
    RequirementKind,
    Severity,
    canonical,
)

MARKER: Final = "platform_machine == 'x86_64'"
"""What a bound is written for: no other machine has these instructions to miss."""
ADMITS: Final = (
    "admits-broken",
    "A requirement lets in versions that are broken on this CPU; others are known to run.",
)


class Member(NamedTuple):
    """A distribution that a requirement lets in, as if it were installed."""

    requirement: Requirement
    distribution: Distribution
    specifier: str = ""
    """What bounds the range, constraints included."""
    older: bool = False
    """The range admits newer versions, and nothing is known against those."""

    @property
    def exact(self) -> bool:
        """True where the version is settled."""
        return self.requirement.version is not None

    @property
    def brought(self) -> bool:
        """True where the requirement asks for another distribution, which brings this one."""
        return self.requirement.name != self.distribution.name


def told(finding: Finding, member: Member, judgement: Judgement | None, form: str) -> Finding:
    """Return the finding with its place, in words that fit the requirement and its file."""
    requirement = member.requirement
    finding = replace(finding, location=requirement.location, affects=(), paths={})
    if member.brought:
        message = f"{_asked(requirement)} brings {finding.subject}, which {finding.message}"
        finding = replace(finding, message=message, version=None)
    elif not member.exact:
        finding = _admitted(finding, member, judgement)
    finding = replace(finding, remedy=_remedy(finding, member, judgement, form))
    if finding.rule == "broken-pin" and not member.exact:
        finding = replace(finding, rule=ADMITS[0])
    return tempered(finding, member)


def _admitted(finding: Finding, member: Member, judgement: Judgement | None) -> Finding:
    if judgement is None or finding.version is None:
        return replace(finding, version=None)
    asked, name = _asked(member.requirement), finding.subject
    broken = judgement.standing[0].broken
    if broken:
        message = f"{asked} admits {name}{broken}, which {finding.message}"
    else:
        message = f"{asked}: every version {finding.message}"
    return replace(finding, message=message, version=None)


def _asked(requirement: Requirement) -> str:
    return " ".join(requirement.text.partition(";")[0].split()) or requirement.name


def tempered(finding: Finding, member: Member) -> Finding:
    """Lower what is not certain: a newer version, a build of one's own, what conda built."""
    if member.older:
        message = f"{finding.message}; an installer takes a newer version unless told otherwise"
        return replace(finding, severity=Severity.INFO, message=message)
    origin = member.requirement.origin
    if not origin:
        return finding
    whose = "conda's build" if origin == "conda" else f"what lies at {origin}"
    message = f"{finding.message} (known of the wheels on PyPI; {whose} may differ)"
    return at_most(Severity.WARNING, replace(finding, message=message))


def at_most(severity: Severity, finding: Finding) -> Finding:
    """Return the finding, no graver than that."""
    return (
        finding if finding.severity.rank >= severity.rank else replace(finding, severity=severity)
    )


def _remedy(
    finding: Finding, member: Member, judgement: Judgement | None, form: str
) -> Remedy | None:
    remedy = finding.remedy
    if remedy is None:
        return None
    if remedy.kind is RemedyKind.PIN and judgement is not None:
        return _pin(member, judgement, form)
    name = finding.subject
    if remedy.kind is RemedyKind.REPLACE:
        wanted = remedy.install[0]
        note = remedy.text.partition(wanted)[2]
        if canonical(wanted.partition("[")[0]) == member.requirement.name:
            wanted = _with_extra(member.requirement, wanted)
            remedy = replace(remedy, text=f"ask for {wanted}{note}", install=(wanted,))
        else:
            instead = f" instead of {name}" if remedy.uninstall else ""
            remedy = replace(remedy, text=f"ask for {wanted}{instead}{note}")
    elif remedy.kind is RemedyKind.REMOVE:
        why = f"no wheel of {name} is known to work on this CPU: "
        unless = f"{why}leave it out, or build it from source there"
        text = f"leave {name} out" if finding.rule == "unwanted-distribution" else unless
        remedy = replace(remedy, text=text)
    return remedy


def _with_extra(requirement: Requirement, wanted: str) -> str:
    """Return the requirement that asks for the extra too, and stays in its own range if it can."""
    head, _, specifier = wanted.partition("]")
    if compatible(requirement.specifier, specifier):
        specifier = intersect(requirement.specifier, specifier)
    return f"{head}]{specifier}"


def _pin(member: Member, judgement: Judgement, form: str) -> Remedy:
    name = judgement.distribution.name
    good = remedies.good_specifier(judgement) or ""
    best = remedies.known_to_run(judgement, good)
    known = f" ({best} is known to run)" if best else ""
    if form in relocking.FORMATS:
        wanted = f"{name}{good}"
        command = relocking.command(form, (wanted,))
        text = f"lock {wanted}{known}"
        commands = () if command is None else (command,)
        return Remedy(kind=RemedyKind.PIN, text=text, install=(wanted,), commands=commands)
    if member.exact:
        wanted = f"{name}=={best}" if best else f"{name}{good}"
        word = "bound it to" if member.requirement.kind is RequirementKind.CONSTRAINT else "ask for"
        text = f"{word} {wanted}{known if not best else ', which is known to run'}"
        return Remedy(kind=RemedyKind.PIN, text=text, install=(wanted,))
    if not compatible(member.specifier, good):
        text = f"only {name}{good} runs{known}, and {_asked(member.requirement)} forbids it"
        return Remedy(kind=RemedyKind.ADVICE, text=f"{text}: lower the bound, or do without it")
    # A table has one entry for a name, and conda no markers: the range itself becomes narrower.
    if member.requirement.origin or " = " in member.requirement.text:
        bound, text = f"{name}{good}", f"narrow it by `{good}`{known}"
    else:
        bound = f"{name}{good}; {_marker(member)}"
        text = f"add `{bound}`{known}"
    return Remedy(kind=RemedyKind.PIN, text=text, install=(bound,))


def _marker(member: Member) -> str:
    """Return where the bound is to hold: nowhere that the requirement itself does not."""
    own = member.requirement.marker
    if not own or "platform_machine" in own:
        return own or MARKER
    return f"({own}) and {MARKER}" if " or " in own else f"{own} and {MARKER}"
