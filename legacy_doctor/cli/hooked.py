"""The site-packages of one environment as the start-up hook sees it: read, planned, proven."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from legacy_doctor import process
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.hook import bytecode, check, generate, install, reading
from legacy_doctor.hook.boot import BOOT
from legacy_doctor.hook.check import Outcome
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.reading import Installed
from legacy_doctor.hook.rules import Armed
from legacy_doctor.model import Interpreter
from legacy_doctor.treatment import files, installer
from legacy_doctor.treatment.installer import DEFAULTS, Options
from legacy_doctor.treatment.run import Run
from legacy_doctor.treatment.steps import FileStep

_SECONDS: Final = 120.0
"""How long Python may take to start: a network drive, an emulated one."""
_SCRUBBED: Final = ("PYTHON", "LEGACY_DOCTOR_")


class Hooking(NamedTuple):
    """A hook that is to be put in: its steps, and the identity by which it will answer."""

    identity: str
    steps: tuple[FileStep, ...]


@dataclass(frozen=True, kw_only=True)
class Socket:
    """Where the hook of an environment goes."""

    interpreter: Interpreter

    @property
    def folder(self) -> Path:
        """The site-packages of the environment itself.

        Raises `TargetError` where there is none: a user's own folder is read by every Python of
        that user, and none of them asked for it.
        """
        prefix = self.interpreter.prefix
        for folder in self.interpreter.site_packages:
            if prefix in folder.parents:
                return folder
        found = "".join(f" (only {folder})" for folder in self.interpreter.site_packages[:1])
        raise TargetError(
            f"{prefix}: has no site-packages folder of its own{found}; make a virtual "
            "environment (`python -m venv .venv`)"
        )

    @property
    def python(self) -> tuple[int, int]:
        """The Python that will read the files."""
        major, minor, _ = self.interpreter.version
        return major, minor

    def read(self) -> Installed | None:
        """Return the hook that is there."""
        return reading.read(self.folder, self.python)

    def refuse(self, *, exposed: bool, options: Options = DEFAULTS) -> None:
        """Raise `TargetError` where no hook may be put.

        Whoever may write there would run code in every process of the environment; with
        `exposed` the user wants it nevertheless.
        """
        installer.refuse(self.interpreter, options=options)
        why = None if exposed else check.exposed(self.folder)
        if why is not None:
            raise TargetError(
                f"{why}, who could replace what every start of this Python runs; take that right "
                "away (chmod o-w), or say --allow-world-writable if you mean it"
            )

    def plan(self, armed: Armed, via: Via = Via.PTH) -> Hooking:
        """Return what brings that hook there; nothing is changed.

        The target's own Python compiles it. Raises `DoctorError` where it does not, or where a
        file of somebody else is in the way.
        """
        folder = self.folder
        existing = files.read(folder / "sitecustomize.py")[1]
        made = generate.files(armed, self.python, via, existing)
        identity = generate.identity_of(made[f"{BOOT}.py"]) or ""
        return Hooking(identity, install.steps(folder, made, self._compiled(made)))

    def _compiled(self, made: Mapping[str, bytes]) -> dict[str, bytes]:
        asked = bytecode.question(made, str(self.folder)).encode()
        answer = self._ask(("-I", "-S", "-c", bytecode.SNIPPET), {}, asked)
        if answer.status:
            raise DoctorError(
                f"{self.interpreter.executable}: did not compile the start-up files "
                f"({answer.last_words})"
            )
        return bytecode.answer(answer.stdout)

    def apply(self, run: Run, identity: str) -> None:
        """Carry the run out and prove it; see `hook.install.apply`."""
        try:
            install.apply(run, identity, self.start)
        except DoctorError as error:
            raise DoctorError(f"{self.interpreter.prefix}: {error}") from error

    def start(self, variables: Mapping[str, str]) -> Outcome:
        """Start the Python of the environment and ask which hook is armed."""
        answer = self._ask(("-B", "-c", check.PROBE), variables, None)
        return Outcome(answer.status, answer.stdout, answer.stderr)

    def _ask(
        self, words: Iterable[str], variables: Mapping[str, str], given: bytes | None
    ) -> process.Answer:
        python = self.interpreter.executable
        clean = {key: text for key, text in os.environ.items() if not key.startswith(_SCRUBBED)}
        try:
            return process.ask(
                (str(python), *words), env={**clean, **variables}, seconds=_SECONDS, given=given
            )
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise TargetError(f"{python}: does not start ({reason})") from error
