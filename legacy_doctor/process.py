"""Ask another program one question: no shell, no standard input, a time limit, all output kept.

For programs that only answer (an interpreter asked for its paths, `ld.so`). Patients are never
run here: running a patient is the business of the probe room and its sandbox.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """How a program ended. `status` is negative for a signal, as in `subprocess`."""

    status: int
    stdout: str
    stderr: str

    @property
    def signal(self) -> str | None:
        """`SIGILL` and the like; None where no signal ended it."""
        number = -self.status if self.status < 0 else self.status - 128
        try:
            return signal.Signals(number).name if number > 0 else None
        except ValueError:
            return None

    @property
    def last_words(self) -> str:
        """The last line on stderr."""
        lines = self.stderr.strip().splitlines()
        return lines[-1].strip() if lines else ""


def ask(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 20.0
) -> Answer:
    """Run `command` and return its answer.

    Raises OSError where it cannot be started, TimeoutError where it does not answer in time.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=env,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no answer in {seconds:g} s") from error
    return Answer(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )
