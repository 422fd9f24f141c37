"""`pinsets list|show|diff`."""

from __future__ import annotations

import json

from tests.conftest import Doctor


def test_the_list_tells_current_from_superseded(doctor: Doctor) -> None:
    out = doctor("pinsets", "list").out

    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "current" in rows["below-v2@2026-11-20"]
    assert "superseded" in rows["original@2026-11-20"]


def test_a_pin_set_is_shown_with_its_evidence(doctor: Doctor) -> None:
    flat = " ".join(doctor("pinsets", "show", "below-v2").out.split())

    assert "numpy: >=2.4 dies on import" in flat
    assert "[emulated] phenom" in flat


def test_a_pin_set_is_had_as_json(doctor: Doctor) -> None:
    shown = json.loads(doctor("pinsets", "show", "original", "--format", "json").out)

    pins = {pin["distribution"]: pin["good"] for pin in shown["pinset"]["pins"]}
    assert pins == {
        "numpy": "==1.26.4",
        "torch": "==2.7.0",
        "torchaudio": "==2.7.0",
        "transformers": "==4.57.3",
    }
    assert {item["distribution"] for item in shown["pinset"]["removals"]} == {
        "datasets",
        "pyarrow",
        "pyarrow-hotfix",
        "pandas",
        "torchcodec",
    }


def test_the_difference_says_what_changed(doctor: Doctor) -> None:
    flat = " ".join(doctor("pinsets", "diff", "original", "below-v2").out.split())
    changes = json.loads(doctor("pinsets", "diff", "original", "below-v2", "--format", "json").out)[
        "changes"
    ]

    assert "--- original@2026-11-20 +++ below-v2@2026-11-20" in flat
    assert "numpy" in {change["distribution"] for change in changes}


def test_a_pin_set_does_not_differ_from_itself(doctor: Doctor) -> None:
    assert "no difference" in doctor("pinsets", "diff", "below-v2", "below-v2").out


def test_the_list_is_had_as_json(doctor: Doctor) -> None:
    sets = json.loads(doctor("pinsets", "list", "--format", "json").out)["pinsets"]

    assert {"below-v2", "v2-no-avx", "avx-no-avx2", "original"} <= {item["id"] for item in sets}
