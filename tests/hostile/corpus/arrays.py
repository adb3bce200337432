"""Hostile NumPy files: code files, latents, directions, batches; zip archives and headers that promise too much."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.hostile.corpus.member import Maker, Member, Must, Place, written
from tests.hostile.corpus.texts import HOSTILE_JSON, ODD_VALUES

HOLDERS = ("codes", "latents", "pca", "batch")
"""Kinds of arguments whose valid file is an .npz file."""


def npy(header: str | bytes, content: bytes = b"", version: int = 1, size: int | None = None) -> bytes:
    """Return an .npy file with any header."""
    text = header.encode("latin-1") if isinstance(header, str) else header
    length = struct.pack("<H" if version == 1 else "<I", len(text) if size is None else size)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + content


def head(shape: object, kind: str = "<f4", order: bool = False) -> str:
    """Return the header of an array, as text."""
    return str({"descr": kind, "fortran_order": order, "shape": shape}) + "\n"


def _headers() -> Iterator[tuple[str, bytes]]:
    numbers = bytes(4096)
    yield "parentheses", npy("(" * 60_000)
    yield "parentheses-2", npy("(" * 200_000, version=2)
    yield "length-lies", npy(head((2, 2)), numbers, size=60_000)
    yield "length-4-gb", npy(head((2, 2)), numbers, 2, 2**32 - 1)
    yield "version-9", npy(head((2, 2)), numbers, 9)
    yield "no-literal", npy("__import__('os').system('true')")
    yield "shape-4-gb", npy(head((1 << 15, 1 << 15)), numbers)
    yield "shape-huge", npy(head((2**62,)), numbers)
    yield "shape-overflow", npy(head((2**40, 2**40)), numbers)
    yield "shape-minus", npy(head((-1, 16)), numbers)
    yield "shape-digits", npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 5000},)}}", numbers)
    yield "shape-60000-axes", npy(head((1,) * 9000), numbers)
    yield "shape-text", npy(head("two"), numbers)
    yield "empty-rows", npy(head((0, 16)))
    yield "empty-columns", npy(head((16, 0)))
    yield "short", npy(head((1000, 16)), numbers)
    yield "pickle", npy(head((1,), "|O"), b"cos\nsystem\n(S'true'\ntR.")
    for kind in ("<U4", "|S4", "<M8[s]", "<c8", "<f2", "|b1", ">f4", "|V16", "<i8", "<f8", "nonsense", "|u1"):
        yield f"of-{kind.strip('<|>')}{'-swapped' if '>' in kind else ''}", npy(head((16, 16), kind), numbers)
    yield "fields", npy("{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (2,)}", numbers)
    yield "fortran", npy(head((16, 64), order=True), numbers)
    yield "nan", npy(head((16, 16)), np.full(256, np.nan, "<f4").tobytes())
    yield "infinite", npy(head((16, 16)), np.full(256, np.inf, "<f4").tobytes())
    yield "1e38", npy(head((16, 16)), np.full(256, 1e38, "<f4").tobytes())
    yield "1e300", npy(head((8, 16), "<f8"), np.full(128, 1e300, "<f8").tobytes())
    yield "scalar", npy(head(()), bytes(4))
    yield "pickle-alone", b"\x80\x04\x95" + bytes(20)


def members_of(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return file.getvalue()


def _replaced(content: bytes) -> Callable[[Place], bytes]:
    """Put an array in place of the largest of a valid file."""

    def make(place: Place) -> bytes:
        held = members_of(place.content())
        largest = max(held, key=lambda name: len(held[name]))
        return zipped({**held, largest: content})

    return make


def _each_replaced(content: bytes) -> Callable[[Place], bytes]:
    return lambda place: zipped(dict.fromkeys(members_of(place.content()), content))


def patched_zip(content: bytes, local: dict[int, bytes], central: dict[int, bytes], number: int = 0) -> bytes:
    """Overwrite fields of the headers of one member, by their offsets in them."""
    whole = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.infolist()[number].header_offset
        place = archive.start_dir
    for _ in range(number):
        name, extra, comment = struct.unpack_from("<HHH", whole, place + 28)
        place += 46 + name + extra + comment
    for base, fields in ((start, local), (place, central)):
        for offset, part in fields.items():
            whole[base + offset : base + offset + len(part)] = part
    return bytes(whole)


ZIP_FAULTS: dict[str, tuple[dict[int, bytes], dict[int, bytes]]] = {
    "encrypted": ({6: b"\1\0"}, {8: b"\1\0"}),
    "method-99": ({8: b"\x63\0"}, {10: b"\x63\0"}),
    "method-lzma": ({8: b"\x0e\0"}, {10: b"\x0e\0"}),
    "method-bzip2": ({8: b"\x0c\0"}, {10: b"\x0c\0"}),
    "method-deflate": ({8: b"\x08\0"}, {10: b"\x08\0"}),
    "checksum": ({14: b"abcd"}, {16: b"abcd"}),
    "size-4-gb": ({22: b"\xfe\xff\xff\xff"}, {24: b"\xfe\xff\xff\xff"}),
    "packed-4-gb": ({18: b"\xfe\xff\xff\xff"}, {20: b"\xfe\xff\xff\xff"}),
    "size-0": ({22: bytes(4)}, {24: bytes(4)}),
    "offset": ({}, {42: b"\xfe\xff\xff\x7f"}),
    "version-255": ({4: b"\xff\0"}, {6: b"\xff\0"}),
    "date": ({10: b"\xff" * 4}, {12: b"\xff" * 4}),
    "name-differs": ({30: b"X"}, {}),
}
"""Fields of the headers of a member that lie: local header, central directory."""


def bomb(name: str, head_bytes: bytes, size: int) -> Callable[[Place], bytes]:
    """Return an archive whose one member is zeros behind a head, packed a thousandfold."""

    def make(place: Place) -> bytes:
        file = io.BytesIO()
        held = members_of(place.content())
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for other, content in held.items():
                if other != name:
                    archive.writestr(other, content)
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(head_bytes)
                for _ in range(size >> 24):
                    member.write(bytes(1 << 24))
        return file.getvalue()

    return make


def _largest_bomb(place: Place) -> bytes:
    held = members_of(place.content())
    largest = max(held, key=lambda name: len(held[name]))
    return bomb(largest, npy(head((1 << 29,))), 1 << 31)(place)


def _card(change: Callable[[dict[str, Any]], None]) -> Callable[[Place], bytes]:
    """Change the card of a code file."""

    def make(place: Place) -> bytes:
        held = members_of(place.content())
        card = json.loads(str(np.load(io.BytesIO(held["card.npy"]))))
        change(card)
        return zipped({**held, "card.npy": saved(np.asarray(json.dumps(card)))})

    return make


def saved(array: np.ndarray) -> bytes:
    """Return an array as an .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def members() -> Iterator[Member]:
    """Walk hostile NumPy files."""

    def hostile(
        name: str, make: Maker, must: Must = "either", kinds: tuple[str, ...] = HOLDERS, group: int = 8
    ) -> Member:
        return Member(f"array/{name}", group, kinds, make, must)

    for name, content in _headers():
        yield hostile(f"npy-{name}", written("hostile.npy", content), kinds=("codes", "latents"))
        yield hostile(f"npz-{name}", written("hostile.npz", _replaced(content)))
        yield hostile(f"npz-all-{name}", written("hostile.npz", _each_replaced(content)))
    for name, (local, central) in ZIP_FAULTS.items():
        make = written("hostile.npz", lambda place, a=local, b=central: patched_zip(place.content(), a, b))
        yield hostile(f"zip-{name}", make)
    yield hostile("zip-of-2-gb", written("hostile.npz", _largest_bomb), "refuse")
    yield hostile("zip-empty", written("hostile.npz", zipped({})), "refuse")
    yield hostile("zip-others", written("hostile.npz", zipped({"../evil.npy": saved(np.zeros(3))})), "refuse")
    yield hostile(
        "zip-no-arrays",
        written("hostile.npz", lambda place: zipped(dict.fromkeys(members_of(place.content()), b"x"))),
        "refuse",
    )
    yield hostile(
        "zip-many", written("hostile.npz", lambda place: zipped({f"a{i}.npy": b"" for i in range(20_000)})), "refuse"
    )
    for name, value in ODD_VALUES.items():
        for key in ("schema", "name", "fingerprint", "hop", "sample_rate", "samples", "pitch"):
            make = written("hostile.codes.npz", _card(lambda card, k=key, v=value: card.__setitem__(k, v)))
            yield hostile(f"codes-card-{key}-{name}", make, kinds=("codes",), group=5)
    for name, text in HOSTILE_JSON.items():
        text = text.replace("\ud800", "").replace("\0", "")
        make = written("hostile.codes.npz", lambda place, t=text: _with_card(place, t))
        yield hostile(f"codes-card-json-{name}", make, "refuse", kinds=("codes",), group=5)


def _with_card(place: Place, text: str) -> bytes:
    return zipped({**members_of(place.content()), "card.npy": saved(np.asarray(text))})
