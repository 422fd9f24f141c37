"""Hear the witnesses, believe CPUID, and say who hides what.

CPUID (with XCR0) is what libraries dispatch by and what the processor executes. The kernel's
`/proc/cpuinfo` may be masked (`clearcpuid=`) or another machine's (qemu-user): it is heard and
its disagreement reported, never believed over CPUID.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import cpuid, features, witnesses
from legacy_doctor.errors import UnsupportedCpuError
from legacy_doctor.model import Cpu, Hidden, HiddenBy, Witness

_WEIGHED: Final = features.cumulative("x86-64-v4") | {"sse4a", "aes", "pclmulqdq"}
"""Features whose absence is worth a word: the levels', and three that programs dispatch on."""

GENERIC_BRANDS: Final = (
    "QEMU Virtual CPU",
    "QEMU TCG CPU",
    "Common KVM processor",
    "Common 32-bit KVM processor",
    "VirtualApple",
)
"""Brand strings of CPU models that no silicon has: `qemu64`, `max`, `kvm64`, Rosetta 2."""

_CMDLINE: Final = ("clearcpuid=", "gather_data_sampling=", "noxsave", "mitigations=")


def detect(*, thorough: bool = False) -> Cpu:
    """Return what programs may execute on the processor this runs on.

    `thorough` also asks `ld.so` in a child, only to compare. Raises `UnsupportedCpuError` where
    the processor is not x86-64 or nothing tells its features: a level is never guessed.
    """
    _refuse_other_architectures()
    heard: list[Witness] = []
    reading = _reading(heard)
    glibc = _hear(heard, "glibc", witnesses.glibc)
    kernel = _hear(heard, "kernel", witnesses.kernel)
    if thorough or (reading is None and glibc is None):
        loader = _hear(heard, "ld.so", witnesses.ld_so)
    else:
        loader = None
    if reading is not None:
        return believe_cpuid(reading, tuple(heard), kernel, Path("/"))
    for name, said in (("glibc", glibc), ("ld.so", loader), ("kernel", kernel)):
        if said is not None:
            return _believe(name, said, kernel, tuple(heard))
    said = _hear(heard, "py-cpuinfo", witnesses.py_cpuinfo)
    if said is None:
        raise UnsupportedCpuError(
            "no witness tells this CPU's features (CPUID, glibc, /proc/cpuinfo and py-cpuinfo "
            "are all silent); name the CPU with --cpu NAME, see legacy-doctor cpu --list"
        )
    return _believe("py-cpuinfo", said, None, tuple(heard))


def _refuse_other_architectures() -> None:
    machine = platform.machine()
    if machine.lower() not in {"x86_64", "amd64", "i386", "i686", "x86"}:
        raise UnsupportedCpuError(
            f"this CPU is {machine or 'unknown'}, not x86-64: there is no CPUID to read; name "
            "an x86-64 CPU with --cpu NAME, see legacy-doctor cpu --list"
        )


def _reading(heard: list[Witness]) -> cpuid.Reading | None:
    try:
        reading = cpuid.read()
    except cpuid.Unavailable as reason:
        heard.append(Witness(name="cpuid", features=None, note=str(reason)))
        return None
    usable = features.permitted(reading.silicon, reading.xcr0)
    heard.append(Witness(name="cpuid", features=usable))
    return reading


def _hear(
    heard: list[Witness], name: str, ask: Callable[[], witnesses.Statement]
) -> witnesses.Statement | None:
    try:
        said = ask()
    except witnesses.Silent as reason:
        heard.append(Witness(name=name, features=None, note=str(reason)))
        return None
    heard.append(Witness(name=name, features=said.features))
    return said


def believe_cpuid(
    reading: cpuid.Reading,
    heard: tuple[Witness, ...],
    kernel: witnesses.Statement | None,
    root: Path,
) -> Cpu:
    """Build the CPU from CPUID; `root` is where `proc` and `sys` are looked for."""
    usable = features.permitted(reading.silicon, reading.xcr0)
    hidden = {
        item.feature: item
        for item in (
            *_masked_by_hypervisor(reading),
            *_unlike_the_kernel(reading, usable, kernel),
            *_not_saved(reading, usable, root),
        )
    }
    return Cpu(
        vendor=reading.vendor,
        brand=reading.brand or (kernel.brand if kernel else ""),
        family=reading.family,
        model=reading.model,
        stepping=reading.stepping,
        features=usable,
        level=features.level_of(usable),
        source="cpuid",
        cpuid_level=reading.max_leaf,
        hypervisor=reading.hypervisor,
        hidden=tuple(hidden[name] for name in features.ordered(hidden)),
        witnesses=compared(heard, usable),
    )


def _believe(
    name: str,
    said: witnesses.Statement,
    kernel: witnesses.Statement | None,
    heard: tuple[Witness, ...],
) -> Cpu:
    """Build the CPU from another witness; the kernel names it where both mean the same one."""
    names = kernel if kernel is not None and _alike(said, kernel) else said
    return Cpu(
        vendor=said.vendor or names.vendor,
        brand=said.brand or names.brand,
        family=said.family or names.family or 0,
        model=said.model or names.model or 0,
        stepping=said.stepping or names.stepping or 0,
        features=said.features,
        level=features.level_of(said.features),
        source=name,
        cpuid_level=said.cpuid_level or names.cpuid_level,
        witnesses=compared(heard, said.features),
    )


def compared(heard: tuple[Witness, ...], believed: frozenset[str]) -> tuple[Witness, ...]:
    """Return the witnesses, each with how it differs from the one that is believed."""
    return tuple(
        witness
        if witness.features is None
        else dataclasses.replace(
            witness,
            extra=(witness.features - believed) & _WEIGHED,
            lacking=(believed - witness.features) & _WEIGHED,
        )
        for witness in heard
    )


def _alike(one: witnesses.Statement, other: witnesses.Statement) -> bool:
    return one.family is None or (one.family, one.model) == (other.family, other.model)


def _not_saved(reading: cpuid.Reading, usable: frozenset[str], root: Path) -> Iterator[Hidden]:
    """Features that the silicon has and whose registers the system does not save."""
    saved = f"XCR0 is {reading.xcr0:#x}" if reading.xcr0 is not None else "OSXSAVE is off"
    why = "; ".join((saved, *boot_options(root)))
    for name in (reading.silicon - usable) & _WEIGHED:
        yield Hidden(feature=name, reason=HiddenBy.KERNEL, detail=f"CPUID has it, {why}")


def boot_options(root: Path) -> Iterator[str]:
    """Yield what the boot line and sysfs say about features switched off on purpose."""
    try:
        line = (root / "proc/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        line = ""
    for word in line.split():
        if word.startswith(_CMDLINE):
            yield f"boot option {word}"
    state = root / "sys/devices/system/cpu/vulnerabilities/gather_data_sampling"
    try:
        if "AVX disabled" in state.read_text(encoding="utf-8", errors="replace"):
            yield "gather_data_sampling disabled AVX"
    except OSError:
        return


def _unlike_the_kernel(
    reading: cpuid.Reading, usable: frozenset[str], kernel: witnesses.Statement | None
) -> Iterator[Hidden]:
    if kernel is None:
        return
    for name in (kernel.features - reading.silicon) & _WEIGHED:
        yield Hidden(
            feature=name,
            reason=HiddenBy.HYPERVISOR,
            detail="/proc/cpuinfo has it, CPUID has not: that file describes another CPU "
            "(the host's, under an emulator)",
        )
    if not same_silicon(reading, kernel):
        return
    for name in (usable - kernel.features) & _WEIGHED:
        yield Hidden(
            feature=name,
            reason=HiddenBy.KERNEL,
            detail="CPUID has it, /proc/cpuinfo has not (clearcpuid=, or an old kernel's quirk): "
            "programs that read CPUID still use it, programs that read the file do not",
        )


def same_silicon(reading: cpuid.Reading, kernel: witnesses.Statement) -> bool:
    """False where `/proc/cpuinfo` speaks of a CPU of another vendor, family or model."""
    ours = (reading.vendor, reading.family, reading.model)
    return ours == (kernel.vendor, kernel.family, kernel.model)


def _masked_by_hypervisor(reading: cpuid.Reading) -> Iterator[Hidden]:
    if reading.brand.startswith(GENERIC_BRANDS):
        yield from generic_model(reading.brand, reading.silicon)
    elif reading.hypervisor:
        for name in (_family_has(reading) & _WEIGHED) - reading.silicon:
            yield Hidden(
                feature=name,
                reason=HiddenBy.HYPERVISOR,
                detail="every CPU known of this family and model has it, this guest does not",
            )


def generic_model(brand: str, shown: frozenset[str]) -> Iterator[Hidden]:
    """Yield what a CPU model that no silicon is keeps from its guests, x86-64-v3 at most."""
    if not brand.startswith(GENERIC_BRANDS):
        return
    for name in features.cumulative("x86-64-v3") - shown:
        yield Hidden(
            feature=name,
            reason=HiddenBy.HYPERVISOR,
            detail=f"the hypervisor shows the generic model '{brand}', which no silicon is; "
            "the silicon below may well have it",
        )


def _family_has(reading: cpuid.Reading) -> frozenset[str]:
    """What all named CPUs of the same vendor, family and model have in common."""
    from legacy_doctor.cpu import models

    kin = [
        item.cpu.features
        for item in models.named()
        if item.cpu.hypervisor is None
        and (item.cpu.vendor, item.cpu.family, item.cpu.model)
        == (reading.vendor, reading.family, reading.model)
    ]
    return frozenset.intersection(*kin) if kin else frozenset()
