"""The load, in real interpreters: what it times, and with how many threads."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from legacy_doctor.cli.measuring import LOAD
from legacy_doctor.tune import load
from tests.conftest import Wheels, clean, real_environment


def timed(python: Path, env: dict[str, str], *, path: str = "", **order: Any) -> dict[str, Any]:
    words = json.dumps({"record": 1, "cpus": [], "seconds": 0.02, "threads": None, **order})
    done = subprocess.run(
        [str(python), str(LOAD), words],
        capture_output=True,
        text=True,
        env={**clean(os.environ), **env, "PYTHONPATH": path},
        check=True,
    )
    line: dict[str, Any] = json.loads(done.stdout)
    return line


@pytest.mark.wheels
def test_numpy_is_timed_with_the_threads_of_its_variable(wheels: Wheels) -> None:
    python = wheels.last_good / "bin/python"

    for number in (1, 2):
        found = timed(
            python, {"OPENBLAS_NUM_THREADS": str(number)}, library="numpy", threads=number
        )

        assert found["event"] == "timed"
        assert found["library"] == "numpy 2.3.5"
        assert found["threads"] == number
        assert set(found["seconds"]) == {"matmul", "attention", "stft"}
        assert all(0 < seconds < 60 for seconds in found["seconds"].values())


@pytest.mark.wheels
def test_numpy_kept_to_one_cpu_starts_one_thread(wheels: Wheels) -> None:
    cpu = min(os.sched_getaffinity(0))

    found = timed(wheels.last_good / "bin/python", {}, library="numpy", cpus=[cpu])

    assert found["threads"] == 1


@pytest.mark.torch
def test_torch_is_timed_with_the_threads_it_was_told(torch_environment: Path) -> None:
    needs = real_environment(
        "filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"
    )
    (packages,) = needs.glob("lib/python3*/site-packages")

    found = timed(
        torch_environment / "bin/python", {}, path=str(packages), library="torch", threads=1
    )

    assert found["library"].startswith("torch 2.13.0")
    assert found["threads"] == 1
    assert all(0 < seconds < 60 for seconds in found["seconds"].values())


def test_the_fastest_repetition_counts() -> None:
    pauses = iter([0.0, 0.05, 0.0, 0.05, *[0.0] * 100_000])

    def part() -> None:
        time.sleep(next(pauses))

    assert load.fastest(part, 0.0) < 0.05


def test_this_process_has_a_thread() -> None:
    assert load.tasks() >= 1


def test_it_runs_on_the_oldest_python_that_is_examined() -> None:
    ast.parse(LOAD.read_text("utf-8"), feature_version=(3, 8))


class _Playing:
    """Stands in for a library where only the way is tested; the numbers are timed for real above."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def __call__(self, threads: object) -> tuple[str, load.Parts, Any]:
        self.done.append(threads)
        return "played 1.0", {"matmul": lambda: None}, lambda: 3


def test_it_tells_one_line_and_keeps_to_its_cpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = os.sched_getaffinity(0)
    played = _Playing()
    record = os.open(tmp_path / "record", os.O_CREAT | os.O_RDWR)
    words = {
        "record": record,
        "library": "numpy",
        "threads": 3,
        "cpus": [min(before)],
        "seconds": 0,
    }
    monkeypatch.setattr(load, "of_numpy", played)
    monkeypatch.setattr(load, "sys", SimpleNamespace(argv=["load.py", json.dumps(words)]))
    try:
        load.main()
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
        os.close(record)

    line = json.loads((tmp_path / "record").read_text())
    assert (line["library"], line["threads"], played.done) == ("played 1.0", 3, [3])
