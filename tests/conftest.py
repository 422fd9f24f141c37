"""Real things for the tests: qemu-user, environments of real wheels, made-up site-packages."""

from __future__ import annotations

import base64
import compileall
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.browser import Browser, launched
from tests.zygote import Zygote

ROOT = Path(__file__).parent.parent
REQUIRED = frozenset(os.environ.get("LEGACY_DOCTOR_REQUIRE", "").split())
"""What must be there: a test that misses one of `qemu`, `wheels`, `torch`,
`chromium` then fails, not skips."""

OVERRIDES = ("OPENBLAS_", "MKL_", "NPY_", "ATEN_", "ONEDNN_", "DNNL_", "NUMBA_", "FAISS_")
TORCH = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"


def pytest_configure(config: pytest.Config) -> None:
    """Start the doctor as it is installed, with its bytecode.

    Where PYTHONDONTWRITEBYTECODE is set, each of the thousands that are started here would compile
    all of it anew, the emulated ones at a tenth of the speed.
    """
    if not hasattr(config, "workerinput"):  # once, not in each worker of xdist
        for folder in ("legacy_doctor", "tests"):
            compileall.compile_dir(ROOT / folder, quiet=2)


def lacking(what: str, why: str) -> None:
    """Skip a test for want of `what`, or fail it where the run promised to have it."""
    if what in REQUIRED:
        pytest.fail(f"LEGACY_DOCTOR_REQUIRE names {what}: {why}")
    pytest.skip(why)


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what would change a verdict or a colour."""
    unwanted = {"VIRTUAL_ENV", "NO_COLOR", "FORCE_COLOR", "GLIBC_TUNABLES", "COLUMNS"}
    return {
        key: value
        for key, value in environ.items()
        if not key.startswith(OVERRIDES) and key not in unwanted
    }


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in set(os.environ) - set(clean(os.environ)):
        monkeypatch.delenv(key)


@pytest.fixture(scope="session")
def qemu() -> Path:
    """qemu-user, the emulator that dies of the same instructions as old silicon."""
    path = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if path is None:
        lacking("qemu", "qemu-user is not installed (apt-get install qemu-user)")
    return Path(str(path))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium that shows pages as a reader gets them."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        lacking("chromium", "no Chromium is installed (apt-get install chromium)")
    with launched(str(path), tmp_path_factory.mktemp("chromium")) as started:
        yield started


class Answer(NamedTuple):
    """How a run of the doctor ended."""

    code: int
    out: str
    err: str


Doctor = Callable[..., Answer]


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What runs of the doctor are forked from."""
    forked = Zygote(ROOT)
    yield forked
    forked.close()


@pytest.fixture
def doctor(tmp_path: Path, zygote: Zygote) -> Doctor:
    """Run the doctor in a process of its own, emulated where `under` names a CPU.

    `check` runs no probe unless the test asks for it in so many words: most tests are about what
    the rules say, of environments made of nothing but metadata.
    """

    def run(
        *arguments: str,
        under: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path = tmp_path,
    ) -> Answer:
        environ = {**clean(os.environ), "PYTHONPATH": str(ROOT), **(env or {})}
        if under:  # ten times as slow, and measured as much by a run on this CPU
            environ = {key: text for key, text in environ.items() if "COVERAGE" not in key}
        if arguments[:1] == ("check",) and "--probe" not in arguments:
            arguments = (*arguments, "--probe", "none")
        if not under and zygote.fits(environ):
            return Answer(*zygote.run(arguments, environ, cwd, seconds=300))
        done = subprocess.run(
            [*under, sys.executable, "-m", "legacy_doctor", *arguments],
            capture_output=True,
            text=True,
            env=environ,
            cwd=cwd,
            check=False,
            timeout=300,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


class Site:
    """A virtual environment made of nothing but metadata: real layout, real RECORD hashes.

    Its interpreter is a link to the one that runs the tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.packages = folder / f"lib/python{version}/site-packages"
        self.packages.mkdir(parents=True)
        (folder / "bin").mkdir()
        base = Path(sys.executable).resolve()
        (folder / "bin/python").symlink_to(base)
        (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = {version}\n")

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def install(
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
        tags: Sequence[str] = ("py3-none-any",),
        installer: str = "pip",
    ) -> Path:
        """Write the files and the dist-info of a distribution; return the dist-info."""
        info = self.packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
        lines += [f"Requires-Dist: {requirement}\n" for requirement in requires]
        (info / "METADATA").write_text("".join(lines) + "\nA description.\nName: not-a-header\n")
        (info / "WHEEL").write_text("".join(f"Tag: {tag}\n" for tag in tags))
        (info / "INSTALLER").write_text(f"{installer}\n" if installer else "")
        record = []
        for path, content in (files or {}).items():
            target = self.packages / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{path},sha256={digest.decode()},{len(content)}\n")
        (info / "RECORD").write_text("".join(record) + f"{info.name}/RECORD,,\n")
        return info


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty made-up environment."""
    return Site(tmp_path / "venv")


def _cache() -> Path:
    folder = os.environ.get("LEGACY_DOCTOR_TEST_CACHE")
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return Path(folder) if folder else default / "legacy-doctor-tests"


def real_environment(*requirements: str, options: Sequence[str] = ()) -> Path:
    """Return a virtual environment with these wheels, made once per machine by real pip.

    Made in place under a lock and marked when complete, so that parallel workers share it.
    """
    key = " ".join([sys.version, *options, *requirements])
    folder = _cache() / hashlib.sha256(key.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder / "venv", ignore_errors=True)
            _make(folder / "venv", requirements, options)
            (folder / "complete").write_text("\n".join(requirements))
    return folder / "venv"


def _make(folder: Path, requirements: Sequence[str], options: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=clean(os.environ))
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--only-binary", ":all:"]
    done = subprocess.run(
        [*pip, *options, *requirements],
        capture_output=True,
        text=True,
        check=False,
        env=clean(os.environ),
    )
    if done.returncode:
        lacking("wheels", f"pip could not install {' '.join(requirements)}: {done.stderr[-300:]}")


class Wheels(NamedTuple):
    """The environments of real wheels that the tests examine."""

    deadly: Path
    """numpy 2.4.6, pandas 3.1.1 and pyarrow 26.0.1: dies below x86-64-v2."""
    old_numpy: Path
    """numpy 1.26.4 and pandas 2.3.3: lives everywhere."""
    last_good: Path
    """numpy 2.3.5: the last line that lives everywhere."""
    polars: Path
    """polars 2.1.0: dies without AVX2."""


@pytest.fixture(scope="session")
def wheels() -> Wheels:
    """Real wheels in real environments, never imported by the tests of this room."""
    return Wheels(
        deadly=real_environment("numpy==2.4.6", "pandas==3.1.1", "pyarrow==26.0.1"),
        old_numpy=real_environment("numpy==1.26.4", "pandas==2.3.3"),
        last_good=real_environment("numpy==2.3.5"),
        polars=real_environment("polars==2.1.0"),
    )


@pytest.fixture(scope="session")
def torch_environment() -> Path:
    """torch 2.13.0, the CPU build; where there is none, its tests are skipped by name."""
    folders = os.environ.get("PIP_FIND_LINKS", "").split()
    found = [Path(folder) / TORCH for folder in folders if (Path(folder) / TORCH).is_file()]
    if not found:
        lacking("torch", f"no {TORCH} in the folders of PIP_FIND_LINKS")
    return real_environment(str(found[0]), options=("--no-deps",))
