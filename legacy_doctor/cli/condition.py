"""How an installed hook stands: from its files, and what is installed now, to a `HookReport`."""

from __future__ import annotations

import os
from collections.abc import Iterator

from legacy_doctor.cli import check, config, examination, probing
from legacy_doctor.cli.arming import Arming, Wish
from legacy_doctor.cli.hooked import Socket
from legacy_doctor.cpu import features
from legacy_doctor.errors import UnknownNameError
from legacy_doctor.hook import check as judgement
from legacy_doctor.hook.reading import Installed
from legacy_doctor.hook.rules import SHIMS, STUBBED, Armed, Guard, Shim, Where
from legacy_doctor.knowledge.patches import admits
from legacy_doctor.model import HookReport, HookRule, Knowledge, Patient
from legacy_doctor.report.text import cpu_name


def examine(
    python: str | None,
    cpu_name: str | None,
    settings: config.Config,
    knowledge: Knowledge,
    *,
    live: bool,
) -> HookReport:
    """Return how the hook of an environment stands; `live` starts its Python and asks.

    What it does is judged by the named CPU or this one, whether it is up to date by the one that
    it was made for. Raises `DoctorError` where the environment cannot be examined.
    """
    patient = examination.examine(python, cpu_name)
    socket = Socket(interpreter=patient.interpreter)
    found = socket.read()
    disabled = os.environ.get("LEGACY_DOCTOR_DISABLE", "")
    if found is None:
        return HookReport(interpreter=patient.interpreter, cpu=patient.cpu, disabled=disabled)
    armed = found.armed
    outcome = socket.start({}) if live else None
    return HookReport(
        interpreter=patient.interpreter,
        cpu=patient.cpu,
        via=found.via.value if found.via else None,
        identity=found.identity,
        files=found.files,
        made_for=armed.cpu if armed else "",
        target=armed.target if armed else "",
        pinsets=armed.pinsets if armed else (),
        rules=tuple(rules(armed, patient)) if armed else (),
        problems=tuple(_problems(found, outcome)),
        stale=tuple(_stale(found, armed, python, settings, knowledge)) if armed else (),
        live=None if outcome is None else judgement.armed(outcome) is not None,
        disabled=disabled,
    )


def rules(armed: Armed, patient: Patient) -> Iterator[HookRule]:
    """Yield what a hook is armed with, and whether it acts on this patient."""
    for guard in armed.guards:
        yield _guard(guard, patient)
    for shim in armed.shims:
        yield _shim(shim, armed, patient)


def _guard(guard: Guard, patient: Patient) -> HookRule:
    installed = patient.get(guard.distribution)
    dies = installed is not None and admits(guard.broken, installed.version)
    here = guard.where.holds(patient.cpu)
    return HookRule(
        kind="guard",
        name=guard.module,
        distribution=guard.distribution,
        versions=guard.broken,
        needs=_needs(guard.where),
        installed=installed.version if installed else None,
        here=here,
        acts=dies and here,
        remedy=guard.remedy,
        reason=guard.reason,
    )


def _shim(shim: Shim, armed: Armed, patient: Patient) -> HookRule:
    name = SHIMS[shim.id][1]
    installed = patient.get(name)
    made = installed is not None and admits(shim.versions, installed.version)
    stubbed = [guard.where for guard in armed.guards if guard.module == STUBBED]
    where = stubbed if shim.stand_in else list(shim.where)
    here = not where or any(item.holds(patient.cpu) for item in where)
    return HookRule(
        kind="shim",
        name=shim.id,
        distribution=name,
        versions=shim.versions,
        needs=frozenset().union(*map(_needs, where)),
        installed=installed.version if installed else None,
        here=here,
        acts=made and here,
        listed=tuple(item.path or item.sha256 or "" for item in shim.listed),
    )


def _needs(where: Where) -> frozenset[str]:
    return features.expand(where.needs)


def _problems(found: Installed, outcome: judgement.Outcome | None) -> Iterator[str]:
    if found.problem:
        yield found.problem
    if outcome is None:
        return
    identity = judgement.armed(outcome)
    if outcome.code:
        words = outcome.err.strip().splitlines()[-1:]
        yield f"Python exits with {outcome.code} when it is started: {''.join(words)}"
    elif identity is None:
        yield "Python was started, and had no hook armed"
    elif identity != found.identity:
        yield f"Python was started, and had another hook armed ({identity})"


def _stale(
    found: Installed,
    armed: Armed,
    python: str | None,
    settings: config.Config,
    knowledge: Knowledge,
) -> Iterator[str]:
    """Compare with what would be armed today, for the same CPU and with the same left out."""
    name = armed.target or None
    patient = examination.examine(python, name)
    wish = probing.Wish(wanted="none", cpu_name=name)
    report = check.diagnosed(patient, knowledge, settings.ignores, wish, "error")
    arming = Arming(patient=patient, knowledge=knowledge, report=report)
    today = _today(arming, armed.skipped)
    if found.older:
        yield "it was written by another version of legacy-doctor"
    if not name and armed.cpu != cpu_name(patient.cpu):
        yield f"it was made on another CPU ({armed.cpu})"
    newer = [item for item in today.pinsets if item not in armed.pinsets]
    if newer:
        yield f"other pin-sets apply by now: {', '.join(newer)}"
    facts = {guard.facts for guard in armed.guards}
    unguarded = {
        f"{rule.distribution} {rule.installed}"
        for guard, rule in ((guard, _guard(guard, patient)) for guard in today.guards)
        if rule.acts and guard.facts not in facts
    }
    if unguarded:
        yield f"not guarded yet: {', '.join(sorted(unguarded))}"
    ids = {shim.id for shim in armed.shims}
    missing = [shim.id for shim in today.shims if shim.id not in ids]
    if missing:
        yield f"not armed yet: {', '.join(missing)}"


def _today(arming: Arming, skipped: tuple[str, ...]) -> Armed:
    try:
        return arming.armed(Wish(skip=skipped))
    except UnknownNameError:  # what was left out would not be armed any more
        return arming.armed()
