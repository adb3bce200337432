"""Datasets of notes: rows as listed, whatever the workers and interruptions; splits keep together what belongs so."""

import json

import h5py
import numpy as np
import pytest
import soundfile

from generators import note_generator, registry
from generators.dataset import Dataset
from generators.errors import DatasetError, ParameterError
from generators.note_generator import generate_notes, write_note_files
from generators.notes.labels import FAMILIES, QUALITIES, note_table, quality_mask
from generators.notes.pitches import note_list
from generators.notes.settings import NoteSettings
from generators.notes.source import NoteSource
from generators.notes.splits import natural_split, split_notes

RATE, SAMPLES = 4000, 200


def notes(instruments=4, pitches=(60, 64, 67), velocities=(100,)):
    """A source of sines; the sound of a row is its number, so that a wrong row shows."""
    rows = [
        {
            "pitch": pitch,
            "velocity": velocity,
            "instrument": f"sound{i}",
            "family": FAMILIES[i % 3],
            "source": "acoustic",
        }
        for i in range(instruments)
        for pitch in pitches
        for velocity in velocities
    ]

    def read(numbers):
        return np.repeat(numbers.astype(np.float32)[:, None] / 1000, SAMPLES, axis=1)

    return NoteSource(note_table(rows), RATE, SAMPLES, {"kind": "test"}, read)


# --- labels -------------------------------------------------------------------------------------------------------


def test_qualities_are_bits_in_the_order_of_nsynth():
    assert quality_mask([]) == 0
    assert quality_mask(["bright", "dark", "dark", "tempo-synced"]) == 0b1000000011
    assert [quality_mask([name]) for name in QUALITIES] == [2**bit for bit in range(10)]
    with pytest.raises(ParameterError, match=r"unknown quality 'brigth'. Did you mean 'bright'"):
        quality_mask(["brigth"])


def test_labels_that_a_note_lacks_are_unknown():
    table = note_table([{"pitch": 60, "velocity": 100, "instrument": "a", "mood": "calm"}], tags=("mood",))
    written = {
        label: table.names[label][int(numbers[0])] for label, numbers in table.labels.items() if label != "qualities"
    }
    assert written == {
        **{"instrument": "a", "family": "unknown", "source": "unknown", "style": "normal"},
        **{"split": "train", "mood": "calm"},
    }
    with pytest.raises(DatasetError, match=r"has one or more notes. Received: none"):
        note_table([])


def test_selected_rows_keep_their_sounds_and_lose_no_name():
    source = notes().select(families=(FAMILIES[1], FAMILIES[2]), pitches=(64, 67))
    assert source.table.names["instrument"] == ("sound1", "sound2")
    assert source.table.names["family"][: len(FAMILIES)] == FAMILIES
    assert source.table.kept.tolist() == [4, 5, 7, 8]
    np.testing.assert_allclose(source.audio(slice(1, 3))[:, 0], [0.005, 0.007])
    again = source.select(instruments=("sound2",))
    np.testing.assert_allclose(again.audio(slice(0, 2))[:, 0], [0.007, 0.008])
    assert source.table.digest != again.table.digest


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("60", [60]),
        ("24:36:4", [24, 28, 32, 36]),
        ("[62,60, 60]", [60, 62]),
        ("C4:D4", [60, 61, 62]),
        ("A4,0", [0, 69]),
    ],
)
def test_notes_are_listed_by_number_and_name(text, numbers):
    assert list(note_list(text)) == numbers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "notes are listed as"),
        ("60,,61", "notes are listed as"),
        ("1:2:0", "notes are listed as"),
        ("1:2:" + "9" * 5000, "notes are listed as"),
        ("128", "run from 0 to 127. Received: 128"),
        ("9" * 5000, "run from 0 to 127. Received: 999"),
        ("64:60", "a range of notes rises. Received: 64:60. Write it as 60:64"),
        ("H2", "a note is a letter"),
    ],
)
def test_lists_that_make_no_sense_are_refused(text, words):
    with pytest.raises(ParameterError, match=words):
        note_list(text)


# --- splits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "kinds"), [("instrument", 20), ("pitch", 10), ("note", 200)])
def test_notes_of_one_group_lie_in_one_split(by, kinds):
    table = notes(20, range(50, 60)).table
    split = split_notes(table, by, 0.1, 0.2, seed=3)
    groups = {"instrument": table.labels["instrument"], "pitch": table.pitch, "note": np.arange(200)}[by]
    pairs = set(zip(groups.tolist(), split.labels["split"].tolist(), strict=True))
    assert len(pairs) == kinds
    assert [sum(number == which for _, number in pairs) for which in (1, 2)] == [kinds // 10, kinds // 5]
    other = split_notes(table, by, 0.1, 0.2, seed=4).labels["split"]
    assert not np.array_equal(split.labels["split"], other)
    np.testing.assert_array_equal(split.labels["split"], split_notes(table, by, 0.1, 0.2, seed=3).labels["split"])


def test_a_split_leaves_something_to_train_on():
    assert not split_notes(notes(2).table, "instrument", 0.0, 0.0, 0).labels["split"].any()
    for shares in ((0.1, 0.1), (0.5, 0.6)):
        with pytest.raises(ParameterError, match=r"2 of them, 1 for validation and 1 for the test"):
            split_notes(notes(2).table, "instrument", *shares, 0)


def test_few_instruments_give_all_three_splits():
    assert sorted(split_notes(notes(3, [60]).table, "instrument", 0.1, 0.1, 0).labels["split"]) == [0, 1, 2]
    assert natural_split(notes(3).table) == "instrument"
    assert natural_split(notes(2).table) == "note"
    assert natural_split(notes(2, [60]).table) is None
    assert natural_split(notes(2).table, np.array([0, 0, 0, 1, 1, 1])) is None


def test_pieces_of_one_recording_lie_in_one_split():
    recordings = np.repeat(np.arange(10), 20)
    table = notes(20, range(50, 60)).table
    split = split_notes(table, "note", 0.1, 0.2, 3, recordings).labels["split"]
    pairs = set(zip(recordings.tolist(), split.tolist(), strict=True))
    assert sorted(number for _, number in pairs) == [0] * 7 + [1] + [2] * 2


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_a_dataset_holds_its_notes_and_resumes(tmp_path, workers):
    path, source = tmp_path / "n.hdf5", notes(7, range(40, 80))
    assert generate_notes(path, source, workers=workers).rendered == 280
    with h5py.File(path, "r+") as file:
        file["audio"][100:120], file["instrument"][100:120], file["done"][100:120] = 0, 0, False
    assert generate_notes(path, source, workers=workers).rendered == 20
    with Dataset(path) as dataset:
        dataset.check_finished()
        rows = [279, 110, 3]
        audio, classes, values, instrument = dataset.read_columns(rows, ("audio", "classes", "values", "instrument"))
        np.testing.assert_array_equal(audio, source.read(np.asarray(rows)))
        assert classes.tolist() == values.tolist() == [[79, 100], [70, 100], [43, 100]]
        assert instrument.tolist() == [6, 2, 0]
        assert dataset.card.names["instrument"] == [f"sound{i}" for i in range(7)]
        assert (dataset.card.synth, dataset.space.names) == ("notes", ("pitch", "velocity"))
        assert dataset.count_labels()["family"] == {FAMILIES[0]: 120, FAMILIES[1]: 80, FAMILIES[2]: 80}


def test_a_dataset_of_other_notes_is_never_reused(tmp_path):
    path = tmp_path / "n.hdf5"
    generate_notes(path, notes())
    with pytest.raises(DatasetError, match="holds another dataset: num_examples 12 against 9"):
        generate_notes(path, notes(3))
    split = notes().with_table(split_notes(notes().table, "pitch", 0.3, 0.0, 0))
    with pytest.raises(DatasetError, match=r"holds another dataset: notes \w+ against \w+"):
        generate_notes(path, split)
    assert generate_notes(path, split, regenerate_samples=True).rendered == 12


def test_wav_files_have_names_that_a_folder_of_notes_has(tmp_path):
    def written(source, name):
        generate_notes(tmp_path / f"{name}.hdf5", source)
        with Dataset(tmp_path / f"{name}.hdf5") as dataset:
            assert write_note_files(dataset, tmp_path / name) == len(dataset)
            assert write_note_files(dataset, tmp_path / name) == 0
        return sorted(str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*.wav"))

    assert written(notes(2, (60, 64)), "one") == [
        f"sound{i}/sound{i}_{pitch}.wav" for i in (0, 1) for pitch in (60, 64)
    ]
    assert written(notes(1, (60,), (50, 100)), "two") == ["sound0/sound0-100_60.wav", "sound0/sound0-50_60.wav"]
    assert written(notes(1, (60,), (50, 50)), "three") == ["sound0/sound0-50-0_60.wav", "sound0/sound0-50-1_60.wav"]
    info = soundfile.info(tmp_path / "one" / "sound1" / "sound1_64.wav")
    assert (info.subtype, info.samplerate, info.frames, info.channels) == ("PCM_16", RATE, SAMPLES, 1)


def test_shards_of_notes_are_the_rows_of_the_whole(tmp_path):
    source = notes(7, range(40, 45))
    generate_notes(tmp_path / "n.hdf5", source)
    for k in (1, 2):
        assert generate_notes(tmp_path / f"n.{k}of2.hdf5", source, shard=(k, 2)).rendered in (17, 18)
    with Dataset(tmp_path / "n.hdf5") as whole, Dataset(f"{tmp_path}/n.*of2.hdf5") as dataset:
        columns = ("audio", "classes", "values", *whole.labels)
        for one, other in zip(*(each.read_columns(slice(None), columns) for each in (whole, dataset)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_instrument_leads_out_of_the_folder_of_wav_files(tmp_path):
    names = ["../../up", "/tmp/x", "..", "a\0b\n", "n" * 300, "plain_name"]
    rows = [{"pitch": 60, "velocity": 100, "instrument": name} for name in names]
    source = NoteSource(note_table(rows), RATE, SAMPLES, {}, lambda numbers: np.ones((len(numbers), SAMPLES), "f4"))
    generate_notes(tmp_path / "d.hdf5", source)
    with Dataset(tmp_path / "d.hdf5") as dataset:
        assert write_note_files(dataset, tmp_path / "a" / "b" / "c") == len(names)
    files = [path for path in tmp_path.rglob("*.wav") if path.is_file()]
    assert len(files) == len(names)
    assert {path.parent.parent for path in files} == {tmp_path / "a" / "b" / "c"}
    assert {path.parent.name for path in files} >= {"up", "tmp-x", "instrument", "a-b", "plain_name"}


# --- the command --------------------------------------------------------------------------------------------------

SHORT = ["--instruments", "violin,19,flute", "--pitches", "60:64:4", "--held", "0.1", "--length", "0.2"]
SHORT += ["--validation_split", "0.3", "--test_split", "0.4"]


def test_both_commands_write_the_dataset(tmp_path):
    assert note_generator.main([*SHORT, "--wavefiles"]) == 0
    assert registry.main(["notes", *SHORT, "--name", "again", "--seed", "1", "--workers", "3"]) == 0
    with Dataset("test_datasets/notes.hdf5") as one, Dataset("test_datasets/again.hdf5") as two:
        assert (len(one), one.samples, one.card.sample_rate) == (6, 3200, 16000)
        np.testing.assert_array_equal(one.audio[:], two.audio[:])
        assert one.card.names["instrument"] == ["violin", "church-organ", "flute"]
        assert one.count_labels()["split"] == {"train": 2, "valid": 2, "test": 2}
        assert json.loads(one.card.options)["held"] == 0.1
        assert np.abs(one.audio[:]).max(axis=1).min() > 0.01
    assert len(list((tmp_path / "test_waves" / "notes").rglob("*.wav"))) == 6


def test_settings_read_lists_of_words(tmp_path):
    (tmp_path / ".env").write_text("FAMILIES=string, brass\nPITCHES=60,62\nVELOCITIES=50:100:25\n")
    settings = NoteSettings.parse([])
    assert (settings.families, settings.pitches, settings.velocities) == (("string", "brass"), "60,62", "50:100:25")
    assert NoteSettings.parse(["--families", "reed"]).families == ("reed",)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--instruments", "violn"], "ParameterError: unknown instrument 'violn'. Did you mean 'violin'?"),
        (["--families", "horn"], "ParameterError: unknown family 'horn'"),
        (["--pitches", "200"], "ParameterError: MIDI numbers run from 0 to 127"),
        (["--velocities", "0:100:50"], "ParameterError: velocities run from 1 to 127"),
        (["--soundfont", "absent.sf2"], "AudioError: no such SoundFont: absent.sf2"),
        (
            ["--instruments", "violin", "--split_by", "instrument"],
            "ParameterError: a split by instrument must leave some for training. Received: 1 of them",
        ),
        (["--held", "9"], "ParameterError: a note is held for a part of its length"),
        (["--name", "a/b"], "SettingsError: name must be a plain name"),
        (["--source", "tape"], "SettingsError: source must be"),
    ],
)
def test_bad_input_exits_with_one_line_and_2(tmp_path, capsys, argv, line):
    assert registry.main(["notes", *argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert not (tmp_path / "test_datasets").exists()
