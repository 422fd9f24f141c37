"""Kill a treatment at every system call that writes, and look at what is left.

Run as a program of its own (`python -m tests.treatment.faults SCENARIO FOLDER`): it forks once a
point, and forks well only where there are no threads. It prints one JSON object: the number of
points, how they ended, and what went wrong.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import stat
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from legacy_doctor.treatment import files
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.steps import FileStep, Plan

WRITING = """open write pwrite fsync fdatasync replace rename unlink remove mkdir rmdir link symlink
chmod fchmod lchmod chown fchown lchown truncate ftruncate utime setxattr removexattr""".split()
"""The functions of `os` that change what is on the disk (open: where it may write)."""

AUDITED = """os.rename os.remove os.mkdir os.rmdir os.link os.symlink os.chmod os.chown os.utime
os.truncate os.setxattr os.removexattr""".split()
"""What the interpreter itself reports of the same: nothing may write and not be counted."""

MOMENTS = ("before", "half", "after")
"""Half: of a write, whose first half reaches the file."""


class Writes:
    """Counts the writing calls of this process and kills it at one of them."""

    def __init__(self, number: int = 0, moment: str = "") -> None:
        self.count = 0
        self.names: list[str] = []
        self._number, self._moment = number, moment
        self._inside = False

    def install(self) -> None:
        for name in WRITING:
            if hasattr(os, name):
                call = self._counted(name, getattr(os, name))
                setattr(os, name, call)
                accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10
                if hasattr(accessor, name):
                    setattr(accessor, name, staticmethod(call))
        sys.addaudithook(self._audit)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return real(*arguments, **options)
            self.count += 1
            self.names.append(name)
            due = self.count == self._number
            if due and self._moment == "before":
                _die()
            if due and self._moment == "half" and name in {"write", "pwrite"}:
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], *arguments[2:])
                _die()
            self._inside = True
            try:
                return real(*arguments, **options)
            finally:
                self._inside = False
                if due:
                    _die()

        return call

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in AUDITED or (
            event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        if writes and not self._inside:
            raise AssertionError(f"{event} {arguments} wrote past the harness")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Ended(NamedTuple):
    signal: int
    names: list[str]
    error: str


def child(deed: Callable[[], object], writes: Writes) -> Ended:
    """Do it in a fork; return how that ended and which writing calls it made."""
    reading, writing = os.pipe()
    write, leave = os.write, os._exit
    process = os.fork()
    if not process:
        os.close(reading)
        error = ""
        try:
            writes.install()
            deed()
        except BaseException as caught:  # noqa: BLE001
            error = repr(caught)
        write(writing, json.dumps([writes.names, error]).encode())
        leave(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    status = os.waitpid(process, 0)[1]
    names, error = json.loads(said) if said else ([], "")
    return Ended(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, names, error)


def build(folder: Path) -> Path:
    """Make an environment of which every kind of file is to be changed, and its cache."""
    prefix, cache = folder / "environment", folder / "cache"
    (prefix / "lib/__pycache__").mkdir(parents=True)
    cache.mkdir()
    for name, content in {"hard.py": b"hard = 1\n", "soft.py": b"soft = 1\n"}.items():
        (cache / name).write_bytes(content)
    os.link(cache / "hard.py", prefix / "lib/hard.py")
    (prefix / "lib/soft.py").symlink_to("../../cache/soft.py")
    (prefix / "lib/plain.py").write_bytes(b"plain = 1\n" * 500)
    (prefix / "lib/script").write_bytes(b"#!/bin/sh\n")
    (prefix / "lib/script").chmod(0o755)
    (prefix / "lib/doomed.py").write_bytes(b"doomed = 1\n")
    (prefix / "lib/doomed.py").chmod(0o600)
    (prefix / "lib/empty.py").write_bytes(b"")
    (prefix / "lib/__pycache__/plain.cpython-311.pyc").write_bytes(b"stale")
    return prefix


def plan(prefix: Path) -> Plan:
    """Write, overwrite a hard link, a symbolic link, empty, fill, delete, create in new folders."""
    lib = prefix / "lib"
    contents: dict[str, tuple[bytes | None, int | None]] = {
        "plain.py": (b"plain = 2\n" * 600, None),
        "hard.py": (b"hard = 2\n", None),
        "soft.py": (b"soft = 2\n", None),
        "script": (b"", 0o700),
        "empty.py": (b"full = 1\n", None),
        "doomed.py": (None, None),
        "new/deep/born.py": (b"born = 1\n", 0o640),
        "new/__init__.py": (b"", None),
    }
    return Plan(
        tuple(
            FileStep(lib / name, files.observe(lib / name), content, mode, f"change {name}")
            for name, (content, mode) in contents.items()
        )
    )


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return all that lies there: kinds, permissions, bytes, link targets. Not the journal."""
    found: dict[str, tuple[Any, ...]] = {}
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in {".legacy-doctor", "__pycache__"}]
        for name in [*folders, *names]:
            path = Path(root, name)
            status = path.lstat()
            kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
            link = str(path.readlink()) if path.is_symlink() else None
            content = path.read_bytes() if kind == stat.S_IFREG else None
            found[str(path.relative_to(folder))] = (kind, mode, content, link)
    return found


def apply(prefix: Path) -> None:
    journal = Journal(prefix)
    with journal.lock():
        journal.begin(plan(prefix), command="fix --apply", extra={"numpy": "2.4"}).apply()


def undo(prefix: Path) -> None:
    Journal(prefix).undo()


def recover(prefix: Path) -> None:
    Journal(prefix).recover()


def killed_at(number: int, moment: str, *, lose: bool = False) -> Callable[[Path], None]:
    """Return a preparation: an apply that was killed there; `lose` loses a prepared file too."""

    def prepare(prefix: Path) -> None:
        assert child(lambda: apply(prefix), Writes(number, moment)).signal == signal.SIGKILL
        if lose:
            min(prefix.rglob(".legacy-doctor-*.tmp")).unlink()

    return prepare


class Scenario(NamedTuple):
    prepare: Callable[[Path], object]
    deed: Callable[[Path], object]
    outcomes: frozenset[str]
    """Where a kill may leave the files: `old` (before the apply), `new` (after it)."""
    moments: tuple[str, ...] = MOMENTS


def _names(folder: Path, deed: Callable[[Path], object]) -> list[str]:
    prefix = build(folder / "counting")
    ended = child(lambda: deed(prefix), Writes())
    assert ended == (0, ended.names, ""), ended
    shutil.rmtree(folder / "counting")
    return ended.names


def scenarios(folder: Path) -> dict[str, Scenario]:
    names = _names(folder, apply)
    renames = [index for index, name in enumerate(names, 1) if name == "replace"]
    # The first rename completes the journal's entry, the second says `prepared`, then the files.
    written, prepared, first, *_ = renames
    both = frozenset({"old", "new"})
    return {
        "apply": Scenario(lambda prefix: None, apply, both),
        "undo": Scenario(apply, undo, both),
        "redo": Scenario(
            lambda p: (apply(p), undo(p)), lambda p: Journal(p).undo(2), both, MOMENTS[1:]
        ),
        **{
            f"recover-{name}": Scenario(prepare, recover, frozenset({end}), MOMENTS[1:])
            for name, (prepare, end) in {
                "unwritten": (killed_at(written, "before"), "old"),
                "planned": (killed_at(prepared, "before"), "old"),
                "forward": (killed_at(first + 1, "after"), "new"),
                "back": (killed_at(first + 3, "after", lose=True), "old"),
            }.items()
        },
    }


class Harness:
    """Runs one scenario over all its points."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self._folder = folder
        self._scenario = scenario
        model = build(folder / "model")
        self._cache = snapshot(folder / "model/cache")
        self._states = {"old": snapshot(model)}
        apply(model)
        self._states["new"] = snapshot(model)
        undo(model)
        assert snapshot(model) == self._states["old"]

    def _fresh(self) -> Path:
        shutil.rmtree(self._folder / "one", ignore_errors=True)
        prefix = build(self._folder / "one")
        self._scenario.prepare(prefix)
        return prefix

    def run(self) -> dict[str, Any]:
        prefix = self._fresh()
        counted = child(lambda: self._scenario.deed(prefix), Writes())
        assert not counted.error, counted.error
        points = [
            (number, name, moment)
            for number, name in enumerate(counted.names, 1)
            for moment in self._scenario.moments
            if moment != "half" or name in {"write", "pwrite"}
        ]
        ends: Counter[str] = Counter()
        wrong: list[str] = []
        for number, name, moment in points:
            end, error = self._point(number, moment)
            ends[end] += 1
            if error:
                wrong.append(f"{moment} call {number} ({name}): {error}")
        return {"calls": len(counted.names), "points": len(points), "ends": ends, "wrong": wrong}

    def _point(self, number: int, moment: str) -> tuple[str, str]:
        try:
            return self._killed(number, moment), ""
        except Exception as error:  # noqa: BLE001
            return "wrong", repr(error)

    def _killed(self, number: int, moment: str) -> str:
        prefix = self._fresh()
        ended = child(lambda: self._scenario.deed(prefix), Writes(number, moment))
        assert ended.signal == signal.SIGKILL, ended
        Journal(prefix).recover()
        end = self._whole(prefix)
        assert end in self._scenario.outcomes, end
        assert Journal(prefix).recover() == ()
        entries = Journal(prefix).history()
        assert {entry.state for entry in entries} <= {"applied", "abandoned"}, entries
        self._goes_on(prefix, end)
        return end

    def _whole(self, prefix: Path) -> str:
        found = snapshot(prefix)
        assert snapshot(self._folder / "one/cache") == self._cache, "the cache was written"
        ends = [end for end, state in self._states.items() if state == found]
        known = [state.items() for state in self._states.values()]
        odd = [item for item in found.items() if not any(item in items for items in known)]
        assert ends, f"between: {sorted(found)}; neither old nor new: {odd}"
        return ends[0]

    def _goes_on(self, prefix: Path, end: str) -> None:
        """The next apply and the next undo work as if nothing had been."""
        if end == "old":
            apply(prefix)
            assert self._whole(prefix) == "new"
        undo(prefix)
        assert self._whole(prefix) == "old"


def main(name: str, folder: str) -> None:
    os.umask(0o022)
    scenario = scenarios(Path(folder))[name]
    print(json.dumps(Harness(Path(folder), scenario).run()))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
