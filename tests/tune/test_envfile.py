"""Editing a `.env`: what is not ours stays byte for byte; twice is the same as once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.tune import envfile

WANTED = {"CPU_THREADS": "4", "TTS_BACKEND": "pytorch"}
MARKED = "# legacy-doctor tune\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", f"{MARKED}CPU_THREADS=4\nTTS_BACKEND=pytorch\n", id="an empty file is filled"),
        pytest.param(
            "SECRET=x\nCPU_THREADS=12\n",
            f"SECRET=x\nCPU_THREADS=4\n\n{MARKED}TTS_BACKEND=pytorch\n",
            id="what is there is changed in place, the rest comes below",
        ),
        pytest.param(
            "CPU_THREADS=12 # guide\nTTS_BACKEND=official",
            "CPU_THREADS=4 # guide\nTTS_BACKEND=pytorch",
            id="a comment stays, and a last line without an end",
        ),
        pytest.param(
            "export CPU_THREADS='12'\n  TTS_BACKEND = \"official\"\n",
            "export CPU_THREADS='4'\n  TTS_BACKEND = \"pytorch\"\n",
            id="export, quotes and spaces stay",
        ),
        pytest.param(
            "A=1\r\nCPU_THREADS=12\r\n",
            "A=1\r\nCPU_THREADS=4\r\n\r\n# legacy-doctor tune\r\nTTS_BACKEND=pytorch\r\n",
            id="line ends of Windows stay, and are used below",
        ),
        pytest.param(
            "CPU_THREADS=1\nCPU_THREADS=2\nTTS_BACKEND=pytorch\n",
            "CPU_THREADS=1\nCPU_THREADS=4\nTTS_BACKEND=pytorch\n",
            id="of two lines the last counts",
        ),
        pytest.param(
            "# CPU_THREADS=12\nCPU_THREADS=4\nTTS_BACKEND=pytorch\n",
            "# CPU_THREADS=12\nCPU_THREADS=4\nTTS_BACKEND=pytorch\n",
            id="a commented line is a comment",
        ),
        pytest.param(
            'KEY="one\nCPU_THREADS=7\n"\nCPU_THREADS=4\nTTS_BACKEND=\'pytorch\'\n',
            'KEY="one\nCPU_THREADS=7\n"\nCPU_THREADS=4\nTTS_BACKEND=\'pytorch\'\n',
            id="a quoted value over several lines is one value",
        ),
        pytest.param(
            'KEY="never closed\nCPU_THREADS=7\nTTS_BACKEND=pytorch\n',
            'KEY="never closed\nCPU_THREADS=4\nTTS_BACKEND=pytorch\n',
            id="a quote that is never closed ends with its line",
        ),
        pytest.param(
            "CPU_THREADS=\nTTS_BACKEND= # later\n",
            "CPU_THREADS=4\nTTS_BACKEND= pytorch # later\n",
            id="what was empty is set, and its comment stays",
        ),
        pytest.param(
            "\ufeffCPU_THREADS=12\nTTS_BACKEND=pytorch\n",
            "\ufeffCPU_THREADS=4\nTTS_BACKEND=pytorch\n",
            id="a byte order mark is no part of a name",
        ),
        pytest.param(
            "no assignment\nCPU_THREADS=4\n: ' \nTTS_BACKEND=pytorch",
            "no assignment\nCPU_THREADS=4\n: ' \nTTS_BACKEND=pytorch",
            id="what is no assignment stays",
        ),
    ],
)  # fmt: skip
def test_an_edit(before: str, after: str) -> None:
    assert envfile.edit(before, WANTED).text == after
    assert envfile.edit(after, WANTED).text == after


def test_an_edit_says_what_it_does_to_what_was_there() -> None:
    edit = envfile.edit("CPU_THREADS='12'\nB=1\n", {**WANTED, "B": "1"}, "--profile x")

    assert edit.changed == (("CPU_THREADS", "12", "4"),)
    assert edit.added == ("TTS_BACKEND",)
    assert "\n# legacy-doctor tune: --profile x\nTTS_BACKEND=pytorch\n" in edit.text


def test_the_mark_is_put_once() -> None:
    first = envfile.edit("A=1\n", {"B": "2"}).text
    second = envfile.edit(first, {"B": "2", "C": "3"}).text

    assert second == "A=1\n\n# legacy-doctor tune\nB=2\nC=3\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("A=plain", "plain", id="plain"),
        pytest.param("A= spaces inside  # comment", "spaces inside", id="spaces and a comment"),
        pytest.param("A=a#b", "a#b", id="a hash inside a word is no comment"),
        pytest.param('A="say \\"hi\\"\\n"', 'say "hi"\n', id="escapes in double quotes"),
        pytest.param("A='it\\'s \\n'", "it's n", id="escapes in single quotes"),
        pytest.param("A='", "'", id="one quote"),
        pytest.param('A="x" y', '"x" y', id="words behind a quote are no value of their own"),
    ],
)
def test_a_value_is_what_a_program_gets(text: str, value: str) -> None:
    assert envfile.values(text) == {"A": value}


NAMES = st.text("ABC_", min_size=1, max_size=3)
PLAIN = st.text("abcXYZ019_./:-", max_size=6)
ENDS = st.sampled_from(["\n", "\r\n"])
ASSIGNMENTS = st.builds(
    lambda export, name, gap, value, tail: f"{export}{name}={gap}{value}{tail}",
    st.sampled_from(["", "export ", "  "]),
    NAMES,
    st.sampled_from(["", " "]),
    st.one_of(PLAIN, PLAIN.map("'{}'".format), PLAIN.map('"{}\n x"'.format)),
    st.sampled_from(["", " # why", "  "]),
)
FOREIGN = st.sampled_from(["", "# note", "text", "=x", "'", '"'])
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(ASSIGNMENTS, FOREIGN), max_size=8).flatmap(
        lambda lines: ENDS.map(lambda end: end.join(lines))
    ),
)
SETTINGS = st.dictionaries(NAMES, PLAIN.filter(bool), max_size=4)


@given(TEXTS)
def test_the_lines_of_any_text_are_the_text(text: str) -> None:
    assert "".join(line.text for line in envfile.lines(text)) == text


@given(TEXTS, SETTINGS)
def test_twice_is_once(text: str, wanted: dict[str, str]) -> None:
    once = envfile.edit(text, wanted)
    again = envfile.edit(once.text, wanted)

    assert again == envfile.Edit(once.text)


@given(TEXTS, SETTINGS)
def test_what_is_wanted_is_set_and_nothing_else_changes(text: str, wanted: dict[str, str]) -> None:
    before, edit = envfile.values(text), envfile.edit(text, wanted)
    after = envfile.values(edit.text)

    assert {name: after[name] for name in wanted} == wanted
    assert {name: before[name] for name in before.keys() - wanted} == {
        name: value for name, value in after.items() if name not in wanted
    }


@given(TEXTS, SETTINGS)
def test_foreign_lines_keep_their_bytes_and_their_order(text: str, wanted: dict[str, str]) -> None:
    foreign = [line.text for line in envfile.lines(text) if line.name not in wanted]
    kept = [line.text for line in envfile.lines(envfile.edit(text, wanted).text)]
    kept_foreign = iter(kept)

    assert all(
        any(one.rstrip("\r\n") == other.rstrip("\r\n") for other in kept_foreign) for one in foreign
    )
    assert not wanted or len(kept) >= len(list(envfile.lines(text)))


@given(TEXTS, SETTINGS)
def test_what_was_changed_is_told(text: str, wanted: dict[str, str]) -> None:
    before, edit = envfile.values(text), envfile.edit(text, wanted)

    assert {name: old for name, old, _ in edit.changed} == {
        name: before[name] for name in wanted if before.get(name, wanted[name]) != wanted[name]
    }
    assert set(edit.added) == wanted.keys() - before.keys()


def test_a_shell_reads_what_is_written(tmp_path: Path) -> None:
    text = "export KEEP='a b'\n# note\nCPU_THREADS=12 # guide\nMORE=\"x\ny\"\n"
    file = tmp_path / ".env"
    file.write_text(envfile.edit(text, WANTED, "x").text)

    done = subprocess.run(
        ["sh", "-c", "set -a; . ./.env; set +a; exec env -0"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )

    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
    assert found.items() >= {**WANTED, "KEEP": "a b", "MORE": "x\ny"}.items()
