"""Who requires whom, as the installed metadata (and the known soft imports) say."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from legacy_doctor.model import Distribution, Interpreter, Patient, SoftImport, canonical

_HEAD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Edge(NamedTuple):
    """`distribution` asks for another one: its specifier, and the extra that makes it ask."""

    distribution: Distribution
    specifier: str
    extra: str
    soft: bool = False


class Requirements:
    """The requirement graph of one environment.

    Lines are parsed when somebody asks about the distribution they name: an environment has
    thousands, and a diagnosis needs a dozen.
    """

    def __init__(self, patient: Patient, soft: Iterable[SoftImport] = ()) -> None:
        self._installed = {item.name: item for item in patient.distributions}
        self._markers = marker_environment(patient.interpreter)
        self._soft = tuple(soft)

    @cached_property
    def _lines(self) -> Mapping[str, list[tuple[Distribution, str]]]:
        lines: dict[str, list[tuple[Distribution, str]]] = {}
        for distribution in self._installed.values():
            for text in distribution.requires:
                head = _HEAD.match(text)
                if head:
                    name = canonical(head[0])
                    lines.setdefault(name, []).append((distribution, text))
        return lines

    def dependants(self, name: str) -> Iterator[Edge]:
        """Yield who asks for `name`: by requirement, by an extra, by a soft import."""
        for distribution, text in self._lines.get(name, ()):
            try:
                edge = self._edge(distribution, text)
            except ValueError:  # no requirement, or its marker compares what has no order
                continue
            if edge is not None:
                yield edge
        for soft in self._soft:
            if soft.imports == name and soft.distribution in self._installed:
                yield Edge(self._installed[soft.distribution], "", "", soft=True)

    def _edge(self, distribution: Distribution, text: str) -> Edge | None:
        from packaging.requirements import Requirement

        requirement = Requirement(text)
        specifier = str(requirement.specifier)
        if requirement.marker is None or requirement.marker.evaluate(self._environment("")):
            return Edge(distribution, specifier, "")
        for extra in re.findall(r"""extra\s*==\s*['"]([^'"]+)['"]""", str(requirement.marker)):
            if requirement.marker.evaluate(self._environment(extra)):
                return Edge(distribution, specifier, extra)
        return None

    def _environment(self, extra: str) -> dict[str, str]:
        return {**self._markers, "extra": extra}

    def affected(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return who cannot do without `name`, each with the shortest path that leads there.

        The path starts with the affected distribution and ends with `name`. Requirements of
        extras do not count: nobody records whether an extra was asked for.
        """
        paths: dict[str, tuple[str, ...]] = {name: (name,)}
        queue = deque([name])
        while queue:
            current = queue.popleft()
            for edge in self.dependants(current):
                dependant = edge.distribution.name
                if not edge.extra and dependant not in paths:
                    paths[dependant] = (dependant, *paths[current])
                    queue.append(dependant)
        del paths[name]
        return dict(sorted(paths.items()))


def marker_environment(interpreter: Interpreter) -> dict[str, str]:
    """Return the environment markers (PEP 508) of the target, not of the doctor."""
    major, minor, micro = interpreter.version
    system = interpreter.platform.partition("-")[0]
    platforms = {"linux": "linux", "macosx": "darwin", "win": "win32"}
    return {
        "implementation_name": interpreter.implementation,
        "implementation_version": f"{major}.{minor}.{max(micro, 0)}",
        "os_name": "nt" if system.startswith("win") else "posix",
        "platform_machine": interpreter.machine,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(
            interpreter.implementation, interpreter.implementation
        ),
        "platform_release": "",
        "platform_system": {"linux": "Linux", "macosx": "Darwin"}.get(system, "Windows"),
        "platform_version": "",
        "python_full_version": f"{major}.{minor}.{max(micro, 0)}",
        "python_version": f"{major}.{minor}",
        "sys_platform": platforms.get(system, system),
    }
