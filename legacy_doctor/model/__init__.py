"""The words of the house: frozen values that every room passes on and none changes.

Those that every command needs are loaded with this package, the others when they are asked for: to
make sixty dataclasses takes as long as to load click, and a commit hook has not got that time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from legacy_doctor.model.belief import Alternative as Alternative
from legacy_doctor.model.belief import Conflict as Conflict
from legacy_doctor.model.belief import Evidence as Evidence
from legacy_doctor.model.belief import Grade as Grade
from legacy_doctor.model.belief import Incompatibility as Incompatibility
from legacy_doctor.model.belief import Knowledge as Knowledge
from legacy_doctor.model.belief import Pin as Pin
from legacy_doctor.model.belief import PinSet as PinSet
from legacy_doctor.model.belief import Removal as Removal
from legacy_doctor.model.belief import Severity as Severity
from legacy_doctor.model.belief import SoftImport as SoftImport
from legacy_doctor.model.belief import When as When
from legacy_doctor.model.finding import Finding as Finding
from legacy_doctor.model.finding import Location as Location
from legacy_doctor.model.finding import Remedy as Remedy
from legacy_doctor.model.finding import RemedyKind as RemedyKind
from legacy_doctor.model.finding import RuleText as RuleText
from legacy_doctor.model.finding import Standing as Standing
from legacy_doctor.model.installation import AlteredFile as AlteredFile
from legacy_doctor.model.installation import BrokenMetadata as BrokenMetadata
from legacy_doctor.model.installation import DeclaredIsa as DeclaredIsa
from legacy_doctor.model.installation import Distribution as Distribution
from legacy_doctor.model.installation import Interpreter as Interpreter
from legacy_doctor.model.installation import Override as Override
from legacy_doctor.model.installation import OverrideKind as OverrideKind
from legacy_doctor.model.installation import RecordedFile as RecordedFile
from legacy_doctor.model.installation import canonical as canonical
from legacy_doctor.model.installation import is_native as is_native
from legacy_doctor.model.judgement import Gate as Gate
from legacy_doctor.model.judgement import Judgement as Judgement
from legacy_doctor.model.machine import Cpu as Cpu
from legacy_doctor.model.machine import Hidden as Hidden
from legacy_doctor.model.machine import HiddenBy as HiddenBy
from legacy_doctor.model.machine import Witness as Witness
from legacy_doctor.model.patient import Patient as Patient
from legacy_doctor.model.requirement import Requirement as Requirement
from legacy_doctor.model.requirement import RequirementFile as RequirementFile
from legacy_doctor.model.requirement import RequirementKind as RequirementKind

if TYPE_CHECKING:
    from legacy_doctor.model.probing import Fault as Fault
    from legacy_doctor.model.probing import FaultKind as FaultKind
    from legacy_doctor.model.probing import Frame as Frame
    from legacy_doctor.model.probing import Outcome as Outcome
    from legacy_doctor.model.probing import Probe as Probe
    from legacy_doctor.model.probing import ProbeResult as ProbeResult
    from legacy_doctor.model.probing import Probing as Probing
    from legacy_doctor.model.probing import Raised as Raised
    from legacy_doctor.model.profile import BuildFlag as BuildFlag
    from legacy_doctor.model.profile import Counsel as Counsel
    from legacy_doctor.model.profile import Fitness as Fitness
    from legacy_doctor.model.profile import Keep as Keep
    from legacy_doctor.model.profile import Native as Native
    from legacy_doctor.model.profile import NativeCheck as NativeCheck
    from legacy_doctor.model.profile import Outlook as Outlook
    from legacy_doctor.model.profile import PatchUse as PatchUse
    from legacy_doctor.model.profile import Profile as Profile
    from legacy_doctor.model.profile import ProfileRun as ProfileRun
    from legacy_doctor.model.profile import ProfileStatus as ProfileStatus
    from legacy_doctor.model.profile import RiskyImport as RiskyImport
    from legacy_doctor.model.profile import Sighting as Sighting
    from legacy_doctor.model.profile import Smoke as Smoke
    from legacy_doctor.model.profile import Tier as Tier
    from legacy_doctor.model.profile import Trial as Trial
    from legacy_doctor.model.profile import UpstreamIssue as UpstreamIssue
    from legacy_doctor.model.prognosis import Chart as Chart
    from legacy_doctor.model.prognosis import Expectation as Expectation
    from legacy_doctor.model.prognosis import Fate as Fate
    from legacy_doctor.model.prognosis import Prognosis as Prognosis
    from legacy_doctor.model.report import Report as Report
    from legacy_doctor.model.report import Story as Story
    from legacy_doctor.model.topology import Core as Core
    from legacy_doctor.model.topology import Topology as Topology
    from legacy_doctor.model.treatment import Course as Course
    from legacy_doctor.model.treatment import HookReport as HookReport
    from legacy_doctor.model.treatment import HookRule as HookRule
    from legacy_doctor.model.treatment import Step as Step
    from legacy_doctor.model.tuning import Advice as Advice
    from legacy_doctor.model.tuning import Choice as Choice
    from legacy_doctor.model.tuning import Contender as Contender
    from legacy_doctor.model.tuning import EnvFile as EnvFile
    from legacy_doctor.model.tuning import Measurement as Measurement
    from legacy_doctor.model.tuning import Remark as Remark
    from legacy_doctor.model.tuning import Timing as Timing
    from legacy_doctor.model.tuning import Tuning as Tuning
    from legacy_doctor.model.tuning import Work as Work
    from legacy_doctor.model.weights import Checkpoint as Checkpoint
    from legacy_doctor.model.weights import Reference as Reference
    from legacy_doctor.model.weights import StoredTensor as StoredTensor
    from legacy_doctor.model.weights import StrippedCopy as StrippedCopy
    from legacy_doctor.model.weights import Trust as Trust

_LATE: Final = {
    "topology": "Core Topology",
    "probing": "Outcome Probe Frame FaultKind Fault Raised ProbeResult Probing",
    "tuning": "Work Choice Advice Remark Contender Timing Measurement EnvFile Tuning",
    "report": "Story Report",
    "treatment": "Step Course HookRule HookReport",
    "weights": "Trust Reference StoredTensor Checkpoint StrippedCopy",
    "prognosis": "Fate Expectation Prognosis Chart",
    "profile": (
        "Tier Fitness RiskyImport PatchUse ProfileStatus UpstreamIssue Counsel Smoke BuildFlag "
        "Trial Native Profile ProfileRun Keep Outlook Sighting NativeCheck"
    ),
}
"""Modules that are loaded when one of these words is asked for."""
_HOME: Final = {name: home for home, names in _LATE.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load the module of a word when it is first asked for (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    word: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = word
    return word
