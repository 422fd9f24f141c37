"""What an environment holds against what a pin foresees: the effect of a patch.

That it holds it is read from its files; that it helps is proven by a probe, like all else.
"""

from __future__ import annotations

from typing import NamedTuple

from legacy_doctor.knowledge import patches
from legacy_doctor.knowledge.patches import Kind, Patch
from legacy_doctor.model import Distribution, Patient, Pin


class Treatment(NamedTuple):
    """A patch in force."""

    patch: Patch
    how: str
    """Where it is seen, in a clause."""


def against(pin: Pin, distribution: Distribution, patient: Patient) -> Treatment | None:
    """Return the first of the pin's patches that is in force for this distribution.

    Raises `UnknownNameError` where the pin names a patch that is not shipped.
    """
    named = map(patches.find, pin.treated_by)
    return next(filter(None, (_in_force(item, distribution, patient) for item in named)), None)


def _in_force(patch: Patch, distribution: Distribution, patient: Patient) -> Treatment | None:
    if patch.distribution != distribution.name:
        return None
    if patch.kind is Kind.HOOK:  # which may be armed for more versions than is recommended
        versions = patient.armed.get(patch.shim)
        armed = versions is not None and patches.admits(versions, distribution.version)
        return Treatment(patch, "the import-time hook is armed") if armed else None
    if not patch.claims(distribution.version):
        return None
    if patch.provides is not None:
        there = patient.get(patch.provides.name)
        if there is None:
            return None
        return Treatment(patch, f"{there.name} {there.version} is installed")
    for item in patient.altered:
        if item.distribution == distribution.name and patch.id in item.patches:
            return Treatment(patch, f"{item.path.parent.name}/{item.path.name} is patched")
    return None
