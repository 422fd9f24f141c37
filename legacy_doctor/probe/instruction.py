"""Name the instructions at which processes died: by the decoder's child, else by their prefixes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from legacy_doctor import process
from legacy_doctor.binary import isa
from legacy_doctor.model import FaultKind

_DECODER: Final = Path(__file__).with_name("decoder.py")
_BATCH: Final = 64 * 1024
"""Bytes of one command line; Linux takes 128 KiB in one argument."""

_LONGEST: Final = 15
"""Bytes of the longest instruction there is."""


class Code(NamedTuple):
    """Bytes at an instruction pointer, and the symbol they belong to."""

    data: bytes
    address: int = 0
    symbol: str | None = None


class Decoded(NamedTuple):
    """What stands there."""

    text: str | None
    """AT&T syntax as `objdump -d` prints it; the mnemonic or a family of them where iced is absent;
    None where the bytes are no instruction, or nobody can tell."""
    needs: frozenset[str]
    kind: FaultKind
    """What the instruction is, whatever the signal was: `DELIBERATE` for a trap, `DIVIDE`,
    `UNSUPPORTED` for one that x86-64 itself has not got (or that nobody could name), else
    `OTHER`."""
    symbol: str | None
    """Demangled where possible."""


def decode(codes: Sequence[Code]) -> list[Decoded]:
    """Decode them all, in their order, by as few children as fit a command line.

    Nothing is raised: where the child has no answer (iced-x86 absent, a crash, no answer in time)
    the table of prefixes tells what it can.
    """
    result: list[Decoded] = []
    for batch in _batches(codes):
        answers = _ask([item for _, item in batch])
        for index, (code, _) in enumerate(batch):
            result.append(_by_iced(code, answers[index]) if answers else _by_prefix(code))
    return result


_Batch = list[tuple[Code, dict[str, Any]]]


def _batches(codes: Sequence[Code]) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for code in codes:
        symbol = code.symbol if code.symbol and len(code.symbol) < _BATCH // 2 else None
        item = {"bytes": code.data[:_LONGEST].hex(), "address": code.address, "symbol": symbol}
        length = len(json.dumps(item)) + 2
        if batch and size + length > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append((code, item))
        size += length
    if batch:
        yield batch


def _ask(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the child's answers; None where it has none."""
    command = [sys.executable, "-I", str(_DECODER), json.dumps(items)]
    try:
        answer = process.ask(command)
        said = json.loads(answer.stdout) if answer.status == 0 else None
    except (OSError, TimeoutError, ValueError):
        return None
    return said if isinstance(said, list) and len(said) == len(items) else None


def _by_iced(code: Code, answer: Mapping[str, Any]) -> Decoded:
    text, names = answer["instruction"], answer["features"]
    if text is None:
        return Decoded(None, frozenset(), FaultKind.OTHER, answer["symbol"])
    needs = isa.needs(names, code.data)
    kind = FaultKind.UNSUPPORTED if needs or not isa.is_baseline(names) else FaultKind.OTHER
    return Decoded(text, needs, _nature(code.data) or kind, answer["symbol"])


def _by_prefix(code: Code) -> Decoded:
    guess = isa.by_prefix(code.data[:_LONGEST])
    nature = _nature(code.data) or FaultKind.UNSUPPORTED
    if guess is None:
        return Decoded(None, frozenset(), nature, code.symbol)
    return Decoded(guess.text, guess.features, nature, code.symbol)


def _nature(data: bytes) -> FaultKind | None:
    if isa.is_trap(data):
        return FaultKind.DELIBERATE
    return FaultKind.DIVIDE if isa.is_divide(data) else None
