"""What a timed load says: the best is kept only beyond the noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.model import Contender, Measurement
from legacy_doctor.tune import trial
from tests.tune.consultations import ALL, FAST, alike, choice, measurement

BASE, OTHER = Contender("2 threads", 2), Contender("1 thread", 1)


def judged(base: Sequence[float], other: Sequence[float]) -> Measurement:
    samples = {
        trial.UNSET: [{"matmul": 1.0}] * len(base),
        BASE: [{"matmul": seconds} for seconds in base],
        OTHER: [{"matmul": seconds} for seconds in other],
    }
    return trial.judge("numpy 2.3.5", samples, {BASE: 2, OTHER: 1, trial.UNSET: 2}, BASE)


@pytest.mark.parametrize(
    ("base", "other", "best", "kept"),
    [
        pytest.param([1.0] * 5, [0.5] * 5, "1 thread", True, id="twice as fast is kept"),
        pytest.param([1.0] * 5, [0.99] * 5, "1 thread", False, id="one per cent is less than any noise"),
        pytest.param([1.0] * 5, [1.0] * 5, "2 threads", False, id="the same is the advised one"),
        pytest.param([1.0] * 5, [2.0] * 5, "2 threads", False, id="slower is not kept"),
        pytest.param([1, 2, 1, 2, 1], [0.9, 1.0, 1.4, 1.9, 0.6], "1 thread", False, id="a gain within a wide scatter"),
        pytest.param([1, 9, 1, 1, 1], [0.5, 4.5, 0.5, 0.5, 0.5], "1 thread", True, id="a slow round slows both"),
        pytest.param([1, 1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5, 9], "1 thread", True, id="one outlier is no scatter"),
    ],
)  # fmt: skip
def test_the_best_is_kept_beyond_the_noise(
    base: list[float], other: list[float], best: str, kept: bool
) -> None:
    found = judged(base, other)

    assert (found.best, found.kept) == (best, kept)
    assert found.timing("2 threads").speed == 1.0


def test_parts_count_alike_whatever_they_take() -> None:
    samples = {
        trial.UNSET: [{"a": 1.0, "b": 1.0}] * 3,
        BASE: [{"a": 100.0, "b": 0.01}] * 3,
        OTHER: [{"a": 50.0, "b": 0.02}] * 3,
    }

    found = trial.judge("numpy", samples, {}, BASE)

    assert found.timing("1 thread").speed == pytest.approx(1.0)
    assert found.timing("1 thread").seconds == {"a": (50.0,) * 3, "b": (0.02,) * 3}


def test_what_is_no_choice_is_never_the_best() -> None:
    samples = {
        trial.UNSET: [{"matmul": 0.1}] * 3,
        BASE: [{"matmul": 1.0}] * 3,
        OTHER: [{"matmul": 2.0}] * 3,
    }

    assert trial.judge("numpy", samples, {}, BASE).best == "2 threads"


def test_chance_alone_rarely_wins() -> None:
    """Seven alike contenders, five rounds, a scatter of ten per cent: false winners in 400 trials."""
    source = random.Random(7)  # noqa: S311  no secret
    wins = 0
    contenders = [Contender(f"{n} threads", n) for n in range(1, 8)]
    for _ in range(400):
        samples = {
            item: [{"matmul": source.lognormvariate(0, 0.1)} for _ in range(5)]
            for item in contenders
        }
        wins += trial.judge("numpy", samples, {}, contenders[0]).kept

    assert wins / 400 < 0.2  # and a true gain of half is seen nearly always:

    seen = 0
    for _ in range(400):
        samples = {
            BASE: [{"matmul": source.lognormvariate(0, 0.1)} for _ in range(5)],
            OTHER: [{"matmul": 0.5 * source.lognormvariate(0, 0.1)} for _ in range(5)],
        }
        seen += trial.judge("numpy", samples, {}, BASE).kept
    assert seen / 400 > 0.9


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=9), st.floats(0.1, 10))
def test_noise_is_relative_and_has_a_floor(speeds: list[float], factor: float) -> None:
    found = trial.noise(speeds)

    assert found >= trial.FLOOR
    assert trial.noise([speed * factor for speed in speeds]) == pytest.approx(found, rel=1e-6)


def test_what_is_timed_on_a_hybrid() -> None:
    machine = replace(alike(12), allowed=tuple(range(16)), online=tuple(range(16)))

    found = trial.contenders(
        [choice(12), choice(4, 0, 2, 4, 6, title="the P-cores alone")], machine
    )

    assert [item.label for item in found] == [
        "unset",
        "12 threads",
        "4 threads, the P-cores alone",
        "1 thread",
        "2 threads",
        "8 threads",
        "16 threads",
    ]
    assert found[2].cpus == (0, 2, 4, 6)


def test_what_is_timed_on_a_large_machine_is_not_without_end() -> None:
    found = trial.contenders([choice(128)], replace(alike(128), allowed=tuple(range(256))))

    assert len(found) == trial.MOST
    assert [item.threads for item in found] == [None, 128, 1, 8, 16, 32, 64, 256]


def test_nothing_above_a_quota_is_timed() -> None:
    found = trial.contenders([choice(2)], replace(alike(16), quota=2.0))

    assert [item.threads for item in found] == [None, 2, 1]


def test_rounds_begin_elsewhere_and_hold_everyone_once() -> None:
    contenders = [trial.UNSET, BASE, OTHER]
    runs = trial.order(contenders, 4)

    turns = [runs[start : start + 3] for start in range(0, 12, 3)]
    assert all(sorted(turn, key=contenders.index) == contenders for turn in turns)
    assert len({turn[0] for turn in turns}) == 3


def test_the_winner_comes_first_with_its_numbers() -> None:
    advised = choice(12)
    fast = choice(4, 0, 2, 4, 6, title="the P-cores alone")

    first, second = trial.measured(measurement(1.4, kept=True), [advised, fast])

    assert (first.id, first.threads, first.cpus) == ("measured", 4, FAST.cpus)
    assert first.title == "the P-cores alone, as measured"
    assert first.reason == (
        "1.40 times as fast as 12 threads, more than the noise of 5% (torch 2.13.0+cpu, 3 rounds)"
    )
    assert second == advised


def test_a_number_that_no_rule_named_may_win() -> None:
    first, *rest = trial.measured(measurement(1.4, kept=True), [choice(12)])

    assert (first.title, len(rest)) == ("as measured", 1)


def test_without_a_winner_the_choices_stay() -> None:
    choices = (choice(12), choice(4))

    assert trial.measured(measurement(1.4, kept=False), choices) == choices
    assert measurement(1.4, kept=False).baseline == ALL.label
