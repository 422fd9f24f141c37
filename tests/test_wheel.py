"""What is shipped: the wheel holds the tree and nothing else, and runs from a bare environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean

pytestmark = pytest.mark.wheels


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel built from the checkout, and one built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    env = clean(os.environ)
    direct = folder / "direct"
    by_sdist = folder / "sdist"
    for options, out in ((["--wheel"], direct), ([], by_sdist)):
        subprocess.run(
            [*build, *options, "--outdir", str(out), str(ROOT)],
            check=True,
            capture_output=True,
            env=env,
        )
    return {
        "direct": next(direct.glob("*.whl")),
        "by sdist": next(by_sdist.glob("*.whl")),
        "sdist": next(by_sdist.glob("*.tar.gz")),
    }


def _tree() -> set[str]:
    code = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "legacy_doctor").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    data = {
        f"legacy_doctor/{path.relative_to(ROOT)}"
        for folder in ("pinsets", "patches")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return code | data


@pytest.mark.parametrize("kind", ["direct", "by sdist"])
def test_the_wheel_holds_the_tree_and_nothing_else(kind: str, built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built[kind]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert names == _tree()


def test_the_wheel_is_pure_and_carries_its_licence(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["direct"]) as wheel:
        names = wheel.namelist()

    assert built["direct"].name.endswith("-py3-none-any.whl")
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "legacy_doctor/py.typed" in names


def test_the_command_runs_from_the_wheel_in_a_bare_environment(
    built: dict[str, Path], tmp_path: Path
) -> None:
    env = {key: value for key, value in clean(os.environ).items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "bare")], check=True, env=env)
    pip = [str(tmp_path / "bare/bin/python"), "-m", "pip", "install", "-q", str(built["by sdist"])]
    subprocess.run(pip, check=True, env=env)

    done = subprocess.run(
        [str(tmp_path / "bare/bin/legacy-doctor"), "check", "--cpu", "phenom-ii"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=env,
    )

    assert done.returncode == 0, done.stderr
    assert "Pin-sets: below-v2@" in " ".join(done.stdout.split())


def test_no_dependency_but_the_disassembler_ships_compiled_code(
    built: dict[str, Path], tmp_path: Path
) -> None:
    """A pin of "latest" can add SIGILL risk to the doctor itself: look at what pip would install.

    iced-x86 is loaded by a child only, whose death is no more than a missing answer.
    """
    env = clean(os.environ)
    folder = tmp_path / "dependencies"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
    subprocess.run([*pip, str(built["direct"])], check=True, env=env)

    compiled = {
        path.relative_to(folder).parts[0]
        for path in folder.rglob("*")
        if path.suffix in {".so", ".pyd"}
    }

    assert compiled <= {"iced_x86"}
