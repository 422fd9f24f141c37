"""The text for an issue upstream: what died where, in the words that issues use."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_doctor.model import Fault, FaultKind
from legacy_doctor.report import json as as_json
from legacy_doctor.report import share
from tests.diagnosis.patients import NEW, PHENOM, words
from tests.diagnosis.probed import died, fault
from tests.report.charts import EVIL, PROVEN, healthy, hostile, sick
from tests.report.test_text import report


def _shared(value: Any) -> str:
    return share.text(value, as_json.document("check", value.version, as_json.report(value)))


def test_a_death_is_told_like_a_debugger_would() -> None:
    assert "\n".join(share.record(fault(), PHENOM)) == (
        "signal       SIGILL (Illegal instruction, ILL_ILLOPN)\n"
        "instruction  pinsrq $1, %rax, %xmm0    [66 48 0f 3a 22 c0 01]\n"
        "needs        SSE4.1 (sse4_1), which this CPU lacks\n"
        "image        numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so+0x2dbcc\n"
        "function     _GLOBAL__sub_I_argfunc\n"
        "reached in   static initialiser, at load time\n"
        "call stack (Python, innermost last):\n"
        "  numpy/__init__.py:110 in <module>"
    )


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (fault(signal="SIGFPE", kind=FaultKind.DIVIDE), "kind         integer-divide"),
        (fault(signal="SIGRTMIN", code=""), "signal       SIGRTMIN (signal)"),
        (fault(instruction=None), "instruction  [66 48 0f 3a 22 c0 01]"),
        (fault(path=None, offset=None, library="/usr/lib/libm.so.6"), "image        /usr/lib/libm.so.6"),
        (fault(path=None, library=None, offset=None, place="generated code"), "image        generated code"),
        (fault(place="module initialisation"), "reached in   module initialisation"),
    ],
    ids=["a divide", "an unknown signal", "only bytes", "a system library", "generated", "later"],
)  # fmt: skip
def test_other_deaths(told: Fault, line: str) -> None:
    assert line in list(share.record(told, PHENOM))


def test_what_the_cpu_has_is_not_said_to_be_lacking() -> None:
    assert "needs        SSE4.1 (sse4_1), which this CPU has" in list(share.record(fault(), NEW))


def test_what_nobody_knows_is_left_out() -> None:
    bare = fault(
        needs="", code="", instruction=None, bytes="", path=None, library=None, offset=None,
        symbol=None, place="", frames=(),
    )  # fmt: skip

    assert list(share.record(bare, PHENOM)) == ["signal       SIGILL (Illegal instruction)"]


def test_the_text_begins_with_what_an_issue_is_about() -> None:
    text = _shared(sick())

    assert text.startswith("# numpy fails on phenom-ii\n")
    assert "\n## `numpy 2.4.6`: Illegal instruction (SIGILL) on import\n" in text
    assert "[reported] https://example.org/issue/1: dies as well" in text
    assert "(emulated: no old silicon was used)" in text
    assert "variable     OPENBLAS_CORETYPE=Haswell" in text
    assert "hidden       ssse3 by the hypervisor: no CPU of it lacks it" in text
    assert "note: pandas 3.1.1: it ran here [refuted, emulated] (disputed-evidence)" in text


def test_it_says_how_to_repeat_it_without_us_and_with_us() -> None:
    assert (
        "```sh\nqemu-x86_64 -cpu phenom python -c 'import numpy'\n"
        "legacy-doctor probe numpy --cpu phenom-ii\n```"
    ) in _shared(sick())


def test_a_death_in_use_is_repeated_with_the_use_and_its_variables() -> None:
    death = died("numpy", stage="use", overrides=(("NPY_X", "a b"),), emulator="")
    value = report(
        replace(PROVEN, fault=death.fault),
        probing=replace(sick().probing, how="on this CPU", results=(death,)),
    )

    text = _shared(value)

    assert "```sh\nNPY_X='a b' python -c 'import numpy\nused()'\n```" in text
    assert "(SIGILL) in use" in text
    assert "emulated: no old silicon" not in text


def test_a_fault_whose_run_is_not_there_is_told_without_a_repetition() -> None:
    text = _shared(report(replace(PROVEN, evidence=())))

    assert "## `numpy 2.4.6`: Illegal instruction (SIGILL)\n" in text
    assert "To repeat it" not in text
    assert "Known about it" not in text


def test_a_healthy_report_has_no_deaths_and_says_so() -> None:
    text = _shared(healthy(pinsets=()))

    assert "## Findings\n\n```text\nnone\n```" in text
    assert "probes       none ran" in text
    assert "pin-sets     none applies" in text


def test_the_whole_report_is_folded_into_it_as_json() -> None:
    value = sick()
    (block,) = re.findall(r"^```json\n(.*?)\n```$", _shared(value), re.DOTALL | re.MULTILINE)

    assert json.loads(block) == as_json.document("check", value.version, as_json.report(value))


def test_what_is_hostile_stays_inside_its_fences() -> None:
    text = _shared(hostile()[0])
    outside = re.sub(r"^(`{3,})\w+\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)

    assert EVIL in text
    assert not re.search(r"<(?!/?(?:details|summary)>)", _unquoted(outside))


def _unquoted(text: str) -> str:
    """What is left where code spans are taken out."""
    return re.sub(r"`[^`]*`", "", text)


@settings(deadline=None)
@given(st.text())
def test_no_content_closes_its_fence(content: str) -> None:
    first, *inside, last = share.fence(content).split("\n")

    assert first == f"{last}text"
    assert "\n".join(inside) == content
    assert last not in content


def test_words_that_issues_are_searched_by() -> None:
    assert words("SIGILL SIGFPE SIGSEGV SIGBUS SIGABRT") == {*share.SIGNALS}
