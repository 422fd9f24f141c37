"""What the cgroup of this process lets it have: CPU time and memory.

cgroup v2: `cpu.max`, `memory.max` (Documentation/admin-guide/cgroup-v2.rst). v1: `cpu.cfs_quota_us`
over `cpu.cfs_period_us` (scheduler/sched-bwc.rst), `memory.limit_in_bytes` (cgroup-v1/memory.rst).
An ancestor's limit binds as well, so the smallest on the way up counts. Both versions may be
mounted at once; both are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

UNLIMITED: Final = 1 << 60
"""More bytes than any machine has; v1 writes "none" as the largest number of whole pages."""


_LIMITING: Final = frozenset({"cpu", "memory"})


class Limits(NamedTuple):
    """What binds, and the file that says so; None where nothing does."""

    quota: float | None = None
    """CPUs: quota divided by period."""
    quota_from: str = ""
    memory: int | None = None
    """Bytes."""
    memory_from: str = ""
    used: int | None = None
    """Bytes of `memory` that are taken and cannot be dropped."""


class _Mount(NamedTuple):
    version: int
    controllers: frozenset[str]
    root: PurePosixPath
    """The cgroup that is seen at the mount point."""
    point: PurePosixPath


def read(root: Path) -> Limits:
    """Return the limits of this process; `root` is where `proc` and `sys` are looked for."""
    quotas: list[tuple[float, str]] = []
    memories: list[tuple[int, str, Path]] = []
    for folder, version, controllers in _folders(root):
        shown = f"/{folder.relative_to(root)}"
        if "cpu" in controllers:
            name, quota = _quota(folder, version)
            quotas += [(quota, f"{shown}/{name}")] if quota is not None else []
        if "memory" in controllers:
            name = "memory.max" if version == 2 else "memory.limit_in_bytes"
            limit = _number(folder / name)
            if limit is not None and limit < UNLIMITED:
                memories.append((limit, f"{shown}/{name}", folder))
    quota, quota_from = min(quotas, default=(None, ""))
    if not memories:
        return Limits(quota, quota_from)
    memory, memory_from, where = min(memories)
    return Limits(quota, quota_from, memory, memory_from, _used(where))


def _folders(root: Path) -> Iterator[tuple[Path, int, frozenset[str]]]:
    """Yield the folders of this process's cgroups and of their ancestors, as far as mounted."""
    ours = dict(_memberships(root))
    for mount in _mounts(root):
        path = _membership(mount, ours)
        if path is None:
            continue
        # Seen from inside a container the path may be the host's, which is not mounted here.
        known = path.is_relative_to(mount.root) and ".." not in path.parts
        parts = path.relative_to(mount.root).parts if known else ()
        point = root / mount.point.relative_to("/")
        for depth in range(len(parts), -1, -1):
            yield point.joinpath(*parts[:depth]), mount.version, mount.controllers


def _membership(mount: _Mount, ours: dict[str, PurePosixPath]) -> PurePosixPath | None:
    if mount.version == 2:
        return ours.get("")
    return next((ours[name] for name in sorted(mount.controllers) if name in ours), None)


def _memberships(root: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """Yield controller and cgroup from `/proc/self/cgroup`; v2 has the empty controller."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if path.startswith("/"):
            for name in controllers.split(","):
                yield name, PurePosixPath(path)


def _mounts(root: Path) -> Iterator[_Mount]:
    """Yield the cgroup mounts of `/proc/self/mountinfo` (proc(5)) that limit CPU or memory."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        place, separator, kind = line.partition(" - ")
        places, kinds = place.split(), kind.split()
        if not separator or len(places) < 5 or len(kinds) < 3 or not places[4].startswith("/"):
            continue
        seen, point = (PurePosixPath(_unescaped(places[index])) for index in (3, 4))
        if kinds[0] == "cgroup2":
            yield _Mount(2, _LIMITING, seen, point)
        elif kinds[0] == "cgroup":
            controllers = frozenset(kinds[2].split(",")) & _LIMITING
            if controllers:
                yield _Mount(1, controllers, seen, point)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _quota(folder: Path, version: int) -> tuple[str, float | None]:
    if version == 2:
        words = _text(folder / "cpu.max").split()
        quota, period = (*words, "", "")[:2]
        return "cpu.max", _ratio(quota, period or "100000")
    quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return "cpu.cfs_quota_us", _ratio(quota, period)


def _ratio(quota: str, period: str) -> float | None:
    """Return CPUs; None for `max`, -1 and what is no number."""
    if not (re.fullmatch("[0-9]{1,18}", quota) and re.fullmatch("[0-9]{1,18}", period)):
        return None
    return int(quota) / int(period) if int(period) and int(quota) else None


def _used(folder: Path) -> int | None:
    """Return what is in use, less the cached files that the kernel drops when asked."""
    used = _number(folder / "memory.current")
    names = ("inactive_file",)
    if used is None:
        used, names = _number(folder / "memory.usage_in_bytes"), ("total_inactive_file",)
    if used is None:
        return None
    pairs = (line.split() for line in _text(folder / "memory.stat").splitlines())
    droppable = (int(pair[1]) for pair in pairs if pair[:1] == list(names) and _digits(pair))
    return max(used - sum(droppable), 0)


def _digits(pair: list[str]) -> bool:
    return len(pair) == 2 and re.fullmatch("[0-9]{1,18}", pair[1]) is not None


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if re.fullmatch("[0-9]{1,19}", text) else None


def _text(path: Path) -> str:
    """Return what a file says; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
