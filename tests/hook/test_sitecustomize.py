"""Where no .pth file is read: the first sitecustomize is ours, the next one runs all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from legacy_doctor.hook import generate
from legacy_doctor.hook.generate import Via
from tests.hook.conftest import Room, armed, guard, printed
from tests.hook.parts import execute

STATE = """
import sys, json
named = [getattr(f, "__name__", "") for f in sys.meta_path]
try:
    import deadly
    stopped = False
except ImportError:
    stopped = True
print(json.dumps([named.count("_legacy_doctor_boot"), stopped, sys.modules["sitecustomize"].__file__]))
"""


def run_folder(room: Room) -> Path:
    """A folder for PYTHONPATH, as one command gets it."""
    folder = room.folder / "armed"
    folder.mkdir(exist_ok=True)
    for name, content in generate.files(armed(guard("deadly")), room.version, Via.PATH).items():
        (folder / name).write_bytes(content)
    return folder


def theirs(room: Room, text: str = "import sys; sys.stderr.write('theirs\\n')") -> Path:
    folder = room.folder / "theirs"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(text)
    return folder


def test_one_command_is_armed_by_its_path(room: Room) -> None:
    room.put(deadly="")
    folder = run_folder(room)
    count, stopped, _ = printed(room.run(STATE, env={"PYTHONPATH": str(folder)}))  # type: ignore[misc]
    assert (count, stopped) == (1, True)
    assert (
        printed(
            room.run(
                f"import sys, json; print(json.dumps({str(folder)!r} in sys.path))",
                env={"PYTHONPATH": str(folder)},
            )
        )
        is False
    )
    child = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import deadly']))"
    )
    assert "CpuFeatureError" in room.run(child, env={"PYTHONPATH": str(folder)}).err


@pytest.mark.parametrize("order", ["ours first", "theirs first"])
def test_one_of_somebody_else_on_the_path_runs(room: Room, order: str) -> None:
    room.put(deadly="")
    folders = [str(run_folder(room)), str(theirs(room))]
    if order == "theirs first":
        folders.reverse()
    said = room.run(STATE, env={"PYTHONPATH": ":".join(folders)})
    assert said.err == "theirs\n"
    if order == "ours first":
        assert '[1, true, "' in said.out
        assert said.out.rstrip().endswith('theirs/sitecustomize.py"]')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "raise ValueError('x')",
            "Error in sitecustomize; set PYTHONVERBOSE for traceback:\nValueError: x\n",
        ),
        (
            "import absent_module",
            "Error in sitecustomize; set PYTHONVERBOSE for traceback:\nModuleNotFoundError: No module named 'absent_module'\n",
        ),
    ],
    ids=["an error", "a missing import"],
)
def test_what_the_next_one_raises_is_told_as_python_tells_it(
    room: Room, text: str, words: str
) -> None:
    room.put(deadly="")
    folder = theirs(room, text)
    alone = room.run("print('alive')", env={"PYTHONPATH": str(folder)})
    said = room.run("print('alive')", env={"PYTHONPATH": f"{run_folder(room)}:{folder}"})
    assert said == alone
    assert said.err == words


CHAINING = """
import os, sys
here = os.path.dirname(__file__)
sys.path.remove(here)
mine = sys.modules.pop("sitecustomize")
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = mine
else:
    sys.modules["sitecustomize"] = mine
sys.stderr.write("chained\\n")
"""


@pytest.mark.parametrize("first", [True, False], ids=["ours first", "ours second"])
def test_one_that_chains_itself(room: Room, first: bool) -> None:
    """ddtrace-run and debugpy do it this way."""
    room.put(deadly="")
    folders = [str(run_folder(room)), str(theirs(room, CHAINING))]
    if not first:
        folders.reverse()
    said = room.run(STATE, env={"PYTHONPATH": ":".join(folders)})
    assert (said.code, said.err) == (0, "chained\n")
    assert said.out.startswith("[1, true, ")


def test_beside_the_pth_file_it_changes_nothing(room: Room) -> None:
    room.put(deadly="")
    room.arm(armed(guard("deadly")))
    said = room.run(STATE, env={"PYTHONPATH": str(run_folder(room))})
    assert said.out.startswith("[1, true, ")


def test_the_off_switch_leaves_the_next_one_alone(room: Room) -> None:
    room.put(deadly="")
    env = {"PYTHONPATH": f"{run_folder(room)}:{theirs(room)}", "LEGACY_DOCTOR_DISABLE": "1"}
    said = room.run(STATE, env=env)
    assert said.err == "theirs\n"
    assert said.out.startswith("[0, false, ")


@pytest.mark.parametrize(
    "text", [None, "import sys; sys.stderr.write('theirs\\n')"], ids=["none there", "one there"]
)
def test_in_site_packages(own_room: Room, text: str | None) -> None:
    own_room.put(deadly="")
    own_room.arm(armed(guard("deadly")), Via.SITECUSTOMIZE, None if text is None else text.encode())
    said = own_room.run(STATE)
    assert (said.code, said.err) == (0, "" if text is None else "theirs\n")
    assert said.out.startswith("[1, true, ")


def test_the_one_behind_site_packages_runs(own_room: Room) -> None:
    own_room.put(deadly="")
    own_room.arm(armed(guard("deadly")), Via.SITECUSTOMIZE)
    (own_room.packages / "more.pth").write_text(f"{theirs(own_room)}\n")
    said = own_room.run(STATE)
    assert said.err == "theirs\n"
    assert said.out.startswith("[1, true, ")


def test_a_fault_of_ours_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: no boot file beside it, and nothing that tells its own folder."""
    import sys

    monkeypatch.setitem(sys.modules, "_legacy_doctor_boot", None)
    space = execute("sitecustomize", {"__name__": "sitecustomize_of_nobody"}, {})
    assert space["spec"] is None


@pytest.mark.parametrize("keep", [True, False])
def test_the_next_one_is_looked_for_behind_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    import sys

    (tmp_path / "ours").mkdir()
    (tmp_path / "next").mkdir()
    (tmp_path / "next/made_up_custom.py").write_text("ran = True")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "ours"), *sys.path, str(tmp_path / "next")])
    monkeypatch.setitem(sys.modules, "_legacy_doctor_boot", sys)
    monkeypatch.delitem(sys.modules, "made_up_custom", raising=False)
    space = {"__name__": "made_up_custom", "__file__": str(tmp_path / "ours/sitecustomize.py")}
    execute("sitecustomize", space, {"KEEP_PATH": keep})
    assert sys.modules["made_up_custom"].__dict__["ran"] is True
    assert (str(tmp_path / "ours") in sys.path) is keep
    del sys.modules["made_up_custom"]
