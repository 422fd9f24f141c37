"""Profiles for a person: the list, the whole of one, what matches, a native program, the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.diagnosis import projects
from legacy_doctor.knowledge import profiles
from legacy_doctor.model import NativeCheck, Outcome, Sighting
from legacy_doctor.report import layout, outlook
from legacy_doctor.report import profiles as report
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import HASWELL, NEHALEM, PHENOM, words
from tests.diagnosis.test_projects import run
from tests.report.test_outlook import made

PAGE = Page()


def native_check(**changes: Any) -> NativeCheck:
    facts: dict[str, Any] = {
        "profile": "whisper-cpp",
        "path": Path("build"),
        "program": Path("build/bin/whisper-cli"),
        "cpu": PHENOM,
        "declared": (("build/bin/libx.so", "x86-64-v3"),),
        "switched": {"GGML_NATIVE": False, "GGML_AVX2": True},
        "told": words("avx2"),
        "info": "CPU : AVX2 = 1",
        "how": "qemu-x86_64 7.2 -cpu phenom",
        "outcome": Outcome.OK,
        "detail": "exit status 2",
        "missing": words("avx2"),
        "build": ("cmake -B build", "cmake --build build -j"),
    }
    return NativeCheck(**{**facts, **changes})


def _shown(lines: list[layout.Line]) -> str:
    return " ".join(layout.plain(lines).split())


VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "it died, and says what it was built for": (
        {"outcome": Outcome.ILLEGAL_INSTRUCTION},
        "[✗] build/bin/whisper-cli does not run on this CPU: illegal-instruction; it needs avx2",
    ),
    "it died, and says nothing": (
        {"outcome": Outcome.ILLEGAL_INSTRUCTION, "missing": frozenset()},
        "[✗] build/bin/whisper-cli does not run on this CPU: illegal-instruction CPU",
    ),
    "it lived, and was built for more": (
        {},
        "[✗] build/bin/whisper-cli is built for what this CPU",
    ),
    "nothing speaks against it": (
        {"missing": frozenset()},
        "[✓] build/bin/whisper-cli: nothing speaks against it on this CPU (it was started",
    ),
    "nothing was started": (
        {"missing": frozenset(), "how": "", "outcome": Outcome.SKIPPED, "program": None},
        "[✓] build: nothing speaks against it on this CPU (nothing was started)",
    ),
}


@pytest.mark.parametrize(("changes", "said"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_on_a_native_program(changes: dict[str, Any], said: str) -> None:
    assert _shown(report.native(native_check(**changes), PAGE)).startswith(said)


def test_every_witness_is_heard() -> None:
    shown = _shown(report.native(native_check(), PAGE))

    assert "declares build/bin/libx.so: x86-64-v3" in shown
    assert "built with GGML_AVX2" in shown
    assert "says CPU : AVX2 = 1" in shown
    assert "started ok qemu-x86_64 7.2 -cpu phenom: exit status 2" in shown
    assert shown.endswith("Build: cmake -B build cmake --build build -j")


def test_a_build_with_every_switch_off_says_so() -> None:
    check = native_check(switched={"GGML_AVX": False}, declared=(), info="")

    assert "built with every switch off" in _shown(report.native(check, PAGE))


def test_the_list_marks_what_was_run() -> None:
    piper = profiles.find("piper")
    ran = projects.recorded(piper, [run(PHENOM, "runs-treated", profile="piper")])

    shown = _shown(report.overview([piper, ran], PAGE))

    assert "piper runs-treated runs runs runs piper runs-treated * runs runs runs" in shown
    assert "* its probe was run on such a CPU" in shown


def test_a_profile_without_runs_says_that_nothing_was_run() -> None:
    shown = _shown(report.lines(made(), (), (), PAGE))

    assert "no run of its probe is recorded" in shown
    assert "pin torch: none is known to run (emulated: oneDNN dies; treated by torch-" in shown
    assert "patch datasets-stub (required)" in shown
    assert "bitsandbytes by f5_tts/model/trainer.py (when it is asked for)" in shown


def test_a_profile_with_runs_tells_them_in_the_row_of_their_cpu() -> None:
    runs = (run(PHENOM, "fails"), run(PHENOM, "runs-treated", emulator=""), run(NEHALEM, "runs"))
    value = made()
    seen = replace(value, profile=projects.recorded(value.profile, runs))

    shown = _shown(report.lines(seen, runs, (), PAGE))

    assert "no run of its probe" not in shown
    nehalem = shown.partition("v2-no-avx: ")[2]
    assert nehalem.startswith("runs runs as it is installed; bitsandbytes does not [emulated]")


def test_where_nothing_is_needed_it_says_so() -> None:
    shown = _shown(report.lines(made("piper", NEHALEM, ()), (), (), PAGE))

    assert "What it needs on this CPU patch" in shown or "this CPU nothing" in shown


def test_what_matches_stands_with_its_place() -> None:
    found = [
        ("/a", Sighting("piper", certain=True, by="b")),
        ("/c", Sighting("x", certain=False, by="d")),
    ]

    shown = layout.plain(report.sightings(found, PAGE)).splitlines()

    assert shown[1].split() == ["piper", "certain", "/a:", "b"]
    assert shown[2].split() == ["x", "likely", "/c:", "d"]


def test_the_table_tells_what_was_run_and_what_was_not() -> None:
    runs = (run(PHENOM, "fails"), run(PHENOM, "runs-treated"))

    table = report.table([profiles.find("f5-tts")], runs, ["phenom", "nehalem"])

    assert table == (
        "| profile | phenom | nehalem |\n| --- | --- | --- |\n"
        "| f5-tts | as installed: illegal-instruction; treated: ok | not run |\n"
    )


def test_what_only_the_emulator_cannot_do_is_no_failure_in_the_table() -> None:
    runs = (run(HASWELL, "unknown", cpu="haswell", outcome="segmentation-fault"),)

    table = report.table([profiles.find("f5-tts")], runs, ["haswell"])

    assert table.splitlines()[-1] == "| f5-tts | as installed: the emulator fails |"


def test_every_word_of_a_verdict_is_told() -> None:
    assert {*outlook.VERDICTS} == {*type(next(iter(outlook.VERDICTS)))}
    assert {*outlook.TIERS} == {*type(next(iter(outlook.TIERS)))}
