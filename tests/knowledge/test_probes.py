"""One probe file: all that it may say, and what is said of a file that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.errors import DataError
from legacy_doctor.knowledge import probes
from legacy_doctor.model import Probe

HEAD = 'schema = 1\nversion = "2026-11-26"\n'
COMPLETE = """
schema = 1
version = 2026-11-26

[[probes]]
id = "numpy"
distribution = "NumPy"
imports = "import numpy"

[[probes]]
id = "scikit-learn/fit"
distribution = "Scikit_Learn"
imports = "import sklearn"
use = '''
from sklearn.svm import SVC

assert SVC
'''
requires = ["Pandas", "x_y"]
extra = true
seconds = 90
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "probes.toml"
    path.write_text(text)
    return path


def probe(**changes: str) -> str:
    """A file of one probe, each value as TOML writes it."""
    values = {"id": '"demo"', "distribution": '"demo"', "imports": '"import demo"', **changes}
    return f"{HEAD}[[probes]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def test_a_complete_file_becomes_complete_values(tmp_path: Path) -> None:
    assert probes.read(written(tmp_path, COMPLETE)) == (
        Probe(
            id="numpy",
            distribution="numpy",
            imports="import numpy",
            use="",
            requires=(),
            extra=False,
            seconds=60.0,
        ),
        Probe(
            id="scikit-learn/fit",
            distribution="scikit-learn",
            imports="import sklearn",
            use="from sklearn.svm import SVC\n\nassert SVC",
            requires=("pandas", "x-y"),
            extra=True,
            seconds=90.0,
        ),
    )


def test_a_file_may_hold_no_probe(tmp_path: Path) -> None:
    assert probes.read(written(tmp_path, HEAD)) == ()


DEEP = "(" * 5000
BOTTOMLESS = "-" * 100_000 + "1"

REFUSED = {
    "no TOML": ("schema = ", "not valid TOML"),
    "another format": ("schema = 2", "schema: this legacy-doctor reads schema = 1"),
    "no format": ('version = "2026-11-26"', "schema: this legacy-doctor reads schema = 1"),
    "no day": ("schema = 1", "version: expected a date"),
    "a table that nobody knows": (f"{HEAD}[probe]", "probe: unknown key; did you mean 'probes'?"),
    "a probe that is no table": (f"{HEAD}probes = [1]", "probes[0]: expected a table"),
    "a key that nobody knows": (
        probe(require="[]"),
        "probes[0].require: unknown key; did you mean 'requires'?",
    ),
    "no id": (probe(id='""'), "probes[0].id: expected a text"),
    "an id of something else": (
        probe(id='"other"'),
        "probes[0].id: expected 'demo' or 'demo/<what>' in small letters, got 'other'",
    ),
    "an id that is not normalized": (probe(id='"Demo"'), "probes[0].id: expected 'demo'"),
    "an id with an odd part": (probe(id='"demo/A b"'), "probes[0].id: expected 'demo'"),
    "an id with an empty part": (probe(id='"demo/"'), "probes[0].id: expected 'demo'"),
    "a name that cannot be one": (
        probe(distribution='"-"'),
        "probes[0].distribution: not a distribution name: '-'",
    ),
    "a requirement that is no name": (
        probe(requires='["numpy<2"]'),
        "probes[0].requires[0]: not a distribution name: 'numpy<2'",
    ),
    "nothing imported": (probe(imports='" "'), "probes[0].imports: expected a text"),
    "imports that are no Python": (
        probe(imports='"import a; import"'),
        "probes[0].imports: line 1: ",
    ),
    "a use that is no Python": (
        probe(use="'''\na = 1\n\nassert a =\n'''"),
        "probes[0].use: line 3: ",
    ),
    "a use of a later Python": (
        probe(use="'''\nmatch 1:\n    case 1:\n        pass\n'''"),
        "Pattern matching is only supported in Python 3.10",
    ),
    "a use with a NUL": (probe(use='"a\\u0000"'), "probes[0].use: "),
    "a use without an end": (probe(use=f'"{DEEP}"'), "probes[0].use: "),
    "a use without a bottom": (probe(use=f'"{BOTTOMLESS}"'), "probes[0].use: "),
    "extra as a text": (probe(extra='"yes"'), "probes[0].extra: expected true or false, got str"),
    "extra as a number": (probe(extra="1"), "probes[0].extra: expected true or false, got int 1"),
    "seconds as a text": (probe(seconds='"60"'), "probes[0].seconds: expected a whole number"),
    "no time at all": (probe(seconds="0"), "probes[0].seconds: expected at least 1, got 0"),
    "the same id twice": (
        probe() + probe().removeprefix(HEAD),
        "probes[1].id: there is another probe 'demo'",
    ),
}


@pytest.mark.parametrize(("text", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_named_with_its_place(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        probes.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        probes.read(tmp_path / "none.toml")


ACCEPTED = {
    "the name alone": ('"demo"', "demo"),
    "one of several": ('"demo/lstm-f32"', "demo/lstm-f32"),
}


@pytest.mark.parametrize(("text", "wanted"), ACCEPTED.values(), ids=ACCEPTED)
def test_an_id_is_the_distribution_or_a_part_of_it(text: str, wanted: str, tmp_path: Path) -> None:
    assert [item.id for item in probes.read(written(tmp_path, probe(id=text)))] == [wanted]


def test_a_distribution_without_an_entry_is_imported_name_by_name() -> None:
    assert probes.generic("pysimdjson", ("csimdjson", "google.protobuf")) == Probe(
        id="pysimdjson",
        distribution="pysimdjson",
        imports="import csimdjson\nimport google.protobuf",
    )


@given(st.text())
def test_no_source_makes_the_reader_fail_otherwise(source: str) -> None:
    table = probes.document.Table({"use": source}, "a.toml", "probes[0]")
    try:
        probes._compile(table, "use", source)
    except DataError as error:
        assert str(error).startswith("a.toml: probes[0].use: ")  # noqa: PT017
