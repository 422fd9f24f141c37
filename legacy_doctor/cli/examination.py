"""Bring CPU and environment together: the `Patient` that rules look at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from legacy_doctor.binary import elf
from legacy_doctor.cpu import detect, models
from legacy_doctor.environment import distributions, interpreter, overrides
from legacy_doctor.model import Cpu, DeclaredIsa, Distribution, Patient, is_native

HERE = ("host", "native")
"""Names that `--cpu` takes for the CPU this runs on."""


def cpu_called(name: str | None) -> Cpu:
    """Return the named CPU, or the one this runs on."""
    if name is None or name.lower() in HERE:
        return detect.detect()
    cpu = models.find(name).cpu
    hidden = detect.generic_model(cpu.brand, cpu.features)
    return dataclasses.replace(cpu, hidden=tuple(sorted(hidden, key=lambda item: item.feature)))


def examine(python: str | None, cpu_name: str | None, *, thorough: bool = False) -> Patient:
    """Examine the target on the CPU; raises `DoctorError` where either cannot be had."""
    cpu = cpu_called(cpu_name)
    executable, why = interpreter.choose(python, os.environ, Path.cwd())
    target = interpreter.examine(executable, why)
    installed = distributions.read(target.site_packages)
    return Patient(
        cpu=cpu,
        interpreter=target,
        distributions=installed.distributions,
        broken=installed.broken,
        altered=tuple(
            item
            for distribution in installed.distributions
            for item in distributions.altered(distribution, thorough=thorough)
        ),
        declared=tuple(declared(installed.distributions)),
        overrides=overrides.found(os.environ),
        what_if=cpu_name is not None and cpu_name.lower() not in HERE,
    )


def declared(installed: Iterable[Distribution]) -> Iterator[DeclaredIsa]:
    """Yield the native files that declare a level above the first."""
    for distribution in installed:
        if not distribution.native:
            continue
        for item in distribution.files:
            if is_native(item.path):
                level = elf.declared_level(distribution.root / item.path)
                if level not in {None, "x86-64-v1"}:
                    yield DeclaredIsa(
                        distribution=distribution.name, path=item.path, level=str(level)
                    )
