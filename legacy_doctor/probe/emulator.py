"""qemu-user: an emulator that dies of the same instructions as the CPU it plays.

A child started from an emulated process runs on the real CPU, so a probe is emulated from
outside: the emulator is the program that the sandbox starts.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from legacy_doctor import process

PROGRAMS: Final = ("qemu-x86_64", "qemu-x86_64-static")
INSTALL: Final = "apt-get install qemu-user"
WITH_AVX: Final = (7, 2)
"""The first version whose TCG translates AVX (QEMU's changelog of 7.2)."""
SLOWER: Final = 12.0
"""Time limits are stretched by this: an import takes 7 to 10 times as long (measured)."""


class Unplayable(Exception):
    """The CPU cannot be played here; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A qemu-user that plays one CPU."""

    program: Path
    version: str
    """`7.2.22`."""
    cpu: str
    """The `-cpu` argument, one word whatever spaces it has."""
    unplayable: frozenset[str] = frozenset()
    """Features of the real CPU that it does not play."""

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs `words` on the emulated CPU.

        `check=off` keeps QEMU from saying on stderr what TCG does not play: `unplayable` tells.
        """
        return [str(self.program), "-cpu", f"{self.cpu},check=off", *words]

    @property
    def label(self) -> str:
        """`qemu-x86_64 7.2.22 -cpu phenom`: QEMU's model, without the tweaks of the name."""
        return f"{self.program.name} {self.version} -cpu {self.cpu.partition(',')[0]}"


def find(cpu: str, *, needs_avx: bool, unplayable: frozenset[str] = frozenset()) -> Emulator:
    """Return the qemu-user on PATH, ready to play `-cpu cpu`.

    Raises `Unplayable` where there is none, where it does not tell its version, or where it is
    too old to play a CPU with AVX.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise Unplayable(f"qemu-user is not installed ({INSTALL})")
    version = _version(program)
    number = tuple(int(part) for part in version.split("."))
    if needs_avx and number < WITH_AVX:
        wanted = ".".join(map(str, WITH_AVX))
        raise Unplayable(
            f"{program} is version {version}, and AVX is emulated from {wanted} on: install a "
            "newer qemu-user"
        )
    return Emulator(program=Path(program), version=version, cpu=cpu, unplayable=unplayable)


def _version(program: str) -> str:
    try:
        answer = process.ask([program, "--version"])
    except (OSError, TimeoutError) as error:
        raise Unplayable(f"{program} cannot be started ({error})") from error
    found = re.search(r"version (\d+\.\d+(?:\.\d+)?)", answer.stdout)
    if answer.status != 0 or found is None:
        raise Unplayable(f"{program} does not tell its version (exit status {answer.status})")
    return found[1]


def inside() -> str | None:
    """Return the emulator that this very process runs under, or None.

    qemu-user answers for /proc/self/exe with the emulated program, but not for thread-self.
    """
    try:
        running = os.readlink("/proc/thread-self/exe")
        claimed = os.readlink("/proc/self/exe")
    except OSError:
        return None
    name = Path(running).name
    return name if running != claimed and name.startswith("qemu-") else None
