"""Specifiers and versions as `packaging` understands them, without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.hook.conftest import guard
from tests.hook.parts import Load

NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))
PUBLIC = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "", "1!"]),
    NUMBERS,
    st.sampled_from(["", "", "", "a1", "b2", "rc1", ".alpha0", "-preview3", "c"]),
    st.sampled_from(["", "", "", ".post1", ".post", "-2", ".rev3"]),
    st.sampled_from(["", "", "", ".dev0", ".dev1", "dev"]),
)
VERSIONS = st.builds("{}{}".format, PUBLIC, st.sampled_from(["", "", "+cpu", "+cu12.1", "+a_b"]))
SPECIFIERS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["==", "!=", ">=", "<=", "<", ">"]), PUBLIC),
    st.builds("{}{}".format, st.sampled_from(["==", "!="]), VERSIONS),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), NUMBERS),
    st.builds("~={}.{}".format, st.integers(0, 3), NUMBERS),
    st.builds("==={}".format, VERSIONS),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(specifiers=st.lists(SPECIFIERS, min_size=1, max_size=2).map(",".join), version=VERSIONS)
def test_a_specifier_means_what_packaging_says(load: Load, specifiers: str, version: str) -> None:
    wanted = SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    if "===" in specifiers:
        wanted = SpecifierSet(specifiers).contains(version, prereleases=True)
    assert matches(load)(specifiers, version) is wanted


def matches(load: Load, made: list[Callable[[str, str], bool]] = []) -> Callable[[str, str], bool]:  # noqa: B006
    if not made:
        made.append(load(guard("any"))["matches"])
    return made[0]


@pytest.mark.parametrize("text", ["", "one", "1.0-x-y", "1..0"])
def test_what_is_no_version_raises(load: Load, text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        load(guard("any"))["matches"](">=1", text)


def test_an_unknown_operator_raises(load: Load) -> None:
    with pytest.raises(ValueError, match="no specifier"):
        load(guard("any"))["matches"]("<>1", "1.0")


@pytest.mark.parametrize(
    ("folder", "distribution", "version"),
    [
        ("Zope.Interface-5.0.dist-info", "zope-interface", "5.0"),
        ("zope_interface-5.0.dist-info", "zope-interface", "5.0"),
        ("old_thing-1.2-py3.11.egg-info", "old-thing", "1.2"),
        ("bare.egg-info", "bare", None),
        ("other-1.0.dist-info", "thing", None),
    ],
)
def test_the_version_is_read_from_the_name_of_the_metadata(
    load: Load, tmp_path: Path, folder: str, distribution: str, version: str | None
) -> None:
    (tmp_path / "site" / folder).mkdir(parents=True)
    spec = SimpleNamespace(origin=str(tmp_path / "site/pkg/__init__.py"))
    assert load(guard("any"))["version_of"](distribution, spec) == version


def test_the_metadata_beside_the_module_comes_first(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one/thing-1.dist-info").mkdir(parents=True)
    (tmp_path / "two/thing-2.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "one")
    monkeypatch.syspath_prepend(tmp_path / "absent")
    version_of = load(guard("any"))["version_of"]
    beside = SimpleNamespace(origin=str(tmp_path / "two/thing/__init__.py"))
    assert (version_of("thing", beside), version_of("thing", None)) == ("2", "1")
