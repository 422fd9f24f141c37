"""Computes log-mel spectrograms of a folder of audio; runs inside the target interpreter.

Stand-alone: run by path, standard library and torch only, Python 3.8 or newer, imports nothing of
ours. Its one argument is JSON: `record`, a descriptor; `audio` and `out`, folders; `device`;
`onednn_off`; and `parameters`, the keys of `DEFAULTS`.

A mel is a .npy of float32, (n_mels, frames), and the manifest has a line for each that is
complete. Written in this order, each durable before the next: the file under a name for the time
being, its true name, its line. So whatever ends this program, what has a line is whole, and
everything else is computed again. To the record go lines of JSON:

    device    device                where it computes
    failed    audio, reason         one file; the others go on (the first thousand)
    refused   reason                the whole run ends
    totals    computed, kept, failed
"""

# Runs on Python 3.8, in an environment that is not ours.
# ruff: noqa: UP006, UP031, UP035, UP045, B905, PTH103, PTH106, PTH108, PTH112, PTH119, PTH120, PTH122, PERF401

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import importlib
import importlib.util
import io
import json
import math
import os
import shutil
import signal
import stat
import struct
import sys
import time
import warnings
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple

DEFAULTS: Dict[str, Any] = {
    "sample_rate": 24000,
    "n_fft": 1024,
    "hop_length": 256,
    "win_length": 1024,
    "n_mels": 100,
    "f_min": 0.0,
    "f_max": 12000.0,
    "power": 1,
    "scale": "htk",
    "norm": "none",
    "floor": 1e-5,
}
"""Those of torchaudio.transforms.MelSpectrogram as Vocos and F5-TTS call it."""

MANIFEST = "manifest.jsonl"
EXTENSIONS = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .m4a .aac .aif .aiff .aifc .au .caf .wma .w64".split()
)
_UNDER_WAY = ".under-way"
_LOCK = ".lock"
_FORMAT = 1
"""Counts up when the same parameters give other numbers: then all is computed anew."""
_MOST_TOLD = 1000
_FRAMES_AT_ONCE = 8192
_STEPS_AT_ONCE = 1 << 16
_LARGEST_KERNEL = 1 << 22
_WIDTH, _ROLLOFF = 6, 0.99
_OUR_ENDS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
)
"""What will hit the next file as well."""


class Refused(Exception):
    """Nothing more can be done, for this reason."""


class Unusable(Exception):
    """There is no mel of this file, for this reason."""


class Sound(NamedTuple):
    """Interleaved samples as they lie in a file."""

    rate: int
    channels: int
    kind: str
    """`i8` (unsigned, as WAV has it), `i16`, `i24`, `i32`, `f32` or `f64`, little-endian."""
    data: bytes

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.data) * 8 / (int(self.kind[1:]) * self.channels * self.rate)


# Reading audio


def read(data: bytes) -> Sound:
    """Return the sound in a file's bytes; raises `Unusable` with the reason."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return read_wave(data)
    try:
        soundfile = importlib.import_module("soundfile")
    except Exception as error:  # OSError where libsndfile is missing
        raise Unusable(f"no WAV file, and soundfile is not there to read it ({error})") from error
    try:
        # buffer_read needs no numpy, whose import may be deadly here.
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            samples = bytes(file.buffer_read(-1, dtype="float32"))
            return Sound(file.samplerate, file.channels, "f32", samples)
    except Exception as error:
        raise Unusable(f"soundfile cannot read it ({error})") from error


def read_wave(data: bytes) -> Sound:
    """Return the sound in a WAV file; raises `Unusable` for what is damaged or compressed."""
    form: Optional[Tuple[int, int, int, int]] = None
    for name, start, size in _chunks(data):
        if name == b"fmt " and size >= 16:
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, start)
            if tag == 0xFFFE and size >= 26:  # extensible: the true tag begins the GUID
                (tag,) = struct.unpack_from("<H", data, start + 24)
            form = tag, channels, rate, bits
        elif name == b"data":
            if form is None:
                raise Unusable("damaged: samples before their format")
            # A stream's length was not known when its header was written.
            there = len(data) - start
            if size > there and size < 0xFFFFFF00:
                raise Unusable(f"cut short: {there} bytes of samples where {size} were promised")
            return _sound(form, data[start : start + min(size, there)])
    raise Unusable("damaged: no samples in it")


def _chunks(data: bytes) -> Iterator[Tuple[bytes, int, int]]:
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        if name == b"fmt " and place + 8 + size > len(data):
            raise Unusable("cut short: not even its format is whole")
        yield name, place + 8, size
        place += 8 + size + size % 2


def _sound(form: Tuple[int, int, int, int], data: bytes) -> Sound:
    tag, channels, rate, bits = form
    kind = {1: "i", 3: "f"}.get(tag, "?") + str(bits)
    if kind not in {"i8", "i16", "i24", "i32", "f32", "f64"}:
        raise Unusable(f"WAV of format {tag} with {bits} bits: only PCM and float can be read")
    if not channels or not rate:
        raise Unusable(f"damaged: {channels} channels at {rate} Hz")
    return Sound(rate, channels, kind, data[: len(data) - len(data) % (channels * bits // 8)])


# From sound to mel


def filterbank(parameters: Dict[str, Any]) -> List[List[float]]:
    """Return a row of weights for each mel band, one weight for each frequency of the STFT."""
    half = parameters["sample_rate"] / 2
    bins = parameters["n_fft"] // 2 + 1
    to_mel, to_hertz = _HTK if parameters["scale"] == "htk" else _SLANEY
    low, high = to_mel(parameters["f_min"]), to_mel(parameters["f_max"])
    count = parameters["n_mels"]
    edges = [to_hertz(low + (high - low) * step / (count + 1)) for step in range(count + 2)]
    # As torchaudio has it, for an odd n_fft too, whose last frequency truly lies below that.
    frequencies = [half * step / (bins - 1) for step in range(bins)]
    bank = []
    for left, middle, right in zip(edges, edges[1:], edges[2:]):
        area = 2 / (right - left) if parameters["norm"] == "slaney" else 1.0
        bank.append(
            [
                max(0.0, min((at - left) / (middle - left), (right - at) / (right - middle))) * area
                for at in frequencies
            ]
        )
    return bank


def _slaney_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) * 27 / math.log(6.4)


def _slaney_hertz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)


_HTK = (
    lambda hertz: 2595 * math.log10(1 + hertz / 700),
    lambda mel: 700 * (10 ** (mel / 2595) - 1),
)
_SLANEY = (_slaney_mel, _slaney_hertz)


class Spectrograph:
    """Turns sounds into mels, on one device."""

    def __init__(self, torch: Any, parameters: Dict[str, Any], device: str) -> None:
        self._torch, self._parameters, self._device = torch, parameters, device
        exact = torch.float64
        self._bank = torch.tensor(filterbank(parameters), dtype=exact).float().to(device)
        window = torch.hann_window(parameters["win_length"], periodic=True, dtype=exact)
        self._window = window.float().to(device)
        self._kernels: Dict[int, Any] = {}

    def mel(self, sound: Sound) -> Any:
        """Return a tensor of float32 in main memory, (n_mels, frames)."""
        torch, settings = self._torch, self._parameters
        if not sound.data:
            raise Unusable("empty: not one sample in it")
        wave = self._resampled(self._wave(sound).to(self._device), sound.rate)
        half = settings["n_fft"] // 2
        if wave.numel() <= half:
            raise Unusable(f"too short: {wave.numel()} samples where {half + 1} are needed")
        wave = torch.nn.functional.pad(wave[None, None], (half, half), mode="reflect")[0, 0]
        blocks = [self._log_mel(block) for block in self._blocks(wave)]
        mel = torch.cat(blocks, dim=1).contiguous()
        if not bool(torch.isfinite(mel).all()):
            raise Unusable("samples in it are no numbers")
        return mel

    def _wave(self, sound: Sound) -> Any:
        """Return the mean of the channels, between -1 and 1."""
        torch = self._torch
        raw = bytearray(sound.data)  # which torch may look at as it lies
        if sound.kind == "i8":
            wave = (torch.frombuffer(raw, dtype=torch.uint8).float() - 128) / 128
        elif sound.kind == "i16":
            wave = torch.frombuffer(raw, dtype=torch.int16).float() / (1 << 15)
        elif sound.kind == "i24":
            parts = torch.frombuffer(raw, dtype=torch.uint8).view(-1, 3).int()
            whole = parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24
            wave = whole.float() / (1 << 31)
        elif sound.kind == "i32":
            wave = torch.frombuffer(raw, dtype=torch.int32).double().div(1 << 31).float()
        else:
            kind = torch.float32 if sound.kind == "f32" else torch.float64
            wave = torch.frombuffer(raw, dtype=kind).float()
        return wave.view(-1, sound.channels).mean(dim=1)

    def _blocks(self, wave: Any) -> Iterator[Any]:
        """Yield overlapping parts: the spectrum of an hour would not fit everywhere."""
        size, hop = self._parameters["n_fft"], self._parameters["hop_length"]
        frames = 1 + (wave.numel() - size) // hop
        for first in range(0, frames, _FRAMES_AT_ONCE):
            last = min(first + _FRAMES_AT_ONCE, frames) - 1
            yield wave[first * hop : last * hop + size]

    def _log_mel(self, block: Any) -> Any:
        settings = self._parameters
        spectrum = self._torch.stft(
            block,
            settings["n_fft"],
            hop_length=settings["hop_length"],
            win_length=settings["win_length"],
            window=self._window,
            center=False,
            return_complex=True,
        ).abs()
        if settings["power"] == 2:
            spectrum = spectrum * spectrum
        return (self._bank @ spectrum).clamp(min=settings["floor"]).log().cpu()

    def _resampled(self, wave: Any, rate: int) -> Any:
        """Interpolate by a Hann-windowed sinc, as torchaudio's Resample does by default."""
        wanted = self._parameters["sample_rate"]
        if rate == wanted:
            return wave
        torch = self._torch
        common = math.gcd(rate, wanted)
        old, new = rate // common, wanted // common
        if rate not in self._kernels:
            self._kernels[rate] = self._kernel(old, new, rate)
        kernel = self._kernels[rate]
        width = _reach(old, new)
        padded = torch.nn.functional.pad(wave, (width, width + old))
        size = kernel.shape[-1]
        steps = 1 + (padded.numel() - size) // old
        parts = []
        for first in range(0, steps, _STEPS_AT_ONCE):
            last = min(first + _STEPS_AT_ONCE, steps) - 1
            part = padded[first * old : last * old + size]
            parts.append(torch.nn.functional.conv1d(part[None, None], kernel, stride=old)[0])
        whole = torch.cat(parts, dim=1).transpose(0, 1).reshape(-1)
        return whole[: -(-new * wave.numel() // old)]

    def _kernel(self, old: int, new: int, rate: int) -> Any:
        torch = self._torch
        width = _reach(old, new)
        if new * (2 * width + old) > _LARGEST_KERNEL:
            wanted = self._parameters["sample_rate"]
            raise Unusable(f"{rate} Hz has no simple ratio to {wanted} Hz: resample it first")
        base = min(old, new) * _ROLLOFF
        exact = torch.float64
        at = torch.arange(-width, width + old, dtype=exact)[None, None] / old
        at = at - torch.arange(new, dtype=exact)[:, None, None] / new
        at = (at * base).clamp(-_WIDTH, _WIDTH)
        window = (at * math.pi / _WIDTH / 2).cos() ** 2
        at = at * math.pi
        one = torch.ones((), dtype=exact)
        sinc = torch.where(at == 0, one, at.sin() / torch.where(at == 0, one, at))
        return (sinc * window * (base / old)).float().to(self._device)


def _reach(old: int, new: int) -> int:
    return math.ceil(_WIDTH * old / (min(old, new) * _ROLLOFF))


# The device


def load(*, onednn_off: bool) -> Any:
    """Import torch, and switch off what this CPU cannot run; raises `Refused` where it is not."""
    warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # which is not needed
    try:
        torch = importlib.import_module("torch")
    except Exception as error:
        raise Refused(f"torch cannot be imported there ({error})") from error
    if onednn_off:
        torch._C._set_mkldnn_enabled(False)  # noqa: SLF001, FBT003  there is no public name for it
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = False  # ten bits of mantissa: the numbers would depend on the GPU
    return torch


def choose(torch: Any, wanted: str, parameters: Dict[str, Any]) -> Tuple[str, str, str]:
    """Return the device, what it is called, and why it is not the GPU where it might have been.

    Raises `Refused` where the GPU was asked for and cannot be had.
    """
    if wanted == "cpu":
        return "cpu", "cpu", ""
    reason = _no_gpu(torch, parameters)
    if not reason:
        return "cuda", f"cuda ({torch.cuda.get_device_name()})", ""
    if wanted == "cuda":
        raise Refused(f"--device cuda: {reason}")
    return "cpu", "cpu", reason


def _no_gpu(torch: Any, parameters: Dict[str, Any]) -> str:
    """Return why there is no GPU that works; one too old for this torch shows at first use."""
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return f"torch {torch.__version__} was built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU that it can use"
    try:
        silence = Sound(parameters["sample_rate"], 1, "i16", bytes(4 * parameters["n_fft"]))
        Spectrograph(torch, parameters, "cuda").mel(silence)
    except Exception as error:  # noqa: BLE001  a driver can fail in any way
        return f"the GPU does not work ({_first_line(error)})"
    return ""


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# Writing


def npy_header(rows: int, columns: int) -> bytes:
    """Return what stands before the numbers in a .npy file of float32."""
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, columns)
    size = 10 + len(shape) + 1
    text = shape + " " * (-size % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


class Shelf:
    """The folder of mels and its manifest: one program at a time writes there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.entries: Dict[str, Dict[str, Any]] = {}
        self._path = os.path.join(folder, MANIFEST)
        self._file: Optional[BinaryIO] = None
        self._untidy = False
        self._new = not os.path.isdir(folder)

    def __enter__(self) -> Shelf:
        with _refusing(self.folder):
            os.makedirs(self.folder, exist_ok=True)
        with _refusing(os.path.join(self.folder, _LOCK)):
            self._lock = open(os.path.join(self.folder, _LOCK), "ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise Refused(f"{self.folder}: another run is at work there") from error
        try:
            with _refusing(self._path):
                self._load()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.folder, _UNDER_WAY))
            self.tidy()
        finally:
            if self._file is not None:
                self._file.close()
            if self._new and not self.entries:  # refused: nothing is left behind
                with contextlib.suppress(OSError):
                    os.unlink(self._lock.name)
                    os.rmdir(self.folder)
            self._lock.close()

    def _load(self) -> None:
        """Read the lines that are whole: the last one may have been cut off."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return
        self._untidy = bool(lines.pop())
        for line in lines:
            try:
                entry = json.loads(line)
                known = entry["audio"] in self.entries
                self.entries[entry["audio"]] = entry
            except (ValueError, KeyError, TypeError):
                known = True
            self._untidy = self._untidy or known
        self.tidy()

    def tidy(self) -> None:
        """Write the manifest anew where it holds anything but one whole line for each file."""
        if not self._untidy:
            return
        lines = [_line(self.entries[name]) for name in sorted(self.entries)]
        with _refusing(self._path):
            self._replace(self._path, b"".join(lines))
        if self._file is not None:
            self._file.close()
            self._file = None
        self._untidy = False

    def holds(self, entry: Dict[str, Any], parameters: str, rows: int) -> bool:
        """Tell whether the mel of an entry is there, whole, and made with these parameters."""
        try:
            whole = len(npy_header(rows, entry["frames"])) + 4 * rows * entry["frames"]
            size = os.stat(os.path.join(self.folder, entry["mel"])).st_size
            return bool(entry["parameters"] == parameters and size == whole)
        except (OSError, KeyError, TypeError, ValueError):
            return False

    def put(self, name: str, mel: Any) -> None:
        """Write a mel, whole or not at all."""
        path = os.path.join(self.folder, name)
        memory = (ctypes.c_char * (4 * mel.numel())).from_address(mel.data_ptr())
        with _refusing(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._replace(path, npy_header(*mel.shape), memoryview(memory))

    def _replace(self, path: str, *parts: Any) -> None:
        under_way = os.path.join(self.folder, _UNDER_WAY)
        with open(under_way, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(under_way, path)
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def note(self, entry: Dict[str, Any]) -> None:
        """Add a line to the manifest."""
        self._untidy = self._untidy or entry["audio"] in self.entries
        self.entries[entry["audio"]] = entry
        with _refusing(self._path):
            if self._file is None:
                self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  kept open
            self._file.write(_line(entry))


def _line(entry: Dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    """End the run for what would end every other file too; else it is this file's own matter."""
    try:
        yield
    except OSError as error:
        reason = f"{path}: cannot be written ({error.strerror or error})"
        if error.errno in _OUR_ENDS or os.path.basename(path) == MANIFEST:
            raise Refused(reason) from error
        raise Unusable(reason) from error


# The run


class Line:
    """The record: what the doctor hears of it. Ends the program where nobody listens any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._beaten = time.monotonic()

    def tell(self, event: str, **facts: Any) -> None:
        """Write one line."""
        self._write(json.dumps({"event": event, **facts}).encode() + b"\n")

    def beat(self) -> None:
        """Notice that the doctor is gone."""
        if time.monotonic() - self._beaten > 1:
            self._beaten = time.monotonic()
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise SystemExit(1) from None


class Bar:
    """A progress bar on stderr, where a person looks at it."""

    def __init__(self, total: int) -> None:
        self._total, self._started = total, time.monotonic()
        self._shown = sys.stderr.isatty() and total > 0

    def show(self, done: int) -> None:
        """Draw it."""
        if self._shown:
            width = min(shutil.get_terminal_size().columns, 100)
            sys.stderr.write("\r" + self.text(done, time.monotonic() - self._started, width))
            sys.stderr.flush()

    def text(self, done: int, seconds: float, width: int) -> str:
        """Return the bar: at most `width` - 1 characters, for the cursor needs one."""
        left = f"{(self._total - done) * seconds / done:.0f} s left" if done else ""
        tail = f" {done}/{self._total} {left:12}"
        room = max(width - 1 - len("mels []") - len(tail), 0)
        full = room * done // self._total
        return f"mels [{'#' * full}{'-' * (room - full)}]{tail}"[: width - 1]

    def note(self, said: str) -> None:
        """Write a line above it."""
        self.clear()
        sys.stderr.write(f"note: {said}\n")

    def clear(self) -> None:
        """Take it away."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class Counts:
    """What became of the files."""

    def __init__(self, line: Line) -> None:
        self.computed = self.kept = self.failed = 0
        self._line = line

    def fail(self, audio: str, reason: str) -> None:
        """Note a file of which there is no mel."""
        self.failed += 1
        if self.failed <= _MOST_TOLD:
            self._line.tell("failed", audio=audio, reason=reason[:300])


def found(audio: str, out: str, counts: Counts) -> List[str]:
    """Return the audio files below a folder, relative to it, in order; mels are not looked at."""

    def cannot(error: OSError) -> None:
        counts.fail(os.path.relpath(error.filename, audio), f"cannot be listed ({error.strerror})")

    result = []
    mels = os.path.realpath(out)
    for folder, inner, files in os.walk(audio, onerror=cannot):
        inner[:] = sorted(
            name for name in inner if os.path.realpath(os.path.join(folder, name)) != mels
        )
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in EXTENSIONS:
                result.append(os.path.relpath(os.path.join(folder, name), audio))
    return result


def parameters_hash(parameters: Dict[str, Any]) -> str:
    """Return what distinguishes mels that were made in another way."""
    text = json.dumps({**parameters, "format": _FORMAT}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Work:
    """One run over a folder."""

    def __init__(self, order: Dict[str, Any], shelf: Shelf, line: Line, counts: Counts) -> None:
        self._order, self._shelf = order, shelf
        self._parameters = {**DEFAULTS, **order["parameters"]}
        self._hash = parameters_hash(self._parameters)
        self._line = line
        self._counts = counts
        self._graph: Optional[Spectrograph] = None
        self._device = ""
        self._bar = Bar(0)

    def run(self, names: List[str]) -> None:
        """Compute what is missing."""
        self._bar = Bar(len(names))
        try:
            for done, name in enumerate(names):
                self._bar.show(done)
                self._line.beat()
                try:
                    self._one(name)
                except Unusable as error:
                    self._counts.fail(name, str(error))
        finally:
            self._bar.clear()

    def _one(self, name: str) -> None:
        entry = self._shelf.entries.get(name, {})
        there = self._shelf.holds(entry, self._hash, self._parameters["n_mels"])
        path = os.path.join(self._order["audio"], name)
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise Unusable("not a regular file")
            facts: Dict[str, Any] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
            if there and facts == {key: entry.get(key) for key in facts}:
                self._counts.kept += 1
                return
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise Unusable(f"cannot be read ({error.strerror or error})") from error
        facts["sha256"] = hashlib.sha256(data).hexdigest()
        if there and entry.get("sha256") == facts["sha256"]:  # only touched, or copied
            self._shelf.note({**entry, **facts})
            self._counts.kept += 1
            return
        self._compute(name, facts, data)

    def _compute(self, name: str, facts: Dict[str, Any], data: bytes) -> None:
        sound = read(data)
        graph = self._spectrograph()
        try:
            mel = graph.mel(sound)
        except (RuntimeError, MemoryError) as error:
            raise Unusable(f"torch fails on it ({_first_line(error)})") from error
        self._shelf.put(name + ".npy", mel)
        frames, seconds = int(mel.shape[1]), round(sound.seconds, 6)
        made = {"mel": name + ".npy", "frames": frames, "seconds": seconds}
        how = {"parameters": self._hash, "device": self._device}
        self._shelf.note({"audio": name, **facts, **made, **how})
        self._counts.computed += 1

    def _spectrograph(self) -> Spectrograph:
        """Load torch when the first file needs it: a run with nothing to do takes no time."""
        if self._graph is None:
            torch = load(onednn_off=self._order["onednn_off"])
            device, self._device, why = choose(torch, self._order["device"], self._parameters)
            self._line.tell("device", device=self._device)
            if why:
                self._bar.note(f"computing on the CPU: {why}")
            self._graph = Spectrograph(torch, self._parameters, device)
        return self._graph


def main() -> int:
    """Do what the argument says; return 0, 1 where files failed, 2 where nothing can be done."""
    order = json.loads(sys.argv[1])
    line = Line(order["record"])
    counts = Counts(line)
    try:
        # Before anything is written, and without importing it: there may be nothing to compute.
        if importlib.util.find_spec("torch") is None:
            raise Refused("torch is not installed there")
        names = found(order["audio"], order["out"], counts)
        if not names and not counts.failed:
            raise Refused(f"{order['audio']}: no audio files below it")
        with Shelf(order["out"]) as shelf:
            Work(order, shelf, line, counts).run(names)
    except (Refused, Unusable) as error:
        line.tell("refused", reason=str(error))
        return 2
    line.tell("totals", computed=counts.computed, kept=counts.kept, failed=counts.failed)
    return 1 if counts.failed else 0


if __name__ == "__main__":
    _HERE = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != _HERE]
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
