"""How many threads: from cores, kinds, nodes and the quota to a choice, and what else may be right.

Without hybrid cores it is one thread a physical core, within the quota. With them two answers are
going round: all physical cores, and the performance cores alone (oneMKL's developer guide, for
being predictable). Threads that share equal parts of a large product gain by every core; threads
that meet at a barrier after each small step wait for the slowest. So the work decides what comes
first, and `--measure` decides in truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from legacy_doctor.model import Choice, Core, Topology, Work

FEW: Final = 4
"""Up to so many threads a second operator at a time only takes them from the first."""


def choices(topology: Topology, work: Work) -> tuple[Choice, ...]:
    """Return the numbers of threads that may be right, the advised one first."""
    every = _physical(topology)
    others = [*_performance(topology), *_node(topology)]
    small = work is Work.AUTOREGRESSIVE and topology.hybrid
    ranked = [others[0], every, *others[1:]] if small else [every, *others]
    distinct: dict[int, Choice] = {}
    for choice in ranked:
        distinct.setdefault(choice.threads, choice)
    return tuple(distinct.values())


def interop(threads: int) -> int:
    """Return how many operators may run beside each other."""
    return 1 if threads <= FEW else 2


def allowance(topology: Topology) -> int | None:
    """Return how many threads the quota keeps busy, one at least; None where there is none."""
    return None if topology.quota is None else max(int(topology.quota), 1)


def _physical(topology: Topology) -> Choice:
    cores = topology.cores
    reason = f"{_count(cores)}{_threads_of(cores)}"
    if topology.hybrid:
        fast, slow = (len(topology.of_kind(kind)) for kind in ("performance", "efficient"))
        reason += f": {fast}P+{slow}E, the sum that guides name; best for large products"
    title = "all physical cores" if len(cores) > 1 else "the one core"
    return _choice("physical", title, cores, reason, topology)


def _performance(topology: Topology) -> Iterator[Choice]:
    if topology.hybrid:
        cores = topology.of_kind("performance")
        reason = (
            f"{_count(cores, 'P-core')}: at a barrier after every small step, as in speech one "
            "token after another, all threads wait for the slowest, an E-core"
        )
        yield _choice("performance", "the P-cores alone", cores, reason, topology, pinned=True)


def _node(topology: Topology) -> Iterator[Choice]:
    if len(topology.nodes) > 1:
        groups = [[core for core in topology.cores if core.node == n] for n in topology.nodes]
        cores = max(groups, key=len)
        reason = (
            f"{_count(cores)} of NUMA node {cores[0].node}: {len(groups)} nodes have "
            "a memory each, and what lies in another's is slow to reach"
        )
        yield _choice("node", "one NUMA node", cores, reason, topology, pinned=True)


def _choice(  # noqa: PLR0913  what a choice is made of
    name: str,
    title: str,
    cores: Iterable[Core],
    reason: str,
    topology: Topology,
    *,
    pinned: bool = False,
) -> Choice:
    firsts = tuple(core.cpus[0] for core in cores)
    most = allowance(topology)
    threads = len(firsts)
    if most is not None and most < threads:
        reason += (
            f"; of these the cgroup's quota of {topology.quota:g} CPUs keeps {most} busy "
            f"({topology.quota_from}), which no library reads"
        )
        threads = most
    return Choice(
        id=name, title=title, threads=threads, reason=reason, cpus=firsts if pinned else ()
    )


def _count(cores: Iterable[Core], what: str = "physical core") -> str:
    number = len(tuple(cores))
    return f"{number} {what}{'' if number == 1 else 's'}"


def _threads_of(cores: Iterable[Core]) -> str:
    """Tell of the siblings, which share the units that compute."""
    logical = sum(len(core.cpus) for core in cores)
    physical = len(tuple(cores))
    if logical == physical:
        return ""
    return f" of {logical} logical CPUs (those of one core share its arithmetic units)"
