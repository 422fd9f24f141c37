"""What probing costs: beside bare imports, beside `check` without probes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.check import doctor
from benchmarks.timing import Ratio, command, compare
from legacy_doctor.cli import examination, probing
from legacy_doctor.diagnosis import rules, selection
from legacy_doctor.knowledge import catalogue
from legacy_doctor.knowledge.probes import shipped
from tests.conftest import ROOT, clean, real_environment

# With what they require, thirty distributions with machine code that the pin-set does not judge, as
# a data and ML environment has them.
NATIVE = (
    "blis",
    "cryptography",
    "duckdb",
    "faiss-cpu",
    "grpcio",
    "h5py",
    "lightgbm",
    "lxml",
    "matplotlib",
    "numba",
    "numexpr",
    "numpy<2.4",
    "onnxruntime",
    "opencv-python-headless",
    "orjson",
    "pandas==2.3.3",
    "polars",
    "pyarrow",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "xgboost-cpu",
)
PINSET = "original"
CORES = len(os.sched_getaffinity(0))
RECORDER = ROOT / "legacy_doctor/probe/recorder.py"


def run() -> Iterator[Ratio]:
    """Yield the ratios of the README."""
    environment = real_environment(*NATIVE)
    python = environment / "bin/python"
    check = (*doctor(), "check", "--python", str(environment), "--cpu", "host")
    check = (*check, "--pinset", PINSET)
    yield _probing((*check, "--probe", "risky", "--no-cache"), environment)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        yield compare(
            "check, probes from the cache : check --probe none",
            command(*check, "--probe", "risky", codes=(0, 1)),
            command(*check, "--probe", "none", codes=(0, 1)),
            bound=1.3,
            rounds=5,
        )
        del os.environ["XDG_CACHE_HOME"]
    yield _recorder(python)


def _probing(check: tuple[str, ...], environment: Path) -> Ratio:
    """`check` beside what the bare imports of its probes cost, were they spread on the cores."""
    python = environment / "bin/python"
    imports = _imports(environment)
    ours, theirs = [], []
    for _ in range(3):
        ours.append(_seconds(command(*check, codes=(0, 1))))
        alone = sum(_seconds(_bare(python, source)) for source in imports)
        theirs.append(alone / CORES + _seconds(_bare(python, "pass")))
    name = f"check, {len(imports)} probes : their bare imports / {CORES} cores"
    return Ratio(name, min(ours), min(theirs), 1.3)


def _imports(environment: Path) -> list[str]:
    """What the probes of that environment import, word for word."""
    patient = examination.examine(str(environment), "host", thorough=False)
    knowledge = catalogue.choose((PINSET,), ())
    findings = rules.diagnose(patient, knowledge)
    chosen = selection.choose(patient, knowledge, findings, shipped(), "risky", probing.generic)
    return [item.imports for item in chosen]


def _recorder(python: Path) -> Ratio:
    """The recorder beside a bare import; the bound is 40 ms more."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as snippet:
        snippet.write("import numpy")
        snippet.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        recorded = [str(python), str(RECORDER), str(null), "probe", f"import:{snippet.name}"]
        ours = min(_seconds(_started(recorded, null)) for _ in range(15))
        theirs = min(_seconds(_bare(python, "import numpy")) for _ in range(15))
        os.close(null)
    return Ratio("recorded import of numpy : bare import", ours, theirs, 1 + 0.040 / theirs)


def _started(words: list[str], descriptor: int) -> Callable[[], object]:
    return lambda: subprocess.run(words, check=True, env=clean(os.environ), pass_fds=(descriptor,))


def _bare(python: Path, code: str) -> Callable[[], None]:
    return command(str(python), "-c", code)


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in run():
        print(row.text, file=sys.stdout)
