"""The witnesses beside CPUID: what glibc lets programs use, what the kernel says, py-cpuinfo.

Each returns a `Statement`, or raises `Silent` with the reason why it cannot be heard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor import process
from legacy_doctor.cpu import cpuid, features

LOADERS: Final = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2")


class Silent(Exception):
    """This witness cannot be heard; the message says why. Never leaves the cpu room."""


class Statement(NamedTuple):
    """What one witness says. What it does not say is None or empty."""

    features: frozenset[str]
    vendor: str = ""
    brand: str = ""
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    cpuid_level: int | None = None


# sysdeps/x86/include/cpu-features.h: the order of glibc's `cpuid_feature` array.
_GLIBC_LEAVES: Final = ((1, 0), (7, 0), (0x80000001, 0), (0xD, 1), None, None, (7, 1))
_REGISTERS: Final = ("eax", "ebx", "ecx", "edx")


def glibc() -> Statement:
    """Read glibc's feature leaves in this process (`__x86_get_cpuid_feature_leaf`, 2.33).

    Inside an emulated process it sees the emulated CPU, which a child would not.
    """
    try:
        import ctypes

        lookup = getattr(ctypes.CDLL(None), "__x86_get_cpuid_feature_leaf")
    except (ImportError, OSError, AttributeError, TypeError) as error:
        raise Silent("this C library has no feature leaves (glibc 2.33 has)") from error
    lookup.restype = ctypes.POINTER(ctypes.c_uint32 * 8)
    lookup.argtypes = (ctypes.c_uint32,)
    present: dict[features.Word, int] = {}
    active: dict[features.Word, int] = {}
    for index, leaf in enumerate(_GLIBC_LEAVES):
        if leaf is None:
            continue
        answer = lookup(index).contents
        for place, register in enumerate(_REGISTERS):
            present[features.Word(*leaf, register)] = answer[place]
            active[features.Word(*leaf, register)] = answer[place + 4]
    family, model, stepping = cpuid.signature_of(present[features.Word(1, 0, "eax")])
    return Statement(_usable(present, active), "", "", family, model, stepping)


_DIAGNOSTIC: Final = re.compile(
    r"^x86\.cpu_features\.features\[0x([0-9a-f]+)\]\.(cpuid|active)\[0x([0-3])\]=0x([0-9a-f]+)$",
    re.MULTILINE,
)
_BASIC: Final = re.compile(r"^x86\.cpu_features\.basic\.(\w+)=0x([0-9a-f]+)$", re.MULTILINE)


def ld_so() -> Statement:
    """Ask `ld.so --list-diagnostics` (glibc 2.33).

    It is another process: under qemu-user it runs on, and tells, the real CPU.
    """
    for loader in LOADERS:
        if Path(loader).exists():
            break
    else:
        raise Silent("there is no glibc loader")
    try:
        answer = process.ask([loader, "--list-diagnostics"], seconds=5)
    except (OSError, TimeoutError) as error:
        raise Silent(f"{loader} gave no answer: {error}") from error
    return parse_diagnostics(answer.stdout)


def parse_diagnostics(text: str) -> Statement:
    """Read the output of `ld.so --list-diagnostics`."""
    tables: dict[str, dict[features.Word, int]] = {"cpuid": {}, "active": {}}
    for index, kind, place, value in _DIAGNOSTIC.findall(text):
        number = int(index, 16)
        leaf = _GLIBC_LEAVES[number] if number < len(_GLIBC_LEAVES) else None
        if leaf is not None:
            word = features.Word(*leaf, _REGISTERS[int(place)])
            tables[kind][word] = int(value, 16)
    if not tables["cpuid"]:
        raise Silent("ld.so prints no CPU diagnostics (glibc 2.33 does)")
    basic = {key: int(value, 16) for key, value in _BASIC.findall(text)}
    return Statement(
        _usable(tables["cpuid"], tables["active"]),
        family=basic.get("family"),
        model=basic.get("model"),
        stepping=basic.get("stepping"),
        cpuid_level=basic.get("max_cpuid"),
    )


def _usable(
    present: Mapping[features.Word, int], active: Mapping[features.Word, int]
) -> frozenset[str]:
    """What CPUID shows, less the wide registers that glibc found not to be saved.

    glibc marks as active only what it has a use for, so its mask may speak on the features
    that need the system's help (XCR0) and on nothing else.
    """
    allowed = features.decode(active)
    return frozenset(
        name for name in features.decode(present) if not features.state(name) or name in allowed
    )


def kernel(path: Path = Path("/proc/cpuinfo")) -> Statement:
    """Read the first processor of `/proc/cpuinfo`: the kernel's word, the host's under qemu."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Silent(f"{path} cannot be read") from error
    return parse_cpuinfo(text)


def parse_cpuinfo(text: str) -> Statement:
    """Read one `/proc/cpuinfo`; raises `Silent` where it has no x86 flags."""
    first = text.partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    values = {key.strip(): value.strip() for key, _, value in pairs}
    if not values.get("flags"):
        raise Silent("/proc/cpuinfo has no x86 flags")
    return Statement(
        frozenset(values["flags"].split()) & features.KNOWN,
        vendor=values.get("vendor_id", ""),
        brand=" ".join(values.get("model name", "").split()),
        family=_number(values.get("cpu family")),
        model=_number(values.get("model")),
        stepping=_number(values.get("stepping")),
        cpuid_level=_number(values.get("cpuid level")),
    )


def py_cpuinfo() -> Statement:
    """Ask py-cpuinfo: the only witness on macOS and Windows, and the slowest everywhere."""
    try:
        import cpuinfo
    except ImportError as error:
        raise Silent("py-cpuinfo is not installed") from error
    try:
        said = cpuinfo.get_cpu_info()
    except Exception as error:  # py-cpuinfo raises bare Exception for what it does not know
        raise Silent(f"py-cpuinfo failed: {error}") from error
    flags = frozenset(_LINUX_NAMES.get(flag, flag) for flag in said.get("flags", ()))
    known = flags & features.KNOWN
    if not known:
        raise Silent("py-cpuinfo tells no x86 features here")
    return Statement(
        known,
        vendor=said.get("vendor_id_raw", ""),
        brand=" ".join(said.get("brand_raw", "").split()),
        family=said.get("family"),
        model=said.get("model"),
        stepping=said.get("stepping"),
    )


# py-cpuinfo takes macOS's and its own CPUID names; Linux's are ours.
_LINUX_NAMES: Final = {
    **features.ALIASES,
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "avx1.0": "avx",
    "lzcnt": "abm",
    "rdwrfsgs": "fsgsbase",
    "sci": "syscall",
}


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,9}", text) else None
