"""Which profiles an environment or a checkout matches, and by what."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from legacy_doctor.diagnosis import recognition
from legacy_doctor.knowledge import profiles

KNOWN = profiles.every()
STYLE = profiles.find("styletts2")

INSTALLED = {
    "by its own name": (["f5-tts", "numpy"], [("f5-tts", True)]),
    "two of them": (["piper-tts", "faster-whisper"], [("faster-whisper", True), ("piper", True)]),
    "by most of what a checkout needs": (
        [name for name in STYLE.needs if name != "accelerate"],
        [("styletts2", False)],
    ),
    "a few are no project": (["torch", "numpy", "librosa"], []),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("names", "expected"), INSTALLED.values(), ids=INSTALLED)
def test_an_environment(names: Collection[str], expected: list[tuple[str, bool]]) -> None:
    found = [*recognition.installed(KNOWN, names)]

    assert [(item.profile, item.certain) for item in found] == expected
    assert all(item.by for item in found)


CHECKOUTS = {
    "by its files": ("", [], STYLE.marks, [("styletts2", "has meldataset.py, models.py")]),
    "some of its files are not all": ("", [], STYLE.marks[:1], []),
    "by the name in its metadata": ("piper-tts", [], (), [("piper", "is called piper-tts")]),
    "by what it asks for": ("app", ["kokoro"], (), [("kokoro", "asks for kokoro")]),
    "by what its project needs": (
        "",
        [*STYLE.needs],
        (),
        [("styletts2", "8 of the 8 distributions that it imports are asked for")],
    ),
    "a profile without a name in any index": (
        "",
        [],
        profiles.find("whisper-cpp").marks,
        [("whisper-cpp", "has include/whisper.h")],
    ),
}


@pytest.mark.parametrize(
    ("project", "names", "there", "expected"), CHECKOUTS.values(), ids=CHECKOUTS
)
def test_a_checkout(
    project: str, names: list[str], there: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    found = [*recognition.asked(KNOWN, project, names, lambda mark: mark in there)]

    assert [item.profile for item in found] == [name for name, _ in expected]
    for item, (_, by) in zip(found, expected, strict=True):
        assert item.by.startswith(by)
