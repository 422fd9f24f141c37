"""What the hook is to do in one environment: the words that a plan arms it with."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from legacy_doctor.cpu import features
from legacy_doctor.errors import DoctorError, UnknownNameError, suggestion
from legacy_doctor.model import Cpu, When

SHIMS: Final = {
    "datasets-stub": ("datasets", "datasets"),
    "torch-onednn-off": ("torch", "torch"),
    "dataloader-num-workers-0": ("torch.utils.data.dataloader", "torch"),
    "torch-load-weights-only-false": ("torch.serialization", "torch"),
    "mel-on-gpu": ("torchaudio.transforms", "torchaudio"),
}
"""The import-time patches: the module that each acts on, and the distribution it belongs to."""

STUBBED: Final = "pyarrow"
"""The module whose guard decides whether `datasets` needs its stand-in."""

# An identifier with dots: what can stand in an import statement, and in a generated file.
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """CPUs that lack any of `needs` (features or x86-64 levels) and meet `when`.

    At least one of the two must be said: a hook that acts on every CPU says no `Where` at all.
    """

    needs: frozenset[str] = frozenset()
    when: When | None = None

    def __post_init__(self) -> None:
        """Refuse what the hook could not test."""
        for name in features.expand(self.needs) - features.KNOWN:
            raise UnknownNameError(
                f"hook: unknown feature {name!r}{suggestion(name, features.KNOWN)}"
            )
        when = self.when
        if not self.needs and (
            when is None or (when.vendor, when.cpuid_level_below) == (None,) * 2
        ):
            raise DoctorError("hook: a condition that names neither a feature nor a kind of CPU")

    def holds(self, cpu: Cpu) -> bool:
        """True where the CPU is one of those."""
        if self.when is not None and not self.when.holds(cpu):
            return False
        return not self.needs or bool(cpu.missing(features.expand(self.needs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A module whose import would kill the process: ImportError is raised in its place.

    `distribution` is the normalized name; `broken` the versions that die (a specifier), empty
    for all. `remedy` is a command, `reason` one sentence; both end in the message.
    """

    module: str
    distribution: str
    where: Where
    remedy: str
    broken: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse what would not do what it says."""
        _check_module(self.module)
        _check_specifier(self.module, self.broken)
        if not self.remedy.strip():
            raise DoctorError(f"hook: the guard of {self.module} names no remedy")

    @property
    def facts(self) -> tuple[str, str, str, Where]:
        """What it stops, and where: all of it but the words."""
        return self.module, self.distribution, self.broken, self.where


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A checkpoint that may be unpickled: by its path (or the folder above it), by its content.

    With both, both must be true. `size` spares the hashing of files that cannot be it.
    """

    path: str | None = None
    sha256: str | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        """Refuse an entry that lists everything, or nothing."""
        if self.path is None and self.sha256 is None:
            raise DoctorError("hook: a listed checkpoint has neither a path nor a sha256")
        if self.path is not None and (not self.path.startswith("/") or not self.path.strip("/")):
            raise DoctorError(
                f"hook: {self.path!r}: list checkpoints by an absolute path below the root folder"
            )
        if self.sha256 is not None and not _HASH.fullmatch(self.sha256):
            raise DoctorError(f"hook: {self.sha256!r} is no sha256 (64 hexadecimal digits)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shim:
    """An import-time patch that is armed.

    `where` holds the CPUs on which it acts, any of them; empty means all. `versions` is the
    specifier of the distribution versions it is made for, empty for all. `listed` belongs to
    `torch-load-weights-only-false`, `stand_in` (the source of the module that takes the place of
    `datasets`) to `datasets-stub`, which acts where the guard of pyarrow does.
    """

    id: str
    where: tuple[Where, ...] = ()
    versions: str = ""
    listed: tuple[Listed, ...] = ()
    stand_in: str = ""

    def __post_init__(self) -> None:
        """Refuse what would not do what it says."""
        if self.id not in SHIMS:
            raise UnknownNameError(f"hook: no shim {self.id!r}{suggestion(self.id, SHIMS)}")
        _check_specifier(self.id, self.versions)
        if bool(self.listed) != (self.id == "torch-load-weights-only-false"):
            raise DoctorError(
                f"hook: {self.id}: files must be listed for torch-load-weights-only-false, and "
                "for no other shim"
            )
        if bool(self.stand_in) != (self.id == "datasets-stub"):
            raise DoctorError(
                f"hook: {self.id}: a stand-in must be given for datasets-stub, and for no other "
                "shim"
            )

    @property
    def module(self) -> str:
        """The module that it acts on."""
        return SHIMS[self.id][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """All that one hook does. `cpu` is what messages call the CPU it was made for.

    `target` is how the user named that CPU, empty for the one it was made on, and `pinsets` are
    the labels of those that its guards come from: nothing acts on either, `hook status` tells
    them.
    """

    cpu: str
    guards: tuple[Guard, ...] = ()
    shims: tuple[Shim, ...] = ()
    target: str = ""
    pinsets: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a stand-in that nothing would ever call for, and a shim that is armed twice."""
        ids = [shim.id for shim in self.shims]
        for name in ids:
            if ids.count(name) > 1:
                raise DoctorError(f"hook: {name} is armed twice")
        if "datasets-stub" in ids and STUBBED not in {guard.module for guard in self.guards}:
            raise DoctorError(f"hook: datasets-stub needs the guard of {STUBBED} beside it")

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it looks out for, sorted."""
        found = {guard.module for guard in self.guards} | {shim.module for shim in self.shims}
        return tuple(sorted(found))

    def covers(self, other: Armed) -> bool:
        """True where it does all that the other would do; words do not count."""
        mine = {guard.facts for guard in self.guards}
        shims = {shim.id for shim in self.shims}
        return {guard.facts for guard in other.guards} <= mine and all(
            shim.id in shims for shim in other.shims
        )

    def with_all_of(self, other: Armed) -> Armed:
        """Return a hook that does what both do; where both say how, it is the other's word."""
        facts = {guard.facts for guard in other.guards}
        ids = {shim.id for shim in other.shims}
        return replace(
            other,
            guards=(*other.guards, *(item for item in self.guards if item.facts not in facts)),
            shims=(*other.shims, *(item for item in self.shims if item.id not in ids)),
            pinsets=tuple(dict.fromkeys((*other.pinsets, *self.pinsets))),
            skipped=self.skipped,
        )


def _check_module(name: str) -> None:
    if not _MODULE.fullmatch(name):
        raise DoctorError(f"hook: {name!r} is no module name")


def _check_specifier(subject: str, text: str) -> None:
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise DoctorError(f"hook: {subject}: {text!r} is no version specifier") from error
