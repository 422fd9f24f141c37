"""A project in every format: the block of check, and a row of each of the others."""

from __future__ import annotations

import dataclasses
import json
from xml.etree import ElementTree as ET

import pytest

from legacy_doctor.diagnosis import projects
from legacy_doctor.knowledge import patches, profiles
from legacy_doctor.model import Cpu, Grade, Keep, Outlook
from legacy_doctor.report import (
    github,
    html,
    junit,
    layout,
    markdown,
    outlook,
    sarif,
    text,
    wording,
)
from legacy_doctor.report import json as documents
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import NEHALEM, PHENOM, patient
from tests.report.test_text import NUMPY, report
from tests.report.wellformed import Document

KEEP = (
    Keep("numpy", "numpy<2.4", "it dies", Grade.EMULATED, "2.4.6"),
    Keep("pyarrow", None, "it dies", Grade.EMULATED, None),
    Keep("torch", None, "oneDNN dies", Grade.EMULATED, None),
)


def made(name: str = "f5-tts", cpu: Cpu = PHENOM, keep: tuple[Keep, ...] = KEEP) -> Outlook:
    return projects.outlook(profiles.find(name), patient(on=cpu), keep, patches.every(), ())


REPORT = report(NUMPY, outlook=made())

SCREEN = """\
F5-TTS below x86-64-v2: runs once treated [reported]
  imports and samples once torch-onednn-off and datasets-stub are in place;
  pyarrow and bitsandbytes have to go
  pin       numpy<2.4
  avoid     pyarrow
  patch     torch-onednn-off, datasets-stub
  missing   f5-tts, torch, torchaudio, transformers, datasets, librosa,
            x-transformers, accelerate, wandb, vocos, torchdiffeq, numpy
  known     SWivid/F5-TTS#1292: no fault of the CPU
"""


def test_the_block_of_check() -> None:
    block = layout.plain(outlook.lines(made(), Page()))

    assert block.startswith(SCREEN)
    assert block.endswith("  more      legacy-doctor profile show f5-tts\n\n")
    assert "  advice    Compute the mel spectrograms once, ahead of training" in block


@pytest.mark.parametrize("name", profiles.names())
@pytest.mark.parametrize("cpu", [PHENOM, NEHALEM], ids=["phenom", "nehalem"])
def test_every_profile_fits_on_one_screen(name: str, cpu: Cpu) -> None:
    lines = layout.plain(outlook.lines(made(name, cpu), Page())).splitlines()

    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100


def test_check_shows_it_before_the_findings() -> None:
    page = layout.plain(text.lines(REPORT, Page()))

    assert page.index("F5-TTS below x86-64-v2") < page.index("numpy 2.4.6")


def test_without_a_profile_nothing_is_said_of_one() -> None:
    plain = report(NUMPY)

    assert wording.project(plain) == ""
    assert documents.report(plain)["profile"] is None
    assert "profile" not in json.loads(sarif.render(plain, ()))["runs"][0]["properties"]
    assert "Profile:" not in markdown.render(plain)


TOLD = "F5-TTS below x86-64-v2: runs once treated (reported): imports and samples once"


def test_one_line_says_it_all() -> None:
    line = wording.project(REPORT)

    assert line.startswith(TOLD)
    assert "; pin numpy<2.4; avoid pyarrow; patch torch-onednn-off, datasets-stub;" in line


def test_sarif_has_a_property() -> None:
    properties = json.loads(sarif.render(REPORT, ()))["runs"][0]["properties"]

    assert properties["profile"].startswith(TOLD)


def test_github_has_a_notice() -> None:
    assert any(
        line.startswith("::notice") and TOLD in line for line in github.render(REPORT).splitlines()
    )


def test_markdown_has_a_line() -> None:
    lines = markdown.render(REPORT).splitlines()

    (row,) = [line for line in lines if line.startswith("Profile: F5-TTS below x86-64-v2")]
    assert lines[lines.index(row) - 1].endswith("  "), "a line of its own"


def test_the_page_has_a_fact() -> None:
    assert wording.project(REPORT) in Document(html.page(REPORT)).text
    assert "Project" not in Document(html.page(report(NUMPY))).text


def test_junit_has_a_property() -> None:
    suite = ET.fromstring(junit.render(REPORT, ()).partition("\n")[2])  # noqa: S314  our own

    values = {item.get("name"): str(item.get("value")) for item in suite.iter("property")}
    assert values["profile"].startswith(TOLD)


def test_json_has_all_of_it() -> None:
    told = documents.report(REPORT)["profile"]

    assert (told["id"], told["tier"], told["fitness"]) == ("f5-tts", "below-v2", "runs-treated")
    assert told["avoid"] == ["pyarrow"]
    assert [item["treated_by"] for item in told["keep"]] == ["", "", "torch-onednn-off"]
    assert {item["key"] for item in told["advice"]} >= {"workers-0", "mels-ahead"}


def test_nothing_to_do_is_not_filled_with_empty_rows() -> None:
    value = dataclasses.replace(made("kokoro-onnx", NEHALEM, ()), missing=())

    assert [name for name, _ in outlook.rows(value)] == ["known"]
