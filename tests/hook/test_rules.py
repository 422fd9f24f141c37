"""What a hook refuses to be armed with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook.rules import Armed, Guard, Listed, Shim, Where
from legacy_doctor.model import When
from tests.hook.conftest import STAND_IN, armed, guard

SSE = Where(needs=frozenset({"sse4_1"}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Where(needs=frozenset({"sse41"})),
            "unknown feature 'sse41'; did you mean 'sse4_1'",
        ),
        (Where, "names neither a feature nor a kind of CPU"),
        (lambda: Where(when=When()), "names neither a feature nor a kind of CPU"),
        (lambda: guard("no module"), "'no module' is no module name"),
        (lambda: guard("x", broken="2.0"), "'2.0' is no version specifier"),
        (lambda: Guard(module="x", distribution="x", where=SSE, remedy=" "), "names no remedy"),
        (Listed, "neither a path nor a sha256"),
        (lambda: Listed(path="a.pt"), "by an absolute path"),
        (lambda: Listed(path="/"), "by an absolute path"),
        (lambda: Listed(sha256="ABC"), "is no sha256"),
        (lambda: Shim(id="torch-onednn-of"), "no shim 'torch-onednn-of'; did you mean"),
        (lambda: Shim(id="mel-on-gpu", versions="2"), "is no version specifier"),
        (lambda: Shim(id="torch-load-weights-only-false"), "files must be listed"),
        (lambda: Shim(id="mel-on-gpu", listed=(Listed(path="/a"),)), "files must be listed"),
        (lambda: Shim(id="datasets-stub"), "a stand-in must be given"),
        (lambda: Shim(id="mel-on-gpu", stand_in="x"), "a stand-in must be given"),
        (
            lambda: armed(shims=[Shim(id="datasets-stub", stand_in=STAND_IN)]),
            "needs the guard of pyarrow",
        ),
        (lambda: armed(shims=[Shim(id="mel-on-gpu")] * 2), "mel-on-gpu is armed twice"),
    ],
)
def test_what_could_not_work_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(DoctorError, match=words):
        make()


def test_a_level_is_a_need() -> None:
    assert Where(needs=frozenset({"x86-64-v2"})).needs == {"x86-64-v2"}


def test_the_modules_that_are_looked_out_for() -> None:
    rules = Armed(
        cpu="x", guards=(guard("b"), guard("a"), guard("b")), shims=(Shim(id="mel-on-gpu"),)
    )
    assert rules.modules == ("a", "b", "torchaudio.transforms")
