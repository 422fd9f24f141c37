"""Calls of the kernel that Python has no name for, answered with a number, never an exception."""

from __future__ import annotations

import errno
from typing import Any, Final

try:
    import ctypes
except ImportError:  # a Python built where libffi's headers were missing
    ctypes = None  # type: ignore[assignment]

_LIBRARY: Final = ctypes and ctypes.CDLL(None, use_errno=True)

_SET_SUBREAPER: Final = 36
_GET_SUBREAPER: Final = 37


def call(function: str, *arguments: int | bytes | bytearray | None) -> int:
    """Call a function of the C library; return its answer, or minus the error number.

    Integers travel as C longs, bytes as pointers to their content, which the kernel may only
    change where they are a bytearray. `syscall` is such a function too, its number being the
    first argument.
    """
    target: Any = getattr(_LIBRARY, function, None)
    if target is None:  # another C library, another system, or no ctypes
        return -errno.ENOSYS
    answer = int(target(*map(_given, arguments)))
    return -ctypes.get_errno() if answer == -1 else answer


def _given(argument: int | bytes | bytearray | None) -> Any:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if isinstance(argument, bytearray):
        return (ctypes.c_char * len(argument)).from_buffer(argument)
    return argument


def pointed(content: bytes) -> int:
    """Return the address of these bytes, for a structure that points to them.

    It is good as long as the caller keeps the object.
    """
    if ctypes is None:
        return 0
    return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0


def adopts() -> bool:
    """Tell whether this process adopts the orphans among its descendants."""
    answer = bytearray(4)
    return call("prctl", _GET_SUBREAPER, answer, 0, 0, 0) == 0 and any(answer)


def adopt(*, orphans: bool) -> None:
    """Let this process adopt the orphans among its descendants, or init as ever."""
    call("prctl", _SET_SUBREAPER, int(orphans), 0, 0, 0)
