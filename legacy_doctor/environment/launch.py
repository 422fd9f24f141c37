"""Tell a Python program by its command line, and take it apart."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_PYTHON: Final = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?")
_TAKES_A_VALUE: Final = ("-X", "-W", "--check-hash-based-pycs")
_SHEBANG: Final = re.compile(rb"#![ \t]*(\S+)(?:[ \t]+(\S+))?")
_LONG_SHEBANG: Final = re.compile(rb"#!/bin/sh\n'''exec' [\"']?([^\"'\n]+?)[\"']? \"\$0\" \"\$@\"")
"""What pip and uv write where the path is too long for the kernel, or has a space in it."""
_ENV: Final = (b"/usr/bin/env", b"/bin/env")


class Launch(NamedTuple):
    """A Python program: `interpreter options... program...`."""

    interpreter: str
    options: tuple[str, ...]
    program: tuple[str, ...]
    """A script, `-m MODULE` or `-c CODE`, and its arguments."""


def read(command: Sequence[str]) -> Launch | None:
    """Return how Python is launched, or None where it is not, or without a program.

    `python [options] script|-m MODULE|-c CODE ...` and scripts that name Python in their first
    line, as the commands of every virtual environment do.
    """
    program, *rest = command
    if _PYTHON.fullmatch(Path(program).name):
        return _split(program, rest)
    path = shutil.which(program)
    interpreter = _interpreter_of(Path(path)) if path else None
    return Launch(interpreter, (), (str(path), *rest)) if interpreter else None


def _split(interpreter: str, words: Sequence[str]) -> Launch | None:
    """Find where the interpreter's own options end."""
    index = 0
    while index < len(words):
        word = words[index]
        if word in _TAKES_A_VALUE:
            index += 2
        elif not word.startswith("-"):
            return Launch(interpreter, tuple(words[:index]), tuple(words[index:]))
        elif word == "-" or word.startswith("--"):
            return None  # standard input, --version, --help
        else:
            letters = re.match(r"-([A-VYZabd-ln-z]*)([cm]?)(.*)", word)
            if letters and letters[2]:
                return _with_program(interpreter, words, index, letters)
            index += 1
    return None


def _with_program(
    interpreter: str, words: Sequence[str], index: int, letters: re.Match[str]
) -> Launch | None:
    """`-c CODE`, `-cCODE`, `-Im MODULE`: letters before `c` or `m` are options."""
    options = tuple(words[:index]) + ((f"-{letters[1]}",) if letters[1] else ())
    value = (letters[3],) if letters[3] else ()
    program = (f"-{letters[2]}", *value, *words[index + 1 :])
    return Launch(interpreter, options, program) if len(program) > 1 else None


def _interpreter_of(script: Path) -> str | None:
    try:
        with script.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return None
    long = _LONG_SHEBANG.match(head)
    if long:
        return long[1].decode("utf-8", "surrogateescape")
    short = _SHEBANG.match(head)
    if not short:
        return None
    named = short[2] if short[1] in _ENV and short[2] else short[1]
    name = named.decode("utf-8", "surrogateescape")
    return name if _PYTHON.fullmatch(Path(name).name) else None
