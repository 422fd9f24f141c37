"""What is kept of earlier probes, and when it is not believed."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.model import (
    Fault,
    FaultKind,
    Frame,
    Outcome,
    Probe,
    ProbeResult,
)
from legacy_doctor.probe import cache
from legacy_doctor.probe.cache import Cache

NUMPY = Probe(id="numpy", distribution="numpy", imports="import numpy", use="numpy.eye(2)")
OK = ProbeResult(probe=NUMPY, outcome=Outcome.OK, stage="use", seconds=0.25)
DIED = ProbeResult(
    probe=NUMPY,
    outcome=Outcome.ILLEGAL_INSTRUCTION,
    stage="import",
    fault=Fault(
        signal="SIGILL",
        kind=FaultKind.UNSUPPORTED,
        address=0x7F00,
        library="/venv/numpy/_umath.so",
        offset=0x2DBCC,
        instruction="pinsrq $0x1,%rax,%xmm0",
        needs=frozenset({"sse4_1", "ssse3"}),
        owner="numpy",
        frames=(Frame("/venv/numpy/__init__.py", 3, "<module>"),),
    ),
    stderr="größte Not",
    emulator="qemu-x86_64 7.2.22 -cpu phenom",
    overrides=(("OPENBLAS_CORETYPE", "Haswell"),),
    held=("no-network", "read-only"),
    leftovers=2,
)


@pytest.mark.parametrize("result", [OK, DIED], ids=["ok", "died"])
def test_a_kept_result_comes_back_as_it_was_and_says_that_it_is_old(
    result: ProbeResult, tmp_path: Path
) -> None:
    Cache(tmp_path / "new" / "folder").put("k", result)

    found = Cache(tmp_path / "new" / "folder").get("k", NUMPY)

    assert found is not None
    assert found.cached
    assert Cache(tmp_path).get("k", NUMPY) is None
    assert found.fault == result.fault
    assert (found.outcome, found.stage) == (result.outcome, result.stage)
    assert (found.overrides, found.held, found.stderr) == (
        result.overrides,
        result.held,
        result.stderr,
    )


@pytest.mark.parametrize(
    "outcome",
    [Outcome.TIMEOUT, Outcome.VANISHED, Outcome.SKIPPED, Outcome.RAISED],
    ids=lambda item: item.value,
)
def test_what_might_end_otherwise_next_time_is_not_kept(outcome: Outcome, tmp_path: Path) -> None:
    Cache(tmp_path).put("k", ProbeResult(probe=NUMPY, outcome=outcome))

    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept() -> None:
    Cache(None).put("k", OK)

    assert Cache(None).get("k", NUMPY) is None


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    Cache(tmp_path / "file").put("k", OK)

    assert Cache(tmp_path / "file").get("k", NUMPY) is None


@given(data=st.binary() | st.sampled_from([b"[" * 100_000, b"{}", b"[]", b"null", b'{"fault": 1}']))
def test_damaged_entries_are_as_good_as_absent(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    (folder / "k.json").write_bytes(data)

    assert Cache(folder).get("k", NUMPY) is None


@pytest.mark.parametrize("field", ["outcome", "fault", "held", "stage"])
def test_an_entry_edited_by_hand_is_not_believed(field: str, tmp_path: Path) -> None:
    Cache(tmp_path).put("k", DIED)
    entry = tmp_path / "k.json"
    checksum, body = entry.read_text().split("\n")
    entry.write_text(f"{checksum}\n" + json.dumps({**json.loads(body), field: "ok"}))

    assert Cache(tmp_path).get("k", NUMPY) is None


def test_concurrent_writers_leave_a_whole_entry(tmp_path: Path) -> None:
    store = Cache(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.put("k", DIED), range(200)))

    assert [path.name for path in tmp_path.iterdir()] == ["k.json"]
    assert store.get("k", NUMPY) is not None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(["a", {"x": 1, "y": 2}], True, id="the-order-of-a-table-does-not-count"),
        pytest.param(["a", {"x": 1, "y": 3}], False, id="another-value"),
        pytest.param(["b", {"y": 2, "x": 1}], False, id="another-part"),
    ],
)
def test_the_key_is_all_that_decides(other: list[object], same: bool) -> None:
    assert (cache.key("a", {"y": 2, "x": 1}) == cache.key(*other)) is same


def test_a_key_can_be_made_of_undecodable_names() -> None:
    assert len(cache.key(os.fsdecode(b"\xff"))) == 64


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"XDG_CACHE_HOME": "/c"}, Path("/c/legacy-doctor/probes"), id="xdg"),
        pytest.param(
            {"XDG_CACHE_HOME": ""},
            Path("~/.cache/legacy-doctor/probes").expanduser(),
            id="empty-is-unset",
        ),
        pytest.param(
            {"XDG_CACHE_HOME": "rel"},
            Path("~/.cache/legacy-doctor/probes").expanduser(),
            id="relative-is-ignored",
        ),
    ],
)
def test_results_are_kept_in_the_users_cache(environ: dict[str, str], expected: Path) -> None:
    assert cache.folder(environ) == expected
