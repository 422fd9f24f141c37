"""Rules about the files of an environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import files
from legacy_doctor.model import (
    AlteredFile,
    BrokenMetadata,
    DeclaredIsa,
    Evidence,
    Finding,
    Grade,
    Knowledge,
    Patient,
    Remedy,
    RemedyKind,
    Severity,
)
from tests.diagnosis.patients import (
    HASWELL,
    NEHALEM,
    PHENOM,
    SITE,
    dist,
    knowing,
    patient,
    pin,
    words,
)

NOTHING = Knowledge(pinsets=())


class TestBrokenMetadata:
    def test_says_nothing(self) -> None:
        assert list(files.broken_metadata(patient(dist("numpy")), NOTHING)) == []

    @pytest.mark.parametrize(
        ("name", "subject", "advice"),
        [
            pytest.param("numpy", "numpy", "reinstall numpy", id="its name is known"),
            pytest.param("", "x.dist-info", "repair or delete it", id="its name is not"),
        ],
    )
    def test_what_could_not_be_read_is_told(self, name: str, subject: str, advice: str) -> None:
        broken = BrokenMetadata(path=SITE / "x.dist-info", problem="no METADATA", name=name)
        assert list(files.broken_metadata(patient(broken=(broken,)), NOTHING)) == [
            Finding(
                rule="broken-metadata",
                severity=Severity.WARNING,
                subject=subject,
                message=f"{SITE}/x.dist-info: no METADATA",
                remedy=Remedy(kind=RemedyKind.REINSTALL, text=advice),
            )
        ]


def altered(name: str, path: str, problem: str, backup: str = "") -> AlteredFile:
    return AlteredFile(
        distribution=name,
        path=Path(path),
        problem=problem,
        backup=Path(backup) if backup else None,
    )


OURS = replace(altered("x", "/x/a.py", "changed"), patches=("x-stub",), intact=True)


class TestAlteredFiles:
    def test_says_nothing(self) -> None:
        assert list(files.altered_files(patient(dist("numpy")), NOTHING)) == []

    def test_one_file_is_named(self) -> None:
        who = patient(dist("x", "1.2"), altered=(altered("x", "/x/a.py", "changed", "/x/a.orig"),))
        assert list(files.altered_files(who, NOTHING)) == [
            Finding(
                rule="altered-files",
                severity=Severity.WARNING,
                subject="x",
                version="1.2",
                message="a.py differs from RECORD (changed): patched by hand, or damaged",
                details=("/x/a.py: changed, original in /x/a.orig",),
                evidence=(
                    Evidence(grade=Grade.SILICON, source="RECORD", detail="a file compared"),
                ),
                remedy=Remedy(
                    kind=RemedyKind.REINSTALL,
                    text="put the original back, or reinstall x, unless you made the change",
                ),
            )
        ]

    def test_many_files_are_counted_for_each_distribution(self) -> None:
        who = patient(
            dist("x", "1.2"),
            altered=(
                altered("x", "/x/a.py", "changed"),
                altered("x", "/x/b.py", "missing"),
                altered("gone", "/gone.py", "missing"),
            ),
        )
        found = list(files.altered_files(who, NOTHING))
        assert [(item.subject, item.version, item.message) for item in found] == [
            ("x", "1.2", "2 files differ from RECORD: patched by hand, or damaged"),
            ("gone", None, "gone.py differs from RECORD (missing): patched by hand, or damaged"),
        ]
        assert found[0].details == ("/x/a.py: changed", "/x/b.py: missing")

    def test_our_own_patch_is_no_damage(self) -> None:
        who = patient(dist("x", "1.2"), altered=(OURS,))
        assert list(files.altered_files(who, NOTHING)) == [
            Finding(
                rule="altered-files",
                severity=Severity.INFO,
                subject="x",
                version="1.2",
                message="x/a.py holds patch x-stub of legacy-doctor, and is as released but for that",
                details=("/x/a.py: patch x-stub",),
                evidence=(
                    Evidence(grade=Grade.SILICON, source="RECORD", detail="compared without it"),
                ),
            )
        ]

    def test_what_was_changed_beside_our_patch_is_told_as_ever(self) -> None:
        edited = replace(OURS, path=Path("/x/b.py"), intact=False)
        found = list(files.altered_files(patient(altered=(OURS, edited)), NOTHING))
        assert [(item.severity, item.message) for item in found] == [
            (
                Severity.INFO,
                "x/a.py holds patch x-stub of legacy-doctor, and is as released but for that",
            ),
            (
                Severity.WARNING,
                "b.py differs from RECORD (changed): patched by hand, or damaged",
            ),
        ]


class TestWheelTagHint:
    NEW = "cp311-abi3-manylinux_2_34_x86_64"
    OLD = "cp311-abi3-manylinux_2_17_x86_64"
    NOOP: ClassVar = {
        "an older base": patient(dist("x", tags=(OLD,))),
        "pure Python": patient(dist("x")),
        "another platform": patient(dist("x", tags=("cp311-abi3-macosx_14_0_x86_64",))),
        "another machine": patient(dist("x", tags=("cp311-abi3-manylinux_2_34_aarch64",))),
        "a CPU that has x86-64-v2": patient(dist("x", tags=(NEW,)), on=NEHALEM),
        "a distribution that a pin speaks of": patient(dist("known", tags=(NEW,))),
        "a tag that also fits an older base": patient(
            dist("x", tags=("cp311-abi3-manylinux_2_28_x86_64.manylinux_2_34_x86_64",))
        ),
        "another tag that fits an older base": patient(dist("x", tags=(NEW, OLD))),
        "an older base by its old name": patient(
            dist("x", tags=(NEW, "cp311-abi3-manylinux1_x86_64")),
            dist("y", tags=(NEW, "cp311-abi3-manylinux2010_x86_64")),
            dist("z", tags=("cp311-abi3-manylinux2014_x86_64", NEW)),
        ),
    }

    @pytest.mark.parametrize("who", NOOP.values(), ids=NOOP)
    def test_says_nothing(self, who: Patient) -> None:
        assert list(files.wheel_tag_hint(who, knowing(pin("known", good="")))) == []

    def test_all_suspects_in_one_finding_as_a_suspicion(self) -> None:
        newer = "cp311-cp311-manylinux_2_39_x86_64"
        who = patient(
            dist("bcrypt", "5.0", tags=(self.NEW,)),
            dist("plain", "1"),
            dist("z", "2", tags=(self.NEW, newer)),
        )
        assert list(files.wheel_tag_hint(who, NOTHING)) == [
            Finding(
                rule="wheel-tag-hint",
                severity=Severity.INFO,
                subject="wheel tags",
                message="manylinux_2_34 or newer, a base built for x86-64-v2 (tags prove "
                "nothing): bcrypt 5.0, z 2",
                missing=words("ssse3 sse4_1 sse4_2"),
                evidence=(Evidence(grade=Grade.INFERRED, source="pypa/manylinux#1725"),),
                details=("bcrypt 5.0", "z 2"),
            )
        ]


def declared(name: str, path: str, level: str) -> DeclaredIsa:
    return DeclaredIsa(distribution=name, path=path, level=f"x86-64-{level}")


class TestDeclaredIsa:
    @pytest.mark.parametrize(
        ("items", "on"),
        [
            pytest.param((), PHENOM, id="nothing declared"),
            pytest.param((declared("x", "x.so", "v3"),), HASWELL, id="what this CPU has"),
        ],
    )
    def test_says_nothing(self, items: tuple[DeclaredIsa, ...], on: object) -> None:
        assert list(files.declared_isa(patient(on=on, declared=items), NOTHING)) == []

    def test_the_highest_level_of_each_distribution(self) -> None:
        who = patient(
            dist("x", "1.2"),
            declared=(
                declared("x", "x/v2.so", "v2"),
                declared("x", "x/v3.so", "v3"),
                declared("gone", "g.so", "v2"),
            ),
        )
        first, second = files.declared_isa(who, NOTHING)
        needs = features.cumulative("x86-64-v3")
        assert first == Finding(
            rule="declared-isa",
            severity=Severity.INFO,
            subject="x",
            version="1.2",
            message="x/v3.so declares that it needs x86-64-v3: glibc 2.33 and newer refuse to "
            "load it here",
            needs=needs,
            missing=PHENOM.missing(needs),
            details=("x/v2.so: x86-64-v2", "x/v3.so: x86-64-v3"),
            evidence=(
                Evidence(grade=Grade.INFERRED, source="ELF note GNU_PROPERTY_X86_ISA_1_NEEDED"),
            ),
        )
        assert (second.subject, second.version) == ("gone", None)

    def test_files_that_run_here_are_left_out(self) -> None:
        items = (declared("x", "x/v2.so", "v2"), declared("x", "x/v3.so", "v3"))
        (found,) = files.declared_isa(patient(on=NEHALEM, declared=items), NOTHING)
        assert found.details == ("x/v3.so: x86-64-v3",)
