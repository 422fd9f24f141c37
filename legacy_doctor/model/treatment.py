"""Treatments and start-up hooks, as they are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legacy_doctor.model.belief import Grade
    from legacy_doctor.model.finding import Finding
    from legacy_doctor.model.installation import Interpreter
    from legacy_doctor.model.machine import Cpu
    from legacy_doctor.model.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a treatment, as it is told."""

    id: str
    """What `--only` and `--skip` call it: `packages`, `patch:<id>`, `pins`, `hook`."""
    title: str
    reasons: tuple[str, ...] = ()
    grade: Grade | None = None
    costs: tuple[str, ...] = ()
    """What stops working, or stays dangerous."""
    commands: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    diff: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A treatment from plan to outcome: all that a formatter may see of it."""

    report: Report
    """The diagnosis it answers."""
    steps: tuple[Step, ...]
    untreated: tuple[Finding, ...] = ()
    """Findings that no step cures."""
    probes: tuple[str, ...] = ()
    """Distributions that are probed again afterwards."""
    applied: bool = False
    runs: tuple[int, ...] = ()
    """Numbers of the journal's runs; empty where nothing had to be changed."""
    outcome: Report | None = None
    """The diagnosis afterwards."""
    remarks: tuple[str, ...] = ()
    """What was brought to an end first, what the installer still misses."""
    options: tuple[str, ...] = ()
    """Further words of the command line that this treatment is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRule:
    """One guard or shim of a start-up hook, as it is told."""

    kind: str
    """`guard` or `shim`."""
    name: str
    """`LEGACY_DOCTOR_DISABLE=<kind>:<name>` switches it off."""
    distribution: str
    versions: str
    """The versions that it is about (PEP 440), empty for all."""
    needs: frozenset[str]
    """It acts where any of these features is missing; where it names none, everywhere."""
    installed: str | None
    """The version that is there now."""
    here: bool
    """The CPU that it is judged by is one on which it acts."""
    acts: bool
    """And so is what is installed now."""
    remedy: str = ""
    reason: str = ""
    listed: tuple[str, ...] = ()
    """The files, folders and sha256 that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReport:
    """A start-up hook and how it stands: all that a formatter may see of it."""

    interpreter: Interpreter
    cpu: Cpu
    """The CPU by which `HookRule.acts` is judged."""
    via: str | None = None
    """`pth` or `sitecustomize`; None where no hook is installed, or nothing leads to it."""
    identity: str = ""
    files: tuple[Path, ...] = ()
    """Empty where no hook is installed."""
    made_for: str = ""
    """The CPU that it was made for, and in `target` how the user named it."""
    target: str = ""
    pinsets: tuple[str, ...] = ()
    rules: tuple[HookRule, ...] = ()
    problems: tuple[str, ...] = ()
    """What keeps it from working, a sentence each."""
    stale: tuple[str, ...] = ()
    """What has changed since it was made."""
    live: bool | None = None
    """Whether Python armed it when it was started and asked; None where it was not."""
    disabled: str = ""
    """What LEGACY_DOCTOR_DISABLE says where the question was asked."""
