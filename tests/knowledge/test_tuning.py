"""Reading a guide: strictly, and what ships is sound."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from legacy_doctor.errors import DataError, UnknownNameError
from legacy_doctor.knowledge import catalogue, tuning

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = catalogue.folder() / "tuning"
FILES = sorted(FOLDER.glob("*.toml"))
SCHEMA = json.loads((FOLDER / "schema.json").read_text("utf-8"))
WHOLE = """
schema = 1
id = "x"
version = "2026-11-26"
title = "X"
work = "dense"
starts = ["run x"]
[[variables]]
name = "X_THREADS"
from = "threads"
reason = "because"
evidence = [{ grade = "inferred", source = "s" }]
[[variables]]
name = "X_MODEL"
from = "model"
reason = "because"
evidence = [{ grade = "inferred", source = "s" }]
[[variables]]
name = "X_DTYPE"
value = "float32"
values = ["float32", "float16"]
reason = "because"
refused = [{ value = "float16", problem = "slow", severity = "warning", unless-any = ["avx512_fp16"] }]
evidence = [{ grade = "inferred", source = "s" }]
[[calls]]
engine = "x"
call = "x({threads}, {interop})"
work = "autoregressive"
reason = "because"
evidence = [{ grade = "inferred", source = "s" }]
[[limits]]
subject = "int8"
needs-any = ["avx"]
without = "dies"
evidence = [{ grade = "inferred", source = "s" }]
[[models]]
id = "x/small"
speaks = "little"
megabytes = 100
advised = true
[[corrections]]
id = "c"
claim = "it flies"
truth = "it does not"
evidence = [{ grade = "inferred", source = "s" }]
[[watched]]
name = "Old_Thing"
imports = "import old"
needs = ["x86-64-v2"]
same-minor-as = "Torch"
advice = "leave it"
evidence = [{ grade = "inferred", source = "s" }]
[[clashes]]
names = ["A", "B"]
problem = "both"
"""


def read(text: str, tmp_path: Path) -> tuning.Guide:
    path = tmp_path / "x.toml"
    path.write_text(text)
    return tuning.read(path)


def test_a_guide_is_read_whole(tmp_path: Path) -> None:
    guide = read(WHOLE, tmp_path)

    assert guide.variable("X_THREADS") is not None
    assert guide.variable("Y") is None
    assert guide.variables[2].refused[0].unless_any == {"avx512_fp16"}
    assert guide.models[0].bytes == 100_000_000
    assert guide.watched[0].same_minor_as == "torch"
    assert "sse4_1" in guide.watched[0].needs
    assert guide.clashes == (("A", "B", "both"),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("schema = 1", "schema = 2", "schema: this legacy-doctor reads schema = 1", id="another format"),
        pytest.param('"dense"', '"dens"', "work: unknown value 'dens'; did you mean 'dense'", id="an unknown work"),
        pytest.param('title = "X"', 'titel = "X"', "title: expected a text, got nothing", id="a missing title"),
        pytest.param("starts =", "start =", "start: unknown key; did you mean 'starts'", id="a mistyped key"),
        pytest.param('"X_THREADS"', '"X-THREADS"', "variables[0].name: not the name of a variable", id="a name"),
        pytest.param('from = "threads"', 'from = "thread"', "variables[0].from: unknown value 'thread'", id="a source"),
        pytest.param('from = "threads"', "", "variables[0].value: expected one of `value`, `from`", id="no value"),
        pytest.param('value = "float32"', 'value = "a b"', "would need quotes: 'a b'", id="a value with a space"),
        pytest.param('value = "float32"', 'value = "int8"', "'int8' is not among `values`", id="a value not among them"),
        pytest.param('["avx512_fp16"]', '["avx513"]', "unless-any[0]: unknown feature 'avx513'", id="a feature"),
        pytest.param('"warning"', '"bad"', "refused[0].severity: unknown value 'bad'", id="a severity"),
        pytest.param("{interop}", "{cores}", "calls[0].call: unknown blank {cores}", id="a blank"),
        pytest.param("megabytes = 100", "megabytes = 0", "models[0].megabytes: expected how much", id="a size"),
        pytest.param('"x/small"', '"x small"', "models[0].id: a value that would need quotes", id="a model's name"),
        pytest.param('["A", "B"]', '["A"]', "clashes[0].names: a clash is between two variables", id="half a clash"),
        pytest.param('"Old_Thing"', '"-"', "watched[0].name: not a distribution name", id="a distribution"),
        pytest.param('from = "model"', 'value = "m"', "models: models and a variable", id="models nobody asks for"),
        pytest.param("evidence = [", "#", "variables[0].evidence: nothing is stated without evidence", id="no evidence"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in WHOLE

    with pytest.raises(DataError) as error:
        read(WHOLE.replace(old, new, 1), tmp_path)

    assert said in str(error.value)


def test_an_unknown_profile_names_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'qwen3-tts'"):
        tuning.find("qwen-tts")
    with pytest.raises(UnknownNameError, match="one of general, qwen3-tts"):
        tuning.find("zzz")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_guide_is_sound(path: Path) -> None:
    guide = tuning.find(path.stem)

    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(path.read_text("utf-8")))
    assert guide.id == path.stem
    names = [item.name for item in guide.variables]
    assert len(set(names)) == len(names)
    assert sum(item.advised for item in guide.models) == bool(guide.models)
    for variable in guide.variables:
        for refused in variable.refused:
            assert refused.value != variable.value


def test_the_schema_is_one_and_accepts_what_the_reader_reads() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(WHOLE))
    assert SCHEMA["properties"]["schema"]["const"] == tuning.FORMAT
    assert SCHEMA["$defs"]["variable"]["properties"]["from"]["enum"] == list(tuning.COMPUTED)


def test_the_schema_has_all_keys_that_the_reader_asks_for() -> None:
    source = Path(tuning.__file__).read_text("utf-8")
    asked = set(re.findall(r'table\.\w+\("([a-z-]+)"', source))

    def keys(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(keys, schema)) if schema else set()
        if not isinstance(schema, dict):
            return set()
        inner = set().union(*map(keys, schema.values())) if schema else set()
        return inner | set(schema.get("properties", {}))

    assert asked == keys(SCHEMA) - {"grade", "source", "detail", "evidence"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"value": "a b"}, id="a value with a space"),
        pytest.param({"value": "a", "from": "threads"}, id="two values"),
        pytest.param({}, id="no value"),
        pytest.param({"from": "cores"}, id="an unknown source"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(value: dict[str, str], tmp_path: Path) -> None:
    variable = {
        "name": "A",
        "reason": "r",
        "evidence": [{"grade": "inferred", "source": "s"}],
        **value,
    }
    head = {"schema": 1, "id": "x", "version": "2026-11-26", "title": "X", "work": "dense"}

    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({**head, "variables": [variable]})
    lines = [f"{key} = {json.dumps(item)}" for key, item in variable.items() if key != "evidence"]
    text = "\n".join(
        [*(f"{k} = {json.dumps(v)}" for k, v in head.items()), "[[variables]]", *lines]
    )
    with pytest.raises(DataError):
        read(text + '\nevidence = [{ grade = "inferred", source = "s" }]\n', tmp_path)
