"""What every file of the corpus of real requirement and lock files lets in, by CPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import admission
from legacy_doctor.environment import requirements
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import Finding
from tests.environment.requirements.corpus import FILES, FOLDER, tomllib

TABLE = tomllib.loads(Path(__file__).with_name("admitted.toml").read_text())
WHOLE = catalogue.choose()


def told(finding: Finding, file: str) -> str:
    """A finding in the words of `admitted.toml`."""
    place = finding.location
    assert place is not None
    path = "" if place.path == file else f"{os.path.relpath(place.path, Path(file).parent)}:"
    version = f" {finding.version}" if finding.version else ""
    where = f"{path}{place.line}:{place.column}"
    return f"{where} {finding.severity.value} {finding.rule} {finding.subject}{version}"


def test_the_table_names_files_of_the_corpus_only() -> None:
    assert set(TABLE) <= set(FILES)
    assert {level for row in TABLE.values() for level in row} == {"x86-64-v1", "x86-64-v2"}


@pytest.mark.parametrize("level", ["x86-64-v1", "x86-64-v2", "x86-64-v3"])
@pytest.mark.parametrize("file", FILES)
def test_what_a_file_lets_in(file: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    read = [requirements.read(Path(file))]

    found = admission.judge(read, models.find(level).cpu, WHOLE)

    assert [told(item, file) for item in found] == TABLE.get(file, {}).get(level, [])
    excerpt = catalogue.choose(about=admission.names(read))
    assert admission.judge(read, models.find(level).cpu, excerpt) == found
