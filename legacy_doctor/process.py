"""Ask another program one question, or let it do one job: no shell, no standard input.

For programs that only answer (an interpreter asked for its paths, `ld.so`) and for installers,
which take their time. Patients are never run here: running a patient is the business of the probe
room and its sandbox.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    seconds: float = 20.0,
    given: bytes | None = None,
) -> Answer:
    """Run `command` and return its answer; `given` is all that it finds on its standard input.

    Raises OSError where it cannot be started, TimeoutError where it does not answer in time.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL if given is None else None,
            input=given,
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


def work(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    watch: Callable[[str], object] | None = None,
    hold: Sequence[int] = (),
    grace: float = 10.0,
) -> Answer:
    """Run `command`, however long it takes; return its answer, both streams as `stderr`.

    `watch` is given each line as it comes. `hold` are descriptors that it, and all that it
    starts, keeps open: a lock among them is held until the last of them ends, whatever becomes of
    us. Interrupted (Ctrl-C), or where `watch` raises, it is interrupted too, and killed with all
    that it started where it has not ended after `grace` seconds; then that is raised again.
    Raises OSError where it cannot be started.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        pass_fds=tuple(hold),
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )
    said: list[str] = []
    with child:
        try:
            for line in child.stdout or ():
                said.append(line)
                if watch is not None:
                    watch(line)
            child.wait()
        except BaseException:
            _end(child, grace)
            raise
    return Answer(child.returncode, "", "".join(said))


def _end(child: subprocess.Popen[str], grace: float) -> None:
    """Interrupt a program as Ctrl-C would, wait a while, then kill its whole session."""
    try:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace)
    finally:  # also where a second Ctrl-C ends the waiting
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
