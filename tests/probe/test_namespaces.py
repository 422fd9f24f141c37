"""Which namespaces are asked for, and how. What they do, test_confinement looks at."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from legacy_doctor.probe import namespaces
from legacy_doctor.probe.namespaces import IPC, MOUNTS, NETWORK, USER, Entry, Level

# pytest-xdist keeps a thread in each of its workers; the doctor has none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

EVERYTHING = NETWORK | MOUNTS | IPC


@pytest.fixture
def _forgetful() -> Iterator[None]:
    namespaces.offered.cache_clear()
    yield
    namespaces.offered.cache_clear()


@pytest.mark.parametrize(
    ("root", "flags"),
    [
        (True, [EVERYTHING, NETWORK, EVERYTHING | USER, NETWORK | USER]),
        (False, [EVERYTHING | USER, NETWORK | USER]),
    ],
    ids=["root keeps its ids where it can", "others need ids of their own"],
)
def test_the_best_is_asked_for_first(root: bool, flags: list[int]) -> None:
    assert [level.flags for level in namespaces.levels(root=root)] == flags


@pytest.mark.usefixtures("_forgetful")
def test_what_is_offered_is_the_first_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    working = {NETWORK | USER}
    monkeypatch.setattr(namespaces, "_works", lambda entry: entry.level.flags in working)

    assert namespaces.offered() == Level(NETWORK | USER)


@pytest.mark.usefixtures("_forgetful")
def test_nothing_is_offered_where_nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_works", lambda _entry: False)

    assert namespaces.offered() is None


@pytest.mark.usefixtures("_forgetful")
def test_it_is_found_out_by_a_child_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.readlink() for path in Path("/proc/self/ns").iterdir()}

    first = namespaces.offered()
    monkeypatch.setattr(namespaces, "_works", lambda _entry: pytest.fail("asked twice"))

    assert namespaces.offered() is first
    assert {path.name: path.readlink() for path in Path("/proc/self/ns").iterdir()} == before


def test_ids_stay_what_they_are() -> None:
    assert namespaces.id_maps(1000, 100) == (
        ("/proc/self/setgroups", b"deny"),
        ("/proc/self/uid_map", b"1000 1000 1"),
        ("/proc/self/gid_map", b"100 100 1"),
    )


def test_mount_attributes_are_four_words() -> None:
    assert struct.unpack("4Q", namespaces.attributes(sets=1, clears=2, propagation=3)) == (
        *(1, 2, 3, 0),
    )


@pytest.mark.parametrize(
    ("level", "wished", "own"),
    [
        (Level(EVERYTHING), True, True),
        (Level(EVERYTHING), False, False),
        (Level(NETWORK), True, False),
    ],
    ids=["wished for and possible", "not wished for", "without mounts of its own"],
)
def test_memory_is_the_patients_own_where(
    level: Level, wished: bool, own: bool, tmp_path: Path
) -> None:
    assert Entry(level, tmp_path, own_memory=wished).own_memory is own


def test_where_there_is_no_shared_memory_none_is_mounted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(namespaces, "SHARED_MEMORY", str(tmp_path / "none"))

    assert Entry(Level(EVERYTHING), tmp_path, own_memory=False)._writable == [
        str(tmp_path).encode()
    ]
