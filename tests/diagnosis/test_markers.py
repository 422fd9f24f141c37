"""Environment markers, asked before anybody knows which Python it will be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.diagnosis import markers


@pytest.mark.parametrize(
    ("marker", "answer"),
    [
        pytest.param("", True, id="none"),
        pytest.param("sys_platform == 'linux'", True, id="Linux"),
        pytest.param("sys_platform == 'win32'", False, id="Windows"),
        pytest.param("platform_machine == 'x86_64'", True, id="the machine"),
        pytest.param("platform_machine == 'aarch64'", False, id="another machine"),
        pytest.param("platform_machine != 'x86_64'", False, id="not this machine"),
        pytest.param("platform_python_implementation == 'PyPy'", False, id="PyPy"),
        pytest.param("implementation_name == 'cpython'", True, id="CPython"),
        pytest.param("os_name == 'nt'", False, id="NT"),
        pytest.param("python_version < '3.9'", True, id="an old Python"),
        pytest.param("python_version < '3'", False, id="Python 2"),
        pytest.param("python_full_version < '3.8.1'", True, id="the first patch of a line"),
        pytest.param("python_full_version >= '3.11.4'", True, id="a later patch"),
        pytest.param("python_version < '3.9' and sys_platform == 'win32'", False, id="both"),
        pytest.param("python_version < '3.9' or sys_platform == 'win32'", True, id="either"),
        pytest.param("extra == 'fast'", True, id="an extra that somebody may ask for"),
        pytest.param("extra == 'fast' and sys_platform == 'darwin'", False, id="a mac's extra"),
        pytest.param("platform_release >= '6.1'", True, id="a kernel nobody knows"),
        pytest.param("this is no marker", True, id="not understood: rather told than missed"),
        pytest.param("'group' in dependency_groups", True, id="groups of a lock file"),
    ],
)
def test_what_can_hold_on_linux(marker: str, answer: bool) -> None:
    assert markers.possible(marker) is answer


def test_an_environment_has_one_python_and_one_extra() -> None:
    found = list(markers.environments("extra == 'a'", "extra == 'b'"))

    assert {item["extra"] for item in found} == {"", "a", "b"}
    assert {"3.10", "3.11", "3.14"} <= {item["python_version"] for item in found}
    assert {item["python_full_version"] for item in found} >= {"3.11.99"}


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    assert markers.possible(text) in {True, False}
