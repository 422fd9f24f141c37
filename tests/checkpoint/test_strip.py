"""The copy is written whole or not at all, and never over what is there."""

from __future__ import annotations

import errno
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from legacy_doctor.checkpoint import content, source, strip
from legacy_doctor.errors import DoctorError
from legacy_doctor.model import StrippedCopy
from tests.checkpoint.files import (
    call,
    judged,
    raw_safetensors,
    safetensors,
    state,
    table,
    tensor,
    text,
    zipped,
)

NAMES = {"ema_model.a": 3, "step": 1, "ema_model.b.weight": 5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return state(tmp_path / "made.pt", NAMES)


def copied(
    path: Path, out: Path, start: str = "ema_model.", *, force: bool = False
) -> StrippedCopy:
    with source.opened(path) as opened:
        return strip.write(opened, start, out, force=force, watch=source.unwatched)


def test_names_lose_the_prefix_and_the_rest_is_left_out(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy.pt"

    copy = copied(path, out)

    assert copy == StrippedCopy(out, 2, out.stat().st_size, ("step",))
    found = judged(out)
    assert [(item.name, item.shape) for item in found.tensors] == [("a", (3,)), ("b.weight", (5,))]
    assert found.findings == ()
    with zipfile.ZipFile(out) as made, zipfile.ZipFile(path) as original:
        assert made.testzip() is None
        for key in ("0", "2"):
            assert made.read(f"archive/data/{key}") == original.read(f"made/data/{key}")
        assert "archive/data/1" not in made.namelist()


def test_every_storage_begins_at_a_multiple_of_64(tmp_path: Path) -> None:
    path = state(tmp_path / "made.pt", {f"m.{number}": number for number in range(1, 80)})
    out = tmp_path / "copy.pt"

    copied(path, out, "m.")

    with source.opened(out) as opened:
        archive = content.read(opened).archive
    assert archive is not None
    starts = [item.start for item in archive.entries if "/data/" in item.name]
    assert len(starts) == 79
    assert {start % strip.ALIGNMENT for start in starts} == {0}


def test_padding_counts_what_zipfile_adds_for_large_files() -> None:
    entry = zipfile.ZipInfo("archive/data/0")
    entry.CRC = entry.compress_size = 0
    for size in (0, 1 << 20, 3 << 30):
        entry.file_size = size
        entry.extra = strip._padding(1000, entry)
        header = entry.FileHeader(zip64=size > zipfile.ZIP64_LIMIT)
        assert (1000 + len(header)) % strip.ALIGNMENT == 0


def test_safetensors_keep_their_metadata_and_their_order(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "made.safetensors", NAMES, {"format": "pt"})
    out = tmp_path / "copy.safetensors"

    assert copied(path, out).dropped == ("step",)

    data = out.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    assert length % 8 == 0
    assert header == {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        "b.weight": {"dtype": "F32", "shape": [5], "data_offsets": [12, 32]},
    }
    assert data[8 + length :] == struct.pack("<3f5f", *range(3), *range(5))


def test_names_in_a_table_are_found(tmp_path: Path) -> None:
    inner = b"}" + text("ema_model.a") + tensor("0", 2) + b"s"
    members = {"ema_model_state_dict": inner, "step": b"K\x07"}
    path = zipped(tmp_path / "made.pt", table(members), {"0": bytes(8)})

    for number, start in enumerate(["ema_model.", "ema_model_state_dict.ema_model."]):
        copy = copied(path, tmp_path / f"{number}.pt", start)
        assert copy.dropped == ("step",)
        assert [item.name for item in judged(copy.path).tensors] == ["a"]


def test_a_hostile_neighbour_does_not_come_along(tmp_path: Path) -> None:
    members = {"m.a": tensor("0", 2), "x": call("posix", "system", "id")}
    path = zipped(tmp_path / "made.pt", table(members), {"0": bytes(8)})

    copy = copied(path, tmp_path / "copy.pt", "m.")

    assert copy.dropped == ("x",)
    assert not judged(copy.path).failed


def _original(out: Path, path: Path) -> None:
    out.symlink_to(path)


def _hard_link(out: Path, path: Path) -> None:
    out.hardlink_to(path)


def _file(out: Path, path: Path) -> None:
    out.write_text("precious")


def _folder(out: Path, path: Path) -> None:
    out.mkdir()


def _loop(out: Path, path: Path) -> None:
    out.symlink_to(out)


def _nothing(out: Path, path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("lies", "force", "start", "words"),
    [
        pytest.param(_original, True, "ema_model.", "the original", id="a link to the original"),
        pytest.param(_hard_link, True, "ema_model.", "the original", id="the original twice"),
        pytest.param(_file, False, "ema_model.", "--force replaces it", id="another file"),
        pytest.param(_folder, True, "ema_model.", "something else", id="a folder"),
        pytest.param(_loop, True, "ema_model.", "cannot be written", id="a link to itself"),
        pytest.param(
            _nothing, False, "ema.", r"begins with 'ema\.'; its weights begin with 'ema_model\.'",
            id="another prefix",
        ),
        pytest.param(_nothing, False, "step", "no tensor's name begins", id="a whole name"),
    ],
)  # fmt: skip
def test_what_is_there_stays(
    lies: Callable[[Path, Path], None],
    force: bool,
    start: str,
    words: str,
    path: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "copy.pt"
    lies(out, path)
    before = sorted(tmp_path.iterdir()), path.read_bytes()

    with pytest.raises(DoctorError, match=words):
        copied(path, out, start, force=force)

    assert (sorted(tmp_path.iterdir()), path.read_bytes()) == before


def test_force_replaces_and_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere/real.pt"
    real.write_text("old")
    out = tmp_path / "copy.pt"
    out.symlink_to(real)
    path.chmod(0o640)

    copied(path, out, force=True)

    assert out.is_symlink()
    assert not judged(real).failed
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_two_names_that_fall_together_are_refused(tmp_path: Path) -> None:
    inner = b"}" + text("m.a") + tensor("0", 2) + b"s"
    path = zipped(tmp_path / "made.pt", table({"x": inner, "y": inner}), {"0": bytes(8)})

    with pytest.raises(DoctorError, match="several tensors have the same name"):
        copied(path, tmp_path / "copy.pt", "m.")


@pytest.mark.parametrize(
    ("name", "out"),
    [("made.pt", "copy.safetensors"), ("made.safetensors", "copy.pt")],
    ids=["an archive", "safetensors"],
)
def test_the_ending_must_tell_the_form(name: str, out: str, tmp_path: Path) -> None:
    path = (safetensors if name.endswith("safetensors") else state)(tmp_path / name, NAMES)

    with pytest.raises(DoctorError, match="torch and others go by the ending"):
        copied(path, tmp_path / out)


def test_a_full_disk_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DoctorError, match="No space left on device"):
        copied(path, tmp_path / "copy.pt")

    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_storage_leaves_nothing(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.find(struct.pack("<3f", *range(3)))] ^= 1
    path.write_bytes(data)

    with pytest.raises(DoctorError, match="length or checksum is wrong"):
        copied(path, tmp_path / "copy.pt")

    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_is_not_copied(tmp_path: Path) -> None:
    path = zipped(tmp_path / "made.pt", table({"m.a": tensor("0", 2)}))

    with pytest.raises(DoctorError, match="is not in the archive; no copy was made"):
        copied(path, tmp_path / "copy.pt", "m.")


def test_a_copy_from_a_gpu_says_nothing_of_it(tmp_path: Path) -> None:
    path = state(tmp_path / "made.pt", {"m.a": 2}, location="cuda:0")

    copied(path, tmp_path / "copy.pt", "m.")

    assert judged(path).findings[0].rule == "checkpoint-device"
    assert judged(tmp_path / "copy.pt").findings == ()


DOUBLING = b")" + b"2\x86" * 40


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        pytest.param(b"ca\nB\n)R", "is made of a.B", id="a class of somebody"),
        pytest.param(DOUBLING, "nested too deep|more than any tensor", id="a doubling tuple"),
        pytest.param(b")" + b"2\x86" * 25, "more than any tensor", id="a million parts"),
        pytest.param(b"\x8f", "plain bytes or a set", id="a set"),
    ],
)
def test_a_tensor_made_of_more_is_not_copied(hooks: bytes, words: str, tmp_path: Path) -> None:
    odd = tensor("0", 2).replace(b"\x89}tR", b"\x89" + hooks + b"tR")
    path = zipped(tmp_path / "made.pt", table({"m.a": odd}), {"0": bytes(8)})

    with pytest.raises(DoctorError, match=words):
        copied(path, tmp_path / "copy.pt", "m.")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_tensor_is_made_of_is_written_again(tmp_path: Path) -> None:
    hooks = b"}(K\x01]" + text("a") + b"aK\x02G?\xf0\x00\x00\x00\x00\x00\x00"
    hooks += b"K\x03\x8a\x05\x00\x00\x00\x00\x01K\x04Nu"
    odd = tensor("0", 2).replace(b"\x89}tR", b"\x89" + hooks + b"tR}b")
    path = zipped(tmp_path / "made.pt", table({"m.a": odd}), {"0": bytes(8)})

    copy = copied(path, tmp_path / "copy.pt", "m.")

    with source.opened(copy.path) as opened:
        (found,) = content.read(opened).found
    words = [f"{key}" for key, _ in found.value.arguments[5].pairs]
    assert words == ["1", "2", "3", "4"]
    assert dict(found.value.arguments[5].pairs)[3] == 1 << 32


def test_a_pickle_by_itself_has_no_tensors_to_copy(tmp_path: Path) -> None:
    path = tmp_path / "made.pkl"
    path.write_bytes(b"\x80\x02N.")

    with pytest.raises(DoctorError, match="a pickle holds no table"):
        copied(path, tmp_path / "copy.pt")


def test_an_empty_tensor_is_copied(tmp_path: Path) -> None:
    path = raw_safetensors(
        tmp_path / "made.safetensors",
        {"m.a": {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]}},
        b"",
    )
    assert copied(path, tmp_path / "copy.safetensors", "m.").tensors == 1
