"""What treatment costs: planning beside `check`, patching beside copying the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.check import DISTRIBUTIONS, doctor
from benchmarks.timing import Ratio, command, compare
from legacy_doctor.cli.ward import Ward
from legacy_doctor.environment import interpreter
from legacy_doctor.knowledge import patches
from legacy_doctor.knowledge.patches import Kind
from tests.conftest import TORCH, clean, real_environment


def run() -> Iterator[Ratio]:
    """Yield the ratios of the README."""
    environment = real_environment(*DISTRIBUTIONS, options=("--no-deps",))
    words = ("--python", str(environment), "--cpu", "phenom-ii", "--probe", "none")
    yield compare(
        "fix, the plan : check --probe none",
        command(*doctor(), "fix", *words, codes=(0, 1)),
        command(*doctor(), "check", *words, codes=(0, 1)),
        bound=1.2,
        rounds=7,
    )
    yield from _patching()


def _patching() -> Iterator[Ratio]:
    """Apply and revert all file patches of torch 2.13.0, beside copying the files twice.

    Carried out, as planned: to read and to compile belongs to the plan. Each way is one run of the
    journal, with the originals kept and everything flushed to the disk.
    """
    found = [Path(folder) / TORCH for folder in os.environ.get("PIP_FIND_LINKS", "").split()]
    wheel = next((path for path in found if path.is_file()), None)
    if wheel is None:
        return
    chosen = [item for item in patches.every() if item.kind is Kind.FILE]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        files = _unpacked(wheel, Path(folder))
        ward = Ward(interpreter=interpreter.examine(Path(folder) / "bin/python", "--python"))
        there = [step for item in chosen for step in ward.place().apply(item)]
        ward.change(there, "apply")
        back = [step for item in chosen for step in ward.place().revert(item)]
        ward.change(back, "revert")

        def treat() -> None:
            ward.change(there, "apply")
            ward.change(back, "revert")

        def copy() -> None:
            for path in (*files, *files):
                _copied(path)

        def by_hand() -> None:
            for path in (*files, *files):
                _replaced(path)

        name = "apply and revert all file patches"
        yield compare(f"{name} : copy the files twice, with fsync", treat, copy, 1.5, rounds=15)
        yield compare(f"{name} : keep and replace them by hand", treat, by_hand, 1.5, rounds=15)


def _unpacked(wheel: Path, folder: Path) -> list[Path]:
    """Make an environment that holds what the patches edit, with torch's own RECORD."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        check=True,
        env=clean(os.environ),
    )
    site = next(folder.glob("lib/python3*/site-packages"))
    names = ["torch/__init__.py", "torch/_dynamo/variables/builtin.py"]
    with zipfile.ZipFile(wheel) as archive:
        infos = [name for name in archive.namelist() if ".dist-info/" in name]
        for name in [*names, *infos]:
            archive.extract(name, site)
    return [site / name for name in names]


def _copied(path: Path) -> None:
    target = path.with_name(f"{path.name}.copy")
    shutil.copyfile(path, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    target.unlink()


def _replaced(path: Path) -> None:
    """Do by hand what survives a power cut and can be undone: a copy first, then another file."""
    kept, new = path.with_name(f"{path.name}.kept"), path.with_name(f"{path.name}.new")
    for target in (kept, new):
        shutil.copyfile(path, target)
        _flush(target)
    _flush(path.parent)
    new.replace(path)
    _flush(path.parent)
    kept.unlink()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
