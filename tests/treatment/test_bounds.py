"""Bounds written into the text of a file: where they go, and that all else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment import requirements
from legacy_doctor.model import Requirement
from legacy_doctor.treatment import bounds
from legacy_doctor.treatment.bounds import Bound, UnwritableError

MARKED = "numpy<2.4; platform_machine == 'x86_64'"


def write(text: str, form: str, *wanted: str) -> str:
    """Write each bound at every place of its name."""
    there = requirements.read_text(text, "file", form).requirements
    return bounds.written(text, form, list(_at(there, wanted)))


def _at(there: tuple[Requirement, ...], wanted: tuple[str, ...]) -> list[Bound]:
    return [
        Bound(item, text)
        for text in wanted
        for item in there
        if text.startswith(item.name) and not text[len(item.name)].isalnum()
    ]


@pytest.mark.parametrize(
    ("form", "wanted", "before", "after"),
    [
        pytest.param(
            "requirements",
            MARKED,
            "# arrays\nnumpy>=1.26  # why\npandas\n",
            f"# arrays\nnumpy>=1.26  # why\n{MARKED}\npandas\n",
            id="a line after it",
        ),
        pytest.param(
            "requirements", MARKED, "numpy>=1.26", f"numpy>=1.26\n{MARKED}", id="no last newline"
        ),
        pytest.param(
            "requirements",
            MARKED,
            "numpy \\\n  >=1.26 \\\n  ; python_version > '3'\nx\n",
            f"numpy \\\n  >=1.26 \\\n  ; python_version > '3'\n{MARKED}\nx\n",
            id="continued lines stay together",
        ),
        pytest.param(
            "requirements",
            MARKED,
            "numpy>=1.26\r\npandas\r\n",
            f"numpy>=1.26\r\n{MARKED}\r\npandas\r\n",
            id="the line ends of Windows",
        ),
        pytest.param(
            "requirements",
            "numpy==2.3.5",
            "numpy == 2.4.1 ; python_version > '3'  # why\n",
            "numpy==2.3.5 ; python_version > '3'  # why\n",
            id="a settled version is replaced",
        ),
        pytest.param(
            "requirements",
            "polars[rtcompat]>=1.34",
            "Polars[excel]>=1\n",
            "Polars[excel,rtcompat]>=1.34\n",
            id="an extra is added to those it has",
        ),
        pytest.param(
            "constraints", "numpy==2.3.5", "numpy==2.4.1\n", "numpy==2.3.5\n", id="a constraint"
        ),
        pytest.param(
            "pyproject",
            MARKED,
            '[project]\ndependencies = [\n    "numpy>=1.26",  # arrays\n    "pandas",\n]\n',
            f'[project]\ndependencies = [\n    "numpy>=1.26",  # arrays\n    "{MARKED}",\n'
            '    "pandas",\n]\n',
            id="an item a line",
        ),
        pytest.param(
            "pyproject",
            MARKED,
            "[project]\ndependencies = [\n\t'numpy' # the last\n]\n",
            f"[project]\ndependencies = [\n\t'numpy', # the last\n\t\"{MARKED}\"\n]\n",
            id="the last item gets its comma",
        ),
        pytest.param(
            "pyproject",
            MARKED,
            '[project]\ndependencies = ["numpy>=1.26", "pandas"]\n',
            f'[project]\ndependencies = ["numpy>=1.26", "{MARKED}", "pandas"]\n',
            id="all on one line",
        ),
        pytest.param(
            "pyproject",
            MARKED,
            '[dependency-groups]\nnum = ["numpy"]\n[project.optional-dependencies]\n'
            'a = [ "numpy>1" ]\n',
            f'[dependency-groups]\nnum = ["numpy", "{MARKED}"]\n[project.optional-dependencies]\n'
            f'a = [ "numpy>1", "{MARKED}" ]\n',
            id="groups and extras",
        ),
        pytest.param(
            "pyproject",
            "numpy<2.4",
            '[tool.poetry.dependencies]\npython = "^3.11"\nnumpy = "^2.0"  # arrays\n',
            '[tool.poetry.dependencies]\npython = "^3.11"\nnumpy = "^2.0,<2.4"  # arrays\n',
            id="poetry: a further clause",
        ),
        pytest.param(
            "pyproject",
            "numpy<2.4",
            '[tool.poetry.dependencies]\nnumpy = "*"\n',
            '[tool.poetry.dependencies]\nnumpy = "<2.4"\n',
            id="poetry: any version",
        ),
        pytest.param(
            "pyproject",
            "numpy<2.4",
            "[tool.poetry.dependencies]\nnumpy = {version = '>=1.26', optional = true}\n",
            "[tool.poetry.dependencies]\nnumpy = {version = '>=1.26,<2.4', optional = true}\n",
            id="poetry: an inline table",
        ),
        pytest.param(
            "pyproject",
            "numpy<2.4",
            '[tool.poetry.group.x.dependencies.numpy]\noptional = true\nversion = "^1.26"\n',
            '[tool.poetry.group.x.dependencies.numpy]\noptional = true\nversion = "^1.26,<2.4"\n',
            id="poetry: a table of its own",
        ),
        pytest.param(
            "pyproject",
            "numpy==2.3.5",
            '[tool.poetry.dependencies]\nnumpy = "2.4.1"\n',
            '[tool.poetry.dependencies]\nnumpy = "==2.3.5"\n',
            id="poetry: a settled version",
        ),
        pytest.param(
            "Pipfile",
            "numpy<2.4",
            '[packages]\nnumpy = ">=1.26"\npandas = "*"\n',
            '[packages]\nnumpy = ">=1.26,<2.4"\npandas = "*"\n',
            id="Pipfile",
        ),
        pytest.param(
            "conda-environment",
            "numpy<2.4",
            "dependencies:\n  - python=3.11\n  - numpy>=1.26  # arrays\n  - pandas\n",
            "dependencies:\n  - python=3.11\n  - numpy>=1.26,<2.4  # arrays\n  - pandas\n",
            id="conda: a further clause",
        ),
        pytest.param(
            "conda-environment",
            "numpy<2.4",
            "dependencies:\n- numpy\n",
            "dependencies:\n- numpy<2.4\n",
            id="conda: any version",
        ),
        pytest.param(
            "conda-environment",
            MARKED,
            'dependencies:\n  - pip\n  - pip:\n      - "numpy>=1.26"  # arrays\n      - x\n',
            f'dependencies:\n  - pip\n  - pip:\n      - "numpy>=1.26"  # arrays\n      - {MARKED}\n'
            "      - x\n",
            id="what conda hands to pip",
        ),
    ],
)
def test_where_a_bound_goes(form: str, wanted: str, before: str, after: str) -> None:
    assert write(before, form, wanted) == after


@pytest.mark.parametrize(
    ("form", "wanted", "text", "reason"),
    [
        pytest.param(
            "requirements",
            MARKED,
            "numpy>=2.4.1 --hash=sha256:00\n",
            "numpy is locked by its hash; lock it anew",
            id="a hash",
        ),
        pytest.param(
            "pyproject",
            "numpy<2.4",
            '[tool.poetry.dependencies]\nnumpy = "^1 || ^2"\n',
            "'numpy = \"^1 || ^2\"' has no place for a bound",
            id="alternatives",
        ),
        pytest.param(
            "pyproject",
            MARKED,
            '[project]\ndependencies = ["""numpy>=1\n"""]\n',
            "numpy is not in a list of plain strings",
            id="a string of several lines",
        ),
        pytest.param(
            "Pipfile",
            "polars[rtcompat]",
            '[packages]\npolars = ">=1"\n',
            "an extra of polars is not written for you",
            id="an extra in a table",
        ),
    ],
)
def test_what_has_no_safe_place_is_refused(form: str, wanted: str, text: str, reason: str) -> None:
    with pytest.raises(UnwritableError) as caught:
        write(text, form, wanted)

    assert str(caught.value) == reason


def test_several_bounds_at_once() -> None:
    text = "numpy\nduckdb>=1\n"

    assert write(text, "requirements", "numpy<2.4", "duckdb<2") == (
        "numpy\nnumpy<2.4\nduckdb>=1\nduckdb<2\n"
    )


def test_the_diff_is_one_that_patch_takes() -> None:
    assert bounds.difference("r.txt", "numpy", "numpy\nnumpy<2.4") == (
        "--- a/r.txt\n+++ b/r.txt\n@@ -1 +1,2 @@\n-numpy\n\\ No newline at end of file\n"
        "+numpy\n+numpy<2.4\n\\ No newline at end of file\n"
    )
    assert not bounds.difference("r.txt", "numpy\n", "numpy\n")


@pytest.mark.parametrize(
    ("head", "command"),
    [
        pytest.param(
            "#\n# This file is autogenerated by pip-compile with Python 3.11\n# by the following "
            "command:\n#\n#    pip-compile --output-file=r.txt r.in\n#\n",
            "pip-compile --output-file=r.txt r.in",
            id="pip-compile",
        ),
        pytest.param(
            "# This file was autogenerated by uv via the following command:\n"
            "#    uv pip compile r.in -o r.txt\n",
            "uv pip compile r.in -o r.txt",
            id="uv",
        ),
        pytest.param("# This file was written by hand\n", None, id="a person"),
    ],
)
def test_a_file_may_tell_the_command_that_wrote_it(head: str, command: str | None) -> None:
    assert bounds.compiled_by(f"{head}numpy==2.4.1\n") == command


LINES = st.sampled_from(
    ["numpy>=1.26", "numpy", "pandas>=2  # x", "", "# comment", "-i https://example.org/simple"]
)


@given(st.lists(LINES, max_size=8))
def test_all_that_was_there_stays_in_its_order(rows: list[str]) -> None:
    text = "\n".join(rows)

    after = write(text, "requirements", MARKED).split("\n")

    assert [row for row in after if row != MARKED] == text.split("\n")
    assert after.count(MARKED) == sum(row.startswith("numpy") for row in rows)
