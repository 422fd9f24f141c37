"""The files that are written: their order, their names, what tells them from others."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.errors import DoctorError
from legacy_doctor.hook import generate
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Armed, Guard, Listed, Shim, Where
from legacy_doctor.model import When
from tests.hook.conftest import STAND_IN, armed, guard

EVERYTHING = Armed(
    cpu="AMD Phenom II",
    guards=(
        Guard(
            module="pyarrow",
            distribution="pyarrow",
            broken=">=13",
            where=Where(needs=frozenset({"x86-64-v2", "avx"})),
            remedy="pip uninstall pyarrow",
            reason="its static initializers\nuse SSE4.1",
        ),
        guard("numpy"),
    ),
    shims=(
        Shim(id="mel-on-gpu", versions="<2.11"),
        Shim(id="datasets-stub", stand_in=STAND_IN),
        Shim(
            id="torch-onednn-off",
            where=(
                Where(needs=frozenset({"sse4_1"})),
                Where(when=When(vendor="AuthenticAMD", cpuid_level_below=11)),
            ),
        ),
        Shim(id="dataloader-num-workers-0"),
        Shim(id="torch-load-weights-only-false", listed=(Listed(path="/models/ä.pt"),)),
    ),
)
PARTS = ["datasets", "shims", "rt", "boot"]


@pytest.mark.parametrize(
    ("rules", "via", "python", "names"),
    [
        (EVERYTHING, Via.PTH, (3, 8), [*PARTS, "_legacy_doctor.pth"]),
        (EVERYTHING, Via.PTH, (3, 14), [*PARTS, "_legacy_doctor.pth"]),
        (EVERYTHING, Via.PTH, (3, 15), [*PARTS, "_legacy_doctor.start"]),
        (EVERYTHING, Via.SITECUSTOMIZE, (3, 11), [*PARTS, "sitecustomize.py"]),
        (EVERYTHING, Via.PATH, (3, 15), [*PARTS, "sitecustomize.py"]),
        (armed(guard("numpy")), Via.PTH, (3, 11), ["rt", "boot", "_legacy_doctor.pth"]),
    ],
    ids=["3.8", "3.14", "3.15", "sitecustomize", "PYTHONPATH", "guards alone"],
)
def test_the_file_that_makes_python_find_the_others_comes_last(
    rules: Armed, via: Via, python: tuple[int, int], names: list[str]
) -> None:
    wanted = [n if "." in n else f"_legacy_doctor_{n}.py" for n in names]
    assert list(generate.files(rules, python, via)) == wanted


def test_it_is_read_before_the_files_of_coverage_setuptools_and_virtualenv() -> None:
    (*_, name) = generate.files(EVERYTHING, (3, 11))
    others = ["a1_coverage.pth", "distutils-precedence.pth", "_virtualenv.pth", "zope-nspkg.pth"]
    assert min(*others, name) == name


def test_the_pth_file_is_a_comment_and_a_plain_import() -> None:
    first, second, third = generate.files(EVERYTHING, (3, 11))["_legacy_doctor.pth"].splitlines()
    assert first.startswith(b"# legacy-doctor start-up hook 1 ")
    assert second.startswith(b"# Off: LEGACY_DOCTOR_DISABLE=1. Remove: ")
    assert third == b"import _legacy_doctor_boot"


def test_the_start_file_names_a_function() -> None:
    *comments, last = generate.files(EVERYTHING, (3, 15))["_legacy_doctor.start"].splitlines()
    assert all(line.startswith(b"#") for line in comments)
    assert last == b"_legacy_doctor_boot:arm"


@pytest.mark.parametrize("via", list(Via))
def test_every_file_is_ours_and_of_one_hook(via: Via) -> None:
    made = generate.files(EVERYTHING, (3, 11), via)
    assert all(generate.is_ours(content) for content in made.values())
    (identity,) = {generate.identity_of(content) for content in made.values()}
    assert identity is not None
    assert f'ID = "{identity}"'.encode() in made["_legacy_doctor_boot.py"]


def test_the_same_rules_give_the_same_bytes_and_other_rules_another_identity() -> None:
    one, again = generate.files(EVERYTHING, (3, 11)), generate.files(EVERYTHING, (3, 11))
    other = generate.files(armed(guard("numpy", broken="<2")), (3, 11))
    assert one == again
    assert generate.identity_of(one["_legacy_doctor_rt.py"]) != generate.identity_of(
        other["_legacy_doctor_rt.py"]
    )


@pytest.mark.parametrize(
    "content", [b"", b"import os\n", b"# legacy-doctor\n", b"\xff\xfe", b'"""legacy-doctor"""\n']
)
def test_other_peoples_files_are_not_ours(content: bytes) -> None:
    assert not generate.is_ours(content)
    assert generate.identity_of(content) is None


def test_a_damaged_file_of_ours_is_ours_still() -> None:
    assert generate.is_ours(b"# legacy-doctor start-up hook 1 abc")
    assert generate.identity_of(b"# legacy-doctor start-up hook 1 abc") is None


def test_the_files_stand_alone() -> None:
    allowed = {
        *"sys os re ctypes functools warnings hashlib weakref copy".split(),
        *"abc importlib.machinery types importlib.metadata importlib metadata".split(),
        "_legacy_doctor_boot",
    }
    for via in Via:
        for name, content in generate.files(EVERYTHING, (3, 11), via).items():
            assert content.isascii(), name
            if name.endswith(".py"):
                tree = ast.parse(content, feature_version=(3, 8))
                nodes = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
                assert {a.name for n in nodes for a in n.names} <= allowed, name


def test_nothing_of_the_house_is_left_in_them() -> None:
    for content in generate.files(EVERYTHING, (3, 11), Via.PATH).values():
        assert b"# ruff:" not in content
        assert b"# mypy:" not in content


def test_the_tables_hold_the_rules() -> None:
    rt = generate.files(EVERYTHING, (3, 11))["_legacy_doctor_rt.py"].decode()
    tables = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(rt).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("GUARDS", "SHIMS", "BITS", "CPU")
    }
    v2 = ("pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "cx16", "lahf_lm")
    assert tables["GUARDS"]["pyarrow"] == (
        (
            "pyarrow",
            ">=13",
            ((*v2, "avx"), None, None),
            "pip uninstall pyarrow",
            "its static initializers use SSE4.1",
        ),
    )
    assert tables["SHIMS"]["torch"] == (
        (
            "torch-onednn-off",
            "torch",
            "",
            ((("sse4_1",), None, None), ((), "AuthenticAMD", 11)),
            (),
        ),
    )
    assert tables["SHIMS"]["torch.serialization"][0][4] == ((("/models/ä.pt", None, None),),)
    assert set(tables["BITS"]) == {*v2, "avx", "3dnow"}
    assert tables["BITS"]["sse4_1"] == (0, 2, 19, False)
    assert tables["BITS"]["avx"] == (0, 2, 28, True)
    assert tables["BITS"]["lahf_lm"] == (2, 2, 0, False)


THEIRS = {
    "plain": b"print('theirs')\n",
    "empty": b"",
    "a docstring": b'"""Theirs.\n\nLong.\n"""\nimport os\n',
    "future imports": b'"""Theirs."""\nfrom __future__ import annotations\nimport os\n',
    "a coding line": b"#!/usr/bin/python\n# -*- coding: utf-8 -*-\nx = '\xc3\xa4'\n",
    "one line of comment": b"# theirs\nimport os\n",
    "no newline at the end": b'"""Theirs."""',
}


@pytest.mark.parametrize("existing", THEIRS.values(), ids=THEIRS)
def test_a_sitecustomize_of_somebody_else_keeps_its_text(existing: bytes) -> None:
    made = generate.files(EVERYTHING, (3, 11), Via.SITECUSTOMIZE, existing)["sitecustomize.py"]
    assert made.count(b"import _legacy_doctor_boot") == 1
    assert generate.without_block(made).rstrip() == existing.rstrip()
    assert not generate.is_ours(made)
    again = generate.files(EVERYTHING, (3, 11), Via.SITECUSTOMIZE, made)["sitecustomize.py"]
    assert again == made
    before, after = ast.parse(existing), ast.parse(made)
    assert ast.get_docstring(before) == ast.get_docstring(after)
    compile(made, "sitecustomize.py", "exec")


def test_one_of_ours_is_written_anew() -> None:
    one = generate.files(armed(guard("numpy")), (3, 11), Via.SITECUSTOMIZE)["sitecustomize.py"]
    made = generate.files(EVERYTHING, (3, 11), Via.SITECUSTOMIZE, one)["sitecustomize.py"]
    assert generate.is_ours(made)
    assert made != one


@pytest.mark.parametrize("existing", [b"def (:", b"\xff\xfe", b"x = '\0'"])
def test_one_that_is_no_python_is_refused(existing: bytes) -> None:
    with pytest.raises(DoctorError, match="cannot be read as Python"):
        generate.files(EVERYTHING, (3, 11), Via.SITECUSTOMIZE, existing)


@given(st.text(alphabet="ab#\"' =\n()", max_size=60))
def test_the_block_comes_out_as_it_went_in(text: str) -> None:
    existing = text.encode()
    try:
        made = generate.with_block(existing).encode()
    except DoctorError:
        return
    assert generate.without_block(made).rstrip(b"\n") == existing.rstrip(b"\n")
    compile(made, "sitecustomize.py", "exec")


def test_the_sources_are_all_used() -> None:
    folder = Path(generate.__file__).parent / "startup"
    assert {path.stem for path in folder.glob("*.py")} == {
        *("boot", "finder", "cpu", "versions", "shims", "sitecustomize"),
    }
