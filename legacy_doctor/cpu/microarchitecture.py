"""Name the microarchitecture as archspec does, by inclusion of features.

Loaded only by those who print it: archspec reads 4,600 lines of JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from legacy_doctor.cpu import features
from legacy_doctor.model import Cpu


def name(cpu: Cpu) -> str | None:
    """Return archspec's name (`k10`, `nehalem`, `x86_64_v2`), or None where it has none.

    By inclusion of features and vendor, never by family or brand: a virtual CPU with a Zen's
    name and no AVX2 is called by what it can do. Only instruction sets count (`features.KNOWN`):
    archspec also lists what no program executes, such as `npt`. It knows no Penryn (`core2`
    answers) and no Atom.
    """
    from archspec.cpu import TARGETS

    root = TARGETS["x86_64"]
    fitting = [
        target
        for target in TARGETS.values()
        if (target == root or root in target.ancestors)
        and target.vendor in {cpu.vendor, "generic"}
        and _instructions(target.features) <= cpu.features
    ]
    generic = max((t for t in fitting if t.vendor == "generic"), key=_depth, default=None)
    if generic is None:
        return None
    return str(max((t for t in fitting if t > generic), key=_depth, default=generic).name)


def _instructions(names: Iterable[str]) -> set[str]:
    """Return archspec's feature names as Linux has them, the instruction sets only."""
    return {features.ALIASES.get(name, name) for name in names} & features.KNOWN


def _depth(target: object) -> tuple[int, int]:
    return len(target.ancestors), len(target.features)  # type: ignore[attr-defined]


def named(cpu: Cpu) -> Cpu:
    """Return the CPU with its microarchitecture filled in, where it was not."""
    if cpu.microarchitecture is not None:
        return cpu
    return dataclasses.replace(cpu, microarchitecture=name(cpu))
