"""The bit table, the psABI levels, and what the system must save before a feature may be used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import features
from legacy_doctor.cpu.features import LEVELS, Word

V1 = "cmov cx8 fpu fxsr mmx syscall sse sse2"
V2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
V3 = "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
V4 = "avx512f avx512bw avx512cd avx512dq avx512vl"


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PSABI = {"x86-64-v1": V1, "x86-64-v2": V2, "x86-64-v3": V3, "x86-64-v4": V4}


@pytest.mark.parametrize(("level", "adds"), PSABI.items(), ids=PSABI)
def test_a_level_adds_what_the_psabi_says(level: str, adds: str) -> None:
    assert LEVELS[level] == names(adds)


def test_there_are_four_levels_and_the_oldest_comes_first() -> None:
    assert list(LEVELS) == list(PSABI)


CUMULATIVE = {
    "x86-64-v1": V1,
    "x86-64-v2": f"{V1} {V2}",
    "x86-64-v3": f"{V1} {V2} {V3}",
    "x86-64-v4": f"{V1} {V2} {V3} {V4}",
}


@pytest.mark.parametrize(("level", "wanted"), CUMULATIVE.items(), ids=CUMULATIVE)
def test_a_level_asks_for_all_below_it(level: str, wanted: str) -> None:
    assert features.cumulative(level) == names(wanted)


@pytest.mark.parametrize(("level", "wanted"), CUMULATIVE.items(), ids=CUMULATIVE)
def test_exactly_what_a_level_asks_for_reaches_it(level: str, wanted: str) -> None:
    assert features.level_of(names(wanted)) == level


BELOW = dict(zip(PSABI, ("below x86-64-v1", *PSABI), strict=False))
ONE_SHORT = [(level, name) for level, adds in PSABI.items() for name in adds.split()]


@pytest.mark.parametrize(("level", "name"), ONE_SHORT, ids=[f"{a} less {b}" for a, b in ONE_SHORT])
def test_a_level_less_any_one_feature_is_the_level_below(level: str, name: str) -> None:
    assert features.level_of(features.cumulative(level) - {name}) == BELOW[level]


LEVEL_OF = {
    "nothing at all": ("", "below x86-64-v1"),
    "v4 without SSE2 is below v1": (f"{V1} {V2} {V3} {V4}".replace("sse2", ""), "below x86-64-v1"),
    "AVX2 does not make up for SSSE3": (f"{V1} {V3} {V2}".replace("ssse3", ""), "x86-64-v1"),
    "AVX-512 does not make up for BMI2": (
        f"{V1} {V2} {V4} {V3}".replace("bmi2", ""),
        "x86-64-v2",
    ),
    "features of no level change nothing": (f"{V1} sse4a aes 3dnow", "x86-64-v1"),
}


@pytest.mark.parametrize(("text", "level"), LEVEL_OF.values(), ids=LEVEL_OF)
def test_level_of(text: str, level: str) -> None:
    assert features.level_of(names(text)) == level


@given(st.frozensets(st.sampled_from(sorted(features.KNOWN))))
def test_any_set_has_the_highest_level_it_contains(some: frozenset[str]) -> None:
    level = features.level_of(some)
    above = list(LEVELS)[list(BELOW.values()).index(level) :]
    assert level not in LEVELS or features.cumulative(level) <= some
    assert not above or not features.cumulative(above[0]) <= some


def test_no_bit_has_two_names_and_no_name_two_bits() -> None:
    every = [name for word in features.BITS.values() for name in word.values()]
    assert len(every) == len(set(every))
    assert set(every) == features.KNOWN


def test_bits_lie_within_their_word_and_registers_exist() -> None:
    for word, bits in features.BITS.items():
        assert word.register in {"eax", "ebx", "ecx", "edx"}
        assert all(0 <= bit < 32 for bit in bits)


LAWS = {
    "levels": features.cumulative("x86-64-v4"),
    "compiler targets": frozenset().union(*features.COMPILER_TARGETS.values()),
    "display names": frozenset(features.DISPLAY),
    "aliases": frozenset(features.ALIASES.values()),
}


@pytest.mark.parametrize("used", LAWS.values(), ids=LAWS)
def test_only_known_features_are_spoken_of(used: frozenset[str]) -> None:
    assert used <= features.KNOWN


def test_an_alias_is_no_name_of_ours() -> None:
    assert not features.ALIASES.keys() & features.KNOWN


@pytest.mark.parametrize("level", LEVELS)
def test_a_compiler_target_called_by_a_level_is_that_level(level: str) -> None:
    target = "x86-64" if level == "x86-64-v1" else level
    assert features.COMPILER_TARGETS[target] | LEVELS["x86-64-v1"] == features.cumulative(level)


TARGET_LEVELS = {
    "nocona": "x86-64-v1",
    "amdfam10": "x86-64-v1",
    "penryn": "x86-64-v1",
    "atom": "x86-64-v1",
    "nehalem": "x86-64-v2",
    "silvermont": "x86-64-v2",
    "bdver2": "x86-64-v2",
    "btver2": "x86-64-v2",
    "haswell": "x86-64-v3",
    "bdver4": "x86-64-v3",
    "znver1": "x86-64-v3",
    "skylake-avx512": "x86-64-v4",
    "znver4": "x86-64-v4",
}


@pytest.mark.parametrize(("target", "level"), TARGET_LEVELS.items(), ids=TARGET_LEVELS)
def test_level_of_a_compiler_target(target: str, level: str) -> None:
    baseline = LEVELS["x86-64-v1"]
    assert features.level_of(features.COMPILER_TARGETS[target] | baseline) == level


DECODE: dict[str, tuple[dict[Word, int], str]] = {
    "no words, no features": ({}, ""),
    "SSE3 is called pni": ({Word(1, 0, "ecx"): 1}, "pni"),
    "LZCNT is called abm": ({Word(0x80000001, 0, "ecx"): 1 << 5}, "abm"),
    "bit 31 counts": ({Word(7, 0, "ebx"): 1 << 31}, "avx512vl"),
    "the same bit in another register is another feature": ({Word(7, 0, "ecx"): 1 << 8}, "gfni"),
    "a sub-leaf of its own": ({Word(7, 1, "eax"): 1 << 4}, "avx_vnni"),
    "a bit without a name is passed over": ({Word(1, 0, "edx"): 1 << 1}, ""),
    "a word without a place is passed over": ({Word(5, 0, "eax"): 0xFFFFFFFF}, ""),
}


@pytest.mark.parametrize(("words", "wanted"), DECODE.values(), ids=DECODE)
def test_decode(words: dict[Word, int], wanted: str) -> None:
    assert features.decode(words) == names(wanted)


def test_all_bits_set_decode_to_all_that_is_known() -> None:
    assert features.decode(dict.fromkeys(features.BITS, 0xFFFFFFFF)) == features.KNOWN


WIDE = "sse2 avx avx2 fma xop avx_vnni vaes avx512f avx512_vnni amx_tile"
PERMITTED = {
    "OSXSAVE clear: nothing wider than XMM": (None, "sse2"),
    "x87 only": (0b1, "sse2"),
    "XMM without YMM": (0b011, "sse2"),
    "YMM without XMM is no AVX": (0b101, "sse2"),
    "YMM: AVX but no AVX-512": (0b111, "sse2 avx avx2 fma xop avx_vnni vaes"),
    "opmask and lower ZMM only: no AVX-512": (0x67, "sse2 avx avx2 fma xop avx_vnni vaes"),
    "all of ZMM": (0xE7, "sse2 avx avx2 fma xop avx_vnni vaes avx512f avx512_vnni"),
    "ZMM without YMM is no AVX-512": (0xE3, "sse2"),
    "tile configuration without tile data is no AMX": (
        0x200E7,
        "sse2 avx avx2 fma xop avx_vnni vaes avx512f avx512_vnni",
    ),
    "tiles": (0x600E7, WIDE),
}


@pytest.mark.parametrize(("xcr0", "wanted"), PERMITTED.values(), ids=PERMITTED)
def test_permitted(xcr0: int | None, wanted: str) -> None:
    assert features.permitted(names(WIDE), xcr0) == names(wanted)


@pytest.mark.parametrize("name", sorted(n for n in features.KNOWN if n.startswith("avx")))
def test_all_that_is_called_avx_waits_for_the_system(name: str) -> None:
    assert features.permitted(frozenset({name}), None) == frozenset()


@given(
    st.frozensets(st.sampled_from(sorted(features.KNOWN))),
    st.one_of(st.none(), st.integers(0, 2**64 - 1)),
)
def test_the_system_only_takes_away(some: frozenset[str], xcr0: int | None) -> None:
    assert features.permitted(some, xcr0) <= some


EXPAND = {
    "nothing": ((), ""),
    "a level stands for all it asks for": (("x86-64-v2",), f"{V1} {V2}"),
    "a feature stands for itself": (("sse4a",), "sse4a"),
    "both together": (("x86-64-v1", "avx2"), f"{V1} avx2"),
    "an unknown word is kept for the reader to complain": (("sse9",), "sse9"),
}


@pytest.mark.parametrize(("given_", "wanted"), EXPAND.values(), ids=EXPAND)
def test_expand(given_: tuple[str, ...], wanted: str) -> None:
    assert features.expand(given_) == names(wanted)


DISPLAYED = {
    "pni": "SSE3",
    "sse4_1": "SSE4.1",
    "abm": "LZCNT",
    "cx16": "CMPXCHG16B",
    "gfni": "gfni",
}


@pytest.mark.parametrize(("name", "shown"), DISPLAYED.items(), ids=DISPLAYED)
def test_display(name: str, shown: str) -> None:
    assert features.display(name) == shown


ORDERED = {
    "by level, oldest first": ("avx512f avx2 sse4_1 sse2", "sse2 sse4_1 avx2 avx512f"),
    "within a level as people count": ("popcnt sse4_2 pni ssse3", "pni ssse3 sse4_2 popcnt"),
    "the rest last, alphabetically": ("sse4a aes xsave 3dnow", "xsave 3dnow aes sse4a"),
}


@pytest.mark.parametrize(("mixed", "wanted"), ORDERED.values(), ids=ORDERED)
def test_ordered(mixed: str, wanted: str) -> None:
    assert features.ordered(mixed.split()) == tuple(wanted.split())


@given(st.lists(st.sampled_from(sorted(features.KNOWN)), unique=True))
def test_order_does_not_depend_on_the_order_asked(some: list[str]) -> None:
    assert features.ordered(some) == features.ordered(reversed(some))
    assert sorted(features.ordered(some)) == sorted(some)


def test_levels_are_ordered_one_after_the_other() -> None:
    flat = features.ordered(features.cumulative("x86-64-v4"))
    levels = [next(level for level in LEVELS if name in LEVELS[level]) for name in flat]
    assert levels == sorted(levels)


ABRIDGED = {
    "nothing": ("", ""),
    "a level and nothing else": (f"{V1} {V2}", "x86-64-v2"),
    "a level and more": (f"{V1} {V2} aes avx", "x86-64-v2 avx aes"),
    "less than any level": ("sse2 sse", "sse sse2"),
    "a level's own features without those below": (V4, V4),
}


@pytest.mark.parametrize(("mixed", "wanted"), ABRIDGED.values(), ids=ABRIDGED)
def test_abridged(mixed: str, wanted: str) -> None:
    assert features.abridged(names(mixed)) == tuple(wanted.split())
