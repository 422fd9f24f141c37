"""What one imports to load a distribution's native code, told by RECORD alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from keyword import iskeyword
from typing import Final

from packaging.utils import canonicalize_name

from legacy_doctor.model import Distribution, is_native

_NOT_FOR_USE: Final = frozenset(
    {
        *("benchmark", "benchmarks", "conftest", "doc", "docs", "example", "examples"),
        *("scripts", "setup", "test", "testing", "tests"),
    }
)
"""Top-level names that come along by mistake."""

_EXTENSION: Final = re.compile(r"([^.]+)(?:\.(?:cpython|pypy|graalpy|abi3)[^.]*)?\.so")
_NO_CODE: Final = (".dist-info", ".egg-info", ".data", ".libs")


def import_names(distribution: Distribution) -> tuple[str, ...]:
    """Return the packages and extension modules to import; empty where there is nothing.

    Those that carry native code, if any do: what is packed beside them often wants an extra
    that is not installed. Else the one of the distribution's own name, else all there are;
    plain modules where there is no package; private names and tests where nothing else is.
    Namespaces are entered (`google.protobuf`).
    """
    paths = [parts for item in distribution.files if _within(parts := item.path.split("/"))]
    native = _packages(paths)
    plain = {".".join([*parts[:-1], parts[-1][:-3]]) for parts in paths if parts[-1][-3:] == ".py"}
    for wanted, names in product((_public, _importable), (native, plain)):
        chosen = sorted(filter(wanted, names))
        if chosen:
            carriers = [name for name in chosen if native.get(name)]
            namesakes = [name for name in chosen if canonicalize_name(name) == distribution.name]
            return tuple(carriers or namesakes or chosen)
    return ()


def _within(parts: Sequence[str]) -> bool:
    """True for a file below the folder of the modules, in a place where modules lie."""
    return parts[0] not in {"", ".."} and not parts[0].endswith(_NO_CODE)


def _packages(paths: Iterable[Sequence[str]]) -> dict[str, bool]:
    """Return the outermost packages and the extension modules beside them: native or not."""
    paths = list(paths)
    folders = {tuple(parts[:-1]) for parts in paths if _module(parts[-1]) == "__init__"}
    found: dict[str, bool] = {}
    for parts in paths:
        depths = (depth for depth in range(1, len(parts)) if tuple(parts[:depth]) in folders)
        depth = next(depths, 0)
        extension = _extension(parts[-1])
        if depth:
            name = ".".join(parts[:depth])
            found[name] = found.get(name, False) or is_native(parts[-1])
        elif extension is not None:
            found[".".join([*parts[:-1], extension])] = True
    return found


def _module(file: str) -> str | None:
    return file[:-3] if file.endswith(".py") else _extension(file)


def _extension(file: str) -> str | None:
    """Return the module that the file is, or None for a library that others link to."""
    match = _EXTENSION.fullmatch(file)
    if match is None or (file.startswith("lib") and file == f"{match[1]}.so"):
        return None
    return match[1]


def _importable(name: str) -> bool:
    return all(part.isidentifier() and not iskeyword(part) for part in name.split("."))


def _public(name: str) -> bool:
    """Return whether users import it: `_x` they do not, nor what mypyc calls its own."""
    return _importable(name) and not any(
        part.startswith("_") or part.endswith("__mypyc") or part in _NOT_FOR_USE
        for part in name.split(".")
    )
