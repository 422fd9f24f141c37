"""The doctor must start where everything compiled dies: it loads no compiled third party."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoint.files import state
from tests.conftest import ROOT, Answer, Doctor, Site, clean

_SCRIPT = """
import json, sys
sys.argv = ["legacy-doctor", *sys.argv[1:]]
from legacy_doctor.__main__ import main
try:
    main()
except SystemExit:
    pass
loaded = [
    module.__file__ for module in list(sys.modules.values())
    if str(getattr(module, "__file__", None) or "").endswith((".so", ".pyd"))
]
print(json.dumps({
    "compiled": [
        # coverage, when it measures this run, is no part of the doctor
        path for path in loaded if "site-packages" in path and "/coverage/" not in path
    ],
    "modules": sorted(sys.modules),
}), file=sys.stderr)
"""


def _loaded(*arguments: str, cwd: Path) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    loaded: dict[str, list[str]] = json.loads(done.stderr.splitlines()[-1])
    return loaded


@pytest.mark.parametrize(
    "arguments",
    [
        ["cpu"],
        ["cpu", "--list"],
        ["check", "--cpu", "phenom-ii", "--no-cache"],
        ["check", "--format", "json"],
        ["check", "--format", "sarif"],
        ["check", "--format", "junit"],
        ["check", "--color"],
        ["check", "--probe", "none"],
        ["requirements", str(ROOT / "pyproject.toml"), "--cpu", "phenom-ii"],
        ["requirements", str(ROOT / "pyproject.toml"), "--cpu", "phenom-ii", "--diff"],
        ["probe", "numpy", "--no-cache"],
        ["run", sys.executable, "-c", "pass"],
        ["explain", "numpy", "--cpu", "nehalem"],
        ["report", "--cpu", "phenom-ii", "--probe", "none", "--html", "-"],
        ["report", "--cpu", "phenom-ii", "--probe", "none", "--share", "-"],
        ["pinsets", "list"],
        ["fix", "--cpu", "phenom-ii", "--probe", "none"],
        ["fix", "--apply", "--cpu", "phenom-ii", "--probe", "none", "--skip", "packages"],
        ["undo"],
        ["history"],
        ["pins", "--cpu", "phenom-ii"],
        ["patch", "list"],
        ["patch", "show", "torch-dynamo-stub"],
        ["patch", "status"],
        ["patch", "apply", "torch-onednn-off"],
        ["patch", "revert", "torch-onednn-off"],
        ["checkpoint", "weights.pt"],
        ["checkpoint", "weights.pt", "--strip-prefix", "ema_model.", "--out", "plain.pt"],
        ["mel", "precompute", "audio", "out"],
        ["check", "--profile", "f5-tts", "--cpu", "phenom-ii"],
        ["fix", "--profile", "f5-tts", "--cpu", "phenom-ii", "--probe", "none"],
        ["pins", "--profile", "f5-tts", "--cpu", "phenom-ii"],
        ["profile", "list"],
        ["profile", "show", "f5-tts"],
        ["profile", "detect"],
        ["profile", "binary", "/bin/true"],
        ["tune"],
        ["tune", "--profile", "qwen3-tts", "--cpu", "phenom-ii", "--format", "json"],
    ],
    ids=" ".join,
)
def test_no_command_loads_a_compiled_third_party_module(
    arguments: list[str], site: Site, tmp_path: Path
) -> None:
    site.install("numpy", "2.4.6")
    state(tmp_path / "weights.pt", {"ema_model.a": 3})
    (tmp_path / "audio").mkdir()
    free = {"cpu", "run", "pinsets", "pins", "checkpoint"}
    homeless = (
        ["patch", "list"],
        ["patch", "show"],
        ["profile", "list"],
        ["profile", "binary"],
    )
    bare = arguments[0] in free or arguments[:2] in homeless
    target = [] if bare else ["--python", str(site.folder)]

    loaded = _loaded(*arguments, *target, cwd=tmp_path)

    assert loaded["compiled"] == []
    assert not {"numpy", "torch", "pandas"} & set(loaded["modules"])


def test_rich_is_loaded_for_a_terminal_only(site: Site, tmp_path: Path) -> None:
    site.install("numpy", "2.4.6")
    check = ["check", "--python", str(site.folder), "--cpu", "phenom-ii"]

    assert "rich" not in _loaded(*check, cwd=tmp_path)["modules"]
    assert "rich" in _loaded(*check, "--color", cwd=tmp_path)["modules"]


def test_version_is_told_before_click_is_loaded(tmp_path: Path) -> None:
    assert "click" not in _loaded("--version", cwd=tmp_path)["modules"]


@pytest.mark.qemu
@pytest.mark.parametrize("model", ["phenom", "qemu64"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["cpu"],
        ["cpu", "--cpu", "nehalem"],
        ["check", "--color"],
        ["explain", "numpy"],
        ["pinsets", "list"],
    ],
    ids=" ".join,
)
def test_the_doctor_starts_on_the_cpu_that_kills_its_patients(
    arguments: list[str], model: str, qemu: Path, site: Site, doctor: Doctor
) -> None:
    site.install("numpy", "2.4.6")
    target = ["--python", str(site.folder)] if arguments[0] in {"check", "explain"} else []

    answer: Answer = doctor(*arguments, *target, under=[str(qemu), "-cpu", model])

    assert answer.code == (1 if arguments[0] == "check" else 0), answer.err
    assert answer.out.strip()
