"""Pins that stay: which versions are kept out, how that is written, and who obeys it."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from legacy_doctor.cpu import models
from legacy_doctor.errors import DoctorError, UnknownNameError
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import (
    Alternative,
    Cpu,
    Evidence,
    Grade,
    Knowledge,
    Pin,
    PinSet,
    Severity,
    When,
)
from legacy_doctor.treatment import files, pins, uvproject
from legacy_doctor.treatment.journal import Journal
from legacy_doctor.treatment.pins import Advice, PinLine
from legacy_doctor.treatment.steps import Plan
from tests.conftest import clean
from tests.treatment.environments import UV, Venv, make, shop, wheelhouse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PHENOM = models.find("phenom-ii").cpu
NUMPY = PinLine(name="numpy", specifier="<2.4", reason="SIGILL", grade=Grade.EMULATED)
PYARROW = PinLine(name="pyarrow", specifier=None, reason="SIGILL\nhere", grade=Grade.SILICON)
MARKED = PinLine(
    name="six",
    specifier=">=1,<2",
    reason="why",
    grade=Grade.REPORTED,
    marker='python_version < "3.12"',
)
LINES = (NUMPY, PYARROW, MARKED)


def pin(
    broken: str | None,
    good: str | None,
    *,
    grade: Grade = Grade.EMULATED,
    severity: Severity = Severity.ERROR,
    needs: tuple[str, ...] = ("sse4_1",),
    name: str = "numpy",
    **more: object,
) -> Pin:
    return Pin(
        distribution=name,
        broken=broken,
        good=good,
        needs=frozenset(needs),
        evidence=(Evidence(grade=grade, source="s"),),
        severity=severity,
        symptom=f"dies of {broken or 'all'}",
        **more,  # type: ignore[arg-type]
    )


def knowledge(*found: Pin, lacks: tuple[str, ...] = ("sse4_1",)) -> Knowledge:
    one = PinSet(
        id="p", version="1", title="t", lacks=frozenset(lacks), origin=Path("p"), pins=found
    )
    return Knowledge(pinsets=(one,))


WARNING = Severity.WARNING
KNOWN = {
    "one": ([pin(">=2.4", "<2.4")], "<2.4"),
    "none": ([], "-"),
    "two, both met": ([pin(">=2.4", "<2.4"), pin("==2.1", "!=2.1")], "<2.4,!=2.1"),
    "the stronger about the same lack": (
        [pin(">=2.4", "<2.4"), pin(">=2", "==1.26.4", grade=Grade.REPORTED)],
        "<2.4",
    ),
    "both about different lacks": (
        [pin(">=2.4", "<2.4"), pin(">=2", "<2", grade=Grade.REPORTED, needs=("ssse3",))],
        "<2.4,<2",
    ),
    "a warning that is more than reported": (
        [pin("==2.1", "!=2.1", severity=WARNING, grade=Grade.MAINTAINER)],
        "!=2.1",
    ),
    "a warning that is only reported": (
        [pin("==2.1", "!=2.1", severity=WARNING, grade=Grade.REPORTED)],
        "-",
    ),
    "an error beside a warning": (
        [pin("<1", ">=1", severity=WARNING), pin(">=2.4", "<2.4")],
        "<2.4",
    ),
    "a note": ([pin(">=2", "<2", severity=Severity.INFO)], "-"),
    "one that this CPU has": ([pin(">=2", "<2", needs=("sse2",))], "-"),
    "one of another vendor": ([pin(">=2", "<2", when=When(vendor="GenuineIntel"))], "-"),
    "one that something installed prevents": ([pin(">=2", "<2", unless=("six",))], "-"),
    "one that only says what runs": ([pin(None, "<2")], "-"),
    "no good version": ([pin(">=3", None)], None),
    "no good version of any": ([pin("", None)], None),
    "good ones that others break": (
        [pin(">=2.4", "<2.4", last_good="2.3"), pin(">=2", None)],
        None,
    ),
    "good ones that others leave": (
        [pin(">=2.4", "<2.4", last_good="2.3"), pin("<1", None)],
        "<2.4",
    ),
}


@pytest.mark.parametrize(("known", "wanted"), KNOWN.values(), ids=KNOWN)
def test_what_is_kept_out(known: list[Pin], wanted: str | None) -> None:
    found = pins.for_cpu(PHENOM, knowledge(*known), installed=["Six"])
    assert [line.specifier for line in found] == ([] if wanted == "-" else [wanted])


def test_a_pin_set_for_other_machines_says_nothing() -> None:
    assert pins.for_cpu(PHENOM, knowledge(pin(">=2", "<2"), lacks=("sse2",))) == ()


def test_reasons_tell_versions_and_ways_out() -> None:
    def reason(*found: Pin) -> str:
        return pins.for_cpu(PHENOM, knowledge(*found))[0].comment

    compat = Alternative(requirement="polars[rtcompat]", needs=frozenset({"sse2"}))
    newer = Alternative(requirement="newer", needs=frozenset({"avx"}))
    assert reason(pin(">=2.4", "<2.4")) == ">=2.4: dies of >=2.4 (emulated)"
    assert reason(pin("", None)) == "broken: every version: dies of all (emulated)"
    assert reason(pin("<1", None), pin(">=1", None, cure="set X=0")) == (
        "broken: <1 and >=1: dies of >=1; set X=0 (emulated)"
    )
    assert reason(pin(">=1", None, alternatives=(newer, compat), cure="no")) == (
        "broken: >=1: dies of >=1; instead: polars[rtcompat] (emulated)"
    )
    assert reason(pin("==1", "!=1"), pin(">=2", None)) == (
        "==1: dies of ==1; no better is known of >=2 (emulated)"
    )


@pytest.mark.parametrize("name", ["phenom-ii", "sandy-bridge", "penryn"])
def test_the_shipped_pins_keep_every_broken_version_out(name: str) -> None:
    """What is written admits no version that an error of at least the same weight calls broken."""
    try:
        cpu: Cpu = models.find(name).cpu
    except DoctorError:
        pytest.skip(f"no CPU called {name}")
    shipped = Knowledge(pinsets=catalogue.current())
    lines = pins.for_cpu(cpu, shipped)
    assert [line.name for line in lines] == sorted({line.name for line in lines})
    text = pins.render(lines, "constraints")
    assert all("\n" not in line.comment for line in lines)
    for row in text.splitlines():
        if not row.startswith("#"):
            Requirement(row)
    by_name = {line.name: line for line in lines if line.specifier is not None}
    for item in shipped.pins:
        line = by_name.get(item.distribution)
        if (
            line
            and item.bites(cpu)
            and item.first_bad
            and item.good
            and item.severity is Severity.ERROR
        ):
            assert not SpecifierSet(line.specifier or "").contains(item.first_bad), item
    assert by_name.get("numpy") is None or by_name["numpy"].specifier == "<2.4"


def test_lines_are_one_a_name_and_in_order() -> None:
    found = pins.lines(
        [
            Advice("Six", ">=1 , <2", "weak", Grade.REPORTED),
            Advice("six", "!=1.5,<2", "strong", Grade.EMULATED),
            Advice("a_b", "", "any", Grade.INFERRED),
            Advice("six", "<1", "old", Grade.REPORTED, 'python_version < "3"'),
            Advice("zope", "<1", "one", Grade.REPORTED),
            Advice("zope", None, "none", Grade.REPORTED),
        ]
    )
    assert [(line.name, line.specifier, line.reason) for line in found] == [
        ("a-b", "", "any"),
        ("six", "<2,>=1,!=1.5", "strong"),
        ("six", "<1", "old"),
        ("zope", None, "none"),
    ]
    assert found[2].requirement == 'six<1 ; python_version < "3"'
    assert found[3].forbidding == "zope<0"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        pytest.param("!=1.6.0", "!=1.5.0", "!=1.5.0,!=1.6.0", id="in the order of versions"),
        pytest.param("!=1.10", "!=1.9", "!=1.9,!=1.10", id="of versions, not of letters"),
        pytest.param("<1.14", "!=1.14.2", "<1.14", id="what is out of bounds anyhow"),
        pytest.param("!=1.14.2", "<1.15", "<1.15,!=1.14.2", id="what lies within, behind them"),
        pytest.param("!=2.0b1", ">=1", ">=1,!=2.0b1", id="a pre-release"),
        pytest.param("!=1.5.*", ">=2", "!=1.5.*,>=2", id="a series is a bound"),
        pytest.param("<2", "<2", "<2", id="the same twice"),
        pytest.param("", "!=1", "!=1", id="nothing else"),
    ],
)
def test_single_versions_stand_last_and_only_where_they_matter(
    one: str, other: str, both: str
) -> None:
    grades = (Grade.EMULATED, Grade.REPORTED)
    advice = [Advice("x", text, "r", g) for text, g in zip((one, other), grades, strict=True)]
    (found,) = pins.lines(advice)
    assert found.specifier == both


NUMBERS = st.sampled_from(["1", "1.5", "1.10", "2.0", "2.0rc1", "3!1", "1.5.post1"])
PARTS = st.tuples(st.sampled_from(["!=", "<", ">=", "==", "~="]), NUMBERS).map("".join)


@given(st.lists(PARTS.filter(lambda part: part not in {"~=1", "~=3!1"}), min_size=1), NUMBERS)
def test_what_is_left_out_changes_nothing(parts: list[str], version: str) -> None:
    (found,) = pins.lines([Advice("x", part, "r", Grade.EMULATED) for part in parts])
    asked = SpecifierSet(",".join(parts))
    answer = SpecifierSet(found.specifier or "")
    assert answer.contains(version, prereleases=True) is asked.contains(version, prereleases=True)


def test_a_specifier_that_is_none_is_told() -> None:
    with pytest.raises(DoctorError, match="six: 'new' is no version specifier"):
        pins.lines([Advice("six", "new", "r", Grade.REPORTED)])


HEAD = "# Written by legacy-doctor: versions that run on this CPU.\n"
NONE = "# pyarrow: no version is known to run; SIGILL here (silicon)\n"
TEXTS = {
    "constraints": (
        f"{HEAD}# SIGILL (emulated)\nnumpy<2.4\n{NONE}# why (reported)\n"
        'six>=1,<2 ; python_version < "3.12"\n'
    ),
    "requirements": (
        f"{HEAD}# SIGILL (emulated)\nnumpy<2.4\n{NONE}# why (reported)\n"
        'six>=1,<2 ; python_version < "3.12"\n'
    ),
    "uv": (
        f"{HEAD}[tool.uv]\nconstraint-dependencies = [\n"
        '    "numpy<2.4", # SIGILL (emulated)\n'
        f"    {NONE}"
        '    "six>=1,<2 ; python_version < \\"3.12\\"", # why (reported)\n]\n'
    ),
    "conda": (
        f"{HEAD}# Tried with wheels from PyPI; what conda builds may differ, and be named "
        f"otherwise.\n# SIGILL (emulated)\nnumpy <2.4\n{NONE}# why (reported)\nsix >=1,<2\n"
    ),
}


@pytest.mark.parametrize(("form", "wanted"), TEXTS.items(), ids=TEXTS)
def test_formats(form: str, wanted: str) -> None:
    assert pins.render(LINES, form) == wanted
    assert pins.render(LINES, form) == pins.render(LINES, form)


def test_json() -> None:
    document = json.loads(pins.render(LINES, "json"))
    assert document["schema_version"] == 1
    assert document["pins"][0] == {
        "name": "numpy",
        "specifier": "<2.4",
        "marker": None,
        "requirement": "numpy<2.4",
        "reason": "SIGILL",
        "grade": "emulated",
    }
    assert document["pins"][1]["requirement"] is None


def test_the_impossible_only_when_asked() -> None:
    assert pins.requirements(LINES, strict=True)[1] == "pyarrow<0"
    assert len(pins.requirements(LINES)) == 2
    assert "\npyarrow<0\n" in pins.render(LINES, "constraints", strict=True)
    assert "\npyarrow <0\n" in pins.render(LINES, "conda", strict=True)
    assert '"pyarrow<0", # SIGILL here' in pins.render(LINES, "uv", strict=True)


def test_uv_text_is_toml_whatever_the_reason_says() -> None:
    odd = PinLine(name="a", specifier="<1", reason='"\\ \x1b[1m', grade=Grade.REPORTED)
    assert tomllib.loads(pins.render([odd], "uv"))["tool"]["uv"]


def test_an_unknown_format_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match="no format 'condas'; did you mean 'conda'"):
        pins.render(LINES, "condas")


OURS = "/venv/legacy-doctor-constraints.txt"
CONF: dict[str, tuple[str, list[str], str]] = {
    "nothing": ("", [], f"[install]\nconstraint = {OURS}\n"),
    "another section": (
        "[global]\ntimeout = 5",
        [],
        f"[global]\ntimeout = 5\n\n[install]\nconstraint = {OURS}\n",
    ),
    "the section": (
        "# mine\n[install]\n; why\nno-deps = no\n[list]\nx = 1\n",
        [],
        f"# mine\n[install]\nconstraint = {OURS}\n; why\nno-deps = no\n[list]\nx = 1\n",
    ),
    "a value": (
        "[install]\nconstraint = /a /b\nuser = no\n",
        [],
        f"[install]\nconstraint = /a /b\n    {OURS}\nuser = no\n",
    ),
    "a value of many lines, with comments": (
        "[install]\nconstraint:\n  /a\n# not this\n\t/b\n\nuser = no\n",
        [],
        f"[install]\nconstraint:\n  /a\n# not this\n\t/b\n    {OURS}\n\nuser = no\n",
    ),
    "a value of another section": (
        "[download]\nconstraint = /a\n",
        [],
        f"[download]\nconstraint = /a\n\n[install]\nconstraint = {OURS}\n",
    ),
    "ours already": (
        f"[install]\nconstraint = /a\n    {OURS}\n",
        ["/a"],
        f"[install]\nconstraint = /a\n    {OURS}\n",
    ),
    "one inherited": (
        "",
        ["/etc/c.txt", "/b", OURS],
        f"[install]\nconstraint = /etc/c.txt\n    /b\n    {OURS}\n",
    ),
}


@pytest.mark.parametrize(("text", "inherited", "wanted"), CONF.values(), ids=CONF)
def test_pip_conf(text: str, inherited: list[str], wanted: str) -> None:
    found = pins.pip_conf(text, Path("/venv"), inherited)
    assert found == wanted
    assert pins.pip_conf(found, Path("/venv"), inherited) == found


@given(
    st.lists(
        st.sampled_from(
            ["[install]", "[global]", "# c", "; d", "", "timeout = 1", "user = no\n  x", "[list]"]
        ),
        max_size=8,
        unique=True,
    ),
    st.booleans(),
)
def test_pip_conf_says_more_and_nothing_else(rows: list[str], there: bool) -> None:
    """Read by configparser, as pip does: the rest is what it was."""
    if rows and not rows[0].startswith(("[", "#", ";")) and rows[0]:
        rows = ["[install]", *(row for row in rows if row != "[install]")]
    options = {"timeout = 1", "user = no\n  x"}
    first = next((i for i, row in enumerate(rows) if row.startswith("[")), len(rows))
    if options & set(rows[:first]):
        return
    text = "\n".join([*rows, *(["constraint = /a"] if there and first < len(rows) else [])])
    before, after = configparser.RawConfigParser(), configparser.RawConfigParser()
    before.read_string(text)
    found = pins.pip_conf(text, Path("/venv"))
    after.read_string(found)
    mine = after.get("install", "constraint").split()
    assert OURS in mine
    old = before.get("install", "constraint", fallback="").split()
    assert [place for place in mine if place != OURS] == old
    after.remove_option("install", "constraint")
    if before.has_section("install"):
        before.remove_option("install", "constraint")
    else:
        before.add_section("install")
    assert {name: dict(after[name]) for name in after} == {
        name: dict(before[name]) for name in before
    }


def test_a_path_with_white_space_is_a_url() -> None:
    assert pins.reference(Path("/a b/c")) == "file:///a%20b/c"
    assert pins.reference(Path("/a/c")) == "/a/c"


def test_steps_are_applied_taken_back_and_not_repeated(tmp_path: Path) -> None:
    prefix = tmp_path / "venv"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/pinned").write_text("python 3.11.*")
    (prefix / "pip.conf").write_text("[global]\ntimeout = 5\n")

    def steps() -> Plan:
        return Plan(
            (
                pins.constraints_step(prefix, LINES),
                pins.pip_step(prefix, ["/etc/c.txt"]),
                pins.conda_step(prefix, LINES),
            )
        )

    journal = Journal(prefix)
    with journal.lock():
        journal.begin(steps(), command="fix").apply()
    pinned = (prefix / "conda-meta/pinned").read_text()
    assert pinned.startswith("python 3.11.*\n# >>> legacy-doctor >>>\n")
    assert all(step.before == step.after for step in steps().steps), "a second time: nothing"
    shorter = pins.conda_step(prefix, [NUMPY]).content
    assert shorter is not None
    assert b"six" not in shorter
    assert shorter.startswith(b"python 3.11.*\n")
    journal.undo()
    assert (prefix / "conda-meta/pinned").read_text() == "python 3.11.*"
    assert (prefix / "pip.conf").read_text() == "[global]\ntimeout = 5\n"
    assert not (prefix / pins.CONSTRAINTS).exists()


def test_a_pip_conf_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes(b"[install]\xff")
    with pytest.raises(DoctorError, match=r"pip\.conf: not UTF-8 text \(byte 9\); it is left"):
        pins.pip_step(tmp_path)


def test_variables_that_overrule_the_file_are_told() -> None:
    prefix = Path("/venv")
    assert pins.variables({}, prefix) == ()
    assert pins.variables({"PIP_CONSTRAINT": f"/a {OURS}"}, prefix) == ()
    (said,) = pins.variables({"PIP_CONSTRAINT": "/a"}, prefix)
    assert said.startswith(
        "PIP_CONSTRAINT is set (/a): pip then ignores the constraint in /venv/pip"
    )


# Who obeys: real pip, real uv.


def persist(venv: Venv, lines: tuple[PinLine, ...]) -> None:
    journal = Journal(venv.prefix)
    with journal.lock():
        plan = Plan((pins.constraints_step(venv.prefix, lines), pins.pip_step(venv.prefix)))
        journal.begin(plan, command="fix").apply()


def test_pip_obeys_the_environment_from_then_on(tmp_path: Path) -> None:
    """`pip install -U numpy` keeps numpy<2.4; after the undo it does not."""
    folder = tmp_path / "with space"
    folder.mkdir()
    house = ("--no-index", f"--find-links={wheelhouse()}")
    venv = make(folder, *house, "numpy==2.3.5", maker="pip")
    persist(venv, (NUMPY,))

    venv.pip("install", "-q", *house, "-U", "numpy", "six")
    assert venv.versions() == {"numpy": "2.3.5", "six": "1.17.0"}
    refused = venv.pip("install", *house, "numpy==2.4.6", check=False)
    assert "The user requested (constraint) numpy<2.4" in refused.stdout

    Journal(venv.prefix).undo()
    said = venv.pip("install", *house, "--dry-run", "-U", "numpy").stdout
    assert "Would install numpy-2.4.6" in said


LIB = PinLine(name="lib", specifier="<2", reason="r", grade=Grade.REPORTED)
Prepare = Callable[[Venv, Path], dict[str, str]]


def by_pip_conf(venv: Venv, project: Path) -> dict[str, str]:
    return {}


def by_variable(venv: Venv, project: Path) -> dict[str, str]:
    words = pins.uv_words(venv.prefix)[0]
    name, _, value = words.rpartition("export ")[2].partition("=")
    return {name: value}


def by_uv_toml(venv: Venv, project: Path) -> dict[str, str]:
    files.apply(uvproject.step(project / "uv.toml", [LIB]))
    return {}


def by_pyproject(venv: Venv, project: Path) -> dict[str, str]:
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    files.apply(uvproject.step(project / "pyproject.toml", [LIB]))
    return {}


UVS: dict[str, tuple[Prepare, str]] = {
    "pip.conf: no": (by_pip_conf, "2.0"),
    "UV_CONSTRAINT: yes": (by_variable, "1.0"),
    "uv.toml: yes": (by_uv_toml, "1.0"),
    "pyproject.toml: yes": (by_pyproject, "1.0"),
}


@pytest.mark.parametrize(("prepare", "wanted"), UVS.values(), ids=UVS)
def test_what_uv_obeys(prepare: Prepare, wanted: str, tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    shelf = shop(tmp_path / "shop")
    venv = make(folder, "--no-index", f"--find-links={shelf}", "lib==1.0")
    persist(venv, (LIB,))
    below = folder / "below"
    below.mkdir()
    environ = {"UV_CACHE_DIR": str(venv.cache), **prepare(venv, folder)}
    command = [UV, "pip", "install", "-q", "--python", venv.python, "--no-index"]

    subprocess.run(
        [*command, f"--find-links={shelf}", "-U", "lib"],
        check=True,
        cwd=below,
        env={**clean(os.environ), **environ},
    )

    assert venv.versions() == {"lib": wanted}
