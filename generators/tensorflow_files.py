"""What files of TensorFlow are made of, read without it: masked checksums, and the wire format of protocol buffers.

Record files (`generators.notes.tfrecord`) and checkpoints (`models.tensorflow_checkpoint`) share it.
"""

from collections.abc import Iterator

import google_crc32c

MASK = 0xA282EAD8
"""Added to a rotated checksum in a file: the checksum of data that hold checksums would be a weak one."""

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes, masked as TensorFlow stores it."""
    checksum = int(google_crc32c.value(data))
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def fields(data: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
    """Iterate over the fields of a message: number, wire type, content. Raises ValueError where one exceeds it."""
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        field, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(data, place)
            yield field, kind, value
            continue
        if kind == DELIMITED:
            size, place = varint(data, place)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if place + size > len(data):
            raise ValueError("a field that exceeds its message")
        yield field, kind, data[place : place + size]
        place += size


def delimited(data: memoryview, *wanted: int) -> Iterator[tuple[int, memoryview]]:
    """Iterate over the delimited fields of a message with the given numbers."""
    for field, kind, content in fields(data):
        if kind == DELIMITED and field in wanted:
            assert isinstance(content, memoryview)
            yield field, content


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the variable-length integer at a position, and the position after it."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, place
    raise ValueError("an integer without an end")
