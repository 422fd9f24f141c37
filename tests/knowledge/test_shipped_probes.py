"""The shipped probes: sound, harmless, in step with their schema, and seen to pass for real."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.utils import canonicalize_name

from legacy_doctor.errors import DataError
from legacy_doctor.knowledge import catalogue, probes
from legacy_doctor.model import Probe
from tests import conftest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = catalogue.folder()
FILE = FOLDER / "probes.toml"
PROBES = probes.shipped()
SCHEMA = json.loads((FOLDER / "probes.schema.json").read_text("utf-8"))

each = pytest.mark.parametrize("probe", PROBES, ids=[probe.id for probe in PROBES])


# --- the file


def test_reading_finds_nothing_wrong_with_it() -> None:
    assert probes.read(FILE) == PROBES


def test_there_are_enough_to_be_useful() -> None:
    assert len({probe.distribution for probe in PROBES}) >= 200
    assert len({probe.distribution for probe in PROBES if probe.use}) >= 200


def test_names_are_normalized_and_used_once() -> None:
    assert len({probe.id for probe in PROBES}) == len(PROBES)
    for probe in PROBES:
        assert canonicalize_name(probe.distribution) == probe.distribution


def test_a_distribution_with_several_has_one_that_is_run_unasked() -> None:
    asked = {probe.distribution for probe in PROBES if probe.extra}
    assert asked <= {probe.id for probe in PROBES if not probe.extra}


def test_no_address_and_no_path_is_told() -> None:
    text = FILE.read_text("utf-8").replace("inproc://", "")  # between the threads of a process
    assert "://" not in text
    assert not re.search(r"/(home|tmp|work|root|opt)/", text)


# --- the snippets


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


@each
def test_it_is_python_as_old_as_the_targets(probe: Probe) -> None:
    for source in (probe.imports, probe.use):
        assert ast.parse(source, feature_version=(3, 8)) is not None


@each
def test_the_import_step_only_imports(probe: Probe) -> None:
    body = ast.parse(probe.imports).body
    assert body
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)


IMPORT_ONLY = {"pywhispercpp"}
"""All that can be done without a model."""


@each
def test_the_use_asserts_something(probe: Probe) -> None:
    if probe.id not in IMPORT_ONLY:
        assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(probe.use)))


CLIENTS = {
    *("aiohttp.client", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "ssl"),
    *("urllib", "urllib3", "webbrowser"),
}


@each
def test_it_asks_no_network_and_no_model(probe: Probe) -> None:
    source = f"{probe.imports}\n{probe.use}"
    assert not {name.partition(".")[0] for name in _imported(source)} & CLIENTS
    assert not re.search(r"from_pretrained|urlopen|download|snapshot|ClientSession", source)


@each
def test_it_starts_no_program(probe: Probe) -> None:
    assert not {"subprocess", "multiprocessing", "pty"} & set(_imported(probe.use))
    assert not re.search(r"os\.(system|exec|fork|spawn|popen)", probe.use)


# --- torch, of which most is known

TORCH = (
    "import mkl-f64 dot-f32 matmul-f32 conv-f32 lstm-f32 gelu "
    "dynamo adamw floordiv0 mel dynamo-map worker guard"
).split()
OFF = "torch._C._set_mkldnn_enabled(False)"


@pytest.mark.parametrize("name", TORCH)
def test_the_fourteen_probes_of_torch_are_there_as_is_and_with_onednn_off(name: str) -> None:
    ours = {probe.id: probe for probe in PROBES if probe.distribution == "torch"}
    plain, off = ours[f"torch/{name}"], ours[f"torch/{name}-onednn-off"]
    assert (plain.extra, off.extra) == (True, True)
    assert (plain.imports, plain.requires) == (off.imports, off.requires)
    assert OFF not in plain.use
    # first of all, or for the one that is a script: where its children see it too
    position = [ast.unparse(node) for node in ast.parse(off.use).body].index(OFF)
    assert position == (2 if name == "worker" else 0)
    assert plain.requires == (("torchaudio",) if name == "mel" else ())


def test_torch_has_no_other_extra_probe() -> None:
    extra = {probe.id for probe in PROBES if probe.distribution == "torch" and probe.extra}
    assert len(extra) == 2 * len(TORCH) == 28


@pytest.mark.parametrize("name", ["torch/worker", "torch/worker-onednn-off"])
def test_what_starts_children_is_a_script_that_they_can_read_anew(name: str) -> None:
    (probe,) = [probe for probe in PROBES if probe.id == name]
    body = ast.parse(probe.use).body
    assert ast.unparse(body[0]) == "import torch"
    assert [ast.unparse(node.test) for node in body if isinstance(node, ast.If)] == [
        "__name__ == '__main__'"
    ]
    assert isinstance(body[-1], ast.If)


# --- probes.schema.json

PROPERTIES = SCHEMA["$defs"]["probe"]["properties"]
VALID: dict[str, Any] = {"id": "demo", "distribution": "demo", "imports": "import demo"}


def _accepts(probe: dict[str, Any]) -> bool:
    document = {"schema": 1, "version": "2026-11-26", "probes": [probe]}
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(document))


def test_the_schema_accepts_what_we_ship() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(tomllib.loads(FILE.read_text("utf-8")))
    assert SCHEMA["properties"]["schema"]["const"] == probes.FORMAT
    assert PROPERTIES["seconds"]["default"] == probes.SECONDS
    assert _accepts(VALID)


def test_the_schema_has_all_keys_that_the_reader_asks_for() -> None:
    source = Path(probes.__file__).read_text("utf-8")
    asked = set(re.findall(r"\btable(?:\.\w+\(|, )\"([a-z-]+)\"", source))
    assert asked == {*PROPERTIES, *SCHEMA["properties"]}


WRONG: dict[str, dict[str, Any]] = {
    "a key that nobody knows": {"require": []},
    "an id that is not normalized": {"id": "Demo"},
    "an id with an empty part": {"id": "demo/"},
    "a name that cannot be one": {"distribution": "-"},
    "nothing imported": {"imports": ""},
    "a requirement that is no name": {"requires": ["numpy<2"]},
    "extra as a text": {"extra": "yes"},
    "seconds as a text": {"seconds": "60"},
    "no time at all": {"seconds": 0},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_schema_refuses_what_the_reader_refuses(wrong: dict[str, Any], tmp_path: Path) -> None:
    values = {**VALID, **wrong}
    assert not _accepts(values)
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path = tmp_path / "probes.toml"
    path.write_text("\n".join(['schema = 1\nversion = "2026-11-26"\n[[probes]]', *lines]))
    with pytest.raises(DataError):
        probes.read(path)


# --- real runs

WHEELS = (
    "bcrypt==5.0.0 blake3==1.0.11 cffi==2.1.1 contourpy==1.3.3 cryptography==50.0.2 "
    "duckdb==2.0.1 faiss-cpu==1.15.1 greenlet==3.5.6 h5py==3.16.0 jiter==0.19.0 "
    "kiwisolver==1.5.1 lxml==6.1.3 lz4==4.4.5 markupsafe==3.0.4 msgpack==1.2.4 numexpr==2.14.2 "
    "numpy==2.3.5 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93 orjson==3.13.0 "
    "pandas==3.1.1 pillow==13.0.0 psutil==7.2.2 pyarrow==26.0.1 pydantic-core==2.50.5 "
    "pyyaml==6.0.4 rapidfuzz==3.14.6 regex==2026.11.19 safetensors==0.8.0 scikit-learn==1.9.1 "
    "scipy==1.17.1 sentencepiece==0.2.3 shapely==2.2.0 tokenizers==0.23.3 ujson==6.1.0 "
    "uvloop==0.23.0 websockets==17.4 xxhash==4.1.0 zstandard==0.25.0"
).split()
BROUGHT = {"hf-xet", "protobuf"}
"""What comes along as a requirement of one of them, and has a probe."""

PRESENT = {item.partition("==")[0] for item in WHEELS} | BROUGHT
RUNNABLE = [probe for probe in PROBES if {probe.distribution, *probe.requires} <= PRESENT]


@pytest.fixture(scope="module")
def environment() -> Path:
    """Light wheels that have a probe."""
    return conftest.real_environment(*WHEELS)


@pytest.mark.wheels
def test_every_probe_of_what_is_installed_is_run(environment: Path) -> None:
    infos = environment.glob("lib/python3*/site-packages/*.dist-info")
    installed = {canonicalize_name(info.name.partition("-")[0]) for info in infos}
    assert installed >= PRESENT
    assert installed & {probe.distribution for probe in PROBES} == PRESENT


@pytest.mark.wheels
@pytest.mark.parametrize("probe", RUNNABLE, ids=[probe.id for probe in RUNNABLE])
def test_it_passes_for_real(probe: Probe, environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "probe.py"
    script.write_text(f"{probe.imports}\n{probe.use}\n", encoding="utf-8")
    done = subprocess.run(
        [str(environment / "bin/python"), str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**conftest.clean(os.environ), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        check=False,
        timeout=probe.seconds,
    )
    assert done.returncode == 0, done.stderr
