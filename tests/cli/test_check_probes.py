"""`check` with probes: what the rules predict is run, and the findings follow what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Doctor, Site, Wheels

NATIVE = ("cp311-cp311-linux_x86_64",)
pytestmark = [pytest.mark.qemu, pytest.mark.wheels]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _report(doctor: Doctor, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
    answer = doctor("check", *arguments, "--format", "json", "--probe", "risky", **options)
    report: dict[str, Any] = json.loads(answer.out)
    return answer.code, report


def _finding(report: dict[str, Any], subject: str) -> dict[str, Any]:
    (finding,) = [item for item in report["findings"] if item["subject"] == subject]
    return finding


def test_on_an_emulated_phenom_the_predictions_are_confirmed(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    code, report = _report(doctor, "--python", str(wheels.deadly), "--cpu", "phenom-ii")

    assert code == 1
    assert report["probes"]["ran"]
    assert report["probes"]["how"].endswith("-cpu phenom")
    numpy, pyarrow = _finding(report, "numpy"), _finding(report, "pyarrow")
    assert (numpy["rule"], numpy["standing"]) == ("broken-pin", "confirmed")
    assert numpy["message"].startswith("dies on import: SIGILL, `pinsrq` needs SSE4.1")
    assert numpy["fault"]["offset"] == "0x2dbcc"
    assert "pandas" in numpy["affects"]
    assert (pyarrow["standing"], pyarrow["fault"]["owner"]) == ("confirmed", "pyarrow")
    assert pyarrow["fault"]["path"] == "pyarrow/libarrow.so.2600"
    assert numpy["evidence"][0]["source"].startswith("emulated: phenom")


def test_what_runs_refutes_what_was_only_reported(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    code, report = _report(doctor, "--python", str(wheels.last_good), "--cpu", "phenom-ii")

    assert code == 0
    assert not [item for item in report["findings"] if item["severity"] == "error"]
    assert [item["outcome"] for item in report["probes"]["results"]] == ["ok"]


def test_an_override_is_proven_by_a_second_run_with_it(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    code, report = _report(
        doctor,
        *("--python", str(wheels.old_numpy), "--cpu", "nehalem"),
        env={"OPENBLAS_CORETYPE": "Haswell"},
    )

    finding = _finding(report, "OPENBLAS_CORETYPE")
    assert (code, finding["rule"]) == (1, "dispatch-override")
    assert (finding["standing"], finding["severity"]) == ("confirmed", "error")
    assert "runs without it" in finding["message"]
    outcomes = {
        (item["id"], bool(item["overrides"])): item["outcome"]
        for item in report["probes"]["results"]
    }
    assert outcomes["numpy", False] == "ok"
    assert outcomes["numpy", True] == "illegal-instruction"
    assert not [
        item
        for item in report["findings"]
        if item["subject"] == "numpy" and item["severity"] == "error"
    ]


def test_a_second_run_comes_from_the_cache_and_says_the_same(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    arguments = ["--python", str(wheels.deadly), "--cpu", "phenom-ii"]
    _, first = _report(doctor, *arguments)
    _, second = _report(doctor, *arguments)
    _, third = _report(doctor, *arguments, "--no-cache")

    assert [item["cached"] for item in first["probes"]["results"]] == [False] * 3
    assert [item["cached"] for item in second["probes"]["results"]] == [True] * 3
    assert [item["cached"] for item in third["probes"]["results"]] == [False] * 3
    assert first["findings"] == second["findings"]


def test_without_qemu_nothing_is_called_proven(
    wheels: Wheels, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    arguments = ["--python", str(wheels.old_numpy), "--cpu", "phenom-ii"]
    without = {"PATH": str(tmp_path / "bin")}

    explicit, report = _report(doctor, *arguments, env=without)
    by_default = doctor("check", *arguments, "--probe", "none", env=without)

    finding = _finding(report, "probes")
    assert explicit == 1, "asked for in so many words, and not done"
    assert (finding["rule"], finding["severity"]) == ("probes-not-run", "error")
    assert "apt-get install qemu-user" in report["probes"]["obstacle"]
    assert not report["probes"]["ran"]
    assert by_default.code == 0
    assert "Predicted, not proven" in by_default.out


def test_an_emulated_doctor_starts_no_probe(wheels: Wheels, doctor: Doctor, qemu: Path) -> None:
    _, report = _report(
        doctor, "--python", str(wheels.old_numpy), under=[str(qemu), "-cpu", "phenom"]
    )

    assert "the real CPU" in report["probes"]["obstacle"]
    assert {item["outcome"] for item in report["probes"]["results"]} <= {"skipped"}


def test_a_cpu_that_qemu_cannot_play_is_said(wheels: Wheels, doctor: Doctor, qemu: Path) -> None:
    answer = doctor(
        *("check", "--python", str(wheels.old_numpy), "--cpu", "skylake-server"),
        *("--probe", "all", "--format", "json"),
    )

    assert "TCG has no AVX-512" in json.loads(answer.out)["probes"]["obstacle"]


def test_what_no_rule_knew_is_found(site: Site, doctor: Doctor) -> None:
    suicide = b"import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    site.install("doomed", "1.0", files={"doomed/__init__.py": suicide}, tags=NATIVE)

    code, report = _report(doctor, "--python", str(site.folder), "--cpu", "host")

    (finding,) = [item for item in report["findings"] if item["rule"] == "probe-failure"]
    assert (code, finding["subject"], finding["standing"]) == (1, "doomed", "new")


def test_what_could_not_be_imported_for_another_reason_is_a_warning(
    site: Site, doctor: Doctor
) -> None:
    missing = b"import nowhere_to_be_found"
    site.install("lost", "1.0", files={"lost/__init__.py": missing}, tags=NATIVE)

    code, report = _report(doctor, "--python", str(site.folder), "--cpu", "host")

    (finding,) = [item for item in report["findings"] if item["rule"] == "probe-raised"]
    assert (code, finding["severity"]) == (0, "warning")
    assert "nowhere_to_be_found" in finding["message"]


def test_the_users_folders_are_left_alone(wheels: Wheels, doctor: Doctor, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = sorted(wheels.old_numpy.rglob("*"))

    _report(doctor, "--python", str(wheels.old_numpy), "--cpu", "host", env={"HOME": str(home)})

    assert list(home.iterdir()) == []
    assert sorted(wheels.old_numpy.rglob("*")) == before


def test_all_probes_everything_that_is_installed(wheels: Wheels, doctor: Doctor) -> None:
    answer = doctor(
        *("check", "--python", str(wheels.old_numpy), "--probe", "all", "--format", "json")
    )

    report = json.loads(answer.out)
    ran = {item["distribution"]: item["outcome"] for item in report["probes"]["results"]}
    assert answer.code == 0, report["findings"]
    assert {"numpy", "pandas"} <= set(ran)
    assert set(ran.values()) == {"ok"}
