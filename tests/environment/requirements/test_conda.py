"""conda's `environment.yml`: the part of YAML that conda writes, and its own constraints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import read_text
from legacy_doctor.model import Location, RequirementFile


def of(text: str) -> RequirementFile:
    return read_text(text, "x", "conda-environment")


@pytest.mark.parametrize(
    ("spec", "specifiers", "version"),
    [
        ("numpy", [""], None),
        ("numpy 1.26.4", ["==1.26.4"], "1.26.4"),
        ("numpy ==1.26.4", ["==1.26.4"], "1.26.4"),
        ("numpy=1.26", ["==1.26.*"], None),
        ("numpy = 1.26", ["==1.26.*"], None),
        ("numpy=1.26.*", ["==1.26.*"], None),
        ("numpy 1.26*", ["==1.26.*"], None),
        ("numpy=1.26.4=py311_0", ["==1.26.4"], "1.26.4"),
        ("numpy==1.26.4=py311_0", ["==1.26.4"], "1.26.4"),
        ("numpy 1.26.4 py311_0", ["==1.26.4"], "1.26.4"),
        ("numpy>=1.26,<2", [">=1.26,<2"], None),
        ("numpy >=1.26, !=1.26.3", [">=1.26,!=1.26.3"], None),
        ("numpy !=1.26.*", ["!=1.26.*"], None),
        ("numpy ~=1.26", ["~=1.26"], None),
        ("numpy >=1.26.*", [">=1.26"], None),
        ("numpy 1.26|1.27", ["==1.26", "==1.27"], "1.26"),
        ("numpy[version='>=1.26']", [">=1.26"], None),
        ('numpy[build=*mkl*, version="1.26.4"]', ["==1.26.4"], "1.26.4"),
        ("numpy[version=1.26.4]", ["==1.26.4"], "1.26.4"),
        ("numpy[build=*mkl*]", [""], None),
        ("conda-forge::numpy>=1.26", [">=1.26"], None),
        ("conda-forge/linux-64::numpy=1.26", ["==1.26.*"], None),
        ("numpy 2023c", [""], None),
    ],
)
def test_a_constraint(spec: str, specifiers: list[str], version: str | None) -> None:
    found = of(f"dependencies:\n  - {spec}\n")

    assert found.problems == ()
    assert [item.specifier for item in found.requirements] == specifiers
    assert found.requirements[0].version == version
    assert {(item.name, item.origin) for item in found.requirements} == {("numpy", "conda")}
    assert found.requirements[0].location == Location("x", 2, 5 + spec.index("numpy"))


@pytest.mark.parametrize(
    ("spec", "edited"),
    [
        ("numpy", "numpy<2"),
        ("numpy>=1.26", "numpy>=1.26,<2"),
        ("numpy >=1.26", "numpy >=1.26,<2"),
        ("numpy=1.26", None),
        ("numpy=1.26.4=py311_0", None),
        ("numpy[build=x]", None),
        ("numpy>=1.26|<1", None),
    ],
)
def test_a_clause_may_be_written_at_the_end(spec: str, edited: str | None) -> None:
    item = of(f"dependencies:\n- {spec} # why\n").requirements[0]
    line = f"- {spec}"

    if edited is None:
        assert item.end is None
    else:
        assert item.end is not None
        clause = ",<2" if item.specifier else "<2"
        assert line[: item.end.column - 1] + clause == f"- {edited}"


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [("pytorch", "torch"), ("py-opencv", "opencv-python"), ("msgpack-python", "msgpack")],
)
def test_what_conda_calls_otherwise(conda: str, pypi: str) -> None:
    assert of(f"dependencies: # all\n- {conda}").requirements[0].name == pypi


@pytest.mark.parametrize("spec", ["python=3.11", "pip", "_libgcc_mutex=0.1=main"])
def test_what_is_no_distribution(spec: str) -> None:
    assert of(f"dependencies:\n- {spec}") == RequirementFile(path="x", format="conda-environment")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dependencies: [numpy]", "1:1 'dependencies: [numpy]'"),
        ("dependencies:\n  numpy: 1", "2:3 'numpy: 1'"),
        ("dependencies:\n\t- numpy", "2:2 '- numpy'"),
        ("dependencies:\n- - numpy", "2:3 '- numpy'"),
        ("dependencies:\n-", "2:2 ''"),
        ("dependencies:\n- *anchor", "2:3 '*anchor'"),
        ("dependencies:\n- 'numpy", '2:3 "\'numpy"'),
        ("dependencies:\n- other:\n  - numpy", "2:3 'other:'"),
        ("dependencies:\n- numpy\n  - scipy", "3:5 'scipy'"),
        ("dependencies:\n- pip:\n  - {a: b}", "3:5 '{a: b}'"),
        ("dependencies:\n- pip:\n  - a b", "3:5 'a b': expected semicolon"),
        ("dependencies:\n- ^numpy", "2:3 '^numpy': no package of conda's"),
    ],
)
def test_what_is_not_understood_is_passed_over(text: str, problem: str) -> None:
    place, why = of(text).problems[0]

    assert f"{place.line}:{place.column} {why}".startswith(problem)


def test_pip_has_a_list_of_its_own() -> None:
    found = of(
        "channels:\n- a\ndependencies:\n"
        "  - 'pip':\n    - \"torch==2.3\"\n    - --pre\n    # why\n\n    - a[x] ; os_name == 'nt'\n"
        "  - scipy\nprefix: /x\n"
    )

    assert [(item.name, item.origin, item.location.line) for item in found.requirements] == [
        ("torch", "", 5),
        ("a", "", 9),
        ("scipy", "conda", 10),
    ]
    assert found.problems == ()


def test_an_empty_list() -> None:
    assert of("name: x\ndependencies: []\n").problems == ()


@given(
    st.lists(
        st.sampled_from(
            [
                "dependencies:",
                "- ",
                "  - ",
                "    - ",
                "pip:",
                "numpy",
                ">=1",
                "=",
                "|",
                "\n",
                "#",
                "'",
                "[",
            ]
        )
    ).map("".join)
)
def test_a_name_stands_where_it_is_said_to_stand(text: str) -> None:
    lines = text.split("\n")
    for item in of(text).requirements:
        assert lines[item.location.line - 1].startswith(item.name, item.location.column - 1)
