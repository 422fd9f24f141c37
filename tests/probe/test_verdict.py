"""How a run is judged: every ending has one outcome, and the first fault is the truth."""

from __future__ import annotations

import os
import platform
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.diagnosis import words
from legacy_doctor.model import FaultKind, Frame, Outcome, Probe, ProbeResult, Raised
from legacy_doctor.probe import fault, verdict
from legacy_doctor.probe.record import RawFault, Record, parse
from legacy_doctor.probe.sandbox import Limits, Run
from tests import conftest
from tests.probe import faults

PROBE = Probe(id="numpy", distribution="numpy", imports="import numpy", use="numpy.ones(3)")
SILENT = "ended without a word (os._exit, or its record was closed)"
QEMU = "qemu-x86_64 7.2.22 -cpu phenom"

Ending = tuple[dict[str, Any], dict[str, Any]]


def nobody(_path: str) -> None:
    return None


def judged(run: dict[str, Any], record: dict[str, Any], **changes: Any) -> ProbeResult:
    """The result of a run (status 0) whose recorder came up."""
    case = verdict.Case(
        probe=PROBE,
        run=Run(**{"status": 0, **run}),
        record=Record(**{"ready": True, "stage": "import", **record}),
        **changes,
    )
    return verdict.judge(case, nobody)


def raw(number: int, code: int = 1, data: str = "") -> RawFault:
    return RawFault(signal=number, code=code, address=0x1000, bytes=bytes.fromhex(data))


ERROR = Raised(type="RuntimeError", message="no", frames=(Frame("a.py", 1, "f"),))
TRAP = {"fault": raw(4, 2, "0f0b")}

FAULTS: dict[str, tuple[Ending, Outcome, str]] = {
    "SIGILL": (({"status": -4}, TRAP), Outcome.ILLEGAL_INSTRUCTION, "SIGILL"),
    "SIGFPE": (
        ({"status": -8}, {"fault": raw(8, 1, "f77e14")}),
        Outcome.FLOATING_POINT_EXCEPTION,
        "SIGFPE",
    ),
    "SIGSEGV": (({"status": -11}, {"fault": raw(11)}), Outcome.SEGMENTATION_FAULT, "SIGSEGV"),
    "SIGBUS": (({"status": -7}, {"fault": raw(7)}), Outcome.SEGMENTATION_FAULT, "SIGBUS"),
    "SIGABRT": (({"status": -6}, {"fault": raw(6, -6)}), Outcome.ABORTED, "SIGABRT"),
    "SIGTRAP": (({"status": -5}, {"fault": raw(5, 128, "cc")}), Outcome.ABORTED, "SIGTRAP"),
    "SIGSYS": (({"status": -31}, {"fault": raw(31)}), Outcome.ABORTED, "SIGSYS"),
    "a fault, then the grace period's SIGKILL": (
        ({"status": -9, "stopped": ""}, TRAP),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "a fault, then the time limit": (
        ({"status": -9, "stopped": "timeout"}, TRAP),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "a fault that the patient survived": (
        ({"status": 0}, {**TRAP, "done": True}),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "a fault, then another signal": (
        ({"status": -11}, TRAP),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "a fault before the recorder was ready": (
        ({"status": -4}, {**TRAP, "ready": False}),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "SIGILL by the status alone": (({"status": -4}, {}), Outcome.ILLEGAL_INSTRUCTION, "SIGILL"),
    "SIGABRT by the status alone": (({"status": -6}, {}), Outcome.ABORTED, "SIGABRT"),
    "SIGSEGV after all was done": (
        ({"status": -11}, {"done": True}),
        Outcome.SEGMENTATION_FAULT,
        "SIGSEGV",
    ),
    "SIGILL while the interpreter started": (
        ({"status": -4}, {"ready": False}),
        Outcome.ILLEGAL_INSTRUCTION,
        "SIGILL",
    ),
    "SIGSEGV as a shell tells it": (({"status": 139}, {}), Outcome.SEGMENTATION_FAULT, "SIGSEGV"),
}


@pytest.mark.parametrize(("ending", "outcome", "name"), FAULTS.values(), ids=FAULTS)
def test_a_death(ending: Ending, outcome: Outcome, name: str) -> None:
    found = judged(*ending)
    assert found.outcome is outcome
    assert found.outcome.died
    assert found.fault is not None
    assert found.fault.signal == name
    assert found.reason == ""


def test_a_death_by_the_status_alone_has_no_details() -> None:
    found = judged({"status": -4}, {}).fault
    assert found is not None
    assert (found.kind, found.instruction, found.library) == (FaultKind.OTHER, None, None)


ENDINGS: dict[str, tuple[Ending, Outcome, str]] = {
    "all steps passed": (({}, {"done": True, "stage": "use"}), Outcome.OK, ""),
    "an exit status after all was done": (({"status": 120}, {"done": True}), Outcome.OK, ""),
    "an exception": (({"status": 1}, {"raised": ERROR}), Outcome.RAISED, ""),
    "the time limit": (
        ({"status": -9, "stopped": "timeout"}, {}),
        Outcome.TIMEOUT,
        "did not end within 60 s",
    ),
    "the time limit after all was done": (
        ({"status": -9, "stopped": "timeout"}, {"done": True}),
        Outcome.TIMEOUT,
        "all of it ran, but it did not end within 60 s",
    ),
    "the limit of processor time": (
        ({"status": -signal.SIGXCPU}, {}),
        Outcome.TIMEOUT,
        "used up its processor time",
    ),
    "the output limit": (
        ({"status": -9, "stopped": "output"}, {}),
        Outcome.VANISHED,
        "stopped: it wrote more than 16 MiB",
    ),
    "Ctrl-C": (({"status": -9, "stopped": "interrupted"}, {}), Outcome.VANISHED, "interrupted"),
    "SIGKILL from outside": (
        ({"status": -9}, {}),
        Outcome.VANISHED,
        "killed by SIGKILL (out of memory?)",
    ),
    "SIGTERM": (({"status": -15}, {}), Outcome.VANISHED, "killed by SIGTERM"),
    "a file too large": (
        ({"status": -signal.SIGXFSZ}, {}),
        Outcome.VANISHED,
        "killed by SIGXFSZ (it wrote a file larger than allowed)",
    ),
    "a signal without a name": (({"status": -40}, {}), Outcome.VANISHED, "killed by signal 40"),
    "sys.exit(0) before the end": (
        ({}, {"exit_status": 0}),
        Outcome.VANISHED,
        "left by sys.exit(0) before the step ended",
    ),
    "os._exit(0)": (({}, {}), Outcome.VANISHED, SILENT),
    "os._exit(3)": (({"status": 3}, {}), Outcome.VANISHED, f"{SILENT}, exit status 3"),
    "an exit status above every signal": (
        ({"status": 255}, {}),
        Outcome.VANISHED,
        f"{SILENT}, exit status 255",
    ),
    "SIGTERM as a shell tells it": (
        ({"status": 143}, {}),
        Outcome.VANISHED,
        f"{SILENT}, exit status 143",
    ),
    "an interpreter that does not start": (
        ({"status": 1, "stderr": "one\nModuleNotFoundError: encodings\n"}, {"ready": False}),
        Outcome.VANISHED,
        "the interpreter did not start: ModuleNotFoundError: encodings",
    ),
    "an interpreter that does not start, silently": (
        ({"status": 127}, {"ready": False}),
        Outcome.VANISHED,
        "the interpreter did not start: exit status 127",
    ),
}


@pytest.mark.parametrize(("ending", "outcome", "reason"), ENDINGS.values(), ids=ENDINGS)
def test_an_ending(ending: Ending, outcome: Outcome, reason: str) -> None:
    found = judged(*ending)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.fault is None


def test_an_exception_comes_with_its_words() -> None:
    assert judged({"status": 1}, {"raised": ERROR}).raised == ERROR


def test_an_exit_status_is_an_exception_like_any_other() -> None:
    found = judged({"status": 3}, {"exit_status": 3})
    assert found.outcome is Outcome.RAISED
    assert found.raised == Raised(type="SystemExit", message="3")


def test_an_exit_status_of_the_patients_own_is_no_signal() -> None:
    found = judged({"status": 139}, {"exit_status": 139})
    assert (found.outcome, found.fault) == (Outcome.RAISED, None)


def test_the_limits_are_told_as_they_were() -> None:
    limits = Limits(seconds=2.5, output=3 << 20)
    late = judged({"status": -9, "stopped": "timeout"}, {}, limits=limits)
    loud = judged({"status": -9, "stopped": "output"}, {}, limits=limits)
    assert late.reason == "did not end within 2.5 s"
    assert loud.reason == "stopped: it wrote more than 3 MiB"


def test_what_is_known_of_the_run_is_passed_on() -> None:
    found = judged(
        {"seconds": 1.5, "stderr": "hello\n", "leftovers": 2},
        {"done": True, "stage": "use", "held": ("no-network",)},
        emulator=QEMU,
        overrides=(("OPENBLAS_CORETYPE", "Haswell"),),
    )
    assert found == ProbeResult(
        probe=PROBE,
        outcome=Outcome.OK,
        stage="use",
        seconds=1.5,
        stderr="hello\n",
        emulator=QEMU,
        overrides=(("OPENBLAS_CORETYPE", "Haswell"),),
        held=("no-network",),
        leftovers=2,
    )


def test_what_the_sandbox_says_it_held_comes_before_what_the_record_says() -> None:
    found = judged({"held": ("read-only",)}, {"done": True, "held": ("no-network",)})
    assert found.held == ("read-only",)


REMARKS = (
    "qemu-x86_64: warning: TCG doesn't support requested feature: CPUID.80000001H\n"
    "Fatal: not this one\n"
    "qemu: uncaught target signal 6 (Aborted) - core dumped\n"
)


def test_the_emulators_own_remarks_are_left_out() -> None:
    assert judged({"stderr": REMARKS}, {}, emulator=QEMU).stderr == "Fatal: not this one\n"
    assert judged({"stderr": REMARKS}, {}).stderr == REMARKS


def test_many_runs_are_judged_in_their_order_by_one_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    decode = fault.decode
    monkeypatch.setattr(fault, "decode", lambda codes: asked.append(codes) or decode(codes))
    records = [
        Record(ready=True, stage="import", fault=raw(4, 2, "0f0b")),
        Record(ready=True, stage="use", done=True),
        Record(ready=True, stage="use", fault=raw(8, 1, "f77e14")),
    ]
    cases = [verdict.Case(probe=PROBE, run=Run(status=0), record=item) for item in records]
    found = verdict.judge_all(cases, nobody)
    assert [item.fault and item.fault.instruction for item in found] == [
        "ud2",
        None,
        "idivl 0x14(%rsi)",
    ]
    assert len(asked) == 1


def test_xop_is_excused_under_an_emulator_only() -> None:
    record = {"fault": raw(11, 1, "8fe878c2c001")}
    played = judged({"status": -11}, record, emulator=QEMU).fault
    real = judged({"status": -11}, record).fault
    assert played is not None
    assert real is not None
    assert "QEMU takes this instruction for" in played.known
    assert real.known == ""


@given(st.integers(-64, 255), st.sampled_from(["", "timeout", "output"]), st.binary(max_size=200))
def test_every_run_has_an_outcome(status: int, stopped: str, data: bytes) -> None:
    run = Run(status=status, stopped=stopped)
    case = verdict.Case(probe=PROBE, run=run, record=parse(data))
    found = verdict.judge(case, nobody)
    assert found.outcome is not Outcome.SKIPPED
    assert found.outcome.died or found.raised or found.reason or found.outcome is Outcome.OK


REAL: dict[str, tuple[str, Outcome]] = {
    "passes": ("import json", Outcome.OK),
    "raises": ("raise ValueError('no')", Outcome.RAISED),
    "leaves": ("import sys; sys.exit(0)", Outcome.VANISHED),
    "leaves with a status": ("import sys; sys.exit(3)", Outcome.RAISED),
    "vanishes": ("import os; os._exit(0)", Outcome.VANISHED),
    "aborts": ("import os; os.abort()", Outcome.ABORTED),
    "is killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Outcome.VANISHED),
    "traps": (faults.EXECUTE + "execute('0f0b')", Outcome.ILLEGAL_INSTRUCTION),
    "divides by zero": (faults.EXECUTE + "execute('31c9f7f1')", Outcome.FLOATING_POINT_EXCEPTION),
    "follows a null pointer": (
        "import ctypes; ctypes.string_at(0)",
        Outcome.SEGMENTATION_FAULT,
    ),
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 machine code")
@pytest.mark.parametrize(("source", "outcome"), REAL.values(), ids=REAL)
def test_a_real_patient(source: str, outcome: Outcome, tmp_path: Path) -> None:
    ending = faults.probe(source, tmp_path)
    run = Run(status=ending.status, stderr=ending.err)
    case = verdict.Case(probe=PROBE, run=run, record=ending.record)
    assert verdict.judge(case, nobody).outcome is outcome


def owner_in(environment: Path) -> fault.Owners:
    site = next(environment.glob("lib/python*/site-packages"))
    records = {
        os.path.join(site, line.partition(",")[0]): (
            path.name.partition("-")[0],
            line.partition(",")[0],
        )
        for path in site.glob("*.dist-info")
        for line in (path / "RECORD").read_text().splitlines()
    }
    return records.get


SURVEY = {
    "pandas dies of numpy 2.4.6": (
        ("deadly", "pandas", "phenom"),
        "pandas 0 dies on import: SIGILL, `pinsrq` needs SSE4.1, in numpy/_core/_multiarray_umath…so",
    ),
    "numpy 1.26.4 lives": (("old_numpy", "numpy", "phenom"), "numpy 0 can be imported"),
    "numpy 2.4.6 refuses a Penryn": (
        ("deadly", "numpy", "Penryn"),
        "numpy 0 raises RuntimeError on import: NumPy was built with baseline optimizations:",
    ),
}


@pytest.mark.qemu
@pytest.mark.wheels
@pytest.mark.parametrize(("what", "text"), SURVEY.values(), ids=SURVEY)
def test_a_real_wheel_on_an_emulated_cpu(
    what: tuple[str, str, str], text: str, wheels: conftest.Wheels, qemu: Path, tmp_path: Path
) -> None:
    environment, name, cpu = what
    folder = getattr(wheels, environment)
    ending = faults.probe(
        f"import {name}",
        tmp_path,
        python=str(folder / "bin/python"),
        under=[str(qemu), "-cpu", cpu],
        patience=60.0,
    )
    case = verdict.Case(
        probe=Probe(id=name, distribution=name, imports=f"import {name}"),
        run=Run(status=ending.status, stderr=ending.err),
        record=ending.record,
        emulator=QEMU,
    )
    found = verdict.judge(case, owner_in(folder))
    assert words.sentence(found, "0").startswith(text)
