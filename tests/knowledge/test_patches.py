"""One patch folder: all it may say, and the laws it must keep."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from legacy_doctor.cpu import features, models
from legacy_doctor.errors import DataError, UnknownNameError
from legacy_doctor.knowledge import catalogue, patches
from legacy_doctor.knowledge.patches import (
    Build,
    Condition,
    Edit,
    EntryPoint,
    Hooked,
    Kind,
    Landmark,
    Place,
    Provided,
    Side,
)
from legacy_doctor.model import Evidence, Grade, When

SCHEMA = json.loads((catalogue.folder("patches") / "schema.json").read_text("utf-8"))
SHA = "0" * 64

HEAD = """
schema = 1
id = "p"
title = "t"
distribution = "My.Torch"
versions = ">=2.5, <3"
kind = "{kind}"
advice = "offered"
cost = "c"
evidence = [{{ grade = "reported", source = "me", detail = "d" }}]
"""
EDIT = f"""
[[edits]]
versions = ">=2.5"
file = "torch/__init__.py"
block = "return"
pristine = ["{SHA}"]
obsolete-with = "cured = True"
[edits.into]
function = "A.f"
known = ["{SHA}"]
"""
PROVIDES = """
[provides]
name = "My_Guard"
version = "1.0"
summary = "s"
modules = ["guard.py"]
[[provides.entry-points]]
group = "g"
name = "n"
object = "m:o"
"""
HOOK = '[hook]\nmodules = ["torch"]\nscope = "paths"\n'
BUILD = '[build]\nrequires = ["numpy<2.4"]\noptions = ["--no-deps"]\n'
BODY = {"file": EDIT, "distribution": PROVIDES, "hook": HOOK, "build": BUILD}


def folder(tmp_path: Path, text: str, name: str = "p") -> Path:
    home = tmp_path / name
    home.mkdir(exist_ok=True)
    (home / "patch.toml").write_text(text)
    (home / "guard.py").write_text("x = 1\n")
    return home


def document(kind: str, body: str | None = None, extra: str = "") -> str:
    return HEAD.format(kind=kind) + extra + (BODY[kind] if body is None else body)


def message(tmp_path: Path, text: str) -> str:
    home = folder(tmp_path, text)
    with pytest.raises(DataError) as caught:
        patches.read(home)
    assert "\n" not in str(caught.value)
    prefix = f"{home / 'patch.toml'}: "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


# --- what it may say


def test_a_file_patch_is_read_to_the_last_word(tmp_path: Path) -> None:
    extra = (
        'dangers = ["d"]\ninstead = ["q"]\nupstream = "o/r#1"\ndisarmed-by = ["A=1"]\n'
        'needed-by = [{ lacks = ["sse4_1"] }, { vendor = "AuthenticAMD", cpuid-level-below = 11 }]\n'
    )

    patch = patches.read(folder(tmp_path, document("file", extra=extra)))

    assert patch == patches.Patch(
        id="p",
        title="t",
        distribution="my-torch",
        versions=">=2.5,<3",
        kind=Kind.FILE,
        recommended=False,
        cost="c",
        evidence=(Evidence(grade=Grade.REPORTED, source="me", detail="d"),),
        conditions=(
            Condition(lacks=frozenset({"sse4_1"})),
            Condition(when=When(vendor="AuthenticAMD", cpuid_level_below=11)),
        ),
        dangers=("d",),
        instead=("q",),
        upstream="o/r#1",
        disarmed_by=("A=1",),
        edits=(
            Edit(
                versions=">=2.5",
                file="torch/__init__.py",
                place=Place(side=Side.INTO, landmark=Landmark.FUNCTION, text="A.f", known=(SHA,)),
                block="return",
                pristine=(SHA,),
                obsolete_with="cured = True",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        pytest.param(
            '[edits.before]\nstatement = "a()"',
            Place(side=Side.BEFORE, landmark=Landmark.STATEMENT, text="a()"),
            id="before a statement",
        ),
        pytest.param(
            "[edits.after]\nline = 'x = 1'",
            Place(side=Side.AFTER, landmark=Landmark.LINE, text="x = 1"),
            id="after a line",
        ),
    ],
)
def test_a_block_is_placed(tmp_path: Path, place: str, wanted: Place) -> None:
    body = (
        f'[[edits]]\nversions = "*"\nfile = "a.py"\nblock-from = ["guard.py", "../q/b.py"]\n{place}'
    )
    folder(tmp_path, "", "q")
    (tmp_path / "q/b.py").write_text("y = 2\n\n")

    edit = patches.read(folder(tmp_path, document("file", body))).edits[0]

    assert edit.place == wanted
    assert edit.versions == ""
    assert edit.block == "x = 1\n\ny = 2"


def test_the_other_kinds_are_read(tmp_path: Path) -> None:
    provided = patches.read(folder(tmp_path, document("distribution"))).provides
    hooked = patches.read(folder(tmp_path, document("hook"))).hooked
    build = patches.read(folder(tmp_path, document("build"))).build

    assert provided == Provided(
        name="my-guard",
        version="1.0",
        summary="s",
        modules=(("guard.py", "x = 1\n"),),
        entry_points=(EntryPoint(group="g", name="n", object="m:o"),),
    )
    assert hooked == Hooked(modules=("torch",), scope="paths")
    assert build == Build(requires=("numpy<2.4",), options=("--no-deps",))


# --- for whom it is


@pytest.mark.parametrize(
    ("conditions", "suited"),
    [
        pytest.param((), {"phenom", "core2duo", "Haswell", "Opteron_G4"}, id="no condition"),
        pytest.param(
            (Condition(lacks=frozenset({"sse4_1"})),), {"phenom", "core2duo"}, id="a feature"
        ),
        pytest.param(
            (Condition(when=When(vendor="AuthenticAMD", cpuid_level_below=11)),),
            {"phenom"},
            id="a vendor and its leaves",
        ),
        pytest.param(
            (
                Condition(lacks=frozenset({"avx2"}), when=When(vendor="AuthenticAMD")),
                Condition(lacks=frozenset({"ssse3"})),
            ),
            {"phenom", "Opteron_G4"},
            id="both of one, or the other",
        ),
    ],
)
def test_whom_a_patch_suits(
    conditions: tuple[Condition, ...], suited: set[str], tmp_path: Path
) -> None:
    read = patches.read(folder(tmp_path, document("hook")))
    patch = patches.Patch(
        **{name: getattr(read, name) for name in read.__slots__ if name != "conditions"},
        conditions=conditions,
    )

    found = {
        name
        for name in ("phenom", "core2duo", "Haswell", "Opteron_G4")
        if patch.suits(models.find(name).cpu)
    }

    assert found == suited


@pytest.mark.parametrize(
    ("version", "claimed"),
    [("2.4.1", False), ("2.5.0", True), ("2.13.0+cpu", True), ("2.7.0a0+git", True), ("3", False)],
)
def test_which_versions_are_claimed(version: str, claimed: bool, tmp_path: Path) -> None:
    assert patches.read(folder(tmp_path, document("hook"))).claims(version) is claimed


# --- finding them


def test_the_recommended_come_first_and_are_found_by_id(tmp_path: Path) -> None:
    for name, advice in (("a", "offered"), ("b", "recommended"), ("c", "offered")):
        text = document("hook").replace('"p"', f'"{name}"').replace("offered", advice)
        folder(tmp_path, text, name)

    found = patches.every(tmp_path)

    assert [item.id for item in found] == ["b", "a", "c"]
    assert patches.find("c", found) is found[2]


def test_an_unknown_id_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        patches.find("torch-onednn-of")

    assert str(caught.value).startswith("no patch 'torch-onednn-of'; did you mean ")
    assert "'torch-onednn-off'" in str(caught.value)


# --- what is wrong


WRONG = {
    "another format": (document("hook").replace("schema = 1", "schema = 2"), "schema: "),
    "an id of another folder": (
        document("hook").replace('"p"', '"q"'),
        "id: 'q' lies in the folder 'p'",
    ),
    "a kind without its part": (
        document("hook", ""),
        "hook: a patch of kind 'hook' must say it",
    ),
    "a part of another kind": (
        document("hook") + BUILD,
        "build: nothing for a patch of kind 'hook'",
    ),
    "no versions": (
        document("hook").replace('versions = ">=2.5, <3"\n', ""),
        "versions: say for which versions",
    ),
    "no evidence": (
        re.sub(r"evidence = .*", "", document("hook")),
        "evidence: nothing is stated without",
    ),
    "an empty condition": (
        document("hook", extra="needed-by = [{}]\n"),
        "needed-by[0].lacks: a condition names",
    ),
    "a condition with a feature unknown": (
        document("hook", extra='needed-by = [{ lacks = ["sse41"] }]\n'),
        "needed-by[0].lacks[0]: unknown feature 'sse41'; did you mean 'sse4_1'?",
    ),
    "a hash that is none": (
        document("file").replace(f'pristine = ["{SHA}"]', 'pristine = ["abc"]'),
        "edits[0].pristine[0]: not a sha256 in hexadecimal: 'abc'",
    ),
    "a file outside": (
        document("file").replace("torch/__init__.py", "../a.py"),
        "edits[0].file: not a plain relative path: '../a.py'",
    ),
    "an absolute file": (
        document("file").replace("torch/__init__.py", "/a.py"),
        "edits[0].file: not a plain relative path: '/a.py'",
    ),
    "no place": (
        document("file").partition("[edits.into]")[0],
        "edits[0].before: an edit needs exactly one of",
    ),
    "two places": (
        document("file") + '[edits.before]\nline = "x"\n',
        "edits[0].before: an edit needs exactly one of",
    ),
    "a place that is no table": (
        document("file").partition("[edits.into]")[0] + "before = 1\n",
        "edits[0].before: expected a table",
    ),
    "into a line": (
        document("file").partition("[edits.into]")[0] + '[edits.into]\nline = "x"\n',
        "edits[0].into: expected a table with `function`",
    ),
    "before a function": (
        document("file").partition("[edits.into]")[0] + '[edits.before]\nfunction = "x"\n',
        "edits[0].before: expected a table with one of `statement` and `line`",
    ),
    "a function in no known form": (
        document("file").replace(f'known = ["{SHA}"]', ""),
        "edits[0].into.known: name the sha256",
    ),
    "no block": (
        document("file").replace('block = "return"\n', ""),
        "edits[0].block: an edit needs",
    ),
    "a block twice": (
        document("file").replace('block = "return"', 'block = "x"\nblock-from = ["guard.py"]'),
        "edits[0].block: an edit needs",
    ),
    "a source that is not there": (
        document("file").replace('block = "return"', 'block-from = ["no.py"]'),
        "edits[0].block-from: 'no.py' cannot be read (No such file or directory)",
    ),
    "a source outside": (
        document("file").replace('block = "return"', 'block-from = ["../../no.py"]'),
        "edits[0].block-from: not a plain relative path: '../no.py'",
    ),
    "no modules to install": (
        document("distribution").replace('["guard.py"]', "[]"),
        "provides.modules: name the files",
    ),
    "nothing to look out for": (
        document("hook").replace('["torch"]', "[]"),
        "hook.modules: name the modules",
    ),
    "a requirement that is none": (
        document("build").replace("numpy<2.4", "numpy<<2"),
        "build.requires[0]: not a requirement: 'numpy<<2'",
    ),
    "a key of nobody": (document("hook", extra="costs = 1\n"), "costs: unknown key; did you mean"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert message(tmp_path, text).startswith(said)


def test_a_source_that_is_no_text_is_told(tmp_path: Path) -> None:
    home = folder(tmp_path, document("distribution"))
    (home / "guard.py").write_bytes(b"\xff")

    with pytest.raises(DataError, match=r"provides\.modules: 'guard\.py' cannot be read \("):
        patches.read(home)


# --- schema.json


def _objects(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from _objects(value)


def test_the_schema_is_one_closed_and_knows_the_words() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    defs = SCHEMA["$defs"]

    assert all(item["additionalProperties"] is False for item in _objects(SCHEMA))
    assert set(defs["feature"]["enum"]) == {*features.LEVELS, *features.KNOWN}
    assert defs["proof"]["properties"]["grade"]["enum"] == [item.value for item in Grade]
    assert SCHEMA["properties"]["kind"]["enum"] == [item.value for item in Kind]
    assert SCHEMA["properties"]["schema"]["const"] == patches.FORMAT


FULL = {
    "document": (document("hook"), "", lambda: SCHEMA["properties"]),
    "proof": (
        re.sub(r"evidence = .*\n", "", document("hook")),
        '[[evidence]]\ngrade = "reported"\nsource = "me"\n',
        lambda: SCHEMA["$defs"]["proof"]["properties"],
    ),
    "condition": (document("hook"), "[[needed-by]]\n", lambda: _of("condition")),
    "edit": (document("file", ""), EDIT.partition("[edits.into]")[0], lambda: _of("edit")),
    "into": (
        document("file", EDIT.partition("[edits.into]")[0]),
        "[edits.into]\n" + EDIT.partition("[edits.into]\n")[2],
        lambda: _of("into"),
    ),
    "beside": (
        document("file", EDIT.partition("[edits.into]")[0]),
        "[edits.before]\n",
        lambda: _of("beside"),
    ),
    "provides": (
        document("distribution", ""),
        PROVIDES.partition("[[")[0],
        lambda: _of("provides"),
    ),
    "entry-point": (
        document("distribution", PROVIDES.partition("[[")[0]),
        "[[provides.entry-points]]" + PROVIDES.partition("entry-points]]")[2],
        lambda: _of("entry-point"),
    ),
    "hook": (document("hook", ""), HOOK, lambda: _of("hook")),
    "build": (document("build", ""), BUILD, lambda: _of("build")),
}


def _of(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"][kind]["properties"]
    return found


def _refusal(tmp_path: Path, kind: str, key: str) -> str:
    """What the reader says of a key whose value no getter accepts."""
    before, own, _ = FULL[kind]
    odd = f"{key} = 1979-05-27T07:32:00Z\n"
    if kind == "document":
        text = re.sub(rf"^{re.escape(key)} = .*\n", "", before, flags=re.MULTILINE)
        text = re.sub(rf"\[{re.escape(key)}\][^\[]*", "", text)
        text = odd + text
    else:
        text = before + re.sub(rf"^{re.escape(key)} = .*\n", "", own, flags=re.MULTILINE)
        text += odd
    try:
        patches.read(folder(tmp_path, text))
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind in FULL for key in sorted(FULL[kind][2]())]
)
def test_the_reader_knows_every_key_of_the_schema(tmp_path: Path, kind: str, key: str) -> None:
    said = _refusal(tmp_path, kind, key)

    assert said, f"{key} of {kind} takes anything"
    assert "unknown key" not in said


@pytest.mark.parametrize("kind", FULL)
def test_the_reader_refuses_a_key_that_the_schema_does_not_know(tmp_path: Path, kind: str) -> None:
    said = _refusal(tmp_path, kind, "no-such-key")

    assert said
