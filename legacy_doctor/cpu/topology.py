"""Cores, their kinds and their memory, from sysfs and procfs: what threads may run on.

Linux: Documentation/admin-guide/cputopology.rst (`topology/*`), ABI/stable/sysfs-devices-node, and
for the kinds of a hybrid CPU the perf units `cpu_core` and `cpu_atom`, whose `cpus` are the CPUs of
that kind (tools/perf/Documentation/intel-hybrid.txt). Every file may be missing; what was taken
instead is noted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import cgroup, cpuid
from legacy_doctor.model import Core, Topology

PERFORMANCE: Final = "performance"
EFFICIENT: Final = "efficient"

MOST_CPUS: Final = 1 << 16
"""No Linux has more; a list that names more is no list of CPUs."""
_SLOW: Final = 0.85
"""Efficient cores reach three quarters of the others' clock (4.4 and 3.3 GHz in an i5-1240P);
cores of one kind that boost a little differently (turbo favourites) stay well above this."""

_UNITS: Final = {
    "cpu_core": PERFORMANCE,
    "cpu_atom": EFFICIENT,
    "cpu_lowpower": EFFICIENT,
}
_UNIT_FOLDERS: Final = ("sys/devices", "sys/bus/event_source/devices")

Kinds = Mapping[int, str]


def here() -> Topology:
    """Return what this process may compute on."""
    try:
        affinity: Iterable[int] | None = os.sched_getaffinity(0)
    except (AttributeError, OSError):  # not Linux
        affinity = range(os.cpu_count() or 1)
    return read(Path("/"), affinity, by_cpuid)


def read(
    root: Path,
    affinity: Iterable[int] | None = None,
    ask: Callable[[Iterable[int]], Kinds] = lambda _: {},
) -> Topology:
    """Return what a process may compute on where `sys` and `proc` lie below `root`.

    `affinity` is the mask of the process; without it the recorded `/proc/self/status` tells.
    `ask` tells the kinds of CPUs where sysfs does not: see `by_cpuid`. Raises nothing.
    """
    notes: list[str] = []
    mask = cpu_list(_field(root / "proc/self/status", "Cpus_allowed_list"))
    wanted = mask if affinity is None else tuple(sorted(affinity))
    online = _online(root, wanted, notes)
    allowed = tuple(cpu for cpu in wanted or online if cpu in set(online)) or online
    kinds, kinds_from = _kinds(root, allowed, ask)
    limits = cgroup.read(root)
    memory, available = _memory(root, limits, notes)
    return Topology(
        online=online,
        allowed=allowed,
        cores=_cores(root, allowed, kinds, notes),
        kinds_from=kinds_from,
        quota=limits.quota,
        quota_from=limits.quota_from,
        memory=memory,
        available=available,
        memory_limit=limits.memory,
        memory_limit_from=limits.memory_from,
        load=_load(root),
        notes=tuple(notes),
    )


def cpu_list(text: str) -> tuple[int, ...]:
    """Read the kernel's `0-3,8`; empty where it is no such list."""
    cpus: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last < MOST_CPUS:
            return ()
        cpus.update(range(first, last + 1))
    return tuple(sorted(cpus))


def _online(root: Path, wanted: tuple[int, ...], notes: list[str]) -> tuple[int, ...]:
    online = cpu_list(_text(root / "sys/devices/system/cpu/online"))
    if online:
        return online
    notes.append("sysfs does not tell which CPUs are online; the affinity mask was taken for it")
    return wanted or (0,)


def _cores(
    root: Path, allowed: tuple[int, ...], kinds: Kinds, notes: list[str]
) -> tuple[Core, ...]:
    """Group the allowed CPUs by the core that they share."""
    nodes = _nodes(root)
    groups: dict[object, list[int]] = {}
    untold = []
    for cpu in allowed:
        key = _core_of(root, cpu)
        if key is None:
            untold.append(cpu)
        groups.setdefault(("alone", cpu) if key is None else key, []).append(cpu)
    if untold:
        notes.append(
            f"sysfs does not tell which core {len(untold)} of {len(allowed)} CPUs belong to; each "
            "was taken for a core of its own"
        )
    return tuple(
        Core(
            cpus=tuple(cpus),
            package=_number(_topology(root, cpus[0]) / "physical_package_id") or 0,
            node=nodes.get(cpus[0], 0),
            kind=kinds.get(cpus[0], ""),
        )
        for cpus in groups.values()
    )


def _core_of(root: Path, cpu: int) -> object | None:
    """Return what is the same for all CPUs of a core; None where nothing tells."""
    folder = _topology(root, cpu)
    for name in ("core_cpus_list", "thread_siblings_list"):  # the second is the older name
        siblings = cpu_list(_text(folder / name))
        if cpu in siblings:
            return siblings
    package, core = (_number(folder / name) for name in ("physical_package_id", "core_id"))
    return None if core is None else (package, core)


def _topology(root: Path, cpu: int) -> Path:
    return root / f"sys/devices/system/cpu/cpu{cpu}/topology"


def _nodes(root: Path) -> dict[int, int]:
    result = {}
    for folder in (root / "sys/devices/system/node").glob("node[0-9]*"):
        number = folder.name.removeprefix("node")
        if number.isdecimal():
            result.update(dict.fromkeys(cpu_list(_text(folder / "cpulist")), int(number)))
    return result


def _kinds(
    root: Path, allowed: tuple[int, ...], ask: Callable[[Iterable[int]], Kinds]
) -> tuple[Kinds, str]:
    """Return the kinds of a hybrid CPU's cores, and who told; nothing where all are alike."""
    for place in _UNIT_FOLDERS:
        told = {
            cpu: kind
            for unit, kind in _UNITS.items()
            for cpu in cpu_list(_text(root / place / unit / "cpus"))
        }
        if EFFICIENT in told.values():
            return told, f"/{place}/cpu_core and cpu_atom"
    asked = ask(allowed)
    if EFFICIENT in asked.values():
        return asked, "CPUID leaf 0x1A"
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        paths = {cpu: root / f"sys/devices/system/cpu/cpu{cpu}/{name}" for cpu in allowed}
        split = _split({cpu: _number(path) for cpu, path in paths.items()})
        if split:
            return split, f"{name}, which only hints at it"
    return {}, ""


def _split(values: Mapping[int, int | None]) -> Kinds:
    """Part CPUs into fast and slow ones; nothing where they are alike or one is silent."""
    known = {cpu: value for cpu, value in values.items() if value}
    if len(known) < len(values):
        return {}
    ranked = sorted(set(known.values()))
    gaps = [(low / high, high) for low, high in pairwise(ranked)]
    ratio, threshold = min(gaps, default=(1.0, 0))
    if ratio >= _SLOW:
        return {}
    return {cpu: PERFORMANCE if value >= threshold else EFFICIENT for cpu, value in known.items()}


def by_cpuid(cpus: Iterable[int]) -> Kinds:
    """Ask each CPU itself (leaf 0x1A), by moving there; nothing where it is no hybrid.

    Only the calling thread moves, and is back when this returns.
    """
    try:
        with cpuid.Processor() as processor:
            if not cpuid.is_hybrid(processor):
                return {}
            before = os.sched_getaffinity(0)
            try:
                return {cpu: kind for cpu in cpus if (kind := _asked(processor, cpu))}
            finally:
                os.sched_setaffinity(0, before)
    except (cpuid.Unavailable, OSError, AttributeError):
        return {}


def _asked(processor: Callable[[int, int], cpuid.Registers], cpu: int) -> str:
    os.sched_setaffinity(0, {cpu})
    return {cpuid.CORE: PERFORMANCE, cpuid.ATOM: EFFICIENT}.get(cpuid.core_type(processor), "")


def _memory(root: Path, limits: cgroup.Limits, notes: list[str]) -> tuple[int | None, int | None]:
    """Return the bytes there are, and those that can still be had."""
    path = root / "proc/meminfo"
    total, available = _kibibytes(path, "MemTotal"), _kibibytes(path, "MemAvailable")
    if available is None and total is not None:  # before Linux 3.14
        parts = [_kibibytes(path, name) or 0 for name in ("MemFree", "Buffers", "Cached")]
        available = sum(parts)
        notes.append("the kernel does not tell MemAvailable; free and cached memory were added")
    if limits.memory is not None:
        left = max(limits.memory - (limits.used or 0), 0)
        available = left if available is None else min(available, left)
    return total, available


def _kibibytes(path: Path, name: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,15}) kB", _field(path, name))
    return int(found[1]) << 10 if found else None


def _field(path: Path, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}:[ \t]*(.*?)[ \t]*$", _text(path), re.MULTILINE)
    return found[1] if found else ""


def _load(root: Path) -> float | None:
    found = re.match(r"[0-9]{1,6}\.[0-9]{1,3}(?= )", _text(root / "proc/loadavg"))
    return float(found[0]) if found else None


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if re.fullmatch("[0-9]{1,12}", text) else None


def _text(path: Path) -> str:
    """Return what a file says; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
