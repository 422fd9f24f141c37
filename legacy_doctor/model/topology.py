"""Cores as the kernel shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Core(NamedTuple):
    """A physical core, and those of its logical CPUs that this process may use."""

    cpus: tuple[int, ...]
    package: int = 0
    """The socket."""
    node: int = 0
    """The NUMA node: where its memory is near."""
    kind: str = ""
    """`performance` or `efficient` in a hybrid CPU; empty where all cores are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What a process here may compute on: cores, limits, memory. What is unknown is None."""

    online: tuple[int, ...]
    allowed: tuple[int, ...]
    """The affinity mask, narrowed by cpusets already."""
    cores: tuple[Core, ...]
    """Those with a CPU in `allowed`."""
    kinds_from: str = ""
    """Which source told the kinds of a hybrid CPU's cores."""
    quota: float | None = None
    """CPUs that the smallest quota of the cgroup and its ancestors is worth."""
    quota_from: str = ""
    memory: int | None = None
    """Bytes of the machine."""
    available: int | None = None
    """Bytes that can still be had, under the cgroup's limit."""
    memory_limit: int | None = None
    memory_limit_from: str = ""
    load: float | None = None
    """Processes that ran or waited to run, averaged over the last minute."""
    notes: tuple[str, ...] = ()
    """What could not be read, and what was taken instead."""

    def of_kind(self, kind: str) -> tuple[Core, ...]:
        """Return the cores of one kind."""
        return tuple(core for core in self.cores if core.kind == kind)

    @property
    def hybrid(self) -> bool:
        """True where there are cores of both kinds."""
        return bool(self.of_kind("performance") and self.of_kind("efficient"))

    @property
    def packages(self) -> tuple[int, ...]:
        """The sockets."""
        return tuple(sorted({core.package for core in self.cores}))

    @property
    def nodes(self) -> tuple[int, ...]:
        """The NUMA nodes."""
        return tuple(sorted({core.node for core in self.cores}))
