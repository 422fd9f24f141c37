"""`--fix` on the corpus: what can be written is, once, and all else stays as it was."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from legacy_doctor.cli import amending
from legacy_doctor.cli.main import run
from legacy_doctor.environment import requirements
from legacy_doctor.model import Remedy, RemedyKind
from tests.environment.requirements.corpus import FILES, FOLDER
from tests.report.test_requirements import gate
from tests.report.test_text import finding

CPU = ("--cpu", "x86-64-v1")
WRITTEN = {
    "conda-science/environment.yaml": "  - fastparquet<2026.5; platform_machine == 'x86_64'",
    "dos/requirements.txt": "numpy<2.4; platform_machine == 'x86_64'",
    "layered/base.txt": "numpy<2.4; platform_machine == 'x86_64'",
    "layered/requirements.txt": "faiss-cpu<1.14,!=1.14.2,!=1.5.3; platform_machine == 'x86_64'",
    "mistakes/requirements.txt": "numpy<2.4; platform_machine == 'x86_64'",
    "pdm-static/pyproject.toml": '"duckdb>=1", "duckdb<2; platform_machine == \'x86_64\'", "httpx',
    "pdm-table/pyproject.toml": '"numpy>=1.26", "numpy<2.4; platform_machine == \'x86_64\'"]',
    "pipenv-arrow/Pipfile": 'duckdb = "<2"',
    "pipenv/Pipfile": 'numpy = ">=1.26,<3,<2.4"',
    "poetry-data/pyproject.toml": '{ version = "^2.1,<2.4", python = ">=3.13" },',
    "poetry-data/requirements.txt": "numpy==2.3.5 ; python_version >=",
    "uv-numeric/pyproject.toml": "    \"numpy<2.4; platform_machine == 'x86_64'\",",
}
"""The files to which something is written, and what then stands in the line."""
INCLUDED = {"layered/dev.txt": "layered/requirements.txt"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The corpus, for writing."""
    shutil.copytree(FOLDER, tmp_path / "corpus")
    monkeypatch.chdir(tmp_path / "corpus")
    return tmp_path / "corpus"


def _contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("file", FILES)
def test_one_line_is_written_where_it_can_be(file: str, home: Path) -> None:
    before = _contents(home)

    code = run(["requirements", file, *CPU, "--fix"])

    after = _contents(home)
    changed = [path for path, content in after.items() if before.get(path) != content]
    target = INCLUDED.get(file, file)
    assert changed == ([target] if target in WRITTEN else [])
    for path in changed:
        old, new = (text[path].decode().splitlines() for text in (before, after))
        rows = [row for row in difflib.ndiff(old, new) if row[0] == "+"]
        assert len(rows) == 1
        assert WRITTEN[path] in rows[0]
        assert b"\r" not in after[path] or after[path].count(b"\r\n") == after[path].count(b"\n")
    assert run(["requirements", file, *CPU, "--fix"]) == code
    assert _contents(home) == after


def test_a_command_is_told_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["requirements", "uv-conflicts/uv.lock", *CPU, "--fix"])

    assert capsys.readouterr().err == (
        "uv-conflicts/uv.lock: a tool's own; run uv lock --upgrade-package 'numpy<2.4'\n"
    )


def test_a_lock_whose_tool_is_unknown_is_left_to_its_owner(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["requirements", "pip-lock/pylock.toml", *CPU, "--fix"])

    told = capsys.readouterr().err.splitlines()
    assert (
        "pip-lock/pylock.toml:38: numpy is left to you: lock numpy<2.4 (2.3.5 is known to run)"
        in told
    )


def test_what_would_not_help_is_not_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a bound says: it is judged again before it is written."""
    file = requirements.read(Path("layered/base.txt"))
    before = Path("layered/base.txt").read_text()
    place = file.requirements[0].location
    useless = Remedy(kind=RemedyKind.PIN, text="add `numpy<9`", install=("numpy<9",))
    sick = gate(finding(location=place, remedy=useless), files=(file,))

    assert amending.amend(sick, lambda files: sick, None, write=True) == sick

    assert capsys.readouterr().err == (
        "layered/base.txt: not written: the bounds would not take effect; write them by hand\n"
    )
    assert Path("layered/base.txt").read_text() == before
