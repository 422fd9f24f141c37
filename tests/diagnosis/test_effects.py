"""Dispatch variables: what they do is seen by one run with them and one without."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from legacy_doctor.diagnosis import confirmation, rules, words
from legacy_doctor.environment import overrides
from legacy_doctor.model import Finding, ProbeResult, Severity, Standing
from tests.diagnosis.patients import dist, knowing, patient
from tests.diagnosis.probed import PHENOM_PLAYED, died, raised, ran, say

CORE = ("OPENBLAS_CORETYPE", "Haswell")
ARROW = ("ARROW_USER_SIMD_LEVEL", "AVX2")
WHO = patient(
    dist("numpy", "1.26.4"),
    dist("orjson", "3"),
    dist("pyarrow", "20"),
    overrides=overrides.found(dict([CORE])),
)


@pytest.fixture(autouse=True)
def _short_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "sentence", say)


def forced(result: ProbeResult, *variables: tuple[str, str]) -> ProbeResult:
    return dataclasses.replace(result, overrides=variables or (CORE,))


def follow(*results: ProbeResult) -> list[Finding]:
    predicted = rules.diagnose(WHO, knowing())
    assert [item.rule for item in predicted] == ["dispatch-override"]
    return list(
        confirmation.confirm(
            WHO, knowing(), predicted, results, PHENOM_PLAYED, today=date(2026, 11, 26)
        )
    )


FORCED = forced(died("numpy", "use", needs="avx2"))
CASES = {
    "nothing was run": ([], "predicted"),
    "it was run with the variable only": ([FORCED], "predicted"),
    "it was run without only": ([ran("numpy")], "predicted"),
    "it died with it and ran without": ([ran("numpy"), FORCED], "confirmed"),
    "in whatever order": ([FORCED, ran("numpy")], "confirmed"),
    "it raised with it and ran without": (
        [ran("numpy"), forced(raised("numpy", "no", stage="use"))],
        "confirmed",
    ),
    "it died on import with it, and without it in use": (
        [raised("numpy", "no", stage="use"), forced(died("numpy"))],
        "confirmed",
    ),
    "it died in use both times": ([raised("numpy", "no", stage="use"), FORCED], "predicted"),
    "it timed out with it": ([ran("numpy"), forced(ran("numpy", "timeout"))], "predicted"),
    "it ran both times": ([ran("numpy"), forced(ran("numpy"))], "refuted"),
    "one of two died with it": (
        [ran("numpy"), forced(ran("numpy")), ran("numpy/svd"), forced(died("numpy/svd"))],
        "confirmed",
    ),
    "one of two timed out with it": (
        [
            *(ran("numpy"), forced(ran("numpy"))),
            *(ran("numpy/svd"), forced(ran("numpy/svd", "timeout"))),
        ],
        "predicted",
    ),
    "who does not read it ran both times": (
        [ran("orjson"), forced(ran("orjson"))],
        "predicted",
    ),
    "who does not read it died with it, elsewhere": (
        [ran("orjson"), forced(died("orjson"))],
        "predicted",
    ),
    "who does not read it died in who does": (
        [ran("orjson"), forced(died("orjson", owner="numpy"))],
        "confirmed",
    ),
    "it was another variable": ([ran("numpy"), forced(died("numpy"), ARROW)], "predicted"),
}


@pytest.mark.parametrize(("results", "standing"), CASES.values(), ids=CASES)
def test_what_a_variable_does(results: list[ProbeResult], standing: str) -> None:
    found = next(item for item in follow(*results) if item.rule == "dispatch-override")
    assert found.standing.value == standing


@pytest.mark.parametrize(("results", "standing"), CASES.values(), ids=CASES)
def test_the_package_is_never_blamed_for_it(results: list[ProbeResult], standing: str) -> None:
    assert {item.rule for item in follow(*results)} <= {"dispatch-override", "probe-raised"}


def test_a_confirmed_variable() -> None:
    (found,) = follow(ran("numpy"), FORCED)
    assert found.message == (
        "OPENBLAS_CORETYPE=Haswell: with it numpy 1.26.4 ends in use: SIGILL, and runs without it"
    )
    assert (found.severity, found.fault) == (Severity.ERROR, FORCED.fault)
    assert found.evidence[0].source == "emulated: phenom, 2026-11-26, CPython 3.11.7"
    assert found.details[0].startswith("predicted [maintainer]: OPENBLAS_CORETYPE=Haswell: asks")
    assert found.remedy is not None
    assert found.remedy.commands == ("unset OPENBLAS_CORETYPE",)


def test_a_variable_that_was_not_alone() -> None:
    (found,) = follow(ran("numpy"), forced(died("numpy"), ARROW, CORE))
    assert "with it (and ARROW_USER_SIMD_LEVEL) numpy 1.26.4 ends" in found.message


def test_a_refuted_variable() -> None:
    (found,) = follow(
        ran("numpy"), forced(ran("numpy")), ran("numpy/svd"), forced(ran("numpy/svd"))
    )
    assert found.message == (
        "OPENBLAS_CORETYPE=Haswell: predicted to do harm, but numpy ran here with it as well: "
        f"{PHENOM_PLAYED}"
    )
    assert (found.severity, found.standing) == (Severity.INFO, Standing.REFUTED)
    assert found.remedy is None
