"""Where in a native file an instruction is: its address, its symbol, whether the loader runs it.

Section headers are read by pyelftools; the symbol tables, of which libtorch has a million entries,
by `struct`. Files may be damaged in any way: what cannot be told is None, and nothing is raised.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from elftools.elf.dynamic import DynamicSegment

from legacy_doctor.binary.image import Image

_SYMBOL: Final = struct.Struct("<IBBHQQ")
_RELOCATION: Final = struct.Struct("<QQq")
_WORD: Final = struct.Struct("<Q")

_CODE_TYPES: Final = frozenset({0, 2, 10})
"""STT_NOTYPE, STT_FUNC, STT_GNU_IFUNC."""

_RELATIVE: Final = 8
"""R_X86_64_RELATIVE: the addend is the address."""

_LONGEST_NAME: Final = 4096

_INITIALISER: Final = re.compile(
    r"_GLOBAL__(sub_)?I_|__static_initialization_and_destruction_0|__cxx_global_var_init"
)


class Place(NamedTuple):
    """What is at an offset of a native file."""

    virtual_address: int | None = None
    """As `objdump -d` shows it; None where no segment holds the offset."""
    symbol: str | None = None
    """The function, mangled; None where no symbol covers the address."""
    symbol_offset: int = 0
    initialiser: bool = False
    """True inside a function that the loader runs before anybody calls the library."""


def locate(path: Path, file_offset: int) -> Place:
    """Return what is at `file_offset`; an empty `Place` where the file cannot tell."""
    try:
        with path.open("rb") as file:
            image = _Symbols(file)
            address = image.address(file_offset)
            return Place() if address is None else _place(image, address)
    except Exception:  # noqa: BLE001  pyelftools raises whatever a damaged file makes it stumble over
        return Place()


def in_initialiser(path: Path, file_offsets: Iterable[int]) -> bool:
    """True where one of the offsets is inside a function that the loader runs by itself.

    Meant for return addresses. Only functions that the file lists as constructors count, and
    function bounds come from the unwind table, so that stripped files answer as well.
    """
    try:
        with path.open("rb") as file:
            image = _Symbols(file)
            # A call may be the last instruction: the byte before the return address is inside.
            found = (image.address(offset - 1) for offset in file_offsets)
            return any(image.constructs(address) for address in found if address is not None)
    except Exception:  # noqa: BLE001  as above
        return False


def _place(image: _Symbols, address: int) -> Place:
    name, start = None, address
    for table in (".symtab", ".dynsym"):
        found = image.symbol(table, address)
        if found is not None:
            name, start = found
            break
    initialiser = bool(name and _INITIALISER.search(name))
    return Place(address, name, address - start, initialiser or image.constructs(address))


class _Symbols(Image):
    """The symbols and constructors of an open file."""

    def symbol(self, table: str, address: int) -> tuple[str, int] | None:
        """Return name and start of the function that covers the address.

        Of nested ones the innermost; one without a size counts up to the next symbol.
        """
        section = self.elf.get_section_by_name(table)
        if section is None:
            return None
        data = self.read(section["sh_offset"], section["sh_size"])
        found = _covering(data, address, self._section(address))
        if found is None:
            return None
        names = self.elf.get_section(section["sh_link"])
        start, index = found
        self.file.seek(names["sh_offset"] + index)
        name = self.file.read(_LONGEST_NAME).partition(b"\0")[0]
        return name.decode("utf-8", "replace"), start

    def _section(self, address: int) -> int:
        for index, section in enumerate(self.elf.iter_sections()):
            header = section.header
            if 0 < header.sh_addr <= address < header.sh_addr + header.sh_size:
                return index
        return 0

    def constructs(self, address: int) -> bool:
        """True inside a function that .init_array or DT_INIT lists."""
        entries = self._constructors()
        if address in entries:
            return True
        function = self.function(address) if entries else None
        return function is not None and function.start in entries

    def _constructors(self) -> set[int]:
        tags = self._dynamic()
        first, length = tags.get("DT_INIT_ARRAY", 0), tags.get("DT_INIT_ARRAYSZ", 0)
        entries = {tags["DT_INIT"]} if "DT_INIT" in tags else set[int]()
        if not length:
            return entries
        # lld leaves zeros in the section and the addresses in the relocations alone.
        words = _WORD.iter_unpack(_whole(self.at(first, length), _WORD.size))
        entries.update(word for (word,) in words if word)
        relocations = self.at(tags.get("DT_RELA", 0), tags.get("DT_RELASZ", 0))
        for where, info, addend in _RELOCATION.iter_unpack(_whole(relocations, _RELOCATION.size)):
            if first <= where < first + length and info & 0xFFFFFFFF == _RELATIVE:
                entries.add(addend)
        return entries

    def _dynamic(self) -> dict[str, int]:
        for segment in self.elf.iter_segments("PT_DYNAMIC"):
            if isinstance(segment, DynamicSegment):
                return {tag.entry.d_tag: tag.entry.d_val for tag in segment.iter_tags()}
        return {}


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) // size * size]


def _covering(table: bytes, address: int, section: int) -> tuple[int, int] | None:
    """Return start and name index of the symbol of this section that covers the address."""
    covering = sizeless = None
    nearest = -1
    for start, size, name in _functions(table, address, section):
        nearest = max(nearest, start)
        if size == 0:
            sizeless = max(sizeless or (start, name), (start, name))
        elif address < start + size:
            covering = max(covering or (start, name), (start, name))
    if covering is None and sizeless is not None and sizeless[0] == nearest:
        return sizeless
    return covering


def _functions(table: bytes, address: int, section: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, size and name index of the section's functions that start before the address."""
    symbols = _SYMBOL.iter_unpack(_whole(table, _SYMBOL.size))
    for name, info, _, home, start, size in symbols:
        if start <= address and home == section and name and info & 15 in _CODE_TYPES:
            yield start, size, name
