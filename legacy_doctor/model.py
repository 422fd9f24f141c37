"""The words of the house: frozen values that every room passes on and none changes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple


class Severity(str, Enum):
    """How bad a finding is; `check` exits with 1 from `--fail-on` upwards."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Grade(str, Enum):
    """How well a statement is known, strongest first."""

    SILICON = "silicon"
    EMULATED = "emulated"
    MAINTAINER = "maintainer"
    REPORTED = "reported"
    INFERRED = "inferred"

    @property
    def strength(self) -> int:
        """Higher is stronger."""
        return len(Grade) - list(Grade).index(self)


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


class Core(NamedTuple):
    """A physical core, and those of its logical CPUs that this process may use."""

    cpus: tuple[int, ...]
    package: int = 0
    """The socket."""
    node: int = 0
    """The NUMA node: where its memory is near."""
    kind: str = ""
    """`performance` or `efficient` in a hybrid CPU; empty where all cores are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What a process here may compute on: cores, limits, memory. What is unknown is None."""

    online: tuple[int, ...]
    allowed: tuple[int, ...]
    """The affinity mask, narrowed by cpusets already."""
    cores: tuple[Core, ...]
    """Those with a CPU in `allowed`."""
    kinds_from: str = ""
    """Which source told the kinds of a hybrid CPU's cores."""
    quota: float | None = None
    """CPUs that the smallest quota of the cgroup and its ancestors is worth."""
    quota_from: str = ""
    memory: int | None = None
    """Bytes of the machine."""
    available: int | None = None
    """Bytes that can still be had, under the cgroup's limit."""
    memory_limit: int | None = None
    memory_limit_from: str = ""
    load: float | None = None
    """Processes that ran or waited to run, averaged over the last minute."""
    notes: tuple[str, ...] = ()
    """What could not be read, and what was taken instead."""

    def of_kind(self, kind: str) -> tuple[Core, ...]:
        """Return the cores of one kind."""
        return tuple(core for core in self.cores if core.kind == kind)

    @property
    def hybrid(self) -> bool:
        """True where there are cores of both kinds."""
        return bool(self.of_kind("performance") and self.of_kind("efficient"))

    @property
    def packages(self) -> tuple[int, ...]:
        """The sockets."""
        return tuple(sorted({core.package for core in self.cores}))

    @property
    def nodes(self) -> tuple[int, ...]:
        """The NUMA nodes."""
        return tuple(sorted({core.node for core in self.cores}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python whose environment is examined, as told by itself without its site-packages."""

    executable: Path
    prefix: Path
    version: tuple[int, int, int]
    implementation: str
    platform: str
    """`sysconfig.get_platform()`, e.g. `linux-x86_64`."""
    chosen_by: str
    """Why this one: `--python`, `$VIRTUAL_ENV`, `./.venv` or `running interpreter`."""
    site_packages: tuple[Path, ...]
    machine: str = ""
    libc: str = ""
    march: str | None = None
    """`-march=` that the interpreter itself was compiled with, where it says so."""
    death: str | None = None
    """How it ended when it was asked; None when it answered. Paths are then read from disk."""

    @property
    def dotted(self) -> str:
        """`3.11.7`; `3.11` where only the folder name told."""
        parts = self.version if self.version[2] >= 0 else self.version[:2]
        return ".".join(str(part) for part in parts)


class RecordedFile(NamedTuple):
    """One line of RECORD: path relative to `Distribution.root`, sha256 (urlsafe base64), size.

    A tuple and no dataclass: an environment has tens of thousands of them.
    """

    path: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution as its dist-info tells it."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    root: Path
    """The folder RECORD's paths are relative to."""
    info: Path
    requires: tuple[str, ...] = ()
    files: tuple[RecordedFile, ...] = ()
    tags: tuple[str, ...] = ()
    installer: str = ""

    @property
    def native(self) -> bool:
        """True where it was built for a platform; without wheel tags, where its files say so."""
        if self.tags:
            return not all(tag.endswith("-any") for tag in self.tags)
        return any(is_native(item.path) for item in self.files)


def canonical(name: str) -> str:
    """Return a distribution's name as names are compared (PEP 503).

    `packaging.utils` does the same and loads more than a small command does in all.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def is_native(path: str) -> bool:
    """Tell extension modules and bundled libraries by their file names."""
    return path.endswith((".so", ".pyd", ".dll", ".dylib")) or ".so." in path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenMetadata:
    """A dist-info that could not be read: what could not be looked at is a fact too."""

    path: Path
    problem: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlteredFile:
    """An installed file that is not what RECORD says."""

    distribution: str
    path: Path
    problem: str
    backup: Path | None = None
    """An `.orig` (or the like) beside it: somebody edited by hand and kept the original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredIsa:
    """A native file whose ELF note (`GNU_PROPERTY_X86_ISA_1_NEEDED`) asks for a level."""

    distribution: str
    path: str
    level: str


class OverrideKind(str, Enum):
    """What a dispatch variable does with the value it is given."""

    FORCE = "force"
    """Taken unchecked: can itself cause SIGILL."""
    CHECKED = "checked"
    """Refused with a clean error where the CPU lacks it."""
    CEILING = "ceiling"
    """Can only lower what is used."""
    MASK = "mask"
    """Silences a check; the crash stays."""
    DEAD = "dead"
    """Nothing reads it any more."""
    DISARM = "disarm"
    """Switches off what a treatment of ours put in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A dispatch variable found set in the process environment."""

    variable: str
    value: str
    kind: OverrideKind
    needs: frozenset[str]
    """Features that the value asks for; empty where it asks for none or is not understood."""
    understood: bool
    accepts: str
    readers: tuple[str, ...]
    """Distributions whose libraries read the variable; empty means any program."""
    effect: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a statement may be believed.

    `source`: an address, an issue, a document's title, or `emulated: <model>, <date>, <python>`.
    """

    grade: Grade
    source: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What may be installed in place of a distribution, and what it needs in its turn."""

    requirement: str
    needs: frozenset[str] = frozenset()
    note: str = ""
    instead: bool = True
    """The broken one must be uninstalled first; False where both live side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition on the CPU that is not a missing feature."""

    vendor: str | None = None
    cpuid_level_below: int | None = None

    def holds(self, cpu: Cpu) -> bool:
        """True where nothing contradicts it; an unknown CPUID level is no proof, so False."""
        if self.vendor is not None and cpu.vendor != self.vendor:
            return False
        if self.cpuid_level_below is None:
            return True
        return cpu.cpuid_level is not None and cpu.cpuid_level < self.cpuid_level_below


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What is known about one distribution on CPUs that lack `needs` (and meet `when`).

    `broken` and `good` are specifiers; either may be None: no `good` means "no wheel works", no
    `broken` means "runs, no failure known". Evidence speaks for both halves.
    """

    distribution: str
    evidence: tuple[Evidence, ...]
    broken: str | None = None
    good: str | None = None
    needs: frozenset[str] = frozenset()
    when: When | None = None
    unless: tuple[str, ...] = ()
    """Distributions whose presence keeps the broken code from being loaded."""
    runs_without: frozenset[str] = frozenset()
    """Features that the CPU lacked on which it was seen to run; else what the pin-set lacks."""
    stage: str = "import"
    """`import`: dies when imported. `use`: imports, then fails at first use."""
    severity: Severity = Severity.ERROR
    symptom: str = ""
    cure: str = ""
    """What to do where neither another version nor another distribution helps."""
    first_bad: str | None = None
    last_good: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    pinset: str = ""

    def bites(self, cpu: Cpu) -> bool:
        """True where this CPU is one the statement is about."""
        if self.when is not None and not self.when.holds(cpu):
            return False
        return not self.needs or bool(cpu.missing(self.needs))

    @property
    def grade(self) -> Grade:
        """The strongest of the evidence."""
        return max((item.grade for item in self.evidence), key=lambda grade: grade.strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A distribution that a pin-set wants gone."""

    distribution: str
    reason: str
    evidence: tuple[Evidence, ...]
    pinset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Distributions that install the same files: the last one wins, half of each remains."""

    distributions: tuple[str, ...]
    effect: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incompatibility:
    """Two requirements that no metadata forbids and that fail together."""

    first: str
    second: str
    effect: str
    resolution: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftImport:
    """`distribution` imports `imports` when it happens to be installed: no metadata says so."""

    distribution: str
    imports: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSet:
    """A dated set of statements for one kind of machine."""

    id: str
    version: str
    title: str
    lacks: frozenset[str]
    """The features it assumes absent: it applies to a CPU that misses any of them."""
    origin: Path
    supersedes: tuple[str, ...] = ()
    notes: str = ""
    pins: tuple[Pin, ...] = ()
    removals: tuple[Removal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    incompatibilities: tuple[Incompatibility, ...] = ()
    soft_imports: tuple[SoftImport, ...] = ()

    @property
    def label(self) -> str:
        """`below-v2@2026-11-20`."""
        return f"{self.id}@{self.version}"

    def applies(self, cpu: Cpu) -> bool:
        """True where the CPU lacks something that this pin-set assumes absent."""
        return not self.lacks or bool(cpu.missing(self.lacks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The pin-sets chosen for this consultation."""

    pinsets: tuple[PinSet, ...]

    @property
    def pins(self) -> tuple[Pin, ...]:
        """All pins, in the order of the pin-sets."""
        return tuple(pin for pinset in self.pinsets for pin in pinset.pins)

    def about(self, name: str) -> tuple[Pin, ...]:
        """The pins of one distribution (normalized name)."""
        return tuple(pin for pin in self.pins if pin.distribution == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A CPU and an environment: all that a rule may look at."""

    cpu: Cpu
    interpreter: Interpreter
    distributions: tuple[Distribution, ...] = ()
    broken: tuple[BrokenMetadata, ...] = ()
    altered: tuple[AlteredFile, ...] = ()
    declared: tuple[DeclaredIsa, ...] = ()
    overrides: tuple[Override, ...] = ()
    what_if: bool = False
    """The CPU was named: it is not the one this runs on."""

    def get(self, name: str) -> Distribution | None:
        """Return the installed distribution of that normalized name."""
        return next((item for item in self.distributions if item.name == name), None)


class Outcome(str, Enum):
    """How a probe ended."""

    OK = "ok"
    RAISED = "raised"
    """A Python exception: the process lives."""
    ILLEGAL_INSTRUCTION = "illegal-instruction"
    FLOATING_POINT_EXCEPTION = "floating-point-exception"
    SEGMENTATION_FAULT = "segmentation-fault"
    """SIGSEGV or SIGBUS."""
    ABORTED = "aborted"
    """SIGABRT, or another signal that a program sends to itself."""
    TIMEOUT = "timeout"
    VANISHED = "vanished"
    """Ended without a word: `os._exit`, killed from outside, or the output limit."""
    SKIPPED = "skipped"
    """Not run; `ProbeResult.reason` says why."""

    @property
    def died(self) -> bool:
        """True where a signal of the process's own making ended it."""
        return self in {
            Outcome.ILLEGAL_INSTRUCTION,
            Outcome.FLOATING_POINT_EXCEPTION,
            Outcome.SEGMENTATION_FAULT,
            Outcome.ABORTED,
        }

    @property
    def proves(self) -> bool:
        """True where it says something about the CPU, and would say so again."""
        return self in {Outcome.OK, Outcome.RAISED} or self.died


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A snippet that finds out whether a distribution works here, in one process of its own.

    Its steps run one after another in that process: the import first, then the smallest real
    use. How far it came tells an import that dies from a use that dies.
    """

    id: str
    """The distribution's name, or `<distribution>/<what>` where it has several."""
    distribution: str
    """Normalized (PEP 503)."""
    imports: str
    """Python source that imports it."""
    use: str = ""
    """Python source of the smallest real use; empty where only the import is proven."""
    requires: tuple[str, ...] = ()
    """Further distributions that must be installed; else the probe is skipped."""
    extra: bool = False
    """Run only where all probes are asked for (`--probe all`, `legacy-doctor probe NAME`)."""
    seconds: float = 60.0
    """Wall-clock limit on this CPU; an emulated run gets a multiple."""


class Frame(NamedTuple):
    """One Python frame of a traceback, outermost first in a tuple of them."""

    file: str
    line: int
    function: str


class FaultKind(str, Enum):
    """What sort of thing the faulting instruction is."""

    UNSUPPORTED = "unsupported-instruction"
    """The CPU has not got it."""
    DELIBERATE = "deliberate-trap"
    """`ud2` and the like: the program stopped itself."""
    DIVIDE = "integer-divide"
    MEMORY = "memory-access"
    SENT = "sent"
    """A signal that the program sent itself (`abort()`)."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where and why a process died of a signal."""

    signal: str
    """`SIGILL` and the like."""
    kind: FaultKind
    code: str = ""
    """si_code by name (`ILL_ILLOPN`, `FPE_INTDIV`), as far as it is known."""
    address: int | None = None
    """The instruction pointer."""
    library: str | None = None
    """The mapped file; None for generated code and where nobody could tell."""
    path: str | None = None
    """The file as RECORD of `owner` has it, `numpy/_core/_multiarray_umath...so`."""
    offset: int | None = None
    """Virtual address in `library`, as `objdump -d` shows it."""
    symbol: str | None = None
    """Demangled where possible."""
    bytes: str = ""
    """Up to 15 bytes at the instruction pointer, in hex."""
    instruction: str | None = None
    """AT&T syntax, as `objdump -d` prints it."""
    needs: frozenset[str] = frozenset()
    """Features that the instruction needs."""
    owner: str | None = None
    """The distribution whose file it is; for generated code, the one that called it."""
    place: str = ""
    """`static initialiser`, `module initialisation`, or empty."""
    frames: tuple[Frame, ...] = ()
    """Python frames of the faulting thread."""
    known: str = ""
    """What is known about this very fault, with its cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A Python exception that ended a probe."""

    type: str
    """Qualified, `RuntimeError` or `pkg.errors.Refused`."""
    message: str
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one probe proved."""

    probe: Probe
    outcome: Outcome
    stage: str = ""
    """`import` or `use`: the step in which it ended (the last one for `ok`)."""
    fault: Fault | None = None
    raised: Raised | None = None
    reason: str = ""
    """Why it was skipped, how it vanished, what stopped it."""
    seconds: float = 0.0
    day: str = ""
    """When it was run, `2026-11-26`: what comes from the cache may be older than today."""
    stderr: str = ""
    """The last lines on stderr."""
    emulator: str = ""
    """`qemu-x86_64 7.2.22 -cpu phenom`; empty for a run on this CPU itself."""
    overrides: tuple[tuple[str, str], ...] = ()
    """Dispatch variables it ran with: (name, value); empty where they were scrubbed."""
    held: tuple[str, ...] = ()
    """What kept it contained: `no-network`, `read-only`, ... as far as the kernel offers it."""
    leftovers: int = 0
    """Processes that it left behind and that were killed."""
    cached: bool = False

    @property
    def imported(self) -> bool:
        """True where its import was seen to pass."""
        return self.outcome is Outcome.OK or self.stage == "use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """What was run to prove the findings, and what could not be."""

    wanted: str = "none"
    """`none`, `risky` or `all`."""
    how: str = ""
    """`qemu-x86_64 7.2.22 -cpu phenom`, `on this CPU`; empty where nothing was run."""
    unplayable: frozenset[str] = frozenset()
    """Features of the named CPU that the emulator cannot play."""
    results: tuple[ProbeResult, ...] = ()
    obstacle: str = ""
    """Why nothing could be run, and what to do about it."""

    @property
    def ran(self) -> bool:
        """True where a probe ran, now or for the cache."""
        return any(item.outcome is not Outcome.SKIPPED for item in self.results)


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


class Standing(str, Enum):
    """What the probes say of a finding."""

    PREDICTED = "predicted"
    """No probe reached it."""
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NEW = "new"
    """No rule knew: a probe found it."""


class RemedyKind(str, Enum):
    """What sort of thing has to be done."""

    PIN = "pin"
    REMOVE = "remove"
    REPLACE = "replace"
    UNSET = "unset"
    MACHINE = "machine"
    REINSTALL = "reinstall"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do, as text and, where it can be typed, as requirements or commands."""

    kind: RemedyKind
    text: str
    install: tuple[str, ...] = ()
    """Requirements to install into the target."""
    uninstall: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class Location(NamedTuple):
    """A place in a file that a person wrote or a tool locked."""

    path: str
    """As it was named on the command line, or relative to the file that includes it."""
    line: int = 1
    """From 1."""
    column: int = 1
    """From 1, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement of the doctor, with the reason to believe it."""

    rule: str
    severity: Severity
    subject: str
    message: str
    version: str | None = None
    needs: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()
    cause: str | None = None
    """The distribution really at fault."""
    affects: tuple[str, ...] = ()
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each affected distribution, the requirement path that leads from it to the cause."""
    details: tuple[str, ...] = ()
    remedy: Remedy | None = None
    standing: Standing = Standing.PREDICTED
    fault: Fault | None = None
    """Where it died, in the probe that confirmed or found it."""
    location: Location | None = None
    """Where it is asked for, in a requirement or lock file or in the configuration."""


class RuleText(NamedTuple):
    """What a rule is about, in the words of formats that explain it beside its findings."""

    id: str
    summary: str
    """What a finding of it means, in one sentence."""
    help: str
    """How it is known, and what to do about it; plain text, paragraphs apart by a blank line."""
    severity: Severity
    """The usual one: a finding may weigh more or less."""


class RequirementKind(str, Enum):
    """What a line of a requirement or lock file settles."""

    RANGE = "range"
    """It asks for the distribution; an installer chooses the version."""
    LOCKED = "locked"
    """Exactly this version will be installed."""
    CONSTRAINT = "constraint"
    """It bounds the version only where something else asks for the distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One distribution that a file asks for, locks or bounds."""

    name: str
    """Normalized (PEP 503)."""
    kind: RequirementKind
    location: Location
    """Where its name stands."""
    end: Location | None = None
    """Behind its specifier, where `,<2` may be written; None where a tool or a table wrote it."""
    specifier: str = ""
    """PEP 440; what another dialect (poetry's caret, conda's) says is translated."""
    version: str | None = None
    """The locked version; also of a range that admits one version only (`==1.2.3`)."""
    extras: frozenset[str] = frozenset()
    marker: str = ""
    """PEP 508, as written or translated; empty where it always holds."""
    origin: str = ""
    """`conda`, an address or a path: what a package index offers says nothing about it then."""
    text: str = ""
    """As written, for the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementFile:
    """What one file asks for, with what could not be understood."""

    path: str
    format: str
    """`requirements`, `constraints`, `pyproject`, `uv.lock`, `poetry.lock`, `pdm.lock`,
    `Pipfile`, `Pipfile.lock`, `pylock`, `conda-environment`, `freeze`."""
    requirements: tuple[Requirement, ...] = ()
    problems: tuple[tuple[Location, str], ...] = ()
    """Entries that were passed over, each with the reason."""

    @property
    def is_lock(self) -> bool:
        """True where a tool writes it and nobody edits it."""
        return self.format.endswith("lock") or self.format == "freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known about one distribution here: what `explain` tells."""

    name: str
    cpu: Cpu
    interpreter: Interpreter
    installed: Distribution | None
    required_by: tuple[tuple[str, str, str], ...]
    """Who asks for it: name, version, specifier."""
    path: tuple[str, ...]
    """How it came here: from a distribution that nobody requires down to this one."""
    pins: tuple[Pin, ...]
    """Pins that concern this CPU, the decisive one first."""
    decisive: tuple[Pin, ...]
    """Those of them that speak of the installed version; all, where none is installed."""
    elsewhere: tuple[Pin, ...]
    """Pins about CPUs unlike this one."""
    findings: tuple[Finding, ...]
    """Findings in which it is the subject, or which affect it."""
    alternatives: tuple[Alternative, ...]
    prescription: tuple[str, ...] = ()
    """The commands that carry out the remedies of these findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Findings for one CPU, whatever was examined: what CI formats may see."""

    version: str
    """Of legacy-doctor."""
    cpu: Cpu
    pinsets: tuple[PinSet, ...]
    findings: tuple[Finding, ...]
    target_name: str = ""
    """How the user called the CPU, for the commands we suggest; empty for the real one."""
    what_if: bool = False
    fail_on: Severity | None = Severity.ERROR
    ignored: int = 0

    def count(self, severity: Severity) -> int:
        """How many findings of that severity there are."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def failed(self) -> bool:
        """True where a finding reaches `fail_on`: the exit code is then 1."""
        if self.fail_on is None:
            return False
        return any(finding.severity.rank <= self.fail_on.rank for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Judgement):
    """What requirement and lock files would let in, judged for one CPU."""

    files: tuple[RequirementFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Judgement):
    """An examined environment: all that a formatter may see of it."""

    interpreter: Interpreter
    distributions: int
    unjudged: tuple[str, ...]
    """Distributions with machine code about which no pin-set says anything."""
    probing: Probing = Probing()
    prescription: tuple[str, ...] = ()
    """The commands that carry out the remedies of all findings together."""
    outlook: Outlook | None = None
    """Of the project that was asked about (`--profile`)."""

    @property
    def empty(self) -> bool:
        """True where there was nothing to examine: the exit code is then 2."""
        return not self.distributions and not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a treatment, as it is told."""

    id: str
    """What `--only` and `--skip` call it: `packages`, `patch:<id>`, `pins`, `hook`."""
    title: str
    reasons: tuple[str, ...] = ()
    grade: Grade | None = None
    costs: tuple[str, ...] = ()
    """What stops working, or stays dangerous."""
    commands: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    diff: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A treatment from plan to outcome: all that a formatter may see of it."""

    report: Report
    """The diagnosis it answers."""
    steps: tuple[Step, ...]
    untreated: tuple[Finding, ...] = ()
    """Findings that no step cures."""
    probes: tuple[str, ...] = ()
    """Distributions that are probed again afterwards."""
    applied: bool = False
    runs: tuple[int, ...] = ()
    """Numbers of the journal's runs; empty where nothing had to be changed."""
    outcome: Report | None = None
    """The diagnosis afterwards."""
    remarks: tuple[str, ...] = ()
    """What was brought to an end first, what the installer still misses."""
    options: tuple[str, ...] = ()
    """Further words of the command line that this treatment is of."""


class Trust(str, Enum):
    """What a reference in a pickle may do when the file is loaded; the worst last."""

    ALLOWED = "allowed"
    """On the list of torch itself: weights_only=True takes it."""
    HARMLESS = "harmless"
    """Plain data, but not on that list: `torch.serialization.add_safe_globals` admits it."""
    UNKNOWN = "unknown"
    """Code of another package, of which nothing is known here."""
    GATEWAY = "gateway"
    """Reaches whatever else is installed (`getattr`): to admit it is to admit everything."""
    DANGEROUS = "dangerous"
    """Runs commands or code, or reads, writes or fetches files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A class or function that a pickle asks for."""

    name: str
    """`module.name`, by its name in Python 3."""
    trust: Trust
    why: str = ""
    calls: tuple[str, ...] = ()
    """The first calls, with their arguments as far as the opcodes tell."""
    count: int = 0
    """How many calls there are."""


class StoredTensor(NamedTuple):
    """A tensor as a checkpoint declares it."""

    name: str
    """Its keys from the outside in, joined by dots."""
    dtype: str
    """As torch calls it: `float32`."""
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file of weights, read without being unpickled."""

    path: str
    form: str
    """`torch-zip`, `torch-legacy`, `torchscript`, `pickle` or `safetensors`."""
    size: int
    """Bytes of the file."""
    tensors: tuple[StoredTensor, ...]
    data: int
    """Bytes of the tensors' storages; a storage that several share counts once."""
    protocol: int | None = None
    """Pickle protocol; None where there is no pickle."""
    references: tuple[Reference, ...] = ()
    weights_only: bool = True
    """`torch.load(..., weights_only=True)` takes it, on any machine."""
    prefix: str = ""
    """What every weight is named after, where only averaged (EMA) weights are there."""
    sha256: str = ""
    """Of the file, where it has to be vouched for; else empty."""
    findings: tuple[Finding, ...] = ()

    @property
    def failed(self) -> bool:
        """True where there is something to act upon."""
        return any(item.severity is not Severity.INFO for item in self.findings)


class StrippedCopy(NamedTuple):
    """A copy of a checkpoint with plain names, as it was written."""

    path: Path
    tensors: int
    size: int
    """Bytes of the file."""
    dropped: tuple[str, ...]
    """Tensors, and tables without any, that the copy does not hold."""


class Fate(str, Enum):
    """What becomes of a distribution on some CPU, the worst first."""

    DIES = "dies"
    REFUSES = "refuses"
    """It fails with a clean error: the process can go on, and says why."""
    UNKNOWN = "unknown"
    WORKS = "works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is to be expected of one distribution on one CPU, and how well that is known."""

    fate: Fate
    proven: bool = False
    """Somebody ran it, on such silicon or on such an emulated CPU; else it is inferred."""
    stage: str = ""
    """`import` or `use`: where it fails, or how far it was seen to run."""
    grade: Grade | None = None
    """Of the statement behind it; None where it only follows from others."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prognosis:
    """What is to be expected of one installed distribution, here and on every x86-64 level."""

    distribution: str
    version: str
    here: Expectation
    levels: tuple[tuple[str, Expectation], ...]
    """By level, lowest first."""

    @property
    def known(self) -> bool:
        """True where anything is known about it on any of these CPUs."""
        cells = (self.here, *(cell for _, cell in self.levels))
        return any(cell.fate is not Fate.UNKNOWN for cell in cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a page shows beside the report: whatever is missing is left out of the page."""

    prognosis: tuple[Prognosis, ...] = ()
    overrides: tuple[Override, ...] = ()
    """The dispatch variables that are set, harmless ones too."""
    steps: tuple[Step, ...] = ()
    """The plan of `fix`."""
    remedies: tuple[tuple[HiddenBy, str], ...] = ()
    """Who hides features of this CPU, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRule:
    """One guard or shim of a start-up hook, as it is told."""

    kind: str
    """`guard` or `shim`."""
    name: str
    """`LEGACY_DOCTOR_DISABLE=<kind>:<name>` switches it off."""
    distribution: str
    versions: str
    """The versions that it is about (PEP 440), empty for all."""
    needs: frozenset[str]
    """It acts where any of these features is missing; where it names none, everywhere."""
    installed: str | None
    """The version that is there now."""
    here: bool
    """The CPU that it is judged by is one on which it acts."""
    acts: bool
    """And so is what is installed now."""
    remedy: str = ""
    reason: str = ""
    listed: tuple[str, ...] = ()
    """The files, folders and sha256 that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReport:
    """A start-up hook and how it stands: all that a formatter may see of it."""

    interpreter: Interpreter
    cpu: Cpu
    """The CPU by which `HookRule.acts` is judged."""
    via: str | None = None
    """`pth` or `sitecustomize`; None where no hook is installed, or nothing leads to it."""
    identity: str = ""
    files: tuple[Path, ...] = ()
    """Empty where no hook is installed."""
    made_for: str = ""
    """The CPU that it was made for, and in `target` how the user named it."""
    target: str = ""
    pinsets: tuple[str, ...] = ()
    rules: tuple[HookRule, ...] = ()
    problems: tuple[str, ...] = ()
    """What keeps it from working, a sentence each."""
    stale: tuple[str, ...] = ()
    """What has changed since it was made."""
    live: bool | None = None
    """Whether Python armed it when it was started and asked; None where it was not."""
    disabled: str = ""
    """What LEGACY_DOCTOR_DISABLE says where the question was asked."""


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
