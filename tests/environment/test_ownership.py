"""Which distribution a mapped file belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from legacy_doctor.environment import distributions
from legacy_doctor.environment.ownership import Owner, Owners
from tests.conftest import Site

CORE = "numpy/_core/_umath.so"


@pytest.fixture
def owners(site: Site) -> Owners:
    site.install("numpy", "2.4.6", files={CORE: b"elf", "numpy.libs/libblas.so.3": b"blas"})
    site.install("scipy", "1.17.0", files={"scipy/_lib/_umath.so": b"other"})
    for name in ("one", "two"):
        site.install(name, "1", files={f"shared/{name}.so": b""})
    return Owners(distributions.read([site.packages]).distributions)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        pytest.param(CORE, Owner("numpy", CORE), id="a-file-of-its-record"),
        pytest.param(
            "scipy/_lib/_umath.so",
            Owner("scipy", "scipy/_lib/_umath.so"),
            id="a-name-that-two-have",
        ),
        pytest.param(
            "numpy.libs/libblas.so.3",
            Owner("numpy", "numpy.libs/libblas.so.3"),
            id="a-bundled-library",
        ),
        pytest.param(
            "numpy/made/later.so",
            Owner("numpy", "numpy/made/later.so"),
            id="made-after-installation",
        ),
        pytest.param("shared/third.so", None, id="in-a-folder-that-two-share"),
        pytest.param("lonely.so", None, id="beside-all-packages"),
    ],
)
def test_a_file_belongs_to_the_distribution_whose_record_has_it(
    path: str, owner: Owner | None, owners: Owners, site: Site
) -> None:
    assert owners(str(site.packages / path)) == owner


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symlink", "hard-link"])
def test_a_link_from_a_shared_cache_is_the_same_file(
    link: object, owners: Owners, site: Site, tmp_path: Path
) -> None:
    cached = tmp_path / "cache" / "_umath.so"
    cached.parent.mkdir()
    installed = site.packages / CORE
    installed.rename(cached)
    link(cached, installed)  # type: ignore[operator]

    assert owners(str(cached)) == Owner("numpy", CORE)


@pytest.mark.parametrize(
    "path", ["/lib/x86_64-linux-gnu/libc.so.6", "", "[vdso]", "a\0b/_umath.so"], ids=repr
)
def test_a_file_outside_belongs_to_nobody(path: str, owners: Owners) -> None:
    assert owners(path) is None


def test_a_file_that_is_gone_is_told_by_its_name(owners: Owners, site: Site) -> None:
    (site.packages / CORE).unlink()

    assert owners(str(site.packages / CORE)) == Owner("numpy", CORE)
