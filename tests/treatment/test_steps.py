"""The words of the treatment room: states, steps, and the way back."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.errors import DoctorError
from legacy_doctor.treatment.steps import ABSENT, FileState, FileStep, Plan

PATH = Path("/environment/lib/a.py")


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def state(content: bytes, mode: int = 0o644, link: str | None = None) -> FileState:
    return FileState(digest(content), mode, len(content), link)


def step(
    before: FileState, content: bytes | None, mode: int | None = None, path: Path = PATH
) -> FileStep:
    return FileStep(path, before, content, mode, "because")


KINDS = {
    "nothing": (ABSENT, "absent"),
    "a file": (state(b"x"), "file"),
    "an empty file": (state(b""), "file"),
    "a link to a file": (state(b"x", link="../x"), "symlink"),
    "a link to nothing": (FileState(None, None, 0, "../x"), "symlink"),
}


@pytest.mark.parametrize(("found", "kind"), KINDS.values(), ids=KINDS)
def test_what_it_is_in_one_word(found: FileState, kind: str) -> None:
    assert found.kind == kind


DIFFERENT = {
    "content": (state(b"y"), False),
    "permissions": (state(b"x", mode=0o600), False),
    "a link instead": (state(b"x", link="x"), False),
    "absence": (ABSENT, False),
    "owner": (replace(state(b"x"), uid=1, gid=1), True),
    "time": (replace(state(b"x"), mtime_ns=1), True),
    "attributes": (replace(state(b"x"), xattrs=(("user.a", b""),)), True),
    "names": (replace(state(b"x"), nlink=7), True),
}


@pytest.mark.parametrize(("other", "same"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_counts_as_drift(other: FileState, same: bool) -> None:
    assert (state(b"x") == other) is same


AFTER = {
    "a new file": (step(ABSENT, b"n"), state(b"n")),
    "a new file with a mode": (step(ABSENT, b"n", 0o600), state(b"n", 0o600)),
    "other content, same mode": (step(state(b"x", 0o755), b"n"), state(b"n", 0o755)),
    "no permissions at all are kept": (step(state(b"x", 0), b"n"), state(b"n", 0)),
    "other content and mode": (step(state(b"x"), b"n", 0o600), state(b"n", 0o600)),
    "nothing": (step(state(b"x"), None), ABSENT),
    "a file in place of a link": (step(state(b"x", link="y"), b"n"), state(b"n")),
    "a file in place of a dead link": (step(FileState(None, None, 0, "y"), b"n"), state(b"n")),
}


@pytest.mark.parametrize(("done", "after"), AFTER.values(), ids=AFTER)
def test_what_a_step_leaves(done: FileStep, after: FileState) -> None:
    assert done.after == after
    assert done.change.after == after
    assert (done.change.path, done.change.before, done.change.reason) == (
        PATH,
        done.before,
        "because",
    )


def test_owner_and_attributes_of_the_old_file_pass_to_the_new_one() -> None:
    old = replace(state(b"x"), uid=7, gid=8, xattrs=(("user.a", b"1"),), mtime_ns=5, nlink=2)

    new = step(old, b"n").after

    assert (new.uid, new.gid, new.xattrs) == (7, 8, (("user.a", b"1"),))
    assert new.mtime_ns is None


BACK = {
    "to a file": (step(state(b"x", 0o600), b"n"), b"x"),
    "to a file from nothing": (step(state(b"x"), None), b"x"),
    "to nothing": (step(ABSENT, b"n"), None),
    "to a link": (step(state(b"x", link="y"), b"n"), b"x"),
    "to a link to nothing": (step(FileState(None, None, 0, "y"), b"n"), None),
}


@pytest.mark.parametrize(("done", "original"), BACK.values(), ids=BACK)
def test_the_inverse_leads_back(done: FileStep, original: bytes | None) -> None:
    back = done.inverse(original)

    assert (back.before, back.after) == (done.after, done.before)
    assert back.reason == "undo: because"


@pytest.mark.parametrize(("done", "original"), BACK.values(), ids=BACK)
def test_the_inverse_of_the_inverse_is_the_step(done: FileStep, original: bytes | None) -> None:
    again = done.inverse(original).inverse(done.content)

    assert (again.before, again.after) == (done.before, done.after)
    assert again.reason == "because"


def test_a_link_whose_cache_was_cleaned_comes_back_as_a_file() -> None:
    done = step(state(b"x", link="/cache/x"), b"n")

    back = done.inverse(b"x", link_lives=False)

    assert back.after == state(b"x")
    assert back.content == b"x"


def test_a_link_that_never_led_anywhere_comes_back_as_it_was() -> None:
    dead = FileState(None, None, 0, "y")
    assert step(dead, b"n").inverse(None, link_lives=False).after == dead


def test_what_is_not_the_original_is_not_restored() -> None:
    with pytest.raises(DoctorError, match=r"^/environment/lib/a\.py: the content to restore is"):
        step(state(b"x"), b"n").inverse(b"something else")


def test_a_lost_original_is_not_restored() -> None:
    with pytest.raises(DoctorError, match="is not the original"):
        step(state(b"x"), b"n").inverse(None)


def test_one_step_a_path() -> None:
    with pytest.raises(DoctorError, match=r"a\.py: two steps change the same file"):
        Plan((step(ABSENT, b"1"), step(ABSENT, b"2")))


contents = st.none() | st.binary(max_size=9)


def _planned(index: int, old: bytes | None, new: bytes | None) -> FileStep:
    path = Path(f"/environment/{index}")
    return step(ABSENT if old is None else state(old), new, path=path)


@given(st.lists(st.tuples(contents, contents), max_size=6))
@settings(deadline=None)
def test_the_inverse_of_a_plan_leads_back_last_step_first(
    ends: list[tuple[bytes | None, bytes | None]],
) -> None:
    plan = Plan(tuple(_planned(index, *pair) for index, pair in enumerate(ends)))
    originals = {
        one.path: old for one, (old, _) in zip(plan.steps, ends, strict=True) if old is not None
    }

    back = plan.inverse(originals)

    assert [one.path for one in back.steps] == [one.path for one in reversed(plan.steps)]
    assert [(one.before, one.after) for one in back.steps] == [
        (one.after, one.before) for one in reversed(plan.steps)
    ]
