"""Rules about the machine: what it hides, what its environment overrides, its interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis.claims import judge
from legacy_doctor.model import (
    Cpu,
    Evidence,
    Finding,
    Grade,
    HiddenBy,
    Knowledge,
    Override,
    OverrideKind,
    Patient,
    Remedy,
    RemedyKind,
    Severity,
)

HIDDEN_REMEDIES: Final = {
    HiddenBy.HYPERVISOR: "change the CPU type of the virtual machine to 'host' (Proxmox: "
    "qm set VMID --cpu host; libvirt: host-passthrough), then stop and start it: a reboot "
    "inside the guest is not enough",
    HiddenBy.KERNEL: "take the option off the kernel's boot line (clearcpuid=, noxsave, "
    "gather_data_sampling=force; a microcode update lifts the last), then reboot",
    HiddenBy.CPU: "the silicon has not got it: change the package",
}
_TCG: Final = "TCGTCGTCGTCG"
"""The hypervisor signature of QEMU's own translator: qemu-user plays an old CPU on purpose."""
_EMULATED: Final = (
    "nothing, where this is qemu-user; libraries that read /proc/cpuinfo (Arrow up to 21) "
    "need ARROW_USER_SIMD_LEVEL=NONE here"
)


def hidden_features(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A hypervisor or the kernel keeps features from programs: another cure than a pin.

    An error where an installed package breaks for want of them: then this is the cause.
    """
    wanted = frozenset(
        name
        for judgement in judge(patient, knowledge)
        for pin in judgement.standing
        for name in patient.cpu.missing(pin.needs)
    )
    for reason in (HiddenBy.HYPERVISOR, HiddenBy.KERNEL):
        hidden = [item for item in patient.cpu.hidden if item.reason is reason]
        details = dict.fromkeys(item.detail for item in hidden)
        for detail in details:
            names = [item.feature for item in hidden if item.detail == detail]
            deadly = wanted.intersection(names) and patient.cpu.hypervisor != _TCG
            yield Finding(
                rule="hidden-features",
                severity=Severity.ERROR if deadly else Severity.WARNING,
                subject="cpu",
                message=f"{', '.join(features.ordered(names))}: {detail}",
                missing=frozenset(names),
                remedy=Remedy(kind=RemedyKind.MACHINE, text=hidden_remedy(reason, patient.cpu)),
            )


def hidden_remedy(reason: HiddenBy, cpu: Cpu) -> str:
    """Return what to do about features that `reason` hides."""
    if cpu.brand.startswith("VirtualApple"):
        return "Rosetta 2 has no AVX: use a Python built for arm64"
    if reason is HiddenBy.HYPERVISOR and cpu.hypervisor == _TCG:
        return _EMULATED
    return HIDDEN_REMEDIES[reason]


def interpreter_needs(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """The target's own interpreter does not start, or was compiled for a newer CPU."""
    del knowledge
    interpreter, cpu = patient.interpreter, patient.cpu
    needs = features.COMPILER_TARGETS.get((interpreter.march or "").replace("_", "-"))
    missing = cpu.missing(needs or frozenset())
    if interpreter.death is not None:
        how = f"{interpreter.executable} {interpreter.death} when asked for its version"
        evidence = Evidence(grade=Grade.SILICON, source="this run", detail=how)
    elif missing:
        how = f"compiled with -march={interpreter.march}; needs {_listed(missing)}"
        evidence = Evidence(
            grade=Grade.INFERRED, source="the interpreter's own build flags", detail=how
        )
    else:
        return
    yield Finding(
        rule="interpreter-needs",
        severity=Severity.ERROR,
        subject="python",
        version=None if interpreter.version[2] < 0 else interpreter.dotted,
        message=f"the interpreter itself: {how}",
        needs=needs or frozenset(),
        missing=missing,
        evidence=(evidence,),
        remedy=Remedy(
            kind=RemedyKind.REINSTALL,
            text="recreate the environment with a Python built for plain x86-64 (Debian's, or "
            "uv's default; not one whose name ends in x86_64_v2, _v3 or _v4)",
        ),
    )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(features.ordered(names))


def dispatch_override(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A variable makes a library use instructions that this CPU lacks, or hides its check."""
    del knowledge
    for override in patient.overrides:
        if override.kind in {OverrideKind.DEAD, OverrideKind.DISARM}:
            continue
        missing = patient.cpu.missing(override.needs)
        problem = _problem(override, missing)
        if problem is not None:
            weight = _weight(override, missing, patient)
            yield _override("dispatch-override", override, weight, problem, patient)


def dead_override(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A variable is set that nothing reads any more."""
    del knowledge
    for override in patient.overrides:
        if override.kind is OverrideKind.DEAD:
            effect = override.effect
            yield _override("dead-override", override, Severity.WARNING, effect, patient)


def disarmed_guard(patient: Patient, knowledge: Knowledge) -> Iterator[Finding]:
    """A variable switches off what `legacy-doctor fix` put in."""
    del knowledge
    for override in patient.overrides:
        if override.kind is OverrideKind.DISARM and any(map(patient.get, override.readers)):
            effect = override.effect
            yield _override("disarmed-guard", override, Severity.WARNING, effect, patient)


def _problem(override: Override, missing: frozenset[str]) -> str | None:
    if not override.understood:
        return f"not a value it knows; it accepts {override.accepts}"
    if override.kind is OverrideKind.MASK:
        return override.effect
    if not missing:
        return None
    return f"asks for {_listed(missing)}, which this CPU lacks; {override.effect}"


def _weight(override: Override, missing: frozenset[str], patient: Patient) -> Severity:
    """Say how bad it is: deadly only where the library is there and takes the value."""
    read = not override.readers or any(map(patient.get, override.readers))
    if not read or override.kind is OverrideKind.CEILING or not (missing or override.needs):
        return Severity.WARNING if override.kind is OverrideKind.MASK and read else Severity.INFO
    # The variables of this shell need not be those of the machine that was named.
    return Severity.WARNING if patient.what_if else Severity.ERROR


def _override(
    rule: str, override: Override, severity: Severity, problem: str, patient: Patient
) -> Finding:
    affected = tuple(name for name in override.readers if patient.get(name))
    return Finding(
        rule=rule,
        severity=severity,
        subject=override.variable,
        message=f"{override.variable}={override.value}: {problem}",
        needs=override.needs,
        missing=patient.cpu.missing(override.needs),
        evidence=(Evidence(grade=Grade.MAINTAINER, source=override.source),),
        affects=affected,
        remedy=Remedy(
            kind=RemedyKind.UNSET,
            text=f"unset {override.variable} (look in ~/.profile, /etc/environment, the "
            "container image and the service file)",
            commands=(f"unset {override.variable}",),
        ),
    )
