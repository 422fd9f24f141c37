"""What a rule may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from legacy_doctor.model.installation import (
        AlteredFile,
        BrokenMetadata,
        DeclaredIsa,
        Distribution,
        Interpreter,
        Override,
    )
    from legacy_doctor.model.machine import Cpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A CPU and an environment: all that a rule may look at."""

    cpu: Cpu
    interpreter: Interpreter
    distributions: tuple[Distribution, ...] = ()
    broken: tuple[BrokenMetadata, ...] = ()
    altered: tuple[AlteredFile, ...] = ()
    declared: tuple[DeclaredIsa, ...] = ()
    overrides: tuple[Override, ...] = ()
    armed: Mapping[str, str] = field(default_factory=dict)
    """The shims that the import-time hook of the environment arms: id, and for which versions."""
    what_if: bool = False
    """The CPU was named: it is not the one this runs on."""

    def get(self, name: str) -> Distribution | None:
        """Return the installed distribution of that normalized name."""
        return next((item for item in self.distributions if item.name == name), None)
