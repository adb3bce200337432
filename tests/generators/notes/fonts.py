"""A SoundFont made for tests: one preset whose instrument plays a sine as its sample."""

import io
import struct
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE, ROOT = 32000, 60
PERIOD = 100
"""Samples in a period of the sine: 320 Hz at its own rate, though its root key, 261.63 Hz, differs."""


def sine_font(
    path: Path,
    *,
    correction: int = 0,
    generators: dict[int, int] | None = None,
    bank: int = 0,
    vorbis: bool = False,
    padded: bool = True,
) -> Path:
    """Write a font whose preset 0 loops one period of a sine, and sounds from key 20 to 100 alone.

    With `vorbis` it is an SF3, whose sample is compressed; without padding, chunks of odd size lack their last byte.
    """
    sine = np.round(16000 * np.sin(2 * np.pi * np.arange(10 * PERIOD) / PERIOD)).astype("<i2")
    zone = {43: 20 | 100 << 8, 54: 1, **(generators or {}), 53: 0}
    lists = b"".join(struct.pack("<Hh", kind, amount) for kind, amount in zone.items())
    bags = struct.pack("<HH", 0, 0)
    tables = {
        b"phdr": preset(b"Sine", 0, bank, 0) + preset(b"EOP", 0, 0, 1),
        b"pbag": bags + struct.pack("<HH", 1, 0),
        b"pmod": b"\0" * 10,
        b"pgen": struct.pack("<HhHh", 41, 0, 0, 0),
        b"inst": struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": bags + struct.pack("<HH", len(zone), 0),
        b"imod": b"\0" * 10,
        b"igen": lists + b"\0" * 4,
        b"shdr": struct.pack("<20sIIIIIBbHH", b"sine", 0, len(sine), 0, PERIOD, RATE, ROOT, correction, 0, 1)
        + struct.pack("<20s26x", b"EOS"),
    }
    samples = sine.tobytes()
    if vorbis:
        samples = ogg(np.tile(sine, 32))
        last = struct.pack("<20s26x", b"EOS")
        header = (b"sine", 0, len(samples), 20 * PERIOD, 220 * PERIOD, RATE, ROOT, correction, 0, 0x11)
        tables[b"shdr"] = struct.pack("<20sIIIIIBbHH", *header) + last
    if not padded:
        info = listed(b"INFO", {b"ICMT": b"odd"}, padded=False)
        path.write_bytes(chunk(b"RIFF", b"sfbk" + info + listed(b"sdta", {b"smpl": samples}) + listed(b"pdta", tables)))
        return path
    body = b"sfbk" + listed(b"sdta", {b"smpl": samples}) + listed(b"pdta", tables)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def preset(name: bytes, number: int, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", name, number, bank, bag, 0, 0, 0)


def ogg(audio: NDArray[np.int16]) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio, RATE, format="OGG", subtype="VORBIS")
    return stream.getvalue()


def listed(name: bytes, chunks: dict[bytes, bytes], *, padded: bool = True) -> bytes:
    return chunk(b"LIST", name + b"".join(chunk(*each, padded=padded) for each in chunks.items()), padded=padded)


def chunk(name: bytes, content: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2 * padded)
