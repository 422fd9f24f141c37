"""The place of a table in a TOML file, however the file is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.knowledge import document, position

KEYS = ("tool", "legacy-doctor", "ignore")


@pytest.mark.parametrize(
    ("keys", "text", "places"),
    [
        pytest.param(
            ["ignore"],
            "x = 1\n[[ignore]]\nrule = 'a'\n\n  [[ ignore ]]\nrule = 'b'\n",
            [(2, 1), (5, 3)],
            id="headers",
        ),
        pytest.param(
            KEYS,
            "[[tool.other]]\n[tool.'legacy-doctor']\n[[tool.\"legacy-doctor\".ignore]]\n",
            [(3, 1)],
            id="quoted keys",
        ),
        pytest.param(
            KEYS,
            "[tool.legacy-doctor]\nignore = [\n  # {}\n  {rule = 'a'},\n  {rule = ']'},\n]\n",
            [(4, 3), (5, 3)],
            id="inline tables, a line each",
        ),
        pytest.param(
            KEYS,
            "[tool]\nlegacy-doctor.ignore = [{rule = 'a'}, {rule = 'b'}]\n",
            [(2, 1), (2, 1)],
            id="inline tables on one line",
        ),
        pytest.param(
            ["ignore"],
            "x = '''\n[[ignore]]\n'''\n# [[ignore]]\n[[ignore]]\n",
            [(5, 1)],
            id="texts and comments that look like tables",
        ),
        pytest.param(["ignore"], "[[other]]\n", [(1, 1)], id="not there"),
        pytest.param(["ignore"], "ignore = {a = 1}\n", [(1, 1)], id="no array"),
        pytest.param(["ignore"], "[[[[", [(1, 1)], id="no TOML"),
    ],
)
def test_where_a_table_stands(keys: list[str], text: str, places: list[tuple[int, int]]) -> None:
    assert [position.of_table(text, keys, number) for number in range(len(places))] == places


LINES = st.sampled_from(
    ["", "# [[ignore]]", "[other]", "x = ['[[ignore]]', {}]", 'y = """\n[[ignore]]\n"""', "[a.b]"]
)


@given(st.lists(LINES | st.just("[[ignore]]"), max_size=12))
def test_what_is_found_is_a_header_and_the_right_one(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    try:
        count = len(document.parse(text).get("ignore", []))
    except ValueError:
        return
    found = [position.of_table(text, ["ignore"], number) for number in range(count)]
    assert found == sorted(set(found))
    assert all(text.splitlines()[line - 1] == "[[ignore]]" for line, _ in found)


@given(st.text(), st.integers(0, 3))
def test_nothing_breaks_it(text: str, number: int) -> None:
    line, column = position.of_table(text, ["ignore"], number)
    assert line >= 1
    assert column >= 1
