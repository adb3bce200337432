"""TFRecord files for tests: written as TensorFlow writes them, which a golden file holds them to."""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from generators.notes.tfrecord import Feature
from generators.tensorflow_files import DELIMITED, masked_crc32c


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """Write a record file."""
    with path.open("wb") as file:
        for data in records:
            length = struct.pack("<Q", len(data))
            file.write(length + struct.pack("<I", masked_crc32c(length)))
            file.write(data + struct.pack("<I", masked_crc32c(data)))


def write_example(features: Mapping[str, Feature]) -> bytes:
    """Write an Example; the inverse of `parse_example`."""
    entries = b""
    for name, feature in features.items():
        if isinstance(feature, list):
            content = _field(1, b"".join(_field(1, item) for item in feature))
        elif feature.dtype.kind == "f":
            content = _field(2, _field(1, feature.astype("<f4").tobytes()))
        else:
            content = _field(3, _field(1, b"".join(_write_varint(int(number)) for number in feature)))
        entries += _field(1, _field(1, name.encode()) + _field(2, content))
    return _field(1, entries)


def _write_varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, content: bytes) -> bytes:
    return _write_varint(number << 3 | DELIMITED) + _write_varint(len(content)) + content
