"""The page as a reader gets it: in a real browser, wide and narrow, light, dark and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from legacy_doctor.report import html
from tests.browser import Browser
from tests.report.charts import CHART, healthy, hostile, sick

pytestmark = pytest.mark.chromium

_OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
_UNFOLD = "document.querySelectorAll('details').forEach(item => { item.open = true; })"
_STICKS_OUT = """
[...document.querySelectorAll('body *')]
  .filter(item => !item.closest('.scroll') && !item.closest('.unseen'))
  .filter(item => item.getBoundingClientRect().right > window.innerWidth + 1)
  .map(item => item.outerHTML.slice(0, 120))
"""
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"


class Pages(NamedTuple):
    sick: Path
    healthy: Path
    hostile: Path


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("pages")
    written = Pages(*(folder / f"{name}.html" for name in Pages._fields))
    written.sick.write_text(html.page(sick(), CHART), encoding="utf-8")
    written.healthy.write_text(html.page(healthy(), CHART), encoding="utf-8")
    written.hostile.write_text(html.page(*hostile()), encoding="utf-8")
    return written


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_screenshot_is_as_wide_as_the_window_and_full_of_things(
    width: int, dark: bool, pages: Pages, browser: Browser, tmp_path: Path
) -> None:
    asked = browser.open(pages.sick, width=width, dark=dark)
    browser.value(_UNFOLD)
    look = browser.screenshot(tmp_path / "page.png")

    assert asked == (pages.sick.as_uri(),), "it asks nobody for anything"
    assert browser.value(_OVERFLOW) <= 0, "nothing to scroll sideways"
    assert browser.value(_STICKS_OUT) == []
    assert look.width == width
    assert look.height > 2000
    assert look.colours > 60
    assert look.most < 0.97


@pytest.mark.parametrize("name", ["healthy", "hostile"])
def test_other_pages_fit_a_telephone_too(name: str, pages: Pages, browser: Browser) -> None:
    asked = browser.open(getattr(pages, name), width=390)
    browser.value(_UNFOLD)

    assert len(asked) == 1
    assert browser.value(_OVERFLOW) <= 0
    assert browser.value(_STICKS_OUT) == []


def test_whatever_got_in_could_load_and_run_nothing(pages: Pages, browser: Browser) -> None:
    browser.open(pages.sick, width=1280)
    loaded = browser.value(
        "new Promise(done => { const image = new Image(); image.onload = () => done(true);"
        " image.onerror = () => done(false);"
        " image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; })"
    )
    ran = browser.value(
        "(() => { const script = document.createElement('script');"
        " script.textContent = 'window.ran = true'; document.body.append(script);"
        " return window.ran === true; })()"
    )

    assert (loaded, ran) == (False, False)


def test_the_themes_differ(pages: Pages, browser: Browser) -> None:
    grounds = set()
    for dark, media in ((False, ""), (True, ""), (True, "print")):
        browser.open(pages.sick, width=1280, dark=dark, media=media)
        grounds.add(browser.value(_BACKGROUND))

    assert grounds == {"rgb(250, 249, 246)", "rgb(21, 23, 27)", "rgb(255, 255, 255)"}


def test_on_paper_nothing_stays_folded(pages: Pages, browser: Browser) -> None:
    browser.open(pages.sick, width=1280)
    shown = "document.querySelector('#findings').parentElement.getBoundingClientRect().height"
    folded = browser.value(shown)
    browser.open(pages.sick, width=1280, media="print")

    assert browser.value("document.querySelectorAll('details[open]').length") == 0
    assert browser.value(shown) > folded


def test_a_screen_reader_is_given_headings_articles_tables_and_a_named_picture(
    pages: Pages, browser: Browser
) -> None:
    browser.open(pages.sick, width=1280)
    browser.value(_UNFOLD)
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in browser.tree()
        if not node.get("ignored")
    ]

    roles = [role for role, _ in nodes]
    assert ("heading", "numpy fails on phenom-ii") in nodes, "the sign before it is not read out"
    assert ("article", "error: numpy 2.4.6") in nodes
    assert any("distributions on this CPU" in name for role, name in nodes if role.startswith("im"))
    assert {"main", "banner", "contentinfo", "table", "columnheader", "rowheader"} <= {*roles}
    assert all(name for role, name in nodes if role in {"heading", "article", "link", "region"})


def test_a_command_is_selected_whole_and_without_its_prompt(pages: Pages, browser: Browser) -> None:
    browser.open(pages.sick, width=390)

    styles = browser.value(
        "(() => { const block = document.querySelector('.command');"
        " return [getComputedStyle(block).userSelect, block.innerText]; })()"
    )

    assert styles == ["all", "legacy-doctor fix --cpu phenom-ii"]
