"""Distributions that are no gain for a CPU-only program: found, compared, imported in a sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from legacy_doctor.cli import examination
from legacy_doctor.environment import distributions, interpreter
from legacy_doctor.knowledge.tuning import Guide, Watched
from legacy_doctor.model import (
    Distribution,
    Knowledge,
    Patient,
    Probe,
    ProbeResult,
    Remark,
)
from legacy_doctor.tune import watched as judged


def remarks(guides: Sequence[Guide], python: str | None, cpu_name: str | None) -> Iterator[Remark]:
    """Yield what is to be said of those that are installed in the target."""
    items = {item.name: item for guide in guides for item in guide.watched}
    executable, why = interpreter.choose(python, os.environ, Path.cwd())
    target = interpreter.examine(executable, why)
    installed = {item.name: item for item in distributions.read(target.site_packages).distributions}
    for name in sorted(set(items) & set(installed)):
        patient = examination.examine(python, cpu_name)
        result = _imported(items[name], patient, cpu_name)
        yield judged.remark(items[name], _versions(installed), patient.cpu, result)


def _versions(installed: dict[str, Distribution]) -> dict[str, str]:
    return {name: item.version for name, item in installed.items()}


def _imported(item: Watched, patient: Patient, cpu_name: str | None) -> ProbeResult:
    """Import it in a child: some end the whole process, with a status of their own."""
    from legacy_doctor.cli import probing
    from legacy_doctor.probe import emulator, session

    probe = Probe(id=f"{item.name}/tune", distribution=item.name, imports=item.imports)
    wish = probing.Wish(cpu_name=cpu_name)
    try:
        setting = probing.prepare(patient, Knowledge(pinsets=()), wish)
    except emulator.Unplayable as error:
        return session.skipped(probe, str(error))
    return probing.attempt([session.Task(probe)], setting, patient)[0]
