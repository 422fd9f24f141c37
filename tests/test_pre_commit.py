"""The hooks, run by the real pre-commit in real repositories; their environment is built once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, Site, _cache, clean, lacking, real_environment

pytestmark = pytest.mark.wheels

SHIPPED = (
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".pre-commit-hooks.yaml"),
    *("legacy_doctor", "pinsets", "patches"),
)
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_NAME": "A Person" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "person@example.org" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2026-11-26T12:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}
TARGET = '[tool.legacy-doctor]\ntarget-cpu = "x86-64-v1"\n'
MARKED = "numpy<2.4; platform_machine == 'x86_64'"


class Run(NamedTuple):
    """How pre-commit ended, and what it printed."""

    code: int
    out: str


class Hooks:
    """pre-commit, a repository of the hooks, and the environments made for them."""

    def __init__(self, pre_commit: Path, folder: Path) -> None:
        self._pre_commit = pre_commit
        self.repository = folder / "repository"
        self._home = folder / "home"

    def __call__(self, *words: str, cwd: Path) -> Run:
        done = subprocess.run(
            [self._pre_commit, *words, "--color", "never"],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**clean(os.environ), **GIT, "PRE_COMMIT_HOME": str(self._home)},
            check=False,
            timeout=300,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    @property
    def revision(self) -> str:
        """The commit of the hooks."""
        return git(self.repository, "rev-parse", "HEAD").strip()


def git(folder: Path, *words: str) -> str:
    env = {**clean(os.environ), **GIT}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="session")
def hooks() -> Hooks:
    """The hooks as this checkout has them, committed; environments are kept until they change."""
    if shutil.which("git") is None:
        lacking("wheels", "git is not installed")
    environment = real_environment("pre-commit==4.7.0")
    folder = _cache() / "pre-commit"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state, now = folder / "state", _state()
        if not state.exists() or state.read_text() != now:
            state.unlink(missing_ok=True)
            for name in ("home", "repository"):
                shutil.rmtree(folder / name, ignore_errors=True)
            _commit(folder / "repository")
            state.write_text(now)
    return Hooks(environment / "bin/pre-commit", folder)


def _files() -> list[Path]:
    found = [path for name in SHIPPED for path in [ROOT / name, *(ROOT / name).rglob("*")]]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _state() -> str:
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _commit(folder: Path) -> None:
    for path in _files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "The hooks")


def project(folder: Path, hooks: Hooks, hook: str, **files: str) -> Path:
    """A repository with these files (`_` stands for a dot) that uses a hook."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    config = f"repos:\n- repo: {hooks.repository}\n  rev: {hooks.revision}\n  hooks:\n  - {hook}\n"
    (folder / ".pre-commit-config.yaml").write_text(config)
    for name, text in {"pyproject_toml": TARGET, **files}.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "-A")
    return folder


REQUIREMENTS = "id: legacy-doctor-requirements"


def test_the_manifest_is_one(hooks: Hooks) -> None:
    assert hooks("validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"), cwd=ROOT) == (0, "")


def test_try_repo_refuses_a_range_with_its_place_and_remedy(hooks: Hooks, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", hooks, REQUIREMENTS, requirements_txt="# x\nnumpy>=1.26\n")

    run = hooks(
        *("try-repo", str(hooks.repository), "legacy-doctor-requirements", "--all-files"),
        cwd=folder,
    )

    assert run.code == 1
    assert "requirements.txt:2:1: error: numpy>=1.26 admits numpy>=2.4, which dies on" in run.out
    assert f"hint: add `{MARKED}` (2.3.5 is known to run)" in run.out


def test_a_commit_is_refused_fixed_and_passes(hooks: Hooks, tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        hooks,
        f"{REQUIREMENTS}\n    args: [--fix]",
        requirements_txt="numpy>=1.26\n",
    )

    first = hooks("run", cwd=folder)
    git(folder, "add", "-A")
    second = hooks("run", cwd=folder)

    assert (first.code, "files were modified by this hook" in first.out) == (1, True)
    assert f"+{MARKED}" in first.out
    assert (folder / "requirements.txt").read_text() == f"numpy>=1.26\n{MARKED}\n"
    assert (second.code, second.out.count("\n")) == (0, 1)
    assert re.fullmatch(r"requirements run on the target CPU\.+Passed\n", second.out)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param(
            "uv.lock",
            '[[package]]\nname = "numpy"\nversion = "2.4.6"\n'
            'source = { registry = "https://pypi.org/simple" }\n',
            "Lock:  uv lock --upgrade-package 'numpy<2.4'",
            id="a lock file",
        ),
        pytest.param(
            "requirements-dev.in", "numpy\n", "requirements-dev.in:1:1: error: numpy", id="a source"
        ),
        pytest.param(
            "environment.yml",
            "dependencies:\n- pip:\n  - numpy\n",
            "environment.yml:3:5: error: numpy",
            id="an environment",
        ),
        pytest.param("numpy.txt", "numpy\n", "(no files to check)Skipped", id="another file"),
    ],
)
def test_files_are_known_by_their_names(
    name: str, text: str, told: str, hooks: Hooks, tmp_path: Path
) -> None:
    folder = project(tmp_path / "p", hooks, REQUIREMENTS)
    git(folder, "commit", "-q", "-m", "before")
    (folder / name).write_text(text)
    git(folder, "add", "-A")

    run = hooks("run", cwd=folder)

    assert told in run.out
    assert run.code == (0 if "Skipped" in told else 1)


def test_the_manual_hook_checks_the_virtual_environment(hooks: Hooks, tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        hooks,
        "id: legacy-doctor-check\n    args: [--python, .venv, --probe, none]",
    )
    venv = Site(folder / ".venv")
    venv.install("numpy", "2.3.5")

    assert hooks("run", "--all-files", cwd=folder).code == 0
    good = hooks("run", "--hook-stage", "manual", "--all-files", cwd=folder)
    assert (good.code, good.out.endswith("Passed\n")) == (0, True)

    shutil.rmtree(venv.packages / "numpy-2.3.5.dist-info")
    venv.install("numpy", "2.4.6")
    bad = hooks("run", "--hook-stage", "manual", "--all-files", cwd=folder)
    assert (bad.code, "[✗] numpy 2.4.6  dies on import" in bad.out) == (1, True)
