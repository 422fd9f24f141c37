"""`legacy-doctor mel`: mel spectrograms, computed once, by the torch of the target."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from legacy_doctor.cli import run
from legacy_doctor.cpu import detect
from legacy_doctor.environment import interpreter
from legacy_doctor.errors import DoctorError, TargetError, UnsupportedCpuError
from legacy_doctor.knowledge import patches
from legacy_doctor.model import Cpu, Interpreter
from legacy_doctor.probe import sandbox, session

WORKER: Final = Path(__file__).parent.parent / "mel" / "worker.py"
_CURE: Final = "torch-onednn-off"
"""The patch that knows which CPUs oneDNN cannot run on."""

_COUNT: Final = click.IntRange(min=1)


@click.group("mel")
def command() -> None:
    """Compute mel spectrograms once, ahead of training."""


@command.command("precompute")
@click.argument(
    "audio", metavar="AUDIO_DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument("out", metavar="OUT_DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--python", metavar="PATH", help="Interpreter or virtual environment whose torch computes."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where; auto is the GPU where there is one that works.",
)
@click.option("--sample-rate", type=_COUNT, default=24000, show_default=True, metavar="HZ")
@click.option("--n-fft", type=click.IntRange(min=2), default=1024, show_default=True, metavar="N")
@click.option("--hop-length", type=_COUNT, default=256, show_default=True, metavar="N")
@click.option("--win-length", type=_COUNT, default=1024, show_default=True, metavar="N")
@click.option("--n-mels", type=_COUNT, default=100, show_default=True, metavar="N")
@click.option("--f-min", type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="HZ")
@click.option(
    "--f-max", type=click.FloatRange(min=0), metavar="HZ", help="[default: half the sample rate]"
)
@click.option("--power", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option("--scale", type=click.Choice(["htk", "slaney"]), default="htk", show_default=True)
@click.option("--norm", type=click.Choice(["none", "slaney"]), default="none", show_default=True)
@click.option(
    "--floor",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-5,
    show_default=True,
    help="What is smaller counts as this before the logarithm.",
)
def precompute(audio: Path, out: Path, python: str | None, device: str, **parameters: Any) -> int:
    """Compute the log-mel spectrogram of every audio file below AUDIO_DIR.

    OUT_DIR gets one .npy a file (float32, n_mels x frames) and manifest.jsonl. What is there
    already, of the same audio by the same parameters, is kept: after an interruption, run it
    again. The defaults are those of Vocos and F5-TTS. WAV needs nothing but torch; other formats
    need soundfile beside it.
    """
    _check(parameters)
    executable, why = interpreter.choose(python, os.environ, Path.cwd())
    target = interpreter.examine(executable, why)
    if target.death is not None:
        raise TargetError(f"{executable}: {target.death}; see legacy-doctor check")
    cpu = _cpu()
    cured = cpu is not None and patches.find(_CURE).suits(cpu)
    order = {
        "audio": os.path.abspath(audio),
        "out": os.path.abspath(out),
        "device": device,
        "onednn_off": cured,
        "parameters": parameters,
    }
    if cured:
        click.echo("note: oneDNN is switched off: it cannot run on this CPU", err=True)
    ended = _attended(target, order)
    return _told(ended, target, cpu, out)


def _check(parameters: dict[str, Any]) -> None:
    """Refuse what makes no spectrogram; the default of --f-max depends on another option."""
    half = parameters["sample_rate"] / 2
    if parameters["f_max"] is None:
        parameters["f_max"] = half
    if not parameters["f_min"] < parameters["f_max"] <= half:
        raise click.UsageError(
            f"--f-min {parameters['f_min']:g} and --f-max {parameters['f_max']:g}: they must "
            f"rise, up to half the sample rate ({half:g})"
        )
    if parameters["win_length"] > parameters["n_fft"]:
        raise click.UsageError(
            f"--win-length {parameters['win_length']} is longer than --n-fft {parameters['n_fft']}"
        )


def _cpu() -> Cpu | None:
    """Return this CPU; None where it is no x86, which oneDNN's faults are no matter of."""
    try:
        return detect.detect()
    except UnsupportedCpuError:
        return None


def _attended(target: Interpreter, order: dict[str, Any]) -> sandbox.Run:
    """Run the worker with the terminal, under the recorder: it may die as any torch may."""

    def command_line(descriptor: int) -> list[str]:
        recorder = [str(session.RECORDER), str(descriptor), "run"]
        words = json.dumps({**order, "record": descriptor})
        return [str(target.executable), *recorder, str(WORKER), words]

    try:
        return sandbox.attend(command_line, os.environ, settled=session.settled)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"{target.executable}: cannot be started ({reason})") from error


def _told(ended: sandbox.Run, target: Interpreter, cpu: Cpu | None, out: Path) -> int:
    """Tell how it ended; return the exit code."""
    said = {line["event"]: line for line in _lines(ended.record)}
    if ended.stopped == "interrupted" and "totals" not in said:
        raise KeyboardInterrupt
    if "refused" in said:
        raise DoctorError(f"{_plain(said['refused']['reason'])} ({target.executable})")
    failed = [line for line in _lines(ended.record) if line["event"] == "failed"]
    for line in failed:
        click.echo(f"no mel of {_plain(line['audio'])}: {_plain(line['reason'])}")
    if ended.status < 0 and cpu is not None:
        run.death("mel", ended, target, cpu)
        return 1
    if "totals" not in said:
        raise DoctorError(f"the work ended with status {ended.status} before it was done")
    return _summary(said, len(failed), out)


def _summary(said: dict[str, dict[str, Any]], named: int, out: Path) -> int:
    totals = said["totals"]
    if totals["failed"] > named:
        click.echo(f"... and of {totals['failed'] - named} more")
    if "device" in said:
        click.echo(f"computed on {_plain(said['device']['device'])}")
    click.echo(
        f"{totals['computed']} computed, {totals['kept']} already there, "
        f"{totals['failed']} failed: {_plain(str(out / 'manifest.jsonl'))}"
    )
    return 1 if totals["failed"] else 0


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the worker's lines, and those of the recorder; its last one may be cut off."""
    for text in data.split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("event"), str):
            yield line


def _plain(text: str) -> str:
    """Make what a file may be called fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
