"""What the journal writes of a run is read back to the letter, or refused in one line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.errors import DataError
from legacy_doctor.treatment import record
from legacy_doctor.treatment.record import Record
from legacy_doctor.treatment.steps import ABSENT, Change, FileState

PREFIX = Path("/environment")
FILE = FileState("0" * 64, 0o644, 3, None, 1, 2, 3, (("user.a", b"\0\xff"),))
LINK = FileState("f" * 64, 0o4755, 3, "../cache/a b\n", 1, 2, 3)
RECORD = Record(
    number=7,
    command="fix --apply",
    began="2026-11-26T00:00:00+00:00",
    changes=(
        Change(PREFIX / "lib/a.py", FILE, ABSENT, "because"),
        Change(PREFIX / "lib/ b\udcff.py", LINK, FILE, ""),
    ),
    undoes=6,
    made=(PREFIX / "lib/new", PREFIX / "lib/new/deep"),
    removed=(PREFIX / "lib/old",),
    extra={"numpy": ["2.4", None, 1.5, True]},
)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "plan.json"
    path.write_bytes(content)
    return path


def test_a_record_is_read_back_to_the_letter(tmp_path: Path) -> None:
    path = written(tmp_path, record.dump(RECORD, PREFIX))

    found = record.load(path, PREFIX)

    assert found == RECORD
    before = found.changes[0].before
    assert (before.uid, before.gid, before.mtime_ns, before.xattrs) == (1, 2, 3, FILE.xattrs)


def test_an_environment_may_be_moved(tmp_path: Path) -> None:
    path = written(tmp_path, record.dump(RECORD, PREFIX))
    assert record.load(path, Path("/moved")).changes[0].path == Path("/moved/lib/a.py")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(extra=json_values, command=st.text(), reason=st.text())
@settings(deadline=None)
def test_any_words_and_any_json_are_kept(
    tmp_path_factory: pytest.TempPathFactory, extra: Any, command: str, reason: str
) -> None:
    change = Change(PREFIX / "a", ABSENT, FILE, reason)
    kept = Record(number=1, command=command, began="", changes=(change,), extra=extra)
    path = written(tmp_path_factory.getbasetemp(), record.dump(kept, PREFIX))
    assert record.load(path, PREFIX) == kept


@pytest.mark.parametrize("extra", [{1, 2}, float("nan"), b""], ids=["a set", "NaN", "bytes"])
def test_what_is_no_json_is_refused_when_it_is_written(extra: Any) -> None:
    odd = Record(number=1, command="", began="", changes=(), extra=extra)
    with pytest.raises((TypeError, ValueError)):
        record.dump(odd, PREFIX)


def test_cut_anywhere_it_is_one_clear_line(tmp_path: Path) -> None:
    whole = record.dump(RECORD, PREFIX)
    for length in range(len(whole) - 2):
        path = written(tmp_path, whole[:length])
        with pytest.raises(DataError) as caught:
            record.load(path, PREFIX)
        assert re.fullmatch(rf"{path}: truncated, or edited by hand: .*", str(caught.value))


BROKEN = {
    "not ASCII": b"\xff",
    "endless brackets": b"[" * 100_000,
    "a list": b"[]",
    "nothing known": b"{}",
    "no run": b'{"run": 1}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_record_is_one_clear_line(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError) as caught:
        record.load(path, PREFIX)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_record_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.json: cannot be read \(No such file"):
        record.load(tmp_path / "plan.json", PREFIX)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    written(tmp_path, record.dump(RECORD, PREFIX)).rename(tmp_path / "real")
    (tmp_path / "plan.json").symlink_to("real")
    with pytest.raises(DataError, match="symbolic link"):
        record.load(tmp_path / "plan.json", PREFIX)


def edited(change: Callable[[dict[str, Any]], object], *, signed: bool) -> bytes:
    document = json.loads(record.dump(RECORD, PREFIX))
    change(document["run"])
    if signed:
        text = json.dumps(document["run"], sort_keys=True)
        document["checksum"] = sha256(text.encode("ascii")).hexdigest()
    return json.dumps(document).encode("ascii")


def test_an_edit_does_not_fit_the_checksum(tmp_path: Path) -> None:
    def edit(run: dict[str, Any]) -> None:
        run["changes"][0]["before"]["mode"] = "0777"

    path = written(tmp_path, edited(edit, signed=False))
    with pytest.raises(DataError, match=r"plan\.json: checksum: does not fit the rest: edited"):
        record.load(path, PREFIX)


Edit = Callable[[dict[str, Any]], object]
EDITS: dict[str, tuple[Edit, str]] = {
    "another format": (
        lambda run: run.update(format=2),
        "run.format: written by another legacy-doctor (this one reads 1)",
    ),
    "no number": (lambda run: run.pop("number"), "run.number: not a whole number: None"),
    "a truth for a number": (
        lambda run: run.update(number=True),
        "run.number: not a whole number: True",
    ),
    "a number for a text": (lambda run: run.update(command=1), "run.command: not a text: 1"),
    "a text for a list": (lambda run: run.update(changes="a"), "run.changes: not a list: 'a'"),
    "a text for a change": (
        lambda run: run.update(changes=["a"]),
        "run.changes[0]: not a JSON object",
    ),
    "a path that climbs": (
        lambda run: run["changes"][0].update(path="lib/../../a"),
        "run.changes[0].path: not a path inside the environment: 'lib/../../a'",
    ),
    "an absolute path": (
        lambda run: run["changes"][0].update(path="/etc/passwd"),
        "run.changes[0].path: not a path inside the environment: '/etc/passwd'",
    ),
    "a path with NUL": (
        lambda run: run["changes"][0].update(path="a\0"),
        "run.changes[0].path: not a path inside the environment: 'a\\x00'",
    ),
    "a folder that climbs": (
        lambda run: run.update(made=[".."]),
        "run.made: not a path inside the environment: ['..']",
    ),
    "a folder that is a number": (
        lambda run: run.update(removed=[1]),
        "run.removed: not a path inside the environment: [1]",
    ),
    "half a hash": (
        lambda run: run["changes"][0]["before"].update(sha256="0123"),
        "run.changes[0].before.sha256: not like [0-9a-f]{64}: '0123'",
    ),
    "a mode in decimal": (
        lambda run: run["changes"][0]["before"].update(mode=420),
        "run.changes[0].before.mode: not a text: 420",
    ),
    "no size": (
        lambda run: run["changes"][0]["before"].update(size=None),
        "run.changes[0].before.size: not a whole number: None",
    ),
    "an attribute that is not base64": (
        lambda run: run["changes"][0]["before"]["xattrs"].update(a="?"),
        "run.changes[0].before.xattrs.a: not base64: '?'",
    ),
    "a key too many": (lambda run: run.update(states=1), "run.states: unknown key"),
    "a key of a change too many": (
        lambda run: run["changes"][1].update(reasons=1),
        "run.changes[1].reasons: unknown key; did you mean 'reason'?",
    ),
    "a key misspelt": (
        lambda run: run["changes"][0]["before"].update(sha255=None),
        "run.changes[0].before.sha255: unknown key; did you mean 'sha256'?",
    ),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS)
def test_a_wrong_value_is_named_with_its_place(edit: Edit, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, edited(edit, signed=True))
    with pytest.raises(DataError) as caught:
        record.load(path, PREFIX)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert os.linesep not in str(caught.value)
