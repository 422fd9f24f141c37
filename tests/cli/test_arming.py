"""What a hook is armed with: by pins, by probes, by patches; and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli.arming import Arming, Wish
from legacy_doctor.errors import UnknownNameError
from legacy_doctor.model import (
    Finding,
    Interpreter,
    Patient,
    ProbeResult,
    Probing,
    Remedy,
    RemedyKind,
    Report,
    Severity,
    Standing,
    When,
)
from tests.cli.test_hook import PINS
from tests.conftest import Doctor, Site
from tests.diagnosis.patients import PHENOM, dist, files, knowing, patient, pin
from tests.diagnosis.probed import died, ran
from tests.probe.faults import EXECUTE

PLAIN = Wish()


def found(subject: str, **facts: Any) -> Finding:
    """An error that a probe brought to light."""
    plain: dict[str, Any] = {
        "rule": "probe-failure",
        "severity": Severity.ERROR,
        "subject": subject,
        "message": "dies on import: SIGILL",
        "standing": Standing.NEW,
        "remedy": Remedy(kind=RemedyKind.ADVICE, text="try\n another"),
    }
    return Finding(**{**plain, **facts})


def arming(
    *results: ProbeResult,
    findings: tuple[Finding, ...] = (),
    pins: tuple[Any, ...] = (),
    installed: tuple[Any, ...] = (),
) -> Arming:
    examined: Patient = patient(*installed)
    interpreter: Interpreter = examined.interpreter
    knowledge = knowing(*pins)
    report = Report(
        version="0",
        cpu=PHENOM,
        interpreter=interpreter,
        pinsets=knowledge.pinsets,
        findings=findings,
        distributions=len(installed),
        unjudged=(),
        probing=Probing(wanted="risky", how="on this CPU", results=results),
    )
    return Arming(patient=examined, knowledge=knowledge, report=report)


def modules(made: Arming, wish: Wish = PLAIN) -> dict[str, str]:
    """The guarded modules, with the versions that are stopped."""
    return {guard.module: guard.broken for guard in made.armed(wish).guards}


FOREIGN = dist("foreign", "1.5", files=files("foreign/__init__.py"))
USER = dist("user", "0.1", files=files("user/__init__.py"))


# --- probes


def test_what_died_in_a_probe_is_guarded_in_this_version_alone() -> None:
    made = arming(died("foreign"), findings=(found("foreign"),), installed=(FOREIGN,))
    (guard,) = made.armed().guards

    assert (guard.module, guard.broken) == ("foreign", "===1.5")
    assert guard.where.needs == {"sse4_1"}
    assert guard.remedy == "try another"
    assert guard.reason == "proven by a probe: dies on import: SIGILL"


def test_who_dies_of_anothers_file_is_guarded_where_that_one_lives() -> None:
    findings = (found("foreign"), found("user"))
    both = (FOREIGN, USER)
    owner_dies = arming(
        died("foreign"), died("user", owner="foreign"), findings=findings, installed=both
    )
    owner_lives = arming(
        ran("foreign"), died("user", owner="foreign"), findings=findings, installed=both
    )

    assert modules(owner_dies) == {"foreign": "===1.5"}
    assert modules(owner_lives) == {"user": "===0.1"}


@pytest.mark.parametrize(
    "results",
    [
        pytest.param((ran("foreign"),), id="it lives"),
        pytest.param((died("foreign", stage="use"),), id="it dies in use only"),
        pytest.param((died("foreign", needs=""),), id="of nothing that a CPU could lack"),
        pytest.param((died("foreign", needs="sse2"),), id="of what every CPU has"),
        pytest.param((died("foreign", needs="abm"),), id="of what this CPU has"),
        pytest.param(
            (died("foreign", overrides=(("X", "1"),)),), id="of a variable that the user set"
        ),
    ],
)
def test_what_proves_no_deadly_import_arms_nothing(results: tuple[ProbeResult, ...]) -> None:
    assert modules(arming(*results, findings=(found("foreign"),), installed=(FOREIGN,))) == {}


@pytest.mark.parametrize(
    "findings",
    [
        pytest.param((), id="that nobody reports"),
        pytest.param((found("foreign", severity=Severity.WARNING),), id="that is in doubt"),
        pytest.param((found("foreign", standing=Standing.CONFIRMED),), id="that a pin knows"),
    ],
)
def test_a_death_arms_nothing_of_itself(findings: tuple[Finding, ...]) -> None:
    made = arming(died("foreign"), findings=findings, installed=(FOREIGN,))
    assert modules(made) == {}


@pytest.mark.qemu
def test_a_probe_on_an_emulated_cpu_finds_what_no_pin_knows(
    site: Site, doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    source = f"{EXECUTE}\nexecute('66480f3a22c001c3')  # pinsrq $1, %rax, %xmm0; ret\n"
    site.install(
        "stranger",
        "1.0",
        files={"stranger/__init__.py": source.encode(), "stranger/x.so": b""},
        tags=("cp311-cp311-linux_x86_64",),
    )
    target = ("--python", str(site.folder), "--cpu", "phenom-ii")

    installed = doctor("hook", "install", *target, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})

    assert installed.code == 0, installed.err
    assert "stops stranger 1.0, which needs sse4_1" in " ".join(installed.out.split())
    guarded = doctor("run", "--cpu", "phenom-ii", str(site.python), "-c", "import stranger")
    assert guarded.code == 1
    assert "stranger 1.0 would kill this process" in guarded.err
    again = doctor("hook", "install", *target, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert "nothing to do" in again.out, "its probe runs past the guard, and says the same"


def test_the_guard_is_no_cure_in_the_eyes_of_a_probe(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    fatal = b"import ctypes\nctypes.string_at(0)\n"
    site.install("deadly", "2.1", files={"deadly/__init__.py": fatal})
    (tmp_path / "mine.toml").write_text(PINS)
    words = ("--python", str(site.folder), "--pinset-path", str(tmp_path / "mine.toml"))
    assert doctor("hook", "install", *words, "--probe", "none").code == 0

    checked = doctor("check", *words, "--probe", "risky", "--no-cache", "--format", "json")

    (result,) = json.loads(checked.out)["probes"]["results"]
    assert (checked.code, result["outcome"]) == (1, "segmentation-fault")


# --- pins

NUMPY = dist("numpy", "2.4.6", files=files("numpy/__init__.py"))
PIN = pin("numpy", ">=2.4", good="<2.4", needs="sse4_1")
PREDICTED = found("numpy", rule="broken-pin", standing=Standing.PREDICTED)


def test_a_pin_guards_what_is_installed_and_what_may_come() -> None:
    here = arming(findings=(PREDICTED,), pins=(PIN,), installed=(NUMPY,))
    one_day = arming(pins=(PIN,))

    assert modules(here) == modules(one_day) == {"numpy": ">=2.4"}
    (guard,) = one_day.armed().guards
    assert guard.remedy == "uv pip install 'numpy<2.4'"


@pytest.mark.parametrize(
    ("changes", "findings"),
    [
        pytest.param({"stage": "use"}, (PREDICTED,), id="that dies in use"),
        pytest.param({"severity": Severity.WARNING}, (PREDICTED,), id="that is unwise"),
        pytest.param({"needs": "sse2"}, (PREDICTED,), id="that needs what all have"),
        pytest.param({}, (), id="that a probe refuted, or the user accepts"),
        pytest.param(
            {}, (found("numpy", standing=Standing.REFUTED),), id="that is told as refuted"
        ),
        pytest.param({"unless": ("numpy",)}, (PREDICTED,), id="that another keeps from loading"),
    ],
)
def test_a_pin_guards_nothing(changes: dict[str, Any], findings: tuple[Finding, ...]) -> None:
    spoken = pin("numpy", ">=2.4", **{"good": "<2.4", "needs": "sse4_1", **changes})
    assert modules(arming(findings=findings, pins=(spoken,), installed=(NUMPY,))) == {}


def test_a_pin_about_a_kind_of_cpu_is_a_guard_about_it() -> None:
    when = When(vendor="AuthenticAMD", cpuid_level_below=11)
    spoken = pin("numpy", ">=2.4", good="<2.4", needs="", when=when)
    (guard,) = arming(pins=(spoken,)).armed().guards

    assert (guard.where.needs, guard.where.when) == (frozenset(), when)


def test_the_modules_of_what_no_record_and_no_probe_knows_bear_its_name(tmp_path: Path) -> None:
    (tmp_path / "made_up.py").write_text("")
    spoken = pin("made-up", "", None, needs="sse4_1")
    facts = found("made-up", rule="no-working-wheel")
    there = dist("made-up", "1.0", root=tmp_path)
    gone = dist("made-up", "1.0", root=tmp_path / "elsewhere")

    assert modules(arming(pins=(spoken,), findings=(facts,), installed=(there,))) == {
        "made_up": ">=0.dev0"
    }
    assert modules(arming(pins=(spoken,), findings=(facts,), installed=(gone,))) == {}
    assert modules(arming(pins=(spoken,))) == {}


# --- the user's word


def test_what_is_skipped_must_be_there() -> None:
    made = arming(pins=(PIN,))

    assert modules(made, Wish(skip=("numpy",))) == {}
    assert modules(made, Wish(skip=("guard:numpy",))) == {}
    with pytest.raises(UnknownNameError, match="--skip shim:numpy: nothing of that name"):
        made.armed(Wish(skip=("shim:numpy",)))
