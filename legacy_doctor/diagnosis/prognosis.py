"""What is to be expected of every installed distribution on every x86-64 level.

A level stands for a CPU that has exactly its features. Nothing is run for it: what the pins say,
what follows from requirements, and what the runs on the patient's own CPU allow to infer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import packages, refutation, words
from legacy_doctor.diagnosis.claims import Judgement, judge
from legacy_doctor.diagnosis.requirements import Requirements
from legacy_doctor.diagnosis.specifiers import admits
from legacy_doctor.diagnosis.trial import refuses, weight
from legacy_doctor.model import (
    Cpu,
    Distribution,
    Expectation,
    Fate,
    FaultKind,
    Finding,
    Grade,
    Knowledge,
    Outcome,
    Patient,
    Pin,
    ProbeResult,
    Prognosis,
    Severity,
    Standing,
)

_SIGNAL: Final = re.compile(r"\bSIG[A-Z]+\b")
_REFUSAL: Final = re.compile(r"[A-Z]\w*Error\b|\braises?\b|\baborts?\b|\bFATAL\b|\"")
"""How a symptom tells of a clean error: an exception by name, or what the library says."""
_LEVELS: Final = features.cumulative("x86-64-v4")
_RUN: Final = frozenset({Grade.SILICON, Grade.EMULATED})
"""The grades behind which there is a run."""
_FAILS: Final = frozenset({Fate.DIES, Fate.REFUSES})


def tell(
    patient: Patient,
    knowledge: Knowledge,
    levels: Mapping[str, Cpu],
    *,
    results: Iterable[ProbeResult] = (),
    findings: Iterable[Finding] = (),
) -> tuple[Prognosis, ...]:
    """Return the prognosis of all that has machine code or that a pin speaks of, by name.

    `levels` are CPUs that have exactly the features of a level; `results` and `findings` are
    those of the patient's own CPU, as the probes left them.
    """
    case = _Case(
        patient=patient,
        knowledge=knowledge,
        requirements=packages.graph(patient, knowledge),
        runs=_runs(patient.cpu, results),
        stands=_standing(findings),
    )
    here = case.here()
    there = {level: case.there(cpu) for level, cpu in levels.items()}
    return tuple(
        Prognosis(
            distribution=item.name,
            version=item.version,
            here=here[item.name],
            levels=tuple((level, told[item.name]) for level, told in there.items()),
        )
        for item in case.told
    )


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One patient, on its own CPU and on others."""

    patient: Patient
    knowledge: Knowledge
    requirements: Requirements
    runs: Mapping[str, Sequence[ProbeResult]]
    stands: frozenset[str]

    @cached_property
    def told(self) -> Sequence[Distribution]:
        known = {pin.distribution for pin in self.knowledge.pins}
        installed = sorted(self.patient.distributions, key=lambda item: item.name)
        return [item for item in installed if item.native or item.name in known]

    def here(self) -> Mapping[str, Expectation]:
        """Return by name what is to be expected on the patient's own CPU."""
        forecast = _Forecast(self.patient, self.knowledge)
        own: dict[str, Expectation] = {}
        for item in self.told:
            expected = forecast.of(item)
            run = next(iter(self.runs.get(item.name, ())), None)
            # Where it ran, and that weighs no more than what is known against it, that stands.
            outweighed = run is not None and run.outcome is Outcome.OK and item.name in self.stands
            own[item.name] = expected if run is None or outweighed else self._seen(run, item)
        return self._with_fallen(own, seen={*self.runs})

    def there(self, cpu: Cpu) -> Mapping[str, Expectation]:
        """Return by name what is to be expected on another CPU."""
        forecast = _Forecast(replace(self.patient, cpu=cpu), self.knowledge)
        own = {item.name: forecast.of(item) for item in self.told}
        for name, expected in own.items():
            if expected.fate is Fate.UNKNOWN:
                runs = self.runs.get(name, ())
                own[name] = next(_inferred(runs, self.patient.cpu, cpu), expected)
        return self._with_fallen(own)

    def _seen(self, run: ProbeResult, item: Distribution) -> Expectation:
        if run.outcome is Outcome.RAISED or (run.outcome is not Outcome.OK and refuses(run)):
            fate = Fate.REFUSES
        else:
            fate = Fate.WORKS if run.outcome is Outcome.OK else Fate.DIES
        return Expectation(
            fate=fate,
            proven=True,
            stage=run.stage,
            grade=weight(run),
            reason=words.sentence(run, item.version, cpu=self.patient.cpu),
        )

    def _with_fallen(
        self, own: Mapping[str, Expectation], seen: Collection[str] = ()
    ) -> Mapping[str, Expectation]:
        """Return the expectations with those who fall because another cannot be imported."""
        result = dict(own)
        for name, cause in own.items():
            if cause.fate not in _FAILS or cause.stage == "use":
                continue
            for who, path in self.requirements.affected(name).items():
                if who in own and who not in seen and result[who].fate not in _FAILS:
                    verb = "raises an error" if cause.fate is Fate.REFUSES else "dies"
                    reason = f"requires {' → '.join(path[1:])}, which {verb} on import"
                    result[who] = Expectation(fate=cause.fate, stage="import", reason=reason)
        return {**result, **dict(self._clouded(own, result, seen))}

    def _clouded(
        self,
        own: Mapping[str, Expectation],
        told: Mapping[str, Expectation],
        seen: Collection[str],
    ) -> Iterator[tuple[str, Expectation]]:
        """Yield what has no machine code of its own and requires what nobody knows."""
        pure = {item.name for item in self.told if not item.native} - {*seen}
        for name, cause in own.items():
            if cause.fate is not Fate.UNKNOWN:
                continue
            for who in self.requirements.affected(name):
                if who in pure and told[who].fate is Fate.WORKS and not told[who].proven:
                    reason = f"requires {name}, of which nothing is known"
                    yield who, Expectation(fate=Fate.UNKNOWN, reason=reason)


@dataclass(frozen=True)
class _Forecast:
    """What the pins say of one CPU."""

    patient: Patient
    knowledge: Knowledge

    @cached_property
    def judgements(self) -> Mapping[str, Judgement]:
        return {item.distribution.name: item for item in judge(self.patient, self.knowledge)}

    def of(self, distribution: Distribution) -> Expectation:
        """Return what is to be expected of the distribution itself, whatever it requires."""
        judgement = self.judgements.get(distribution.name)
        if judgement is not None and judgement.standing:
            return _expected(judgement.standing[0])
        good = [
            pin
            for pin in (judgement.pins if judgement is not None else ())
            if admits(pin.good, distribution.version)
        ]
        if good:
            best = max(good, key=lambda pin: (pin.grade.strength, pin.stage == "use"))
            return Expectation(
                fate=Fate.WORKS,
                proven=best.grade in _RUN,
                stage=best.stage,
                grade=best.grade,
                reason=f"{best.good or 'every version'} is known to run ({best.grade.value})",
            )
        return self._silence(distribution)

    def _silence(self, distribution: Distribution) -> Expectation:
        """Return what is to be expected where no pin speaks of such a CPU."""
        if not distribution.native:
            return Expectation(fate=Fate.WORKS, reason="it has no machine code of its own")
        for pin in self.knowledge.about(distribution.name):
            if admits(pin.broken, distribution.version) and _depends_on_more(pin, self.patient.cpu):
                vendor = f"{pin.when.vendor} " if pin.when and pin.when.vendor else ""
                reason = f"breaks on certain {vendor}CPUs only"
                return Expectation(fate=Fate.UNKNOWN, reason=reason)
        about = list(self._comparable(distribution.name))
        if any(admits(pin.broken, distribution.version) for pin in about):
            reason = "what is known to break it needs nothing that this CPU lacks"
            return Expectation(fate=Fate.WORKS, reason=reason)
        if any(admits(pin.good, distribution.version) for pin in about):
            reason = "it is known to run on CPUs that have less"
            return Expectation(fate=Fate.WORKS, reason=reason)
        return Expectation(fate=Fate.UNKNOWN, reason="no pin-set says anything")

    def _comparable(self, name: str) -> Iterator[Pin]:
        """Yield the pins that were tried where nothing was missing that this CPU still has not."""
        missing = self.patient.cpu.missing(_LEVELS)
        for pinset in self.knowledge.pinsets:
            for pin in pinset.pins:
                if pin.distribution != name:
                    continue
                tried = features.onwards(pin.runs_without or pin.needs or pinset.lacks)
                if missing <= tried:
                    yield pin


def _expected(pin: Pin) -> Expectation:
    """Return what a pin foretells that stands."""
    clean = _REFUSAL.search(pin.symptom) and not _SIGNAL.search(pin.symptom)
    return Expectation(
        fate=Fate.REFUSES if clean else Fate.DIES,
        proven=pin.grade in _RUN,
        stage=pin.stage,
        grade=pin.grade,
        reason=f"{pin.symptom} ({pin.grade.value})",
    )


def _depends_on_more(pin: Pin, cpu: Cpu) -> bool:
    """True where more than features decides, and this CPU does not say enough of itself."""
    when = pin.when
    if when is None or when.holds(cpu):
        return False
    if pin.needs and not cpu.missing(pin.needs):
        return False
    leaf = when.cpuid_level_below
    return leaf is None or cpu.cpuid_level is None or cpu.cpuid_level < leaf


def _standing(findings: Iterable[Finding]) -> frozenset[str]:
    """Return of whom a prediction still stands after the probes."""
    return frozenset(
        item.subject
        for item in findings
        if item.rule in refutation.PREDICTIONS
        and item.severity is not Severity.INFO
        and item.standing is not Standing.REFUTED
    )


def _runs(cpu: Cpu, results: Iterable[ProbeResult]) -> Mapping[str, Sequence[ProbeResult]]:
    """Return by distribution what ran plainly and proves something, failures first."""
    found: dict[str, list[ProbeResult]] = {}
    for result in results:
        if result.overrides or not result.outcome.proves or _unplayed(result, cpu):
            continue
        if result.outcome is Outcome.RAISED and not refuses(result):
            continue
        found.setdefault(result.probe.distribution, []).append(result)
    return {
        name: sorted(runs, key=lambda run: (run.outcome is Outcome.OK, run.stage == "use"))
        for name, runs in found.items()
    }


def _unplayed(result: ProbeResult, cpu: Cpu) -> bool:
    """True where the emulator lacked what the CPU has: that proves nothing."""
    fault = result.fault
    if fault is None or fault.kind is not FaultKind.UNSUPPORTED or not fault.needs:
        return False
    return not cpu.missing(fault.needs)


def _inferred(runs: Sequence[ProbeResult], tried: Cpu, cpu: Cpu) -> Iterator[Expectation]:
    """Yield what a run says of another CPU: one that lacks what it died for, or has more."""
    if not runs:
        return
    run, name = runs[0], tried.brand or "this CPU"
    if run.fault is not None and cpu.missing(run.fault.needs):
        reason = f"it died on {name} for want of {words.needed(run.fault.needs)}"
        yield Expectation(fate=Fate.DIES, stage=run.stage, reason=reason)
    if run.outcome is Outcome.OK and tried.features & _LEVELS <= cpu.features:
        reason = f"it ran on {name}, which has nothing that this level lacks"
        yield Expectation(fate=Fate.WORKS, stage=run.stage, reason=reason)
