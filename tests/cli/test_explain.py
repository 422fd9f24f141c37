"""`explain`: the whole story of one package."""

from __future__ import annotations

import json

from tests.conftest import Doctor, Site


def _story(site: Site, doctor: Doctor, name: str, cpu: str = "phenom-ii") -> str:
    answer = doctor("explain", name, "--python", str(site.folder), "--cpu", cpu)
    assert answer.code == 0, answer.err
    return " ".join(answer.out.split())


def test_a_broken_package_is_told_from_first_bad_to_remedy(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])
    site.install("datasets", "4.0", requires=["pandas"])

    story = _story(site, doctor, "numpy")

    for part in (
        "numpy 2.4.6 on AMD Phenom(tm) II X6 1090T Processor (x86-64-v1)",
        "required by pandas 3.1.1 (>=1.26)",
        "path datasets > pandas > numpy",
        "last good 2.3.5, first bad 2.4.0",
        "this CPU lacks ssse3 sse4_1 sse4_2",
        "evidence [emulated] phenom",
        "evidence [reported]",
        "remedy install numpy<2.4",
    ):
        assert part in story


def test_an_affected_package_is_told_not_to_be_at_fault(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"])

    story = _story(site, doctor, "pandas")

    assert "pandas itself is not at fault: pandas > numpy, and numpy 2.4.6 dies on import" in story


def test_a_package_that_is_not_installed_can_be_explained(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "1.26.4")

    story = _story(site, doctor, "pyarrow")

    assert "installed no, not in" in story
    assert "no wheel is known to work" in story


def test_a_healthy_package_is_told_so(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "1.26.4")

    assert "no failure is known for this version on this CPU" in _story(site, doctor, "numpy")


def test_the_alternatives_say_whether_they_run_here(site: Site, doctor: Doctor) -> None:
    site.install("polars-runtime-32", "2.1.0")

    on_phenom = _story(site, doctor, "polars-runtime-32")
    on_nehalem = _story(site, doctor, "polars-runtime-32", "nehalem")

    assert "alternative polars[rtcompat]: needs" in on_phenom
    assert "alternative polars[rtcompat]: runs here" in on_nehalem


def test_the_story_is_had_as_json(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.4.6")

    answer = doctor(
        *("explain", "NumPy", "--python", str(site.folder)),
        *("--cpu", "phenom-ii", "--format", "json"),
    )

    story = json.loads(answer.out)
    assert (story["command"], story["name"], story["installed"]) == ("explain", "numpy", "2.4.6")
    assert {pin["evidence"][0]["grade"] for pin in story["pins"]} >= {"emulated", "reported"}
