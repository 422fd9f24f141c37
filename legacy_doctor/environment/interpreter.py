"""Find the interpreter to examine and ask it for its paths, without its site-packages' code."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from legacy_doctor import process
from legacy_doctor.environment import query
from legacy_doctor.errors import TargetError
from legacy_doctor.model import Interpreter

OLDEST: Final = (3, 8)
"""The oldest Python whose environment is examined."""

_FATAL: Final = frozenset({"SIGILL", "SIGFPE", "SIGSEGV", "SIGBUS", "SIGABRT", "SIGTRAP"})
_REFUSALS: Final = (
    "CPU ISA level is lower than required",  # glibc, a library carries the ISA note
    "CPU does not support x86-64-v",  # glibc itself was built for a newer level
)
_IN_FOLDER: Final = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")


def choose(wanted: str | None, environ: Mapping[str, str], here: Path) -> tuple[Path, str]:
    """Return the interpreter to examine and why: `--python`, `$VIRTUAL_ENV`, `./.venv`, ours.

    Raises `TargetError` where the one named by the user (option or variable) is not there. The
    path is absolute but not resolved: a virtual environment's link is what makes it one.
    """
    if wanted is not None:
        return locate(wanted, here), "--python"
    active = environ.get("VIRTUAL_ENV")
    if active:
        return locate(active, here, hint="; unset VIRTUAL_ENV or use --python"), "$VIRTUAL_ENV"
    if os.path.isfile(here / ".venv/pyvenv.cfg"):
        return locate(".venv", here), "./.venv"
    return Path(sys.executable), "running interpreter"


def locate(name: str, here: Path, *, hint: str = "") -> Path:
    """Return the interpreter that `name` means: a folder, a file, or a command on PATH."""
    try:
        return _located(name, here, hint)
    except (OSError, RuntimeError) as error:  # may not look, name too long, `~nobody`
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise TargetError(f"{name}: cannot be looked up ({reason}){hint}") from error


def _located(name: str, here: Path, hint: str) -> Path:
    path = here / Path(name).expanduser()
    if path.is_dir():
        return _in_folder(path, hint)
    if path.is_file():
        return _absolute(path)
    command = shutil.which(name) if os.sep not in name else None
    if command:
        return _absolute(Path(command))
    if path.is_symlink():
        raise TargetError(
            f"{name}: the link leads nowhere ({os.readlink(path)} is gone); recreate the "
            f"virtual environment{hint}"
        )
    raise TargetError(f"{name}: no such interpreter or virtual environment folder{hint}")


def _in_folder(folder: Path, hint: str) -> Path:
    for name in _IN_FOLDER:
        path = folder / name
        if path.is_file():
            return _absolute(path)
        if path.is_symlink():
            raise TargetError(
                f"{folder}: {name} leads nowhere ({os.readlink(path)} is gone); recreate the "
                f"virtual environment{hint}"
            )
    raise TargetError(
        f"{folder}: no Python interpreter in this folder (looked for bin/python and "
        f"Scripts/python.exe); name an interpreter or a virtual environment{hint}"
    )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def examine(executable: Path, chosen_by: str) -> Interpreter:
    """Ask `executable` for its version, tags and paths.

    One that dies of a signal, or that glibc refuses to load, is returned with `death` set and
    what its folders tell. Raises `TargetError` where it is no Python, too old, or silent.
    """
    if _same(executable, Path(sys.executable)):
        facts = {"version": list(sys.version_info[:3]), **query.describe()}
        return _interpreter(facts, executable, chosen_by)
    answer = _ask(executable, "-I", "-S")
    if answer.signal in _FATAL:
        return _from_folders(executable, chosen_by, f"died of {answer.signal}")
    for refusal in _REFUSALS:
        if refusal in answer.stderr:
            return _from_folders(executable, chosen_by, f"refused to start: {answer.last_words}")
    if answer.status != 0:
        answer = _ask(executable, "-E", "-s", "-S")  # Python 2 has no -I
    facts = _facts(executable, answer)
    version = tuple(facts["version"])
    if version < OLDEST:
        found = ".".join(str(part) for part in version)
        raise TargetError(
            f"{executable}: Python {found} is too old to examine; legacy-doctor examines "
            "Python 3.8 and newer"
        )
    return _interpreter(facts, executable, chosen_by)


def _same(one: Path, other: Path) -> bool:
    """The very same path; a link to it may be another virtual environment."""
    return os.path.abspath(one) == os.path.abspath(other)


def _ask(executable: Path, *options: str) -> process.Answer:
    command = [str(executable), *options, "-B", query.__file__]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        return process.ask(command, env=env)
    except TimeoutError as error:
        raise TargetError(f"{executable}: not a Python interpreter ({error})") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"{executable}: cannot be started ({reason})") from error


def _facts(executable: Path, answer: process.Answer) -> dict[str, Any]:
    try:
        facts = json.loads(answer.stdout)
        version = facts["version"]
        if not all(isinstance(part, int) for part in version):
            raise TypeError(version)
        if tuple(version) >= OLDEST:
            _ = facts["site_packages"]  # the last key of a full answer
    except (ValueError, KeyError, TypeError) as error:
        words = f": {answer.last_words}" if answer.last_words else ""
        raise TargetError(
            f"{executable}: not a Python interpreter (asked for its version, it exited with "
            f"{answer.status}{words})"
        ) from error
    return dict(facts)


def _interpreter(facts: dict[str, Any], executable: Path, chosen_by: str) -> Interpreter:
    major, minor, micro = facts["version"]
    return Interpreter(
        executable=executable,
        prefix=Path(facts["prefix"]),
        version=(major, minor, micro),
        implementation=facts["implementation"],
        platform=facts["platform"],
        chosen_by=chosen_by,
        site_packages=tuple(Path(path) for path in facts["site_packages"]),
        machine=facts["machine"],
        libc=facts["libc"],
        march=facts["march"],
    )


def _from_folders(executable: Path, chosen_by: str, death: str) -> Interpreter:
    """Work out from the folders what the interpreter could not say."""
    prefix = Path(query.venv_of(str(executable)) or executable.parent.parent)
    places = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "Lib/site-packages")
    folders = [path for place in places for path in sorted(prefix.glob(place))]
    match = re.fullmatch(r"python3\.(\d+)t?", folders[0].parent.name) if folders else None
    return Interpreter(
        executable=executable,
        prefix=prefix,
        version=(3, int(match[1]) if match else OLDEST[1], -1),
        implementation="cpython",
        platform="linux-x86_64",
        chosen_by=chosen_by,
        site_packages=tuple(folders),
        machine="x86_64",
        death=death,
    )
