"""One package step of all findings, and its commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.model import (
    Distribution,
    Evidence,
    Finding,
    Grade,
    Remedy,
    RemedyKind,
    Severity,
)
from legacy_doctor.treatment import packages
from legacy_doctor.treatment.installer import Installer
from legacy_doctor.treatment.packages import PackageStep


def distribution(name: str, version: str = "1.0", *requires: str) -> Distribution:
    return Distribution(
        name=name, version=version, root=Path("/r"), info=Path("/r/i"), requires=requires
    )


def finding(
    name: str,
    kind: RemedyKind,
    *,
    install: Sequence[str] = (),
    uninstall: Sequence[str] = (),
    severity: Severity = Severity.ERROR,
) -> Finding:
    remedy = Remedy(kind=kind, text="do it", install=tuple(install), uninstall=tuple(uninstall))
    evidence = (
        Evidence(grade=Grade.REPORTED, source="s"),
        Evidence(grade=Grade.EMULATED, source="s"),
    )
    return Finding(
        rule="r",
        severity=severity,
        subject=name,
        message=f"{name} dies",
        evidence=evidence,
        remedy=remedy,
    )


WORLD = (
    distribution("numpy", "2.4.6"),
    distribution("pandas", "3.1.1", "numpy>=1.26", "pyarrow; extra == 'arrow'"),
    distribution("datasets", "4.0", "pyarrow>=20", "pandas"),
    distribution("f5-tts", "1.1", "datasets", "not a requirement !"),
    distribution("pyarrow", "26.0.1"),
    distribution("six"),
)


def test_one_step_of_all_findings() -> None:
    found = [
        finding("numpy", RemedyKind.PIN, install=["numpy<2.4"]),
        finding("pyarrow", RemedyKind.REMOVE, uninstall=["pyarrow"]),
        finding("pyarrow", RemedyKind.PIN, install=["pyarrow<3"]),
        finding("six", RemedyKind.PIN, install=["six<1"], severity=Severity.INFO),
        finding("cpu", RemedyKind.MACHINE),
    ]

    step = packages.step(found, WORLD, ["numpy<2.4", "pyarrow<3"])

    assert step.install == ("numpy<2.4",)
    assert step.uninstall == ("pyarrow",)
    assert step.constraints == ("numpy<2.4", "pyarrow<0")
    assert step.together == ("pandas",), "what needs pyarrow would bring it back"
    assert step.reasons[0] == "numpy: numpy dies (emulated)"
    assert step.costs == (
        "datasets requires pyarrow: what of it imports pyarrow fails from now on",
    )
    assert not step.empty


def test_what_is_replaced_by_itself_is_not_kept_away() -> None:
    found = [
        finding(
            "polars",
            RemedyKind.REPLACE,
            uninstall=["Polars"],
            install=["polars[rtcompat]>=1.34"],
        )
    ]
    world = (distribution("polars"), distribution("user", "1", "polars"))

    step = packages.step(found, world)

    assert (step.uninstall, step.install) == (("polars",), ("polars[rtcompat]>=1.34",))
    assert (step.constraints, step.costs, step.together) == ((), (), ("user",))


def test_nothing_found_is_nothing_to_do() -> None:
    assert packages.step([], WORLD).empty


def test_a_requirement_that_is_none_says_so() -> None:
    with pytest.raises(DoctorError, match=r"'numpy<': not a requirement"):
        packages.step([finding("numpy", RemedyKind.PIN, install=["numpy<"])], WORLD)


def test_the_commands_of_a_step() -> None:
    pip = Installer(name="pip", program=("py", "-m", "pip"), python=Path("py"))
    step = PackageStep(
        uninstall=("a",),
        install=("b<2",),
        constraints=("b<2",),
        together=("c",),
        alone={"d": "why"},
    )

    words = [" ".join(c.words) for c in packages.commands(step, pip, constraints=Path("/c.txt"))]

    assert words == [
        "py -m pip uninstall -y a",
        "py -m pip install --only-binary=:all: --constraint /c.txt b<2 c",
        "py -m pip install --only-binary=:all: --no-deps --constraint /c.txt d",
    ]
    assert packages.commands(PackageStep(), pip) == ()
