"""Execute CPUID and XGETBV from Python: no compiled module, no other process, no cached file.

The machine code follows the System V calling convention (Linux, macOS, BSD). Windows passes
arguments elsewhere, so there this witness stays silent and the next one answers.
"""

from __future__ import annotations

import mmap
import platform
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, NamedTuple

from legacy_doctor.cpu import features

try:
    import ctypes
except ImportError:  # a Python built where libffi's headers were missing
    ctypes = None  # type: ignore[assignment]

# void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
_CPUID: Final = bytes.fromhex(
    "53"  # push  rbx            (callee-saved, and CPUID overwrites it)
    "4989d0"  # mov   r8, rdx    (out; CPUID overwrites rdx)
    "89f8"  # mov   eax, edi
    "89f1"  # mov   ecx, esi
    "0fa2"  # cpuid
    "418900"  # mov   [r8], eax
    "41895804"  # mov   [r8+4], ebx
    "41894808"  # mov   [r8+8], ecx
    "4189500c"  # mov   [r8+12], edx
    "5b"  # pop   rbx
    "c3"  # ret
)
# uint64_t xgetbv(uint32_t index)
_XGETBV: Final = bytes.fromhex(
    "89f9"  # mov   ecx, edi
    "0f01d0"  # xgetbv
    "48c1e220"  # shl   rdx, 32
    "4809d0"  # or    rax, rdx
    "c3"  # ret
)
_XGETBV_AT: Final = 64

CORE: Final = 0x40
ATOM: Final = 0x20
"""Core types of a hybrid CPU (Intel SDM, CPUID.1AH:EAX[31:24])."""

_HYPERVISOR_LEAF: Final = 0x40000000
_EXTENDED_LEAF: Final = 0x80000000


class Unavailable(Exception):
    """CPUID cannot be executed here; the message says why. Never leaves the cpu room."""


class Registers(NamedTuple):
    """What one CPUID call returned."""

    eax: int
    ebx: int
    ecx: int
    edx: int

    def text(self, names: Iterable[str]) -> str:
        """Read the named registers as the characters they hold."""
        data = b"".join(getattr(self, name).to_bytes(4, "little") for name in names)
        return data.split(b"\0")[0].decode("ascii", "replace").strip()


class Reading(NamedTuple):
    """CPUID as far as the doctor reads it."""

    vendor: str
    brand: str
    family: int
    model: int
    stepping: int
    max_leaf: int
    hypervisor: str | None
    silicon: frozenset[str]
    """Features that CPUID shows, whether or not the system saves their registers."""
    xcr0: int | None
    """XGETBV(0), or None where OSXSAVE is clear."""


class Processor:
    """CPUID in an executable mapping of its own; a context manager that unmaps it.

    Raises `Unavailable` where the machine is not x86-64, the calling convention is another, or
    the system refuses executable memory (SELinux `execmem`, PaX, systemd's
    MemoryDenyWriteExecute).
    """

    def __init__(self) -> None:
        if platform.machine().lower() not in {"x86_64", "amd64"} or sys.maxsize < 2**32:
            raise Unavailable(f"this is a {platform.machine() or 'nameless'} process, not x86-64")
        if sys.platform == "win32":
            raise Unavailable("CPUID is not executed on Windows")
        if ctypes is None:
            raise Unavailable("this Python has no ctypes")
        self._memory = _executable(_CPUID.ljust(_XGETBV_AT, b"\xcc") + _XGETBV)
        self._view = ctypes.c_char.from_buffer(self._memory)
        address = ctypes.addressof(self._view)
        self._cpuid = ctypes.CFUNCTYPE(
            None, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
        )(address)
        self._xgetbv = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint32)(address + _XGETBV_AT)

    def __enter__(self) -> Processor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._view
        self._memory.close()

    def __call__(self, leaf: int, subleaf: int = 0) -> Registers:
        """Execute CPUID with EAX=leaf and ECX=subleaf."""
        out = (ctypes.c_uint32 * 4)()
        self._cpuid(leaf, subleaf, out)
        return Registers(*out)

    def xgetbv(self) -> int:
        """Return XCR0. Faults (#UD) where OSXSAVE is clear: test that first."""
        return int(self._xgetbv(0))


def _executable(code: bytes) -> mmap.mmap:
    """Map `code`: written first, made executable afterwards, never both at once."""
    try:
        memory = mmap.mmap(-1, mmap.PAGESIZE)
        memory.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        if libc.mprotect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "mprotect")
    except (OSError, AttributeError) as error:
        raise Unavailable("the system refuses executable memory") from error
    return memory


def read() -> Reading:
    """Execute CPUID on the current processor and return what it said.

    Raises `Unavailable` where it cannot be executed.
    """
    with Processor() as cpuid:
        return interpret(cpuid, cpuid.xgetbv)


def interpret(cpuid: Callable[[int, int], Registers], xgetbv: Callable[[], int]) -> Reading:
    """Turn CPUID answers, live or recorded, into a `Reading`."""
    base = cpuid(0, 0)
    version = cpuid(1, 0)
    family, model, stepping = signature_of(version.eax)
    os_saves = version.ecx >> features.OSXSAVE_BIT & 1
    virtual = version.ecx >> features.HYPERVISOR_BIT & 1
    return Reading(
        vendor=base.text(("ebx", "edx", "ecx")),
        brand=_brand(cpuid),
        family=family,
        model=model,
        stepping=stepping,
        max_leaf=base.eax,
        hypervisor=_hypervisor(cpuid) if virtual else None,
        silicon=features.decode(_words(cpuid, base.eax)),
        xcr0=xgetbv() if os_saves else None,
    )


def _words(cpuid: Callable[[int, int], Registers], max_basic: int) -> dict[features.Word, int]:
    """Read every word of the bit table that lies within the leaves this processor has."""
    max_extended = cpuid(_EXTENDED_LEAF, 0).eax
    words = {}
    for word in features.BITS:
        limit = max_extended if word.leaf >= _EXTENDED_LEAF else max_basic
        # Beyond its highest leaf an Intel CPU answers with another leaf's data, not with zero.
        if word.leaf <= limit and word.subleaf <= _max_subleaf(cpuid, word.leaf):
            words[word] = getattr(cpuid(word.leaf, word.subleaf), word.register)
    return words


def _max_subleaf(cpuid: Callable[[int, int], Registers], leaf: int) -> int:
    return cpuid(7, 0).eax if leaf == 7 else 1


def signature_of(eax: int) -> tuple[int, int, int]:
    """Decode family, model and stepping as /proc/cpuinfo shows them (Intel SDM, CPUID.01H)."""
    family = eax >> 8 & 0xF
    model = eax >> 4 & 0xF
    if family in {6, 15}:
        model |= eax >> 12 & 0xF0
    if family == 15:
        family += eax >> 20 & 0xFF
    return family, model, eax & 0xF


def is_hybrid(cpuid: Callable[[int, int], Registers]) -> bool:
    """Tell whether the CPU says that its cores differ (Intel SDM, CPUID.07H:EDX[15])."""
    return cpuid(0, 0).eax >= 0x1A and bool(cpuid(7, 0).edx >> 15 & 1)


def core_type(cpuid: Callable[[int, int], Registers]) -> int:
    """Return the type of the core that this runs on, `CORE` or `ATOM`; 0 where it tells none."""
    return cpuid(0x1A, 0).eax >> 24


def _brand(cpuid: Callable[[int, int], Registers]) -> str:
    if cpuid(_EXTENDED_LEAF, 0).eax < _EXTENDED_LEAF + 4:
        return ""
    leaves = (cpuid(_EXTENDED_LEAF + index, 0) for index in (2, 3, 4))
    data = b"".join(value.to_bytes(4, "little") for leaf in leaves for value in leaf)
    return " ".join(data.split(b"\0")[0].decode("ascii", "replace").split())


def _hypervisor(cpuid: Callable[[int, int], Registers]) -> str:
    return cpuid(_HYPERVISOR_LEAF, 0).text(("ebx", "ecx", "edx")) or "unnamed"
