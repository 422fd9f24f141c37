"""Bring patient, probes and emulator together: from findings to `Probing`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from legacy_doctor.cli import output
from legacy_doctor.cli.config import Config
from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import confirmation, selection
from legacy_doctor.environment.fingerprint import Fingerprints
from legacy_doctor.environment.imports import import_names
from legacy_doctor.environment.ownership import Owners
from legacy_doctor.hook import boot
from legacy_doctor.knowledge import probes as shipped
from legacy_doctor.model import (
    Distribution,
    Finding,
    Knowledge,
    Patient,
    Probe,
    ProbeResult,
    Probing,
)
from legacy_doctor.probe import cache, emulator, session


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user wants of the probes."""

    wanted: str = "risky"
    explicit: bool = False
    """Asked for in so many words: that nothing could be run is then an error."""
    cpu_name: str | None = None
    """The CPU to play; None for this one."""
    use_cache: bool = True
    slots: int | None = None
    seconds: float | None = None


def wish(  # noqa: PLR0913  one parameter an option
    settings: Config,
    cpu_name: str | None,
    *,
    wanted: str | None,
    use_cache: bool,
    slots: int | None,
    seconds: float | None,
) -> Wish:
    """Return what the command line wants, and where it is silent, the configuration."""
    return Wish(
        wanted=wanted or settings.probe or "risky",
        explicit=wanted is not None,
        cpu_name=cpu_name,
        use_cache=use_cache,
        slots=slots,
        seconds=seconds or settings.probe_seconds,
    )


def prove(
    patient: Patient,
    knowledge: Knowledge,
    findings: Sequence[Finding],
    wish: Wish,
    *,
    also: Sequence[Probe] = (),
) -> Probing:
    """Run what may prove or refute the findings; never fails for want of an emulator.

    `also` are probes that no finding asks for.
    """
    if wish.wanted == "none":
        return Probing(wanted="none")
    chosen = (
        *selection.choose(patient, knowledge, findings, shipped.shipped(), wish.wanted, generic),
        *also,
    )
    if not chosen:
        return Probing(wanted=wish.wanted)
    try:
        setting = prepare(patient, knowledge, wish)
    except emulator.Unplayable as error:
        skipped = tuple(session.skipped(probe, str(error)) for probe in chosen)
        return Probing(wanted=wish.wanted, obstacle=str(error), results=skipped)
    tasks = [session.Task(probe) for probe in chosen] + list(
        with_overrides(patient, findings, chosen)
    )
    return Probing(
        wanted=wish.wanted,
        how=setting.how,
        unplayable=setting.emulator.unplayable if setting.emulator else frozenset(),
        results=attempt(tasks, setting, patient),
    )


def follow(  # noqa: PLR0913  findings, and all that weighs on them
    patient: Patient,
    knowledge: Knowledge,
    findings: Sequence[Finding],
    proof: Probing,
    wish: Wish,
    today: date,
) -> tuple[Finding, ...]:
    """Return the findings as the probes leave them."""
    followed = confirmation.confirm(
        patient, knowledge, findings, proof.results, proof.how, today=today
    )
    unproven = confirmation.unproven(proof, explicit=wish.explicit)
    return confirmation.ordered([*followed, *unproven])


def attempt(
    tasks: Sequence[session.Task], setting: session.Setting, patient: Patient
) -> tuple[ProbeResult, ...]:
    """Run the tasks with a progress bar; those whose requirements are missing are skipped."""
    lacking = [selection.missing(task.probe, patient) for task in tasks]
    able = [task for task, missing in zip(tasks, lacking, strict=True) if not missing]
    with output.progress(len(able), "probing") as step:
        results = iter(session.run(able, setting, lambda _result: step()))
    return tuple(
        session.skipped(task.probe, f"needs {', '.join(missing)}, which is not installed")
        if missing
        else next(results)
        for task, missing in zip(tasks, lacking, strict=True)
    )


def prepare(patient: Patient, knowledge: Knowledge, wish: Wish) -> session.Setting:
    """Return where the probes run; raises `Unplayable` where they cannot run at all."""
    soft = [item for pinset in knowledge.pinsets for item in pinset.soft_imports]
    fingerprints = Fingerprints(
        patient.distributions,
        patient.altered,
        patient.interpreter.site_packages,
        {
            item.distribution: [s.imports for s in soft if s.distribution == item.distribution]
            for item in soft
        },
    )
    return session.Setting(
        interpreter=patient.interpreter,
        cpu=patient.cpu,
        owners=Owners(patient.distributions),
        emulator=player(wish.cpu_name if patient.what_if else None),
        env={**_user_site(patient), **_unguarded(patient)},
        slots=wish.slots or len(os.sched_getaffinity(0)),
        seconds=wish.seconds,
        store=cache.Cache(cache.folder(os.environ) if wish.use_cache else None),
        fingerprint=fingerprints.of,
        weight=fingerprints.weight,
    )


def player(cpu_name: str | None) -> emulator.Emulator | None:
    """Return what plays the named CPU: None where none is named and this one is meant.

    Raises `Unplayable` where nothing can be started that would prove anything.
    """
    if sys.platform != "linux":
        raise emulator.Unplayable("probes run on Linux only")
    program = emulator.inside()
    if program is not None:
        raise emulator.Unplayable(
            f"legacy-doctor itself runs under {program}, and what it starts would run on the "
            "real CPU: start it without the emulator and name the CPU with --cpu"
        )
    if cpu_name is None:
        return None
    named = models.find(cpu_name)
    if named.emulation is None:
        raise emulator.Unplayable(f"qemu-user cannot play {named.title}: TCG has no AVX-512")
    return emulator.find(
        named.emulation.cpu,
        needs_avx="avx" in named.cpu.features,
        unplayable=named.emulation.lacks,
    )


def _user_site(patient: Patient) -> dict[str, str]:
    """Name the user's own site folder where the target has it: the sandbox's home is empty."""
    base = Path(os.environ.get("PYTHONUSERBASE") or "~/.local").expanduser()
    inside = any(base in path.parents for path in patient.interpreter.site_packages)
    return {"PYTHONUSERBASE": str(base)} if inside else {}


def _unguarded(patient: Patient) -> dict[str, str]:
    """Let what an installed hook would stop run into its fate: a guard is no cure.

    Its shims stay: they are.
    """
    guarded = boot.lies_in(patient.interpreter.site_packages)
    return {"LEGACY_DOCTOR_DISABLE": "guards"} if guarded else {}


def generic(distribution: Distribution) -> Probe | None:
    """Return an import probe made from what RECORD lists, or None where it lists no module."""
    names = import_names(distribution)
    return shipped.generic(distribution.name, names) if names else None


def with_overrides(
    patient: Patient, findings: Sequence[Finding], chosen: Sequence[Probe]
) -> Iterator[session.Task]:
    """Yield second runs, with the user's own variables, where a rule suspects them."""
    suspected = [item for item in findings if item.rule == "dispatch-override"]
    values = {item.variable: item.value for item in patient.overrides}
    for probe in chosen:
        overrides = tuple(
            (item.subject, values[item.subject])
            for item in suspected
            if probe.distribution in item.affects and not probe.extra
        )
        if overrides:
            yield session.Task(probe, overrides)
