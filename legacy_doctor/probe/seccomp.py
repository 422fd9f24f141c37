"""Seccomp: a filter program that refuses the system calls by which a patient could reach out.

It sees numbers, never what a pointer points to. So it protects the doctor, which has a number,
where Landlock's scope of signals protects everybody.
"""

from __future__ import annotations

import errno
import functools
import platform
import socket
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from legacy_doctor.probe import kernel

_ARCHITECTURE: Final = 0xC000003E  # AUDIT_ARCH_X86_64
_X32: Final = 0x40000000

# struct seccomp_data: number, architecture, instruction pointer, six arguments
_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_REFUSE: Final = _ERRNO | errno.EPERM
_NO_SUCH_CALL: Final = _ERRNO | errno.ENOSYS
_NO_ACCESS: Final = _ERRNO | errno.EACCES

_SET_SECCOMP: Final = 22  # prctl
_FILTER: Final = 2

_LOCAL_FAMILIES: Final = (socket.AF_UNIX, 16)  # 16 is AF_NETLINK
_IN_A_NAMESPACE: Final = (*_LOCAL_FAMILIES, socket.AF_INET, socket.AF_INET6)
"""Families that a network namespace confines. AF_VSOCK, for one, passes it by."""

_CALLS_AT_A_PROCESS: Final = {
    "kill": 62,
    "tkill": 200,
    "tgkill": 234,
    "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297,
    "prlimit64": 302,  # a CPU limit of 0 kills as well
    "sched_setaffinity": 203,
    "sched_setscheduler": 144,
    "sched_setparam": 142,
    "sched_setattr": 314,
}
_NEVER: Final = {
    "ptrace": 101,
    "process_vm_writev": 311,
    "pidfd_send_signal": 424,
    "pidfd_getfd": 438,
    "setns": 308,
    "io_uring_setup": 425,  # its operations pass no filter; libraries do without it
}
_SOCKET: Final = 41
_FCNTL: Final = 72
_IOCTL: Final = 16
_OWNERS: Final = ((_FCNTL, (8, 15)), (_IOCTL, (0x8901, 0x8902)))
"""F_SETOWN, F_SETOWN_EX, FIOSETOWN, SIOCSPGRP: a signal to anybody, by way of a descriptor."""


class Rule(NamedTuple):
    """What becomes of one system call, by its number and the low half of one argument."""

    number: int
    argument: int = 0
    values: tuple[int, ...] = ()
    """Empty: whatever the arguments are."""
    hit: int = _REFUSE
    """What is returned where the argument has one of the values, or there are none."""
    miss: int = _ALLOW


def rules(doctor: int, group: int, *, network: bool) -> tuple[Rule, ...]:
    """Return what is refused to a patient of the process `doctor` in the process group `group`.

    `network`: the network is this filter's business too (no namespace keeps it away).
    """
    targets = (doctor, -group, -doctor, -1)  # -1 is everybody
    families = _LOCAL_FAMILIES if network else _IN_A_NAMESPACE
    return (
        *(Rule(number, 0, targets) for number in _CALLS_AT_A_PROCESS.values()),
        *(Rule(number) for number in _NEVER.values()),
        *(Rule(number, 1, requests) for number, requests in _OWNERS),
        Rule(_SOCKET, 0, tuple(map(int, families)), hit=_ALLOW, miss=_NO_ACCESS),
    )


def program(table: Iterable[Rule]) -> bytes:
    """Return the array of `struct sock_filter` that enforces the rules."""
    code = [
        _statement(_LOAD, _ARCHITECTURE_AT),
        _jump(_EQUAL, _ARCHITECTURE, 1, 0),
        _statement(_RETURN, _REFUSE),
        _statement(_LOAD, _NUMBER_AT),
        _jump(_AT_LEAST, _X32, 0, 1),
        _statement(_RETURN, _NO_SUCH_CALL),
    ]
    for rule in table:
        body = _body(rule)
        code += [_jump(_EQUAL, rule.number, 0, len(body)), *body]
    return b"".join([*code, _statement(_RETURN, _ALLOW)])


def _body(rule: Rule) -> list[bytes]:
    if not rule.values:
        return [_statement(_RETURN, rule.hit)]
    left = len(rule.values)
    return [
        _statement(_LOAD, _ARGUMENTS_AT + 8 * rule.argument),
        *(
            _jump(_EQUAL, value & 0xFFFFFFFF, left - index, 0)
            for index, value in enumerate(rule.values)
        ),
        _statement(_RETURN, rule.miss),
        _statement(_RETURN, rule.hit),
    ]


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


@functools.lru_cache
def _compiled(doctor: int, group: int, *, network: bool) -> bytes:
    return program(rules(doctor, group, network=network))


class Filter:
    """The program against the patients of one doctor, ready to be installed."""

    def __init__(self, doctor: int, group: int, *, network: bool) -> None:
        self._code = code = _compiled(doctor, group, network=network)
        self._program = struct.pack("@HP", len(code) // 8, kernel.pointed(code))
        self._possible = platform.machine() == "x86_64"

    # It binds whoever calls it for good, so coverage could not even write down that it ran.
    def install(self) -> bool:  # pragma: no cover
        """Bind this process and its children; False where the kernel refuses."""
        return (
            self._possible and kernel.call("prctl", _SET_SECCOMP, _FILTER, self._program, 0, 0) == 0
        )
