"""Environment markers (PEP 508) of requirements that nobody has installed yet.

The target is CPython on Linux x86-64; which version of it is open, so all are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from packaging.markers import Marker

_PYTHONS: Final = tuple(f"3.{minor}" for minor in range(7, 16))
_FIXED: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
_OPEN: Final = ("platform_release", "platform_version")
"""Nobody knows the kernel."""
_EXTRA: Final = re.compile(r"""extra\s*[=!]=\s*['"]([^'"]+)['"]""")

Environment = Mapping[str, str]


def environments(*markers: str) -> Iterator[Environment]:
    """Yield every environment that matters to these markers: Python versions, with each extra."""
    extras = {"", *(extra for text in markers for extra in _EXTRA.findall(text))}
    # A marker on the last number is rare: the first release of a line and a late one will do.
    exact = any("_full_version" in text or "implementation_v" in text for text in markers)
    for python, last in product(_PYTHONS, ("99", "0") if exact else ("99",)):
        for extra in sorted(extras):
            yield {
                **_FIXED,
                "python_version": python,
                "python_full_version": f"{python}.{last}",
                "implementation_version": f"{python}.{last}",
                "extra": extra,
            }


def holds(marker: str, environment: Environment) -> bool:
    """True where the marker holds, and where it cannot be understood: better told than missed."""
    if not marker:
        return True
    parsed = _parsed(marker)
    if parsed is None or any(name in marker for name in _OPEN):
        return True
    try:
        return bool(parsed.evaluate(dict(environment)))
    except (ValueError, KeyError):  # compares what has no order, asks for what no Linux has
        return True


@lru_cache(maxsize=1024)
def possible(marker: str) -> bool:
    """True where the marker can hold on some CPython on Linux x86-64."""
    return not marker or any(holds(marker, each) for each in environments(marker))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Marker | None:
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(text)
    except InvalidMarker:
        return None
