"""Patients and knowledge in one line each: what a test does not name is plain and healthy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Alternative,
    Cpu,
    Distribution,
    Evidence,
    Grade,
    Interpreter,
    Knowledge,
    Patient,
    Pin,
    PinSet,
    RecordedFile,
    Severity,
)

SITE = Path("/venv/lib/python3.11/site-packages")
SOURCE = "example/project#1"
LABEL = "below-v2@2026-11-20"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def cpu(having: str = "", *, lacking: str = "", level: str = "x86-64-v2", **changes: Any) -> Cpu:
    """A CPU of a level, with some features more and some less."""
    has = features.cumulative(level) - words(lacking) | words(having)
    facts: dict[str, Any] = {
        "vendor": "GenuineIntel",
        "brand": "Example CPU",
        "family": 6,
        "model": 15,
        "stepping": 1,
        "features": has,
        "level": features.level_of(has),
        "source": "cpuid",
        "cpuid_level": 10,
    }
    return Cpu(**{**facts, **changes})


PHENOM = cpu(
    "sse4a abm",
    lacking="ssse3 sse4_1 sse4_2",
    vendor="AuthenticAMD",
    brand="AMD Phenom(tm) II X4 955 Processor",
    family=16,
    model=4,
    stepping=3,
    cpuid_level=5,
)
"""Lacks SSSE3, SSE4.1 and SSE4.2; the highest basic CPUID leaf is 5."""
NEHALEM = cpu(brand="Nehalem", cpuid_level=11)
"""All of x86-64-v2 and nothing of v3."""
HASWELL = cpu(level="x86-64-v3", brand="Haswell", cpuid_level=13)
NEW = cpu(level="x86-64-v4", brand="New", cpuid_level=22)
"""Lacks nothing of any level."""


def interpreter(**changes: Any) -> Interpreter:
    facts: dict[str, Any] = {
        "executable": Path("/venv/bin/python"),
        "prefix": Path("/venv"),
        "version": (3, 11, 7),
        "implementation": "cpython",
        "platform": "linux-x86_64",
        "chosen_by": "--python",
        "site_packages": (SITE,),
        "machine": "x86_64",
        "libc": "glibc 2.36",
    }
    return Interpreter(**{**facts, **changes})


def dist(name: str, version: str = "1.0", *requires: str, **changes: Any) -> Distribution:
    facts: dict[str, Any] = {
        "name": name,
        "version": version,
        "root": SITE,
        "info": SITE / f"{name}-{version}.dist-info",
        "requires": requires,
        "tags": ("py3-none-any",),
        "installer": "pip",
    }
    return Distribution(**{**facts, **changes})


def files(*paths: str, sha256: str | None = None) -> tuple[RecordedFile, ...]:
    """Recorded files, each with a hash of its own where none is given."""
    return tuple(
        RecordedFile(path, sha256 or f"hash{index}-of-somebody", 1)
        for index, path in enumerate(paths)
    )


def evidence(grade: str = "emulated", source: str = SOURCE, detail: str = "") -> Evidence:
    return Evidence(grade=Grade(grade), source=source, detail=detail)


def pin(
    name: str,
    broken: str | None = None,
    good: str | None = None,
    *,
    needs: str = "",
    grade: str = "emulated",
    **changes: Any,
) -> Pin:
    facts: dict[str, Any] = {
        "distribution": name,
        "broken": broken,
        "good": good,
        "needs": words(needs),
        "symptom": "" if broken is None else "SIGILL",
        "evidence": (evidence(grade),),
        "pinset": LABEL,
    }
    if "severity" in changes:
        changes["severity"] = Severity(changes["severity"])
    return Pin(**{**facts, **changes})


def alternative(requirement: str, needs: str = "", **changes: Any) -> Alternative:
    return Alternative(requirement=requirement, needs=words(needs), **changes)


def pinset(*pins: Pin, lacks: str = "ssse3 sse4_1 sse4_2", **changes: Any) -> PinSet:
    facts: dict[str, Any] = {
        "id": "below-v2",
        "version": "2026-11-20",
        "title": "CPUs below x86-64-v2",
        "lacks": words(lacks),
        "origin": Path("below-v2.toml"),
        "pins": pins,
    }
    return PinSet(**{**facts, **changes})


def knowing(*pins: Pin, **changes: Any) -> Knowledge:
    """Knowledge of one pin-set that applies to a Phenom."""
    return Knowledge(pinsets=(pinset(*pins, **changes),))


def patient(*installed: Distribution, on: Cpu = PHENOM, **changes: Any) -> Patient:
    facts: dict[str, Any] = {"cpu": on, "interpreter": interpreter(), "distributions": installed}
    return Patient(**{**facts, **changes})


def names(items: Sequence[Any]) -> list[str]:
    return [item.subject for item in items]
