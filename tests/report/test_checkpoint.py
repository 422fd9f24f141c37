"""A checkpoint on a screen, and in a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.model import (
    Checkpoint,
    Evidence,
    Finding,
    Grade,
    Reference,
    Remedy,
    RemedyKind,
    Severity,
    StoredTensor,
    StrippedCopy,
    Trust,
)
from legacy_doctor.report import checkpoint, layout

COPY = StrippedCopy(Path("/plain.pt"), 1, 2_500_000_000, ("step", *"abcdefg"))
AVERAGED = Finding(
    rule="checkpoint-ema-only",
    severity=Severity.WARNING,
    subject="model.pt",
    message="only averaged (EMA) weights",
    evidence=(Evidence(grade=Grade.REPORTED, source="an issue", detail=""),),
    details=("a detail",),
    remedy=Remedy(kind=RemedyKind.ADVICE, text="make a copy", commands=("copy it",)),
)


def weights(**changes: Any) -> Checkpoint:
    """A checkpoint about which nothing is to be said."""
    values: dict[str, Any] = {
        "path": "/model.pt",
        "form": "torch-zip",
        "size": 2_500,
        "tensors": (StoredTensor("a.weight", "float32", (2, 3)), StoredTensor("n", "int64", ())),
        "data": 32,
        "protocol": 2,
    }
    return Checkpoint(**{**values, **changes})


def sick_weights() -> Checkpoint:
    """One with all that can be said."""
    references = [
        Reference(name=f"a.{trust.value}", trust=trust, why="w", calls=("a.b('id')",) * 2, count=2)
        for trust in reversed(Trust)
    ]
    return weights(
        references=tuple(references * 2),
        weights_only=False,
        prefix="ema_model.",
        sha256="0" * 64,
        findings=(AVERAGED,),
    )


def shown(value: Checkpoint, copy: StrippedCopy | None = None) -> str:
    return layout.plain(checkpoint.lines(value, copy, layout.Page()))


def test_a_good_one() -> None:
    assert (
        shown(weights())
        == """\
/model.pt
  form           zip archive of torch.save, 2.5 kB, pickle protocol 2
  holds          2 tensors (float32 1, int64 1), 7 parameters, 32 bytes
  asks for       nothing beyond torch's own list
  weights_only   torch.load with weights_only=True takes it

[✓] no finding: it loads wherever torch runs, and runs nothing
"""
    )


def test_a_sick_one() -> None:
    text = shown(sick_weights())

    assert "a.dangerous (dangerous: w); a.gateway (gateway: w)" in text.replace(
        "\n" + " " * 17, " "
    )
    assert "and 2 more" in text.replace("\n" + " " * 17, " ")
    assert "does not take it" in text
    assert "[!] model.pt  only averaged (EMA) weights [reported]\n    · a detail\n" in text
    assert text.endswith("    hint: make a copy\n\nFix:   copy it\n")


def test_a_copy_takes_the_place_of_the_command() -> None:
    text = shown(sick_weights(), COPY)

    assert "Fix:" not in text
    assert "  written        /plain.pt: 1 tensor, 2.5 GB\n" in text
    assert "  left out       step, a, b, c, d, e and 2 more\n" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": None, "form": "safetensors"}, "nothing: there is no pickle in it"),
        ({"tensors": ()}, "holds          no tensor"),
        ({"size": 1}, "1 byte,"),
        ({"size": 345_600_000}, "345.6 MB"),
        ({"path": "/mo\x1b[31mdel.pt"}, "/mo?[31mdel.pt"),
    ],
    ids=["no pickle", "no tensor", "a byte", "megabytes", "a name of escape codes"],
)
def test_what_a_line_says(changes: dict[str, Any], words: str) -> None:
    assert words in shown(weights(**changes))


def test_a_document_counts_what_it_lists() -> None:
    body = checkpoint.body(sick_weights(), COPY)

    assert (body["parameters"], body["dtypes"]) == (7, {"float32": 1, "int64": 1})
    assert body["tensors"][0] == {"name": "a.weight", "dtype": "float32", "shape": [2, 3]}
    assert body["copy"]["dropped"][0] == "step"
