"""The worker: audio in, mels out. What needs torch runs in a real torch, in its own process."""

from __future__ import annotations

import ast
import cmath
import ctypes
import errno
import fcntl
import importlib.util
import json
import math
import os
import struct
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.mel import worker
from tests.conftest import clean, real_environment
from tests.mel.audio import RATE, form, riff, tone

DEPENDENCIES = ("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions")
"""What `import torch` needs, without numpy: the worker does without it."""
GUID = bytes.fromhex("000000001000800000aa00389b71")
TINY = {"n_fft": 32, "win_length": 32, "hop_length": 8, "n_mels": 6}


def test_it_is_python_3_8_and_imports_nothing_but_the_standard_library() -> None:
    source = Path(worker.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    names = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


class TestReadingWave:
    @pytest.mark.parametrize(
        ("data", "kind", "channels", "samples"),
        [
            pytest.param(riff(form(1, 16), (b"data", b"abcd")), "i16", 1, b"abcd", id="PCM"),
            pytest.param(
                riff(form(1, 24, channels=2), (b"data", b"abcdefgh")),
                "i24",
                2,
                b"abcdef",
                id="half a frame at the end",
            ),
            pytest.param(
                riff((b"LIST", b"odd"), form(3, 32), (b"fact", b"1234"), (b"data", b"abcd")),
                "f32",
                1,
                b"abcd",
                id="other chunks, float",
            ),
            pytest.param(
                riff(
                    (b"fmt ", form(0xFFFE, 16)[1] + b"\x16\0\x10\0\0\0\0\0\x01\0" + GUID),
                    (b"data", b"abcd"),
                ),
                "i16",
                1,
                b"abcd",
                id="extensible",
            ),
            pytest.param(
                riff(form(1, 8)) + b"data\xff\xff\xff\xffabc", "i8", 1, b"abc", id="a stream"
            ),
            pytest.param(riff(form(1, 16), (b"data", b"")), "i16", 1, b"", id="no samples"),
        ],
    )
    def test_what_is_read(self, data: bytes, kind: str, channels: int, samples: bytes) -> None:
        assert worker.read(data) == worker.Sound(RATE, channels, kind, samples)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(riff(), "no samples in it", id="nothing in it"),
            pytest.param(riff((b"data", b"abcd")), "before their format", id="no format"),
            pytest.param(riff((b"fmt ", b"short"), (b"data", b"")), "before their", id="a stump"),
            pytest.param(riff(form(1, 16))[:-4], "not even its format", id="cut in the format"),
            pytest.param(
                riff(form(1, 16), (b"data", b"abcdef"))[:-2],
                "4 bytes of samples where 6",
                id="cut in the samples",
            ),
            pytest.param(riff(form(7, 8), (b"data", b"ab")), "format 7 with 8 bits", id="mu-law"),
            pytest.param(
                riff(form(1, 16, channels=0), (b"data", b"ab")), "0 channels", id="no channels"
            ),
            pytest.param(riff(form(1, 16, rate=0), (b"data", b"ab")), "at 0 Hz", id="no rate"),
        ],
    )
    def test_what_is_refused(self, data: bytes, reason: str) -> None:
        with pytest.raises(worker.Unusable, match=reason):
            worker.read(data)

    @pytest.mark.parametrize(
        ("kind", "size"), [("i16", 4), ("i24", 6), ("f32", 8), ("f64", 16), ("i8", 2)]
    )
    def test_how_long_it_is(self, kind: str, size: int) -> None:
        sound = worker.Sound(rate=10, channels=2, kind=kind, data=bytes(size * 5))
        assert sound.seconds == 0.5


class TestReadingOtherFormats:
    def test_without_soundfile_the_reason_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "soundfile", None)
        with pytest.raises(worker.Unusable, match="soundfile is not there"):
            worker.read(b"fLaC")

    def test_soundfile_reads_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class SoundFile:
            samplerate, channels = 44100, 2

            def __init__(self, file: Any) -> None:
                if file.read() != b"fLaC":
                    raise RuntimeError("Format not recognised.")

            def __enter__(self) -> SoundFile:
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def buffer_read(self, frames: int, dtype: str) -> bytes:
                assert (frames, dtype) == (-1, "float32")
                return b"12345678"

        module = types.ModuleType("soundfile")
        module.SoundFile = SoundFile  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "soundfile", module)
        assert worker.read(b"fLaC") == worker.Sound(44100, 2, "f32", b"12345678")
        with pytest.raises(worker.Unusable, match="cannot read it"):
            worker.read(b"junk")


class TestFilterbank:
    def bank(self, **changes: Any) -> list[list[float]]:
        return worker.filterbank({**worker.DEFAULTS, **changes})

    def test_a_band_for_each_row_and_a_weight_for_each_frequency(self) -> None:
        bank = self.bank()
        assert len(bank) == 100
        assert {len(row) for row in bank} == {513}
        assert all(0 <= weight <= 1 for row in bank for weight in row)

    def test_triangles_that_overlap_by_half_add_up_to_one(self) -> None:
        bank = self.bank(n_mels=20)
        mel = 2595 * math.log10(1 + 12000 / 700) / 21
        first, last = (700 * (10 ** (step * mel / 2595) - 1) for step in (1, 20))
        for at in range(513):
            if first <= at * 12000 / 512 <= last:
                assert math.isclose(sum(row[at] for row in bank), 1, abs_tol=1e-12)

    def test_the_scale_of_slaney_is_even_below_1000_hertz(self) -> None:
        """Ten bands to 1000 Hz: their peaks lie at every eleventh of it."""
        bank = self.bank(scale="slaney", n_mels=10, f_max=1000.0, sample_rate=22000, n_fft=2420)
        peaks = [max(range(len(row)), key=row.__getitem__) for row in bank]
        assert peaks == [10 * step for step in range(1, 11)]

    def test_the_scale_of_slaney_is_logarithmic_above(self) -> None:
        for hertz in (1000.0, 6400.0, 12000.0):
            mel = worker._slaney_mel(hertz)
            assert math.isclose(worker._slaney_hertz(mel), hertz)
        assert worker._slaney_mel(6400.0) == pytest.approx(42)

    def test_the_norm_of_slaney_makes_every_band_of_area_one(self) -> None:
        bank = self.bank(norm="slaney", n_mels=10, n_fft=8192)
        for row in bank:
            assert sum(row) * 24000 / 8192 == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (100, 94), (80, 123456789)])
def test_the_header_of_npy(rows: int, columns: int) -> None:
    header = worker.npy_header(rows, columns)
    magic, size = header[:8], struct.unpack("<H", header[8:10])[0]
    assert magic == b"\x93NUMPY\x01\x00"
    assert len(header) == 10 + size
    assert len(header) % 64 == 0
    assert header.endswith(b"\n")
    assert ast.literal_eval(header[10:].decode()) == {
        "descr": "<f4",
        "fortran_order": False,
        "shape": (rows, columns),
    }


def test_any_other_parameter_is_another_hash() -> None:
    hashes = {worker.parameters_hash(worker.DEFAULTS)}
    for name in worker.DEFAULTS:
        hashes.add(worker.parameters_hash({**worker.DEFAULTS, name: "other"}))
    assert len(hashes) == 1 + len(worker.DEFAULTS)


class Told(worker.Line):
    """A record that is only looked at."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def tell(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))


class TestFinding:
    def test_audio_in_order_and_nothing_else(self, tmp_path: Path) -> None:
        for name in ("b.wav", "a.FLAC", "notes.txt", "sub/c.mp3", "mels/old.wav", "x.npy"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        counts = worker.Counts(Told())
        found = worker.found(str(tmp_path), str(tmp_path / "mels"), counts)
        assert found == ["a.FLAC", "b.wav", "sub/c.mp3"]
        assert counts.failed == 0

    def test_a_folder_that_cannot_be_listed_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "shut").mkdir()
        listed = os.scandir

        def scandir(path: str) -> Any:
            if path.endswith("shut"):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return listed(path)

        monkeypatch.setattr(os, "scandir", scandir)
        told = Told()
        worker.found(str(tmp_path), str(tmp_path / "mels"), worker.Counts(told))
        reason = "cannot be listed (Permission denied)"
        assert told.lines == [("failed", {"audio": "shut", "reason": reason})]

    def test_no_more_than_a_thousand_failures_are_told(self) -> None:
        told = Told()
        counts = worker.Counts(told)
        for number in range(1001):
            counts.fail(str(number), "x" * 1000)
        assert (counts.failed, len(told.lines)) == (1001, 1000)
        assert len(told.lines[0][1]["reason"]) == 300


def entry(audio: str, **facts: Any) -> dict[str, Any]:
    return {"audio": audio, "mel": f"{audio}.npy", "frames": 2, "parameters": "p", **facts}


class TestManifest:
    def lines(self, folder: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]

    def test_what_was_noted_is_there_again(self, tmp_path: Path) -> None:
        with worker.Shelf(str(tmp_path)) as shelf:
            shelf.note(entry("a.wav"))
            shelf.note(entry("undecodable\udcff.wav"))
        with worker.Shelf(str(tmp_path)) as shelf:
            assert list(shelf.entries) == ["a.wav", "undecodable\udcff.wav"]

    @pytest.mark.parametrize(
        "rubbish",
        [
            pytest.param(b'{"audio": "b.wav", "mel"', id="a line cut off"),
            pytest.param(b"not JSON\n", id="no JSON"),
            pytest.param(b"[1]\n", id="no object"),
            pytest.param(b'{"mel": "x"}\n', id="no name"),
            pytest.param(b"\xff\xfe\n", id="no text"),
        ],
    )
    def test_what_is_no_whole_line_is_taken_out(self, tmp_path: Path, rubbish: bytes) -> None:
        good = json.dumps(entry("a.wav")).encode() + b"\n"
        (tmp_path / "manifest.jsonl").write_bytes(good + rubbish)
        with worker.Shelf(str(tmp_path)) as shelf:
            shelf.note(entry("c.wav"))
        assert [line["audio"] for line in self.lines(tmp_path)] == ["a.wav", "c.wav"]

    def test_a_file_has_one_line_the_last_one(self, tmp_path: Path) -> None:
        with worker.Shelf(str(tmp_path)) as shelf:
            for frames in (1, 2, 3):
                shelf.note(entry("a.wav", frames=frames))
        assert [line["frames"] for line in self.lines(tmp_path)] == [3]

    def test_one_run_at_a_time(self, tmp_path: Path) -> None:
        with (tmp_path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with (
                pytest.raises(worker.Refused, match="another run is at work"),
                worker.Shelf(str(tmp_path)),
            ):
                pass

    def test_a_folder_made_for_nothing_is_taken_away(self, tmp_path: Path) -> None:
        with worker.Shelf(str(tmp_path / "new")):
            assert (tmp_path / "new").is_dir()
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        ("changes", "size", "holds"),
        [
            pytest.param({}, 128 + 4 * 3 * 2, True, id="whole"),
            pytest.param({}, 128 + 4 * 3 * 2 - 1, False, id="too short"),
            pytest.param({"parameters": "q"}, 128 + 4 * 3 * 2, False, id="other parameters"),
            pytest.param({"mel": "gone.npy"}, 128 + 4 * 3 * 2, False, id="gone"),
            pytest.param({"frames": "many"}, 128 + 4 * 3 * 2, False, id="nonsense"),
        ],
    )
    def test_what_counts_as_done(
        self, tmp_path: Path, changes: dict[str, Any], size: int, holds: bool
    ) -> None:
        (tmp_path / "a.wav.npy").write_bytes(bytes(size))
        shelf = worker.Shelf(str(tmp_path))
        assert shelf.holds(entry("a.wav", **changes), "p", 3) is holds

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            pytest.param(errno.ENOSPC, worker.Refused, id="a full disk ends the run"),
            pytest.param(errno.ENAMETOOLONG, worker.Unusable, id="a long name ends one file"),
        ],
    )
    def test_what_cannot_be_written(self, number: int, kind: type[Exception]) -> None:
        with pytest.raises(kind, match=r"^x: cannot be written \("), worker._refusing("x"):
            raise OSError(number, os.strerror(number))

    def test_a_manifest_that_cannot_be_written_ends_the_run(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.jsonl").mkdir()
        with (
            pytest.raises(worker.Refused, match=r"manifest.jsonl: cannot be written"),
            worker.Shelf(str(tmp_path)),
        ):
            pass


class TestBar:
    @pytest.mark.parametrize(
        ("done", "seconds", "text"),
        [
            pytest.param(0, 0.0, "mels [------------] 0/4             ", id="nothing yet"),
            pytest.param(1, 2.0, "mels [###---------] 1/4 6 s left    ", id="a quarter"),
            pytest.param(4, 8.0, "mels [############] 4/4 0 s left    ", id="all"),
        ],
    )
    def test_what_it_shows(self, done: int, seconds: float, text: str) -> None:
        assert worker.Bar(4).text(done, seconds, 37) == text

    @pytest.mark.parametrize("width", [1, 10, 30, 100])
    def test_it_never_wraps(self, width: int) -> None:
        assert len(worker.Bar(10**6).text(5, 1e6, width)) < width

    def test_only_a_person_sees_it(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bar = worker.Bar(3)
        bar.show(1)
        bar.note("why")
        assert capsys.readouterr().err == "note: why\n"
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        bar = worker.Bar(3)
        bar.show(1)
        bar.clear()
        assert " 1/3 " in capsys.readouterr().err


class TestRecord:
    def test_lines_and_beats(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = os.pipe()
        line = worker.Line(writer)
        line.beat()
        line.tell("failed", audio="a")
        monkeypatch.setattr(time, "monotonic", lambda: 1e9)
        line.beat()
        assert os.read(reader, 100) == b'{"event": "failed", "audio": "a"}\n\n'
        os.close(reader)
        with pytest.raises(SystemExit):
            line.tell("failed")
        os.close(writer)


class Mel:
    """Six numbers in memory, as a tensor has them."""

    shape = (2, 3)

    def __init__(self) -> None:
        self._memory = (ctypes.c_float * 6)(1, 2, 3, 4, 5, 6)

    def numel(self) -> int:
        return 6

    def data_ptr(self) -> int:
        return ctypes.addressof(self._memory)


class TestRun:
    """The whole program but for torch, which stands at the door only."""

    @pytest.fixture(autouse=True)
    def _no_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Graph:
            def mel(self, sound: worker.Sound) -> Mel:
                if not sound.data:
                    raise RuntimeError("out of memory\nTried to allocate")
                return Mel()

        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        monkeypatch.setattr(worker, "load", lambda onednn_off: None)
        monkeypatch.setattr(worker, "choose", lambda *_: ("cpu", "cpu", "no GPU"))
        monkeypatch.setattr(worker, "Spectrograph", lambda *_: Graph())

    def run(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[Any]]:
        with (folder / "record").open("wb") as record:
            order = {
                "audio": str(folder / "audio"),
                "out": str(folder / "mels"),
                "device": "auto",
                "onednn_off": False,
                "parameters": {"n_mels": 2},
                "record": record.fileno(),
            }
            monkeypatch.setattr(sys, "argv", ["worker.py", json.dumps(order)])
            code = worker.main()
        return code, [json.loads(line) for line in (folder / "record").read_text().splitlines()]

    def test_once_again_and_touched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tone(tmp_path / "audio/a.wav", seconds=0.01)
        totals = {"event": "totals", "computed": 1, "kept": 0, "failed": 0}
        device = {"event": "device", "device": "cpu"}
        assert self.run(tmp_path, monkeypatch) == (0, [device, totals])
        assert mel_of(tmp_path / "mels/a.wav.npy") == [[1, 2, 3], [4, 5, 6]]
        assert capsys.readouterr().err == "note: computing on the CPU: no GPU\n"
        for _ in range(2):
            kept = {**totals, "computed": 0, "kept": 1}
            assert self.run(tmp_path, monkeypatch) == (0, [kept])
            os.utime(path, (1, 1))

    def test_what_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "audio").mkdir()
        (tmp_path / "audio/a.wav").write_bytes(riff(form(1, 16), (b"data", b"")))
        (tmp_path / "audio/b.wav").symlink_to("b.wav")
        os.mkfifo(tmp_path / "audio/c.wav")
        code, told = self.run(tmp_path, monkeypatch)
        assert code == 1
        assert [line["reason"] for line in told if line["event"] == "failed"] == [
            "torch fails on it (out of memory)",
            "cannot be read (Too many levels of symbolic links)",
            "not a regular file",
        ]

    def test_what_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "audio").mkdir()
        code, told = self.run(tmp_path, monkeypatch)
        assert (code, told[0]["event"]) == (2, "refused")
        assert told[0]["reason"].endswith("no audio files below it")
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        code, told = self.run(tmp_path, monkeypatch)
        assert (code, told[0]["reason"]) == (2, "torch is not installed there")


# In a real torch


class Torch:
    """Runs the worker, and code beside it, in the torch of an environment."""

    def __init__(self, python: Path, dependencies: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        self._env = {**clean(os.environ), "PYTHONPATH": str(dependencies)}

    def start(
        self, *words: str, under: Sequence[str] = (), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*under, str(self._python), *words],
            capture_output=True,
            text=True,
            env=self._env,
            check=check,
            timeout=300,
        )

    def work(self, *, under: Sequence[str] = (), **changes: Any) -> list[dict[str, Any]]:
        """Compute all below `audio` into `mels`; return what it told."""
        order = {
            "audio": str(self._folder / "audio"),
            "out": str(self._folder / "mels"),
            "device": "cpu",
            "onednn_off": False,
            "record": 1,
            "parameters": {},
            **changes,
        }
        done = self.start(worker.__file__, json.dumps(order), under=under, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def ask(self, code: str, *arguments: str) -> Any:
        """Run code that has the worker as `worker` and prints JSON."""
        head = f"import sys, json; sys.path.insert(0, {str(Path(worker.__file__).parent)!r})\n"
        head += "import worker, torch\n"
        return json.loads(self.start("-W", "ignore", "-c", head + code, *arguments).stdout)


@pytest.fixture
def torch(torch_environment: Path, tmp_path: Path) -> Torch:
    packages = next(real_environment(*DEPENDENCIES).glob("lib/python*/site-packages"))
    return Torch(torch_environment / "bin/python", packages, tmp_path)


def mel_of(path: Path) -> list[list[float]]:
    """Read a .npy of float32."""
    data = path.read_bytes()
    size = 10 + struct.unpack("<H", data[8:10])[0]
    rows, columns = ast.literal_eval(data[10:size].decode())["shape"]
    numbers = struct.unpack(f"<{rows * columns}f", data[size:])
    return [list(numbers[row * columns : (row + 1) * columns]) for row in range(rows)]


def reference(samples: Sequence[float], settings: dict[str, Any]) -> list[list[float]]:
    """The log-mel by its definition, in float64: padding, window, Fourier sum, bands, logarithm."""
    size, hop = settings["n_fft"], settings["hop_length"]
    half, last = size // 2, len(samples) - 1
    padded = [samples[last - abs(last - abs(at))] for at in range(-half, len(samples) + half)]
    window = [0.5 - 0.5 * math.cos(2 * math.pi * at / size) for at in range(size)]
    bank = worker.filterbank(settings)
    columns = []
    for first in range(0, len(padded) - size + 1, hop):
        part = [value * weight for value, weight in zip(padded[first:], window, strict=False)]
        spectrum = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * n / size) for n, x in enumerate(part)))
            ** settings["power"]
            for k in range(half + 1)
        ]
        mels = [sum(w * x for w, x in zip(row, spectrum, strict=True)) for row in bank]
        columns.append([math.log(max(value, settings["floor"])) for value in mels])
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.torch
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as Vocos has it"),
        pytest.param({"power": 2, "scale": "slaney", "norm": "slaney"}, id="as librosa has it"),
        pytest.param({"f_min": 500.0, "f_max": 8000.0, "floor": 1e-3}, id="a part of it"),
    ],
)
def test_a_mel_is_what_its_definition_says(
    torch: Torch, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = {**worker.DEFAULTS, **TINY, **changes}
    samples = [
        struct.unpack("<f", struct.pack("<f", math.sin(at * at / 900) * 0.7))[0]
        for at in range(200)
    ]
    data = riff(form(3, 32), (b"data", struct.pack("<200f", *samples)))
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/chirp.wav").write_bytes(data)

    torch.work(parameters=settings)

    mel, wanted = mel_of(tmp_path / "mels/chirp.wav.npy"), reference(samples, settings)
    assert (len(mel), len(mel[0])) == (6, 26)
    for row, wanted_row in zip(mel, wanted, strict=True):
        assert row == pytest.approx(wanted_row, abs=2e-4)


@pytest.mark.torch
def test_the_peak_is_in_the_band_of_the_tone_whatever_the_format(
    torch: Torch, tmp_path: Path
) -> None:
    """Band m of HTK's scale peaks at 700 (10^(m step / 2595) - 1) Hz, m from 1."""
    audio = tmp_path / "audio"
    step = 2595 * math.log10(1 + 12000 / 700) / 101
    formats: dict[str, tuple[int, dict[str, int]]] = {
        "16 bits": (60, {}),
        "24 bits": (60, {"width": 3}),
        "32 bits": (60, {"width": 4}),
        "stereo": (60, {"channels": 2}),
        "44100 Hz": (60, {"rate": 44100}),
        "16000 Hz": (60, {"rate": 16000}),
        "stereo at 48000 Hz": (60, {"rate": 48000, "channels": 2}),
        "low": (20, {}),
        "high": (90, {}),
    }
    for name, (band, how) in formats.items():
        tone(audio / f"{name}.wav", 700 * (10 ** (band * step / 2595) - 1), **how)

    told = torch.work()

    assert told[-1] == {"event": "totals", "computed": 9, "kept": 0, "failed": 0}
    heights = {}
    for name, (band, _) in formats.items():
        mel = mel_of(tmp_path / f"mels/{name}.wav.npy")
        middle = [row[len(row) // 2] for row in mel]
        assert len(mel[0]) == 1 + 12000 // 256, name
        assert max(range(100), key=middle.__getitem__) == band - 1, name
        heights[name] = max(middle)
    for name in list(formats)[:7]:
        # One of two channels is silent: the mean is half as high.
        half = math.log(2) if "stereo" in name else 0
        assert heights[name] + half == pytest.approx(heights["16 bits"], abs=0.02), name


@pytest.mark.torch
def test_eight_bits_and_doubles_and_the_ends_of_a_range(torch: Torch) -> None:
    code = """
graph = worker.Spectrograph(torch, worker.DEFAULTS, "cpu")
kinds = json.loads(sys.argv[1])
print(json.dumps([graph._wave(worker.Sound(1, 1, k, bytes.fromhex(d))).tolist() for k, d in kinds]))
"""
    kinds = {
        "i8": bytes([0, 128, 255]),
        "i16": struct.pack("<3h", -32768, 0, 32767),
        "i24": b"\0\0\x80" + b"\0\0\0" + b"\xff\xff\x7f",
        "i32": struct.pack("<3i", -(1 << 31), 0, (1 << 31) - 1),
        "f32": struct.pack("<3f", -1, 0, 1),
        "f64": struct.pack("<3d", -1, 0, 1),
    }
    asked = json.dumps([(kind, data.hex()) for kind, data in kinds.items()])
    for low, middle, high in torch.ask(code, asked):
        assert (low, middle) == (-1, 0)
        assert high == pytest.approx(1, abs=0.01)


@pytest.mark.torch
def test_blocks_leave_no_seam(torch: Torch) -> None:
    """What does not fit at once is the same as what does."""
    code = """
import random
random.seed(1)
import struct
data = struct.pack("<20000h", *(random.randrange(-9999, 9999) for _ in range(20000)))
sound = worker.Sound(44100, 1, "i16", data)
graph = worker.Spectrograph(torch, worker.DEFAULTS, "cpu")
whole = graph.mel(sound)
worker._FRAMES_AT_ONCE, worker._STEPS_AT_ONCE = 7, 5
print(json.dumps([list(whole.shape), float((graph.mel(sound) - whole).abs().max())]))
"""
    shape, difference = torch.ask(code)
    assert shape == [100, 1 + -(-20000 * 24000 // 44100) // 256]
    assert difference < 1e-4


@pytest.mark.torch
def test_bad_files_are_named_and_the_others_computed(torch: Torch, tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    tone(audio / "good.wav")
    tone(audio / "short.wav", seconds=0.01)
    tone(audio / "odd rate.wav", rate=44101, seconds=0.1)
    (audio / "empty.wav").touch()
    (audio / "silent.wav").write_bytes(riff(form(1, 16), (b"data", b"")))
    (audio / "nan.wav").write_bytes(riff(form(3, 32), (b"data", b"\xff" * 4 * 1000)))
    (audio / "song.mp3").write_bytes(b"ID3")
    (audio / "gone.wav").symlink_to("nowhere")
    os.mkfifo(audio / "pipe.wav")

    told = torch.work()

    reasons = {line["audio"]: line["reason"] for line in told if line["event"] == "failed"}
    starts = {
        "empty.wav": "no WAV file",
        "gone.wav": "cannot be read (No such file or directory)",
        "nan.wav": "samples in it are no numbers",
        "odd rate.wav": "44101 Hz has no simple ratio to 24000 Hz",
        "pipe.wav": "not a regular file",
        "short.wav": "too short: 240 samples where 513 are needed",
        "silent.wav": "empty",
        "song.mp3": "no WAV file, and soundfile is not there",
    }
    assert list(reasons) == sorted(starts)
    for name, start in starts.items():
        assert reasons[name].startswith(start)
    assert told[-1] == {"event": "totals", "computed": 1, "kept": 0, "failed": 8}


@pytest.mark.torch
@pytest.mark.qemu
def test_a_phenom_computes_with_onednn_off(torch: Torch, qemu: Path, tmp_path: Path) -> None:
    tone(tmp_path / "audio/a.wav", 1000, rate=44100, seconds=0.1)

    here = torch.work()
    there = torch.work(
        under=[str(qemu), "-cpu", "phenom"], onednn_off=True, out=str(tmp_path / "phenom")
    )

    assert here == there
    assert there[-1] == {"event": "totals", "computed": 1, "kept": 0, "failed": 0}
    native, played = (mel_of(tmp_path / f"{name}/a.wav.npy") for name in ("mels", "phenom"))
    for row, other in zip(native, played, strict=True):
        # Not the logarithms: what is next to nothing is all rounding.
        assert [*map(math.exp, row)] == pytest.approx([*map(math.exp, other)], abs=1e-4)


FAKES = {
    # version.cuda, is_available -> what is said of it
    "built without": (None, False, "torch 2.0 was built without CUDA"),
    "no GPU": ("12.8", False, "torch 2.0 finds no GPU that it can use"),
    "a GPU that does not work": ("12.8", True, "the GPU does not work (no kernel image)"),
}


class TestChoosing:
    def fake(self, cuda: str | None, available: bool) -> Any:
        def tensor(*_: object, **__: object) -> None:
            raise RuntimeError("no kernel image\nand more of it")

        return types.SimpleNamespace(
            __version__="2.0",
            float64=None,
            tensor=tensor,
            version=types.SimpleNamespace(cuda=cuda),
            cuda=types.SimpleNamespace(
                is_available=lambda: available, get_device_name=lambda: "GTX 0"
            ),
        )

    @pytest.mark.parametrize(("cuda", "available", "reason"), FAKES.values(), ids=FAKES)
    def test_where_there_is_no_gpu(self, cuda: str | None, available: bool, reason: str) -> None:
        fake = self.fake(cuda, available)
        assert worker.choose(fake, "auto", worker.DEFAULTS) == ("cpu", "cpu", reason)
        assert worker.choose(fake, "cpu", worker.DEFAULTS) == ("cpu", "cpu", "")
        with pytest.raises(worker.Refused) as refused:
            worker.choose(fake, "cuda", worker.DEFAULTS)
        assert str(refused.value) == f"--device cuda: {reason}"

    def test_where_there_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker, "_no_gpu", lambda *_: "")
        fake = self.fake("12.8", available=True)
        chosen = worker.choose(fake, "auto", worker.DEFAULTS)
        assert chosen == ("cuda", "cuda (GTX 0)", "")

    def test_a_torch_that_cannot_be_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(worker.Refused, match="torch cannot be imported there"):
            worker.load(onednn_off=True)
