"""Threads and variables for computing on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from legacy_doctor.model.belief import Severity

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Evidence
    from legacy_doctor.model.machine import Cpu
    from legacy_doctor.model.topology import Topology


class Work(str, Enum):
    """What a program mostly computes, as far as the number of threads is concerned."""

    DENSE = "dense"
    """Large products; threads rarely wait for each other."""
    AUTOREGRESSIVE = "autoregressive"
    """Small steps one after another, with a barrier after each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A number of threads that may be right here, and why."""

    id: str
    """`physical`, `performance`, `node`, or `measured`."""
    title: str
    threads: int
    reason: str
    cpus: tuple[int, ...] = ()
    """CPUs to keep the threads on; empty where the system may choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One setting: a variable, or what is written in a program or on its command line."""

    name: str
    value: str | None
    """None: leave it unset."""
    reason: str
    engine: str = ""
    """The library of a call or an option; empty for a variable."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something to know beside the settings: a limit of the CPU, a wrong claim, a bad value."""

    severity: Severity
    subject: str
    text: str
    evidence: tuple[Evidence, ...] = ()


class Contender(NamedTuple):
    """What a load was timed with."""

    label: str
    threads: int | None
    """None: whatever the library takes by itself."""
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one contender took, round by round."""

    contender: Contender
    threads: int | None
    """Threads that the library said it used."""
    seconds: Mapping[str, tuple[float, ...]]
    """By the part of the load; one number a round."""
    speed: float
    """Median over the rounds of how much faster it was than the baseline: 1.0 is the same."""
    noise: float
    """By how much of itself `speed` may be off by chance; the tune room says how it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A load timed with several numbers of threads, and what follows from it."""

    library: str
    """`numpy 2.3.5`."""
    rounds: int
    baseline: str
    """The label of the contender that the rules advise."""
    best: str
    kept: bool
    """True where the best beat the baseline by more than the noise."""
    timings: tuple[Timing, ...]

    def timing(self, label: str) -> Timing:
        """Return the timing of a contender."""
        return next(item for item in self.timings if item.contender.label == label)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """A file of variables as it is edited: planned, or written."""

    path: Path
    diff: str
    """Unified; empty where nothing was to change."""
    written: bool
    changed: tuple[tuple[str, str, str], ...] = ()
    """Name, old and new value of what the user had set otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How to set up a CPU-only program here: all that a formatter may see."""

    cpu: Cpu
    what_if: bool
    """The CPU was named; the cores are still those of this machine."""
    topology: Topology
    profile: str
    title: str
    work: Work
    choices: tuple[Choice, ...]
    """The advised one first."""
    settings: tuple[Advice, ...]
    remarks: tuple[Remark, ...] = ()
    starts: tuple[str, ...] = ()
    """Commands that start the program with these settings."""
    measurement: Measurement | None = None
    env_file: EnvFile | None = None

    @property
    def failed(self) -> bool:
        """True where a setting of the user's cannot work: the exit code is then 1."""
        return any(item.severity is Severity.ERROR for item in self.remarks)
