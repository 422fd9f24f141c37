"""One pin-set file: all it may say, and the laws it must keep."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.cpu import features
from legacy_doctor.errors import DataError
from legacy_doctor.knowledge import pinset
from legacy_doctor.model import (
    Alternative,
    Conflict,
    Evidence,
    Grade,
    Incompatibility,
    Pin,
    PinSet,
    Removal,
    Severity,
    SoftImport,
    When,
)

COMPLETE = """
schema = 1
id = "below-v2"
version = 2026-11-20
title = "CPUs below x86-64-v2"
supersedes = ["below-v2@2026-01-01"]
notes = "Read me."

[target]
lacks = ["sse4_1"]

[[pins]]
distribution = "NumPy"
broken = ">=2.4"
good = "<2.4"
needs = ["x86-64-v2"]
symptom = "SIGILL at pinsrq"
first-bad = "2.4.0"
last-good = "2.3.5"

[[pins.evidence]]
grade = "emulated"
source = "emulated: phenom-ii, 2026-11-20, 3.11"
detail = "numpy 2.4.6"

[[pins.evidence]]
grade = "maintainer"
source = "numpy/numpy#31478"

[[pins]]
distribution = "onnxruntime"
broken = "*"
when = { vendor = "AuthenticAMD", cpuid-level-below = 4 }
unless-installed = ["Onnx_Runtime.Lite"]
stage = "use"
severity = "warning"
symptom = "SIGFPE"
cure = "build it"
evidence = [{ grade = "reported", source = "a user" }]

[[pins.alternatives]]
requirement = "onnxruntime-lite"
needs = ["avx"]
note = "smaller"

[[pins.alternatives]]
requirement = "onnxruntime[old]"
instead = "beside"

[[pins]]
distribution = "pillow"
good = "*"
evidence = [{ grade = "silicon", source = "ours" }]

[[removals]]
distribution = "Chroma_hnswlib"
reason = "built on another machine"
evidence = [{ grade = "inferred", source = "a guess" }]

[[conflicts]]
distributions = ["opencv-python", "OpenCV_Python.headless"]
effect = "both write cv2"
evidence = [{ grade = "maintainer", source = "opencv/opencv-python#1" }]

[[incompatibilities]]
first = "transformers<4.40"
second = "tokenizers>=0.20"
effect = "ImportError"
resolution = "upgrade transformers"
evidence = [{ grade = "reported", source = "x#1" }]

[[soft-imports]]
distribution = "pandas"
imports = "PyArrow"
evidence = [{ grade = "silicon", source = "traceback" }]
"""


def _stated(grade: Grade, source: str, detail: str = "") -> tuple[Evidence, ...]:
    return (Evidence(grade=grade, source=source, detail=detail),)


def test_a_complete_file_becomes_a_complete_value(tmp_path: Path) -> None:
    path = tmp_path / "below-v2.toml"
    path.write_text(COMPLETE)
    label = "below-v2@2026-11-20"
    assert pinset.read(path) == PinSet(
        id="below-v2",
        version="2026-11-20",
        title="CPUs below x86-64-v2",
        lacks=frozenset({"sse4_1"}),
        origin=path,
        supersedes=("below-v2@2026-01-01",),
        notes="Read me.",
        pins=(
            Pin(
                distribution="numpy",
                broken=">=2.4",
                good="<2.4",
                needs=features.cumulative("x86-64-v2"),
                symptom="SIGILL at pinsrq",
                first_bad="2.4.0",
                last_good="2.3.5",
                evidence=(
                    *_stated(
                        Grade.EMULATED, "emulated: phenom-ii, 2026-11-20, 3.11", "numpy 2.4.6"
                    ),
                    *_stated(Grade.MAINTAINER, "numpy/numpy#31478"),
                ),
                pinset=label,
            ),
            Pin(
                distribution="onnxruntime",
                broken="",
                when=When(vendor="AuthenticAMD", cpuid_level_below=4),
                unless=("onnx-runtime-lite",),
                stage="use",
                severity=Severity.WARNING,
                symptom="SIGFPE",
                cure="build it",
                alternatives=(
                    Alternative(
                        requirement="onnxruntime-lite", needs=frozenset({"avx"}), note="smaller"
                    ),
                    Alternative(requirement="onnxruntime[old]", instead=False),
                ),
                evidence=_stated(Grade.REPORTED, "a user"),
                pinset=label,
            ),
            Pin(
                distribution="pillow",
                good="",
                evidence=_stated(Grade.SILICON, "ours"),
                pinset=label,
            ),
        ),
        removals=(
            Removal(
                distribution="chroma-hnswlib",
                reason="built on another machine",
                evidence=_stated(Grade.INFERRED, "a guess"),
                pinset=label,
            ),
        ),
        conflicts=(
            Conflict(
                distributions=("opencv-python", "opencv-python-headless"),
                effect="both write cv2",
                evidence=_stated(Grade.MAINTAINER, "opencv/opencv-python#1"),
            ),
        ),
        incompatibilities=(
            Incompatibility(
                first="transformers<4.40",
                second="tokenizers>=0.20",
                effect="ImportError",
                resolution="upgrade transformers",
                evidence=_stated(Grade.REPORTED, "x#1"),
            ),
        ),
        soft_imports=(
            SoftImport(
                distribution="pandas",
                imports="pyarrow",
                evidence=_stated(Grade.SILICON, "traceback"),
            ),
        ),
    )


HEAD = """schema = 1
id = "mine"
version = "2026-11-20"
title = "Mine"
target = { lacks = [] }
"""
PROOF = 'evidence = [{ grade = "reported", source = "me" }]'
PIN = f'[[pins]]\ndistribution = "numpy"\n{PROOF}\n'


def test_the_least_a_file_can_say_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD)
    assert pinset.read(path) == PinSet(
        id="mine", version="2026-11-20", title="Mine", lacks=frozenset(), origin=path
    )


LAWS = {
    "no schema number": (HEAD.replace("schema = 1", ""), "schema: this legacy-doctor reads"),
    "a schema of the future": (
        HEAD.replace("schema = 1", "schema = 2"),
        "schema: this legacy-doctor reads schema = 1",
    ),
    "no target": (HEAD.replace("target", "targets"), "target: expected a table with `lacks`"),
    "no title": (HEAD.replace("title", "titel"), "title: expected a text, got nothing"),
    "a date that is none": (
        HEAD.replace("2026-11-20", "yesterday"),
        "version: expected a date like '2026-11-20', got str 'yesterday'",
    ),
    "an unknown key": (f"{HEAD}\npin = []", "pin: unknown key; did you mean 'pins'?"),
    "an unknown key of the target": (
        HEAD.replace("lacks = []", "lacks = [], laks = []"),
        "target.laks: unknown key; did you mean 'lacks'?",
    ),
    "an unknown key of a pin": (
        f"{HEAD}{PIN}good = '<2'\nbrokn = '>=2'",
        "pins[0].brokn: unknown key; did you mean 'broken'?",
    ),
    "a pin that states nothing": (
        f"{HEAD}{PIN}",
        "pins[0].broken: a pin needs `broken`, `good` or both",
    ),
    "a break without a symptom": (
        f"{HEAD}{PIN}broken = '>=2'",
        "pins[0].symptom: a pin with `broken` must say how it breaks",
    ),
    "a pin by which every version is good and some are not": (
        f"{HEAD}{PIN}broken = '>=2'\ngood = '*'",
        "pins[0].good: every version is good, and some are broken: name those that run",
    ),
    "a pin without evidence": (
        f"{HEAD}[[pins]]\ndistribution = 'numpy'\ngood = '<2'",
        "pins[0].evidence: nothing is stated without evidence: add grade and source",
    ),
    "a grade that is none": (
        f"{HEAD}{PIN}good = '<2'".replace("reported", "emulatd"),
        "pins[0].evidence[0].grade: unknown value 'emulatd'; did you mean 'emulated'?",
    ),
    "evidence without a source": (
        f"{HEAD}{PIN}good = '<2'".replace(', source = "me"', ""),
        "pins[0].evidence[0].source: expected a text, got nothing",
    ),
    "an unknown feature": (
        f"{HEAD}{PIN * 3}[[pins]]\ndistribution = 'x'\nneeds = ['sse41']".replace(
            PROOF, f"{PROOF}\ngood = '<2'"
        ),
        "pins[3].needs[0]: unknown feature 'sse41'; did you mean 'sse4_1'?",
    ),
    "an unknown condition": (
        f"{HEAD}{PIN}good = '<2'\nwhen = {{ vender = 'AuthenticAMD' }}",
        "pins[0].when.vender: unknown key; did you mean 'vendor'?",
    ),
    "an alternative without a requirement": (
        f"{HEAD}{PIN}good = '<2'\nalternatives = [{{ note = 'x' }}]",
        "pins[0].alternatives[0].requirement: expected a text, got nothing",
    ),
    "an alternative that is no requirement": (
        f"{HEAD}{PIN}good = '<2'\nalternatives = [{{ requirement = 'polars[rt' }}]",
        "pins[0].alternatives[0].requirement: not a requirement: 'polars[rt'",
    ),
    "an alternative beside or instead": (
        f"{HEAD}{PIN}good = '<2'\nalternatives = [{{ requirement = 'x', instead = 'besides' }}]",
        "pins[0].alternatives[0].instead: unknown value 'besides'; did you mean 'beside'?",
    ),
    "a boundary that is no version": (
        f"{HEAD}{PIN}good = '<2'\nlast-good = 'the last one'",
        "pins[0].last-good: not a version: 'the last one'",
    ),
    "a removal without a reason": (
        f"{HEAD}[[removals]]\ndistribution = 'x'\n{PROOF}",
        "removals[0].reason: expected a text, got nothing",
    ),
    "a conflict of one": (
        f"{HEAD}[[conflicts]]\ndistributions = ['x']\neffect = 'e'\n{PROOF}",
        "conflicts[0].distributions: a conflict is between two distributions or more",
    ),
    "an incompatibility that is no requirement": (
        f"{HEAD}[[incompatibilities]]\nfirst = 'a b'\nsecond = 'c'\neffect = 'e'\nresolution = 'r'",
        "incompatibilities[0].first: not a requirement: 'a b'",
    ),
    "a patch that is not shipped": (
        f"{HEAD}{PIN}treated-by = ['torch-onednn-off', 'torch-dynamo-stb']",
        "pins[0].treated-by[1]: no patch 'torch-dynamo-stb'; did you mean 'torch-dynamo-stub'?",
    ),
    "a patch whose name no file can have": (
        f"{HEAD}{PIN}treated-by = ['{'x' * 300}']",
        "pins[0].treated-by[0]: no patch 'xxx",
    ),
    "a soft import of nothing": (
        f"{HEAD}[[soft-imports]]\ndistribution = 'x'\n{PROOF}",
        "soft-imports[0].imports: expected a text, got nothing",
    ),
}


@pytest.mark.parametrize(("text", "said"), LAWS.values(), ids=LAWS)
def test_a_file_that_breaks_a_law_is_refused_with_file_and_path(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        pinset.read(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def _toml(value: Any) -> str:
    """Write a value as inline TOML."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value).replace("\x7f", "\\u007F")


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=8)
_WORDS = _TEXTS | st.sampled_from(
    ["numpy", ">=2", "*", "<2", "sse4_1", "sse41", "x86-64-v2", "import", "error", "reported"]
)
_LEAVES = (
    _WORDS
    | st.integers(-9, 9)
    | st.booleans()
    | st.floats(-9, 9)
    | st.dates(min_value=date(1000, 1, 1))
)
_KEYS = _TEXTS | st.sampled_from(
    "distribution broken good needs when vendor evidence grade source symptom alternatives "
    "requirement instead distributions effect first second resolution imports reason".split()
)
_ITEMS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_SECTIONS = st.sampled_from(
    "pins removals conflicts incompatibilities soft-imports target schema version notes".split()
)


@settings(deadline=None)
@given(st.dictionaries(_SECTIONS | _TEXTS, _ITEMS | st.lists(_ITEMS, max_size=3), max_size=4))
def test_whatever_a_file_says_it_is_read_or_refused_in_one_line(values: dict[str, Any]) -> None:
    head = {"schema": 1, "id": "mine", "version": "2026-11-20", "title": "t"}
    whole = {**head, "target": {"lacks": []}, **values}
    text = "\n".join(f"{_toml(key)} = {_toml(item)}" for key, item in whole.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_text(text, encoding="utf-8")
        try:
            said = pinset.read(path).title
        except DataError as error:
            said = str(error).removeprefix(f"{path}: ")
    assert len(said.splitlines()) == 1
    assert not said.startswith("not valid TOML"), text
