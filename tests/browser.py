"""A real, headless Chromium, spoken to by its DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--no-first-run", "--mute-audio", "--disable-extensions"),
    *("--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-pipe",
)
_SECONDS = 60


class Look(NamedTuple):
    """What a screenshot holds."""

    width: int
    height: int
    colours: int
    """Distinct colours of a small copy, each channel cut to its four highest bits."""
    most: float
    """The share of the most frequent of them."""


def _pixels(png: bytes) -> Iterator[bytes]:
    """Yield the pixels of a PNG of 8 bits a channel, as Chromium writes them (PNG, 7 and 9)."""
    width, depth, kind = *struct.unpack_from(">I", png, 16), png[24], png[25]
    size = {2: 3, 6: 4}[kind]
    assert (depth, png[28]) == (8, 0), "neither palettes nor interlacing"
    parts, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] == b"IDAT":
            parts.append(png[at + 8 : at + 8 + length])
        at += 12 + length
    data = zlib.decompress(b"".join(parts))
    above = bytearray(width * size)
    for start in range(0, len(data), width * size + 1):
        row = bytearray(data[start + 1 : start + 1 + width * size])
        _unfilter(data[start], row, above, size)
        yield from (bytes(row[at : at + 3]) for at in range(0, len(row), size))
        above = row


def _unfilter(kind: int, row: bytearray, above: bytearray, size: int) -> None:
    """Undo the filter of one row in place."""
    for at in range(len(row)):
        left = row[at - size] if at >= size else 0
        up, corner = above[at], above[at - size] if at >= size else 0
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        row[at] = (row[at] + (0, left, up, (left + up) // 2, paeth)[kind]) & 0xFF


class Browser:
    """One Chromium with one page."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest = write, read, b""
        self._numbers = itertools.count(1)
        self._requests: list[str] = []
        self._loaded = False
        self._session: str | None = None
        self._session = self._attached()
        for domain in ("Page", "Network"):
            self._call(f"{domain}.enable")

    def _attached(self) -> str:
        """Open an empty page and return the session in which it is spoken to."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        return str(attached["sessionId"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        """Return the next message; what the page asked for is noted."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], _SECONDS)
            assert ready, f"the browser has said nothing for {_SECONDS} seconds"
            read = os.read(self._read, 1 << 16)
            assert read, "the browser went away"
            self._rest += read
        raw, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self._requests.append(message["params"]["request"]["url"])
        self._loaded |= message.get("method") == "Page.loadEventFired"

    def open(
        self, path: Path, *, width: int, dark: bool = False, media: str = ""
    ) -> tuple[str, ...]:
        """Load a page in a window of that width, in a theme, for the screen or for paper.

        Returns the addresses that it asked for, its own first.
        """
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._requests.clear()
        self._loaded = False
        self._call("Page.navigate", url=path.as_uri())
        # What is asked of a page that is being left may never be answered.
        while not self._loaded:
            self._next()
        return tuple(self._requests)

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is worth in the page."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> Look:
        """Take the whole page as a PNG, and count what is on it."""
        self._call("Page.bringToFront")  # what lies behind another page is not painted
        shot = self._shot()
        path.write_bytes(shot)
        width, height = struct.unpack_from(">II", shot, 16)
        # Counted on a small one: each pixel of the whole would take a minute.
        small = self._shot(clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 0.2})
        seen = Counter(bytes(channel >> 4 for channel in pixel) for pixel in _pixels(small))
        return Look(width, height, len(seen), max(seen.values()) / seen.total())

    def _shot(self, **options: Any) -> bytes:
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True, **options)
        return base64.b64decode(answer["data"])

    def tree(self) -> list[dict[str, Any]]:
        """Return the accessibility tree, as a screen reader is given it."""
        nodes: list[dict[str, Any]] = self._call("Accessibility.getFullAXTree")["nodes"]
        return nodes


@contextmanager
def launched(program: str, profile: Path) -> Iterator[Browser]:
    """Start a Chromium and end it again."""
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    # Chromium reads at 3 and writes at 4: what is handed over must not lie there itself.
    reads = fcntl.fcntl(to_browser, fcntl.F_DUPFD, 10)
    writes = fcntl.fcntl(to_us, fcntl.F_DUPFD, 10)
    script = f'exec "$@" 3<&{reads} 4>&{writes}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", program, *_OPTIONS, f"--user-data-dir={profile}"],
        pass_fds=(reads, writes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for fd in (to_browser, to_us, reads, writes):
        os.close(fd)
    try:
        yield Browser(from_us, from_browser)
    finally:
        os.close(from_us)
        os.close(from_browser)
        process.terminate()
        try:
            process.wait(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
