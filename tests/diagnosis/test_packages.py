"""Rules about what is installed: nothing said where nothing is wrong, and what is said."""

from __future__ import annotations

from typing import ClassVar

import pytest

from legacy_doctor.diagnosis import packages
from legacy_doctor.model import (
    Conflict,
    Distribution,
    Finding,
    Incompatibility,
    Knowledge,
    Patient,
    Pin,
    Remedy,
    RemedyKind,
    Removal,
    Severity,
    SoftImport,
)
from tests.diagnosis.patients import (
    LABEL,
    NEHALEM,
    PHENOM,
    SITE,
    alternative,
    dist,
    evidence,
    files,
    knowing,
    patient,
    pin,
    pinset,
    words,
)

NUMPY = pin(
    "numpy",
    ">=2.4",
    "<2.4",
    needs="popcnt sse4_1",
    symptom="SIGILL at pinsrq",
    last_good="2.3.5",
)
NO_WHEEL = pin("pyarrow", "", needs="sse4_2")


def messages(findings: object) -> list[str]:
    return [f"{item.severity.value} {item.subject}: {item.message}" for item in findings]


class TestBrokenPin:
    NOOP: ClassVar = {
        "nothing installed": (patient(), knowing(NUMPY)),
        "nothing known": (patient(dist("numpy", "2.4")), Knowledge(pinsets=())),
        "another version": (patient(dist("numpy", "2.3.5")), knowing(NUMPY)),
        "another distribution": (patient(dist("numpydoc", "2.4")), knowing(NUMPY)),
        "a CPU that lacks nothing": (patient(dist("numpy", "2.4"), on=NEHALEM), knowing(NUMPY)),
        "no good version: another rule": (patient(dist("pyarrow", "26")), knowing(NO_WHEEL)),
        "overruled": (
            patient(dist("numpy", "2.4")),
            knowing(NUMPY, pin("numpy", good="", grade="silicon")),
        ),
    }

    @pytest.mark.parametrize(("who", "knowledge"), NOOP.values(), ids=NOOP)
    def test_says_nothing(self, who: Patient, knowledge: Knowledge) -> None:
        assert list(packages.broken_pin(who, knowledge)) == []

    def test_the_root_is_blamed_and_the_rest_is_affected(self) -> None:
        who = patient(
            dist("datasets", "4.0", "pandas"),
            dist("numpy", "2.4.6"),
            dist("pandas", "3.1", "numpy>=1.26"),
            dist("torch", "2.7", "numpy; extra == 'opt'"),
        )
        assert list(packages.broken_pin(who, knowing(NUMPY))) == [
            Finding(
                rule="broken-pin",
                severity=Severity.ERROR,
                subject="numpy",
                version="2.4.6",
                message="dies on import: SIGILL at pinsrq; needs sse4_1",
                needs=words("popcnt sse4_1"),
                missing=words("sse4_1"),
                evidence=(evidence(),),
                cause="numpy",
                affects=("datasets", "pandas"),
                paths={
                    "datasets": ("datasets", "pandas", "numpy"),
                    "pandas": ("pandas", "numpy"),
                },
                remedy=Remedy(
                    kind=RemedyKind.PIN,
                    text="install numpy<2.4 (2.3.5 is known to run)",
                    install=("numpy<2.4",),
                ),
            )
        ]

    def test_who_imports_it_softly_is_affected(self) -> None:
        soft = SoftImport(distribution="pandas", imports="numpy", evidence=(evidence(),))
        who = patient(dist("pandas"), dist("numpy", "2.4"))
        (found,) = packages.broken_pin(who, knowing(NUMPY, soft_imports=(soft,)))
        assert found.paths == {"pandas": ("pandas", "numpy")}

    def test_several_pins_make_one_finding_led_by_the_worst(self) -> None:
        pins = (
            pin("x", ">=2", "<2", stage="use", severity="warning", symptom="it hangs"),
            pin("x", ">=2", "<2", symptom="it dies", grade="reported"),
        )
        (found,) = packages.broken_pin(patient(dist("x", "2")), knowing(*pins))
        assert (found.severity, found.message, found.details) == (
            Severity.ERROR,
            "dies on import: it dies",
            ("fails in use: it hangs",),
        )
        assert [item.grade.value for item in found.evidence] == ["emulated", "reported"]

    @pytest.mark.parametrize("severity", ["error", "warning", "info"])
    def test_the_pin_says_how_bad_it_is(self, severity: str) -> None:
        claim = pin("x", ">=2", "<2", severity=severity)
        (found,) = packages.broken_pin(patient(dist("x", "2")), knowing(claim))
        assert found.severity.value == severity


class TestNoWorkingWheel:
    NOOP: ClassVar = {
        "nothing installed": (patient(), knowing(NO_WHEEL)),
        "a CPU that lacks nothing": (patient(dist("pyarrow"), on=NEHALEM), knowing(NO_WHEEL)),
        "a good version: another rule": (patient(dist("numpy", "2.4")), knowing(NUMPY)),
    }
    FINDINGS: ClassVar = {
        "replace": (
            pin("pyarrow", "", needs="sse4_2", alternatives=(alternative("fastparquet"),)),
            RemedyKind.REPLACE,
        ),
        "a cure": (pin("pyarrow", "", needs="sse4_2", cure="edit it"), RemedyKind.ADVICE),
        "remove": (NO_WHEEL, RemedyKind.REMOVE),
        "try it": (pin("pyarrow", "", needs="sse4_2", severity="warning"), RemedyKind.ADVICE),
    }

    @pytest.mark.parametrize(("who", "knowledge"), NOOP.values(), ids=NOOP)
    def test_says_nothing(self, who: Patient, knowledge: Knowledge) -> None:
        assert list(packages.no_working_wheel(who, knowledge)) == []

    @pytest.mark.parametrize(("claim", "kind"), FINDINGS.values(), ids=FINDINGS)
    def test_says_what_helps_instead(self, claim: Pin, kind: RemedyKind) -> None:
        who = patient(dist("pyarrow", "26.0.1"))
        (found,) = packages.no_working_wheel(who, knowing(claim))
        assert (found.rule, found.subject, found.version) == (
            "no-working-wheel",
            "pyarrow",
            "26.0.1",
        )
        assert found.message == "dies on import: SIGILL; needs sse4_2"
        assert found.remedy is not None
        assert found.remedy.kind is kind

    def test_exactly_one_of_the_two_rules_speaks(self) -> None:
        who = patient(dist("numpy", "2.4"), dist("pyarrow"))
        both = knowing(NUMPY, NO_WHEEL)
        found = [*packages.broken_pin(who, both), *packages.no_working_wheel(who, both)]
        assert [(item.rule, item.subject) for item in found] == [
            ("broken-pin", "numpy"),
            ("no-working-wheel", "pyarrow"),
        ]


class TestDisputedEvidence:
    RUNS = pin("numpy", good="", grade="silicon")

    @pytest.mark.parametrize(
        ("version", "pins"),
        [
            pytest.param("2.4", (NUMPY,), id="nobody contradicts"),
            pytest.param("2.3", (NUMPY, RUNS), id="another version"),
            pytest.param("2.4", (RUNS,), id="nobody claims"),
        ],
    )
    def test_says_nothing(self, version: str, pins: tuple[Pin, ...]) -> None:
        who = patient(dist("numpy", version))
        assert list(packages.disputed_evidence(who, knowing(*pins))) == []

    def test_shows_both_evidences(self) -> None:
        who = patient(dist("numpy", "2.4"))
        assert list(packages.disputed_evidence(who, knowing(NUMPY, self.RUNS))) == [
            Finding(
                rule="disputed-evidence",
                severity=Severity.INFO,
                subject="numpy",
                version="2.4",
                message="emulated to break (SIGILL at pinsrq), but silicon to run: the stronger "
                "evidence decides",
                evidence=(evidence("silicon"), evidence("emulated")),
            )
        ]


class TestUnwantedDistribution:
    REMOVAL = Removal(distribution="hnswlib", reason="built elsewhere", evidence=(evidence(),))

    @pytest.mark.parametrize(
        "who",
        [
            pytest.param(patient(dist("numpy")), id="not installed"),
            pytest.param(patient(dist("hnswlib"), on=NEHALEM), id="the pin-set does not apply"),
        ],
    )
    def test_says_nothing(self, who: Patient) -> None:
        knowledge = knowing(removals=(self.REMOVAL,))
        assert list(packages.unwanted_distribution(who, knowledge)) == []

    def test_wants_it_gone_and_says_who_suffers(self) -> None:
        who = patient(dist("chroma", "1", "hnswlib"), dist("hnswlib", "0.8"))
        assert list(packages.unwanted_distribution(who, knowing(removals=(self.REMOVAL,)))) == [
            Finding(
                rule="unwanted-distribution",
                severity=Severity.ERROR,
                subject="hnswlib",
                version="0.8",
                message=f"{LABEL} wants it removed: built elsewhere",
                evidence=(evidence(),),
                cause="hnswlib",
                affects=("chroma",),
                paths={"chroma": ("chroma", "hnswlib")},
                remedy=Remedy(
                    kind=RemedyKind.REMOVE, text="uninstall hnswlib", uninstall=("hnswlib",)
                ),
            )
        ]


def conflict(*names: str) -> Conflict:
    return Conflict(distributions=names, effect="both write cv2", evidence=(evidence(),))


class TestOverwritingDistributions:
    CV2 = ("cv2/__init__.py", "cv2/cv2.abi3.so")
    NOOP: ClassVar = {
        "one of them": ([dist("opencv-python")], knowing(conflicts=(conflict("opencv-python"),))),
        "no shared file": (
            [dist("a", files=files("a/__init__.py")), dist("b", files=files("b/__init__.py"))],
            knowing(),
        ),
        "shared tests": (
            [
                dist("a", files=files("tests/__init__.py", "docs/__init__.py", sha256="1")),
                dist("b", files=files("tests/__init__.py", "docs/__init__.py", sha256="2")),
            ],
            knowing(),
        ),
        "a folder without __init__.py: a namespace": (
            [dist("a", files=files("ns/a.py")), dist("b", files=files("ns/b.py"))],
            knowing(),
        ),
        "a shared file that is not code": (
            [dist("a", files=files("LICENSE")), dist("b", files=files("LICENSE", sha256="2"))],
            knowing(),
        ),
        "the same bytes: a namespace of the old kind": (
            [
                dist("a", files=files("google/__init__.py", sha256="same")),
                dist("b", files=files("google/__init__.py", sha256="same")),
            ],
            knowing(),
        ),
        "the same path in two folders": (
            [
                dist("a", files=files("x/__init__.py", sha256="1")),
                dist("b", files=files("x/__init__.py", sha256="2"), root=SITE / "other"),
            ],
            knowing(),
        ),
        "a file recorded twice": ([dist("a", files=files(*CV2) * 2)], knowing()),
    }

    @pytest.mark.parametrize(("installed", "knowledge"), NOOP.values(), ids=NOOP)
    def test_says_nothing(self, installed: list[Distribution], knowledge: Knowledge) -> None:
        assert list(packages.overwriting_distributions(patient(*installed), knowledge)) == []

    def test_known_to_overwrite_each_other(self) -> None:
        who = patient(dist("opencv-python"), dist("opencv-python-headless"))
        known = conflict("opencv-python", "opencv-contrib-python", "opencv-python-headless")
        assert list(packages.overwriting_distributions(who, knowing(conflicts=(known,)))) == [
            Finding(
                rule="overwriting-distributions",
                severity=Severity.ERROR,
                subject="opencv-python + opencv-python-headless",
                message="both write cv2",
                evidence=(evidence(),),
                remedy=Remedy(
                    kind=RemedyKind.REINSTALL,
                    text="uninstall opencv-python and opencv-python-headless, then reinstall "
                    "the one you want",
                ),
            )
        ]

    def test_seen_to_claim_the_same_code(self) -> None:
        who = patient(
            dist("docx", files=files("docx/__init__.py", sha256="1")),
            dist("python-docx", files=files("docx/__init__.py", sha256="2")),
        )
        (found,) = packages.overwriting_distributions(who, knowing())
        assert (found.severity, found.subject, found.message, found.evidence) == (
            Severity.WARNING,
            "docx + python-docx",
            "RECORD of both claims the same code files",
            (),
        )

    def test_a_pair_is_told_once(self) -> None:
        left = dist("a", files=files("m/__init__.py", "m/x.so", "m/libm.so.3", sha256="1"))
        right = dist("b", files=files("m/__init__.py", "m/x.so", "m/libm.so.3", sha256="2"))
        who = patient(left, right)
        assert messages(packages.overwriting_distributions(who, knowing())) == [
            "warning a + b: RECORD of both claims the same code files"
        ]
        known = knowing(conflicts=(conflict("a", "b"), conflict("b", "a")))
        assert messages(packages.overwriting_distributions(who, known)) == [
            "error a + b: both write cv2"
        ]

    def test_no_record_of_hashes_is_no_proof_of_sameness(self) -> None:
        who = patient(
            dist("a", files=(files("m/x.so")[0]._replace(sha256=None),)),
            dist("b", files=(files("m/x.so")[0]._replace(sha256=None),)),
        )
        assert len(list(packages.overwriting_distributions(who, knowing()))) == 1

    def test_a_conflict_that_shares_one_name_with_another_is_told_too(self) -> None:
        who = patient(dist("a"), dist("b"), dist("c"))
        known = knowing(conflicts=(conflict("a", "b"), conflict("b", "c")))
        assert [item.subject for item in packages.overwriting_distributions(who, known)] == [
            "a + b",
            "b + c",
        ]


class TestIncompatibleVersions:
    KNOWN = knowing(
        incompatibilities=(
            Incompatibility(
                first="transformers<4.40",
                second="tokenizers>=0.20",
                effect="ImportError",
                resolution="upgrade transformers",
                evidence=(evidence(),),
            ),
        )
    )

    @pytest.mark.parametrize(
        "installed",
        [
            pytest.param([dist("tokenizers", "0.21")], id="the first is missing"),
            pytest.param([dist("transformers", "4.39")], id="the second is missing"),
            pytest.param(
                [dist("transformers", "4.40"), dist("tokenizers", "0.21")], id="the first is newer"
            ),
            pytest.param(
                [dist("transformers", "4.39"), dist("tokenizers", "0.19")], id="the second is older"
            ),
        ],
    )
    def test_says_nothing(self, installed: list[Distribution]) -> None:
        assert list(packages.incompatible_versions(patient(*installed), self.KNOWN)) == []

    def test_says_what_fails_and_what_helps(self) -> None:
        who = patient(dist("transformers", "4.39"), dist("tokenizers", "0.21"))
        assert list(packages.incompatible_versions(who, self.KNOWN)) == [
            Finding(
                rule="incompatible-versions",
                severity=Severity.ERROR,
                subject="transformers + tokenizers",
                message="transformers<4.40 with tokenizers>=0.20: ImportError",
                evidence=(evidence(),),
                remedy=Remedy(kind=RemedyKind.ADVICE, text="upgrade transformers"),
            )
        ]


TORCH = pin("torch", "!=2.7.0", "==2.7.0")


class TestContradictingPins:
    NOOP: ClassVar = {
        "nothing broken": ([dist("torch", "2.7.0"), dist("a", "1", "torch>=2.8")], [TORCH]),
        "nobody requires it": ([dist("torch", "2.9")], [TORCH]),
        "required in any version": ([dist("torch", "2.9"), dist("a", "1", "torch")], [TORCH]),
        "required as the pin says": ([dist("torch", "2.9"), dist("a", "1", "torch<3")], [TORCH]),
        "no good version at all": ([dist("torch", "2.9"), dist("a", "1", "torch>2")], [NO_WHEEL]),
        "required where another marker holds": (
            [dist("torch", "2.9"), dist("a", "1", "torch>=2.8; python_version < '3.8'")],
            [TORCH],
        ),
        "an extra that the installed version shows nobody asked for": (
            [dist("torch", "2.9"), dist("a", "1", "torch==2.0.1; extra == 'benchmarks'")],
            [TORCH],
        ),
        "two pins that agree": (
            [dist("torch", "2.9")],
            [TORCH, pin("torch", ">=2.8", "<2.8"), pin("torch", "", None)],
        ),
    }

    @pytest.mark.parametrize(("installed", "pins"), NOOP.values(), ids=NOOP)
    def test_says_nothing(self, installed: list[Distribution], pins: list[Pin]) -> None:
        assert list(packages.contradicting_pins(patient(*installed), knowing(*pins))) == []

    def test_against_an_extra_of_a_dependant(self) -> None:
        who = patient(
            dist("torch", "2.9.0"),
            dist("transformers", "5.0", 'torch>=2.8; extra == "torch"', "numpy"),
        )
        assert list(packages.contradicting_pins(who, knowing(TORCH))) == [
            Finding(
                rule="contradicting-pins",
                severity=Severity.WARNING,
                subject="torch",
                version="2.9.0",
                message="the pin torch==2.7.0 contradicts transformers[torch] 5.0, which requires "
                "torch>=2.8",
                evidence=(evidence(),),
                cause="torch",
                affects=("transformers",),
                paths={"transformers": ("transformers", "torch")},
                remedy=Remedy(
                    kind=RemedyKind.ADVICE,
                    text="find a version of transformers that accepts torch==2.7.0, or do "
                    "without it",
                ),
            )
        ]

    def test_against_a_plain_requirement(self) -> None:
        who = patient(dist("numpy", "2.4.6"), dist("shap", "1", "numpy>=2.4"))
        assert messages(packages.contradicting_pins(who, knowing(NUMPY))) == [
            "warning numpy: the pin numpy<2.4 contradicts shap 1, which requires numpy>=2.4"
        ]

    def test_a_requirement_of_no_version_number_does_not_upset_the_doctor(self) -> None:
        who = patient(dist("numpy", "2.4.6"), dist("shap", "1", "numpy===local-build"))
        assert messages(packages.contradicting_pins(who, knowing(NUMPY))) == [
            "warning numpy: the pin numpy<2.4 contradicts shap 1, which requires numpy===local-build"
        ]

    def test_against_another_pin(self) -> None:
        pins = (
            pin("x", "==2", "<2", pinset="mine@2026-01-01"),
            pin("x", "<3", ">=3", pinset="yours@2026-01-01"),
        )
        assert list(packages.contradicting_pins(patient(dist("x", "2")), knowing(*pins))) == [
            Finding(
                rule="contradicting-pins",
                severity=Severity.WARNING,
                subject="x",
                version="2",
                message="mine@2026-01-01 wants <2, yours@2026-01-01 wants >=3: no version "
                "satisfies both",
                evidence=(evidence(),),
                remedy=Remedy(kind=RemedyKind.ADVICE, text="choose one with --pinset"),
            )
        ]

    def test_against_a_pin_that_is_no_neighbour(self) -> None:
        pins = (pin("x", "==2", "<2"), pin("x", "==2", "!=2"), pin("x", "<3", ">=3"))
        assert messages(packages.contradicting_pins(patient(dist("x", "2")), knowing(*pins))) == [
            f"warning x: {LABEL} wants <2, {LABEL} wants >=3: no version satisfies both"
        ]


def test_what_has_machine_code_and_no_pin_is_unjudged() -> None:
    who = patient(
        dist("numpy", tags=("cp311-cp311-linux_x86_64",)),
        dist("orjson", tags=("cp311-cp311-manylinux_2_17_x86_64",)),
        dist("old", tags=(), files=files("old/_core.so")),
        dist("six"),
        dist("elsewhere", tags=("cp311-cp311-linux_x86_64",)),
    )
    sets = (pinset(NUMPY), pinset(pin("elsewhere", ""), lacks="avx512f"))
    assert packages.unjudged(who, Knowledge(pinsets=sets)) == ("orjson", "old")
    assert PHENOM.missing(words("avx512f"))
