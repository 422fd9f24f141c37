"""What has to be built in the environment itself, and how that joins the package step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from legacy_doctor.cpu import models
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import patches
from legacy_doctor.model import Cpu, Distribution
from legacy_doctor.treatment import builds, packages
from legacy_doctor.treatment.installer import Installer
from legacy_doctor.treatment.packages import PackageStep

PATCH = patches.find("no-build-isolation")
URL = "monotonic-align @ git+https://example.org/monotonic_align.git"


def named(name: str) -> Cpu:
    return models.find(name).cpu


def distribution(name: str, version: str = "1", *requires: str) -> Distribution:
    return Distribution(
        name=name, version=version, root=Path("/r"), info=Path("/r/i"), requires=requires
    )


@pytest.mark.parametrize(
    ("cpu", "installed", "asked"),
    [
        pytest.param(
            "phenom-ii",
            [distribution("styletts2", "1", "monotonic_align>=1")],
            ["monotonic_align>=1"],
            id="required and not there",
        ),
        pytest.param("phenom-ii", [distribution("styletts2", "1", URL)], [URL], id="by address"),
        pytest.param(
            "phenom-ii",
            [distribution("a", "1", "monotonic-align; extra == 'train'", "not a requirement !")],
            [],
            id="only with an extra",
        ),
        pytest.param(
            "phenom-ii",
            [distribution("a", "1", "monotonic-align"), distribution("monotonic-align")],
            [],
            id="there already",
        ),
        pytest.param("phenom-ii", [distribution("a")], [], id="nobody asks"),
        pytest.param(
            "x86-64-v3", [distribution("a", "1", "monotonic-align")], [], id="a CPU that needs none"
        ),
    ],
)
def test_what_something_waits_for_is_built(
    cpu: str, installed: Sequence[Distribution], asked: list[str]
) -> None:
    found = list(builds.needed(patches.every(), named(cpu), installed))

    assert [text.replace(" @", "@") for _, text in found] == [t.replace(" @", "@") for t in asked]
    assert all(patch.id == PATCH.id for patch, _ in found)


@pytest.mark.parametrize(
    ("cpu", "installed", "asked"),
    [
        pytest.param("phenom-ii", [], ["monotonic-align"], id="nobody else asks"),
        pytest.param(
            "phenom-ii",
            [distribution("a", "1", "monotonic-align>=1")],
            ["monotonic-align>=1"],
            id="who asks says which",
        ),
        pytest.param("phenom-ii", [distribution("monotonic-align")], [], id="there already"),
        pytest.param("x86-64-v3", [], [], id="a CPU that needs none"),
    ],
)
def test_what_a_project_needs_is_built_though_nothing_waits_for_it(
    cpu: str, installed: Sequence[Distribution], asked: list[str]
) -> None:
    found = builds.needed(patches.every(), named(cpu), installed, {PATCH.id})

    assert [text for _, text in found] == asked


def test_only_what_the_build_lacks_is_installed_before() -> None:
    there = [
        distribution("setuptools", "80.0"),
        distribution("setuptools-scm", "8.0"),
        distribution("wheel", "0.45"),
        distribution("numpy", "2.4.6"),
        distribution("cython", "3.1.2"),
    ]

    step = builds.step(PATCH, "monotonic-align", there)

    assert step.install == ("cython!=3.1.2", "numpy<2.4")
    assert step.from_source == ("monotonic-align",)
    assert list(step.alone) == ["monotonic-align"]
    assert PATCH.cost in step.costs


def test_it_shares_one_step_with_the_packages_and_is_tried_in_no_dry_run() -> None:
    pip = Installer(name="pip", program=("pip",), python=Path("py"))
    moved = PackageStep(install=("numpy<2.4",), costs=("c",))
    built = builds.step(PATCH, "monotonic-align", [distribution("numpy", "2.4.6")])

    step = builds.joined(moved, [built])
    words = packages.commands(step, pip)

    assert step.install.count("numpy<2.4") == 1
    assert [command.resolves for command in words] == [True, False]
    assert words[-1].words[-4:] == (
        "--no-binary=monotonic-align",
        "--no-build-isolation",
        "--no-deps",
        "monotonic-align",
    )


@pytest.mark.parametrize(
    ("patch", "requirement", "message"),
    [
        pytest.param("torch-onednn-off", "torch", "builds nothing", id="a patch of another kind"),
        pytest.param(PATCH.id, "numpy", "builds monotonic-align", id="another distribution"),
        pytest.param(PATCH.id, "mono tonic", "not a requirement", id="no requirement"),
    ],
)
def test_what_cannot_be_built_says_so(patch: str, requirement: str, message: str) -> None:
    with pytest.raises(DoctorError, match=message):
        builds.step(patches.find(patch), requirement, [])
