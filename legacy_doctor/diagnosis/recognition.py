"""Which profiles an environment or a checkout matches, by its names and its files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from legacy_doctor.model import Profile, Sighting

_MOST: Final = 2 / 3
"""So much of what a project without a name of its own needs has to be there."""
_FEWEST: Final = 4
"""torch and numpy alone are no project."""


def installed(profiles: Iterable[Profile], names: Collection[str]) -> Iterator[Sighting]:
    """Yield the profiles that an environment with these distributions matches."""
    for profile in profiles:
        own = [name for name in profile.distributions if name in names]
        if own:
            yield Sighting(profile.id, certain=True, by=f"{', '.join(own)} is installed")
        else:
            yield from _by_needs(profile, names, "installed")


def asked(
    profiles: Iterable[Profile],
    project: str,
    names: Collection[str],
    there: Callable[[str], bool],
) -> Iterator[Sighting]:
    """Yield the profiles that a checkout matches.

    `project` is the name in its metadata, `names` what its files ask for; `there` tells whether
    it has a file.
    """
    for profile in profiles:
        own = [name for name in profile.distributions if name in names]
        marks = [mark for mark in profile.marks if there(mark)]
        if profile.marks and len(marks) == len(profile.marks):
            yield Sighting(profile.id, certain=True, by=f"has {', '.join(marks)}")
        elif project in profile.distributions:
            yield Sighting(profile.id, certain=True, by=f"is called {project}")
        elif own:
            yield Sighting(profile.id, certain=True, by=f"asks for {', '.join(own)}")
        else:
            yield from _by_needs(profile, names, "asked for")


def _by_needs(profile: Profile, names: Collection[str], verb: str) -> Iterator[Sighting]:
    """A checkout's project is in no environment: what it needs is all there is to go by."""
    if not profile.checkout:
        return
    found = [name for name in profile.needs if name in names]
    if len(profile.needs) > _FEWEST and len(found) >= _MOST * len(profile.needs):
        by = f"{len(found)} of the {len(profile.needs)} distributions that it imports are {verb}"
        yield Sighting(profile.id, certain=False, by=by)
