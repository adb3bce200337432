"""Folders of one's own sounds: names and tables are read, every fault is listed at once, long ones are cut."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators import registry
from generators.audio import read_audio, resample
from generators.dataset import Dataset
from generators.errors import AudioError, DatasetError, ParameterError
from generators.notes import folder
from generators.notes.folder import Fit, folder_source, labels_in_name

RATE, SAMPLES = 4000, 400
FIT = Fit(RATE, SAMPLES)


def save(
    path: Path, samples: int = SAMPLES, *, rate: int = RATE, channels: int = 1, level: float = 0.5, **options: str
):
    """Write a ramp, so that each sample holds its position."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = np.repeat(np.linspace(0, level, samples, endpoint=False)[:, None], channels, axis=1)
    soundfile.write(path, audio, rate, **{"subtype": "PCM_16", **options})
    return audio[:, 0]


def labels_of(source):
    """Each row as (instrument, pitch, velocity)."""
    names = [source.table.names["instrument"][number] for number in source.table.labels["instrument"]]
    return list(zip(names, source.table.pitch.tolist(), source.table.velocity.tolist(), strict=True))


def test_names_give_sound_and_note(tmp_path):
    for name in ("cello_60", "cello_C#3", "deep bell_Bb-1", "my_own_sound_127", "inner/flute_0"):
        save(tmp_path / f"{name}.wav")
    (tmp_path / "readme.txt").write_text("no sound")
    (tmp_path / ".cello_61.wav").write_text("no sound either")
    source = folder_source(tmp_path, fit=FIT)
    assert labels_of(source) == [
        *(("cello", 60, 100), ("cello", 49, 100), ("deep bell", 10, 100)),
        *(("flute", 0, 100), ("my_own_sound", 127, 100)),
    ]
    assert not source.has_split


def test_sounds_arrive_as_they_are(tmp_path):
    for pitch, level in ((60, 0.25), (61, 0.5), (62, 0.75)):
        save(tmp_path / f"a_{pitch}.wav", level=level)
    audio = folder_source(tmp_path, fit=FIT).audio(slice(1, 3))
    assert audio.dtype == np.float32
    expected = [np.linspace(0, level, SAMPLES, endpoint=False) for level in (0.5, 0.75)]
    np.testing.assert_allclose(audio, expected, atol=1 / 32768)


def test_a_table_adds_to_names_and_overrides_them(tmp_path):
    for name in ("a_60", "b_61", "strange"):
        save(tmp_path / f"{name}.wav")
    (tmp_path / "labels.csv").write_text(
        "file,pitch,velocity,instrument,family,style,qualities,split,mood\n"
        "a_60.wav,,50,,string,tremolo,bright reverb,test,calm\n"
        "strange.wav,A4,,gong,mallet,,,,\n"
    )
    source = folder_source(tmp_path, labels=tmp_path / "labels.csv", tags={"mood": "wild", "room": "hall"}, fit=FIT)
    assert labels_of(source) == [("a", 60, 50), ("b", 61, 100), ("gong", 69, 100)]
    labels, names = source.table.labels, source.table.names

    def column(label):
        return [names[label][number] for number in labels[label]]

    assert column("family") == ["string", "unknown", "mallet"]
    assert column("style") == ["tremolo", "normal", "normal"]
    assert column("split") == ["test", "train", "train"]
    assert column("mood") == ["calm", "wild", "wild"]
    assert column("room") == ["hall"] * 3
    assert labels["qualities"].tolist() == [0b100000001, 0, 0]
    assert source.has_split
    assert source.table.kinds[-2:] == (("mood", "int32"), ("room", "int32"))


def test_every_problem_of_every_sound_is_listed_at_once(tmp_path):
    save(tmp_path / "good_60.wav")
    save(tmp_path / "short_60.wav", SAMPLES - 1)
    save(tmp_path / "long_61.wav", SAMPLES + 1)
    save(tmp_path / "fast_60.wav", SAMPLES, rate=44100, channels=2)
    save(tmp_path / "nameless.wav")
    save(tmp_path / "coarse_60.wav", subtype="PCM_U8")
    (tmp_path / "broken_60.wav").write_bytes(b"RIFF1234WAVE")
    with pytest.raises(AudioError) as fault:
        folder_source(tmp_path, fit=Fit(RATE, SAMPLES, bits=16))
    assert str(fault.value) == (
        f"the sounds of {tmp_path} must be mono, 16 bits, 4000 Hz, 400 samples, and named <sound>_<note>. Received: "
        "broken_60.wav (no readable audio); coarse_60.wav (stored as PCM_U8); fast_60.wav (44100 Hz, 2 channels); "
        "long_61.wav (401 samples); nameless.wav (no note in its name); short_60.wav (399 samples): 6 of 7. Fix them, "
        "or set convert, pad, trim, chop or default_pitch"
    )


def test_short_sounds_are_padded_and_long_ones_trimmed_on_request(tmp_path):
    long, short = save(tmp_path / "a_60.wav", 500), save(tmp_path / "b_60.wav", 300)
    audio = folder_source(tmp_path, fit=Fit(RATE, SAMPLES, pad=True, trim=True)).audio(slice(0, 2))
    np.testing.assert_allclose(audio[0], long[:400], atol=1e-4)
    np.testing.assert_allclose(audio[1], np.pad(short, (0, 100)), atol=1e-4)
    with pytest.raises(AudioError, match=r"Received: b_60.wav \(300 samples\): 1 of 2"):
        folder_source(tmp_path, fit=Fit(RATE, SAMPLES, trim=True))


@pytest.mark.parametrize(
    ("samples", "options", "starts"),
    [
        (1000, {}, [0, 400]),
        (1000, {"pad": True}, [0, 400, 800]),
        (1000, {"step": 300}, [0, 300, 600]),
        (1000, {"step": 300, "pad": True}, [0, 300, 600, 900]),
        (400, {}, [0]),
        (1200, {"pad": True}, [0, 400, 800]),
    ],
)
def test_recordings_are_cut_into_pieces(tmp_path, samples, options, starts):
    ramp = np.pad(save(tmp_path / "take.wav", samples), (0, SAMPLES))
    source = folder_source(tmp_path, pitch=32, fit=Fit(RATE, SAMPLES, chop=True, **options))
    assert labels_of(source) == [("take", 32, 100)] * len(starts)
    np.testing.assert_allclose(
        source.audio(slice(0, len(starts))), [ramp[start : start + SAMPLES] for start in starts], atol=1e-4
    )
    assert [source.table.names["piece"][number] for number in source.table.labels["piece"]] == [
        str(number) for number in range(len(starts))
    ]


def test_pieces_know_their_recordings(tmp_path):
    for name, samples in (("a_60.wav", 1000), ("b_61.wav", 400)):
        save(tmp_path / name, samples)
    source = folder_source(tmp_path, fit=Fit(RATE, SAMPLES, chop=True))
    assert source.recordings.tolist() == [0, 0, 1]
    assert source.select(pitches=[61]).recordings.tolist() == [1]
    assert folder_source(tmp_path, fit=Fit(RATE, SAMPLES, trim=True)).recordings is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, delimiter, mark):
    save(tmp_path / "a.wav", SAMPLES)
    rows = (("file", "pitch", "mood"), ("a.wav", "61", "calm, or wild"))
    lines = [delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows]
    (tmp_path / "labels.csv").write_text(mark + "\r\n".join(lines), encoding="utf-8")
    table = folder_source(tmp_path, labels=tmp_path / "labels.csv", fit=FIT).table
    assert (table.pitch[0], table.names["mood"]) == (61, ("calm, or wild",))


def test_other_rates_and_channels_are_converted_on_request(tmp_path):
    time = np.arange(2 * SAMPLES) / (2 * RATE)
    sine = np.sin(2 * np.pi * 200 * time)
    soundfile.write(tmp_path / "a_60.wav", np.stack([sine, 0 * sine], axis=1), 2 * RATE)
    audio = folder_source(tmp_path, fit=Fit(RATE, SAMPLES, convert=True)).audio(slice(0, 1))[0]
    expected = 0.5 * np.sin(2 * np.pi * 200 * np.arange(SAMPLES) / RATE)
    np.testing.assert_allclose(audio[50:-50], expected[50:-50], atol=5e-3)


@pytest.mark.parametrize("rate", [44100, 8011, 3000])
def test_pieces_of_a_converted_recording_are_those_of_the_whole_and_read_alone(tmp_path, monkeypatch, rate):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * rate).astype(np.float32)
    soundfile.write(tmp_path / "take_60.wav", sound, rate, subtype="FLOAT")
    whole = resample(sound, rate, RATE)
    longest = []

    def spied(path, **limits):
        longest.append(len(read_audio(path, **limits).audio))
        return read_audio(path, **limits)

    monkeypatch.setattr(folder, "read_audio", spied)
    source = folder_source(tmp_path, fit=Fit(RATE, SAMPLES, convert=True, chop=True))
    pieces = source.audio(slice(0, 100))
    assert len(pieces) == len(whole) // SAMPLES == 100
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=2e-5)
    assert 0 < max(longest) < 4 * rate


def test_other_sounds_make_another_dataset(tmp_path):
    save(tmp_path / "a_60.wav")
    before = folder_source(tmp_path, fit=FIT).facts
    assert folder_source(tmp_path, fit=FIT).facts == before
    save(tmp_path / "a_60.wav", level=0.6)
    assert folder_source(tmp_path, fit=FIT).facts != before


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("name,pitch\na_60.wav,60\n", DatasetError, "labels have a column 'file'"),
        ("file\nabsent.wav\ngone.wav\n", DatasetError, "Received: absent.wav, gone.wav, which are not there"),
        ("file,pitch\na_60.wav,200\n", ParameterError, "labels.csv: MIDI numbers run from 0 to 127"),
        ("file,family\na_60.wav,strings\n", ParameterError, "unknown family 'strings'. Did you mean 'string'"),
        ("file,audio\na_60.wav,x\n", ParameterError, "a tag is a word .* Received: 'audio'"),
        ("file,my tag\na_60.wav,x\n", ParameterError, "a tag is a word .* Received: 'my tag'"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path, text, error, words):
    save(tmp_path / "a_60.wav")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(error, match=words):
        folder_source(tmp_path, labels=tmp_path / "labels.csv", fit=FIT)


# --- the command --------------------------------------------------------------------------------------------------

DOOR = ["notes", "--source", "folder", "--sample_rate", "4000", "--length", "0.1"]


def test_the_command_reads_a_folder(tmp_path):
    save(tmp_path / "own" / "a_60.wav")
    save(tmp_path / "own" / "b_62.wav", 900, level=0.1)
    flags = ["--notes_from", "own", "--chop", "--chop_step", "0.05", "--tags", "family=string,mood=calm"]
    assert registry.main([*DOOR, *flags, "--normalise", "--pitches", "61:70"]) == 0
    with Dataset("test_datasets/notes.hdf5") as dataset:
        assert len(dataset) == 3
        assert dataset.card.normalise
        np.testing.assert_array_equal(np.abs(dataset.audio[:]).max(axis=1), 1.0)
        counts = dataset.count_labels()
    assert counts == {
        **{"instrument": {"b": 3}, "family": {"string": 3}, "source": {"unknown": 3}, "style": {"normal": 3}},
        **{"split": {"train": 3}, "qualities": {}, "mood": {"calm": 3}, "piece": {"0": 1, "1": 1, "2": 1}},
    }


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "SettingsError: notes are read from a folder of sounds. Received: none"),
        (["--notes_from", "absent"], "DatasetError: notes are read from a folder of sounds. Received: absent"),
        (["--notes_from", "."], "DatasetError: a folder of notes holds sounds"),
        (["--notes_from", "own"], "AudioError: the sounds of own must be mono"),
        (["--notes_from", "own", "--trim", "--chop"], "SettingsError: a sound that is too long is trimmed or chopped"),
        (["--notes_from", "own", "--tags", "calm"], "SettingsError: tags are written name=value. Received: calm"),
        (["--notes_from", "own", "--trim", "--pitches", "61"], "DatasetError: some of 1 notes must be left"),
    ],
)
def test_bad_input_exits_with_one_line_and_2(tmp_path, capsys, argv, line):
    if "own" in argv:
        save(tmp_path / "own" / "a_60.wav", 900)
    assert registry.main([*DOOR, *argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert not (tmp_path / "test_datasets").exists()


def test_a_name_that_is_not_utf8_is_an_instrument_of_text() -> None:
    assert labels_in_name(os.fsdecode(b"caf\xe9_60")) == {"instrument": "caf\\xe9", "pitch": 60}
    assert labels_in_name("café_60") == {"instrument": "café", "pitch": 60}
