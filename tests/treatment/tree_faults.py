"""Kill a snapshot at every system call that writes, and bring it to an end.

Run as a program of its own (`python -m tests.treatment.tree_faults SCENARIO FOLDER`), like
`faults`, whose harness it uses. It prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from legacy_doctor.treatment.tree import Tree
from tests.treatment.environments import picture
from tests.treatment.faults import Writes, child
from tests.treatment.test_tree import PYC, SITE, begin, build, upgrade


class World:
    """One environment, made again for every point."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "venv"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        build(self.prefix, folder / "cache")
        (self.prefix / PYC).unlink()
        (self.prefix / PYC).parent.rmdir()
        (self.prefix / ".legacy-doctor").mkdir()
        self.before = picture(self.prefix)
        self.after: dict[str, Any] = {}

    def load(self, name: str = "tree") -> Tree:
        return Tree.load(self.prefix / ".legacy-doctor" / name, self.prefix)

    def taken(self) -> None:
        begin(self.prefix)

    def upgraded(self) -> None:
        (self.prefix / SITE / "a/__pycache__").mkdir()
        self.taken()
        upgrade(self.prefix)
        self.after = picture(self.prefix)

    def done(self) -> None:
        self.upgraded()
        self.load().finish()

    def undoing(self) -> None:
        self.done()
        Tree.begin(self.prefix / ".legacy-doctor/undo", self.load().scope)


def recover(world: World, name: str) -> str:
    """What the package room does after a crash."""
    if not (world.prefix / ".legacy-doctor" / name).exists():
        return "gone"
    tree = world.load(name)
    state = tree.state
    if state == "taken":
        tree.restore()
    if state == "done":
        tree.prune()
        return state
    tree.discard()
    return state


def restored(world: World, name: str = "tree") -> str:
    state = recover(world, name)
    if state == "done":
        assert picture(world.prefix) == world.after
        world.load(name).revert()
        world.load(name).discard()
    return state


class Scenario(NamedTuple):
    prepare: Callable[[World], object]
    deed: Callable[[World], object]
    recover: Callable[[World], str]
    end: str
    """Which picture is there at last: `before` or `after`."""


SCENARIOS = {
    "begin": Scenario(lambda w: None, World.taken, restored, "before"),
    "finish": Scenario(World.upgraded, lambda w: w.load().finish(), restored, "before"),
    "restore": Scenario(World.upgraded, lambda w: w.load().restore(), restored, "before"),
    "discard": Scenario(World.taken, lambda w: w.load().discard(), restored, "before"),
    "revert": Scenario(
        World.undoing, lambda w: w.load().revert(), lambda w: restored(w, "undo"), "after"
    ),
}


def run(scenario: Scenario, folder: Path) -> dict[str, Any]:
    world = World(folder)
    scenario.prepare(world)
    counted = child(lambda: scenario.deed(world), Writes())
    assert not counted.error, counted.error
    ends: Counter[str] = Counter()
    wrong = []
    for number, name in enumerate(counted.names, 1):
        for moment in ("before", "half", "after")[:: 1 if name == "write" else 2]:
            end, error = _tried(scenario, folder, number, moment)
            ends[end] += 1
            if error:
                wrong.append(f"{moment} call {number} ({name}): {error}")
    return {"points": ends.total(), "ends": ends, "wrong": wrong}


def _tried(scenario: Scenario, folder: Path, number: int, moment: str) -> tuple[str, str]:
    try:
        return _point(scenario, folder, number, moment), ""
    except Exception as error:  # noqa: BLE001
        return "wrong", repr(error)[:300]


def _point(scenario: Scenario, folder: Path, number: int, moment: str) -> str:
    world = World(folder)
    scenario.prepare(world)
    ended = child(lambda: scenario.deed(world), Writes(number, moment))
    assert ended.signal == signal.SIGKILL, ended
    state = scenario.recover(world)
    found = picture(world.prefix)
    wanted = getattr(world, scenario.end)
    for pictures in (found, wanted):  # an empty folder of bytecode is no difference
        pictures.pop(f"{SITE}/a/__pycache__", None)
        pictures.pop(PYC, None)
    odd = {path for path in {*found, *wanted} if found.get(path) != wanted.get(path)}
    assert not odd, odd
    assert not [path for path in found if ".tmp" in path]
    return state


if __name__ == "__main__":
    os.umask(0o022)
    os.sync = lambda: None  # a kill loses nothing that was written, synced or not
    print(json.dumps(run(SCENARIOS[sys.argv[1]], Path(sys.argv[2]))))  # noqa: T201
