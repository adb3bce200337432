"""Arrays in files: what they promise is compared with what they hold before anything is allocated."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from generators.errors import DatasetError
from inversynth.npz import MAX_BYTES, Content, read_array, read_arrays
from tests.hostile.corpus.arrays import head, npy, saved, zipped

CONTENT = Content("latents", "a file of latents")
NUMBERS = np.arange(24, dtype="<f4").reshape(4, 6)


def put(path: Path, content: bytes, form: str) -> Path:
    path.write_bytes(content if form == "npy" else zipped({"a.npy": content}))
    return path


def read(path: Path, form: str) -> np.ndarray:
    return read_array(path, CONTENT) if form == "npy" else read_arrays(path, ["a"], CONTENT)["a"]


@pytest.mark.parametrize("form", ["npy", "npz"])
@pytest.mark.parametrize(
    "array",
    [NUMBERS, np.asfortranarray(NUMBERS), NUMBERS.astype(">f8"), np.asarray("text"), np.zeros((0, 3)), np.int64(7)],
)
def test_what_numpy_writes_is_read(tmp_path: Path, array: np.ndarray, form: str) -> None:
    path = put(tmp_path / "x", saved(np.asarray(array)) if not np.isfortran(array) else _saved(array), form)
    found = read(path, form)
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable
    np.savez_compressed(tmp_path / "y.npz", a=array)
    np.testing.assert_array_equal(read(tmp_path / "y.npz", "npz"), array)


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("form", ["npy", "npz"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("(" * 60_000), "must be an array as numpy.save writes it"),
        (npy("(" * 200_000, version=2), "must be an array as numpy.save writes it"),
        (npy("(" * 9000), "must be an array as numpy.save writes it"),
        (npy(head((2, 2)), bytes(16), 2, 2**32 - 1), "must be an array as numpy.save writes it"),
        (npy(head((2, 2)), bytes(16), 9), "must be an array as numpy.save writes it"),
        (npy("__import__('os').system('true')"), "must be an array as numpy.save writes it"),
        (npy(head((1 << 30,)), bytes(99)), r"must hold the array that it describes. Received: 99 bytes for shape"),
        (npy(head((2**40, 2**40)), bytes(99)), "must hold the array that it describes"),
        (npy(head((2,), f"<U{2**28}"), bytes(99)), "must hold the array that it describes"),
        (npy(head((-1, 16)), bytes(99)), "axes. Received: shape"),
        (npy(head((1,) * 900), bytes(99)), "must be an array"),
        (npy(head((1,), "|O"), b"cos\nsystem\n(S'true'\ntR."), "Object arrays cannot be loaded"),
        (npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (2,)}", bytes(99)), "Object arrays"),
        (npy(head((2,), "|V16"), bytes(99)), "must be an array of numbers or text"),
        (b"\x80\x04\x95" + bytes(20), "must be an array as numpy.save writes it"),
        (b"", "must be an array as numpy.save writes it"),
    ],
)
def test_what_promises_more_than_it_holds_is_refused(tmp_path: Path, content: bytes, message: str, form: str) -> None:
    path = put(tmp_path / "x", content, form)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=message) as error:
            read(path, form)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as member,
    ):
        member.write(npy(head((1 << 28,))))
        for _ in range(65):
            member.write(bytes(8 << 20))
    with pytest.raises(DatasetError, match=f"must hold at most {MAX_BYTES:,} bytes unpacked"):
        read(path, "npz")


def test_a_file_without_the_arrays_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, b=NUMBERS, c=NUMBERS)
    with pytest.raises(DatasetError, match=r"must hold the arrays a. Received: b, c"):
        read(path, "npz")
    path.write_bytes(b"hello")
    with pytest.raises(DatasetError, match=r"must be a file of latents. Received: File is not a zip file"):
        read(path, "npz")
    with pytest.raises(DatasetError, match="no such latents"):
        read(tmp_path / "nowhere", "npz")
