"""A project on a CPU: what it will do, by whose word, and what has to be acted upon."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from legacy_doctor.cpu import features, models
from legacy_doctor.diagnosis import projects
from legacy_doctor.knowledge import patches, profiles
from legacy_doctor.model import (
    Cpu,
    Fitness,
    Grade,
    Keep,
    Outlook,
    Patient,
    Profile,
    ProfileRun,
    RemedyKind,
    Severity,
    Tier,
)
from tests.diagnosis.patients import (
    HASWELL,
    NEHALEM,
    PHENOM,
    cpu,
    dist,
    interpreter,
    patient,
    words,
)

F5 = profiles.find("f5-tts")
PENRYN = models.find("penryn").cpu
LESS = cpu(lacking="ssse3 sse4_1 sse4_2 popcnt")
MORE = cpu(lacking="sse4_2 popcnt")
PATCHES = patches.every()


def outlook(profile: Profile, who: Patient, *keep: Keep, runs: Any = ()) -> Outlook:
    return projects.outlook(profile, who, keep, PATCHES, runs)


def run(on: Cpu, fitness: str, **changes: Any) -> ProfileRun:
    facts: dict[str, Any] = {
        "profile": "f5-tts",
        "cpu": "phenom",
        "tier": profiles.tier(on),
        "day": "2026-11-26",
        "treated": fitness == "runs-treated",
        "fitness": Fitness(fitness),
        "outcome": "ok" if fitness.startswith("runs") else "illegal-instruction",
        "detail": "" if fitness.startswith("runs") else "pinsrq",
        "python": "3.11.7",
        "emulator": "qemu-x86_64 7.2 -cpu phenom",
        "lacks": on.missing(features.cumulative("x86-64-v3")),
    }
    return ProfileRun(**{**facts, **changes})


# --- what is to be expected

PROSPECTS = {
    "the tier decides": ("f5-tts", PHENOM, Fitness.TREATED),
    "from v2 on it runs as it is": ("f5-tts", NEHALEM, Fitness.RUNS),
    "a feature decides within a tier: without SSE4.1": ("faster-whisper", PHENOM, Fitness.FAILS),
    "a feature decides within a tier: with it": ("faster-whisper", PENRYN, Fitness.TREATED),
    "a native project is built anew": ("whisper-cpp", NEHALEM, Fitness.TREATED),
    "nothing is wrong with a new CPU": ("whisper-cpp", HASWELL, Fitness.RUNS),
}


@pytest.mark.parametrize(("name", "on", "fitness"), PROSPECTS.values(), ids=PROSPECTS)
def test_what_is_told(name: str, on: Cpu, fitness: Fitness) -> None:
    assert projects.prospect(profiles.find(name), on).fitness is fitness


RUNS = {
    "it ran as it was installed": (["runs"], Fitness.RUNS),
    "it failed, and ran once treated": (["fails", "runs-treated"], Fitness.TREATED),
    "it failed, treated or not": (["fails", "fails"], Fitness.FAILS),
    "it could not be tried": (["unknown"], Fitness.TREATED),
}


@pytest.mark.parametrize(("seen", "fitness"), RUNS.values(), ids=RUNS)
def test_what_was_run_overrules_what_is_told(seen: list[str], fitness: Fitness) -> None:
    runs = [run(PHENOM, word) for word in seen]

    assert projects.prospect(F5, PHENOM, runs).fitness is fitness


def test_each_run_is_told_in_the_row_of_its_cpu() -> None:
    whisper = profiles.find("faster-whisper")
    runs = [
        run(PHENOM, "fails", profile="faster-whisper"),
        run(PENRYN, "runs", profile="faster-whisper"),
        run(NEHALEM, "fails", profile="piper"),
    ]

    old, newer, *rest = projects.recorded(whisper, runs).status

    assert (old.fitness, newer.fitness) == (Fitness.FAILS, Fitness.RUNS)
    assert [row.evidence[0].grade for row in (old, newer)] == [Grade.EMULATED] * 2
    assert rest == list(whisper.status[2:])


def test_a_run_is_evidence_of_its_own_grade() -> None:
    emulated, silicon = run(PHENOM, "fails"), run(PHENOM, "runs-treated", emulator="")

    first, second, *told = projects.prospect(F5, PHENOM, (emulated, silicon)).evidence

    assert (first.grade, first.source) == (
        Grade.EMULATED,
        "emulated: phenom, 2026-11-26, CPython 3.11.7",
    )
    assert first.detail == "as it is installed: illegal-instruction: pinsrq"
    assert (second.grade, second.source) == (Grade.SILICON, "phenom, 2026-11-26")
    assert second.detail == "with its treatment: ok"
    assert [item.grade for item in told] == [Grade.REPORTED, Grade.REPORTED]


SPEAKS = {
    "what ran with less runs with more": ("runs", LESS, MORE, True),
    "what ran with more may not run with less": ("runs", MORE, LESS, False),
    "what failed with more fails with less": ("fails", MORE, LESS, True),
    "what failed with less may run with more": ("fails", LESS, MORE, False),
    "each has what the other lacks": ("runs", PHENOM, PENRYN, False),
    "another tier is another matter": ("runs", PHENOM, NEHALEM, False),
}


@pytest.mark.parametrize(("fitness", "there", "here", "speaks"), SPEAKS.values(), ids=SPEAKS)
def test_of_which_cpus_a_run_speaks(fitness: str, there: Cpu, here: Cpu, speaks: bool) -> None:
    assert projects.speaks_of(run(there, fitness), here) is speaks


# --- the whole of it


def test_it_tells_what_is_for_this_cpu_only() -> None:
    old, new = outlook(F5, patient()), outlook(F5, patient(on=NEHALEM))

    assert (old.tier, new.tier) == (Tier.BELOW_V2, Tier.V2_NO_AVX)
    assert {use.id for use in old.patches} >= {"torch-onednn-off", "datasets-stub"}
    assert not {use.id for use in new.patches} & {"torch-onednn-off", "datasets-stub"}
    assert "try-first" in {item.key for item in new.counsel} - {item.key for item in old.counsel}


def test_runs_of_other_projects_say_nothing() -> None:
    runs = [run(PHENOM, "runs"), run(PHENOM, "runs", profile="piper")]

    assert outlook(F5, patient(), runs=runs).runs == (runs[0],)


def test_a_required_patch_treats_what_no_version_of_runs() -> None:
    torch, arrow = (Keep(name, None, "r", Grade.EMULATED, None) for name in ("torch", "pyarrow"))

    kept = outlook(F5, patient(), torch, arrow).keep

    assert [item.treated_by for item in kept] == ["torch-onednn-off", ""]


def test_what_is_missing_is_told_in_the_order_of_the_profile() -> None:
    installed = [dist(name) for name in F5.needs if name not in {"vocos", "torch"}]

    assert outlook(F5, patient(*installed)).missing == ("f5-tts", "torch", "vocos")


@pytest.mark.parametrize("name", ["styletts2", "whisper-cpp"])
def test_a_checkout_need_not_be_installed(name: str) -> None:
    profile = profiles.find(name)

    assert not {*outlook(profile, patient()).missing} & {*profile.distributions}


# --- findings


def _found(profile: Profile, who: Patient) -> dict[str, Any]:
    return {item.rule: item for item in projects.findings(outlook(profile, who), who)}


def _complete(profile: Profile, **changes: Any) -> Patient:
    return patient(*map(dist, (*profile.distributions, *profile.needs)), **changes)


def test_a_project_that_is_there_and_runs_is_no_finding() -> None:
    assert _found(F5, _complete(F5)) == {}


def test_what_does_not_run_is_an_error_with_another_way() -> None:
    ct2 = profiles.find("faster-whisper")

    (finding,) = _found(ct2, _complete(ct2)).values()

    assert (finding.rule, finding.severity) == ("profile-unfit", Severity.ERROR)
    assert finding.missing == words("sse4_1")
    assert finding.remedy.text.startswith("Without SSE4.1 use whisper.cpp")


def test_without_another_way_it_says_where_to_read_on() -> None:
    ct2 = dataclasses.replace(profiles.find("faster-whisper"), counsel=())

    finding = _found(ct2, _complete(ct2))["profile-unfit"]

    assert finding.remedy.text == "see legacy-doctor profile show faster-whisper"


def test_too_new_a_python_is_not_the_cpu() -> None:
    kokoro = profiles.find("kokoro")
    who = _complete(kokoro, interpreter=interpreter(version=(3, 13, 1)))

    finding = _found(kokoro, who)["profile-python"]

    assert finding.message == "cannot be installed into Python 3.13.1: it takes >=3.10,<3.13"
    assert finding.remedy.kind is RemedyKind.MACHINE


def test_what_is_missing_is_a_warning_with_the_pins() -> None:
    finding = _found(F5, patient())["profile-missing"]

    assert finding.severity is Severity.WARNING
    assert "f5-tts, torch" in finding.message
    assert "pins --profile f5-tts" in finding.remedy.text
