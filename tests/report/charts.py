"""Reports and charts for the page: one that has everything, and one that is out to do harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from legacy_doctor.model import (
    Chart,
    Expectation,
    Fate,
    Finding,
    Grade,
    Hidden,
    HiddenBy,
    Override,
    OverrideKind,
    Probing,
    Prognosis,
    Raised,
    Remedy,
    RemedyKind,
    Report,
    Severity,
    Standing,
    Step,
)
from tests.diagnosis.patients import NEHALEM, PHENOM, evidence, words
from tests.diagnosis.probed import died, fault, ran
from tests.report.test_text import NUMPY, PYTHON, VARIABLE, finding, report

DEATH = died("numpy")
PROVEN = replace(
    NUMPY,
    standing=Standing.CONFIRMED,
    fault=DEATH.fault,
    message="dies on import: SIGILL, `pinsrq` needs SSE4.1",
    affects=("datasets", "pandas", "scipy"),
    paths={
        "pandas": ("pandas", "numpy"),
        "datasets": ("datasets", "pandas", "numpy"),
        "scipy": ("scipy", "numpy"),
    },
    missing=words("sse4_1"),
    evidence=(
        evidence("emulated", "emulated: phenom, 2026-11-26, CPython 3.11.7"),
        evidence("reported", "https://example.org/issue/1", "dies as well"),
    ),
    details=("predicted [emulated]: dies on import",),
)
NOTE = finding(
    "info", rule="disputed-evidence", subject="pandas", version="3.1.1", message="it ran here",
    standing=Standing.REFUTED,
)  # fmt: skip


def cell(
    fate: str = "works", *, proven: bool = False, stage: str = "", reason: str = ""
) -> Expectation:
    return Expectation(fate=Fate(fate), proven=proven, stage=stage, reason=reason)


def row(name: str, here: Expectation, *levels: Expectation, version: str = "1.0") -> Prognosis:
    names = ("x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")
    told = (*levels, *(cell("unknown") for _ in range(4 - len(levels))))
    return Prognosis(
        distribution=name, version=version, here=here, levels=tuple(zip(names, told, strict=True))
    )


ROWS = (
    row("lxml", cell("works", proven=True, stage="import"), cell()),
    row("numpy", cell("dies", proven=True, stage="import", reason="SIGILL"), cell("dies"), cell()),
    row("mystery", cell("unknown")),
    row("qt", cell("refuses", stage="use"), cell("refuses", proven=True)),
)
CORETYPE = Override(
    variable="OPENBLAS_CORETYPE",
    value="Haswell",
    kind=OverrideKind.FORCE,
    needs=words("avx2"),
    understood=True,
    accepts="the name of a core",
    readers=("numpy",),
    effect="OpenBLAS takes the kernels of that core without asking the CPU",
    source="OpenBLAS",
)
STEP = Step(
    id="packages",
    title="install numpy<2.4",
    reasons=("numpy: dies on import",),
    grade=Grade.EMULATED,
    costs=("nothing",),
    remarks=("resolved together with pandas",),
)
CHART = Chart(
    prognosis=ROWS,
    overrides=(CORETYPE,),
    steps=(STEP,),
    remedies=((HiddenBy.HYPERVISOR, "change the CPU type"),),
)
HIDDEN = replace(
    PHENOM,
    hypervisor="KVMKVMKVM",
    microarchitecture="k10",
    hidden=(Hidden(feature="ssse3", reason=HiddenBy.HYPERVISOR, detail="no CPU of it lacks it"),),
)


def sick(**changes: Any) -> Report:
    """Everything that a page may have to show."""
    probing = Probing(
        wanted="risky",
        how="qemu-x86_64 7.2.22 -cpu phenom",
        unplayable=words("3dnowprefetch"),
        results=(
            DEATH,
            ran("lxml"),
            ran("scipy", outcome="skipped", stage="", reason="needs numpy"),
            ran(
                "qt",
                outcome="raised",
                raised=Raised(type="RuntimeError", message="Incompatible processor"),
            ),
            died("numpy", overrides=(("OPENBLAS_CORETYPE", "Haswell"),)),
        ),
    )
    facts: dict[str, Any] = {
        "cpu": HIDDEN,
        "probing": probing,
        "prescription": ("unset OPENBLAS_CORETYPE", "python -m pip install 'numpy<2.4'"),
        "target_name": "phenom-ii",
        "what_if": True,
        "ignored": 2,
        "unjudged": ("mystery",),
    }
    return report(PROVEN, VARIABLE, NOTE, **{**facts, **changes})


def healthy(**changes: Any) -> Report:
    return report(**{"cpu": NEHALEM, **changes})


EVIL = "</title><script src=//evil.example>alert(1)</script><img onerror='x' src=\"y\">&amp;]]>`"
"""Closes what is open, loads and runs something, if anybody lets it."""


def hostile() -> tuple[Report, Chart]:
    """Every text that comes from outside is out to do harm."""
    bad = Finding(
        rule="broken-pin",
        severity=Severity.ERROR,
        subject=EVIL,
        version=EVIL,
        message=EVIL,
        cause=EVIL,
        affects=(EVIL, "\x00\x1b[31m"),
        paths={EVIL: (EVIL, EVIL)},
        details=(EVIL, "more"),
        evidence=(evidence("reported", EVIL, EVIL), evidence("reported", f"https://x/{EVIL}")),
        remedy=Remedy(kind=RemedyKind.PIN, text=EVIL, install=(EVIL,), commands=(EVIL,)),
        fault=fault(owner=EVIL, path=EVIL, symbol=EVIL, instruction=EVIL, place=EVIL),
        standing=Standing.NEW,
    )
    chart = Chart(
        prognosis=(row(EVIL, cell("dies", reason=EVIL), version=EVIL), row("x" * 80, cell())),
        overrides=(replace(CORETYPE, value=EVIL, effect=EVIL, understood=False, accepts=EVIL),),
        steps=(replace(STEP, title=EVIL, id=EVIL, reasons=(EVIL,), costs=(EVIL,)),),
        remedies=((HiddenBy.HYPERVISOR, EVIL),),
    )
    cpu = replace(HIDDEN, brand=EVIL, vendor=EVIL, hypervisor=EVIL, microarchitecture=EVIL)
    raised = ran(EVIL, "raised", raised=Raised(type=EVIL, message=EVIL))
    return (
        report(
            bad,
            cpu=cpu,
            interpreter=replace(PYTHON, prefix=Path(f"/{EVIL}"), chosen_by="--python"),
            probing=Probing(wanted="risky", how=EVIL, results=(raised,)),
            prescription=(EVIL,),
            target_name=EVIL,
            what_if=True,
            unjudged=(EVIL,),
        ),
        chart,
    )
