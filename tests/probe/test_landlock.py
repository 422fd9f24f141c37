"""Landlock's structures, version by version. What they do, test_confinement looks at."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from legacy_doctor.probe import kernel, landlock

ABI_1 = 0b1_1111_1111_0010  # all but execute, read file, read folder
REFER, TRUNCATE, IOCTL = 1 << 13, 1 << 14, 1 << 15


@pytest.mark.parametrize(
    ("abi", "expected"),
    [
        (1, (ABI_1,)),
        (2, (ABI_1 | REFER,)),
        (3, (ABI_1 | REFER | TRUNCATE,)),
        (4, (ABI_1 | REFER | TRUNCATE, 0b11)),
        (5, (ABI_1 | REFER | TRUNCATE | IOCTL, 0b11)),
        (6, (ABI_1 | REFER | TRUNCATE | IOCTL, 0b11, 0b11)),
        (7, (ABI_1 | REFER | TRUNCATE | IOCTL, 0b11, 0b11)),
    ],
)
def test_a_ruleset_names_what_its_version_knows(abi: int, expected: tuple[int, ...]) -> None:
    data = landlock.ruleset(abi)

    assert struct.unpack(f"={len(data) // 8}Q", data) == expected


def test_a_rule_is_packed() -> None:
    assert landlock.rule(0x1234, 7) == bytes.fromhex("341200000000000007000000")


def test_no_landlock_means_version_0_and_nothing_enforced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel, "call", lambda *_: -38)

    assert landlock.version() == 0
    assert not landlock.Landlock(tmp_path).enforce()
