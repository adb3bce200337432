"""Whatever stands in a JSON file, it is read within bounds or refused in one short line."""

import json
import os

import pytest

from generators.json_reader import MAX_DEPTH, JsonError, parse_json, read_json, read_json_object


def test_what_python_writes_is_read_back():
    content = {"a": [1, -2.5, "é😀\\ud800", None, True, {}], "b": 2**64 - 1, "c": -(2**63), "": "\x00"}
    for text in (json.dumps(content), json.dumps(content, ensure_ascii=False, indent=1)):
        assert parse_json(text) == content
        assert parse_json(text.encode()) == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 60_000, f"must be JSON of at most {MAX_DEPTH} levels. Received: more"),
        ('{"a":' * 60_000, f"must be JSON of at most {MAX_DEPTH} levels. Received: more"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"must be JSON of at most {MAX_DEPTH} levels. Received: more"),
        ("9" * 400, "must be JSON with integers within 64 bits. Received: 9999"),
        ("9" * 5000, "must be JSON with integers within 64 bits. Received: 9999"),
        (str(2**64), f"must be JSON with integers within 64 bits. Received: {2**64}"),
        (str(-(2**63) - 1), "must be JSON with integers within 64 bits. Received: -9"),
        ("1e999", "must be JSON with finite numbers. Received: 1e999"),
        ("-1e999", "must be JSON with finite numbers. Received: -1e999"),
        ("9" * 400 + ".0", "must be JSON with finite numbers. Received: 9999"),
        ('{"x": NaN}', "must be JSON with finite numbers. Received: NaN"),
        ("-Infinity", "must be JSON with finite numbers. Received: -Infinity"),
        ('{"a": 1, "b": 2, "a": 3}', "must be JSON with each key once in an object. Received: 'a' twice"),
        ('["\\ud800"]', "must be JSON with Unicode text. Received: a lone surrogate in '\\ud800'"),
        ('{"\\udfff": 1}', "must be JSON with Unicode text. Received: a lone surrogate in '\\udfff'"),
        ('"\ud800"', "must be JSON with Unicode text"),
        (b'"\xed\xa0\x80"', "must be JSON in UTF-8. Received: byte 0xed at 1"),
        (b"\xff\xfe", "must be JSON in UTF-8. Received: byte 0xff at 0"),
        ("", "must be JSON. Received: "),
        ("{} {}", "must be JSON. Received: "),
        ("\ufeff{}", "must be JSON. Received: "),
        ("// {}\n{}", "must be JSON. Received: "),
    ],
)
def test_what_lies_beyond_the_bounds_is_refused_in_one_short_line(text, message):
    with pytest.raises(JsonError) as error:
        parse_json(text)
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)


def test_as_many_levels_as_allowed_are_read():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(parse_json(text)) == text


def test_a_long_key_that_stands_twice_is_shortened_in_the_message():
    key = "k" * 100_000
    with pytest.raises(JsonError) as error:
        parse_json(json.dumps({key: 1})[:-1] + f', "{key}": 2}}')
    assert len(str(error.value)) < 200


def test_a_file_is_read_up_to_its_bound(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('"' + "a" * 98 + '"')
    assert read_json(path, 100) == "a" * 98
    with pytest.raises(JsonError, match=r"^must have at most 99 bytes. Received: 100$"):
        read_json(path, 99)
    with pytest.raises(JsonError, match=r"^must hold a JSON object. Received: str$"):
        read_json_object(path)


def test_a_sparse_file_of_a_terabyte_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(JsonError, match="Received: 1,099,511,627,776"):
        read_json(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JsonError, match=r"must be a regular file\. Received: a pipe or device"):
        read_json(tmp_path / "pipe")
    with pytest.raises(JsonError, match="must be a regular file"):
        read_json(os.devnull)


def test_missing_files_and_folders_are_errors_of_the_operating_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        read_json(tmp_path)
