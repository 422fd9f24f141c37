"""The reports for programs: what they hold, held to the published schema."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from legacy_doctor.cli import cpu as cpu_command
from legacy_doctor.cli import history as history_command
from legacy_doctor.cli import patch as patch_command
from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import stories
from legacy_doctor.knowledge import patches, profiles
from legacy_doctor.model import (
    Course,
    FaultKind,
    Frame,
    Grade,
    Hidden,
    HiddenBy,
    HookReport,
    HookRule,
    Location,
    Outcome,
    Probing,
    Remedy,
    RemedyKind,
    Report,
    Severity,
    Sighting,
    Standing,
    Step,
    When,
    Witness,
    Work,
)
from legacy_doctor.report import beliefs
from legacy_doctor.report import checkpoint as checkpoints
from legacy_doctor.report import json as documents
from legacy_doctor.report import profiles as profile_report
from legacy_doctor.treatment.journal import Entry
from legacy_doctor.treatment.patching import State
from legacy_doctor.treatment.run import STATES
from tests.diagnosis.patients import PHENOM, alternative, cpu, dist, knowing, patient, pin, pinset
from tests.diagnosis.probed import PHENOM_PLAYED, UMATH, died, fault, raised, ran
from tests.diagnosis.test_projects import run as project_run
from tests.report.test_beliefs import WHOLE
from tests.report.test_checkpoint import COPY, sick_weights, weights
from tests.report.test_outlook import made as outlook
from tests.report.test_profiles import native_check
from tests.report.test_text import CONFIRMED, HINT, NUMPY, PROVEN, VARIABLE, finding, report
from tests.tune.consultations import env_file, measurement, tuning

SCHEMA = json.loads((Path(documents.__file__).parent / "schema.json").read_text())


def strict(schema: Any) -> Any:
    """The schema without room for additions: it must know every field that we print."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if "required" in schema and "additionalProperties" not in schema:
        result["unevaluatedProperties"] = False
    return result


def _whole() -> dict[str, Any]:
    whole = strict(SCHEMA)
    commands = {item["then"]["$ref"].rpartition("/")[2] for item in SCHEMA["allOf"]}
    bare = ("pinset-header", "probe-result")
    whole["$defs"]["check"]["properties"]["probes"]["properties"]["results"]["items"] = {
        "allOf": [{"$ref": "#/$defs/probe-result"}],
        "unevaluatedProperties": False,
    }
    for name in (*commands, *bare):  # parts of a whole that is strict itself
        whole["$defs"][name].pop("unevaluatedProperties", None)
    return whole


VALIDATOR = jsonschema.Draft202012Validator(_whole())
RICH = cpu(
    lacking="sse4_1",
    microarchitecture="core2",
    hypervisor="KVMKVMKVM",
    hidden=(Hidden(feature="avx", reason=HiddenBy.KERNEL, detail="clearcpuid"),),
    witnesses=(
        Witness(name="cpuid", features=frozenset(), extra=frozenset({"avx"})),
        Witness(name="kernel", features=None, note="no /proc"),
    ),
)
PIN = pin(
    "numpy",
    "",
    "<2.4",
    needs="sse4_1 ssse3",
    when=When(vendor="AuthenticAMD", cpuid_level_below=7),
    unless=("other",),
    runs_without=frozenset({"avx", "ssse3"}),
    stage="use",
    severity="warning",
    cure="c",
    first_bad="2.4.0",
    last_good="2.3.5",
    alternatives=(alternative("x", "avx", note="n", instead=False),),
)
STORY = stories.tell(
    "numpy",
    patient(dist("numpy", "2.4"), dist("pandas", "3", "numpy>=1"), dist("app", "1", "pandas")),
    knowing(PIN, pin("numpy", "", when=When(vendor="GenuineIntel"))),
)
NAMED = models.find("phenom-ii")
NEVER_PLAYED = next(item for item in models.named() if item.emulation is None)
CHANGED = beliefs.changes(pinset(), WHOLE)
BARE_FAULT = fault(
    owner=None,
    needs="",
    kind=FaultKind.OTHER,
    code="",
    address=None,
    library=None,
    path=None,
    offset=None,
    symbol=None,
    bytes="",
    instruction=None,
    place="",
    frames=(),
)
ENDS = (
    *(ran("x", outcome.value, stage) for outcome in Outcome for stage in ("", "import", "use")),
    *(died("x", kind=kind) for kind in FaultKind),
    ran("x", "illegal-instruction", fault=BARE_FAULT),
    raised("x", "", "x/__init__.py"),
    ran("x", overrides=(("OPENBLAS_CORETYPE", "Haswell"),), cached=True, leftovers=2, reason="r"),
)

STEPS = (
    Step(
        id="packages",
        title="install numpy<2.4",
        reasons=("numpy: dies on import",),
        costs=("load_dataset raises",),
        commands=("pip install 'numpy<2.4'",),
        remarks=("resolved together",),
    ),
    *(
        Step(
            id="patch:torch-onednn-off", title="t", grade=grade, files=(Path("/venv/x"),), diff="+"
        )
        for grade in Grade
    ),
    Step(id="pins", title="t"),
)

DOCUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "check, healthy": ("check", documents.report(report())),
    "check, sick": (
        "check",
        documents.report(
            report(
                NUMPY,
                VARIABLE,
                HINT,
                cpu=RICH,
                what_if=True,
                unjudged=("orjson",),
                prescription=("pip install 'numpy<2.4'",),
                ignored=1,
            )
        ),
    ),
    "check, every kind of remedy": (
        "check",
        documents.report(
            report(*(finding(remedy=Remedy(kind=kind, text="t")) for kind in RemedyKind))
        ),
    ),
    "check, a place in a file": (
        "check",
        documents.report(report(finding(location=Location("pyproject.toml", 3, 1)))),
    ),
    "check, every grade": (
        "check",
        documents.report(
            report(
                *(
                    finding(evidence=(dataclasses.replace(NUMPY.evidence[0], grade=grade),))
                    for grade in Grade
                )
            )
        ),
    ),
    "check, a dead interpreter": (
        "check",
        documents.report(
            report(
                interpreter=dataclasses.replace(
                    report().interpreter, version=(3, 11, -1), death="died of SIGILL"
                )
            )
        ),
    ),
    "check, proven": ("check", documents.report(PROVEN)),
    "check, every standing": (
        "check",
        documents.report(report(*(finding(standing=standing) for standing in Standing))),
    ),
    "check, every end of a probe": (
        "check",
        documents.report(
            report(
                probing=Probing(
                    wanted="all", how="qemu", results=ENDS, unplayable=frozenset({"fma4"})
                )
            )
        ),
    ),
    "check, nothing could be run": (
        "check",
        documents.report(report(probing=Probing(wanted="risky", obstacle="no qemu"))),
    ),
    "probe": (
        "probe",
        documents.probe_report(patient(dist("x", "2")), PHENOM_PLAYED, (*ENDS, ran("y"))),
    ),
    "run": ("run", documents.run_report(RICH, ["python", "app.py"], ENDS[0])),
    "cpu, this one": ("cpu", {"cpu": documents.cpu(RICH)}),
    "cpu, a named one": (
        "cpu",
        {"cpu": documents.cpu(NAMED.cpu), "named": cpu_command._entry(NAMED)},
    ),
    "cpu, below every level": (
        "cpu",
        {"cpu": documents.cpu(cpu(lacking="sse2", cpuid_level=None))},
    ),
    "cpu-list": ("cpu-list", {"cpus": [cpu_command._entry(item) for item in models.named()]}),
    "explain": ("explain", documents.story(STORY)),
    "explain, not installed": (
        "explain",
        documents.story(stories.tell("numpy", patient(), knowing())),
    ),
    "pinsets-list": ("pinsets-list", {"pinsets": [documents.pinset_header(WHOLE)]}),
    "pinsets-show": ("pinsets-show", {"pinset": documents.pinset(WHOLE)}),
    "pinsets-diff": (
        "pinsets-diff",
        {
            "old": documents.pinset_header(pinset()),
            "new": documents.pinset_header(WHOLE),
            "changes": [change._asdict() for change in CHANGED],
        },
    ),
    "fix, nothing to do": ("fix", documents.course(Course(report=report(), steps=()))),
    "fix, a plan": (
        "fix",
        documents.course(
            Course(report=report(NUMPY), steps=STEPS, untreated=(VARIABLE,), probes=("numpy",))
        ),
    ),
    "fix, done": (
        "fix",
        documents.course(
            Course(
                report=report(NUMPY),
                steps=STEPS,
                applied=True,
                runs=(1, 2),
                outcome=report(VARIABLE),
                remarks=("run 1 was interrupted",),
            )
        ),
    ),
    "undo": (
        "undo",
        {"prefix": "/venv", "undone": [2, 1], "runs": [3, 4], "remarks": ["it was finished"]},
    ),
    "history": (
        "history",
        {
            "prefix": "/venv",
            "runs": [
                history_command._entry(Entry(number=1, state="damaged", problem="truncated")),
                *(
                    history_command._entry(
                        Entry(
                            number=2,
                            state=state,
                            command="fix --apply",
                            began="2026-11-26T05:34:07+00:00",
                            undoes=1,
                            undone_by=3,
                            paths=(Path("/venv/pip.conf"),),
                            extra={"packages": {}},
                        )
                    )
                    for state in STATES
                ),
            ],
        },
    ),
    "hook-status": (
        "hook-status",
        documents.hook(
            HookReport(
                interpreter=report().interpreter,
                cpu=report().cpu,
                via="pth",
                identity="0123456789ab",
                files=(Path("/venv/lib/_legacy_doctor.pth"),),
                made_for="AMD Phenom(tm) II",
                target="phenom-ii",
                pinsets=("below-v2@2026-11-20",),
                rules=(
                    HookRule(
                        kind="guard",
                        name="numpy",
                        distribution="numpy",
                        versions=">=2.4",
                        needs=frozenset({"sse4_1"}),
                        installed="2.4.6",
                        here=True,
                        acts=True,
                        remedy="pip install 'numpy<2.4'",
                        listed=("/models",),
                    ),
                ),
                problems=("damaged",),
                stale=("old",),
                live=False,
            )
        ),
    ),
    "patch-list": (
        "patch-list",
        {"patches": [patch_command._plain(item) for item in patches.every()]},
    ),
    "patch-show": ("patch-show", {"patch": patch_command._plain(patches.every()[0])}),
    "patch-status": (
        "patch-status",
        {"patches": [{"id": "x", "state": state.value, "why": "w"} for state in State]},
    ),
    "checkpoint, healthy": ("checkpoint", checkpoints.body(weights(), None)),
    "checkpoint, sick": ("checkpoint", checkpoints.body(sick_weights(), COPY)),
    "check, a project": ("check", documents.report(report(outlook=outlook()))),
    "profile-list": (
        "profile-list",
        {"profiles": [profile_report.header(item) for item in profiles.every()]},
    ),
    **{
        f"profile-show, {item.id}": (
            "profile-show",
            profile_report.body(outlook(item.id), (project_run(PHENOM, "fails"),), ("cmake",)),
        )
        for item in profiles.every()
    },
    "profile-detect": (
        "profile-detect",
        {"matches": [{"place": "/venv", **Sighting("f5-tts", certain=True, by="b")._asdict()}]},
    ),
    "profile-binary": ("profile-binary", profile_report.native_body(native_check())),
    "profile-binary, nothing started": (
        "profile-binary",
        profile_report.native_body(native_check(program=None, declared=(), switched={})),
    ),
    "tune": ("tune", documents.tuning(tuning())),
    "tune, measured and written": (
        "tune",
        documents.tuning(
            tuning(
                measured=measurement(1.4, kept=True), file=env_file(written=True), severity="error"
            )
        ),
    ),
}


def printed(command: str, body: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(documents.dump(command, "0.1.0", body))
    assert isinstance(document, dict)
    return document


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("command", "body"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_as_the_schema_says_and_nothing_more(
    command: str, body: dict[str, Any]
) -> None:
    document = printed(command, body)
    VALIDATOR.validate(document)
    assert document["schema_version"] == documents.SCHEMA_VERSION
    assert document["tool"] == {"name": "legacy-doctor", "version": "0.1.0"}
    assert document["command"] == command


@pytest.mark.parametrize(("command", "body"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_schema_asks_for_every_field_of_a_document(command: str, body: dict[str, Any]) -> None:
    document = printed(command, body)
    for key in body:
        if key == "named":
            continue
        less = copy.deepcopy(document)
        del less[key]
        assert not VALIDATOR.is_valid(less), key


def test_the_schema_asks_for_every_field_of_a_pin() -> None:
    for key in documents.pin(PIN):
        document = printed(*DOCUMENTS["explain"])
        del document["pins"][0][key]
        assert not VALIDATOR.is_valid(document), key


def test_the_schema_allows_additions() -> None:
    document = printed(*DOCUMENTS["check, sick"])
    document["news"] = document["findings"][0]["news"] = 1
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(["status"], "sick", id="a status"),
        pytest.param(["command"], "chekc", id="a command"),
        pytest.param(["schema_version"], 2, id="a schema version"),
        pytest.param(["findings", 0, "severity"], "fatal", id="a severity"),
        pytest.param(["findings", 0, "evidence", 0, "grade"], "sure", id="a grade"),
        pytest.param(["findings", 0, "remedy", "kind"], "pray", id="a remedy"),
        pytest.param(["cpu", "hidden", 0, "by"], "fate", id="who hides"),
        pytest.param(["cpu", "level"], "x86-64-v5", id="a level"),
        pytest.param(["findings", 0, "standing"], "sure", id="a standing"),
        pytest.param(["findings", 0, "fault", "kind"], "bug", id="a kind of fault"),
        pytest.param(["findings", 0, "fault", "offset"], "2dbcc", id="an offset"),
        pytest.param(["probes", "wanted"], "some", id="a wish"),
        pytest.param(["probes", "results", 0, "outcome"], "bad", id="an outcome"),
        pytest.param(["probes", "results", 0, "stage"], "exit", id="a stage"),
        pytest.param(["probes", "results", 0, "seconds"], 1.5, id="a time in a check"),
    ],
)
def test_the_schema_knows_the_words(path: list[Any], value: Any) -> None:
    document = printed(
        "check",
        documents.report(
            report(
                dataclasses.replace(NUMPY, fault=fault()),
                cpu=RICH,
                probing=Probing(wanted="all", how="qemu", results=(died("numpy"),)),
            )
        ),
    )
    VALIDATOR.validate(document)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(document)


def test_the_words_of_the_schema_are_those_of_the_house() -> None:
    words = SCHEMA["$defs"]
    assert words["severity"]["enum"] == [item.value for item in Severity]
    assert words["remedy"]["properties"]["kind"]["enum"] == [item.value for item in RemedyKind]
    grades = words["evidence"]["items"]["properties"]["grade"]["enum"]
    assert grades == [item.value for item in Grade]
    hidden = words["cpu"]["properties"]["hidden"]["items"]["properties"]["by"]["enum"]
    assert hidden == [item.value for item in HiddenBy]
    standings = words["findings"]["items"]["properties"]["standing"]["enum"]
    assert standings == [item.value for item in Standing]
    kinds = words["fault"]["properties"]["kind"]["enum"]
    assert kinds == [item.value for item in FaultKind]
    outcomes = words["probe-result"]["properties"]["outcome"]["enum"]
    assert outcomes == [item.value for item in Outcome]
    states = words["patch-status"]["properties"]["patches"]["items"]["properties"]["state"]["enum"]
    assert states == [item.value for item in State]
    assert words["tune"]["properties"]["work"]["enum"] == [item.value for item in Work]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        pytest.param(report(), "healthy", id="nothing found"),
        pytest.param(report(NUMPY), "findings", id="an error"),
        pytest.param(report(VARIABLE), "healthy", id="a warning, errors count"),
        pytest.param(report(VARIABLE, fail_on=Severity.WARNING), "findings", id="warnings count"),
        pytest.param(report(NUMPY, fail_on=None), "healthy", id="nothing counts"),
        pytest.param(report(distributions=0), "nothing-to-examine", id="nothing installed"),
        pytest.param(report(NUMPY, distributions=0), "findings", id="nothing but a finding"),
    ],
)
def test_the_status_says_the_exit_code_in_words(value: Report, status: str) -> None:
    assert documents.status(value) == status
    assert documents.report(value)["status"] == status


def test_a_summary_counts() -> None:
    value = report(NUMPY, NUMPY, VARIABLE, HINT, ignored=4, unjudged=("x",), distributions=9)
    assert documents.report(value)["summary"] == {
        "errors": 2,
        "warnings": 1,
        "infos": 1,
        "ignored": 4,
        "distributions": 9,
        "unjudged": ["x"],
    }


def test_a_whole_finding() -> None:
    value = dataclasses.replace(
        NUMPY,
        needs=frozenset({"avx", "sse4_1"}),
        missing=frozenset({"sse4_1"}),
        paths={"pandas": ("pandas", "numpy")},
        details=("more",),
    )
    assert documents.finding(value) == {
        "rule": "broken-pin",
        "severity": "error",
        "subject": "numpy",
        "version": "2.4.6",
        "message": "dies on import: SIGILL at pinsrq; needs sse4_1",
        "cause": "numpy",
        "affects": ["datasets", "pandas"],
        "paths": {"pandas": ["pandas", "numpy"]},
        "needs": ["sse4_1", "avx"],
        "missing": ["sse4_1"],
        "details": ["more"],
        "evidence": [{"grade": "emulated", "source": "example/project#1", "detail": ""}],
        "standing": "predicted",
        "fault": None,
        "remedy": {
            "kind": "pin",
            "text": "install numpy<2.4 (2.3.5 is known to run)",
            "install": ["numpy<2.4"],
            "uninstall": [],
            "commands": [],
        },
        "location": None,
    }


def test_a_place_counts_from_one() -> None:
    place = documents.finding(finding(location=Location("r.txt", 3, 7)))["location"]
    assert place == {"path": "r.txt", "line": 3, "column": 7}


def test_a_finding_without_a_remedy() -> None:
    assert documents.finding(finding())["remedy"] is None


def test_a_whole_fault() -> None:
    found = documents.finding(CONFIRMED)
    assert found["standing"] == "confirmed"
    assert found["fault"] == {
        "signal": "SIGILL",
        "kind": "unsupported-instruction",
        "code": "ILL_ILLOPN",
        "address": "0x7f000002dbcc",
        "library": f"/venv/lib/python3.11/site-packages/{UMATH}",
        "path": UMATH,
        "offset": "0x2dbcc",
        "symbol": "_GLOBAL__sub_I_argfunc",
        "bytes": "66480f3a22c001",
        "instruction": "pinsrq $1, %rax, %xmm0",
        "needs": ["sse4_1"],
        "owner": "numpy",
        "place": "static initialiser",
        "frames": [
            {
                "file": "/venv/lib/python3.11/site-packages/numpy/__init__.py",
                "line": 110,
                "function": "<module>",
            }
        ],
        "known": "",
    }


def test_a_fault_of_which_little_is_known() -> None:
    found = documents.fault(BARE_FAULT)
    assert (found["address"], found["offset"], found["frames"]) == (None, None, [])


def test_whole_results() -> None:
    value = Probing(
        wanted="risky",
        how=PHENOM_PLAYED,
        unplayable=frozenset({"xop", "fma4"}),
        results=(raised("x", "no", "x/__init__.py", stage="use", of="OSError"),),
    )
    assert documents.probing(value) == {
        "wanted": "risky",
        "how": "qemu-x86_64 7.2.22 -cpu phenom",
        "ran": True,
        "obstacle": "",
        "unplayable": ["fma4", "xop"],
        "results": [
            {
                "id": "x",
                "distribution": "x",
                "outcome": "raised",
                "stage": "use",
                "reason": "",
                "fault": None,
                "raised": {
                    "type": "OSError",
                    "message": "no",
                    "frames": [
                        {
                            "file": "/venv/lib/python3.11/site-packages/x/__init__.py",
                            "line": 1,
                            "function": "<module>",
                        }
                    ],
                },
                "stderr": "",
                "emulator": "qemu-x86_64 7.2.22 -cpu phenom",
                "overrides": {},
                "held": ["no-network", "read-only"],
                "leftovers": 0,
                "cached": False,
            }
        ],
    }


def test_times_are_told_by_the_probe_command_only() -> None:
    results = (ran("x", overrides=(("A", "1"),), seconds=1.23456), ran("gone"))
    body = documents.probe_report(patient(dist("x", "2")), "on this CPU", results)
    first, second = body["probes"]
    assert (first["version"], first["seconds"], first["overrides"]) == ("2", 1.235, {"A": "1"})
    assert second["version"] is None
    assert body["how"] == "on this CPU"
    assert "seconds" not in documents.probe_result(results[0])


def test_frames_are_named() -> None:
    body = documents.fault(dataclasses.replace(BARE_FAULT, frames=(Frame("f", 2, "g"),)))
    assert body["frames"] == [{"file": "f", "line": 2, "function": "g"}]


def test_a_pin_tells_every_version_from_none() -> None:
    assert documents.pin(PIN)["broken"] == ""
    assert documents.pin(pin("x", good="<2"))["broken"] is None
    assert documents.pin(PIN)["when"] == {"vendor": "AuthenticAMD", "cpuid_level_below": 7}
    assert documents.pin(pin("x", good="<2"))["when"] is None


def test_a_pin_tells_on_what_cpu_it_was_tried() -> None:
    assert documents.pin(PIN)["runs_without"] == ["ssse3", "avx"]
    assert documents.pin(pin("x", good="<2"))["runs_without"] == []


def test_a_story_tells_the_commands() -> None:
    assert documents.story(STORY)["prescription"] == [
        "uv pip install --python /venv/bin/python 'numpy<2.4'"
    ]


def test_a_document_is_stable_and_keeps_its_letters() -> None:
    body = documents.report(report(NUMPY, probing=Probing(obstacle="für später")))
    assert documents.dump("check", "1", body) == documents.dump("check", "1", body)
    assert "für später" in documents.dump("check", "1", body)
    assert documents.cpu(PHENOM)["features"] == sorted(PHENOM.features)


def test_the_table_of_cpus_has_one_that_cannot_be_played() -> None:
    assert cpu_command._entry(NEVER_PLAYED)["emulation"] is None
