"""QEMU's user mode plays the named CPUs as the table says, to the feature."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import legacy_doctor
from legacy_doctor.cpu import features, models

pytestmark = pytest.mark.qemu

ROOT = Path(legacy_doctor.__file__).parent.parent

CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from legacy_doctor.cpu import cpuid, features
reading = cpuid.read()
answer = reading._asdict()
answer["features"] = sorted(features.permitted(reading.silicon, reading.xcr0))
del answer["silicon"]
print(json.dumps(answer))
"""


def read_under(qemu: str | Path, cpu: str) -> dict[str, Any]:
    """Read CPUID in a Python that qemu runs; its own warnings about `-cpu` go unheard."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENBLAS_", "MKL_"))
    }
    done = subprocess.run(
        [str(qemu), "-cpu", cpu, sys.executable, "-I", "-S", "-c", CHILD, str(ROOT)],
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


EMULATED = {item.name: item for item in models.named() if item.emulation is not None}


@pytest.mark.parametrize("name", EMULATED)
def test_program_sees_the_table(name: str, qemu: str | Path) -> None:
    item = EMULATED[name]
    emulation, cpu = item.emulation, item.cpu
    assert emulation is not None
    seen = read_under(qemu, emulation.cpu)
    assert set(seen["features"]) == (cpu.features - emulation.lacks) | emulation.adds
    if cpu.vendor != "generic":
        assert seen["vendor"] == cpu.vendor
        assert (seen["family"], seen["model"], seen["stepping"]) == (
            cpu.family,
            cpu.model,
            cpu.stepping,
        )
        assert seen["max_leaf"] == cpu.cpuid_level
    if "model-id=" in emulation.cpu:
        assert seen["brand"] == cpu.brand


def test_tcg_lacks_what_the_most_it_can_show_leaves_out(qemu: str | Path) -> None:
    seen = set(read_under(qemu, "max")["features"])
    assert features.KNOWN - seen == models.TCG_LACKS
