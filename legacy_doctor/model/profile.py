"""Projects: what they need, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Evidence, Grade
    from legacy_doctor.model.machine import Cpu
    from legacy_doctor.model.probing import Outcome, Probe


class Tier(str, Enum):
    """The four kinds of machine that a profile tells apart, oldest first."""

    BELOW_V2 = "below-v2"
    V2_NO_AVX = "v2-no-avx"
    AVX_NO_AVX2 = "avx-no-avx2"
    V3 = "v3"


class Fitness(str, Enum):
    """What is to be expected of a project on a kind of machine."""

    RUNS = "runs"
    TREATED = "runs-treated"
    """It runs once the pins and patches of its profile are in place."""
    FAILS = "fails"
    UNKNOWN = "unknown"


class RiskyImport(NamedTuple):
    """One import of a project that may fail for the CPU's sake."""

    module: str
    distribution: str
    via: str
    """The file of the project that imports it."""
    risk: str
    lazy: bool = False
    """Imported only when something asks for it."""


class PatchUse(NamedTuple):
    """A patch that a project needs, by its id: what it does is said with the patch."""

    id: str
    need: str
    """`required`, `instead` (of a required one) or `optional`."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileStatus:
    """What is to be expected on one kind of machine."""

    tier: Tier
    fitness: Fitness
    text: str
    evidence: tuple[Evidence, ...]
    lacks: frozenset[str] = frozenset()
    """It is about CPUs that miss any of these only; empty for the whole tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamIssue:
    """A defect of the project that looks like trouble with the CPU, and is none."""

    ref: str
    text: str
    cure: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counsel:
    """One piece of advice, by a key that is unique among the profiles."""

    key: str
    about: str
    """`install`, `gpu`, `training`, `data`, `listening`, `settings`, `choice` or `trouble`."""
    text: str
    evidence: tuple[Evidence, ...]
    commands: tuple[str, ...] = ()
    first: bool = False
    """Weighty enough for the one screen of `check`."""
    tiers: tuple[Tier, ...] = ()
    """Where it matters; empty is everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """The probe of a project as a whole: no network, no weights."""

    kind: str
    """`tiny-model`: built with small random weights. `first-use`: its parts, used once.
    `import-chain`: the imports alone."""
    probe: Probe
    covers: tuple[str, ...]
    leaves_out: tuple[str, ...]


class BuildFlag(NamedTuple):
    """A switch of a project's own build, and what a CPU needs for it to be on."""

    name: str
    needs: frozenset[str]
    default: bool
    """What it is where the build is not for the machine that it runs on."""


class Trial(NamedTuple):
    """A way to start a program so that its kernels run without a model."""

    program: str
    words: tuple[str, ...]
    endless: bool = False
    """It would run for long: that it has to be stopped is as good as an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """How a project without Python is built for a CPU, and how it tells what it was built for."""

    native_switch: str
    """The switch that turns off building for the machine at hand."""
    flags: tuple[BuildFlag, ...]
    told_as: Mapping[str, frozenset[str]]
    """The names of its `system_info` line, and the features that they stand for."""
    programs: tuple[str, ...]
    """Names of its programs, the most telling first."""
    trials: tuple[Trial, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known about one project: its imports, its prospects, its advice.

    Pins, patches and settings are named, never repeated: the pin-sets state them.
    """

    id: str
    version: str
    title: str
    project: str
    """`owner/name` of its repository."""
    read: str
    """Which revision was read."""
    distributions: tuple[str, ...]
    """Any of these installed, or asked for, is the project; none where it has no Python."""
    needs: tuple[str, ...]
    """Distributions that it imports, whatever its metadata say."""
    python: str
    """Versions of Python that it can be installed into (PEP 440); empty is any."""
    checkout: bool
    """It is used from a checkout: no distribution of its own has to be installed."""
    marks: tuple[str, ...]
    """Files by which a checkout of it is recognised: all of them are there."""
    imports: tuple[RiskyImport, ...]
    pins: tuple[str, ...]
    """Distributions whose pins concern it."""
    patches: tuple[PatchUse, ...]
    status: tuple[ProfileStatus, ...]
    issues: tuple[UpstreamIssue, ...]
    counsel: tuple[Counsel, ...]
    notes: str = ""
    tuning: str = ""
    """The program of `legacy-doctor tune` that sets it up."""
    smoke: Smoke | None = None
    native: Native | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRun:
    """What came of one smoke probe on one CPU: written by the benchmark, never by hand."""

    profile: str
    cpu: str
    tier: Tier
    day: str
    treated: bool
    """With the pins and patches of the profile in place."""
    fitness: Fitness
    outcome: str
    """An `Outcome`, or `not-installable`."""
    detail: str
    python: str
    emulator: str
    lacks: frozenset[str] = frozenset()
    """What the CPU lacks of x86-64-v3."""
    versions: tuple[str, ...] = ()
    """`torch 2.13.0` and the like."""


class Keep(NamedTuple):
    """One distribution of a profile on a CPU: which versions may be there, and why."""

    name: str
    requirement: str | None
    """`numpy<2.4`; None where no version is known to run."""
    reason: str
    grade: Grade
    installed: str | None
    treated_by: str = ""
    """The required patch with which even a broken version runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A profile on one CPU and one environment: all that a formatter may see of it."""

    profile: Profile
    tier: Tier
    status: ProfileStatus
    runs: tuple[ProfileRun, ...]
    """What was run on this kind of machine."""
    keep: tuple[Keep, ...]
    patches: tuple[PatchUse, ...]
    """Those that are for this CPU."""
    counsel: tuple[Counsel, ...]
    """Advice for this kind of machine."""
    missing: tuple[str, ...]
    """Distributions of the profile that are not installed."""


class Sighting(NamedTuple):
    """A profile that an environment or a checkout matches, and by what."""

    profile: str
    certain: bool
    """By its own name or its files; else by what it needs only."""
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCheck:
    """Whether a program without Python runs on a CPU, and how it is built for it."""

    profile: str
    path: Path
    program: Path | None
    """What was started; None where a folder holds none that the profile knows."""
    cpu: Cpu
    declared: tuple[tuple[str, str], ...]
    """Files whose ELF note asks for a level, and the level."""
    switched: Mapping[str, bool]
    """Switches of its build, where its CMakeCache.txt is there."""
    told: frozenset[str]
    """Features that its own `system_info` line says it was built for."""
    info: str
    """That line, as far as it was printed."""
    how: str
    """Where it was run: `on this CPU` or the emulator; empty where it was not."""
    outcome: Outcome
    detail: str
    missing: frozenset[str]
    """What it needs, by any of these witnesses, and the CPU lacks."""
    build: tuple[str, ...]
    """Commands that build it for this CPU."""

    @property
    def runs(self) -> bool:
        """True where nothing speaks against it."""
        return not self.missing and not self.outcome.died
