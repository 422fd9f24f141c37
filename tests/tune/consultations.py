"""Values that several tests of this room start from."""

from __future__ import annotations

from pathlib import Path

from legacy_doctor.cpu import models
from legacy_doctor.model import (
    Advice,
    Choice,
    Contender,
    Core,
    Cpu,
    EnvFile,
    Evidence,
    Grade,
    Measurement,
    Remark,
    Severity,
    Timing,
    Topology,
    Tuning,
    Work,
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


EVIDENCE = (Evidence(grade=Grade.REPORTED, source="a manual"),)


def hybrid() -> Topology:
    """Four P-cores of two CPUs each and eight E-cores, in a container."""
    fast = tuple(Core((n, n + 1), kind="performance") for n in range(0, 8, 2))
    numbers = tuple(range(16))
    return Topology(
        online=(*numbers, 16, 17),
        allowed=numbers,
        cores=(*fast, *cores(8, kind="efficient", start=8)),
        kinds_from="CPUID leaf 0x1A",
        quota=6.5,
        quota_from="/sys/fs/cgroup/cpu.max",
        memory=16_000_000_000,
        available=4_000_000_000,
        memory_limit=5_000_000_000,
        memory_limit_from="/sys/fs/cgroup/memory.max",
        load=0.5,
        notes=("sysfs is silent",),
    )


def tuning(
    *, measured: Measurement | None = None, file: EnvFile | None = None, severity: str = "warning"
) -> Tuning:
    """All that a report may have to show."""
    return Tuning(
        cpu=cpu("haswell"),
        what_if=True,
        topology=hybrid(),
        profile="x",
        title="A program",
        work=Work.AUTOREGRESSIVE,
        choices=(choice(4, 0, 2, 4, 6, title="the P-cores alone"), choice(12)),
        settings=(
            Advice(name="X_THREADS", value="4", reason="it asks for it", evidence=EVIDENCE),
            Advice(name="X_DIR", value=None, reason="nobody reads it"),
            Advice(name="-t 4", value=None, reason="four at most", engine="x.cpp"),
        ),
        remarks=(
            Remark(severity=Severity.INFO, subject="bfloat16", text="needs AMX", evidence=EVIDENCE),
            Remark(severity=Severity(severity), subject="X_MODEL=big", text="does not fit"),
        ),
        starts=("run x",),
        measurement=measured,
        env_file=file,
    )


def env_file(
    *, written: bool, diff: str = "--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-A=1\n+A=2\n"
) -> EnvFile:
    changed = (("A", "1", "2"),) if diff else ()
    return EnvFile(path=Path(".env"), diff=diff, written=written, changed=changed)
