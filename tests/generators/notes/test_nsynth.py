"""NSynth as released: both forms give the same dataset, and every kind of broken file is reported."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators import registry
from generators.dataset import Dataset
from generators.errors import AudioError, DatasetError
from generators.notes.labels import QUALITIES
from generators.notes.nsynth import gansynth_subset, nsynth_source
from generators.notes.tfrecord import LARGEST, MOST_INTEGERS, parse_example, read_record, scan_records
from generators.tensorflow_files import MASK, masked_crc32c
from tests.generators.notes.records import write_example, write_records

RATE, SAMPLES = 4000, 400
FIT = {"sample_rate": RATE, "samples": SAMPLES}

GOLDEN = bytes.fromhex(
    "5e00000000000000d8b06ebc0a5c0a150a05617564696f120c120a0a080000003f000080be0a290a086e6f74655f737472121d0a1b0a1962"
    "6173735f61636f75737469635f3030302d3036302d3032350a180a057069746368120f1a0d0a0b3cfdffffffffffffffff011a50b886"
)
"""What tf.io.TFRecordWriter of TensorFlow 2.21 writes for one Example of a name, two floats and two integers."""


def note(family: int, source: int, number: int, pitch: int, velocity: int, qualities: tuple[int, ...] = ()):
    """A note as `examples.json` describes it, its name first."""
    families = ("bass", "brass", "flute", "guitar")
    instrument = f"{families[family]}_{('acoustic', 'electronic', 'synthetic')[source]}_{number:03d}"
    return f"{instrument}-{pitch:03d}-{velocity:03d}", {
        **{"note": number, "instrument_str": instrument, "pitch": pitch, "velocity": velocity, "sample_rate": 16000},
        **{"instrument_family": family, "instrument_source": source},
        "qualities": [int(bit in qualities) for bit in range(10)],
    }


NOTES = dict(
    [
        *(note(0, 0, 1, 24, 25, (0, 9)), note(0, 0, 1, 60, 127), note(1, 0, 2, 84, 100, (1,))),
        *(note(2, 1, 3, 60, 50), note(3, 0, 4, 85, 75), note(3, 2, 5, 23, 75)),
    ]
)
SOUNDS = {name: np.round(np.random.default_rng(i).uniform(-1, 1, SAMPLES) * 32767) for i, name in enumerate(NOTES)}


def save_folder(folder: Path, notes=NOTES) -> Path:
    (folder / "audio").mkdir(parents=True)
    (folder / "examples.json").write_text(json.dumps(notes))
    for name in notes:
        soundfile.write(folder / "audio" / f"{name}.wav", SOUNDS[name].astype(np.int16), RATE)
    return folder


def example(name: str, **changes):
    labels = NOTES[name]
    features = {
        "note_str": [name.encode()],
        "audio": (SOUNDS[name] / 32768).astype(np.float32),
        "qualities": np.asarray(labels["qualities"]),
        **{key: np.asarray([labels[key]]) for key in ("pitch", "velocity", "instrument_family", "instrument_source")},
    }
    return write_example({key: value for key, value in (features | changes).items() if value is not None})


def save_records(path: Path, notes=NOTES) -> Path:
    write_records(path, (example(name) for name in sorted(notes)))
    return path


# --- records ------------------------------------------------------------------------------------------------------


def unmasked_crc32c(data: bytes) -> int:
    """Undo the mask of TFRecord files."""
    rotated = (masked_crc32c(data) - MASK) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def test_checksums_are_those_of_the_standard():
    assert unmasked_crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert unmasked_crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert unmasked_crc32c(bytes([255] * 32)) == 0x62A8AB43
    assert unmasked_crc32c(bytes(range(32))) == 0x46DD794E
    assert unmasked_crc32c(b"") == 0
    assert masked_crc32c(struct.pack("<Q", 0x5E)) == 0xBC6EB0D8  # as in the golden file


def test_a_file_of_tensorflow_is_read_and_written_identically(tmp_path):
    (tmp_path / "golden").write_bytes(GOLDEN)
    ((record, data),) = scan_records(tmp_path / "golden")
    assert (record.number, record.offset, record.length) == (0, 12, 94)
    assert read_record(record) == data
    features = parse_example(data)
    assert features["note_str"] == [b"bass_acoustic_000-060-025"]
    assert features["audio"].tolist() == [0.5, -0.25]
    assert features["pitch"].tolist() == [60, -3]
    write_records(
        tmp_path / "again", [write_example({name: features[name] for name in ("audio", "note_str", "pitch")})]
    )
    assert (tmp_path / "again").read_bytes() == GOLDEN


def test_lists_that_are_not_packed_are_read_too():
    integers = b"\x1a\x05\x08\x3c\x08\xac\x02"  # field 3: 60, 300
    floats = b"\x12\x0a\x0d\x00\x00\x00\x3f\x0d\x00\x00\x80\xbe"  # field 2: 0.5, -0.25
    entries = b"".join(
        b"\x0a" + bytes([len(entry)]) + entry
        for name, feature in ((b"p", integers), (b"a", floats))
        for entry in [b"\x0a\x01" + name + b"\x12" + bytes([len(feature)]) + feature]
    )
    features = parse_example(b"\x0a" + bytes([len(entries)]) + entries)
    assert features["p"].tolist() == [60, 300]
    assert features["a"].tolist() == [0.5, -0.25]


@pytest.mark.parametrize("place", range(0, len(GOLDEN), 7))
def test_a_flipped_bit_anywhere_is_noticed(tmp_path, place):
    broken = bytearray(GOLDEN)
    broken[place] ^= 16
    (tmp_path / "broken").write_bytes(broken)
    with pytest.raises(DatasetError, match=r"must agree with (its|their) checksum. Received: .*record 0 of"):
        list(scan_records(tmp_path / "broken"))


@pytest.mark.parametrize("length", [1, 11, 12, 60, len(GOLDEN) - 1])
def test_a_file_that_is_cut_off_is_noticed(tmp_path, length):
    (tmp_path / "cut").write_bytes(GOLDEN + GOLDEN[:length])
    with pytest.raises(DatasetError, match=r"is cut off in record 1. Fetch it again"):
        list(scan_records(tmp_path / "cut"))


def test_a_record_and_a_list_have_a_bounded_size(tmp_path):
    length = struct.pack("<Q", LARGEST + 1)
    (tmp_path / "huge").write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"data")
    with pytest.raises(
        DatasetError, match=f"a record has at most {LARGEST} bytes. Received: record 0 of .*, of {LARGEST + 1}"
    ):
        list(scan_records(tmp_path / "huge"))
    most = write_example({"n": np.zeros(MOST_INTEGERS, np.int64)})
    assert len(parse_example(most)["n"]) == MOST_INTEGERS
    with pytest.raises(ValueError, match=f"a list of more than {MOST_INTEGERS} integers"):
        parse_example(write_example({"n": np.zeros(MOST_INTEGERS + 1, np.int64)}))


def test_a_record_file_that_is_gone_when_it_is_read_again_is_named(tmp_path):
    (tmp_path / "golden").write_bytes(GOLDEN)
    ((record, _),) = scan_records(tmp_path / "golden")
    (tmp_path / "golden").unlink()
    with pytest.raises(DatasetError, match=r"cannot open .*golden again: No such file"):
        read_record(record)


# --- the dataset --------------------------------------------------------------------------------------------------


def test_both_forms_hold_the_same_notes(tmp_path):
    one = nsynth_source(save_folder(tmp_path / "nsynth-valid"), **FIT)
    two = nsynth_source(save_records(tmp_path / "nsynth-valid.tfrecord"), **FIT)
    assert one.table.digest == two.table.digest
    assert one.table.names == two.table.names
    assert one.has_split
    assert two.has_split
    np.testing.assert_array_equal(one.audio(slice(0, 6)), two.audio(slice(0, 6)))
    np.testing.assert_array_equal(one.audio(slice(1, 2))[0], SOUNDS[sorted(NOTES)[1]].astype(np.float32) / 32768)
    table = one.table
    first = {
        label: table.names[label][int(table.labels[label][0])] for label in ("instrument", "family", "source", "split")
    }
    assert first == {"instrument": "bass_acoustic_001", "family": "bass", "source": "acoustic", "split": "valid"}
    assert (table.pitch[0], table.velocity[0]) == (24, 25)
    assert table.labels["qualities"][0] == 1 << QUALITIES.index("bright") | 1 << QUALITIES.index("tempo-synced")


def test_a_folder_of_splits_is_one_dataset(tmp_path):
    names = sorted(NOTES)
    save_folder(tmp_path / "all" / "nsynth-train", {name: NOTES[name] for name in names[:3]})
    save_records(tmp_path / "all" / "nsynth-test.tfrecord", names[3:5])
    save_records(tmp_path / "all" / "nsynth-valid.tfrecord-00000-of-00001", names[5:])
    source = nsynth_source(tmp_path / "all", **FIT)
    splits = [source.table.names["split"][number] for number in source.table.labels["split"]]
    assert splits == ["test"] * 2 + ["train"] * 3 + ["valid"]  # parts in the order of their names
    np.testing.assert_array_equal(source.audio(slice(0, 1))[0], SOUNDS[names[3]].astype(np.float32) / 32768)
    assert not nsynth_source(save_folder(tmp_path / "mine"), **FIT).has_split


def test_the_gansynth_subset_is_acoustic_and_of_61_pitches(tmp_path):
    subset = gansynth_subset(nsynth_source(save_folder(tmp_path / "n"), **FIT)).table
    assert subset.names["instrument"] == ("bass_acoustic_001", "brass_acoustic_002")
    assert subset.pitch.tolist() == [24, 60, 84]


def absent(folder):
    for name in sorted(NOTES)[:2]:
        (folder / "audio" / f"{name}.wav").unlink()


def edit(change):
    def act(folder):
        notes = json.loads((folder / "examples.json").read_text())
        change(notes)
        (folder / "examples.json").write_text(json.dumps(notes))

    return act


FIRST = sorted(NOTES)[0]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (absent, r"for each of 6 notes. Received: it without bass_acoustic_001-024-025, bass_acoustic_001-060-127$"),
        (lambda folder: (folder / "examples.json").write_text("{"), "as JSON"),
        (lambda folder: (folder / "examples.json").write_text("[1]"), "maps names of notes to their labels"),
        (edit(lambda notes: notes[FIRST].pop("pitch")), f"Received: {FIRST} in .*at fault: 'pitch'"),
        (edit(lambda notes: notes[FIRST].update(instrument_family=11)), "a number out of range"),
        (edit(lambda notes: notes[FIRST].update(qualities=[1])), "ten qualities"),
        (lambda folder: (folder / "examples.json").unlink(), "NSynth comes as folders of examples.json and audio"),
    ],
)
def test_a_broken_folder_is_refused_in_one_line(tmp_path, harm, words):
    folder = save_folder(tmp_path / "nsynth-train")
    harm(folder)
    with pytest.raises(DatasetError, match=words) as fault:
        nsynth_source(folder, **FIT)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audio": np.zeros(399, np.float32)}, "a note has 400 samples. Received: 399 in record 0 of"),
        ({"pitch": None}, "at fault: 'pitch'"),
        ({"qualities": np.zeros(9, np.int64)}, "ten qualities"),
        ({"note_str": []}, "at fault: list index out of range"),
        ({"instrument_source": np.asarray([3])}, "a number out of range"),
    ],
)
def test_a_broken_record_is_refused_in_one_line(tmp_path, changes, words):
    write_records(tmp_path / "n.tfrecord", [example(FIRST, **changes)])
    with pytest.raises(DatasetError, match=words):
        nsynth_source(tmp_path / "n.tfrecord", **FIT)
    write_records(tmp_path / "n.tfrecord", [b"\x0a\xff"])
    with pytest.raises(DatasetError, match=r"record 0 of .*, at fault: an integer without an end"):
        nsynth_source(tmp_path / "n.tfrecord", **FIT)


def test_sounds_of_another_kind_are_refused_when_they_are_read(tmp_path):
    folder = save_folder(tmp_path / "n")
    soundfile.write(folder / "audio" / f"{FIRST}.wav", np.zeros((SAMPLES, 2)), RATE)
    with pytest.raises(AudioError, match=r"a note is mono, of 4000 Hz and 400 samples. Received: .*, 2 channels"):
        nsynth_source(folder, **FIT).audio(slice(0, 1))


def test_the_command_reads_nsynth(tmp_path, capsys):
    save_folder(tmp_path / "nsynth-train")
    flags = ["notes", "--source", "nsynth", "--sample_rate", "4000", "--length", "0.1"]
    assert (
        registry.main([*flags, "--notes_from", "nsynth-train", "--subset", "gansynth", "--velocities", "25,100"]) == 0
    )
    with Dataset("test_datasets/notes.hdf5") as dataset:
        assert dataset.count_labels() == {
            **{"instrument": {"bass_acoustic_001": 1, "brass_acoustic_002": 1}, "family": {"bass": 1, "brass": 1}},
            **{"source": {"acoustic": 2}, "style": {"normal": 2}, "split": {"train": 2}},
            "qualities": {"bright": 1, "dark": 1, "tempo-synced": 1},
        }
    capsys.readouterr()
    for argv, line in (
        ([], "SettingsError: source nsynth needs the files of NSynth"),
        (["--notes_from", "absent"], "DatasetError: NSynth comes as folders"),
    ):
        assert registry.main([*flags, *argv, "--name", "other"]) == 2
        assert capsys.readouterr().err.startswith(line)
    assert not Path("test_datasets/other.hdf5").exists()
