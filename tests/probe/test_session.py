"""How probes share the machine."""

from __future__ import annotations

import os

import pytest

from legacy_doctor.probe import session


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
