"""What is installed: dist-info and RECORD, read as text, never imported.

Discovery goes through importlib-metadata. Only the three headers that matter are parsed: whole
METADATA files carry whole READMEs, and an environment has hundreds of them.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from importlib_metadata import DistributionFinder, MetadataPathFinder, PathDistribution
from packaging.utils import canonicalize_name
from packaging.version import Version

from legacy_doctor.model import (
    AlteredFile,
    BrokenMetadata,
    Distribution,
    RecordedFile,
    is_native,
)


class Installed(NamedTuple):
    """The readable distributions by name, and what could not be read."""

    distributions: tuple[Distribution, ...]
    broken: tuple[BrokenMetadata, ...]


class _Unreadable(Exception):
    """One metadata file says nothing usable; the message says why."""


def read(folders: Iterable[Path]) -> Installed:
    """Read every distribution in the folders, in `sys.path` order: the first of a name counts.

    Nothing is raised for what is broken: it comes back as `BrokenMetadata`.
    """
    found: dict[str, Distribution] = {}
    broken: list[BrokenMetadata] = []
    for folder in _search_path(folders, broken):
        here: dict[str, Distribution] = {}
        for info in _infos(folder):
            distribution = _distribution(info, broken)
            if distribution is None:
                continue
            twin = here.setdefault(distribution.name, distribution)
            if twin.version != distribution.version:
                broken.append(_twice(twin, distribution))
        found = {**here, **found}
    ordered = tuple(found[name] for name in sorted(found))
    return Installed(ordered, tuple(sorted(broken, key=lambda item: str(item.path))))


def _twice(one: Distribution, other: Distribution) -> BrokenMetadata:
    return BrokenMetadata(
        path=other.info,
        name=one.name,
        problem=f"two versions recorded, {one.version} and {other.version}: an upgrade was cut "
        "short, and nobody can tell whose files are there",
    )


def _search_path(folders: Iterable[Path], broken: list[BrokenMetadata]) -> list[Path]:
    """The folders themselves and those that their `.pth` files add (never their code)."""
    path: list[Path] = []
    for folder in folders:
        try:
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError as error:
            reason = error.strerror or str(error)
            broken.append(BrokenMetadata(path=folder, problem=f"cannot be read ({reason})"))
            continue
        path.append(folder)
        for name in names:
            if name.endswith(".pth"):
                path += _added_by(folder / name)
    return list(dict.fromkeys(path))


def _added_by(pth: Path) -> Iterator[Path]:
    try:
        lines = pth.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in map(str.strip, lines):
        if line and not line.startswith(("#", "import ", "import\t")):
            folder = Path(os.path.abspath(pth.parent / line))
            if os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises where it may not look
                yield folder


def _infos(folder: Path) -> Iterator[PathDistribution]:
    context = DistributionFinder.Context(path=[str(folder)])  # type: ignore[no-untyped-call]
    found = MetadataPathFinder.find_distributions(context)  # in the order of the file system
    infos = (info for info in found if isinstance(info, PathDistribution))
    yield from sorted(infos, key=lambda info: str(info._path))  # noqa: SLF001


def _distribution(info: PathDistribution, broken: list[BrokenMetadata]) -> Distribution | None:
    path = Path(str(info._path))  # noqa: SLF001  the public API gives no path before 3.13
    if path.name.startswith("~"):
        problem = "left over from an uninstallation that was cut short; delete the folder"
        broken.append(BrokenMetadata(path=path, problem=problem))
        return None
    try:
        headers = _headers(_metadata(info))
    except _Unreadable as error:
        name = canonicalize_name(path.name.partition("-")[0].removesuffix(".egg"))
        broken.append(BrokenMetadata(path=path, problem=str(error), name=name))
        return None
    name = canonicalize_name(headers["name"][0])
    try:
        files = _record(info)
    except _Unreadable as error:
        broken.append(BrokenMetadata(path=path / "RECORD", problem=str(error), name=name))
        files = ()
    return Distribution(
        name=name,
        version=headers["version"][0],
        root=path.parent,
        info=path,
        requires=tuple(headers.get("requires-dist", ())),
        files=files,
        tags=_tags(info),
        installer=_first_line(info, "INSTALLER"),
    )


def _text(info: PathDistribution, name: str) -> str | None:
    try:
        return info.read_text(name)
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{name} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise _Unreadable(f"{name} cannot be read ({error.strerror or error})") from error


def _metadata(info: PathDistribution) -> str:
    for name in ("METADATA", "PKG-INFO", ""):
        text = _text(info, name)
        if text is not None:
            return text
    raise _Unreadable("METADATA is missing or cannot be read")


_HEADER: Final = re.compile(r"(name|version|requires-dist)[ \t]*:(.*)", re.IGNORECASE)


def _headers(text: str) -> dict[str, list[str]]:
    """Return name, version and requires-dist; raises `_Unreadable` where the first two fail."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    unfolded = re.sub(r"\r?\n[ \t]+", " ", head)
    headers: dict[str, list[str]] = {}
    for line in unfolded.splitlines():
        if not line:
            break
        match = _HEADER.fullmatch(line)
        if match:
            headers.setdefault(match[1].lower(), []).append(match[2].strip())
    for key in ("name", "version"):
        if not headers.get(key, [""])[0]:
            raise _Unreadable(f"METADATA has no {key.title()}")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", headers["name"][0]):
        raise _Unreadable(f"METADATA has an invalid Name: {headers['name'][0]!r}")
    try:
        Version(headers["version"][0])
    except ValueError as error:  # InvalidVersion, or more digits than int() takes
        raise _Unreadable(f"METADATA has an invalid Version: {headers['version'][0]!r}") from error
    return headers


def _record(info: PathDistribution) -> tuple[RecordedFile, ...]:
    text = _text(info, "RECORD")
    if not text:
        return ()
    rows = csv.reader(text.splitlines()) if '"' in text else _plain_rows(text)
    try:
        return tuple(_recorded(row) for row in rows if row)
    except (csv.Error, ValueError) as error:
        raise _Unreadable(f"RECORD is damaged: {error}") from error


def _plain_rows(text: str) -> Iterator[list[str]]:
    """Split lines that quote nothing: three times as fast as csv on what is nearly every file."""
    return (line.split(",") for line in text.splitlines() if line)


def _recorded(row: list[str]) -> RecordedFile:
    try:
        path, digest, size = row
    except ValueError:
        raise ValueError(f"a line is not 'path,hash,size': {','.join(row)[:40]!r}") from None
    if not path or "\0" in path:
        raise ValueError(f"a line names no file: {','.join(row)[:40]!r}")
    if digest.startswith("sha256="):
        return RecordedFile(path, digest[7:], int(size) if size else None)
    if digest and "=" not in digest:
        raise ValueError(f"a hash has no algorithm: {digest[:40]!r}")
    return RecordedFile(path, None, int(size) if size else None)


def _tags(info: PathDistribution) -> tuple[str, ...]:
    try:
        text = _text(info, "WHEEL") or ""
    except _Unreadable:
        return ()
    return tuple(re.findall(r"^Tag:[ \t]*(\S+)", text, re.MULTILINE))


def _first_line(info: PathDistribution, name: str) -> str:
    try:
        return (_text(info, name) or "").strip().partition("\n")[0]
    except _Unreadable:
        return ""


_SLACK_S: Final = 2.0
"""RECORD is written last; copies and archives may round times to two seconds."""

_BACKUPS: Final = (".orig", ".bak", ".backup")
_MARK: Final = re.compile(rb"[ \t]*# (>>>|<<<) legacy-doctor: ([\w-]+)\r?\n?")
"""The lines between which `treatment.patching` puts what it puts into a file."""
_LARGEST_PATCHED: Final = 8 << 20
"""No file that is patched is nearly as large."""


def altered(distribution: Distribution, *, thorough: bool = False) -> Iterator[AlteredFile]:
    """Yield the code files (Python and native) that are not what RECORD says.

    Size is compared always; the sha256 where the file is younger than RECORD (it changed after
    the installation). `thorough` hashes every file of every kind. Passed over, because RECORD
    was not written last there: conda (rewrites prefixes) and system packages (strip libraries;
    they leave no INSTALLER). Bytecode has no hash.
    """
    if distribution.installer in {"", "conda"}:
        return
    try:
        installed = os.stat(distribution.info / "RECORD").st_mtime + _SLACK_S
    except OSError:
        return
    root = str(distribution.root)
    for item in distribution.files:
        if item.sha256 is None or not (thorough or _is_code(item.path)):
            continue
        path = os.path.join(root, item.path)
        problem = _difference(path, item, installed, thorough=thorough)
        if problem:
            yield AlteredFile(
                distribution=distribution.name,
                path=Path(path),
                problem=problem,
                backup=_backup(path),
                **_patched(path, item)._asdict(),
            )


def _is_code(path: str) -> bool:
    return path.endswith(".py") or is_native(path)


def _difference(path: str, item: RecordedFile, installed: float, *, thorough: bool) -> str | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"unreadable ({error.strerror or error})"
    if item.size is not None and status.st_size != item.size:
        return "changed"
    if not thorough and status.st_mtime <= installed:
        return None
    try:
        return None if _sha256(path) == item.sha256 else "changed"
    except OSError as error:
        return f"unreadable ({error.strerror or error})"


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return _spelt(digest.digest())


def _spelt(digest: bytes) -> str:
    """Spell a hash as RECORD does."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


class _Patched(NamedTuple):
    """The patches of ours in a file; see `AlteredFile`."""

    patches: tuple[str, ...] = ()
    intact: bool = False


def _patched(path: str, item: RecordedFile) -> _Patched:
    if not path.endswith(".py"):
        return _Patched()
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_PATCHED + 1)
    except OSError:
        return _Patched()
    names, rest = _parted(content)
    if not names or len(content) > _LARGEST_PATCHED:
        return _Patched()
    return _Patched(names, _spelt(hashlib.sha256(rest).digest()) == item.sha256)


def _parted(content: bytes) -> tuple[tuple[str, ...], bytes]:
    """Return the patches whose blocks stand in a file, and the file without these blocks.

    No patch where a mark has no partner: that is not ours to read.
    """
    names: dict[str, None] = {}
    rest: list[bytes] = []
    inside = b""
    for line in content.splitlines(keepends=True):
        mark = _MARK.fullmatch(line)
        if not inside and mark and mark[1] == b">>>":
            inside = mark[2]
        elif not inside:
            rest.append(line)
        elif mark and mark[1] == b"<<<" and mark[2] == inside:
            names[inside.decode()] = None
            inside = b""
            if rest and not line.endswith((b"\n", b"\r")):  # so was the last line before us
                rest[-1] = rest[-1].rstrip(b"\r\n")
    return ((), content) if inside else (tuple(names), b"".join(rest))


def _backup(path: str) -> Path | None:
    return next((Path(path + end) for end in _BACKUPS if os.path.exists(path + end)), None)
