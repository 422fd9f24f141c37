"""What is installed, read from real dist-infos on disk; what is damaged is a fact, no error."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from importlib_metadata import PathDistribution

from legacy_doctor.environment import distributions
from legacy_doctor.model import BrokenMetadata, Distribution, RecordedFile
from tests import conftest
from tests.conftest import Site


def read(site: Site) -> distributions.Installed:
    return distributions.read([site.packages])


def only(site: Site) -> Distribution:
    """The one distribution that is there, nothing about it broken."""
    found, broken = read(site)
    assert broken == ()
    (distribution,) = found
    return distribution


def complaint(site: Site) -> BrokenMetadata:
    (problem,) = read(site).broken
    return problem


def dist_info(site: Site, metadata: str | bytes, name: str = "demo-1.0.dist-info") -> Path:
    """A dist-info of nothing but a METADATA file."""
    info = site.packages / name
    info.mkdir(parents=True)
    data = metadata if isinstance(metadata, bytes) else metadata.encode()
    (info / "METADATA").write_bytes(data)
    return info


def test_an_empty_environment(site: Site) -> None:
    assert read(site) == ((), ())


def test_an_installed_distribution(site: Site) -> None:
    info = site.install(
        "Demo-Thing",
        "1.2.post3",
        requires=["numpy>=1.22", "pandas; extra == 'all'"],
        files={"demo/__init__.py": b"", "demo/fast.so": b"machine code"},
        tags=["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"],
        installer="uv",
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"machine code").digest()).decode()
    found = only(site)
    assert found.name == "demo-thing"
    assert found.version == "1.2.post3"
    assert (found.root, found.info) == (site.packages, info)
    assert found.requires == ("numpy>=1.22", "pandas; extra == 'all'")
    assert found.files[1] == ("demo/fast.so", digest.rstrip("="), 12)
    assert found.files[2] == (f"{info.name}/RECORD", None, None)
    assert found.tags == ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64")
    assert found.installer == "uv"
    assert found.native


def test_distributions_are_told_in_the_order_of_their_names(site: Site) -> None:
    for name in ("zeta", "Alpha", "mid_dle"):
        site.install(name, "1")
    assert [item.name for item in read(site).distributions] == ["alpha", "mid-dle", "zeta"]


NAMES = {"Foo": "foo", "foo_bar": "foo-bar", "Foo.Bar": "foo-bar", "a__b-.c": "a-b-c", "X1": "x1"}


@pytest.mark.parametrize(("name", "wanted"), NAMES.items(), ids=NAMES)
def test_names_are_normalized(name: str, wanted: str, site: Site) -> None:
    dist_info(site, f"Name: {name}\nVersion: 1\n")
    assert only(site).name == wanted


HEADERS = {
    "one after the other": "Name: demo\nVersion: 1.0\nRequires-Dist: numpy>=2\n\n",
    "in any case": "NAME: demo\nversion: 1.0\nrEQUIRES-dIST: numpy>=2\n",
    "with CRLF": "Name: demo\r\nVersion: 1.0\r\nRequires-Dist: numpy>=2\r\n\r\nName: other\r\n",
    "no blank after the colon": "Name:demo\nVersion:1.0\nRequires-Dist:numpy>=2\n",
    "blanks around": "Name : demo \nVersion:\t1.0\t\nRequires-Dist:   numpy>=2\n",
    "folded": "Name:\n demo\nVersion: 1.0\nRequires-Dist:\n\tnumpy>=2\n",
    "folded with CRLF": "Name:\r\n demo\r\nVersion: 1.0\r\nRequires-Dist:\r\n  numpy>=2\r\n",
    "without a last line end": "Name: demo\nVersion: 1.0\nRequires-Dist: numpy>=2",
    "among others": (
        "Metadata-Version: 2.1\nName: demo\nDynamic: version\nVersion: 1.0\nSummary: Name: x\n"
        "Requires-Dist: numpy>=2\nRequires-Python: >=3.8\n"
    ),
    "the body is no header": (
        "Name: demo\nVersion: 1.0\nRequires-Dist: numpy>=2\n\nName: other\nRequires-Dist: x\n"
    ),
    "an indented body is no header": (
        "Name: demo\nVersion: 1.0\nRequires-Dist: numpy>=2\n\n    $ pip install\nRequires-Dist: x\n"
    ),
    "a description folded into a header": (
        "Name: demo\nVersion: 1.0\nDescription: long\n        Name: x\n        |Version: 9\n"
        "Requires-Dist: numpy>=2\n"
    ),
    "the first of two names counts": (
        "Name: demo\nName: other\nVersion: 1.0\nVersion: 2\nRequires-Dist: numpy>=2\n"
    ),
}


@pytest.mark.parametrize("metadata", HEADERS.values(), ids=HEADERS)
def test_headers(metadata: str, site: Site) -> None:
    dist_info(site, metadata)
    found = only(site)
    assert (found.name, found.version, found.requires) == ("demo", "1.0", ("numpy>=2",))


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "no name": ("Version: 1\n", "METADATA has no Name"),
    "an empty name": ("Name:\nVersion: 1\n", "METADATA has no Name"),
    "no version": ("Name: demo\n", "METADATA has no Version"),
    "a version in the body only": ("Name: demo\n\nVersion: 1\n", "METADATA has no Version"),
    "empty": ("", "METADATA has no Name"),
    "a blank line before all": ("\nName: demo\nVersion: 1\n", "METADATA has no Name"),
    "a name that is none": (
        "Name: ../../etc\nVersion: 1\n",
        "METADATA has an invalid Name: '../../etc'",
    ),
    "a name that ends in a dash": (
        "Name: demo-\nVersion: 1\n",
        "METADATA has an invalid Name: 'demo-'",
    ),
    "a version that is none": (
        "Name: demo\nVersion: latest\n",
        "METADATA has an invalid Version: 'latest'",
    ),
    "a version of more digits than a number has": (
        f"Name: demo\nVersion: {'1' * 5000}\n",
        "METADATA has an invalid Version: '111",
    ),
    "not UTF-8": (b"Name: demo\nAuthor: Ren\xe9\n", "METADATA is not UTF-8 text (byte 22)"),
    "UTF-16": ("Name: demo".encode("utf-16"), "METADATA is not UTF-8 text (byte 0)"),
}


@pytest.mark.parametrize(("metadata", "why"), BROKEN.values(), ids=BROKEN)
def test_metadata_that_says_nothing_usable(metadata: str | bytes, why: str, site: Site) -> None:
    info = dist_info(site, metadata)
    found, (problem,) = read(site)
    assert found == ()
    assert problem.problem.startswith(why)
    assert (problem.path, problem.name) == (info, "demo")
    assert len(problem.problem.splitlines()) == 1


def test_a_dist_info_without_metadata(site: Site) -> None:
    (site.packages / "De_Mo-1.0.dist-info").mkdir()
    problem = complaint(site)
    assert problem.problem == "METADATA is missing or cannot be read"
    assert problem.name == "de-mo"


def test_metadata_that_is_a_link_to_itself(site: Site) -> None:
    info = dist_info(site, "")
    (info / "METADATA").unlink()
    (info / "METADATA").symlink_to("METADATA")
    assert complaint(site).problem.startswith("METADATA cannot be read (")


def test_one_that_is_broken_hides_no_other(site: Site) -> None:
    dist_info(site, "", "bad-1.dist-info")
    site.install("good", "1")
    found, broken = read(site)
    assert [item.name for item in found] == ["good"]
    assert [item.name for item in broken] == ["bad"]


def test_broken_ones_are_told_in_the_order_of_their_paths(site: Site) -> None:
    for name in ("c", "a", "b"):
        dist_info(site, "", f"{name}-1.dist-info")
    assert [item.name for item in read(site).broken] == ["a", "b", "c"]


def test_what_an_uninstallation_left_over(site: Site) -> None:
    info = dist_info(site, "Name: numpy\nVersion: 1.26.4\n", "~umpy-1.26.4.dist-info")
    found, (problem,) = read(site)
    assert found == ()
    assert problem.path == info
    assert problem.problem.startswith("left over from an uninstallation that was cut short")


def test_an_egg_info_folder(site: Site) -> None:
    info = site.packages / "Old_Thing.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: Old-Thing\nVersion: 0.9\n")
    found = only(site)
    assert (found.name, found.version, found.info) == ("old-thing", "0.9", info)
    assert (found.files, found.tags, found.installer) == ((), (), "")


def test_an_egg_info_file(site: Site) -> None:
    """As distutils wrote them; Debian's Python packages still have some."""
    info = site.packages / "old-0.9.egg-info"
    info.write_text("Metadata-Version: 1.0\nName: old\nVersion: 0.9\n")
    found = only(site)
    assert (found.name, found.version, found.info) == ("old", "0.9", info)


def test_a_damaged_egg_info_file_is_called_by_its_name(site: Site) -> None:
    (site.packages / "old.egg-info").write_text("nothing\n")
    assert complaint(site).name == "old"


def test_an_egg_that_a_pth_file_adds(site: Site) -> None:
    info = site.packages / "thing-2.0-py3.11.egg/EGG-INFO"
    info.mkdir(parents=True)
    (info / "PKG-INFO").write_text("Name: thing\nVersion: 2.0\n")
    (site.packages / "easy-install.pth").write_text("./thing-2.0-py3.11.egg\n")
    found = only(site)
    assert (found.name, found.root) == ("thing", info.parent)


def scratch() -> Path:
    """Where a folder lists its entries by age, if anywhere: a file system in memory."""
    memory = Path("/dev/shm")  # noqa: S108
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def test_two_versions_in_one_folder(site: Site) -> None:
    site.install("numpy", "1.26.4")
    site.install("numpy", "2.4.6")
    found, (problem,) = read(site)
    assert [item.name for item in found] == ["numpy"]
    assert problem.problem.startswith("two versions recorded, ")
    assert "1.26.4" in problem.problem
    assert "2.4.6" in problem.problem
    assert problem.name == "numpy"


def test_of_two_versions_the_same_counts_whichever_came_last() -> None:
    told = []
    for versions in (("1.26.4", "2.4.6"), ("2.4.6", "1.26.4")):
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            site = Site(Path(folder) / "venv")
            for version in versions:
                site.install("numpy", version)
            (kept,), (problem,) = read(site)
            told.append((kept.version, problem.path.name, problem.problem))
    assert told[0] == told[1]


def test_two_records_of_one_version_are_one(site: Site) -> None:
    site.install("demo", "1.0")
    dist_info(site, "Name: Demo\nVersion: 1.0\n", "Demo-1.0.dist-info")
    assert only(site).version == "1.0"


def test_of_two_folders_the_first_counts(site: Site, tmp_path: Path) -> None:
    system = Site(tmp_path / "system")
    site.install("numpy", "2.4.6")
    system.install("numpy", "1.26.4")
    system.install("pandas", "2.3.3")
    found, broken = distributions.read([site.packages, system.packages])
    assert [(item.name, item.version) for item in found] == [
        ("numpy", "2.4.6"),
        ("pandas", "2.3.3"),
    ]
    assert broken == ()


def added(site: Site, place: str, name: str) -> Path:
    """A distribution in a folder that only a .pth file can add."""
    info = site.packages / place / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    return info.parent


PTH = {
    "a relative folder": "more\n",
    "with blanks and a missing last line end": "  more  ",
    "up and down again": "more/../more\n",
    "after comments, code and blank lines": "# more\n\nimport os; os.abort()\nimport\tos\nmore\n",
    "with CRLF": "more\r\n",
    "beside folders that do not exist": "gone\n/opt/removed\nmore\n",
    "beside a file": "a.pth\nmore\n",
    "beside names that cannot be": f"{'x' * 300}\nno\0name\nmore\n",
    "twice": "more\nmore\n",
}


@pytest.mark.parametrize("text", PTH.values(), ids=PTH)
def test_a_pth_file_adds(text: str, site: Site) -> None:
    added(site, "more", "extra")
    (site.packages / "a.pth").write_bytes(text.encode())
    found, broken = read(site)
    assert [(item.name, item.root) for item in found] == [("extra", site.packages / "more")]
    assert broken == ()


NOT_ADDED = {
    "a comment": "#more\n",
    "code": "import sys; sys.path.append('more')\n",
    "nothing": "",
    "no text": b"\xff\xfe\x00more",
}


@pytest.mark.parametrize("text", NOT_ADDED.values(), ids=NOT_ADDED)
def test_a_pth_file_adds_nothing(text: str | bytes, site: Site) -> None:
    added(site, "more", "extra")
    data = text if isinstance(text, bytes) else text.encode()
    (site.packages / "a.pth").write_bytes(data)
    assert read(site) == ((), ())


def test_an_absolute_folder_in_a_pth_file(site: Site, tmp_path: Path) -> None:
    source = Site(tmp_path / "source")
    source.install("editable", "0.1")
    (site.packages / "__editable__.pth").write_text(f"{source.packages}\n")
    assert only(site).root == source.packages


def test_what_is_installed_beats_what_a_pth_file_adds(site: Site) -> None:
    site.install("extra", "9")
    added(site, "more", "extra")
    (site.packages / "a.pth").write_text("more\n")
    assert only(site).version == "9"


def test_a_pth_file_that_is_a_folder_or_leads_nowhere_adds_nothing(site: Site) -> None:
    (site.packages / "a.pth").mkdir()
    (site.packages / "b.pth").symlink_to("gone")
    assert read(site) == ((), ())


def test_a_pth_file_in_an_added_folder_is_not_read(site: Site) -> None:
    """As in Python itself: only site-packages folders are looked through for .pth files."""
    folder = added(site, "more", "extra")
    (folder / "b.pth").write_text("deeper\n")
    added(site, "more/deeper", "deep")
    (site.packages / "a.pth").write_text("more\n")
    assert only(site).name == "extra"


def test_a_folder_that_is_missing_or_no_folder(site: Site, tmp_path: Path) -> None:
    site.install("demo", "1")
    (tmp_path / "file").write_text("")
    missing, file = tmp_path / "missing", tmp_path / "file"
    found, broken = distributions.read([missing, file, site.packages])
    assert [item.name for item in found] == ["demo"]
    assert {item.path: item.problem for item in broken} == {
        missing: "cannot be read (No such file or directory)",
        file: "cannot be read (Not a directory)",
    }


# Reads as another user where this one may read everything.
AS_NOBODY = """
import json, os, pathlib, sys
from legacy_doctor.environment import distributions
distributions.read([pathlib.Path(sys.argv[2])])  # imports all that is needed
if not os.getuid():
    os.setuid(65534)
found, broken = distributions.read([pathlib.Path(sys.argv[1])])
print(json.dumps([[item.name for item in found], [item.problem for item in broken]]))
"""


@pytest.fixture
def open_site() -> Iterator[Site]:
    """An environment whose folders another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Site(Path(folder) / "venv")


def read_as_nobody(site: Site) -> tuple[list[str], list[str]]:
    ready = site.folder / "ready"
    ready.mkdir()
    (ready / "demo-1.dist-info").mkdir()
    (ready / "demo-1.dist-info/METADATA").write_text("Name: demo\nVersion: 1\n")
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(site.packages), str(ready)],
        capture_output=True,
        text=True,
        check=False,
        cwd=conftest.ROOT,
    )
    assert done.returncode == 0, done.stderr
    found, broken = json.loads(done.stdout)
    return found, broken


def test_a_folder_that_may_not_be_read(open_site: Site) -> None:
    open_site.install("demo", "1")
    open_site.packages.chmod(0)
    told = read_as_nobody(open_site)
    open_site.packages.chmod(0o755)
    assert told == ([], ["cannot be read (Permission denied)"])


def test_metadata_that_may_not_be_read(open_site: Site) -> None:
    open_site.install("demo", "1")
    open_site.install("other", "1")
    (open_site.packages / "demo-1.dist-info/METADATA").chmod(0)
    assert read_as_nobody(open_site) == (["other"], ["METADATA is missing or cannot be read"])


def test_a_pth_file_into_a_folder_that_may_not_be_entered(open_site: Site) -> None:
    """An editable installation from another user's home."""
    home = open_site.folder / "home"
    (home / "project").mkdir(parents=True)
    (open_site.packages / "a.pth").write_text(f"{home}/project\n")
    open_site.install("demo", "1")
    home.chmod(0)
    told = read_as_nobody(open_site)
    home.chmod(0o755)
    assert told == (["demo"], [])


def test_a_pth_file_that_may_not_be_read(open_site: Site) -> None:
    (open_site.packages / "a.pth").write_text("more\n")
    (open_site.packages / "a.pth").chmod(0)
    open_site.install("demo", "1")
    assert read_as_nobody(open_site) == (["demo"], [])


SHA = "sha256=" + "A" * 43
RECORDS: dict[str, tuple[str, tuple[RecordedFile, ...]]] = {
    "empty": ("", ()),
    "all three": (f"a.py,{SHA},5\n", (RecordedFile("a.py", "A" * 43, 5),)),
    "no hash, no size": ("a.pyc,,\n", (RecordedFile("a.pyc", None, None),)),
    "a size without a hash": ("a.py,,5\n", (RecordedFile("a.py", None, 5),)),
    "a hash without a size": (f"a.py,{SHA},\n", (RecordedFile("a.py", "A" * 43, None),)),
    "a hash of another kind": ("a.py,sha512=xyz,5\n", (RecordedFile("a.py", None, 5),)),
    "blank lines": ("\na.py,,\n\n\n", (RecordedFile("a.py", None, None),)),
    "CRLF": (
        "a.py,,\r\nb.py,,\r\n",
        (RecordedFile("a.py", None, None), RecordedFile("b.py", None, None)),
    ),
    "a comma in a quoted path": ('"a,b.py",,\n', (RecordedFile("a,b.py", None, None),)),
    "quotes in a path": ('"a""b.py",,\n', (RecordedFile('a"b.py', None, None),)),
    "quoted lines and blank lines": (
        '"a",,\n\nb,,\n',
        (RecordedFile("a", None, None), RecordedFile("b", None, None)),
    ),
    "a path outside": ("../../../bin/x,,\n", (RecordedFile("../../../bin/x", None, None),)),
}


def recorded(site: Site, record: str | bytes) -> Path:
    info = dist_info(site, "Name: demo\nVersion: 1.0\n")
    (info / "RECORD").write_bytes(record if isinstance(record, bytes) else record.encode())
    return info


@pytest.mark.parametrize(("record", "wanted"), RECORDS.values(), ids=RECORDS)
def test_a_record(record: str, wanted: tuple[RecordedFile, ...], site: Site) -> None:
    recorded(site, record)
    assert only(site).files == wanted


DAMAGED: dict[str, tuple[str | bytes, str]] = {
    "one column": ("a.py\n", "a line is not 'path,hash,size': 'a.py'"),
    "two columns": (f"a.py,{SHA}\n", "a line is not 'path,hash,size': 'a.py,sha256="),
    "four columns": ("a.py,,5,6\n", "a line is not 'path,hash,size': 'a.py,,5,6'"),
    "an unquoted comma": (f"a,b.py,{SHA},5\n", "a line is not 'path,hash,size'"),
    "no path": (f",{SHA},5\n", "a line names no file"),
    "a NUL": ("a\0.py,,\n", "a line names no file: 'a\\x00.py,,'"),
    "a NUL in a quoted path": ('"a\0,.py",,\n', ""),
    "a hash without its kind": ("a.py,abcdef,5\n", "a hash has no algorithm: 'abcdef'"),
    "a size that is none": (f"a.py,{SHA},five\n", "invalid literal for int()"),
    "a size of more digits than a number has": (f"a.py,{SHA},{'1' * 5000}\n", "Exceeds the limit"),
    "a quote never closed": (f'"{"a" * 200_000}\n', "field larger than field limit"),
    "cut short": (f"a.py,{SHA},5\nb.p", "a line is not 'path,hash,size': 'b.p'"),
}


@pytest.mark.parametrize(("record", "why"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_told_and_the_rest_is_read(
    record: str | bytes, why: str, site: Site
) -> None:
    info = recorded(site, record)
    (found,), (problem,) = read(site)
    assert (found.name, found.version, found.files) == ("demo", "1.0", ())
    assert problem.problem.startswith(f"RECORD is damaged: {why}")
    assert (problem.path, problem.name) == (info / "RECORD", "demo")


def test_a_record_that_is_no_text(site: Site) -> None:
    recorded(site, b"caf\xe9.py,,\n")
    (found,), (problem,) = read(site)
    assert found.files == ()
    assert problem.problem == "RECORD is not UTF-8 text (byte 3)"


WHEELS = {
    "pure": ("Wheel-Version: 1.0\nTag: py3-none-any\n", ("py3-none-any",)),
    "two tags": (
        "Tag: cp311-abi3-linux_x86_64\nTag:py3-none-any\n",
        ("cp311-abi3-linux_x86_64", "py3-none-any"),
    ),
    "no tags": ("Wheel-Version: 1.0\n", ()),
    "no text": (b"Tag: \xff\n", ()),
    "CRLF": ("Tag: py3-none-any\r\n", ("py3-none-any",)),
}


@pytest.mark.parametrize(("text", "wanted"), WHEELS.values(), ids=WHEELS)
def test_tags(text: str | bytes, wanted: tuple[str, ...], site: Site) -> None:
    info = dist_info(site, "Name: demo\nVersion: 1.0\n")
    (info / "WHEEL").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert only(site).tags == wanted


INSTALLERS = {
    "pip": (b"pip\n", "pip"),
    "blanks and more lines": (b"\n  uv\nmore\n", "uv"),
    "empty": (b"", ""),
    "no text": (b"\xff", ""),
}


@pytest.mark.parametrize(("data", "wanted"), INSTALLERS.values(), ids=INSTALLERS)
def test_the_installer(data: bytes, wanted: str, site: Site) -> None:
    (dist_info(site, "Name: demo\nVersion: 1.0\n") / "INSTALLER").write_bytes(data)
    assert only(site).installer == wanted


def a_distribution(folder: Path, name: str, data: bytes) -> distributions.Installed:
    info = folder / "demo-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Name: demo\nVersion: 1.0\n")
    (info / name).write_bytes(data)
    return distributions.read([folder])


IN_A_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PATHS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20)
DIGESTS = st.binary(min_size=32, max_size=32).map(
    lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
)
ROWS = st.lists(
    st.builds(
        RecordedFile,
        PATHS,
        st.one_of(st.none(), DIGESTS),
        st.one_of(st.none(), st.integers(0, 2**40)),
    )
)


@IN_A_FOLDER
@given(rows=ROWS)
def test_a_record_that_csv_wrote_is_read_back(rows: list[RecordedFile], tmp_path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, digest, size in rows:
        writer.writerow((path, digest and f"sha256={digest}", size))
    found, broken = a_distribution(tmp_path, "RECORD", text.getvalue().encode())
    assert broken == ()
    assert found[0].files == tuple(rows)


@IN_A_FOLDER
@given(name=st.sampled_from(["METADATA", "RECORD", "WHEEL", "INSTALLER"]), data=st.binary())
def test_any_bytes_are_read_or_told(name: str, data: bytes, tmp_path: Path) -> None:
    for old in (tmp_path / "demo-1.0.dist-info").glob("*"):
        old.unlink()
    found, broken = a_distribution(tmp_path, name, data)
    assert len(found) == 1 or len(broken) == 1


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["Name: demo", "Version: 1", " folded", "", "Requires-Dist: x", "Version:"]
        ),
        st.text(max_size=20),
    )
).map("\n".join)


@IN_A_FOLDER
@given(text=LINES)
def test_any_headers_are_read_or_told(text: str, tmp_path: Path) -> None:
    found, broken = a_distribution(tmp_path, "METADATA", text.encode("utf-8", "replace"))
    assert len(found) + len(broken) == 1


@IN_A_FOLDER
@given(data=st.binary())
def test_any_pth_file_is_read(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "any.pth").write_bytes(data)
    assert distributions.read([tmp_path]).broken == ()


# altered(): the files against RECORD

CODE = {
    "demo/__init__.py": b"VERSION = 1\n",
    "demo/fast.so": b"machine code",
    "demo/data.txt": b"abc",
}


def installed(site: Site, installer: str = "pip") -> Distribution:
    """A distribution whose files are older than its RECORD, as after every installation."""
    info = site.install("demo", "1", files=CODE, installer=installer)
    for path in CODE:
        os.utime(site.packages / path, (1_600_000_000, 1_600_000_000))
    os.utime(info / "RECORD", (1_700_000_000, 1_700_000_000))
    return only(site)


def differences(distribution: Distribution, *, thorough: bool = False) -> dict[str, str]:
    return {
        str(item.path.relative_to(distribution.root)): item.problem
        for item in distributions.altered(distribution, thorough=thorough)
    }


def edit(site: Site, path: str, data: bytes, when: float) -> None:
    (site.packages / path).write_bytes(data)
    os.utime(site.packages / path, (when, when))


BEFORE, JUST, AFTER = 1_600_000_000, 1_700_000_001, 1_700_000_009
SAME_SIZE = b"VERSION = 2\n"

# the file that was edited, what it holds now, when; found in haste; found thoroughly
EDITS: dict[str, tuple[str, bytes, float, str | None, str | None]] = {
    "another size": ("demo/__init__.py", b"pass", BEFORE, "changed", "changed"),
    "same size, younger": ("demo/__init__.py", SAME_SIZE, AFTER, "changed", "changed"),
    "same size, as old": ("demo/__init__.py", SAME_SIZE, BEFORE, None, "changed"),
    "same size, within the slack": ("demo/__init__.py", SAME_SIZE, JUST, None, "changed"),
    "touched and not changed": ("demo/__init__.py", CODE["demo/__init__.py"], AFTER, None, None),
    "a library": ("demo/fast.so", b"other code!!", AFTER, "changed", "changed"),
    "data": ("demo/data.txt", b"changed", AFTER, None, "changed"),
}


@pytest.mark.parametrize(("path", "data", "when", "haste", "thorough"), EDITS.values(), ids=EDITS)
def test_an_edited_file(
    path: str, data: bytes, when: float, haste: str | None, thorough: str | None, site: Site
) -> None:
    distribution = installed(site)
    edit(site, path, data, when)
    assert differences(distribution) == ({path: haste} if haste else {})
    assert differences(distribution, thorough=True) == ({path: thorough} if thorough else {})


def test_a_fresh_installation_is_unaltered(site: Site) -> None:
    distribution = installed(site)
    assert differences(distribution) == differences(distribution, thorough=True) == {}


def test_a_file_that_is_gone(site: Site) -> None:
    distribution = installed(site)
    for path in CODE:
        (site.packages / path).unlink()
    assert differences(distribution) == {"demo/__init__.py": "missing", "demo/fast.so": "missing"}
    assert differences(distribution, thorough=True) == dict.fromkeys(CODE, "missing")


def test_an_altered_file_says_whose_it_is_and_where(site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo/__init__.py", b"pass", AFTER)
    (found,) = distributions.altered(distribution)
    assert (found.distribution, found.backup) == ("demo", None)
    assert found.path == site.packages / "demo/__init__.py"


@pytest.mark.parametrize("end", [".orig", ".bak", ".backup"])
def test_the_original_that_somebody_kept_is_found(end: str, site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo/fast.so", b"patched", AFTER)
    backup = site.packages / f"demo/fast.so{end}"
    backup.write_bytes(CODE["demo/fast.so"])
    (found,) = distributions.altered(distribution)
    assert found.backup == backup


OURS = b"# >>> legacy-doctor: torch-dynamo-stub\npass\n# <<< legacy-doctor: torch-dynamo-stub\n"
ELSE = OURS.replace(b"dynamo-stub", b"onednn-off-source").replace(b"pass", b"if x:\n    pass")
# what the file holds now, the patches in it, and whether it is as released but for them
BLOCKS: dict[str, tuple[bytes, tuple[str, ...], bool]] = {
    "a patch": (CODE["demo/__init__.py"] + OURS, ("torch-dynamo-stub",), True),
    "two patches": (
        OURS + CODE["demo/__init__.py"] + ELSE,
        ("torch-dynamo-stub", "torch-onednn-off-source"),
        True,
    ),
    "a patch, indented": (
        b"".join(b"    " + line for line in OURS.splitlines(keepends=True))
        + CODE["demo/__init__.py"],
        ("torch-dynamo-stub",),
        True,
    ),
    "a patch, Windows line ends": (
        CODE["demo/__init__.py"] + OURS.replace(b"\n", b"\r\n"),
        ("torch-dynamo-stub",),
        True,
    ),
    "a patch and another change": (b"VERSION = 22\n" + OURS, ("torch-dynamo-stub",), False),
    "a change by hand": (b"VERSION = 22\n", (), False),
    "a mark without its partner": (
        CODE["demo/__init__.py"] + OURS.splitlines()[0] + b"\n",
        (),
        False,
    ),
    "a mark in a string": (b"VERSION = '# >>> legacy-doctor: x'\n", (), False),
}


@pytest.mark.parametrize(("content", "patches", "intact"), BLOCKS.values(), ids=BLOCKS)
def test_the_patches_in_an_altered_file_are_named(
    content: bytes, patches: tuple[str, ...], intact: bool, site: Site
) -> None:
    distribution = installed(site)
    edit(site, "demo/__init__.py", content, AFTER)
    (found,) = distributions.altered(distribution)
    assert (found.patches, found.intact) == (patches, intact)


def test_ever_so_many_marks_are_read_once(site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo/__init__.py", OURS.splitlines()[0] + b"\n" + OURS * 50_000, AFTER)
    (found,) = distributions.altered(distribution)
    assert found.patches == ("torch-dynamo-stub",)
    edit(site, "demo/__init__.py", (OURS.splitlines()[0] + b"\n") * 100_000, AFTER)
    (found,) = distributions.altered(distribution)
    assert found.patches == ()


def test_a_file_that_is_too_large_for_a_patch_is_not_taken_for_one(site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo/__init__.py", OURS + b"#" * (8 << 20), AFTER)
    (found,) = distributions.altered(distribution)
    assert found.patches == ()


def test_a_library_and_what_is_gone_hold_no_patch(site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo/fast.so", OURS, AFTER)
    (site.packages / "demo/__init__.py").unlink()
    assert [item.patches for item in distributions.altered(distribution)] == [(), ()]


@pytest.mark.parametrize("installer", ["", "conda"])
def test_installers_that_write_no_true_record_are_passed_over(installer: str, site: Site) -> None:
    distribution = installed(site, installer)
    edit(site, "demo/__init__.py", b"pass", AFTER)
    assert differences(distribution, thorough=True) == {}


def test_without_a_record_nothing_can_be_said(site: Site) -> None:
    distribution = installed(site)
    (distribution.info / "RECORD").unlink()
    edit(site, "demo/__init__.py", b"pass", AFTER)
    assert differences(distribution, thorough=True) == {}


def test_files_without_a_hash_are_passed_over(site: Site) -> None:
    distribution = installed(site)
    edit(site, "demo-1.dist-info/RECORD", b"anything", AFTER)
    assert differences(distribution, thorough=True) == {}


def test_a_linked_file_is_what_it_leads_to(site: Site) -> None:
    """uv can link every file into its cache."""
    distribution = installed(site)
    path, cached = site.packages / "demo/fast.so", site.folder / "cached.so"
    path.rename(cached)
    path.symlink_to(cached)
    assert differences(distribution, thorough=True) == {}
    cached.write_bytes(b"other code!!")
    os.utime(cached, (AFTER, AFTER))
    assert differences(distribution) == {"demo/fast.so": "changed"}
    cached.unlink()
    assert differences(distribution) == {"demo/fast.so": "missing"}


def test_a_folder_in_the_place_of_a_file(site: Site) -> None:
    info = recorded(site, f"demo.py,{SHA},\n")
    (info / "INSTALLER").write_text("pip\n")
    (site.packages / "demo.py").mkdir()
    os.utime(info / "RECORD", (BEFORE, BEFORE))
    assert differences(only(site)) == {"demo.py": "unreadable (Is a directory)"}


def test_a_file_in_the_place_of_a_folder(site: Site) -> None:
    distribution = installed(site)
    for path in CODE:
        (site.packages / path).unlink()
    (site.packages / "demo").rmdir()
    (site.packages / "demo").write_text("no folder")
    assert differences(distribution) == {
        "demo/__init__.py": "unreadable (Not a directory)",
        "demo/fast.so": "unreadable (Not a directory)",
    }


def test_a_large_file_is_hashed_whole(site: Site) -> None:
    content = bytes(3 << 20)
    info = site.install("demo", "1", files={"demo.so": content})
    os.utime(info / "RECORD", (BEFORE, BEFORE))
    assert differences(only(site)) == {}
    edit(site, "demo.so", content[:-1] + b"\1", AFTER)
    assert differences(only(site)) == {"demo.so": "changed"}


def test_an_unknown_kind_of_distribution_is_passed_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """importlib-metadata may one day find what lies on no disk."""
    site.install("demo", "1")
    monkeypatch.setattr(distributions, "PathDistribution", type("Other", (PathDistribution,), {}))
    assert read(site) == ((), ())
