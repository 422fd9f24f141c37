"""Start patients: each in a process, a folder and an environment of its own, within limits.

One thread, one loop. `run` must not be called while other threads run: what happens between fork
and exec is Python. See `confinement` for what a patient can still do.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from legacy_doctor.probe import folder as folders
from legacy_doctor.probe import kernel, patient
from legacy_doctor.probe.confinement import Confinement
from legacy_doctor.probe.landlock import SHARED_MEMORY
from legacy_doctor.probe.leftovers import MARKER, Household
from legacy_doctor.probe.patient import Patient

_PASSED: Final = frozenset(
    "PATH LANG LANGUAGE LOCPATH LOCALE_ARCHIVE TZ TZDIR USER LOGNAME "
    "LD_LIBRARY_PATH NIX_LD NIX_LD_LIBRARY_PATH SYSTEMROOT".split()
)
_PASSED_PREFIX: Final = "LC_"
_HOMES: Final = {
    "HOME": "",
    "TMPDIR": "",
    "TEMP": "",
    "TMP": "",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_RUNTIME_DIR": ".runtime",
}
_SET: Final = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
    "ROCR_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "NO_COLOR": "1",
}


Limits = patient.Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One process to run."""

    command: Callable[[int, Path], Sequence[str]]
    """Called with the record's descriptor and the job's folder; returns the words to execute."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts to put into the folder, by name."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of what `environment` lets through."""
    limits: Limits = field(default_factory=Limits)
    settled: patient.Settled | None = None
    """Is the record's last word said? Then it is killed `limits.grace` seconds later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a job ended."""

    status: int
    """Negative for a signal, as in `subprocess`."""
    record: bytes = b""
    """The first MiB of what was written to the record's descriptor."""
    stderr: str = ""
    """The last 4 KiB of it."""
    seconds: float = 0.0
    stopped: str = ""
    """Who ended it, if not itself: `timeout`, `output` or `interrupted`."""
    held: tuple[str, ...] = ()
    """What kept it contained, as `confinement` says it."""
    leftovers: int = 0
    """Processes that it left behind and that were killed."""


def environment(
    environ: Mapping[str, str], folder: Path, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a patient's environment: an allow-list of the user's, a home in `folder`, `extra`."""
    passed = {
        name: value
        for name, value in environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIX)
    }
    homes = {name: os.path.join(folder, place).rstrip("/") for name, place in _HOMES.items()}
    return {**passed, **homes, **_SET, **(extra or {})}


def run(
    jobs: Sequence[Job], slots: int, finished: Callable[[int, Run], None] | None = None
) -> list[Run]:
    """Run the jobs, up to `slots` at a time; return how each ended, in the order of the jobs.

    `finished` is called with the index of each job as it ends. When this returns or raises,
    KeyboardInterrupt included, no process and no folder of any job is left. Raises OSError where
    a command cannot be started.
    """
    waiting = deque(enumerate(jobs))
    runs: dict[int, Run] = {}
    with folders.temporary() as base, _Ward(base) as ward:
        while waiting or ward.patients:
            while waiting and len(ward.patients) < max(slots, 1):
                ward.admit(*waiting.popleft())
            for index, ended in ward.watch():
                runs[index] = ended
                if finished is not None:
                    finished(index, ended)
    return [runs[index] for index in range(len(jobs))]


def attend(
    command: Callable[[int], Sequence[str]],
    env: Mapping[str, str],
    *,
    settled: patient.Settled | None = None,
    grace: float = 2.0,
) -> Run:
    """Run the user's own command and read its record: nothing else is limited or changed.

    It has the terminal and gets Ctrl-C, as if started from there; the doctor waits for how it
    takes it. Where `settled` says so, it is killed `grace` seconds later.
    Raises OSError where it cannot be started.
    """
    with _own_signals() as seen, selectors.DefaultSelector() as selector:
        with _pipes(1) as ((reader,), (writer,)):
            process = subprocess.Popen(command(writer), env=dict(env), pass_fds=(writer,))
        limits = Limits(seconds=patient.FOREVER, output=sys.maxsize, grace=grace)
        attended = Patient(process.pid, patient.Pipes(reader), selector, limits, settled)
        while not attended.ended():
            patient.watch(selector, [attended])
        return _told(attended, process, stopped="interrupted" if seen else "")


@contextlib.contextmanager
def _own_signals() -> Iterator[list[int]]:
    """Survive what the terminal sends to the whole group; the list tells what it sent."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    # A function, not SIG_IGN, which the command would inherit. What is ignored stays so.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _pipes(count: int) -> Iterator[tuple[list[int], list[int]]]:
    """Open pipes, for reading and for writing; only the reading ends are open afterwards."""
    readers, writers = map(list, zip(*(os.pipe() for _ in range(count)), strict=True))
    try:
        yield readers, writers
    except BaseException:
        for descriptor in readers:
            os.close(descriptor)
        raise
    finally:
        for descriptor in writers:
            os.close(descriptor)


def _told(
    ended: Patient, process: subprocess.Popen[bytes], *, leftovers: int = 0, stopped: str = ""
) -> Run:
    """Reap a process that has ended, and tell how."""
    ended.drain()
    if ended.abandoned:
        process.returncode = -signal.SIGKILL  # as far as anybody will ever know
    record = bytes(ended.record)
    return Run(
        status=process.wait(),
        record=record,
        stderr=ended.stderr.decode("utf-8", "replace"),
        seconds=ended.seconds,
        stopped=ended.stopped or stopped,
        held=_held(record),
        leftovers=leftovers,
    )


def _held(record: bytes) -> tuple[str, ...]:
    """What the confinement wrote before the patient could write anything."""
    try:
        said = json.loads(record.partition(b"\n")[0])
        return tuple(said["held"]) if said["event"] == "held" else ()
    except (ValueError, KeyError, TypeError):
        return ()


@dataclass(frozen=True, slots=True)
class _Bed:
    """A patient of the ward."""

    patient: Patient
    process: subprocess.Popen[bytes]
    mark: str
    folder: Path


class _Ward:
    """All patients at a time, from admission to the last trace of them."""

    def __init__(self, base: Path) -> None:
        self.patients: dict[int, _Bed] = {}
        self._base = base
        self._selector = selectors.DefaultSelector()
        self._household = Household()
        self._adopted = kernel.adopts()
        self._reaping = signal.getsignal(signal.SIGCHLD)

    def __enter__(self) -> _Ward:
        kernel.adopt(orphans=True)
        if self._reaping == signal.SIG_IGN:  # inherited; the kernel would keep statuses from us
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C must not leave behind what the first one was to end.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for bed in self.patients.values():
                if bed.process.returncode is None:  # else its number may be somebody else's
                    bed.patient.kill()
                    bed.process.wait()
                bed.patient.close()
            self._household.clear(None, "", ())
            self._selector.close()
        finally:
            kernel.adopt(orphans=self._adopted)
            if self._reaping == signal.SIG_IGN:
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def admit(self, index: int, job: Job) -> None:
        """Start a job."""
        folder = self._base / str(index)
        folder.mkdir(mode=0o700)
        (folder / _HOMES["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)  # who needs others makes them
        for name, text in job.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        mark = secrets.token_hex(16)
        with _pipes(3) as (readers, writers):
            process = _start(job, folder, mark, writers)
        pipes = patient.Pipes(*readers)
        started = Patient(process.pid, pipes, self._selector, job.limits, job.settled)
        self.patients[index] = _Bed(started, process, mark, folder)

    def watch(self) -> Iterator[tuple[int, Run]]:
        """Wait for something to happen; yield the jobs that have ended, by index."""
        patient.watch(self._selector, [bed.patient for bed in self.patients.values()])
        for index, bed in list(self.patients.items()):
            if bed.patient.ended():
                yield index, self._discharge(index, bed)

    def _discharge(self, index: int, bed: _Bed) -> Run:
        others = [other.patient.pid for other in self.patients.values() if other is not bed]
        leftovers = self._household.clear(bed.patient.pid, bed.mark, others)
        told = _told(bed.patient, bed.process, leftovers=leftovers)
        del self.patients[index]
        folders.remove(bed.folder)
        return told


def _start(job: Job, folder: Path, mark: str, writers: Sequence[int]) -> subprocess.Popen[bytes]:
    record, stdout, stderr = writers
    command = job.command(record, folder)
    env = {**environment(os.environ, folder, job.env), MARKER: mark}
    confine = Confinement(
        folder,
        record,
        memory=job.limits.memory,
        cpu_seconds=job.limits.cpu_seconds,
        own_memory=not _in_shared_memory((*command, *env.values())),
    )
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=(record,),
        start_new_session=True,
        preexec_fn=confine,  # noqa: PLW1509  there is one thread
    )


def _in_shared_memory(words: Sequence[str]) -> bool:
    """Tell whether a job needs a file from where it would get a memory of its own."""
    return any(SHARED_MEMORY in word or SHARED_MEMORY in _real(word) for word in words)


@functools.lru_cache
def _real(word: str) -> str:
    return os.path.realpath(word) if word.startswith("/") else word
