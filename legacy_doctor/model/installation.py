"""Interpreters, and what is installed for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python whose environment is examined, as told by itself without its site-packages."""

    executable: Path
    prefix: Path
    version: tuple[int, int, int]
    implementation: str
    platform: str
    """`sysconfig.get_platform()`, e.g. `linux-x86_64`."""
    chosen_by: str
    """Why this one: `--python`, `$VIRTUAL_ENV`, `./.venv` or `running interpreter`."""
    site_packages: tuple[Path, ...]
    machine: str = ""
    libc: str = ""
    march: str | None = None
    """`-march=` that the interpreter itself was compiled with, where it says so."""
    death: str | None = None
    """How it ended when it was asked; None when it answered. Paths are then read from disk."""

    @property
    def dotted(self) -> str:
        """`3.11.7`; `3.11` where only the folder name told."""
        parts = self.version if self.version[2] >= 0 else self.version[:2]
        return ".".join(str(part) for part in parts)


class RecordedFile(NamedTuple):
    """One line of RECORD: path relative to `Distribution.root`, sha256 (urlsafe base64), size.

    A tuple and no dataclass: an environment has tens of thousands of them.
    """

    path: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution as its dist-info tells it."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    root: Path
    """The folder RECORD's paths are relative to."""
    info: Path
    requires: tuple[str, ...] = ()
    files: tuple[RecordedFile, ...] = ()
    tags: tuple[str, ...] = ()
    installer: str = ""

    @property
    def native(self) -> bool:
        """True where it was built for a platform; without wheel tags, where its files say so."""
        if self.tags:
            return not all(tag.endswith("-any") for tag in self.tags)
        return any(is_native(item.path) for item in self.files)


def canonical(name: str) -> str:
    """Return a distribution's name as names are compared (PEP 503).

    `packaging.utils` does the same and loads more than a small command does in all.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def is_native(path: str) -> bool:
    """Tell extension modules and bundled libraries by their file names."""
    return path.endswith((".so", ".pyd", ".dll", ".dylib")) or ".so." in path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenMetadata:
    """A dist-info that could not be read: what could not be looked at is a fact too."""

    path: Path
    problem: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlteredFile:
    """An installed file that is not what RECORD says."""

    distribution: str
    path: Path
    problem: str
    backup: Path | None = None
    """An `.orig` (or the like) beside it: somebody edited by hand and kept the original."""
    patches: tuple[str, ...] = ()
    """Ids of the patches of legacy-doctor whose marked blocks it holds."""
    intact: bool = False
    """Without these blocks it is what RECORD says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredIsa:
    """A native file whose ELF note (`GNU_PROPERTY_X86_ISA_1_NEEDED`) asks for a level."""

    distribution: str
    path: str
    level: str


class OverrideKind(str, Enum):
    """What a dispatch variable does with the value it is given."""

    FORCE = "force"
    """Taken unchecked: can itself cause SIGILL."""
    CHECKED = "checked"
    """Refused with a clean error where the CPU lacks it."""
    CEILING = "ceiling"
    """Can only lower what is used."""
    MASK = "mask"
    """Silences a check; the crash stays."""
    DEAD = "dead"
    """Nothing reads it any more."""
    DISARM = "disarm"
    """Switches off what a treatment of ours put in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A dispatch variable found set in the process environment."""

    variable: str
    value: str
    kind: OverrideKind
    needs: frozenset[str]
    """Features that the value asks for; empty where it asks for none or is not understood."""
    understood: bool
    accepts: str
    readers: tuple[str, ...]
    """Distributions whose libraries read the variable; empty means any program."""
    effect: str
    source: str
