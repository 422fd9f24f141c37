"""What to do: the safest thing first, and commands that can be pasted."""

from __future__ import annotations

from pathlib import Path

import pytest

from legacy_doctor.diagnosis import remedies
from legacy_doctor.diagnosis.claims import judge
from legacy_doctor.model import Cpu, Finding, Pin, Remedy, RemedyKind, Severity
from tests.diagnosis.patients import (
    NEHALEM,
    PHENOM,
    alternative,
    dist,
    interpreter,
    knowing,
    patient,
    pin,
)

REMOVAL = (
    "no wheel of polars is known to work on this CPU: uninstall it, or build it from source on "
    "this machine"
)
TRIAL = "try it on this CPU before you rely on it; no better version of polars is known"


def remedy(*pins: Pin, on: Cpu = PHENOM) -> Remedy:
    who = patient(dist("polars", "1.5"), on=on)
    (judgement,) = judge(who, knowing(*pins, lacks=""))
    return remedies.for_judgement(judgement, who)


REMEDIES = {
    "a version that runs": (
        [pin("polars", ">=1", "<1")],
        Remedy(kind=RemedyKind.PIN, text="install polars<1", install=("polars<1",)),
    ),
    "a version that runs, known by number": (
        [pin("polars", ">=1", "<1", last_good="0.20.31")],
        Remedy(
            kind=RemedyKind.PIN,
            text="install polars<1 (0.20.31 is known to run)",
            install=("polars<1",),
        ),
    ),
    "a version that runs before another distribution": (
        [pin("polars", ">=1", "<1", alternatives=(alternative("polars-lts-cpu"),), cure="c")],
        Remedy(kind=RemedyKind.PIN, text="install polars<1", install=("polars<1",)),
    ),
    "another distribution in its place": (
        [pin("polars", "", alternatives=(alternative("polars-lts-cpu", "cx16", note="slower"),))],
        Remedy(
            kind=RemedyKind.REPLACE,
            text="uninstall polars, then install polars-lts-cpu (slower)",
            install=("polars-lts-cpu",),
            uninstall=("polars",),
        ),
    ),
    "another distribution beside it": (
        [pin("polars", "", alternatives=(alternative("polars[rtcompat]", instead=False),))],
        Remedy(
            kind=RemedyKind.REPLACE,
            text="install polars[rtcompat]",
            install=("polars[rtcompat]",),
        ),
    ),
    "the first alternative that runs here": (
        [pin("polars", "", alternatives=(alternative("a", "sse4_1"), alternative("b", "popcnt")))],
        Remedy(
            kind=RemedyKind.REPLACE,
            text="uninstall polars, then install b",
            install=("b",),
            uninstall=("polars",),
        ),
    ),
    "an alternative of the second pin": (
        [pin("polars", ""), pin("polars", "", alternatives=(alternative("b"),))],
        Remedy(
            kind=RemedyKind.REPLACE,
            text="uninstall polars, then install b",
            install=("b",),
            uninstall=("polars",),
        ),
    ),
    "no alternative that runs here, but a cure": (
        [pin("polars", "", alternatives=(alternative("a", "sse4_1"),), cure="lower the threads")],
        Remedy(kind=RemedyKind.ADVICE, text="lower the threads"),
    ),
    "no alternative that runs here and no cure": (
        [pin("polars", "", alternatives=(alternative("a", "sse4_1"),))],
        Remedy(kind=RemedyKind.REMOVE, text=REMOVAL, uninstall=("polars",)),
    ),
    "nothing helps": (
        [pin("polars", "")],
        Remedy(kind=RemedyKind.REMOVE, text=REMOVAL, uninstall=("polars",)),
    ),
    "nothing helps, but it is a warning": (
        [pin("polars", "", severity="warning"), pin("polars", "", severity="info")],
        Remedy(kind=RemedyKind.ADVICE, text=TRIAL),
    ),
    "nothing helps, but it is a note": (
        [pin("polars", "", severity="info")],
        Remedy(kind=RemedyKind.ADVICE, text=TRIAL),
    ),
    "nothing helps, but it is only reported": (
        [pin("polars", "", grade="reported")],
        Remedy(kind=RemedyKind.ADVICE, text=TRIAL),
    ),
    "nothing helps, and a maintainer says so": (
        [pin("polars", "", grade="reported"), pin("polars", "", grade="maintainer")],
        Remedy(kind=RemedyKind.REMOVE, text=REMOVAL, uninstall=("polars",)),
    ),
    "nothing helps, and not all are warnings": (
        [pin("polars", "", severity="warning"), pin("polars", "")],
        Remedy(kind=RemedyKind.REMOVE, text=REMOVAL, uninstall=("polars",)),
    ),
    "a warning that no version escapes beside an error": (
        [pin("polars", "", severity="warning"), pin("polars", ">=1", "<1")],
        Remedy(kind=RemedyKind.PIN, text="install polars<1", install=("polars<1",)),
    ),
    "a cure before advice": (
        [pin("polars", "", severity="warning", cure="lower the threads")],
        Remedy(kind=RemedyKind.ADVICE, text="lower the threads"),
    ),
}


@pytest.mark.parametrize(("pins", "wanted"), REMEDIES.values(), ids=REMEDIES)
def test_the_safest_remedy(pins: list[Pin], wanted: Remedy) -> None:
    assert remedy(*pins) == wanted


def test_an_alternative_is_offered_to_a_cpu_that_can_run_it() -> None:
    claim = pin("polars", "", needs="avx2", alternatives=(alternative("compat", "sse4_1"),))
    assert remedy(claim, on=NEHALEM).install == ("compat",)
    assert remedy(claim, on=PHENOM).kind is RemedyKind.REMOVE


GOOD = {
    "one pin": ([pin("polars", ">=1", "<1")], "<1"),
    "two pins are both met": (
        [pin("polars", ">=1.4", "<1.4"), pin("polars", ">=1.2", "<1.2")],
        "<1.4,<1.2",
    ),
    "the same pin twice": ([pin("polars", ">=1", "<1"), pin("polars", ">=1.2", "<1")], "<1"),
    "a pin about versions not installed counts as well": (
        [pin("polars", ">=1.4", "<1.4"), pin("polars", "==1.1", "!=1.1")],
        "<1.4,!=1.1",
    ),
    "unless it cannot be met together": (
        [pin("polars", ">=1.4", "<1.4"), pin("polars", "<1.4", ">=1.4")],
        "<1.4",
    ),
    "two pins that leave nothing": (
        [pin("polars", "==1.5", "<1"), pin("polars", "<2", ">=2")],
        None,
    ),
    "one without a good version": ([pin("polars", ">=1", "<1"), pin("polars", "")], None),
    "a warning without a good version beside an error": (
        [pin("polars", ">=1", "<1"), pin("polars", "", severity="warning")],
        "<1",
    ),
    "a warning that the error's good versions can meet": (
        [pin("polars", ">=1.4", "<1.4"), pin("polars", ">=1.2", "<1.2", severity="warning")],
        "<1.4,<1.2",
    ),
    "a warning that they cannot meet": (
        [pin("polars", ">=1", "<1"), pin("polars", "<2", ">=2", severity="warning")],
        "<1",
    ),
    "warnings alone, one without a good version": (
        [pin("polars", ">=1", "<1", severity="warning"), pin("polars", "", severity="warning")],
        None,
    ),
    "an overruled pin gives no advice": (
        [
            pin("polars", ">=1", "<1", needs="sse4_1", grade="reported"),
            pin("polars", ">=1.3", "<1.3", needs="sse4_1", grade="silicon"),
        ],
        "<1.3",
    ),
    "a report that it runs gives no advice": (
        [pin("polars", ">=1.4", "<1.4"), pin("polars", good="==1.2", grade="reported")],
        "<1.4",
    ),
}


@pytest.mark.parametrize(("pins", "good"), GOOD.values(), ids=GOOD)
def test_what_all_pins_accept_together(pins: list[Pin], good: str | None) -> None:
    (judgement,) = judge(patient(dist("polars", "1.5")), knowing(*pins))
    assert judgement.standing
    assert remedies.good_specifier(judgement) == good


def test_the_version_named_as_known_is_one_that_all_pins_accept() -> None:
    found = remedy(
        pin("polars", ">=1.4", "<1.4", last_good="1.3.9"),
        pin("polars", ">=1.2", "<1.2", last_good="1.1.9"),
    )
    assert found.text == "install polars<1.4,<1.2 (1.1.9 is known to run)"


def test_alternatives_are_named_once() -> None:
    pins = [
        pin("x", "", alternatives=(alternative("a", "avx"), alternative("b"))),
        pin("x", "", alternatives=(alternative("b"),)),
    ]
    assert remedies.alternatives(pins) == (alternative("a", "avx"), alternative("b"))


COMMANDS = {
    "nothing": ((), (), ()),
    "install": (("numpy<2.4",), (), ("/venv/bin/python -m pip install 'numpy<2.4'",)),
    "plain words are not quoted": (("a==1", "b"), (), ("/venv/bin/python -m pip install a==1 b",)),
    "uninstall": ((), ("polars",), ("/venv/bin/python -m pip uninstall -y polars",)),
    "uninstall first": (
        ("polars[rtcompat]>=1.34",),
        ("polars", "polars-lts-cpu"),
        (
            "/venv/bin/python -m pip uninstall -y polars polars-lts-cpu",
            "/venv/bin/python -m pip install 'polars[rtcompat]>=1.34'",
        ),
    ),
    "each once": (("a", "b", "a"), (), ("/venv/bin/python -m pip install a b",)),
}


@pytest.mark.parametrize(("install", "uninstall", "wanted"), COMMANDS.values(), ids=COMMANDS)
def test_commands_with_the_targets_pip(
    install: tuple[str, ...], uninstall: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert remedies.commands(patient(dist("pip")), install, uninstall) == wanted


def test_commands_with_uv_where_there_is_no_pip() -> None:
    assert remedies.commands(patient(), ("numpy<2.4",), ("polars",)) == (
        "uv pip uninstall --python /venv/bin/python polars",
        "uv pip install --python /venv/bin/python 'numpy<2.4'",
    )


@pytest.mark.parametrize("packages", [(), (dist("pip"),)], ids=["uv", "pip"])
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("/venv/bin/python", "/venv/bin/python", id="elsewhere"),
        pytest.param("/my venv/bin/python", "'/my venv/bin/python'", id="with a space"),
        pytest.param("/{venv}/bin/python", "'/{venv}/bin/python'", id="with braces"),
        pytest.param("HERE/.venv/bin/python", ".venv/bin/python", id="below the working folder"),
        pytest.param("HERE/my venv/bin/python", "'my venv/bin/python'", id="below, with a space"),
        pytest.param("HERE/python", "HERE/python", id="in the working folder: no bare name"),
    ],
)
def test_the_interpreter_as_a_person_types_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, shown: str, packages: tuple
) -> None:
    monkeypatch.chdir(tmp_path)
    path, shown = (text.replace("HERE", str(tmp_path)) for text in (path, shown))
    who = patient(*packages, interpreter=interpreter(executable=Path(path)))
    (command,) = remedies.commands(who, ("numpy",))
    assert command in {
        f"{shown} -m pip install numpy",
        f"uv pip install --python {shown} numpy",
    }


def finding(remedy: Remedy | None, severity: str = "error") -> Finding:
    return Finding(
        rule="r", severity=Severity(severity), subject="s", message="m", version="1", remedy=remedy
    )


def pinned(*requirements: str, severity: str = "error") -> Finding:
    return finding(Remedy(kind=RemedyKind.PIN, text="t", install=requirements), severity)


def removed(name: str) -> Finding:
    return finding(Remedy(kind=RemedyKind.REMOVE, text="t", uninstall=(name,)))


PRESCRIPTIONS = {
    "no finding": ([], ()),
    "no remedy": ([finding(None)], ()),
    "advice cannot be typed": ([finding(Remedy(kind=RemedyKind.ADVICE, text="think"))], ()),
    "all pins in one resolution": ([pinned("a<1"), pinned("b<2")], ("PIP install 'a<1' 'b<2'",)),
    "each requirement once": ([pinned("a<1"), pinned("a<1")], ("PIP install 'a<1'",)),
    "a warning counts, a note does not": (
        [pinned("a<1", severity="warning"), pinned("b<2", severity="info")],
        ("PIP install 'a<1'",),
    ),
    "uninstalls first": (
        [pinned("a<1"), removed("b")],
        ("PIP uninstall -y b", "PIP install 'a<1'"),
    ),
    "other commands before, each once": (
        [
            pinned("a<1"),
            finding(Remedy(kind=RemedyKind.UNSET, text="t", commands=("unset X",))),
            finding(Remedy(kind=RemedyKind.UNSET, text="t", commands=("unset X",))),
        ],
        ("unset X", "PIP install 'a<1'"),
    ),
    "what one finding removes another does not pin": (
        [pinned("polars<1", "b"), removed("polars")],
        ("PIP uninstall -y polars", "PIP install b"),
    ),
    "what is removed to be put back differently is put back": (
        [
            finding(
                Remedy(
                    kind=RemedyKind.REPLACE,
                    text="t",
                    install=("polars[rtcompat]",),
                    uninstall=("polars",),
                )
            )
        ],
        ("PIP uninstall -y polars", "PIP install 'polars[rtcompat]'"),
    ),
}


@pytest.mark.parametrize(("findings", "wanted"), PRESCRIPTIONS.values(), ids=PRESCRIPTIONS)
def test_the_prescription_of_all_findings_together(
    findings: list[Finding], wanted: tuple[str, ...]
) -> None:
    found = remedies.prescription(patient(dist("pip")), findings)
    assert tuple(item.replace("/venv/bin/python -m pip", "PIP") for item in found) == wanted
