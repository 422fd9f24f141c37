"""The page of `tune`: whole, harmless, and with the curve of what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from legacy_doctor.model import Tuning
from legacy_doctor.report import advised
from tests.report.wellformed import Document
from tests.tune.consultations import choice, env_file, measurement, tuning

EVIL = "</style><script>alert(1)</script>"

PAGES: dict[str, Tuning] = {
    "all that there can be": tuning(
        measured=measurement(1.4, kept=True), file=env_file(written=True), severity="error"
    ),
    "nothing was measured": tuning(),
    "a file that is so already": tuning(file=env_file(written=False, diff="")),
    "little": replace(tuning(), settings=(), remarks=(), starts=(), choices=(choice(1),)),
    "hostile names": replace(tuning(file=env_file(written=False)), title=EVIL, starts=(EVIL,)),
}


def page(value: Tuning) -> Document:
    return Document(advised.page(value, "0.1.0"))


@pytest.mark.parametrize("value", PAGES.values(), ids=PAGES)
def test_every_page_is_well_formed_and_runs_nothing(value: Tuning) -> None:
    found = page(value)

    assert found.mistakes == []
    assert not [item for item in found.elements if item.tag in {"script", "link", "img", "iframe"}]
    policies = [item for item in found.elements if "http-equiv" in item.attributes]
    assert policies[0].attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_curve_is_drawn_with_its_verdict_and_the_same_as_a_table() -> None:
    found = page(PAGES["all that there can be"])

    assert [item for item in found.elements if item.tag == "svg"]
    assert "4 threads, the P-cores alone is 1.40 times as fast as 12 threads" in found.text
    assert "1.40 ± 5%" in found.text
    assert "A program: 4 threads, the P-cores alone" in found.text


def test_nothing_is_drawn_where_nothing_was_measured() -> None:
    found = page(PAGES["nothing was measured"])

    assert not [item for item in found.elements if item.tag == "svg"]
    assert "What was measured" not in found.text


def test_each_setting_stands_with_its_reason_and_the_worst_remark_first() -> None:
    said = page(PAGES["all that there can be"]).text

    for words in ("X_THREADS=4 it asks for it", "X_DIR left unset nobody reads it", "run x"):
        assert words in said
    assert said.index("does not fit") < said.index("needs AMX")
    assert ".env: written" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a file that is so already", ".env: it is so already"),
        ("hostile names", ".env: not written"),
        ("little", "A program: 1 thread, all physical cores"),
    ],
)
def test_what_became_of_the_file(name: str, said: str) -> None:
    assert said in page(PAGES[name]).text


def test_the_same_values_give_the_same_bytes() -> None:
    value = PAGES["all that there can be"]

    assert advised.page(value, "0.1.0") == advised.page(value, "0.1.0")
