"""From a choice of threads, a CPU and a guide to settings, each with its reason.

And to remarks: what this CPU cannot use, what is wrong with the advice that is going round, and
which of the values that are set now cannot work.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge.tuning import Call, Guide, Variable, Weights
from legacy_doctor.model import Advice, Choice, Cpu, Remark, Severity, Topology, Work
from legacy_doctor.tune import advice

BUSY: Final = 0.5
"""Runnable processes a CPU, from which on others are said to compute here too."""
BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16"})


def model(guide: Guide, wanted: str | None = None) -> Weights | None:
    """Return the model to load: the wanted one (its last part will do), or the advised.

    Raises `UnknownNameError` where the guide knows no such model.
    """
    if wanted is None:
        return next((item for item in guide.models if item.advised), None)
    for item in guide.models:
        if wanted.lower() in {item.id.lower(), _short(item).lower()}:
            return item
    names = [name for item in guide.models for name in (item.id, _short(item))]
    hint = suggestion(wanted, names) or f"; one of {', '.join(map(_short, guide.models)) or 'none'}"
    raise UnknownNameError(f"{guide.id} knows no model {wanted!r}{hint}")


def _short(weights: Weights) -> str:
    return weights.id.rpartition("/")[2]


def variables(
    guide: Guide, choice: Choice, *, weights: Weights | None, production: bool
) -> Iterator[Advice]:
    """Yield the variables of a guide."""
    values = {
        "threads": str(choice.threads),
        "interop": str(advice.interop(choice.threads)),
        "model": weights.id if weights else None,
        "dtype": "float32",
        "warmup": "true" if production and not _clones(weights) else "false",
    }
    for item in guide.variables:
        value = item.value if item.computed is None else values[item.computed]
        yield Advice(name=item.name, value=value, reason=item.reason, evidence=item.evidence)


def _clones(weights: Weights | None) -> bool:
    return weights is not None and weights.id.endswith("-Base")


def calls(guide: Guide, choices: Mapping[Work, Choice], work: Work) -> Iterator[Advice]:
    """Yield what is written in programs and on command lines, each for what its engine does."""
    for item in guide.calls:
        choice = choices[item.work or work]
        yield Advice(
            name=_filled(item, choice),
            value=None,
            reason=item.reason,
            engine=item.engine,
            evidence=item.evidence,
        )


def _filled(call: Call, choice: Choice) -> str:
    return call.call.format(threads=choice.threads, interop=advice.interop(choice.threads))


def pinning(choice: Choice) -> Iterator[Advice]:
    """Yield how the threads are kept on the CPUs that a choice is about."""
    if choice.cpus:
        cpus = ",".join(map(str, choice.cpus))
        yield Advice(
            name=f"taskset -c {cpus} ...",
            value=None,
            reason="a number alone does not say which cores; KMP_AFFINITY and KMP_HW_SUBSET do "
            "nothing for the libgomp of torch and ctranslate2 wheels",
            engine="start with",
        )


def limits(guides: Iterable[Guide], cpu: Cpu) -> Iterator[Remark]:
    """Yield what this CPU cannot use, and why."""
    for guide in guides:
        for item in guide.limits:
            if item.needs_any & cpu.features:
                continue
            why = f"needs {' or '.join(features.ordered(item.needs_any))}, which this CPU has not"
            text = f"{why}: {item.without}" if item.needs_any else item.without
            yield Remark(
                severity=Severity.INFO, subject=item.subject, text=text, evidence=item.evidence
            )


def chances(cpu: Cpu) -> Iterator[Remark]:
    """Yield what this CPU can do that is worth a measurement."""
    found = features.ordered(BFLOAT16 & cpu.features)
    if found:
        text = f"this CPU has {' and '.join(found)}: it may be faster than float32; measure it"
        yield Remark(severity=Severity.INFO, subject="bfloat16", text=text)


def corrections(guides: Iterable[Guide]) -> Iterator[Remark]:
    """Yield what is going round and wrong."""
    for guide in guides:
        for item in guide.corrections:
            yield Remark(
                severity=Severity.INFO,
                subject=f"'{item.claim}'",
                text=item.truth,
                evidence=item.evidence,
            )


def others(guide: Guide, topology: Topology, taken: Weights | None) -> Iterator[Remark]:
    """Yield the models that would fit as well."""
    for item in guide.models:
        if item != taken and (topology.available is None or item.bytes <= topology.available):
            text = f"speaks {item.speaks}; needs about {_gigabytes(item.bytes)}, which is there"
            yield Remark(severity=Severity.INFO, subject=_short(item), text=text)


def machine(
    topology: Topology, weights: Weights | None, *, measured: bool = False
) -> Iterator[Remark]:
    """Yield what the machine itself has to say: memory, load, what could not be read."""
    room = topology.available
    if weights is not None and room is not None and room < weights.bytes:
        limit = topology.memory_limit_from
        yield Remark(
            severity=Severity.ERROR,
            subject=weights.id,
            text=f"needs about {_gigabytes(weights.bytes)} of memory, and {_gigabytes(room)} can "
            f"be had{f' (limit: {limit})' if limit else ''}: it would be killed "
            "while it loads; take a smaller model, and send one request at a time",
        )
    if topology.load is not None and topology.load > BUSY * len(topology.allowed):
        hint = "measure again when it is idle" if measured else "it is slower for that"
        yield Remark(
            severity=Severity.WARNING if measured else Severity.INFO,
            subject="load",
            text=f"{topology.load:g} processes were computing here over the last minute, on "
            f"{len(topology.allowed)} CPUs: {hint}",
        )
    for note in topology.notes:
        yield Remark(severity=Severity.INFO, subject="topology", text=note)


def _gigabytes(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"


def judged(
    guides: Sequence[Guide], values: Mapping[str, str], cpu: Cpu, where: str
) -> Iterator[Remark]:
    """Yield what is wrong with the values that are set, in `where`."""
    for guide in guides:
        for item in guide.variables:
            if item.name in values:
                yield from _judged(item, values[item.name], cpu, where)
        for one, other, problem in guide.clashes:
            if {one, other} <= set(values) and values[one] != values[other]:
                yield _remark(f"{one} and {other}", Severity.WARNING, where, problem)


def _judged(item: Variable, value: str, cpu: Cpu, where: str) -> Iterator[Remark]:
    shown = f"{item.name}={value}"
    if item.values and value.lower() not in {known.lower() for known in item.values}:
        hint = suggestion(value, item.values) or f"; one of {', '.join(item.values)}"
        yield _remark(shown, Severity.ERROR, where, f"not a value that is understood{hint}")
    if item.numeric and not (value.isascii() and value.isdecimal() and int(value) > 0):
        yield _remark(shown, Severity.ERROR, where, "not a whole number from 1 on")
    for refused in item.refused:
        if refused.unless_any & cpu.features:
            continue
        if fnmatch.fnmatchcase(value.lower(), refused.value.lower()):
            yield _remark(shown, refused.severity, where, refused.problem)


def _remark(subject: str, severity: Severity, where: str, problem: str) -> Remark:
    return Remark(severity=severity, subject=subject, text=f"{problem} (set in {where})")
