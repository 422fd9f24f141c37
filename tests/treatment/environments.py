"""Environments to change: made in a moment, from wheels that are made in a moment or kept."""

from __future__ import annotations

import atexit
import base64
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from legacy_doctor.environment import distributions, interpreter
from legacy_doctor.model import Distribution, Interpreter
from legacy_doctor.treatment import installer
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.pharmacy import Pharmacy
from tests.conftest import _cache, clean, lacking

REAL = ("numpy==2.4.6", "numpy==2.3.5", "pandas==2.3.3", "six==1.17.0", "packaging==25.0")


def wheelhouse() -> Path:
    """Real wheels in a folder, fetched once per machine."""
    folder = _cache() / "wheelhouse-1"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for names in (REAL[1:], REAL[:1], ("pip==24.3.1",)):
                command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder)]
                done = subprocess.run(
                    [*command, "--only-binary", ":all:", *names],
                    capture_output=True,
                    text=True,
                    check=False,
                    env=clean(os.environ),
                )
                if done.returncode:
                    lacking("wheels", f"no wheels of {' '.join(names)}: {done.stderr[-300:]}")
            (folder / "complete").touch()
    return folder


def wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, bytes | str] | None = None,
    script: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel: a module that says its version, and what else is asked for."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    content: dict[str, bytes | str] = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if script:
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {name}:main\n"
    record = []
    path = folder / f"{name}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in content.items():
            raw = data.encode() if isinstance(data, str) else data
            archive.writestr(inner, raw)
            digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
            record.append(f"{inner},sha256={digest},{len(raw)}\n")
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return path


def shop(folder: Path) -> Path:
    """Small wheels: `lib` 1.0 and 2.0; `app` 1.0 wants any, 2.0 wants lib>=2; `extra` lib<2."""
    for version in ("1.0", "2.0"):
        files = {
            f"lib/only_{version[0]}.py": f"x = {version}\n",
            f"lib/data/deep/{version}.bin": os.urandom(200_000),
            f"lib-{version}.data/data/share/lib/{version}.txt": version,
            f"lib-{version}.data/scripts/lib-tool": f"#!python\nprint({version})\n",
        }
        wheel(folder, "lib", version, files=files, script="lib-run")
    wheel(folder, "app", "1.0", requires=["lib"])
    wheel(folder, "app", "2.0", requires=["lib>=2"])
    wheel(folder, "extra", "1.0", requires=["lib<2"])
    wheel(folder, "leaf", "1.0")
    return folder


UV = Path(sys.executable).parent / "uv"


class Venv(NamedTuple):
    """A virtual environment that a test may change."""

    prefix: Path
    cache: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin/python"

    @property
    def packages(self) -> Path:
        return next(self.prefix.glob("lib/python*/site-packages"))

    def uv(self, *words: str, link: str = "hardlink") -> str:
        env = {**clean(os.environ), "UV_CACHE_DIR": str(self.cache), "UV_LINK_MODE": link}
        command = [str(UV), "pip", words[0], "-q", "--python", str(self.python), *words[1:]]
        return subprocess.run(
            command, check=True, text=True, capture_output=True, env=env, cwd=self.prefix.parent
        ).stdout

    def pip(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-I", "-B", "-m", "pip", *words]
        env = {**clean(os.environ), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(command, check=False, text=True, capture_output=True, env=env)
        assert done.returncode == 0 or not check, done.stderr
        return done

    def freeze(self) -> str:
        return self.uv("freeze")

    def versions(self) -> dict[str, str]:
        return {item.name: item.version for item in self.read() if item.name != "pip"}

    def interpreter(self) -> Interpreter:
        return interpreter.examine(self.python, "--python")

    def read(self) -> tuple[Distribution, ...]:
        return distributions.read([self.packages]).distributions

    def picture(self) -> dict[str, Any]:
        return picture(self.prefix)


def make(
    folder: Path, *words: str, maker: str = "uv", link: str = "hardlink", name: str = "venv"
) -> Venv:
    """Make an environment with uv; where pip is to own it, with a pip in it and no word of uv."""
    venv = Venv(folder / name, folder / "cache")
    if maker == "pip":
        shutil.copytree(_with_pip(), venv.prefix, symlinks=True)
    else:
        _bare(venv)
    if words:
        venv.uv("install", *words, link=link)
    return venv


def _bare(venv: Venv) -> None:
    env = {**clean(os.environ), "UV_CACHE_DIR": str(venv.cache)}
    command = [str(UV), "venv", "-q", "--python", sys.executable, str(venv.prefix)]
    subprocess.run(command, check=True, env=env, cwd=venv.prefix.parent)


@cache
def _with_pip() -> Path:
    """Return an environment with a pip that starts fast, for it is compiled; made once a run."""
    venv = Venv(Path(tempfile.mkdtemp()) / "venv", wheelhouse() / "cache")
    atexit.register(shutil.rmtree, venv.prefix.parent, ignore_errors=True)
    _bare(venv)
    config = venv.prefix / "pyvenv.cfg"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("uv ")))
    house = f"--find-links={wheelhouse()}"
    venv.uv("install", "--no-index", "--compile-bytecode", house, "pip", link="copy")
    return venv.prefix


def picture(folder: Path) -> dict[str, Any]:
    """Return every file with its bytes' hash, mode and time, every link, every folder's mode."""

    def look(path: Path) -> Iterator[tuple[str, Any]]:
        for entry in os.scandir(path):
            if entry.name == ".legacy-doctor":
                continue
            inner = str(Path(entry.path).relative_to(folder))
            status = entry.stat(follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode)
            if entry.is_symlink():
                yield inner, os.readlink(entry.path)
            elif entry.is_dir():
                yield inner, mode
                yield from look(Path(entry.path))
            else:
                digest = hashlib.sha256(Path(entry.path).read_bytes()).hexdigest()
                yield inner, (digest, mode, status.st_mtime_ns)

    return dict(look(folder))


def furnish(
    venv: Venv,
    *places: Path,
    environ: Mapping[str, str] | None = None,
    tool: installer.Installer | None = None,
    **more: Any,
) -> Pharmacy:
    """Everything that a package step needs; the installer finds wheels in `places` only."""
    options = installer.Options(find_links=tuple(map(str, places)), no_index=bool(places))
    environ = {**clean(os.environ), "UV_CACHE_DIR": str(venv.cache), **(environ or {})}
    patient = venv.interpreter()
    return Pharmacy(
        journal=Journal(venv.prefix),
        interpreter=patient,
        installer=tool or installer.owner(patient, venv.read(), environ),
        reread=venv.read,
        environ=environ,
        options=options,
        **more,
    )
