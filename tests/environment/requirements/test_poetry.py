"""Poetry's constraints in the words of PEP 440 and PEP 508.

The sets of admitted versions were compared with poetry-core's own `parse_constraint`.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from legacy_doctor.environment.requirements import poetry


@pytest.mark.parametrize(
    ("constraint", "specifiers"),
    [
        ("*", [""]),
        ("x", [""]),
        ("^1.2.3", [">=1.2.3,<2"]),
        ("^1.2", [">=1.2,<2"]),
        ("^1", [">=1,<2"]),
        ("^0.2.3", [">=0.2.3,<0.3"]),
        ("^0.0.3", [">=0.0.3,<0.0.4"]),
        ("^0.0", [">=0.0,<0.1"]),
        ("^0", [">=0,<1"]),
        ("^2.0.0rc1", [">=2.0.0rc1,<3"]),
        ("^1!2.0", [">=1!2.0,<1!3"]),
        ("~1.2.3", [">=1.2.3,<1.3"]),
        ("~1.2", [">=1.2,<1.3"]),
        ("~1", [">=1,<2"]),
        ("~=1.2", ["~=1.2"]),
        ("~=1", [">=1,<2"]),
        ("1.2.*", ["==1.2.*"]),
        ("1.*", ["==1.*"]),
        ("!=1.2.*", ["!=1.2.*"]),
        (">=1.2.*", [">=1.2"]),
        ("1.2.3", ["==1.2.3"]),
        ("= 1.2.3", ["==1.2.3"]),
        ("===1.2.3", ["===1.2.3"]),
        ("v1.2", ["==1.2"]),
        (">=1.2,<3", [">=1.2,<3"]),
        (">=1.2 <3", [">=1.2,<3"]),
        (">= 1.2 , != 1.5,", [">=1.2,!=1.5"]),
        ("*,<2.4", ["<2.4"]),
        ("^1.26 || ^2.1", [">=1.26,<2", ">=2.1,<3"]),
        ("<1|>2", ["<1", ">2"]),
    ],
)
def test_a_constraint(constraint: str, specifiers: list[str]) -> None:
    assert poetry.alternatives(constraint) == specifiers


@pytest.mark.parametrize("constraint", ["", "latest", "<>1.2", "^1.*", "==1.0rc1.*", "1 ||", ">="])
def test_what_is_no_constraint(constraint: str) -> None:
    with pytest.raises(ValueError, match="no version constraint"):
        poetry.alternatives(constraint)


@given(st.text(alphabet="0123456789.*^~=<>!|, xrcv+-"))
def test_what_is_understood_is_pep_440(constraint: str) -> None:
    with suppress(ValueError):
        for specifier in poetry.alternatives(constraint):
            assert SpecifierSet(specifier) is not None
        marker = poetry.python(constraint)
        assert not marker or Marker(marker)


@pytest.mark.parametrize(
    ("constraint", "holds", "fails"),
    [
        ("^3.11", ["3.11.0", "3.12.4"], ["3.10.9", "4.0.0"]),
        ("<3.13", ["3.12.9"], ["3.13.0"]),
        ("3.11", ["3.11.0", "3.11.7"], ["3.12.0"]),
        ("3.11.*", ["3.11.7"], ["3.12.0"]),
        ("3.11.7", ["3.11.7"], ["3.11.8"]),
        ("<3.9 || >=3.11", ["3.8.1", "3.11.0"], ["3.9.0", "3.10.5"]),
    ],
)
def test_a_constraint_on_python(constraint: str, holds: list[str], fails: list[str]) -> None:
    marker = Marker(poetry.python(constraint))
    for version in [*holds, *fails]:
        short = version.rpartition(".")[0]
        environment = {"python_full_version": version, "python_version": short}
        assert marker.evaluate(environment) is (version in holds)


def test_any_python_needs_no_marker() -> None:
    assert poetry.python("*") == ""
    assert poetry.python("<3 || *") == ""


@pytest.mark.parametrize(
    ("platform", "marker"),
    [
        ("linux", "sys_platform == 'linux'"),
        ("!=win32", "sys_platform != 'win32'"),
        ("linux || darwin", "(sys_platform == 'linux') or (sys_platform == 'darwin')"),
    ],
)
def test_a_platform(platform: str, marker: str) -> None:
    assert poetry.platform(platform) == marker


def test_what_has_no_end() -> None:
    with pytest.raises(ValueError, match="too long"):
        poetry.alternatives(" " * 5000 + "1")


def test_what_is_no_platform() -> None:
    with pytest.raises(ValueError, match="no platform: 'a b'"):
        poetry.platform("a b")


@pytest.mark.parametrize(
    ("markers", "whole"),
    [
        ([], ""),
        (["", ""], ""),
        (["a", ""], "a"),
        (["a", "a"], "a"),
        (["a or b", "c"], "(a or b) and c"),
    ],
)
def test_conditions_that_must_all_hold(markers: list[str], whole: str) -> None:
    assert poetry.every(*markers) == whole
