"""Version logic: what a specifier admits, and whether two can be met at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from legacy_doctor.diagnosis.specifiers import admits, compatible, intersect


@pytest.mark.parametrize(
    ("specifier", "version", "answer"),
    [
        pytest.param(">=2.4", "2.4.0", True, id="the first one"),
        pytest.param(">=2.4", "2.3.5", False, id="the one before"),
        pytest.param("", "0.0.1", True, id="every version"),
        pytest.param(None, "1.0", False, id="no specifier admits nothing"),
        pytest.param(">=2.4", "2.4.0rc1", False, id="a pre-release comes before"),
        pytest.param(">=2.4", "2.5.0rc1", True, id="a later pre-release counts"),
        pytest.param("==2.7.0", "2.7.0+cpu", True, id="a local build is that version"),
    ],
)
def test_what_is_admitted(specifier: str | None, version: str, answer: bool) -> None:
    assert admits(specifier, version) is answer


@pytest.mark.parametrize(
    ("specifiers", "whole"),
    [
        pytest.param((), "", id="none"),
        pytest.param(("<2.4",), "<2.4", id="one"),
        pytest.param(("<2.4", ">=1"), "<2.4,>=1", id="two"),
        pytest.param(("", "<2.4"), "<2.4", id="every version and one"),
        pytest.param(("<2.4,>=1", ">=1,<3"), "<2.4,>=1,<3", id="the same part once"),
    ],
)
def test_an_intersection_asks_for_all(specifiers: tuple[str, ...], whole: str) -> None:
    assert intersect(*specifiers) == whole


COMPATIBLE = [
    pytest.param("<2.4", ">=2.4", False, id="below and from"),
    pytest.param("<=2.4", ">=2.4", True, id="up to and from"),
    pytest.param("<2.4", "", True, id="below and any"),
    pytest.param("", "", True, id="any and any"),
    pytest.param("==2.7.0", ">=2.8", False, id="exactly an older one"),
    pytest.param("==2.7.0", "~=2.6", True, id="exactly one of a series"),
    pytest.param("==2.7.*", "!=2.7.0", True, id="a series without its first"),
    pytest.param("==2.7.*", "!=2.7.*", False, id="a series without itself"),
    pytest.param(">1.0,<1.1", "!=1.0.5", True, id="a gap without one"),
    pytest.param(">1.0", "<1.0.1", True, id="a narrow gap"),
    pytest.param(">1,<2", ">=2", False, id="exclusive ends"),
    pytest.param("<1", ">0.99999", True, id="a wide number before a new one"),
    pytest.param(">=202401", "<202402", True, id="calendar versions"),
    pytest.param(">=1!0", "<9", False, id="an epoch later than any number"),
    pytest.param(">=1!1.2", "<1!2", True, id="within an epoch"),
    pytest.param("<0", "", False, id="nothing comes before nought"),
    pytest.param("===2.4", ">=2", True, id="literally a version"),
    pytest.param("===local-build", "<2.4", False, id="literally no version at all"),
    pytest.param(">=2.4.dev0,<2.4.dev5", "!=2.4.dev0", True, id="between dev releases"),
    pytest.param(">1.0a1", "<1.0a3", True, id="between alphas"),
    pytest.param(">1.0rc1", "<1.0", False, id="a pre-release is not below its release"),
    pytest.param(">1.0.post1", "<1.0.post3", True, id="between post-releases"),
    pytest.param(">1.0", "<1.0.post5", False, id="a post-release is not above its release"),
]


@pytest.mark.parametrize(("one", "other", "answer"), COMPATIBLE)
def test_whether_some_version_satisfies_both(one: str, other: str, answer: bool) -> None:
    assert compatible(one, other) is answer
    assert compatible(other, one) is answer


_NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(
    lambda numbers: ".".join(map(str, numbers))
)
_RELEASES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "1!"]),
    _NUMBERS,
    st.sampled_from(["", "", "", "a1", "rc2", ".post1", ".dev3", "a1.dev2", "rc1.post1"]),
)
_WILD = st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), _NUMBERS)
_TILDE = _NUMBERS.map(lambda numbers: f"~={numbers}.0")
_PLAIN = st.builds(
    "{}{}".format, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "==="]), _RELEASES
)
_SPECIFIERS = st.lists(_PLAIN | _WILD | _TILDE, max_size=3).map(",".join)


@settings(deadline=None)
@given(_SPECIFIERS, _SPECIFIERS)
def test_compatibility_has_no_direction(one: str, other: str) -> None:
    assert compatible(one, other) is compatible(other, one)


@settings(deadline=None)
@given(_SPECIFIERS, _SPECIFIERS, st.lists(_RELEASES, min_size=20, max_size=20))
def test_what_some_version_satisfies_is_never_called_incompatible(
    one: str, other: str, versions: list[str]
) -> None:
    if any(admits(one, version) and admits(other, version) for version in versions):
        assert compatible(one, other)


@settings(deadline=None)
@given(_SPECIFIERS, _RELEASES)
def test_what_can_be_met_can_be_met_beside_no_demand(specifier: str, version: str) -> None:
    if admits(specifier, version):
        assert compatible(specifier, "")


@settings(deadline=None)
@given(st.lists(_SPECIFIERS, max_size=3), _RELEASES)
def test_an_intersection_admits_what_all_its_parts_admit(parts: list[str], version: str) -> None:
    assert admits(intersect(*parts), version) is all(admits(part, version) for part in parts)


@settings(deadline=None)
@given(_SPECIFIERS)
def test_an_intersection_with_itself_means_the_same(specifier: str) -> None:
    assert SpecifierSet(intersect(specifier, specifier)) == SpecifierSet(specifier)
