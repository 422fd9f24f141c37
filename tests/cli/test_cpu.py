"""`cpu`: this CPU, named ones, the list."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Doctor


def test_this_cpu_is_read_by_cpuid_and_all_witnesses_are_named(doctor: Doctor) -> None:
    report = json.loads(doctor("cpu", "--format", "json").out)

    cpu = report["cpu"]
    assert cpu["source"] == "cpuid"
    assert [item["name"] for item in cpu["witnesses"]] == ["cpuid", "glibc", "kernel", "ld.so"]
    assert cpu["level"].startswith("x86-64-v")
    assert {"sse", "sse2"} <= set(cpu["features"])


@pytest.mark.parametrize(
    ("name", "level", "lacks"),
    [
        pytest.param("phenom-ii", "x86-64-v1", ["ssse3", "sse4_1", "sse4_2"], id="Phenom II"),
        pytest.param("Nehalem", "x86-64-v2", [], id="QEMU's name, any case"),
        pytest.param("x86-64-v2-AES", "x86-64-v2", [], id="Proxmox's default"),
        pytest.param("x86-64-v3", "x86-64-v3", [], id="a generic level"),
    ],
)
def test_a_named_cpu_has_its_level_and_what_it_lacks(
    name: str, level: str, lacks: list[str], doctor: Doctor
) -> None:
    report = json.loads(doctor("cpu", "--cpu", name, "--format", "json").out)

    assert report["cpu"]["level"] == level
    assert report["cpu"]["lacks"]["x86-64-v2"] == lacks
    assert report["named"]["facts"]


def test_sse4a_is_told_apart_from_sse4_1(doctor: Doctor) -> None:
    answer = doctor("cpu", "--cpu", "phenom-ii")

    assert "SSE4a is AMD's own and is neither SSE4.1 nor SSE4.2" in " ".join(answer.out.split())


def test_a_virtual_cpu_says_who_hides_what(doctor: Doctor) -> None:
    flat = " ".join(doctor("cpu", "--cpu", "kvm64").out.split())

    assert "by the hypervisor: ssse3 sse4_1" in flat
    assert "change the CPU type of the virtual machine" in flat


def test_the_list_holds_names_levels_and_titles_in_eighty_columns(doctor: Doctor) -> None:
    answer = doctor("cpu", "--list")

    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("x86-64-v" in line for line in lines) >= 40
    assert "phenom-ii-x6-1090t" in answer.out


def test_the_list_is_had_as_json_with_the_emulation(doctor: Doctor) -> None:
    entries = json.loads(doctor("cpu", "--list", "--format", "json").out)["cpus"]

    by_name = {entry["name"]: entry for entry in entries}
    assert by_name["phenom-ii-x6-1090t"]["emulation"]["cpu"].startswith("phenom,")
    assert by_name["x86-64-v4"]["emulation"] is None


def test_host_is_this_cpu(doctor: Doctor) -> None:
    here = json.loads(doctor("cpu", "--format", "json").out)
    named = json.loads(doctor("cpu", "--cpu", "host", "--format", "json").out)

    assert here == named
