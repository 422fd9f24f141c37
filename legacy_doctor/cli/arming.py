"""What a hook is armed with: guards by pins and probes, shims by patches, all of it data."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import claims, remedies
from legacy_doctor.diagnosis.claims import Judgement
from legacy_doctor.diagnosis.specifiers import admits
from legacy_doctor.environment.imports import import_names
from legacy_doctor.errors import DoctorError, TargetError, UnknownNameError, suggestion
from legacy_doctor.hook.rules import SHIMS, STUBBED, Armed, Guard, Listed, Shim, Where
from legacy_doctor.knowledge import patches, probes
from legacy_doctor.knowledge.patches import Kind, Patch
from legacy_doctor.model import (
    Distribution,
    Finding,
    Knowledge,
    Patient,
    Pin,
    ProbeResult,
    Remedy,
    Report,
    Severity,
    Standing,
)
from legacy_doctor.report.text import cpu_name
from legacy_doctor.treatment import remainder
from legacy_doctor.treatment.application import OURS

STUB: Final = "datasets-stub"
LISTED: Final = "torch-load-weights-only-false"
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_EVERY: Final = ">=0.dev0"
"""Every version that is there: a module of that name in another distribution is let through."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asks of a hook beyond what is right for the CPU."""

    shims: tuple[str, ...] = ()
    """Ids of shims that are offered and not armed by themselves."""
    checkpoints: tuple[str, ...] = ()
    """Files, folders and sha256 that torch.load may unpickle."""
    skip: tuple[str, ...] = ()
    """Names of what is left out: `guard:numpy`, `shim:datasets-stub`, or without the kind."""


@dataclass(frozen=True, kw_only=True)
class Arming:
    """A patient, what is known, and what was found: from these follows what is armed."""

    patient: Patient
    knowledge: Knowledge
    report: Report

    def armed(self, wish: Wish = Wish()) -> Armed:
        """Return what a hook in this environment is to do on this CPU.

        Raises `UnknownNameError` for a shim or a name to skip that is not there, `DoctorError`
        for a shim that cannot act here.
        """
        guards = tuple(dict.fromkeys((*self._known(), *self._proven())))
        shims = tuple(self._shims(guards, wish))
        return _without(self._named(guards, shims), wish.skip)

    def needed(self) -> Armed:
        """Return what no change of packages or files can do: the rest of a treatment.

        Guards of what dies and has no cure, and the recommended patches that act at import time.
        """
        mortal = {item.subject for item in self.report.findings if remainder.is_incurable(item)}
        found = (*self._known(mortal), *self._proven()) if mortal else ()
        guards = [item for item in found if item.distribution in mortal and self._stops(item)]
        shims = map(self._shim, remainder.hooks(self.patient))
        return self._named(tuple(dict.fromkeys(guards)), tuple(shims))

    def _named(self, guards: tuple[Guard, ...], shims: tuple[Shim, ...]) -> Armed:
        cpu = self.patient.cpu
        return Armed(
            cpu=cpu_name(cpu),
            guards=guards,
            shims=shims,
            target=self.report.target_name if self.patient.what_if else "",
            pinsets=tuple(item.label for item in self.knowledge.pinsets if item.applies(cpu)),
        )

    # Guards

    def _known(self, names: Collection[str] | None = None) -> Iterator[Guard]:
        """Yield the guards that the pins ask for, of what is installed and of what may come.

        Of some distributions only, where `names` says which.
        """
        concerning = tuple(claims.concerning(self.patient.cpu, self.knowledge))
        for pin in concerning:
            where = _where(pin.needs, pin)
            wanted = names is None or pin.distribution in names
            if where is None or not wanted or not self._deadly(pin):
                continue
            pins = tuple(other for other in concerning if other.distribution == pin.distribution)
            for module in self._modules(pin.distribution):
                yield Guard(
                    module=module,
                    distribution=pin.distribution,
                    where=where,
                    broken=pin.broken or _EVERY,
                    remedy=self._remedy(pin, pins),
                    reason=_one_line(pin.symptom),
                )

    def _deadly(self, pin: Pin) -> bool:
        """True for an import that dies, as far as nothing stronger says that it does not here."""
        if pin.broken is None or pin.severity is not Severity.ERROR or pin.stage != "import":
            return False
        installed = self.patient.get(pin.distribution)
        if pin.unless and (installed is None or any(map(self.patient.get, pin.unless))):
            return False
        if installed is None or not admits(pin.broken, installed.version):
            return True
        return self._finding(pin.distribution) is not None

    def _stops(self, guard: Guard) -> bool:
        """Whether it would stop what is installed now."""
        installed = self.patient.get(guard.distribution)
        return installed is not None and admits(guard.broken, installed.version)

    def _finding(self, name: str) -> Finding | None:
        """Return the error about a distribution that no probe refuted and nobody accepts."""
        found = (item for item in self.report.findings if item.subject == name)
        return next(
            (
                item
                for item in found
                if item.severity is Severity.ERROR and item.standing is not Standing.REFUTED
            ),
            None,
        )

    def _modules(self, name: str) -> tuple[str, ...]:
        """Return what one imports of it: RECORD tells, else its probe, else its own name."""
        installed = self.patient.get(name)
        found = import_names(installed) if installed is not None else ()
        return found or self._probed.get(name, ()) or _namesake(installed)

    @cached_property
    def _probed(self) -> dict[str, tuple[str, ...]]:
        """The one module that the probes of a distribution import, where it is one."""
        found: dict[str, set[str]] = {}
        for probe in probes.shipped():
            found.setdefault(probe.distribution, set()).update(_imported(probe.imports))
        return {name: tuple(modules) for name, modules in found.items() if len(modules) == 1}

    def _remedy(self, pin: Pin, pins: tuple[Pin, ...]) -> str:
        finding = self._finding(pin.distribution)
        if finding is not None and finding.remedy is not None:
            return _typed(finding.remedy, self.patient)
        absent = Distribution(
            name=pin.distribution, version=pin.first_bad or "", root=Path(), info=Path()
        )
        judgement = Judgement(absent, (pin,), (), pins)
        return _typed(remedies.for_judgement(judgement, self.patient), self.patient)

    def _proven(self) -> Iterator[Guard]:
        """Yield the guards of what died on import in a probe and no pin knows."""
        for result in self.report.probing.results:
            name = self._at_fault(result)
            finding = None if name is None else self._finding(name)
            installed = None if name is None else self.patient.get(name)
            if finding is None or installed is None or finding.standing is not Standing.NEW:
                continue
            where = _where(result.fault.needs if result.fault else frozenset(), None)
            if where is None or not self.patient.cpu.missing(where.needs):
                continue
            for module in self._modules(installed.name):
                yield Guard(
                    module=module,
                    distribution=installed.name,
                    where=where,
                    broken=f"==={installed.version}",
                    remedy=_typed(finding.remedy, self.patient) if finding.remedy else "none known",
                    reason=_one_line(f"proven by a probe: {finding.message}"),
                )

    def _at_fault(self, result: ProbeResult) -> str | None:
        """Return whose import is to be stopped: its own probe must have died on import."""
        dies = {
            item.probe.distribution
            for item in self.report.probing.results
            if item.outcome.died and item.stage == "import" and not item.overrides
        }
        if result.probe.distribution not in dies or not result.outcome.died:
            return None
        owner = result.fault.owner if result.fault else None
        return owner if owner in dies else result.probe.distribution

    # Shims

    def _shims(self, guards: Sequence[Guard], wish: Wish) -> Iterator[Shim]:
        asked = dict.fromkeys(_shim_id(name) for name in wish.shims)
        listed = _listed(wish.checkpoints)
        if listed:
            asked[LISTED] = None
        elif LISTED in asked:
            raise DoctorError(
                f"{LISTED}: say which files it may unpickle, each with --load-file PATH"
            )
        guarded = any(guard.module == STUBBED for guard in guards)
        datasets = self.patient.get("datasets")
        if guarded and datasets is not None and datasets.installer != OURS:
            asked.setdefault(STUB)
        for patch in remainder.hooks(self.patient):
            asked.setdefault(_shim_id(patch.id))
        for name in asked:
            if name == STUB and not guarded:
                raise DoctorError(
                    f"{STUB}: nothing stops {STUBBED} on this CPU, so the real datasets works"
                )
            yield self._shim(self._patch(name), listed if name == LISTED else ())

    def _patch(self, name: str) -> Patch:
        """Return the patch that a shim carries out, the one for the installed version first."""
        found = [item for item in patches.every() if item.shim == name]
        found.sort(key=lambda item: item.kind is not Kind.HOOK)
        installed = self.patient.get(found[0].distribution)
        if installed is None:
            raise TargetError(
                f"{name}: {found[0].distribution} is not installed in "
                f"{self.patient.interpreter.prefix}"
            )
        for patch in found:
            if name == STUB or patch.claims(installed.version):
                return patch
        made = " and ".join(f"{item.distribution}{item.versions}" for item in found)
        raise DoctorError(f"{name}: made for {made}, and {installed.version} is installed")

    def _shim(self, patch: Patch, listed: tuple[Listed, ...] = ()) -> Shim:
        """Return a shim that acts where the patch is needed: everywhere, if asked for elsewhere."""
        name = _shim_id(patch.id)
        stub = patch.provides if name == STUB else None
        needed = patch.suits(self.patient.cpu) and stub is None
        return Shim(
            id=name,
            versions="" if stub is not None else patch.versions,
            where=tuple(Where(needs=item.lacks, when=item.when) for item in patch.conditions)
            if needed
            else (),
            listed=listed,
            stand_in=stub.modules[0][1] if stub is not None else "",
        )


def _where(needs: frozenset[str], pin: Pin | None) -> Where | None:
    """Return the condition; None where it is none that a process can test."""
    needs = features.expand(needs) - features.cumulative("x86-64-v1")
    when = pin.when if pin is not None else None
    return Where(needs=needs, when=when) if needs or when else None


def _namesake(installed: Distribution | None) -> tuple[str, ...]:
    """Return the module of a distribution's own name, where one lies beside its metadata."""
    if installed is None:
        return ()
    name = installed.name.replace("-", "_")
    places = (installed.root / name, installed.root / f"{name}.py")
    return (name,) if name.isidentifier() and any(map(os.path.exists, places)) else ()


def _imported(source: str) -> Iterator[str]:
    """Yield the top-level names that a snippet imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _typed(remedy: Remedy, patient: Patient) -> str:
    """Return a remedy as a command to type, else its words."""
    pip = "uv pip" if patient.get("pip") is None else "pip"
    words = [f"{pip} uninstall {shlex.join(remedy.uninstall)}"] if remedy.uninstall else []
    words += [f"{pip} install {shlex.join(remedy.install)}"] if remedy.install else []
    return " && ".join((*remedy.commands, *words)) or _one_line(remedy.text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shim_id(name: str) -> str:
    """Return the id of a shim by its own name, or by that of the patch that it carries out."""
    found = name.removesuffix("-hook")
    if found not in SHIMS:
        raise UnknownNameError(
            f"no shim {name!r}{suggestion(name, SHIMS)}; there are {', '.join(sorted(SHIMS))}"
        )
    return found


def _listed(texts: Iterable[str]) -> tuple[Listed, ...]:
    return tuple(map(_one_listed, texts))


def _one_listed(text: str) -> Listed:
    """Read a `--load-file`.

    A sha256 stands for that content wherever it lies, a folder for what is in it, and a file for
    itself, at this place and with this content. A file that is seen to run code, or cannot be
    told from one that does, is refused: whatever its author is trusted for, it is not weights.
    """
    if _HASH.fullmatch(text):
        return Listed(sha256=text.lower())
    path = os.path.abspath(text)
    if os.path.isdir(path):  # noqa: PTH112
        return Listed(path=path)
    from legacy_doctor.checkpoint import source, verdict  # no small part of the whole

    try:
        with source.opened(Path(path)) as opened:
            found = verdict.judge_file(opened)
            digest = opened.sha256(source.unwatched)
            listed = Listed(path=path, sha256=digest, size=opened.size)
    except DoctorError as error:
        raise DoctorError(f"--load-file: {error}; name a file, a folder or a sha256") from error
    bad = next((item for item in found.findings if item.rule in verdict.HOSTILE), None)
    if bad is not None:
        raise DoctorError(
            f"--load-file {text}: {bad.message}; it is not listed, see legacy-doctor checkpoint "
            f"{shlex.quote(text)}"
        )
    return listed


def _without(armed: Armed, skip: Iterable[str]) -> Armed:
    """Leave out what the user wants left out, and a stand-in that nothing calls for any more."""
    names = set(skip)
    known = {name for guard in armed.guards for name in _names("guard", guard.module)}
    known |= {name for guard in armed.guards for name in _names("guard", guard.distribution)}
    known |= {name for shim in armed.shims for name in _names("shim", shim.id)}
    for name in sorted(names - known):
        raise UnknownNameError(
            f"--skip {name}: nothing of that name would be armed{suggestion(name, known)}"
        )
    guards = tuple(
        guard
        for guard in armed.guards
        if not names & {*_names("guard", guard.module), *_names("guard", guard.distribution)}
    )
    guarded = any(guard.module == STUBBED for guard in guards)
    shims = tuple(
        shim
        for shim in armed.shims
        if not names & {*_names("shim", shim.id)} and (guarded or shim.id != STUB)
    )
    return replace(armed, guards=guards, shims=shims, skipped=tuple(sorted(names)))


def _names(kind: str, name: str) -> tuple[str, str]:
    return name, f"{kind}:{name}"
