"""Requirement, constraint and lock files: who asks for which version, and where it stands."""

from __future__ import annotations

from pathlib import Path

from legacy_doctor.environment.requirements.formats import FormatError, reader, recognise
from legacy_doctor.environment.requirements.source import Found, RequirementsError, Source, load
from legacy_doctor.model import RequirementFile

__all__ = ["FormatError", "RequirementsError", "read", "read_text", "recognise"]


def read(path: Path, name: str | None = None, *, kind: str | None = None) -> RequirementFile:
    """Read a file with all that it includes.

    `name` is what the file was called on the command line; `kind` is its format (see
    `RequirementFile.format`) where its name does not tell. What is not understood is among the
    `problems`; `RequirementsError` is raised where the file, or one that it includes, cannot be
    read at all, and `FormatError` where nobody knows its format.

    Markers that a person wrote are PEP 508, or the entry is a problem; those of a lock file are
    passed on as its tool wrote them.
    """
    called = str(path) if name is None else name
    source = load(path, called)
    return _file(source, kind or recognise(path, source.text))


def read_text(text: str, name: str, format: str) -> RequirementFile:  # noqa: A002
    """Read a text, such as `pip freeze` from standard input; raises as `read` does.

    What it includes is looked for beside `name`.
    """
    return _file(Source(text, name), format)


def _file(source: Source, form: str) -> RequirementFile:
    found = Found()
    reader(form)(source, found)
    return RequirementFile(
        path=source.path,
        format=form,
        requirements=tuple(found.requirements),
        problems=tuple(found.problems),
        askers={name: tuple(who) for name, who in found.askers.items()},
    )
