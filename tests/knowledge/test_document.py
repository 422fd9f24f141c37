"""Strict reading of TOML: every getter with what is right, wrong and missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cpu import features
from legacy_doctor.errors import DataError
from legacy_doctor.knowledge import document
from legacy_doctor.knowledge.document import Table

Getter = Callable[[Table], Any]
V1 = features.cumulative("x86-64-v1")


def table(tmp_path: Path, text: str) -> Table:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    return document.load(path)


def message(tmp_path: Path, text: str, getter: Getter) -> str:
    """The error of a getter, without the name of the file."""
    with pytest.raises(DataError) as caught:
        getter(table(tmp_path, text))
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'a.toml'}: ")
    return said.removeprefix(f"{tmp_path / 'a.toml'}: ")


RIGHT: dict[str, tuple[str, Getter, Any]] = {
    "a text": ("key = 'word'", lambda t: t.text("key"), "word"),
    "a text, trimmed": ("key = ' word\\n'", lambda t: t.text("key"), " word\\n".strip()),
    "a text of several lines": ("key = '''\none\ntwo\n'''", lambda t: t.text("key"), "one\ntwo"),
    "a default for a missing text": ("", lambda t: t.text("key", "word"), "word"),
    "an empty text where there is a default": ("key = ''", lambda t: t.text("key", "x"), ""),
    "an optional text": ("key = 'word'", lambda t: t.optional("key"), "word"),
    "a missing optional text": ("", lambda t: t.optional("key"), None),
    "texts": ("key = ['a', 'b']", lambda t: t.texts("key"), ("a", "b")),
    "missing texts": ("", lambda t: t.texts("key"), ()),
    "a number": ("key = 3", lambda t: t.number("key"), 3),
    "zero": ("key = 0", lambda t: t.number("key"), 0),
    "a missing number": ("", lambda t: t.number("key"), None),
    "a choice": ("key = 'b'", lambda t: t.choice("key", ("a", "b")), "b"),
    "a missing choice": ("", lambda t: t.choice("key", ("a", "b"), "a"), "a"),
    "a date as text": ("key = '2026-11-20'", lambda t: t.day("key"), "2026-11-20"),
    "a date as TOML date": ("key = 2026-11-20", lambda t: t.day("key"), "2026-11-20"),
    "features": (
        "key = ['avx2', 'popcnt']",
        lambda t: t.features("key"),
        frozenset({"avx2", "popcnt"}),
    ),
    "a level, expanded": ("key = ['x86-64-v1']", lambda t: t.features("key"), V1),
    "missing features": ("", lambda t: t.features("key"), frozenset()),
    "a specifier": ("key = '>=2.4'", lambda t: t.specifier("key"), ">=2.4"),
    "any version": ("key = '*'", lambda t: t.specifier("key"), ""),
    "a missing specifier": ("", lambda t: t.specifier("key"), None),
    "a distribution, normalized": (
        "key = 'Foo_Bar.baz'",
        lambda t: t.distribution("key"),
        "foo-bar-baz",
    ),
    "distributions": ("key = ['A', 'b.c']", lambda t: t.distributions("key"), ("a", "b-c")),
    "missing distributions": ("", lambda t: t.distributions("key"), ()),
    "a missing table": ("", lambda t: t.table("key"), None),
    "missing tables": ("", lambda t: list(t.tables("key")), []),
    "a text of a sub-table": (
        "[key]\nword = 'x'",
        lambda t: (t.table("key") or t).text("word"),
        "x",
    ),
    "texts of an array of tables": (
        "[[key]]\nword = 'x'\n[[key]]\nword = 'y'",
        lambda t: [item.text("word") for item in t.tables("key")],
        ["x", "y"],
    ),
    "the presence of a key": ("key = 1", lambda t: ("key" in t, "other" in t), (True, False)),
}


@pytest.mark.parametrize(("text", "getter", "value"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_returned(tmp_path: Path, text: str, getter: Getter, value: Any) -> None:
    assert getter(table(tmp_path, text)) == value


WRONG: dict[str, tuple[str, Getter, str]] = {
    "a missing text": ("", lambda t: t.text("key"), "key: expected a text, got nothing"),
    "a number for a text": (
        "key = 3",
        lambda t: t.text("key"),
        "key: expected a text, got int 3",
    ),
    "a number for a text with a default": (
        "key = 3",
        lambda t: t.text("key", "x"),
        "key: expected a text, got int 3",
    ),
    "an empty text": ("key = ' '", lambda t: t.text("key"), "key: expected a text, got str ' '"),
    "an empty optional text": (
        "key = ''",
        lambda t: t.optional("key"),
        "key: expected a text, got str ''",
    ),
    "a long value, cut": (
        f"key = {list(range(100))}",
        lambda t: t.text("key"),
        "key: expected a text, got list [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ",
    ),
    "a text for texts": (
        "key = 'a'",
        lambda t: t.texts("key"),
        "key: expected a list of texts, got str 'a'",
    ),
    "a number among texts": (
        "key = ['a', 1]",
        lambda t: t.texts("key"),
        "key[1]: expected a text, got int 1",
    ),
    "a text for a number": (
        "key = '3'",
        lambda t: t.number("key"),
        "key: expected a whole number, got str '3'",
    ),
    "a fraction for a number": (
        "key = 3.0",
        lambda t: t.number("key"),
        "key: expected a whole number, got float 3.0",
    ),
    "a truth for a number": (
        "key = true",
        lambda t: t.number("key"),
        "key: expected a whole number, got bool True",
    ),
    "a choice misspelt": (
        "key = 'warnign'",
        lambda t: t.choice("key", ("error", "warning")),
        "key: unknown value 'warnign'; did you mean 'warning'?",
    ),
    "a choice unlike any": (
        "key = 'zzz'",
        lambda t: t.choice("key", ("error", "warning")),
        "key: unknown value 'zzz'; one of error, warning",
    ),
    "a missing choice without a default": (
        "",
        lambda t: t.choice("key", ("a", "b")),
        "key: expected a text, got nothing",
    ),
    "a missing date": (
        "",
        lambda t: t.day("key"),
        "key: expected a date like '2026-11-20', got nothing",
    ),
    "a day that is none": (
        "key = '2026-02-30'",
        lambda t: t.day("key"),
        "key: expected a date like '2026-11-20', got str '2026-02-30'",
    ),
    "a time of day for a date": (
        "key = 07:32:00",
        lambda t: t.day("key"),
        "key: expected a date like '2026-11-20', got time datetime.time(7, 32)",
    ),
    "a moment for a date": (
        "key = 2026-11-20T07:32:00",
        lambda t: t.day("key"),
        "key: expected a date like '2026-11-20', got datetime datetime.datetime(2026, 11, 20, 7, 32)",
    ),
    "a feature misspelt": (
        "key = ['avx2', 'sse41']",
        lambda t: t.features("key"),
        "key[1]: unknown feature 'sse41'; did you mean 'sse4_1'?",
    ),
    "a feature under its marketing name": (
        "key = ['sse3']",
        lambda t: t.features("key"),
        "key[0]: unknown feature 'sse3'; did you mean 'pni'?",
    ),
    "a level misspelt": (
        "key = ['x86_64_v2']",
        lambda t: t.features("key"),
        "key[0]: unknown feature 'x86_64_v2'; did you mean 'x86-64-v2'?",
    ),
    "a feature unlike any": (
        "key = ['?']",
        lambda t: t.features("key"),
        "key[0]: unknown feature '?'",
    ),
    "a version for a specifier": (
        "key = '2.4'",
        lambda t: t.specifier("key"),
        "key: not a version specifier: '2.4' (like '>=2.4,<3')",
    ),
    "a distribution that no index would take": (
        "key = 'a b'",
        lambda t: t.distribution("key"),
        "key: not a distribution name: 'a b'",
    ),
    "a wrong distribution among right ones": (
        "key = ['a', '-b']",
        lambda t: t.distributions("key"),
        "key[1]: not a distribution name: '-b'",
    ),
    "a text for a table": (
        "key = 'a'",
        lambda t: t.table("key"),
        "key: expected a table, got str 'a'",
    ),
    "a table for an array of tables": (
        "[key]",
        lambda t: list(t.tables("key")),
        "key: expected an array of tables ([[key]]), got dict {}",
    ),
    "a text among tables": (
        "key = [{}, 'a']",
        lambda t: list(t.tables("key")),
        "key[1]: expected a table, got str 'a'",
    ),
    "deep in tables": (
        "[[a]]\n[[a]]\n[[a.b]]\n[a.b.c]\nkey = ['sse41']",
        lambda t: [
            c.features("key") for a in t.tables("a") for b in a.tables("b") if (c := b.table("c"))
        ],
        "a[1].b[0].c.key[0]: unknown feature 'sse41'; did you mean 'sse4_1'?",
    ),
}


@pytest.mark.parametrize(("text", "getter", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_file_and_path(
    tmp_path: Path, text: str, getter: Getter, said: str
) -> None:
    assert message(tmp_path, text, getter) == said


def _asked_for_needs(found: Table) -> None:
    assert "good" not in found
    found.texts("needs")
    found.finish()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("need = []", "need: unknown key; did you mean 'needs'?", id="a typo"),
        pytest.param("needs = []\nzzz = 1", "zzz: unknown key", id="unlike any"),
        pytest.param("'a\\nb' = 1", "'a\\\\nb': unknown key", id="a backslash in quotes"),
        pytest.param('"a\\nb" = 1', "'a\\nb': unknown key", id="a line break in the key"),
    ],
)
def test_a_key_that_nobody_asked_for_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    assert message(tmp_path, text, _asked_for_needs) == said


def test_finish_is_content_with_keys_that_were_asked_for(tmp_path: Path) -> None:
    _asked_for_needs(table(tmp_path, "needs = ['avx2']"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"key = ", "not valid TOML: Invalid value", id="half a line"),
        pytest.param(b"a = 1\na = 2", "not valid TOML: Cannot overwrite a value", id="a key twice"),
        pytest.param(b"key = '\xff'", "not valid TOML: 'utf-8' codec", id="not UTF-8"),
        pytest.param(b"key = " + b"9" * 5000, "not valid TOML: ", id="an endless number"),
        pytest.param(b"key = " + b"[" * 9999, "not valid TOML: ", id="endless brackets"),
    ],
)
def test_what_is_no_toml_says_so_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        document.load(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_why(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(DataError) as caught:
        document.load(path)
    assert str(caught.value) == f"{path}: cannot be read (No such file or directory)"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)$"):
        document.load(tmp_path)
