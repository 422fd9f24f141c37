"""Time two things alternately and compare their best times."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Ratio(NamedTuple):
    """One measured ratio and the bound it should keep."""

    name: str
    ours_s: float
    theirs_s: float
    bound: float

    @property
    def value(self) -> float:
        return self.ours_s / self.theirs_s

    @property
    def text(self) -> str:
        verdict = "ok" if self.value <= self.bound else "ABOVE"
        return (
            f"{self.name:<58} {self.value:7.4f} (at most {self.bound:g}) {verdict:<5} "
            f"{self.ours_s * 1e3:8.1f} ms : {self.theirs_s * 1e3:8.1f} ms"
        )


def compare(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], bound: float, rounds: int
) -> Ratio:
    """Run both in turn, `rounds` times after one warm-up, and compare the best of each.

    The best, because noise only ever adds.
    """
    best = [float("inf"), float("inf")]
    for index in range(rounds + 1):
        for side, function in enumerate((ours, theirs)):
            start = time.perf_counter()
            function()
            elapsed = time.perf_counter() - start
            if index:
                best[side] = min(best[side], elapsed)
    return Ratio(name, best[0], best[1], bound)


def command(*words: str, codes: Sequence[int] = (0,)) -> Callable[[], None]:
    """Return a function that runs a command and insists on its exit code."""

    def run() -> None:
        clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=clean)
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(words)} exited with {done.returncode}: {done.stderr}")

    return run
