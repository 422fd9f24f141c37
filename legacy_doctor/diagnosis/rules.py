"""All rules, in the order in which findings of one severity are told: causes before symptoms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from legacy_doctor.diagnosis import amendments, confirmation, files, machine, packages, projects
from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.model import Finding, Knowledge, Patient

Check = Callable[[Patient, Knowledge], Iterator[Finding]]


class Rule(NamedTuple):
    """One check. Its docstring's first line is what `legacy-doctor check --list-rules` prints."""

    id: str
    check: Check

    @property
    def summary(self) -> str:
        """What a finding of this rule means."""
        return (self.check.__doc__ or "").strip().partition("\n")[0]


RULES: Final = (
    Rule("interpreter-needs", machine.interpreter_needs),
    Rule("hidden-features", machine.hidden_features),
    Rule("dispatch-override", machine.dispatch_override),
    Rule("dead-override", machine.dead_override),
    Rule("disarmed-guard", machine.disarmed_guard),
    Rule("overwriting-distributions", packages.overwriting_distributions),
    Rule("broken-pin", packages.broken_pin),
    Rule("no-working-wheel", packages.no_working_wheel),
    Rule("unwanted-distribution", packages.unwanted_distribution),
    Rule("incompatible-versions", packages.incompatible_versions),
    Rule("contradicting-pins", packages.contradicting_pins),
    Rule("broken-metadata", files.broken_metadata),
    Rule("altered-files", files.altered_files),
    Rule("disputed-evidence", packages.disputed_evidence),
    Rule("treated", packages.treated),
    Rule("declared-isa", files.declared_isa),
    Rule("wheel-tag-hint", files.wheel_tag_hint),
)

ABOUT_IGNORES: Final = (
    ("expired-ignore", "The time of an ignore is over: what it covered counts again."),
    ("unused-ignore", "An ignore covers nothing that is found here, on any CPU."),
)
"""The rules about the project's own configuration, each with what a finding of it means."""


def diagnose(
    patient: Patient, knowledge: Knowledge, rules: Iterable[Rule] = RULES
) -> tuple[Finding, ...]:
    """Return every finding, errors first, then in the order of the rules."""
    found = [finding for rule in rules for finding in rule.check(patient, knowledge)]
    return tuple(sorted(found, key=lambda finding: finding.severity.rank))


def summaries() -> tuple[tuple[str, str], ...]:
    """Return every rule id with its meaning: of environments, probes, files and the project."""
    own = ((rule.id, rule.summary) for rule in RULES)
    return (*own, *confirmation.RULES, amendments.ADMITS, *projects.RULES, *ABOUT_IGNORES)


def known(rule: str) -> str:
    """Return the rule id; raises `UnknownNameError` with the nearest one."""
    ids = [name for name, _ in summaries()]
    if rule not in ids:
        raise UnknownNameError(
            f"no rule {rule!r}{suggestion(rule, ids)}; see legacy-doctor check --list-rules"
        )
    return rule
