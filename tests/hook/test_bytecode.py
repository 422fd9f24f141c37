"""The compiled form, made by the Python that will read it."""

from __future__ import annotations

import pytest

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import bytecode
from tests.hook.conftest import Room, armed, guard


def test_python_reads_the_compiled_form_and_checks_it_by_its_hash(room: Room) -> None:
    room.put(deadly="")
    room.compile(armed(guard("deadly")))
    said = room.run("pass", "-v")
    assert f"code object from '{room.packages}/_legacy_doctor_boot.py'" not in said.err
    assert "_legacy_doctor_boot" in said.err
    (compiled,) = room.packages.glob("__pycache__/_legacy_doctor_boot.*.pyc")
    assert compiled.read_bytes()[4:8] == b"\x03\0\0\0"  # PEP 552: hash-based and checked
    assert "CpuFeatureError" in room.run("import deadly").err


def test_a_compiled_form_of_other_sources_is_not_believed(own_room: Room) -> None:
    own_room.put(deadly="", other="")
    own_room.compile(armed(guard("other")))
    own_room.arm(armed(guard("deadly")))
    assert "CpuFeatureError" in own_room.run("import deadly").err


def test_the_question_holds_the_modules_that_are_ours() -> None:
    files = {"a.py": b"x = 1", "b.pth": b"import a", "sitecustomize.py": b"import a"}
    assert bytecode.question(files, "/venv") == '{"/venv/a.py": "x = 1"}'


@pytest.mark.parametrize("printed", ["", "Traceback", "[]", '{"a": 1}', '{"a": "*"}', "null"])
def test_an_answer_that_is_none(printed: str) -> None:
    with pytest.raises(DoctorError, match="did not compile"):
        bytecode.answer(printed)
