"""The fast way through a lock file finds what the TOML library finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import tables
from legacy_doctor.environment.requirements.source import RequirementsError, Source
from legacy_doctor.environment.requirements.tables import Table
from tests.environment.requirements.corpus import EXPECTED, FOLDER, text, tomllib

KEYS = ("name", "version", "source", "marker", "markers", "groups", "dependencies", "extras")
LOCKS = {
    file: "packages" if expected["format"] == "pylock" else "package"
    for file, expected in EXPECTED.items()
    if expected["format"] in {"uv.lock", "poetry.lock", "pdm.lock", "pylock"}
}

VALUES = st.sampled_from(
    [
        *('"numpy"', '"a\\"b"', "'literal'", '"""long"""', "true", "17", "1.5", "2024-01-01"),
        *("[]", '["a", "b"]', "[\"a = 1\", 'b']", "{}", '{ registry = "https://pypi.org/simple" }'),
        *('{name = "x", marker = "sys_platform == \'win32\'"}', "{ a = { b = [1, 2] } }"),
        *('[\n    { name = "x" },\n    { name = "y", extra = ["z"], marker = "a == \'b\'" },\n]',),
        *('[\n    "a\\\\b",\n    "c = d",\n]', "[\n    'x'\n]", '[\n"x",\n]', '[ "a",\n    "b" ]'),
        *('[\n    "x", # why\n]', "[\n\n    1,\n]", "[\n[1]\n]", '"trailing"  # comment', "[\n]"),
        *('{ a = "]" }', '"[[package]]"', '"\'"', "'\"'", '["x = ["]', "'''\n[[package]]\n'''"),
    ]
)
LINES = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                "# comment",
                "[[package]]",
                "[package.source]",
                "[[package.wheels]]",
                "[metadata]",
            ),
            *("  # indented", "[ package ]", '[package."x"]', "[package.metadata.deep]", "[[x]]"),
            *('package.name = "x"', "package = []", "  [[package]]", "[[package]] # comment"),
        ]
    ),
    st.tuples(
        st.sampled_from([*KEYS, '"name"', " name", "type", "url", "a.b", '"a.b"']), VALUES
    ).map(" = ".join),
)


def told(table: Table) -> dict[str, object]:
    plain = {key: table.get(key) for key in KEYS if key != "source"}
    return {**plain, "source": table.table("source"), "texts": [table.text(key) for key in KEYS]}


def both_ways(content: str, name: str) -> None:
    source = Source(content, "x")
    rows = tomllib.loads(source.text).get(name)
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    slow = list(tables._parsed(source, name))
    fast = tables.tables(source, name)

    assert [told(table) for table in fast] == [told(table) for table in slow]
    for table, row in zip(fast, rows, strict=True):
        assert table.get("name") == row.get("name") or isinstance(row["name"], list)
    for key in ("name", "version"):
        assert [table.place(key) for table in fast] == [table.place(key) for table in slow]


@given(st.lists(LINES, max_size=14).map("\n".join), st.sampled_from(["", "\n"]))
def test_both_ways_find_the_same(content: str, end: str) -> None:
    content = f'[[package]]\nname = "x"\n{content}{end}'
    try:
        tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        return
    both_ways(content, "package")


@pytest.mark.parametrize(("file", "name"), LOCKS.items(), ids=list(LOCKS))
def test_both_ways_find_the_same_in_the_corpus(file: str, name: str) -> None:
    both_ways(text(FOLDER / file), name)


@pytest.mark.parametrize(("file", "name"), LOCKS.items(), ids=list(LOCKS))
def test_what_the_tools_write_is_read_the_fast_way(file: str, name: str) -> None:
    assert tables.scanned(text(FOLDER / file), name) is not None


@pytest.mark.parametrize(
    "line",
    [
        "<<<<<<< HEAD",
        "  name = 'x'",
        "\tname = 'x'",
        "name='x'",
        "'name' = 'x'",
        "[ package ]",
        "name = '''x'''",
        'name = """x"""',
        "package.name = 'x'",
        "list = [\n# why\n]",
        "list = [\n    1,\n]",
        "list = [",
        "list = [ 1,",
        "list = [ [1], # ]\n[2]]",
        "name = 'x'\r",
    ],
)
def test_what_they_do_not_write_is_parsed(line: str) -> None:
    assert tables.scanned(f"[[package]]\n{line}\n", "package") is None


def test_a_conflict_of_a_merge_is_told_with_its_line() -> None:
    with pytest.raises(RequirementsError, match=r"x: not valid TOML: .*line 2"):
        tables.tables(Source("[[package]]\n<<<<<<< HEAD\n", "x"), "package")


def test_a_value_that_is_none_is_told_with_its_line() -> None:
    (table,) = tables.tables(Source('[[package]]\nname = "x"\nversion = oops\n', "x"), "package")

    assert table.get("name") == "x"
    with pytest.raises(RequirementsError, match=r"x: not valid TOML: .*line 3"):
        table.get("version")


def test_what_is_absent() -> None:
    (table,) = tables.tables(Source("[[package]]\nversion = 1\n", "x"), "package")

    assert (table.get("name"), table.text("name"), table.tables("name")) == (None, "", [])
    assert (table.text("version"), table.table("version")) == ("", {})
    assert (table.place("name").line, table.place("version").column) == (1, 11)
