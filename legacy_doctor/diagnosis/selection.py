"""Which probes to run, and which of them cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from packaging.utils import canonicalize_name

from legacy_doctor.diagnosis import packages
from legacy_doctor.model import Distribution, Finding, Knowledge, Patient, Probe

Generic = Callable[[Distribution], Probe | None]
"""Makes an import probe for a distribution that no shipped probe is about."""

ABOUT_PACKAGES: Final = frozenset(
    {
        "altered-files",
        "broken-pin",
        "declared-isa",
        "disputed-evidence",
        "incompatible-versions",
        "no-working-wheel",
        "overwriting-distributions",
        "treated",
        "unwanted-distribution",
    }
)
"""Rules whose subject is an installed distribution, or several joined by ` + `."""


def choose(  # noqa: PLR0913  all that decides, and each of another room
    patient: Patient,
    knowledge: Knowledge,
    findings: Iterable[Finding],
    probes: Sequence[Probe],
    wanted: str,
    generic: Generic,
) -> tuple[Probe, ...]:
    """Return the probes to run: by distribution, then in the order in which they are shipped.

    `risky`: what a rule speaks of, whatever it says, what reads a suspicious variable, and what
    has machine code that no pin-set covers. `all`: whatever has a probe or machine code, with
    the extra probes too.
    """
    if wanted == "none":
        return ()
    risky = {*suspects(findings), *packages.unjudged(patient, knowledge)}
    return tuple(
        probe
        for distribution in patient.distributions
        if wanted == "all" or distribution.name in risky
        for probe in _probes(distribution, probes, generic, wanted)
    )


def _probes(
    distribution: Distribution, probes: Iterable[Probe], generic: Generic, wanted: str
) -> Iterator[Probe]:
    shipped = [
        probe
        for probe in probes
        if probe.distribution == distribution.name and (wanted == "all" or not probe.extra)
    ]
    yield from shipped
    # Asked for everything, what is pure Python and has no probe is left alone.
    if not shipped and (wanted == "risky" or distribution.native):
        made = generic(distribution)
        if made is not None:
            yield made


def suspects(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the distributions that a rule speaks of, and those that read a set variable."""
    for finding in findings:
        if finding.rule in ABOUT_PACKAGES:
            yield from map(canonicalize_name, finding.subject.split(" + "))
        elif finding.rule == "dispatch-override":
            yield from finding.affects


def missing(probe: Probe, patient: Patient) -> tuple[str, ...]:
    """Return what the probe requires and is not installed: with any of it, it is skipped."""
    return tuple(name for name in probe.requires if patient.get(name) is None)
