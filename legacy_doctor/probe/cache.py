"""Results of earlier probes, kept under the user's cache folder.

A result is found again only where everything that could change it is the same: the key holds the
hash of all of it. Concurrent runs write whole files by rename; what cannot be read is as good as
absent; a cache that cannot be written is no reason to fail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from legacy_doctor.model import (
    Fault,
    FaultKind,
    Frame,
    Outcome,
    Probe,
    ProbeResult,
)

FORMAT: Final = 2
"""Raise it when a result would be judged otherwise from the same run: old entries are ignored."""


def folder(environ: Mapping[str, str]) -> Path:
    """Return where results are kept: `$XDG_CACHE_HOME` or `~/.cache` (XDG base directories)."""
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification: ignore a relative one
        base = Path("~/.cache").expanduser()
    return base / "legacy-doctor" / "probes"


def key(*parts: object) -> str:
    """Return the key of everything that decides a result."""
    text = json.dumps([FORMAT, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Cache:
    """The results in one folder; None as folder keeps and finds nothing."""

    def __init__(self, where: Path | None) -> None:
        self._where = where

    def get(self, name: str, probe: Probe) -> ProbeResult | None:
        """Return the kept result of `probe`, or None."""
        if self._where is None:
            return None
        try:
            checksum, _, body = (self._where / f"{name}.json").read_text("utf-8").partition("\n")
        except (OSError, ValueError):
            return None
        # What bears its checksum is what `put` wrote: whole, and of this format.
        return _result(json.loads(body), probe) if checksum == _checksum(body) else None

    def put(self, name: str, result: ProbeResult) -> None:
        """Keep a result, where it would come out the same again.

        A time-out would not; nor what was raised: often that something is missing which the
        distribution uses and does not ask for, so that its coming changes no key.
        """
        if self._where is None or not result.outcome.proves or result.outcome is Outcome.RAISED:
            return
        with contextlib.suppress(OSError):
            self._where.mkdir(parents=True, exist_ok=True)
            body = json.dumps(_plain(result))
            with tempfile.NamedTemporaryFile("w", dir=self._where, delete=False) as file:
                file.write(f"{_checksum(body)}\n{body}")
            os.replace(file.name, self._where / f"{name}.json")


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _plain(result: ProbeResult) -> dict[str, Any]:
    data = dataclasses.asdict(dataclasses.replace(result, cached=False))
    del data["probe"], data["raised"]
    if data["fault"] is not None:
        data["fault"]["needs"] = sorted(data["fault"]["needs"])
    return data


def _result(data: dict[str, Any], probe: Probe) -> ProbeResult:
    """Rebuild a result from what `_plain` made of it."""
    fault = data.pop("fault")
    return ProbeResult(
        probe=probe,
        outcome=Outcome(data.pop("outcome")),
        fault=None if fault is None else _fault(fault),
        overrides=tuple((str(name), str(value)) for name, value in data.pop("overrides")),
        held=tuple(map(str, data.pop("held"))),
        **{**data, "cached": True},
    )


def _fault(data: dict[str, Any]) -> Fault:
    return Fault(
        kind=FaultKind(data.pop("kind")),
        needs=frozenset(data.pop("needs")),
        frames=_frames(data.pop("frames")),
        **data,
    )


def _frames(data: list[list[Any]]) -> tuple[Frame, ...]:
    return tuple(Frame(str(file), int(line), str(function)) for file, line, function in data)
