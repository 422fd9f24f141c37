"""Where keys and values of a TOML document stand, held against what the TOML library parses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import toml
from legacy_doctor.environment.requirements.source import RequirementsError, Source
from legacy_doctor.model import Location
from tests.environment.requirements.corpus import FILES, FOLDER, text, tomllib

CHARACTERS = st.sampled_from("ab \"'\\\n\t#[]{}=,.é\u2028")
WORDS = st.text(alphabet=CHARACTERS, max_size=6)
COMMENT = st.sampled_from(["", " # a [comment] = \"'"])
BLANK = st.sampled_from(["", " ", "\t"])


def escaped(value: str, *, long: bool = False) -> str:
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    return plain.replace("\\n", "\n") if long else plain


@st.composite
def strings(draw: st.DrawFn) -> str:
    """String literals of every kind."""
    value = draw(WORDS)
    kind = draw(st.integers(0, 4))
    if kind == 0 and not set(value) & set("'\n"):
        return f"'{value}'"
    if kind == 1 and "'" not in value:
        return f"'''\n{value}'''"
    if kind == 2:
        return f'"""\n{escaped(value, long=True)}"""'
    if kind == 3:
        return f'"""\\\n   {escaped(value)}\\u0061\\\n \n  """'
    return f'"{escaped(value)}"'


SCALARS = st.sampled_from(
    [
        "1",
        "-1_000",
        "0x1F",
        "1.5e3",
        "inf",
        "true",
        "1979-05-27",
        "1979-05-27 07:32:00Z",
        "07:32:00",
    ]
)


@st.composite
def lists(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    gap = draw(st.sampled_from(["", " ", "\n  ", " # why\n"]))
    body = "".join(f"{gap}{item}{gap}," for item in draw(st.lists(items, max_size=3)))
    return f"[{body[:-1] if draw(st.booleans()) else body}{gap}]"


KEYS = st.sampled_from(["a", "b-1", "1", '"q.x"', "'l'", '"\\u0071"'])


@st.composite
def inlines(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique_by=toml.unquoted))
    pairs = (f"{draw(BLANK)}{key}{draw(BLANK)}={draw(BLANK)}{draw(values)}" for key in keys)
    return "{" + ",".join(pairs) + " }"


VALUES = st.recursive(
    st.one_of(strings(), SCALARS),
    lambda inner: st.one_of(lists(inner), inlines(inner)),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML documents, some of them with a key too many."""
    lines = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.integers(0, 5))
        if kind == 0:
            lines.append(draw(st.sampled_from(["", "# comment", "  "])))
        elif kind == 1:
            lines.append(f"[t{number}.{draw(KEYS)}]{draw(COMMENT)}")
        elif kind == 2:
            lines.append(
                draw(
                    st.sampled_from(["[[list]]", "[ [ list ] ]"[:0] or "[[ list ]]", "[list.sub]"])
                )
            )
        else:
            dotted = draw(st.sampled_from(["", "d.", "d . "]))
            key = f"{dotted}{draw(KEYS)}"
            lines.append(f"{draw(BLANK)}{key}{draw(BLANK)}= {draw(VALUES)}{draw(COMMENT)}")
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


def leaves(value: Any, path: toml.Path = ()) -> dict[toml.Path, Any]:
    """All that is written as a value of its own: texts, numbers, dates."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return {path: value}
    return {key: leaf for part, item in items for key, leaf in leaves(item, (*path, part)).items()}


def check(content: str) -> None:
    document = toml.Document(Source(content, "x"))
    source = document.source.text
    found = leaves(document.values)
    for path, leaf in found.items():
        start, end = document.spans[path]
        assert tomllib.loads(f"v = {source[start:end]}")["v"] == leaf
        key = next(path[:end] for end in range(len(path), 0, -1) if isinstance(path[end - 1], str))
        written = source[document.keys[key] :]
        assert written.startswith(str(key[-1])) or written[0] in "\"'"
    assert {path for path in document.spans if path in found} == set(found)


@given(documents())
def test_every_value_stands_where_it_is_said_to_stand(content: str) -> None:
    try:
        tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        with pytest.raises(RequirementsError, match="x: not valid TOML: "):
            toml.Document(Source(content, "x"))
    else:
        check(content)


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.endswith((".toml", "Pipfile")) or "pdm.lock" in file]
)
def test_in_every_file_of_the_corpus(file: str) -> None:
    check(text(FOLDER / file))


@given(strings())
def test_every_character_of_a_text_is_found(literal: str) -> None:
    value = tomllib.loads(f"v = {literal}")["v"]
    starts = [toml.inside(literal, index) for index in range(len(value) + 1)]

    assert starts == sorted(starts)
    assert literal[starts[-1] :] in {'"', "'", '"""', "'''"} or literal.endswith('"""')
    for character, start in zip(value, starts, strict=False):
        assert literal[start] in {character, "\\"}


def test_places_of_what_has_none_are_those_around_it() -> None:
    document = toml.Document(Source('a = 1\n[tool."q"]\nx = [1,\n  {}]\n', "x"))

    assert document.place(("a",)) == Location("x", 1, 5)
    assert document.place(("tool", "q")) == Location("x", 2, 8)
    assert document.place(("tool", "q", "x", 1, "gone")) == Location("x", 4, 3)
    assert document.place(("nothing",)) == Location("x")
    assert document.get(("tool", "q", "x", 0)) == 1
    assert document.get(("tool", "q", "x", 7)) is None
    assert document.get(("a", "b")) is None


def test_what_is_too_deep_is_refused() -> None:
    with pytest.raises(RequirementsError):
        toml.Document(Source(f"a = {'[' * 5000}{']' * 5000}", "x"))


@given(st.text(alphabet="ab=[]{}\"'.,#\n \\"))
def test_no_text_is_too_strange_for_the_scanner(content: str) -> None:
    # No valid TOML here: nothing but these two may come.
    scanner = toml._Scanner(content)
    try:
        scanner.document()
    except (IndexError, RequirementsError):
        assert scanner.at <= len(content) + 2
