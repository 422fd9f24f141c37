"""`report`: one page to read, one text to share; the same exit codes as `check`."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from pathlib import Path

import pytest

from legacy_doctor.cli import report as command
from legacy_doctor.model import Interpreter
from tests.browser import Browser
from tests.cli.test_check_probes import _finding
from tests.conftest import Doctor, Site, Wheels
from tests.diagnosis.patients import dist, interpreter, knowing, patient
from tests.report.charts import HIDDEN, sick
from tests.report.wellformed import Document

NATIVE = ("cp311-cp311-manylinux_2_28_x86_64",)
QUIET = ("--probe", "none")


@pytest.fixture
def ill(site: Site) -> Site:
    site.install("numpy", "2.4.6", tags=NATIVE, files={"numpy/core.so": b"x"})
    site.install("pandas", "3.1.1", requires=["numpy>=1.26"], tags=NATIVE)
    return site


def _at(site: Site) -> tuple[str, ...]:
    return ("report", "--python", str(site.folder), *QUIET)


def test_the_page_is_written_and_the_exit_code_tells(
    ill: Site, doctor: Doctor, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"

    answer = doctor(*_at(ill), "--cpu", "phenom-ii", "--html", str(out))

    page = Document(out.read_text(encoding="utf-8"))
    assert (answer.code, answer.out, answer.err) == (1, "", "")
    assert page.wrong() == []
    assert "numpy is predicted to fail on phenom-ii" in page.text
    assert "requires numpy, which dies on import" in page.text
    assert "The plan: " in page.text


def test_a_healthy_environment_is_0_and_its_page_says_so(site: Site, doctor: Doctor) -> None:
    site.install("numpy", "2.3.5", tags=NATIVE)

    answer = doctor(*_at(site), "--cpu", "haswell", "--html", "-")

    assert (answer.code, answer.err) == (0, "")
    assert "Nothing is known to fail on haswell" in Document(answer.out).text


def test_the_same_environment_gives_the_same_page(ill: Site, doctor: Doctor) -> None:
    one, other = (doctor(*_at(ill), "--cpu", "phenom-ii", "--html", "-") for _ in range(2))

    assert one.out == other.out


def test_ignored_findings_are_counted_and_a_severity_can_be_chosen(
    ill: Site, doctor: Doctor
) -> None:
    phenom = (*_at(ill), "--cpu", "phenom-ii", "--html", "-")

    ignored = doctor(*phenom, "--ignore", "broken-pin")
    never = doctor(*phenom, "--fail-on", "never")

    assert (ignored.code, never.code) == (0, 0)
    assert re.search(r"[1-9] ignored in 2 distributions", Document(ignored.out).text)
    assert "numpy is predicted to fail" in Document(never.out).text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to write: --html OUT, --share OUT or both"),
        (("--html", "-", "--share", "-"), "--html and --share cannot both be written to -"),
        (("--html", "x", "--share", "x"), "--html and --share cannot both be written to x"),
        (("--html", "/nowhere/at/all/x.html"), "/nowhere/at/all/x.html: cannot be written"),
        (("--html", "-", "--cpu", "phenomm"), "did you mean"),
        (("--html", "-", "--ignore", "broken-pinn"), "did you mean 'broken-pin'?"),
    ],
    ids=["nothing to write", "both to stdout", "both to a file", "no folder", "no CPU", "no rule"],
)
def test_a_bad_wish_is_refused_in_one_line(
    arguments: tuple[str, ...], said: str, ill: Site, doctor: Doctor
) -> None:
    answer = doctor(*_at(ill), *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_nothing_to_examine_is_2_and_nothing_is_written(
    site: Site, doctor: Doctor, tmp_path: Path
) -> None:
    answer = doctor(*_at(site), "--html", str(tmp_path / "page.html"))

    assert answer.code == 2
    assert "nothing to examine" in answer.err
    assert not (tmp_path / "page.html").exists()


def test_where_no_installer_may_work_the_page_has_no_plan() -> None:
    nowhere = patient(dist("numpy", "2.4.6", tags=NATIVE), cpu=HIDDEN)

    chart = command.charted(nowhere, knowing(), sick())

    assert chart.steps == ()
    assert [item.distribution for item in chart.prognosis] == ["numpy"]
    assert [reason.value for reason, _ in chart.remedies] == ["hypervisor"]


def test_set_variables_are_told_on_the_page(ill: Site, doctor: Doctor) -> None:
    answer = doctor(
        *_at(ill), "--cpu", "nehalem", "--html", "-", env={"OPENBLAS_CORETYPE": "Haswell"}
    )

    assert "OPENBLAS_CORETYPE=Haswell force" in Document(answer.out).text


def test_what_is_shared_names_nobody_and_says_what_was_replaced(
    ill: Site, doctor: Doctor, tmp_path: Path
) -> None:
    home = tmp_path / "people/annabelle"
    home.mkdir(parents=True)
    out = home / "issue.md"

    answer = doctor(
        *_at(ill), "--cpu", "phenom-ii", "--share", str(out),
        env={"HOME": str(home), "USER": "annabelle", "LOGNAME": "annabelle"},
    )  # fmt: skip

    text = out.read_text(encoding="utf-8")
    assert answer.code == 1
    assert answer.out == ""
    for private in (str(ill.folder), str(tmp_path), "annabelle", _host()):
        assert private not in text
    assert "replaced: " in answer.err
    assert "the target (" in answer.err
    assert f"read it before you share it: {out}" in answer.err
    assert "[environment]" in text


def _host() -> str:
    """The host's name; a test machine may be called by a word that stands in any text."""
    name = socket.gethostname()
    return name if len(name) >= 6 else "a name too short to look for"


def test_the_shared_json_is_a_report_like_any_other(ill: Site, doctor: Doctor) -> None:
    import jsonschema

    from tests.report.test_json import SCHEMA

    answer = doctor(*_at(ill), "--cpu", "phenom-ii", "--share", "-")

    (block,) = re.findall(r"^```json\n(.*?)\n```$", answer.out, re.DOTALL | re.MULTILINE)
    document = json.loads(block)
    jsonschema.validate(document, SCHEMA)
    assert document["target"]["prefix"] == "[environment]"
    assert _finding(document, "numpy")["affects"] == ["pandas"]


def test_a_page_and_a_text_come_of_one_examination(
    ill: Site, doctor: Doctor, tmp_path: Path
) -> None:
    page, text = tmp_path / "a.html", tmp_path / "a.md"

    answer = doctor(*_at(ill), "--cpu", "phenom-ii", "--html", str(page), "--share", str(text))

    assert answer.code == 1
    assert page.read_text().startswith("<!doctype html>")
    assert text.read_text().startswith("# numpy is predicted to fail on phenom-ii")


def test_a_text_that_is_too_long_for_an_issue_is_to_be_attached(site: Site, doctor: Doctor) -> None:
    for index in range(600):
        site.install(f"pandas-stubs-{index:03}-{'x' * 60}", "1.0", requires=["numpy"], tags=NATIVE)
    site.install("numpy", "2.4.6", tags=NATIVE)

    answer = doctor(*_at(site), "--cpu", "phenom-ii", "--share", "-")

    assert "an issue takes 65536: attach the file" in answer.err


@pytest.mark.parametrize(
    ("target", "there", "absent"),
    [
        (
            interpreter(prefix=Path("/data/acme/venv"), executable=Path("/data/acme/venv/bin/python3")),
            {"/data/acme/venv": "[environment]", "/data/acme/venv/bin/python3": "[environment]/bin/python3"},
            set(),
        ),
        (
            interpreter(prefix=Path("/usr"), executable=Path("/usr/bin/python3")),
            {},
            {"/usr", "/usr/bin/python3"},
        ),
    ],
    ids=["a virtual environment", "the system's own Python"],
)  # fmt: skip
def test_where_the_target_lies_is_a_secret_unless_it_is_the_systems(
    target: Interpreter, there: dict[str, str], absent: set[str]
) -> None:
    places = dict(command.known_secrets(target).places)

    assert there.items() <= places.items()
    assert not absent & {*places}


def test_the_account_and_the_machine_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "berta")

    secrets = command.known_secrets(interpreter())

    assert {getpass.getuser(), "berta"} <= {*secrets.users}
    assert socket.gethostname() in secrets.hosts
    assert str(Path("~").expanduser()) in secrets.homes


def test_an_account_without_a_name_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError(os.getuid())

    monkeypatch.setattr(getpass, "getuser", nobody)
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)

    assert command.known_secrets(interpreter()).users == (Path("~").expanduser().name,)


@pytest.mark.qemu
@pytest.mark.wheels
@pytest.mark.chromium
def test_a_real_environment_on_an_emulated_phenom(
    wheels: Wheels, doctor: Doctor, qemu: Path, browser: Browser, tmp_path: Path
) -> None:
    page, text = tmp_path / "page.html", tmp_path / "issue.md"

    answer = doctor(
        *("report", "--python", str(wheels.deadly), "--cpu", "phenom-ii", "--probe", "risky"),
        *("--html", str(page), "--share", str(text)),
        env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )

    assert answer.code == 1
    read = Document(page.read_text(encoding="utf-8"))
    assert read.wrong() == []
    assert "numpy and pyarrow fail on phenom-ii" in read.text
    assert "_multiarray_umath.cpython-311-x86_64-linux-gnu.so +0x2dbcc" in read.text
    assert "pandas 3.1.1 dies on import, proven" in read.text
    shared = text.read_text(encoding="utf-8")
    assert "image        numpy/_core/_multiarray_umath" in shared
    assert "gnu.so+0x2dbcc" in shared
    assert "qemu-x86_64 -cpu phenom python -c 'import numpy'" in shared
    assert str(wheels.deadly) not in shared
    _is_seen_whole(browser, page, tmp_path)


@pytest.mark.chromium
def test_a_big_environment_is_a_page_that_fits(
    doctor: Doctor, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    big = Site(tmp_path / "big")
    for index in range(150):
        big.install(f"package-number-{index:03}", "1.0", requires=["numpy"], tags=NATIVE)
    for name in ("numpy", "scipy", "pandas", "pyarrow", "polars", "torch", "lxml", "orjson"):
        big.install(name, "2.4.6", tags=NATIVE)

    answer = doctor(*_at(big), "--cpu", "phenom-ii", "--html", str(page))

    assert answer.code == 1
    assert "150 distributions fall with it" in Document(page.read_text(encoding="utf-8")).text
    _is_seen_whole(browser, page, tmp_path)


def _is_seen_whole(browser: Browser, page: Path, folder: Path) -> None:
    """On a screen by day and on a telephone by night: nothing sticks out, nothing is empty."""
    for width, dark in ((1280, False), (390, True)):
        browser.open(page, width=width, dark=dark)
        look = browser.screenshot(folder / f"{page.stem}-{width}.png")
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert (look.width, look.height > 900, look.colours > 60) == (width, True, True)
