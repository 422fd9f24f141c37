"""Real crashes: native code that dies in known ways, and patients that are watched dying."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from legacy_doctor.probe import recorder
from legacy_doctor.probe.record import MAGIC, RawFault, Record, parse
from tests import conftest

RECORDER = Path(recorder.__file__)

EXECUTE = """
import ctypes, mmap, os, signal, sys

def execute(code):
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(bytes.fromhex(code))
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
"""
"""Starts a snippet that executes machine code."""

NATIVE = r"""
#include <pthread.h>

void trap(void) { __builtin_trap(); }

static void *trapping(void *barrier)
{
    if (barrier)
        pthread_barrier_wait(barrier);
    __builtin_trap();
}

void trap_in_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, 0, trapping, 0);
    pthread_join(thread, 0);
}

void trap_in_two_threads(void)
{
    pthread_barrier_t barrier;
    pthread_t one, other;
    pthread_barrier_init(&barrier, 0, 2);
    pthread_create(&one, 0, trapping, &barrier);
    pthread_create(&other, 0, trapping, &barrier);
    pthread_join(one, 0);
    pthread_join(other, 0);
}

static int deep(volatile char *above)
{
    volatile char here[4096];
    here[0] = *above;
    return deep(here) + here[0];
}

void overflow(void)
{
    char top = 0;
    deep(&top);
}
"""

STATIC_INITIALISER = """
__attribute__((constructor)) static void start(void) { __builtin_trap(); }
"""


def compiled(folder: Path, name: str, source: str) -> Path:
    """A shared library that the machine's own compiler made."""
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    (folder / f"{name}.c").write_text(source)
    library = folder / f"{name}.so"
    options = ["-O0", "-shared", "-fPIC", "-pthread", "-w"]
    command = ["cc", *options, "-o", str(library), str(folder / f"{name}.c")]
    subprocess.run(command, check=True)
    return library


class Ending(NamedTuple):
    """How a patient ended, as its parent and as its recorder saw it."""

    status: int
    record: Record
    data: bytes
    out: str
    err: str
    seconds: float

    @property
    def fault(self) -> RawFault:
        assert self.record.fault is not None, (self.status, self.record, self.err)
        return self.record.fault

    @property
    def complete(self) -> bool:
        """True where the whole block of the fault came."""
        return MAGIC + b"ENDS" in self.data

    @property
    def functions(self) -> list[str]:
        """The names of the faulting thread's Python frames, outermost first."""
        return [frame.function for frame in self.fault.frames]


def watch(
    *arguments: str,
    cwd: Path,
    python: str = sys.executable,
    under: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    patience: float = 10.0,
) -> Ending:
    """Run the recorder; kill the patient when it outlives its fault by `patience` seconds."""
    started = time.monotonic()
    reading, writing = os.pipe()
    with (cwd / "out").open("w+") as out, (cwd / "err").open("w+") as err:
        with subprocess.Popen(
            [*under, python, str(RECORDER), str(writing), *arguments],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env={**conftest.clean(os.environ), "RECORD_FD": str(writing), **(env or {})},
        ) as patient:
            os.close(writing)
            data = _read(reading, patient, patience)
        os.close(reading)
        out.seek(0)
        err.seek(0)
        seconds = time.monotonic() - started
        return Ending(patient.returncode, parse(data), data, out.read(), err.read(), seconds)


def _read(reading: int, patient: subprocess.Popen[bytes], patience: float) -> bytes:
    data = b""
    limit = forever = time.monotonic() + 60
    while time.monotonic() < limit:
        if select.select([reading], [], [], 0.02)[0]:
            part = os.read(reading, 65536)
            if not part:
                break
            data += part
            if limit == forever and MAGIC + b"ENDS" in data:
                limit = time.monotonic() + patience
        elif patient.poll() is not None:  # a child of its own may hold the pipe open
            return data
    try:
        patient.wait(max(0.01, limit - time.monotonic()))
    except subprocess.TimeoutExpired:
        patient.kill()
    return data


def probe(source: str, cwd: Path, **options: object) -> Ending:
    """Watch one snippet."""
    (cwd / "snippet.py").write_text(source)
    return watch("probe", "import:snippet.py", cwd=cwd, **options)  # type: ignore[arg-type]
