"""All that is known about one distribution, gathered."""

from __future__ import annotations

import pytest

from legacy_doctor.diagnosis import stories
from legacy_doctor.model import Conflict, Distribution, Knowledge, Story
from tests.diagnosis.patients import (
    NEHALEM,
    PHENOM,
    alternative,
    dist,
    evidence,
    interpreter,
    knowing,
    patient,
    pin,
    pinset,
)

NUMPY = pin("numpy", ">=2.4", "<2.4", needs="sse4_1", alternatives=(alternative("nump"),))
WHO = patient(
    dist("app", "1", "datasets"),
    dist("datasets", "4", "pandas>=2"),
    dist("numpy", "2.4.6"),
    dist("pandas", "3.1", "numpy>=1.26"),
    dist("torch", "2.7", "numpy; extra == 'opt'"),
)


def test_the_whole_story_of_what_is_at_fault() -> None:
    weaker = pin("numpy", ">=2.4", "<2.4", needs="sse4_1", grade="inferred")
    unrelated = pin("numpy", "<1", needs="sse4_2")
    story = stories.tell("numpy", WHO, knowing(unrelated, weaker, NUMPY, pin("torch", ">9")))
    (finding,) = story.findings
    assert (finding.rule, finding.subject) == ("broken-pin", "numpy")
    assert story == Story(
        name="numpy",
        cpu=PHENOM,
        interpreter=interpreter(),
        installed=dist("numpy", "2.4.6"),
        required_by=(("pandas", "3.1", ">=1.26"),),
        path=("app", "datasets", "pandas", "numpy"),
        pins=(NUMPY, weaker, unrelated),
        decisive=(weaker, NUMPY),
        elsewhere=(),
        findings=(finding,),
        alternatives=(alternative("nump"),),
        prescription=("uv pip install --python /venv/bin/python 'numpy<2.4'",),
    )


PATHS = {
    "nobody asks for it": ((dist("numpy"),), ("numpy",)),
    "the longest": (
        (dist("a", "1", "b"), dist("b", "1", "numpy"), dist("c", "1", "numpy"), dist("numpy")),
        ("a", "b", "numpy"),
    ),
    "one that starts at what nobody requires, though it is shorter": (
        (
            dist("root", "1", "a", "numpy"),
            dist("a", "1", "b"),
            dist("b", "1", "numpy"),
            dist("numpy"),
        ),
        ("root", "numpy"),
    ),
    "all of them require one another": (
        (dist("a", "1", "b"), dist("b", "1", "a", "numpy"), dist("numpy")),
        ("a", "b", "numpy"),
    ),
}


@pytest.mark.parametrize(("installed", "path"), PATHS.values(), ids=PATHS)
def test_the_path_starts_at_what_was_asked_for(
    installed: tuple[Distribution, ...], path: tuple[str, ...]
) -> None:
    assert stories.tell("numpy", patient(*installed), knowing()).path == path


def test_only_its_own_findings_are_prescribed_for() -> None:
    other, note = pin("torch", ">=2", "<2"), pin("pandas", ">=3", "<3", severity="info")
    story = stories.tell("pandas", WHO, knowing(NUMPY, other, note))
    assert story.prescription == ("uv pip install --python /venv/bin/python 'numpy<2.4'",)
    assert stories.tell("numpy", patient(), knowing(NUMPY)).prescription == ()


def test_the_story_of_a_victim_names_the_cause() -> None:
    story = stories.tell("datasets", WHO, knowing(NUMPY))
    (finding,) = story.findings
    assert finding.subject == "numpy"
    assert finding.paths["datasets"] == ("datasets", "pandas", "numpy")
    assert (story.pins, story.alternatives) == ((), ())
    assert story.path == ("app", "datasets")


def test_own_findings_come_before_those_of_what_it_depends_on() -> None:
    story = stories.tell("pandas", WHO, knowing(NUMPY, pin("pandas", ">=3", "<3", severity="info")))
    assert [item.subject for item in story.findings] == ["pandas", "numpy"]


def test_what_is_not_installed_has_pins_and_no_verdict() -> None:
    story = stories.tell("numpy", patient(), knowing(NUMPY))
    assert (story.installed, story.required_by, story.path) == (None, (), ("numpy",))
    assert (story.pins, story.findings) == ((NUMPY,), ())


def test_pins_about_other_cpus_are_told_apart() -> None:
    new = pin("numpy", ">=9", needs="avx2")
    other = pin("numpy", ">=8")
    sets = (pinset(NUMPY, new), pinset(other, lacks="sse2", id="below-v1"))
    story = stories.tell("numpy", patient(on=NEHALEM), Knowledge(pinsets=sets))
    assert story.pins == ()
    assert story.elsewhere == (NUMPY, new, other)
    assert story.alternatives == ()


def test_a_conflict_belongs_to_the_story_of_each_side() -> None:
    conflict = Conflict(distributions=("a", "b"), effect="both write m", evidence=(evidence(),))
    for name in ("a", "b"):
        story = stories.tell(name, patient(dist("a"), dist("b")), knowing(conflicts=(conflict,)))
        assert [item.subject for item in story.findings] == ["a + b"]


def test_the_decisive_pins_speak_of_the_installed_version() -> None:
    pins = (NUMPY, pin("numpy", ">=9"), pin("numpy", good="==2.4.6"), pin("numpy", "==1", ">1"))
    installed = stories.tell("numpy", WHO, knowing(*pins))
    assert installed.decisive == (pins[0], pins[2], pins[3])
    assert stories.tell("numpy", patient(), knowing(*pins)).decisive == pins
