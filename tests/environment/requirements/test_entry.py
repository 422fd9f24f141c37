"""One requirement: what `packaging` says of it, and where its parts stand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Packaging
from packaging.specifiers import SpecifierSet

from legacy_doctor.environment.requirements import entry
from legacy_doctor.environment.requirements.entry import Entry, EntryError

NUMBER = st.sampled_from(["0", "1", "1.2", "1.26.4", "2024.1.15", "1.2.3.4"])
SUFFIX = st.sampled_from(["", "", "rc1", "a2", ".post1", ".dev3", "+cpu", ".*", "RC1", "-1", "c1"])
OPERATOR = st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "===", "=", "=>", ""])
BLANK = st.sampled_from(["", "", " ", "  ", "\t"])
NAME = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
MARKER = st.sampled_from(
    [
        "python_version < '3.11'",
        'sys_platform == "linux" and (platform_machine == "x86_64")',
        "extra == 'x'",
        "python_version",
        "nonsense > '1'",
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Requirements, most of them well-formed."""
    extras = draw(st.sampled_from(["", "", "[]", "[x]", "[ x , Y_z ]", "[x,,y]", "[x", "[-]"]))
    clauses = draw(
        st.lists(st.tuples(OPERATOR, BLANK, NUMBER, SUFFIX).map("".join), min_size=0, max_size=3)
    )
    bound = draw(st.sampled_from([",", " , ", ", "])).join(clauses)
    if draw(st.integers(0, 5)) == 0:
        bound = f"({bound})"
    if draw(st.integers(0, 9)) == 0:
        bound = "@ https://example.org/demo-1.0-py3-none-any.whl "
    marker = draw(
        st.one_of(st.just(""), st.tuples(BLANK, st.just(";"), BLANK, MARKER).map("".join))
    )
    parts = [draw(BLANK), draw(NAME), draw(BLANK), extras, draw(BLANK), bound, marker, draw(BLANK)]
    return "".join(parts)


@given(texts())
def test_it_is_what_packaging_says_it_is(text: str) -> None:
    try:
        known = Packaging(text.strip())
    except InvalidRequirement:
        with pytest.raises(EntryError):
            entry.parse(text)
        return

    found = entry.parse(text)

    assert found.name == known.name
    assert text.startswith(found.name, found.start)
    assert SpecifierSet(found.specifier) == known.specifier
    assert found.extras == {entry.normalized(item) for item in known.extras}
    assert bool(found.marker) == (known.marker is not None)
    assert found.origin == (known.url or "")
    if known.marker is not None:
        assert str(Packaging(f"x ; {found.marker}").marker) == str(known.marker)


@given(texts(), st.sampled_from(["!=7.7", "<99"]))
def test_a_clause_at_its_end_is_added_to_what_it_says(text: str, clause: str) -> None:
    try:
        found = entry.parse(text)
    except EntryError:
        return
    if found.origin or "()" in text:  # nothing can be added; an empty bracket is nobody's
        return
    added = f",{clause}" if found.specifier else clause

    edited = Packaging((text[: found.end] + added + text[found.end :]).strip())

    assert edited.specifier == SpecifierSet(found.specifier) & SpecifierSet(clause)
    assert edited.extras == Packaging(text.strip()).extras
    assert edited.marker == Packaging(text.strip()).marker


@pytest.mark.parametrize("read", [entry.parse, entry.direct])
@given(st.text())
def test_no_text_is_too_strange(read: Callable[[str], Entry | None], text: str) -> None:
    found = None
    with suppress(EntryError):
        found = read(text)

    assert found is None or text.startswith(found.name, found.start)
    assert entry.is_direct(text) in {True, False}
    assert entry.archive(text) is None or "-" in text


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("numpy==1.26.4", "1.26.4"),
        ("numpy===1.26.4", "1.26.4"),
        ("numpy >=1, == 1.26.4", "1.26.4"),
        ("torch==2.3.1+cpu", "2.3.1+cpu"),
        ("numpy==1.26.*", None),
        ("numpy>=1.26,<=1.26", None),
        ("numpy", None),
        ("numpy @ https://example.org/numpy-1.26.4-cp311-cp311-linux_x86_64.whl", "1.26.4"),
        ("torch @ https://example.org/torch-2.3.1%2Bcpu-cp311-cp311-linux_x86_64.whl", "2.3.1+cpu"),
        ("numpy @ https://example.org/scipy-1.11.0-cp311-cp311-linux_x86_64.whl", None),
        ("numpy @ git+https://github.com/numpy/numpy@v1.26.4", None),
    ],
)
def test_the_only_version_that_it_admits(text: str, version: str | None) -> None:
    assert entry.parse(text).version == version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "https://example.org/x/numpy-1.26.4-1-cp311-cp311-linux_x86_64.whl#sha256=00",
            ("numpy", 22, "1.26.4", "", ""),
        ),
        ("./python-dateutil-2.9.0.tar.gz", ("python-dateutil", 2, "2.9.0", "", "")),
        ("vendor/demo-1.0.zip", ("demo", 7, "1.0", "", "")),
        ("demo-1.0-py3-none-any.whl", ("demo", 0, "1.0", "", "")),
        (
            "git+https://github.com/a/b@main#egg=Demo_Thing[x, y] ; python_version > '3'",
            ("Demo_Thing", 36, None, "x y", "python_version > '3'"),
        ),
        ("git+ssh://git@example.org/a.git#subdirectory=p&egg=a", ("a", 51, None, "", "")),
        (r"C:\wheels\demo-1.0-py3-none-any.whl", ("demo", 10, "1.0", "", "")),
    ],
    ids=["wheel", "relative sdist", "path", "wheel here", "version control", "ssh", "windows"],
)
def test_an_address_may_tell_its_name(
    text: str, expected: tuple[str, int, str | None, str, str]
) -> None:
    assert entry.is_direct(text)

    found = entry.direct(text)

    assert found is not None
    extras = " ".join(sorted(found.extras))
    assert (found.name, found.start, found.version, extras, found.marker) == expected
    assert text.startswith(found.origin)


@pytest.mark.parametrize("text", [".", "./sub", "../other[extra]", "/srv/project", "file:///x/y"])
def test_a_local_project_names_itself_elsewhere(text: str) -> None:
    assert entry.is_direct(text)
    assert entry.direct(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("git+https://github.com/a/b", "does not tell its name; write `name @ address`"),
        ("https://example.org/archive/main.zip", "does not tell its name"),
        ("./demo-1.0.zip ; nonsense", "expected a marker variable"),
    ],
)
def test_an_address_that_says_too_little(text: str, why: str) -> None:
    with pytest.raises(EntryError, match=why):
        entry.direct(text)


@pytest.mark.parametrize(
    "text", ["numpy", "numpy>=1.26/2", "name @ https://example.org/x.whl", "a b/c", "key: value"]
)
def test_what_is_no_address(text: str) -> None:
    assert not entry.is_direct(text)


def test_extras_of_a_table_are_the_texts_of_a_list() -> None:
    assert entry.extras_of(["Socks_5", 7]) == {"socks-5"}
    assert entry.extras_of("socks") == frozenset()


def test_a_direct_reference_has_no_end() -> None:
    from legacy_doctor.model import Location, RequirementKind

    place = Location("x", 1, 1)
    made = Entry("Demo", 0, 4, origin="./demo").requirement(
        RequirementKind.RANGE, place, place, "./demo"
    )

    assert (made.name, made.end, made.origin) == ("demo", None, "./demo")
