"""Cores, kinds, nodes and memory, from trees of sysfs and procfs and from this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import cpuid, topology
from legacy_doctor.model import Core, Topology
from tests.cpu.trees import MACHINES, put, tree


def read(tmp_path: Path, name: str) -> Topology:
    return topology.read(tree(tmp_path, name))


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_says_where_it_is_from(name: str) -> None:
    assert MACHINES[name]["source"].startswith(("recorded on ", "synthesised from "))


@pytest.mark.parametrize(
    ("name", "physical", "logical", "sockets", "nodes"),
    [
        pytest.param("i5-1240p", 12, 16, 1, 1, id="i5-1240P has 12 cores and 16 CPUs"),
        pytest.param("phenom-ii-x6", 6, 6, 1, 1, id="Phenom II X6 has 6 cores"),
        pytest.param("opteron-2435-dual", 12, 12, 2, 2, id="two Opterons have 12 cores, 2 nodes"),
        pytest.param("opteron-6276", 8, 16, 1, 2, id="Opteron 6276 has 8 modules on 2 nodes"),
        pytest.param("j4125", 4, 4, 1, 1, id="J4125 has 4 cores"),
        pytest.param("ryzen-5-3600", 6, 12, 1, 1, id="Ryzen has 6 cores and 12 CPUs"),
        pytest.param("container-of-two-cpus", 6, 12, 1, 1, id="a container sees all of its host"),
        pytest.param("kvm-guest-of-two-cpus", 2, 2, 1, 1, id="the recorded guest has 2 cores"),
    ],
)
def test_cores_are_counted(
    name: str, physical: int, logical: int, sockets: int, nodes: int, tmp_path: Path
) -> None:
    found = read(tmp_path, name)

    assert len(found.cores) == physical
    assert sum(len(core.cpus) for core in found.cores) == len(found.allowed) == logical
    assert (len(found.packages), len(found.nodes)) == (sockets, nodes)
    assert found.load == 0.2


def test_a_hybrid_cpu_tells_its_kinds_and_who_told(tmp_path: Path) -> None:
    found = read(tmp_path, "i5-1240p")

    assert found.hybrid
    assert found.kinds_from == "/sys/devices/cpu_core and cpu_atom"
    assert [core.cpus for core in found.of_kind("performance")] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert len(found.of_kind("efficient")) == 8


@pytest.mark.parametrize(
    ("files", "who"),
    [
        pytest.param(
            {
                "sys/bus/event_source/devices/cpu_core/cpus": "0-1",
                "sys/bus/event_source/devices/cpu_atom/cpus": "2-3",
            },
            "/sys/bus/event_source/devices/cpu_core and cpu_atom",
            id="the newer place of the perf units",
        ),
        pytest.param(
            {
                f"sys/devices/system/cpu/cpu{n}/cpu_capacity": c
                for n, c in enumerate(("1024", "1024", "600", "600"))
            },
            "cpu_capacity, which only hints at it",
            id="capacities that differ",
        ),
        pytest.param(
            {
                f"sys/devices/system/cpu/cpu{n}/cpufreq/cpuinfo_max_freq": khz
                for n, khz in enumerate(("4400000", "4300000", "3300000", "3300000"))
            },
            "cpufreq/cpuinfo_max_freq, which only hints at it",
            id="clocks that are a quarter apart",
        ),
    ],
)
def test_the_kinds_are_told_by_others_where_the_units_are_missing(
    files: dict[str, str], who: str, tmp_path: Path
) -> None:
    put(tmp_path, {"sys/devices/system/cpu/online": "0-3", **files})

    found = topology.read(tmp_path)

    assert [core.kind for core in found.cores] == ["performance"] * 2 + ["efficient"] * 2
    assert found.kinds_from == who


@pytest.mark.parametrize(
    "clocks",
    [
        pytest.param(("5200000", "5300000", "5300000", "5200000"), id="turbo favourites"),
        pytest.param(("4400000", "4400000", "3300000", ""), id="one silent clock"),
        pytest.param(("4000000",) * 4, id="one clock"),
    ],
)
def test_cores_of_one_kind_are_not_parted(clocks: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, {"sys/devices/system/cpu/online": "0-3"})
    for number, khz in enumerate(clocks):
        put(tmp_path, {f"sys/devices/system/cpu/cpu{number}/cpufreq/cpuinfo_max_freq": khz})

    assert not topology.read(tmp_path).hybrid


def test_a_cpu_itself_is_asked_before_clocks_are_compared(tmp_path: Path) -> None:
    put(tmp_path, {"sys/devices/system/cpu/online": "0-2"})

    def ask(cpus: Iterable[int]) -> dict[int, str]:
        return {cpu: "efficient" if cpu else "performance" for cpu in cpus}

    found = topology.read(tmp_path, ask=ask)

    assert found.hybrid
    assert found.kinds_from == "CPUID leaf 0x1A"


def test_the_affinity_mask_narrows(tmp_path: Path) -> None:
    root = tree(tmp_path, "i5-1240p")

    assert [c.cpus for c in topology.read(root, affinity={1, 8, 9}).cores] == [(1,), (8,), (9,)]
    assert not topology.read(root, affinity={8, 9}).hybrid


def test_a_recorded_mask_narrows_as_well(tmp_path: Path) -> None:
    root = tree(tmp_path, "ryzen-5-3600")
    put(root, {"proc/self/status": "Name:\tx\nCpus_allowed_list:\t0,6,7\n"})

    assert topology.read(root).allowed == (0, 6, 7)
    assert len(topology.read(root).cores) == 2


def test_a_mask_of_cpus_that_are_offline_is_not_believed(tmp_path: Path) -> None:
    assert topology.read(tree(tmp_path, "j4125"), affinity={40}).allowed == (0, 1, 2, 3)


def test_core_ids_do_where_siblings_are_not_told(tmp_path: Path) -> None:
    files = {"sys/devices/system/cpu/online": "0-3"}
    for cpu in range(4):
        folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files |= {f"{folder}/core_id": str(cpu % 2), f"{folder}/physical_package_id": "0"}

    assert topology.read(put(tmp_path, files)).cores == (Core((0, 2)), Core((1, 3)))


def test_an_empty_tree_is_one_core_with_notes(tmp_path: Path) -> None:
    found = topology.read(tmp_path)

    assert found.cores == (Core((0,)),)
    assert found.memory is found.available is found.load is found.quota is None
    assert len(found.notes) == 2


def test_garbage_is_no_topology_and_no_crash(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "sys/devices/system/cpu/online": "0-999999,x",
            "sys/devices/system/cpu/cpu0/topology/core_cpus_list": "\x00\x01",
            "sys/devices/system/node/nodeX1/cpulist": "0",
            "sys/devices/system/node/node1x/cpulist": "0",
            "proc/meminfo": "MemTotal: many kB",
            "proc/loadavg": "much",
            "proc/self/cgroup": "nonsense",
            "proc/self/mountinfo": "1 2 3",
        },
    )

    assert topology.read(tmp_path).cores == (Core((0,)),)


def test_an_old_kernel_has_its_free_memory_added_up(tmp_path: Path) -> None:
    found = read(tmp_path, "phenom-ii-x6")

    assert found.available == (2_000_000 + 180_000 + 3_000_000) * 1024
    assert any("MemAvailable" in note for note in found.notes)


def test_the_memory_of_a_container_is_what_its_limit_leaves(tmp_path: Path) -> None:
    found = read(tmp_path, "container-of-two-cpus")

    assert found.memory_limit == 6 << 30
    assert found.available == 5 << 30  # one of the two gigabytes in use is cache
    assert found.memory_limit_from == "/sys/fs/cgroup/memory.max"


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_list_of_cpus_is_read_as_the_kernel_writes_it(cpus: set[int]) -> None:
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    text = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)

    assert topology.cpu_list(f"{text}\n") == tuple(sorted(cpus))


@given(st.text(max_size=40))
def test_any_text_is_a_list_or_none(text: str) -> None:
    assert all(0 <= cpu < topology.MOST_CPUS for cpu in topology.cpu_list(text))


def test_this_machine_is_read() -> None:
    found = topology.here()

    assert set(found.allowed) == os.sched_getaffinity(0)
    assert found.memory
    assert found.available
    assert found.available <= found.memory


def test_asking_the_cpus_leaves_the_process_where_it_was() -> None:
    before = os.sched_getaffinity(0)

    kinds = topology.by_cpuid(before)

    assert os.sched_getaffinity(0) == before
    assert set(kinds) <= before


def _hybrid(bit: int, types: dict[int, int]) -> Callable[[int, int], cpuid.Registers]:
    """CPUID of a CPU whose answer to leaf 0x1A depends on where it is asked."""

    def ask(leaf: int, _subleaf: int) -> cpuid.Registers:
        (cpu,) = os.sched_getaffinity(0) if len(os.sched_getaffinity(0)) == 1 else (0,)
        answers = {
            0: (0x20, 0, 0, 0),
            7: (0, 0, 0, bit << 15),
            0x1A: (types.get(cpu, 0) << 24, 0, 0, 0),
        }
        return cpuid.Registers(*answers[leaf])

    return ask


class _Played:
    def __init__(self, ask: Callable[[int, int], cpuid.Registers]) -> None:
        self._ask = ask

    def __enter__(self) -> Callable[[int, int], cpuid.Registers]:
        return self._ask

    def __exit__(self, *_: object) -> None:
        pass


def test_each_cpu_is_asked_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    types = {cpu: cpuid.CORE if cpu == allowed[0] else cpuid.ATOM for cpu in allowed}
    monkeypatch.setattr(cpuid, "Processor", lambda: _Played(_hybrid(1, types)))

    kinds = topology.by_cpuid(allowed)

    assert kinds[allowed[0]] == "performance"
    assert {kinds[cpu] for cpu in allowed[1:]} <= {"efficient"}
    assert sorted(os.sched_getaffinity(0)) == allowed


def test_a_cpu_that_is_no_hybrid_or_cannot_be_asked_tells_no_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpuid, "Processor", lambda: _Played(_hybrid(0, {})))
    assert topology.by_cpuid([0]) == {}

    def refused() -> None:
        raise cpuid.Unavailable("no executable memory")

    monkeypatch.setattr(cpuid, "Processor", refused)
    assert topology.by_cpuid([0]) == {}


def test_without_an_affinity_call_the_number_of_cpus_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")

    assert topology.here().allowed
