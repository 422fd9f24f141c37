"""What a probe's end proves: whose fault it is, whether the CPU's, and what to keep of it."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from legacy_doctor.diagnosis import trial, words
from legacy_doctor.diagnosis.trial import Trial
from legacy_doctor.model import Evidence, FaultKind, Finding, Grade, Patient, ProbeResult, Severity
from tests.diagnosis.patients import SITE, cpu, dist, evidence, files, interpreter, knowing, patient
from tests.diagnosis.probed import died, raised, ran, say

WHO = patient(
    dist("lib", "2.0", files=files("lib/__init__.py", "lib.libs/libfoo.so")),
    dist("user", "1.0", files=files("user/__init__.py", "user/deep/io.py")),
)


def trying(who: Patient = WHO) -> Trial:
    return Trial(
        patient=who,
        knowledge=knowing(),
        how="on this CPU",
        today=date(2026, 11, 26),
        owner=trial.recorded(who.distributions),
        plain=(),
        forced=(),
    )


REFUSALS = {
    "NumPy": "NumPy was built with baseline optimizations: (SSE4) but your machine doesn't support",
    "glibc, of a library": "/x/libfoo.so: CPU ISA level is lower than required",
    "glibc, of itself": "Fatal glibc error: CPU does not support x86-64-v2",
    "oneDNN": "could not create a primitive",
    "TensorFlow": "The TensorFlow library was compiled to use AVX instructions, but",
    "jaxlib": "This version of jaxlib was built using AVX instructions, which your CPU and/or",
    "Qt": "Incompatible processor. This Qt build requires the following features:\n    sse4.1",
    "polars": "Missing required CPU features.",
    "UCX": "FATAL: UCX library was compiled with avx but CPU does not support it",
    "in other words": "this processor does not support the SSE4.1 instruction set",
    "over two lines": "Your CPU\ndoesn't support AVX2",
}
NO_REFUSALS = {
    "nothing": "",
    "a missing module": "No module named 'avx'",
    "an operation": "'NoneType' object does not support item assignment",
    "a missing library": "libcudart.so.12: cannot open shared object file",
    "a CPU far away": "the cpu is fine" + " and so on" * 20 + " but pickle does not support it",
}


@pytest.mark.parametrize("message", REFUSALS.values(), ids=REFUSALS)
def test_an_exception_that_refuses_the_cpu(message: str) -> None:
    assert trial.refuses(raised("user", message))


@pytest.mark.parametrize("message", NO_REFUSALS.values(), ids=NO_REFUSALS)
def test_an_exception_that_does_not(message: str) -> None:
    assert not trial.refuses(raised("user", message))


CHECK = "Incompatible processor"


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        pytest.param(ran("x", "aborted", stderr=CHECK), True, id="aborted"),
        pytest.param(ran("x", "vanished", stderr=CHECK), True, id="vanished"),
        pytest.param(died("x", kind=FaultKind.DELIBERATE, stderr=CHECK), True, id="trapped itself"),
        pytest.param(died("x", stderr=CHECK), False, id="died of an instruction all the same"),
        pytest.param(ran("x", "ok", stderr=CHECK), False, id="warned, and went on"),
        pytest.param(ran("x", "timeout", stderr=CHECK), False, id="timed out"),
        pytest.param(ran("x", "aborted", stderr="assert failed"), False, id="another abort"),
        pytest.param(ran("x", "raised"), False, id="an exception that nobody heard"),
    ],
)
def test_what_is_written_before_the_end_counts(result: ProbeResult, *, wanted: bool) -> None:
    assert trial.refuses(result) is wanted


LIB = f"{SITE}/lib.libs/libfoo.so: CPU ISA level is lower than required"
CULPRITS = {
    "the owner of the file it died in": (died("user", owner="lib"), "lib"),
    "its own": (died("user"), "user"),
    "its own where nobody owns the file": (died("user", owner=None), "user"),
    "its own where nobody knows the file": (ran("user", "aborted"), "user"),
    "the interpreter before the import": (died("user", "", owner=None), "python"),
    "not the interpreter where it ended by itself": (ran("user", "vanished", ""), "user"),
    "who raised, not who called": (
        raised("user", "no", "user/__init__.py", "lib/__init__.py"),
        "lib",
    ),
    "who called the standard library": (
        raised("user", "no", "lib/__init__.py", "user/deep/io.py", "../ctypes/__init__.py"),
        "user",
    ),
    "whose library could not be loaded": (raised("user", LIB, "user/__init__.py"), "lib"),
    "its own where the path says nothing": (raised("user", "/x/libfoo.so: no"), "user"),
}


@pytest.mark.parametrize(("result", "wanted"), CULPRITS.values(), ids=CULPRITS)
def test_whose_fault_it_is(result: ProbeResult, wanted: str) -> None:
    assert trying().culprit(result) == wanted


LACKS = {
    "an instruction that the CPU lacks": (died("x"), True),
    "an instruction that the CPU has": (died("x", needs="sse2"), False),
    "one of its features is missing": (died("x", needs="sse2 avx"), True),
    "an instruction that nobody decoded": (died("x", needs=""), True),
    "an integer division": (died("x", needs="", kind=FaultKind.DIVIDE), True),
    "something else": (died("x", needs="", kind=FaultKind.OTHER), True),
    "a null pointer": (died("x", needs="", kind=FaultKind.MEMORY), False),
    "a signal of its own": (died("x", needs="", kind=FaultKind.SENT), False),
    "a trap of its own": (died("x", needs="", kind=FaultKind.DELIBERATE), False),
    "SIGILL somewhere": (ran("x", "illegal-instruction"), True),
    "SIGFPE somewhere": (ran("x", "floating-point-exception"), True),
    "SIGSEGV somewhere": (ran("x", "segmentation-fault"), False),
    "a refusal": (ran("x", "vanished", stderr=CHECK), True),
}


@pytest.mark.parametrize(("result", "wanted"), LACKS.values(), ids=LACKS)
def test_whether_the_cpu_lacks_something(result: ProbeResult, *, wanted: bool) -> None:
    assert trying().lacks(result) is wanted


SILICON = "this CPU: AMD Phenom(tm) II X4 955 Processor, 2026-11-26, CPython 3.11.7"


@pytest.mark.parametrize(
    ("result", "who", "grade", "source", "detail"),
    [
        pytest.param(
            died("lib"),
            WHO,
            "emulated",
            "emulated: phenom, 2026-11-26, CPython 3.11.7",
            "lib 2.0: illegal-instruction (import)",
            id="under an emulator",
        ),
        pytest.param(
            ran("lib/fft", emulator=""), WHO, "silicon", SILICON, "lib/fft 2.0: ok (use)", id="here"
        ),
        pytest.param(
            ran("gone", "vanished", "", emulator="", cached=True, day="2026-11-01"),
            patient(on=cpu(brand=""), interpreter=interpreter(implementation="pypy")),
            "silicon",
            "this CPU, 2026-11-01, PyPy 3.11.7",
            "gone: vanished",
            id="from the cache, on a CPU without a name",
        ),
        pytest.param(
            ran("lib"),
            dataclasses.replace(WHO, interpreter=interpreter(implementation="other")),
            "emulated",
            "emulated: phenom, 2026-11-26, other 3.11.7",
            "lib 2.0: ok (use)",
            id="another Python",
        ),
    ],
)
def test_what_to_keep_of_a_run(
    result: ProbeResult, who: Patient, grade: str, source: str, detail: str
) -> None:
    found = trying(who).evidence(result)
    assert found == Evidence(grade=Grade(grade), source=source, detail=detail)


def test_failures_are_gathered_by_culprit() -> None:
    plain = (died("user", owner="lib"), ran("user"), died("lib"), raised("user", "x"))
    found = dataclasses.replace(trying(), plain=plain)
    assert found.failures == {"lib": [plain[0], plain[2]]}
    assert found.own("user") == [plain[0], plain[1], plain[3]]


def test_the_house_has_words_for_every_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "sentence", say)
    assert trying().sentence(died("lib")) == "lib 2.0 ends on import: SIGILL"
    assert trying().version("python") == "3.11.7"
    assert trying().version("gone") == ""


def test_whose_a_file_is_by_record() -> None:
    owner = trial.recorded(WHO.distributions)
    assert owner(f"{SITE}/user/deep/io.py") == "user"
    assert owner("/elsewhere/user/deep/io.py") is None


def test_what_was_known_is_kept() -> None:
    finding = Finding(
        rule="r",
        severity=Severity.ERROR,
        subject="s",
        message="m",
        details=("d",),
        evidence=(evidence("reported"),),
    )
    assert trial.prediction(finding) == ("predicted [reported]: m", "d")
    assert trial.prediction(dataclasses.replace(finding, evidence=())) == ("predicted: m", "d")
    assert trial.proven(evidence(), finding) == (evidence(), evidence("reported"))
    assert trial.proven(evidence("reported"), finding) == (evidence("reported"),)
    assert trial.noted(finding) is finding
    assert trial.noted(finding, "e").details == ("d", "e")
