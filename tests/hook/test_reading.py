"""An installed hook is read back from its own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from legacy_doctor.hook import generate, reading
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed, Guard, Listed, Shim, Where
from legacy_doctor.model import When
from tests.hook.conftest import STAND_IN

PYTHON = (3, 11)
RICH = Armed(
    cpu="AMD Phenom(tm) II X6 1090T Processor",
    guards=(
        Guard(
            module="pyarrow",
            distribution="pyarrow",
            broken=">=3",
            where=Where(needs=frozenset({"sse4_1"})),
            remedy="pip uninstall pyarrow",
            reason="SIGILL (`pinsrq`)",
        ),
        Guard(
            module="torch",
            distribution="torch",
            where=Where(when=When(vendor="AuthenticAMD", cpuid_level_below=11)),
            remedy="pip install 'torch>=2.11'",
        ),
    ),
    shims=(
        Shim(id="torch-onednn-off", where=(Where(needs=frozenset({"sse4_1"})),), versions=">=2"),
        Shim(
            id="torch-load-weights-only-false",
            listed=(Listed(path="/models"), Listed(sha256="ab" * 32, size=7)),
        ),
        Shim(id="datasets-stub", stand_in=STAND_IN),
    ),
    target="phenom-ii",
    pinsets=("below-v2@2026-11-20",),
    skipped=("numpy",),
)


def write(
    folder: Path, armed: Armed = RICH, via: Via = Via.PTH, existing: bytes | None = None
) -> list[str]:
    made = generate.files(armed, PYTHON, via, existing)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return list(made)


def found(folder: Path) -> reading.Installed:
    installed = reading.read(folder, PYTHON)
    assert installed is not None
    return installed


def test_nothing_of_ours_is_no_hook(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("x = 1\n")
    (tmp_path / f"{BOOT}.py").write_text("# somebody else's\n")

    assert reading.read(tmp_path, PYTHON) is None
    assert reading.read(tmp_path / "absent", PYTHON) is None


@pytest.mark.parametrize(
    ("via", "existing"),
    [(Via.PTH, None), (Via.SITECUSTOMIZE, None), (Via.SITECUSTOMIZE, b"import sys\n")],
    ids=["a pth file", "a sitecustomize", "a sitecustomize of somebody else"],
)
def test_what_was_written_is_read(tmp_path: Path, via: Via, existing: bytes | None) -> None:
    names = write(tmp_path, via=via, existing=existing)
    installed = found(tmp_path)

    assert (installed.problem, installed.older, installed.via) == ("", False, via)
    assert sorted(path.name for path in installed.files) == sorted(names)
    assert installed.files[-1].name == names[-1], "what Python looks for is named last"
    assert installed.armed is not None
    for one, other in ((RICH, installed.armed), (installed.armed, RICH)):
        assert one.covers(other)
    assert installed.armed.shims[0].stand_in == STAND_IN
    assert {item for shim in installed.armed.shims for item in shim.listed} == {
        Listed(path="/models"),
        Listed(sha256="ab" * 32, size=7),
    }
    assert (installed.armed.target, installed.armed.skipped) == ("phenom-ii", ("numpy",))
    assert installed.identity == generate.identity_of(installed.contents[f"{BOOT}.py"])


def cut(folder: Path) -> None:
    path = folder / "_legacy_doctor_rt.py"
    path.write_bytes(path.read_bytes()[:-40])


def edit(folder: Path) -> None:
    with (folder / f"{BOOT}.py").open("a") as file:
        file.write("print('mine')\n")


def lose(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def scramble(folder: Path) -> None:
    path = folder / "_legacy_doctor_rt.py"
    path.write_text(path.read_text().replace("GUARDS = ", "GUARDS = ["))


def forget(folder: Path) -> None:
    path = folder / "_legacy_doctor_rt.py"
    path.write_text(path.read_text().replace("PINSETS = ", "OTHER = "))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        pytest.param(cut, "changed by hand, or are damaged", id="cut off"),
        pytest.param(edit, "changed by hand, or are damaged", id="edited"),
        pytest.param(lose("_legacy_doctor.pth"), "_legacy_doctor.pth is missing", id="no pth"),
        pytest.param(lose(f"{BOOT}.py"), f"{BOOT}.py is missing", id="no first part"),
        pytest.param(lose("_legacy_doctor_rt.py"), "cannot be understood", id="no second part"),
        pytest.param(scramble, "cannot be understood", id="no Python"),
        pytest.param(forget, "cannot be understood", id="a table is gone"),
    ],
)
def test_damage_is_told(tmp_path: Path, harm: Callable[[Path], None], told: str) -> None:
    write(tmp_path)
    harm(tmp_path)
    installed = found(tmp_path)

    assert told in installed.problem
    assert not installed.older


def test_one_of_another_version_is_old_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    real = generate._source
    monkeypatch.setattr(generate, "_source", lambda name: real(name) + "\n# a newer line\n")
    installed = found(tmp_path)

    assert (installed.problem, installed.older) == ("", True)


@pytest.mark.parametrize(
    ("other", "covered"),
    [
        (Armed(cpu="another"), True),
        (replace(RICH, guards=RICH.guards[:1], shims=()), True),
        (replace(RICH, guards=(replace(RICH.guards[0], remedy="another word"),), shims=()), True),
        (replace(RICH, guards=(replace(RICH.guards[0], broken=">=4"),), shims=()), False),
        (Armed(cpu="x", shims=(Shim(id="mel-on-gpu"),)), False),
    ],
    ids=["nothing", "less", "other words", "other versions", "another shim"],
)
def test_one_hook_covers_another(other: Armed, covered: bool) -> None:
    assert RICH.covers(other) is covered
    both = RICH.with_all_of(other)
    assert both.covers(RICH) or other.shims or not covered
    assert both.covers(other)
    assert both.skipped == RICH.skipped
