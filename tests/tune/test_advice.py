"""How many threads, and why: the answer is in the name of each case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from legacy_doctor.cpu import topology
from legacy_doctor.model import Choice, Topology, Work
from legacy_doctor.tune import advice
from tests.cpu.trees import tree
from tests.tune.consultations import alike

DENSE, STEPS = Work.DENSE, Work.AUTOREGRESSIVE


def advised(root: Path, name: str, work: Work) -> tuple[Choice, ...]:
    return advice.choices(topology.read(tree(root, name)), work)


@pytest.mark.parametrize(
    ("name", "work", "threads"),
    [
        pytest.param("i5-1240p", DENSE, (12, 4), id="i5-1240P, large products: the guide's 12, or the 4 P-cores"),
        pytest.param("i5-1240p", STEPS, (4, 12), id="i5-1240P, speech: the 4 P-cores, or the guide's 12"),
        pytest.param("phenom-ii-x6", STEPS, (6,), id="Phenom II X6: 6 threads, one a core"),
        pytest.param("opteron-2435-dual", STEPS, (12, 6), id="two Opteron 2435: 12 threads, or the 6 of one node"),
        pytest.param("opteron-6276", DENSE, (8, 4), id="Opteron 6276: 8 threads, one an FPU, or the 4 of one node"),
        pytest.param("j4125", STEPS, (4,), id="J4125: 4 threads"),
        pytest.param("ryzen-5-3600", DENSE, (6,), id="Ryzen with SMT: 6 threads, not 12"),
        pytest.param("container-of-two-cpus", DENSE, (2,), id="container of 2 CPUs on that Ryzen: 2 threads"),
        pytest.param("kvm-guest-of-two-cpus", STEPS, (2,), id="recorded guest of 2 CPUs: 2 threads"),
    ],
)  # fmt: skip
def test_thread_advice(name: str, work: Work, threads: tuple[int, ...], tmp_path: Path) -> None:
    assert tuple(item.threads for item in advised(tmp_path, name, work)) == threads


def test_the_p_cores_are_named_one_cpu_a_core_with_the_reason(tmp_path: Path) -> None:
    first, second = advised(tmp_path, "i5-1240p", STEPS)

    assert first.cpus == (0, 2, 4, 6)
    assert "wait for the slowest, an E-core" in first.reason
    assert second.cpus == ()
    assert "12 physical cores of 16 logical CPUs" in second.reason
    assert "4P+8E, the sum that guides name" in second.reason


def test_a_quota_names_its_file_and_that_nobody_reads_it(tmp_path: Path) -> None:
    (only,) = advised(tmp_path, "container-of-two-cpus", DENSE)

    assert "quota of 2 CPUs keeps 2 busy (/sys/fs/cgroup/cpu.max)" in only.reason
    assert "no library reads" in only.reason


def test_one_node_is_the_largest_and_is_pinned(tmp_path: Path) -> None:
    _, node = advised(tmp_path, "opteron-2435-dual", DENSE)

    assert node.id == "node"
    assert node.cpus == (0, 2, 4, 6, 8, 10)


@pytest.mark.parametrize(
    ("quota", "threads"),
    [
        pytest.param(0.5, 1, id="half a CPU is one thread"),
        pytest.param(2.9, 2, id="2.9 CPUs are two: the third would be throttled"),
        pytest.param(64.0, 8, id="a quota above the cores binds nothing"),
        pytest.param(None, 8, id="no quota"),
    ],
)
def test_a_quota_is_rounded_down(quota: float | None, threads: int) -> None:
    (only,) = advice.choices(replace(alike(8), quota=quota, quota_from="/f"), DENSE)

    assert only.threads == threads


def test_choices_of_the_same_number_are_one(tmp_path: Path) -> None:
    hybrid = replace(topology.read(tree(tmp_path, "i5-1240p")), quota=3.0)

    (dense,) = advice.choices(hybrid, DENSE)
    (steps,) = advice.choices(hybrid, STEPS)

    assert (dense.id, dense.threads) == ("physical", 3)
    assert (steps.id, steps.threads) == ("performance", 3)


def test_one_core_is_one_thread() -> None:
    (only,) = advice.choices(alike(1), DENSE)

    assert (only.threads, only.title, only.reason) == (1, "the one core", "1 physical core")


@pytest.mark.parametrize(("threads", "interop"), [(1, 1), (4, 1), (5, 2), (12, 2)])
def test_interop_is_one_up_to_four_threads(threads: int, interop: int) -> None:
    assert advice.interop(threads) == interop


def test_no_machine_gets_more_threads_than_it_has_cores_or_fewer_than_one() -> None:
    for count in range(1, 40):
        machine: Topology = alike(count)
        assert all(1 <= item.threads <= count for item in advice.choices(machine, STEPS))
