"""Only averaged weights, or others too."""

from __future__ import annotations

import pytest

from legacy_doctor.checkpoint import prefix

PUBLISHED = [(f"ema_model.transformer.{number}",) for number in range(364)]


def only(*names: str) -> prefix.Averaged | None:
    return prefix.only([tuple(name.split("/")) for name in names])


def test_the_published_f5_tts_checkpoint() -> None:
    found = prefix.only([*PUBLISHED, ("step",), ("initted",)])
    assert found == prefix.Averaged("ema_model.", "", 364, ("step", "initted"))


@pytest.mark.parametrize(
    ("names", "start", "table"),
    [
        pytest.param(["ema_model.a"], "ema_model.", "", id="flat"),
        pytest.param(["model_ema.a", "num_updates"], "model_ema.", "", id="another prefix"),
        pytest.param(
            ["ema_model_state_dict/ema_model.a", "ema_model_state_dict/step"],
            *("ema_model.", "ema_model_state_dict"),
            id="in a table",
        ),
        pytest.param(["ema/a", "ema/b.c"], "ema.", "ema", id="a table of plain names"),
        pytest.param(
            ["ema/a", "optimizer/state/0/exp_avg"], "ema.", "ema", id="beside an optimizer"
        ),
    ],
)
def test_averaged_weights_alone(names: list[str], start: str, table: str) -> None:
    found = only(*names)
    assert found is not None
    assert (found.prefix, found.table) == (start, table)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="nothing"),
        pytest.param(["step", "initted"], id="bookkeeping alone"),
        pytest.param(["a.weight"], id="plain weights"),
        pytest.param(["ema_model.a", "a"], id="both side by side"),
        pytest.param(["model/a", "ema/a"], id="both in tables"),
        pytest.param(["emaciated.a"], id="a name that begins alike"),
        pytest.param(["model/a"], id="a table of plain weights"),
    ],
)
def test_other_weights_too(names: list[str]) -> None:
    assert only(*names) is None
