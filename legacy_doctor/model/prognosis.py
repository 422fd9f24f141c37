"""What is to be expected of distributions on other CPUs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Grade
    from legacy_doctor.model.installation import Override
    from legacy_doctor.model.machine import HiddenBy
    from legacy_doctor.model.treatment import Step


class Fate(str, Enum):
    """What becomes of a distribution on some CPU, the worst first."""

    DIES = "dies"
    REFUSES = "refuses"
    """It fails with a clean error: the process can go on, and says why."""
    UNKNOWN = "unknown"
    WORKS = "works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is to be expected of one distribution on one CPU, and how well that is known."""

    fate: Fate
    proven: bool = False
    """Somebody ran it, on such silicon or on such an emulated CPU; else it is inferred."""
    stage: str = ""
    """`import` or `use`: where it fails, or how far it was seen to run."""
    grade: Grade | None = None
    """Of the statement behind it; None where it only follows from others."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prognosis:
    """What is to be expected of one installed distribution, here and on every x86-64 level."""

    distribution: str
    version: str
    here: Expectation
    levels: tuple[tuple[str, Expectation], ...]
    """By level, lowest first."""

    @property
    def known(self) -> bool:
        """True where anything is known about it on any of these CPUs."""
        cells = (self.here, *(cell for _, cell in self.levels))
        return any(cell.fate is not Fate.UNKNOWN for cell in cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a page shows beside the report: whatever is missing is left out of the page."""

    prognosis: tuple[Prognosis, ...] = ()
    overrides: tuple[Override, ...] = ()
    """The dispatch variables that are set, harmless ones too."""
    steps: tuple[Step, ...] = ()
    """The plan of `fix`."""
    remedies: tuple[tuple[HiddenBy, str], ...] = ()
    """Who hides features of this CPU, and what to do about it."""
