"""What is to be said about a checkpoint: its facts and the findings, worst first."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from legacy_doctor.checkpoint import content, description, prefix
from legacy_doctor.checkpoint import globals as judge
from legacy_doctor.checkpoint.content import Content
from legacy_doctor.checkpoint.machine import Drawing
from legacy_doctor.checkpoint.source import Source, UnreadableError, Watch, unwatched
from legacy_doctor.model import (
    Checkpoint,
    Evidence,
    Finding,
    Grade,
    Reference,
    Remedy,
    RemedyKind,
    Severity,
    StoredTensor,
    Trust,
)

PATCH = "torch-load-weights-only-false"
"""The patch that reads listed files with weights_only=False, and no others."""
HOSTILE = frozenset({"checkpoint-runs-code", "checkpoint-ambiguous"})
"""The rules about files that no patch may be told to load."""
_SHOWN = 5
_REASONS = {
    "opcode": "weights_only=True reads protocol 2 alone",
    "torchscript": "torch.load refuses TorchScript archives with weights_only=True; "
    "torch.jit.load reads them",
}


def judge_file(source: Source, watch: Watch = unwatched) -> Checkpoint:
    """Return all that is to be said about a file; nothing of it is unpickled.

    Raises `UnreadableError` for what is damaged, unless a pickle in it runs code: that is said
    even of a stump, because unpickling does it before it comes to the damage.
    """
    found = content.read(source, watch)
    references = tuple(_references(found.drawings))
    worst = max((item.trust for item in references), key=list(Trust).index, default=Trust.ALLOWED)
    if found.damage and worst is not Trust.DANGEROUS:
        raise UnreadableError(found.damage)
    tensors, data = _inventory(found)
    averaged = prefix.only(_names(found))
    loads = found.header is not None or not [*_obstacles(found, references)]
    vouch = not loads and worst is not Trust.DANGEROUS
    digest = source.sha256(watch) if vouch else ""
    findings = [
        *_runs_code(source.path, references),
        *_contradicts(source.path, found),
        *_needs_more(source, found, references, digest),
        *_averaged(source.path, averaged, found),
        *_elsewhere(source.path, found),
        *_notes(source.path, found),
    ]
    return Checkpoint(
        path=str(source.path),
        form=found.form,
        size=source.size,
        tensors=tensors,
        data=data,
        protocol=found.main.protocol if found.main is not None else None,
        references=references,
        weights_only=loads,
        prefix=averaged.prefix if averaged else "",
        sha256=digest,
        findings=tuple(sorted(findings, key=lambda item: item.severity.rank)),
    )


def _references(drawings: Iterable[Drawing]) -> Iterator[Reference]:
    """Yield what the pickles ask for, the worst first, once each."""
    seen: dict[str, Reference] = {}
    for drawing in drawings:
        for found, calls in drawing.calls.items():
            trust = judge.trust(found.module, found.name)
            if found.path in seen:
                continue
            seen[found.path] = Reference(
                name=description.printable(found.path),
                trust=trust,
                why=judge.WHY[trust],
                calls=()
                if trust is Trust.ALLOWED
                else tuple(description.call(call) for call in calls),
                count=drawing.count[found],
            )
    order = list(Trust)
    yield from sorted(seen.values(), key=lambda item: (-order.index(item.trust), item.name))


def _inventory(found: Content) -> tuple[tuple[StoredTensor, ...], int]:
    if found.header is not None:
        blocks = found.header.blocks
        listed = tuple(StoredTensor(item.name, item.torch, item.shape) for item in blocks)
        return listed, sum(item.end - item.begin for item in blocks)
    storages = {item.storage.key: item.storage.size for item in found.found}
    return tuple(item.tensor for item in found.found), sum(storages.values())


def _names(found: Content) -> list[tuple[str, ...]]:
    if found.header is not None:
        return [(item.name,) for item in found.header.blocks]
    return [item.keys for item in found.found]


def _obstacles(found: Content, references: Iterable[Reference]) -> Iterator[str]:
    """Yield why weights_only=True does not take a file."""
    if found.form == "torchscript":
        yield _REASONS["torchscript"]
    if found.form == "pickle":
        yield "a pickle by itself, not written by torch.save: torch.load does not read it at all"
    foreign = [item.name for item in references if item.trust is not Trust.ALLOWED]
    if foreign:
        yield f"it asks for {_some(foreign)}"
    main = found.main
    if main is not None:
        odd = [why for why in main.refusals if why.startswith("opcode ")]
        if odd:
            yield (
                f"protocol {main.protocol} of pickle ({_some(odd)}), where weights_only=True reads "
                "protocol 2 alone"
            )
        yield from (why for why in main.refusals if not why.startswith("opcode "))


def _runs_code(path: Path, references: Iterable[Reference]) -> Iterator[Finding]:
    for item in references:
        if item.trust is Trust.DANGEROUS:
            did = f"calls {'; '.join(item.calls)}" if item.calls else f"reaches {item.name}"
            yield Finding(
                rule="checkpoint-runs-code",
                severity=Severity.ERROR,
                subject=path.name,
                message=f"loading it with weights_only=False {did}",
                details=(f"{item.name}: {item.why}",),
                remedy=Remedy(
                    kind=RemedyKind.ADVICE,
                    text="do not load it, do not list it for a patch; get the weights from their "
                    "author again, as safetensors where there is one",
                ),
            )


def _contradicts(path: Path, found: Content) -> Iterator[Finding]:
    if found.damage:
        yield Finding(
            rule="checkpoint-damaged",
            severity=Severity.ERROR,
            subject=path.name,
            message=found.damage,
            remedy=Remedy(kind=RemedyKind.ADVICE, text="throw it away"),
        )
    if found.doubles:
        yield Finding(
            rule="checkpoint-ambiguous",
            severity=Severity.ERROR,
            subject=path.name,
            message=f"several entries are called {_some(found.doubles)}: which one is read depends "
            "on the reader, which is how a harmless pickle hides another",
            remedy=Remedy(
                kind=RemedyKind.ADVICE, text="do not load it; get the file from its author again"
            ),
        )


def _needs_more(
    source: Source, found: Content, references: tuple[Reference, ...], digest: str
) -> Iterator[Finding]:
    obstacles = [*_obstacles(found, references)]
    if not obstacles or found.header is not None:
        return
    if any(item.trust is Trust.DANGEROUS for item in references):
        return  # said already, and no way to load it is to be shown
    yield Finding(
        rule="checkpoint-weights-only",
        severity=Severity.ERROR,
        subject=source.path.name,
        message=f"torch.load does not take it with weights_only=True, the default since torch 2.6: "
        f"{'; '.join(obstacles)}",
        evidence=(
            Evidence(
                grade=Grade.INFERRED,
                source="torch/_weights_only_unpickler.py",
                detail="the lists of torch 2.13.0",
            ),
        ),
        details=tuple(_told(references)),
        remedy=_way_in(source, found, references, digest),
    )


def _told(references: Iterable[Reference]) -> Iterator[str]:
    for item in references:
        if item.trust is not Trust.ALLOWED:
            calls = f", called as {item.calls[0]}" if item.calls else ""
            yield f"{item.name}: {item.trust.value}, {item.why}{calls}"


def _way_in(
    source: Source, found: Content, references: tuple[Reference, ...], digest: str
) -> Remedy:
    """Return how such a file is loaded by who trusts it."""
    foreign = [item for item in references if item.trust is not Trust.ALLOWED]
    odd = bool(found.main and found.main.refusals)
    if found.form == "torchscript":
        return Remedy(kind=RemedyKind.ADVICE, text="load it with torch.jit.load")
    if found.form == "pickle":
        text = "load it with what wrote it, and only where you trust its author: it is a pickle"
        return Remedy(kind=RemedyKind.ADVICE, text=text)
    way = f"legacy-doctor hook install --load-file {shlex.quote(str(source.path))}"
    listing = (
        f"if you trust its author, let torch.load read this one file, with this content (sha256 "
        f"{digest}), in every process of the environment: {way}, or in one process: "
        f"legacy-doctor run --load-file; see legacy-doctor patch show {PATCH}"
    )
    if foreign and not odd and all(item.trust is Trust.HARMLESS for item in foreign):
        names = ", ".join(item.name.removeprefix("builtins.") for item in foreign)
        text = (
            f"torch.serialization.add_safe_globals([{names}]) before torch.load admits it, with "
            f"the class of the dtype where numpy is among them; or {listing}"
        )
        return Remedy(kind=RemedyKind.ADVICE, text=text, commands=(way,))
    if any(item.trust is Trust.GATEWAY for item in foreign):
        reach = ", ".join(item.name for item in foreign if item.trust is Trust.GATEWAY)
        listing = f"add_safe_globals would be no safer, since {reach} reaches anything; {listing}"
    return Remedy(kind=RemedyKind.ADVICE, text=listing, commands=(way,))


def _averaged(path: Path, averaged: prefix.Averaged | None, found: Content) -> Iterator[Finding]:
    if averaged is None:
        return
    suffix = ".safetensors" if found.header is not None else ".pt"
    out = shlex.quote(f"{path.stem}-stripped{suffix}")
    beside = f" beside {_some(averaged.others)}" if averaged.others else ""
    where = f" in the table {averaged.table}" if averaged.table else ""
    command = (
        f"legacy-doctor checkpoint {shlex.quote(str(path))} "
        f"--strip-prefix {shlex.quote(averaged.prefix)} --out {out}"
    )
    yield Finding(
        rule="checkpoint-ema-only",
        severity=Severity.WARNING,
        subject=path.name,
        message=f"only averaged (EMA) weights: all {averaged.weights} are named "
        f"{averaged.prefix}*{where}{beside}; a loader that leaves them out, or looks for the "
        "plain names without being strict, starts from random weights and says nothing",
        evidence=(
            Evidence(
                grade=Grade.REPORTED,
                source="SWivid/F5-TTS#1292",
                detail="the published F5TTS_v1_Base: 364 tensors ema_model.*, step and initted",
            ),
        ),
        remedy=Remedy(
            kind=RemedyKind.ADVICE,
            text=f"{_own_loader(averaged, found)}for a loader that wants plain names make a copy: "
            f"{command}",
            commands=(command,),
        ),
    )


def _own_loader(averaged: prefix.Averaged, found: Content) -> str:
    """Say what F5-TTS does itself: it wraps a safetensors file, and asks others for the table."""
    fits = found.header is not None or averaged.table == "ema_model_state_dict"
    if averaged.prefix != "ema_model." or not fits:
        return ""
    return "F5-TTS's own code wants it as it is (use_ema=True, its default); "


def _elsewhere(path: Path, found: Content) -> Iterator[Finding]:
    """Tell of storages that were saved on a device which other machines do not have."""
    main = found.main
    known = (key[3] for key in (main.storages if main else ()) if len(key) > 3)
    places = dict.fromkeys(item for item in known if isinstance(item, str) and item != "cpu")
    if places:
        yield Finding(
            rule="checkpoint-device",
            severity=Severity.WARNING,
            subject=path.name,
            message=f"saved on {_some(places)}: where there is none, torch.load fails by default",
            remedy=Remedy(kind=RemedyKind.ADVICE, text='torch.load(..., map_location="cpu")'),
        )


def _notes(path: Path, found: Content) -> Iterator[Finding]:
    remarks = []
    if found.header is not None:
        remarks.append("torch.load reads it by its ending, where the package safetensors is there")
    if not found.little:
        remarks.append("its numbers have the big end first; torch turns them round on loading")
    packed = (
        [item.name for item in found.archive.entries if not item.stored] if found.archive else []
    )
    if packed:
        remarks.append(f"{_some(packed)} packed: torch.load with mmap=True cannot map what is")
    for text in remarks:
        yield Finding(
            rule="checkpoint-form", severity=Severity.INFO, subject=path.name, message=text
        )


def _some(names: Iterable[str]) -> str:
    listed = [description.printable(name) for name in names]
    more = len(listed) - _SHOWN
    return f"{', '.join(listed[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"
