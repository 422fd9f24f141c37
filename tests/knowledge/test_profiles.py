"""Profiles: what a file may say, what is said of one that cannot be read, and those we ship."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from benchmarks import profiles as benchmark
from legacy_doctor.cpu import features, models
from legacy_doctor.errors import DataError, UnknownNameError
from legacy_doctor.knowledge import catalogue, document, patches, profiles
from legacy_doctor.model import (
    BuildFlag,
    Fitness,
    Grade,
    Outcome,
    PatchUse,
    ProfileRun,
    RiskyImport,
    Tier,
    Trial,
)
from tests.diagnosis.patients import cpu, words

FOLDER = profiles.folder()
SCHEMA = json.loads((FOLDER / "schema.json").read_text("utf-8"))
PROFILES = profiles.every()
KNOWN = {item.id: item for item in patches.every()}
PINNED = {pin.distribution for pin in catalogue.choose().pins}

each = pytest.mark.parametrize("profile", PROFILES, ids=[item.id for item in PROFILES])

EVIDENCE = 'evidence = [{ grade = "inferred", source = "s" }]\n'
STATUS = "".join(
    f'[[status]]\ntier = "{tier.value}"\nfitness = "runs"\ntext = "t"\n{EVIDENCE}' for tier in Tier
)
HEAD = (
    'schema = 1\nid = "demo"\nversion = "2026-11-26"\ntitle = "Demo"\nproject = "o/demo"\n'
    'read = "v1"\n'
)
COMPLETE = f"""{HEAD}
python = ">=3.10"
distributions = ["De_mo"]
checkout = true
needs = ["NumPy"]
marks = ["demo.py"]
pins = ["numpy"]
notes = "n"
tuning = "general"
[[imports]]
module = "demo"
distribution = "demo"
via = "demo.py"
risk = "r"
lazy = true
[[patches]]
id = "p"
need = "optional"
why = "w"
[[status]]
tier = "below-v2"
lacks = ["sse4_1"]
fitness = "fails"
text = "t"
{EVIDENCE}
{STATUS}
[[issues]]
ref = "o/demo#1"
text = "t"
cure = "c"
{EVIDENCE}
[[counsel]]
key = "a-b"
about = "data"
text = "one\\n two"
commands = ["c"]
first = true
tiers = ["v3"]
{EVIDENCE}
[smoke]
kind = "first-use"
distribution = "demo"
imports = "import demo"
use = "assert demo"
requires = ["numpy"]
covers = ["c"]
leaves-out = ["l"]
seconds = 9
[native]
native-switch = "N"
flags = [{{ name = "F", needs = ["avx"], default = true }}]
told-as = [{{ name = "AVX", needs = ["avx"] }}]
programs = ["p"]
trials = [{{ program = "p", words = ["-h"], endless = true }}]
{EVIDENCE}
"""


def written(folder: Path, text: str, name: str = "demo") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- a file


def test_a_complete_file_becomes_complete_values(tmp_path: Path) -> None:
    profile = profiles.read(written(tmp_path, COMPLETE))

    assert (profile.id, profile.title, profile.project) == ("demo", "Demo", "o/demo")
    assert (profile.distributions, profile.needs) == (("de-mo",), ("numpy",))
    assert (profile.python, profile.checkout, profile.marks) == (">=3.10", True, ("demo.py",))
    assert profile.imports == (RiskyImport("demo", "demo", "demo.py", "r", lazy=True),)
    assert profile.patches == (PatchUse("p", "optional", "w"),)
    assert [status.fitness for status in profile.status[:2]] == [Fitness.FAILS, Fitness.RUNS]
    assert profile.status[0].lacks == {"sse4_1"}
    assert profile.issues[0].cure == "c"
    (counsel,) = profile.counsel
    assert (counsel.text, counsel.first, counsel.tiers) == ("one two", True, (Tier.V3,))
    assert profile.smoke is not None
    assert profile.smoke.probe.id == "demo/profile"
    assert profile.smoke.probe.requires == ("demo", "numpy")
    assert profile.smoke.probe.seconds == 9
    assert profile.native is not None
    assert profile.native.flags == (BuildFlag("F", words("avx"), default=True),)
    assert profile.native.told_as == {"AVX": words("avx")}
    assert profile.native.trials == (Trial("p", ("-h",), endless=True),)


def test_a_file_may_say_little(tmp_path: Path) -> None:
    profile = profiles.read(written(tmp_path, HEAD + STATUS))

    assert (profile.python, profile.smoke, profile.native) == ("", None, None)


BROKEN = {
    "another format": (COMPLETE.replace("schema = 1", "schema = 2", 1), "schema: this legacy"),
    "another name": (COMPLETE.replace('"demo"', '"other"', 1), "id: 'other' stands in a file"),
    "a typo": (f"pin = []\n{COMPLETE}", "pin: unknown key; did you mean 'pins'?"),
    "an unknown tier": (
        COMPLETE.replace('tiers = ["v3"]', 'tiers = ["below-v3"]'),
        "counsel[0].tiers[0]: unknown tier 'below-v3'; did you mean 'below-v2'",
    ),
    "a tier that is nothing like one": (
        COMPLETE.replace('tiers = ["v3"]', 'tiers = ["old"]'),
        "counsel[0].tiers[0]: unknown tier 'old'; one of below-v2",
    ),
    "a tier twice": (HEAD + STATUS + STATUS, "status[4].tier: all of below-v2 is spoken of"),
    "a tier missing": (HEAD + STATUS.partition('[[status]]\ntier = "v3"')[0], "the tier 'v3'"),
    "a fitness that nobody knows": (
        COMPLETE.replace('fitness = "fails"', 'fitness = "fail"'),
        "status[0].fitness: unknown value 'fail'; did you mean 'fails'?",
    ),
    "no evidence": (
        COMPLETE.replace(f'cure = "c"\n{EVIDENCE}', 'cure = "c"\n'),
        "issues[0].evidence: nothing is stated without evidence",
    ),
    "a key with capitals": (
        COMPLETE.replace('key = "a-b"', 'key = "A B"'),
        "counsel[0].key: expected words in small letters",
    ),
    "an import chain that is used": (
        COMPLETE.replace('kind = "first-use"', 'kind = "import-chain"'),
        "smoke.use: an import chain has none",
    ),
    "a flag that needs nothing": (
        COMPLETE.replace('needs = ["avx"], default', "needs = [], default"),
        "native.flags[0].needs: name the features",
    ),
    "an unknown feature": (
        COMPLETE.replace('lacks = ["sse4_1"]', 'lacks = ["sse41"]'),
        "status[0].lacks[0]: unknown feature 'sse41'; did you mean 'sse4_1'?",
    ),
    "no specifier": (
        COMPLETE.replace('python = ">=3.10"', 'python = "new"'),
        "python: not a version specifier: 'new'",
    ),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_an_error_says_where_and_what(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as raised:
        profiles.read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)


def test_advice_that_several_share_reaches_each(tmp_path: Path) -> None:
    entry = (
        f'[[counsel]]\nkey = "k"\nprofiles = ["demo", "x"]\nabout = "gpu"\ntext = "t"\n{EVIDENCE}'
    )
    shared = profiles.read_counsel(written(tmp_path, f"schema = 1\n{entry}", "counsel"))

    profile = profiles.read(written(tmp_path, COMPLETE), shared)

    assert {*shared} == {"demo", "x"}
    assert [item.key for item in profile.counsel] == ["a-b", "k"]


def test_advice_for_nobody_is_refused(tmp_path: Path) -> None:
    text = f'schema = 1\n[[counsel]]\nkey = "k"\nabout = "gpu"\ntext = "t"\n{EVIDENCE}'
    with pytest.raises(DataError, match=r"counsel\[0\]\.profiles: name the profiles"):
        profiles.read_counsel(written(tmp_path, text, "counsel"))


def test_a_name_that_nobody_knows_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no profile 'f5tts'; did you mean 'f5-tts'"):
        profiles.find("f5tts")
    with pytest.raises(UnknownNameError, match="see legacy-doctor profile list"):
        profiles.find("runs")


# --- tiers

TIERS = {
    "phenom-ii": Tier.BELOW_V2,
    "kvm64": Tier.BELOW_V2,
    "nehalem": Tier.V2_NO_AVX,
    "sandybridge": Tier.AVX_NO_AVX2,
    "haswell": Tier.V3,
}


@pytest.mark.parametrize(("name", "tier"), TIERS.items(), ids=TIERS)
def test_a_cpu_has_a_tier_by_what_it_can_do(name: str, tier: Tier) -> None:
    assert profiles.tier(models.find(name).cpu) is tier


def test_avx2_without_the_rest_of_v3_is_not_v3() -> None:
    assert profiles.tier(cpu("avx avx2", lacking="bmi2")) is Tier.AVX_NO_AVX2


# --- the runs

RUN = ProfileRun(
    profile="piper",
    cpu="phenom",
    tier=Tier.BELOW_V2,
    day="2026-11-26",
    treated=True,
    fitness=Fitness.TREATED,
    outcome="ok",
    detail="",
    python="3.11.7",
    emulator="qemu-x86_64 7.2.22 -cpu phenom",
    lacks=words("avx sse4_1"),
    versions=("numpy 2.3.5",),
)


@given(
    runs=st.lists(
        st.builds(
            ProfileRun,
            profile=st.text(st.characters(categories=["Ll"]), min_size=1),
            cpu=st.sampled_from(benchmark.CPUS),
            tier=st.sampled_from(Tier),
            day=st.just("2026-11-26"),
            treated=st.booleans(),
            fitness=st.sampled_from(Fitness),
            outcome=st.sampled_from([*(item.value for item in Outcome), "not-installable"]),
            detail=st.text(st.characters(exclude_categories=["Cs"])).map(str.strip),
            python=st.just("3.11.7"),
            emulator=st.just("qemu"),
            lacks=st.frozensets(st.sampled_from(sorted(features.KNOWN))),
            versions=st.lists(st.just("numpy 2")).map(tuple),
        )
    )
)
def test_what_the_benchmark_writes_is_what_is_read(
    runs: list[ProfileRun], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.mktemp("runs"), benchmark.written(runs), "runs")

    assert Counter(profiles.read_runs(path)) == Counter(runs)


def test_what_is_run_again_replaces_what_was_run() -> None:
    other = ProfileRun(**{**_fields(RUN), "cpu": "nehalem"})
    again = ProfileRun(**{**_fields(RUN), "day": "2026-11-27"})

    assert benchmark.merged([RUN, other], [again]) == (other, again)


def _fields(run: ProfileRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in ProfileRun.__slots__}


def test_a_row_says_its_cause_in_a_few_words() -> None:
    fault = {"instruction": "pinsrq", "kind": "k", "path": "numpy/x.so", "library": "/x.so"}
    raised = {"type": "ImportError", "message": "no"}
    blank = {"fault": None, "raised": None, "reason": "needs it"}

    assert benchmark.why({**blank, "fault": fault}) == "pinsrq in numpy/x.so"
    assert benchmark.why({**blank, "raised": raised}) == "ImportError: no"
    assert benchmark.why(blank) == "needs it"


def test_shipped_runs_are_emulated_ones_of_shipped_profiles() -> None:
    for run in profiles.runs():
        assert run.profile in profiles.names()
        assert run.tier is profiles.tier(models.find(benchmark.NAMES.get(run.cpu, run.cpu)).cpu)
        assert run.emulator
        assert bool(run.lacks) is (run.tier is not Tier.V3)


def test_the_shipped_runs_are_as_the_benchmark_writes_them() -> None:
    path = FOLDER / "runs.toml"
    assert path.read_text("utf-8") == benchmark.written(profiles.read_runs(path))


# --- what we ship


def test_there_are_the_nine() -> None:
    assert profiles.names() == (
        *("coqui-tts", "f5-tts", "faster-whisper", "kokoro", "kokoro-onnx", "piper"),
        *("qwen3-tts", "styletts2", "whisper-cpp"),
    )


@each
def test_every_pin_it_names_is_stated_by_a_pin_set(profile: Any) -> None:
    assert {*profile.pins} <= PINNED


@each
def test_every_patch_it_names_exists(profile: Any) -> None:
    assert {use.id for use in profile.patches} <= {*KNOWN}


@each
def test_a_required_patch_is_recommended_too(profile: Any) -> None:
    for use in profile.patches:
        assert use.need != "required" or KNOWN[use.id].recommended


@each
def test_its_settings_are_a_guide_of_tune(profile: Any) -> None:
    if profile.tuning:
        assert (catalogue.folder() / f"tuning/{profile.tuning}.toml").is_file()


@each
def test_nothing_is_called_emulated_that_the_benchmark_did_not_run(profile: Any) -> None:
    for status in profile.status:
        assert Grade.EMULATED not in {item.grade for item in status.evidence}


@each
def test_its_imports_are_of_what_it_needs(profile: Any) -> None:
    for item in profile.imports:
        assert canonicalize_name(item.distribution) == item.distribution


def test_advice_has_one_key_for_one_text() -> None:
    texts: dict[str, str] = {}
    for profile in PROFILES:
        keys = [item.key for item in profile.counsel]
        assert len({*keys}) == len(keys)
        for item in profile.counsel:
            assert texts.setdefault(item.key, item.text) == item.text


def test_shared_advice_is_for_profiles_that_exist() -> None:
    assert {*profiles.shared()} <= {*profiles.names()}


@each
def test_its_probe_is_harmless_and_as_old_as_the_targets(profile: Any) -> None:
    if profile.smoke is None:
        assert profile.native is not None
        return
    probe = profile.smoke.probe
    source = f"{probe.imports}\n{probe.use}"
    tree = ast.parse(source, feature_version=(3, 8))
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert not re.search(r"from_pretrained|urlopen|download|snapshot|subprocess|os\.sys", source)
    assert profile.smoke.covers
    assert profile.smoke.leaves_out


def test_no_address_and_no_path_is_told() -> None:
    for path in FOLDER.glob("*.toml"):
        text = path.read_text("utf-8")
        assert "://" not in text, path
        assert not re.search(r"/(home|tmp|work|root|opt)/", text), path


# --- schema.json


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_schema_accepts_what_we_ship(path: Path) -> None:
    schema = SCHEMA
    if path.stem in {"counsel", "runs"}:
        schema = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{path.stem}-file"}
    jsonschema.Draft202012Validator.check_schema(schema)
    values = json.loads(json.dumps(document.parse(path.read_text("utf-8")), default=str))
    jsonschema.Draft202012Validator(schema).validate(values)


def test_the_schema_has_all_keys_that_the_reader_asks_for() -> None:
    source = Path(profiles.__file__).read_text("utf-8")
    asked = set(re.findall(r"\b(?:table|item)\.\w+\(\s*\"([a-z-]+)\"", source))
    asked |= set(re.findall(r"table\.table\(\"([a-z-]+)\"", source))
    parts = [
        SCHEMA["properties"],
        *(part.get("properties", {}) for part in SCHEMA["$defs"].values()),
    ]
    known = {key for part in parts for key in part} - {"grade", "source", "detail"}
    assert asked - {"detail", "tiers"} == known - {"evidence", "tiers"}


def test_the_schema_has_the_words_of_the_reader() -> None:
    parts = SCHEMA["$defs"]
    assert SCHEMA["properties"]["schema"]["const"] == profiles.FORMAT
    assert parts["counsel"]["properties"]["about"]["enum"] == [*profiles.ABOUT]
    assert parts["patch"]["properties"]["need"]["enum"] == [*profiles.NEEDS]
    assert parts["smoke"]["properties"]["kind"]["enum"] == [*profiles.KINDS]
    assert parts["status"]["properties"]["tier"]["enum"] == [tier.value for tier in Tier]
    assert parts["status"]["properties"]["fitness"]["enum"] == [word.value for word in Fitness]
    assert parts["evidence"]["properties"]["grade"]["enum"] == [word.value for word in Grade]


WRONG = {
    "a typo": {"pin": []},
    "a pin that is no name": {"pins": ["numpy<2"]},
    "an id with capitals": {"id": "Demo"},
    "no status": {"status": None},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_the_schema_refuses_what_the_reader_refuses(wrong: dict[str, Any], tmp_path: Path) -> None:
    values = {**document.parse(COMPLETE), **wrong}
    values = {key: value for key, value in values.items() if value is not None}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(values)
