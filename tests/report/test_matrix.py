"""The picture of what runs where, and the table that says the same."""

from __future__ import annotations

import re

import pytest

from legacy_doctor.model import Expectation, Fate
from legacy_doctor.report import matrix
from tests.report.charts import ROWS, cell, row
from tests.report.wellformed import Document


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (cell("works", proven=True, stage="use"), "works, proven"),
        (cell("works", proven=True, stage="import"), "works (import only), proven"),
        (cell("works", stage="import"), "works, inferred"),
        (cell("dies", proven=True, stage="import"), "dies on import, proven"),
        (cell("dies", stage="use"), "dies in use, inferred"),
        (cell("refuses"), "clean error, inferred"),
        (cell("unknown"), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cell_in_words(expectation: Expectation, said: str) -> None:
    assert matrix.words(expectation) == said


def test_the_worst_here_comes_first_and_what_nobody_knows_not_at_all() -> None:
    assert [item.distribution for item in matrix.ordered(ROWS)] == ["numpy", "qt", "lxml"]


def test_among_equals_the_levels_decide_and_then_the_name() -> None:
    rows = [row("b", cell()), row("c", cell(), cell("dies")), row("a", cell())]

    assert [item.distribution for item in matrix.ordered(rows)] == ["c", "a", "b"]


def test_each_verdict_has_a_shape_of_its_own_and_each_ground_a_filling() -> None:
    looks = {
        (fate, proven): re.sub(r'class="[^"]*"', "", matrix.icon(fate, proven=proven))
        for fate in Fate
        for proven in (True, False)
    }
    shapes = {fate: looks[fate, True] for fate in Fate}
    assert len({*shapes.values()}) == len(Fate), "told apart without any colour"
    for fate in set(Fate) - {Fate.UNKNOWN}:
        assert 'proven"' in matrix.icon(fate, proven=True)
        assert 'inferred"' in matrix.icon(fate, proven=False)


def test_the_picture_has_a_name_a_description_and_a_title_for_every_cell() -> None:
    rows = matrix.ordered(ROWS)
    picture = Document(matrix.picture(rows, "phenom-ii"))

    (svg,) = [item for item in picture.elements if item.tag == "svg"]
    assert svg.attributes["role"] == "img"
    assert {*svg.attributes["aria-labelledby"].split()} == {*picture.ids()}
    titles = [item for item in picture.elements if item.tag == "title"]
    assert len(titles) == 1 + len(rows) * 6, "its own, and for each row the name and five cells"
    assert "dies on import, proven: SIGILL" in picture.text
    assert not picture.mistakes


def test_the_table_says_the_same_as_the_picture() -> None:
    rows = matrix.ordered(ROWS)
    table = Document(matrix.table(rows, "phenom-ii"))

    cells = [item for item in table.elements if item.tag == "td"]
    heads = [item.attributes["scope"] for item in table.elements if item.tag == "th"]
    assert len(cells) == len(rows) * 6
    assert (heads.count("col"), heads.count("row")) == (7, len(rows))
    for item in rows:
        for expectation in (item.here, *(told for _, told in item.levels)):
            assert matrix.words(expectation) in table.text
            assert expectation.reason in table.text


def test_a_long_name_is_cut_in_the_picture_and_whole_in_the_table() -> None:
    long = "a-distribution-with-a-very-long-name-indeed"
    rows = [row(long, cell(), version="1.2.3.post20261126+local.build")]

    picture = matrix.picture(rows, "a-cpu-with-a-long-name")

    (left,) = re.findall(r'<rect x="(\d+)" y="0"', picture)
    assert int(left) < 340
    assert "a-distribution-with-a-ver…" in picture
    assert long in matrix.table(rows, "here")


def test_the_legend_names_every_fate_and_both_grounds() -> None:
    said = Document(matrix.legend()).text

    assert all(name in said for name in matrix.FATES.values())
    assert "filled" in said
    assert "dashed" in said
