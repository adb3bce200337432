"""Hostile checkpoints: tables that lie, variables without end, states and options that lead elsewhere."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.corpus.member import Maker, Member, Must, Place, copied, sparse, written
from tests.hostile.corpus.texts import HOSTILE_JSON
from tests.published_checkpoints import HEADER, block, entry, field, sealed, table, varint

NAME = b"Generator/progressive_gan_generator/progressive_gan_block_1/conv0/conv2d/kernel/ExponentialMovingAverage"
START = b"ae_startconv/W"


def _one(record: bytes, **options: int) -> bytes:
    return table([(b"", HEADER), (NAME, record), (START, record), (b"startconv/W", record)], **options)


def tables() -> Iterator[tuple[str, bytes]]:
    """Yield indexes that must be refused, with right checksums."""
    good = entry((2, 8, 11, 16), 0, 2 * 8 * 11 * 16 * 4)
    yield "no-header", table([(NAME, good)])
    yield "no-entries", table([])
    yield "header-alone", table([(b"", HEADER)])
    yield "header-of-noise", table([(b"", b"\xff" * 9), (NAME, good)])
    yield "big-endian", table([(b"", HEADER + field(2, 1)), (NAME, good)])
    yield "shards-0", table([(b"", field(1, 0)), (NAME, good)])
    yield "shards-2-63", table([(b"", field(1, 1 << 63)), (NAME, good)])
    yield "shard-beyond", _one(entry((1,), 0, 4, more=field(3, 7)))
    yield "compressed", _one(good, compression=1)
    yield "shape-of-2-62", _one(entry((1 << 31, 1 << 31), 0, 1 << 62))
    yield "shape-negative", _one(entry((-1, 5), 0, 20))
    yield "shape-of-64-axes", _one(entry((1,) * 64, 0, 4))
    yield "shape-of-zeros", _one(entry((0, 0, 0, 0), 0, 0))
    yield "no-shape", _one(entry((), 0, 4))
    yield "three-axes", _one(entry((2, 8, 11), 0, 2 * 8 * 11 * 4))
    yield "size-lies", _one(entry((2, 8, 11, 16), 0, 4))
    yield "offset-of-2-63", _one(entry((2, 8, 11, 16), 1 << 63, 2 * 8 * 11 * 16 * 4))
    yield "type-of-text", _one(entry((2, 8, 11, 16), 0, 1, kind=7))
    yield "type-999", _one(entry((2, 8, 11, 16), 0, 1, kind=999))
    yield "slices", _one(good + field(7, b""))
    yield "wire-type-7", _one(varint(1 << 3 | 7))
    yield "field-cut-off", _one(varint(2 << 3 | 2) + varint(1 << 40))
    yield "varint-without-end", _one(b"\x08" + b"\xff" * 40)
    yield "name-no-utf8", table([(b"", HEADER), (b"\xff\xfe/W", good)])
    yield "name-of-100-kb", table([(b"", HEADER), (b"n" * 100_000, good)])
    yield "shares-what-is-not-there", _one(good, shared=5000)
    yield "listed-30000-times", _one(good, repeats=30_000)
    yield "block-at-the-end", sealed(block([(b"a", varint(1 << 40) + varint(9))])) + _footer()
    yield "restarts-beyond", sealed(struct.pack("<I", 1 << 31)) + _footer()
    yield "footer-alone", _footer()
    yield "magic-alone", struct.pack("<Q", 0xDB4775248B80FB57)


def _footer() -> bytes:
    return (varint(0) * 2 + varint(0) + varint(11)).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def _index(content: bytes) -> Maker:
    """Return a maker of a folder with an index, and some data."""

    def make(place: Place) -> Path:
        (place.folder / "model.ckpt-1.index").write_bytes(content)
        (place.folder / "model.ckpt-1.data-00000-of-00001").write_bytes(bytes(20_000))
        return place.folder

    return make


def _with(change: Callable[[Path], object]) -> Maker:
    """Return a maker of the valid checkpoint with something changed."""

    def make(place: Place) -> Path:
        path = copied(place, "changed")
        change(path)
        return path

    return make


def _every(path: Path, pattern: str) -> list[Path]:
    return sorted(path.rglob(pattern))


def _state(text: bytes) -> Maker:
    return _with(lambda path: [file.write_bytes(text) for file in _every(path, "checkpoint")])


def _linked(path: Path) -> None:
    for file in _every(path, "*.data-*"):
        file.unlink()
        file.symlink_to("/dev/zero")


def _emptied(path: Path) -> None:
    for file in _every(path, "*.data-*"):
        file.write_bytes(b"")


def _stages(path: Path) -> None:
    for number in range(2000):
        (path / f"stage_{90_000 + number}").mkdir()


def _packed(place: Place) -> Path:
    path = place.folder / "all_instruments.zip"
    path.write_bytes(b"PK\3\4" + bytes(300))
    return path


OPTIONS = ("sample_rate", "audio_length", "total_num_images", "stable_stage_num_images", "num_resolutions", "data_type")


def _options() -> Iterator[tuple[str, str]]:
    for name, text in HOSTILE_JSON.items():
        yield f"json-{name}", text
    for option in OPTIONS:
        for name, value in (
            ("minus", -1),
            ("2-63", (1 << 63) - 1),
            ("text", "\x1b[31m"),
            ("list", [1]),
            ("null", None),
        ):
            yield f"{option}-{name}", json.dumps({option: value})


def members() -> Iterator[Member]:
    """Walk hostile checkpoints."""

    def member(name: str, make: Maker, must: Must = "refuse", group: int = 8) -> Member:
        return Member(f"checkpoint/{name}", group, ("checkpoint",), make, must)

    for name, content in tables():
        yield member(name, _index(content))
    yield member("index-of-1-tb", sparse("model.ckpt-1.index", 1 << 40), group=5)
    yield member("archive", _packed)
    yield member("first-format", written("model.ckpt-1", bytes(4000)))
    yield member("data-emptied", _with(_emptied))
    yield member("data-is-a-device", _with(_linked))
    yield member("2000-empty-stages", _with(_stages), "either")
    for name, text in (
        ("nothing", b""),
        ("noise", b"\xff\xfe\0" * 99),
        ("elsewhere", b'model_checkpoint_path: "../../../etc/passwd"\n'),
        ("absolute", b'model_checkpoint_path: "/dev/zero"\n'),
        ("without-end", b'model_checkpoint_path: "' + b"a" * 5000),
        ("of-2-mb", b"#" * (2 << 20)),
    ):
        yield member(f"state-{name}", _state(text), "either", 9)
    for name, text in _options():
        content = text.encode("utf-8", "surrogatepass")
        yield member(
            f"options-{name}", _with(lambda path, content=content: (path / "experiment.json").write_bytes(content)),
            "either", 5,
        )  # fmt: skip
