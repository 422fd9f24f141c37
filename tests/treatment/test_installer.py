"""Which installer owns an environment, where it may not be used, and what it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from legacy_doctor.environment import interpreter
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.model import Distribution, Interpreter
from legacy_doctor.treatment import installer
from legacy_doctor.treatment.installer import Installer, InstallerError, Options
from tests.conftest import Site, clean
from tests.treatment.environments import make

NO_UV = {"PATH": "/nowhere"}


def patient(site: Site) -> Interpreter:
    return Interpreter(
        executable=site.python,
        prefix=site.folder,
        version=(3, 11, 7),
        implementation="cpython",
        platform="linux-x86_64",
        chosen_by="--python",
        site_packages=(site.packages,),
    )


def pip(version: str = "24.0") -> Distribution:
    return Distribution(name="pip", version=version, root=Path("/r"), info=Path("/r/i"))


@pytest.fixture
def with_uv(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "uv").touch(0o755)
    return {"PATH": str(folder)}


@pytest.fixture(autouse=True)
def _no_uv_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")


OWNERS = {
    "a venv with pip": (False, True, False, "pip"),
    "a venv with pip, and uv is there": (False, True, True, "pip"),
    "a venv without pip": (False, False, True, "uv"),
    "uv's venv": (True, False, True, "uv"),
    "uv's venv with pip": (True, True, True, "uv"),
    "uv's venv with pip, and uv is gone": (True, True, False, "pip"),
}


@pytest.mark.parametrize(("by_uv", "has_pip", "uv", "wanted"), OWNERS.values(), ids=OWNERS)
def test_the_owner(
    by_uv: bool, has_pip: bool, uv: bool, wanted: str, site: Site, with_uv: dict[str, str]
) -> None:
    if by_uv:
        with (site.folder / "pyvenv.cfg").open("a") as file:
            file.write("uv = 0.13.9\n")

    found = installer.owner(patient(site), [pip()] if has_pip else [], with_uv if uv else NO_UV)

    assert found.name == wanted
    if wanted == "pip":
        assert found.program == (str(site.python), "-I", "-B", "-m", "pip")
    else:
        assert found.program == (f"{with_uv['PATH']}/uv", "pip")


NOBODY = {
    "no pip and no uv": ("", [], r"there is no pip in it, and no uv was found; run `\S+ -m ensure"),
    "uv's, and uv is gone": ("uv = 1\n", [], r"no pip in it \(uv made it\), and no uv was found"),
    "an old pip": ("", [pip("21.1")], r"pip 21\.1 cannot resolve without installing; run "),
    "a pip of no version": ("", [pip("old")], r"pip old cannot resolve"),
}


@pytest.mark.parametrize(("config", "there", "words"), NOBODY.values(), ids=NOBODY)
def test_no_owner_says_what_to_run(
    config: str, there: list[Distribution], words: str, site: Site
) -> None:
    with (site.folder / "pyvenv.cfg").open("a") as file:
        file.write(config)
    with pytest.raises(TargetError, match=words):
        installer.owner(patient(site), there, NO_UV)


def test_a_prefix_without_configuration_is_not_of_uv(site: Site, with_uv: dict[str, str]) -> None:
    (site.folder / "pyvenv.cfg").unlink()
    assert installer.owner(patient(site), [pip()], with_uv).name == "pip"


def test_uv_beside_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installer.find_uv(NO_UV) is None
    (tmp_path / "uv").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert installer.find_uv(NO_UV) == tmp_path / "uv"


def managed(site: Site) -> Path:
    (site.folder / "pyvenv.cfg").unlink()
    path = site.packages.parent / "EXTERNALLY-MANAGED"
    path.touch()
    return path


def test_a_managed_interpreter_is_refused_unless_meant(site: Site) -> None:
    path = managed(site)
    target = replace(patient(site), version=(*sys.version_info[:2], 0))
    meant = Options(break_system_packages=True)
    assert installer.marker(target) == path
    with pytest.raises(TargetError, match=r"managed by its system \(.*EXTERNALLY-MANAGED\); make"):
        installer.refuse(target)
    installer.refuse(target, options=meant)

    owner = installer.owner(target, [pip()], NO_UV, options=meant)
    assert "--break-system-packages" in owner.install(["a"])
    assert "--break-system-packages" in owner.uninstall(["a"])
    old = installer.owner(target, [pip("23.0")], NO_UV, options=meant)
    assert "--break-system-packages" not in old.install(["a"])
    assert "--break" not in str(installer.owner(target, [pip()], NO_UV).install(["a"]))


def test_packages_of_an_interpreter_itself_are_refused_unless_meant(site: Site) -> None:
    (site.folder / "pyvenv.cfg").unlink()
    with pytest.raises(TargetError, match=r"not a virtual environment but the interpreter's own"):
        installer.refuse(patient(site))
    installer.refuse(patient(site), options=Options(break_system_packages=True))
    (site.folder / "conda-meta").mkdir()
    installer.refuse(patient(site))


def test_a_venv_in_a_managed_system_is_not_managed(site: Site) -> None:
    (site.packages.parent / "EXTERNALLY-MANAGED").touch()
    installer.refuse(patient(site))


def test_one_that_dies_is_refused(site: Site) -> None:
    with pytest.raises(TargetError, match="died of SIGILL, so no installer can run in it"):
        installer.refuse(replace(patient(site), death="died of SIGILL"))


@pytest.mark.parametrize("uid", [65534, 4_000_000_000], ids=["nobody", "a user without a name"])
def test_somebody_elses_is_refused(uid: int, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    name = "nobody" if uid == 65534 else "user 4000000000"
    with pytest.raises(TargetError, match=f"belongs to .*, and you are {name}; run this as its"):
        installer.refuse(patient(site))


def test_one_that_is_gone_is_refused(site: Site) -> None:
    shutil.rmtree(site.folder)
    with pytest.raises(TargetError, match=r"cannot be looked at \(No such file or directory\)"):
        installer.refuse(patient(site))


def test_a_read_only_one_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != site.packages)
    with pytest.raises(TargetError, match=r"site-packages: may not be written to; make it"):
        installer.refuse(patient(site))


def test_debian_itself() -> None:
    system = Path("/usr/bin/python3")
    if not list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED")):
        pytest.skip("no system Python that is EXTERNALLY-MANAGED")
    if os.stat("/usr").st_uid != os.geteuid():
        pytest.skip("the system belongs to somebody else, which is refused first")
    with pytest.raises(TargetError, match="managed by its system"):
        installer.refuse(interpreter.examine(system, "--python"))


PIP = Installer(name="pip", program=("pip",), python=Path("/v/bin/python"))
UV = Installer(name="uv", program=("uv", "pip"), python=Path("/v/bin/python"))
AWAY = Options(no_index=True, find_links=("wheels", "more"), prefer_binary=True)
C = [Path("/c.txt")]

LINES = {
    "pip": (PIP.install(["a<2", "b"]), "pip install --only-binary=:all: a<2 b"),
    "uv": (
        UV.install(["a<2", "b"]),
        "uv pip install --python /v/bin/python --only-binary=:all: a<2 b",
    ),
    "pip, offline": (
        PIP.install(["a"], constraints=C, options=AWAY),
        (
            "pip install --prefer-binary --no-index --find-links wheels --find-links more "
            "--constraint /c.txt a"
        ),
    ),
    "uv, offline": (
        UV.install(["a"], constraints=C, options=AWAY),
        (
            "uv pip install --python /v/bin/python --no-index --find-links wheels --find-links more "
            "--constraint /c.txt a"
        ),
    ),
    "pip, from source": (
        PIP.install(["a"], from_source=["a"]),
        "pip install --only-binary=:all: --no-binary=a --no-build-isolation a",
    ),
    "uv, from source": (
        UV.install(["a"], from_source=["a"]),
        (
            "uv pip install --python /v/bin/python --only-binary=:all: --no-binary=a "
            "--no-build-isolation-package=a a"
        ),
    ),
    "alone": (PIP.install(["a"], alone=True), "pip install --only-binary=:all: --no-deps a"),
    "pip, a dry run": (
        PIP.dry(PIP.install(["a"]), Path("/r.json")),
        "pip install --dry-run --report /r.json --only-binary=:all: a",
    ),
    "uv, a dry run": (
        UV.dry(UV.install(["a"]), Path("/r.json")),
        "uv pip install --dry-run --python /v/bin/python --only-binary=:all: a",
    ),
    "pip, away with it": (PIP.uninstall(["a", "b"]), "pip uninstall -y a b"),
    "uv, away with it": (UV.uninstall(["a"]), "uv pip uninstall --python /v/bin/python a"),
    "pip, a check": (PIP.check(), "pip check"),
    "uv, a check": (UV.check(), "uv pip check --python /v/bin/python"),
    "uv, a system": (
        replace(UV, marked=True).uninstall(["a"]),
        "uv pip uninstall --python /v/bin/python --break-system-packages a",
    ),
}


@pytest.mark.parametrize(("words", "wanted"), LINES.values(), ids=LINES)
def test_command_lines(words: tuple[str, ...], wanted: str) -> None:
    assert " ".join(words) == wanted


def test_variables_that_lead_elsewhere_are_dropped() -> None:
    environ = PIP.environ(
        {
            "HOME": "/h",
            "PIP_INDEX_URL": "https://x",
            "PIP_TARGET": "/t",
            "PIP_USER": "1",
            "PYTHONPATH": "/p",
            "UV_SYSTEM_PYTHON": "1",
            "FORCE_COLOR": "1",
        }
    )
    assert environ == {
        "HOME": "/h",
        "PIP_INDEX_URL": "https://x",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
    }


SUMMARIES = {
    "pip, a conflict": (
        (
            "Looking\nThe conflict is caused by:\n    a 1 depends on c<2\n    b 1 depends on c>=2\n\n"
            "To fix this you could try to:\n1. loosen\n"
            "ERROR: Cannot install a and b because of it.\n"
            "ERROR: ResolutionImpossible: for help visit https://x\n"
        ),
        "Cannot install a and b because of it; a 1 depends on c<2; b 1 depends on c>=2",
    ),
    "pip, nothing there": (
        (
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"
            "ERROR: No matching distribution found for x\n"
        ),
        "Could not find a version that satisfies the requirement x (from versions: none)",
    ),
    "pip, only the last words": ("ERROR: No matching distribution found for x\n", None),
    "uv, a conflict": (
        (
            "Using Python 3.11.7 environment at: v\n"
            "  \u00d7 No solution found when resolving dependencies:\n"
            "  \u2570\u2500\u25b6 Because you require a<2 and a>=2, we can conclude that your\n"
            "      requirements are unsatisfiable.\n\n      hint: try it\n"
        ),
        (
            "No solution found when resolving dependencies: Because you require a<2 and a>=2, we can "
            "conclude that your requirements are unsatisfiable"
        ),
    ),
    "uv, an error": (
        "\x1b[31merror: Failed to install: x\n  Caused by: No space left on device (os error 28)\n",
        "Failed to install: x Caused by: No space left on device (os error 28)",
    ),
    "a traceback": ("Traceback:\n  File x\nOSError: gone\n", "OSError: gone"),
    "nothing": ("", "failed, and said nothing"),
}


@pytest.mark.parametrize(("said", "wanted"), SUMMARIES.values(), ids=SUMMARIES)
def test_summaries(said: str, wanted: str | None) -> None:
    assert installer.summary(said) == (wanted or "No matching distribution found for x")


def test_a_long_summary_keeps_its_ends() -> None:
    found = installer.summary("ERROR: first " + "x " * 1000 + "last\n")
    assert found.startswith("first")
    assert found.endswith("last")
    assert len(found) < 600


ENDS = {
    "cannot be started": (("/nowhere/pip",), r"^/nowhere/pip: cannot be started \(No such file"),
    "fails": (("sh", "-c", "echo 'ERROR: no'; exit 3"), "^pip: no$"),
    "dies": (("sh", "-c", "kill -ILL $$"), "^pip: died of SIGILL$"),
}


@pytest.mark.parametrize(("command", "words"), ENDS.values(), ids=ENDS)
def test_how_it_fails(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(InstallerError, match=words) as caught:
        PIP.run(command, environ=os.environ)
    assert isinstance(caught.value, DoctorError)
    assert caught.value.command == command


def test_what_pip_is_configured_with(tmp_path: Path) -> None:
    def told(text: str) -> tuple[str, ...]:
        tool = replace(PIP, program=("sh", "-c", f"cat <<'E'\n{text}\nE\n"))
        return tool.configured(os.environ)

    assert told("global.constraint='/a'\ninstall.constraint='/b\\n/c'") == ("/b", "/c")
    assert told("global.constraint='/a'\nglobal.cert='/x'") == ("/a",)
    assert told(":env:.constraint='/a'") == ()
    assert UV.configured(os.environ) == ()


def test_real_pip_tells_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    venv = make(tmp_path, maker="pip")
    (venv.prefix / "pip.conf").write_text("[install]\nconstraint = /a\n    /b\n")
    owner = installer.owner(venv.interpreter(), venv.read(), NO_UV)
    assert owner.configured(clean(os.environ)) == ("/a", "/b")


def test_a_folder_of_the_users_is_not_taken_for_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    venv = make(tmp_path, maker="pip")
    (tmp_path / "here/pip").mkdir(parents=True)
    (tmp_path / "here/pip/__init__.py").write_text("raise SystemExit('not me')")
    owner = installer.owner(venv.interpreter(), venv.read(), NO_UV)
    done = subprocess.run(
        [*owner.program, "--version"], cwd=tmp_path / "here", check=True, capture_output=True
    )
    assert done.stdout.startswith(b"pip ")
