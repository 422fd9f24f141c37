"""The doctor inside qemu-user: the emulated CPU is believed, the host's file is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cpu import cpuid, features, witnesses
from tests.conftest import Doctor

pytestmark = pytest.mark.qemu


def cpu_under(model: str, doctor: Doctor, qemu: Path) -> dict[str, Any]:
    answer = doctor("cpu", "--format", "json", under=(str(qemu), "-cpu", model))
    assert answer.code == 0, answer.err
    cpu: dict[str, Any] = json.loads(answer.out)["cpu"]
    return cpu


MODELS = {
    "phenom": ("x86-64-v1", "sse4a popcnt abm 3dnow", "ssse3 sse4_1 sse4_2 avx"),
    "Nehalem": ("x86-64-v2", "sse4_1 sse4_2 popcnt", "avx aes"),
    "SandyBridge": ("x86-64-v2", "avx aes xsave", "avx2 f16c"),
    "Haswell": ("x86-64-v3", "avx2 fma bmi2 movbe", "avx512f"),
    "qemu64": ("x86-64-v1", "pni cx16 lahf_lm", "ssse3 popcnt sse4a"),
    "kvm64": ("x86-64-v1", "pni cx16", "lahf_lm ssse3 popcnt"),
}


@pytest.mark.parametrize(("model", "wanted"), MODELS.items(), ids=MODELS)
def test_the_emulated_cpu_is_the_one_that_counts(
    model: str, wanted: tuple[str, str, str], doctor: Doctor, qemu: Path
) -> None:
    level, has, lacks = wanted
    cpu = cpu_under(model, doctor, qemu)
    assert (cpu["level"], cpu["source"], cpu["hypervisor"]) == (level, "cpuid", "TCGTCGTCGTCG")
    assert set(cpu["features"]) >= set(has.split())
    assert not set(cpu["features"]) & set(lacks.split())
    assert features.level_of(frozenset(cpu["features"])) == level


def weighty(theirs: frozenset[str], ours: set[str]) -> list[str]:
    weighed = features.cumulative("x86-64-v4") | {"sse4a", "aes", "pclmulqdq"}
    return sorted((theirs - ours) & weighed)


def test_the_host_is_heard_and_not_believed(doctor: Doctor, qemu: Path) -> None:
    host = features.permitted(cpuid.read().silicon, cpuid.read().xcr0)
    if host <= features.cumulative("x86-64-v1"):
        pytest.skip("the host has nothing that a Phenom lacks")
    cpu = cpu_under("phenom", doctor, qemu)
    ours = set(cpu["features"])
    heard = {witness["name"]: witness for witness in cpu["witnesses"]}
    assert heard["kernel"]["extra"] == weighty(witnesses.kernel().features, ours)
    assert heard["ld.so"]["extra"] == weighty(witnesses.ld_so().features, ours)
    assert heard["glibc"]["extra"] == heard["glibc"]["lacking"] == []
    hidden = {item["feature"]: item["by"] for item in cpu["hidden"]}
    assert hidden == dict.fromkeys(weighty(witnesses.kernel().features, ours), "hypervisor")
    assert not ours & set(hidden)
    assert cpu["level"] == "x86-64-v1"


def test_a_generic_model_is_named_as_such(doctor: Doctor, qemu: Path) -> None:
    cpu = cpu_under("qemu64", doctor, qemu)
    assert cpu["brand"].startswith("QEMU Virtual CPU")
    lacking = features.cumulative("x86-64-v3") - set(cpu["features"])
    assert lacking <= {item["feature"] for item in cpu["hidden"] if item["by"] == "hypervisor"}
