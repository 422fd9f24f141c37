"""The table of named CPUs against recordings of real ones, archspec and itself."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import features, models
from legacy_doctor.cpu.features import Word
from legacy_doctor.errors import UnknownCpuError


class Recorded(NamedTuple):
    """CPUID words read off a real CPU (public dumps; the model's `facts` name the file)."""

    leaf: int
    signature: int
    leaf1_ecx: int
    ext_ecx: int
    ext_edx: int
    leaf7_ebx: int = 0
    leaf7_ecx: int = 0
    leaf7_edx: int = 0
    leaf7_1_eax: int = 0
    leaf13_1_eax: int | None = None
    """None: the dump has no sub-leaf 1, so XSAVEOPT and XSAVEC are not on record."""


LEAF1_EDX = 0x078BFBFF  # alike in all of them but for features the table does not list
NOT_LISTED = {"hle", "rtm"}  # TSX: withdrawn by microcode, left out of the table

RECORDED = {
    "opteron-248": Recorded(0x1, 0xF5A, 0x0, 0x0, 0xE1D3FBFF),
    "athlon-64-3200": Recorded(0x1, 0x20FF0, 0x1, 0x1, 0xE3D3FBFF),
    "athlon-64-x2-3800": Recorded(0x1, 0x20FB1, 0x1, 0x3, 0xE3D3FBFF),
    "athlon-64-x2-5200": Recorded(0x1, 0x60FB2, 0x2001, 0x11F, 0xEBD3FBFF),
    "opteron-2344": Recorded(0x5, 0x100F2A, 0x802009, 0x7FF, 0xEFD3FBFF),
    "phenom-x4-9550": Recorded(0x5, 0x100F23, 0x802009, 0x7FF, 0xEFD3FBFF),
    "phenom-ii-x4-955": Recorded(0x5, 0x100F42, 0x802009, 0x37FF, 0xEFD3FBFF),
    "athlon-ii-x4-635": Recorded(0x5, 0x100F52, 0x802009, 0x37FF, 0xEFD3FBFF),
    "phenom-ii-x6-1090t": Recorded(0x6, 0x100FA0, 0x802009, 0x37FF, 0xEFD3FBFF),
    "athlon-ii-p320": Recorded(0x5, 0x100F63, 0x802009, 0x8377F, 0xEFD3FBFF),
    "opteron-6128": Recorded(0x5, 0x100F91, 0x802009, 0x837FF, 0xEFD3FBFF),
    "a8-3850": Recorded(0x6, 0x300F10, 0x802009, 0x37FF, 0xEFD3FBFF),
    "e-350": Recorded(0x6, 0x500F10, 0x802209, 0x35FF, 0x2FD3FBFF),
    "e-450": Recorded(0x6, 0x500F20, 0x802209, 0x35FF, 0x2FD3FBFF),
    "athlon-5350": Recorded(0xD, 0x700F01, 0x3ED8220B, 0x154037FF, 0x2FD3FBFF, 0x8, leaf13_1_eax=1),
    "a8-6410": Recorded(0xD, 0x730F01, 0x7ED8220B, 0x1D4037FF, 0x2FD3FBFF, 0x8, leaf13_1_eax=1),
    "fx-8150": Recorded(0xD, 0x600F12, 0x1E98220B, 0x1C9BFFF, 0x2FD3FBFF),
    "opteron-6238": Recorded(0xD, 0x600F12, 0x1E98220B, 0x1C9BFFF, 0x2FD3FBFF, leaf13_1_eax=0),
    "fx-8350": Recorded(0xD, 0x600F20, 0x3E98320B, 0x1EBBFFF, 0x2FD3FBFF, 0x8),
    "opteron-6380": Recorded(0xD, 0x600F20, 0x3E98320B, 0x1EB3FFF, 0x2FD3FBFF, 0x8, leaf13_1_eax=0),
    "a10-6800k": Recorded(0xD, 0x610F31, 0x3E98320B, 0x1EBBFFF, 0x2FD3FBFF, 0x8, leaf13_1_eax=0),
    "a10-7850k": Recorded(0xD, 0x630F01, 0x3E98320B, 0xFEBBFFF, 0x2FD3FBFF, 0x9, leaf13_1_eax=1),
    "a9-9410": Recorded(0xD, 0x670F00, 0x7ED8320B, 0x2FABBFFF, 0x2FD3FBFF, 0x1A9, leaf13_1_eax=1),
    "ryzen-7-1800x": Recorded(0xD, 0x800F11, 0x7ED8320B, 0x35C233FF, 0x2FD3FBFF, 0x209C01A9),
    "epyc-7551p": Recorded(0xD, 0x800F12, 0x7ED8320B, 0x35C233FF, 0x2FD3FBFF, 0x209C01A9),
    "epyc-7713": Recorded(
        0x10, 0xA00F11, 0x7EDA320B, 0x75C237FF, 0x2FD3FBFF, 0x219C97A9, 0x40068C, 0x10, 0, 0xF
    ),
    "ryzen-5-5600x3d": Recorded(
        0x10, 0xA20F12, 0x7EF8320B, 0x75C237FF, 0x2FD3FBFF, 0x219C97A9, 0x40068C, 0x10, 0, 0xF
    ),
    "pentium-4-640": Recorded(0x5, 0xF43, 0x649D, 0x0, 0x20100000),
    "core-2-duo-e6550": Recorded(0xA, 0x6F6, 0xE3BD, 0x1, 0x20100000),
    "core-2-quad-q6600": Recorded(0xA, 0x6FB, 0xE3BD, 0x1, 0x20000000),
    "core-2-duo-p8400": Recorded(0xA, 0x10676, 0x8E3FD, 0x1, 0x20100000),
    "core-2-quad-q9450": Recorded(0xA, 0x10677, 0x8E3FD, 0x1, 0x20100000),
    "pentium-e5200": Recorded(0xA, 0x10676, 0xE39D, 0x1, 0x20100000),
    "pentium-e5700": Recorded(0xD, 0x1067A, 0xC00E3BD, 0x1, 0x20100000),
    "core-i7-920": Recorded(0xB, 0x106A4, 0x98E3BD, 0x1, 0x28100000),
    "core-i5-650": Recorded(0xB, 0x20652, 0x298E3FF, 0x1, 0x28100000),
    "xeon-x5650": Recorded(0xB, 0x206C2, 0x29EE3FF, 0x1, 0x2C100000),
    "pentium-g6950": Recorded(0xB, 0x20655, 0x82E39D, 0x1, 0x28100000),
    "celeron-g540": Recorded(0xD, 0x206A7, 0x59AE3BF, 0x1, 0x28100000),
    "core-i5-2500k": Recorded(0xD, 0x206A7, 0x1F9AE3BF, 0x1, 0x28100000),
    "celeron-g1610": Recorded(0xD, 0x306A9, 0xD9AE3BF, 0x1, 0x28100000, 0x281),
    "core-i5-3210m": Recorded(0xD, 0x306A9, 0x7F9AE3BF, 0x1, 0x28100000, 0x281),
    "core-i7-4770": Recorded(0xD, 0x306C3, 0x7FDAFBBF, 0x21, 0x2C100000, 0x27AB),
    "pentium-g4400": Recorded(
        0x16, 0x506E3, 0x4FFAEBBF, 0x121, 0x2C100000, 0x2942603, leaf13_1_eax=0xF
    ),
    "core-i7-6700": Recorded(0x16, 0x506E3, 0x7FFAFBBF, 0x121, 0x2C100000, 0x29C6FBB),
    "pentium-g4560": Recorded(
        0x16, 0x906E9, 0x4FFAEBBF, 0x121, 0x2C100000, 0x2946687, leaf13_1_eax=0xF
    ),
    "pentium-gold-g5400": Recorded(
        0x16, 0x906EA, 0x4FFAEBBF, 0x121, 0x2C100000, 0x2946687, 0x40000000, 0xC000000, 0, 0xF
    ),
    "core-i3-1220p": Recorded(
        0x20,
        0x906A4,
        0x7FFAFBBF,
        0x121,
        0x2C100000,
        0x239CA7EB,
        0x984007AC,
        0xFC18C410,
        0x400810,
        0xF,
    ),
    "atom-n450": Recorded(0xA, 0x106CA, 0x40E39D, 0x1, 0x20100800),
    "atom-d425": Recorded(0xA, 0x106CA, 0x40E31D, 0x1, 0x20100800),
    "celeron-j1900": Recorded(0xB, 0x30673, 0x41D8E3BF, 0x101, 0x28100000, 0x2282),
    "celeron-n3150": Recorded(0xB, 0x406C3, 0x43D8E3BF, 0x101, 0x28100000, 0x2282),
    "celeron-j3455": Recorded(
        0x15, 0x506C9, 0x4FF8EBBF, 0x101, 0x2C100000, 0x2294E283, leaf13_1_eax=0xF
    ),
    "celeron-j4125": Recorded(
        0x18, 0x706A8, 0x4FF8EBBF, 0x101, 0x2C100000, 0x2294E287, 0x40400004, 0xAC000400, 0, 0xF
    ),
    "celeron-n5105": Recorded(
        0x1B, 0x906C0, 0x4FF8EBBF, 0x101, 0x28100000, 0x2394A2C3, 0x18400124, 0xFC000400, 0, 0xF
    ),
}

# A Xeon D-1718T, in a VM: the core of the Xeon 8375C, under another model number.
ICE_LAKE = Recorded(
    0x1B, 0x606C1, 0xFFFAF387, 0x121, 0x2C100800, 0xF3BFBFB9, 0x415F46, 0xBC000410, 0, 0xF
)


def decoded(recorded: Recorded) -> frozenset[str]:
    """What the table must say of a CPU that answered so."""
    found = features.decode(
        {
            Word(1, 0, "edx"): LEAF1_EDX,
            Word(1, 0, "ecx"): recorded.leaf1_ecx,
            Word(7, 0, "ebx"): recorded.leaf7_ebx,
            Word(7, 0, "ecx"): recorded.leaf7_ecx,
            Word(7, 0, "edx"): recorded.leaf7_edx,
            Word(7, 1, "eax"): recorded.leaf7_1_eax,
            Word(0xD, 1, "eax"): recorded.leaf13_1_eax or 0,
            Word(0x80000001, 0, "ecx"): recorded.ext_ecx,
            Word(0x80000001, 0, "edx"): recorded.ext_edx,
        }
    )
    # a 32-bit dumping program does not see SYSCALL on Intel; every x86-64 CPU has it
    return (found | {"syscall"}) - NOT_LISTED


def signature(eax: int) -> tuple[int, int]:
    family, model = eax >> 8 & 0xF, eax >> 4 & 0xF
    if family in {6, 15}:
        model |= eax >> 12 & 0xF0
    return family + (eax >> 20 & 0xFF if family == 15 else 0), model


def unrecorded(recorded: Recorded) -> frozenset[str]:
    return frozenset({"xsaveopt", "xsavec"} if recorded.leaf13_1_eax is None else ())


@pytest.mark.parametrize("name", RECORDED)
def test_features_are_those_a_real_cpu_answered(name: str) -> None:
    recorded = RECORDED[name]
    table = models.find(name).cpu.features
    assert table - unrecorded(recorded) == decoded(recorded) - unrecorded(recorded)


@pytest.mark.parametrize("name", RECORDED)
def test_highest_leaf_family_and_model_are_those_a_real_cpu_answered(name: str) -> None:
    recorded, cpu = RECORDED[name], models.find(name).cpu
    assert cpu.cpuid_level == recorded.leaf
    assert (cpu.family, cpu.model) == signature(recorded.signature)


def test_ice_lake_server_has_the_features_of_its_core() -> None:
    assert models.find("icelake-server").cpu.features == decoded(ICE_LAKE)


LEVELS = {
    "an Opteron without SSE3 is v1": ("opteron-248", "x86-64-v1"),
    "an Athlon 64 X2 is v1": ("athlon-64-x2", "x86-64-v1"),
    "a Phenom is v1": ("phenom", "x86-64-v1"),
    "a Phenom II is v1": ("phenom-ii", "x86-64-v1"),
    "an Athlon II is v1": ("athlon-ii", "x86-64-v1"),
    "a Magny-Cours Opteron is v1": ("opteron-6128", "x86-64-v1"),
    "a Llano APU is v1": ("llano", "x86-64-v1"),
    "a Bobcat is v1": ("bobcat", "x86-64-v1"),
    "a Jaguar is v2": ("jaguar", "x86-64-v2"),
    "a Puma is v2": ("puma", "x86-64-v2"),
    "a Bulldozer is v2": ("bulldozer", "x86-64-v2"),
    "a Piledriver is v2": ("piledriver", "x86-64-v2"),
    "a Steamroller is v2": ("steamroller", "x86-64-v2"),
    "an Excavator is v3": ("excavator", "x86-64-v3"),
    "a Zen is v3": ("zen", "x86-64-v3"),
    "a Zen 3 is v3": ("zen3", "x86-64-v3"),
    "a Pentium 4 is v1": ("nocona", "x86-64-v1"),
    "a Conroe is v1": ("conroe", "x86-64-v1"),
    "a Penryn is v1": ("penryn", "x86-64-v1"),
    "a Nehalem is v2": ("nehalem", "x86-64-v2"),
    "a Westmere is v2": ("westmere", "x86-64-v2"),
    "a Clarkdale Pentium is v1": ("pentium-g6950", "x86-64-v1"),
    "a Sandy Bridge is v2": ("sandy-bridge", "x86-64-v2"),
    "a Sandy Bridge Celeron is v2": ("celeron-g540", "x86-64-v2"),
    "an Ivy Bridge is v2": ("ivy-bridge", "x86-64-v2"),
    "a Haswell is v3": ("haswell", "x86-64-v3"),
    "a Haswell Pentium is v2": ("pentium-g3220", "x86-64-v2"),
    "a Broadwell is v3": ("broadwell", "x86-64-v3"),
    "a Broadwell Celeron is v2": ("celeron-3205u", "x86-64-v2"),
    "a Skylake is v3": ("skylake", "x86-64-v3"),
    "a Skylake Pentium is v2": ("pentium-g4400", "x86-64-v2"),
    "a Comet Lake Celeron is v2": ("celeron-g5900", "x86-64-v2"),
    "a Skylake-SP is v4": ("skylake-sp", "x86-64-v4"),
    "an Ice Lake-SP is v4": ("ice-lake-sp", "x86-64-v4"),
    "an Alder Lake is v3": ("alder-lake", "x86-64-v3"),
    "a Bonnell Atom is v1": ("bonnell", "x86-64-v1"),
    "a Silvermont is v2": ("silvermont", "x86-64-v2"),
    "a Goldmont Plus is v2": ("j4125", "x86-64-v2"),
    "a Tremont is v2": ("tremont", "x86-64-v2"),
    "kvm64 is v1": ("kvm64", "x86-64-v1"),
    "qemu64 is v1": ("qemu64", "x86-64-v1"),
    "cpu64-rhel6 is v1": ("cpu64-rhel6", "x86-64-v1"),
    "Proxmox's default is v2": ("x86-64-v2-AES", "x86-64-v2"),
    "Proxmox's v3 is v3": ("proxmox-x86-64-v3", "x86-64-v3"),
}


@pytest.mark.parametrize(("name", "level"), LEVELS.values(), ids=LEVELS)
def test_level(name: str, level: str) -> None:
    assert models.find(name).cpu.level == level


@pytest.mark.parametrize("level", features.LEVELS)
def test_generic_level_is_exactly_the_level(level: str) -> None:
    cpu = models.find(level).cpu
    assert cpu.level == level
    assert cpu.features == features.cumulative(level) | {"lm"}
    assert cpu.cpuid_level is None


DETAILS = {
    "K10 counts bits but has no SSSE3": ("phenom-ii", "popcnt abm sse4a cx16 lahf_lm", "ssse3"),
    "Bobcat has SSSE3 but no SSE4.1": ("bobcat", "ssse3 sse4a popcnt abm", "sse4_1 3dnow"),
    "Jaguar stops short of AVX2": ("jaguar", "avx bmi1 f16c movbe", "avx2 fma bmi2 rdrand"),
    "Bulldozer has XOP but no BMI1": ("bulldozer", "xop fma4 avx", "bmi1 fma f16c tbm"),
    "Piledriver adds FMA but not AVX2": ("piledriver", "fma f16c bmi1 tbm", "avx2 bmi2 movbe"),
    "Zen drops XOP and FMA4": ("zen", "avx2 sha_ni", "xop fma4 tbm"),
    "Prescott has no LAHF": ("prescott", "pni cx16", "lahf_lm ssse3"),
    "early K8 has no SSE3": ("opteron-g1", "sse2 3dnow", "pni lahf_lm cx16"),
    "Penryn has SSE4.1 and no more": ("penryn", "sse4_1 ssse3", "sse4_2 popcnt"),
    "a Penryn-model Pentium has no SSE4.1": ("e5700", "ssse3 xsave", "sse4_1"),
    "Nehalem has RDTSCP, QEMU's has not": ("nehalem", "rdtscp sse4_2 popcnt", "aes"),
    "Clarkdale Pentium counts bits without SSE4": ("g6950", "popcnt", "sse4_1 sse4_2 aes"),
    "Sandy Bridge has AVX": ("sandybridge", "avx aes xsave", "f16c rdrand fsgsbase"),
    "Sandy Bridge Celeron has no AVX": ("g620", "sse4_2 pclmulqdq xsave", "avx aes"),
    "Ivy Bridge Celeron has no AVX": ("g2020", "fsgsbase erms", "avx f16c aes rdrand"),
    "Haswell Pentium keeps LZCNT and MOVBE": (
        "g3220",
        "abm movbe rdrand",
        "avx avx2 bmi1 bmi2 fma f16c aes",
    ),
    "Broadwell Celeron has no AES": ("3205u", "rdseed abm", "avx aes adx bmi1"),
    "Skylake Pentium has AES, no AVX": ("g4400", "aes clflushopt", "avx bmi1 adx"),
    "Alder Lake has no AVX-512": ("alder-lake", "avx_vnni vaes", "avx512f"),
    "Bonnell has MOVBE and SSSE3": ("bonnell", "movbe ssse3", "sse4_1 popcnt rdtscp"),
    "Silvermont has no AES on the J1900": ("j1900", "sse4_2 movbe rdrand", "aes xsave avx"),
    "Goldmont Plus has SHA, no AVX": ("j4125", "sha_ni rdseed movbe aes", "avx bmi1"),
    "Proxmox's default has AES, no AVX": ("x86-64-v2-AES", "aes popcnt", "avx xsave"),
}


@pytest.mark.parametrize(("name", "has", "lacks"), DETAILS.values(), ids=DETAILS)
def test_details_that_decide_verdicts(name: str, has: str, lacks: str) -> None:
    found = models.find(name).cpu.features
    assert found >= set(has.split())
    assert not found & set(lacks.split())


LEAVES = {
    "K8 ends at 1": ("athlon-64-x2", 1),
    "K10 ends at 5": ("phenom-ii-x4", 5),
    "Thuban ends at 6": ("phenom-ii-x6", 6),
    "Llano ends at 6": ("llano", 6),
    "Bobcat ends at 6": ("bobcat", 6),
    "Bulldozer ends at 13": ("bulldozer", 13),
    "Jaguar ends at 13": ("jaguar", 13),
    "Zen 3 ends at 16": ("zen3", 16),
}


@pytest.mark.parametrize(("name", "leaf"), LEAVES.values(), ids=LEAVES)
def test_highest_cpuid_leaf(name: str, leaf: int) -> None:
    assert models.find(name).cpu.cpuid_level == leaf


FAMILY_TREE = (
    "opteron-248 athlon-64-3200 opteron-2210 athlon-64-x2-5200 athlon-ii-p320 phenom-ii",
    "e-350 athlon-5350 a8-6410 ryzen-7-1800x epyc-7713",
    "e-350 fx-8150 fx-8350 a10-7850k a9-9410",
    "nocona conroe penryn nehalem westmere sandybridge ivybridge haswell broadwell skylake",
    "skylake skylake-sp ice-lake-sp",
    "skylake alder-lake",
    "conroe e5700",
    "conroe g6950 nehalem g540 g1610 g3220 3205u g4400",
    "conroe atom-n450 j1900 n3150 j3455 j4125 n5105",
    "kvm64 qemu64 proxmox-x86-64-v2 x86-64-v2-aes proxmox-x86-64-v3",
    "x86-64-v1 x86-64-v2 x86-64-v3 x86-64-v4",
)


@pytest.mark.parametrize("line", FAMILY_TREE)
def test_children_can_all_that_their_parents_can(line: str) -> None:
    sets = [models.find(name).cpu.features for name in line.split()]
    for parent, child in itertools.pairwise(sets):
        assert parent <= child


def test_there_are_at_least_forty() -> None:
    assert len(models.named()) >= 40


def test_names_are_kebab_case() -> None:
    for item in models.named():
        for word in (item.name, *item.aliases):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word), word


def test_no_two_cpus_answer_to_one_name() -> None:
    words = [word for item in models.named() for word in (item.name, *item.aliases)]
    folded = [word.replace("-", "") for word in words]
    assert len(folded) == len(set(folded))


def test_every_feature_is_one_that_cpuid_can_show() -> None:
    for item in models.named():
        assert item.cpu.features <= features.KNOWN, item.name


def test_cpu_says_which_model_it_is() -> None:
    for item in models.named():
        assert item.cpu.source == f"model:{item.name}"
        assert item.cpu.level == features.level_of(item.cpu.features)
        assert item.facts
        assert item.title
        assert 2003 <= item.year <= 2026


def test_only_avx512_is_beyond_emulation() -> None:
    for item in models.named():
        assert (item.emulation is None) == ("avx512f" in item.cpu.features), item.name


def test_emulation_lacks_what_tcg_lacks_of_the_table() -> None:
    for item in models.named():
        if item.emulation is not None:
            assert item.emulation.lacks == item.cpu.features & models.TCG_LACKS
            assert not item.emulation.adds & item.cpu.features


def test_no_level_rests_on_a_feature_that_tcg_lacks() -> None:
    for item in models.named():
        if item.emulation is not None:
            shown = (item.cpu.features - item.emulation.lacks) | item.emulation.adds
            assert features.level_of(shown) == item.cpu.level, item.name


def test_microarchitecture_is_archspecs_name_and_true() -> None:
    from archspec.cpu import TARGETS

    for item in models.named():
        name = item.cpu.microarchitecture
        if name is None:
            continue
        target = TARGETS[name]
        asked = {features.ALIASES.get(word, word) for word in target.features} & features.KNOWN
        assert asked <= item.cpu.features, item.name
        assert target.vendor == item.cpu.vendor


QEMU_MODELS = {
    "phenom": "phenom-x4-9550",
    "Opteron_G1": "opteron-248",
    "Opteron_G2": "opteron-2210",
    "Opteron_G3": "opteron-2344",
    "Opteron_G4": "opteron-6238",
    "Opteron_G5": "opteron-6380",
    "EPYC": "epyc-7551p",
    "EPYC-Milan": "epyc-7713",
    "Conroe": "core-2-duo-e6550",
    "Penryn": "core-2-duo-p8400",
    "Nehalem": "core-i7-920",
    "Westmere": "xeon-x5650",
    "SandyBridge": "core-i5-2500k",
    "IvyBridge": "core-i5-3210m",
    "Haswell": "core-i7-4770",
    "Broadwell": "core-i5-5200u",
    "Skylake-Client": "core-i7-6700",
    "Skylake-Server": "xeon-gold-6132",
    "Icelake-Server": "xeon-platinum-8375c",
    "kvm64": "kvm64",
    "qemu64": "qemu64",
    "core2duo": "core2duo",
    "cpu64-rhel6": "cpu64-rhel6",
}


@pytest.mark.parametrize(("alias", "name"), QEMU_MODELS.items(), ids=QEMU_MODELS)
def test_qemu_model_name_finds_the_silicon_it_plays(alias: str, name: str) -> None:
    assert models.find(alias).name == name


SPELLINGS = {
    "as listed": "phenom-ii-x6-1090t",
    "with spaces and capitals": "Phenom II X6 1090T",
    "with underscores": "phenom_ii_x6_1090t",
    "run together": "PhenomIIX6",
    "by number": "1090T",
    "the general name": "phenom-ii",
}


@pytest.mark.parametrize("word", SPELLINGS.values(), ids=SPELLINGS)
def test_spelling_does_not_matter(word: str) -> None:
    assert models.find(word).name == "phenom-ii-x6-1090t"


@pytest.mark.parametrize(
    "word",
    [word for item in models.named() for word in (item.name, *item.aliases)],
)
def test_every_name_and_alias_is_found(word: str) -> None:
    found = models.find(word.upper().replace("-", "_"))
    assert word in (found.name, *found.aliases)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownCpuError) as caught:
        models.find("phenm")
    assert str(caught.value).startswith("unknown CPU 'phenm'; did you mean 'phenom'")
    assert "`legacy-doctor cpu --list`" in str(caught.value)


def test_unknown_name_without_a_near_one_suggests_nothing() -> None:
    with pytest.raises(UnknownCpuError) as caught:
        models.find("zzzzzzzz")
    assert str(caught.value) == (
        "unknown CPU 'zzzzzzzz' (`legacy-doctor cpu --list` names them all)"
    )


def complaint(text: str) -> str:
    try:
        models.find(text)
    except UnknownCpuError as error:
        return str(error)
    return ""


@given(st.text())
def test_any_text_is_a_name_or_one_line_of_error(text: str) -> None:
    assert len(complaint(text).splitlines()) <= 1
