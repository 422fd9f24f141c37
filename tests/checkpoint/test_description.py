"""Values in a few words, whatever they are."""

from __future__ import annotations

import pytest

from legacy_doctor.checkpoint import description
from legacy_doctor.checkpoint.machine import Call, Global, Persistent, Row, Table
from legacy_doctor.checkpoint.opcodes import Blob

SYSTEM = Global("os", "system")
PAIRS = Table()
PAIRS.pairs = [("a", 1), ("b", Row("set", [2]))]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        ("it's", '"it\'s"'),
        ("x" * 200, repr("x" * 120 + "...")),
        (b"x" * 200, repr(b"x" * 120 + b"...")),
        (b"ab", "b'ab'"),
        (Blob(70_000), "<70,000 bytes>"),
        (SYSTEM, "os.system"),
        (Global("o\x1b[31m", "s"), "o?[31m.s"),
        (Global("m" * 200, "s"), "m" * 120 + "..."),
        ((1, (2, (3, (4, (5,))))), "(1, (2, (3, (4, ...))))"),
        (tuple(range(9)), "(0, 1, 2, 3, ...)"),
        (PAIRS, "{'a': 1, 'b': set[2]}"),
        (Persistent(("storage", 0)), "<storage ('storage', 0)>"),
        (Call(SYSTEM, ("id",)), "os.system('id')"),
        (Call(SYSTEM, None), "os.system(*None)"),
        (Call(Call(SYSTEM, ()), (1,)), "os.system()(1)"),
    ],
    ids=[
        "None",
        "True",
        "a float",
        "a text with a quote",
        "a long text",
        "long bytes",
        "bytes",
        "bytes left out",
        "a function",
        "a name that would steer the terminal",
        "a long name",
        "tuples in tuples",
        "a long tuple",
        "a table",
        "a persistent id",
        "a call",
        "a call with unknown arguments",
        "a call of what a call returns",
    ],
)
def test_a_value_in_words(value: object, words: str) -> None:
    assert description.words(value) == words


def test_a_chain_of_calls_ends() -> None:
    value = Call(SYSTEM, ())
    for _ in range(20_000):
        value = Call(value, (value,))

    assert len(description.call(value)) < 500
