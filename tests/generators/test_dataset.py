"""The dataset file: how it describes itself, and every way in which a file can be wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from generators.dataset import Card, Dataset
from generators.errors import DatasetError
from generators.sine_generator import SineSynth

ROOT = Path(__file__).parents[2]


def card(**changes):
    fields = {"synth": "sine", "space": SineSynth.space.to_json(), "sample_rate": 4000, "length": 0.1, "seed": 1}
    fields |= {"sampling_method": "random", "normalise": False, "num_examples": 10}
    return Card(**(fields | changes))


def fill(dataset, rows):
    count = rows.stop - rows.start
    audio = np.arange(count * 400, dtype=np.float32).reshape(count, 400)
    dataset.write(rows, audio, np.ones((count, 4), np.uint8), np.ones((count, 4), np.float32))
    return audio


def test_a_file_explains_itself(tmp_path):
    with Dataset.create(tmp_path / "d.hdf5", card()) as dataset:
        written = fill(dataset, slice(2, 5))
    with Dataset(tmp_path / "d.hdf5") as dataset:
        assert dataset.card == card()
        assert dataset.space == SineSynth.space
        assert (len(dataset), dataset.samples) == (10, 400)
        assert dataset.finished().tolist() == [2, 3, 4]
        assert dataset.audio.dtype == np.float32
        assert dataset.classes.dtype == np.uint8
        assert dataset.values.dtype == np.float32
        audio, classes = dataset.read([4, 2])
        np.testing.assert_array_equal(audio, written[[2, 0]])
        assert classes.tolist() == [[1] * 4] * 2
        assert [block.start for block in dataset.blocks(4)] == [0, 4, 8]


def test_unfinished_datasets_are_recognised(tmp_path):
    with Dataset.create(tmp_path / "d.hdf5", card()) as dataset:
        with pytest.raises(DatasetError, match=r"has no finished rows. Generate it first"):
            dataset.check_finished()
        fill(dataset, slice(0, 4))
        with pytest.raises(DatasetError, match=r"unfinished: 4 of 10 rows. Run its generator again"):
            dataset.check_finished()
        fill(dataset, slice(4, 10))
        dataset.check_finished()


def test_cards_name_their_difference():
    assert card().difference(card()) == ""
    assert card().difference(card(seed=2)) == "seed 1 against 2"
    other = card(space=SineSynth.space.to_json().replace("1600.0", "1700.0"))
    assert card().difference(other) == "levels of 'f2': 3 from 800 to 1600 against 3 from 800 to 1700"


def test_other_descriptions_of_a_space_hide_no_other_difference():
    reworded = SineSynth.space.to_json().replace("frequency of the lower sine", "lower frequency")
    assert reworded != SineSynth.space.to_json()
    assert card().difference(card(space=reworded)) == ""
    assert card().difference(card(space=reworded, seed=2)) == "seed 1 against 2"


# --- labels and crops ---------------------------------------------------------------------------------------------

NAMES = {"instrument": ["violin", "flute", "oboe"], "qualities": ["bright", "dark", "reverb"]}
LABELS = (("instrument", "int32"), ("qualities", "uint16"), ("take", "uint8"))


@pytest.fixture
def labelled(tmp_path):
    """A dataset of ten rows: instruments 0, 1, 0, 1, …, qualities 0, 1, …, takes 7."""
    options = json.dumps({"names": NAMES, "masks": ["qualities"], "gain": 1.0})
    with Dataset.create(tmp_path / "d.hdf5", card(options=options, labels=LABELS)) as dataset:
        audio = np.random.default_rng(0).standard_normal((10, 400)).astype(np.float32)
        empty = np.zeros((10, 4), np.uint8)
        takes = np.full(10, 7)
        dataset.write(
            slice(0, 10), audio, empty, empty, instrument=np.arange(10) % 2, qualities=np.arange(10), take=takes
        )
    return tmp_path / "d.hdf5", audio


def test_labels_are_columns_of_their_own_type_with_names(labelled):
    with Dataset(labelled[0]) as dataset:
        assert (dataset.card.labels, dataset.card.names, dataset.card.masks) == (LABELS, NAMES, ("qualities",))
        instrument, audio, qualities = dataset.read_columns([9, 0, 4], ("instrument", "audio", "qualities"))
        assert (instrument.dtype, instrument.tolist()) == (np.dtype(np.int32), [1, 0, 0])
        assert (qualities.dtype, qualities.tolist()) == (np.dtype(np.uint16), [9, 0, 4])
        np.testing.assert_array_equal(audio, labelled[1][[9, 0, 4]])
        assert dataset.read_columns(slice(2, 4), ("instrument",))[0].tolist() == [0, 1]
        assert dataset.identity["gain"] == 1.0
        assert "names" not in dataset.identity
        assert "labels" not in dataset.identity


def test_labels_are_counted_by_name_in_blocks(labelled):
    with Dataset(labelled[0]) as dataset:
        counts = dataset.count_labels()
        assert counts == dataset.count_labels(size=3)
    assert counts["instrument"] == {"violin": 5, "flute": 5}
    # of 0..9 five are odd, four have the second bit, four the third, and two the fourth, which has no name
    assert counts["qualities"] == {"bright": 5, "dark": 4, "reverb": 4, "3": 2}
    assert counts["take"] == {"7": 10}


@pytest.mark.parametrize("writable", [False, True], ids=["straight from the file", "through HDF5"])
def test_crops_are_pieces_of_rows(labelled, writable):
    path, audio = labelled
    rows, starts = [3, 9, 3, 0], [0, 300, 17, 399]
    with Dataset(path, writable=writable) as dataset:
        crops = dataset.read_crops(rows, starts, 1)
        assert crops.shape == (4, 1)
        assert crops.dtype == np.float32
        for length in (1, 100):
            crops = dataset.read_crops(rows[:3], starts[:3], length)
            expected = [audio[row, start : start + length] for row, start in zip(rows[:3], starts[:3], strict=True)]
            np.testing.assert_array_equal(crops, expected)
        np.testing.assert_array_equal(dataset.read_crops([1, 2], 0, 400), audio[1:3])
        assert dataset.read_crops([], [], 5).shape == (0, 5)


@pytest.mark.parametrize(
    ("rows", "starts", "length", "words"),
    [
        ([0], [1], 400, "lies within the 400 samples of a sound of .*Received: 400 samples from 1..1"),
        ([0, 1], [0, -1], 10, "Received: 10 samples from -1..0"),
        ([0], [0], 0, "Received: 0 samples"),
        ([10], [0], 5, "run from 0 to 9. Received: 10..10"),
    ],
)
def test_crops_beyond_a_sound_are_refused(labelled, rows, starts, length, words):
    with Dataset(labelled[0]) as dataset, pytest.raises(DatasetError, match=words):
        dataset.read_crops(rows, starts, length)


def test_names_of_many_labels_fit_into_a_card_and_count_in_its_difference(tmp_path):
    names = [f"instrument number {i}" for i in range(20_000)]
    many = card(options=json.dumps({"names": {"instrument": names}}), labels=(("instrument", "int32"),))
    with Dataset.create(tmp_path / "d.hdf5", many):
        pass
    with Dataset(tmp_path / "d.hdf5") as dataset:
        assert dataset.card.difference(many) == ""
        assert dataset.card.names == {"instrument": names}
        other = card(options=json.dumps({"names": {"instrument": names[1:]}}), labels=many.labels)
        assert dataset.card.difference(other) == "other names of labels"


def truncated(path):
    with Dataset.create(path, card()):
        pass
    path.write_bytes(path.read_bytes()[:-5000])


def foreign(path):
    import h5py

    with h5py.File(path, "w") as file:
        file["audio"] = np.zeros(3)


def reshaped(path):
    import h5py

    with Dataset.create(path, card()):
        pass
    with h5py.File(path, "r+") as file:
        del file["classes"]
        file["classes"] = np.zeros((3, 4), np.uint8)


def incomplete(path):
    import h5py

    with Dataset.create(path, card()):
        pass
    with h5py.File(path, "r+") as file:
        del file["values"]


def garbled(path):
    import h5py

    with Dataset.create(path, card()):
        pass
    with h5py.File(path, "r+") as file:
        file.attrs["options"] = "[1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such dataset"),
        (lambda path: path.mkdir(), "a dataset is a file. Received: the folder"),
        (lambda path: path.write_bytes(b""), "is empty. Delete it and generate the dataset again"),
        (lambda path: path.write_bytes(b"hello" * 1000), "is no HDF5 file"),
        (truncated, "is truncated. Delete it and generate the dataset again"),
        (foreign, "is no dataset of this project (schema 'inversynth-dataset/1'). Received: schema None"),
        (reshaped, "classes of"),
        (garbled, "a dataset holds audio, classes, values, done and their card"),
        (incomplete, "a dataset holds audio, classes, values, done and their card"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_wrong_file_is_refused_and_left_alone(tmp_path, make, message):
    path = tmp_path / "d.hdf5"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DatasetError) as fault:
        Dataset(path)
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_dataset_too_large_for_the_disk_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DatasetError, match=r"GB free. Ask for fewer examples"):
        Dataset.create(tmp_path / "d.hdf5", card(num_examples=10**12))
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot write"):
        Dataset.create(tmp_path / "file" / "d.hdf5", card())


def test_a_second_writer_is_kept_out(tmp_path):
    path = tmp_path / "d.hdf5"
    attempt = "import sys; from generators.dataset import Dataset\n"
    attempt += "try: Dataset(sys.argv[1], writable=True)\nexcept Exception as e: print(e)"
    with Dataset.create(path, card()):
        message = subprocess.run(
            [sys.executable, "-c", attempt, path], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    assert message == f"{path} is being written by another process. Wait for it to end\n"
