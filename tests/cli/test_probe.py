"""`legacy-doctor probe`: one package, run for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Doctor, Site, Wheels


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _probes(doctor: Doctor, *arguments: str, **options: Any) -> tuple[int, list[dict[str, Any]]]:
    answer = doctor("probe", *arguments, "--format", "json", **options)
    assert answer.out, answer.err
    return answer.code, json.loads(answer.out)["probes"]


@pytest.mark.qemu
@pytest.mark.wheels
def test_numpy_2_4_on_a_phenom_is_named_to_the_instruction(
    wheels: Wheels, doctor: Doctor, qemu: Path
) -> None:
    code, (numpy,) = _probes(doctor, "numpy", "--python", str(wheels.deadly), "--cpu", "phenom-ii")

    fault = numpy["fault"]
    assert (code, numpy["outcome"], numpy["stage"]) == (1, "illegal-instruction", "import")
    assert fault["instruction"].startswith("pinsrq ")
    assert fault["needs"] == ["sse4_1"]
    assert fault["path"].startswith("numpy/_core/_multiarray_umath")
    assert (fault["owner"], fault["offset"]) == ("numpy", "0x2dbcc")
    assert (fault["signal"], fault["place"]) == ("SIGILL", "static initialiser")
    assert fault["frames"][-1]["file"].startswith("<frozen importlib")


@pytest.mark.qemu
@pytest.mark.wheels
@pytest.mark.parametrize(
    ("environment", "name", "cpu", "owner", "path", "needs"),
    [
        pytest.param(
            "deadly",
            "pyarrow",
            "phenom-ii",
            "pyarrow",
            "pyarrow/libarrow.so.2600",
            "sse4_1",
            id="pyarrow-dies-in-libarrow",
        ),
        pytest.param(
            "deadly",
            "pandas",
            "phenom-ii",
            "numpy",
            "numpy/_core/_multiarray_umath",
            "sse4_1",
            id="pandas-dies-in-numpy",
        ),
        pytest.param(
            "polars",
            "polars",
            "nehalem",
            "polars-runtime-32",
            "_polars_runtime_32/",
            "avx",
            id="polars-dies-in-its-runtime",
        ),
    ],
)
def test_the_owner_of_the_faulting_file_is_at_fault(
    environment: str,
    name: str,
    cpu: str,
    owner: str,
    path: str,
    needs: str,
    wheels: Wheels,
    doctor: Doctor,
    qemu: Path,
) -> None:
    folder = str(getattr(wheels, environment))
    code, results = _probes(doctor, name, "--python", folder, "--cpu", cpu)

    fault = results[0]["fault"]
    assert code == 1
    assert fault["owner"] == owner
    assert fault["path"].startswith(path)
    assert fault["needs"] == [needs]


@pytest.mark.qemu
@pytest.mark.wheels
def test_what_works_says_so(wheels: Wheels, doctor: Doctor, qemu: Path) -> None:
    answer = doctor("probe", "numpy", "--python", str(wheels.old_numpy), "--cpu", "phenom-ii")

    assert answer.code == 0
    assert "numpy 1.26.4  import and use ok" in answer.out
    assert "-cpu phenom" in answer.out


def test_a_module_that_no_distribution_is_named_after(site: Site, doctor: Doctor) -> None:
    site.install(
        "python-tool",
        "1.0",
        files={"tool/__init__.py": b"import tool.core", "tool/core.py": b"1/0"},
    )

    code, (result,) = _probes(doctor, "tool.core", "--python", str(site.folder))

    assert (code, result["outcome"], result["distribution"]) == (1, "raised", "python-tool")
    assert result["raised"]["type"] == "ZeroDivisionError"


def test_a_module_of_the_standard_library(site: Site, doctor: Doctor) -> None:
    code, (result,) = _probes(doctor, "json", "--python", str(site.folder))

    assert (code, result["outcome"]) == (0, "ok")


def test_a_distribution_without_a_probe_is_imported(site: Site, doctor: Doctor) -> None:
    site.install("own-tool", "2.0", files={"own_tool/__init__.py": b"", "own_tool/more.py": b""})

    code, (result,) = _probes(doctor, "own_tool", "--python", str(site.folder))

    assert (code, result["id"], result["outcome"]) == (0, "own-tool", "ok")


@pytest.mark.parametrize(
    ("source", "outcome", "words"),
    [
        pytest.param("raise ValueError('no')", "raised", "raises ValueError", id="exception"),
        pytest.param("import os; os._exit(0)", "vanished", "vanishes", id="leaves-silently"),
        pytest.param("import os; os.abort()", "aborted", "aborts", id="abort"),
        pytest.param("import sys; sys.exit(4)", "raised", "SystemExit", id="sys-exit"),
        pytest.param(
            "import ctypes; ctypes.string_at(0)", "segmentation-fault", "SIGSEGV", id="null-pointer"
        ),
        pytest.param("while True: pass", "timeout", "hangs", id="endless-loop"),
    ],
)
def test_every_end_has_its_word(
    source: str, outcome: str, words: str, site: Site, doctor: Doctor
) -> None:
    site.install("victim", "1.0", files={"victim/__init__.py": source.encode()})
    arguments = ("probe", "victim", "--python", str(site.folder), "--seconds", "1")

    text = doctor(*arguments)
    report = json.loads(doctor(*arguments, "--format", "json").out)

    assert (text.code, report["probes"][0]["outcome"]) == (1, outcome)
    assert words in text.out
    assert "Traceback" not in text.out + text.err


def test_what_the_probe_requires_is_missing(site: Site, doctor: Doctor) -> None:
    site.install("torch", "2.13.0", files={"torch/__init__.py": b""})

    code, results = _probes(doctor, "torch/mel", "--python", str(site.folder))

    assert (code, results[0]["outcome"]) == (0, "skipped")
    assert results[0]["reason"] == "needs torchaudio, which is not installed"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("no such thing!", "no name of a module", id="neither-of-both"),
        pytest.param("own-tol", "did you mean 'own-tool'?", id="a-typo-of-a-distribution"),
        pytest.param("torch/lsmt-f32", "did you mean 'torch/lstm-f32'", id="a-typo-of-a-probe"),
    ],
)
def test_an_unknown_name_is_one_clear_line(
    name: str, words: str, site: Site, doctor: Doctor
) -> None:
    site.install("own-tool", "2.0", files={"own_tool/__init__.py": b""})

    answer = doctor("probe", name, "--python", str(site.folder))

    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert len(answer.err.splitlines()) == 1


def test_without_qemu_nothing_is_run(site: Site, doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    answer = doctor(
        *("probe", "json", "--python", str(site.folder), "--cpu", "phenom-ii"),
        env={"PATH": str(tmp_path / "empty")},
    )

    assert (answer.code, answer.out) == (2, "")
    assert "nothing was run: qemu-user is not installed (apt-get install qemu-user)" in answer.err


def test_a_probe_sees_no_network_and_no_home(site: Site, doctor: Doctor, tmp_path: Path) -> None:
    source = (
        "import os, socket\n"
        "assert os.listdir(os.path.expanduser('~')) is not None\n"
        "assert 'legacy-doctor' in os.path.expanduser('~')\n"
        f"open({str(tmp_path / 'outside')!r}, 'w')\n"
    )
    site.install("nosy", "1.0", files={"nosy/__init__.py": source.encode()})

    _, (result,) = _probes(doctor, "nosy", "--python", str(site.folder))

    assert result["raised"]["type"] in {"PermissionError", "OSError"}
    assert not (tmp_path / "outside").exists()
