"""Who requires whom: by the target's own markers, without extras nobody is known to want."""

from __future__ import annotations

import pytest

from legacy_doctor.diagnosis.requirements import Requirements, marker_environment
from legacy_doctor.model import SoftImport
from tests.diagnosis.patients import dist, evidence, interpreter, patient


def soft(distribution: str, imports: str) -> SoftImport:
    return SoftImport(distribution=distribution, imports=imports, evidence=(evidence(),))


def asked(requirements: Requirements, name: str) -> list[tuple[str, str, str]]:
    return [
        (edge.distribution.name, edge.specifier, edge.extra)
        for edge in requirements.dependants(name)
    ]


EDGES = {
    "a plain requirement": ("numpy", [("pandas", "", "")]),
    "a specifier": ("numpy>=1.26,<3", [("pandas", "<3,>=1.26", "")]),
    "old parentheses": ("numpy (>=1.26)", [("pandas", ">=1.26", "")]),
    "extras of the required one": ("numpy[fast]>=2", [("pandas", ">=2", "")]),
    "another spelling of the name": ("NumPy", [("pandas", "", "")]),
    "an address": ("numpy @ https://example.org/numpy.whl", [("pandas", "", "")]),
    "a marker that holds": ("numpy; sys_platform == 'linux'", [("pandas", "", "")]),
    "a marker that does not": ("numpy; sys_platform == 'win32'", []),
    "an extra": ("numpy>=2; extra == 'all'", [("pandas", ">=2", "all")]),
    "an extra in double quotes": ('numpy; extra == "all"', [("pandas", "", "all")]),
    "the extra that holds of two": (
        "numpy; (extra == 'win' and sys_platform == 'win32') or extra == 'all'",
        [("pandas", "", "all")],
    ),
    "an extra on another platform": ("numpy; extra == 'all' and sys_platform == 'win32'", []),
    "no requirement at all": ("numpy >> 2", []),
    "a marker that compares what has no order": ("numpy; os_name ~= 'posix'", []),
    "nothing": ("", []),
    "a name that only starts alike": ("numpydoc", []),
}


@pytest.mark.parametrize(("line", "edges"), EDGES.values(), ids=EDGES)
def test_one_line_of_requires_dist(line: str, edges: list[tuple[str, str, str]]) -> None:
    requirements = Requirements(patient(dist("pandas", "3.1", line), dist("numpy")))
    assert asked(requirements, "numpy") == edges


@pytest.mark.parametrize(
    ("marker", "version", "holds"),
    [
        pytest.param("python_version < '3.9'", (3, 8, 20), True, id="an older target"),
        pytest.param("python_version < '3.9'", (3, 11, 7), False, id="a newer target"),
        pytest.param("python_full_version >= '3.11.4'", (3, 11, 7), True, id="to the micro"),
        pytest.param("python_full_version >= '3.11.4'", (3, 11, -1), False, id="micro unknown"),
        pytest.param("python_version == '3.11'", (3, 11, -1), True, id="minor known"),
    ],
)
def test_the_target_decides_about_markers_not_the_doctor(
    marker: str, version: tuple[int, int, int], holds: bool
) -> None:
    who = patient(
        dist("a", "1", f"b; {marker}"), dist("b"), interpreter=interpreter(version=version)
    )
    assert bool(asked(Requirements(who), "b")) is holds


@pytest.mark.parametrize(
    ("changes", "markers"),
    [
        pytest.param(
            {},
            {
                "implementation_name": "cpython",
                "implementation_version": "3.11.7",
                "os_name": "posix",
                "platform_machine": "x86_64",
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_system": "Linux",
                "platform_version": "",
                "python_full_version": "3.11.7",
                "python_version": "3.11",
                "sys_platform": "linux",
            },
            id="CPython on Linux",
        ),
        pytest.param(
            {"implementation": "pypy", "platform": "macosx-11.0-x86_64"},
            {
                "platform_python_implementation": "PyPy",
                "platform_system": "Darwin",
                "sys_platform": "darwin",
                "os_name": "posix",
            },
            id="PyPy on macOS",
        ),
        pytest.param(
            {"platform": "win-amd64", "implementation": "ironpython"},
            {
                "platform_python_implementation": "ironpython",
                "platform_system": "Windows",
                "sys_platform": "win32",
                "os_name": "nt",
            },
            id="something else on Windows",
        ),
        pytest.param(
            {"platform": "win32"},
            {"platform_system": "Windows", "sys_platform": "win32", "os_name": "nt"},
            id="32-bit Windows",
        ),
        pytest.param(
            {"platform": "linux-aarch64", "machine": "aarch64"},
            {"platform_machine": "aarch64", "sys_platform": "linux"},
            id="another machine",
        ),
    ],
)
def test_the_markers_of_a_target(changes: dict[str, object], markers: dict[str, str]) -> None:
    found = marker_environment(interpreter(**changes))
    assert {key: found[key] for key in markers} == markers


AFFECTED = {
    "nobody": ([dist("numpy")], {}),
    "one": ([dist("pandas", "3", "numpy"), dist("numpy")], {"pandas": ("pandas", "numpy")}),
    "a chain": (
        [dist("datasets", "4", "pandas"), dist("numpy"), dist("pandas", "3", "numpy")],
        {"datasets": ("datasets", "pandas", "numpy"), "pandas": ("pandas", "numpy")},
    ),
    "the shortest of two ways": (
        [
            dist("app", "1", "long", "short"),
            dist("long", "1", "longer"),
            dist("longer", "1", "numpy"),
            dist("short", "1", "numpy"),
        ],
        {
            "app": ("app", "short", "numpy"),
            "long": ("long", "longer", "numpy"),
            "longer": ("longer", "numpy"),
            "short": ("short", "numpy"),
        },
    ),
    "a circle": (
        [dist("a", "1", "b"), dist("b", "1", "a", "numpy"), dist("numpy", "2", "a")],
        {"a": ("a", "b", "numpy"), "b": ("b", "numpy")},
    ),
    "not by an extra": ([dist("pandas", "3", "numpy; extra == 'x'")], {}),
    "not by a marker that does not hold": (
        [dist("pandas", "3", "numpy; python_version < '3'")],
        {},
    ),
    "in the order of their names": (
        [dist("z", "1", "numpy"), dist("b", "1", "numpy")],
        {"b": ("b", "numpy"), "z": ("z", "numpy")},
    ),
}


@pytest.mark.parametrize(("installed", "paths"), AFFECTED.values(), ids=AFFECTED)
def test_who_cannot_do_without(installed: list, paths: dict[str, tuple[str, ...]]) -> None:
    found = Requirements(patient(*installed)).affected("numpy")
    assert found == paths
    assert list(found) == sorted(found)


def test_a_soft_import_counts_like_a_requirement() -> None:
    who = patient(dist("app", "1", "pandas"), dist("pandas"), dist("pyarrow"))
    requirements = Requirements(who, [soft("pandas", "pyarrow"), soft("absent", "pyarrow")])
    (edge,) = requirements.dependants("pyarrow")
    assert (edge.distribution.name, edge.specifier, edge.extra, edge.soft) == (
        "pandas",
        "",
        "",
        True,
    )
    assert requirements.affected("pyarrow") == {
        "app": ("app", "pandas", "pyarrow"),
        "pandas": ("pandas", "pyarrow"),
    }


def test_dependants_by_requirement_come_before_those_by_soft_import() -> None:
    who = patient(dist("a", "1", "x"), dist("b"), dist("x"))
    assert asked(Requirements(who, [soft("b", "x")]), "x") == [("a", "", ""), ("b", "", "")]
