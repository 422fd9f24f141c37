"""Probes, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


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
