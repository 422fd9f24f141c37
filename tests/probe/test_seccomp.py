"""The filter program, run call by call on a machine made for it."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.probe import seccomp

DOCTOR, GROUP = 4321, 4300
X86_64, I386 = 0xC000003E, 0x40000003
ALLOWED = 0x7FFF0000
EPERM, EACCES, ENOSYS = (0x50000 | code for code in (errno.EPERM, errno.EACCES, errno.ENOSYS))
MINUS_1 = 0xFFFFFFFFFFFFFFFF


def answer(code: bytes, number: int, *arguments: int, architecture: int = X86_64) -> int:
    """Run a classic BPF program on one system call, as the kernel would."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x06:  # return
            return value
        if operation == 0x20:  # load
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x15:  # equal
            at += if_true if accumulator == value else if_false
        elif operation == 0x35:  # at least
            at += if_true if accumulator >= value else if_false
        else:
            pytest.fail(f"no such operation: {operation:#x}")


def program(*, network: bool = True) -> bytes:
    return seccomp.program(seccomp.rules(DOCTOR, GROUP, network=network))


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        pytest.param(62, (DOCTOR, 9), EPERM, id="kill the doctor"),
        pytest.param(62, (-GROUP % 2**64, 9), EPERM, id="kill its group"),
        pytest.param(62, (-GROUP % 2**32, 9), EPERM, id="kill its group, by 32 bits"),
        pytest.param(62, (DOCTOR | 1 << 32, 9), EPERM, id="kill the doctor, with noise above"),
        pytest.param(62, (MINUS_1, 9), EPERM, id="kill everybody"),
        pytest.param(62, (DOCTOR + 1, 9), ALLOWED, id="kill a child"),
        pytest.param(62, (0, 9), ALLOWED, id="kill one's own group"),
        pytest.param(234, (DOCTOR, DOCTOR, 9), EPERM, id="tgkill the doctor"),
        pytest.param(234, (77, 78, 4), ALLOWED, id="tgkill oneself"),
        pytest.param(200, (DOCTOR, 9), EPERM, id="tkill the doctor"),
        pytest.param(129, (DOCTOR, 9, 0), EPERM, id="queue a signal for the doctor"),
        pytest.param(424, (5, 9), EPERM, id="signal a descriptor"),
        pytest.param(302, (DOCTOR, 0, 1), EPERM, id="limit the doctor"),
        pytest.param(302, (0, 0, 1), ALLOWED, id="limit oneself"),
        pytest.param(101, (16, DOCTOR), EPERM, id="trace"),
        pytest.param(311, (DOCTOR,), EPERM, id="write into another process"),
        pytest.param(308, (3, 0), EPERM, id="enter a namespace"),
        pytest.param(425, (8, 0), EPERM, id="set up a ring"),
        pytest.param(72, (0, 8, DOCTOR), EPERM, id="have signals sent"),
        pytest.param(72, (0, 3), ALLOWED, id="fcntl for another purpose"),
        pytest.param(16, (0, 0x8901), EPERM, id="have signals sent by ioctl"),
        pytest.param(16, (0, 0x5401), ALLOWED, id="ioctl for another purpose"),
        pytest.param(0, (0, 0, 0), ALLOWED, id="read"),
        pytest.param(231, (0,), ALLOWED, id="exit"),
        pytest.param(0x40000000 | 62, (DOCTOR, 9), ENOSYS, id="kill by its x32 number"),
    ],
)
def test_who_reaches_for_the_doctor_is_refused(
    number: int, arguments: tuple[int, ...], expected: int
) -> None:
    assert answer(program(), number, *arguments) == expected


@pytest.mark.parametrize(
    ("family", "alone", "in_a_namespace"),
    [
        (socket.AF_UNIX, ALLOWED, ALLOWED),
        (16, ALLOWED, ALLOWED),
        (socket.AF_INET, EACCES, ALLOWED),
        (socket.AF_INET6, EACCES, ALLOWED),
        (17, EACCES, EACCES),
        (40, EACCES, EACCES),
    ],
    ids=["UNIX", "NETLINK", "INET", "INET6", "PACKET", "VSOCK"],
)
def test_what_no_namespace_keeps_away_the_filter_does(
    family: int, alone: int, in_a_namespace: int
) -> None:
    assert answer(program(network=True), 41, family, 1, 0) == alone
    assert answer(program(network=False), 41, family, 1, 0) == in_a_namespace


@given(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_of_another_architecture_nothing_is_allowed(number: int, arguments: list[int]) -> None:
    assert answer(program(), number, *arguments, architecture=I386) == EPERM


@given(st.integers(0, 500), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_every_call_gets_one_of_the_known_answers(number: int, arguments: list[int]) -> None:
    assert answer(program(), number, *arguments) in {ALLOWED, EPERM, EACCES}


def test_a_rule_without_values_concerns_every_call() -> None:
    code = seccomp.program([seccomp.Rule(59, hit=ENOSYS)])

    assert [answer(code, 59, 1), answer(code, 60)] == [ENOSYS, ALLOWED]
