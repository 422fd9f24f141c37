"""Documents with the right words in the wrong places: no shape is too strange for a reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import read_text
from legacy_doctor.environment.requirements.source import Source
from legacy_doctor.model import RequirementFile
from tests.environment.requirements.corpus import attempt

WORDS = st.sampled_from(
    """
    project dependencies optional-dependencies dependency-groups include-group tool poetry group dev
    dev-dependencies pdm resolution overrides uv sources constraint-dependencies workspace git url path
    numpy a.b version markers python platform extras packages package name source marker groups type
    resolution-markers directory archive vcs editable default develop _meta sys_platform dev-packages
    """.split()
)
TEXTS = st.one_of(
    WORDS,
    st.sampled_from(
        [
            "numpy>=1",
            "^1.2",
            "*",
            "==1",
            "-e .",
            "./x-1.0.zip",
            "extra == 'x'",
            "os_name == 'nt'",
            "a b",
        ]
    ),
    st.text(max_size=3),
)
SCALARS = st.one_of(TEXTS, st.integers(-9, 9), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=14,
)


def nested(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """A value below keys that a reader looks into."""
    value: st.SearchStrategy[Any] = VALUES
    for key in reversed(keys):
        value = st.fixed_dictionaries({key: value})
    return value


PROJECTS = st.one_of(
    nested("project"),
    nested("project", "optional-dependencies"),
    nested("dependency-groups"),
    nested("tool", "poetry", "dependencies"),
    nested("tool", "poetry", "group", "dev"),
    nested("tool", "pdm", "resolution", "overrides"),
    nested("tool", "uv"),
    nested("tool", "uv", "sources"),
    st.dictionaries(WORDS, VALUES, max_size=3),
)
PIPFILES = st.one_of(nested("packages"), nested("packages", "numpy"), PROJECTS)
ROWS = st.fixed_dictionaries({"name": TEXTS}, optional={"version": VALUES, "source": VALUES})
LOCKS = st.one_of(
    st.lists(st.one_of(ROWS, st.dictionaries(WORDS, VALUES, max_size=5)), max_size=3).map(
        lambda rows: {"package": rows, "packages": rows}
    ),
    PROJECTS,
)
PIPFILE_LOCKS = st.one_of(nested("default"), nested("default", "numpy"), PROJECTS, VALUES)


def toml(value: Any) -> str:
    """A value as TOML writes it inline."""
    if isinstance(value, dict):
        return (
            f"{{{', '.join(f'{json.dumps(key)} = {toml(item)}' for key, item in value.items())}}}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def document(value: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {toml(item)}\n" for key, item in value.items())


def sound(form: str, text: str) -> None:
    found = attempt(lambda: read_text(text, "x", form))
    if isinstance(found, RequirementFile):
        end = Source(text, "x").place(len(text))
        assert all(item.location <= end for item in found.requirements)
        assert all(place <= end for place, _ in found.problems)
    else:
        assert form == "Pipfile.lock"
        assert found.startswith("x: ")


@given(PROJECTS.map(document))
@settings(max_examples=200)
def test_projects(text: str) -> None:
    sound("pyproject", text)


@given(PIPFILES.map(document))
def test_pipfiles(text: str) -> None:
    sound("Pipfile", text)


@pytest.mark.parametrize("form", ["uv.lock", "poetry.lock", "pdm.lock", "pylock"])
@given(LOCKS.map(document))
def test_locks(form: str, text: str) -> None:
    sound(form, text)


@given(PIPFILE_LOCKS.map(json.dumps))
def test_locks_of_pipenv(text: str) -> None:
    sound("Pipfile.lock", text)
