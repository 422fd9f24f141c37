"""`pyproject.toml` and Pipfile: the tables that the corpus does not get wrong."""

from __future__ import annotations

import pytest

from legacy_doctor.environment.requirements import RequirementsError, read_text
from legacy_doctor.model import RequirementFile, RequirementKind


def of(text: str, form: str = "pyproject") -> RequirementFile:
    return read_text(text, "x", form)


def brief(found: RequirementFile) -> list[str]:
    return [f"{item.kind.value} {item.name}{item.specifier}" for item in found.requirements]


def complaints(found: RequirementFile) -> list[str]:
    return [f"{place.line}:{place.column} {why}" for place, why in found.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("project = 1", "1:11 'project': a table belongs here"),
        ("[project]\ndependencies = 1", "2:16 'project.dependencies': a list belongs here"),
        ("[project]\ndependencies = [1]", "2:17 1: a text belongs here"),
        ("[project]\ndependencies = ['a b']", "2:17 'a b': expected semicolon"),
        ("[project]\noptional-dependencies = []", "2:25 'project.optional-dependencies': a table"),
        (
            "[project.optional-dependencies]\nx = 'a'",
            "2:5 'project.optional-dependencies.x': a list",
        ),
        ("dependency-groups = 1", "1:21 'dependency-groups': a table belongs here"),
        ("[dependency-groups]\na = 'numpy'", "2:5 'dependency-groups.a': a list belongs here"),
        ("[dependency-groups]\na = [{x = 1}]", "2:6 {'x': 1}: includes no group of this file"),
        ("[tool]\npoetry = 3", "2:10 'tool.poetry': a table belongs here"),
        ("[tool.poetry]\ndependencies = 3", "2:16 'tool.poetry.dependencies': a table belongs"),
        ("[tool.poetry.dependencies]\na = 3", "2:1 'a': no version constraint"),
        ("[tool.poetry.dependencies]\na = [3]", "2:1 'a': no version constraint"),
        ("[tool.poetry.dependencies]\n'a b' = '*'", "2:2 'a b': no name of a distribution"),
        ("[tool.poetry.dependencies]\na = {version = 3.x}", "not valid TOML"),
        ("[tool.poetry.dependencies]\na = {version = []}", "2:1 'a = {version = []}': no version"),
        (
            "[tool.poetry.dependencies]\na = {version = '1', markers = 'x'}",
            "2:1 'a = {version = \"1\", markers = \"x\"}': no marker: 'x'",
        ),
        ("[tool.poetry.dependencies]\na = {version = '1', python = 'x|y'}", "2:1 "),
        ("[tool.pdm.resolution.overrides]\na = '>'", "2:5 {'a': '>'}: expected"),
        ("[tool.pdm.dev-dependencies]\na = ['-e git+https://x.org/a']", "2:6 '-e git"),
        ("[tool.uv]\ndev-dependencies = ['-e .', 'a']", ""),
    ],
)
def test_what_is_not_understood_is_passed_over(text: str, problem: str) -> None:
    if problem == "not valid TOML":
        with pytest.raises(RequirementsError, match="x: not valid TOML"):
            of(text)
        return
    found = complaints(of(text))

    assert (found[0] if problem else "").startswith(problem)
    assert bool(found) == bool(problem)


def test_no_project_asks_for_nothing() -> None:
    assert of("[tool.other]\nx = 1\n") == RequirementFile(path="x", format="pyproject")


def test_what_builds_the_project_is_not_what_it_runs_with() -> None:
    assert of('[build-system]\nrequires = ["numpy>=2"]\n').requirements == ()


def test_each_table_says_what_sort_of_thing_it_settles() -> None:
    found = of(
        """
[project]
dependencies = ["a>=1"]
optional-dependencies.x = ["b"]
[dependency-groups]
one = ["c", {include-group = "Two"}]
two = ["d"]
[tool.uv]
dev-dependencies = ["e"]
constraint-dependencies = ["f<1"]
override-dependencies = ["g==2"]
[tool.pdm.dev-dependencies]
test = ["h"]
[tool.pdm.resolution.overrides]
i = "1.0"
j = ">=2"
k = "https://example.org/k-3.0-py3-none-any.whl"
[tool.poetry.dependencies]
l = "*"
[tool.poetry.dev-dependencies]
m = "^1"
[tool.poetry.group.docs.dependencies]
n = "~1.2"
"""
    )

    assert complaints(found) == []
    assert brief(found) == [
        *("range a>=1", "range b", "range c", "range d", "range e", "constraint f<1"),
        *("constraint g==2", "range h", "constraint i==1.0", "constraint j>=2", "constraint k"),
        *("range l", "range m>=1,<2", "range n>=1.2,<1.3"),
    ]


def test_a_source_of_uv_is_where_it_comes_from() -> None:
    found = of(
        """
[project]
dependencies = ["a", "b", "c", "d", "E_f"]
[tool.uv.sources]
a = { git = "https://example.org/a" }
b = { workspace = true }
c = { index = "pytorch" }
d = [{ index = "x", marker = "sys_platform == 'linux'" }]
e-f = { path = "../ef" }
"""
    )

    assert [(item.name, item.origin) for item in found.requirements] == [
        ("a", "https://example.org/a"),
        ("b", "workspace"),
        ("c", ""),
        ("d", ""),
        ("e-f", "../ef"),
    ]


def test_poetry_enriches_what_the_project_asks_for() -> None:
    found = of(
        """
[project]
dependencies = ["numpy>=1.26", "torch"]
[tool.poetry.dependencies]
python = "^3.11"
numpy = { source = "mirror" }
torch = { version = "^2.3", source = "cpu" }
scipy = { source = "mirror" }
"""
    )

    assert brief(found) == [
        "range numpy>=1.26",
        "range torch",
        "range torch>=2.3,<3",
        "range scipy",
    ]


def test_conditions_become_one_marker() -> None:
    (item,) = of(
        """
[tool.poetry.dependencies]
a = { version = "1.*", python = "<3.12", platform = "linux", markers = "os_name == 'posix' or extra == 'x'", extras = ["Y_z"] }
"""
    ).requirements

    assert item.marker == (
        "python_full_version < '3.12' and sys_platform == 'linux' "
        "and (os_name == 'posix' or extra == 'x')"
    )
    assert item.extras == {"y-z"}
    assert item.text.startswith('a = {version = "1.*", python = "<3.12"')


def test_a_pipfile() -> None:
    found = of(
        """
[[source]]
name = "pypi"
[packages]
a = "==1.2"
b = "1.3"
c = "*"
d = { version = ">= 1, < 2", markers = "sys_platform == 'linux'", os_name = "== 'posix'" }
e = { git = "https://example.org/e.git", ref = "main", editable = true }
f = "latest"
[dev-packages]
g = { extras = ["x"] }
[docs]
h = "*"
i = [{ version = "*" }]
[requires]
python_version = "3.11"
[pipenv]
allow_prereleases = true
""",
        "Pipfile",
    )

    assert [(item.name, item.specifier, item.version) for item in found.requirements] == [
        *(("a", "==1.2", "1.2"), ("b", "==1.3", "1.3"), ("c", "", None), ("d", ">=1,<2", None)),
        *(("e", "", None), ("g", "", None), ("h", "", None)),
    ]
    by_name = {item.name: item for item in found.requirements}
    assert by_name["d"].marker == "sys_platform == 'linux' and os_name == 'posix'"
    assert by_name["e"].origin == "https://example.org/e.git"
    assert {item.kind for item in found.requirements} == {RequirementKind.RANGE}
    assert complaints(found) == [
        "10:1 'f = \"latest\"': no version constraint: 'latest'",
        "15:1 'i': no version constraint",
    ]


@pytest.mark.parametrize(
    ("form", "table"), [("pyproject", "tool.poetry.dependencies"), ("Pipfile", "packages")]
)
@pytest.mark.parametrize("value", ['"{}"', "'{}'", '{{ extras = ["x"], version = "{}" }}'])
@pytest.mark.parametrize("constraint", ["*", ">=1.26", ">=1, !=1.5"])
def test_a_clause_may_be_written_at_the_end(
    form: str, table: str, value: str, constraint: str
) -> None:
    text = f"[{table}]\n# é\nnumpy = {value.format(constraint)}\n"
    (item,) = of(text, form).requirements
    assert item.end is not None
    lines = text.split("\n")
    line = lines[item.end.line - 1]
    clause = "<2.4" if constraint == "*" else ",<2.4"
    start = item.end.column - 1 - (constraint == "*")  # a Pipfile's star stands alone
    lines[item.end.line - 1] = line[:start] + clause + line[item.end.column - 1 :]

    (after,) = of("\n".join(lines), form).requirements

    assert after.specifier == ",".join(filter(None, [item.specifier, "<2.4"]))
    assert after.location == item.location
