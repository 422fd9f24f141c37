"""Which installer owns an environment, whether it may be used there, and its command lines.

Command lines are tuples: the plan prints what will be run, to the letter. pip is always that of
the target, in a process of its own; it is never imported.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from packaging.version import InvalidVersion, Version

from legacy_doctor import process
from legacy_doctor.errors import DoctorError, TargetError
from legacy_doctor.model import Distribution, Interpreter

_DRY: Final = Version("22.2")
"""The first pip that resolves without installing, and reports."""
_MARKED: Final = Version("23.0.1")
"""The first pip that knows `--break-system-packages`."""

_ELSEWHERE: Final = frozenset(
    """PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_REPORT PIP_DRY_RUN PIP_QUIET PIP_LOG
    UV_PYTHON UV_SYSTEM_PYTHON UV_BREAK_SYSTEM_PACKAGES UV_WORKING_DIR UV_COMPILE_BYTECODE
    VIRTUAL_ENV CONDA_PREFIX FORCE_COLOR CLICOLOR_FORCE""".split()
)
"""Settings that would lead an installer into another environment, or change what it prints."""


class InstallerError(DoctorError):
    """An installer failed; `command` is what was run, `said` all that it answered."""

    def __init__(self, message: str, command: tuple[str, ...], said: str) -> None:
        super().__init__(message)
        self.command = command
        self.said = said


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may ask of an installer; the plan prints it with every command."""

    find_links: tuple[str, ...] = ()
    no_index: bool = False
    prefer_binary: bool = False
    """Build from source where there is no wheel. By default only wheels are taken."""
    break_system_packages: bool = False


DEFAULTS: Final = Options()


@dataclass(frozen=True, kw_only=True)
class Installer:
    """pip or uv, for one environment."""

    name: Literal["pip", "uv"]
    program: tuple[str, ...]
    """`(python, "-I", "-B", "-m", "pip")` or `(uv, "pip")`."""
    python: Path
    marked: bool = False
    """The target is EXTERNALLY-MANAGED: the installer must be told that this is meant."""

    def install(
        self,
        requirements: Sequence[str],
        *,
        constraints: Sequence[Path] = (),
        options: Options = DEFAULTS,
        from_source: Sequence[str] = (),
        alone: bool = False,
    ) -> tuple[str, ...]:
        """Return the command that installs these requirements together.

        `from_source` are names that are built here, against what is installed here. `alone`
        leaves their dependencies as they are.
        """
        isolation = [f"--no-build-isolation-package={name}" for name in from_source]
        if self.name == "pip":
            isolation = ["--no-build-isolation"] if from_source else []
        return (
            *self._command("install"),
            *self._binary(options),
            *(f"--no-binary={name}" for name in from_source),
            *isolation,
            *(["--no-deps"] if alone else []),
            *(["--no-index"] if options.no_index else []),
            *(word for place in options.find_links for word in ("--find-links", place)),
            *(word for path in constraints for word in ("--constraint", str(path))),
            *requirements,
        )

    def _binary(self, options: Options) -> list[str]:
        if not options.prefer_binary:
            return ["--only-binary=:all:"]
        return ["--prefer-binary"] if self.name == "pip" else []  # uv does so anyway

    def dry(self, command: tuple[str, ...], report: Path) -> tuple[str, ...]:
        """Return the same install command as one that only resolves; pip writes to `report`."""
        here = command.index("install") + 1
        more = ["--dry-run"]
        if self.name == "pip":
            more += ["--report", str(report)]
        return (*command[:here], *more, *command[here:])

    def uninstall(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the command that removes distributions, and asks nothing."""
        yes = ("-y",) if self.name == "pip" else ()
        return (*self._command("uninstall"), *yes, *names)

    def check(self) -> tuple[str, ...]:
        """Return the command that compares what is installed with what it requires."""
        return (*self.program, "check", *self._target())

    def configured(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Return the constraints that pip's files ask for in this environment already.

        Of uv, none: it has no file of that kind.
        """
        if self.name != "pip":
            return ()
        said = self.run((*self.program, "config", "list"), environ=environ)
        found = dict(re.findall(r"^(global|install)\.constraint='(.*)'$", said, re.MULTILINE))
        text = found.get("install") or found.get("global") or ""
        return tuple(text.replace("\\n", "\n").split())

    def _command(self, verb: str) -> tuple[str, ...]:
        system = ("--break-system-packages",) if self.marked else ()
        return (*self.program, verb, *self._target(), *system)

    def _target(self) -> tuple[str, ...]:
        return ("--python", str(self.python)) if self.name == "uv" else ()

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables to run it with: the user's, but this target's."""
        kept = {
            key: value
            for key, value in environ.items()
            if key not in _ELSEWHERE and not key.startswith("PYTHON")
        }
        ours = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NO_COLOR": "1"}
        return {**kept, **ours}

    def run(
        self,
        command: tuple[str, ...],
        *,
        environ: Mapping[str, str],
        watch: Callable[[str], object] | None = None,
        hold: Sequence[int] = (),
    ) -> str:
        """Run one of these commands and return what it said; raises `InstallerError`."""
        try:
            answer = process.work(command, env=self.environ(environ), watch=watch, hold=hold)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InstallerError(
                f"{command[0]}: cannot be started ({reason})", command, ""
            ) from error
        if answer.status:
            how = f"died of {answer.signal}" if answer.signal else summary(answer.stderr)
            raise InstallerError(f"{self.name}: {how}", command, answer.stderr)
        return answer.stderr


_LABEL: Final = re.compile(r"^(?:ERROR|error): *", re.MULTILINE)
_FRAME: Final = re.compile(r"^[\s\u00d7\u2500-\u257f\u25b6>-]+", re.MULTILINE)
"""The crosses, lines and arrows that uv draws before its words."""

_BORING: Final = ("ResolutionImpossible", "No matching distribution found")


def summary(said: str) -> str:
    """Return in one line why an installer failed: its own first error, without the ornament."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]  # pip
    telling = [line for line in errors if not any(word in line for word in _BORING)] or errors
    if telling:
        why = re.search(r"^The conflict is caused by:\n((?:[ \t]+\S.*\n)+)", said, re.MULTILINE)
        parts = (line.strip() for line in why[1].splitlines()) if why else ()
        return _one_line("; ".join([_LABEL.sub("", telling[0]).rstrip("."), *parts]))
    start = re.search(r"^(?:\s*[\u00d7x] |error:)", said, re.MULTILINE)  # uv
    text = said[start.start() :] if start else said.strip().rpartition("\n")[2]
    text = re.split(r"^\s*hint:", text, maxsplit=1, flags=re.MULTILINE)[0]
    return _one_line(_LABEL.sub("", _FRAME.sub("", text))) or "failed, and said nothing"


def _one_line(text: str) -> str:
    """Of a long chain of causes, the first words tell what failed and the last ones why."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= 600 else f"{line[:250]} ... {line[-300:]}"


def owner(
    interpreter: Interpreter,
    distributions: Iterable[Distribution],
    environ: Mapping[str, str],
    *,
    options: Options = DEFAULTS,
) -> Installer:
    """Return the installer of an environment: uv where it made it, else its own pip.

    Raises `TargetError` where there is neither a pip in it nor a uv, or the pip is too old to
    resolve without installing.
    """
    installed = tuple(distributions)
    python = interpreter.executable
    pip = next((item for item in installed if item.name == "pip"), None)
    uv = find_uv(environ)
    marked = options.break_system_packages and marker(interpreter) is not None
    if uv is not None and (pip is None or _made_by_uv(interpreter.prefix)):
        return Installer(name="uv", program=(str(uv), "pip"), python=python, marked=marked)
    if pip is None:
        made = " (uv made it)" if _made_by_uv(interpreter.prefix) else ""
        raise TargetError(
            f"{interpreter.prefix}: there is no pip in it{made}, and no uv was found; run "
            f"`{python} -m ensurepip`, or install uv (https://docs.astral.sh/uv) and try again"
        )
    version = _version(pip)
    if version < _DRY:
        raise TargetError(
            f"{interpreter.prefix}: pip {pip.version} cannot resolve without installing; run "
            f"`{python} -m pip install 'pip>={_DRY}'`, then try again"
        )
    # -I: nothing in the working folder passes for pip. -B: a dry run leaves no bytecode behind.
    program = (str(python), "-I", "-B", "-m", "pip")
    return Installer(
        name="pip", program=program, python=python, marked=marked and version >= _MARKED
    )


def _version(pip: Distribution) -> Version:
    try:
        return Version(pip.version)
    except InvalidVersion:
        return Version("0")


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """Return uv from PATH, or from beside the interpreter that runs the doctor."""
    found = shutil.which("uv", path=environ.get("PATH", os.defpath))
    beside = Path(sys.executable).parent / "uv"
    if found is None and os.access(beside, os.X_OK):
        found = str(beside)
    return None if found is None else Path(os.path.abspath(found))


def _made_by_uv(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return False
    return re.search(r"^\s*uv\s*=", text, re.MULTILINE) is not None


def is_virtual(prefix: Path) -> bool:
    """Whether this is an environment of its own, by venv, virtualenv, uv or conda."""
    return os.path.isfile(prefix / "pyvenv.cfg") or os.path.lexists(prefix / "conda-meta")


def marker(interpreter: Interpreter) -> Path | None:
    """Return the file by which a system says that its own tool manages this Python (PEP 668)."""
    if os.path.isfile(interpreter.prefix / "pyvenv.cfg"):
        return None
    major, minor = interpreter.version[:2]
    for library in ("lib", "lib64"):
        path = interpreter.prefix / f"{library}/python{major}.{minor}/EXTERNALLY-MANAGED"
        if os.path.isfile(path):
            return path
    return None


def refuse(interpreter: Interpreter, *, options: Options = DEFAULTS) -> None:
    """Raise `TargetError` where no installer of ours may work: one reason, one way out."""
    prefix = interpreter.prefix
    if interpreter.death is not None:
        raise TargetError(
            f"{interpreter.executable}: {interpreter.death}, so no installer can run in it; make "
            "an environment with a Python that starts on this CPU"
        )
    venv = "make a virtual environment of your own (`python -m venv .venv`)"
    _refuse_foreign(prefix)
    if not options.break_system_packages:
        found = marker(interpreter)
        if found is not None:
            raise TargetError(
                f"{prefix}: managed by its system ({found}); {venv}, or say "
                "--break-system-packages if you mean it"
            )
        if not is_virtual(prefix):
            raise TargetError(
                f"{prefix}: not a virtual environment but the interpreter's own packages, shared "
                f"by all that runs on it; {venv}, or say --break-system-packages if you mean it"
            )
    for folder in (prefix, *interpreter.site_packages):
        if prefix in (folder, *folder.parents) and not os.access(folder, os.W_OK | os.X_OK):
            raise TargetError(
                f"{folder}: may not be written to; make it writable (mount options, chmod), or "
                "treat a copy of the environment that is"
            )


def _refuse_foreign(prefix: Path) -> None:
    try:
        uid = os.stat(prefix).st_uid
    except OSError as error:
        raise TargetError(f"{prefix}: cannot be looked at ({error.strerror or error})") from error
    if uid != os.geteuid():
        raise TargetError(
            f"{prefix}: belongs to {_user(uid)}, and you are {_user(os.geteuid())}; run this as "
            "its owner"
        )


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"
