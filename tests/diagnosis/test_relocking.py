"""How each lock file is written anew."""

from __future__ import annotations

import pytest

from legacy_doctor.diagnosis import relocking


@pytest.mark.parametrize(
    ("form", "command"),
    [
        ("uv.lock", "uv lock --upgrade-package 'numpy<2.4'"),
        ("poetry.lock", "poetry add 'numpy<2.4'"),
        ("pdm.lock", "pdm add 'numpy<2.4'"),
        ("Pipfile.lock", "pipenv install 'numpy<2.4'"),
        ("freeze", "python -m pip install 'numpy<2.4'"),
        ("pylock", None),
        ("requirements", None),
    ],
)
def test_the_command_of_the_tool(form: str, command: str | None) -> None:
    assert relocking.command(form, ["numpy<2.4"]) == command


def test_several_at_once() -> None:
    wanted = ["numpy<2.4", "duckdb<2"]

    assert relocking.command("uv.lock", wanted) == (
        "uv lock --upgrade-package 'numpy<2.4' --upgrade-package 'duckdb<2'"
    )
    assert relocking.command("pdm.lock", wanted) == "pdm add 'numpy<2.4' 'duckdb<2'"
