"""archspec's name for a CPU, by what it can execute."""

from __future__ import annotations

import dataclasses

import archspec.cpu
import pytest

from legacy_doctor.cpu import features, microarchitecture, models
from legacy_doctor.model import Cpu

NAMED = {item.name: item.cpu for item in models.named() if item.cpu.microarchitecture is not None}
NAMELESS = {item.name: item.cpu for item in models.named() if item.cpu.microarchitecture is None}

# What archspec has no microarchitecture for is called by the newest ancestor that it contains.
ANCESTORS = {
    "opteron-248": "x86_64",  # archspec has no K8
    "athlon-64-x2-5200": "x86_64",
    "e-350": "x86_64",  # no Bobcat
    "athlon-5350": "x86_64_v2",  # no Jaguar
    "a8-6410": "x86_64_v2",
    "atom-n450": "core2",  # no Atom
    "celeron-j1900": "nehalem",
    "celeron-j4125": "westmere",
    "kvm64": "nocona",
    "qemu64": "x86_64",
    "x86-64-v2-aes": "x86_64_v2",
}


@pytest.mark.parametrize("name", NAMED)
def test_the_name_worked_out_is_the_one_of_the_table(name: str) -> None:
    cpu = NAMED[name]
    assert microarchitecture.name(cpu) == cpu.microarchitecture


@pytest.mark.parametrize(("name", "wanted"), ANCESTORS.items(), ids=ANCESTORS)
def test_what_archspec_does_not_know_is_called_by_an_ancestor(name: str, wanted: str) -> None:
    assert microarchitecture.name(NAMELESS[name]) == wanted


@pytest.mark.parametrize("name", [*NAMED, *NAMELESS])
def test_no_cpu_is_called_by_what_it_cannot_do(name: str) -> None:
    cpu = models.find(name).cpu
    target = archspec.cpu.TARGETS[str(microarchitecture.name(cpu))]
    asked = {features.ALIASES.get(word, word) for word in target.features} & features.KNOWN
    assert asked <= cpu.features
    assert target.vendor in {cpu.vendor, "generic"}


def without(name: str, lacks: str) -> Cpu:
    cpu = models.find(name).cpu
    return dataclasses.replace(cpu, features=cpu.features - set(lacks.split()))


BY_WHAT_IT_CAN_DO = {
    "a Zen without AVX2 is no Zen": (without("zen", "avx2 bmi2"), "x86_64_v2"),
    "a Haswell without MOVBE is the Ivy Bridge it still can be": (
        without("haswell", "movbe"),
        "ivybridge",
    ),
    "a Phenom that lost SSE4a is no K10": (without("phenom-ii", "sse4a"), "x86_64"),
    "a vendor that archspec does not know": (
        dataclasses.replace(models.find("nehalem").cpu, vendor="CentaurHauls"),
        "x86_64_v2",
    ),
    "nothing but x86-64": (models.find("x86-64-v1").cpu, "x86_64"),
}


@pytest.mark.parametrize(("cpu", "wanted"), BY_WHAT_IT_CAN_DO.values(), ids=BY_WHAT_IT_CAN_DO)
def test_a_cpu_is_called_by_what_it_can_do(cpu: Cpu, wanted: str) -> None:
    assert microarchitecture.name(cpu) == wanted


def test_a_cpu_below_what_archspec_calls_x86_64_has_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Played with archspec's own class: its x86_64 of today asks for nothing at all."""
    root = archspec.cpu.Microarchitecture("x86_64", [], "generic", {"sse2"}, {}, 0)
    monkeypatch.setattr(archspec.cpu, "TARGETS", {"x86_64": root})
    assert microarchitecture.name(without("phenom-ii", "sse2")) is None
    assert microarchitecture.name(models.find("phenom-ii").cpu) == "x86_64"


def test_a_name_that_is_there_stays() -> None:
    cpu = models.find("phenom-ii").cpu
    assert microarchitecture.named(cpu) is cpu


def test_a_name_that_is_missing_is_filled_in() -> None:
    cpu = dataclasses.replace(models.find("nehalem").cpu, microarchitecture=None)
    assert microarchitecture.named(cpu).microarchitecture == "nehalem"
    assert microarchitecture.named(cpu) == models.find("nehalem").cpu
