"""What the journal writes down of a run: JSON with a checksum, read back strictly.

Paths are relative to the environment: a record can name no file outside it, and an environment
may be moved. Content is not in it: originals lie beside it, and every one of them is checked
against the sha256 that stands here.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn

from legacy_doctor.errors import DataError, suggestion
from legacy_doctor.treatment import disk
from legacy_doctor.treatment.steps import Change, FileState

FORMAT: Final = 1
"""Of the record; raised when an older legacy-doctor could not read it rightly."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run: what it was to do, written down before it began, and never changed after."""

    number: int
    command: str
    began: str
    changes: tuple[Change, ...]
    undoes: int | None = None
    made: tuple[Path, ...] = ()
    """Folders that were not there before, outer ones first."""
    removed: tuple[Path, ...] = ()
    """Folders that are not to be there afterwards, if they are empty: an undone run made them, or
    nothing else was in them."""
    extra: Any = None
    """What the caller wants to remember of the time before: any JSON value."""


def dump(record: Record, prefix: Path) -> bytes:
    """Write a record as JSON. Raises TypeError or ValueError where `extra` is no JSON value."""
    run = {
        "format": FORMAT,
        "number": record.number,
        "command": record.command,
        "began": record.began,
        "undoes": record.undoes,
        "made": [str(path.relative_to(prefix)) for path in record.made],
        "removed": [str(path.relative_to(prefix)) for path in record.removed],
        "changes": [
            {
                "path": str(change.path.relative_to(prefix)),
                "reason": change.reason,
                "before": _dump_state(change.before),
                "after": _dump_state(change.after),
            }
            for change in record.changes
        ],
        "extra": record.extra,
    }
    plain = json.loads(json.dumps(run, allow_nan=False))
    text = json.dumps({"checksum": _checksum(plain), "run": plain}, indent=1, sort_keys=True)
    return f"{text}\n".encode("ascii")


def load(path: Path, prefix: Path) -> Record:
    """Read a record. Raises `DataError` where it is not, to the letter, what `dump` wrote."""
    try:
        document = json.loads(disk.read(path).decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: truncated, or edited by hand: {error}; {_ADVICE}") from error
    except disk.DiskError as error:
        raise DataError(f"{error}; {_ADVICE}") from error
    whole = _Reader(document, str(path), "")
    run = whole.reader("run")
    if run.number("format") != FORMAT:
        run.fail("format", f"written by another legacy-doctor (this one reads {FORMAT})")
    if whole.text("checksum") != _checksum(document["run"]):
        whole.fail("checksum", f"does not fit the rest: edited by hand; {_ADVICE}")
    whole.finish()
    return _record(run, prefix)


_ADVICE: Final = "put it back as it was, or move its folder away (originals lie in it)"


def _checksum(run: Any) -> str:
    return sha256(json.dumps(run, sort_keys=True).encode("ascii")).hexdigest()


def _record(run: _Reader, prefix: Path) -> Record:
    record = Record(
        number=run.number("number"),
        command=run.text("command"),
        began=run.text("began"),
        changes=tuple(_change(item, prefix) for item in run.readers("changes")),
        undoes=run.perhaps_number("undoes"),
        made=run.paths("made", prefix),
        removed=run.paths("removed", prefix),
        extra=run.get("extra"),
    )
    run.finish()
    return record


def _change(item: _Reader, prefix: Path) -> Change:
    change = Change(
        path=item.path("path", prefix),
        before=_state(item.reader("before")),
        after=_state(item.reader("after")),
        reason=item.text("reason"),
    )
    item.finish()
    return change


def _dump_state(state: FileState) -> dict[str, Any]:
    return {
        "sha256": state.sha256,
        "mode": None if state.mode is None else f"{state.mode:04o}",
        "size": state.size,
        "link": state.link,
        "uid": state.uid,
        "gid": state.gid,
        "mtime_ns": state.mtime_ns,
        "xattrs": {name: base64.b64encode(value).decode("ascii") for name, value in state.xattrs},
    }


def _state(reader: _Reader) -> FileState:
    attributes = reader.reader("xattrs")
    state = FileState(
        sha256=reader.perhaps("sha256", r"[0-9a-f]{64}"),
        mode=int(mode, 8) if (mode := reader.perhaps("mode", r"[0-7]{4}")) else None,
        size=reader.number("size"),
        link=reader.perhaps("link", r"[^\0]+"),
        uid=reader.perhaps_number("uid"),
        gid=reader.perhaps_number("gid"),
        mtime_ns=reader.perhaps_number("mtime_ns"),
        xattrs=tuple((name, attributes.base64(name)) for name in attributes.names()),
    )
    reader.finish()
    return state


class _Reader:
    """One JSON object and its place: each key is asked for by its type, and all are asked for."""

    def __init__(self, values: object, file: str, place: str) -> None:
        self._file = file
        self._place = place
        self._known: set[str] = set()
        if not isinstance(values, dict):
            raise DataError(f"{file}: {place or 'all of it'}: not a JSON object; {_ADVICE}")
        self._values: dict[str, Any] = values

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def fail(self, key: str, problem: str) -> NoReturn:
        raise DataError(f"{self._file}: {self._at(key)}: {problem}")

    def _wrong(self, key: str, wanted: str) -> NoReturn:
        self.fail(key, f"not {wanted}: {self._values.get(key)!r:.60}; {_ADVICE}")

    def get(self, key: str) -> Any:
        self._known.add(key)
        return self._values.get(key)

    def names(self) -> list[str]:
        return sorted(self._values)

    def finish(self) -> None:
        for key in self.names():
            if key not in self._known:
                self.fail(key, f"unknown key{suggestion(key, sorted(self._known))}; {_ADVICE}")

    def text(self, key: str) -> str:
        value = self.get(key)
        return value if isinstance(value, str) else self._wrong(key, "a text")

    def perhaps(self, key: str, pattern: str) -> str | None:
        if self.get(key) is None:
            return None
        value = self.text(key)
        if not re.fullmatch(pattern, value, re.DOTALL):
            self._wrong(key, f"like {pattern}")
        return value

    def number(self, key: str) -> int:
        value = self.get(key)
        return value if type(value) is int else self._wrong(key, "a whole number")

    def perhaps_number(self, key: str) -> int | None:
        return None if self.get(key) is None else self.number(key)

    def base64(self, key: str) -> bytes:
        try:
            return base64.b64decode(self.text(key), validate=True)
        except ValueError:
            self._wrong(key, "base64")

    def _list(self, key: str) -> list[Any]:
        value = self.get(key)
        return value if isinstance(value, list) else self._wrong(key, "a list")

    def path(self, key: str, prefix: Path) -> Path:
        return self._inner(key, self.text(key), prefix)

    def paths(self, key: str, prefix: Path) -> tuple[Path, ...]:
        return tuple(self._inner(key, item, prefix) for item in self._list(key))

    def _inner(self, key: str, value: object, prefix: Path) -> Path:
        parts = value.split("/") if isinstance(value, str) and "\0" not in value else [""]
        if {"", ".", ".."} & set(parts):
            self._wrong(key, "a path inside the environment")
        return prefix.joinpath(*parts)

    def reader(self, key: str) -> _Reader:
        return _Reader(self.get(key), self._file, self._at(key))

    def readers(self, key: str) -> list[_Reader]:
        items = enumerate(self._list(key))
        return [_Reader(item, self._file, self._at(f"{key}[{index}]")) for index, item in items]
