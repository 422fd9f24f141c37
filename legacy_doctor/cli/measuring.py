"""Time a load over numbers of threads, in children of the target: from choices to `Measurement`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from legacy_doctor.cli import output, run
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.model import (
    Choice,
    Contender,
    Cpu,
    Distribution,
    Interpreter,
    Measurement,
    Topology,
)
from legacy_doctor.probe import sandbox, session
from legacy_doctor.tune import trial

LOAD: Final = Path(__file__).parent.parent / "tune" / "load.py"
LIBRARIES: Final = ("torch", "numpy")
"""What the load can be computed with, the first that is installed."""

SECONDS: Final = 180.0
"""Limit of one child: a cold import of torch takes a minute on a slow disk."""
_REPEATED: Final = 0.1
"""Seconds that each part of the load is repeated for."""


def measure(  # noqa: PLR0913  what is timed, where, how often
    target: Interpreter,
    installed: Sequence[Distribution],
    choices: Sequence[Choice],
    topology: Topology,
    cpu: Cpu,
    rounds: int,
) -> Measurement:
    """Time the load in the target; the first choice is the baseline.

    Raises `trial.Died` where a signal ended the load (its fault is told on stderr), `DoctorError`
    where there is nothing to compute with or the load ended in another way.
    """
    library = _library(target, installed)
    contenders = trial.contenders(choices, topology)
    runs = trial.order(contenders, rounds)
    samples: dict[Contender, list[trial.Sample]] = {item: [] for item in contenders}
    threads: dict[Contender, int] = {}
    # One run that does not count: it reads the files, and dies before anybody has waited long.
    said = _said(_attempt([contenders[1]], target, library)[0], target, cpu)
    with output.progress(len(runs), "measuring") as step:
        ended = _attempt(runs, target, library, lambda _index, _run: step())
    for contender, one in zip(runs, ended, strict=True):
        said = _said(one, target, cpu)
        samples[contender].append(said["seconds"])
        threads[contender] = said["threads"]
    return trial.judge(said["library"], samples, threads, contenders[1])


def _library(target: Interpreter, installed: Sequence[Distribution]) -> str:
    if target.death is not None:
        raise TargetError(f"{target.executable}: {target.death}; see legacy-doctor check")
    names = {item.name for item in installed}
    for library in LIBRARIES:
        if library in names:
            return library
    raise DoctorError(
        f"{target.prefix}: has neither torch nor numpy to measure with; name an environment that "
        "has one of them with --python"
    )


def _attempt(
    runs: Sequence[Contender],
    target: Interpreter,
    library: str,
    finished: Callable[[int, sandbox.Run], None] | None = None,
) -> list[sandbox.Run]:
    """Run the load once for each; one at a time, since they would disturb each other."""
    try:
        return sandbox.run([_job(item, target, library) for item in runs], 1, finished)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"{target.executable}: cannot be started ({reason})") from error


def _job(contender: Contender, target: Interpreter, library: str) -> sandbox.Job:
    order = {
        "library": library,
        "threads": contender.threads,
        "cpus": contender.cpus,
        "seconds": _REPEATED,
    }

    def command(descriptor: int, _folder: Path) -> list[str]:
        recorder = [str(session.RECORDER), str(descriptor), "run", str(LOAD)]
        words = json.dumps({**order, "record": descriptor})
        return [str(target.executable), *recorder, words]

    number = contender.threads
    return sandbox.Job(
        command=command,
        env={} if number is None else dict.fromkeys(session.POOLS, str(number)),
        limits=sandbox.Limits(seconds=SECONDS),
        settled=session.settled,
    )


def _said(ended: sandbox.Run, target: Interpreter, cpu: Cpu) -> dict[str, Any]:
    """Return what a run measured; tell how it died where it did."""
    for text in ended.record.split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.get("event") == "timed":
            return line
    if ended.status < 0 and not ended.stopped:
        run.death("the load of tune --measure", ended, target, cpu)
        raise trial.Died
    words = ended.stderr.strip().splitlines()
    why = ended.stopped or (words[-1] if words else f"exit status {ended.status}")
    raise DoctorError(f"{target.executable}: the load could not be timed ({why})")
