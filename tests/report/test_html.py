"""The page: whole without a network, a script or colours, whatever stands in the report."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.model import Chart, Hidden, HiddenBy, Report, Severity, Standing
from legacy_doctor.report import html, sheet
from tests.diagnosis.patients import NEW, PHENOM, words
from tests.report.charts import CHART, CORETYPE, DEATH, EVIL, PROVEN, ROWS, healthy, hostile, sick
from tests.report.test_text import NUMPY, VARIABLE, finding, report
from tests.report.wellformed import Document

STYLE = sheet.STYLE.read_text(encoding="utf-8")


def read(value: Report, chart: Chart = CHART) -> Document:
    return Document(html.page(value, chart))


@pytest.mark.parametrize(
    ("value", "chart"),
    [
        (sick(), CHART),
        (sick(), Chart()),
        (healthy(), CHART),
        (healthy(), Chart()),
        (report(distributions=0), Chart()),
        hostile(),
    ],
    ids=["sick", "sick, no chart", "healthy", "healthy, no chart", "nothing there", "hostile"],
)
def test_a_page_is_well_formed_and_asks_nobody_for_anything(value: Report, chart: Chart) -> None:
    assert read(value, chart).wrong() == []


def test_what_is_hostile_is_shown_and_does_nothing() -> None:
    page = html.page(*hostile())

    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</title>") == page.count("<title"), "the one of the head is not closed early"
    assert escape(EVIL) in page
    assert "\x1b" not in page


def test_the_same_values_give_the_same_bytes() -> None:
    assert html.page(sick(), CHART) == html.page(sick(), CHART)


def test_the_language_and_the_width_are_declared() -> None:
    page = html.page(sick(), CHART)

    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert 'content="width=device-width, initial-scale=1"' in page


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (sick(), "numpy fails on phenom-ii"),
        (report(NUMPY), "numpy is predicted to fail on this CPU"),
        (
            report(PROVEN, replace(NUMPY, subject="scipy", cause="scipy")),
            "numpy and scipy fail on this CPU",
        ),
        (
            report(*(replace(NUMPY, subject=name, cause=name) for name in "abcd")),
            "4 packages are predicted to fail on this CPU",
        ),
        (
            report(PROVEN, finding(subject="cpu", rule="hidden-features", version=None)),
            "2 problems on this CPU: numpy and hidden CPU features",
        ),
        (
            report(*(finding(subject=name) for name in "abcd")),
            "4 problems on this CPU",
        ),
        (report(VARIABLE), "Nothing is known to fail on this CPU, but 1 warning"),
        (healthy(), "Nothing is known to fail on this CPU"),
        (report(distributions=0), "Nothing to examine"),
    ],
    ids=[
        "proven",
        "predicted",
        "two",
        "many",
        "not only packages",
        "many problems",
        "a warning",
        "healthy",
        "nothing there",
    ],
)
def test_the_status_is_one_sentence_at_the_top(value: Report, said: str) -> None:
    page = read(value)

    assert next(text for level, text in page.headings if level == 1).lstrip("✗✓!") == said
    assert f"{said} · legacy-doctor" in page.text


def test_the_first_words_tell_a_frightened_reader_what_happens() -> None:
    told = read(sick()).text

    assert "numpy uses machine instructions that this CPU does not have" in told
    assert "Nothing is broken in the computer" in told
    assert "datasets, pandas and scipy fall with it." in told
    assert "The hypervisor hides features of this CPU: look there first." in told


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (healthy(), "nothing was run to prove it"),
        (
            healthy(probing=replace(sick().probing, results=sick().probing.results[1:3])),
            "all of it passed",
        ),
        (healthy(probing=sick().probing), "What was run to prove it is told below."),
    ],
    ids=["nothing ran", "all passed", "something failed"],
)
def test_a_healthy_page_says_how_far_that_goes(value: Report, said: str) -> None:
    assert said in read(value).text


def test_every_finding_is_there_with_all_that_is_known_of_it() -> None:
    value = sick()
    page = read(value)

    cards = [item for item in page.elements if item.tag == "article"]
    assert len(cards) == len(value.findings)
    for said in (
        *("numpy 2.4.6", "Dies on import: SIGILL, pinsrq needs SSE4.1.", "proven by a probe"),
        *("Install numpy<2.4 (2.3.5 is known to run).", "3 distributions fall with it"),
        *("SIGILL (ILL_ILLOPN)", "pinsrq $1, %rax, %xmm0", "+0x2dbcc", "static initialiser"),
        *("_GLOBAL__sub_I_argfunc", "numpy/__init__.py:110 in <module>"),
        *("emulated", "https://example.org/issue/1", "Predicted [emulated]: dies on import."),
        *("OPENBLAS_CORETYPE=Haswell: asks for avx2", "1 note", "refuted by a probe"),
    ):
        assert said in page.text, said


def test_what_can_be_typed_stands_whole_in_a_block_of_its_own() -> None:
    page = html.page(sick(), CHART)
    commands = re.findall(r'<pre class="command"><code>(.*?)</code></pre>', page)

    assert commands == [
        escape(command)
        for command in (
            "legacy-doctor fix --cpu phenom-ii",
            "legacy-doctor fix --apply --cpu phenom-ii",
            *sick().prescription,
            "legacy-doctor fix --apply --only numpy --cpu phenom-ii",
        )
    ]


def test_without_a_plan_the_commands_stand_alone() -> None:
    page = read(sick(), Chart())

    assert "Do this, in this order:" in page.text
    assert "legacy-doctor fix --apply --cpu" not in page.text


def test_the_plan_tells_reasons_costs_and_remarks() -> None:
    told = read(sick()).text

    for said in ("The plan: 1 step", "install numpy<2.4", "why: numpy: dies on import"):
        assert said in told
    assert "costs: nothing" in told
    assert "note: resolved together with pandas" in told


def test_the_cause_is_the_root_and_those_who_fall_hang_below_what_they_require() -> None:
    page = html.page(sick(), CHART)
    (tree,) = re.findall(r'<ul class="tree">(.*?)</ul></li></ul>', page)

    assert tree == (
        '<li><span class="root">numpy 2.4.6</span><ul>'
        "<li>pandas<ul><li>datasets</li></ul></li><li>scipy</li>"
    )


def _told(**changes: Any) -> str:
    return html.page(report(replace(PROVEN, **changes)))


def test_a_tree_of_many_is_folded() -> None:
    many = tuple(f"name-{index:02}" for index in range(20))

    page = _told(affects=many, paths={})

    assert "<summary>20 distributions fall with it</summary>" in page
    assert all(f"<li>{name}</li>" in page for name in many)


def test_a_path_through_what_the_finding_does_not_name_is_not_lost() -> None:
    page = _told(affects=("top",), paths={"top": ("top", "between", "numpy")})

    assert "<li>top</li>" in page


def test_requirements_that_run_in_a_circle_are_told_once() -> None:
    page = _told(affects=("a", "b"), paths={"a": ("a", "b", "numpy"), "b": ("b", "a", "numpy")})

    assert (page.count("<li>a<"), page.count("<li>b<")) == (1, 1)
    assert not Document(page).wrong()


def test_who_only_requires_it_does_not_fall_with_it() -> None:
    page = _told(fault=None, missing=frozenset(), affects=("pandas",))

    assert "1 distribution requires it" in page


def test_a_fault_of_which_little_is_known_is_told_as_far_as_it_goes() -> None:
    assert DEATH.fault is not None
    bare = replace(
        DEATH.fault, code="", instruction=None, bytes="", needs=frozenset(), path=None,
        library=None, offset=None, symbol=None, owner=None, place="", frames=(),
    )  # fmt: skip
    page = _told(fault=bare)

    (facts,) = re.findall(r'Where it died</h4><dl class="facts">(.*?)</dl>', page)
    assert facts == "<dt>signal</dt><dd><code>SIGILL</code></dd>"


def test_the_snippet_of_a_probe_is_called_by_what_it_is() -> None:
    assert DEATH.fault is not None
    frame = DEATH.fault.frames[0]._replace(file="/run/legacy-doctor-x1/0/probe_import.py", line=1)
    page = _told(fault=replace(DEATH.fault, frames=(frame,)))

    assert "the probe:1 in &lt;module&gt;" in page
    assert "legacy-doctor-x1" not in page


def test_a_message_about_where_somebody_else_dies_is_a_sentence() -> None:
    page = _told(message="is where pandas 3.1.1 dies on import")

    assert "This is where pandas 3.1.1 dies on import." in page


def test_every_feature_of_every_level_is_had_lacked_or_hidden() -> None:
    page = read(sick())

    chips = [item for item in page.elements if item.attributes.get("class") in {"has", "lacks"}]
    assert len(chips) == 8 + 7 + 9 + 5
    for said in (
        *("x86-64-v1 has all of it", "x86-64-v2 lacks 3 of 7", "lacks SSE4.1", "has POPCNT"),
        *("SSSE3 (hidden by the hypervisor)", "Hidden by the hypervisor", "Change the CPU type"),
    ):
        assert said in page.text, said


def test_a_cpu_without_a_model_number_has_no_identity() -> None:
    cpu = replace(
        PHENOM,
        family=0,
        hidden=(Hidden(feature="avx", reason=HiddenBy.KERNEL, detail="boot line"),),
    )

    told = read(report(cpu=cpu), Chart()).text

    assert "Identity" not in told
    assert "AVX: boot line." in told
    assert "What to do:" not in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Asks for: AVX2, which this CPU lacks"),
        ({"needs": words("sse2")}, "Asks for: nothing that this CPU lacks"),
        ({"understood": False}, "Asks for: not understood; it accepts the name of a core"),
        ({"readers": ()}, "Read by: any program"),
    ],
    ids=["deadly", "harmless", "nonsense", "anybody"],
)
def test_a_dispatch_variable(change: dict[str, Any], said: str) -> None:
    told = read(sick(), replace(CHART, overrides=(replace(CORETYPE, **change),))).text

    assert "OPENBLAS_CORETYPE=Haswell force" in told
    assert said in told


def test_the_matrix_is_a_picture_a_table_and_a_list_of_what_nobody_knows() -> None:
    page = read(sick())

    assert "Of 1 distribution nothing is known: mystery." in page.text
    assert any("matrix" in item.attributes.get("class", "") for item in page.elements)
    assert "dies on import, proven" in page.text


def test_where_nothing_is_known_there_is_no_empty_picture() -> None:
    page = read(sick(), Chart(prognosis=ROWS[2:3]))

    assert "Of 1 distribution nothing is known: mystery." in page.text
    assert not [item for item in page.elements if item.tag == "svg"]


def test_every_probe_is_told_in_one_line() -> None:
    told = read(sick()).text

    for said in (
        *("5 probes, one line each", "✗ died: illegal instruction (import)", "✓ passed (use)"),
        *("- skipped needs numpy", "RuntimeError: Incompatible processor"),
        "numpy with OPENBLAS_CORETYPE=Haswell",
    ):
        assert said in told, said


def test_the_end_says_what_the_grades_mean_and_by_what_was_judged() -> None:
    told = read(sick(), Chart()).text

    assert "silicon it was run on a real CPU of that kind" in told
    assert "Pin-sets: below-v2@2026-11-20." in told
    assert "No pin-set says anything about mystery." in told
    assert "none applies to this CPU" in read(report(cpu=NEW, pinsets=()), Chart()).text


def _tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def _themes() -> dict[str, dict[str, str]]:
    """The colours of the three themes, as the cascade leaves them."""
    light, dark, paper = (
        _tokens(part) for part in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": {**light, **dark}, "print": {**light, **paper}}


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_every_ink_can_be_read_on_every_paper(theme: str) -> None:
    colours = _themes()[theme]
    inks = {name: colour for name, colour in colours.items() if name.startswith("ink")}
    papers = {name: colour for name, colour in colours.items() if name.startswith("paper")}
    assert (len(inks), len(papers)) == (6, 6)

    pale = {
        f"{ink} on {paper}": round(contrast(inks[ink], papers[paper]), 2)
        for ink in inks
        for paper in papers
        if contrast(inks[ink], papers[paper]) < 4.5
    }

    assert pale == {}


def test_every_colour_is_one_of_the_theme() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)

    assert not re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", rules)
    assert {*re.findall(r"var\(--([\w-]+)\)", rules)} == {*_themes()["light"]}


def test_a_shape_that_is_inferred_is_hollow_and_dashed() -> None:
    assert ".mx.inferred { fill: var(--paper-card); stroke-dasharray:" in STYLE


_WORDS = st.text(max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_WORDS, _WORDS, st.sampled_from(Severity), st.sampled_from(Standing))
def test_whatever_a_finding_says_the_page_stays_well_formed(
    one: str, other: str, severity: Severity, standing: Standing
) -> None:
    said = replace(
        PROVEN, subject=one, message=other, cause=one, affects=(other,), details=(one,),
        severity=severity, standing=standing,
    )  # fmt: skip

    assert read(report(said)).wrong() == []
