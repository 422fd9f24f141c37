"""Who called the code that faulted: the stack walked by the unwinder's tables, else by guessing."""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from legacy_doctor.binary import unwind
from legacy_doctor.binary.image import Image
from legacy_doctor.probe.record import Mapping, RawFault

PYTHON: Final = re.compile(r"(python|pypy)[\d.]*[a-z]*$|lib(python|pypy)")
"""File names of the interpreter."""

_DEEPEST: Final = 100
_CALLS: Final = (2, 3, 4, 6, 7)
"""Lengths of a call through a register or memory, by its addressing mode."""


class Spot(NamedTuple):
    """An address as an offset in a mapped file."""

    path: str
    offset: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


class _Step(NamedTuple):
    """A caller: where it goes on, and its registers, as far as they are known.

    `exact` where a function's table led to it. A table that starts from a wrong guess leads to
    no return address but by chance.
    """

    address: int
    stack_pointer: int
    frame_pointer: int | None
    exact: bool


def spot(mapped: Mapping | None, address: int) -> Spot | None:
    """Return file and offset; None for anonymous memory, `[vdso]`, memfd and deleted files."""
    if mapped is None or not mapped.path.startswith("/"):
        return None
    if mapped.path.startswith(("/memfd:", "/dev/")) or mapped.path.endswith(" (deleted)"):
        return None
    return Spot(mapped.path, address - mapped.start + mapped.offset)


def callers(raw: RawFault) -> tuple[Spot, ...]:
    """Return where the callers of the faulting code go on, innermost first, down to Python.

    As far as the record of the stack reaches. Where a function's frame is not known (generated
    code, a frame pointer that nobody recorded), the next word that looks like a return address
    is taken for one, and what earlier calls left on the stack may look so too.
    """
    with contextlib.ExitStack() as files:
        return tuple(_Walk(raw, files).run())


class _Walk:
    def __init__(self, raw: RawFault, files: contextlib.ExitStack) -> None:
        self._raw = raw
        self._files = files
        self._images: dict[str, Image | None] = {}
        self._code = sorted(item for item in raw.maps if "x" in item.permissions)
        self._starts = [item.start for item in self._code]

    def run(self) -> Iterator[Spot]:
        at = _Step(self._raw.address, self._raw.stack_pointer, None, exact=True)
        here = self._spot(at.address)
        for _ in range(_DEEPEST):
            step = self._by_table(here, at) or self._by_guess(at.stack_pointer)
            if step is None:
                return
            at = step
            found = self._spot(at.address)
            # A call may be its function's last instruction: the byte before is inside.
            here = found and Spot(found.path, found.offset - 1)
            if found is not None:
                yield found
                if at.exact and PYTHON.match(found.name):
                    return

    def _spot(self, address: int) -> Spot | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._code[index].end:
            return None
        return spot(self._code[index], address)

    def _word(self, address: int) -> int | None:
        start = address - self._raw.stack_pointer
        data = self._raw.stack[start : start + 8] if start >= 0 else b""
        return int.from_bytes(data, "little") if len(data) == 8 else None

    def _by_table(self, here: Spot | None, at: _Step) -> _Step | None:
        rule = self._rule(here) if here else None
        if rule is None:
            return None
        base = at.stack_pointer if rule.register == unwind.RSP else at.frame_pointer
        if base is None:
            return None
        end = base + rule.offset
        address = self._word(end - 8)
        if address is None or end <= at.stack_pointer or not self._is_return(address):
            return None
        frame_pointer = at.frame_pointer if rule.saved is None else self._word(end + rule.saved)
        return _Step(address, end, frame_pointer, exact=True)

    def _by_guess(self, stack_pointer: int) -> _Step | None:
        end = self._raw.stack_pointer + len(self._raw.stack)
        for place in range(stack_pointer, end - 7, 8):
            word = self._word(place)
            if word is not None and self._is_return(word):
                return _Step(word, place + 8, None, exact=False)
        return None

    def _is_return(self, address: int) -> bool:
        found = self._spot(address)
        image = self._image(found.path) if found else None
        if found is None or image is None or found.offset < 7:
            return False
        return _ends_with_call(image.read(found.offset - 7, 7))

    def _rule(self, here: Spot) -> unwind.Rule | None:
        image = self._image(here.path)
        if image is None:
            return None
        try:
            address = image.address(here.offset)
            return None if address is None else unwind.rule(image, address)
        except Exception:  # noqa: BLE001  a damaged file raises anything
            return None

    def _image(self, path: str) -> Image | None:
        if path not in self._images:
            self._images[path] = self._opened(path)
        return self._images[path]

    def _opened(self, path: str) -> Image | None:
        try:
            return Image(self._files.enter_context(open(path, "rb")))
        except Exception:  # noqa: BLE001  no file, or a damaged one
            return None


def _ends_with_call(code: bytes) -> bool:
    """True for E8 with 32 bits, or FF /2 with any operand."""
    if len(code) < 7:
        return False
    return code[-5] == 0xE8 or any(
        code[-length] == 0xFF and code[1 - length] >> 3 & 7 == 2 for length in _CALLS
    )
