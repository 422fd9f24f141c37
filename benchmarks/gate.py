"""What the pre-commit hook costs: beside a Python that imports click and does nothing."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.check import DISTRIBUTIONS, doctor
from benchmarks.timing import Ratio, command, compare

LOCKED = 1000
_FILES = "https://files.pythonhosted.org/packages"
_PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314")


def run() -> Iterator[Ratio]:
    """Yield the ratios of the README."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text("".join(f"{item}\n" for item in (*DISTRIBUTIONS[:40], "numpy>=1")))
        lock = folder / "uv.lock"
        lock.write_text(_lock())
        click = command(sys.executable, "-c", "import click")
        hook = (*doctor(), "requirements", "--quiet", "--cpu", "x86-64-v1")
        yield compare(
            f"hook on a requirements.txt of {len(DISTRIBUTIONS[:40]) + 1} lines : import click",
            command(*hook, str(requirements), codes=(1,)),
            click,
            bound=3,
            rounds=20,
        )
        yield compare(
            f"hook on a uv.lock of {LOCKED:,} packages : import click",
            command(*hook, str(lock), codes=(1,)),
            click,
            bound=5,
            rounds=20,
        )


def _lock() -> str:
    """A lock file as uv writes it: numpy too new, and names of which most are nobody's."""
    names = [item.partition("=")[0] for item in DISTRIBUTIONS]
    names += [f"package-{number:04}" for number in range(LOCKED - len(names))]
    head = 'version = 1\nrevision = 3\nrequires-python = ">=3.10"\n'
    return "\n".join([head, *map(_package, sorted(names))])


def _package(name: str) -> str:
    version = "2.4.6" if name == "numpy" else "1.4.2"
    wheel = name.replace("-", "_")
    wheels = "".join(
        f'    {{ url = "{_FILES}/{wheel}-{version}-{tag}-{tag}-manylinux_2_28_x86_64.whl", '
        f'hash = "sha256:{_hash(name, tag)}", size = 54321, '
        'upload-time = "2026-01-02T03:04:05.678Z" },\n'
        for tag in _PYTHONS
    )
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        'dependencies = [\n    { name = "certifi" },\n'
        '    { name = "idna", marker = "sys_platform != \'win32\'" },\n]\n'
        f'sdist = {{ url = "{_FILES}/{wheel}-{version}.tar.gz", '
        f'hash = "sha256:{_hash(name)}", size = 12345, '
        'upload-time = "2026-01-02T03:04:05.678Z" }\n'
        f"wheels = [\n{wheels}]\n"
    )


def _hash(*words: str) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()
