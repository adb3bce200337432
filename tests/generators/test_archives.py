"""A zip archive is unpacked within bounds, or refused in one short line before anything of it is unpacked."""

import contextlib
import io
import os
import tracemalloc
import zipfile

import pytest

from generators.archives import ArchiveError, NoArchiveError, open_archive, read_member
from tests.hostile.corpus.arrays import ZIP_FAULTS, patched_zip, zipped

CONTENTS = {"a.json": b"{}" * 50, "b.bin": bytes(range(256)) * 4}


def read_all(path):
    with open_archive(path, 1 << 20) as archive:
        return {name: read_member(archive, name, 1 << 20) for name in archive.namelist()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_members_are_read(tmp_path, method):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(CONTENTS, method))
    assert read_all(path) == CONTENTS


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(tmp_path, method):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(CONTENTS, method))
    with pytest.raises(
        ArchiveError, match=rf"must be stored or deflated. Received: 'a.json' packed by method {method}"
    ):
        read_all(path)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("fault", [name for name in ZIP_FAULTS if name != "date"])
def test_headers_that_lie_are_refused_in_one_short_line(tmp_path, fault, number):
    path = tmp_path / "x.zip"
    path.write_bytes(patched_zip(zipped(CONTENTS), *ZIP_FAULTS[fault], number))
    with pytest.raises(ArchiveError) as error:
        read_all(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("zeros", bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=r"must hold at most 1,048,576 bytes unpacked. Received: 33,554,432"):
            read_all(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_members_that_overlap_are_refused(tmp_path):
    path = tmp_path / "x.zip"
    content = zipped({"a": bytes(1000), "b": b""})
    whole = bytearray(content)
    start = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)  # b is said to be as long as a, at its place
    whole[start + 16 : start + 28] = content[content.index(b"PK\x01\x02") + 16 : content.index(b"PK\x01\x02") + 28]
    whole[start + 42 : start + 46] = bytes(4)
    path.write_bytes(whole)
    with pytest.raises(ArchiveError, match="bytes of members in"):
        read_all(path)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    content = zipped({"a": b"1", "b": b"2"})
    path.write_bytes(content.replace(b"b", b"a"))
    with pytest.raises(ArchiveError, match="must hold each member once"):
        read_all(path)


def test_thousands_of_members_are_refused(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({f"a{number}": b"" for number in range(1001)}))
    with pytest.raises(ArchiveError, match=r"must hold at most 1000 members. Received: 1,001"):
        read_all(path)


def test_one_member_has_a_bound_of_its_own(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(CONTENTS))
    with open_archive(path, 1 << 20) as archive:
        with pytest.raises(ArchiveError, match=r"must hold at most 99 bytes of a.json. Received: 100"):
            read_member(archive, "a.json", 99)
        with pytest.raises(ArchiveError, match=r"must hold c.json. Received: an archive without it"):
            read_member(archive, "c.json", 99)


def test_other_files_are_told_apart(tmp_path):
    for content in (b"", b"PK\x03\x04", zipped(CONTENTS)[:-200]):
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(NoArchiveError, match="must be a zip archive"):
            read_all(tmp_path / "x.zip")
    with pytest.raises(FileNotFoundError):
        read_all(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        read_all(tmp_path)
    with pytest.raises(ArchiveError, match="must be a regular file"):
        read_all(os.devnull)


def test_a_shifted_archive_never_raises_anything_else(tmp_path):
    whole = io.BytesIO(zipped(CONTENTS)).getvalue()
    for start in range(0, len(whole), 97):
        (tmp_path / "x.zip").write_bytes(whole[start:] + whole[:start])
        with contextlib.suppress(ArchiveError):
            read_all(tmp_path / "x.zip")
