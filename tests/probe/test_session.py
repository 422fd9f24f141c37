"""How probes share the machine."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from legacy_doctor.cpu import detect
from legacy_doctor.environment import interpreter
from legacy_doctor.environment.ownership import Owners
from legacy_doctor.model import Outcome, Probe, ProbeResult
from legacy_doctor.probe import cache, sandbox, session

FILES = {"large": 100, "small": 1, "largest": 1000}
"""How many files the distributions have that these probes import."""


def _setting(folder: Path, records: dict[str, str]) -> session.Setting:
    """This interpreter, one probe at a time, with a cache."""
    return session.Setting(
        interpreter=interpreter.examine(Path(sys.executable), "test"),
        cpu=detect.detect(),
        owners=Owners(()),
        emulator=None,
        store=cache.Cache(folder),
        fingerprint=lambda *names: [records.get(name) for name in names],
        weight=lambda *names: sum(FILES.get(name, 0) for name in names),
    )


def _probe(distribution: str, *requires: str) -> session.Task:
    return session.Task(
        Probe(id=distribution, distribution=distribution, imports="pass", requires=requires)
    )


@pytest.mark.parametrize(
    ("cores", "slots", "jobs", "share"),
    [
        pytest.param(2, 2, 30, "1", id="one a core"),
        pytest.param(8, 2, 30, "4", id="fewer at a time than cores"),
        pytest.param(8, 8, 1, "8", id="one alone has all"),
        pytest.param(2, 6, 6, "1", id="more at a time than cores"),
        pytest.param(4, 4, 0, "4", id="nothing to run"),
    ],
)
def test_each_gets_its_share_of_the_cores_as_threads(
    cores: int, slots: int, jobs: int, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))

    assert set(session._threads(slots, jobs).values()) == {share}


def test_what_imports_the_most_is_started_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    admit = sandbox._Ward.admit

    def noted(ward: sandbox._Ward, index: int, job: sandbox.Job) -> None:
        started.append(job.files["probe_import.py"])
        admit(ward, index, job)

    monkeypatch.setattr(sandbox._Ward, "admit", noted)
    tasks = [
        session.Task(dataclasses.replace(task.probe, imports=f"# {task.probe.id}"))
        for task in (_probe("small"), _probe("large"), _probe("runtime", "largest"))
    ]

    results = session.run(tasks, _setting(tmp_path, {}))

    assert started == ["# runtime", "# large", "# small"]
    assert [item.probe.id for item in results] == ["small", "large", "runtime"]


def test_another_of_what_a_probe_requires_is_another_result(tmp_path: Path) -> None:
    records = {"runtime": "1", "polars": "1"}
    task = _probe("runtime", "polars")
    known: list[ProbeResult | None] = []

    def run() -> ProbeResult | None:
        known.clear()
        (result,) = session.run([task], _setting(tmp_path, records), known.append)
        assert result.outcome is Outcome.OK
        return known[0]

    assert run() is None
    assert run() is not None, "the second time it comes from the cache"
    records["polars"] = "2"
    assert run() is None
