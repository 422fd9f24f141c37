"""Values that several tests of this room start from."""

from __future__ import annotations

from legacy_doctor.cpu import models
from legacy_doctor.model import (
    Choice,
    Contender,
    Core,
    Cpu,
    Measurement,
    Timing,
    Topology,
)


def cpu(name: str) -> Cpu:
    return models.find(name).cpu


def cores(count: int, *, kind: str = "", start: int = 0) -> tuple[Core, ...]:
    return tuple(Core((number,), kind=kind) for number in range(start, start + count))


def alike(count: int) -> Topology:
    """A machine of so many cores, all alike."""
    numbers = tuple(range(count))
    return Topology(online=numbers, allowed=numbers, cores=cores(count))


def choice(threads: int, *cpus: int, title: str = "all physical cores") -> Choice:
    return Choice(id="physical", title=title, threads=threads, reason="because", cpus=cpus)


def timing(contender: Contender, speed: float, noise: float = 0.02, **parts: float) -> Timing:
    seconds = {name: (value,) * 3 for name, value in (parts or {"matmul": 1 / speed}).items()}
    return Timing(
        contender=contender,
        threads=contender.threads or 12,
        seconds=seconds,
        speed=speed,
        noise=noise,
    )


ALL = Contender("12 threads", 12)
FAST = Contender("4 threads, the P-cores alone", 4, (0, 2, 4, 6))


def measurement(speed: float, *, kept: bool) -> Measurement:
    """Twelve threads against the four P-cores."""
    return Measurement(
        library="torch 2.13.0+cpu",
        rounds=3,
        baseline=ALL.label,
        best=FAST.label if speed > 1 else ALL.label,
        kept=kept,
        timings=(
            timing(Contender("unset", None), 0.9),
            timing(ALL, 1.0),
            timing(FAST, speed, 0.05),
        ),
    )
