"""What a lock file says under which conditions."""

from __future__ import annotations

import pytest

from legacy_doctor.environment.requirements import RequirementsError, read_text
from legacy_doctor.model import Location, Requirement, RequirementFile


def of(text: str, form: str) -> RequirementFile:
    return read_text(text, "x", form)


def named(found: RequirementFile) -> dict[str, Requirement]:
    return {item.name: item for item in found.requirements}


UV = """version = 1
requires-python = ">=3.10"

[[package]]
name = "project"
source = { virtual = "." }
dependencies = [
    { name = "always" },
    { name = "here", marker = "sys_platform == 'linux'" },
    { name = "both", marker = "sys_platform == 'linux'" },
    { name = "forked", version = "1.0", source = { registry = "r" }, marker = "python_full_version < '3.11'" },
    { name = "forked", version = "2.0", source = { registry = "r" }, marker = "python_full_version >= '3.11'" },
]

[package.optional-dependencies]
gpu = [
    { name = "chosen", marker = "extra == 'gpu' and sys_platform == 'linux'" },
]

[package.dev-dependencies]
dev = [
    { name = "both", marker = "os_name == 'nt'" },
    { name = "dev" },
]

[package.metadata]
requires-dist = [{ name = "here" }]

[[package]]
name = "always"
version = "1"
source = { registry = "https://pypi.org/simple" }
resolution-markers = [
    "platform_machine == 'x86_64'",
    "platform_machine == 'aarch64'",
]
dependencies = [
    { name = "here", marker = "sys_platform == 'linux'" },
]

[[package]]
name = "here"
version = "1"
source = { git = "https://example.org/here?rev=1#0" }

[[package]]
name = "both"
version = "1"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "forked"
version = "1.0"
source = { registry = "r" }
resolution-markers = [
    "python_full_version < '3.11'",
]

[[package]]
name = "forked"
version = "2.0"
source = { registry = "r" }

[[package]]
name = "chosen"
version = "1"
source = { url = "https://example.org/chosen-1-py3-none-any.whl" }
resolution-markers = [
    "extra == 'extra-7-project-gpu'",
]

[[package]]
name = "dev"
version = "1"
source = { path = "dev-1-py3-none-any.whl" }

[[package]]
name = "member"
version = "1"
source = { editable = "packages/member" }
"""


def test_conditions_and_origins_of_uv() -> None:
    found = of(UV, "uv.lock")

    assert [(item.name, item.marker, item.origin) for item in found.requirements] == [
        ("always", "(platform_machine == 'x86_64') or (platform_machine == 'aarch64')", ""),
        ("here", "sys_platform == 'linux'", "https://example.org/here?rev=1#0"),
        ("both", "(sys_platform == 'linux') or (os_name == 'nt')", ""),
        ("forked", "python_full_version < '3.11'", ""),
        ("forked", "python_full_version >= '3.11'", ""),
        ("chosen", "", "https://example.org/chosen-1-py3-none-any.whl"),
        ("dev", "", "dev-1-py3-none-any.whl"),
    ]


def test_two_conditions_must_both_hold() -> None:
    text = UV.replace('{ name = "always" }', '{ name = "always", marker = "os_name == \'posix\'" }')

    assert named(of(text, "uv.lock"))["always"].marker == (
        "((platform_machine == 'x86_64') or (platform_machine == 'aarch64')) and os_name == 'posix'"
    )


def test_groups_and_sources_of_poetry() -> None:
    found = of(
        """
[[package]]
name = "plain"
version = "1.0"

[[package]]
name = "marked"
version = "1.0"
groups = ["main", "dev"]
markers = "sys_platform == \\"win32\\""

[[package]]
name = "each"
version = "1.0"
groups = ["main", "dev"]
markers = {main = "os_name == 'nt'", dev = "os_name == 'java'"}

[[package]]
name = "some"
version = "1.0"
groups = ["main", "dev"]
markers = {main = "os_name == 'nt'"}

[[package]]
name = "chosen"
version = "1.0"
markers = "extra == 'gpu'"

[[package]]
name = "built"
version = "1.0"

[package.source]
type = "git"
url = "https://example.org/built.git"

[[package]]
name = "mirrored"
version = "1.0"

[package.source]
type = "legacy"
url = "https://example.org/simple"

[[package]]
name = "here"
version = "1.0"

[package.source]
type = "directory"
url = "../here"

[metadata]
lock-version = "2.1"
""",
        "poetry.lock",
    )

    assert [(item.name, item.marker, item.origin) for item in found.requirements] == [
        ("plain", "", ""),
        ("marked", 'sys_platform == "win32"', ""),
        ("each", "(os_name == 'nt') or (os_name == 'java')", ""),
        ("some", "", ""),
        ("chosen", "", ""),
        ("built", "", "https://example.org/built.git"),
        ("mirrored", "", ""),
    ]


def test_extras_and_paths_of_pdm() -> None:
    found = of(
        """
[[package]]
name = "httpx"
version = "1.0"

[[package]]
name = "httpx"
version = "1.0"
extras = ["socks"]

[[package]]
name = "alone"
version = "1.0"
extras = ["x"]

[[package]]
name = "here"
version = "1.0"
path = "./here"

[[package]]
name = "edited"
version = "1.0"
editable = true
path = "./edited"

[[package]]
name = "wheel"
version = "1.0"
path = "./wheel-1.0-py3-none-any.whl"

[[package]]
name = "built"
version = "1.0"
git = "https://example.org/built.git"
revision = "0"
marker = "os_name == 'nt'"
""",
        "pdm.lock",
    )

    assert [(item.name, item.marker, item.origin) for item in found.requirements] == [
        ("httpx", "", ""),
        ("alone", "", ""),
        ("wheel", "", "./wheel-1.0-py3-none-any.whl"),
        ("built", "os_name == 'nt'", "https://example.org/built.git"),
    ]


def test_origins_of_pylock() -> None:
    found = of(
        """
lock-version = "1.0"
[[packages]]
name = "a"
archive = {url = "https://example.org/a.zip"}
[[packages]]
name = "b"
[packages.vcs]
type = "git"
url = "https://example.org/b.git"
[[packages]]
name = "c"
[packages.directory]
path = "."
""",
        "pylock",
    )

    assert [
        (item.name, item.version, item.specifier, item.origin) for item in found.requirements
    ] == [
        ("a", None, "", "https://example.org/a.zip"),
        ("b", None, "", "https://example.org/b.git"),
    ]


@pytest.mark.parametrize("form", ["uv.lock", "poetry.lock", "pdm.lock", "pylock"])
def test_a_package_without_a_name_is_passed_over(form: str) -> None:
    table = "packages" if form == "pylock" else "package"
    found = of(
        f"[[{table}]]\nname = 'a b'\n[[{table}]]\nversion = '1'\n[[{table}]]\nname = 'x'\n", form
    )

    assert [item.name for item in found.requirements] == ["x"]
    assert found.problems == (
        (Location("x", 2, 9), "'a b': no name of a distribution"),
        (Location("x", 1, 1), "'': no name of a distribution"),
    )


@pytest.mark.parametrize(
    "text",
    ["package = 1", "package = [1]", "package = []", "[package]\nname = 'x'", "x = 1"],
)
def test_what_holds_no_packages(text: str) -> None:
    assert of(text, "uv.lock").requirements == ()


def test_a_version_without_end_is_passed_over() -> None:
    found = of(f"[[package]]\nname = 'x'\nversion = '{'1' * 5000}'\n", "uv.lock")

    assert found.requirements == ()
    assert [why[-22:] for _, why in found.problems] == ["too long for a version"]


PIPFILE_LOCK = """{
    "_meta": {"hash": {"sha256": "0"}, "sources": [{"name": "pypi"}]},
    "default": {
        "Numpy": {"hashes": ["sha256:0"], "index": "pypi", "version": "==1.26.4"},
        "any": {"markers": "os_name == 'nt'", "version": "*", "extras": ["x"]},
        "built": {"git": "https://example.org/built.git", "ref": "0"},
        "here": {"editable": true, "path": "."},
        "wheel": {"path": "./wheel-1.0-py3-none-any.whl", "version": "== 1.0"},
        "a b": {}, "text": "==1"
    },
    "develop": {}, "extra": 1
}"""


def test_pipenv() -> None:
    found = of(PIPFILE_LOCK, "Pipfile.lock")

    assert [(item.name, item.version, item.origin) for item in found.requirements] == [
        ("numpy", "1.26.4", ""),
        ("any", None, ""),
        ("built", None, "https://example.org/built.git"),
        ("wheel", "1.0", "./wheel-1.0-py3-none-any.whl"),
    ]
    assert found.requirements[0].location == Location("x", 4, 10)
    assert found.requirements[0].text == "Numpy ==1.26.4"
    assert found.requirements[1].marker == "os_name == 'nt'"
    assert found.requirements[1].extras == {"x"}
    assert found.problems == (
        (Location("x", 9, 10), "'a b': no package of pipenv's"),
        (Location("x", 9, 21), "'text': no package of pipenv's"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "x: not valid JSON: Expecting property name"),
        ("[]", "x: no Pipfile.lock: an object belongs here"),
        ("[" * 100_000, "x: not valid JSON: "),
    ],
    ids=["cut off", "a list", "too deep"],
)
def test_what_is_no_lock_of_pipenv(text: str, message: str) -> None:
    with pytest.raises(RequirementsError) as raised:
        of(text, "Pipfile.lock")

    assert str(raised.value).startswith(message)


def test_extras_of_a_shape_that_uv_never_writes_are_passed_over() -> None:
    text = '[[package]]\nname = "a"\nversion = "1"\n[package.optional-dependencies]\nx = 3\n'

    assert [item.name for item in read_text(text, "uv.lock", "uv.lock").requirements] == ["a"]
