"""A patch in an environment: how things stand there, and the file steps that apply or revert it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from legacy_doctor.errors import TargetError
from legacy_doctor.knowledge.patches import Kind, Patch, Provided
from legacy_doctor.model import Distribution, Interpreter
from legacy_doctor.treatment import files, patching
from legacy_doctor.treatment.patching import PatchError, Source, Standing, State
from legacy_doctor.treatment.steps import FileStep

OURS: Final = "legacy-doctor"
"""What stands in INSTALLER of the distributions that patches add."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment as a patch sees it."""

    interpreter: Interpreter
    distributions: Sequence[Distribution]

    @cached_property
    def _installed(self) -> Mapping[str, Distribution]:
        return {item.name: item for item in self.distributions}

    def get(self, name: str) -> Distribution | None:
        """Return the installed distribution of that name."""
        return self._installed.get(canonicalize_name(name))

    @property
    def site_packages(self) -> Path:
        """Where an installer puts pure Python; raises `TargetError` where there is none."""
        if not self.interpreter.site_packages:
            raise TargetError(f"{self.interpreter.prefix}: has no site-packages folder")
        return self.interpreter.site_packages[0]

    def standing(self, patch: Patch) -> Standing:
        """Tell how the environment stands to the patch."""
        if patch.kind is Kind.FILE:
            found = self._source(patch)
            return found if isinstance(found, Standing) else patching.standing(patch, found[1])
        if patch.kind is Kind.DISTRIBUTION and patch.provides is not None:
            return self._standing_of_distribution(patch, patch.provides)
        if self.get(patch.distribution) is None:
            return Standing(State.ABSENT, f"{patch.distribution} is not installed")
        what = "the import-time hook" if patch.kind is Kind.HOOK else "a source build"
        return Standing(State.APPLICABLE, f"by {what}, not by a change of files")

    def apply(self, patch: Patch, *, replaces: str | None = None) -> tuple[FileStep, ...]:
        """Return the steps that apply it; none where it is applied already.

        `replaces` is the version whose place a stand-in takes. Raises `PatchError` where it
        cannot be applied, with the reason.
        """
        reason = f"patch {patch.id}"
        if patch.kind is Kind.FILE:
            path, source = self._editable(patch)
            return _written({path: patching.apply(patch, source)}, reason)
        provided = self._provided(patch)
        standing = self.standing(patch)
        if standing.state is State.APPLIED:
            return ()
        if standing.state is not State.APPLICABLE:
            raise PatchError(
                f"patch {patch.id} not applied: {standing.state.value}: {standing.why}"
            )
        return _written(self._files(provided, replaces), reason)

    def revert(self, patch: Patch) -> tuple[FileStep, ...]:
        """Return the steps that take it back; none where it is not applied."""
        reason = f"revert patch {patch.id}"
        if patch.kind is Kind.FILE:
            path, source = self._editable(patch)
            return _written({path: patching.revert(patch, source)}, reason)
        provided = self._provided(patch)
        standing = self.standing(patch)
        if standing.state in {State.APPLICABLE, State.ABSENT}:
            return ()
        if standing.state is not State.APPLIED:
            raise PatchError(
                f"patch {patch.id} not reverted: {standing.state.value}: {standing.why}"
            )
        steps = (
            FileStep(path, files.observe(path), None, None, reason)
            for path in self._files(provided)
        )
        return tuple(step for step in steps if step.before.kind != "absent")

    def _editable(self, patch: Patch) -> tuple[Path, Source]:
        found = self._source(patch)
        if isinstance(found, Standing):
            raise PatchError(f"patch {patch.id}: {found.state.value}: {found.why}")
        return found

    def _source(self, patch: Patch) -> tuple[Path, Source] | Standing:
        """Return the file that the patch edits, or why there is none."""
        installed = self.get(patch.distribution)
        if installed is None:
            return Standing(State.ABSENT, f"{patch.distribution} is not installed")
        edit = patching.edit_for(patch, installed.version)
        if edit is None:
            return Standing(State.ABSENT, f"it claims no {patch.distribution} {installed.version}")
        path = installed.root / edit.file
        recorded = next((f.sha256 for f in installed.files if f.path == edit.file), None)
        major, minor, _ = self.interpreter.version
        backup = path.with_name(f"{path.name}.orig")
        return path, Source(
            content=files.read(path)[1],
            version=installed.version,
            recorded=recorded,
            python=(major, minor),
            backup=files.read(backup)[1],
        )

    def _provided(self, patch: Patch) -> Provided:
        if patch.kind is Kind.HOOK:
            raise PatchError(
                f"patch {patch.id} changes no file: it acts at import time; arm it with "
                f"legacy-doctor hook install --shim {patch.id}"
            )
        if patch.provides is None:
            raise PatchError(f"patch {patch.id} changes no file: it builds from source")
        return patch.provides

    def _standing_of_distribution(self, patch: Patch, provided: Provided) -> Standing:
        twin = self.get(provided.name)
        if twin is not None and twin.installer != OURS:
            return Standing(
                State.DRIFTED, f"the real {twin.name} {twin.version} is installed; remove it first"
            )
        target = self.get(patch.distribution)
        if patch.distribution != canonicalize_name(provided.name):
            if target is None:
                return Standing(State.ABSENT, f"{patch.distribution} is not installed")
            if not patch.claims(target.version):
                why = f"it claims no {patch.distribution} {target.version}"
                return Standing(State.ABSENT, why)
        wanted = self._files(provided)
        present = {str(path): files.read(path)[1] for path in wanted}
        return patching.distribution_standing(
            {str(path): content for path, content in wanted.items()}, present
        )

    def _files(self, provided: Provided, replaces: str | None = None) -> dict[Path, bytes]:
        """Return the files of a distribution that a patch adds, of the version that is there."""
        twin = self.get(provided.name)
        ours = twin.version if twin is not None and _is_stand_in(twin) else None
        made = patching.files_of(provided, ours or replaces)
        return {self.site_packages / path: content for path, content in made.items()}


def _is_stand_in(twin: Distribution) -> bool:
    """Whether it answers with the version of what it stands in for, not with its own."""
    return twin.installer == OURS and twin.version.endswith("+legacy.doctor")


def _written(contents: Mapping[Path, bytes], reason: str) -> tuple[FileStep, ...]:
    """Return the steps that write what is not there yet."""
    steps = (
        FileStep(path, files.observe(path), content, None, reason)
        for path, content in contents.items()
    )
    return tuple(step for step in steps if step.after != step.before)


def diff(steps: Iterable[FileStep], prefix: Path) -> str:
    """Return the steps as a unified diff with paths below the prefix."""
    parts: list[str] = []
    for step in steps:
        name = str(step.path.relative_to(prefix)) if prefix in step.path.parents else str(step.path)
        before = files.read(step.path)[1]
        parts += difflib.unified_diff(
            _lines(before),
            _lines(step.content),
            "/dev/null" if before is None else f"a/{name}",
            "/dev/null" if step.content is None else f"b/{name}",
        )
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines(keepends=True)
