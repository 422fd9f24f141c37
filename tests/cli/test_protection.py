"""The hook as a step of `legacy-doctor fix`: for what no change of packages or files can cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli import main
from tests.cli.conftest import offline
from tests.cli.wards import Ward, copied, wheel
from tests.conftest import Answer
from tests.hook.conftest import ABSENT
from tests.report.test_json import VALIDATOR

PINS = f"""
schema = 1
id = "mine"
version = "2026-11-26"
title = "CPUs without {ABSENT}"
[target]
lacks = ["{ABSENT}"]
[[pins]]
distribution = "hopeless"
broken = "*"
needs = ["{ABSENT}"]
symptom = "SIGILL"
cure = "do without it"
evidence = [{{ grade = "silicon", source = "this test" }}]
"""
SABOTAGE = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if not hasattr(f, 'NAMES')]\n"
"""A start-up file of somebody else that throws ours out."""
PHENOM = ("--cpu", "phenom-ii")


@pytest.fixture(scope="session")
def incurable(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torch 2.4.1, which no entry point reaches, and catboost, of which no version lives."""
    house = tmp_path_factory.mktemp("house")
    for name, version in (("torch", "2.4.1"), ("catboost", "1.2.10"), ("hopeless", "1.0")):
        wheel(house, name, version)
    made = copied(bare, tmp_path_factory.mktemp("incurable") / "venv")
    made.pip("install", "-q", *offline(house), "--no-compile", "torch", "catboost", "hopeless")
    return made.folder


@pytest.fixture
def ward(incurable: Path, tmp_path: Path) -> Ward:
    """A copy of it, for one test."""
    return copied(incurable, tmp_path / "venv")


def fix(
    ward: Ward, capfd: pytest.CaptureFixture[str], *words: str, form: str = "json"
) -> tuple[int, Any]:
    capfd.readouterr()
    target = ("--python", str(ward.folder), "--probe", "none", "--skip", "pins")
    code = main.run(["fix", *target, "--format", form, *words])
    out, err = capfd.readouterr()
    assert err == "", err
    if form == "text":
        return code, " ".join(out.split())
    document = json.loads(out)
    VALIDATOR.validate(document)
    return code, document


def _untreated(document: Any) -> set[str]:
    return {item["subject"] for item in document["untreated"]}


def test_the_plan_tells_why_at_what_price_and_on_whose_word(
    ward: Ward, capfd: pytest.CaptureFixture[str]
) -> None:
    before = ward.bytes()

    _, document = fix(ward, capfd, *PHENOM)

    (step,) = document["steps"]
    assert step["id"] == "hook"
    assert step["title"].startswith("raise ImportError where catboost would kill Python; Switch")
    assert step["grade"] == "emulated"
    assert any("catboost: dies on import: SIGILL" in text for text in step["reasons"])
    assert any("torch>=2.2,<2.5: nothing but the hook" in text for text in step["reasons"])
    assert any("every start of Python takes" in text for text in step["costs"])
    assert any("oneDNN" in text for text in step["costs"])
    assert step["files"][-1].endswith("_legacy_doctor.pth")
    assert "+import _legacy_doctor_boot" in step["diff"]
    assert _untreated(document) == {"catboost"}, "guarded is not cured; torch is"
    assert ward.bytes() == before


def test_it_is_applied_once_and_undone_to_the_byte(
    ward: Ward, capfd: pytest.CaptureFixture[str]
) -> None:
    before = ward.bytes()

    code, document = fix(ward, capfd, *PHENOM, "--apply")
    hooked = ward.bytes()

    assert (code, document["runs"]) == (1, [1]), "guarded is not cured: check goes on to say so"
    assert ward.run("-c", "import sys; assert '_legacy_doctor_boot' in sys.modules").returncode == 0
    again = fix(ward, capfd, *PHENOM, "--apply")[1]
    assert (again["steps"], _untreated(again)) == ([], {"catboost"})
    assert ward.bytes() == hooked
    assert main.run(["undo", "--python", str(ward.folder)]) == 0
    assert ward.bytes() == before


@pytest.mark.parametrize(
    ("words", "planned"),
    [
        pytest.param(["--only", "hook"], ["hook"], id="only the hook"),
        pytest.param(["--skip", "hook"], [], id="without the hook"),
        pytest.param(["--pins-only"], [], id="no patches, so no hook"),
        pytest.param(["--patches-only"], ["hook"], id="patches, so the hook"),
        pytest.param(["--only", "packages"], [], id="only packages"),
    ],
)
def test_it_is_chosen_like_any_step(
    words: list[str], planned: list[str], ward: Ward, capfd: pytest.CaptureFixture[str]
) -> None:
    _, document = fix(ward, capfd, *PHENOM, *words)

    assert [step["id"] for step in document["steps"]] == planned


def test_what_a_hook_does_already_it_goes_on_doing(
    ward: Ward,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mine.toml").write_text(PINS)
    (tmp_path / "legacy-doctor.toml").write_text('pinset-path = ["mine.toml"]\n')
    target = ("--python", str(ward.folder), "--probe", "none")
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        shim = ("--shim", "dataloader-num-workers-0", "--via", "sitecustomize")
        assert main.run(["hook", "install", *target, *shim]) == 0
    stopped = ward.run("-c", "import hopeless")
    assert stopped.returncode == 1, "this CPU lacks it too"

    fix(ward, capfd, *PHENOM, "--apply")

    capfd.readouterr()
    main.run(["hook", "status", *target[:2], *PHENOM, "--format", "json"])
    status = json.loads(capfd.readouterr().out)
    names = {f"{item['kind']}:{item['name']}" for item in status["rules"]}
    assert {"guard:hopeless", "guard:catboost", "shim:torch-onednn-off"} <= names
    assert "shim:dataloader-num-workers-0" in names
    assert status["via"] == "sitecustomize"
    assert ward.run("-c", "import hopeless").returncode == 1


def test_into_a_folder_of_everybody_it_is_not_put(
    ward: Ward, capfd: pytest.CaptureFixture[str]
) -> None:
    ward.packages.chmod(0o777)

    _, text = fix(ward, capfd, *PHENOM, "--apply", form="text")

    assert "the start-up hook is left out: " in text
    assert "can be written by every user" in text
    assert not list(ward.packages.glob("_legacy*"))


def test_where_it_does_not_hold_nothing_of_the_run_stays(
    ward: Ward, capfd: pytest.CaptureFixture[str]
) -> None:
    (ward.packages / "zzz.pth").write_text(SABOTAGE)
    before = ward.bytes()
    target = ("--python", str(ward.folder), "--probe", "none", "--skip", "pins")

    capfd.readouterr()
    code = main.run(["fix", "--apply", *target, *PHENOM])
    answer = Answer(code, *capfd.readouterr())

    assert (answer.code, answer.out) == (2, "")
    assert "the hook was taken out again: the hook is not armed" in answer.err
    assert answer.err.count("\n") == 1
    assert ward.bytes() == before
