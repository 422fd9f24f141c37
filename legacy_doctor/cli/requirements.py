"""`legacy-doctor requirements`: what would break, before it is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import click

from legacy_doctor import __version__
from legacy_doctor.cli import config, options
from legacy_doctor.cpu import features, models
from legacy_doctor.diagnosis import admission
from legacy_doctor.environment import requirements
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Cpu, Finding, Gate, Knowledge, RequirementFile, Severity

STDIN: Final = "-"
_HERE: Final = ("", "host", "native")
"""Names of the CPU this runs on."""
_KNOWN: Final = (
    *("pyproject.toml", "requirements.txt", "requirements/*.txt", "requirements-*.txt"),
    *("requirements.in", "requirements-*.in", "constraints.txt"),
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock"),
    *("pylock.toml", "pylock.*.toml", "environment.yml", "environment.yaml"),
)
"""What is looked for where no file is named."""
_LOCKS: Final = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")


@click.command("requirements")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@options.cpu_option
@click.option(
    "--level",
    type=click.Choice(list(features.LEVELS)),
    help="Judge by a level of x86-64 (psABI) instead of a CPU.",
)
@options.pinset_options
@click.option(
    "-c",
    "--constraint",
    "constraints",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Bound what the files ask for by these constraints (may be given several times).",
)
@click.option(
    "--fail-on",
    type=click.Choice(config.FAIL_ON),
    help="Exit with 1 from this severity upwards.  [default: error]",
)
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE", help="Leave out the findings of a rule."
)
@click.option("--fix", is_flag=True, help="Write the bounds into the files, and show the diff.")
@click.option("--diff", is_flag=True, help="Show what --fix would write, and write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where nothing fails.")
@click.option("-v", "--verbose", is_flag=True, help="Show notes too, and what was passed over.")
@options.judgement_options
def command(  # noqa: PLR0913  one parameter an option, as click has it
    files: tuple[str, ...],
    cpu_name: str | None,
    level: str | None,
    pinsets: tuple[str, ...],
    pinset_paths: tuple[Path, ...],
    constraints: tuple[Path, ...],
    fail_on: str | None,
    ignored: tuple[str, ...],
    form: str,
    destination: Path | None,
    *,
    fix: bool,
    diff: bool,
    quiet: bool,
    verbose: bool,
    color: bool | None,
) -> int:
    """Tell what requirement and lock files would let in that breaks on this CPU, or a named one.

    FILE is a requirements, constraints or lock file, pyproject.toml or environment.yml; `-` is
    `pip freeze` on standard input. Without FILE, those of the working folder are read. A locked
    version is judged as it is, a range by what it admits. Nothing is installed or run.
    """
    settings = config.find(Path.cwd())
    name = _named(cpu_name, level) or settings.target_cpu
    found = [_read(file) for file in files or _known(Path.cwd())]
    found += [requirements.read(path, kind="constraints") for path in constraints]
    chosen = pinsets or settings.pinsets
    own = (*settings.pinset_paths, *pinset_paths)
    consultation = Consultation(
        cpu=_cpu(name),
        knowledge=catalogue.choose(chosen, own, about=admission.names(found)),
        name=name or "",
        fail_on=fail_on or settings.fail_on or Severity.ERROR.value,
        ignores=(*settings.ignores, *config.ignoring(ignored)),
    )
    gate = consultation.judge(found)
    if fix or diff:
        from legacy_doctor.cli import amending

        gate = amending.amend(gate, consultation.judge, destination, write=fix)
        if not fix:
            return 1 if gate.failed else 0
    return deliver(gate, form, destination, color=color, quiet=quiet, verbose=verbose, fixed=fix)


@dataclass(frozen=True, kw_only=True)
class Consultation:
    """By what the files are judged, however often they are."""

    cpu: Cpu
    knowledge: Knowledge
    name: str
    """How the CPU was called; empty for the one this runs on."""
    fail_on: str
    ignores: tuple[config.Ignore, ...]

    def judge(self, files: Sequence[RequirementFile]) -> Gate:
        """Judge the files; lock files beside them are read where they may settle something."""
        findings = admission.judge(files, self.cpu, self.knowledge)
        beside = _beside(files, findings)
        if beside:
            findings = admission.judge(files, self.cpu, self.knowledge, beside)
        findings, ignored = self._sifted(findings)
        return Gate(
            version=__version__,
            cpu=self.cpu,
            pinsets=tuple(item for item in self.knowledge.pinsets if item.applies(self.cpu)),
            findings=findings,
            target_name=self.name,
            what_if=self.name.lower() not in _HERE,
            fail_on=None if self.fail_on == "never" else Severity(self.fail_on),
            ignored=ignored,
            files=tuple(files),
        )

    def _sifted(self, findings: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], int]:
        """Leave out what is ignored, and tell of ignores that are over.

        None is called unused: what it covers may be in a file that was not named.
        """
        if not self.ignores:
            return findings, 0
        from legacy_doctor.cli import ignores

        today = datetime.now(timezone.utc).date()
        written = [ignore for ignore in self.ignores if ignore.entry is not None]
        over = ignores.review(written, today, findings, lambda _: False)
        everything = sorted((*findings, *over), key=lambda finding: finding.severity.rank)
        return config.sift(everything, self.ignores, today)


def deliver(  # noqa: PLR0913  what and how
    gate: Gate,
    form: str,
    destination: Path | None,
    *,
    color: bool | None,
    quiet: bool,
    verbose: bool,
    fixed: bool,
) -> int:
    """Write the judgement and return the exit code."""
    from legacy_doctor.cli import output

    if form in options.CI_FORMATS:
        from legacy_doctor.cli import formats

        formats.deliver(gate, form, destination)
    elif form == "json":
        from legacy_doctor.report import json
        from legacy_doctor.report import requirements as report

        output.write(json.dump("requirements", gate.version, report.body(gate)), destination)
    elif gate.failed or not quiet:
        from legacy_doctor.report import requirements as report

        output.show(
            lambda page: report.lines(gate, page, verbose=verbose, offer_fix=not fixed),
            destination,
            color=color,
        )
    return 1 if gate.failed else 0


def _named(cpu_name: str | None, level: str | None) -> str | None:
    if cpu_name is not None and level is not None:
        raise click.UsageError("--cpu and --level exclude each other")
    return cpu_name or level


def _cpu(name: str | None) -> Cpu:
    """Return the CPU to judge by. A named one needs no witness, and they take time to load."""
    if name is not None and name.lower() not in _HERE:
        return models.find(name).cpu
    from legacy_doctor.cli import examination

    return examination.cpu_called(name)


def _read(file: str) -> RequirementFile:
    if file == STDIN:
        text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
        return requirements.read_text(text, "<stdin>", "freeze")
    return requirements.read(Path(file), file)


def _known(here: Path) -> list[str]:
    """Return the files of a folder that have a known name, and say which."""
    paths = {path for pattern in _KNOWN for path in here.glob(pattern) if path.is_file()}
    found = sorted(str(path.relative_to(here)) for path in paths)
    if not found:
        raise DoctorError(
            f"{here}: no requirement or lock file of a known name; name one, or pipe `pip freeze` "
            "into `legacy-doctor requirements -`"
        )
    click.echo(f"reading {', '.join(found)}", err=True)
    return found


def _beside(
    files: Sequence[RequirementFile], findings: Iterable[Finding]
) -> dict[str, list[RequirementFile]]:
    """Return the lock files beside those files in which something was found."""
    blamed = {item.location.path for item in findings if item.location is not None}
    known = {os.path.realpath(file.path): file for file in files}
    result: dict[str, list[RequirementFile]] = {}
    for file in files:
        if file.path in blamed and file.path != "<stdin>":
            paths = [path for path in _locks(file) if path.is_file()]
            locks = [known.get(os.path.realpath(path)) or requirements.read(path) for path in paths]
            result.update({file.path: locks} if locks else {})
    return result


def _locks(file: RequirementFile) -> Iterator[Path]:
    """Yield where a lock of that file would lie; a workspace of uv has one for all, at its top."""
    path = Path(file.path)
    if file.format == "pyproject":
        yield from (path.parent / name for name in _LOCKS)
        folder = path.parent.resolve()
        while not (folder / ".git").exists() and folder.parent != folder:
            folder = folder.parent
            yield folder / "uv.lock"
    elif file.format == "Pipfile":
        yield path.parent / "Pipfile.lock"
    elif path.suffix == ".in":
        yield path.with_suffix(".txt")
