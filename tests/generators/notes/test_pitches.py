"""Names of notes as each convention counts their octaves, and lists of notes in few words."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.errors import ParameterError
from generators.note_generator import main
from generators.notes.folder import Fit, folder_source, labels_in_name
from generators.notes.pitches import (
    MIDDLE_C,
    NoteNames,
    middle_c,
    midi_number,
    note_list,
    note_name,
    note_number,
    note_ranges,
)


@pytest.mark.parametrize(
    ("names", "name", "number"),
    [
        ("scientific", "C2", 36),
        ("scientific", "C4", 60),
        ("course", "C2", 24),  # the lowest note of its exercise
        ("course", "G#3", 44),
        ("course", "C4", 48),  # and the highest
        ("course", "G10", 127),
        ("yamaha", "C3", 60),
        ("yamaha", "C-2", 0),
    ],
)
def test_a_name_is_the_note_of_its_convention(names: NoteNames, name: str, number: int) -> None:
    assert note_number(name, names) == midi_number(name, names) == number
    assert note_name(number, names) == name


@pytest.mark.parametrize("names", MIDDLE_C)
def test_names_and_numbers_are_inverse_in_every_convention(names: NoteNames) -> None:
    assert [note_number(note_name(number, names), names) for number in range(128)] == list(range(128))
    assert middle_c(names) == f"middle C is {note_name(60, names)}"


@pytest.mark.parametrize(
    ("names", "name", "ends"),
    [("course", "C-1", "C0 to G10"), ("yamaha", "C9", "C-2 to G8"), ("scientific", "C10", "")],
)
def test_octaves_that_a_convention_does_not_have_are_refused(names: NoteNames, name: str, ends: str) -> None:
    with pytest.raises(ParameterError, match=f"{ends}.*Received: '{name}'"):
        note_number(name, names)


def test_numbers_are_the_same_in_every_convention() -> None:
    for names in MIDDLE_C:
        assert midi_number("24", names) == 24
        assert note_list("24:48:4", names) == (24, 28, 32, 36, 40, 44, 48)
    assert note_list("C2:C4:4", "course") == (24, 28, 32, 36, 40, 44, 48)
    assert note_list("C2:C4:4") == (36, 40, 44, 48, 52, 56, 60)


def test_names_of_files_follow_the_convention() -> None:
    assert labels_in_name("flute_C2")["pitch"] == 36
    assert labels_in_name("flute_C2", "course")["pitch"] == 24
    assert labels_in_name("flute_24", "course")["pitch"] == 24
    assert labels_in_name("flute_C10", "course")["pitch"] == 120
    assert labels_in_name("flute_C10") == {"instrument": "flute_C10"}


def test_a_folder_and_its_table_follow_the_convention(tmp_path: Path) -> None:
    for stem in ("a_C2", "b"):
        soundfile.write(tmp_path / f"{stem}.wav", np.full(100, 0.1), 8000)
    (tmp_path / "labels.csv").write_text("file,pitch\nb.wav,C3\n")
    source = folder_source(tmp_path, labels=tmp_path / "labels.csv", fit=Fit(8000, 100), note_names="course")
    assert source.table.pitch.tolist() == [24, 36]


def test_the_command_that_makes_datasets_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for stem in ("a_C2", "a_C3", "a_C4"):
        soundfile.write(tmp_path / "in" / f"{stem}.wav", np.full(800, 0.1), 8000)
    words = [
        "--source",
        "folder",
        "--notes_from",
        "in",
        "--sample_rate",
        "8000",
        "--length",
        "0.1",
    ]
    with caplog.at_level("INFO"):
        assert main([*words, "--note_names", "course", "--pitches", "C2:C3"]) == 0
    assert "2 notes of 1 instrument" in caplog.text
    assert "at the notes 24,36 (C2 to C3 where middle C is C5)" in caplog.text


@pytest.mark.parametrize(
    ("notes", "text"),
    [
        ([60], "60"),
        (range(24, 49, 4), "24:48:4"),
        (range(24, 85), "24:84"),
        ([90, *range(60, 85, 4)], "60:84:4,90"),
        ([1, 2], "1,2"),
        ([5, 6, 7, 20, 30, 40, 99], "5:7,20:40:10,99"),
    ],
)
def test_lists_are_written_as_they_are_read(notes, text: str) -> None:
    assert note_ranges(notes) == text
    assert note_list(text) == tuple(sorted(notes))
