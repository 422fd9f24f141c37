"""Files of weights, read without being unpickled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from legacy_doctor.model.belief import Severity

if TYPE_CHECKING:
    from legacy_doctor.model.finding import Finding


class Trust(str, Enum):
    """What a reference in a pickle may do when the file is loaded; the worst last."""

    ALLOWED = "allowed"
    """On the list of torch itself: weights_only=True takes it."""
    HARMLESS = "harmless"
    """Plain data, but not on that list: `torch.serialization.add_safe_globals` admits it."""
    UNKNOWN = "unknown"
    """Code of another package, of which nothing is known here."""
    GATEWAY = "gateway"
    """Reaches whatever else is installed (`getattr`): to admit it is to admit everything."""
    DANGEROUS = "dangerous"
    """Runs commands or code, or reads, writes or fetches files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A class or function that a pickle asks for."""

    name: str
    """`module.name`, by its name in Python 3."""
    trust: Trust
    why: str = ""
    calls: tuple[str, ...] = ()
    """The first calls, with their arguments as far as the opcodes tell."""
    count: int = 0
    """How many calls there are."""


class StoredTensor(NamedTuple):
    """A tensor as a checkpoint declares it."""

    name: str
    """Its keys from the outside in, joined by dots."""
    dtype: str
    """As torch calls it: `float32`."""
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file of weights, read without being unpickled."""

    path: str
    form: str
    """`torch-zip`, `torch-legacy`, `torchscript`, `pickle` or `safetensors`."""
    size: int
    """Bytes of the file."""
    tensors: tuple[StoredTensor, ...]
    data: int
    """Bytes of the tensors' storages; a storage that several share counts once."""
    protocol: int | None = None
    """Pickle protocol; None where there is no pickle."""
    references: tuple[Reference, ...] = ()
    weights_only: bool = True
    """`torch.load(..., weights_only=True)` takes it, on any machine."""
    prefix: str = ""
    """What every weight is named after, where only averaged (EMA) weights are there."""
    sha256: str = ""
    """Of the file, where it has to be vouched for; else empty."""
    findings: tuple[Finding, ...] = ()

    @property
    def failed(self) -> bool:
        """True where there is something to act upon."""
        return any(item.severity is not Severity.INFO for item in self.findings)


class StrippedCopy(NamedTuple):
    """A copy of a checkpoint with plain names, as it was written."""

    path: Path
    tensors: int
    size: int
    """Bytes of the file."""
    dropped: tuple[str, ...]
    """Tensors, and tables without any, that the copy does not hold."""
