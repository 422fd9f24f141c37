"""Look at a native program: what it declares, what it is built for, what comes of starting it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.binary import elf
from legacy_doctor.cli import examination, probing
from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import native as facts
from legacy_doctor.errors import TargetError
from legacy_doctor.model import Native, NativeCheck, Outcome, Profile, Trial
from legacy_doctor.probe import emulator, sandbox

_DEPTH: Final = 4
"""CMake puts programs into bin, libraries into src and ggml/src: no deeper is looked."""
_CACHE: Final = "CMakeCache.txt"
_SECONDS: Final = 4.0
"""Longer than any of them needs to say what it is, or to reach its kernels."""
_SIGNALS: Final = {
    -4: Outcome.ILLEGAL_INSTRUCTION,
    -6: Outcome.ABORTED,
    -7: Outcome.SEGMENTATION_FAULT,
    -8: Outcome.FLOATING_POINT_EXCEPTION,
    -11: Outcome.SEGMENTATION_FAULT,
}
_MAGIC: Final = b"\x7fELF"


class _Ended(NamedTuple):
    """How the program ended."""

    how: str
    outcome: Outcome
    detail: str
    said: str


def examine(profile: Profile, native: Native, path: Path, cpu_name: str | None) -> NativeCheck:
    """Return whether the program, or what a build folder holds, runs on the CPU.

    Raises `TargetError` where there is nothing to look at.
    """
    cpu = examination.cpu_called(cpu_name)
    files = sorted(_files(path))
    if not files:
        raise TargetError(f"{path}: no program or library for x86-64 Linux (no ELF file)")
    program = _program(native, path, files)
    declared = tuple(
        (str(file), level)
        for file in files
        if (level := elf.declared_level(file)) not in {None, "x86-64-v1"} and level is not None
    )
    switched = _switches(native, path)
    here = cpu_name is None or cpu_name.lower() in examination.HERE
    ended = _started(native, program, None if here else cpu_name)
    line = facts.info_line(ended.said)
    if ended.outcome.died and not line and not here:
        # It died before it could speak: what it was built for, it tells on this CPU.
        line = facts.info_line(_started(native, program, None).said)
    told = facts.told(native, line)
    levels = [features.cumulative(level) for _, level in declared]
    return NativeCheck(
        profile=profile.id,
        path=path,
        program=program,
        cpu=cpu,
        declared=declared,
        switched=switched,
        told=told,
        info=line,
        how=ended.how,
        outcome=ended.outcome,
        detail=ended.detail,
        missing=facts.lacking(cpu, [told, facts.switched_on(native, switched), *levels]),
        build=facts.built_for(native, cpu),
    )


def _files(path: Path) -> Iterator[Path]:
    """Yield the ELF files at a path: itself, or programs and libraries below it."""
    if not path.exists():
        raise TargetError(f"{path}: does not exist")
    if path.is_file():
        yield from [path] if _is_elf(path) else []
        return
    start = len(path.parts)
    for folder, below, names in os.walk(path):
        if len(Path(folder).parts) - start >= _DEPTH:
            below.clear()
        below[:] = [name for name in below if name != "CMakeFiles"]
        for name in names:
            file = Path(folder, name)
            if not file.suffix or ".so" in name:
                yield from [file] if _is_elf(file) else []


def _is_elf(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # the link libx.so stands beside libx.so.1
            return False
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


def _program(native: Native, path: Path, files: Sequence[Path]) -> Path | None:
    """Return what to start: the file itself, or the most telling program of a folder."""
    if path.is_file():
        return path if ".so" not in path.name else None
    named = {file.name: file for file in reversed(files)}
    return next((named[name] for name in native.programs if name in named), None)


def _switches(native: Native, path: Path) -> dict[str, bool]:
    """Read the build's own switches, in the folder or in one of the two above a program."""
    folders = [path] if path.is_dir() else [*path.resolve().parents][:2]
    for folder in folders:
        cache = folder / _CACHE
        if cache.is_file():
            return facts.cached(native, cache.read_text(encoding="utf-8", errors="replace"))
    return {}


def _started(native: Native, program: Path | None, cpu_name: str | None) -> _Ended:
    """Start the program in the sandbox, on the emulated CPU where one is named."""
    if program is None:
        return _Ended("", Outcome.SKIPPED, "no program of the project is there to be started", "")
    try:
        player = probing.player(cpu_name)
    except emulator.Unplayable as error:
        return _Ended("", Outcome.SKIPPED, str(error), "")
    trials = [item for item in native.trials if item.program == program.name]
    trials = trials or [Trial(program.name, ("--help",))]
    how = player.label if player else "on this CPU"
    try:
        runs = sandbox.run([_job(program, item, player) for item in trials], 1)
    except OSError as error:
        return _Ended("", Outcome.SKIPPED, f"cannot be started ({error.strerror})", "")
    ends = [_ending(run, item) for run, item in zip(runs, trials, strict=True)]
    worst = next((end for end in ends if end[0].died), None)
    worst = worst or next((end for end in ends if end[0] is not Outcome.OK), ends[0])
    return _Ended(how, *worst, "\n".join(run.stderr for run in runs))


def _job(program: Path, trial: Trial, player: emulator.Emulator | None) -> sandbox.Job:
    words = [str(program.resolve()), *trial.words]
    command = player.command(words) if player else words
    stretch = emulator.SLOWER if player else 1.0
    return sandbox.Job(
        command=lambda _record, _folder: command,
        limits=sandbox.Limits(seconds=_SECONDS * stretch),
    )


def _ending(run: sandbox.Run, trial: Trial) -> tuple[Outcome, str]:
    if run.stopped and trial.endless:
        return Outcome.OK, "its kernels ran until they were stopped"
    if run.stopped:
        return Outcome.TIMEOUT, f"stopped: {run.stopped}"
    died = _SIGNALS.get(run.status)
    if died is not None:
        return died, f"died of signal {-run.status}"
    if run.status < 0:
        return Outcome.VANISHED, f"killed by signal {-run.status}"
    # A missing model is what it is started with: that it could say so is all that is wanted.
    last = (run.stderr.strip().splitlines() or [""])[-1]
    return Outcome.OK, f"exit status {run.status}" + (f": {last}" if run.status else "")
