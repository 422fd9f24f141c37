"""Probes and how they ended, in one line each: what a test does not name passed on a Phenom."""

from __future__ import annotations

from typing import Any

from legacy_doctor.model import Cpu, Fault, FaultKind, Frame, Outcome, Probe, ProbeResult, Raised
from tests.diagnosis.patients import SITE, words

PHENOM_PLAYED = "qemu-x86_64 7.2.22 -cpu phenom"
UMATH = "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"


def probe(name: str, use: str = "used()", **changes: Any) -> Probe:
    """The probe `name`, of the distribution before the slash."""
    distribution = name.partition("/")[0]
    facts = {"id": name, "distribution": distribution, "imports": f"import {distribution}"}
    return Probe(**{**facts, "use": use, **changes})


def fault(owner: str | None = "numpy", needs: str = "sse4_1", **changes: Any) -> Fault:
    """An instruction that needs what a Phenom lacks."""
    facts: dict[str, Any] = {
        "signal": "SIGILL",
        "kind": FaultKind.UNSUPPORTED,
        "code": "ILL_ILLOPN",
        "address": 0x7F00_0002_DBCC,
        "library": f"{SITE}/{UMATH}",
        "path": UMATH,
        "offset": 0x2DBCC,
        "symbol": "_GLOBAL__sub_I_argfunc",
        "bytes": "66480f3a22c001",
        "instruction": "pinsrq $1, %rax, %xmm0",
        "needs": words(needs),
        "owner": owner,
        "place": "static initialiser",
        "frames": (Frame(f"{SITE}/numpy/__init__.py", 110, "<module>"),),
    }
    return Fault(**{**facts, **changes})


def ran(name: str, outcome: str = "ok", stage: str = "use", **changes: Any) -> ProbeResult:
    """How the probe `name` ended under qemu-user."""
    facts: dict[str, Any] = {
        "probe": probe(name, **({"use": changes.pop("use")} if "use" in changes else {})),
        "outcome": Outcome(outcome),
        "stage": stage,
        "emulator": PHENOM_PLAYED,
        "held": ("no-network", "read-only"),
        "seconds": 1.25,
    }
    return ProbeResult(**{**facts, **changes})


def died(name: str, stage: str = "import", owner: str | None = "", **changes: Any) -> ProbeResult:
    """It died of an instruction in a file of `owner`, by default its own."""
    at = {key: changes.pop(key) for key in ("needs", "kind", "known") if key in changes}
    own = name.partition("/")[0] if owner == "" else owner
    facts = {"outcome": "illegal-instruction", "fault": fault(own, **at), **changes}
    return ran(name, stage=stage, **facts)


def raised(
    name: str, message: str, *files: str, stage: str = "import", of: str = "RuntimeError"
) -> ProbeResult:
    """It raised an exception, in the last of the files (relative to site-packages)."""
    frames = tuple(Frame(f"{SITE}/{file}", 1, "<module>") for file in files)
    return ran(name, "raised", stage, raised=Raised(type=of, message=message, frames=frames))


def say(result: ProbeResult, version: str, cpu: Cpu | None = None) -> str:
    """The shortest sentence there can be, in place of the house's own words."""
    where = "in use" if result.stage == "use" else "on import"
    why = result.fault.signal if result.fault else result.outcome.value
    return f"{result.probe.distribution} {version} ends {where}: {why}"
