"""Predictions that rest on pins and that no probe confirmed: refuted, or never reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from legacy_doctor.diagnosis import packages
from legacy_doctor.diagnosis.trial import Trial, noted, prediction, proven, refuses, weight
from legacy_doctor.model import (
    Finding,
    Knowledge,
    Outcome,
    Pin,
    ProbeResult,
    Severity,
    Standing,
)

PREDICTIONS: Final = ("broken-pin", "no-working-wheel", "disputed-evidence")
"""The rules that rest on pins: a run can refute them."""
NOT_THE_CPU: Final = "it does not look like something that this CPU lacks"
NOT_PLAYED: Final = "the emulator cannot play it, so it proves nothing"


def weigh(finding: Finding, trial: Trial) -> Iterator[Finding]:
    """Yield what the probes of its own distribution leave of a prediction.

    Where some of its claims are refuted and others are not, the rules are asked again.
    """
    claims = _claims(finding, trial)
    refuting = {id(pin): run for pin in claims for run in _refuting(pin, trial)}
    refuted = [pin for pin in claims if id(pin) in refuting]
    if refuted and len(refuted) == len(claims):
        yield _refuted(finding, refuted[0], refuting[id(refuted[0])], trial)
    elif refuted and finding.rule != "disputed-evidence":
        yield from _rest(finding, refuted, trial)
    else:
        yield noted(finding, *_outweighed(claims, trial), *_unreached(finding, trial))


def moot(finding: Finding, trial: Trial) -> Finding:
    """Return what is left of a contradiction between a pin and others: nothing, once refuted."""
    judgement = trial.judgements.get(finding.subject)
    pins = judgement.standing if judgement else ()
    if not pins or not all(any(_refuting(pin, trial)) for pin in pins):
        return finding
    return replace(
        finding,
        severity=Severity.INFO,
        standing=Standing.REFUTED,
        message="the pin is refuted, so this matters no more",
        affects=(),
        paths={},
        details=prediction(finding),
        remedy=None,
    )


def lives(finding: Finding, trial: Trial) -> Finding:
    """Return what the probes say of something treated. That it runs refutes nothing."""
    own = trial.own(finding.subject)
    if own and all(item.outcome is Outcome.OK for item in own):
        return noted(finding, f"so treated, it ran here ({trial.how})")
    return noted(finding, *_unreached(finding, trial))


def doubt(result: ProbeResult, trial: Trial) -> str:
    """Say why a death does not speak against the CPU; empty where it does."""
    if trial.lacks(result):
        return ""
    return NOT_PLAYED if trial.unplayed(result) and result.emulator else NOT_THE_CPU


def _claims(finding: Finding, trial: Trial) -> tuple[Pin, ...]:
    judgement = trial.judgements.get(finding.subject)
    if judgement is None:
        return ()
    if finding.rule == "disputed-evidence":
        return tuple(broken for broken, _ in judgement.overruled)
    return judgement.standing


def _passes(pin: Pin, trial: Trial) -> Iterator[ProbeResult]:
    """Yield the runs that got past the point where the pin says it breaks.

    An import that passes proves an import. A use proves that use, and nothing where another
    use of the same distribution failed.
    """
    own = trial.own(pin.distribution)
    if pin.stage == "import":
        yield from (item for item in own if item.imported)
    elif all(item.outcome is Outcome.OK for item in own):
        yield from (item for item in own if item.probe.use)


def _refuting(pin: Pin, trial: Trial) -> Iterator[ProbeResult]:
    """Yield the runs that count for more than the claim: no emulator refutes silicon.

    An import is the same import wherever it is run; a use that failed elsewhere may be another
    than ours, so it takes a stronger grade to refute it.
    """
    if pin.distribution not in trial.failures or pin.stage == "import":
        for run in _passes(pin, trial):
            gain = weight(run).strength - pin.grade.strength
            if gain > 0 or (gain == 0 and pin.stage == "import"):
                yield run
                return


def _outweighed(claims: Iterable[Pin], trial: Trial) -> Iterator[str]:
    if any(any(_passes(pin, trial)) and not any(_refuting(pin, trial)) for pin in claims):
        yield f"it ran here ({trial.how}), which weighs no more than the evidence against it"


def _refuted(finding: Finding, pin: Pin, run: ProbeResult, trial: Trial) -> Finding:
    what, ran = (
        ("predicted to break", "it")
        if pin.stage == "import"
        else ("predicted to fail in use", "the smallest use")
    )
    return replace(
        finding,
        severity=Severity.INFO,
        standing=Standing.REFUTED,
        message=f"{what} ({pin.grade.value}), but {ran} ran here: {trial.how}; please keep this "
        "evidence",
        evidence=proven(trial.evidence(run), finding),
        cause=None,
        affects=(),
        paths={},
        details=prediction(finding),
        remedy=None,
    )


def _rest(finding: Finding, refuted: Sequence[Pin], trial: Trial) -> Iterator[Finding]:
    """Yield what the other claims say: the rules are asked again without the refuted ones."""
    pinsets = tuple(
        replace(pinset, pins=tuple(pin for pin in pinset.pins if pin not in refuted))
        for pinset in trial.knowledge.pinsets
    )
    gone = [f"refuted, it got past that here ({trial.how}): {pin.symptom}" for pin in refuted]
    for rule in (packages.broken_pin, packages.no_working_wheel):
        for found in rule(trial.patient, Knowledge(pinsets=pinsets)):
            if found.subject == finding.subject:
                yield noted(found, *gone, *_unreached(finding, trial))


def _unreached(finding: Finding, trial: Trial) -> Iterator[str]:
    """Say what kept the probes of a distribution from the point in question."""
    for result in trial.own(finding.subject):
        culprit = trial.culprit(result)
        if result.outcome is Outcome.OK:
            continue
        if culprit == finding.subject and (result.outcome.died or refuses(result)):
            if trial.unplayed(result):
                yield f"not reached: {trial.sentence(result)}; {doubt(result, trial)}"
        elif result.outcome.died:
            yield f"not reached: {culprit} died first"
        elif refuses(result):
            yield f"not reached: {culprit} refused this CPU first"
        elif result.raised is not None:
            yield f"not reached: its probe raised {result.raised.type} first"
        else:
            yield f"not reached: its probe ended first ({result.outcome.value})"
