"""What requirement files let in: ranges, locked versions, bounds, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import admission, rules
from legacy_doctor.diagnosis.amendments import ADMITS
from legacy_doctor.knowledge import catalogue
from legacy_doctor.model import (
    Conflict,
    Cpu,
    Finding,
    Incompatibility,
    Knowledge,
    Location,
    RemedyKind,
    Removal,
    Requirement,
    RequirementFile,
    RequirementKind,
    Severity,
)
from tests.diagnosis.patients import NEW, PHENOM, alternative, evidence, knowing, pin

NUMPY = pin("numpy", ">=2.4", "<2.4", needs="sse4_1", last_good="2.3.5")
RUNS = pin("numpy", None, ">=1.26.4,<=2.3.5", stage="use")
HERE = knowing(NUMPY, RUNS)


def asked(text: str, /, line: int = 1, **changes: Any) -> Requirement:
    """A requirement as `name>=1; marker` says it."""
    wanted, _, marker = (part.strip() for part in text.partition(";"))
    name = wanted.rstrip("<>=!~.*0123456789,")
    specifier = wanted[len(name) :]
    exact = (
        specifier.removeprefix("==")
        if specifier.startswith("==") and "," not in specifier
        else None
    )
    facts: dict[str, Any] = {
        "name": name,
        "kind": RequirementKind.RANGE,
        "location": Location("requirements.txt", line, 1),
        "end": Location("requirements.txt", line, len(wanted) + 1),
        "specifier": specifier,
        "version": None if exact and exact.endswith("*") else exact,
        "marker": marker,
        "text": text,
    }
    return Requirement(**{**facts, **changes})


def bound(text: str, /, line: int = 9, **changes: Any) -> Requirement:
    return asked(text, line, kind=RequirementKind.CONSTRAINT, **changes)


def file(*items: Requirement | str, form: str = "requirements", path: str = "") -> RequirementFile:
    rows = (
        asked(item, line) if isinstance(item, str) else item for line, item in enumerate(items, 1)
    )
    return RequirementFile(path=path or "requirements.txt", format=form, requirements=tuple(rows))


def judge(
    *items: Requirement | str,
    known: Knowledge = HERE,
    on: Cpu = PHENOM,
    form: str = "requirements",
) -> tuple[Finding, ...]:
    return admission.judge([file(*items, form=form)], on, known)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(item.severity.value, item.rule, item.subject) for item in findings]


ADMITTED = [("error", "admits-broken", "numpy")]
NOTE = [("info", "admits-broken", "numpy")]


@pytest.mark.parametrize(
    ("items", "findings"),
    [
        pytest.param(["numpy>=1.26"], ADMITTED, id="an open range"),
        pytest.param(["numpy"], ADMITTED, id="no range at all"),
        pytest.param(["numpy<2.4"], [], id="a range that ends before"),
        pytest.param(["numpy<=2.4"], ADMITTED, id="a range that ends in it"),
        pytest.param(["numpy~=2.3.0"], [], id="a compatible release before"),
        pytest.param(["numpy~=2.3"], ADMITTED, id="a compatible release that reaches it"),
        pytest.param(["numpy==2.*"], ADMITTED, id="a wildcard"),
        pytest.param(["numpy>=2.5"], ADMITTED, id="no way out"),
        pytest.param(["numpy==2.4.1"], [("error", "broken-pin", "numpy")], id="a broken version"),
        pytest.param(["numpy==2.3.5"], [], id="a good version"),
        pytest.param(["numpy==not.a.version"], [], id="no version"),
        pytest.param(["scipy>=1"], [], id="nothing is known of it"),
        pytest.param(["numpy>=3,<2"], [], id="nothing meets it"),
        pytest.param(["numpy>=1.26; sys_platform == 'win32'"], [], id="Windows only"),
        pytest.param(["numpy>=1.26; python_version < '3.12'"], ADMITTED, id="some Pythons"),
        pytest.param(["numpy>=1.26", "numpy<2.4"], [], id="bounded by another line"),
        pytest.param(
            ["numpy>=1.26", "numpy<2.4; platform_machine == 'x86_64'"], [], id="bounded here"
        ),
        pytest.param(
            ["numpy>=1.26", "numpy<2.4; platform_machine == 'aarch64'"],
            ADMITTED,
            id="bounded elsewhere",
        ),
        pytest.param(
            ["numpy<2; python_version < '3.12'", "numpy>=2; python_version >= '3.12'"],
            ADMITTED,
            id="one line for each Python",
        ),
        pytest.param(
            ["numpy>=1.26", "numpy<2.4; python_version < '3.12'"],
            ADMITTED,
            id="bounded for some Pythons only",
        ),
        pytest.param(["numpy>=1.26", bound("numpy<2.4")], [], id="bounded by a constraint"),
        pytest.param([bound("numpy<3")], [], id="a constraint admits nothing by itself"),
        pytest.param(
            [bound("numpy==2.4.1")],
            [("warning", "broken-pin", "numpy")],
            id="a settled constraint that may never count",
        ),
        pytest.param(
            ["numpy", bound("numpy==2.4.1")],
            [("error", "broken-pin", "numpy")],
            id="a settled constraint that counts, told once",
        ),
        pytest.param(["numpy", bound("numpy==2.3.5")], [], id="settled for the better"),
        pytest.param(
            ["numpy", bound("numpy==2.3.5; sys_platform == 'win32'")],
            ADMITTED,
            id="settled for Windows only",
        ),
        pytest.param(
            ["numpy", bound("numpy==2.3.5; python_version < '3.12'")],
            ADMITTED,
            id="settled for some Pythons only",
        ),
        pytest.param(
            [asked("numpy>=1.26", specifier="one or two")], [], id="a specifier nobody understands"
        ),
        pytest.param(
            [asked("numpy", specifier="<2"), asked("numpy", specifier=">=2,<3")],
            ADMITTED,
            id="alternatives of one entry",
        ),
        pytest.param(
            [asked("numpy>=1.26", origin="conda")],
            [("warning", "admits-broken", "numpy")],
            id="conda builds it otherwise",
        ),
        pytest.param(
            [asked("numpy", version="2.4.1", origin="./numpy-2.4.1-cp311.whl")],
            [("warning", "broken-pin", "numpy")],
            id="a wheel of one's own",
        ),
    ],
)
def test_what_is_found(
    items: list[Requirement | str], findings: list[tuple[str, str, str]]
) -> None:
    assert told(judge(*items)) == findings


def test_nothing_is_found_where_nothing_is_missing() -> None:
    assert judge("numpy", "numpy==2.4.1", on=NEW) == ()


def test_a_range_is_told_with_what_it_admits_and_what_to_add() -> None:
    (finding,) = judge("scipy", "numpy>=1.26")

    assert (
        finding.message
        == "numpy>=1.26 admits numpy>=2.4, which dies on import: SIGILL; needs sse4_1"
    )
    assert finding.location == Location("requirements.txt", 2, 1)
    assert (finding.version, finding.cause, finding.affects) == (None, "numpy", ())
    assert finding.evidence == NUMPY.evidence
    assert finding.remedy is not None
    assert (
        finding.remedy.text
        == "add `numpy<2.4; platform_machine == 'x86_64'` (2.3.5 is known to run)"
    )
    assert finding.remedy.install == ("numpy<2.4; platform_machine == 'x86_64'",)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("python_version < '3.12'", "python_version < '3.12' and platform_machine == 'x86_64'"),
        (
            "python_version < '3.9' or os_name == 'posix'",
            "(python_version < '3.9' or os_name == 'posix') and platform_machine == 'x86_64'",
        ),
        ("platform_machine == 'x86_64'", "platform_machine == 'x86_64'"),
    ],
)
def test_the_bound_holds_nowhere_that_the_requirement_does_not(marker: str, told: str) -> None:
    (finding,) = judge(f"numpy>=1.26; {marker}")

    assert finding.remedy is not None
    assert finding.remedy.install == (f"numpy<2.4; {told}",)


def test_a_range_without_a_good_version_is_left_to_its_author() -> None:
    (finding,) = judge("numpy>=2.4")

    assert finding.remedy is not None
    assert (finding.remedy.kind, finding.remedy.install) == (RemedyKind.ADVICE, ())
    assert finding.remedy.text == (
        "only numpy<2.4 runs (2.3.5 is known to run), and numpy>=2.4 forbids it: lower the bound, "
        "or do without it"
    )


def test_a_table_is_narrowed_for_it_has_one_entry_a_name() -> None:
    (finding,) = judge(asked("numpy", specifier=">=1.26,<3", text='numpy = "^1.26"'))

    assert finding.remedy is not None
    assert finding.message.startswith('numpy = "^1.26" admits numpy>=2.4, which')
    assert finding.remedy.install == ("numpy<2.4",)
    assert finding.remedy.text == "narrow it by `<2.4` (2.3.5 is known to run)"


@pytest.mark.parametrize(
    ("last_good", "install", "text"),
    [
        ("2.3.5", "numpy==2.3.5", "ask for numpy==2.3.5, which is known to run"),
        (None, "numpy<2.4", "ask for numpy<2.4"),
    ],
)
def test_a_settled_version_moves_to_one_known_to_run(
    last_good: str | None, install: str, text: str
) -> None:
    known = knowing(pin("numpy", ">=2.4", "<2.4", needs="sse4_1", last_good=last_good))

    (finding,) = judge("numpy==2.4.1", known=known)

    assert finding.version == "2.4.1"
    assert finding.message == "dies on import: SIGILL; needs sse4_1"
    assert finding.remedy is not None
    assert (finding.remedy.install, finding.remedy.text) == ((install,), text)


def test_a_lock_is_written_anew_by_its_tool() -> None:
    locked = asked("numpy==2.4.1", kind=RequirementKind.LOCKED)

    (finding,) = judge(locked, form="uv.lock")

    assert finding.remedy is not None
    assert finding.remedy.text == "lock numpy<2.4 (2.3.5 is known to run)"
    assert finding.remedy.commands == ("uv lock --upgrade-package 'numpy<2.4'",)


def test_a_lock_that_says_who_asks_is_quoted() -> None:
    locked = file(asked("numpy==2.4.1", kind=RequirementKind.LOCKED), form="uv.lock")
    locked = replace(locked, askers={"numpy": ("pandas", "scipy")})

    (found,) = admission.judge([locked], PHENOM, HERE)

    assert found.affects == ("pandas", "scipy")
    assert found.paths["scipy"] == ("scipy", "numpy")


def test_two_locked_versions_are_judged_each() -> None:
    found = judge("numpy==2.4.1", "numpy==1.26.4", "numpy==2.4.2", form="uv.lock")

    assert [(item.version, item.location) for item in found] == [
        ("2.4.1", Location("requirements.txt", 1, 1)),
        ("2.4.2", Location("requirements.txt", 3, 1)),
    ]


def test_the_same_version_asked_for_twice_is_told_at_both_places() -> None:
    found = judge("numpy==2.4.1", "numpy==2.4.1")

    assert [item.location.line for item in found if item.location] == [1, 2]


ONE_BAD = knowing(pin("cython", "==3.1.2", "!=3.1.2", needs="ssse3"))


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        pytest.param("cython>=3", "info", id="newer ones are fine"),
        pytest.param("cython>=3,<3.2", "info", id="a patch after it"),
        pytest.param("cython<=3.1.2", "error", id="it is the newest"),
        pytest.param("cython>=3.1.3", None, id="it is older"),
        pytest.param("cython==3.1.2", "error", id="it alone"),
    ],
)
def test_an_older_broken_version_is_a_note(text: str, severity: str | None) -> None:
    found = judge(text, known=ONE_BAD)

    assert [item.severity.value for item in found] == ([severity] if severity else [])


def test_a_broken_gap_below_a_good_version_is_a_note() -> None:
    known = knowing(pin("hyperscan", ">=0.3,<0.7", ">=0.7", needs="ssse3"))

    (finding,) = judge(
        "hyperscan>=0.3", known=knowing(*known.pins, pin("hyperscan", None, "==0.8"))
    )

    assert finding.severity is Severity.INFO
    assert finding.message.endswith("; an installer takes a newer version unless told otherwise")


def test_a_version_that_was_seen_to_run_answers_a_report() -> None:
    known = knowing(
        pin("orjson", ">=3.8", needs="sse4_1", grade="reported", severity="warning", stage="use"),
        pin("orjson", None, ">=3.8,<=3.13", stage="use"),
    )

    assert judge("orjson>=3", known=known) == ()
    assert told(judge("orjson>=3.14", known=known)) == [("warning", "no-working-wheel", "orjson")]


def test_no_version_works() -> None:
    (finding,) = judge("lance>=1", known=knowing(pin("lance", "", needs="sse4_1")))

    assert finding.message == "lance>=1: every version dies on import: SIGILL; needs sse4_1"
    assert finding.remedy is not None
    assert finding.remedy.text == (
        "no wheel of lance is known to work on this CPU: leave it out, or build it from source there"
    )


def test_another_distribution_instead() -> None:
    broken = pin("lance", "", needs="sse4_1", alternatives=(alternative("lance-compat", note="n"),))

    (finding,) = judge("lance", known=knowing(broken))

    assert finding.remedy is not None
    assert finding.remedy.text == "ask for lance-compat instead of lance (n)"


POLARS = knowing(
    pin("polars", "<1.34", needs="sse4_1", alternatives=(alternative("polars[rtcompat]>=1.34"),)),
    pin(
        "polars-runtime-32",
        "",
        needs="sse4_1",
        unless=("polars-runtime-compat",),
        alternatives=(alternative("polars[rtcompat]", instead=False),),
    ),
    pin("polars-runtime-compat", "", needs="popcnt"),
)


@pytest.mark.parametrize(
    ("items", "message", "install"),
    [
        pytest.param(
            ["polars>=1"],
            "polars>=1 brings polars-runtime-32, which dies on import: SIGILL; needs sse4_1",
            "polars[rtcompat]>=1",
            id="what it brings",
        ),
        pytest.param(
            ["polars==1.40"],
            "polars==1.40 brings polars-runtime-32, which dies on import: SIGILL; needs sse4_1",
            "polars[rtcompat]==1.40",
            id="a settled version brings it too",
        ),
        pytest.param(
            ["polars<1.30"],
            "polars<1.30 admits polars<1.34, which dies on import: SIGILL; needs sse4_1",
            "polars[rtcompat]>=1.34",
            id="of itself, out of its range",
        ),
        pytest.param(
            [asked("polars>=1", extras=frozenset({"rtcompat"}))], None, None, id="the extra"
        ),
        pytest.param(
            ["polars==1.40", "polars-runtime-32==1.40", "polars-runtime-compat==1.40"],
            None,
            None,
            id="all that it brings is listed",
        ),
    ],
)
def test_what_a_distribution_brings_along(
    items: list[Requirement | str], message: str | None, install: str | None
) -> None:
    found = judge(*items, known=POLARS)

    serious = [item for item in found if item.severity is Severity.ERROR]
    assert [item.message for item in serious] == ([message] if message else [])
    assert [item.remedy.install for item in serious if item.remedy] == (
        [(install,)] if install else []
    )


def test_the_extra_may_bring_what_breaks_elsewhere() -> None:
    wide = pin("polars-runtime-compat", "", needs="ssse3")
    known = knowing(*POLARS.pins[:2], wide)

    (finding,) = judge(asked("polars>=1", extras=frozenset({"rtcompat"})), known=known)

    assert finding.subject == "polars-runtime-compat"


REMOVED = knowing(
    removals=(Removal(distribution="xformers", reason="no AVX", evidence=(evidence(),)),)
)


@pytest.mark.parametrize("text", ["xformers", "xformers==0.0.20"])
def test_what_a_pinset_wants_gone_is_not_let_in(text: str) -> None:
    (finding,) = judge(text, known=REMOVED)

    assert finding.rule == "unwanted-distribution"
    assert finding.message == "below-v2@2026-11-20 wants it removed: no AVX"
    assert finding.remedy is not None
    assert finding.remedy.text == "leave xformers out"


BOTH = knowing(
    conflicts=(
        Conflict(
            distributions=("opencv-python", "opencv-python-headless"),
            effect="both install cv2",
            evidence=(evidence(),),
        ),
    ),
    incompatibilities=(
        Incompatibility(
            first="numpy<2",
            second="pyarrow>=26",
            effect="ImportError",
            resolution="numpy>=2",
            evidence=(evidence(),),
        ),
    ),
)


@pytest.mark.parametrize(
    ("form", "severity"),
    [
        pytest.param("requirements", "error", id="all of it is installed"),
        pytest.param("freeze", "error", id="all of it is there"),
        pytest.param("pyproject", "warning", id="extras and groups may never meet"),
        pytest.param("uv.lock", "warning", id="a lock is for every environment"),
    ],
)
def test_two_that_overwrite_each_other_are_told_at_the_later_one(form: str, severity: str) -> None:
    (finding,) = judge("opencv-python", "opencv-python-headless>=4", known=BOTH, form=form)

    assert (finding.rule, finding.severity.value) == ("overwriting-distributions", severity)
    assert finding.location == Location("requirements.txt", 2, 1)


def test_two_versions_that_fail_together() -> None:
    (finding,) = judge("numpy==1.26.4", "pyarrow==26.0.1", known=BOTH)

    assert finding.rule == "incompatible-versions"
    assert judge("numpy==2.3.5", "pyarrow==26.0.1", known=BOTH) == ()


def test_constraints_files_bound_all_files_of_the_call() -> None:
    constraints = file(bound("numpy<2.4"), form="constraints", path="constraints.txt")
    files = [file("numpy>=1.26"), constraints]

    assert admission.judge(files, PHENOM, HERE) == ()
    assert told(admission.judge(files[:1], PHENOM, HERE)) == ADMITTED


def test_a_constraints_file_for_windows_bounds_nothing_here() -> None:
    windows = bound("numpy<2.4; sys_platform == 'win32'")
    constraints = file(windows, form="constraints", path="constraints.txt")

    assert told(admission.judge([file("numpy"), constraints], PHENOM, HERE)) == ADMITTED


def lock(*items: str) -> RequirementFile:
    rows = (asked(item, kind=RequirementKind.LOCKED) for item in items)
    return RequirementFile(path="uv.lock", format="uv.lock", requirements=tuple(rows))


@pytest.mark.parametrize(
    ("locked", "severity", "said"),
    [
        pytest.param(
            "numpy==2.3.5", "info", "; uv.lock locks 2.3.5, so it is not let in", id="a good one"
        ),
        pytest.param("numpy==2.4.1", "error", "", id="a broken one"),
        pytest.param("scipy==1.0", "error", "", id="another distribution"),
    ],
)
def test_a_lock_beside_a_range_settles_it(locked: str, severity: str, said: str) -> None:
    files = [file("numpy>=1.26", form="pyproject")]

    (finding,) = admission.judge(files, PHENOM, HERE, {"requirements.txt": [lock(locked)]})

    assert finding.severity.value == severity
    assert finding.message.endswith(said)
    assert ("uv.lock locks 2.4.1" in finding.details) is (locked == "numpy==2.4.1")


def test_errors_come_first_then_the_order_of_the_file() -> None:
    known = knowing(
        NUMPY, pin("av", "", needs="sse4_1", severity="warning"), pin("b", "", needs="ssse3")
    )

    assert [item.subject for item in judge("b", "av", "numpy", known=known)] == ["b", "numpy", "av"]


def test_what_two_files_include_is_told_once() -> None:
    assert len(admission.judge([file("numpy"), file("numpy")], PHENOM, HERE)) == 1


def test_the_names_that_files_speak_of() -> None:
    assert admission.names([file("numpy", "scipy"), lock("numpy==1")]) == {"numpy", "scipy"}


def test_the_rule_can_be_looked_up_and_ignored() -> None:
    assert ADMITS in rules.summaries()
    assert rules.known("admits-broken") == "admits-broken"


def test_what_the_shipped_pinsets_say_of_a_common_file() -> None:
    files = [file("numpy>=1.26", "pandas", "scipy", "scikit-learn", "requests", "pyarrow>=14")]

    found = admission.judge(files, models.find("x86-64-v1").cpu, catalogue.choose())

    errors = [item for item in found if item.severity is Severity.ERROR]
    assert told(tuple(errors)) == [*ADMITTED, ("error", "no-working-wheel", "pyarrow")]


OPERATOR = st.sampled_from(["<", "<=", "==", ">=", ">", "!=", "~=", "===", "", "?"])
VERSION = st.sampled_from(["2.4", "2.3.5", "2.4.*", "1!1", "2.4rc1", "0", "99999", "x", ""])
SPECIFIER = st.lists(st.builds(str.__add__, OPERATOR, VERSION), max_size=3).map(",".join)
MARKER = st.sampled_from(
    ["", "python_version < '3.11'", "sys_platform == 'win32'", "extra == 'x'", "?", "os_name >= ''"]
)
REQUIREMENT = st.builds(
    lambda name, kind, line, **facts: Requirement(
        name=name, kind=kind, location=Location("requirements.txt", line, 1), **facts
    ),
    st.sampled_from(["numpy", "polars", "polars-runtime-32", "requests"]),
    st.sampled_from(RequirementKind),
    st.integers(1, 3),
    specifier=SPECIFIER | st.text(max_size=5),
    version=st.none() | VERSION | st.text(max_size=5),
    extras=st.frozensets(st.sampled_from(["rtcompat", "x"])),
    marker=MARKER | st.text(max_size=10),
    origin=st.sampled_from(["", "conda", "./here"]),
)


@given(
    st.lists(REQUIREMENT, max_size=5),
    st.sampled_from(["requirements", "uv.lock", "constraints", "conda-environment"]),
)
def test_no_file_is_too_strange(items: list[Requirement], form: str) -> None:
    known = knowing(NUMPY, RUNS, *POLARS.pins)

    for finding in judge(*items, known=known, form=form):
        assert finding.location in {item.location for item in items}
        assert finding.subject in {"numpy", "polars", "polars-runtime-32", "polars-runtime-compat"}
