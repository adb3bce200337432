"""The CRC-32C checksum (Castagnoli), as record files carry it: eight bytes a step through eight tables.

Source: Kounavis and Berry 2005 (slicing by 8); the mask is that of TensorFlow's record format.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits reversed."""

MASK = 0xA282EAD8


def _tables() -> NDArray[np.uint32]:
    tables = np.zeros((8, 256), np.uint32)
    value = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        value = np.where(value & 1, value >> 1 ^ np.uint32(POLYNOMIAL), value >> 1).astype(np.uint32)
    tables[0] = value
    for i in range(1, 8):
        tables[i] = tables[i - 1] >> 8 ^ tables[0][tables[i - 1] & 255]
    return tables


_TABLES = _tables()


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of bytes."""
    return int(_checksum(np.frombuffer(data, np.uint8), _TABLES))


def masked_crc32c(data: bytes | memoryview) -> int:
    """Return the checksum as record files store it, so that checksums of checksums do no harm."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


@numba.njit(nogil=True, cache=True)
def _checksum(data: Any, tables: Any) -> Any:
    value = np.uint32(0xFFFFFFFF)
    eights = len(data) // 8 * 8
    for i in range(0, eights, 8):
        low = value ^ (
            np.uint32(data[i])
            | np.uint32(data[i + 1]) << np.uint32(8)
            | np.uint32(data[i + 2]) << np.uint32(16)
            | np.uint32(data[i + 3]) << np.uint32(24)
        )
        value = (
            tables[7, low & np.uint32(255)]
            ^ tables[6, low >> np.uint32(8) & np.uint32(255)]
            ^ tables[5, low >> np.uint32(16) & np.uint32(255)]
            ^ tables[4, low >> np.uint32(24)]
            ^ tables[3, data[i + 4]]
            ^ tables[2, data[i + 5]]
            ^ tables[1, data[i + 6]]
            ^ tables[0, data[i + 7]]
        )
    for i in range(eights, len(data)):
        value = tables[0, (value ^ np.uint32(data[i])) & np.uint32(255)] ^ value >> np.uint32(8)
    return value ^ np.uint32(0xFFFFFFFF)
