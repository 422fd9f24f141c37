"""The question that runs inside the target: environments known by their files, nothing executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.environment import query
from tests.conftest import Site


def test_it_answers_when_it_is_run_by_path(site: Site) -> None:
    done = subprocess.run(
        [site.python, "-I", "-S", "-B", query.__file__],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    assert facts["version"] == list(sys.version_info[:3])
    assert facts["prefix"] == str(site.folder)
    assert facts["site_packages"] == [str(site.packages)]


@pytest.mark.parametrize(
    "python",
    [sys.executable, *sorted(map(str, Path("/usr/bin").glob("python3.[0-9]*[0-9]")))],
)
def test_a_virtual_environment_has_site_packages_also_by_a_distributions_python(
    python: str, tmp_path: Path
) -> None:
    """Debian's `site` would answer with dist-packages, which no virtual environment has."""
    venv = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True)
    (folder,) = venv.glob("lib/python3*/site-packages")

    done = subprocess.run(
        [venv / "bin/python", "-I", "-S", query.__file__], capture_output=True, check=True
    )

    assert json.loads(done.stdout)["site_packages"] == [str(folder)]


def test_it_answers_in_this_process_what_it_answers_in_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    query.main()
    facts = json.loads(capsys.readouterr().out)
    command = [sys.executable, "-I", "-S", "-B", query.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == facts


def test_an_old_python_gets_far_enough_to_say_its_version(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played; tests/environment/test_interpreter.py asks a real 2.7 and 3.6."""
    monkeypatch.setattr(sys, "version_info", (3, 6, 15, "final", 0))
    query.main()
    assert json.loads(capsys.readouterr().out) == {"version": [3, 6, 15]}


CONFIGS = {
    "true": ("include-system-site-packages = true", True),
    "in any case": ("Include-System-Site-Packages=True", True),
    "false": ("home = /usr/bin\ninclude-system-site-packages = false\n", False),
    "anything else": ("include-system-site-packages = yes", False),
    "not said": ("home = /usr/bin", False),
    "empty": ("", False),
    "no UTF-8": ("home = /h\udcff\ninclude-system-site-packages = true", True),
}


@pytest.mark.parametrize(("text", "wanted"), CONFIGS.values(), ids=CONFIGS)
def test_inheritance(text: str, wanted: bool, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert query.inherits_system(str(tmp_path)) is wanted


PLACES = {
    "beside the executable": ("pyvenv.cfg", "."),
    "one folder above": ("../pyvenv.cfg", ".."),
    "two folders above is no environment": ("../../pyvenv.cfg", None),
}


@pytest.mark.parametrize(("place", "wanted"), PLACES.values(), ids=PLACES)
def test_an_environment_is_known_by_its_configuration(
    place: str, wanted: str | None, tmp_path: Path
) -> None:
    executable = tmp_path / "a/b/python"
    executable.parent.mkdir(parents=True)
    (executable.parent / place).write_text("")
    expected = None if wanted is None else os.path.normpath(executable.parent / wanted)
    assert query.venv_of(str(executable)) == expected


def outside_any_environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "bin/python"))


def test_outside_an_environment_the_users_own_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import site

    outside_any_environment(monkeypatch, tmp_path)
    own = tmp_path / "user-site"
    own.mkdir()
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(own))
    facts = query.describe()
    assert facts["prefix"] == sys.prefix
    assert str(own) in facts["site_packages"]
    assert len(set(facts["site_packages"])) == len(facts["site_packages"])


def test_folders_that_do_not_exist_are_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import site

    outside_any_environment(monkeypatch, tmp_path)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path / "no-user-site"))
    assert all(Path(path).is_dir() for path in query.describe()["site_packages"])


def test_a_home_that_cannot_be_found_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import site

    def homeless() -> str:
        raise RuntimeError("no home")

    outside_any_environment(monkeypatch, tmp_path)
    monkeypatch.setattr(site, "getusersitepackages", homeless)
    assert query.describe()["site_packages"]


def refuse(_: str) -> Any:
    raise ValueError("unrecognized configuration name")


def test_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert query.libc() == (os.confstr("CS_GNU_LIBC_VERSION") or "")
    monkeypatch.setattr(os, "confstr", refuse)  # as musl does
    assert query.libc() == ""
    monkeypatch.setattr(os, "confstr", lambda _: None)
    assert query.libc() == ""


FLAGS = {
    "not said": ({}, None),
    "said": ({"CFLAGS": "-O2 -march=x86-64-v3 -g"}, "x86-64-v3"),
    "said in several": ({"CFLAGS": "-march=native", "PY_CFLAGS": "-march=core2"}, "core2"),
    "only -mtune": ({"OPT": "-mtune=haswell"}, None),
}


@pytest.mark.parametrize(("flags", "wanted"), FLAGS.values(), ids=FLAGS)
def test_what_the_interpreter_was_compiled_for(
    flags: dict[str, str], wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", flags.get)
    assert query.march(sysconfig) == wanted


def test_a_system_without_uname_has_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played: Windows. `sysconfig` has asked for its answer before."""
    platform = sysconfig.get_platform()
    monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
    monkeypatch.delattr(os, "uname")
    assert query.describe()["machine"] == ""
