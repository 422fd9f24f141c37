"""Audio files of sine tones, made by the standard library's own writer."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

RATE = 24000


def tone(
    path: Path,
    hertz: float = 440.0,
    *,
    seconds: float = 0.5,
    rate: int = RATE,
    channels: int = 1,
    width: int = 2,
    amplitude: float = 0.5,
) -> Path:
    """Write a WAV file of PCM: the tone on the first channel, silence on the others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    peak = amplitude * (1 << (8 * width - 1))
    silence = bytes(width * (channels - 1))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(
            b"".join(
                round(peak * math.sin(2 * math.pi * hertz * at / rate)).to_bytes(
                    width, "little", signed=True
                )
                + silence
                for at in range(round(seconds * rate))
            )
        )
    return path


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file of these chunks."""
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def form(tag: int, bits: int, *, channels: int = 1, rate: int = RATE) -> tuple[bytes, bytes]:
    """The chunk that tells the format."""
    align = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits)
