"""Which probes are run, and in which order."""

from __future__ import annotations

import pytest

from legacy_doctor.diagnosis import selection
from legacy_doctor.model import Distribution, Finding, Patient, Probe, Severity
from tests.diagnosis.patients import dist, knowing, patient, pin
from tests.diagnosis.probed import probe

NATIVE = ("cp311-cp311-manylinux_2_17_x86_64",)
SHIPPED = (
    probe("torch/fft", extra=True),
    probe("torch"),
    probe("torch/conv"),
    probe("numpy"),
    probe("six"),
    probe("extras/only", extra=True),
)
WHO = patient(
    dist("extras", tags=NATIVE),
    dist("lxml", tags=NATIVE),
    dist("numpy", tags=NATIVE),
    dist("pure"),
    dist("six"),
    dist("torch", tags=NATIVE),
)
KNOWING = knowing(*(pin(name, good="") for name in ("numpy", "torch", "extras", "lxml")))
"""Pins cover all that has machine code."""


def finding(rule: str, subject: str, severity: str = "error", affects: str = "") -> Finding:
    return Finding(
        rule=rule,
        severity=Severity(severity),
        subject=subject,
        message="m",
        affects=tuple(affects.split()),
    )


def generic(distribution: Distribution) -> Probe | None:
    return None if distribution.name == "modules-unknown" else probe(distribution.name, use="")


def chosen(wanted: str, *findings: Finding, who: Patient = WHO) -> list[str]:
    probes = selection.choose(who, KNOWING, findings, SHIPPED, wanted, generic)
    return [item.id for item in probes]


RISKY = {
    "nothing is flagged and all is covered": ([], []),
    "a broken pin": ([finding("broken-pin", "numpy")], ["numpy"]),
    "a broken pin that is a mere note": ([finding("broken-pin", "numpy", "info")], ["numpy"]),
    "no working wheel: all its probes but the extra ones": (
        [finding("no-working-wheel", "torch")],
        ["torch", "torch/conv"],
    ),
    "an unwanted distribution": ([finding("unwanted-distribution", "six")], ["six"]),
    "a dispute": ([finding("disputed-evidence", "six")], ["six"]),
    "altered files": ([finding("altered-files", "six")], ["six"]),
    "a declared level": ([finding("declared-isa", "six")], ["six"]),
    "both that overwrite each other": (
        [finding("overwriting-distributions", "six + numpy")],
        ["numpy", "six"],
    ),
    "both that do not fit together, however they are spelt": (
        [finding("incompatible-versions", "Six + NumPy")],
        ["numpy", "six"],
    ),
    "who reads a variable": (
        [finding("dispatch-override", "OPENBLAS_CORETYPE", affects="numpy six")],
        ["numpy", "six"],
    ),
    "what has no probe is imported": ([finding("broken-pin", "pure")], ["pure"]),
    "what has extra probes only is imported": ([finding("broken-pin", "extras")], ["extras"]),
    "flagged twice, run once": (
        [finding("broken-pin", "six"), finding("disputed-evidence", "six")],
        ["six"],
    ),
    "flagged and not installed": ([finding("broken-pin", "gone")], []),
    "a contradiction is no reason of its own": ([finding("contradicting-pins", "six")], []),
    "nor is the CPU": ([finding("hidden-features", "cpu")], []),
    "who depends on it is not run": ([finding("broken-pin", "six", affects="torch")], ["six"]),
}


@pytest.mark.parametrize(("findings", "wanted"), RISKY.values(), ids=RISKY)
def test_what_is_risky(findings: list[Finding], wanted: list[str]) -> None:
    assert chosen("risky", *findings) == wanted


def test_machine_code_that_no_pin_covers_is_risky() -> None:
    who = patient(dist("orjson", tags=NATIVE), dist("pure"), dist("torch", tags=NATIVE))
    assert chosen("risky", who=who) == ["orjson"]


def test_what_tells_no_module_is_not_run() -> None:
    who = patient(dist("modules-unknown", tags=NATIVE))
    assert chosen("risky", who=who) == []
    assert chosen("all", who=who) == []


def test_all_is_whatever_has_a_probe_or_machine_code() -> None:
    assert chosen("all") == [
        "extras/only",
        "lxml",
        "numpy",
        "six",
        "torch/fft",
        "torch",
        "torch/conv",
    ]


def test_none_is_none() -> None:
    assert chosen("none", finding("broken-pin", "numpy")) == []


def test_the_order_does_not_depend_on_the_findings() -> None:
    findings = [finding("broken-pin", name) for name in ("torch", "six", "numpy")]
    assert chosen("risky", *findings) == chosen("risky", *reversed(findings))


@pytest.mark.parametrize(
    ("requires", "wanted"),
    [
        pytest.param((), (), id="nothing required"),
        pytest.param(("numpy",), (), id="installed"),
        pytest.param(("numpy", "onnx", "pandas"), ("onnx", "pandas"), id="not installed"),
    ],
)
def test_what_a_probe_misses(requires: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert selection.missing(probe("x", requires=requires), WHO) == wanted
