"""Judge a hook: may it be written there, and does Python start with it as it did before.

Starts no process: `PROBE` is for the target's `python -c`, run before and after the files are
written, and `judge` compares what came of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor.hook.boot import BOOT

PROBE: Final = (
    "import sys; "
    f"boot = sys.modules.get({BOOT!r}); "
    "print('legacy-doctor-hook', getattr(boot, 'ID', '-') if boot in sys.meta_path else '-')"
)
"""Prints one line: the identity of the hook that is armed, or `-`."""

DISABLED: Final = {"LEGACY_DOCTOR_DISABLE": "1"}
"""The environment variables with which nothing may be armed."""


class Outcome(NamedTuple):
    """How the probe ended."""

    code: int
    out: str
    err: str


def armed(outcome: Outcome) -> str | None:
    """Return the identity of the hook that was armed, or None."""
    for line in outcome.out.splitlines():
        word, _, identity = line.partition(" ")
        if word == "legacy-doctor-hook" and identity not in ("", "-"):
            return identity
    return None


def judge(identity: str, before: Outcome, with_hook: Outcome, disabled: Outcome) -> str | None:
    """Say what is wrong with a hook that has just been written, or None: it stays.

    `before` was run without our files (others may be noisy: that is theirs), `disabled` with
    them and with the off-switch.
    """
    for name, outcome in (("with the hook", with_hook), ("with the hook off", disabled)):
        if outcome.code != before.code:
            return f"Python exits with {outcome.code} {name}, and with {before.code} without"
        if outcome.err != before.err:
            return f"Python says something {name} that it does not say without: {_new(outcome.err)}"
        if _others(outcome) != _others(before):
            return f"Python prints something {name} that it does not print without"
    found = armed(with_hook)
    if found is None:
        return (
            "the hook is not armed: this Python does not read the file "
            "(another sitecustomize comes first, or it starts without `site`)"
        )
    if found != identity:
        return f"another hook is armed in its place ({found}, not {identity})"
    if armed(disabled) is not None:
        return "the off-switch LEGACY_DOCTOR_DISABLE=1 does not switch it off"
    return None


def exposed(folder: Path) -> str | None:
    """Say why files in this folder could be put or replaced by another user, or None.

    Every Python of the environment would run them at its start. A folder on the way that
    everybody may write is safe where its sticky bit keeps them off what is not theirs (`/tmp`);
    the folder itself is not, because they could add files.
    """
    real = folder.resolve()
    cache = real / "__pycache__"
    for place in (cache, real, *real.parents):
        try:
            mode = os.stat(place).st_mode
        except OSError:
            if place == cache:
                continue
            return f"{place} cannot be looked at"
        sticky = mode & stat.S_ISVTX and place not in (cache, real)
        if mode & stat.S_IWOTH and not sticky:
            return f"{place} can be written by every user"
    return None


def _others(outcome: Outcome) -> list[str]:
    lines = outcome.out.splitlines()
    return [line for line in lines if not line.startswith("legacy-doctor-hook ")]


def _new(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "(nothing)"
