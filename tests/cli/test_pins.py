"""`legacy-doctor pins`: what to keep out, in the words of every installer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cli.conftest import offline
from tests.cli.wards import Ward
from tests.conftest import Doctor, clean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CPU = ("--cpu", "phenom-ii")


def _requirements(text: str) -> dict[str, Requirement]:
    rows = (row for row in text.splitlines() if row and not row.startswith("#"))
    return {item.name: item for item in map(Requirement, rows)}


@pytest.mark.parametrize("form", ["constraints", "requirements"])
def test_every_line_is_a_requirement_with_its_reason_above(form: str, doctor: Doctor) -> None:
    answer = doctor("pins", *CPU, "--format", form)

    assert (answer.code, answer.err) == (0, "")
    assert not _requirements(answer.out)["numpy"].specifier.contains("2.4.6")
    assert _requirements(answer.out)["numpy"].specifier.contains("2.3.5")
    assert "# polars: no version is known to run; " in answer.out


def test_strictly_what_never_runs_is_forbidden(doctor: Doctor) -> None:
    told = _requirements(doctor("pins", *CPU, "--strict").out)

    assert str(told["polars"]) == "polars<0"


def test_uv_reads_toml(doctor: Doctor) -> None:
    document = tomllib.loads(doctor("pins", *CPU, "--format", "uv").out)

    assert "numpy<2.4" in document["tool"]["uv"]["constraint-dependencies"]


def test_conda_takes_a_space(doctor: Doctor) -> None:
    assert "\nnumpy <2.4\n" in doctor("pins", *CPU, "--format", "conda").out


def test_programs_get_the_reasons_and_grades(doctor: Doctor) -> None:
    pins = json.loads(doctor("pins", *CPU, "--format", "json").out)["pins"]

    (numpy,) = [item for item in pins if item["name"] == "numpy"]
    assert (numpy["requirement"], numpy["grade"]) == ("numpy<2.4", "emulated")
    (polars,) = [item for item in pins if item["name"] == "polars"]
    assert polars["requirement"] is None


def test_a_cpu_that_lacks_nothing_needs_less(doctor: Doctor) -> None:
    told = _requirements(doctor("pins", "--cpu", "haswell").out)

    assert "numpy" not in told


def test_pip_obeys_them(ill: Path, house: Path, doctor: Doctor, tmp_path: Path) -> None:
    assert doctor("pins", *CPU, "-o", "pins.txt").out == ""

    said = Ward(ill).pip(
        *("install", "--dry-run", "-U", "-c", str(tmp_path / "pins.txt"), *offline(house)), "numpy"
    )

    assert "Would install numpy-2.3.5" in said


def test_uv_obeys_them(house: Path, doctor: Doctor, tmp_path: Path) -> None:
    doctor("pins", *CPU, "-o", "pins.txt")
    uv = Path(sys.executable).with_name("uv")
    (tmp_path / "in.txt").write_text("pandas\n")

    done = subprocess.run(
        [uv, "pip", "compile", "-q", *offline(house), "-c", "pins.txt", "in.txt"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**clean(os.environ), "UV_CACHE_DIR": str(tmp_path / "cache")},
    )

    assert done.returncode == 0, done.stderr
    assert "numpy==2.3.5" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--format", "yaml"], "is not one of", id="an unknown format"),
        pytest.param(["--cpu", "phenm"], "did you mean 'phenom'", id="an unknown CPU"),
        pytest.param(["--pinset", "x"], "no pin-set 'x'", id="an unknown pin-set"),
        pytest.param(["-o", "no/such/file"], "cannot be written", id="nowhere to write to"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], told: str, doctor: Doctor) -> None:
    answer = doctor("pins", *words)

    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert answer.err.count("\n") == 1
