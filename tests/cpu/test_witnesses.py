"""The witnesses beside CPUID: recorded words read right, the real ones heard, silence explained."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor import process
from legacy_doctor.cpu import cpuid, features, witnesses
from legacy_doctor.cpu.witnesses import Silent, Statement

# ld.so --list-diagnostics of glibc 2.36 on a Zen 5 guest; lines that say 0x0 left out
DIAGNOSTICS = """\
dl_hwcap=0x2
version.version="2.36"
x86.cpu_features.basic.kind=0x2
x86.cpu_features.basic.max_cpuid=0x1c
x86.cpu_features.basic.family=0x1a
x86.cpu_features.basic.model=0x2
x86.cpu_features.basic.stepping=0x1
x86.cpu_features.features[0x0].cpuid[0x0]=0xb00f21
x86.cpu_features.features[0x0].cpuid[0x1]=0x1020800
x86.cpu_features.features[0x0].cpuid[0x2]=0xfffa3203
x86.cpu_features.features[0x0].cpuid[0x3]=0x178bfbff
x86.cpu_features.features[0x0].active[0x2]=0x7ed83203
x86.cpu_features.features[0x0].active[0x3]=0x17888110
x86.cpu_features.features[0x1].cpuid[0x0]=0x1
x86.cpu_features.features[0x1].cpuid[0x1]=0xf1bf07ab
x86.cpu_features.features[0x1].cpuid[0x2]=0x405fc6
x86.cpu_features.features[0x1].cpuid[0x3]=0x110
x86.cpu_features.features[0x1].active[0x1]=0xf1af0328
x86.cpu_features.features[0x1].active[0x2]=0x405f42
x86.cpu_features.features[0x1].active[0x3]=0x110
x86.cpu_features.features[0x2].cpuid[0x0]=0xb00f21
x86.cpu_features.features[0x2].cpuid[0x1]=0x40000000
x86.cpu_features.features[0x2].cpuid[0x2]=0x4003f3
x86.cpu_features.features[0x2].cpuid[0x3]=0x2fd3fbff
x86.cpu_features.features[0x2].active[0x2]=0x161
x86.cpu_features.features[0x2].active[0x3]=0x8000000
x86.cpu_features.features[0x3].cpuid[0x0]=0xf
x86.cpu_features.features[0x3].cpuid[0x1]=0x9a8
x86.cpu_features.features[0x3].cpuid[0x2]=0x1800
x86.cpu_features.features[0x3].active[0x0]=0x7
x86.cpu_features.features[0x4].cpuid[0x3]=0x100
x86.cpu_features.features[0x5].cpuid[0x0]=0x303030
x86.cpu_features.features[0x5].cpuid[0x1]=0x50020005
x86.cpu_features.features[0x5].cpuid[0x2]=0x7001
x86.cpu_features.features[0x6].cpuid[0x0]=0x30
x86.cpu_features.features[0x6].active[0x0]=0x30
"""


def test_recorded_diagnostics_name_the_processor() -> None:
    said = witnesses.parse_diagnostics(DIAGNOSTICS)
    assert said[1:] == ("", "", 26, 2, 1, 28)


def test_recorded_diagnostics_tell_the_features() -> None:
    said = witnesses.parse_diagnostics(DIAGNOSTICS)
    assert features.level_of(said.features) == "x86-64-v4"
    assert said.features >= {"sse4a", "avx_vnni", "avx512_bf16", "xsavec", "lahf_lm", "abm"}
    assert not said.features & {"3dnow", "xop", "fma4", "hle", "amx_tile"}


def edited(old: str, new: str) -> str:
    assert old in DIAGNOSTICS
    return DIAGNOSTICS.replace(old, new)


SWITCHED_OFF = {
    "glibc says that AVX is not saved": (
        edited("features[0x0].active[0x2]=0x7ed83203", "features[0x0].active[0x2]=0x6ed83203"),
        "avx",
    ),
    "glibc says that AVX2 is not saved": (
        edited("features[0x1].active[0x1]=0xf1af0328", "features[0x1].active[0x1]=0xf1af0308"),
        "avx2",
    ),
    "glibc says nothing of leaf 7, sub-leaf 1": (
        edited("x86.cpu_features.features[0x6].active[0x0]=0x30\n", ""),
        "avx_vnni avx512_bf16",
    ),
    "the processor lacks it, whatever is active": (
        edited("features[0x0].cpuid[0x2]=0xfffa3203", "features[0x0].cpuid[0x2]=0xff7a3203"),
        "popcnt",
    ),
}


@pytest.mark.parametrize(("text", "lost"), SWITCHED_OFF.values(), ids=SWITCHED_OFF)
def test_diagnostics_lose(text: str, lost: str) -> None:
    whole = witnesses.parse_diagnostics(DIAGNOSTICS).features
    assert whole - witnesses.parse_diagnostics(text).features == set(lost.split())


def test_glibc_is_not_asked_about_narrow_features() -> None:
    """glibc marks as active only what it has a use for; `sse4a` it has none for."""
    quiet = "\n".join(line for line in DIAGNOSTICS.splitlines() if ".active[" not in line)
    kept = witnesses.parse_diagnostics(quiet).features
    assert kept >= features.cumulative("x86-64-v2") | {"sse4a"}
    assert not kept & {"avx", "avx2", "fma", "avx512f", "vaes"}


NO_DIAGNOSTICS = {
    "nothing": "",
    "an older glibc's complaint": "ld.so: unrecognized option '--list-diagnostics'\n",
    "another architecture": 'dl_platform="aarch64"\nversion.version="2.36"\n',
    "only leaves that we do not know": "x86.cpu_features.features[0xff].cpuid[0x0]=0x1\n",
    "only basics": "x86.cpu_features.basic.family=0x1a\n",
}


@pytest.mark.parametrize("text", NO_DIAGNOSTICS.values(), ids=NO_DIAGNOSTICS)
def test_no_diagnostics_is_silence(text: str) -> None:
    with pytest.raises(Silent, match="prints no CPU diagnostics"):
        witnesses.parse_diagnostics(text)


def statement(parse: Any, text: str) -> Statement | None:
    try:
        said = parse(text)
    except Silent:
        return None
    assert isinstance(said, Statement)
    return said


MANGLED = st.lists(
    st.one_of(st.sampled_from(DIAGNOSTICS.splitlines()), st.text(max_size=60)), max_size=40
).map("\n".join)


@given(st.one_of(st.text(), MANGLED))
def test_any_text_is_diagnostics_or_silence(text: str) -> None:
    said = statement(witnesses.parse_diagnostics, text)
    assert said is None or said.features <= features.KNOWN


# /proc/cpuinfo of a Phenom II X4 955, posted to a public forum in 2010
PHENOM_II = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 16
model\t\t: 4
model name\t: AMD Phenom(tm) II X4 955 Processor
stepping\t: 3
cpu MHz\t\t: 800.000
cpuid level\t: 5
wp\t\t: yes
flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx \
fxsr sse sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm 3dnowext 3dnow constant_tsc \
rep_good nonstop_tsc extd_apicid pni monitor cx16 popcnt lahf_lm cmp_legacy svm extapic \
cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs skinit wdt
bogomips\t: 6427.73
power management: ts ttp tm stc 100mhzsteps hwpstate

processor\t: 1
vendor_id\t: GenuineIntel
cpu family\t: 6
flags\t\t: fpu avx avx2
"""
# /proc/cpuinfo of a kvm64 guest, from a bug report in a public repository
KVM64 = """\
processor       : 63
vendor_id       : GenuineIntel
cpu family      : 15
model           : 6
model name      : Common KVM processor
stepping        : 1
cpuid level     : 13
flags           : fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 \
clflush mmx fxsr sse sse2 ht syscall nx lm constant_tsc nopl xtopology cpuid tsc_known_freq pni \
cx16 x2apic hypervisor lahf_lm cpuid_fault pti
"""
# a Raspberry Pi 3
ARM = """\
processor\t: 0
BogoMIPS\t: 38.40
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd03
CPU revision\t: 4
"""

KERNEL_SAYS = {
    "the first processor of a Phenom II": (
        PHENOM_II,
        Statement(
            frozenset(
                "fpu tsc cx8 cmov mmx fxsr sse sse2 syscall mmxext rdtscp lm 3dnowext 3dnow pni "
                "cx16 popcnt lahf_lm abm sse4a misalignsse 3dnowprefetch".split()
            ),
            "AuthenticAMD",
            "AMD Phenom(tm) II X4 955 Processor",
            16,
            4,
            3,
            5,
        ),
    ),
    "a kvm64 guest": (
        KVM64,
        Statement(
            frozenset(
                "fpu tsc cx8 cmov mmx fxsr sse sse2 syscall lm pni cx16 lahf_lm".split(),
            ),
            "GenuineIntel",
            "Common KVM processor",
            15,
            6,
            1,
            13,
        ),
    ),
    "flags and nothing else": ("flags: sse sse2", Statement(frozenset({"sse", "sse2"}))),
    "blanks in the name folded": (
        "flags: sse\nmodel name:  Intel(R)   Core(TM)2  ",
        Statement(frozenset({"sse"}), brand="Intel(R) Core(TM)2"),
    ),
    "numbers that are none": (
        "flags: sse\ncpu family: unknown\nmodel: \nstepping: -1\ncpuid level: 0x5",
        Statement(frozenset({"sse"})),
    ),
    "digits of another script": ("flags: sse\nmodel: ²", Statement(frozenset({"sse"}))),
    "a number beyond all sense": (
        f"flags: sse\nmodel: {'1' * 5000}",
        Statement(frozenset({"sse"})),
    ),
    "flags that mean nothing to programs": ("flags: vme nx svm", Statement(frozenset())),
}


@pytest.mark.parametrize(("text", "wanted"), KERNEL_SAYS.values(), ids=KERNEL_SAYS)
def test_the_kernel_says(text: str, wanted: Statement, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    assert witnesses.kernel(tmp_path / "cpuinfo") == wanted


NO_FLAGS = {
    "empty": "",
    "ARM": ARM,
    "flags without a value": "processor: 0\nflags\t\t:\n",
    "flags without a colon": "flags sse sse2",
    "damaged before the flags": "\n\nflags: sse sse2",
}


@pytest.mark.parametrize("text", NO_FLAGS.values(), ids=NO_FLAGS)
def test_a_kernel_without_flags_is_silent(text: str) -> None:
    with pytest.raises(Silent, match="no x86 flags"):
        witnesses.parse_cpuinfo(text)


def test_a_kernel_without_the_file_is_silent(tmp_path: Path) -> None:
    with pytest.raises(Silent, match="cpuinfo cannot be read"):
        witnesses.kernel(tmp_path / "cpuinfo")


KEYS = ["flags", "model", "cpu family", "stepping", "cpuid level", "vendor_id"]
CPUINFO = st.lists(
    st.builds("{}: {}".format, st.sampled_from(KEYS), st.text(max_size=30)), max_size=12
).map("\n".join)


@given(st.one_of(st.text(), CPUINFO))
def test_any_text_is_cpuinfo_or_silence(text: str) -> None:
    said = statement(witnesses.parse_cpuinfo, text)
    assert said is None or said.features <= features.KNOWN


@given(st.binary())
def test_any_bytes_are_cpuinfo_or_silence(data: bytes) -> None:
    assert statement(witnesses.parse_cpuinfo, data.decode("utf-8", "replace")) is None or data


def usable() -> frozenset[str]:
    reading = cpuid.read()
    return features.permitted(reading.silicon, reading.xcr0)


def test_the_real_glibc_agrees_with_the_processor() -> None:
    reading, said = cpuid.read(), witnesses.glibc()
    weighty = features.cumulative("x86-64-v4") | {"sse4a", "aes", "pclmulqdq"}
    assert said.features & weighty == usable() & weighty
    assert said.features <= cpuid.read().silicon
    assert (said.family, said.model, said.stepping) == reading[2:5]


def test_the_real_loader_agrees_with_the_glibc_of_this_process() -> None:
    loader, here = witnesses.ld_so(), witnesses.glibc()
    assert loader.features == here.features
    assert loader[3:6] == here[3:6]
    assert loader.cpuid_level == cpuid.read().max_leaf


def test_the_real_kernel_has_nothing_that_the_processor_lacks() -> None:
    assert witnesses.kernel().features <= cpuid.read().silicon


def test_a_c_library_without_feature_leaves_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real library that has no such symbol, in the place of an old glibc or of musl."""
    source, library = tmp_path / "old.c", tmp_path / "old.so"
    source.write_text("int old(void) { return 1; }\n")
    subprocess.run(["cc", "-shared", "-nostdlib", "-o", library, source], check=True)
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda _: real(str(library)))
    with pytest.raises(Silent, match="no feature leaves"):
        witnesses.glibc()


def test_a_python_without_ctypes_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    with pytest.raises(Silent, match="no feature leaves"):
        witnesses.glibc()


def program(folder: Path, text: str, mode: int = 0o755) -> str:
    """A real program in the place of the loader."""
    path = folder / "ld.so"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_first_loader_that_exists_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text(DIAGNOSTICS)
    loader = program(tmp_path, f'#!/bin/sh\n[ "$1" = --list-diagnostics ] && cat {tmp_path}/text\n')
    monkeypatch.setattr(witnesses, "LOADERS", (str(tmp_path / "none"), loader, "/bin/false"))
    assert witnesses.ld_so() == witnesses.parse_diagnostics(DIAGNOSTICS)


def test_no_loader_is_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "LOADERS", (str(tmp_path / "none"),))
    with pytest.raises(Silent, match="there is no glibc loader"):
        witnesses.ld_so()


def test_a_loader_that_cannot_be_started_is_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "LOADERS", (program(tmp_path, "no program", 0o644),))
    with pytest.raises(Silent, match=r"gave no answer: .*Permission denied"):
        witnesses.ld_so()


def test_a_loader_that_hangs_is_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = process.ask
    monkeypatch.setattr(process, "ask", lambda command, seconds: real(command, seconds=0.3))
    monkeypatch.setattr(witnesses, "LOADERS", (program(tmp_path, "#!/bin/sh\nexec sleep 60\n"),))
    with pytest.raises(Silent, match=r"gave no answer: no answer in 0\.3 s"):
        witnesses.ld_so()


def test_an_older_loader_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "LOADERS", ("/bin/true",))
    with pytest.raises(Silent, match="prints no CPU diagnostics"):
        witnesses.ld_so()


def test_the_real_py_cpuinfo_reaches_the_same_level() -> None:
    said = witnesses.py_cpuinfo()
    assert features.level_of(said.features) == features.level_of(usable())
    assert said.vendor == cpuid.read().vendor
    assert said.brand == cpuid.read().brand


def played(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Put a py-cpuinfo of another machine (macOS, one that fails) in the place of ours."""

    def get_cpu_info() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    module = types.ModuleType("cpuinfo")
    module.get_cpu_info = get_cpu_info  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cpuinfo", module)


PY_CPUINFO_SILENT = {
    "it raises": (Exception("py-cpuinfo currently only works on X86"), "failed: py-cpuinfo curr"),
    "it knows nothing": ({}, "tells no x86 features here"),
    "it knows ARM": ({"flags": ["asimd", "crc32"]}, "tells no x86 features here"),
}


@pytest.mark.parametrize(("answer", "why"), PY_CPUINFO_SILENT.values(), ids=PY_CPUINFO_SILENT)
def test_py_cpuinfo_is_silent_where(answer: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, answer)
    with pytest.raises(Silent, match=why):
        witnesses.py_cpuinfo()


def test_no_py_cpuinfo_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cpuinfo", None)
    with pytest.raises(Silent, match="py-cpuinfo is not installed"):
        witnesses.py_cpuinfo()


MAC_NAMES = {
    "macOS writes dots": ("sse4.1 sse4.2 avx1.0", "sse4_1 sse4_2 avx"),
    "macOS calls things otherwise": ("rdwrfsgs lzcnt bmi", "fsgsbase abm bmi1"),
    "compilers' names": ("sse3 pclmul cmpxchg16b", "pni pclmulqdq cx16"),
    "Linux's names stay": ("pni sse4_1 avx2", "pni sse4_1 avx2"),
}


@pytest.mark.parametrize(("said", "wanted"), MAC_NAMES.values(), ids=MAC_NAMES)
def test_py_cpuinfo_names_become_linux_names(
    said: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(
        monkeypatch,
        {
            "flags": said.split(),
            "vendor_id_raw": "GenuineIntel",
            "brand_raw": "Intel(R) Core(TM)   i5-2415M ",
            "family": 6,
            "model": 42,
            "stepping": 7,
        },
    )
    assert witnesses.py_cpuinfo() == Statement(
        frozenset(wanted.split()), "GenuineIntel", "Intel(R) Core(TM) i5-2415M", 6, 42, 7
    )


def test_every_name_that_is_translated_becomes_a_known_one() -> None:
    assert set(witnesses._LINUX_NAMES.values()) <= features.KNOWN


def test_loaders_are_the_real_ones() -> None:
    assert any(os.path.exists(loader) for loader in witnesses.LOADERS)
