"""Every file of the corpus says what `expected.toml` has it say, and where."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from legacy_doctor.environment import requirements
from legacy_doctor.environment.requirements.entry import normalized
from legacy_doctor.model import Location, Requirement, RequirementFile, RequirementKind
from tests.environment.requirements.corpus import EXPECTED, FILES, FOLDER, text, tomllib


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.delenv("TRANSFORMERS_VERSION", raising=False)


def told(item: Requirement, file: str) -> str:
    """A requirement in the words of `expected.toml`."""
    place = f"{item.location.line}:{item.location.column}"
    if item.location.path != file:
        place = f"{os.path.relpath(item.location.path, Path(file).parent)}:{place}"
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    bound = f" {item.specifier}" if item.specifier else ""
    fixed = f" is {item.version}" if item.version and not item.specifier else ""
    origin = f" @ {item.origin}" if item.origin else ""
    marker = f" ; {item.marker}" if item.marker else ""
    return f"{place} {item.kind.value} {item.name}{extras}{bound}{fixed}{origin}{marker}"


def read(file: str) -> RequirementFile:
    return requirements.read(Path(file))


def at(place: Location) -> str:
    """What stands at a place."""
    lines = text(Path(place.path)).split("\n")
    return lines[place.line - 1][place.column - 1 :]


def test_the_table_names_every_file() -> None:
    assert sorted(EXPECTED) == FILES
    assert len(FILES) >= 40


@pytest.mark.parametrize("file", FILES)
def test_a_file_says_what_is_expected(file: str) -> None:
    expected, found = EXPECTED[file], read(file)

    assert found.path == file
    assert found.format == expected["format"]
    assert len(found.requirements) == expected["count"]
    problems = [f"{place.line}:{place.column} {why}" for place, why in found.problems]
    assert problems == expected.get("problems", [])
    everything = [told(item, file) for item in found.requirements]
    wanted = expected["requirements"]
    assert [line for line in everything if line in wanted] == wanted
    assert len(wanted) == expected["count"] or len(wanted) < len(everything) > 20


@pytest.mark.parametrize("file", FILES)
def test_a_name_stands_where_it_is_said_to_stand(file: str) -> None:
    for item in read(file).requirements:
        written = re.match(r"\\u0070olars|[\w.-]+", at(item.location))
        assert written is not None
        name = normalized(written[0].replace("\\u0070", "p"))
        assert name.startswith(item.name) or item.origin == "conda"


@pytest.mark.parametrize(
    "file", [file for file, expected in EXPECTED.items() if expected["format"].endswith("lock")]
)
def test_a_lock_file_locks_every_package_of_an_index(file: str) -> None:
    found = read(file)
    content = text(Path(file))
    if file.endswith("Pipfile.lock"):
        document = json.loads(content)
        rows = [
            {"name": name, "version": value["version"].removeprefix("==").replace("*", "") or None}
            for category in ("default", "develop")
            for name, value in document[category].items()
        ]
    else:
        document = tomllib.loads(content)
        rows = document.get("package") or document["packages"]
    local = {"virtual", "editable", "directory"}
    wanted = {
        (normalized(row["name"]), row.get("version"))
        for row in rows
        if not local & {*row.get("source", ()), *row}
    }

    assert {(item.name, item.version) for item in found.requirements} == wanted
    assert {item.kind for item in found.requirements} == {RequirementKind.LOCKED}


@pytest.mark.parametrize(
    ("file", "name", "clause", "line"),
    [
        ("layered/base.txt", "numpy", ",<2.4", "numpy>=1.26,<2.4"),
        ("layered/base.txt", "pandas", ",!=2.1", "Pandas >= 2.0 , < 3,!=2.1"),
        ("layered/base.txt", "opencv-python-headless", ",<5", "opencv-python-headless (>=4.9,<5)"),
        ("layered/base.txt", "scikit-learn", "<1.6", "scikit_learn<1.6"),
        (
            "layered/base.txt",
            "typing-extensions",
            ",<5",
            'typing_extensions>=4.0,<5; python_version < "3.12"',
        ),
        ("direct/hashed.txt", "scipy", ",!=1.12", "  < 1.14,!=1.12 \\"),
        ("uv-numeric/pyproject.toml", "numpy", ",<2.4", '    "numpy>=1.26,<2.4",'),
        ("poetry-data/pyproject.toml", "pandas", ",<2.3", 'pandas = "^2.2,<2.3"'),
        ("pipenv/Pipfile", "numpy", ",!=2", 'numpy = ">=1.26,<3,!=2"'),
        ("conda-speech/environment.yml", "ffmpeg", "<7", "  - ffmpeg<7"),
    ],
    ids=lambda value: value if "/" in value else "",
)
def test_a_clause_may_be_written_at_the_end(file: str, name: str, clause: str, line: str) -> None:
    (item,) = (item for item in read(file).requirements if item.name == name)
    assert item.end is not None
    lines = text(Path(file)).split("\n")
    old = lines[item.end.line - 1]

    assert old[: item.end.column - 1] + clause + old[item.end.column - 1 :] == line


ASKERS = {
    "uv: the project itself": ("uv-numeric/uv.lock", "numpy", ("sales-forecast",)),
    "uv: another package": ("uv-numeric/uv.lock", "polars-runtime-32", ("polars",)),
    "poetry": ("poetry-data/poetry.lock", "numpy", ("pandas",)),
    "pdm": (
        "pdm-image/pdm.lock",
        "numpy",
        ("imageio", "opencv-python", "scikit-image", "scipy", "tifffile"),
    ),
    "pip-compile": ("pip-tools/requirements.txt", "bottleneck", ("pandas",)),
    "pip-compile, several": (
        "pip-tools/requirements.txt",
        "numpy",
        ("bottleneck", "numba", "numexpr", "pandas", "scikit-learn", "scipy"),
    ),
    "pip-compile, beside a file": ("pip-tools/requirements.txt", "numexpr", ("pandas",)),
    "pip-compile, with hashes": (
        "pip-tools-hashes/requirements.txt",
        "filelock",
        ("huggingface-hub", "transformers"),
    ),
    "uv pip compile": ("uv-pip/requirements.txt", "cffi", ("soundfile",)),
    "asked for by a file alone": ("pip-tools/requirements.txt", "pandas", ()),
    "pip freeze says nothing": ("freeze/freeze.txt", "numpy", ()),
}


@pytest.mark.parametrize(("name", "whom", "who"), ASKERS.values(), ids=ASKERS)
def test_who_asks_is_read_where_a_tool_wrote_it(name: str, whom: str, who: tuple[str, ...]) -> None:
    assert read(name).askers.get(whom, ()) == who
