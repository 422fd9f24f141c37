"""From what the handler saw to where and why: library, symbol, instruction, whose fault it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.binary import isa, symbols
from legacy_doctor.model import Fault, FaultKind, Frame
from legacy_doctor.probe import stack
from legacy_doctor.probe.instruction import Code, Decoded, decode
from legacy_doctor.probe.record import RawFault, signal_name
from legacy_doctor.probe.stack import PYTHON, Spot

Owners = Callable[[str], tuple[str, str] | None]
"""From a mapped file to the distribution that owns it and its path as RECORD has it."""

_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "SIGILL": (
        *(f"ILL_ILL{name}" for name in "OPC OPN ADR TRP".split()),
        *("ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"),
    ),
    "SIGFPE": tuple(
        f"FPE_{name}" for name in "INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV".split()
    ),
    "SIGSEGV": tuple(f"SEGV_{name}" for name in "MAPERR ACCERR BNDERR PKUERR".split()),
    "SIGBUS": tuple(f"BUS_{name}" for name in "ADRALN ADRERR OBJERR MCEERR_AR".split()),
}
"""si_code from 1 on (siginfo.h of Linux)."""

_ANY_CODE: Final[Mapping[int, str]] = {
    0: "SI_USER",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -6: "SI_TKILL",
    128: "SI_KERNEL",
}
_SYSTEM: Final = re.compile(
    r"(ld|ld-linux-x86-64|ld-musl-x86_64|libc|libm|libmvec|libpthread|libdl|librt"
    r"|libstdc\+\+|libgcc_s)(-[0-9a-f.]+)?\.so"
)
"""Libraries that fault for their callers: by a bad pointer, or by `abort`."""

_BRIDGE: Final = re.compile(r"libffi|_ctypes\.|_cffi_backend\.")
"""What only passes calls on."""

_LOADING: Final = frozenset(
    ["create_module", "exec_module", "exec_dynamic", "_call_with_frames_removed"]
)
_CTYPES: Final = "ctypes/__init__.py"
_UNPLAYABLE: Final = "QEMU takes this instruction for another one: it says nothing about the CPU"
_CURE: Final = "torch._C._set_mkldnn_enabled(False) right after `import torch`"
_ONEDNN: Final = re.compile(r"libtorch_cpu|libdnnl|libmkldnn")
_LONGEST: Final = 15


class _Scene(NamedTuple):
    """A fault with what the files say about it, before its instruction is decoded."""

    raw: RawFault
    spot: Spot | None
    generated: bool
    place: symbols.Place
    code: bytes
    callers: tuple[Spot, ...]
    """Return addresses on the stack, innermost first, down to the interpreter."""


def assemble(raws: Sequence[RawFault], owners: Owners, *, emulated: Sequence[bool]) -> list[Fault]:
    """Explain the faults, in their order; all of them are decoded at once.

    `emulated` says of each whether it happened under QEMU, which takes some instructions for
    others. Nothing is raised: what cannot be told stays empty.
    """
    scenes = [_scene(raw) for raw in raws]
    decoded = decode(
        [Code(item.code, item.place.virtual_address or 0, item.place.symbol) for item in scenes]
    )
    return [
        _fault(scene, answer, owners, emulated=played)
        for scene, answer, played in zip(scenes, decoded, emulated, strict=True)
    ]


def _scene(raw: RawFault) -> _Scene:
    mapped = raw.where(raw.address)
    spot = stack.spot(mapped, raw.address)
    generated = mapped is not None and "x" in mapped.permissions and _is_made(mapped.path)
    place = symbols.Place()
    if spot is not None:
        place = symbols.locate(Path(spot.path), spot.offset)
    return _Scene(raw, spot, generated, place, _code(raw, spot), stack.callers(raw))


def _is_made(path: str) -> bool:
    """True for executable memory that a program filled itself."""
    if path.startswith("/"):
        return path.startswith(("/memfd:", "/dev/"))
    return not path.startswith("[v")  # [vdso], [vsyscall]


def _code(raw: RawFault, spot: Spot | None) -> bytes:
    """Return the bytes at the instruction pointer; from the file where the record ends early."""
    if len(raw.bytes) < _LONGEST and spot is not None:
        data = _read(spot.path, spot.offset, _LONGEST)
        if data.startswith(raw.bytes):
            return data
    return raw.bytes[:_LONGEST]


def _read(path: str, offset: int, length: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)
    except (OSError, ValueError, OverflowError):
        return b""


def _fault(scene: _Scene, decoded: Decoded, owners: Owners, *, emulated: bool) -> Fault:
    raw, place = scene.raw, scene.place
    name = signal_name(raw.signal)
    unplayable = isa.unjudgeable(scene.code) if emulated and name == "SIGSEGV" else frozenset[str]()
    kind = FaultKind.OTHER if unplayable else _kind(raw, decoded, scene.code)
    culprit = _culprit(scene)
    owner, path = (owners(culprit.path) if culprit else None) or (None, None)
    shown = kind is not FaultKind.SENT
    needs = decoded.needs if kind is FaultKind.UNSUPPORTED else unplayable
    return Fault(
        signal=name,
        kind=kind,
        code=_code_name(name, raw.code),
        address=raw.address or None,
        library=scene.spot.path if scene.spot else None,
        path=path,
        offset=place.virtual_address,
        symbol=decoded.symbol,
        bytes=scene.code.hex(),
        instruction=decoded.text if shown else None,
        needs=needs,
        owner=owner,
        place=_where(scene),
        frames=raw.frames,
        known=_UNPLAYABLE if unplayable else _known(scene, decoded, kind, owner),
    )


def _code_name(name: str, code: int) -> str:
    if code in _ANY_CODE:
        return _ANY_CODE[code]
    names = _CODES.get(name, ())
    return names[code - 1] if 0 < code <= len(names) else ""


def _kind(raw: RawFault, decoded: Decoded, code: bytes) -> FaultKind:
    name = signal_name(raw.signal)
    if raw.code <= 0:
        return FaultKind.SENT
    if name == "SIGILL" and code:
        judged = {FaultKind.DELIBERATE, FaultKind.UNSUPPORTED}
        return decoded.kind if decoded.kind in judged else FaultKind.OTHER
    if name == "SIGTRAP":
        return FaultKind.DELIBERATE
    if name == "SIGFPE" and decoded.kind is FaultKind.DIVIDE:
        return FaultKind.DIVIDE
    return FaultKind.MEMORY if name in {"SIGSEGV", "SIGBUS"} else FaultKind.OTHER


def _culprit(scene: _Scene) -> Spot | None:
    """Return the code at fault: where it happened, or who called a library that faults for others.

    Code that was generated belongs to whoever called it. None where that is Python itself.
    """
    if scene.spot is not None and not _SYSTEM.match(scene.spot.name):
        return scene.spot
    if scene.spot is None and not scene.generated:
        return None
    between = (_SYSTEM, _BRIDGE, PYTHON)
    for caller in scene.callers:
        if not any(pattern.match(caller.name) for pattern in between):
            return caller
    return None


def _where(scene: _Scene) -> str:
    if scene.generated:
        return "generated code"
    # Later on, the stack still holds addresses from the time when the library was loaded.
    frames = scene.raw.frames
    may_load = not frames or _is_import(frames[-1]) or frames[-1].file.endswith(_CTYPES)
    if scene.place.initialiser or (may_load and _in_initialiser(scene.callers)):
        return "static initialiser"
    return "module initialisation" if frames and _is_import(frames[-1]) else ""


def _is_import(frame: Frame) -> bool:
    """True where Python is loading an extension module."""
    return frame.file.startswith("<frozen importlib") and frame.function in _LOADING


def _in_initialiser(callers: Iterable[Spot]) -> bool:
    offsets: dict[str, list[int]] = {}
    for caller in callers:
        if not PYTHON.match(caller.name) and not _SYSTEM.match(caller.name):
            offsets.setdefault(caller.path, []).append(caller.offset)
    return any(symbols.in_initialiser(Path(path), found) for path, found in offsets.items())


def _known(scene: _Scene, decoded: Decoded, kind: FaultKind, owner: str | None) -> str:
    cure = f"; cure: {_CURE}" if owner == "torch" else ""
    if kind is FaultKind.DIVIDE and _is_xbyak(scene, decoded):
        return (
            "oneDNN's bundled Xbyak divides by zero in Cpu::Cpu() on AMD CPUs below CPUID leaf "
            f"0xB{cure}"
        )
    culprit = _culprit(scene) if scene.generated and kind is FaultKind.UNSUPPORTED else None
    if culprit and _ONEDNN.match(culprit.name) and decoded.needs == {"sse4_1"}:
        return f"oneDNN generates SSE4.1 code even where the CPU has none{cure}"
    return ""


def _is_xbyak(scene: _Scene, decoded: Decoded) -> bool:
    """True for the division in Xbyak's constructor, wherever the compiler has inlined it."""
    if decoded.symbol is None:
        return scene.spot is not None and bool(_ONEDNN.match(scene.spot.name))
    return "Xbyak::util::Cpu" in decoded.symbol or "dnnl::impl::cpu::x64" in decoded.symbol
