"""Environments to be treated: real ones, copied so that a test may do to them what it likes."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.conftest import clean

LARGE = 1 << 20
"""Larger files are not copied but linked: a treatment never writes through a hard link."""
JOURNAL = ".legacy-doctor"


class Ward:
    """A virtual environment that is treated, and all that a test may ask of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        major, minor = sys.version_info[:2]
        self.packages = folder / f"lib/python{major}.{minor}/site-packages"

    def run(
        self, *words: str, under: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python, emulated where `under` says so; it leaves no bytecode behind."""
        return subprocess.run(
            [*under, str(self.python), *words],
            capture_output=True,
            text=True,
            check=False,
            env={**clean(os.environ), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            cwd=self.folder.parent,
            timeout=300,
        )

    def pip(self, *words: str) -> str:
        done = self.run("-m", "pip", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versions(self) -> dict[str, str]:
        """What is installed, read from the names of the dist-infos."""
        infos = (path.name.partition(".dist-info")[0] for path in self.packages.glob("*.dist-info"))
        return {
            name.lower().replace("_", "-"): version
            for name, _, version in (text.partition("-") for text in infos)
        }

    def bytes(self) -> dict[str, str]:
        """The hash, the permissions or the target of all that lies in it but the journal."""
        return dict(_states(self.folder))

    def journal(self) -> Path:
        return self.folder / JOURNAL


def _states(folder: Path) -> Iterator[tuple[str, str]]:
    for place, folders, names in os.walk(folder):
        if place == str(folder):
            folders[:] = [name for name in folders if name != JOURNAL]
        for name in names:
            path = Path(place, name)
            if path.is_symlink():
                yield str(path.relative_to(folder)), f"-> {path.readlink()}"
                continue
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256") if _FILES else hashed(file.read())
            mode = path.stat().st_mode
            yield str(path.relative_to(folder)), f"{mode:o} {digest.hexdigest()}"


_FILES = hasattr(hashlib, "file_digest")


def hashed(content: bytes) -> hashlib._Hash:
    return hashlib.sha256(content)


def copied(environment: Path, folder: Path) -> Ward:
    """Copy an environment. Its scripts go on to name the old place: use `python -m pip`."""
    shutil.copytree(environment, folder, symlinks=True, copy_function=_linked_or_copied)
    return Ward(folder)


def _linked_or_copied(source: str, target: str) -> None:
    if Path(source).stat().st_size > LARGE:
        try:
            os.link(source, target)
        except OSError:
            pass  # another file system: a copy does as well
        else:
            return
    shutil.copy2(source, target)


def wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a small wheel that real installers install."""
    info = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": text + "".join(f"Requires-Dist: {item}\n" for item in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={_spelt(content)},{len(content.encode())}\n"
        for path, content in contents.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_, content in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(name_, (2020, 1, 1, 0, 0, 0)), content)
    return path


def _spelt(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def recorded(ward: Ward, distribution: str, path: str) -> str:
    """The sha256 of a file as RECORD of its distribution has it."""
    (record,) = ward.packages.glob(f"{distribution}-*.dist-info/RECORD")
    match = re.search(rf"^{re.escape(path)},sha256=([^,]+),", record.read_text(), re.MULTILINE)
    assert match
    return match[1]


def spelt(path: Path) -> str:
    """The sha256 of a file as RECORD spells it."""
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
