"""Requirements and constraints files: lines as pip joins them, files as they include one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.requirements import RequirementsError, read, read_text
from legacy_doctor.environment.requirements.entry import normalized
from legacy_doctor.model import Location, Requirement, RequirementFile, RequirementKind
from tests.environment.requirements.corpus import attempt


def of(text: str, form: str = "requirements") -> RequirementFile:
    return read_text(text, "file.txt", form)


def only(text: str) -> Requirement:
    found = of(text)
    assert found.problems == ()
    (item,) = found.requirements
    return item


def brief(found: RequirementFile) -> list[str]:
    return [
        f"{item.location.path}:{item.location.line}:{item.location.column} "
        f"{item.kind.value} {item.name}{item.specifier}"
        for item in found.requirements
    ]


@pytest.mark.parametrize(
    ("text", "name", "place", "end"),
    [
        ("numpy", "numpy", (1, 1), (1, 6)),
        ("\n\n  numpy >= 1.26 # why", "numpy", (3, 3), (3, 16)),
        ("numpy>=1 --hash=sha256:0", "numpy", (1, 1), (1, 9)),
        ("numpy>=1 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n", "numpy", (1, 1), (1, 9)),
        ("\\\nnumpy\\\n>=1", "numpy", (2, 1), (3, 4)),
        ("num\\\npy>=1", "numpy", (1, 1), (2, 6)),
        ("# before \\\nnumpy", "numpy", (2, 1), (2, 6)),
        ("numpy \\\n# it ends here\n", "numpy", (1, 1), (1, 6)),
        ("# one\rnumpy", "numpy", (2, 1), (2, 6)),
        ("# one\r\nnumpy\r\n", "numpy", (2, 1), (2, 6)),
        ("# one\x0cnumpy", "numpy", (1, 7), (1, 12)),
        ("--pre\nnumpy", "numpy", (2, 1), (2, 6)),
        ("é\\\n", "", (1, 1), (1, 1)),
    ],
    ids=[
        *("bare", "comment", "hash", "hashes on lines of their own", "begins with a continuation"),
        *("name over two lines", "comments do not continue", "comment ends a continuation"),
        *("CR", "CRLF", "form feed is a line to pip and none to editors", "option"),
        "no requirement",
    ],
)
def test_where_a_requirement_stands(
    text: str, name: str, place: tuple[int, int], end: tuple[int, int]
) -> None:
    found = of(text)
    if not name:
        assert found.requirements == ()
        assert found.problems[0][0] == Location("file.txt", *place)
        return
    (item,) = found.requirements

    assert item.name == name
    assert item.location == Location("file.txt", *place)
    assert item.end == Location("file.txt", *end)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "# numpy",
        "-i https://pypi.org/simple",
        "--index-url=https://pypi.org/simple",
        "--find-links ./wheels",
        "--no-binary :all:",
        "--require-hashes",
        "--config-settings x=y",
        "-e .",
        "--editable=../sibling[extra]",
        "./here",
    ],
)
def test_what_asks_for_nothing(line: str) -> None:
    assert of(line) == RequirementFile(path="file.txt", format="requirements")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("requirements", RequirementKind.RANGE),
        ("constraints", RequirementKind.CONSTRAINT),
        ("freeze", RequirementKind.LOCKED),
    ],
)
def test_what_a_line_settles(form: str, kind: RequirementKind) -> None:
    (item,) = of("numpy==1.26.4", form).requirements

    assert (item.kind, item.version, item.text) == (kind, "1.26.4", "numpy==1.26.4")


def test_an_editable_of_version_control_tells_its_name() -> None:
    item = only("-e git+https://github.com/a/b@main#egg=Demo")

    assert (item.name, item.location.column, item.end) == ("demo", 40, None)


def test_environment_variables_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANTED", "numpy")
    monkeypatch.setenv("OLDEST", "1.26")

    item = only("  ${WANTED} \\\n >= ${OLDEST} , < 2.4 ; python_version > '3'")

    assert (item.name, item.specifier) == ("numpy", ">=1.26,<2.4")
    assert item.location == Location("file.txt", 1, 3)
    assert item.end == Location("file.txt", 2, 22)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("numpy==${NOBODY_SETS_THIS}", "${NOBODY_SETS_THIS} is not set in the environment"),
        ("numpy=>1", "expected semicolon"),
        ("git+https://github.com/a/b", "write `name @ address`"),
        ("-r", "names no file to read"),
        ("-r 'open", "names no file to read"),
        ("-c a\0b", "names no file to read"),
        ("-r https://example.org/r.txt", "nothing is fetched"),
        ("numpy" + "x" * 99 + " 1", "...: expected"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_not_understood_is_passed_over(line: str, why: str) -> None:
    found = of(f"\n  {line}\nscipy\n")

    assert [item.name for item in found.requirements] == ["scipy"]
    ((place, problem),) = found.problems
    assert place == Location("file.txt", 2, 3)
    assert why in problem


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_an_included_file_is_looked_for_beside_the_one_that_includes_it(home: Path) -> None:
    write(
        home,
        reqs__dev_txt="-r base.txt\n--constraint=../limits.txt\npytest",
        reqs__base_txt="numpy",
        limits_txt="numpy<2",
    )

    assert brief(read(Path("reqs/dev.txt"))) == [
        "reqs/base.txt:1:1 range numpy",
        "reqs/../limits.txt:1:1 constraint numpy<2",
        "reqs/dev.txt:3:1 range pytest",
    ]


def test_the_name_and_the_file_may_differ(home: Path) -> None:
    write(home, reqs__dev_txt="-r base.txt", reqs__base_txt="numpy")

    found = read(home / "reqs" / "dev.txt", "shown/dev.txt")

    assert brief(found) == ["shown/base.txt:1:1 range numpy"]


def test_a_text_from_standard_input_includes_from_here(home: Path) -> None:
    write(home, base_txt="numpy")

    assert brief(read_text("-r base.txt", "-", "freeze")) == ["base.txt:1:1 range numpy"]


def test_a_file_is_read_once_in_each_role(home: Path) -> None:
    write(home, a_txt="-r b.txt\n-r ./b.txt\n-c b.txt\n-c b.txt", b_txt="numpy")

    assert brief(read(Path("a.txt"))) == [
        "b.txt:1:1 range numpy",
        "b.txt:1:1 constraint numpy",
    ]


def test_a_circle_is_a_problem(home: Path) -> None:
    write(home, a_txt="-r b.txt\nnumpy", b_txt="scipy\n  -r a.txt")

    found = read(Path("a.txt"))

    assert brief(found) == ["b.txt:1:1 range scipy", "a.txt:2:1 range numpy"]
    assert found.problems == (
        (Location("b.txt", 2, 3), "'-r a.txt': includes a file that includes this one"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n-r gone.txt", "a.txt:2: gone.txt: no such file; name a requirement or lock file"),
        ("-c .", "a.txt:1: .: is a folder; name a requirement or lock file"),
        ("-r latin.txt", "a.txt:1: latin.txt:2: not UTF-8 (byte 2); save it as UTF-8"),
    ],
    ids=["missing", "a folder", "no text"],
)
def test_an_included_file_that_cannot_be_read_is_an_error(
    home: Path, text: str, message: str
) -> None:
    write(home, a_txt=text)
    (home / "latin.txt").write_bytes(b"#\n\xe9")

    with pytest.raises(RequirementsError) as raised:
        read(Path("a.txt"))

    assert str(raised.value) == message


def test_files_may_not_include_one_another_without_end(home: Path) -> None:
    for number in range(60):
        (home / f"{number}.txt").write_text(f"-r {number + 1}.txt", encoding="utf-8")

    with pytest.raises(RequirementsError, match=r"^49\.txt:1: files that include one another, 50"):
        read(Path("0.txt"))


PIECES = st.sampled_from(
    [
        *("numpy", "Pandas", "a.b", ">=1.26", " < 2", "==1.0", "[x]", " ; python_version > '3'"),
        *(
            "\\\n",
            "\n",
            "\r",
            "\r\n",
            " ",
            "\t",
            "# comment",
            "#",
            "--hash=sha256:0",
            " --pre",
            "-e ",
        ),
        *(
            "${HOME_OF_NOBODY}",
            "git+https://x.org/a#egg=demo",
            " @ https://x.org/a.whl",
            "\x0c",
            "é",
        ),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_a_name_stands_where_it_is_said_to_stand(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for item in of(text).requirements:
        at = lines[item.location.line - 1][item.location.column - 1 :]
        written = normalized(at.rstrip("\\"))
        assert written.startswith(item.name) or item.name.startswith(written)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_clause_at_the_end_bounds_that_requirement_alone(text: str) -> None:
    before = of(text).requirements
    for index, item in enumerate(before):
        if item.end is None:
            continue
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        line, column = item.end.line - 1, item.end.column - 1
        clause = ",!=7.7" if item.specifier else "!=7.7"
        lines[line] = lines[line][:column] + clause + lines[line][column:]

        after = of("\n".join(lines)).requirements

        assert [one.name for one in after] == [one.name for one in before]
        bounds = [one.specifier for one in before]
        bounds[index] += clause
        assert [one.specifier for one in after] == bounds


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    found = attempt(lambda: of(text))  # an include is refused: nothing lies here

    assert not isinstance(found, str) or found.startswith("file.txt:")
