"""A patch in an environment: how things stand, and the steps there and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from legacy_doctor.environment import distributions, interpreter
from legacy_doctor.errors import TargetError
from legacy_doctor.knowledge import patches
from legacy_doctor.treatment import application
from legacy_doctor.treatment.application import Place
from legacy_doctor.treatment.patching import PatchError, State
from legacy_doctor.treatment.steps import FileStep
from tests.conftest import Site
from tests.diagnosis import patients

GUARD = patches.find("torch-onednn-off")
STAND_IN = patches.find("datasets-stub")
STUB = patches.find("torch-dynamo-stub")


def place(site: Site) -> Place:
    """The environment as it is now."""
    examined = interpreter.examine(site.python, "--python")
    found = distributions.read(examined.site_packages).distributions
    return Place(interpreter=examined, distributions=found)


def carry_out(steps: Sequence[FileStep]) -> None:
    for step in steps:
        if step.content is None:
            step.path.unlink()
            continue
        step.path.parent.mkdir(parents=True, exist_ok=True)
        step.path.write_bytes(step.content)


def test_a_distribution_goes_in_and_out(site: Site) -> None:
    site.install("torch", "2.13.0")
    assert place(site).standing(GUARD).state is State.APPLICABLE
    assert place(site).revert(GUARD) == ()

    carry_out(place(site).apply(GUARD))
    assert place(site).standing(GUARD).state is State.APPLIED
    assert place(site).apply(GUARD) == ()

    carry_out(place(site).revert(GUARD))
    assert place(site).standing(GUARD).state is State.APPLICABLE


def test_a_stand_in_answers_with_the_version_that_it_replaces(site: Site) -> None:
    carry_out(place(site).apply(STAND_IN, replaces="5.2.0"))

    twin = place(site).get("datasets")
    assert twin is not None
    assert (twin.version, twin.installer) == ("5.2.0+legacy.doctor", application.OURS)
    assert place(site).standing(STAND_IN).state is State.APPLIED
    carry_out(place(site).revert(STAND_IN))
    assert place(site).get("datasets") is None


def test_the_real_one_is_never_overwritten(site: Site) -> None:
    site.install("datasets", "5.2.0")

    standing = place(site).standing(STAND_IN)

    assert standing.state is State.DRIFTED
    assert "the real datasets 5.2.0 is installed" in standing.why
    for work in (place(site).apply, place(site).revert):
        with pytest.raises(PatchError, match="drifted"):
            work(STAND_IN)


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("torch-onednn-off", None, "torch is not installed"),
        ("torch-onednn-off", "2.4.1", "it claims no torch 2.4.1"),
        ("torch-dynamo-stub", None, "torch is not installed"),
        ("torch-dynamo-stub", "2.2.0", "it claims no torch 2.2.0"),
        ("mel-on-gpu", None, "torchaudio is not installed"),
    ],
)
def test_what_is_not_there_is_absent(name: str, version: str | None, why: str, site: Site) -> None:
    if version:
        site.install("torch", version)
    patch = patches.find(name)

    assert place(site).standing(patch) == (State.ABSENT, why)
    with pytest.raises(PatchError):
        place(site).apply(patch)


def test_what_acts_at_import_time_changes_no_file(site: Site) -> None:
    site.install("torchaudio", "2.7.0")
    patch = patches.find("mel-on-gpu")

    assert "by the import-time hook" in place(site).standing(patch).why
    with pytest.raises(PatchError, match="changes no file"):
        place(site).revert(patch)


def test_an_environment_without_site_packages_takes_nothing() -> None:
    nowhere = Place(
        interpreter=patients.interpreter(site_packages=()),
        distributions=[patients.dist("torch", "2.13.0")],
    )

    with pytest.raises(TargetError, match="no site-packages"):
        nowhere.apply(GUARD)


def test_a_diff_names_paths_below_the_environment(site: Site) -> None:
    path, gone, other = site.folder / "a.txt", site.folder / "b.txt", site.folder / "c.txt"
    path.write_text("old\n")
    gone.write_text("gone")
    states = application.files.observe
    steps = [
        FileStep(path, states(path), b"new\n", None, "r"),
        FileStep(gone, states(gone), None, None, "r"),
        FileStep(other, states(other), b"born", None, "r"),
    ]

    assert application.diff(steps, site.folder) == (
        "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n"
        "--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
        "--- /dev/null\n+++ b/c.txt\n@@ -0,0 +1 @@\n+born\n"
    )
    assert f"a{Path('/')}" in application.diff(steps, Path("/elsewhere"))
