"""Write the start-up files of one environment: rules in, file contents out, nothing touched.

The files stand alone: standard library only, Python 3.8 and later, no import of legacy_doctor,
which may be removed or live elsewhere. Their sources lie in `startup/`, with empty tables for
constants; a generated file is these sources with the tables filled in.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.errors import DoctorError
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.rules import SHIMS, STUBBED, Armed, Guard, Listed, Shim, Where

FORMAT: Final = 1
MARKER: Final = "# legacy-doctor start-up hook"
PARTS: Final = tuple(
    f"{BOOT.removesuffix('boot')}{part}.py" for part in ("datasets", "shims", "rt", "boot")
)
"""The modules of a hook, in the order in which they must be written; the first two it may lack."""

_SOURCES: Final = Path(__file__).parent / "startup"
_ADVICE: Final = (
    "# Off: LEGACY_DOCTOR_DISABLE=1. Remove: legacy-doctor hook remove (or delete this file)\n"
)
_BLOCK: Final = (
    "# >>> legacy-doctor start-up hook (remove: legacy-doctor hook remove)\n"
    "try:\n"
    f"    import {BOOT}\n"
    "except Exception:\n"
    "    pass\n"
    "# <<< legacy-doctor start-up hook\n"
)
# sysdeps/x86/include/cpu-features.h: where glibc's table keeps the answer of a CPUID leaf.
_PLACES: Final = {(1, 0): 0, (7, 0): 1, (0x80000001, 0): 2, (0xD, 1): 3, (7, 1): 6}
_REGISTERS: Final = ("eax", "ebx", "ecx", "edx")


class Via(str, Enum):
    """How the hook is reached when Python starts."""

    PTH = "pth"
    """A `.pth` file, or a `.start` file (PEP 829) from Python 3.15 on."""
    SITECUSTOMIZE = "sitecustomize"
    """A `sitecustomize` module in site-packages, for trees whose `.pth` files are not read."""
    PATH = "path"
    """A `sitecustomize` module in a folder of its own on PYTHONPATH, for one command."""


def files(
    armed: Armed, python: tuple[int, int], via: Via = Via.PTH, existing: bytes | None = None
) -> dict[str, bytes]:
    """Return the files, by name, in the order in which they must be written.

    The last one is what makes Python find the others: written last and removed first, the tree
    is sound at every moment. All lie in one folder. `existing` is the `sitecustomize.py` that
    is already in it, for `Via.SITECUSTOMIZE`.
    """
    texts = {f"{BOOT.removesuffix('boot')}{name}.py": text for name, text in _parts(armed).items()}
    identity = _identity(texts.values())
    made = {
        name: f"{MARKER} {FORMAT} {identity}\n{text}".replace('ID = ""', f'ID = "{identity}"', 1)
        for name, text in texts.items()
    }
    if via is not Via.PTH:
        made["sitecustomize.py"] = sitecustomize(existing, identity, keep=via is not Via.PATH)
    elif python >= (3, 15):
        made["_legacy_doctor.start"] = f"{MARKER} {FORMAT} {identity}\n{_ADVICE}{BOOT}:arm\n"
    else:
        made["_legacy_doctor.pth"] = f"{MARKER} {FORMAT} {identity}\n{_ADVICE}import {BOOT}\n"
    return {name: text.encode() for name, text in made.items()}


def identity_of(content: bytes) -> str | None:
    """Return the identity that a generated file carries, or None where it is not ours.

    All files of one hook carry the same; another version of the sources, or other rules, give
    another.
    """
    head = content[:200].decode("ascii", "replace").splitlines()[:1]
    found = re.fullmatch(rf"{re.escape(MARKER)} {FORMAT} ([0-9a-f]{{12}})", "".join(head))
    return None if found is None else found[1]


def is_ours(content: bytes) -> bool:
    """Tell whether a file was generated here, whatever became of the rest of it."""
    return content.startswith(f"{MARKER} ".encode())


def intact(contents: Mapping[str, bytes]) -> bool:
    """Tell whether these files are, to the byte, what some version of us once wrote together."""
    texts: list[str] = []
    found: set[str | None] = set()
    for name in PARTS:
        if name in contents:
            identity = identity_of(contents[name])
            found.add(identity)
            text = contents[name].decode("utf-8", "replace").partition("\n")[2]
            texts.append(text.replace(f'ID = "{identity}"', 'ID = ""', 1))
    return found == {_identity(texts)}


def sitecustomize(existing: bytes | None, identity: str, *, keep: bool = True) -> str:
    """Return a `sitecustomize.py` that arms the hook and then does what was done before.

    One of somebody else's in the same folder keeps its text and gets a block of ours; one that
    lies elsewhere on the path is run by ours. `keep` false takes our own folder off `sys.path`.
    """
    if existing is None or is_ours(existing):
        text = _source("sitecustomize")
        filled = text if keep else _filled(text, {"KEEP_PATH": False})
        return f"{MARKER} {FORMAT} {identity}\n{filled}"
    return with_block(without_block(existing))


def with_block(existing: bytes) -> str:
    """Put our block into somebody's module, behind its docstring and `__future__` imports."""
    try:
        text = existing.decode("utf-8")
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise DoctorError(
            "sitecustomize.py: it cannot be read as Python, so nothing is added to it "
            f"({error}); repair it, or install the hook as a .pth file"
        ) from error
    lines = text.splitlines(keepends=True)
    last = max((node.end_lineno or 0 for node in _leading(tree)), default=_comments(lines))
    head = "".join(lines[:last])
    if head and not head.endswith("\n"):
        head += "\n"
    return f"{head}{_BLOCK}{''.join(lines[last:])}"


def without_block(content: bytes) -> bytes:
    """Take our block out of somebody's module, wherever it is by now."""
    return content.replace(_BLOCK.encode(), b"")


def _leading(tree: ast.Module) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in tree.body:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        prose = not found and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not future and not prose:
            break
        found.append(node)
    return found


def _comments(lines: list[str]) -> int:
    """How many lines at the top may have to stay there: `#!` and the encoding."""
    return next((i for i, line in enumerate(lines[:2]) if not line.startswith("#")), len(lines[:2]))


def _parts(armed: Armed) -> dict[str, str]:
    """Return the text of each module, without its first line, what is needed first first."""
    tables = {
        "GUARDS": _guards(armed),
        "SHIMS": _shims(armed),
        "BITS": _bits(armed),
        "CPU": armed.cpu,
        "TARGET": armed.target,
        "PINSETS": armed.pinsets,
        "SKIPPED": armed.skipped,
    }
    made = {}
    for shim in armed.shims:
        if shim.stand_in:
            made["datasets"] = shim.stand_in
    if any(shim.id != "datasets-stub" for shim in armed.shims):
        made["shims"] = _source("shims")
    made["rt"] = "\n\n".join(
        (_filled(_source("finder"), tables), _source("cpu"), _source("versions"))
    )
    made["boot"] = _filled(_source("boot"), {"NAMES": dict.fromkeys(armed.modules)})
    return made


def _identity(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _source(name: str) -> str:
    text = (_SOURCES / f"{name}.py").read_text(encoding="utf-8")
    return re.sub(r"\A(# (mypy|ruff): .*\n)+", "", text)


def _filled(text: str, constants: Mapping[str, object]) -> str:
    """Put constants in the place of the empty ones of a source."""
    for name, value in constants.items():
        head, empty, tail = re.split(rf"^({name} = .*)$", text, maxsplit=1, flags=re.MULTILINE)
        text = f"{head}{empty.partition(' = ')[0]} = {value!a}{tail}"
    return text


def _guards(armed: Armed) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for guard in armed.guards:
        found[guard.module] = (*found.get(guard.module, ()), _guard(guard))
    return dict(sorted(found.items()))


def _guard(guard: Guard) -> tuple[object, ...]:
    words = (" ".join(text.split()) for text in (guard.remedy, guard.reason))
    return (guard.distribution, guard.broken, _where(guard.where), *words)


def _shims(armed: Armed) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for shim in sorted(armed.shims, key=lambda shim: list(SHIMS).index(shim.id)):
        found[shim.module] = (*found.get(shim.module, ()), _shim(shim))
    return dict(sorted(found.items()))


def _shim(shim: Shim) -> tuple[object, ...]:
    arguments: tuple[object, ...] = ()
    if shim.listed:
        arguments = (tuple(_listed(item) for item in shim.listed),)
    if shim.stand_in:
        arguments = (STUBBED,)
    where = tuple(_where(item) for item in shim.where)
    return (shim.id, SHIMS[shim.id][1], shim.versions, where, arguments)


def _listed(item: Listed) -> tuple[object, ...]:
    return (item.path, item.sha256, item.size)


def _where(where: Where) -> tuple[object, ...]:
    needs = features.ordered(_needs(where))
    when = where.when
    return (needs, *((when.vendor, when.cpuid_level_below) if when else (None, None)))


def _needs(where: Where) -> frozenset[str]:
    """Return the features that a condition asks for, a level by those that it is about.

    Every 64-bit CPU has those of the first level, and in a 32-bit process Intel's hide one.
    """
    base = features.cumulative("x86-64-v1")
    return features.expand(where.needs) - (base - where.needs)


def _bits(armed: Armed) -> dict[str, tuple[int, int, int, bool]]:
    """Say where glibc's table tells of each feature that a rule asks for."""
    conditions = [guard.where for guard in armed.guards]
    conditions += [where for shim in armed.shims for where in shim.where]
    wanted = frozenset().union(*(_needs(where) for where in conditions))
    return {
        name: (
            _PLACES[word.leaf, word.subleaf],
            _REGISTERS.index(word.register),
            bit,
            bool(features.state(name)),
        )
        for word, names in features.BITS.items()
        for bit, name in names.items()
        if name in wanted
    }
