"""The hook as a step of a treatment: for what no change of packages or files can cure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from legacy_doctor.cli.arming import Arming
from legacy_doctor.cli.hooked import Hooking, Socket
from legacy_doctor.hook import check
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed
from legacy_doctor.knowledge import patches
from legacy_doctor.knowledge.patches import Patch
from legacy_doctor.model import Evidence, Grade, Step
from legacy_doctor.treatment import application
from legacy_doctor.treatment.plan import HOOK, PATCHES, Selection

_COST: Final = "every start of Python takes up to a million instructions more (3 % at most)"
_OFF: Final = "LEGACY_DOCTOR_DISABLE=1 switches it off"


@dataclass(frozen=True, kw_only=True)
class Protection:
    """What the hook adds to a treatment; `hooking` None where it may not be put there."""

    hooking: Hooking | None = None
    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()
    cured: frozenset[str] = frozenset()
    """Distributions of which a shim of this step takes care; what is guarded is not cured."""


def plan(arming: Arming, socket: Socket, selection: Selection) -> Protection:
    """Return the step, if one is needed and wanted and not done yet; nothing is changed.

    What a hook that is there does already, it goes on doing.
    """
    if PATCHES in selection.without or not selection.takes(HOOK):
        return Protection()
    need = arming.needed()
    if not (need.guards or need.shims):
        return Protection()
    cured = frozenset(_patch(shim.id, shim.versions).distribution for shim in need.shims)
    there = socket.read()
    if there is not None and there.armed is not None:
        if there.armed.covers(need) and not there.problem:
            return Protection(cured=cured)
        need = there.armed.with_all_of(need)
    exposed = check.exposed(socket.folder)
    if exposed is not None:
        return Protection(remarks=(f"the start-up hook is left out: {exposed}",))
    hooking = socket.plan(need, there.via or Via.PTH if there else Via.PTH)
    return Protection(
        hooking=hooking,
        steps=(_step(arming, need, hooking, socket),),
        cured=cured,
    )


def _step(arming: Arming, need: Armed, hooking: Hooking, socket: Socket) -> Step:
    chosen = [_patch(shim.id, shim.versions) for shim in need.shims]
    guarded = sorted({guard.distribution for guard in need.guards})
    titles = [f"raise ImportError where {', '.join(guarded)} would kill Python"] if guarded else []
    titles += [patch.title for patch in chosen]
    text = [step for step in hooking.steps if step.path.suffix != ".pyc"]
    return Step(
        id=HOOK,
        title="; ".join(titles),
        reasons=tuple(_reasons(arming, guarded, chosen)),
        grade=_grade(_evidence(arming, guarded, chosen)),
        costs=(_COST, *(text for patch in chosen for text in (patch.cost, *patch.dangers))),
        files=tuple(step.path for step in text),
        diff=application.diff(text, socket.interpreter.prefix),
        remarks=(_OFF,),
    )


def _patch(shim: str, versions: str) -> Patch:
    found = [item for item in patches.every() if item.shim == shim]
    return next((item for item in found if item.versions == versions), found[0])


def _reasons(arming: Arming, guarded: Iterable[str], chosen: Iterable[Patch]) -> Iterator[str]:
    for finding in arming.report.findings:
        if finding.subject in guarded:
            yield f"{finding.subject}: {finding.message}; no version is known to cure it"
    for patch in chosen:
        yield f"{patch.distribution}{patch.versions}: nothing but the hook reaches it"


def _evidence(
    arming: Arming, guarded: Iterable[str], chosen: Iterable[Patch]
) -> Iterator[Evidence]:
    for finding in arming.report.findings:
        if finding.subject in guarded:
            yield from finding.evidence
    for patch in chosen:
        yield from patch.evidence


def _grade(evidence: Iterable[Evidence]) -> Grade | None:
    return max((item.grade for item in evidence), key=lambda grade: grade.strength, default=None)
