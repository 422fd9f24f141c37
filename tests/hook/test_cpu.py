"""Which witness is believed about the CPU, and what is said of it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from legacy_doctor.cpu import features
from legacy_doctor.hook.rules import Guard, Where
from legacy_doctor.model import When
from tests.hook.conftest import ABSENT, PRESENT, guard
from tests.hook.parts import Load

KERNEL = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD Phenom(tm) II X6 1090T Processor
cpuid level\t: 6
flags\t\t: fpu sse sse2 pni 3dnow
power management: ts ttp

processor\t: 1
flags\t\t: another
"""


def special(when: When | None, *needs: str) -> Guard:
    return Guard(
        module="m", distribution="m", where=Where(needs=frozenset(needs), when=when), remedy="r"
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What /proc/cpuinfo says; None: it is not there."""
    answer: dict[str, str | None] = {"text": KERNEL}
    real = open

    def opens(path: Any, *rest: Any, **kwargs: Any) -> Any:
        if path != "/proc/cpuinfo":
            return real(path, *rest, **kwargs)
        if answer["text"] is None:
            raise FileNotFoundError(path)
        return io.BytesIO(answer["text"].encode())

    monkeypatch.setattr("builtins.open", opens)
    return answer


def silent_glibc(space: dict[str, Any]) -> dict[str, Any]:
    def ask_glibc() -> frozenset[str]:
        raise OSError("no such symbol")

    space["ask_glibc"] = ask_glibc
    return space


def test_glibc_tells_what_the_doctor_itself_reads(load: Load) -> None:
    from legacy_doctor.cpu import witnesses

    try:
        known = witnesses.glibc().features
    except witnesses.Silent as error:
        pytest.skip(str(error))
    everything = Guard(module="m", distribution="m", where=Where(needs=features.KNOWN), remedy="r")
    assert load(everything)["ask_glibc"]() == known & features.KNOWN


def test_glibc_comes_first(load: Load, told: dict[str, str | None]) -> None:
    space = load(guard("m"))
    space["ask_glibc"] = lambda: frozenset({"sse2"})
    assert space["features"]() == {"sse2"}
    told["text"] = None
    assert space["features"]() == {"sse2"}


def test_then_the_kernel(load: Load, told: dict[str, str | None]) -> None:
    space = silent_glibc(load(guard("m")))
    assert "3dnow" in space["features"]()
    assert "another" not in space["features"]()


def test_an_unknown_cpu_lacks_nothing(load: Load, told: dict[str, str | None]) -> None:
    told["text"] = None
    space = silent_glibc(load(guard("m")))
    assert space["features"]() is None
    assert space["lacking"]([((ABSENT,), None, None)]) == []


LOW = When(vendor="AuthenticAMD", cpuid_level_below=11)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ([(("avx", "avx2"), None, None)], ["lacks avx, avx2"]),
        ([(("pni",), None, None)], []),
        ([((), "AuthenticAMD", 11)], ["is of AuthenticAMD with CPUID leaves up to 6"]),
        ([((), "AuthenticAMD", 6)], []),
        ([((), "GenuineIntel", 11)], []),
        ([((), None, 11)], ["is of AuthenticAMD with CPUID leaves up to 6"]),
        (
            [(("avx",), "AuthenticAMD", 11)],
            ["lacks avx", "is of AuthenticAMD with CPUID leaves up to 6"],
        ),
        ([(("pni",), "AuthenticAMD", 11)], []),
        ([(("pni",), None, None), (("avx",), None, None)], ["lacks avx"]),
        ([], []),
    ],
    ids=[
        "features",
        "none missing",
        "a kind of CPU",
        "a level that it reaches",
        "another vendor",
        "a level of any vendor",
        "both",
        "one of the two",
        "the second condition",
        "no condition",
    ],
)
def test_conditions(load: Load, told: object, where: Any, words: list[str]) -> None:
    assert silent_glibc(load(guard("m")))["lacking"](where) == words


def test_a_kind_of_cpu_that_nobody_tells_is_not_this_one(
    load: Load, told: dict[str, str | None]
) -> None:
    told["text"] = "flags\t: fpu\n"
    assert silent_glibc(load(special(LOW)))["lacking"]([((), "AuthenticAMD", 11)]) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (KERNEL, "AMD Phenom(tm) II X6 1090T Processor"),
        (KERNEL.replace("pni", "pni sse4_1"), "a made-up CPU"),
        (None, "a made-up CPU"),
    ],
    ids=["the kernel's name", "the kernel speaks of another", "nobody tells"],
)
def test_the_name_in_the_message(
    load: Load, told: dict[str, str | None], text: str | None, name: str
) -> None:
    told["text"] = text
    space = load(guard("m", "sse4_1"))
    space["ask_glibc"] = lambda: frozenset({PRESENT})
    assert space["cpu_name"]((("sse4_1",), None, None)) == name
