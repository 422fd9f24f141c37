"""What a dispatch variable really does: one run with the user's own, one without."""

from __future__ import annotations

from dataclasses import replace

from legacy_doctor.diagnosis.trial import Trial, prediction, proven
from legacy_doctor.model import Finding, Outcome, ProbeResult, Severity, Standing


def weigh(finding: Finding, trial: Trial) -> Finding:
    """Return a finding about a variable, confirmed, refuted or as it was.

    Confirmed where a probe failed with it and came further without it; refuted where every
    probe that concerns it passed both times.
    """
    pairs = [
        (forced, without)
        for forced in trial.forced
        if _concerns(forced, finding, trial)
        for without in trial.plain
        if without.probe == forced.probe
    ]
    for forced, without in pairs:
        failed = forced.outcome.died or forced.outcome is Outcome.RAISED
        if failed and (_ok(without) or (without.imported and not forced.imported)):
            return _confirmed(finding, forced, trial)
    if pairs and all(_ok(item) for pair in pairs for item in pair):
        return _refuted(finding, [forced for forced, _ in pairs], trial)
    return finding


def _ok(result: ProbeResult) -> bool:
    return result.outcome is Outcome.OK


def _concerns(result: ProbeResult, finding: Finding, trial: Trial) -> bool:
    """True where the variable was set, and who ran or failed reads it."""
    if finding.subject not in dict(result.overrides):
        return False
    touched = {result.probe.distribution, trial.culprit(result)}
    return not finding.affects or bool(touched.intersection(finding.affects))


def _confirmed(finding: Finding, forced: ProbeResult, trial: Trial) -> Finding:
    variables = dict(forced.overrides)
    value = variables.pop(finding.subject)
    others = f" (and {', '.join(sorted(variables))})" if variables else ""
    sentence = trial.sentence(replace(forced, overrides=()))  # which would name them again
    return replace(
        finding,
        severity=Severity.ERROR,
        standing=Standing.CONFIRMED,
        fault=forced.fault,
        message=f"{finding.subject}={value}: with it{others} {sentence}, and runs without it",
        evidence=proven(trial.evidence(forced), finding),
        details=prediction(finding),
    )


def _refuted(finding: Finding, forced: list[ProbeResult], trial: Trial) -> Finding:
    value = dict(forced[0].overrides)[finding.subject]
    ran = ", ".join(dict.fromkeys(item.probe.distribution for item in forced))
    return replace(
        finding,
        severity=Severity.INFO,
        standing=Standing.REFUTED,
        message=f"{finding.subject}={value}: predicted to do harm, but {ran} ran here with it as "
        f"well: {trial.how}",
        evidence=proven(trial.evidence(forced[0]), finding),
        details=prediction(finding),
        remedy=None,
    )
