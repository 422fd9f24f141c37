"""Interpreters of this machine with the start-up files in a virtual environment of theirs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.hook import bytecode, generate
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed, Guard, Shim, Where
from tests.conftest import ROOT, Answer, clean
from tests.hook.parts import Hook, Load

STAND_IN = (ROOT / "patches/datasets-stub/datasets/__init__.py").read_text(encoding="utf-8")

ABSENT = "3dnow"
"""A feature that no CPU made since 2011 has: asking for it makes any module deadly here."""
PRESENT = "sse2"
"""A feature that every 64-bit x86 CPU has."""


def interpreters() -> list[Path]:
    """One Python of each minor version that lies about here, the running one among them."""
    folders = Path("~/.pyenv/versions").expanduser()
    found = [Path(sys.executable).resolve(), Path("/usr/bin/python3")]
    found += sorted(folders.glob("3.*/bin/python"))
    seen: dict[Path, Path] = {}
    for path in found:
        minor = path.resolve().parent.parent.name.split(".")
        if path.exists() and not (len(minor) > 1 and minor[1].isdigit() and int(minor[1]) < 8):
            seen.setdefault(path.resolve(), path)
    return list(seen.values())


PYTHONS = interpreters()


def named(path: Path) -> str:
    """`Debian's` or the version folder, for the id of a test."""
    parts = path.resolve().parts
    return "system" if parts[1] == "usr" else parts[-3]


class Room:
    """A virtual environment without pip: what lies in its site-packages, the test has put there."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        subprocess.run(
            [base, "-m", "venv", "--without-pip", folder], check=True, env=clean(os.environ)
        )
        (self.packages,) = folder.glob("lib/python3.*/site-packages")
        minor = self.packages.parent.name.removeprefix("python3.")
        self.version = (3, int(minor))

    def empty(self) -> None:
        subprocess.run(["rm", "-rf", self.packages], check=True)
        self.packages.mkdir()

    def put(self, **files: str) -> None:
        """Write modules; `__` in a name stands for a folder: `pkg__sub` is `pkg/sub.py`."""
        for name, text in files.items():
            path = self.packages / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def package(self, name: str, version: str, text: str = "") -> None:
        """Write a package, and the metadata that tells its version."""
        (self.packages / name).mkdir(exist_ok=True)
        (self.packages / name / "__init__.py").write_text(text)
        info = self.packages / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def arm(self, armed: Armed, via: Via = Via.PTH, existing: bytes | None = None) -> list[str]:
        """Write the start-up files; return their names."""
        made = generate.files(armed, self.version, via, existing)
        for name, content in made.items():
            (self.packages / name).write_bytes(content)
        return list(made)

    def compile(self, armed: Armed) -> None:
        """Write the start-up files and their compiled form, as an installation does."""
        made = generate.files(armed, self.version)
        said = self.run(
            bytecode.SNIPPET, "-I", "-S", stdin=bytecode.question(made, str(self.packages))
        )
        for name, content in {**bytecode.answer(said.out), **made}.items():
            (self.packages / name).parent.mkdir(exist_ok=True)
            (self.packages / name).write_bytes(content)

    def borrow(self, environment: Path) -> None:
        """See the packages of another environment, and hold their metadata: it stays untouched."""
        (packages,) = environment.glob("lib/python3.*/site-packages")
        (self.packages / f"{packages.parents[3].name}.pth").write_text(f"{packages}\n")
        for info in packages.glob("*.dist-info"):
            shutil.copytree(info, self.packages / info.name, dirs_exist_ok=True)

    def hook(self, *words: str) -> None:
        """Install the hook as a user does."""
        command = [sys.executable, "-m", "legacy_doctor", "hook", "install", "--probe", "none"]
        done = subprocess.run(
            [*command, "--python", str(self.folder), *words],
            capture_output=True,
            text=True,
            env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def run(
        self,
        code: str,
        *flags: str,
        env: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        stdin: str | None = None,
    ) -> Answer:
        return start([*under, self.python, *flags, "-c", code], env, self.folder, stdin)


def start(
    command: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> Answer:
    """Start a process without what the tests' own environment says to Python."""
    bare = {
        key: value
        for key, value in clean(os.environ).items()
        if not key.startswith(("PYTHON", "COVERAGE", "LEGACY_DOCTOR"))
    }
    done = subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        env={**bare, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        cwd=cwd,
        input=stdin,
        check=False,
        timeout=600,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Room]:
    """The environments made so far: one for each interpreter and test process."""
    return {}


def _room(base: Path, rooms: dict[Path, Room], factory: pytest.TempPathFactory) -> Room:
    if base not in rooms:
        rooms[base] = Room(factory.mktemp("room") / "venv", base)
    rooms[base].empty()
    return rooms[base]


@pytest.fixture(params=PYTHONS, ids=named)
def room(
    request: pytest.FixtureRequest,
    rooms: dict[Path, Room],
    tmp_path_factory: pytest.TempPathFactory,
) -> Room:
    """An empty environment, for each interpreter of this machine."""
    return _room(request.param, rooms, tmp_path_factory)


@pytest.fixture
def own_room(rooms: dict[Path, Room], tmp_path_factory: pytest.TempPathFactory) -> Room:
    """An empty environment of the Python that runs the tests."""
    return _room(PYTHONS[0], rooms, tmp_path_factory)


def guard(module: str, feature: str = ABSENT, broken: str = "") -> Guard:
    """The guard of a made-up module."""
    return Guard(
        module=module,
        distribution=module.replace("_", "-"),
        where=Where(needs=frozenset({feature})),
        remedy=f"pip install '{module}<1'",
        broken=broken,
        reason="it executes what it must not",
    )


def armed(*guards: Guard, shims: Sequence[Shim] = ()) -> Armed:
    """A hook with these guards."""
    return Armed(cpu="a made-up CPU", guards=guards, shims=tuple(shims))


def printed(answer: Answer) -> object:
    """What a child printed as JSON; it must have ended well, and said nothing else."""
    said = [line for line in answer.err.splitlines() if "TCG doesn't support" not in line]
    assert (answer.code, said) == (0, []), answer
    return json.loads(answer.out)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the second part of a hook into this process; nothing is armed."""

    def make(*guards: Guard, shims: Sequence[Shim] = (), part: str = "rt") -> dict[str, Any]:
        hook = Hook(armed(*guards, shims=shims), tmp_path)
        hook.boot.__dict__["sys"] = sys
        space = hook.load("rt")
        hook.boot.__dict__["RUNTIME"] = space
        return space if part == "rt" else hook.load(part)

    monkeypatch.delenv("LEGACY_DOCTOR_DISABLE", raising=False)
    return make


@pytest.fixture
def armed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dict[str, Any]]]:
    """Arm a hook in this process, with `tmp_path` as its site-packages; disarmed afterwards."""
    modules, finders = dict(sys.modules), list(sys.meta_path)

    def make(*guards: Guard, shims: Sequence[Shim] = ()) -> dict[str, Any]:
        return Hook(armed(*guards, shims=shims), tmp_path).arm()

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("LEGACY_DOCTOR_DISABLE", raising=False)
    yield make
    sys.meta_path[:] = finders
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
