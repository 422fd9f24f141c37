"""Machines of the table, expanded into folders that look like their `/sys` and `/proc`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from legacy_doctor.cpu.topology import cpu_list

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MACHINES: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("machines.toml").read_text("utf-8")
)


def put(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.strip("\n") + "\n", encoding="utf-8")
    return root


def tree(root: Path, name: str) -> Path:
    """Write the tree of a machine, and return its root."""
    machine = MACHINES[name]
    return put(root / name, {**made(machine), **machine.get("files", {})})


def made(machine: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that a machine's cores, nodes and memory make."""
    cpus = sorted(cpu for socket in machine["cores"] for core in socket for cpu in cpu_list(core))
    files = {"sys/devices/system/cpu/online": f"0-{cpus[-1]}"}
    siblings = "thread_siblings_list" if machine.get("old") else "core_cpus_list"
    for package, socket in enumerate(machine["cores"]):
        for core in socket:
            for cpu in cpu_list(core):
                folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
                files[f"{folder}/{siblings}"] = core
                files[f"{folder}/physical_package_id"] = str(package)
    for number, node in enumerate(machine.get("nodes", ())):
        files[f"sys/devices/system/node/node{number}/cpulist"] = node
    files["proc/meminfo"] = f"MemTotal: {machine['memory']} kB\n"
    if "available" in machine:
        files["proc/meminfo"] += f"MemAvailable:   {machine['available']} kB\n"
    files["proc/loadavg"] = "0.20 0.10 0.05 1/200 4242"
    return files
