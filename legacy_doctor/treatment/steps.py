"""The words of the treatment room: what lies at a path, what is to lie there, and the way back.

Nothing here reads or writes a file. `FileStep` carries the new content; `Change` is what the
journal remembers of a step: both ends of it, without the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from legacy_doctor.errors import DoctorError

NEW_FILE_MODE: Final = 0o644
"""The permissions of a file that was not there before, unless its step asks for others."""


@dataclass(frozen=True)
class FileState:
    """What lies at a path. Two states are equal when content, permissions and link are.

    For a symbolic link, content and permissions are those of the file that it leads to (what an
    import would read), and `link` is its target as written; `sha256` is None where it leads to
    no readable file. Owner, time and extended attributes belong to the path itself; they are
    kept and restored, but a change of theirs alone is no drift.
    """

    sha256: str | None
    mode: int | None
    size: int
    link: str | None = None
    uid: int | None = field(default=None, compare=False)
    gid: int | None = field(default=None, compare=False)
    mtime_ns: int | None = field(default=None, compare=False)
    xattrs: tuple[tuple[str, bytes], ...] = field(default=(), compare=False)
    nlink: int = field(default=1, compare=False)

    @property
    def kind(self) -> Literal["absent", "file", "symlink"]:
        """What it is, in one word."""
        if self.link is not None:
            return "symlink"
        return "absent" if self.sha256 is None else "file"


ABSENT: Final = FileState(None, None, 0)


@dataclass(frozen=True)
class Change:
    """One path, before and after: a step as the journal keeps it."""

    path: Path
    before: FileState
    after: FileState
    reason: str

    def inverse(self, original: bytes | None, *, link_lives: bool = True) -> FileStep:
        """Return the step that leads from `after` back to `before`.

        `original` is the content that `before` names. Where a symbolic link no longer leads to
        that content (`link_lives` is false: the cache behind it was cleaned), a regular file
        with the same bytes takes its place.
        """
        restores = self.before
        if restores.link is not None and not link_lives and original is not None:
            restores = replace(restores, link=None)
        return FileStep(
            path=self.path,
            before=self.after,
            content=original if restores.kind == "file" else None,
            mode=restores.mode,
            reason=_opposite(self.reason),
            restores=restores,
        )


@dataclass(frozen=True)
class FileStep:
    """What is to become of one file: written whole, deleted, or made a symbolic link again.

    `before` is what the step was planned for: anything else at `path` is drift, and refused.
    `content` None deletes. `mode` None keeps the permissions of the file that is replaced.
    `restores` is set by `inverse` alone: a former state, with its owner, time, extended
    attributes and, for a symbolic link, its target.
    """

    path: Path
    before: FileState
    content: bytes | None
    mode: int | None
    reason: str
    restores: FileState | None = None

    def __post_init__(self) -> None:
        wanted = self.restores
        if wanted is not None and wanted.link is None and wanted.sha256 != _sha256(self.content):
            raise DoctorError(
                f"{self.path}: the content to restore is not the original (its sha256 is "
                f"{_sha256(self.content)}, not {wanted.sha256}); nothing was changed"
            )

    @cached_property
    def after(self) -> FileState:
        """What lies at `path` when the step is done."""
        if self.restores is not None:
            return self.restores
        if self.content is None:
            return ABSENT
        kept = NEW_FILE_MODE if self.before.mode is None else self.before.mode
        return FileState(
            sha256=_sha256(self.content),
            mode=kept if self.mode is None else self.mode,
            size=len(self.content),
            uid=self.before.uid,
            gid=self.before.gid,
            xattrs=self.before.xattrs,
        )

    @property
    def change(self) -> Change:
        """The step without its content, for the journal."""
        return Change(self.path, self.before, self.after, self.reason)

    def inverse(self, original: bytes | None, *, link_lives: bool = True) -> FileStep:
        """Return the step that takes this one back; see `Change.inverse`."""
        return self.change.inverse(original, link_lives=link_lives)


@dataclass(frozen=True)
class Plan:
    """Steps in order, at most one a path. Raises `DoctorError` where two name the same path."""

    steps: tuple[FileStep, ...]

    def __post_init__(self) -> None:
        seen: set[Path] = set()
        for step in self.steps:
            if step.path in seen:
                raise DoctorError(f"{step.path}: two steps change the same file; make them one")
            seen.add(step.path)

    def inverse(self, originals: Mapping[Path, bytes]) -> Plan:
        """Return the plan that takes this one back, last step first.

        `originals` holds the content of every file that was there before (the journal keeps
        it); raises `DoctorError` where one is missing or is not what `before` names.
        """
        return Plan(tuple(s.inverse(originals.get(s.path)) for s in reversed(self.steps)))


def _opposite(reason: str) -> str:
    undone = reason.removeprefix("undo: ")
    return f"undo: {reason}" if undone == reason else undone


def _sha256(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
