"""From findings to a treatment: what is chosen, in which order, and what is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from legacy_doctor.errors import UnknownNameError
from legacy_doctor.knowledge import patches
from legacy_doctor.model import Evidence, Finding, Grade, Remedy, RemedyKind, Severity
from legacy_doctor.treatment import files, plan
from legacy_doctor.treatment.application import Place
from legacy_doctor.treatment.plan import Selection, Treatment
from legacy_doctor.treatment.steps import FileStep
from tests.diagnosis.patients import HASWELL, PHENOM, dist, interpreter

NUMPY = Finding(
    rule="broken-pin",
    severity=Severity.ERROR,
    subject="numpy",
    version="2.4.6",
    message="dies on import",
    affects=("pandas",),
    evidence=(Evidence(grade=Grade.EMULATED, source="s"),),
    remedy=Remedy(kind=RemedyKind.PIN, text="install numpy<2.4", install=("numpy<2.4",)),
)
RUMOUR = Finding(
    rule="broken-pin",
    severity=Severity.WARNING,
    subject="scipy",
    version="1.17.1",
    message="may die",
    evidence=(Evidence(grade=Grade.REPORTED, source="s"),),
    remedy=Remedy(kind=RemedyKind.PIN, text="install scipy<1.16", install=("scipy<1.16",)),
)
VARIABLE = Finding(
    rule="dispatch-override",
    severity=Severity.ERROR,
    subject="OPENBLAS_CORETYPE",
    message="asks for avx2",
    evidence=(Evidence(grade=Grade.EMULATED, source="s"),),
    remedy=Remedy(kind=RemedyKind.UNSET, text="unset OPENBLAS_CORETYPE"),
)
TORCH = dist("torch", "2.13.0")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    site = tmp_path / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    return Place(
        interpreter=interpreter(prefix=tmp_path, site_packages=(site,)),
        distributions=[dist("numpy", "2.4.6"), dist("pandas", "3.1.1", "numpy"), TORCH],
    )


def made(place: Place, *findings: Finding, cpu: object = PHENOM, **selected: object) -> Treatment:
    path = place.interpreter.prefix / "pip.conf"
    pin = FileStep(path, files.observe(path), b"[install]\n", None, "pins")
    selection = Selection(**selected)  # type: ignore[arg-type]
    return plan.make(place, cpu, findings, patches.every(), [pin], ["numpy<2.4"], selection)  # type: ignore[arg-type]


def ids(treatment: Treatment) -> list[str]:
    """The parts of a treatment, in their order."""
    found = [] if treatment.packages.empty else ["packages"]
    return [*found, *(item.id for item in treatment.patches), *(["pins"] if treatment.pins else [])]


@pytest.mark.parametrize(
    ("selected", "parts"),
    [
        pytest.param({}, ["packages", "patch:torch-onednn-off", "pins"], id="everything"),
        pytest.param({"only": ("packages",)}, ["packages"], id="only one part"),
        pytest.param({"only": ("numpy", "pins")}, ["packages", "pins"], id="only these"),
        pytest.param({"skip": ("numpy",)}, ["patch:torch-onednn-off", "pins"], id="not that"),
        pytest.param({"skip": ("patch:torch-onednn-off",)}, ["packages", "pins"], id="no patch"),
        pytest.param({"without": ("patches",)}, ["packages", "pins"], id="without patches"),
        pytest.param(
            {"without": ("packages", "pins")}, ["patch:torch-onednn-off"], id="only patches"
        ),
        pytest.param(
            {"without": ("packages", "pins"), "only": ("numpy",)}, [], id="nothing is left"
        ),
    ],
)
def test_what_is_selected_is_planned(
    selected: dict[str, tuple[str, ...]], parts: list[str], place: Place
) -> None:
    assert ids(made(place, NUMPY, **selected)) == parts


def test_what_requires_it_is_resolved_with_it(place: Place) -> None:
    step = made(place, NUMPY).packages

    assert step.install == ("numpy<2.4",)
    assert "pandas" in step.together
    assert step.constraints == ("numpy<2.4",)


def test_a_rumour_is_left_alone_unless_it_is_asked_for(place: Place) -> None:
    assert made(place, RUMOUR).packages.empty
    assert made(place, RUMOUR).untreated == (RUMOUR,)
    assert made(place, RUMOUR, only=("scipy",)).packages.install == ("scipy<1.16",)


def test_what_no_step_cures_is_told(place: Place) -> None:
    assert made(place, NUMPY, VARIABLE).untreated == (VARIABLE,)
    assert made(place, NUMPY, VARIABLE, without=("packages",)).untreated == (NUMPY, VARIABLE)


def test_what_a_patch_of_the_plan_takes_care_of_is_treated(place: Place) -> None:
    cure = Remedy(kind=RemedyKind.ADVICE, text="switch oneDNN off in every process")
    lstm = replace(VARIABLE, subject="torch", severity=Severity.ERROR, remedy=cure)

    assert made(place, lstm).untreated == ()
    assert made(place, lstm, skip=("patch:torch-onednn-off",)).untreated == (lstm,)


def test_a_cpu_that_needs_no_patch_gets_none(place: Place) -> None:
    assert ids(made(place, cpu=HASWELL)) == ["pins"]


def test_all_that_is_changed_or_suffered_is_probed_again(place: Place) -> None:
    assert made(place, NUMPY).probes == ("numpy", "pandas", "torch")
    assert made(place, NUMPY, without=("packages",)).probes == ("torch",)


def test_a_healthy_environment_with_pins_is_left_as_it_is(place: Place) -> None:
    assert made(place, cpu=HASWELL, without=("pins",)).empty
    assert not made(place, cpu=HASWELL).empty


def test_an_unknown_name_is_refused_with_those_that_there_are(place: Place) -> None:
    with pytest.raises(UnknownNameError, match=r"nunpy: no such step.*did you mean 'numpy'"):
        made(place, NUMPY, only=("nunpy",))


def test_conda_pins_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()

    (step,) = plan.persistence(tmp_path, (), "pip", ())

    assert step.path == tmp_path / "conda-meta/pinned"


def test_uv_gets_the_constraints_file_alone(tmp_path: Path) -> None:
    (step,) = plan.persistence(tmp_path, (), "uv", ())

    assert step.path == tmp_path / "legacy-doctor-constraints.txt"
