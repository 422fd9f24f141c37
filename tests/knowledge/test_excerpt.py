"""A look at a few distributions reads no more of the pin-sets, and misses nothing of them."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.knowledge import catalogue
from legacy_doctor.knowledge.excerpt import cut
from legacy_doctor.model import Knowledge, PinSet

WHOLE = catalogue.choose()
NAMES = sorted(
    {pin.distribution for pin in WHOLE.pins}
    | {name for item in WHOLE.pinsets for each in item.conflicts for name in each.distributions}
    | {
        name
        for item in WHOLE.pinsets
        for each in item.soft_imports
        for name in (each.distribution, each.imports)
    }
)


def about(*names: str) -> Knowledge:
    return catalogue.choose(about=names)


BREAKING = {pin.distribution for pin in WHOLE.pins if pin.broken is not None}


def test_about_everything_it_is_all_that_may_break_and_what_answers_it() -> None:
    found = about(*NAMES)

    assert found.pins == tuple(pin for pin in WHOLE.pins if pin.distribution in BREAKING)
    for part, whole in zip(found.pinsets, WHOLE.pinsets, strict=True):
        assert dataclasses.replace(part, pins=()) == dataclasses.replace(whole, pins=())


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(NAMES), max_size=4))
def test_nothing_said_of_the_names_is_missing(names: set[str]) -> None:
    found = about(*names)

    for name in names:
        assert found.about(name) == (WHOLE.about(name) if name in BREAKING else ())
    for part, whole in zip(found.pinsets, WHOLE.pinsets, strict=True):
        assert (part.label, part.lacks, part.title) == (whole.label, whole.lacks, whole.title)
        assert _joint(part, names) == _joint(whole, names)


def _joint(item: PinSet, names: set[str]) -> list[object]:
    conflicts = [each for each in item.conflicts if len(names & {*each.distributions}) > 1]
    soft = [each for each in item.soft_imports if names >= {each.distribution, each.imports}]
    return [*conflicts, *soft]


def test_of_a_distribution_that_nobody_knows_nothing_is_read() -> None:
    found = about("requests")

    assert found.pins == ()
    assert [item.label for item in found.pinsets] == [item.label for item in WHOLE.pinsets]


def test_what_a_distribution_brings_is_read_with_it() -> None:
    names = {pin.distribution for pin in about("polars").pins}

    assert names >= {"polars", "polars-runtime-32", "polars-runtime-compat"}
    assert "numpy" not in names


def test_two_that_do_not_go_together() -> None:
    (first, *_) = about("numpy", "pyarrow").pinsets

    assert [(item.first, item.second) for item in first.incompatibilities] == [
        ("numpy<2", "pyarrow>=26")
    ]
    assert about("numpy").pinsets[0].incompatibilities == ()


def test_own_and_named_pinsets_are_read_whole() -> None:
    named = catalogue.choose(["below-v2"], about=["requests"])

    assert named.pins == next(item for item in WHOLE.pinsets if item.id == "below-v2").pins


@pytest.mark.parametrize("text", ["", 'id = "x"\n', "[target]\nlacks = []\n"])
def test_a_text_without_statements_stays(text: str) -> None:
    assert cut([text], ["numpy"]) == [text]


def test_removals_are_kept_by_name() -> None:
    text = 'id = "x"\n\n[[removals]]\ndistribution = "a"\n\n[[removals]]\ndistribution = "b"\n'

    assert cut([text], ["b"]) == ['id = "x"\n\n[[removals]]\ndistribution = "b"\n']
