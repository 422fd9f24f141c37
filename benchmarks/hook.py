"""What a start of Python costs with the hook, in instructions, beside other start-up hooks.

Instructions and not milliseconds: with one hash seed they repeat to the digit, on any machine
that is busy with other things. Needs valgrind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import Ratio
from legacy_doctor.hook import bytecode, generate
from legacy_doctor.hook.rules import Armed, Guard, Shim, Where
from legacy_doctor.knowledge import patches
from tests.conftest import clean, real_environment

OTHERS = ("setuptools==80.9.0", "coverage==7.6.1", "wrapt==1.17.3")
"""The packages whose start-up hooks stand beside ours."""
_GUARDED = (
    "numpy pyarrow pandas scipy polars duckdb tensorflow jax torchcodec ctranslate2 "
    "onnxruntime faiss numba llvmlite catboost fastparquet daft lance lancedb chdb hyperscan "
    "pedalboard dlib PySide6 shiboken6".split()
)
_CALLS = 20_000
_LOOK = """
import sys, time
finder = sys.meta_path[0].find_spec
best = 1e9
for _ in range(25):
    start = time.process_time()
    for _ in range({calls}):
        finder("not_listed", None)
    best = min(best, time.process_time() - start)
print(best)
"""


class Count(NamedTuple):
    """One counted start, as a share of a bare one."""

    name: str
    instructions: int
    bare: int
    bound: float | None = None

    @property
    def value(self) -> float:
        return (self.instructions - self.bare) / self.bare

    @property
    def text(self) -> str:
        verdict = ""
        if self.bound is not None:
            limit = f"(at most {self.bound:.0%})"
            verdict = f"{limit} {'ok' if self.value <= self.bound else 'ABOVE'}"
        added = self.instructions - self.bare
        return (
            f"{self.name:<66} {self.value:+8.2%} {verdict:<16} "
            f"{added / 1e6:+8.2f} M : {self.bare / 1e6:.1f} M instructions"
        )


def run() -> Iterator[Count | Ratio]:
    """Yield a row for each hook, and the time of a look-up of an unlisted name."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed (apt-get install valgrind)")
    with tempfile.TemporaryDirectory() as folder:
        bare_room, ours = _room(Path(folder) / "bare"), _room(Path(folder) / "ours")
        _arm(ours)
        bare = _instructions(bare_room)
        yield Count("start with the hook : bare start", _instructions(ours), bare, 0.03)
        yield from _beside(bare_room, bare)
        yield _look(ours)


def _beside(room: Path, bare: int) -> Iterator[Count]:
    """Count the hooks of others, each alone in the same environment."""
    made = real_environment(*OTHERS)
    packages = next(made.glob("lib/python3*/site-packages"))
    hack = (packages / "distutils-precedence.pth").read_text()
    env = {"COVERAGE_PROCESS_START": os.devnull}
    rows: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("an empty .pth file", "# nothing\n", {}),
        ("setuptools' distutils-precedence.pth", f"{packages}\n{hack}", {}),
        ("coverage's start-up hook, switched off", f"{packages}\n{_COVERAGE}", {}),
        ("coverage's start-up hook, measuring", f"{packages}\n{_COVERAGE}", env),
        ("wrapt.when_imported", f"{packages}\n{_WRAPT}", {}),
    )
    site = next(room.glob("lib/python3*/site-packages"))
    for name, text, variables in rows:
        (site / "other.pth").write_text(text)
        yield Count(f"start with {name} : bare start", _instructions(room, variables), bare)
    (site / "other.pth").unlink()


_COVERAGE = (
    "import os; os.environ.get('COVERAGE_PROCESS_START') and "
    "__import__('coverage').process_startup()\n"
)
_WRAPT = "import wrapt; wrapt.when_imported('not_listed')(lambda module: None)\n"


def _room(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        check=True,
        env=clean(os.environ),
    )
    return folder


def _arm(room: Path) -> None:
    """Put the files there as `hook install` does, with a guard for each package one hears of."""
    site = next(room.glob("lib/python3*/site-packages"))
    stub = patches.find("datasets-stub").provides
    guards = tuple(
        Guard(
            module=name,
            distribution=name.lower(),
            broken=">=1",
            where=Where(needs=frozenset({"sse4_1"})),
            remedy="pip uninstall it",
        )
        for name in _GUARDED
    )
    shims = (
        Shim(id="torch-onednn-off"),
        Shim(id="datasets-stub", stand_in=stub.modules[0][1] if stub else ""),
    )
    major, minor = sys.version_info[:2]
    made = generate.files(Armed(cpu="any", guards=guards, shims=shims), (major, minor))
    done = subprocess.run(
        [str(room / "bin/python"), "-I", "-S", "-c", bytecode.SNIPPET],
        input=bytecode.question(made, str(site)),
        capture_output=True,
        text=True,
        check=True,
    )
    (site / "__pycache__").mkdir(exist_ok=True)
    for name, content in {**bytecode.answer(done.stdout), **made}.items():
        (site / name).write_bytes(content)


def _instructions(room: Path, variables: dict[str, str] | None = None) -> int:
    """Count what one start executes, after one that leaves the bytecode of others behind."""
    python = str(room / "bin/python")
    env = {**_bare(), "PYTHONHASHSEED": "0", **(variables or {})}
    words = [python, "-c", "pass"]
    subprocess.run(words, check=True, env=env, capture_output=True, cwd=room)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words],
        check=True,
        cwd=room,
        env=env,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise SystemExit(f"valgrind counted nothing: {done.stderr[-300:]}")
    return int(found[1])


def _bare() -> dict[str, str]:
    kept = clean(os.environ)
    return {key: text for key, text in kept.items() if not key.startswith(("PYTHON", "COVERAGE"))}


def _look(room: Path) -> Ratio:
    """Time one unlisted import's look into the table, beside the 150 ns that it may take."""
    code = _LOOK.format(calls=_CALLS)
    done = subprocess.run(
        [str(room / "bin/python"), "-c", code],
        check=True,
        env=_bare(),
        capture_output=True,
        text=True,
    )
    bound = 150e-9 * _CALLS
    return Ratio(f"{_CALLS} unlisted look-ups : 150 ns each", float(done.stdout), bound, 1.0)
