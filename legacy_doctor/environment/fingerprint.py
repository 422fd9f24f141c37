"""What an import of a distribution depends on, as data: changed data, changed result."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from legacy_doctor.model import AlteredFile, Distribution

_HEAD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STARTUP: Final = (".pth", ".start")
"""Files by whose presence alone code runs at start-up."""


class Fingerprints:
    """Fingerprints of the distributions of one environment.

    `soft` names what a distribution imports without a requirement (pandas: pyarrow).
    """

    def __init__(
        self,
        distributions: Iterable[Distribution],
        altered: Iterable[AlteredFile] = (),
        folders: Iterable[Path] = (),
        soft: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._installed = {item.name: item for item in distributions}
        self._altered = tuple(altered)
        self._folders = tuple(folders)
        self._soft = {name: tuple(imports) for name, imports in (soft or {}).items()}
        self._records: dict[str, str] = {}

    def of(self, *names: str) -> dict[str, object]:
        """Return what decides the import of these distributions, ready for JSON.

        The RECORD hashes of them and of all that they may import, files that differ from RECORD,
        and what runs at every start of the interpreter.
        """
        closure = sorted(self._closure(names))
        return {
            "records": {item: self._record(item) for item in closure},
            "altered": sorted(
                _stamp(item.path) for item in self._altered if item.distribution in closure
            ),
            "startup": self._startup,
        }

    def weight(self, *names: str) -> int:
        """Return how many files these and all that they may import have: more take longer."""
        return sum(len(self._installed[item].files) for item in self._closure(names))

    def _closure(self, names: Iterable[str]) -> set[str]:
        """Return these and what they require, extras and markers not weighed: too much is safe."""
        found: set[str] = set()
        queue = [*names]
        while queue:
            current = queue.pop()
            if current in self._installed and current not in found:
                found.add(current)
                queue += self._imports(current)
        return found

    def _imports(self, name: str) -> Iterator[str]:
        for text in self._installed[name].requires:
            head = _HEAD.match(text)
            if head:
                yield canonicalize_name(head[0])
        yield from self._soft.get(name, ())

    def _record(self, name: str) -> str:
        if name not in self._records:
            distribution = self._installed[name]
            try:
                digest = hashlib.sha256((distribution.info / "RECORD").read_bytes()).hexdigest()
            except OSError:  # an egg, a system package: its version is all there is
                digest = distribution.version
            self._records[name] = digest
        return self._records[name]

    @cached_property
    def _startup(self) -> list[str]:
        stamps = []
        for folder in self._folders:
            try:
                names = sorted(entry.name for entry in os.scandir(folder))
            except OSError:
                continue
            stamps += [
                _stamp(folder / name)
                for name in names
                if name.endswith(_STARTUP) or name in {"sitecustomize.py", "usercustomize.py"}
            ]
        return stamps


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path} -"
    return f"{path} {status.st_size} {status.st_mtime_ns}"
