"""Findings follow evidence: what the probes say of them, and what they saw that no rule knew.

A failure belongs to the distribution in whose file it happened, whoever was being probed. All
that fails there is one finding: the prediction, where there is one, now confirmed; else a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from legacy_doctor.diagnosis import effects, refutation
from legacy_doctor.diagnosis.trial import (
    PYTHON,
    Owner,
    Trial,
    prediction,
    proven,
    recorded,
    refuses,
)
from legacy_doctor.model import (
    Finding,
    Knowledge,
    Outcome,
    Patient,
    ProbeResult,
    Probing,
    Remedy,
    RemedyKind,
    Severity,
    Standing,
)

RULES: Final = (
    ("probe-failure", "A probe failed, and no rule had foreseen it."),
    ("probe-raised", "A probe raised an exception that does not speak of the CPU."),
    ("probes-not-run", "Probes were wanted and could not be run: nothing is proven."),
)
"""The rules that only probes speak by, each with what a finding of it means."""

_OF_THE_CPU: Final = (
    *("interpreter-needs", "broken-pin", "no-working-wheel", "unwanted-distribution"),
    *("declared-isa", "disputed-evidence", "treated"),
)
"""Rules that foresee a failure on this CPU, the one to confirm first."""
_OF_THE_FILES: Final = ("incompatible-versions", "overwriting-distributions", "altered-files")
"""Rules that foresee a failure on any CPU: an instruction that this one lacks is another matter."""
_SHOWN: Final = 160
"""An exception's message is cut here: some quote whole files."""


def confirm(  # noqa: PLR0913  all that decides, and each of another room
    patient: Patient,
    knowledge: Knowledge,
    findings: Iterable[Finding],
    results: Iterable[ProbeResult],
    how: str,
    *,
    today: date,
    owner: Owner | None = None,
) -> tuple[Finding, ...]:
    """Return the findings as the probes leave them, sorted as `rules.diagnose` sorts.

    `how` says where the probes ran (`Probing.how`); `today` dates the new evidence; `owner`
    tells whose a file is, by default RECORD. A skipped probe changes nothing, and what ran with
    the user's own dispatch variables speaks of those variables only.
    """
    run = [item for item in results if item.outcome is not Outcome.SKIPPED]
    trial = Trial(
        patient=patient,
        knowledge=knowledge,
        how=how,
        today=today,
        owner=owner or recorded(patient.distributions),
        plain=tuple(item for item in run if not item.overrides),
        forced=tuple(item for item in run if item.overrides),
    )
    known = tuple(findings)
    pairs = [*_foreseen(known, trial)]
    foreseen = dict(reversed(pairs))
    result = [
        left
        for finding in known
        for left in (
            [_confirmed(finding, foreseen[id(finding)], trial)]
            if id(finding) in foreseen
            else _weighed(finding, trial)
        )
    ]
    told = {*(name for _, name in pairs), *_proving_nothing(known, trial)}
    result += [_unforeseen(name, trial) for name in trial.failures if name not in told]
    return ordered([*result, *_remarks(trial)])


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, errors first, then in the order of the rules, those of RULES last."""
    from legacy_doctor.diagnosis import rules  # which may know our rules, and so import us

    ids = [*(rule.id for rule in rules.RULES), *(name for name, _ in RULES)]
    place = {name: index for index, name in enumerate(ids)}
    return tuple(
        sorted(findings, key=lambda item: (item.severity.rank, place.get(item.rule, len(ids))))
    )


def unproven(probing: Probing, *, explicit: bool = False) -> tuple[Finding, ...]:
    """Return the finding that the probes could not be run, where they were wanted.

    An error where the user asked for them in so many words: the exit code does not pretend.
    """
    if probing.wanted == "none" or not probing.obstacle:
        return ()
    if "install" in probing.obstacle:
        text = "install qemu-user (Debian, Ubuntu: apt-get install qemu-user), then check again"
    else:
        text = "check on that CPU itself, or with --probe none to see predictions only"
    return (
        Finding(
            rule="probes-not-run",
            severity=Severity.ERROR if explicit else Severity.WARNING,
            subject="probes",
            message=f"none was run, so nothing is proven: {probing.obstacle}",
            remedy=Remedy(kind=RemedyKind.ADVICE, text=text),
        ),
    )


def _foreseen(findings: Sequence[Finding], trial: Trial) -> Iterator[tuple[int, str]]:
    """Yield the findings that had foreseen a failure, by identity, with the name at fault."""
    for name, failures in trial.failures.items():
        proving = [item for item in failures if not trial.unplayed(item)]
        of_the_cpu = any(map(trial.lacks, proving))
        for rule in (*_OF_THE_CPU, *(() if of_the_cpu else _OF_THE_FILES)) if proving else ():
            found = next((item for item in findings if _about(item, rule, name)), None)
            if found is not None:
                yield id(found), name
                break


def _about(finding: Finding, rule: str, name: str) -> bool:
    return finding.rule == rule and name in finding.subject.split(" + ")


def _proving_nothing(findings: Iterable[Finding], trial: Trial) -> Iterator[str]:
    """Yield who failed by what the emulator lacks, where a prediction speaks of it already."""
    predicted = {item.subject for item in findings if item.rule in refutation.PREDICTIONS}
    for name, failures in trial.failures.items():
        if name in predicted and all(map(trial.unplayed, failures)):
            yield name


def _weighed(finding: Finding, trial: Trial) -> Iterable[Finding]:
    """Return what is left of a finding that no failure confirms."""
    if finding.rule in refutation.PREDICTIONS:
        return refutation.weigh(finding, trial)
    if finding.rule == "treated":
        return [refutation.lives(finding, trial)]
    if finding.rule == "contradicting-pins":
        return [refutation.moot(finding, trial)]
    if finding.rule == "dispatch-override":
        return [effects.weigh(finding, trial)]
    return [finding]


def _lead(name: str, trial: Trial) -> ProbeResult:
    """Return the failure to tell of: its own before others', of the CPU, early before late."""
    return min(
        trial.failures[name],
        key=lambda item: (
            trial.unplayed(item),
            item.probe.distribution != name,
            not trial.lacks(item),
            item.stage == "use",
        ),
    )


def _said(name: str, lead: ProbeResult, trial: Trial) -> str:
    """Return the sentence about a failure, to be read after the name and version at fault."""
    sentence = trial.sentence(lead)
    if lead.probe.distribution != name:
        return f"is where {sentence}"
    return sentence.removeprefix(f"{name} {trial.version(name)}".rstrip()).lstrip()


def _affected(
    name: str, known: Iterable[str], trial: Trial
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return who fails with it, and the requirement paths that are known."""
    paths = trial.requirements.affected(name)
    fell = (item.probe.distribution for item in trial.failures[name] if not trial.unplayed(item))
    names = sorted({*known, *fell} - {name})
    return tuple(names), {who: paths[who] for who in names if who in paths}


def _confirmed(finding: Finding, name: str, trial: Trial) -> Finding:
    lead = _lead(name, trial)
    affects, paths = _affected(name, finding.affects, trial)
    needs = finding.needs | (lead.fault.needs if lead.fault else frozenset())
    known = lead.fault.known if lead.fault else ""
    return replace(
        finding,
        severity=Severity.ERROR,
        standing=Standing.CONFIRMED,
        fault=lead.fault,
        message=_said(name, lead, trial),
        needs=needs,
        missing=trial.patient.cpu.missing(needs),
        evidence=proven(trial.evidence(lead), finding),
        cause=name,
        affects=affects,
        paths={**finding.paths, **paths},
        details=(*prediction(finding), *filter(None, [known])),
        remedy=finding.remedy or _advice(name, known),
    )


def _advice(name: str, known: str) -> Remedy:
    """Return what to do where no pin-set says it."""
    if name == PYTHON:
        text = "recreate the environment with a Python built for plain x86-64"
    else:
        text = (
            f"no pin-set knows this: try another version of {name}, then `legacy-doctor probe "
            f"{name}`; please report it"
        )
    return Remedy(kind=RemedyKind.ADVICE, text=known or text)


def _unforeseen(name: str, trial: Trial) -> Finding:
    """Return the finding about a failure that no rule had foreseen."""
    lead = _lead(name, trial)
    doubt = refutation.doubt(lead, trial)
    on_import = lead.stage != "use"
    needs = lead.fault.needs if lead.fault else frozenset()
    # What dies in use may never be used by those who require it.
    affects, paths = _affected(name, trial.requirements.affected(name) if on_import else (), trial)
    return Finding(
        rule="probe-failure",
        severity=_gravity(doubt, on_import=on_import),
        subject=name,
        version=trial.version(name) or None,
        message="; ".join(filter(None, [_said(name, lead, trial), doubt])),
        needs=needs,
        missing=trial.patient.cpu.missing(needs),
        evidence=(trial.evidence(lead),),
        cause=name,
        affects=affects,
        paths=paths,
        remedy=_advice(name, lead.fault.known if lead.fault else ""),
        standing=Standing.NEW,
        fault=lead.fault,
    )


def _gravity(doubt: str, *, on_import: bool) -> Severity:
    """Return an error for what cannot be used here: not for what only the emulator cannot."""
    if not doubt or (on_import and doubt != refutation.NOT_PLAYED):
        return Severity.ERROR
    return Severity.WARNING


def _remarks(trial: Trial) -> Iterator[Finding]:
    """Yield what ended a probe and says nothing about the CPU."""
    for result in trial.plain:
        name = result.probe.distribution
        if refuses(result):
            continue
        if result.outcome in {Outcome.TIMEOUT, Outcome.VANISHED}:
            yield _remark("probe-failure", _said(name, result, trial), result, trial)
        elif result.outcome is Outcome.RAISED:
            yield _remark("probe-raised", _exception(result), result, trial)


def _exception(result: ProbeResult) -> str:
    where = "in use" if result.stage == "use" else "on import"
    name, text = ("an exception", "")
    if result.raised is not None:
        name, text = result.raised.type, " ".join(result.raised.message.split())
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"raises {name} {where}{': ' if cut else ''}{cut}; not an ISA problem by its words"


def _remark(rule: str, message: str, result: ProbeResult, trial: Trial) -> Finding:
    name = result.probe.distribution
    return Finding(
        rule=rule,
        severity=Severity.INFO if result.stage == "use" else Severity.WARNING,
        subject=name,
        version=trial.version(name) or None,
        message=message,
        evidence=(trial.evidence(result),),
        standing=Standing.NEW,
    )
