"""What every rule is about: no rule without it, none that is not there."""

from __future__ import annotations

from legacy_doctor.diagnosis import guidance, rules


def test_every_rule_has_its_text_and_no_other_has() -> None:
    assert set(guidance._HELP) == {name for name, _ in rules.summaries()}


def test_a_text_says_how_it_is_known_and_what_to_do() -> None:
    for text in guidance.every():
        known, do = text.help.split("\n\n")
        assert known.endswith(".")
        assert do.endswith(".")
        assert len(f"{text.summary} {known}") <= 1024, "code scanning shows no more"


def test_a_rule_of_another_house_speaks_for_itself() -> None:
    text = guidance._text("new-rule", "What it means.")
    assert (text.id, text.help) == ("new-rule", "What it means.")
