"""One root error: whoever catches `DoctorError` has caught all that we raise on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterable


class DoctorError(Exception):
    """A bad input, told in one line: what is wrong, where, and what to do.

    The command line prints the message after `error:` and exits with 2.
    """


class UnsupportedCpuError(DoctorError):
    """There is no x86 CPUID to judge by: another architecture, or nothing that would tell."""


class UnknownCpuError(DoctorError):
    """A CPU name that the table of models does not hold."""


class TargetError(DoctorError):
    """The interpreter or virtual environment to examine is missing, broken or too old."""


class DataError(DoctorError):
    """A pin-set or configuration file that cannot be read or does not say what it must.

    The message starts with the file and the path of the key (`pins[3].needs[0]`).
    """


class UnknownNameError(DoctorError):
    """A rule, pin-set or distribution that nobody knows by that name."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or nothing."""
    import difflib  # loaded for those who mistype

    lowered = {name.lower(): name for name in known}
    bare = {re.sub(r"[\W_]", "", name): name for name in lowered}
    same = bare.get(re.sub(r"[\W_]", "", word.lower()))
    near = [same] if same else difflib.get_close_matches(word.lower(), lowered, n=3, cutoff=0.6)
    if not near:
        return ""
    names = " or ".join(repr(lowered[name]) for name in near)
    return f"; did you mean {names}?"
