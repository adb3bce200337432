"""Hostile sounds: WAV headers of all kinds, streams that end early, promises of size, raw samples."""

import io
import struct
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from tests.hostile.corpus.member import Maker, Member, Must, Place, sparse, written
from tests.hostile.materials import tone

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE

SAMPLES = (tone(0.1, 16000, 60) * 32767).astype("<i2").tobytes()


EVERYWHERE = {
    "wav-rate-2147483647",
    "wav-rate-1",
    "wav-data-size-0",
    "wav-float-1e38",
    "wav-one-sample",
    "wav-of-1-gb",
    "raw",
}
"""What commands meet each in its own way: what becomes of a sound once it is read."""


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return a chunk of a RIFF file, whose size may lie."""
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def form(tag: int = PCM, channels: int = 1, rate: int = 16000, bits: int = 16, align: int | None = None) -> bytes:
    """Return the content of a chunk `fmt `."""
    block = channels * bits // 8 if align is None else align
    return struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)


def wav(
    *chunks: bytes, head: bytes = b"RIFF", size: int | None = None, data: bytes = SAMPLES, data_size: int | None = None
) -> bytes:
    """Return a WAV file of some chunks and its samples, whose sizes may lie."""
    body = b"WAVE" + b"".join(chunks or (chunk(b"fmt ", form()),)) + chunk(b"data", data, data_size)
    return chunk(head, body, size)


def _odd_wavs() -> Iterator[tuple[str, bytes]]:
    for rate in (0, 1, 7, 999, 2**31 - 1, 2**32 - 1, 768_000, 44_101, 65_537):
        yield f"rate-{rate}", wav(chunk(b"fmt ", form(rate=rate)))
    for channels in (0, 2, 33, 1024, 65535):
        yield f"channels-{channels}", wav(chunk(b"fmt ", form(channels=channels)))
    for bits in (0, 1, 8, 12, 24, 32, 64, 65535):
        yield f"bits-{bits}", wav(chunk(b"fmt ", form(bits=bits)))
    for tag in (0, 2, 6, 7, 17, 34, 49, 85, 0x2000, 0xFFFE, 0xFFFF):
        yield f"tag-{tag}", wav(chunk(b"fmt ", form(tag)))
    for align in (0, 1, 3, 65535):
        yield f"align-{align}", wav(chunk(b"fmt ", form(align=align)))
    for size in (0, 1, 2**31 - 1, 2**32 - 1, 2**32 - 2, len(SAMPLES) + 1000):
        yield f"data-size-{size}", wav(data_size=size)
        yield f"riff-size-{size}", wav(size=size)
    yield "no-samples", wav(data=b"")
    yield "one-sample", wav(data=b"\1\0")
    yield "odd-byte", wav(data=SAMPLES + b"\1")
    yield "no-format", chunk(b"RIFF", b"WAVE" + chunk(b"data", SAMPLES))
    yield "no-data", chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", form()))
    yield "format-after-data", chunk(b"RIFF", b"WAVE" + chunk(b"data", SAMPLES) + chunk(b"fmt ", form()))
    yield "format-twice", wav(chunk(b"fmt ", form()), chunk(b"fmt ", form(channels=2, rate=8000)))
    yield "format-short", wav(chunk(b"fmt ", form()[:8]))
    yield "format-long", wav(chunk(b"fmt ", form() + bytes(5000)))
    yield "data-twice", wav() + chunk(b"data", SAMPLES)
    yield "large-list", wav(chunk(b"LIST", b"INFO" + bytes(3 << 20)), chunk(b"fmt ", form()))
    yield "list-lies", wav(chunk(b"LIST", b"INFO", 2**31), chunk(b"fmt ", form()))
    yield "many-chunks", wav(chunk(b"fmt ", form()), *[chunk(b"junk", b"ab")] * 20_000)
    yield "cue-lies", wav(chunk(b"fmt ", form()), chunk(b"cue ", struct.pack("<I", 2**31)))
    yield "smpl-lies", wav(chunk(b"fmt ", form()), chunk(b"smpl", struct.pack("<9I", *[2**31] * 9)))
    yield "peak-lies", wav(chunk(b"fmt ", form()), chunk(b"PEAK", struct.pack("<IIfI", 1, 0, np.nan, 2**31)))
    yield "fact-lies", wav(chunk(b"fmt ", form(FLOAT, bits=32)), chunk(b"fact", struct.pack("<I", 2**31)))
    yield "rifx", wav(head=b"RIFX")
    yield "rf64", wav(head=b"RF64")
    yield (
        "rf64-lies",
        chunk(
            b"RF64",
            b"WAVE"
            + chunk(b"ds64", struct.pack("<QQQI", *[2**62] * 3, 0))
            + chunk(b"fmt ", form())
            + chunk(b"data", SAMPLES),
            2**32 - 1,
        ),
    )
    yield "riff-inside", wav(chunk(b"fmt ", form()), wav())
    for name, value in {"nan": np.nan, "infinite": np.inf, "1e38": 1e38, "denormal": 1e-40, "silent": 0.0}.items():
        samples = np.full(1600, value, "<f4")
        samples[::2] = 0.0
        yield f"float-{name}", wav(chunk(b"fmt ", form(FLOAT, bits=32)), data=samples.tobytes())
    for value in (1e300, -1e300):
        samples = np.full(1600, value, "<f8").tobytes()
        yield f"double-{value:g}", wav(chunk(b"fmt ", form(FLOAT, bits=64)), data=samples)
    for name, comment in {
        "escape": b"\x1b[31m\0",
        "no-utf8": b"\xff\xfe\xfd\0",
        "html": b"<script>alert(1)</script>\0",
    }.items():
        yield f"comment-{name}", wav(chunk(b"LIST", b"INFO" + chunk(b"ICMT", comment)), chunk(b"fmt ", form()))
    yield "half-of-ten-seconds", wav(data=SAMPLES * 100)[:160_000]


def _encoded(kind: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.tile(tone(0.5, 16000, 60), 3), 16000, format=kind, subtype=subtype)
    return file.getvalue()


def _cut(kind: str, part: float, subtype: str | None = None) -> Callable[[Place], bytes]:
    def make(place: Place) -> bytes:
        content = _encoded(kind, subtype)
        return content[: round(part * len(content))]

    return make


def _patched(kind: str, at: int, content: bytes) -> Callable[[Place], bytes]:
    def make(place: Place) -> bytes:
        whole = bytearray(_encoded(kind))
        whole[at : at + len(content)] = content
        return bytes(whole)

    return make


def _named(suffix: str, content: bytes | Callable[[Place], bytes]) -> Maker:
    return written(f"hostile.{suffix}", content)


def members() -> Iterator[Member]:
    """Walk hostile sounds."""

    def sound(name: str, make: Maker, must: Must = "either", group: int = 8) -> Member:
        return Member(f"sound/{name}", group, ("sound",), make, must, everywhere=name in EVERYWHERE)

    for name, content in _odd_wavs():
        yield sound(f"wav-{name}", _named("wav", content))
    for kind in ("FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64"):
        for part in (0.05, 0.5, 0.95):
            yield sound(f"{kind.lower()}-cut-at-{part:g}", _named(kind.lower(), _cut(kind, part)))
        yield sound(f"{kind.lower()}-named-wav", _named("wav", _cut(kind, 1.0)))
    yield sound("flac-rate-0", _named("flac", _patched("FLAC", 18, bytes(3))))
    yield sound("flac-samples-2-36", _named("flac", _patched("FLAC", 21, b"\xff" * 5)))
    yield sound("ogg-granule", _named("ogg", _patched("OGG", 6, b"\xff" * 8)))
    yield sound("aiff-rate", _named("aiff", _patched("AIFF", 28, b"\x7f\xff" * 5)))
    yield sound("raw", _named("raw", SAMPLES))
    yield sound("raw-named-wav", _named("wav", SAMPLES), "refuse")
    yield sound("midi-named-wav", _named("wav", b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"), "refuse")
    yield sound("playlist", _named("m3u", b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n"), "refuse")
    head = wav(data=b"", data_size=2**32 - 60, size=2**32 - 24)
    yield sound("wav-of-1-gb", sparse("hostile.wav", 1 << 30, head))
    head = wav(chunk(b"fmt ", form(rate=384_000)), data=b"", data_size=2**31, size=2**31 + 36)
    yield sound("wav-of-2-gb-at-384-khz", sparse("hostile.wav", 1 << 31, head))
    yield sound("32-kb-at-2-31-hz", _named("wav", wav(chunk(b"fmt ", form(rate=2**31 - 1)), data=SAMPLES * 10)))
    yield sound("a-second-at-1-hz", _named("wav", wav(chunk(b"fmt ", form(rate=1)), data=SAMPLES)))
