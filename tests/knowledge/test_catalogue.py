"""Which pin-sets there are and which are chosen, in a made-up folder of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from legacy_doctor.errors import DataError, UnknownNameError
from legacy_doctor.knowledge import catalogue


def write(folder: Path, file: str, label: str, lacks: str = "") -> Path:
    name, _, version = label.partition("@")
    path = folder / f"{file}.toml"
    path.write_text(
        f"schema = 1\nid = '{name}'\nversion = {version}\ntitle = 'T'\n"
        f"target = {{ lacks = {lacks.split()} }}\n"
    )
    return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two current pin-sets, four superseded ones, a table of probes and a note."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    write(folder, "below-v3", "below-v3@2026-11-20", "avx2")
    write(folder, "below-v2", "below-v2@2026-11-20", "sse4_1 sse4_2")
    write(folder, "below-v2@2026-01-01", "below-v2@2026-01-01", "sse4_1")
    write(folder, "below-v2@2025-01-01", "below-v2@2025-01-01", "sse4_1")
    write(folder, "phenom@2024-01-01", "phenom@2024-01-01", "sse4_1")
    write(folder, "phenom@2025-01-01", "phenom@2025-01-01", "sse4_1")
    (folder / "probes.toml").write_text("not = 'a pin-set'")
    (folder / "README.md").write_text("not TOML")
    monkeypatch.setattr(catalogue, "folder", lambda: folder)
    return folder


def labels(wanted: tuple[str, ...] = (), own: tuple[Path, ...] = ()) -> list[str]:
    return [item.label for item in catalogue.choose(wanted, own).pinsets]


def test_the_current_ones_come_strictest_machine_first(shelf: Path) -> None:
    assert [item.label for item in catalogue.current()] == [
        "below-v2@2026-11-20",
        "below-v3@2026-11-20",
    ]


def test_equally_strict_ones_come_by_name(shelf: Path) -> None:
    write(shelf, "a-v3", "a-v3@2026-11-20", "avx")
    assert labels() == ["below-v2@2026-11-20", "a-v3@2026-11-20", "below-v3@2026-11-20"]


def test_every_one_is_listed_superseded_ones_last(shelf: Path) -> None:
    everything = [item.label for item in catalogue.every()]
    assert everything[:2] == ["below-v2@2026-11-20", "below-v3@2026-11-20"]
    assert sorted(everything[2:]) == [
        "below-v2@2025-01-01",
        "below-v2@2026-01-01",
        "phenom@2024-01-01",
        "phenom@2025-01-01",
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param((), ["below-v2@2026-11-20", "below-v3@2026-11-20"], id="none: the current"),
        pytest.param(("below-v3",), ["below-v3@2026-11-20"], id="an id: its current version"),
        pytest.param(("phenom",), ["phenom@2025-01-01"], id="a past id: its newest version"),
        pytest.param(("below-v2@2025-01-01",), ["below-v2@2025-01-01"], id="a past version"),
        pytest.param(("below-v2@2026-11-20",), ["below-v2@2026-11-20"], id="the current version"),
        pytest.param(
            ("below-v3", "below-v2@2026-01-01"),
            ["below-v3@2026-11-20", "below-v2@2026-01-01"],
            id="several: in the order asked for",
        ),
    ],
)
def test_what_is_chosen(shelf: Path, wanted: tuple[str, ...], found: list[str]) -> None:
    assert labels(wanted) == found


def test_ones_own_come_first(shelf: Path, tmp_path: Path) -> None:
    own = write(tmp_path, "own", "own@2026-11-21")
    assert labels(own=(own,)) == ["own@2026-11-21", "below-v2@2026-11-20", "below-v3@2026-11-20"]
    assert labels(("below-v3",), (own,)) == ["own@2026-11-21", "below-v3@2026-11-20"]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        pytest.param(
            "below-v4",
            "no pin-set 'below-v4'; did you mean 'below-v3' or 'below-v2'?; see legacy-doctor "
            "pinsets list",
            id="a near id",
        ),
        pytest.param("zzz", "no pin-set 'zzz'; see legacy-doctor pinsets list", id="unlike any"),
        pytest.param(
            "phenom@2026-01-01",
            "no pin-set 'phenom@2026-01-01'; did you mean 'phenom@2025-01-01' or "
            "'phenom@2024-01-01' or 'below-v2@2026-01-01'?; see legacy-doctor pinsets list",
            id="a version there never was",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(shelf: Path, label: str, said: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        catalogue.choose((label,))
    assert str(caught.value) == said


def test_a_broken_own_file_is_refused(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.toml: cannot be read"):
        catalogue.choose((), (tmp_path / "none.toml",))


class TestWhereTheDataLie:
    """In the package once installed, beside it in a checkout."""

    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        package = tmp_path / "site-packages/legacy_doctor"
        (package / "knowledge").mkdir(parents=True)
        monkeypatch.setattr(catalogue, "__file__", str(package / "knowledge/catalogue.py"))
        return package

    def test_in_the_package_first(self, package: Path) -> None:
        for folder in (package / "pinsets", package.parent / "pinsets"):
            folder.mkdir()
            (folder / "schema.json").write_text("{}")
        assert catalogue.folder() == package / "pinsets"

    def test_else_beside_it(self, package: Path) -> None:
        (package / "pinsets").mkdir()
        (package.parent / "pinsets").mkdir()
        (package.parent / "pinsets/schema.json").write_text("{}")
        assert catalogue.folder() == package.parent / "pinsets"

    def test_nowhere_is_a_broken_installation(self, package: Path) -> None:
        with pytest.raises(DataError) as caught:
            catalogue.folder()
        assert str(caught.value) == (
            "the installation lacks its pinsets folder; reinstall legacy-doctor"
        )


def test_this_checkout_has_its_data() -> None:
    assert (catalogue.folder() / "schema.json").is_file()
