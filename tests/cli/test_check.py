"""`check`: target, CPU, configuration, ignores, exit codes; on made-up environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Doctor, Site


def _findings(out: str) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(out)["findings"]
    return findings


def test_the_target_is_named_and_the_report_says_why(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "1.26.4")
    (tmp_path / ".venv").symlink_to(site.folder)
    environ = {"VIRTUAL_ENV": str(site.folder)}

    by_option = doctor("check", "--python", "venv", "--format", "json")
    by_variable = doctor("check", "--format", "json", env=environ)
    by_folder = doctor("check", "--format", "json")
    by_default = doctor("check", "--format", "json", cwd=Path("/"))

    chosen = [
        json.loads(answer.out)["target"]["chosen_by"]
        for answer in (by_option, by_variable, by_folder, by_default)
    ]
    assert chosen == ["--python", "$VIRTUAL_ENV", "./.venv", "running interpreter"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param([], 1, id="an error fails by default"),
        pytest.param(["--fail-on", "warning"], 1, id="errors are above warnings"),
        pytest.param(["--fail-on", "never"], 0, id="never"),
        pytest.param(["--ignore", "broken-pin"], 0, id="ignored"),
        pytest.param(["--cpu", "haswell"], 0, id="a CPU that has all"),
    ],
)
def test_exit_codes(options: list[str], code: int, site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")

    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii", *options)

    assert answer.code == code
    assert answer.err == ""


def test_warnings_fail_only_when_asked(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "1.26.4", files={"numpy/core.py": b"x = 1\n"})
    (site.packages / "numpy/core.py").write_text("x = 2  # by hand\n")
    check = ["check", "--python", str(site.folder), "--cpu", "haswell"]

    assert doctor(*check).code == 0
    assert doctor(*check, "--fail-on", "warning").code == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "legacy-doctor.toml"])
def test_the_configuration_names_the_cpu_and_the_ignores(
    name: str, site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    head = "[tool.legacy-doctor]\n" if name == "pyproject.toml" else ""
    table = "[[tool.legacy-doctor.ignore]]" if head else "[[ignore]]"
    (tmp_path / name).write_text(
        f"{head}target-cpu = 'phenom-ii'\n"
        f"{table}\nrule = 'broken-pin'\nsubject = 'numpy'\nreason = 'never imported there'\n"
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    check = ["check", "--python", str(site.folder), "--format", "json"]

    ignored = doctor(*check, cwd=inner)

    report = json.loads(ignored.out)
    assert ignored.code == 0
    assert report["cpu"]["source"] == "model:phenom-ii-x6-1090t"
    assert report["summary"]["ignored"] == 1
    assert doctor(*check, "--cpu", "host", cwd=inner).code in {0, 1}


def test_an_ignore_whose_time_is_over_covers_nothing(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    (tmp_path / "legacy-doctor.toml").write_text(
        "[[ignore]]\nrule = 'broken-pin'\nreason = 'until the move'\nuntil = 2020-01-01\n"
    )

    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii")

    assert answer.code == 1


def test_the_report_goes_to_a_file_and_stdout_stays_empty(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    check = ["check", "--python", str(site.folder), "--cpu", "phenom-ii"]

    printed = doctor(*check, "--format", "json")
    written = doctor(*check, "--format", "json", "-o", "report.json")

    assert written.out == ""
    assert (tmp_path / "report.json").read_text() == printed.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "venv"]


def test_nothing_is_written_and_no_site_packages_code_runs(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    (site.packages / "trap.pth").write_text("import pathlib; pathlib.Path('trap').touch()\n")
    before = sorted(site.folder.rglob("*"))

    doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii", cwd=site.folder)

    assert sorted(site.folder.rglob("*")) == before


def test_two_runs_say_the_same(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])
    check = ["check", "--python", str(site.folder), "--cpu", "phenom-ii", "--format", "json"]

    assert doctor(*check).out == doctor(*check).out


def test_eighty_columns_are_kept_and_commands_stay_whole(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("polars", "1.33.1")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])

    answer = doctor("check", "--python", str(site.folder), "--cpu", "phenom-ii")

    for line in answer.out.splitlines():
        whole = line.lstrip().startswith(("Fix:", "Plan:", "Next:", "uv pip"))
        assert len(line) <= 80 or whole or " " not in line.strip(), line
    assert "uv pip install --python venv/bin/python 'numpy<2.4'" in answer.out, "it has no pip"


@pytest.mark.parametrize(
    ("env", "option", "colored"),
    [
        pytest.param({}, [], False, id="a pipe is plain"),
        pytest.param({"FORCE_COLOR": "1"}, [], True, id="FORCE_COLOR"),
        pytest.param({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False, id="NO_COLOR wins"),
        pytest.param({"NO_COLOR": "1"}, ["--color"], True, id="the option wins over both"),
        pytest.param({"FORCE_COLOR": "1"}, ["--no-color"], False, id="no-color option"),
    ],
)
def test_colour_follows_the_standard_variables(
    env: dict[str, str], option: list[str], colored: bool, site: Site, doctor: Doctor
) -> None:
    site.install("numpy", "2.4.6")

    answer = doctor("check", "--python", str(site.folder), *option, env=env)

    assert ("\x1b[" in answer.out) == colored


def test_an_ascii_terminal_gets_ascii(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])

    answer = doctor(
        *("check", "--python", str(site.folder), "--cpu", "phenom-ii"),
        env={"PYTHONIOENCODING": "ascii"},
    )

    assert answer.code == 1
    assert answer.out.isascii()
    assert "[x] numpy 2.4.6" in answer.out


def test_rules_are_listed_with_what_they_mean(doctor: Doctor) -> None:
    answer = doctor("check", "--list-rules")

    assert answer.code == 0
    assert "broken-pin" in answer.out
    assert "An installed version is broken on this CPU" in answer.out


def test_verify_files_finds_a_change_that_size_and_time_hide(site: Site, doctor: Doctor) -> None:
    import os

    site.install("numpy", "1.26.4", files={"numpy/core.py": b"x = 1\n"})
    path = site.packages / "numpy/core.py"
    path.write_bytes(b"x = 2\n")
    os.utime(path, (0, 0))
    check = ["check", "--python", str(site.folder), "--cpu", "haswell", "--format", "json"]

    assert not _findings(doctor(*check).out)
    (finding,) = _findings(doctor(*check, "--verify-files").out)
    assert finding["rule"] == "altered-files"


def test_hidden_features_come_with_the_cure_of_the_virtual_machine(
    site: Site, doctor: Doctor
) -> None:
    site.install("numpy", "2.4.6")

    answer = doctor("check", "--python", str(site.folder), "--cpu", "kvm64", "--format", "json")

    hidden = [item for item in _findings(answer.out) if item["rule"] == "hidden-features"]
    assert len(hidden) == 1
    assert "CPU type of the virtual machine" in hidden[0]["remedy"]["text"]
