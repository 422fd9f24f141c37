"""What the probes saw of one patient: whose fault a failure is, and what it proves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

from legacy_doctor.diagnosis import packages, words
from legacy_doctor.diagnosis.claims import Judgement, judge
from legacy_doctor.diagnosis.requirements import Requirements
from legacy_doctor.model import (
    Distribution,
    Evidence,
    FaultKind,
    Finding,
    Grade,
    Knowledge,
    Outcome,
    Patient,
    ProbeResult,
)

Owner = Callable[[str], str | None]
"""Tells the distribution that a file belongs to."""

PYTHON: Final = "python"
"""The culprit where the interpreter died before the probe began."""
_CPU_CHECKS: Final = re.compile(
    r"baseline optimizations|CPU ISA level is lower than required|could not create a primitive"
    r"|compiled to use (?:AVX|SSE|FMA)|compiled with avx|built using AVX instructions"
    r"|Incompatible processor|Missing required CPU features|does not support x86-64-v"
    r"|\b(?:cpu|processor|machine)\b.{0,80}\b(?:doesn't|does not) support",
    re.IGNORECASE | re.DOTALL,
)
"""What libraries say when they refuse a CPU, instead of dying on it."""
_ABORTS: Final = frozenset({FaultKind.SENT, FaultKind.DELIBERATE})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The patient, what is believed, and what was seen: the ground of every judgement."""

    patient: Patient
    knowledge: Knowledge
    how: str
    today: date
    owner: Owner
    plain: tuple[ProbeResult, ...]
    """What ran with the dispatch variables scrubbed."""
    forced: tuple[ProbeResult, ...]
    """What ran with the user's own."""

    @cached_property
    def failures(self) -> Mapping[str, Sequence[ProbeResult]]:
        """By the distribution at fault: deaths, and refusals of the CPU."""
        found: dict[str, list[ProbeResult]] = {}
        for result in self.plain:
            if result.outcome.died or refuses(result):
                found.setdefault(self.culprit(result), []).append(result)
        return found

    @cached_property
    def requirements(self) -> Requirements:
        """Who requires whom."""
        return packages.graph(self.patient, self.knowledge)

    @cached_property
    def judgements(self) -> Mapping[str, Judgement]:
        """What the pins say, by distribution."""
        found = judge(self.patient, self.knowledge)
        return {judgement.distribution.name: judgement for judgement in found}

    def own(self, name: str) -> list[ProbeResult]:
        """Return how the probes of a distribution itself ended, its variables scrubbed."""
        return [item for item in self.plain if item.probe.distribution == name]

    def version(self, name: str) -> str:
        """Return the installed version; empty where there is none."""
        if name == PYTHON:
            return self.patient.interpreter.dotted
        installed = self.patient.get(name)
        return installed.version if installed else ""

    def sentence(self, result: ProbeResult) -> str:
        """Return how the probe ended, in words."""
        version = self.version(result.probe.distribution)
        return words.sentence(result, version, cpu=self.patient.cpu)

    def culprit(self, result: ProbeResult) -> str:
        """Return whose fault it is; the probed distribution where nobody can tell."""
        probed = result.probe.distribution
        if result.raised is None:
            owner = result.fault.owner if result.fault else None
            early = result.outcome.died and not result.stage
            return owner or (PYTHON if early else probed)
        named = re.findall(r"/[^\s:'\"]+", result.raised.message)
        files = [*named, *(frame.file for frame in reversed(result.raised.frames))]
        return next(filter(None, map(self.owner, files)), probed)

    def lacks(self, result: ProbeResult) -> bool:
        """True where the failure speaks of something that this CPU lacks."""
        if refuses(result):
            return True
        if result.fault is None:
            return result.outcome in {
                Outcome.ILLEGAL_INSTRUCTION,
                Outcome.FLOATING_POINT_EXCEPTION,
            }
        if result.fault.kind in {FaultKind.MEMORY, *_ABORTS}:
            return False
        return not self.unplayed(result)

    def unplayed(self, result: ProbeResult) -> bool:
        """True where the CPU has what the instruction needs: then the run proves nothing of it."""
        fault = result.fault
        return (
            fault is not None
            and fault.kind is FaultKind.UNSUPPORTED
            and bool(fault.needs)
            and not self.patient.cpu.missing(fault.needs)
        )

    def evidence(self, result: ProbeResult) -> Evidence:
        """Return what to keep of a run: where, when, with which Python, and how it ended."""
        cpu, interpreter = self.patient.cpu, self.patient.interpreter
        model = result.emulator.rpartition("-cpu ")[2]
        where = f"emulated: {model}" if model else ": ".join(filter(None, ("this CPU", cpu.brand)))
        when = result.day or self.today.isoformat()
        python = {"cpython": "CPython", "pypy": "PyPy"}.get(
            interpreter.implementation, interpreter.implementation
        )
        who = f"{result.probe.id} {self.version(result.probe.distribution)}".rstrip()
        stage = f" ({result.stage})" if result.stage else ""
        return Evidence(
            grade=weight(result),
            source=f"{where}, {when}, {python} {interpreter.dotted}",
            detail=f"{who}: {result.outcome.value}{stage}",
        )


def weight(result: ProbeResult) -> Grade:
    """Return how much a run proves."""
    return Grade.EMULATED if result.emulator else Grade.SILICON


def refuses(result: ProbeResult) -> bool:
    """True where a library said that it does not run on this CPU, by an exception or an abort."""
    if result.outcome is Outcome.RAISED:
        return result.raised is not None and bool(_CPU_CHECKS.search(result.raised.message))
    aborted = result.fault is not None and result.fault.kind in _ABORTS
    if aborted or result.outcome in {Outcome.ABORTED, Outcome.VANISHED}:
        return bool(_CPU_CHECKS.search(result.stderr))
    return False


def recorded(distributions: Iterable[Distribution]) -> Owner:
    """Return a look-up by RECORD that compares names: no file is looked at."""
    owners = {
        f"{item.root}/{file.path}": item.name for item in distributions for file in item.files
    }
    return owners.get


def noted(finding: Finding, *remarks: str) -> Finding:
    """Return the finding with further details."""
    return replace(finding, details=(*finding.details, *remarks)) if remarks else finding


def prediction(finding: Finding) -> tuple[str, ...]:
    """Return what the rule had said, to be kept beside what the probe saw."""
    grade = f" [{finding.evidence[0].grade.value}]" if finding.evidence else ""
    return (f"predicted{grade}: {finding.message}", *finding.details)


def proven(new: Evidence, finding: Finding) -> tuple[Evidence, ...]:
    """Return the evidence of a finding, what was seen here and now first."""
    return (new, *(item for item in finding.evidence if item != new))
