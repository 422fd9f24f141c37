"""Read an installed hook back: what it is armed with, told by its own files and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import generate
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.generate import PARTS, Via
from legacy_doctor.hook.rules import Armed, Guard, Listed, Shim, Where
from legacy_doctor.model import When
from legacy_doctor.treatment import files

_ARMING: Final = {
    "_legacy_doctor.pth": Via.PTH,
    "_legacy_doctor.start": Via.PTH,
    "sitecustomize.py": Via.SITECUSTOMIZE,
}
"""The files of which Python looks for one when it starts."""
NAMES: Final = (*PARTS, *_ARMING)
"""Every file that a hook may consist of, the one that is found at the start last."""
_TABLES: Final = ("GUARDS", "SHIMS", "CPU", "TARGET", "PINSETS", "SKIPPED")


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A hook as it lies in a folder.

    `armed` is None where its files cannot be understood. `problem` says what is wrong with
    them, and `older` that another version of legacy-doctor wrote them.
    """

    folder: Path
    contents: Mapping[str, bytes]
    """What is ours in the folder, by name."""
    via: Via | None
    """None where nothing leads to it: Python starts as if it were not there."""
    identity: str
    armed: Armed | None
    problem: str = ""
    older: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order of `NAMES`."""
        return tuple(self.folder / name for name in self.contents)


def read(folder: Path, python: tuple[int, int]) -> Installed | None:
    """Return the hook that lies in site-packages; None where there is nothing of ours.

    Raises `DoctorError` where a file cannot be read.
    """
    found = {name: files.read(folder / name)[1] for name in NAMES}
    ours = {name: content for name, content in found.items() if content and _is_ours(name, content)}
    if not ours:
        return None
    via = next((via for name, via in _ARMING.items() if name in ours), None)
    identity = generate.identity_of(ours.get(f"{BOOT}.py", b"")) or ""
    try:
        armed = _armed(ours)
        problem, older = _compared(ours, armed, via, python)
    except (DoctorError, SyntaxError, ValueError, TypeError, KeyError) as error:
        armed, problem, older = None, f"its files cannot be understood ({error})", False
    return Installed(
        folder=folder,
        contents=ours,
        via=via,
        identity=identity,
        armed=armed,
        problem=problem,
        older=older,
    )


def _is_ours(name: str, content: bytes) -> bool:
    if name == "sitecustomize.py" and generate.without_block(content) != content:
        return True
    return generate.is_ours(content)


def _armed(contents: Mapping[str, bytes]) -> Armed:
    """Read the tables of the second part; raises where they are not as they were written."""
    tables = _tables(contents["_legacy_doctor_rt.py"])
    stand_in = contents.get("_legacy_doctor_datasets.py", b"").decode().partition("\n")[2]
    return Armed(
        cpu=tables["CPU"],
        guards=tuple(
            Guard(
                module=module,
                distribution=distribution,
                broken=broken,
                where=_where(where),
                remedy=remedy,
                reason=reason,
            )
            for module, guards in tables["GUARDS"].items()
            for distribution, broken, where, remedy, reason in guards
        ),
        shims=tuple(_shim(shim, stand_in) for shims in tables["SHIMS"].values() for shim in shims),
        target=tables["TARGET"],
        pinsets=tables["PINSETS"],
        skipped=tables["SKIPPED"],
    )


def _tables(content: bytes) -> dict[str, Any]:
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(content).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in _TABLES
    }
    return {name: found[name] for name in _TABLES}


def _where(value: tuple[Any, ...]) -> Where:
    needs, vendor, level = value
    when = When(vendor=vendor, cpuid_level_below=level)
    return Where(needs=frozenset(needs), when=None if when == When() else when)


def _shim(value: tuple[Any, ...], stand_in: str) -> Shim:
    name, _, versions, where, arguments = value
    listed = arguments[0] if name == "torch-load-weights-only-false" else ()
    return Shim(
        id=name,
        where=tuple(map(_where, where)),
        versions=versions,
        listed=tuple(Listed(path=path, sha256=sha256, size=size) for path, sha256, size in listed),
        stand_in=stand_in if name == "datasets-stub" else "",
    )


def _compared(
    contents: Mapping[str, bytes], armed: Armed, via: Via | None, python: tuple[int, int]
) -> tuple[str, bool]:
    """Compare what lies there with what is written today for the same rules."""
    existing = contents.get("sitecustomize.py")
    wanted = generate.files(armed, python, via or Via.PTH, existing)
    missing = [name for name in wanted if name not in contents]
    if missing:
        return f"{', '.join(missing)} is missing", False
    if all(contents[name] == text for name, text in wanted.items()):
        return "", False
    if generate.intact(contents):
        return "", True
    return "its files were changed by hand, or are damaged", False
