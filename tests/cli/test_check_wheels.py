"""`check` on environments of real wheels: what the README promises, said of real packages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Doctor, Wheels

pytestmark = pytest.mark.wheels

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _report(doctor: Doctor, *arguments: str) -> tuple[int, dict[str, Any]]:
    answer = doctor("check", *arguments, "--format", "json")
    report: dict[str, Any] = json.loads(answer.out)
    return answer.code, report


def _errors(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["subject"]: item for item in report["findings"] if item["severity"] == "error"}


def test_on_a_phenom_numpy_and_pyarrow_are_at_fault_and_pandas_is_affected(
    wheels: Wheels, doctor: Doctor
) -> None:
    code, report = _report(doctor, "--python", str(wheels.deadly), "--cpu", "phenom-ii")

    errors = _errors(report)
    assert code == 1
    assert set(errors) == {"numpy", "pyarrow"}
    numpy, pyarrow = errors["numpy"], errors["pyarrow"]
    assert (numpy["rule"], numpy["cause"], numpy["version"]) == ("broken-pin", "numpy", "2.4.6")
    assert numpy["remedy"]["install"] == ["numpy<2.4"]
    assert numpy["missing"] == ["ssse3", "sse4_1", "sse4_2"]
    assert numpy["evidence"][0]["grade"] == "emulated"
    assert "pandas" in numpy["affects"]
    assert numpy["paths"]["pandas"] == ["pandas", "numpy"]
    assert pyarrow["rule"] == "no-working-wheel"
    assert pyarrow["remedy"]["uninstall"] == ["pyarrow"]
    assert "sse4_1" in pyarrow["missing"]
    assert "pandas" in pyarrow["affects"], "pandas imports pyarrow when it is there"


def test_the_prescription_is_typed_for_that_environment(wheels: Wheels, doctor: Doctor) -> None:
    _, report = _report(doctor, "--python", str(wheels.deadly), "--cpu", "phenom-ii")

    python = wheels.deadly / "bin/python"
    assert report["prescription"] == [
        f"{python} -m pip uninstall -y pyarrow",
        f"{python} -m pip install 'numpy<2.4'",
    ]


@pytest.mark.parametrize(
    ("cpu", "code", "subjects"),
    [
        pytest.param("haswell", 0, set(), id="Haswell: nothing"),
        pytest.param("nehalem", 0, set(), id="Nehalem: nothing"),
        pytest.param("sandybridge", 0, set(), id="Sandy Bridge: nothing"),
        pytest.param("penryn", 1, {"numpy", "pyarrow"}, id="Penryn: no SSE4.2, no POPCNT"),
        pytest.param("conroe", 1, {"numpy", "pyarrow"}, id="Conroe: no SSE4.1"),
        pytest.param("kvm64", 1, {"cpu", "numpy", "pyarrow"}, id="kvm64: the hypervisor hides"),
        pytest.param("x86-64-v2", 0, set(), id="the generic level v2"),
    ],
)
def test_the_same_environment_is_judged_by_the_cpu(
    cpu: str, code: int, subjects: set[str], wheels: Wheels, doctor: Doctor
) -> None:
    exit_code, report = _report(doctor, "--python", str(wheels.deadly), "--cpu", cpu)

    assert (exit_code, set(_errors(report))) == (code, subjects)


@pytest.mark.parametrize("name", ["old_numpy", "last_good"])
def test_the_versions_before_the_break_are_healthy_on_a_phenom(
    name: str, wheels: Wheels, doctor: Doctor
) -> None:
    code, report = _report(doctor, "--python", str(getattr(wheels, name)), "--cpu", "phenom-ii")

    assert (code, _errors(report)) == (0, {})


def test_numpy_2_3_shows_both_evidences_and_the_stronger_decides(
    wheels: Wheels, doctor: Doctor
) -> None:
    _, report = _report(doctor, "--python", str(wheels.last_good), "--cpu", "phenom-ii")

    (dispute,) = [item for item in report["findings"] if item["rule"] == "disputed-evidence"]
    assert dispute["subject"] == "numpy"
    assert dispute["evidence"][0]["grade"] == "emulated"
    assert "reported" in {item["grade"] for item in dispute["evidence"]}


@pytest.mark.parametrize(
    ("cpu", "remedy"),
    [
        pytest.param("phenom-ii", "remove", id="Phenom: no polars wheel at all"),
        pytest.param("nehalem", "replace", id="Nehalem: the compatible runtime"),
        pytest.param("sandybridge", "replace", id="Sandy Bridge: the compatible runtime"),
        pytest.param("haswell", None, id="Haswell: fine"),
    ],
)
def test_polars_is_judged_by_its_runtime_distribution(
    cpu: str, remedy: str | None, wheels: Wheels, doctor: Doctor
) -> None:
    _, report = _report(doctor, "--python", str(wheels.polars), "--cpu", cpu)

    errors = _errors(report)
    assert (remedy is None) == (not errors)
    if remedy is not None:
        finding = errors["polars-runtime-32"]
        assert finding["remedy"]["kind"] == remedy
        assert finding["affects"] == ["polars"]
    if remedy == "replace":
        assert finding["remedy"]["install"] == ["polars[rtcompat]"]


def test_the_original_pin_set_is_judged_as_it_was_written(wheels: Wheels, doctor: Doctor) -> None:
    code, report = _report(
        doctor, "--python", str(wheels.deadly), "--cpu", "phenom-ii", "--pinset", "original"
    )

    errors = _errors(report)
    assert code == 1
    assert errors["numpy"]["remedy"]["install"] == ["numpy==1.26.4"]
    assert errors["pandas"]["rule"] == "unwanted-distribution"
    assert errors["pyarrow"]["rule"] == "unwanted-distribution"


def test_an_override_of_this_shell_is_named_and_is_not_numpys_fault(
    wheels: Wheels, doctor: Doctor
) -> None:
    answer = doctor(
        "check",
        *("--python", str(wheels.old_numpy), "--cpu", "nehalem", "--format", "json"),
        env={"OPENBLAS_CORETYPE": "Haswell"},
    )

    findings = json.loads(answer.out)["findings"]
    (override,) = [item for item in findings if item["rule"] == "dispatch-override"]
    assert override["subject"] == "OPENBLAS_CORETYPE"
    assert override["severity"] == "warning", "this shell is not the named machine's"
    assert {"avx", "avx2", "fma"} <= set(override["missing"])
    assert not [item for item in findings if item["subject"] == "numpy"]


@pytest.mark.qemu
def test_on_the_emulated_cpu_itself_the_override_is_an_error(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    answer = doctor(
        *("check", "--python", str(wheels.old_numpy), "--format", "json"),
        under=[str(qemu), "-cpu", "Nehalem"],
        env={"OPENBLAS_CORETYPE": "Haswell"},
    )

    report = json.loads(answer.out)
    assert answer.code == 1
    assert set(_errors(report)) == {"OPENBLAS_CORETYPE"}


@pytest.mark.qemu
@pytest.mark.parametrize(("model", "subjects"), [("phenom", {"numpy", "pyarrow"}), ("EPYC", set())])
def test_without_cpu_the_doctor_judges_by_the_cpu_it_runs_on(
    model: str, subjects: set[str], wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    answer = doctor(
        *("check", "--python", str(wheels.deadly), "--format", "json"),
        under=[str(qemu), "-cpu", model],
    )

    report = json.loads(answer.out)
    assert set(_errors(report)) == subjects
    assert report["cpu"]["source"] == "cpuid"
    assert not report["what_if"]


@pytest.mark.qemu
def test_the_verdicts_are_what_really_happens(wheels: Wheels, doctor: Doctor, qemu: Path) -> None:
    """The patients run, each in its own emulated process, and end as `check` predicted."""
    import os
    import subprocess

    from tests.conftest import clean

    for folder, module in (
        (wheels.deadly, "numpy"),
        (wheels.deadly, "pyarrow"),
        (wheels.old_numpy, "pandas"),
        (wheels.last_good, "numpy"),
        (wheels.polars, "polars"),
    ):
        _, report = _report(doctor, "--python", str(folder), "--cpu", "phenom-ii")
        doomed = {
            name
            for item in _errors(report).values()
            for name in (item["subject"], *item["affects"])
        }
        done = subprocess.run(
            [str(qemu), "-cpu", "phenom", str(folder / "bin/python"), "-c", f"import {module}"],
            capture_output=True,
            check=False,
            env=clean(os.environ),
        )
        assert (done.returncode != 0) == (module in doomed), f"{module} in {folder}"


@pytest.mark.qemu
def test_the_screen_of_the_readme_is_what_is_printed(
    wheels: Wheels, doctor: Doctor, tmp_path: Path, qemu: Path
) -> None:
    shown = re.search(
        r"^\$ legacy-doctor check --cpu phenom-ii\n(.*?)^```", README, re.MULTILINE | re.DOTALL
    )
    (tmp_path / ".venv").symlink_to(wheels.deadly)

    printed = doctor("check", "--cpu", "phenom-ii", "--probe", "risky", "--no-cache").out

    assert shown is not None
    printed = re.sub(r"qemu-x86_64 \d+(\.\d+)+", "qemu-x86_64 7.2.22", printed)
    # The first line names the version, the Python and the folder.
    assert shown[1].splitlines()[1:] == printed.splitlines()[-len(shown[1].splitlines()) + 1 :]


@pytest.mark.torch
def test_torch_names_the_cure_of_its_sigfpe_and_of_its_sigill(
    torch_environment: Path, doctor: Doctor
) -> None:
    code, report = _report(doctor, "--python", str(torch_environment), "--cpu", "phenom-ii")

    finding = _errors(report)["torch"]
    assert code == 1
    assert finding["missing"] == ["sse4_1"]
    assert "mkldnn" in finding["remedy"]["text"]
    assert _report(doctor, "--python", str(torch_environment), "--cpu", "nehalem")[0] == 0
