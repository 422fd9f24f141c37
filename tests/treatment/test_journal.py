"""Numbered runs: all or nothing, undone byte for byte, and one clear line for what cannot be."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.errors import DataError, DoctorError, UnknownNameError
from legacy_doctor.treatment import files
from legacy_doctor.treatment.disk import DiskError
from legacy_doctor.treatment.files import DriftedError
from legacy_doctor.treatment.journal import Entry, Journal, NothingToDoError
from legacy_doctor.treatment.lock import LockedError
from legacy_doctor.treatment.run import Run
from legacy_doctor.treatment.steps import FileStep, Plan
from tests.treatment import faults
from tests.treatment.faults import Writes, child, snapshot


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with a file of every kind; its cache lies beside it."""
    return faults.build(tmp_path)


def step(path: Path, content: bytes | None, mode: int | None = None) -> FileStep:
    return FileStep(path, files.observe(path), content, mode, f"change {path.name}")


def apply(prefix: Path, *steps: FileStep, **options: Any) -> Run:
    journal = Journal(prefix)
    with journal.lock():
        run = journal.begin(Plan(steps), **{"command": "fix --apply", **options})
        run.apply()
    return run


def states(prefix: Path) -> list[str]:
    return [entry.state for entry in Journal(prefix).history()]


def temporaries(prefix: Path) -> list[Path]:
    return list(prefix.rglob(".legacy-doctor-*.tmp"))


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, error: BaseException
) -> Iterator[None]:
    """Let call `number` of a function of `os` raise, and those before and after it work."""
    real, calls = getattr(os, name), 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise error
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, call)
        yield


# Applying and undoing


def test_apply_then_undo_is_as_if_nothing_had_been(prefix: Path) -> None:
    before = snapshot(prefix)
    times = {p: p.lstat().st_mtime_ns for p in (prefix / "lib").iterdir() if not p.is_dir()}

    faults.apply(prefix)
    assert snapshot(prefix) != before
    Journal(prefix).undo()

    assert snapshot(prefix) == before
    assert {p: p.lstat().st_mtime_ns for p in times} == times
    assert temporaries(prefix) == []


def test_undo_and_redo_may_go_on(prefix: Path) -> None:
    old = snapshot(prefix)
    faults.apply(prefix)
    new = snapshot(prefix)

    for number, wanted in enumerate([old, new, old, new, old], 1):
        assert Journal(prefix).undo(number).number == number + 1
        assert snapshot(prefix) == wanted


def test_undo_without_a_number_goes_back_run_by_run(prefix: Path) -> None:
    path = prefix / "lib/plain.py"
    original = path.read_bytes()
    for content in (b"1", b"2"):
        apply(prefix, step(path, content))

    undone = []
    for _ in range(2):
        run = Journal(prefix).undo()
        undone.append((run.record.undoes, path.read_bytes()))

    assert undone == [(2, b"1"), (1, original)]
    with pytest.raises(UnknownNameError, match="nothing to undo"):
        Journal(prefix).undo()


def test_the_state_folder_is_for_its_owner_only(prefix: Path) -> None:
    faults.apply(prefix)
    for folder in (prefix / ".legacy-doctor", prefix / ".legacy-doctor/runs/0001"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_looking_creates_nothing(prefix: Path) -> None:
    journal = Journal(prefix)
    assert (journal.recover(), journal.history()) == ((), ())
    with pytest.raises(UnknownNameError, match="nothing to undo"):
        journal.inverse()
    assert not (prefix / ".legacy-doctor").exists()


def test_what_the_caller_wants_to_remember_is_kept(prefix: Path) -> None:
    extra = {"packages": ["numpy==2.4.6"]}
    run = apply(prefix, step(prefix / "lib/plain.py", b"x"), extra=extra)
    assert run.extra == extra
    assert Journal(prefix).history()[0].extra == extra


def test_a_run_of_no_file_has_something_to_remember(prefix: Path) -> None:
    apply(prefix, extra={"packages": []})
    assert Journal(prefix).inverse() == (1, Plan(()))
    Journal(prefix).undo(extra={"packages": ["numpy"]})
    assert states(prefix) == ["applied", "applied"]


def test_a_file_that_is_as_planned_is_no_step(prefix: Path) -> None:
    path = prefix / "lib/plain.py"
    same = step(path, path.read_bytes())

    with pytest.raises(NothingToDoError, match="already as planned"):
        apply(prefix, same)
    assert [
        c.path.name for c in apply(prefix, same, step(prefix / "lib/hard.py", b"")).changes
    ] == ["hard.py"]


def test_the_same_plan_twice_is_refused(prefix: Path) -> None:
    plan = faults.plan(prefix)
    apply(prefix, *plan.steps)
    with pytest.raises(DriftedError, match="changed since the plan was made"):
        apply(prefix, *plan.steps)
    assert states(prefix) == ["applied"]


def test_a_run_is_applied_once(prefix: Path) -> None:
    run = apply(prefix, step(prefix / "lib/plain.py", b"x"))
    with pytest.raises(DoctorError, match=r"run 1 \(fix --apply\) is applied and cannot be"):
        run.apply()


def test_a_link_whose_cache_was_cleaned_is_undone_to_a_file(prefix: Path) -> None:
    path = prefix / "lib/soft.py"
    content = path.read_bytes()
    apply(prefix, step(path, b"x"))
    (prefix / "../cache/soft.py").unlink()

    Journal(prefix).undo()

    assert not path.is_symlink()
    assert path.read_bytes() == content
    Journal(prefix).undo(2)
    assert path.read_bytes() == b"x"


def test_what_others_put_into_a_new_folder_stays(prefix: Path) -> None:
    apply(prefix, step(prefix / "lib/new/deep/a.py", b"x"), step(prefix / "lib/other/b.py", b"x"))
    (prefix / "lib/new/theirs").touch()
    (prefix / "lib/other/__pycache__").mkdir()
    (prefix / "lib/other/__pycache__/b.cpython-311.pyc").touch()

    Journal(prefix).undo()

    assert sorted(p.name for p in (prefix / "lib/new").iterdir()) == ["theirs"]
    assert not (prefix / "lib/other").exists()


def test_a_path_by_another_name_is_the_same_file(prefix: Path) -> None:
    (prefix / "lib64").symlink_to("lib")
    steps = [step(prefix / "lib/plain.py", b"x"), step(prefix / "lib64/plain.py", b"y")]
    with pytest.raises(DoctorError, match="two steps change the same file"):
        apply(prefix, *steps)
    run = apply(prefix, steps[1])
    assert run.changes[0].path == prefix / "lib/plain.py"


# What is refused


Deed = Callable[[Path], object]
PLACES: dict[str, tuple[Callable[[Path], list[FileStep]], str]] = {
    "outside": (
        lambda p: [step(p / "../cache/hard.py", b"x")],
        "lies outside the environment",
    ),
    "in the journal": (
        lambda p: [step(p / ".legacy-doctor/lock", b"x")],
        "belongs to the journal",
    ),
    "the journal": (
        lambda p: [step(p / ".legacy-doctor/../.legacy-doctor", b"x")],
        "belongs to the journal",
    ),
    "below a file": (
        lambda p: [step(p / "lib/plain.py/new/a.py", b"x")],
        "lib/plain.py: a file, where .*new/a.py needs a folder",
    ),
    "a file and a folder at once": (
        lambda p: [step(p / "lib/new", b"x"), step(p / "lib/new/a.py", b"x")],
        "lib/new: to be a file and a folder at once",
    ),
}


@pytest.mark.parametrize(("steps", "said"), PLACES.values(), ids=PLACES)
def test_a_place_where_no_file_may_be(
    steps: Callable[[Path], list[FileStep]], said: str, prefix: Path
) -> None:
    before = snapshot(prefix.parent)
    with pytest.raises(DoctorError, match=said):
        apply(prefix, *steps(prefix))
    assert snapshot(prefix.parent) == before
    assert states(prefix) == []


DRIFTS: dict[str, Deed] = {
    "other content": lambda path: path.write_bytes(b"other"),
    "other permissions": lambda path: path.chmod(0o777),
    "gone": lambda path: path.unlink(),
    "a folder now": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
@pytest.mark.parametrize("when", ["before begin", "before apply", "before undo"])
def test_what_drifted_is_refused_by_name_and_nothing_is_done(
    drift: Deed, when: str, prefix: Path
) -> None:
    path, other = prefix / "lib/plain.py", prefix / "lib/hard.py"
    journal = Journal(prefix)
    plan = Plan((step(other, b"x"), step(path, b"x")))
    with journal.lock():
        deed: Callable[[], object] = lambda: journal.begin(plan, command="fix")  # noqa: E731
        if when != "before begin":
            deed = journal.begin(plan, command="fix").apply
        if when == "before undo":
            deed()
            deed = journal.undo
        drift(path)
        before = snapshot(prefix)
        with pytest.raises(DriftedError) as caught:
            deed()

    assert caught.value.paths == (path,)
    assert str(path) in str(caught.value)
    assert str(other) not in str(caught.value)
    assert snapshot(prefix) == before
    assert journal.recover() == ()


def test_a_run_below_others_names_the_ones_to_undo_first(prefix: Path) -> None:
    path = prefix / "lib/plain.py"
    for content in (b"1", b"2", b"3"):
        apply(prefix, step(path, content))
    apply(prefix, step(prefix / "lib/hard.py", b"x"))

    with pytest.raises(DriftedError, match=r"changed since run 1, .*; undo first: run 3, run 2$"):
        Journal(prefix).undo(1)


def test_begin_needs_the_lock(prefix: Path) -> None:
    with pytest.raises(RuntimeError, match="needs the lock"):
        Journal(prefix).begin(Plan(()), command="fix")


def test_who_has_the_lock_may_lock_again(prefix: Path) -> None:
    before = snapshot(prefix)
    journal = Journal(prefix)
    with journal.lock(wait=True):
        journal.begin(faults.plan(prefix), command="fix").apply()
        journal.undo()
    assert snapshot(prefix) == before


def test_two_fixes_at_once(prefix: Path) -> None:
    with Journal(prefix).lock(command="fix --apply"):
        with pytest.raises(LockedError, match=r"being treated by process \d+ \(fix --apply\)"):
            Journal(prefix).undo()
        assert Journal(prefix).recover() == ()


def test_a_run_at_work_is_not_taken_for_an_interrupted_one(prefix: Path) -> None:
    journal = Journal(prefix)
    with journal.lock():
        journal.begin(faults.plan(prefix), command="fix")
        with pytest.raises(LockedError):
            Journal(prefix).recover()


UNDOABLE = {
    "none at all": ([], 1, "no run 1; there are none"),
    "unknown": ([1], 7, "no run 7; there are runs 1 to 1"),
    "undone": ([1, 2], 1, r"run 1 \(fix --apply\) cannot be undone: it is undone by run 2"),
}


@pytest.mark.parametrize(("runs", "number", "said"), UNDOABLE.values(), ids=UNDOABLE)
def test_a_run_that_cannot_be_undone(runs: list[int], number: int, said: str, prefix: Path) -> None:
    for run in runs:
        faults.apply(prefix) if run == 1 else faults.undo(prefix)
    with pytest.raises(DoctorError, match=said):
        Journal(prefix).undo(number)


def test_a_target_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(DoctorError, match="a: not a folder, so no environment to treat"):
        Journal(tmp_path / "a")


@pytest.mark.parametrize("kind", ["a file", "a link"])
@pytest.mark.parametrize(
    "name", [".legacy-doctor", ".legacy-doctor/runs", ".legacy-doctor/runs/0001"]
)
def test_a_state_folder_that_is_none_is_not_followed(kind: str, name: str, prefix: Path) -> None:
    faults.apply(prefix)
    folder = prefix / name
    folder.rename(prefix.parent / "elsewhere")
    folder.touch() if kind == "a file" else folder.symlink_to(prefix.parent / "elsewhere")
    before = snapshot(prefix)

    with pytest.raises(DataError, match=r"not a folder of its own"):
        Journal(prefix).undo(1)
    if not name.endswith("1"):
        with pytest.raises(DataError, match=r"not a folder of its own"):
            Journal(prefix).lock().__enter__()
    assert snapshot(prefix) == before


# Failures: nothing half-done


@pytest.mark.parametrize("number", range(1, 9))
def test_a_rename_that_fails_takes_all_back(
    number: int, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first completes the entry, the second says prepared, the rest are the files."""
    before = snapshot(prefix)
    error = OSError(errno.EPERM, "Operation not permitted")

    said = r"Operation not permitted.*; nothing was changed$"
    with failing(monkeypatch, "replace", number, error), pytest.raises(DiskError, match=said):
        faults.apply(prefix)

    assert snapshot(prefix) == before
    assert states(prefix) == (["abandoned"] if number > 2 else [])
    assert Journal(prefix).recover() == ()
    faults.apply(prefix)
    faults.undo(prefix)
    assert snapshot(prefix) == before


@pytest.mark.parametrize("number", range(1, 30))
@pytest.mark.parametrize("name", ["fsync", "write"])
def test_a_full_disk_or_an_interruption_takes_all_back(
    name: str, number: int, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(prefix)

    with failing(monkeypatch, name, number, KeyboardInterrupt()):
        try:
            faults.apply(prefix)
        except KeyboardInterrupt:
            assert snapshot(prefix) == before
            assert Journal(prefix).recover() == ()
            assert set(states(prefix)) <= {"abandoned"}
        else:
            assert states(prefix) == ["applied"]


def test_a_way_back_that_fails_is_gone_by_the_next_command(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(prefix)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(prefix)
    with journal.lock():
        run = journal.begin(faults.plan(prefix), command="fix")
        with monkeypatch.context() as patch:
            patch.setattr(files, "forget_bytecode", refuse)
            patch.setattr(Run, "take_back", lambda _: disk_fails())
            with pytest.raises(OSError, match=r"Input/output error|worse"):
                run.apply()
    assert snapshot(prefix) != before
    with pytest.raises(DoctorError, match="an interrupted run must be recovered first"):
        faults.apply(prefix)

    assert Journal(prefix).recover() == (
        "run 1 (fix) was interrupted while it changed files: it was finished",
    )
    faults.undo(prefix)
    assert snapshot(prefix) == before


def disk_fails() -> None:
    raise OSError("worse")


# Recovery: the kills themselves are in test_fault_injection


def interrupted(prefix: Path, replaced: int, moment: str = "after") -> None:
    """Kill an apply at a rename: 1 completes the entry, 2 says prepared, 3 is the first file."""
    counting = faults.build(prefix.parent / "counting")
    names = child(lambda: faults.apply(counting), Writes()).names
    number = [index for index, name in enumerate(names, 1) if name == "replace"][replaced - 1]
    assert child(lambda: faults.apply(prefix), Writes(number, moment)).signal


RECOVERED = {
    "before it is written down": (1, "before", "run 1 was interrupted before it was written down"),
    "while it is planned": (1, "after", "before it changed a file: it was given up"),
    "while it is prepared": (2, "after", "while it changed files: it was finished"),
    "among the files": (4, "after", "while it changed files: it was finished"),
}


@pytest.mark.parametrize(("replaced", "moment", "said"), RECOVERED.values(), ids=RECOVERED)
def test_recovery_says_what_it_did(replaced: int, moment: str, said: str, prefix: Path) -> None:
    interrupted(prefix, replaced, moment)
    told = Journal(prefix).recover()
    assert len(told) == 1
    assert said in told[0]
    assert temporaries(prefix) == []


def test_a_prepared_file_that_is_lost_takes_all_back(prefix: Path) -> None:
    before = snapshot(prefix)
    interrupted(prefix, 4)
    min(temporaries(prefix)).write_bytes(b"torn")

    told = Journal(prefix).recover()

    assert told == (
        "run 1 (fix --apply) was interrupted while it changed files: it was taken back",
    )
    assert snapshot(prefix) == before


@pytest.mark.parametrize("lost", [False, True], ids=["finished", "taken back"])
def test_what_somebody_else_changed_since_is_left_alone(lost: bool, prefix: Path) -> None:
    interrupted(prefix, 4)
    if lost:
        min(temporaries(prefix)).unlink()
    theirs = prefix / "lib/hard.py"
    theirs.write_bytes(b"theirs")

    told = Journal(prefix).recover()

    assert told[0].endswith(f"; left alone, for somebody else changed them since: {theirs}")
    assert theirs.read_bytes() == b"theirs"
    assert temporaries(prefix) == []
    assert (prefix / "lib/plain.py").read_bytes() == b"plain = 2\n" * 600 or lost


def test_a_finish_that_the_system_refuses_is_taken_back(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(prefix)
    interrupted(prefix, 4)
    with failing(monkeypatch, "replace", 1, OSError(errno.EPERM, "no")):
        assert "taken back" in Journal(prefix).recover()[0]
    assert snapshot(prefix) == before


def test_a_folder_that_became_a_link_stops_recovery(prefix: Path) -> None:
    interrupted(prefix, 4)
    (prefix / "lib").rename(prefix / "moved")
    (prefix / "lib").symlink_to("moved")
    with pytest.raises(DoctorError, match="a folder of it became a symbolic link"):
        Journal(prefix).recover()
    (prefix / "lib").unlink()
    (prefix / "moved").rename(prefix / "lib")
    assert "finished" in Journal(prefix).recover()[0]


def test_a_package_that_is_gone_stops_nothing(prefix: Path) -> None:
    interrupted(prefix, 4)
    (prefix / "lib").rename(prefix.parent / "gone")
    (prefix / "lib").touch()
    assert "left alone" in Journal(prefix).recover()[0]


# A journal that somebody damaged: one line, nothing lost


def test_a_damaged_original_is_told_and_nothing_is_changed(prefix: Path) -> None:
    faults.apply(prefix)
    before = snapshot(prefix)
    kept = prefix / ".legacy-doctor/runs/0001/0000.original"
    kept.write_bytes(b"damaged")

    with pytest.raises(DataError, match=rf"{kept}: damaged: no longer the original of .*plain\.py"):
        Journal(prefix).undo()

    assert snapshot(prefix) == before


def test_a_damaged_original_stops_the_way_back_before_it_restores_any(prefix: Path) -> None:
    interrupted(prefix, 6)
    between = snapshot(prefix / "lib")
    kept = prefix / ".legacy-doctor/runs/0001/0002.original"
    content = kept.read_bytes()
    kept.write_bytes(b"damaged")
    min(temporaries(prefix)).rename(prefix / "lost")

    with pytest.raises(DataError, match="damaged: no longer the original"):
        Journal(prefix).recover()

    lost = between.keys() - snapshot(prefix / "lib").keys()
    assert {name: between[name] for name in between.keys() - lost} == snapshot(prefix / "lib")
    assert [name.endswith(".tmp") for name in lost] == [True]
    kept.write_bytes(content)
    assert "taken back" in Journal(prefix).recover()[0]
    assert (prefix / "lib/plain.py").read_bytes() == b"plain = 1\n" * 500


DAMAGES: dict[str, tuple[Deed, str]] = {
    "a plan cut short": (
        lambda run: (run / "plan.json").write_bytes((run / "plan.json").read_bytes()[:99]),
        "plan.json: truncated, or edited by hand",
    ),
    "no plan": (lambda run: (run / "plan.json").unlink(), "plan.json: cannot be read"),
    "no state": (lambda run: (run / "applied").unlink(), "no telling how far .* found none"),
    "two states": (
        lambda run: (run / "planned").touch(),
        "no telling how far .* found planned and applied",
    ),
    "another number": (lambda run: run.rename(run.parent / "0003"), "holds run 2; give the folder"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_told_and_others_are_not_lost(
    damage: Deed, said: str, prefix: Path
) -> None:
    path = prefix / "lib/plain.py"
    apply(prefix, step(prefix / "lib/hard.py", b"x"))
    apply(prefix, step(path, b"y"))
    damage(prefix / ".legacy-doctor/runs/0002")

    good, bad = Journal(prefix).history()

    assert (good.state, bad.state, bad.in_effect) == ("applied", "damaged", False)
    with pytest.raises(DataError, match=said):
        Journal(prefix).undo(bad.number)
    assert path.read_bytes() == b"y"
    if "no telling" not in said:
        Journal(prefix).undo(1)
        assert (prefix / "lib/hard.py").read_bytes() == b"hard = 1\n"


def test_history_tells_what_undid_what(prefix: Path) -> None:
    faults.apply(prefix)
    for number in (1, 2):
        Journal(prefix).undo(number)

    first, second, third = Journal(prefix).history()

    assert [e.in_effect for e in (first, second, third)] == [True, False, True]
    assert (first.undoes, second.undoes, third.undoes) == (None, 1, 2)
    assert (first.undone_by, second.undone_by, third.undone_by) == (None, 3, None)
    assert (first.command, second.command) == ("fix --apply", "undo")
    assert prefix / "lib/plain.py" in first.paths
    assert isinstance(third, Entry)


# On disk in the right order


def test_everything_is_on_disk_before_it_is_relied_on(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[tuple[str, str]] = []
    fsync, fdatasync, rename = os.fsync, os.fdatasync, os.replace

    def logged_fsync(descriptor: int) -> None:
        log.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def logged_fdatasync(descriptor: int) -> None:
        log.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fdatasync(descriptor)

    def logged_replace(source: Path, target: Path) -> None:
        log.append(("replace", str(target)))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(os, "fdatasync", logged_fdatasync)
    monkeypatch.setattr(os, "replace", logged_replace)
    faults.apply(prefix)

    runs, lib = f"{prefix}/.legacy-doctor/runs", f"{prefix}/lib"
    at = {entry: index for index, entry in enumerate(log)}
    written, prepared, applied = (
        at["replace", f"{runs}/0001"],
        at["replace", f"{runs}/0001/prepared"],
        at["replace", f"{runs}/0001/applied"],
    )
    originals = [f"{runs}/.0001.new/{n:04d}.original" for n in range(6)]
    for name in [*originals, f"{runs}/.0001.new/plan.json", f"{runs}/.0001.new"]:
        assert at["fsync", name] < written
    temporary = [i for (call, name), i in at.items() if call == "fsync" and ".tmp" in name]
    assert len(temporary) == 7
    assert written < at["fsync", runs] < min(temporary) <= max(temporary) < prepared
    replaced = [i for (call, name), i in at.items() if call == "replace" and name.startswith(lib)]
    assert len(replaced) == 7
    assert prepared < log.index(("fsync", f"{runs}/0001")) < min(replaced)
    assert max(replaced) < at["fsync", lib] < applied
    assert max(replaced) < at["fsync", f"{lib}/new/deep"] < applied


# Trees and plans that nobody thought of

names = st.sampled_from(["a.py", "b", "c/d.py", "c/e/f.py", "g/h.py"])
lying = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=20), st.sampled_from([0o644, 0o600, 0o755])),
    st.tuples(st.just("hard"), st.binary(max_size=20), st.just(0o644)),
    st.tuples(st.just("soft"), st.binary(max_size=20), st.just(0o644)),
    st.tuples(st.just("dead"), st.just(b""), st.just(0o644)),
)
trees = st.dictionaries(names, lying, max_size=5)
plans = st.dictionaries(
    names,
    st.tuples(st.none() | st.binary(max_size=20), st.none() | st.sampled_from([0o644, 0o700])),
    max_size=5,
)


def grow(prefix: Path, tree: dict[str, tuple[str, bytes, int]]) -> None:
    cache = prefix.parent / "cache"
    cache.mkdir()
    prefix.mkdir()
    for number, (name, (kind, content, mode)) in enumerate(tree.items()):
        path, cached = prefix / name, cache / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path if kind == "file" else cached
        if kind != "dead":
            target.write_bytes(content)
            target.chmod(mode)
        if kind == "hard":
            os.link(cached, path)
        elif kind != "file":
            path.symlink_to(cached)


Tree = dict[str, tuple[str, bytes, int]]
Changes = dict[str, tuple[bytes | None, int | None]]


@given(tree=trees, rounds=st.lists(plans, min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
def test_any_plans_on_any_tree_are_undone_to_the_byte(tree: Tree, rounds: list[Changes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "environment").resolve()
        grow(prefix, tree)
        cache = snapshot(prefix.parent / "cache")
        known = [snapshot(prefix)]
        for changes in rounds:
            steps = [step(prefix / name, *change) for name, change in changes.items()]
            if all(one.before == one.after for one in steps):
                with pytest.raises(NothingToDoError):
                    apply(prefix, *steps)
                continue
            apply(prefix, *steps)
            assert {one.path: files.observe(one.path) for one in steps} == {
                one.path: one.after for one in steps
            }
            known.append(snapshot(prefix))
        assert snapshot(prefix.parent / "cache") == cache
        for wanted in reversed(known[:-1]):
            Journal(prefix).undo()
            assert snapshot(prefix) == wanted
        assert snapshot(prefix.parent / "cache") == cache
