"""What must change the fingerprint of a distribution, and what must not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from legacy_doctor.environment import distributions
from legacy_doctor.environment.fingerprint import Fingerprints
from legacy_doctor.model import AlteredFile
from tests.conftest import Site


def _installed(site: Site) -> None:
    site.install("pandas", "2.3.3", requires=["numpy>=1.26", "pytz; extra == 'x'", "???"])
    site.install("numpy", "1.26.4", files={"numpy/core.so": b"one"})
    site.install("pytz", "1", files={"pytz/__init__.py": b""})
    site.install("pyarrow", "26.0.1", files={"pyarrow/lib.so": b"one"})
    site.install("rich", "15", requires=["pandas"])


def _fingerprint(site: Site, *altered: AlteredFile, name: str = "pandas") -> dict[str, object]:
    read = distributions.read([site.packages]).distributions
    folders = [site.packages, site.packages / "none"]
    return Fingerprints(read, altered, folders, {"pandas": ["pyarrow"]}).of(name)


def _rerecord(site: Site, info: str) -> None:
    record = site.packages / info / "RECORD"
    record.write_text(record.read_text() + "new,,\n")


CHANGES: dict[str, Callable[[Site], object]] = {
    "itself-is-another": lambda site: _rerecord(site, "pandas-2.3.3.dist-info"),
    "a-requirement-is-another": lambda site: _rerecord(site, "numpy-1.26.4.dist-info"),
    "a-requirement-of-an-extra": lambda site: _rerecord(site, "pytz-1.dist-info"),
    "a-soft-import-is-another": lambda site: _rerecord(site, "pyarrow-26.0.1.dist-info"),
    "a-start-up-file-came": lambda site: (site.packages / "a.pth").write_text("import os"),
    "a-sitecustomize-came": lambda site: (site.packages / "sitecustomize.py").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_changes_with_all_that_an_import_runs(
    change: Callable[[Site], object], site: Site
) -> None:
    _installed(site)
    before = _fingerprint(site)

    change(site)

    assert _fingerprint(site) != before


def test_it_keeps_when_something_else_changes(site: Site) -> None:
    _installed(site)
    before = _fingerprint(site)

    _rerecord(site, "rich-15.dist-info")
    (site.packages / "notes.txt").write_text("")

    assert _fingerprint(site) == before


def test_a_patched_file_changes_it_though_record_is_the_same(site: Site) -> None:
    _installed(site)
    core = site.packages / "numpy/core.so"
    altered = AlteredFile(distribution="numpy", path=core, problem="changed")
    before = _fingerprint(site, altered)

    core.write_bytes(b"patched")

    assert _fingerprint(site, altered) != before


def test_a_patched_file_of_another_distribution_does_not(site: Site, tmp_path: Path) -> None:
    _installed(site)
    altered = AlteredFile(distribution="rich", path=tmp_path / "gone", problem="missing")

    assert _fingerprint(site, altered) == _fingerprint(site)
    assert _fingerprint(site, altered, name="rich") != _fingerprint(site, name="rich")


def test_what_imports_more_weighs_more(site: Site) -> None:
    _installed(site)
    read = distributions.read([site.packages]).distributions
    weigh = Fingerprints(read).weight

    assert weigh("rich") > weigh("pandas") > weigh("numpy") > weigh("ghost") == 0


def test_what_is_imported_beside_it_counts_as_well(site: Site) -> None:
    _installed(site)
    fingerprints = Fingerprints(distributions.read([site.packages]).distributions)

    both = fingerprints.of("numpy", "pytz")

    assert set(both["records"]) == {  # type: ignore[call-overload]
        *fingerprints.of("numpy")["records"],  # type: ignore[call-overload]
        *fingerprints.of("pytz")["records"],  # type: ignore[call-overload]
    }
    assert fingerprints.weight("numpy", "pytz") > fingerprints.weight("numpy")


def test_without_record_the_version_stands_for_it(site: Site) -> None:
    info = site.install("egg", "3.1")
    (info / "RECORD").unlink()

    assert _fingerprint(site, name="egg")["records"] == {"egg": "3.1"}


def test_what_is_not_installed_has_no_records(site: Site) -> None:
    assert _fingerprint(site, name="ghost")["records"] == {}
