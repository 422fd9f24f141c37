"""How a probe ended: from a run and its record to a result. Reads ELF files, starts no patient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from legacy_doctor.model import Fault, FaultKind, Outcome, Probe, ProbeResult, Raised
from legacy_doctor.probe.record import RawFault, Record, signal_name
from legacy_doctor.probe.sandbox import Limits, Run

if TYPE_CHECKING:
    from legacy_doctor.probe.fault import Owners

_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "SIGILL": Outcome.ILLEGAL_INSTRUCTION,
    "SIGFPE": Outcome.FLOATING_POINT_EXCEPTION,
    "SIGSEGV": Outcome.SEGMENTATION_FAULT,
    "SIGBUS": Outcome.SEGMENTATION_FAULT,
    "SIGABRT": Outcome.ABORTED,
    "SIGTRAP": Outcome.ABORTED,
    "SIGSYS": Outcome.ABORTED,
}
"""Signals that a process brings upon itself."""

_FROM_OUTSIDE: Final[Mapping[str, str]] = {
    "SIGKILL": "killed by SIGKILL (out of memory?)",
    "SIGXFSZ": "killed by SIGXFSZ (it wrote a file larger than allowed)",
}
_REMARK: Final = re.compile(
    r"^qemu(-x86_64)?(-static)?: (warning|uncaught target).*\n?", re.MULTILINE
)
_SILENT: Final = "ended without a word (os._exit, or its record was closed)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of a probe, to be judged."""

    probe: Probe
    run: Run
    record: Record
    limits: Limits = field(default_factory=Limits)
    emulator: str = ""
    """`qemu-x86_64 7.2.22 -cpu phenom`; empty for a run on this CPU itself."""
    overrides: tuple[tuple[str, str], ...] = ()
    """Dispatch variables that it ran with."""


def judge(case: Case, owners: Owners) -> ProbeResult:
    """Return what one run proved."""
    return judge_all([case], owners)[0]


def judge_all(cases: Sequence[Case], owners: Owners) -> list[ProbeResult]:
    """Return what the runs proved, in their order; all faults are decoded by one child."""
    raws = [case.record.fault for case in cases if case.record.fault is not None]
    emulated = [bool(case.emulator) for case in cases if case.record.fault is not None]
    faults = iter(_assembled(raws, owners, emulated))
    return [
        _result(case, next(faults) if case.record.fault is not None else None) for case in cases
    ]


def _assembled(raws: Sequence[RawFault], owners: Owners, emulated: Sequence[bool]) -> list[Fault]:
    if not raws:
        return []
    from legacy_doctor.probe import fault  # reads ELF files, which takes a while to load

    return fault.assemble(raws, owners, emulated=emulated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    outcome: Outcome
    reason: str = ""
    fault: Fault | None = None
    raised: Raised | None = None


def _result(case: Case, found: Fault | None) -> ProbeResult:
    end = _end(case, found)
    return ProbeResult(
        probe=case.probe,
        outcome=end.outcome,
        stage=case.record.stage,
        fault=end.fault,
        raised=end.raised,
        reason=end.reason,
        seconds=case.run.seconds,
        stderr=_said(case),
        emulator=case.emulator,
        overrides=case.overrides,
        held=case.run.held or case.record.held,
        leftovers=case.run.leftovers,
    )


def _end(case: Case, found: Fault | None) -> _End:
    """Decide: the first fault is the truth, whatever came after it."""
    if found is not None:
        return _End(outcome=_OUTCOMES.get(found.signal, Outcome.ABORTED), fault=found)
    if case.run.stopped:
        return _stopped(case)
    killed = _by_signal(case)
    if killed is not None:
        return killed
    if not case.record.ready:
        return _End(outcome=Outcome.VANISHED, reason=_no_start(case))
    return _spoken(case.record, case.run)


def _stopped(case: Case) -> _End:
    limits = case.limits
    if case.run.stopped == "timeout":
        done = "all of it ran, but it did not end" if case.record.done else "did not end"
        return _End(outcome=Outcome.TIMEOUT, reason=f"{done} within {limits.seconds:g} s")
    if case.run.stopped == "output":
        reason = f"stopped: it wrote more than {limits.output >> 20} MiB"
        return _End(outcome=Outcome.VANISHED, reason=reason)
    return _End(outcome=Outcome.VANISHED, reason=case.run.stopped)


def _by_signal(case: Case) -> _End | None:
    """Judge by the exit status alone; a shell between us and the patient adds 128."""
    status, record = case.run.status, case.record
    told = record.done or record.raised is not None or record.exit_status is not None
    number = -status if status < 0 else status - 128
    if number <= 0 or (status > 0 and told):
        return None
    name = signal_name(number)
    if name in _OUTCOMES:
        return _End(outcome=_OUTCOMES[name], fault=Fault(signal=name, kind=FaultKind.OTHER))
    if status > 0:
        return None
    if name == "SIGXCPU":
        return _End(outcome=Outcome.TIMEOUT, reason="used up its processor time")
    return _End(outcome=Outcome.VANISHED, reason=_FROM_OUTSIDE.get(name, f"killed by {name}"))


def _no_start(case: Case) -> str:
    lines = _said(case).strip().splitlines()
    last = lines[-1].strip() if lines else f"exit status {case.run.status}"
    return f"the interpreter did not start: {last}"


def _said(case: Case) -> str:
    """Return what the patient wrote to stderr, without the emulator's own remarks."""
    return _REMARK.sub("", case.run.stderr) if case.emulator else case.run.stderr


def _spoken(record: Record, run: Run) -> _End:
    """Judge by what the patient's Python said."""
    if record.raised is not None:
        return _End(outcome=Outcome.RAISED, raised=record.raised)
    if record.done:
        return _End(outcome=Outcome.OK)
    if record.exit_status == 0:
        return _End(outcome=Outcome.VANISHED, reason="left by sys.exit(0) before the step ended")
    if record.exit_status is not None:
        raised = Raised(type="SystemExit", message=str(record.exit_status))
        return _End(outcome=Outcome.RAISED, raised=raised)
    if run.status:
        return _End(outcome=Outcome.VANISHED, reason=f"{_SILENT}, exit status {run.status}")
    return _End(outcome=Outcome.VANISHED, reason=_SILENT)
