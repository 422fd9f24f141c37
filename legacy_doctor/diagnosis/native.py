"""What a native program says of itself, and how it is built for a CPU: texts in, facts out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from legacy_doctor.model import Cpu, Native

_CACHED: Final = re.compile(r"^(\w+):BOOL=(\w+)$", re.MULTILINE)
_ON: Final = frozenset({"ON", "TRUE", "YES", "1", "Y"})
"""What CMake takes for true (its manual, `if`)."""
_TOLD: Final = re.compile(r"\b([A-Z][A-Z0-9_]*) = ([01])\b")
_INFO: Final = re.compile(r"^.*\b[A-Z][A-Z0-9_]* = [01]\b.*$", re.MULTILINE)


def cached(native: Native, text: str) -> dict[str, bool]:
    """Return the switches that a CMakeCache.txt holds, the one for the machine itself first."""
    found = {name: value.upper() in _ON for name, value in _CACHED.findall(text)}
    names = (native.native_switch, *(flag.name for flag in native.flags))
    return {name: found[name] for name in names if name in found}


def info_line(text: str) -> str:
    """Return the line in which a program tells what it was built for; empty where there is none."""
    found = _INFO.search(text)
    return found[0].strip() if found else ""


def told(native: Native, line: str) -> frozenset[str]:
    """Return the features that the line says it was built for."""
    words = [name for name, value in _TOLD.findall(line) if value == "1"]
    return frozenset().union(*(native.told_as.get(word, frozenset()) for word in words))


def switched_on(native: Native, switches: Mapping[str, bool]) -> frozenset[str]:
    """Return the features that the switches of a build ask for.

    With the switch for the machine itself on, the others say nothing: the compiler asked the CPU.
    """
    if switches.get(native.native_switch, False):
        return frozenset()
    on = (flag.needs for flag in native.flags if switches.get(flag.name, False))
    return frozenset().union(*on)


def built_for(native: Native, cpu: Cpu) -> tuple[str, ...]:
    """Return the commands that build the project for the CPU, on whatever machine.

    Every switch that is on by default is said, on or off: what is not said is not remembered.
    """
    words = [f"-D{native.native_switch}=OFF"]
    words += [
        f"-D{flag.name}={'OFF' if cpu.missing(flag.needs) else 'ON'}"
        for flag in native.flags
        if flag.default
    ]
    return (f"cmake -B build {' '.join(words)}", "cmake --build build -j")


def lacking(cpu: Cpu, witnesses: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return what any of the witnesses asks for and the CPU lacks."""
    return cpu.missing(frozenset().union(*witnesses))
