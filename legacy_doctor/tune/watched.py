"""What is to be said of a distribution that had better not be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from packaging.version import InvalidVersion, Version

from legacy_doctor.cpu import features
from legacy_doctor.knowledge.tuning import Watched
from legacy_doctor.model import Cpu, Outcome, ProbeResult, Remark, Severity

_MISMATCH: Final = ("exit status 127", "AttributeError", "SystemExit")
"""How IPEX ends where torch has another minor version: its last commit by os._exit(127), 2.6 to 2.8
by AttributeError, older ones by SystemExit."""


def remark(
    item: Watched, versions: Mapping[str, str], cpu: Cpu, result: ProbeResult | None
) -> Remark:
    """Return what is wrong with it here; an error where it cannot be imported."""
    problems = [*_mismatch(item, versions), *_lacking(item, cpu), *_ended(result)]
    bad = bool(problems) and not (result is not None and result.outcome is Outcome.OK)
    said = "; ".join([*problems, *_lives(result)])
    return Remark(
        severity=Severity.ERROR if bad else Severity.WARNING,
        subject=f"{item.name} {versions[item.name]}",
        text=f"{said}. {item.advice}" if said else item.advice,
        evidence=item.evidence,
    )


def _mismatch(item: Watched, versions: Mapping[str, str]) -> Iterator[str]:
    other = item.same_minor_as
    if other is None:
        return
    if other not in versions:
        yield f"{other} is not installed beside it"
    elif _minor(versions[other]) != _minor(versions[item.name]):
        yield f"{other} is {versions[other]}, of another minor version"


def _minor(text: str) -> tuple[int, ...]:
    try:
        return (*Version(text).release, 0)[:2]
    except InvalidVersion:
        return ()


def _lacking(item: Watched, cpu: Cpu) -> Iterator[str]:
    missing = cpu.missing(item.needs)
    if missing:
        yield f"this CPU lacks {' '.join(features.ordered(missing))}"


def _ended(result: ProbeResult | None) -> Iterator[str]:
    if result is None or result.outcome in {Outcome.OK, Outcome.SKIPPED}:
        return
    how = result.outcome.value
    if result.raised is not None:
        how = f"{result.raised.type}: {result.raised.message}".rstrip(": ")
    elif result.reason:
        how = result.reason
    known = " (what it does where torch does not match)" if _is_mismatch(how) else ""
    yield f"imported in a child it ended so: {how}{known}"


def _is_mismatch(how: str) -> bool:
    return any(word in how for word in _MISMATCH)


def _lives(result: ProbeResult | None) -> Iterator[str]:
    if result is not None and result.outcome is Outcome.OK:
        yield f"imported in a child it lives{f' ({result.emulator})' if result.emulator else ''}"
    elif result is not None and result.outcome is Outcome.SKIPPED:
        yield f"not imported: {result.reason}"
