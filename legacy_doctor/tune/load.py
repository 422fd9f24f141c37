"""Times a small load; runs inside the target interpreter, one process for each measurement.

Stand-alone: run by path, standard library and torch or numpy only, Python 3.8 or newer, imports
nothing of ours. Its one argument is JSON: `record`, a descriptor; `library`, `torch` or `numpy`;
`threads`, a number or null for what the library takes by itself (the variables are set already);
`cpus`, to keep to, or none; `seconds`, how long each part is repeated.

The parts: `matmul`, one large product; `attention`, the steps of a decoder one token after another,
small products with a barrier after each; `stft`, windowed FFTs of four seconds of sound. numpy's
FFT uses one thread whatever it is told. Of the repetitions of a part the fastest counts: whatever
disturbs can only make one slower. To the record goes one line of JSON:

    timed     library, threads, seconds (by part)
"""

# Runs on Python 3.8, in an environment that is not ours.
# ruff: noqa: UP006, UP035, PTH208

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any, Callable, Dict, Tuple

SIZE, HEADS, CACHE, WIDTH, STEPS = 512, 8, 512, 64, 16
SOUND, WINDOW, HOP = 96000, 1024, 256
LEAST = 3
"""Repetitions of a part; the first of them warms up."""

Parts = Dict[str, Callable[[], object]]


def of_numpy(_threads: Any) -> Tuple[str, Parts, Callable[[], int]]:
    """Return the load in numpy; its threads are those of the BLAS, started when it is loaded."""
    numpy = importlib.import_module("numpy")
    random = numpy.random.RandomState(0)

    def made(*shape: int) -> Any:
        return random.standard_normal(shape).astype("float32")

    left, right = made(SIZE, SIZE), made(SIZE, SIZE)
    keys, values = made(HEADS, WIDTH, CACHE), made(HEADS, CACHE, WIDTH)
    token, weights = made(1, HEADS * WIDTH), made(HEADS * WIDTH, HEADS * WIDTH) / 23
    frames = (SOUND - WINDOW) // HOP + 1
    places = numpy.arange(WINDOW) + HOP * numpy.arange(frames)[:, None]
    sound, window = made(SOUND), numpy.hanning(WINDOW).astype("float32")

    def attention() -> object:
        x = token
        for _ in range(STEPS):
            scores = (x @ weights).reshape(HEADS, 1, WIDTH) @ keys / 8
            odds = numpy.exp(scores - scores.max(-1, keepdims=True))
            x = (odds / odds.sum(-1, keepdims=True) @ values).reshape(1, -1) @ weights
        return x

    parts: Parts = {
        "matmul": lambda: left @ right,
        "attention": attention,
        "stft": lambda: abs(numpy.fft.rfft(sound[places] * window)),
    }
    return "numpy " + numpy.__version__, parts, tasks


def of_torch(threads: Any) -> Tuple[str, Parts, Callable[[], int]]:
    """Return the load in torch."""
    torch = importlib.import_module("torch")
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    left, right = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    keys, values = torch.randn(HEADS, WIDTH, CACHE), torch.randn(HEADS, CACHE, WIDTH)
    token, weights = torch.randn(1, HEADS * WIDTH), torch.randn(HEADS * WIDTH, HEADS * WIDTH) / 23
    sound, window = torch.randn(SOUND), torch.hann_window(WINDOW)

    def attention() -> object:
        x = token
        for _ in range(STEPS):
            scores = (x @ weights).reshape(HEADS, 1, WIDTH) @ keys / 8
            x = (torch.softmax(scores, -1) @ values).reshape(1, -1) @ weights
        return x

    parts: Parts = {
        "matmul": lambda: left @ right,
        "attention": attention,
        "stft": lambda: torch.stft(sound, WINDOW, HOP, window=window, return_complex=True).abs(),
    }
    return "torch " + torch.__version__, parts, torch.get_num_threads


def tasks() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))


def fastest(part: Callable[[], object], seconds: float) -> float:
    """Repeat a part for `seconds`, three times at least; return the shortest, in seconds."""
    part()
    best, done, start = float("inf"), 1, time.perf_counter()
    while done < LEAST or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        part()
        best = min(best, time.perf_counter() - before)
        done += 1
    return best


def main() -> None:
    """Do what the argument says."""
    order = json.loads(sys.argv[1])
    if order["cpus"]:
        os.sched_setaffinity(0, order["cpus"])
    load = of_torch if order["library"] == "torch" else of_numpy
    library, parts, threads = load(order["threads"])
    seconds = {name: fastest(part, order["seconds"]) for name, part in parts.items()}
    told = {"event": "timed", "library": library, "threads": threads(), "seconds": seconds}
    os.write(order["record"], (json.dumps(told) + "\n").encode())


if __name__ == "__main__":
    main()
