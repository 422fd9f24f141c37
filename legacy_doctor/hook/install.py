"""Put a hook into site-packages and take it out: plans like any other, proven once carried out.

Each compiled file follows its source, and what Python looks for at its start comes last; taking
it out goes the other way. So whatever is cut off half-way, Python starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import check, generate
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.check import DISABLED, Outcome
from legacy_doctor.hook.reading import NAMES
from legacy_doctor.treatment import files
from legacy_doctor.treatment.run import Run
from legacy_doctor.treatment.steps import FileStep

Start = Callable[[Mapping[str, str]], Outcome]
"""Starts the target with `check.PROBE` and these variables on top of a clean environment."""

_CACHE: Final = "__pycache__"
_REASON: Final = "the start-up hook"


def steps(
    folder: Path, made: Mapping[str, bytes], compiled: Mapping[str, bytes]
) -> tuple[FileStep, ...]:
    """Return the steps that bring these files of `generate.files` into the folder.

    `compiled` is what `bytecode.answer` returns. What an older hook leaves over goes, after all
    else. Empty where everything is there. Raises `DoctorError` where a file of somebody else
    bears one of our names.
    """
    _refuse_foreign(folder, made)
    wanted: dict[Path, bytes] = {}
    for name, content in made.items():
        wanted[folder / name] = content
        for path, data in compiled.items():
            if _source_of(path) == name:
                wanted[folder / path] = data
    left_over = [step for step in _taken_out(folder) if step.path not in wanted]
    return tuple(step for step in (*_written(wanted), *left_over) if step.after != step.before)


def removal(folder: Path) -> tuple[FileStep, ...]:
    """Return the steps that take out whatever of a hook is there; empty where there is none.

    A `sitecustomize.py` of somebody else loses our lines and stays.
    """
    return tuple(_taken_out(folder))


def cache(folder: Path) -> Path:
    """Return the folder of compiled files, which is not to stay behind empty."""
    return folder / _CACHE


def apply(run: Run, identity: str, start: Start) -> None:
    """Carry a run out that holds the steps of a hook, and prove that Python starts as before.

    Where it does not, every file of the run is put back and `DoctorError` says what was wrong.
    """
    before = start({})
    run.apply()
    try:
        disabled = start(DISABLED)
        if BOOT in before.err or BOOT.removesuffix("boot") in before.err:
            before = disabled  # a damaged hook was there, and loud
        wrong = check.judge(identity, before, start({}), disabled)
        if wrong is not None:
            raise DoctorError(f"the hook was taken out again: {wrong}")
    except BaseException:
        run.take_back()
        raise


def _refuse_foreign(folder: Path, made: Iterable[str]) -> None:
    for name in made:
        content = files.read(folder / name)[1]
        foreign = content is not None and not generate.is_ours(content)
        if foreign and name != "sitecustomize.py":
            raise DoctorError(
                f"{folder / name}: not written by legacy-doctor, and left alone; move it away"
            )


def _written(wanted: Mapping[Path, bytes]) -> Iterator[FileStep]:
    for path, content in wanted.items():
        yield FileStep(path, files.observe(path), content, None, _REASON)


def _taken_out(folder: Path) -> Iterator[FileStep]:
    """Yield what takes out each file of ours, what leads to the others first."""
    for name in reversed(NAMES):
        state, content = files.read(folder / name)
        rest = _rest(name, content)
        if rest != content:
            yield FileStep(folder / name, state, rest, None, _REASON)
        if rest is None:
            for path in _compiled(folder, name):
                yield FileStep(path, files.observe(path), None, None, _REASON)


def _rest(name: str, content: bytes | None) -> bytes | None:
    """Return what stays of a file: all that is not ours."""
    if content is None or generate.is_ours(content):
        return None
    return generate.without_block(content) if name == "sitecustomize.py" else content


def _compiled(folder: Path, name: str) -> Iterator[Path]:
    """Yield the compiled files of a module of ours, of every Python and optimization."""
    if name.startswith("_") and name.endswith(".py"):
        stem = name.removesuffix(".py")
        yield from sorted((folder / _CACHE).glob(f"{stem}.*.pyc"))


def _source_of(path: str) -> str:
    return f"{Path(path).name.partition('.')[0]}.py"
