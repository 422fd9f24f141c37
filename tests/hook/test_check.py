"""The judgement on a hook that has just been written."""

from __future__ import annotations

from pathlib import Path

import pytest

from legacy_doctor.hook import check
from legacy_doctor.hook.check import Outcome

OURS = "abcdef012345"
QUIET = Outcome(0, "legacy-doctor-hook -\n", "")
ARMED = Outcome(0, f"legacy-doctor-hook {OURS}\n", "")


@pytest.mark.parametrize(
    ("before", "with_hook", "disabled", "words"),
    [
        (QUIET, ARMED, QUIET, None),
        (
            Outcome(0, "noise\nlegacy-doctor-hook -\n", "theirs\n"),
            Outcome(0, f"noise\nlegacy-doctor-hook {OURS}\n", "theirs\n"),
            Outcome(0, "noise\nlegacy-doctor-hook -\n", "theirs\n"),
            None,
        ),
        (QUIET, ARMED._replace(code=1), QUIET, "exits with 1 with the hook, and with 0 without"),
        (QUIET, ARMED, QUIET._replace(code=-4), "exits with -4 with the hook off"),
        (QUIET, ARMED._replace(err="a\nError: x\n"), QUIET, "does not say without: Error: x"),
        (ARMED._replace(err="x"), ARMED, QUIET, r"does not say without: \(nothing\)"),
        (QUIET, ARMED._replace(out="noise\n" + ARMED.out), QUIET, "prints something with the hook"),
        (QUIET, QUIET, QUIET, "the hook is not armed"),
        (QUIET, Outcome(0, "", ""), QUIET, "the hook is not armed"),
        (
            QUIET,
            Outcome(0, "legacy-doctor-hook 000000000000\n", ""),
            QUIET,
            "another hook is armed",
        ),
        (QUIET, ARMED, ARMED, "does not switch it off"),
    ],
    ids=[
        "sound",
        "sound among noise of others",
        "Python dies",
        "Python dies with it off",
        "an error of ours",
        "silence in the place of an error",
        "noise of ours",
        "not read",
        "no answer",
        "an older hook comes first",
        "an off-switch that does nothing",
    ],
)
def test_the_judgement(
    before: Outcome, with_hook: Outcome, disabled: Outcome, words: str | None
) -> None:
    found = check.judge(OURS, before, with_hook, disabled)
    if words is None:
        assert found is None
    else:
        import re

        assert found is not None
        assert re.search(words, found)


@pytest.mark.parametrize(
    ("place", "mode", "words"),
    [
        ("", 0o755, None),
        ("", 0o775, None),
        ("", 0o777, "can be written by every user"),
        ("", 0o1777, "can be written by every user"),
        ("__pycache__", 0o777, "can be written by every user"),
        ("__pycache__", 0o755, None),
        ("..", 0o777, "can be written by every user"),
        ("..", 0o1777, None),
    ],
    ids=[
        "mine alone",
        "my group's",
        "everybody's",
        "everybody's with a sticky bit",
        "an open cache",
        "a closed cache",
        "an open folder above",
        "a sticky folder above",
    ],
)
def test_a_folder_that_others_could_write_to(
    tmp_path: Path, place: str, mode: int, words: str | None
) -> None:
    folder = tmp_path / "lib/site-packages"
    folder.mkdir(parents=True)
    (folder / place).mkdir(exist_ok=True)
    (folder / place).chmod(mode)
    found = check.exposed(folder)
    assert (found is None) is (words is None)
    assert (words or "") in (found or "")


def test_a_folder_that_is_not_there_is_not_judged_safe(tmp_path: Path) -> None:
    assert "cannot be looked at" in str(check.exposed(tmp_path / "absent"))
