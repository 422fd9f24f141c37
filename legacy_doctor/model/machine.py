"""CPUs, and what keeps their features from programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class HiddenBy(str, Enum):
    """Who keeps a feature from programs; each has its own remedy."""

    CPU = "cpu"
    HYPERVISOR = "hypervisor"
    KERNEL = "kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A feature that one witness has and another lacks."""

    feature: str
    reason: HiddenBy
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One source of CPU facts, and what came of asking it.

    `features` is None where the witness could not be heard; `note` then says why.
    """

    name: str
    features: frozenset[str] | None
    note: str = ""
    extra: frozenset[str] = frozenset()
    """Weighty features that it has and the believed witness lacks."""
    lacking: frozenset[str] = frozenset()
    """Weighty features that the believed witness has and it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """What programs may execute here, or on the named model. Never judged by its name."""

    vendor: str
    brand: str
    family: int
    model: int
    stepping: int
    features: frozenset[str]
    level: str
    """`x86-64-v1` ... `x86-64-v4` (psABI), or `below x86-64-v1`."""
    source: str
    """`cpuid`, `glibc`, `ld.so`, `kernel`, `py-cpuinfo`, or `model:<name>`."""
    cpuid_level: int | None = None
    """Highest basic CPUID leaf; None where no witness tells."""
    microarchitecture: str | None = None
    hypervisor: str | None = None
    hidden: tuple[Hidden, ...] = ()
    witnesses: tuple[Witness, ...] = ()

    def missing(self, needed: frozenset[str]) -> frozenset[str]:
        """Return what this CPU lacks of the needed features. The only comparison there is."""
        return needed - self.features
