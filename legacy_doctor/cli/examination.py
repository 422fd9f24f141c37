"""Bring CPU and environment together: the `Patient` that rules look at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from legacy_doctor.binary import elf
from legacy_doctor.cpu import detect, models
from legacy_doctor.environment import distributions, interpreter, overrides
from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import boot
from legacy_doctor.model import (
    Cpu,
    DeclaredIsa,
    Distribution,
    Interpreter,
    Patient,
    is_native,
)

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
        armed=armed(target),
        what_if=cpu_name is not None and cpu_name.lower() not in HERE,
    )


def armed(target: Interpreter) -> dict[str, str]:
    """Return the shims that the start-up hook of an environment arms, with their versions."""
    if not boot.lies_in(target.site_packages):
        return {}
    from legacy_doctor.cli.hooked import Socket

    try:
        hook = Socket(interpreter=target).read()
    except DoctorError:  # a folder that is not its own, a file that cannot be read: see `hook`
        return {}
    if hook is None or hook.via is None or hook.armed is None:
        return {}
    return {shim.id: shim.versions for shim in hook.armed.shims}


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
