"""Which format a file has: its name tells, else its content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.environment import requirements
from legacy_doctor.environment.requirements import FormatError
from legacy_doctor.environment.requirements.formats import reader
from legacy_doctor.model import RequirementFile
from tests.environment.requirements.corpus import EXPECTED, FILES, FOLDER, attempt

FORMATS = sorted({expected["format"] for expected in EXPECTED.values()})


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("requirements.txt", "requirements"),
        ("requirements-dev.in", "requirements"),
        ("anything.txt", "requirements"),
        ("constraints.txt", "constraints"),
        ("my-constraint-file.txt", "constraints"),
        ("pip-freeze.txt", "freeze"),
        ("pyproject.toml", "pyproject"),
        ("uv.lock", "uv.lock"),
        ("script.py.lock", "uv.lock"),
        ("poetry.lock", "poetry.lock"),
        ("pdm.lock", "pdm.lock"),
        ("Pipfile", "Pipfile"),
        ("Pipfile.lock", "Pipfile.lock"),
        ("pylock.toml", "pylock"),
        ("pylock.dev.toml", "pylock"),
        ("environment.yml", "conda-environment"),
        ("environment-gpu.yaml", "conda-environment"),
        ("conda_env.yml", "conda-environment"),
    ],
)
def test_a_name_tells_without_a_look_inside(name: str, form: str) -> None:
    assert requirements.recognise(Path("nowhere") / name) == form


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.endswith(("lock", ".toml", ".yml", ".yaml"))]
)
def test_content_tells_where_the_name_does_not(file: str, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    renamed.write_bytes((FOLDER / file).read_bytes())

    assert requirements.recognise(renamed) == EXPECTED[file]["format"]


def test_a_file_that_nothing_tells_anything_about(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes", encoding="utf-8")

    with pytest.raises(FormatError, match=r"notes\.md: neither its name nor its content tells"):
        requirements.recognise(tmp_path / "notes.md")


def test_a_format_may_be_told(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("numpy", encoding="utf-8")

    found = requirements.read(tmp_path / "notes.md", kind="constraints")

    assert (found.format, found.requirements[0].name) == ("constraints", "numpy")


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(
        FormatError, match=re.escape("uvlock: no known format; did you mean 'uv.lock'?")
    ):
        reader("uvlock")


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_text_asks_for_nothing_or_is_refused(form: str) -> None:
    found = attempt(lambda: requirements.read_text("", "x", form))

    if form == "Pipfile.lock":
        assert found == "x: not valid JSON: Expecting value: line 1 column 1 (char 0)"
    else:
        assert found == RequirementFile(path="x", format=form)


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.one_of(st.binary(), st.text().map(str.encode)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_too_strange(tmp_path: Path, form: str, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    found = attempt(lambda: requirements.read(tmp_path / "file", "file", kind=form))

    if isinstance(found, str):
        assert found.startswith("file")
    else:
        assert found.format == form


def damaged(text: str, edits: list[tuple[float, int, str]]) -> str:
    """A text with pieces cut out and others put in."""
    for place, length, piece in edits:
        start = int(place * len(text))
        text = text[:start] + piece + text[start + length :]
    return text


SMALL = [file for file in FILES if (FOLDER / file).stat().st_size < 6000 and "dos" not in file]
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12),
        st.one_of(
            st.sampled_from(
                [
                    '"',
                    "'",
                    "[",
                    "]",
                    "[[",
                    "{",
                    "}",
                    "=",
                    "\n",
                    "\\",
                    '"""',
                    "#",
                    ",",
                    ".",
                    "- ",
                    ":",
                ]
            ),
            st.text(max_size=4),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(file=st.sampled_from(SMALL), edits=EDITS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_is_too_strange(
    monkeypatch: pytest.MonkeyPatch, file: str, edits: list[tuple[float, int, str]]
) -> None:
    monkeypatch.chdir((FOLDER / file).parent)
    text = damaged((FOLDER / file).read_text(encoding="utf-8"), edits)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = attempt(lambda: requirements.read_text(text, "file", EXPECTED[file]["format"]))

    if isinstance(found, str):
        assert found.startswith("file")
        return
    places = [item.location for item in found.requirements]
    places += [item.end for item in found.requirements if item.end is not None]
    places += [place for place, _ in found.problems]
    for place in places:
        if place.path == "file":
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1
