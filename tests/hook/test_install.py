"""The plan of a hook, carried out by the journal: whole, in order, and cut off anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import bytecode, check, generate, install
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.check import Outcome
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed, Shim
from legacy_doctor.treatment import files
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.run import Run
from legacy_doctor.treatment.steps import Change, FileStep, Plan
from tests.hook.conftest import ABSENT, STAND_IN, Room, armed, guard

ONE = armed(guard("deadly"))
RICH = armed(
    guard("deadly"),
    guard("pyarrow"),
    shims=(Shim(id="mel-on-gpu"), Shim(id="datasets-stub", stand_in=STAND_IN)),
)


@pytest.fixture
def ours(own_room: Room) -> Iterator[Room]:
    """An environment with two modules that may be guarded, and a journal of its own."""
    own_room.put(deadly="alive = True\n", other="x = 1\n")
    yield own_room
    os.system(f"rm -rf {own_room.folder}/.legacy-doctor")  # noqa: S605


def planned(room: Room, rules: Armed, via: Via = Via.PTH) -> tuple[FileStep, ...]:
    existing = files.read(room.packages / "sitecustomize.py")[1]
    made = generate.files(rules, room.version, via, existing)
    said = room.run(bytecode.SNIPPET, "-I", "-S", stdin=bytecode.question(made, str(room.packages)))
    return install.steps(room.packages, made, bytecode.answer(said.out))


def carry_out(room: Room, steps: tuple[FileStep, ...]) -> int:
    journal = Journal(room.folder)
    with journal.lock():
        run = journal.begin(Plan(steps), command="x", emptied=[install.cache(room.packages)])
        run.apply()
    return run.number


def tree(room: Room) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(room.packages)): path.read_bytes() if path.is_file() else None
        for path in sorted(room.packages.rglob("*"))
    }


def test_each_source_is_followed_by_its_bytecode_and_the_pth_file_is_last(ours: Room) -> None:
    names = [step.path.name.partition(".cpython")[0] for step in planned(ours, RICH)]

    assert names == [
        *("_legacy_doctor_datasets.py", "_legacy_doctor_datasets"),
        *("_legacy_doctor_shims.py", "_legacy_doctor_shims"),
        *("_legacy_doctor_rt.py", "_legacy_doctor_rt"),
        *("_legacy_doctor_boot.py", "_legacy_doctor_boot"),
        "_legacy_doctor.pth",
    ]


def test_what_leads_to_it_is_taken_out_first(ours: Room) -> None:
    carry_out(ours, planned(ours, RICH))

    assert install.removal(ours.packages)[0].path.name == "_legacy_doctor.pth"


@pytest.mark.parametrize("via", [Via.PTH, Via.SITECUSTOMIZE])
def test_there_and_back_leaves_the_tree_as_it_was(ours: Room, via: Via) -> None:
    ours.put(sitecustomize="import sys\nsys.mine = True\n")
    before = tree(ours)

    carry_out(ours, planned(ours, RICH, via))
    assert check.armed(Outcome(*ours.run(check.PROBE))) is not None
    assert ours.run("import sys; print(sys.mine)").out == "True\n"
    assert planned(ours, RICH, via) == (), "the second time there is nothing to do"
    number = carry_out(ours, install.removal(ours.packages))

    assert tree(ours) == before
    Journal(ours.folder).undo(number)
    assert planned(ours, RICH, via) == (), "also its bytecode is back"
    Journal(ours.folder).undo(1)
    assert tree(ours) == before


def test_another_hook_takes_the_place_of_the_first_and_leaves_nothing_of_it(ours: Room) -> None:
    before = tree(ours)
    carry_out(ours, planned(ours, RICH, Via.SITECUSTOMIZE))
    rich = tree(ours)
    number = carry_out(ours, planned(ours, ONE))

    assert not [name for name in tree(ours) if "datasets" in name or "sitecustomize" in name]
    assert check.armed(Outcome(*ours.run(check.PROBE))) is not None
    Journal(ours.folder).undo(number)
    assert tree(ours) == rich
    carry_out(ours, install.removal(ours.packages))
    assert tree(ours) == before


def test_a_file_of_somebody_else_with_our_name_is_left_alone(ours: Room) -> None:
    ours.put(_legacy_doctor_boot="x = 1\n")

    with pytest.raises(DoctorError, match=r"boot\.py: not written by legacy-doctor"):
        planned(ours, ONE)
    assert install.removal(ours.packages) == ()


class CutError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("via", [Via.PTH, Via.SITECUSTOMIZE])
@pytest.mark.parametrize("way", ["installed", "removed", "replaced", "taken back"])
def test_cut_at_every_step_python_starts_and_the_next_command_finishes(
    ours: Room, via: Via, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.put(sitecustomize="mine = True\n")
    if way in {"removed", "replaced"}:
        carry_out(ours, planned(ours, RICH, via))
    rules = ONE if way == "replaced" else RICH
    steps = install.removal(ours.packages) if way == "removed" else planned(ours, rules, via)
    journal = Journal(ours.folder)
    seen: list[object] = []

    def look() -> None:
        """Start Python in the state between two steps."""
        answer = ours.run("import other; print(other.x)")
        assert (answer.code, answer.out, answer.err) == (0, "1\n", ""), len(seen)
        seen.append(answer)

    real = files.commit

    def commit(change: Change, temp: Path) -> None:
        look()
        real(change, temp)

    monkeypatch.setattr(files, "commit", commit)
    with journal.lock():
        run = journal.begin(Plan(steps), command="x")
        run.apply()
        if way == "taken back":
            run.take_back()
    look()

    assert len(seen) == len(steps) * (2 if way == "taken back" else 1) + 1
    if way == "taken back":
        assert [entry.state for entry in journal.history()] == ["abandoned"]


def test_killed_in_the_middle_it_is_finished_in_the_same_order(
    ours: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = planned(ours, RICH)
    real = files.commit
    done: list[Change] = []

    def commit(change: Change, temp: Path) -> None:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(change)
        real(change, temp)

    journal = Journal(ours.folder)
    with monkeypatch.context() as patch, journal.lock():
        patch.setattr(files, "commit", commit)
        patch.setattr(Run, "take_back", lambda self: None)
        run = journal.begin(Plan(steps), command="x")
        with suppress(KeyboardInterrupt):
            run.apply()
    assert ours.run("import other").code == 0

    (said,) = journal.recover()

    assert "it was finished" in said
    assert planned(ours, RICH) == ()


@pytest.mark.parametrize(
    ("outcomes", "wrong"),
    [
        pytest.param([(0, "-"), (0, "-"), (0, "ID")], "", id="sound"),
        pytest.param([(0, "-"), (0, "-"), (1, "-")], "exits with 1 with the hook", id="dies"),
        pytest.param([(0, "-"), (0, "-"), (0, "-")], "is not armed", id="not read"),
        pytest.param([(0, "-"), (0, "ID"), (0, "ID")], "does not switch it off", id="no switch"),
    ],
)
def test_it_is_tried_and_taken_out_again_where_python_does_not_start_as_before(
    ours: Room, outcomes: list[tuple[int, str]], wrong: str
) -> None:
    steps = planned(ours, ONE)
    identity = generate.identity_of(
        next(s.content or b"" for s in steps if s.path.name == f"{BOOT}.py")
    )
    before = tree(ours)
    answers = iter(outcomes)

    def start(variables: Mapping[str, str]) -> Outcome:
        code, word = next(answers)
        return Outcome(code, f"legacy-doctor-hook {word.replace('ID', str(identity))}\n", "")

    journal = Journal(ours.folder)
    with journal.lock():
        run = journal.begin(Plan(steps), command="hook install")
        if not wrong:
            install.apply(run, str(identity), start)
            assert run.state == "applied"
            return
        with pytest.raises(DoctorError, match=f"the hook was taken out again: .*{wrong}"):
            install.apply(run, str(identity), start)

    assert tree(ours) == before
    assert run.state == "abandoned"


def test_interrupted_while_it_is_tried_it_is_taken_out_again(ours: Room) -> None:
    steps, before = planned(ours, ONE), tree(ours)
    starts = []

    def start(variables: Mapping[str, str]) -> Outcome:
        starts.append(variables)
        if len(starts) == 2:
            raise KeyboardInterrupt
        return Outcome(0, "legacy-doctor-hook -\n", "")

    journal = Journal(ours.folder)
    with journal.lock(), pytest.raises(KeyboardInterrupt):
        install.apply(journal.begin(Plan(steps), command="x"), "", start)

    assert tree(ours) == before


def test_a_damaged_hook_that_is_loud_is_no_measure_of_silence(ours: Room) -> None:
    carry_out(ours, planned(ours, ONE))
    (ours.packages / f"{BOOT}.py").write_text(f"{generate.MARKER} 1 abc\nsyntax error\n")

    def start(variables: Mapping[str, str]) -> Outcome:
        answer = ours.run(check.PROBE, env=variables)
        return Outcome(answer.code, answer.out, answer.err)

    assert BOOT in start({}).err
    steps = planned(ours, ONE)
    identity = generate.identity_of(steps[0].content or b"")
    journal = Journal(ours.folder)
    with journal.lock():
        install.apply(journal.begin(Plan(steps), command="x"), str(identity), start)

    assert check.armed(start({})) == identity


def test_a_guard_of_an_absent_feature_stops_here(ours: Room) -> None:
    carry_out(ours, planned(ours, ONE))

    answer = ours.run("import deadly")

    assert answer.code == 1
    assert f"lacks {ABSENT}" in answer.err
    assert ours.run("import deadly", env={"LEGACY_DOCTOR_DISABLE": "guards"}).code == 0
    assert ours.run("import deadly", env={"LEGACY_DOCTOR_DISABLE": "shims"}).code == 1
