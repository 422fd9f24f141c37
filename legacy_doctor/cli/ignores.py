"""What is wrong with the ignores of the configuration: those that are over, those without use.

An ignore is called unused only by a run that would have found what it covers:

- the rule was asked. What depends on the machine and not on the project (a variable that is set, a
  hypervisor, a missing emulator) is never judged: another machine may have it. Nor is what only
  probes find where they did not run, what only `--verify-files` finds without it, and anything at
  all where the command line chose the pin-sets;
- the CPU was the one that the configuration names. For any other one the rules are asked again
  about plain x86-64, which lacks all that can be lacking: an ignore that covers something there is
  of use to somebody.

What the rules predict counts as well as what the probes left of it: a probe that refutes a
prediction on one machine makes no ignore useless on the next. An ignore of the command line is in
no file that could be cleaned, and the two rules here may be ignored like any other: such an ignore
is never called unused, and never covers a finding about itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from legacy_doctor.cli.config import Config, Entry, Ignore
from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import confirmation, rules
from legacy_doctor.errors import UnknownCpuError
from legacy_doctor.knowledge import position
from legacy_doctor.model import (
    Finding,
    Knowledge,
    Location,
    Outcome,
    Patient,
    Probing,
    Remedy,
    RemedyKind,
    Severity,
)

MACHINE: Final = frozenset(
    {
        "dead-override",
        "disarmed-guard",
        "dispatch-override",
        "hidden-features",
        "interpreter-needs",
        "probes-not-run",
    }
)
"""Rules about the machine at hand: another one of the project may need the ignore."""
_VENDORS: Final = ("AuthenticAMD", "GenuineIntel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run of `check` asked, as far as it decides which ignores were put to the test."""

    by_target: bool
    """The CPU is the one that the configuration names."""
    every_pinset: bool = True
    """The pin-sets are those of the configuration, and perhaps some more."""
    thorough: bool = False
    """Every file was hashed."""

    def tests(self, ignore: Ignore, proof: Probing) -> bool:
        """True where what the ignore covers would have been found, were it there."""
        if not self.every_pinset or ignore.rule in MACHINE:
            return False
        if ignore.rule in {name for name, _ in confirmation.RULES}:
            return self.by_target and _probed(ignore.subject, proof)
        if ignore.rule == "altered-files":
            return self.thorough
        return ignore.rule in {rule.id for rule in rules.RULES}


def _probed(subject: str | None, proof: Probing) -> bool:
    """True where every probe of the subject was run; of everything, where no subject is named."""
    results = [item for item in proof.results if subject in {None, item.probe.distribution}]
    complete = all(item.outcome is not Outcome.SKIPPED for item in results)
    return bool(results) and complete and (subject is not None or proof.wanted == "all")


def scope(settings: Config, patient: Patient, *, pinsets: bool, thorough: bool) -> Scope:
    """Return what this run asks; `pinsets` where the command line chose them."""
    return Scope(
        by_target=patient.cpu.source == _model(settings.target_cpu),
        every_pinset=not pinsets,
        thorough=thorough,
    )


def _model(name: str | None) -> str | None:
    """Return the source of a named CPU; None for the one at hand, which may be any."""
    try:
        return f"model:{models.find(name).name}" if name else None
    except UnknownCpuError:  # a run that asks for another CPU is not stopped by it
        return None


def remarks(  # noqa: PLR0913  all that an ignore may be about
    ignores: Iterable[Ignore],
    found: Iterable[Finding],
    patient: Patient,
    knowledge: Knowledge,
    proof: Probing,
    scope: Scope,
    today: date,
) -> tuple[Finding, ...]:
    """Return what is wrong with the ignores, after an examination that asked what `scope` says."""
    written = [ignore for ignore in ignores if ignore.entry is not None]
    if not written:
        return ()
    there = () if scope.by_target else elsewhere(patient, knowledge)
    return review(written, today, (*found, *there), lambda ignore: scope.tests(ignore, proof))


def review(
    ignores: Iterable[Ignore],
    today: date,
    found: Iterable[Finding],
    tested: Callable[[Ignore], bool],
) -> tuple[Finding, ...]:
    """Return a finding for every ignore of a file that is over, or that covers nothing of `found`.

    `found` is all that was predicted and found, before any ignore is applied; only those that
    were `tested` are called unused.
    """
    return tuple(_reviewed(ignores, today, tuple(found), tested))


def _reviewed(
    ignores: Iterable[Ignore],
    today: date,
    found: tuple[Finding, ...],
    tested: Callable[[Ignore], bool],
) -> Iterator[Finding]:
    for ignore in ignores:
        if ignore.entry is None:
            continue
        needed = any(ignore.speaks_of(finding) for finding in found)
        if ignore.over(today):
            yield _expired(ignore, ignore.entry, needed=needed)
        elif not needed and tested(ignore):
            yield _unused(ignore, ignore.entry)


def _expired(ignore: Ignore, entry: Entry, *, needed: bool) -> Finding:
    now = "what it covered counts again" if needed else "what it covered is not found here"
    cure = "cure the finding, or set a later `until`" if needed else "delete the entry"
    return Finding(
        rule="expired-ignore",
        severity=Severity.WARNING,
        subject=ignore.label,
        message=f"the ignore ({ignore.reason}) was good until {ignore.until}: {now}",
        remedy=Remedy(kind=RemedyKind.ADVICE, text=cure),
        location=locate(entry),
    )


def _unused(ignore: Ignore, entry: Entry) -> Finding:
    return Finding(
        rule="unused-ignore",
        severity=Severity.INFO,
        subject=ignore.label,
        message=f"the ignore ({ignore.reason}) covers nothing that is found here",
        remedy=Remedy(
            kind=RemedyKind.ADVICE,
            text="delete the entry, unless another environment or the requirement files need it",
        ),
        location=locate(entry),
    )


def locate(entry: Entry) -> Location:
    """Return where an entry stands, its file as seen from the working directory."""
    path = os.path.relpath(entry.file)
    try:
        text = entry.file.read_text(encoding="utf-8")
    except (OSError, ValueError):  # it was there a moment ago
        return Location(path)
    return Location(path, *position.of_table(text, entry.keys, entry.number))


def elsewhere(patient: Patient, knowledge: Knowledge) -> tuple[Finding, ...]:
    """Return what the rules find in this environment on plain x86-64, of either vendor."""
    plain = models.find("x86-64-v1").cpu
    return tuple(
        finding
        for vendor in _VENDORS
        for finding in rules.diagnose(
            replace(patient, cpu=replace(plain, vendor=vendor, cpuid_level=1), what_if=True),
            knowledge,
        )
    )
