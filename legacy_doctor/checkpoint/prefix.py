"""Averaged (EMA) weights: whether they are all there is, and what their names begin with.

ema-pytorch keeps its copy under `ema_model.` beside `initted` and `step`, other code in a table
of its own. SWivid/F5-TTS#1292: the published file holds 364 tensors `ema_model.*` and those two,
and no others; a loader that leaves `ema_model.` out starts from random weights and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

PREFIXES: Final = ("ema_model.", "model_ema.", "ema.")
"""What averaged weights are named after."""
_TABLES: Final = ("ema_model_state_dict", "ema_state_dict", "model_ema", "ema", "ema_model")
_BOOKKEEPING: Final = frozenset(
    ["initted", "step", "update", "num_updates", "decay", "epoch", "global_step"]
)
_NO_WEIGHTS: Final = ("optimizer", "scheduler", "lr_scheduler", "optim", "scaler")
"""Beginnings of the tables that hold no weights of a model."""


class Averaged(NamedTuple):
    """Only averaged weights are there."""

    prefix: str
    """What every weight's name begins with, as `--strip-prefix` takes it."""
    table: str
    """The table that holds them, or empty where the file is one."""
    weights: int
    others: tuple[str, ...]
    """Bookkeeping beside them."""


def only(names: Sequence[Sequence[str]]) -> Averaged | None:
    """Judge by the names of all tensors, each as its keys from the outside in."""
    weights = [keys for keys in names if keys and not _beside(keys)]
    others = tuple(".".join(keys) for keys in names if keys and _is_bookkeeping(keys))
    if not weights:
        return None
    tables = {keys[0] for keys in weights if len(keys) > 1}
    table = tables.pop() if len(tables) == 1 and all(len(keys) > 1 for keys in weights) else ""
    for prefix in PREFIXES:
        if all(keys[-1].startswith(prefix) for keys in weights):
            return Averaged(prefix, table, len(weights), others)
    if table in _TABLES:
        return Averaged(f"{table}.", table, len(weights), others)
    return None


def _is_bookkeeping(keys: Sequence[str]) -> bool:
    return keys[-1] in _BOOKKEEPING


def _beside(keys: Sequence[str]) -> bool:
    return _is_bookkeeping(keys) or (len(keys) > 1 and keys[0].startswith(_NO_WEIGHTS))
