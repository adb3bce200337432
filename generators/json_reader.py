"""JSON from files that anybody may have written: bounded in size, depth and numbers, and without doubtful content.

Python's own reader recurses as deep as a text says, reads integers of any length, NaN, infinity and lone surrogates,
and keeps the last of equal keys. All of that is refused here, in one line.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from generators.errors import shown

MAX_BYTES = 16 << 20
"""Size of a text: the history of a run of 10,000 epochs has 4 MB. What Python makes of it stays below 500 MB."""

MAX_DEPTH = 64
"""Objects and lists within each other: a network of ours has 14, a patch 6."""

INTEGERS = range(-(1 << 63), 1 << 64)
"""Integers that a program in any language can hold, signed or not."""

MAX_DIGITS = 20
"""Digits of the largest of `INTEGERS`; what is longer is not even converted, which takes time by its square."""

SHOWN = 60
"""Characters of a piece of JSON in a message."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """A text is no JSON, or beyond the bounds. Its message follows the name of a file: `must be JSON. Received: …`."""


def parse_json(text: str | bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Read JSON text, UTF-8 where it is bytes.

    Raises: JsonError for what is no JSON, larger than `max_bytes`, nested deeper than MAX_DEPTH, holds a number that is
        not finite or beyond INTEGERS, a key twice in an object, or text that is not Unicode (a lone surrogate).
    """
    if len(text) > max_bytes:
        raise JsonError(_too_large(max_bytes, len(text)))
    try:
        text = text.decode() if isinstance(text, bytes) else text
        content = json.loads(
            text,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        odd = error.object[error.start]
        raise JsonError(f"must be JSON in UTF-8. Received: byte {odd:#04x} at {error.start}") from None
    except RecursionError:
        raise JsonError(_too_deep()) from None
    except json.JSONDecodeError as error:
        raise JsonError(f"must be JSON. Received: {error}") from None
    _check_depth(content)
    if _ESCAPED_SURROGATE.search(text) or _SURROGATE.search(text):
        _check_unicode(content)
    return content


def read_json(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file. Raises: JsonError as `parse_json` does, and for what is no regular file; OSError."""
    return parse_json(read_bounded(path, max_bytes), max_bytes)


def read_json_object(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a JSON file that holds an object. Raises: JsonError, also where it holds something else; OSError."""
    content = read_json(path, max_bytes)
    if not isinstance(content, dict):
        raise JsonError(f"must hold a JSON object. Received: {_kind(content)}")
    return content


def read_bounded(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Read a whole file that must not be large.

    Raises: JsonError for a file beyond `max_bytes` and for what is no regular file: a device never ends, and a pipe may
        never begin. OSError where it cannot be read.
    """
    path = Path(path)
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(about.st_mode):
        raise JsonError("must be a regular file. Received: a pipe or device")
    if about.st_size > max_bytes:
        raise JsonError(_too_large(max_bytes, about.st_size))
    with path.open("rb") as file:
        return file.read(about.st_size)  # as it was when it was looked at, should it grow


def _too_deep() -> str:
    return f"must be JSON of at most {MAX_DEPTH} levels. Received: more"


def _too_large(max_bytes: int, size: int) -> str:
    return f"must have at most {max_bytes:,} bytes. Received: {size:,}"


def _kind(content: Any) -> str:
    return "null" if content is None else type(content).__name__


def _integer(text: str) -> int:
    if len(text.lstrip("-")) <= MAX_DIGITS and (number := int(text)) in INTEGERS:
        return number
    raise JsonError(f"must be JSON with integers within 64 bits. Received: {shown(text, SHOWN)}")


def _float(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise JsonError(f"must be JSON with finite numbers. Received: {shown(text, SHOWN)}")
    return number


def _constant(text: str) -> Any:
    raise JsonError(f"must be JSON with finite numbers. Received: {text}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonError(f"must be JSON with each key once in an object. Received: '{shown(twice, SHOWN)}' twice")
    return content


def _inner(content: Any) -> Iterable[Any]:
    return content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()


def _check_depth(content: Any) -> None:
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [each for outer in level for each in _inner(outer) if isinstance(each, dict | list)]
    if level:
        raise JsonError(_too_deep())


def _check_unicode(content: Any) -> None:
    waiting = [content]
    while waiting:
        each = waiting.pop()
        texts = each.keys() if isinstance(each, dict) else (each,) if isinstance(each, str) else ()
        for text in texts:
            if not text.isascii() and _SURROGATE.search(text):
                raise JsonError(f"must be JSON with Unicode text. Received: a lone surrogate in '{shown(text, SHOWN)}'")
        waiting.extend(_inner(each))
