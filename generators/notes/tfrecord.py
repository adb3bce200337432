"""TFRecord files of Examples, read without TensorFlow: the framing, its checksums, and the few protobuf types within.

Source: the record format of TensorFlow (length, masked CRC-32C of the length, data, masked CRC-32C of the data) and the
wire format of protocol buffers. An Example is a map from names to lists of bytes, floats or integers.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError, os_reason
from generators.files import check_readable_file
from generators.tensorflow_files import DELIMITED, delimited, fields, masked_crc32c, varint

LENGTH, CHECKSUM = 8, 4
"""Bytes of a length and of a checksum."""

LARGEST = 1 << 26
"""Bytes of a record; a note of NSynth has 256 kB, a minute at 192 kHz 46 MB."""

MOST_INTEGERS = 1 << 16
"""Integers in one list: each takes 36 bytes while it is read. A note has one in each, and ten qualities."""

Feature = list[bytes] | NDArray[np.float32] | NDArray[np.int64]


@dataclass(frozen=True)
class Record:
    """Position of the data of a record in a file."""

    path: Path
    number: int
    offset: int
    length: int
    checksum: int = 0
    """Of the data, as stored in the file."""


def scan_records(path: str | os.PathLike[str]) -> Iterator[tuple[Record, bytes]]:
    """Iterate over the records of a file with their data, verifying every length and checksum.

    Raises: DatasetError where the file is missing, cut off, or a length or data differ from their checksum.
    """
    path = Path(path)
    check_readable_file(path, "TFRecord file", DatasetError)
    try:
        file = path.open("rb")
    except OSError as error:
        raise DatasetError(f"cannot open {path}: {os_reason(error)}") from None
    with file:
        offset = number = 0
        while head := file.read(LENGTH + CHECKSUM):
            length = _length(path, number, head)
            record = Record(path, number, offset + len(head), length)
            data, checksum = _data(file, record)
            yield replace(record, checksum=checksum), data
            offset, number = record.offset + length + CHECKSUM, number + 1


def read_record(record: Record) -> bytes:
    """Read the data of a record again. Raises DatasetError where they differ from their checksum."""
    try:
        file = record.path.open("rb")
    except OSError as error:
        raise DatasetError(f"cannot open {record.path} again: {os_reason(error)}") from None
    with file:
        file.seek(record.offset)
        return _data(file, record)[0]


def parse_example(data: bytes) -> dict[str, Feature]:
    """Read an Example: its features by name. Raises ValueError where the bytes are no Example."""
    features: dict[str, Feature] = {}
    for _, block in delimited(memoryview(data), 1):
        for _, entry in delimited(block, 1):
            name, feature = "", memoryview(b"")
            for field, value in delimited(entry, 1, 2):
                if field == 1:
                    name = bytes(value).decode()
                else:
                    feature = value
            features[name] = _feature(feature)
    return features


# --- framing ----------------------------------------------------------------------------------------------------------


def _length(path: Path, number: int, head: bytes) -> int:
    if len(head) < LENGTH + CHECKSUM:
        raise DatasetError(f"{path} is cut off in record {number}. Fetch it again")
    length, checksum = struct.unpack("<QI", head)
    if length > LARGEST and masked_crc32c(head[:LENGTH]) == checksum:
        raise DatasetError(f"a record has at most {LARGEST} bytes. Received: record {number} of {path}, of {length}")
    if masked_crc32c(head[:LENGTH]) != checksum:
        raise DatasetError(
            f"the length of a record must agree with its checksum. Received: record {number} of {path}, whose does "
            "not. Fetch the file again"
        )
    return int(length)


def _data(file: BinaryIO, record: Record) -> tuple[bytes, int]:
    data = file.read(record.length + CHECKSUM)
    if len(data) < record.length + CHECKSUM:
        raise DatasetError(f"{record.path} is cut off in record {record.number}. Fetch it again")
    (checksum,) = struct.unpack("<I", data[record.length :])
    content = data[: record.length]
    if masked_crc32c(content) != checksum:
        raise DatasetError(
            f"the data of a record must agree with their checksum. Received: record {record.number} of {record.path}, "
            "which does not. Fetch the file again"
        )
    return content, checksum


# --- protocol buffers -------------------------------------------------------------------------------------------------


def _feature(data: memoryview) -> Feature:
    """Read one list: of bytes (field 1), of floats (2) or of integers (3), packed or not."""
    for field, content in delimited(data, 1, 2, 3):
        if field == 1:
            return [bytes(item) for _, item in delimited(content, 1)]
        if field == 2:
            return _floats(content)
        return _integers(content)
    return []


def _floats(data: memoryview) -> NDArray[np.float32]:
    parts = [
        np.frombuffer(content, "<f4")
        for field, _, content in fields(data)
        if field == 1 and not isinstance(content, int)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _integers(data: memoryview) -> NDArray[np.int64]:
    numbers: list[int] = []
    for field, kind, content in fields(data):
        if field != 1:
            continue
        place = 0
        if isinstance(content, int):
            numbers.append(content)
            content = memoryview(b"")
        while kind == DELIMITED and place < len(content) and len(numbers) <= MOST_INTEGERS:
            number, place = varint(content, place)
            numbers.append(number)
        if len(numbers) > MOST_INTEGERS:
            raise ValueError(f"a list of more than {MOST_INTEGERS} integers")
    return np.asarray(numbers, np.uint64).astype(np.int64)
