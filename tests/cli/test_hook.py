"""`legacy-doctor hook`: put in, proven, told, taken out; and every way in which it is refused."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli import main
from legacy_doctor.hook.boot import BOOT
from tests.cli.wards import Ward
from tests.conftest import Answer, Site, clean
from tests.hook.conftest import ABSENT, PYTHONS, Room, named, start
from tests.report.test_json import VALIDATOR

PINS = f"""
schema = 1
id = "mine"
version = "2026-11-26"
title = "CPUs without {ABSENT}: this one"
[target]
lacks = ["{ABSENT}"]
[[pins]]
distribution = "deadly"
broken = ">=2"
good = "<2"
needs = ["{ABSENT}"]
symptom = "SIGILL"
last-good = "1.9"
evidence = [{{ grade = "silicon", source = "this test" }}]
[[pins]]
distribution = "hopeless"
broken = "*"
needs = ["{ABSENT}"]
symptom = "SIGILL"
cure = "do without it"
evidence = [{{ grade = "silicon", source = "this test" }}]
"""
"""A pin-set that speaks of every CPU made since 2011, this one among them."""

CPU = ("--cpu", "phenom-ii")
PLAIN = ("--probe", "none")

Hook = Callable[..., Answer]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose configuration names the pin-set."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "mine.toml").write_text(PINS)
    (folder / "legacy-doctor.toml").write_text('pinset-path = ["mine.toml"]\n')
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def hook(here: Path, capfd: pytest.CaptureFixture[str]) -> Hook:
    """Run `legacy-doctor hook` in this process."""

    def run(*words: str) -> Answer:
        capfd.readouterr()
        code = main.run(["hook", *words])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def venv(site: Site) -> Site:
    """An environment with a module that dies, by its metadata, and one that lives."""
    site.install("deadly", "2.1", files={"deadly/__init__.py": b"alive = True\n"})
    site.install("well", "1.0", files={"well.py": b"import deadly\n"})
    return site


def at(site: Site) -> tuple[str, str]:
    return ("--python", str(site.folder))


def python(site: Site, code: str, env: Mapping[str, str] | None = None) -> Answer:
    return start([site.python, "-c", code], env, site.folder)


def tree(site: Site) -> dict[str, str]:
    return Ward(site.folder).bytes()


def told(answer: Answer) -> str:
    return " ".join(answer.out.split())


# --- in, proven, and out


def test_it_is_put_in_works_and_is_taken_out_again(venv: Site, hook: Hook) -> None:
    before = tree(venv)

    first = hook("install", *at(venv), *PLAIN)
    hooked = tree(venv)
    again = hook("install", *at(venv), *PLAIN)

    assert (first.code, first.err) == (0, "")
    assert "the start-up hook is installed" in told(first)
    assert f"stops deadly 2.1, which needs {ABSENT} remedy:" in told(first)
    assert "uv pip install 'deadly<2'" in first.out
    assert "legacy-doctor undo 1 --python" in first.out
    assert (again.code, again.out) == (
        0,
        f"{venv.folder}: nothing to do, the hook is there and armed like this already\n",
    )
    assert tree(venv) == hooked
    stopped = python(venv, "import well")
    assert stopped.code == 1
    assert "deadly 2.1 would kill this process: this CPU (" in stopped.err
    assert "Remedy: uv pip install 'deadly<2'." in stopped.err

    removed = hook("remove", *at(venv))

    assert "the start-up hook is gone" in removed.out
    assert tree(venv) == before
    assert not (venv.packages / "__pycache__").exists()
    assert python(venv, "import well").code == 0
    assert "nothing to do, no start-up hook is there" in hook("remove", *at(venv)).out


def test_undo_puts_every_byte_back(venv: Site, hook: Hook) -> None:
    before = tree(venv)
    hook("install", *at(venv), *PLAIN)
    hooked = tree(venv)

    assert main.run(["undo", *at(venv)]) == 0
    assert tree(venv) == before
    hook("install", *at(venv), *PLAIN)
    assert tree(venv) == hooked
    hook("remove", *at(venv))
    assert main.run(["undo", "4", *at(venv)]) == 0, "the removal can be undone as well"
    assert tree(venv) == hooked


def test_what_would_be_written_is_shown_and_not_written(venv: Site, hook: Hook) -> None:
    before = tree(venv)

    shown = hook("install", *at(venv), *PLAIN, "--diff")

    assert shown.code == 0
    assert "+++ b/lib/python" in shown.out
    assert f"+import {BOOT}" in shown.out
    assert tree(venv) == before
    assert not (venv.folder / ".legacy-doctor").exists()
    hook("install", *at(venv), *PLAIN)
    assert f"-import {BOOT}" in hook("remove", *at(venv), "--diff").out
    assert (venv.packages / "_legacy_doctor.pth").exists()


@pytest.mark.parametrize("base", PYTHONS, ids=named)
def test_on_every_python_of_this_machine(base: Path, hook: Hook, tmp_path: Path) -> None:
    room = Room(tmp_path / "venv", base)
    room.package("deadly", "2.1")
    room.put(sitecustomize="import sys\nsys.mine = True\n")
    room.run("import deadly", env={"PYTHONDONTWRITEBYTECODE": ""})
    before = Ward(room.folder).bytes()
    target = ("--python", str(room.folder))

    installed = hook("install", *target, *PLAIN)

    assert installed.code == 0, installed.err
    assert "CpuFeatureError: deadly 2.1 would kill this process" in room.run("import deadly").err
    assert hook("status", *target, "--live").code == 0
    if named(base) != "system":  # Debian's own sitecustomize comes before that of site-packages
        assert room.run("import sys; print(sys.mine)").out == "True\n"
    assert hook("remove", *target).code == 0
    assert Ward(room.folder).bytes() == before
    assert room.run("import deadly").code == 0


@pytest.mark.parametrize("existing", ["", "import sys\nsys.mine = True\n"], ids=["none", "theirs"])
def test_by_a_sitecustomize_that_chains_to_the_one_that_is_there(
    existing: str, venv: Site, hook: Hook
) -> None:
    if existing:
        (venv.packages / "sitecustomize.py").write_text(existing)
    before = tree(venv)

    installed = hook("install", *at(venv), *PLAIN, "--via", "sitecustomize")

    assert installed.code == 0, installed.err
    assert not (venv.packages / "_legacy_doctor.pth").exists()
    assert python(venv, "import deadly").code == 1
    code = "import sys; print(getattr(sys, 'mine', None))"
    assert python(venv, code).out == f"{True if existing else None}\n"
    status = json.loads(hook("status", *at(venv), "--live", "--format", "json").out)
    assert (status["via"], status["live"]) == ("sitecustomize", True)
    hook("remove", *at(venv))
    assert tree(venv) == before


def test_where_python_does_not_find_it_it_is_taken_out_again(hook: Hook, tmp_path: Path) -> None:
    """As Debian's own sitecustomize, in the standard library, hides that of site-packages."""
    room = Room(tmp_path / "venv", PYTHONS[0])
    (tmp_path / "first").mkdir()
    (tmp_path / "first/sitecustomize.py").write_text("")
    # Read before site-packages' own files: a path at the front, as the standard library is.
    (room.packages / "a.pth").write_text(
        f"import sys; sys.path.insert(0, {str(tmp_path / 'first')!r})\n"
    )
    room.package("deadly", "2.1")
    before = Ward(room.folder).bytes()

    answer = hook("install", "--python", str(room.folder), *PLAIN, "--via", "sitecustomize")

    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"error: {room.folder}: the hook was taken out again: the hook is not armed: this Python "
        "does not read the file (another sitecustomize comes first, or it starts without `site`)\n"
    )
    assert Ward(room.folder).bytes() == before


# --- what is armed


def rules(site: Site, hook: Hook, *words: str) -> dict[str, dict[str, Any]]:
    document = json.loads(hook("status", *at(site), "--format", "json", *words).out)
    VALIDATOR.validate(document)
    return {f"{item['kind']}:{item['name']}": item for item in document["rules"]}


def test_it_is_prepared_for_another_machine(site: Site, hook: Hook) -> None:
    site.install("numpy", "2.4.6", files={"numpy/__init__.py": b""})
    site.install("polars", "1.0.0", files={"polars/__init__.py": b""})
    site.install("faiss-cpu", "1.13.2", files={"faiss/__init__.py": b""})

    answer = hook("install", *at(site), *CPU, *PLAIN)

    assert answer.code == 0, answer.err
    armed = rules(site, hook, *CPU)
    assert armed["guard:numpy"]["acts"]
    assert "sse4_1" in armed["guard:numpy"]["needs"]
    assert armed["guard:faiss"]["installed"] == "1.13.2"
    assert armed["guard:faiss"]["here"]
    assert not armed["guard:faiss"]["acts"], "this version lives"
    assert armed["guard:pyarrow"]["installed"] is None, "it may be installed one day"
    assert armed["guard:catboost"]["versions"] == ">=0.dev0"
    assert not any(item["here"] for item in rules(site, hook).values())
    assert python(site, "import numpy, polars, faiss").code == 0, "this CPU has it all"
    status = hook("status", *at(site))
    assert "nothing now: this CPU has all that they need" in told(status)
    assert "(named phenom-ii)" in status.out


def test_what_a_user_leaves_out_is_left_out(venv: Site, hook: Hook, here: Path) -> None:
    venv.install("hopeless", "1", files={"hopeless.py": b""})

    hook("install", *at(venv), *PLAIN, "--skip", "guard:deadly")

    assert set(rules(venv, hook)) == {"guard:hopeless"}
    assert python(venv, "import deadly").code == 0
    assert python(venv, "import hopeless").code == 1
    assert hook("status", *at(venv)).code == 0, "and that is no fault of it"
    (here / "mine.toml").write_text(PINS.replace('"deadly"', '"another"'))
    assert hook("status", *at(venv)).code == 0, "nor that nothing would guard it any more"


def test_datasets_has_a_stand_in_where_pyarrow_is_guarded(site: Site, hook: Hook) -> None:
    site.install("pyarrow", "26.0.1", files={"pyarrow/__init__.py": b""})
    site.install("datasets", "5.2.0", files={"datasets/__init__.py": b"import pyarrow\n"})

    hook("install", *at(site), *CPU, *PLAIN)
    assert rules(site, hook, *CPU)["shim:datasets-stub"]["acts"]

    hook("install", *at(site), *CPU, *PLAIN, "--skip", "pyarrow")
    assert not {"guard:pyarrow", "shim:datasets-stub"} & set(rules(site, hook))


def standing(site: Site) -> dict[str, str]:
    """What `patch status` says of each patch."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main.run(["patch", "status", "--python", str(site.folder), "--format", "json"])
    return {item["id"]: item["state"] for item in json.loads(out.getvalue())["patches"]}


def test_shims_are_armed_where_they_are_asked_for_or_needed(site: Site, hook: Hook) -> None:
    site.install("torch", "2.4.1", files={"torch/__init__.py": b""})

    hook("install", *at(site), *CPU, *PLAIN)
    armed = rules(site, hook, *CPU)
    assert armed["shim:torch-onednn-off"]["acts"], "recommended before 2.5"
    assert "shim:dataloader-num-workers-0" not in armed

    hook("install", *at(site), *CPU, *PLAIN, "--shim", "dataloader-num-workers-0")
    assert rules(site, hook, *CPU)["shim:dataloader-num-workers-0"]["acts"]

    hook("install", *at(site), *PLAIN, "--shim", "dataloader-num-workers-0")
    armed = rules(site, hook)
    assert armed["shim:dataloader-num-workers-0"]["acts"], "asked for, it acts on any CPU"
    assert standing(site)["dataloader-num-workers-0"] == "applied"
    assert standing(site)["mel-on-gpu"] != "applied"
    assert "shim:torch-onednn-off" not in armed, "and the other is not needed on this one"


def test_a_shim_of_a_newer_torch_is_that_of_its_distribution(site: Site, hook: Hook) -> None:
    """Where nothing may be added to a torch of 2.5 or later, the hook does it too."""
    site.install("torch", "2.13.0", files={"torch/__init__.py": b""})

    hook("install", *at(site), *CPU, *PLAIN)
    assert "shim:torch-onednn-off" not in rules(site, hook)
    hook("install", *at(site), *CPU, *PLAIN, "--shim", "torch-onednn-off-hook")

    assert rules(site, hook)["shim:torch-onednn-off"]["versions"] == ">=2.5,<3"


def verdicts(site: Site) -> set[str]:
    """The rules by which `check` speaks of torch."""
    words = ("check", *at(site), *CPU, "--probe", "none", "--format", "json")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main.run(list(words))
    found = json.loads(out.getvalue())["findings"]
    return {item["rule"] for item in found if item["subject"] == "torch"}


def test_check_sees_what_the_hook_treats(site: Site, hook: Hook) -> None:
    site.install("torch", "2.4.1", files={"torch/__init__.py": b""})
    assert "treated" not in verdicts(site)

    hook("install", *at(site), *CPU, *PLAIN)
    assert "treated" in verdicts(site)

    (site.packages / "_legacy_doctor.pth").unlink()
    assert "treated" not in verdicts(site), "nothing arms it any more"


def test_a_hook_that_cannot_be_read_treats_nothing(site: Site, tmp_path: Path) -> None:
    from dataclasses import replace

    from legacy_doctor.cli import examination
    from legacy_doctor.environment import interpreter

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / f"{BOOT}.py").write_text("# legacy-doctor start-up hook 1 x\n")
    found = interpreter.examine(site.python, "--python")

    assert examination.armed(replace(found, site_packages=(folder,))) == {}


def test_checkpoints_are_listed_by_place_and_content(site: Site, hook: Hook, here: Path) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": b""})
    weights = pickle.dumps({"w": [0.5]})
    (here / "model.pt").write_bytes(weights)
    (here / "models").mkdir()
    digest = "AB" * 32

    words = ("--load-file", "model.pt", "--load-file", "models", "--load-file", digest)
    answer = hook("install", *at(site), *PLAIN, *words)

    assert answer.code == 0, answer.err
    listed = rules(site, hook)["shim:torch-load-weights-only-false"]["listed"]
    assert listed == [str(here / "model.pt"), str(here / "models"), digest.lower()]
    text = (site.packages / "_legacy_doctor_rt.py").read_text()
    assert "9ef0c1d6b1a4e9b0" not in text
    assert hashlib.sha256(weights).hexdigest() in text


def test_where_nothing_dies_nothing_is_put_in(site: Site, hook: Hook, here: Path) -> None:
    (here / "legacy-doctor.toml").write_text("")
    site.install("numpy", "2.4.6", files={"numpy/__init__.py": b""})

    answer = hook("install", *at(site), *PLAIN, "--cpu", "x86-64-v4")

    assert answer.code == 0, answer.err
    assert "nothing to arm: no package is known that dies on" in answer.out
    assert not list(site.packages.glob("_legacy*"))
    hook("install", *at(site), *PLAIN, *CPU)
    assert "the hook that is there stays" in hook("install", *at(site), "--cpu", "x86-64-v4").out


# --- how it stands


def test_none_is_no_fault(site: Site, hook: Hook) -> None:
    answer = hook("status", *at(site), "--live")

    assert answer.code == 0
    assert f"[i] {site.folder}: no start-up hook is there" in told(answer)
    document = json.loads(hook("status", *at(site), "--format", "json").out)
    VALIDATOR.validate(document)
    assert not document["installed"]


def drop_pth(site: Site) -> None:
    (site.packages / "_legacy_doctor.pth").unlink()


def add_module(site: Site) -> None:
    site.install("hopeless", "1", files={"hopeless.py": b""})


def take_over(site: Site) -> None:
    (site.packages / "zzz.pth").write_text("import sys; sys.meta_path.pop(0)\n")


def kill(site: Site) -> None:
    (site.packages / "zzz.pth").write_text("import sys; sys.exit(3)\n")


@pytest.mark.parametrize(
    ("change", "words", "code", "text"),
    [
        pytest.param(None, ["--live"], 0, "is live: Python was started", id="live"),
        pytest.param(None, [], 0, "is installed (--live starts Python", id="not asked"),
        pytest.param(drop_pth, [], 1, "_legacy_doctor.pth is missing", id="cut off"),
        pytest.param(drop_pth, ["--live"], 1, "had no hook armed", id="cut off and asked"),
        pytest.param(take_over, ["--live"], 1, "had no hook armed", id="taken out by another"),
        pytest.param(kill, ["--live"], 1, "Python exits with ", id="Python does not start"),
        pytest.param(add_module, [], 1, "not guarded yet: hopeless 1", id="something new"),
    ],
)
def test_its_condition_is_told(
    change: Callable[[Site], None] | None,
    words: list[str],
    code: int,
    text: str,
    venv: Site,
    hook: Hook,
) -> None:
    hook("install", *at(venv), *PLAIN)
    if change is not None:
        change(venv)

    answer = hook("status", *at(venv), *words)

    assert answer.code == code, answer.out
    assert text in told(answer)
    assert "Traceback" not in answer.out


def test_what_another_version_wrote_is_renewed(
    venv: Site, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from legacy_doctor.hook import generate

    real = generate._source
    with monkeypatch.context() as patch:
        patch.setattr(generate, "_source", lambda name: f"{real(name)}# an older line\n")
        hook("install", *at(venv), *PLAIN)

    answer = hook("status", *at(venv), "--live")

    assert answer.code == 1
    assert "it was written by another version of legacy-doctor" in told(answer)
    hook("install", *at(venv), *PLAIN)
    assert hook("status", *at(venv), "--live").code == 0


def test_another_hook_before_it_is_told(venv: Site, hook: Hook) -> None:
    hook("install", *at(venv), *PLAIN)
    other = (venv.packages / f"{BOOT}.py").read_text().replace('ID = "', 'ID = "0')
    (venv.folder / "other").mkdir()
    (venv.folder / "other" / f"{BOOT}.py").write_text(other)
    # Sorted before ours, as a file of underscores and zeros is.
    (venv.packages / "A.pth").write_text(
        f"import sys; sys.path.insert(0, {str(venv.folder / 'other')!r})\n"
    )

    assert "had another hook armed (0" in told(hook("status", *at(venv), "--live"))


def test_what_came_after_it_is_told(venv: Site, hook: Hook) -> None:
    hook("install", *at(venv), *CPU, *PLAIN, "--skip", "catboost")
    venv.install("torch", "2.4.1", files={"torch/__init__.py": b""})

    text = told(hook("status", *at(venv)))

    assert "not armed yet: torch-onednn-off" in text
    assert "catboost" not in text


def test_newer_pin_sets_are_told(venv: Site, hook: Hook, here: Path) -> None:
    hook("install", *at(venv), *PLAIN)
    (here / "mine.toml").write_text(PINS.replace("2026-11-26", "2026-12-24"))

    answer = hook("status", *at(venv))

    assert answer.code == 1
    assert "other pin-sets apply by now: mine@2026-12-24" in told(answer)
    assert "Renew: legacy-doctor hook install" in told(answer)
    assert hook("install", *at(venv), *PLAIN).code == 0
    assert hook("status", *at(venv)).code == 0


def test_one_made_on_another_machine_is_told(
    venv: Site, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from legacy_doctor.cli import arming

    with monkeypatch.context() as patch:
        patch.setattr(arming, "cpu_name", lambda cpu: "Another CPU")
        hook("install", *at(venv), *PLAIN)

    assert "it was made on another CPU (Another CPU)" in told(hook("status", *at(venv)))


def test_the_off_switch_is_told(venv: Site, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    hook("install", *at(venv), *PLAIN)
    monkeypatch.setenv("LEGACY_DOCTOR_DISABLE", "guard:deadly")

    answer = hook("status", *at(venv), "--live")

    assert answer.code == 0, "it is switched off here, and not broken"
    assert "LEGACY_DOCTOR_DISABLE=guard:deadly is set here" in told(answer)


def test_a_damaged_one_is_repaired_and_one_cut_off_is_removed(venv: Site, hook: Hook) -> None:
    before = tree(venv)
    hook("install", *at(venv), *PLAIN)
    whole = tree(venv)
    (venv.packages / f"{BOOT}.py").write_text("# legacy-doctor start-up hook 1 x\nno python\n")
    assert BOOT in python(venv, "pass").err

    repaired = hook("install", *at(venv), *PLAIN)

    assert repaired.code == 0, repaired.err
    assert tree(venv) == whole
    drop_pth(venv)
    assert hook("remove", *at(venv)).code == 0
    assert tree(venv) == before


# --- what is refused


def world_writable(site: Site) -> None:
    site.packages.chmod(0o777)


def foreign_file(site: Site) -> None:
    (site.packages / f"{BOOT}.py").write_text("mine = True\n")


def broken_sitecustomize(site: Site) -> None:
    (site.packages / "sitecustomize.py").write_text("no python at all\n")


def hostile_checkpoint(_site: Site) -> None:
    Path("hostile.pt").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")


@pytest.mark.parametrize(
    ("prepare", "words", "text"),
    [
        (world_writable, [], "can be written by every user, who could replace"),
        (foreign_file, [], "not written by legacy-doctor, and left alone"),
        (broken_sitecustomize, ["--via", "sitecustomize"], "it cannot be read as Python"),
        (None, ["--shim", "mel-on-gpuu"], "no shim 'mel-on-gpuu'; did you mean 'mel-on-gpu'?"),
        (None, ["--shim", "mel-on-gpu"], "mel-on-gpu: torchaudio is not installed"),
        (None, ["--shim", "datasets-stub"], "nothing stops pyarrow on this CPU"),
        (None, ["--shim", "torch-load-weights-only-false"], "each with --load-file PATH"),
        (None, ["--load-file", "absent.pt"], "absent.pt: cannot be read (No such file"),
        (None, ["--load-file", "mine.toml"], "neither a zip archive nor a pickle nor a"),
        (
            hostile_checkpoint,
            ["--load-file", "hostile.pt"],
            "calls posix.system('true'); it is not",
        ),
        (None, ["--skip", "deadli"], "--skip deadli: nothing of that name would be armed; did you"),
        (None, ["--cpu", "phenm"], "did you mean 'phenom'"),
        (None, ["--via", "path"], "'path' is not one of 'pth', 'sitecustomize'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_gets_one_line_and_changes_nothing(
    prepare: Callable[[Site], None] | None, words: list[str], text: str, venv: Site, hook: Hook
) -> None:
    if prepare is not None:
        prepare(venv)
    before = tree(venv)

    answer = hook("install", *at(venv), *PLAIN, *words)

    assert (answer.code, answer.out) == (2, "")
    assert text in answer.err
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert tree(venv) == before


def test_without_a_command_there_is_one_line(hook: Hook) -> None:
    answer = hook()

    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: Missing command. (see legacy-doctor hook --help)\n"


def test_a_world_writable_folder_is_taken_where_it_is_meant(venv: Site, hook: Hook) -> None:
    world_writable(venv)

    assert hook("install", *at(venv), *PLAIN, "--allow-world-writable").code == 0
    assert python(venv, "import deadly").code == 1


def test_a_shim_that_is_not_made_for_the_version_is_refused(site: Site, hook: Hook) -> None:
    site.install("torchaudio", "2.13.0", files={"torchaudio/__init__.py": b""})

    answer = hook("install", *at(site), *PLAIN, "--shim", "mel-on-gpu")

    assert answer.code == 2
    assert "mel-on-gpu: made for torchaudio>=2.2,<2.11, and 2.13.0 is installed" in answer.err


def test_the_environment_of_another_user_is_refused(
    venv: Site, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)

    for words in (("install", *PLAIN), ("remove",)):
        answer = hook(*words, *at(venv))
        assert answer.code == 2
        assert "and you are user 54321; run this as its owner" in answer.err


def test_a_python_that_its_system_manages_is_refused(hook: Hook) -> None:
    if not Path("/usr/bin/python3").exists():
        pytest.skip("no Python in /usr")

    answer = hook("install", "--python", "/usr/bin/python3", *PLAIN)

    assert (answer.code, answer.out) == (2, "")
    assert "--break-system-packages if you mean it" in answer.err


def test_a_folder_of_the_user_alone_is_no_place_for_it(tmp_path: Path) -> None:
    from dataclasses import replace

    from legacy_doctor.cli.hooked import Socket
    from legacy_doctor.environment import interpreter
    from legacy_doctor.errors import TargetError

    mine = tmp_path / ".local/lib/python3.11/site-packages"
    found = interpreter.examine(Path(sys.executable), "--python")
    with pytest.raises(TargetError, match=r"no site-packages folder of its own \(only .*\.local"):
        _ = Socket(interpreter=replace(found, site_packages=(mine,))).folder
    with pytest.raises(TargetError, match="no site-packages folder of its own; make"):
        _ = Socket(interpreter=replace(found, site_packages=())).folder


def test_a_python_that_does_not_start_or_compile_is_told(
    venv: Site, hook: Hook, tmp_path: Path
) -> None:
    from legacy_doctor.cli.hooked import Socket
    from legacy_doctor.environment import interpreter
    from legacy_doctor.errors import DoctorError
    from legacy_doctor.hook.rules import Armed

    found = interpreter.examine(venv.python, "--python")
    venv.python.unlink()
    with pytest.raises(DoctorError, match=r"does not start \(No such file"):
        Socket(interpreter=found).start({})
    venv.python.write_text("#!/bin/sh\necho no >&2; exit 1\n")
    venv.python.chmod(0o755)
    with pytest.raises(DoctorError, match=r"did not compile the start-up files \(no\)"):
        Socket(interpreter=found).plan(Armed(cpu="x"))


def test_interrupted_work_is_finished_first(venv: Site, hook: Hook) -> None:
    hook("install", *at(venv), *PLAIN)
    runs = venv.folder / ".legacy-doctor/runs"
    subprocess.run(["cp", "-r", runs / "0001", runs / ".0002.new"], check=True, env=clean({}))

    answer = hook("install", *at(venv), *PLAIN)

    assert "run 2 was interrupted before it was written down" in answer.err
    subprocess.run(["cp", "-r", runs / "0001", runs / ".0002.new"], check=True, env=clean({}))
    assert "run 2 was interrupted" in hook("remove", *at(venv)).err
