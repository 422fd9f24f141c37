"""Which distribution a file belongs to, by RECORD."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from legacy_doctor.model import Distribution


class Owner(NamedTuple):
    """A distribution and the file as its RECORD has it."""

    distribution: str
    path: str


class Owners:
    """Answers for every file of the environment; called with an absolute path.

    A process maps the file that a link leads to: with uv's symlinks that is one in a shared
    cache. So files are compared by what they are (device and inode), not by their names.
    """

    def __init__(self, distributions: Iterable[Distribution]) -> None:
        self._distributions = tuple(distributions)

    def __call__(self, path: str) -> Owner | None:
        """Return who owns the file, or None where no RECORD speaks of it."""
        for distribution, recorded in self._by_name.get(path.rpartition("/")[2], ()):
            if _same(os.path.join(distribution.root, recorded), path):
                return Owner(distribution.name, recorded)
        return self._neighbour(path)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Distribution, str]]]:
        names: dict[str, list[tuple[Distribution, str]]] = {}
        for distribution in self._distributions:
            for item in distribution.files:
                name = item.path.rpartition("/")[2]
                names.setdefault(name, []).append((distribution, item.path))
        return names

    def _neighbour(self, path: str) -> Owner | None:
        """A file that no RECORD has belongs to whoever alone has files in its top folder."""
        for root in self._roots:
            if path.startswith(f"{root}/"):
                inner = path[len(root) + 1 :]
                owners = self._by_folder.get((root, inner.partition("/")[0]), set())
                if "/" in inner and len(owners) == 1:
                    return Owner(next(iter(owners)), inner)
        return None

    @cached_property
    def _roots(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(item.root) for item in self._distributions))

    @cached_property
    def _by_folder(self) -> dict[tuple[str, str], set[str]]:
        folders: dict[tuple[str, str], set[str]] = {}
        for distribution in self._distributions:
            for item in distribution.files:
                top, slash, _ = item.path.partition("/")
                if slash:
                    folders.setdefault((str(distribution.root), top), set()).add(distribution.name)
        return folders


def _same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # gone, not to be looked at, or no name of a file at all
        return os.path.abspath(one) == os.path.abspath(other)
