"""The shipped pin-sets: read, consistent with themselves and each other, and in step with schema.json."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from legacy_doctor.cpu import features, models
from legacy_doctor.diagnosis import rules
from legacy_doctor.diagnosis.specifiers import admits, compatible
from legacy_doctor.errors import DataError
from legacy_doctor.knowledge import catalogue, document, pinset
from legacy_doctor.model import (
    Distribution,
    Finding,
    Grade,
    Interpreter,
    Knowledge,
    Patient,
    Pin,
    Severity,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = catalogue.folder()
FILES = sorted(path for path in FOLDER.glob("*.toml") if path.stem != "probes")
SETS = {path.stem: pinset.read(path) for path in FILES}
CURRENT = {stem: item for stem, item in SETS.items() if "@" not in stem}
SCHEMA = json.loads((FOLDER / "schema.json").read_text("utf-8"))


PINS = [
    pytest.param(pin, id=f"{stem}[{number}]-{pin.distribution}")
    for stem, item in SETS.items()
    for number, pin in enumerate(item.pins)
]


# --- files


def test_there_are_the_three_current_sets_and_the_write_up() -> None:
    assert set(SETS) == {"below-v2", "v2-no-avx", "avx-no-avx2", "original@2026-11-20"}


@pytest.mark.parametrize("stem", SETS)
def test_a_file_is_named_after_its_set(stem: str) -> None:
    assert stem in {SETS[stem].id, SETS[stem].label}


@pytest.mark.parametrize("stem", SETS)
def test_superseded_labels_exist_and_are_filed_as_such(stem: str) -> None:
    for label in SETS[stem].supersedes:
        assert SETS[label].label == label


def test_every_superseded_file_is_superseded_by_somebody() -> None:
    told = {label for item in SETS.values() for label in item.supersedes}
    assert {stem for stem in SETS if "@" in stem} == told


def test_the_files_stay_small_enough_to_be_read_at_every_start() -> None:
    assert sum(path.stat().st_size for path in FILES if "@" not in path.stem) < 140_000


# --- pins


@pytest.mark.parametrize("pin", PINS)
def test_a_pin_has_evidence_and_a_source(pin: Pin) -> None:
    assert pin.evidence
    assert all(item.source for item in pin.evidence)


@pytest.mark.parametrize("pin", PINS)
def test_broken_and_good_are_disjoint(pin: Pin) -> None:
    if pin.broken is not None and pin.good is not None:
        assert not compatible(pin.broken, pin.good)


@pytest.mark.parametrize("pin", PINS)
def test_the_bounds_lie_on_their_side(pin: Pin) -> None:
    if pin.first_bad is not None:
        assert admits(pin.broken, pin.first_bad)
        assert not admits(pin.good, pin.first_bad)
    if pin.last_good is not None:
        assert admits(pin.good, pin.last_good)
        assert not admits(pin.broken, pin.last_good)


@pytest.mark.parametrize("pin", PINS)
def test_emulated_evidence_names_a_model_that_we_know_and_qemu_plays(pin: Pin) -> None:
    for item in pin.evidence:
        if item.grade is Grade.EMULATED:
            match = re.fullmatch(
                r"emulated: (\S+), \d{4}-\d{2}-\d{2}, CPython 3\.\d+\.\d+", item.source
            )
            assert match, item.source
            assert models.find(match[1]).emulation is not None


@pytest.mark.parametrize("pin", PINS)
def test_an_error_rests_on_more_than_hearsay(pin: Pin) -> None:
    if pin.severity is Severity.ERROR and not pin.pinset.startswith("original"):
        assert pin.grade in {Grade.SILICON, Grade.EMULATED, Grade.MAINTAINER} or pin.broken is None


@pytest.mark.parametrize("pin", PINS)
def test_an_emulated_death_is_of_a_cpu_that_the_pin_bites(pin: Pin) -> None:
    if pin.broken is None:
        return
    for item in pin.evidence:
        if item.grade is Grade.EMULATED:
            model = item.source.removeprefix("emulated: ").partition(",")[0]
            assert pin.bites(models.find(model).cpu)


@pytest.mark.parametrize("pin", PINS)
def test_a_pin_lies_in_the_set_of_the_strictest_feature_it_needs(pin: Pin) -> None:
    if pin.needs and not pin.pinset.startswith("original"):
        home = SETS[pin.pinset.partition("@")[0]]
        assert pin.needs & home.lacks


@pytest.mark.parametrize("pin", PINS)
def test_alternatives_can_be_typed(pin: Pin) -> None:
    for item in pin.alternatives:
        assert (
            Requirement(item.requirement).name != pin.distribution or pin.distribution == "polars"
        )


@pytest.mark.parametrize("pin", PINS)
def test_a_symptom_is_one_clause(pin: Pin) -> None:
    assert len(pin.symptom) < 110
    assert not pin.symptom.endswith(".")


def test_nothing_is_stated_twice() -> None:
    seen: dict[tuple[object, ...], str] = {}
    for item in CURRENT.values():
        for pin in item.pins:
            key = (pin.distribution, pin.broken, pin.good, pin.needs, pin.when, pin.stage)
            assert key not in seen, f"{key} in {seen.get(key)} and {item.id}"
            seen[key] = item.id


def test_there_is_enough_to_be_useful() -> None:
    every = {pin.distribution for item in CURRENT.values() for pin in item.pins}
    more = {
        pin.distribution for item in CURRENT.values() for pin in item.pins if pin.broken is not None
    }
    assert len(every) >= 150
    assert len(more) >= 60


def test_no_address_and_no_path_is_told() -> None:
    for path in FILES:
        text = path.read_text("utf-8")
        assert "://" not in text
        assert not re.search(r"/(home|tmp|work|root|opt)/", text)


@pytest.mark.parametrize("stem", SETS)
def test_requirements_of_incompatibilities_can_be_read(stem: str) -> None:
    for item in SETS[stem].incompatibilities:
        for text in (item.first, item.second):
            for specifier in Requirement(text).specifier:
                assert Version(specifier.version)


# --- which set speaks to which CPU


@pytest.mark.parametrize(
    ("model", "speak"),
    [
        ("phenom", {"below-v2", "v2-no-avx", "avx-no-avx2"}),
        ("Penryn", {"below-v2", "v2-no-avx", "avx-no-avx2"}),
        ("Nehalem", {"v2-no-avx", "avx-no-avx2"}),
        ("SandyBridge", {"avx-no-avx2"}),
        ("Haswell", set()),
    ],
)
def test_which_sets_speak_to_a_cpu(model: str, speak: set[str]) -> None:
    cpu = models.find(model).cpu
    assert {item.id for item in CURRENT.values() if item.applies(cpu)} == speak


# --- the write-up, word for word


def test_the_original_is_the_table_of_the_write_up() -> None:
    original = SETS["original@2026-11-20"]
    assert {pin.distribution: pin.good for pin in original.pins} == {
        "numpy": "==1.26.4",
        "torch": "==2.7.0",
        "torchaudio": "==2.7.0",
        "transformers": "==4.57.3",
    }
    assert {item.distribution for item in original.removals} == {
        "datasets",
        "pandas",
        "pyarrow",
        "pyarrow-hotfix",
        "torchcodec",
    }
    proofs = [pin.evidence for pin in original.pins]
    proofs += [removal.evidence for removal in original.removals]
    assert {item.grade for proof in proofs for item in proof} == {Grade.REPORTED}


# --- disputes


def findings(model: str, **installed: str) -> list[Finding]:
    root = Path("/target/lib/python3.11/site-packages")
    patient = Patient(
        cpu=models.find(model).cpu,
        interpreter=Interpreter(
            executable=Path("/target/bin/python"),
            prefix=Path("/target"),
            version=(3, 11, 7),
            implementation="cpython",
            platform="linux-x86_64",
            chosen_by="--python",
            site_packages=(root,),
        ),
        distributions=tuple(
            Distribution(name=name.replace("_", "-"), version=version, root=root, info=root / name)
            for name, version in installed.items()
        ),
        what_if=True,
    )
    return list(rules.diagnose(patient, Knowledge(pinsets=tuple(CURRENT.values()))))


def ids(found: list[Finding]) -> set[str]:
    return {finding.rule for finding in found}


def test_numpy_2_2_6_runs_on_a_phenom_and_the_other_opinion_is_told() -> None:
    found = findings("phenom", numpy="2.2.6")
    assert ids(found) == {"disputed-evidence"}
    assert {item.grade for item in found[0].evidence} >= {Grade.EMULATED, Grade.REPORTED}


@pytest.mark.parametrize("model", ["phenom", "Penryn"])
def test_numpy_2_4_6_is_broken_below_v2_and_2_3_5_is_the_way_out(model: str) -> None:
    found = [item for item in findings(model, numpy="2.4.6") if item.rule == "broken-pin"]
    assert [item.severity for item in found] == [Severity.ERROR]
    assert found[0].remedy is not None
    assert found[0].remedy.install == ("numpy<2.4",)
    assert "2.3.5" in found[0].remedy.text


@pytest.mark.parametrize("model", ["Nehalem", "SandyBridge", "Haswell"])
def test_numpy_2_4_6_is_healthy_from_v2_on(model: str) -> None:
    assert findings(model, numpy="2.4.6") == []


DISPUTED = {
    "pandas": ("phenom", {"pandas": "2.3.3"}),
    "orjson": ("phenom", {"orjson": "3.10.18"}),
    "onnxruntime": ("phenom", {"onnxruntime": "1.31.1"}),
    "onnxruntime on Nehalem": ("Nehalem", {"onnxruntime": "1.31.1"}),
    "onnxruntime on SandyBridge": ("SandyBridge", {"onnxruntime": "1.31.1"}),
    "transformers": ("phenom", {"transformers": "5.23.0"}),
    "cryptography": ("phenom", {"cryptography": "44.0.0"}),
    "pyside6": ("phenom", {"pyside6_essentials": "6.9.3"}),
    "pyarrow 23.0.1": ("Nehalem", {"pyarrow": "23.0.1"}),
    "ctranslate2 without AVX": ("Nehalem", {"ctranslate2": "4.8.5"}),
    "scikit-learn": ("Nehalem", {"scikit_learn": "1.9.1"}),
}


@pytest.mark.parametrize(("model", "installed"), DISPUTED.values(), ids=DISPUTED)
def test_where_emulation_runs_what_was_reported_dead_it_decides(
    model: str, installed: dict[str, str]
) -> None:
    assert ids(findings(model, **installed)) == {"disputed-evidence"}


def test_torch_2_10_on_a_phenom_imports_and_dies_at_work() -> None:
    found = findings("phenom", torch="2.10.0+cpu")
    told = [item for item in found if item.rule == "no-working-wheel"]
    assert [item.severity for item in told] == [Severity.ERROR]
    assert told[0].message.startswith("fails in use: SIGFPE")
    assert told[0].remedy is not None
    assert "torch.backends.mkldnn.enabled = False" in told[0].remedy.text
    assert "disputed-evidence" in ids(found)


def test_torch_on_a_core_2_never_sees_the_sigfpe() -> None:
    assert not any("SIGFPE" in item.message for item in findings("core2duo", torch="2.10.0"))


# --- remedies that depend on the CPU


@pytest.mark.parametrize(
    ("model", "install"),
    [("phenom", ()), ("Penryn", ()), ("Nehalem", ("polars[rtcompat]",))],
)
def test_rtcompat_is_offered_only_where_it_runs(model: str, install: tuple[str, ...]) -> None:
    found = findings(model, polars="2.1.0", polars_runtime_32="2.1.0")
    told = [item for item in found if item.severity is Severity.ERROR]
    assert [item.subject for item in told] == ["polars-runtime-32"]
    assert told[0].remedy is not None
    assert told[0].remedy.install == install


def test_polars_prefers_compat_so_runtime_32_does_no_harm_beside_it() -> None:
    installed = {"polars": "2.1.0", "polars_runtime_32": "2.1.0", "polars_runtime_compat": "2.1.0"}
    assert findings("Nehalem", **installed) == []


def test_both_faiss_pins_leave_one_version() -> None:
    found = findings("phenom", faiss_cpu="1.14.2")
    assert found[0].remedy is not None
    (requirement,) = found[0].remedy.install
    assert admits(requirement.removeprefix("faiss-cpu"), "1.13.2")
    assert not admits(requirement.removeprefix("faiss-cpu"), "1.15.1")


@pytest.mark.parametrize(
    ("first", "second"),
    [("polars", "polars_lts_cpu"), ("lancedb", "lancedb_compat"), ("tensorflow", "tensorflow_cpu")],
)
def test_two_distributions_with_the_same_files_are_an_error(first: str, second: str) -> None:
    found = findings("phenom", **{first: "1.33.1", second: "1.33.1"})
    assert any(
        item.rule == "overwriting-distributions" and item.severity is Severity.ERROR
        for item in found
    )


def test_pandas_is_affected_by_pyarrow_although_no_metadata_says_so() -> None:
    found = findings("phenom", pandas="2.3.3", pyarrow="26.0.1")
    told = [item for item in found if item.cause == "pyarrow"]
    assert told
    assert all("pandas" in item.affects for item in told)


# --- schema.json


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schema_accepts_what_we_ship(path: Path) -> None:
    with path.open("rb") as file:
        document = tomllib.load(file)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_the_schema_is_one_and_closed() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert all(item["additionalProperties"] is False for item in _objects(SCHEMA))


def _objects(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for value in node.values():
            yield from _objects(value)


def test_the_schema_knows_the_words_of_the_reader() -> None:
    defs = SCHEMA["$defs"]
    assert set(defs["feature"]["enum"]) == {*features.LEVELS, *features.KNOWN}
    assert defs["proof"]["properties"]["grade"]["enum"] == [item.value for item in Grade]
    assert defs["pin"]["properties"]["severity"]["enum"] == [item.value for item in Severity]
    assert SCHEMA["properties"]["schema"]["const"] == pinset.FORMAT


PROOF = '{ grade = "reported", source = "me" }'
FULL: dict[str, tuple[str, str]] = {
    # what the schema calls it: a document that the reader takes, with a gap for one more key
    "document": (
        'schema = 1\nid = "a"\nversion = "2026-11-20"\ntitle = "t"\n%s\n[target]\nlacks = []',
        "",
    ),
    "target": ("[target]\nlacks = []\n%s", "head"),
    "pin": (f'[[pins]]\ndistribution = "x"\ngood = "*"\nevidence = [{PROOF}]\n%s', "all"),
    "when": (
        f'[[pins]]\ndistribution = "x"\ngood = "*"\nevidence = [{PROOF}]\n[pins.when]\n%s',
        "all",
    ),
    "alternative": (
        f'[[pins]]\ndistribution = "x"\ngood = "*"\nevidence = [{PROOF}]\n[[pins.alternatives]]\nrequirement = "y"\n%s',
        "all",
    ),
    "proof": (
        '[[pins]]\ndistribution = "x"\ngood = "*"\n[[pins.evidence]]\ngrade = "reported"\nsource = "me"\n%s',
        "all",
    ),
    "removal": (f'[[removals]]\ndistribution = "x"\nreason = "r"\nevidence = [{PROOF}]\n%s', "all"),
    "conflict": (
        f'[[conflicts]]\ndistributions = ["x", "y"]\neffect = "e"\nevidence = [{PROOF}]\n%s',
        "all",
    ),
    "incompatibility": (
        f'[[incompatibilities]]\nfirst = "x"\nsecond = "y"\neffect = "e"\nresolution = "r"\nevidence = [{PROOF}]\n%s',
        "all",
    ),
    "soft-import": (
        f'[[soft-imports]]\ndistribution = "x"\nimports = "y"\nevidence = [{PROOF}]\n%s',
        "all",
    ),
}
HEADS = {
    "": "",
    "head": 'schema = 1\nid = "a"\nversion = "2026-11-20"\ntitle = "t"\n',
    "all": 'schema = 1\nid = "a"\nversion = "2026-11-20"\ntitle = "t"\ntarget = { lacks = [] }\n',
}


def _properties(kind: str) -> set[str]:
    if kind == "document":
        return set(SCHEMA["properties"])
    if kind == "target":
        return set(SCHEMA["properties"]["target"]["properties"])
    if kind == "when":
        return set(SCHEMA["$defs"]["pin"]["properties"]["when"]["properties"])
    return set(SCHEMA["$defs"][kind]["properties"])


def _refusal(path: Path, kind: str, key: str) -> str:
    """What the reader says of a key whose value no getter accepts; '' where it is content."""
    template, head = FULL[kind]
    present = re.search(rf"^{re.escape(key)} = .*$", template, re.MULTILINE)
    odd = f"{key} = 1979-05-27T07:32:00Z"
    text = (template % "").replace(present[0], odd, 1) if present else template % odd
    path.write_text(HEADS[head] + text)
    try:
        pinset.read(path)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind in FULL for key in sorted(_properties(kind))]
)
def test_the_reader_knows_every_key_of_the_schema(tmp_path: Path, kind: str, key: str) -> None:
    said = _refusal(tmp_path / "a.toml", kind, key)
    assert said, f"{key} of {kind} takes anything"
    assert "unknown key" not in said


@pytest.mark.parametrize("kind", FULL)
def test_the_reader_refuses_a_key_that_the_schema_does_not_know(tmp_path: Path, kind: str) -> None:
    assert "unknown key" in _refusal(tmp_path / "a.toml", kind, "no-such-key")


def test_the_schema_has_all_keys_that_the_reader_asks_for() -> None:
    asked = set(
        re.findall(
            r"""\b(?:table|item|when|target)\.\w+\(\s*"([a-z-]+)\"""",
            Path(pinset.__file__).read_text("utf-8") + inspect.getsource(document.evidence),
        )
    )
    known = set().union(*(_properties(kind) for kind in FULL))
    assert asked == known
