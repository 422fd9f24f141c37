"""What probing costs: beside bare imports, beside `check` without probes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.check import doctor
from benchmarks.timing import Ratio, command, compare
from legacy_doctor.knowledge.probes import shipped
from tests.conftest import ROOT, clean, real_environment

# Thirty distributions with machine code, as a data and ML environment has them, and what one
# imports of each.
NATIVE = {
    "aiohttp": "aiohttp",
    "blis": "blis",
    "contourpy": "contourpy",
    "cryptography": "cryptography.hazmat.bindings._rust",
    "duckdb": "duckdb",
    "faiss-cpu": "faiss",
    "grpcio": "grpc",
    "h5py": "h5py",
    "lightgbm": "lightgbm",
    "llvmlite": "llvmlite.binding",
    "lxml": "lxml.etree",
    "matplotlib": "matplotlib.pyplot",
    "numba": "numba",
    "numexpr": "numexpr",
    "numpy<2.4": "numpy",
    "onnxruntime": "onnxruntime",
    "opencv-python-headless": "cv2",
    "orjson": "orjson",
    "pandas==2.3.3": "pandas",
    "pillow": "PIL.Image",
    "polars": "polars",
    "pyarrow": "pyarrow.compute",
    "scikit-image": "skimage.filters",
    "scikit-learn": "sklearn",
    "scipy": "scipy.linalg",
    "spacy": "spacy",
    "statsmodels": "statsmodels.api",
    "tables": "tables",
    "tokenizers": "tokenizers",
    "xgboost-cpu": "xgboost",
}
CORES = len(os.sched_getaffinity(0))
RECORDER = ROOT / "legacy_doctor/probe/recorder.py"


def run() -> Iterator[Ratio]:
    """Yield the ratios of the README."""
    environment = real_environment(*NATIVE)
    python = environment / "bin/python"
    # A pin-set that speaks of none of them: so each is probed, with its import and its use.
    check = (*doctor(), "check", "--python", str(environment), "--cpu", "host")
    check = (*check, "--pinset", "original")
    yield _probing((*check, "--probe", "risky", "--no-cache"), python)
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


def _probing(check: tuple[str, ...], python: Path) -> Ratio:
    """`check` with thirty probes beside what the imports cost, were they spread on the cores."""
    ours, theirs = [], []
    for _ in range(3):
        ours.append(_seconds(command(*check, codes=(0, 1))))
        imports = sum(_seconds(_bare(python, source)) for source in _imports())
        theirs.append(imports / CORES + _seconds(_bare(python, "pass")))
    name = f"check, {len(NATIVE)} probes : their bare imports / {CORES} cores"
    return Ratio(name, min(ours), min(theirs), 1.3)


def _imports() -> list[str]:
    """What the probes of these distributions import, word for word."""
    names = {re.split("[=<]", name)[0] for name in NATIVE}
    chosen = [item for item in shipped() if item.distribution in names and not item.extra]
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
