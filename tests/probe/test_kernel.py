"""The kernel's answers as numbers."""

from __future__ import annotations

import errno
import os

import pytest

from legacy_doctor.probe import kernel


def test_a_call_returns_what_the_kernel_returned() -> None:
    assert kernel.call("getpid") == os.getpid()


def test_a_refusal_is_minus_the_error_number() -> None:
    assert kernel.call("chdir", b"/no/such/folder") == -errno.ENOENT


def test_a_function_that_the_library_lacks_is_a_call_that_the_kernel_lacks() -> None:
    assert kernel.call("no_such_function", 1) == -errno.ENOSYS


def test_the_kernel_writes_into_a_bytearray() -> None:
    name = bytearray(64)

    assert kernel.call("gethostname", name, 64) == 0
    assert name.rstrip(b"\0").decode() == os.uname().nodename


def test_a_python_without_ctypes_is_a_kernel_without_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "ctypes", None)
    monkeypatch.setattr(kernel, "_LIBRARY", None)

    assert kernel.call("getpid") == -errno.ENOSYS
    assert kernel.pointed(b"x") == 0
    assert not kernel.adopts()


def test_orphans_are_adopted_on_request() -> None:
    before = kernel.adopts()
    try:
        kernel.adopt(orphans=True)
        adopting = kernel.adopts()
        kernel.adopt(orphans=False)
        not_adopting = kernel.adopts()
    finally:
        kernel.adopt(orphans=before)

    assert (adopting, not_adopting) == (True, False)
