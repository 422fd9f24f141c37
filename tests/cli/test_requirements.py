"""`legacy-doctor requirements`: what is read, what is said, what is written, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Doctor, clean

CPU = ("--cpu", "x86-64-v1")
MARKED = "numpy<2.4; platform_machine == 'x86_64'"


def put(folder: Path, **files: str) -> None:
    """Write files; `_` in a name stands for a dot."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")


def test_a_range_is_told_with_its_place_and_remedy(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="# arrays\nnumpy>=1.26\n")

    answer = doctor("requirements", "requirements.txt", *CPU)

    assert (answer.code, answer.err) == (1, "")
    assert answer.out == (
        "requirements.txt:2:1: error: numpy>=1.26 admits numpy>=2.4, which dies on\n"
        "    import: SIGILL in a static initialiser (`pinsrq`) without SSE4.1,\n"
        "    RuntimeError otherwise; needs pni, ssse3, sse4_1, sse4_2, popcnt, cx16,\n"
        "    lahf_lm [emulated]\n"
        "    hint: add `numpy<2.4; platform_machine == 'x86_64'` (2.3.5 is known to run)\n"
        "\n"
        "1 error, 0 warnings in requirements.txt for x86-64-v1.\n"
        "Predicted, not proven: nothing was installed. Pin-sets: below-v2@2026-11-20,\n"
        "v2-no-avx@2026-11-20, avx-no-avx2@2026-11-20.\n"
        "Fix:   legacy-doctor requirements requirements.txt --cpu x86-64-v1 --fix\n"
    )


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        pytest.param("numpy<2.4\n", (), 0, id="nothing to find"),
        pytest.param("requests\n", (), 0, id="nothing known"),
        pytest.param("", (), 0, id="an empty file"),
        pytest.param("numpy\n", (), 1, id="an error"),
        pytest.param("numpy\n", ("--fail-on", "never"), 0, id="an error that may be"),
        pytest.param("numpy\n", ("--ignore", "admits-broken"), 0, id="an ignored rule"),
        pytest.param("torchaudio\n", (), 0, id="a warning"),
        pytest.param("torchaudio\n", ("--fail-on", "warning"), 1, id="a warning that counts"),
        pytest.param("cython\n", ("--fail-on", "info"), 1, id="a note that counts"),
        pytest.param("numpy\n", ("--pinset", "avx-no-avx2"), 0, id="another pin-set"),
        pytest.param("numpy\n", ("--ignore", "no-such-rule"), 2, id="an unknown rule"),
        pytest.param("numpy\n", ("--level", "x86-64-v2"), 2, id="a CPU and a level"),
    ],
)
def test_how_it_ends(
    text: str, options: tuple[str, ...], code: int, doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt=text)

    assert doctor("requirements", "requirements.txt", *CPU, *options).code == code


@pytest.mark.parametrize(
    ("level", "code"), [("x86-64-v1", 1), ("x86-64-v2", 0), ("x86-64-v3", 0), ("x86-64-v4", 0)]
)
def test_a_level_is_judged_like_a_cpu(
    level: str, code: int, doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt="numpy\n")

    assert doctor("requirements", "requirements.txt", "--level", level).code == code


def test_without_a_cpu_it_is_the_one_here(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="requests\n")

    told = json.loads(doctor("requirements", "requirements.txt", "--format", "json").out)
    here = json.loads(doctor("cpu", "--format", "json").out)

    assert told["cpu"]["features"] == here["cpu"]["features"]
    assert told["what_if"] is False


@pytest.mark.parametrize("name", ["x86-64-v1", "phenom-ii"])
def test_the_configuration_names_the_cpu(name: str, doctor: Doctor, tmp_path: Path) -> None:
    put(
        tmp_path,
        pyproject_toml=f'[tool.legacy-doctor]\ntarget-cpu = "{name}"\n',
        requirements_txt="numpy\n",
    )

    answer = doctor("requirements", "requirements.txt")

    assert answer.code == 1
    assert f"in requirements.txt for {name}." in answer.out


def test_an_ignore_of_the_configuration_counts(doctor: Doctor, tmp_path: Path) -> None:
    ignore = 'rule = "admits-broken"\nsubject = "numpy"\nreason = "never imported"'
    put(
        tmp_path,
        pyproject_toml=f"[[tool.legacy-doctor.ignore]]\n{ignore}\n",
        requirements_txt="numpy\n",
    )

    answer = doctor("requirements", "requirements.txt", *CPU)

    assert answer.code == 0
    assert "0 errors, 0 warnings, 1 ignored in requirements.txt" in answer.out


def test_an_ignore_that_is_over_is_told_and_covers_nothing(doctor: Doctor, tmp_path: Path) -> None:
    ignore = 'rule = "admits-broken"\nreason = "soon gone"\nuntil = 2026-01-01'
    put(
        tmp_path,
        pyproject_toml=f"[[tool.legacy-doctor.ignore]]\n{ignore}\n",
        requirements_txt="numpy\n",
    )

    answer = doctor("requirements", "requirements.txt", *CPU, "--fix")

    assert answer.code == 0
    assert "admits-broken" in answer.out
    assert "pyproject.toml:1:" in answer.out
    assert "0 errors, 1 warning in requirements.txt" in answer.out


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown", "junit"])
@pytest.mark.parametrize(("text", "code"), [("# x\nnumpy\n", 1), ("numpy<2.4\n", 0)])
def test_every_format_ends_alike_and_names_the_place(
    form: str, text: str, code: int, doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt=text)

    answer = doctor("requirements", "requirements.txt", *CPU, "--format", form)

    assert (answer.code, answer.err) == (code, "")
    assert ("admits numpy" in answer.out) is (code == 1)
    assert ("requirements.txt" in answer.out and "2" in answer.out) or code == 0


def test_the_known_names_of_the_folder_are_read_and_told(doctor: Doctor, tmp_path: Path) -> None:
    put(
        tmp_path,
        requirements_txt="numpy\n",
        uv_lock="version = 1\n",
        constraints_txt="numpy<2.4\n",
        notes_txt="numpy\n",
    )
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/dev.txt").write_text("numpy\n")

    answer = doctor("requirements", *CPU)

    assert answer.code == 0
    assert answer.err == (
        "reading constraints.txt, requirements.txt, requirements/dev.txt, uv.lock\n"
    )
    assert "in 4 files for x86-64-v1" in answer.out


def test_nothing_to_read_is_an_error_that_says_what_to_do(doctor: Doctor, tmp_path: Path) -> None:
    answer = doctor("requirements", *CPU)

    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"error: {tmp_path}: no requirement or lock file of a known name; name one, or pipe `pip "
        "freeze` into `legacy-doctor requirements -`\n"
    )


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, doctor: Doctor) -> None:
    answer = doctor("requirements", name, *CPU)

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {name}: ")


def test_pip_freeze_comes_on_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "legacy_doctor", "requirements", "-", "--cpu", "phenom-ii"],
        input="numpy==2.4.6\npandas==3.1.1\n",
        capture_output=True,
        text=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout.startswith("<stdin>:1:1: error: numpy 2.4.6 dies on import: SIGILL")
    assert "Lock:  python -m pip install 'numpy<2.4'\n" in done.stdout


def test_constraints_of_the_command_line_bound_what_is_asked(
    doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt="numpy\n", bounds_cfg="numpy<2.4\n")

    assert doctor("requirements", "requirements.txt", *CPU, "-c", "bounds.cfg").code == 0


UV_LOCK = """version = 1
requires-python = ">=3.11"

[[package]]
name = "numpy"
version = "{}"
source = {{ registry = "https://pypi.org/simple" }}
"""
PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["numpy>=1.26"]\n'


@pytest.mark.parametrize(
    ("version", "files", "code"),
    [
        pytest.param("2.3.5", ["pyproject.toml"], 0, id="a good lock settles the project"),
        pytest.param("2.4.1", ["pyproject.toml"], 1, id="a broken lock does not"),
        pytest.param("2.3.5", ["pyproject.toml", "uv.lock"], 0, id="both, and the lock is good"),
        pytest.param("2.4.1", ["uv.lock"], 1, id="the lock alone"),
    ],
)
def test_the_lock_beside_a_project_decides(
    version: str, files: list[str], code: int, doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, pyproject_toml=PROJECT, uv_lock=UV_LOCK.format(version))

    answer = doctor("requirements", *files, *CPU, "-v")

    assert answer.code == code
    assert ("uv.lock locks 2.3.5, so it is not" in " ".join(answer.out.split())) is (code == 0)


def test_a_workspace_has_its_lock_at_the_top(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, uv_lock=UV_LOCK.format("2.3.5"))
    (tmp_path / ".git").mkdir()
    (tmp_path / "packages/x").mkdir(parents=True)
    put(tmp_path / "packages/x", pyproject_toml=PROJECT)

    assert doctor("requirements", "packages/x/pyproject.toml", *CPU).code == 0


def test_what_was_compiled_settles_what_it_was_compiled_from(
    doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_in="numpy>=1\n", requirements_txt="numpy==2.3.5\n")

    assert doctor("requirements", "requirements.in", *CPU).code == 0


def test_quiet_says_nothing_where_nothing_fails(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, good_txt="numpy<2.4\ntorchaudio\n", bad_txt="numpy\n")

    assert doctor("requirements", "good.txt", *CPU, "-q") == (0, "", "")
    assert doctor("requirements", "bad.txt", *CPU, "-q").out


def test_notes_and_what_was_passed_over_are_shown_on_request(
    doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt="cython\nnot a requirement\n")

    assert "cython==3.1.2" not in doctor("requirements", "requirements.txt", *CPU).out
    shown = doctor("requirements", "requirements.txt", *CPU, "-v").out
    assert "requirements.txt:1:1: info: cython admits cython==3.1.2" in shown
    assert "requirements.txt:2:1: info: passed over: 'not a requirement'" in shown


def test_programs_get_files_findings_and_places(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="numpy\nnot a requirement\n")

    answer = doctor("requirements", "requirements.txt", *CPU, "--format", "json")

    told = json.loads(answer.out)
    assert (answer.code, told["status"]) == (1, "findings")
    assert told["files"][0] | {"problems": []} == {
        "path": "requirements.txt",
        "format": "requirements",
        "requirements": 1,
        "problems": [],
    }
    assert told["files"][0]["problems"][0]["location"]["line"] == 2
    (finding,) = told["findings"]
    assert finding["location"] == {"path": "requirements.txt", "line": 1, "column": 1}
    assert finding["remedy"]["install"] == [MARKED]


def test_fix_shows_the_diff_writes_and_judges_again(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="# arrays\nnumpy>=1.26  # why\npandas\n")
    (tmp_path / "requirements.txt").chmod(0o640)

    answer = doctor("requirements", "requirements.txt", *CPU, "--fix")

    after = f"# arrays\nnumpy>=1.26  # why\n{MARKED}\npandas\n"
    assert (tmp_path / "requirements.txt").read_text() == after
    assert (tmp_path / "requirements.txt").stat().st_mode & 0o777 == 0o640
    assert (answer.code, f"\n+{MARKED}\n" in answer.err) == (0, True)
    assert answer.out.startswith("0 errors, 0 warnings in requirements.txt")
    again = doctor("requirements", "requirements.txt", *CPU, "--fix")
    assert (again.code, again.err) == (0, "")
    assert (tmp_path / "requirements.txt").read_text() == after
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]


def test_diff_is_what_patch_takes_and_writes_nothing(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="numpy>=1.26\n")

    answer = doctor("requirements", "requirements.txt", *CPU, "--diff")

    assert answer.code == 1
    assert answer.out == (
        f"--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1,2 @@\n numpy>=1.26\n+{MARKED}\n"
    )
    assert (tmp_path / "requirements.txt").read_text() == "numpy>=1.26\n"
    subprocess.run(
        ["patch", "-p1"], input=answer.out, text=True, cwd=tmp_path, check=True, capture_output=True
    )
    assert doctor("requirements", "requirements.txt", *CPU).code == 0


def test_a_hard_link_is_replaced_and_never_written_through(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="numpy\n")
    os.link(tmp_path / "requirements.txt", tmp_path / "kept")

    assert doctor("requirements", "requirements.txt", *CPU, "--fix").code == 0
    assert (tmp_path / "kept").read_text() == "numpy\n"


def test_a_symbolic_link_is_left_to_its_owner(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, real_txt="numpy\n")
    (tmp_path / "requirements.txt").symlink_to("real.txt")

    answer = doctor("requirements", "requirements.txt", *CPU, "--fix")

    assert answer.code == 1
    assert answer.err == (
        "requirements.txt: not written: a symbolic link; name the file it leads to, real.txt\n"
    )
    assert (tmp_path / "real.txt").read_text() == "numpy\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param(
            "uv.lock",
            UV_LOCK.format("2.4.1"),
            "uv.lock: a tool's own; run uv lock --upgrade-package 'numpy<2.4'\n",
            id="a lock file",
        ),
        pytest.param(
            "requirements.txt",
            "# This file was autogenerated by uv via the following command:\n"
            "#    uv pip compile r.in -o requirements.txt\nnumpy==2.4.1\n    # via -r r.in\n",
            "requirements.txt: not written: a tool's own; run uv pip compile r.in -o "
            "requirements.txt --upgrade-package numpy==2.3.5\n",
            id="a compiled file",
        ),
        pytest.param(
            "requirements.txt",
            "numpy>=2.4\n",
            "requirements.txt:1: numpy is left to you: only numpy<2.4 runs (2.3.5 is known to run)"
            ", and numpy>=2.4 forbids it: lower the bound, or do without it\n",
            id="a range that has no good version",
        ),
        pytest.param(
            "requirements.txt",
            "pyarrow\n",
            "requirements.txt:1: pyarrow is left to you: no wheel of pyarrow is known to work on "
            "this CPU: leave it out, or build it from source there\n",
            id="no version works",
        ),
        pytest.param(
            "pyproject.toml",
            '[tool.poetry.dependencies]\nnumpy = "^1 || ^2"\n',
            "pyproject.toml:2: not written: 'numpy = \"^1 || ^2\"' has no place for a bound\n",
            id="alternatives",
        ),
    ],
)
def test_what_is_not_written_is_told(
    name: str, text: str, told: str, doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)

    answer = doctor("requirements", name, *CPU, "--fix")

    assert (answer.code, answer.err) == (1, told)
    assert (tmp_path / name).read_text() == text


def test_an_included_file_is_fixed_at_its_own_place(doctor: Doctor, tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="-r base.txt\n", base_txt="numpy\n")

    assert doctor("requirements", "requirements.txt", *CPU, "--fix").code == 0
    assert (tmp_path / "base.txt").read_text() == f"numpy\n{MARKED}\n"


def test_a_mark_at_the_beginning_stays(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("\ufeffnumpy\r\n".encode())

    assert doctor("requirements", "requirements.txt", *CPU, "--fix").code == 0
    assert (tmp_path / "requirements.txt").read_bytes() == (f"\ufeffnumpy\r\n{MARKED}\r\n".encode())


def test_what_is_not_utf8_is_read_and_not_written(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n", encoding="utf-16")

    answer = doctor("requirements", "requirements.txt", *CPU, "--fix")

    assert (answer.code, answer.err) == (1, "requirements.txt: not written: not UTF-8\n")


def test_a_file_that_may_not_be_written_is_an_error(doctor: Doctor, tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    folder.mkdir()
    put(folder, requirements_txt="numpy\n")
    (folder / ".legacy-doctor-0000-0000.tmp").mkdir()  # where the new content would be prepared

    answer = doctor("requirements", "frozen/requirements.txt", *CPU, "--fix")

    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("error: ")
    assert (folder / "requirements.txt").read_text() == "numpy\n"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        pytest.param("polars>=1\n", "polars[rtcompat]>=1\n", 0, id="the same with an extra"),
        pytest.param("polars==1.20\n", "polars[rtcompat]>=1.34\n", 0, id="and another version"),
        pytest.param("lancedb\n", "lancedb\n", 1, id="another in its stead is left to you"),
    ],
)
def test_fix_asks_for_what_runs_instead(
    before: str, after: str, code: int, doctor: Doctor, tmp_path: Path
) -> None:
    put(tmp_path, requirements_txt=before)

    assert doctor("requirements", "requirements.txt", "--level", "x86-64-v2", "--fix").code == code
    assert (tmp_path / "requirements.txt").read_text() == after


def test_files_are_fixed_beside_a_freeze(tmp_path: Path) -> None:
    put(tmp_path, requirements_txt="numpy\n")

    done = subprocess.run(
        [
            *(sys.executable, "-m", "legacy_doctor", "requirements"),
            *("-", "requirements.txt", *CPU, "--fix"),
        ],
        input="numpy==2.4.6\n",
        capture_output=True,
        text=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("<stdin>: a tool's own; run python -m pip install 'numpy<2.4'\n")
    assert (tmp_path / "requirements.txt").read_text() == f"numpy\n{MARKED}\n"
