"""What is to be expected of a distribution on each level, by pins, by requirements and by runs."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import prognosis, rules
from legacy_doctor.model import (
    Cpu,
    Expectation,
    Fate,
    FaultKind,
    Grade,
    Knowledge,
    Patient,
    Prognosis,
    Raised,
    SoftImport,
    When,
)
from tests.diagnosis.patients import (
    NEHALEM,
    PHENOM,
    cpu,
    dist,
    files,
    knowing,
    patient,
    pin,
    pinset,
)
from tests.diagnosis.probed import died, ran

LEVELS = {
    level: cpu(level=level, brand=level, vendor="generic", cpuid_level=None)
    for level in features.LEVELS
}
NATIVE = ("cp311-cp311-manylinux_2_28_x86_64",)
NUMPY = dist("numpy", "2.4.6", tags=NATIVE)
PANDAS = dist("pandas", "3.1.1", "numpy>=1.26", tags=NATIVE)
DEADLY = pin(
    "numpy",
    ">=2.4",
    "<2.4",
    needs="ssse3 sse4_1 sse4_2",
    symptom="SIGILL (`pinsrq`)",
    last_good="2.3.5",
)


def told(patient: Patient, knowledge: Knowledge, **changes: Any) -> dict[str, Prognosis]:
    return {
        item.distribution: item for item in prognosis.tell(patient, knowledge, LEVELS, **changes)
    }


def level(told: Prognosis, name: str) -> Expectation:
    return dict(told.levels)[f"x86-64-{name}"]


def short(told: Prognosis) -> str:
    """Here and on the four levels: `D` proven, `d` inferred."""
    letters = {Fate.WORKS: "w", Fate.DIES: "d", Fate.REFUSES: "r", Fate.UNKNOWN: "?"}
    cells = (told.here, *(cell for _, cell in told.levels))
    return "".join(
        letters[cell.fate].upper() if cell.proven else letters[cell.fate] for cell in cells
    )


@pytest.mark.parametrize(
    ("known", "version", "expected"),
    [
        (DEADLY, "2.4.6", "DDwww"),
        (DEADLY, "2.3.5", "WWwww"),
        (pin("numpy", ">=2.4", needs="avx2", grade="reported"), "2.4.6", "dddww"),
        (pin("numpy", ">=2.4", needs="sse4_1", symptom="RuntimeError: baseline"), "2.4.6", "RRwww"),
        (pin("numpy", ">=2.4", needs="sse4_1", symptom='Qt aborts: "no"'), "2.4.6", "RRwww"),
        (pin("numpy", ">=2.4", needs="sse4_1", symptom="SIGILL, or RuntimeError"), "2.4.6", "DDwww"),
        (pin("numpy", None, "==2.4.6", runs_without=frozenset({"sse4_1"})), "2.4.6", "WWWww"),
        (pin("numpy", None, "==2.4.6", runs_without=frozenset({"avx2"})), "2.4.6", "???ww"),
        (pin("numpy", None, "==1.0"), "2.4.6", "?????"),
        (pin("other", ">=2.4", needs="sse4_1"), "2.4.6", "?????"),
    ],
    ids=[
        "dies without SSE4.1",
        "another version runs",
        "reported only",
        "an exception is a clean error",
        "a refusal is one too",
        "a signal is worse than an exception",
        "known to run on less",
        "tried where only AVX2 was missing",
        "known of another version",
        "nothing known",
    ],
)  # fmt: skip
def test_what_a_pin_foretells(known: Any, version: str, expected: str) -> None:
    installed = patient(dist("numpy", version, tags=NATIVE))
    knowledge = knowing(known, lacks="ssse3 sse4_1 sse4_2 avx avx2")

    assert short(told(installed, knowledge)["numpy"]) == expected


def test_the_reason_and_the_stage_are_those_of_the_decisive_pin() -> None:
    found = told(patient(NUMPY), knowing(DEADLY))["numpy"]

    assert (found.here.stage, found.here.grade) == ("import", Grade.EMULATED)
    assert found.here.reason == "SIGILL (`pinsrq`) (emulated)"
    assert (
        level(found, "v2").reason == "what is known to break it needs nothing that this CPU lacks"
    )


def test_who_requires_what_dies_on_import_falls_with_it() -> None:
    both = told(patient(NUMPY, PANDAS), knowing(DEADLY))

    assert short(both["pandas"]) == "dd???"
    assert both["pandas"].here.reason == "requires numpy, which dies on import"


def test_a_soft_import_counts_as_a_requirement() -> None:
    soft = SoftImport(distribution="pandas", imports="numpy", evidence=())
    loose = dist("pandas", "3.1.1", tags=NATIVE)

    both = told(patient(NUMPY, loose), knowing(DEADLY, soft_imports=(soft,)))

    assert both["pandas"].here.fate is Fate.DIES


def test_who_requires_what_fails_in_use_does_not_fall() -> None:
    in_use = pin("numpy", ">=2.4", needs="sse4_1", stage="use")

    both = told(patient(NUMPY, PANDAS), knowing(in_use))

    assert (both["numpy"].here.stage, both["pandas"].here.fate) == ("use", Fate.UNKNOWN)


def test_a_clean_error_of_a_requirement_is_a_clean_error_of_who_requires_it() -> None:
    refusing = pin("numpy", ">=2.4", needs="sse4_1", symptom="RuntimeError")

    both = told(patient(NUMPY, PANDAS), knowing(refusing))

    assert both["pandas"].here.fate is Fate.REFUSES
    assert both["pandas"].here.reason == "requires numpy, which raises an error on import"


def test_its_own_failure_comes_before_that_of_what_it_requires() -> None:
    own = pin("pandas", ">=3", needs="sse4_1", symptom="SIGILL in the tokeniser")

    both = told(patient(NUMPY, PANDAS), knowing(DEADLY, own))

    assert both["pandas"].here.reason == "SIGILL in the tokeniser (emulated)"


def test_what_is_known_to_run_with_another_version_falls_all_the_same() -> None:
    runs = pin("pandas", None, "==3.1.1")

    assert short(told(patient(NUMPY, PANDAS), knowing(DEADLY, runs))["pandas"]) == "ddwww"


def test_what_has_no_machine_code_works_and_is_told_only_where_a_pin_speaks_of_it() -> None:
    pure, other = dist("transformers", "5.0"), dist("click", "8.1")
    known = pin("transformers", "<4", needs="sse4_1")

    found = told(patient(pure, other), knowing(known))

    assert [*found] == ["transformers"]
    assert short(found["transformers"]) == "wwwww"
    assert found["transformers"].here.reason == "it has no machine code of its own"


@pytest.mark.parametrize(
    ("when", "on", "expected"),
    [
        (When(vendor="AuthenticAMD", cpuid_level_below=11), PHENOM, "D????"),
        (When(vendor="AuthenticAMD", cpuid_level_below=11), NEHALEM, "w????"),
        (When(cpuid_level_below=11), NEHALEM, "w????"),
    ],
    ids=["such a CPU", "a newer one", "any maker"],
)
def test_what_depends_on_more_than_features_is_not_guessed_for_a_level(
    when: When, on: Cpu, expected: str
) -> None:
    sigfpe = pin("torch", ">=2.2", when=when, symptom="SIGFPE in oneDNN")
    torch = dist("torch", "2.7.0", tags=NATIVE)

    found = told(patient(torch, on=on), knowing(sigfpe))["torch"]

    assert short(found) == expected
    assert level(found, "v1").reason.startswith("breaks on certain ")


def test_a_level_whose_leaves_are_known_is_judged() -> None:
    sigfpe = pin("torch", ">=2.2", when=When(cpuid_level_below=11), symptom="SIGFPE")
    torch = dist("torch", "2.7.0", tags=NATIVE)
    v3 = {"x86-64-v3": cpu(level="x86-64-v3", cpuid_level=13)}

    (found,) = prognosis.tell(patient(torch), knowing(sigfpe, lacks="avx512f"), v3)

    assert level(found, "v3").fate is Fate.WORKS


def test_a_condition_beside_features_that_are_there_does_not_matter() -> None:
    picky = pin("torch", ">=2.2", needs="avx2", when=When(vendor="AuthenticAMD"))
    torch = dist("torch", "2.7.0", tags=NATIVE)

    assert short(told(patient(torch), knowing(picky, lacks="avx2"))["torch"]) == "D??ww"


def test_what_has_no_machine_code_is_as_unknown_as_what_it_requires() -> None:
    pure, core = dist("pydantic", "2.14", "pydantic-core"), dist("pydantic-core", tags=NATIVE)
    known = pin("pydantic", "<2", needs="sse4_1")

    unknown = told(patient(pure, core), knowing(known))
    found = told(patient(pure, core), knowing(known), results=[ran("pydantic")])

    assert short(unknown["pydantic"]) == "?????"
    assert unknown["pydantic"].here.reason == "requires pydantic-core, of which nothing is known"
    assert found["pydantic"].here.fate is Fate.WORKS


def _seen(
    *results: Any, installed: Patient | None = None, known: Knowledge | None = None
) -> Prognosis:
    case, knowledge = installed or patient(NUMPY), known or knowing()
    return told(case, knowledge, results=results)["numpy"]


def test_a_run_decides_about_this_cpu_and_lets_infer_about_others() -> None:
    found = _seen(died("numpy"))

    assert short(found) == "Dd???"
    assert found.here.reason.startswith("numpy 2.4.6 dies on import: SIGILL")
    assert level(found, "v1").reason == f"it died on {PHENOM.brand} for want of SSE4.1"


def test_what_ran_on_less_runs_on_more() -> None:
    found = _seen(ran("numpy"), installed=patient(NUMPY, on=NEHALEM))

    assert short(found) == "W?www"
    assert level(found, "v3").reason == "it ran on Nehalem, which has nothing that this level lacks"


def test_what_ran_where_something_is_that_a_level_lacks_says_nothing_of_the_level() -> None:
    assert short(_seen(ran("numpy"))) == "W??ww", "a Phenom has LZCNT, which v2 has not"


def test_a_run_without_a_name_of_the_cpu_is_told_as_this_cpu() -> None:
    nameless = patient(NUMPY, on=cpu(brand="", level="x86-64-v1"))

    assert level(_seen(ran("numpy"), installed=nameless), "v1").reason.startswith(
        "it ran on this CPU"
    )


@pytest.mark.parametrize(
    ("result", "fate"),
    [
        (ran("numpy", "raised", raised=Raised(type="RuntimeError", message="baseline optimizations (X86_V2) are not supported")), Fate.REFUSES),
        (ran("numpy", "aborted", stderr="Incompatible processor. This Qt build requires"), Fate.REFUSES),
        (ran("numpy", "raised", raised=Raised(type="ImportError", message="no libfoo.so")), Fate.UNKNOWN),
        (ran("numpy", "timeout"), Fate.UNKNOWN),
        (ran("numpy", "skipped"), Fate.UNKNOWN),
        (ran("numpy", overrides=(("OPENBLAS_CORETYPE", "x"),)), Fate.UNKNOWN),
        (died("numpy", needs="sse2"), Fate.UNKNOWN),
        (died("numpy", kind=FaultKind.DIVIDE), Fate.DIES),
        (died("numpy", needs=""), Fate.DIES),
    ],
    ids=[
        "refused by an exception",
        "refused by an abort",
        "an exception that is not about the CPU",
        "a timeout",
        "skipped",
        "with the user's own variables",
        "the emulator could not play it",
        "a divide",
        "nobody knows what it needs",
    ],
)  # fmt: skip
def test_what_a_run_proves(result: Any, fate: Fate) -> None:
    assert _seen(result).here.fate is fate


def test_one_probe_that_fails_counts_for_more_than_one_that_passes() -> None:
    assert _seen(ran("numpy"), died("numpy/extra", stage="use")).here.fate is Fate.DIES


def test_a_run_that_weighs_less_than_what_is_known_does_not_refute_it() -> None:
    silicon = pin("numpy", ">=2.4", needs="sse4_1", grade="silicon", symptom="SIGILL")
    case, known = patient(NUMPY), knowing(silicon)
    findings = rules.diagnose(case, known)

    found = told(case, known, results=[ran("numpy")], findings=findings)["numpy"]

    assert (found.here.fate, found.here.grade) == (Fate.DIES, Grade.SILICON)


def test_a_run_beats_a_prediction_that_no_finding_upholds() -> None:
    found = told(patient(NUMPY), knowing(DEADLY), results=[ran("numpy")])["numpy"]

    assert short(found) == "WDwww"


def test_who_was_seen_to_run_does_not_fall_with_what_it_requires() -> None:
    both = told(patient(NUMPY, PANDAS), knowing(DEADLY), results=[ran("pandas")])

    assert (both["pandas"].here.fate, both["pandas"].here.proven) == (Fate.WORKS, True)


def test_who_requires_what_was_seen_to_die_falls_with_it() -> None:
    both = told(patient(NUMPY, PANDAS), knowing(), results=[died("numpy")])

    assert short(both["pandas"]) == "dd???"


def test_the_names_come_in_order_and_one_without_wheel_tags_by_its_files() -> None:
    built = dist("zlib-ng", "1.0", tags=(), files=files("zlib_ng/core.so"))
    found = prognosis.tell(patient(built, NUMPY), knowing(), LEVELS)

    assert [item.distribution for item in found] == ["numpy", "zlib-ng"]
    assert not any(item.known for item in found)


def test_pins_of_several_sets_are_weighed_together() -> None:
    old = pinset(pin("numpy", None, "==2.4.6", runs_without=frozenset({"sse4_1"})), id="mine")
    known = Knowledge(pinsets=(pinset(DEADLY), old))

    assert told(patient(NUMPY), known)["numpy"].here.fate is Fate.DIES
