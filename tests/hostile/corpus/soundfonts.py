"""Hostile SoundFonts: chunks that lie, tables that lead nowhere, generators out of all bounds."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.generators.notes.fonts import chunk, listed, preset, sine_font
from tests.hostile.corpus.member import Maker, Member, Must, Place, written


def _tables(**changes: bytes) -> dict[bytes, bytes]:
    bags = struct.pack("<HH", 0, 0)
    tables = {
        "phdr": preset(b"Sine", 0, 0, 0) + preset(b"EOP", 0, 0, 1),
        "pbag": bags + struct.pack("<HH", 1, 0),
        "pmod": b"\0" * 10,
        "pgen": struct.pack("<HhHh", 41, 0, 0, 0),
        "inst": struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"EOI", 1),
        "ibag": bags + struct.pack("<HH", 1, 0),
        "imod": b"\0" * 10,
        "igen": struct.pack("<Hh", 53, 0) + b"\0" * 4,
        "shdr": struct.pack("<20sIIIIIBbHH", b"sine", 0, 1000, 0, 100, 32000, 60, 0, 0, 1)
        + struct.pack("<20s26x", b"EOS"),
    }
    return {name.encode(): content for name, content in {**tables, **changes}.items()}


def font(samples: bytes = bytes(range(256)) * 8, *, without: str = "", **changes: bytes) -> bytes:
    """Return a SoundFont with some of its tables replaced, or one left out."""
    tables = _tables(**changes)
    tables.pop(without.encode(), None)
    sound = listed(b"sdta", {} if without == "smpl" else {b"smpl": samples})
    return chunk(b"RIFF", b"sfbk" + sound + listed(b"pdta", tables))


def _sample(start: int, end: int, first: int, last: int, rate: int, pitch: int = 60) -> bytes:
    return struct.pack("<20sIIIIIBbHH", b"s", start, end, first, last, rate, pitch, 0, 0, 1) + struct.pack(
        "<20s26x", b"E"
    )


def _generated(**generators: int) -> Callable[[Place], Path]:
    def make(place: Place) -> Path:
        return sine_font(place.folder / "hostile.sf2", generators={int(k[1:]): v for k, v in generators.items()})

    return make


def _files() -> Iterator[tuple[str, bytes]]:
    for name in ("phdr", "pbag", "pgen", "inst", "ibag", "igen", "shdr"):
        yield f"no-{name}", font(without=name)
        yield f"{name}-empty", font(**{name: b""})
        yield f"{name}-odd", font(**{name: _tables()[name.encode()][:-3]})
        yield f"{name}-of-ones", font(**{name: b"\xff" * len(_tables()[name.encode()])})
    yield "no-smpl", font(without="smpl")
    yield "smpl-empty", font(b"")
    yield "smpl-odd", font(b"\1\2\3")
    yield "sample-beyond", font(shdr=_sample(2**31, 2**32 - 1, 0, 2**32 - 1, 32000))
    yield "sample-backwards", font(shdr=_sample(900, 10, 800, 20, 32000))
    yield "sample-of-nothing", font(shdr=_sample(5, 5, 5, 5, 32000))
    yield "loop-of-nothing", font(shdr=_sample(0, 1000, 7, 7, 32000))
    for rate in (0, 1, 2**32 - 1):
        yield f"rate-{rate}", font(shdr=_sample(0, 1000, 0, 100, rate))
    yield "pitch-255", font(shdr=_sample(0, 1000, 0, 100, 32000, 255))
    yield "instrument-nowhere", font(pgen=struct.pack("<HhHh", 41, 9999, 0, 0))
    yield "sample-nowhere", font(igen=struct.pack("<Hh", 53, 9999) + b"\0" * 4)
    yield "bags-backwards", font(phdr=preset(b"Sine", 0, 0, 1) + preset(b"EOP", 0, 0, 0))
    yield "bags-far", font(phdr=preset(b"Sine", 0, 0, 0) + preset(b"EOP", 0, 0, 65535))
    yield "names", font(phdr=preset(b"\x1b[31m\xff\xfe<b>", 0, 0, 0) + preset(b"EOP", 0, 0, 1))
    yield "presets-twice", font(phdr=preset(b"a", 0, 0, 0) * 1000 + preset(b"EOP", 0, 0, 1))
    whole = font()
    yield "size-lies", whole[:4] + struct.pack("<I", 2**32 - 1) + whole[8:]
    yield "odd-padding", whole.replace(b"LIST", b"LISX", 1)
    yield (
        "deep-lists",
        chunk(b"RIFF", b"sfbk" + b"".join(b"LIST" + struct.pack("<I", 12 * n) + b"pdta" for n in range(5000, 0, -1))),
    )
    yield "sf3", font().replace(b"smpl", b"OggS")
    yield "dls", chunk(b"RIFF", b"DLS " + bytes(100))


def members() -> Iterator[Member]:
    """Walk hostile SoundFonts."""

    def hostile(name: str, make: Maker, must: Must = "either") -> Member:
        return Member(f"soundfont/{name}", 8, ("soundfont",), make, must)

    for name, content in _files():
        yield hostile(name, written("hostile.sf2", content))
    for generator in (0, 4, 8, 12, 17, 21, 22, 25, 26, 28, 33, 34, 36, 38, 45, 46, 47, 48, 50, 51, 52, 54, 56, 58):
        for amount in (32767, -32768):
            yield hostile(f"generator-{generator}-{amount}", _generated(**{f"g{generator}": amount}))
