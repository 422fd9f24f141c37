"""The pins in a project's own file: edited as text, read again, or refused with what to paste."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.model import Grade
from legacy_doctor.treatment import files, uvproject
from legacy_doctor.treatment.pins import PinLine

NUMPY = PinLine(name="numpy", specifier="<2.4", reason="SIGILL", grade=Grade.EMULATED)
PYARROW = PinLine(name="pyarrow", specifier=None, reason="SIGILL", grade=Grade.SILICON)

PROJECTS: dict[str, tuple[str, str, str]] = {
    "an empty uv.toml": (
        "uv.toml",
        "",
        'constraint-dependencies = [\n    "numpy<2.4", # SIGILL (emulated)\n]\n',
    ),
    "a uv.toml with tables": (
        "uv.toml",
        "# mine\n[[index]]\nurl = 'x'\n",
        (
            'constraint-dependencies = [\n    "numpy<2.4", # SIGILL (emulated)\n]\n'
            "# mine\n[[index]]\nurl = 'x'\n"
        ),
    ),
    "a pyproject without [tool.uv]": (
        "pyproject.toml",
        "[project]\nname = 'x'",
        (
            "[project]\nname = 'x'\n\n[tool.uv]\nconstraint-dependencies = [\n"
            '    "numpy<2.4", # SIGILL (emulated)\n]\n'
        ),
    ),
    "a pyproject with it": (
        "pyproject.toml",
        "[tool.uv] # here\npackage = false\n[tool.ruff]\n",
        (
            "[tool.uv] # here\nconstraint-dependencies = [\n"
            '    "numpy<2.4", # SIGILL (emulated)\n]\npackage = false\n[tool.ruff]\n'
        ),
    ),
    "a list": (
        "pyproject.toml",
        "[tool.uv]\nconstraint-dependencies = [\n  # a ] here\n  'a[x]<2' # ]\n]\n",
        (
            "[tool.uv]\nconstraint-dependencies = [\n  # a ] here\n  'a[x]<2', # ]\n"
            '    "numpy<2.4", # SIGILL (emulated)\n]\n'
        ),
    ),
    "a list with its last comma": (
        "uv.toml",
        'constraint-dependencies = [\n  "a",\n]\n',
        'constraint-dependencies = [\n  "a",\n    "numpy<2.4", # SIGILL (emulated)\n]\n',
    ),
    "a list in one line": (
        "uv.toml",
        'constraint-dependencies = ["a", "b<2"]\n',
        'constraint-dependencies = ["a", "b<2",\n    "numpy<2.4", # SIGILL (emulated)\n]\n',
    ),
    "an empty list": (
        "uv.toml",
        "constraint-dependencies = []\n",
        'constraint-dependencies = [\n    "numpy<2.4", # SIGILL (emulated)\n]\n',
    ),
    "the pin, written otherwise": (
        "uv.toml",
        "constraint-dependencies = ['not one !', 'numpy < 2.4']\n",
        "constraint-dependencies = ['not one !', 'numpy < 2.4']\n",
    ),
}


@pytest.mark.parametrize(("name", "text", "wanted"), PROJECTS.values(), ids=PROJECTS)
def test_a_project_of_uv(name: str, text: str, wanted: str, tmp_path: Path) -> None:
    found = uvproject.edited(Path(name), text, [NUMPY, PYARROW])
    assert found == wanted
    assert uvproject.edited(Path(name), found, [NUMPY, PYARROW]) == found
    path = tmp_path / name
    path.write_text(text)
    files.apply(step := uvproject.step(path, [NUMPY]))
    assert path.read_text() == wanted
    files.apply(step.inverse(text.encode()))
    assert path.read_text() == text


UNSAFE = {
    "no TOML": ("uv.toml", "x = [", "no valid TOML, so it is left alone"),
    "no list": ("uv.toml", "constraint-dependencies = 'a'\n", "not a list of texts"),
    "a list of others": ("uv.toml", "constraint-dependencies = [1]\n", "not a list of texts"),
    "no table": ("pyproject.toml", "tool = 1\n", "not a list of texts"),
    "a dotted key": (
        "pyproject.toml",
        "tool.uv.package = false\n",
        (
            r"cannot be edited safely; add to constraint-dependencies in \[tool.uv\] of it by hand: "
            '"numpy<2.4"'
        ),
    ),
    "an inline table": ("pyproject.toml", "[tool]\nuv = {package = false}\n", "by hand"),
    "a list in an inline table": (
        "pyproject.toml",
        "[tool]\nuv = {constraint-dependencies = ['a']}\n",
        "by hand",
    ),
    "a list of another table first": (
        "pyproject.toml",
        "[x]\nconstraint-dependencies = ['b']\n[tool.uv]\nconstraint-dependencies = ['a']\n",
        "by hand",
    ),
}


@pytest.mark.parametrize(("name", "text", "words"), UNSAFE.values(), ids=UNSAFE)
def test_a_project_that_is_not_edited(name: str, text: str, words: str) -> None:
    with pytest.raises(DoctorError, match=words):
        uvproject.edited(Path(name), text, [NUMPY])


def test_a_diff_for_a_project(tmp_path: Path) -> None:
    text = "[tool.uv]\npackage = false"
    diff = uvproject.diff(Path("/p/pyproject.toml"), text, [NUMPY])
    assert diff.startswith("--- a/pyproject.toml\n+++ b/pyproject.toml\n@@ ")
    (tmp_path / "pyproject.toml").write_text(text)
    subprocess.run(["patch", "-p1", "-s"], input=diff, text=True, check=True, cwd=tmp_path)
    assert (tmp_path / "pyproject.toml").read_text() == uvproject.edited(
        Path("pyproject.toml"), text, [NUMPY]
    )
    assert uvproject.diff(Path("uv.toml"), "constraint-dependencies = ['numpy<2.4']", [NUMPY]) == ""
