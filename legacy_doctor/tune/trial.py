"""What a timed load says: which number of threads is best, and whether that is more than chance.

Every contender runs once a round, in a process of its own, and the rounds follow each other: what
slows the machine down for a while slows all of them. In each round a contender's speed is the
geometric mean, over the parts of the load, of the baseline's time divided by its own; its speed is
the median over the rounds. Noise is relative: twice the scaled median absolute deviation of the
logarithms of these numbers (1.4826 MAD, which is the standard deviation where they are normal),
and 2 % at least: clocks, caches and the placement of memory differ by as much between two runs of
one program. The best is kept only where its speed exceeds the baseline's by more than its noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from legacy_doctor.model import Choice, Contender, Measurement, Timing, Topology

UNSET: Final = Contender("unset", None)
"""What the library does when it is told nothing: shown, never chosen."""

FLOOR: Final = 0.02
SCALE: Final = 1.4826
TIMES: Final = 2.0
MOST: Final = 8
"""Contenders; more would take longer than anybody waits."""

Sample = Mapping[str, float]
"""Seconds by the part of the load."""


class Died(Exception):
    """The load died of a signal, which has been told. Never leaves the command."""


def contenders(choices: Sequence[Choice], topology: Topology) -> tuple[Contender, ...]:
    """Return what to time: nothing set, the choices (the advised one first), and a ladder."""
    chosen = [Contender(_label(item), item.threads, item.cpus) for item in choices]
    taken = {item.threads for item in choices}
    physical = len(topology.cores)
    ladder = {1, len(topology.allowed), *(1 << n for n in range(physical.bit_length()))}
    # Above the quota everything is throttled, and that is what the unset contender shows.
    top = max(taken) if topology.quota is not None else len(topology.allowed)
    rest = sorted((n for n in ladder - taken if n <= top), reverse=True)
    room = MOST - 1 - len(chosen)
    kept = [*rest[: room - 1], 1] if 1 in rest[room:] else rest[:room]
    ladders = [Contender(_threads(number), number) for number in sorted(kept)]
    return (UNSET, *chosen, *ladders)


def _label(choice: Choice) -> str:
    return (
        f"{_threads(choice.threads)}, {choice.title}" if choice.cpus else _threads(choice.threads)
    )


def _threads(number: int) -> str:
    return f"{number} thread{'' if number == 1 else 's'}"


def order(contenders: Sequence[Contender], rounds: int) -> list[Contender]:
    """Return the runs of all rounds; each begins elsewhere, so that none is always the first."""
    count = len(contenders)
    return [contenders[(turn + place) % count] for turn in range(rounds) for place in range(count)]


def judge(
    library: str,
    samples: Mapping[Contender, Sequence[Sample]],
    threads: Mapping[Contender, int],
    baseline: Contender,
) -> Measurement:
    """Return what the samples say: one a round for each contender, in the order of the rounds."""
    base = samples[baseline]
    timings = tuple(
        _timing(item, found, base, threads.get(item)) for item, found in samples.items()
    )
    best = max(
        (item for item in timings if item.contender.threads is not None),
        key=lambda item: (item.speed, item.contender == baseline),
    )
    return Measurement(
        library=library,
        rounds=len(base),
        baseline=baseline.label,
        best=best.contender.label,
        kept=best.contender != baseline and best.speed - 1 > best.noise,
        timings=timings,
    )


def _timing(
    contender: Contender, found: Sequence[Sample], base: Sequence[Sample], threads: int | None
) -> Timing:
    speeds = [_speed(one, other) for one, other in zip(base, found, strict=True)]
    return Timing(
        contender=contender,
        threads=threads,
        seconds={part: tuple(sample[part] for sample in found) for part in found[0]},
        speed=median(speeds),
        noise=noise(speeds),
    )


def _speed(base: Sample, other: Sample) -> float:
    logs = [math.log(base[part] / other[part]) for part in base]
    return math.exp(math.fsum(logs) / len(logs))


def noise(speeds: Iterable[float]) -> float:
    """Return by how much of itself the median of these numbers may be off by chance."""
    logs = [math.log(speed) for speed in speeds]
    middle = median(logs)
    deviation = median(abs(item - middle) for item in logs)
    return max(math.expm1(TIMES * SCALE * deviation), FLOOR)


def measured(measurement: Measurement, choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return the choices as the measurement leaves them: the winner first."""
    if not measurement.kept:
        return tuple(choices)
    won = measurement.timing(measurement.best)
    number = won.contender.threads or 1
    reason = (
        f"{won.speed:.2f} times as fast as {measurement.baseline}, more than the noise of "
        f"{won.noise:.0%} ({measurement.library}, {measurement.rounds} rounds)"
    )
    known = next((c for c in choices if (c.threads, c.cpus) == won.contender[1:]), None)
    title = f"{known.title}, as measured" if known else "as measured"
    first = Choice(
        id="measured", title=title, threads=number, reason=reason, cpus=won.contender.cpus
    )
    return (first, *(item for item in choices if item is not known))
