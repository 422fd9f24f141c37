"""Environments that several commands are tried on: made once, copied for each test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from legacy_doctor.cli import main
from tests.cli.wards import Ward, copied, wheel
from tests.conftest import Answer, Doctor, clean, real_environment


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Run the command line within this process: as `doctor` does, but many times a second."""

    def run(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path) -> Answer:
        monkeypatch.chdir(cwd)
        for key, value in (env or {}).items():
            monkeypatch.setenv(key, value)
        if arguments[:1] == ("check",) and "--probe" not in arguments:
            arguments = (*arguments, "--probe", "none")
        capsys.readouterr()
        code = main.run(arguments)
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small wheels with the names and versions of real ones, and nothing in them."""
    folder = tmp_path_factory.mktemp("house")
    for version in ("2.4.6", "2.3.5", "1.26.4"):
        wheel(folder, "numpy", version)
    wheel(folder, "pandas", "3.1.1", requires=["numpy>=1.26"])
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but pip, made by the standard library."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=clean(os.environ))
    return folder


@pytest.fixture(scope="session")
def ill(bare: Path, house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """numpy 2.4.6 and pandas by name, as real pip installs them."""
    ward = copied(bare, tmp_path_factory.mktemp("ill") / "venv")
    ward.pip("install", "-q", *offline(house), "numpy==2.4.6", "pandas==3.1.1")
    return ward.folder


@pytest.fixture
def ward(ill: Path, tmp_path: Path) -> Ward:
    """A copy of it, for one test."""
    return copied(ill, tmp_path / "venv")


def offline(house: Path) -> tuple[str, ...]:
    return ("--no-index", "--find-links", str(house))


@pytest.fixture(scope="session")
def hospital() -> Path:
    """numpy, pandas, scipy, pyarrow, datasets and transformers as pip installs them today."""
    return real_environment(
        "numpy==2.4.6",
        "pandas==3.1.1",
        "scipy==1.17.1",
        "pyarrow==26.0.1",
        "datasets==5.2.0",
        "transformers==5.24.0",
    )


@pytest.fixture(scope="session")
def torch_needs() -> Path:
    """What torch imports, in a folder of its own: its environment has torch alone."""
    environment = real_environment(
        "filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"
    )
    (packages,) = environment.glob("lib/python3*/site-packages")
    return packages
