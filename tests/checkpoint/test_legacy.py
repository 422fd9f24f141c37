"""The stream of before 1.6, whole, cut off and hostile."""

from __future__ import annotations

import struct
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.checkpoint.legacy import MAGIC, PROTOCOL
from legacy_doctor.checkpoint.source import UnreadableError
from legacy_doctor.errors import DoctorError
from tests.checkpoint.files import call, dumped, judged, rules, table, tensor

FIXTURE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FACTS = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}


def stream(
    members: dict[str, bytes], storages: dict[str, int], facts: dict[str, object] | None = None
) -> bytes:
    """What torch wrote: the pickles, then the storages."""
    data = dumped(MAGIC) + dumped(PROTOCOL) + dumped(facts or FACTS) + table(members)
    data += dumped(list(storages))
    for count in storages.values():
        data += struct.pack(f"<q{count}f", count, *range(count))
    return data


GOOD = stream({"a": tensor("x", 3), "b": tensor("y", 5)}, {"x": 3, "y": 5})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.pt"


def test_a_stream_is_read_to_its_end(path: Path) -> None:
    path.write_bytes(GOOD)

    found = judged(path)

    assert (found.form, found.weights_only, found.data) == ("torch-legacy", True, 32)
    assert [(item.name, item.shape) for item in found.tensors] == [("a", (3,)), ("b", (5,))]
    assert found.findings == ()


@FIXTURE
@given(cut=st.integers(1, len(GOOD) - 1))
def test_a_stump_is_unreadable(cut: int, path: Path) -> None:
    path.write_bytes(GOOD[:cut])

    with pytest.raises(UnreadableError):
        judged(path)


@FIXTURE
@given(place=st.integers(0, len(GOOD) - 33), byte=st.integers(0, 255))
def test_a_flipped_byte_is_never_a_crash(place: int, byte: int, path: Path) -> None:
    path.write_bytes(GOOD[:place] + bytes([byte]) + GOOD[place + 1 :])

    with suppress(DoctorError):
        assert judged(path).path == str(path)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_hostile_stump_is_named_all_the_same(cut: int, path: Path) -> None:
    """Unpickling runs the call before it comes to where the file breaks off."""
    whole = stream({"x": call("posix", "system", "id"), "a": tensor("x", 60)}, {"x": 60})
    path.write_bytes(whole[:-cut])

    found = judged(path)

    assert rules(found) == ["checkpoint-runs-code", "checkpoint-damaged"]
    assert "posix.system('id')" in found.findings[0].message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            stream({"a": tensor("x", 3)}, {"x": 4}), "says 4 elements, its tensors 3", id="length"
        ),
        pytest.param(stream({}, {"x": 4}), "belongs to nothing", id="a storage of nobody"),
        pytest.param(stream({"a": tensor("x", 3)}, {}), "is not in the file", id="no storage"),
        pytest.param(b"plain text, no weights", "neither a zip archive", id="text"),
        pytest.param(b"\x80\x02", "breaks off", id="the beginning of a pickle"),
    ],
)
def test_what_does_not_fit_is_told(content: bytes, words: str, path: Path) -> None:
    path.write_bytes(content)

    with pytest.raises(UnreadableError, match=words):
        judged(path)


def test_a_tensor_beyond_its_storage_is_told(path: Path) -> None:
    inside = tensor("x", 3).replace(b"QK\x00(J\x03", b"QK\x01(J\x03")
    path.write_bytes(stream({"a": inside}, {"x": 3}))

    with pytest.raises(UnreadableError, match="does not fit its storage"):
        judged(path)


def test_another_protocol_number_is_no_stream_of_torch(path: Path) -> None:
    path.write_bytes(GOOD.replace(dumped(PROTOCOL), dumped(1002)))

    assert judged(path).form == "pickle"


def test_the_big_end_is_noted(path: Path) -> None:
    path.write_bytes(stream({}, {}, {**FACTS, "little_endian": False}))

    assert "big end" in judged(path).findings[0].message


def test_every_pickle_of_several_is_looked_into(path: Path) -> None:
    path.write_bytes(dumped({"a": 1}) + b"\x80\x02" + call("posix", "system", "id") + b".")

    assert rules(judged(path)) == ["checkpoint-runs-code"]


def test_raw_data_behind_a_pickle_is_left_alone(path: Path) -> None:
    path.write_bytes(dumped({"a": 1}) + bytes(range(200, 256)))

    found = judged(path)
    assert (found.form, found.weights_only) == ("pickle", False)
    assert "torch.load does not read it" in found.findings[0].message


def test_a_tar_archive_is_named(path: Path) -> None:
    with tarfile.open(path, "w") as out:
        out.addfile(tarfile.TarInfo("storages"))

    with pytest.raises(UnreadableError, match="a tar archive"):
        judged(path)
