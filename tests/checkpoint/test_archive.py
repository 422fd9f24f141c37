"""Archives that tell the truth are read, the others are told apart."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.checkpoint import content, source
from legacy_doctor.checkpoint.archive import Archive
from legacy_doctor.checkpoint.source import UnreadableError
from legacy_doctor.errors import DoctorError
from tests.checkpoint.files import judged, rules, state, table, zipped

FIXTURE = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Edit = Callable[[bytearray], object]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return state(tmp_path / "made.pt", {"a": 3, "b": 5})


def changed(path: Path, edit: Edit) -> Path:
    raw = bytearray(path.read_bytes())
    edit(raw)
    path.write_bytes(raw)
    return path


def test_entries_and_their_places_are_those_of_zipfile(made: Path) -> None:
    with source.opened(made) as opened, zipfile.ZipFile(made) as expected:
        archive = Archive(opened)
        names = [entry.name for entry in archive.entries]
        assert names == expected.namelist()
        for entry in archive.entries:
            assert archive.open(entry).read() == expected.read(entry.name)
            assert b"".join(archive.pieces(entry)) == expected.read(entry.name)


def test_packed_entries_are_unpacked(tmp_path: Path) -> None:
    raw = bytes(range(256)) * 20_000
    path = tmp_path / "packed.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("made/data.pkl", raw)

    with source.opened(path) as opened:
        archive = Archive(opened)
        (entry,) = archive.entries
        pieces = list(archive.pieces(entry))
        assert b"".join(pieces) == raw
        assert max(map(len, pieces)) <= source.PIECE
        assert archive.open(entry).read() == raw


def test_more_than_four_gigabytes_are_found(tmp_path: Path) -> None:
    """A sparse file: the directory tells 64-bit places, as torch's own writer does."""
    path = tmp_path / "large.pt"
    size = (4 << 30) + 64
    name = b"made/data/0"
    header = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 0, 0, *(0xFFFFFFFF,) * 2, 11, 0)
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    central = struct.pack(
        *("<4s6H3L5H2L", b"PK\x01\x02", 45, 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        *(11, len(extra), 0, 0, 0, 0, 0),
    )
    start = len(header) + len(name) + size
    directory = central + name + extra
    end = start + len(directory)
    tail = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), start)
    tail += struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    tail += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with path.open("wb") as file:
        file.write(header + name)
        file.seek(start)
        file.write(directory + tail)

    with source.opened(path) as opened:
        (entry,) = Archive(opened).entries
        assert (entry.size, entry.start) == (size, len(header) + len(name))


def _overlap(path: Path) -> Path:
    """Two names in the directory for the bytes of one entry: what bombs are made of."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("made/data.pkl", table({}))
        out.writestr("made/data.pkm", table({}))
    raw = bytearray(path.read_bytes())
    first, second = raw.find(b"PK\x01\x02"), raw.rfind(b"PK\x01\x02")
    raw[second : second + 46] = raw[first : first + 46]
    raw[raw.rfind(b"data.pkm") : raw.rfind(b"data.pkm") + 8] = b"data.pkl"
    path.write_bytes(raw)
    return path


def _bomb(path: Path) -> Path:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out,
        out.open("made/data.pkl", "w") as f,
    ):
        f.write(b"\x80\x02\x8e" + struct.pack("<Q", 2 << 20) + bytes(2 << 20))
    return path


def _end(at: int, form: str, value: int) -> Callable[[Path], Path]:
    """Change one number of the end of the archive."""

    def make(path: Path) -> Path:
        def edit(raw: bytearray) -> None:
            place = raw.rfind(b"PK\x05\x06") + at
            raw[place : place + struct.calcsize(form)] = struct.pack(form, value)

        return changed(zipped(path, table({})), edit)

    return make


def _large_end(path: Path) -> Path:
    """A locator that leads to no end of 64 bits."""

    def edit(raw: bytearray) -> None:
        raw[-22:-22] = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)

    return changed(zipped(path, table({})), edit)


def _behind_the_end(path: Path) -> Path:
    return changed(zipped(path, table({})), lambda raw: raw.extend(b"PK\x05\x06 more"))


def _flag(at: int, value: int) -> Callable[[Path], Path]:
    """Change 16 bits of the first entry in the directory."""

    def make(path: Path) -> Path:
        def edit(raw: bytearray) -> None:
            place = raw.find(b"PK\x01\x02") + at
            raw[place : place + 2] = struct.pack("<H", value)

        return changed(zipped(path, table({})), edit)

    return make


def _renamed(path: Path) -> Path:
    return changed(
        zipped(path, table({})),
        lambda raw: raw.__setitem__(slice(30, 43), b"made/else.pkl"),
    )


def _without_a_pickle(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("readme.txt", "hello")
    return path


def _elsewhere(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("made/version", "3")
        out.writestr("other/data.pkl", table({}))
    return path


def _damaged(path: Path) -> Path:
    return changed(
        zipped(path, table({"word": b"X\x04\x00\x00\x00good"})),
        lambda raw: raw.__setitem__(slice(raw.find(b"good"), raw.find(b"good") + 4), b"evil"),
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(_overlap, "on top of", id="entries on top of each other"),
        pytest.param(_bomb, "unpacks to .* a zip bomb", id="a pickle of packed zeros"),
        pytest.param(_behind_the_end, "cut off|behind its end", id="something behind the end"),
        pytest.param(_flag(8, 1), "encrypted", id="encrypted"),
        pytest.param(_flag(10, 12), "packed in a way", id="packed by bzip2"),
        pytest.param(_flag(20, 7), "two different lengths", id="two lengths"),
        pytest.param(_flag(28, 70), "damaged directory|called otherwise", id="a long name"),
        pytest.param(_flag(42, 9), "called otherwise|ends at byte", id="another place"),
        pytest.param(_end(4, "<H", 1), "one part of", id="one part of several"),
        pytest.param(_end(10, "<H", 9), "damaged directory", id="more entries than there are"),
        pytest.param(_end(10, "<H", 1), "damaged directory", id="fewer entries than there are"),
        pytest.param(_end(16, "<L", 1), "not where its end says", id="the directory elsewhere"),
        pytest.param(_end(20, "<H", 9), "behind its end", id="a comment that is not there"),
        pytest.param(_large_end, "whose end is damaged", id="a large end that is none"),
        pytest.param(_renamed, "called otherwise", id="two names"),
        pytest.param(_without_a_pickle, "without a pickle", id="no pickle"),
        pytest.param(_elsewhere, "no data.pkl where", id="the pickle in another folder"),
        pytest.param(_damaged, "length or checksum is wrong", id="a wrong checksum"),
    ],
)
def test_what_cannot_be_true_is_refused(
    make: Callable[[Path], Path], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_UNPACKED", 1 << 20)

    with pytest.raises(UnreadableError, match=words):
        judged(make(tmp_path / "made.pt"))


@FIXTURE
@given(data=st.data())
def test_a_stump_is_unreadable(data: st.DataObject, made: Path) -> None:
    whole = made.read_bytes()
    stump = made.with_name("stump.pt")
    stump.write_bytes(whole[: data.draw(st.integers(1, len(whole) - 1))])

    with pytest.raises(UnreadableError):
        judged(stump)


@FIXTURE
@given(data=st.data())
def test_a_flipped_byte_is_never_a_crash(data: st.DataObject, made: Path) -> None:
    raw = bytearray(made.read_bytes())
    for place in data.draw(st.lists(st.integers(4, len(raw) - 1), min_size=1, max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    flipped = made.with_name("flipped.pt")
    flipped.write_bytes(raw)

    with suppress(DoctorError):
        assert judged(flipped).path == str(flipped)


def test_a_packed_pickle_is_read_and_a_note_says_so(tmp_path: Path) -> None:
    path = tmp_path / "packed.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("made/data.pkl", table({"word": b"N"}))

    found = judged(path)

    assert rules(found) == ["checkpoint-form"]
    assert "mmap=True" in found.findings[0].message
    assert not found.failed


def test_numbers_with_the_big_end_first_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "big.pt"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("made/data.pkl", table({}))
        out.writestr("made/byteorder", "big")

    assert "big end" in judged(path).findings[0].message


def test_a_pickle_under_another_name_is_seen(tmp_path: Path) -> None:
    path = zipped(tmp_path / "made.pt", table({}))
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("made/.hidden", b"\x80\x02cposix\nsystem\n.")

    assert rules(judged(path)) == ["checkpoint-runs-code"]


def test_an_endless_byteorder_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "made.pt"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("made/data.pkl", table({}))
        out.writestr("made/byteorder", "little" * 10_000)

    with pytest.raises(UnreadableError, match="60000 bytes instead of a few"):
        judged(path)
