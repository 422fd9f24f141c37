"""What a recorder wrote, read back: never trusted, never fatal.

A record is lines of JSON, one object each, `{"event": ..., ...}`:

    held    held                     by the sandbox, before the target interpreter is started
    ready   python                   before anything of the patient is run
    step    stage                    at the start of each snippet
    raised  type, message, frames    an exception ended it
    exit    status                   it called `sys.exit`
    done                             all of it ran
    frames  frames                   after a fault: the Python frames of the faulting thread

and, for a fault, pieces of binary between (or, written by another thread, within) the lines. A
piece is `MAGIC`, a tag of four letters, the length of the rest (u32, little-endian, at most 4080),
and the rest:

    INFO    siginfo_t, 128 bytes
    REGS    the general registers of the ucontext: 23 x u64, r8 ... rsp, rip ... cr2
    CODE    what can be read of 16 bytes at RIP
    STAK    what can be read of 2048 bytes at RSP
    MAPS    /proc/self/maps, in as many pieces as it takes
    ENDS    nothing: the block is complete

The first word counts wherever one may be said only once; a patient that lies lies about itself.
"""

from __future__ import annotations

import builtins
import json
import re
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from legacy_doctor.model import Frame, Raised

MAGIC: Final = b"\0\xffFAULT\0"
"""Starts every piece of a fault's block; no line of JSON holds it."""

_HEADER: Final = struct.Struct("<8s4sI")
_LONGEST: Final = 4080
_MAPPING: Final = re.compile(
    r"([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([-rwxsp]{4}) ([0-9a-f]{1,16}) [0-9a-f:]+ [0-9]+ *(.*)"
)
_RSP: Final = 15
_RIP: Final = 16


class Mapping(NamedTuple):
    """A line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    path: str
    """As the kernel writes it; empty for anonymous memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFault:
    """A fault as the handler saw it, as far as it could be written."""

    signal: int
    code: int = 0
    """si_code; positive where the kernel raised it for an instruction."""
    address: int = 0
    """RIP; 0 where the block was cut short before it."""
    target: int = 0
    """si_addr: for SIGSEGV and SIGBUS what was accessed; 0 where the signal was sent."""
    stack_pointer: int = 0
    bytes: builtins.bytes = b""
    """Up to 16 at RIP; empty where they cannot be read."""
    stack: builtins.bytes = b""
    """Up to 2048 from the stack pointer."""
    maps: tuple[Mapping, ...] = ()
    frames: tuple[Frame, ...] = ()
    """Python frames of the faulting thread; empty where Python could not tell them."""

    def where(self, address: int) -> Mapping | None:
        """Return the mapping that holds an address."""
        return next((item for item in self.maps if item.start <= address < item.end), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a run from within."""

    ready: bool = False
    """The recorder came up: what follows is the patient's doing."""
    stage: str = ""
    """The step it was in last."""
    done: bool = False
    raised: Raised | None = None
    exit_status: int | None = None
    fault: RawFault | None = None
    held: tuple[str, ...] = ()


def parse(data: bytes) -> Record:
    """Read a record. Never raises: what is cut short, damaged or forged is left out."""
    pieces: dict[bytes, bytes] = {}
    text = b"".join(_split(data, pieces))
    told: dict[str, dict[str, Any]] = {}
    stage = ""
    for line in text.split(b"\n"):
        event = _event(line)
        name = event.get("event")
        if isinstance(name, str):
            told.setdefault(name, event)
            if name == "step":
                stage = _text(event.get("stage"))
    return Record(
        ready="ready" in told,
        stage=stage,
        done="done" in told,
        raised=_raised(told.get("raised")),
        exit_status=_number(told.get("exit", {}).get("status")),
        fault=_fault(pieces, _frames(told.get("frames", {}).get("frames"))),
        held=tuple(_text(item) for item in _list(told.get("held", {}).get("held"))),
    )


def _split(data: bytes, pieces: dict[bytes, bytes]) -> Iterator[bytes]:
    """Yield what stands around the binary pieces; put the pieces in their place."""
    position = 0
    while (start := data.find(MAGIC, position)) >= 0:
        yield data[position:start]
        position = start + len(MAGIC)
        if len(data) - start < _HEADER.size:
            return
        _, tag, length = _HEADER.unpack_from(data, start)
        if length > _LONGEST:
            continue
        position = start + _HEADER.size
        payload = data[position : position + length].split(MAGIC, 1)[0]  # or cut short
        position += len(payload)
        if tag == b"MAPS":
            payload = pieces.get(tag, b"") + payload
            pieces[tag] = payload
        pieces.setdefault(tag, payload)
    yield data[position:]


def _event(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _fault(pieces: dict[bytes, bytes], frames: tuple[Frame, ...]) -> RawFault | None:
    info = pieces.get(b"INFO", b"")
    if len(info) < 24:
        return None
    signal, _, code, target = struct.unpack_from("<iii4xQ", info)
    registers = pieces.get(b"REGS", b"")
    words = struct.unpack_from("<17Q", registers) if len(registers) >= 17 * 8 else (0,) * 17
    return RawFault(
        signal=signal,
        code=code,
        address=words[_RIP],
        target=target if code > 0 else 0,
        stack_pointer=words[_RSP],
        bytes=pieces.get(b"CODE", b"")[:16],
        stack=pieces.get(b"STAK", b"")[:2048],
        maps=tuple(_maps(pieces.get(b"MAPS", b""))),
        frames=frames,
    )


def _maps(data: bytes) -> Iterator[Mapping]:
    # A line without its end may be half a path.
    for line in data.decode("utf-8", "backslashreplace").split("\n")[:-1]:
        match = _MAPPING.fullmatch(line)
        if match:
            start, end, permissions, offset, path = match.groups()
            yield Mapping(int(start, 16), int(end, 16), permissions, int(offset, 16), path)


def _raised(event: dict[str, Any] | None) -> Raised | None:
    if event is None:
        return None
    return Raised(
        type=_text(event.get("type")),
        message=_text(event.get("message")),
        frames=_frames(event.get("frames")),
    )


def _frames(value: Any) -> tuple[Frame, ...]:
    rows = (row for row in _list(value) if isinstance(row, list) and len(row) == 3)
    return tuple(Frame(_text(file), _number(line) or 0, _text(name)) for file, line, name in rows)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    """Return a string that can be printed: file names need not be UTF-8, and half a pair is not."""
    text = value if isinstance(value, str) else ""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def signal_name(number: int) -> str:
    """Return `SIGILL` and the like; `signal 34` for those without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
