"""Poetry's dialect of constraints, in the words of PEP 440 and PEP 508.

The grammar is that of poetry's documentation ("Dependency specification") and of poetry-core's
`constraints/version/parser.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from packaging.version import Version

_OR: Final = re.compile(r"\s*\|\|?\s*")
_AND: Final = re.compile(r"(?<!^)(?<![\^~=>< ,]) *(?<!-)[, ](?!-) *(?!,|$)")
_ANY: Final = re.compile(r"v?[xX*](?:\.[xX*])*")
_CLAUSE: Final = re.compile(
    r"(?P<operator>\^|~=|~|!=|>=|<=|>|<|={1,3})?\s*(?P<version>[^\s*]+?)(?P<wild>(?:\.[xX*])+)?"
)
_GENERIC: Final = re.compile(r"(?P<operator>==|!=)?\s*(?P<word>[\w.-]+)", re.ASCII)
_COMPARED: Final = re.compile(r"(===|~=|==|!=|<=|>=|<|>)(.+)")
_LONGEST: Final = 1000
"""Characters of a constraint: blanks without end would take time without end."""


def alternatives(constraint: str) -> list[str]:
    """Return the specifiers of which one must hold: `^1.2 || ~2.0` has two.

    An empty specifier admits every version. Raises ValueError where it is no constraint.
    """
    return [_specifier(part) for part in _parts(constraint)]


def python(constraint: str) -> str:
    """Return the marker for a constraint on Python; empty where it always holds.

    Raises ValueError where it is no constraint.
    """
    parts = [_compared(specifier) for specifier in alternatives(constraint)]
    return either(parts)


def platform(constraint: str) -> str:
    """Return the marker for a `platform`, such as `linux` or `!=win32`.

    Raises ValueError where it is no constraint.
    """
    return either([_platform(part) for part in _parts(constraint)])


def either(markers: list[str]) -> str:
    """Return a marker that holds where one of several does; empty where it always holds."""
    told = list(dict.fromkeys(markers))
    if "" in told:
        return ""
    return " or ".join(told if len(told) == 1 else (f"({item})" for item in told))


def every(*markers: str) -> str:
    """Return a marker that holds where all of them do; empty ones always hold."""
    told = list(dict.fromkeys(item for item in markers if item))
    if len(told) < 2:
        return "".join(told)
    return " and ".join(f"({item})" if " or " in item else item for item in told)


def _parts(constraint: str) -> list[str]:
    if len(constraint) > _LONGEST:
        raise ValueError("no version constraint: too long")
    return _OR.split(constraint.strip())


def _specifier(text: str) -> str:
    clauses = (_clause(part.strip()) for part in _AND.split(text.rstrip(",").rstrip()))
    return ",".join(clause for clause in clauses if clause)


def _clause(text: str) -> str:
    from packaging.version import Version

    if _ANY.fullmatch(text):
        return ""
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise ValueError(f"no version constraint: {text[:60]!r}")
    operator = "==" if match["operator"] in {None, "="} else match["operator"]
    try:
        version, wild = Version(match["version"]), match["wild"]
    except ValueError as error:
        raise ValueError(f"no version constraint: {text[:60]!r}") from error
    if wild and ("~" in operator or "^" in operator or str(version) != version.base_version):
        raise ValueError(f"no version constraint: {text[:60]!r}")
    if operator in {"^", "~"} or (operator == "~=" and len(version.release) == 1):
        return f">={version},<{_above(version, operator)}"
    return f"{operator}{version}{'.*' if wild and operator in {'==', '!='} else ''}"


def _above(version: Version, operator: str) -> str:
    """Return the first version that a caret or a tilde shuts out."""
    numbers = list(version.release)
    if operator != "^":
        last = min(1, len(numbers) - 1)
    else:
        leading = [index for index, number in enumerate(numbers[:3]) if number]
        last = leading[0] if leading else min(2, len(numbers) - 1)
    bumped = [*numbers[:last], numbers[last] + 1]
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(str(number) for number in bumped)


def _compared(specifier: str) -> str:
    """Return a specifier as a marker about Python; empty where it always holds.

    A version of two numbers that is compared for being the same means every patch of it.
    """
    parts = []
    for clause in filter(None, specifier.split(",")):
        match = _COMPARED.fullmatch(clause)
        if match is None:  # pragma: no cover - the specifier is our own
            raise ValueError(clause)
        short = match[1] in {"==", "!="} and match[2].count(".") < 2
        variable = "python_version" if short else "python_full_version"
        parts.append(f"{variable} {match[1]} '{match[2]}'")
    return " and ".join(parts)


def _platform(text: str) -> str:
    match = _GENERIC.fullmatch(text)
    if match is None:
        raise ValueError(f"no platform: {text[:60]!r}")
    return f"sys_platform {match['operator'] or '=='} '{match['word']}'"
