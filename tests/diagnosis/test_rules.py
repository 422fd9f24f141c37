"""The table of rules, and the order in which their findings are told."""

from __future__ import annotations

import inspect
import re

import pytest

from legacy_doctor.diagnosis import files, machine, packages, rules
from legacy_doctor.diagnosis.rules import RULES, Rule
from legacy_doctor.errors import UnknownNameError
from legacy_doctor.model import AlteredFile, Hidden, HiddenBy, Knowledge
from tests.diagnosis.patients import SITE, cpu, dist, interpreter, knowing, patient, pin


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
class TestEachRule:
    def test_is_called_in_kebab_case_like_its_function(self, rule: Rule) -> None:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert rule.check.__name__ == rule.id.replace("-", "_")

    def test_says_in_one_line_what_a_finding_means(self, rule: Rule) -> None:
        assert rule.summary.endswith(".")
        assert 20 < len(rule.summary) < 100
        assert "\n\n" in f"{rule.check.__doc__}\n\n".replace(rule.summary, "", 1)[:2]

    def test_says_nothing_of_the_healthy(self, rule: Rule) -> None:
        assert list(rule.check(patient(dist("six")), knowing(pin("numpy", "")))) == []
        assert list(rule.check(patient(), Knowledge(pinsets=()))) == []


def test_every_rule_of_the_house_is_in_the_table() -> None:
    written = {
        name
        for module in (files, machine, packages)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if list(inspect.signature(function).parameters) == ["patient", "knowledge"]
        and not name.startswith("_")
        and function.__module__ == module.__name__
    }
    assert written - {"graph", "unjudged"} == {rule.check.__name__ for rule in RULES}


def test_a_rule_without_words_has_an_empty_summary() -> None:
    assert Rule("x", lambda patient, knowledge: iter(())).summary == ""


def test_errors_come_first_then_the_order_of_the_rules() -> None:
    who = patient(
        dist("new", "2"),
        dist("old", "2"),
        dist("wheel", "2"),
        dist("tagged", tags=("cp311-cp311-manylinux_2_34_x86_64",)),
        on=cpu(
            lacking="sse4_1",
            hidden=(Hidden(feature="avx", reason=HiddenBy.KERNEL, detail="switched off"),),
        ),
        interpreter=interpreter(death="died of SIGILL"),
        altered=(AlteredFile(distribution="old", path=SITE / "a.py", problem="changed"),),
    )
    knowledge = knowing(
        pin("old", ">=2", "<2", severity="warning"),
        pin("new", ">=2", "<2"),
        pin("wheel", ""),
    )
    found = rules.diagnose(who, knowledge)
    assert [(item.severity.value, item.rule, item.subject) for item in found] == [
        ("error", "interpreter-needs", "python"),
        ("error", "broken-pin", "new"),
        ("error", "no-working-wheel", "wheel"),
        ("warning", "hidden-features", "cpu"),
        ("warning", "broken-pin", "old"),
        ("warning", "altered-files", "old"),
        ("info", "wheel-tag-hint", "wheel tags"),
    ]


def test_only_the_rules_asked_for_are_run() -> None:
    only = [rule for rule in RULES if rule.id == "no-working-wheel"]
    who = patient(dist("a", "2"), dist("b", "2"))
    found = rules.diagnose(who, knowing(pin("a", ">=2", "<2"), pin("b", "")), only)
    assert [item.subject for item in found] == ["b"]


def test_a_known_rule_is_returned() -> None:
    assert rules.known("broken-pin") == "broken-pin"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param(
            "broken-pins",
            "no rule 'broken-pins'; did you mean 'broken-pin'?; see legacy-doctor check "
            "--list-rules",
            id="near one",
        ),
        pytest.param("zzz", "no rule 'zzz'; see legacy-doctor check --list-rules", id="unlike any"),
    ],
)
def test_an_unknown_rule_is_refused_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        rules.known(name)
    assert str(caught.value) == said
