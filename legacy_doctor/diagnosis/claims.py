"""Which pin decides about an installed distribution, where several speak and some disagree.

A claim that a version is broken stands unless a stronger one says that the same version runs
under the same condition. The loser is kept: the reader sees both evidences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import treatments
from legacy_doctor.diagnosis.specifiers import admits
from legacy_doctor.diagnosis.treatments import Treatment
from legacy_doctor.model import Cpu, Distribution, Knowledge, Patient, Pin


class Judgement(NamedTuple):
    """What the pins say about one installed distribution on one CPU."""

    distribution: Distribution
    standing: tuple[Pin, ...]
    """Pins by which it is broken, the decisive one first."""
    overruled: tuple[tuple[Pin, Pin], ...]
    """Pairs: a pin by which it would be broken, and the stronger one by which it runs."""
    pins: tuple[Pin, ...]
    """All pins about it that concern this CPU."""
    treated: tuple[tuple[Pin, Treatment], ...] = ()
    """Pins by which it would be broken, were it not for a patch in force."""


def judge(patient: Patient, knowledge: Knowledge) -> Iterator[Judgement]:
    """Yield a judgement for every installed distribution that the pins speak of."""
    pins = by_name(patient.cpu, knowledge)
    installed = {item.name for item in patient.distributions}
    for distribution in patient.distributions:
        if distribution.name in pins:
            yield _treated(judged(distribution, pins[distribution.name], installed), patient)


def _treated(judgement: Judgement, patient: Patient) -> Judgement:
    """Return the judgement with the pins set apart that a patch in force answers."""
    found = {
        pin: treatment
        for pin in judgement.standing
        if pin.treated_by
        and (treatment := treatments.against(pin, judgement.distribution, patient)) is not None
    }
    return judgement._replace(
        standing=tuple(pin for pin in judgement.standing if pin not in found),
        treated=tuple(found.items()),
    )


def by_name(cpu: Cpu, knowledge: Knowledge) -> dict[str, list[Pin]]:
    """Return the pins that speak of this CPU, by the distribution they are about."""
    result: dict[str, list[Pin]] = {}
    for pin in concerning(cpu, knowledge):
        result.setdefault(pin.distribution, []).append(pin)
    return result


def concerning(cpu: Cpu, knowledge: Knowledge) -> Iterator[Pin]:
    """Yield the pins of the pin-sets that apply to this CPU and that speak of such a CPU.

    That a package runs without AVX2 proves nothing where SSE4.1 is missing as well: a pin that
    only says that something runs counts where the CPU lacks nothing older than it was tried on.
    """
    missing = cpu.missing(features.cumulative("x86-64-v4"))
    for pinset in knowledge.pinsets:
        for pin in pinset.pins if pinset.applies(cpu) else ():
            tried = features.onwards(pin.runs_without or pin.needs or pinset.lacks)
            if pin.bites(cpu) and (pin.broken is not None or missing <= tried):
                yield pin


def judged(distribution: Distribution, pins: list[Pin], installed: set[str]) -> Judgement:
    """Return what these pins say of one distribution among what else is installed."""
    standing, overruled = [], []
    for pin in pins:
        if not admits(pin.broken, distribution.version) or installed & {*pin.unless}:
            continue
        answer = _answer(pin, pins, distribution.version)
        if answer is None:
            standing.append(pin)
        else:
            overruled.append((pin, answer))
    standing.sort(key=_decisive)
    return Judgement(distribution, tuple(standing), tuple(overruled), tuple(pins))


def _decisive(pin: Pin) -> tuple[int, bool, int]:
    """Sort the worst first: by severity, death on import before failure in use, by evidence."""
    return pin.severity.rank, pin.stage != "import", -pin.grade.strength


def _answer(broken: Pin, pins: Iterable[Pin], version: str) -> Pin | None:
    """Return the stronger pin that says this version runs where `broken` says it does not."""
    answers = [
        pin
        for pin in pins
        if admits(pin.good, version)
        and same_topic(pin, broken)
        and pin.grade.strength > broken.grade.strength
    ]
    return max(answers, key=lambda pin: pin.grade.strength, default=None)


def same_topic(one: Pin, other: Pin) -> bool:
    """True where `one` may contradict `other`.

    Either both speak of the same lack, or `one` reports that it simply runs, as far as `other`
    says it fails: an import that passes proves an import, not the use.
    """
    if one.broken is None:
        return one.stage == "use" or other.stage == "import"
    return (one.needs, one.when) == (other.needs, other.when)


def overruled_as_advice(pin: Pin, pins: Iterable[Pin]) -> bool:
    """True where a stronger pin about the same lack gives another good version."""
    return any(
        other.good is not None
        and other.broken is not None
        and same_topic(other, pin)
        and other.grade.strength > pin.grade.strength
        for other in pins
    )
