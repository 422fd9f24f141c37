"""Which interpreter is examined, what it says of itself, and what is made of one that cannot."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from legacy_doctor import process
from legacy_doctor.environment import interpreter
from legacy_doctor.errors import TargetError
from legacy_doctor.model import Interpreter
from tests import conftest
from tests.conftest import Site

RUNNING = Path(sys.executable)
HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def environment(folder: Path) -> Path:
    """A folder that looks like a virtual environment; return its interpreter."""
    return Site(folder).python


CHOICES: dict[str, tuple[str, str | None, dict[str, str], str, str]] = {
    # folders that exist; --python; the environment; what is chosen; why
    "the option before all": ("a b .venv", "a", {"VIRTUAL_ENV": "b"}, "a", "--python"),
    "the active one before the one here": (
        "b .venv",
        None,
        {"VIRTUAL_ENV": "b"},
        "b",
        "$VIRTUAL_ENV",
    ),
    "the one here": ("a .venv", None, {}, ".venv", "./.venv"),
    "an empty variable is none": (".venv", None, {"VIRTUAL_ENV": ""}, ".venv", "./.venv"),
    "the running one when there is no other": ("a", None, {}, "", "running interpreter"),
}


@pytest.mark.parametrize(
    ("folders", "wanted", "environ", "chosen", "why"), CHOICES.values(), ids=CHOICES
)
def test_the_choice(
    folders: str,
    wanted: str | None,
    environ: dict[str, str],
    chosen: str,
    why: str,
    tmp_path: Path,
) -> None:
    for name in folders.split():
        environment(tmp_path / name)
    absolute = {key: value and str(tmp_path / value) for key, value in environ.items()}
    path = tmp_path / chosen / "bin/python" if chosen else RUNNING
    assert interpreter.choose(wanted, absolute, tmp_path) == (path, why)


def test_a_folder_called_venv_without_a_configuration_is_not_chosen(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    assert interpreter.choose(None, {}, tmp_path)[1] == "running interpreter"


LAYOUTS = {
    "bin/python": "bin/python",
    "bin/python3 alone": "bin/python3",
    "the Windows layout": "Scripts/python.exe",
    "a Windows installation": "python.exe",
}


@pytest.mark.parametrize("place", LAYOUTS.values(), ids=LAYOUTS)
def test_the_interpreter_of_a_folder(place: str, tmp_path: Path) -> None:
    path = tmp_path / "env" / place
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert interpreter.locate("env", tmp_path) == path


def test_an_interpreter_can_be_named_by_its_path(tmp_path: Path) -> None:
    path = environment(tmp_path / "env")
    assert interpreter.locate(str(path), Path("/")) == path
    assert interpreter.locate("env/bin/python", tmp_path) == path
    assert interpreter.locate("env/../env/bin/python", tmp_path) == path


def test_a_link_is_not_followed_for_it_makes_the_environment(tmp_path: Path) -> None:
    found = interpreter.locate(str(environment(tmp_path / "env")), tmp_path)
    assert found.is_symlink()


def test_an_interpreter_can_be_named_as_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = environment(tmp_path / "env")
    path.rename(path.with_name("python-of-mine"))
    monkeypatch.setenv("PATH", str(tmp_path / "env/bin"))
    assert interpreter.locate("python-of-mine", tmp_path) == path.with_name("python-of-mine")


def test_the_home_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = environment(tmp_path / "env")
    assert interpreter.locate("~/env", Path("/")) == path


def nothing(folder: Path) -> str:
    return "nowhere"


def empty_folder(folder: Path) -> str:
    (folder / "empty").mkdir()
    return "empty"


def dangling_environment(folder: Path) -> str:
    path = environment(folder / "env")
    path.unlink()
    path.symlink_to("/opt/removed/python3.9")
    return "env"


def dangling_link(folder: Path) -> str:
    (folder / "python").symlink_to("/opt/removed/python3.9")
    return "python"


def link_in_a_circle(folder: Path) -> str:
    (folder / "circle").symlink_to("circle")
    return "circle"


def very_long(folder: Path) -> str:
    return "x" * 300


def home_of_nobody(folder: Path) -> str:
    return "~no-such-user/venv"


MISSING: dict[str, tuple[Callable[[Path], str], str]] = {
    "nothing of the name": (nothing, "nowhere: no such interpreter or virtual environment folder"),
    "a folder without Python": (empty_folder, "empty: no Python interpreter in this folder"),
    "an environment whose Python is gone": (
        dangling_environment,
        "env: bin/python leads nowhere (/opt/removed/python3.9 is gone); recreate",
    ),
    "a link whose Python is gone": (
        dangling_link,
        "python: the link leads nowhere (/opt/removed/python3.9 is gone); recreate",
    ),
    "a link that leads to itself": (link_in_a_circle, "circle: the link leads nowhere"),
    "a name longer than any file's": (very_long, "xxx: "),
    "the home of a user that does not exist": (home_of_nobody, "~no-such-user/venv: "),
}


@pytest.mark.parametrize(("make", "why"), MISSING.values(), ids=MISSING)
def test_what_cannot_be_found_is_one_line(
    make: Callable[[Path], str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no-commands"))
    name = make(tmp_path)
    with pytest.raises(TargetError) as caught:
        interpreter.locate(name, tmp_path)
    assert why in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("make", [nothing, empty_folder, dangling_environment, dangling_link])
def test_a_wrong_variable_says_how_to_get_rid_of_it(
    make: Callable[[Path], str], tmp_path: Path
) -> None:
    wrong = str(tmp_path / make(tmp_path))
    with pytest.raises(TargetError, match=r"; unset VIRTUAL_ENV or use --python$"):
        interpreter.choose(None, {"VIRTUAL_ENV": wrong}, tmp_path)


# As another user, who may not enter the folder.
FORBIDDEN = """
import os, pathlib, sys
from legacy_doctor.environment import interpreter
from legacy_doctor.errors import TargetError
try:
    interpreter.locate("nothing-like-it", pathlib.Path(sys.argv[1]))
except TargetError:
    pass
if not os.getuid():
    os.setuid(65534)
try:
    interpreter.locate(sys.argv[1] + "/venv", pathlib.Path("/"))
except TargetError as error:
    print(error)
"""


def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path: Path) -> None:
    environment(tmp_path / "closed/venv")
    (tmp_path / "closed").chmod(0)
    command = [sys.executable, "-c", FORBIDDEN, str(tmp_path / "closed")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=conftest.ROOT)
    (tmp_path / "closed").chmod(0o755)
    assert done.stdout.startswith(f"{tmp_path}/closed/venv: "), done.stderr
    assert len(done.stdout.splitlines()) == 1


def examined(path: Path) -> Interpreter:
    return interpreter.examine(path, "--python")


def test_the_running_interpreter_is_asked_in_place() -> None:
    found = examined(RUNNING)
    assert found.version == sys.version_info[:3]
    assert found.prefix == Path(sys.prefix)
    assert found.implementation == sys.implementation.name
    assert found.machine == os.uname().machine
    assert Path(pytest.__file__).parent.parent in found.site_packages
    assert found.death is None
    assert found.executable == RUNNING


def test_a_child_says_of_itself_what_the_running_one_does(tmp_path: Path) -> None:
    """The same interpreter under another name beside it, so that it is asked as a child."""
    beside = tmp_path / "beside"
    beside.mkdir()
    here = RUNNING.parent.parent
    if not (here / "pyvenv.cfg").is_file():
        pytest.skip("the tests do not run in a virtual environment")
    for name in ("pyvenv.cfg", "lib"):
        (beside / name).symlink_to(here / name)
    (beside / "bin").mkdir()
    (beside / "bin/python").symlink_to(RUNNING.resolve())
    asked, own = examined(beside / "bin/python"), examined(RUNNING)
    for fact in ("version", "implementation", "platform", "machine", "libc", "march"):
        assert getattr(asked, fact) == getattr(own, fact)
    assert asked.prefix == beside
    assert [path.resolve() for path in asked.site_packages] == [
        path.resolve() for path in own.site_packages
    ]


def test_an_environment_tells_its_own_folders_and_no_others(site: Site) -> None:
    found = examined(site.python)
    assert found.prefix == site.folder
    assert found.site_packages == (site.packages,)
    assert found.version == sys.version_info[:3]
    assert (found.chosen_by, found.death) == ("--python", None)


def test_an_environment_that_inherits_tells_the_systems_folders_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = site.folder / "pyvenv.cfg"
    config.write_text(config.read_text() + "Include-System-Site-Packages = TRUE\n")
    monkeypatch.setenv("HOME", str(site.folder / "home"))
    own = site.folder / f"home/.local/lib/{HERE}/site-packages"
    own.mkdir(parents=True)
    found = examined(site.python).site_packages
    assert found[:2] == (site.packages, own)
    assert any(path.is_relative_to(sys.base_prefix) for path in found[2:])
    assert len(set(found)) == len(found)


def pythons() -> Path:
    """Where pyenv keeps the other Pythons of this machine."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return root / "versions"


def other_python(version: str) -> Path:
    found = sorted(pythons().glob(f"{version}.*/bin/python"))
    if not found:
        conftest.lacking("pythons", f"no Python {version} in {pythons()}")
    return found[-1]


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_another_python_is_examined(version: str) -> None:
    path = other_python(version)
    found = examined(path)
    assert ".".join(str(part) for part in found.version) == path.parent.parent.name
    assert found.dotted == path.parent.parent.name
    assert found.prefix == path.parent.parent
    assert path.parent.parent / f"lib/python{version}/site-packages" in found.site_packages
    assert found.platform.startswith("linux-")


def python_3_6(folder: Path) -> Path:
    """Stands in for a Python 3.6 where there is none: prints what one would."""
    path = folder / "python3.6"
    path.write_text("#!/bin/sh\necho '{\"version\": [3, 6, 15]}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_python_before_3_8_is_too_old(version: str) -> None:
    path = other_python(version)
    with pytest.raises(TargetError) as caught:
        examined(path)
    number = path.parent.parent.name
    assert str(caught.value) == (
        f"{path}: Python {number} is too old to examine; legacy-doctor examines Python 3.8 and "
        "newer"
    )


def test_what_prints_what_python_3_6_prints_is_too_old(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"Python 3\.6\.15 is too old"):
        examined(python_3_6(tmp_path))


def script(folder: Path, text: str, mode: int = 0o755) -> Path:
    path = folder / "python"
    path.write_text(text)
    path.chmod(mode)
    return path


NO_PYTHON: dict[str, tuple[Callable[[Path], Path], str]] = {
    "ls": (lambda _: Path("/bin/ls"), "not a Python interpreter (asked for its version, it exit"),
    "true": (lambda _: Path("/bin/true"), "it exited with 0)"),
    "false": (lambda _: Path("/bin/false"), "it exited with 1)"),
    "what fails with a word": (
        lambda folder: script(folder, "#!/bin/sh\necho first; echo no modules >&2; exit 3\n"),
        "it exited with 3: no modules)",
    ),
    "JSON without a version": (
        lambda folder: script(folder, "#!/bin/sh\necho '{}'\n"),
        "it exited with 0)",
    ),
    "JSON that is no table": (
        lambda folder: script(folder, "#!/bin/sh\necho '[3, 11]'\n"),
        "it exited with 0)",
    ),
    "a version in words": (
        lambda folder: script(folder, '#!/bin/sh\necho \'{"version": "3.11"}\'\n'),
        "it exited with 0)",
    ),
    "a folder": (lambda folder: folder, "cannot be started (Permission denied)"),
    "a file that may not be executed": (
        lambda folder: script(folder, "#!/bin/sh\n", 0o644),
        "cannot be started (Permission denied)",
    ),
    "a text that is no script": (
        lambda folder: script(folder, "import sys\n"),
        "cannot be started (Exec format error)",
    ),
    "a script whose program is gone": (
        lambda folder: script(folder, "#!/opt/removed/python\n"),
        "cannot be started (No such file or directory)",
    ),
    "nothing": (
        lambda folder: folder / "nothing",
        "cannot be started (No such file or directory)",
    ),
    "what a terminated program prints": (
        lambda folder: script(folder, "#!/bin/sh\nkill -TERM $$\n"),
        "it exited with -15)",
    ),
}


@pytest.mark.parametrize(("make", "why"), NO_PYTHON.values(), ids=NO_PYTHON)
def test_what_is_no_python_is_one_line(
    make: Callable[[Path], Path], why: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    with pytest.raises(TargetError) as caught:
        examined(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert why in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_does_not_answer_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = process.ask
    monkeypatch.setattr(process, "ask", lambda command, env: real(command, env=env, seconds=0.3))
    path = script(tmp_path, "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(TargetError, match=r"not a Python interpreter \(no answer in 0\.3 s\)"):
        examined(path)


def compiled(folder: Path, code: str, options: str = "") -> Path:
    """A real program in the place of an interpreter."""
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")
    source, path = folder / "python.c", folder / "python"
    source.write_text(code)
    done = subprocess.run(
        ["cc", *options.split(), "-o", str(path), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        conftest.lacking("cc", f"this compiler cannot: {done.stderr.strip()[-200:]}")
    return path


DEATHS = {
    "SIGILL": 'int main(void) { __asm__("ud2"); return 0; }',
    "SIGSEGV": "int main(void) { return *(volatile int *)0; }",
    "SIGABRT": "#include <stdlib.h>\nint main(void) { abort(); }",
}


@pytest.mark.parametrize(("signal", "code"), DEATHS.items(), ids=DEATHS)
def test_one_that_dies_of_a_signal_is_returned_with_its_death(
    signal: str, code: str, tmp_path: Path
) -> None:
    found = examined(compiled(tmp_path, code))
    assert found.death == f"died of {signal}"
    assert found.site_packages == ()
    assert (found.version, found.dotted) == ((3, 8, -1), "3.8")


def test_a_dying_one_that_a_shell_started_is_known_by_the_status(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    dying = compiled(tmp_path / "real", DEATHS["SIGILL"])
    found = examined(script(tmp_path, f"#!/bin/sh\n{dying}\nexit $?\n"))
    assert found.death == "died of SIGILL"


def test_an_environment_whose_python_dies_still_tells_its_folders(
    site: Site, tmp_path: Path
) -> None:
    site.python.unlink()
    shutil.copy(compiled(tmp_path, DEATHS["SIGILL"]), site.python)
    found = examined(site.python)
    assert found.death == "died of SIGILL"
    assert found.prefix == site.folder
    assert found.site_packages == (site.packages,)
    assert found.version == (*sys.version_info[:2], -1)
    assert found.dotted == f"{sys.version_info[0]}.{sys.version_info[1]}"


FOLDERS = {
    "free-threaded": ("lib/python3.14t/site-packages", (3, 14, -1)),
    "the Windows layout tells no version": ("Lib/site-packages", (3, 8, -1)),
}


@pytest.mark.parametrize(("place", "version"), FOLDERS.values(), ids=FOLDERS)
def test_the_version_of_a_dying_one_is_told_by_its_folders(
    place: str, version: tuple[int, int, int], tmp_path: Path
) -> None:
    (tmp_path / "env" / place).mkdir(parents=True)
    (tmp_path / "env/bin").mkdir()
    dying = compiled(tmp_path, DEATHS["SIGILL"])
    path = Path(shutil.copy(dying, tmp_path / "env/bin/python"))
    found = examined(path)
    assert found.version == version
    assert found.site_packages == (tmp_path / "env" / place,)


def test_one_that_glibc_refuses_to_load_is_returned_with_the_refusal(tmp_path: Path) -> None:
    """A real refusal, on any CPU: the program's ELF note asks for a level not yet invented."""
    path = compiled(tmp_path, "int main(void) { return 0; }", "-mneeded")
    data = path.read_bytes()
    start = data.find(struct.pack("<II", 0xC0008002, 4))
    if start < 0:
        conftest.lacking("cc", "this compiler writes no ISA note")
    path.write_bytes(data[: start + 8] + struct.pack("<I", 0x100) + data[start + 12 :])
    found = examined(path)
    assert str(found.death).startswith("refused to start: ")
    assert "CPU ISA level is lower than required" in str(found.death)


def test_one_whose_glibc_was_built_for_a_newer_level_is_returned(tmp_path: Path) -> None:
    """Stands in for a glibc built with -march=x86-64-v3 on a CPU without it."""
    words = "Fatal glibc error: CPU does not support x86-64-v3"
    found = examined(script(tmp_path, f"#!/bin/sh\necho '{words}' >&2\nexit 127\n"))
    assert found.death == f"refused to start: {words}"


def leaving_a_trace(site: Site) -> Path:
    """Have the site-packages run code at start, as editable installs and coverage do."""
    trace = site.folder / "code-ran"
    (site.packages / "sneaky.pth").write_text(
        f"import pathlib; pathlib.Path({str(trace)!r}).touch()\n"
    )
    (site.packages / "sitecustomize.py").write_text(f"open({str(trace)!r}, 'w')\n")
    return trace


def test_code_in_site_packages_does_not_run(site: Site) -> None:
    trace = leaving_a_trace(site)
    assert examined(site.python).site_packages == (site.packages,)
    assert not trace.exists()


def test_that_code_would_run_in_an_ordinary_start(site: Site) -> None:
    trace = leaving_a_trace(site)
    subprocess.run([site.python, "-c", ""], check=True)
    assert trace.exists()


def test_variables_of_python_do_not_reach_the_one_examined(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.folder / "shadow").mkdir()
    (site.folder / "shadow/json.py").write_text("raise SystemExit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(site.folder / "shadow"))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert examined(site.python).death is None


def test_nothing_is_written_beside_the_question(site: Site) -> None:
    before = sorted(path.name for path in Path(interpreter.__file__).parent.iterdir())
    examined(site.python)
    after = sorted(path.name for path in Path(interpreter.__file__).parent.iterdir())
    assert before == after


def test_the_answer_of_a_real_python_is_one_line_of_json(site: Site) -> None:
    answer = interpreter._ask(site.python, "-I", "-S")
    assert len(answer.stdout.splitlines()) == 1
    assert json.loads(answer.stdout)["executable"] == str(site.python)
