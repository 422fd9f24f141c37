"""Which pin decides where several speak of one distribution."""

from __future__ import annotations

import pytest

from legacy_doctor.diagnosis.claims import concerning, judge, overruled_as_advice, same_topic
from legacy_doctor.model import Cpu, Knowledge, Pin, When
from tests.diagnosis.patients import (
    HASWELL,
    NEHALEM,
    NEW,
    PHENOM,
    cpu,
    dist,
    knowing,
    patient,
    pin,
    pinset,
    words,
)

DIES = pin("numpy", ">=2.4", "<2.4", needs="sse4_1", grade="reported", symptom="it dies")
AMD_BELOW_7 = When(vendor="AuthenticAMD", cpuid_level_below=7)


def standing(*pins: Pin, version: str = "2.4.6", on: Cpu = PHENOM, beside: str = "") -> list[Pin]:
    installed = [dist("numpy", version), *map(dist, beside.split())]
    (judgement,) = judge(patient(*installed, on=on), knowing(*pins))
    return list(judgement.standing)


ANSWERS = {
    "nobody contradicts": ([], True),
    "a stronger one reports that it runs": ([pin("numpy", good="*", grade="emulated")], False),
    "an equal one reports that it runs": ([pin("numpy", good="", grade="reported")], True),
    "a weaker one reports that it runs": ([pin("numpy", good="", grade="inferred")], True),
    "a stronger one reports another version": ([pin("numpy", good="<2", grade="silicon")], True),
    "a stronger one draws another boundary": (
        [pin("numpy", ">=2.5", "<2.5", needs="sse4_1", grade="silicon")],
        False,
    ),
    "a stronger one speaks of another lack": (
        [pin("numpy", ">=2.5", "<2.5", needs="ssse3", grade="silicon")],
        True,
    ),
    "a stronger one speaks of another condition": (
        [pin("numpy", ">=2.5", "<2.5", needs="sse4_1", when=AMD_BELOW_7, grade="silicon")],
        True,
    ),
    "a stronger one about another distribution": ([pin("scipy", good="", grade="silicon")], True),
}


@pytest.mark.parametrize(("others", "stands"), ANSWERS.values(), ids=ANSWERS)
def test_a_claim_stands_until_a_stronger_one_answers_it(others: list[Pin], stands: bool) -> None:
    others = [
        pin("numpy", good="", grade=item.grade.value) if item.good == "*" else item
        for item in others
    ]
    assert (DIES in standing(DIES, *others)) is stands


def test_the_loser_is_kept_with_the_strongest_that_answers_it() -> None:
    emulated = pin("numpy", good="", grade="emulated")
    silicon = pin("numpy", good="", grade="silicon")
    (judgement,) = judge(
        patient(dist("numpy", "2.4.6")), knowing(DIES, emulated, silicon, pin("other", "*"))
    )
    assert judgement.standing == ()
    assert judgement.overruled == ((DIES, silicon),)
    assert judgement.pins == (DIES, emulated, silicon)
    assert judgement.distribution.version == "2.4.6"


@pytest.mark.parametrize(
    ("report", "claim", "answered"),
    [
        pytest.param("import", "import", True, id="imports: answers dies on import"),
        pytest.param("import", "use", False, id="imports: does not answer fails in use"),
        pytest.param("use", "use", True, id="used: answers fails in use"),
        pytest.param("use", "import", True, id="used: answers dies on import too"),
    ],
)
def test_an_import_that_passes_proves_an_import(report: str, claim: str, answered: bool) -> None:
    broken = pin("numpy", ">=2", "<2", grade="reported", stage=claim)
    runs = pin("numpy", good="", grade="silicon", stage=report)
    assert same_topic(runs, broken) is answered
    assert standing(broken, runs) == ([] if answered else [broken])


@pytest.mark.parametrize(
    ("broken", "version", "stands"),
    [
        pytest.param(">=2.4", "2.4.0", True, id="from"),
        pytest.param(">=2.4", "2.3.5", False, id="below"),
        pytest.param("", "0.1", True, id="every version"),
        pytest.param("==2.1.*", "2.1.2", True, id="a series"),
    ],
)
def test_the_installed_version_decides(broken: str, version: str, stands: bool) -> None:
    claim = pin("numpy", broken)
    assert standing(claim, version=version) == ([claim] if stands else [])


def test_what_keeps_the_broken_code_from_being_loaded() -> None:
    claim = pin("numpy", "", unless=("numpy-compat", "other"))
    assert standing(claim) == [claim]
    assert standing(claim, beside="scipy") == [claim]
    assert standing(claim, beside="numpy-compat") == []


CONDITIONS = {
    "no condition": (None, PHENOM, True),
    "its vendor": (When(vendor="AuthenticAMD"), PHENOM, True),
    "another vendor": (When(vendor="GenuineIntel"), PHENOM, False),
    "a low CPUID level": (When(cpuid_level_below=7), PHENOM, True),
    "a CPUID level at the bound": (When(cpuid_level_below=5), PHENOM, False),
    "an unknown CPUID level proves nothing": (
        When(cpuid_level_below=7),
        cpu(cpuid_level=None),
        False,
    ),
    "both": (AMD_BELOW_7, PHENOM, True),
    "the vendor but not the level": (AMD_BELOW_7, cpu(vendor="AuthenticAMD"), False),
    "the level but not the vendor": (AMD_BELOW_7, cpu(cpuid_level=2), False),
}


@pytest.mark.parametrize(("when", "on", "bites"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_on_the_cpu(when: When | None, on: Cpu, bites: bool) -> None:
    claim = pin("numpy", "", when=when)
    assert list(concerning(on, knowing(claim, lacks=""))) == ([claim] if bites else [])


NEEDS = {
    "nothing needed": ("", "", NEW, True),
    "something the CPU lacks": ("", "sse4_1", PHENOM, True),
    "something the CPU has": ("", "sse4_1", NEHALEM, False),
    "one of two lacking": ("", "sse4_1 popcnt", PHENOM, True),
    "a pin-set for older CPUs": ("sse4_1", "", NEHALEM, False),
    "a pin-set for such CPUs": ("avx2", "", NEHALEM, True),
    "a pin-set for such CPUs, a pin for others": ("avx2", "sse4_1", NEHALEM, False),
    "nothing lacking at all": ("avx2 sse4_1", "avx512f", NEW, False),
}


@pytest.mark.parametrize(("lacks", "needs", "on", "bites"), NEEDS.values(), ids=NEEDS)
def test_pins_that_concern_a_cpu(lacks: str, needs: str, on: Cpu, bites: bool) -> None:
    claim = pin("numpy", "", needs=needs)
    assert list(concerning(on, knowing(claim, lacks=lacks))) == ([claim] if bites else [])


def test_pins_come_in_the_order_of_their_pin_sets() -> None:
    first, second = pin("numpy", "", symptom="first"), pin("numpy", "", symptom="second")
    sets = (pinset(first), pinset(lacks="avx512f", id="other"), pinset(second, lacks="avx2"))
    assert list(concerning(PHENOM, Knowledge(pinsets=sets))) == [first, second]
    assert list(concerning(HASWELL, Knowledge(pinsets=sets))) == []


def test_the_worst_claim_decides() -> None:
    """By severity, then death on import before failure in use, then by evidence."""
    ordered = [
        pin("numpy", "", grade="silicon", symptom="1"),
        pin("numpy", "", grade="reported", symptom="2"),
        pin("numpy", "", grade="silicon", stage="use", symptom="3"),
        pin("numpy", "", grade="silicon", severity="warning", symptom="4"),
        pin("numpy", "", grade="silicon", severity="info", symptom="5"),
    ]
    assert standing(*reversed(ordered)) == ordered


def test_only_what_is_installed_and_spoken_of_is_judged() -> None:
    who = patient(dist("scipy"), dist("numpy", "1.26"), dist("six"))
    found = list(judge(who, knowing(DIES, pin("scipy", ""), pin("absent", ""))))
    assert [(item.distribution.name, len(item.standing)) for item in found] == [
        ("scipy", 1),
        ("numpy", 0),
    ]


@pytest.mark.parametrize(
    ("other", "overruled"),
    [
        pytest.param(pin("numpy", ">=2.5", "<2.5", needs="sse4_1"), True, id="stronger, a bound"),
        pytest.param(
            pin("numpy", ">=2.5", "<2.5", needs="sse4_1", grade="reported"),
            False,
            id="equal, a bound",
        ),
        pytest.param(pin("numpy", good="<2.5"), False, id="stronger, but only reports"),
        pytest.param(pin("numpy", ">=2.5", needs="sse4_1"), False, id="stronger, no good one"),
        pytest.param(pin("numpy", ">=2.5", "<2.5", needs="ssse3"), False, id="another lack"),
    ],
)
def test_whose_advice_is_overruled(other: Pin, overruled: bool) -> None:
    assert overruled_as_advice(DIES, (DIES, other)) is overruled


def test_a_report_from_newer_cpus_does_not_acquit_on_an_older_one() -> None:
    """That it runs without AVX2 says nothing about a CPU that lacks SSE4.1 as well."""
    runs = pin("numpy", good="", needs="avx2", grade="silicon")
    (judgement,) = judge(patient(dist("numpy", "2.4.6")), knowing(DIES, runs, lacks=""))
    assert judgement.standing == (DIES,)


def test_a_pin_set_for_newer_cpus_does_not_acquit_on_an_older_one() -> None:
    runs = pin("numpy", good="", grade="silicon", pinset="below-v3@2026-11-20")
    sets = (pinset(DIES, lacks="sse4_1"), pinset(runs, lacks="avx2", id="below-v3"))
    (judgement,) = judge(patient(dist("numpy", "2.4.6")), Knowledge(pinsets=sets))
    assert judgement.standing == (DIES,)


RUNS_WITHOUT = {
    "what the older CPU lacks": ("ssse3", "", True),
    "another feature of the same level": ("popcnt", "", True),
    "something older still": ("sse2", "", True),
    "something newer": ("avx", "", False),
    "it goes before what the pin needs": ("ssse3", "avx2", True),
    "nothing said: what the pin-set lacks": ("", "", False),
}


@pytest.mark.parametrize(("without", "needs", "acquits"), RUNS_WITHOUT.values(), ids=RUNS_WITHOUT)
def test_a_report_says_on_what_cpu_it_was_made(without: str, needs: str, acquits: bool) -> None:
    runs = pin("numpy", good="", needs=needs, runs_without=words(without), grade="silicon")
    sets = (pinset(DIES, lacks="sse4_1"), pinset(runs, lacks="avx2", id="below-v3"))
    (judgement,) = judge(patient(dist("numpy", "2.4.6")), Knowledge(pinsets=sets))
    assert judgement.standing == (() if acquits else (DIES,))
