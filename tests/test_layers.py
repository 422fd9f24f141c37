"""The arrows of the house: which room may import which. Read with `ast`, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "legacy_doctor"

# The feature names and their levels are vocabulary like the dataclasses: a table without I/O.
WORDS = {"model", "errors", "cpu.features"}
ARROWS = {
    "model": {"model"},
    "errors": set(),
    "process": set(),
    "binary": {*WORDS, "binary"},
    "cpu": {*WORDS, "process", "cpu"},
    "environment": {*WORDS, "process", "environment"},
    "knowledge": {*WORDS, "knowledge"},
    "checkpoint": {*WORDS, "checkpoint"},
    "diagnosis": {*WORDS, "knowledge", "diagnosis"},
    "mel": set(),  # runs inside the target
    "probe": {*WORDS, "process", "binary", "probe"},
    "tune": {*WORDS, "knowledge", "tune"},
    "treatment": {*WORDS, "process", "knowledge", "treatment"},
    "hook": {*WORDS, "treatment", "hook"},
    "report": {*WORDS, "report"},
    "cli": {
        *WORDS,
        *("binary", "cpu", "environment", "knowledge", "diagnosis", "probe", "treatment"),
        *("mel", "hook", "report", "cli", "checkpoint", "tune", "process"),
    },
    "__main__": {"cli"},
    "__init__": set(),
}
PATIENTS = {"numpy", "torch", "pandas", "pyarrow", "scipy", "transformers", "datasets"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _allowed(name: str, allowed: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in allowed)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_its_arrow_allows(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")

    for name in _imports(path):
        if name.startswith("legacy_doctor."):
            inner = name.removeprefix("legacy_doctor.")
            assert inner == "__version__" or _allowed(inner, ARROWS[room]), f"{path} -> {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_a_patient(path: Path) -> None:
    assert not {name.partition(".")[0] for name in _imports(path)} & PATIENTS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_process_room_starts_processes(path: Path) -> None:
    starters = {"subprocess", "multiprocessing", "pty"}

    found = {name.partition(".")[0] for name in _imports(path)} & starters

    assert not found or path.name in {"process.py", "sandbox.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_stay_under_forty_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            prose = (
                (first.end_lineno or 0) - first.lineno + 1
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                else 0
            )
            code = (node.end_lineno or 0) - node.lineno + 1 - prose
            assert code <= 40, f"{path}:{node.lineno} {node.name} has {code} lines"
