"""Hostile dataset files: columns of every type and layout, links, odd attributes, promises of size."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.hostile.corpus.member import Member, Must, Place, copied
from tests.hostile.corpus.texts import HOSTILE_JSON

COLUMNS = ("audio", "classes", "values", "done")


EVERYWHERE = {
    "audio-of-strings",
    "classes-of-strings",
    "rows-3e8",
    "length-infinite",
    "audio-nan",
    "classes-out-of-range",
}
"""What readers of a dataset meet each in its own way."""


def _edited(change: Callable[[h5py.File, Path], None]) -> Callable[[Place], Path]:
    def make(place: Place) -> Path:
        path = copied(place, "hostile.hdf5")
        path.chmod(0o644)
        with h5py.File(path, "r+") as file:
            change(file, path)
        return path

    return make


def _raw(column: str, dtype: Any, byte: int) -> Callable[[Place], Path]:
    """Replace a column by a contiguous one of a type whose values are references, filled with one byte."""

    def make(place: Place) -> Path:
        path = copied(place, "hostile.hdf5")
        path.chmod(0o644)
        with h5py.File(path, "r+") as file:
            shape = file[column].shape
            del file[column]
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_layout(h5py.h5d.CONTIGUOUS)
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            made = h5py.h5d.create(
                file.id, column.encode(), h5py.h5t.py_create(np.dtype(dtype), logical=True),
                h5py.h5s.create_simple(shape), properties,
            )  # fmt: skip
            start, size = made.get_offset(), made.get_storage_size()
            made.close()
        with path.open("r+b") as raw:
            raw.seek(start)
            raw.write(bytes([byte]) * size)
        return path

    return make


def _as(column: str, dtype: Any, **options: Any) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        content = file[column][:]
        del file[column]
        with np.errstate(all="ignore"):
            file.create_dataset(column, data=content.astype(dtype), **options)

    return _edited(change)


def _shaped(column: str, shape: tuple[int, ...], **options: Any) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        kind = file[column].dtype
        del file[column]
        file.create_dataset(column, shape, kind, **options)

    return _edited(change)


def _linked(column: str, link: Callable[[Path], Any]) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        del file[column]
        file[column] = link(path)

    return _edited(change)


def _external(column: str) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        kind, shape = file[column].dtype, file[column].shape
        del file[column]
        file.create_dataset(column, shape, kind, external=[("/dev/zero", 0, h5py.h5f.UNLIMITED)])

    return _edited(change)


def _virtual(column: str) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        kind, shape = file[column].dtype, file[column].shape
        del file[column]
        layout = h5py.VirtualLayout(shape, kind)
        layout[...] = h5py.VirtualSource("elsewhere.hdf5", column, shape)
        file.create_virtual_dataset(column, layout)

    return _edited(change)


def _filled(column: str, value: float) -> Callable[[Place], Path]:
    return _edited(lambda file, path: file[column].write_direct(np.full(file[column].shape, value, file[column].dtype)))


def _attribute(name: str, value: Any) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        if name in file.attrs:
            del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    return _edited(change)


def _group(column: str) -> Callable[[Place], Path]:
    def change(file: h5py.File, path: Path) -> None:
        del file[column]
        file.create_group(column)

    return _edited(change)


def _vast(rows: int) -> Callable[[Place], Path]:
    """Promise rows that take no room: chunked columns of which nothing was ever written, all of them done."""

    def change(file: h5py.File, path: Path) -> None:
        for column in list(file):
            kind, shape = file[column].dtype, file[column].shape
            del file[column]
            fill = True if column == "done" else None
            file.create_dataset(column, (rows, *shape[1:]), kind, chunks=(1024, *shape[1:]), fillvalue=fill)
        file.attrs["num_examples"] = rows

    return _edited(change)


def _prefixed(place: Place) -> Path:
    path = place.folder / "hostile.hdf5"
    path.write_bytes(bytes(512) + place.content())
    return path


def _grown(place: Place) -> Path:
    path = copied(place, "hostile.hdf5")
    os.truncate(path, path.stat().st_size + (1 << 38))
    return path


def members() -> Iterator[Member]:
    """Walk hostile datasets."""

    def hostile(name: str, group: int, make: Callable[[Place], Path], must: Must = "refuse") -> Member:
        return Member(f"dataset/{name}", group, ("dataset",), make, must, everywhere=name in EVERYWHERE)

    text, reference = h5py.string_dtype(), h5py.ref_dtype
    for column in COLUMNS:
        yield hostile(f"{column}-of-strings", 1, _raw(column, text, 0x41))
        yield hostile(f"{column}-of-arrays", 1, _raw(column, h5py.vlen_dtype(np.float32), 0x41))
        yield hostile(f"{column}-of-references", 1, _raw(column, reference, 0x41))
        yield hostile(f"{column}-of-s4", 6, _as(column, "S4"))
        yield hostile(f"{column}-is-a-group", 6, _group(column))
        yield hostile(f"{column}-scalar", 6, _shaped(column, ()))
        yield hostile(f"{column}-of-no-rows", 6, _shaped(column, (0, 4)))
        yield hostile(f"{column}-of-another-length", 6, _shaped(column, (3, 5)))
        yield hostile(
            f"{column}-external-link", 1, _linked(column, lambda path: h5py.ExternalLink("/etc/passwd", "/a"))
        )
        yield hostile(
            f"{column}-external-link-to-itself", 1, _linked(column, lambda path: h5py.ExternalLink(path.name, "/audio"))
        )
        yield hostile(f"{column}-dangling-link", 6, _linked(column, lambda path: h5py.SoftLink("/nowhere")))
        yield hostile(f"{column}-link-loop", 6, _linked(column, lambda path: h5py.SoftLink("/" + "audio")))
        yield hostile(f"{column}-external-storage", 1, _external(column))
        yield hostile(f"{column}-virtual", 1, _virtual(column))
    yield hostile("strings-of-zeros", 1, _raw("audio", text, 0))
    yield hostile("strings-of-ones", 1, _raw("classes", text, 0xFF))
    for kind in (">f4", "f8", "f2", "i2", "c8"):
        yield hostile(f"audio-of-{kind.strip('>')}{'-swapped' if '>' in kind else ''}", 6, _as("audio", kind))
    for kind in ("u2", "i1", "f4", ">u4"):
        yield hostile(f"classes-of-{kind.strip('>')}{'-swapped' if '>' in kind else ''}", 6, _as("classes", kind))
    yield hostile(
        "audio-compound", 6, _raw("audio", [("a", "f4"), ("b", "O")] if False else [("a", "f4"), ("b", "i8")], 7)
    )
    yield hostile("audio-opaque", 6, _raw("audio", "V16", 7))
    yield hostile("audio-chunked", 6, _as("audio", "f4", chunks=True), "either")
    yield hostile("audio-compressed", 6, _as("audio", "f4", compression="gzip"), "either")
    yield hostile("audio-nan", 8, _filled("audio", np.nan), "either")
    yield hostile("audio-infinite", 8, _filled("audio", np.inf), "either")
    yield hostile("audio-1e38", 8, _filled("audio", 1e38), "either")
    yield hostile("classes-out-of-range", 6, _filled("classes", 255), "either")
    yield hostile("values-nan", 6, _filled("values", np.nan), "either")
    yield hostile("unfinished", 6, _filled("done", 0), "either")
    yield hostile("rows-3e8", 6, _vast(300_000_000), "either")
    yield hostile("rows-1e15", 6, _vast(10**15), "either")
    yield hostile("prefixed", 6, _prefixed, "either")
    yield hostile("grown-to-256-gb", 6, _grown, "either")
    yield hostile(
        "loop-of-groups", 6, _edited(lambda file, path: file.create_group("g").__setitem__("self", file["g"])), "either"
    )
    for name, odd in {
        **{"nan": np.nan, "infinite": np.inf, "minus": -1, "zero": 0, "array": np.arange(3), "text": "many"},
        **{"huge": 2**62, "bytes": np.bytes_(b"\xff\xfe"), "absent": None, "empty": h5py.Empty("f4")},
    }.items():
        for attribute in ("length", "sample_rate", "num_examples", "seed", "synth", "space", "schema"):
            yield hostile(f"{attribute}-{name}", 6, _attribute(attribute, odd), "either")
    for name, content in HOSTILE_JSON.items():
        if len(content) < 60_000:  # what an attribute may hold
            yield hostile(f"space-json-{name}", 5, _attribute("space", content))
            yield hostile(f"options-json-{name}", 5, _attribute("options", content), "either")
    yield hostile("space-json-deep", 5, _attribute("space", "[" * 60_000))
    for name, value in {"up": "../audio", "done": "done", "nul": "a b", "many": ",".join("abc" * 9)}.items():
        yield hostile(f"companions-{name}", 6, _attribute("companions", value), "either")
        yield hostile(f"companions-list-{name}", 6, _attribute("companions", [value]), "either")
        yield hostile(f"labels-{name}", 6, _attribute("labels", value), "either")
