"""Finding qemu-user, and telling when one is inside it. Old versions are stand-in scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from legacy_doctor.probe import emulator
from legacy_doctor.probe.emulator import Emulator, Unplayable
from tests.conftest import ROOT, clean


def _stand_in(folder: Path, answer: str, name: str = "qemu-x86_64") -> None:
    """A program that only tells a version: other versions of qemu-user cannot be had here."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)


@pytest.mark.qemu
def test_the_installed_qemu_is_found_with_its_version(qemu: Path) -> None:
    found = emulator.find("phenom", needs_avx=False)

    assert found.program == qemu
    assert found.version.split(".")[0].isdigit()
    assert found.label == f"{qemu.name} {found.version} -cpu phenom"
    assert found.command(["python", "-V"]) == [
        str(qemu),
        "-cpu",
        "phenom,check=off",
        "python",
        "-V",
    ]


def test_the_label_names_the_model_without_the_tweaks_of_the_name() -> None:
    tweaked = Emulator(
        program=Path("/usr/bin/qemu-x86_64"), version="7.2.22", cpu="phenom,family=16,level=6"
    )

    assert tweaked.label == "qemu-x86_64 7.2.22 -cpu phenom"
    assert tweaked.command([])[-1] == "phenom,family=16,level=6,check=off"


@pytest.mark.parametrize(
    ("version", "needs_avx", "playable"),
    [
        pytest.param("5.2.0", False, True, id="an-old-one-plays-a-phenom"),
        pytest.param("5.2.0", True, False, id="an-old-one-has-no-avx"),
        pytest.param("7.1.0", True, False, id="the-last-without-avx"),
        pytest.param("7.2.22", True, True, id="the-first-with-avx"),
        pytest.param("10.0.2", True, True, id="two-digits-are-newer-than-one"),
    ],
)
def test_avx_needs_a_qemu_that_translates_it(
    version: str, needs_avx: bool, playable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, f"echo qemu-x86_64 version {version} '(Debian)'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    if playable:
        assert emulator.find("SandyBridge", needs_avx=needs_avx).version == version
    else:
        with pytest.raises(Unplayable, match=rf"version {version}, and AVX .* install a newer"):
            emulator.find("SandyBridge", needs_avx=needs_avx)


def test_the_static_build_stands_in_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, "echo qemu-x86_64 version 8.2.2", "qemu-x86_64-static")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert emulator.find("phenom", needs_avx=False).program.name == "qemu-x86_64-static"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param("exit 3", r"does not tell its version \(exit status 3\)", id="it-fails"),
        pytest.param("echo hello", "does not tell its version", id="it-says-something-else"),
        pytest.param("echo version 9", "does not tell its version", id="half-a-version"),
    ],
)
def test_a_program_that_tells_no_version_is_not_trusted(
    answer: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, answer)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unplayable, match=words):
        emulator.find("phenom", needs_avx=False)


def test_a_program_that_cannot_be_started_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "qemu-x86_64").write_bytes(b"\x7fELF garbage")
    (tmp_path / "qemu-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unplayable, match="qemu-x86_64 cannot be started"):
        emulator.find("phenom", needs_avx=False)


def test_without_qemu_the_package_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unplayable, match=r"not installed \(apt-get install qemu-user\)"):
        emulator.find("phenom", needs_avx=False)


def test_this_process_is_not_emulated() -> None:
    assert emulator.inside() is None


@pytest.mark.qemu
def test_an_emulated_process_knows_it(qemu: Path) -> None:
    script = "from legacy_doctor.probe import emulator; print(emulator.inside())"

    done = subprocess.run(
        [qemu, "-cpu", "phenom", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
    )

    assert done.stdout.strip() == qemu.name


def test_where_proc_cannot_be_read_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", refuse)

    assert emulator.inside() is None
