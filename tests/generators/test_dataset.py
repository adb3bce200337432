"""The dataset file: how it describes itself, and every way in which a file can be wrong."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators.dataset import Card, Dataset, dataset_files, dataset_path, shard_rows
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


def test_classes_that_the_space_lacks_are_found_before_any_work(tmp_path):
    with Dataset.create(tmp_path / "d.hdf5", card()) as dataset:
        fill(dataset, slice(0, 10))
        dataset.classes[7] = [0, 0, 0, 99]
        with pytest.raises(DatasetError, match=r"is damaged: classes of .* run from 0 to \d+\. Received: 99"):
            dataset.check_finished()


@pytest.mark.parametrize(
    ("sample", "words"), [(np.nan, "NaN or infinity"), (-np.inf, "NaN or infinity"), (1e38, r"1e\+38")]
)
def test_samples_that_are_no_sound_are_refused_where_they_are_read(tmp_path, sample, words):
    with Dataset.create(tmp_path / "d.hdf5", card()) as dataset:
        fill(dataset, slice(0, 10))
        dataset.audio[7] = [0.0] * 399 + [sample]
        assert len(dataset.read([0, 6, 8])[0]) == 3
        for read in (
            lambda: dataset.read([7]),
            lambda: dataset.read(slice(5, 9)),
            lambda: dataset.read_crops([7], 399, 1),
        ):
            with pytest.raises(DatasetError, match=rf"within ±2\^31. Received: .*{words}"):
                read()
        dataset.read_crops([7], 0, 399)


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
    with h5py.File(path, "w") as file:
        file["audio"] = np.zeros(3)


def reshaped(path):
    with Dataset.create(path, card()):
        pass
    with h5py.File(path, "r+") as file:
        del file["classes"]
        file["classes"] = np.zeros((3, 4), np.uint8)


def incomplete(path):
    with Dataset.create(path, card()):
        pass
    with h5py.File(path, "r+") as file:
        del file["values"]


def garbled(path):
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


def attempt(code, *arguments):
    """Run code in another process; returns what it prints, an error among it."""
    code = f"import sys\nfrom generators.dataset import Dataset\ntry: {code}\nexcept Exception as e: print(e)"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the kernel's file locks are POSIX")
def test_a_second_writer_is_kept_out_and_told_of_the_first(tmp_path):
    path = tmp_path / "d.hdf5"
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    advice = "Wait for it to end, or generate a part of your own with --shard"
    with Dataset.create(path, card()) as dataset:
        fill(dataset, slice(0, 10))
        refusal = f"{path} is being written by {holder}. {advice}\n"
        assert attempt("Dataset(sys.argv[1], writable=True)", path) == refusal
        with pytest.raises(DatasetError, match=f"is being written by {holder}"):
            Dataset.create(path, card())
        assert attempt("Dataset(sys.argv[1])", path) == f"{path} is being written by {holder}. Wait for it to end\n"
    assert [each.name for each in tmp_path.iterdir()] == ["d.hdf5"]
    with Dataset(path) as dataset:
        assert len(dataset.finished()) == 10


# --- hostile files ----------------------------------------------------------------------------------------------------


def raw(column, kind):
    """Replace a column by a contiguous one of a type whose values are pointers, filled with 0x41."""

    def change(file, path):
        shape = file[column].shape
        del file[column]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.CONTIGUOUS)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        stored = h5py.h5t.py_create(np.dtype(kind), logical=True)
        made = h5py.h5d.create(file.id, column.encode(), stored, h5py.h5s.create_simple(shape), properties)
        start, size = made.get_offset(), made.get_storage_size()
        file.flush()
        with path.open("r+b") as content:
            content.seek(start)
            content.write(b"A" * size)

    return change


def stored(column, kind=None, shape=None, **options):
    def change(file, path):
        old = file[column]
        kinds, shapes = old.dtype if kind is None else kind, old.shape if shape is None else shape
        del file[column]
        file.create_dataset(column, shapes, kinds, **options)

    return change


def linked(column, link):
    def change(file, path):
        del file[column]
        file[column] = link

    return change


def virtual(file, path):
    shape, kind = file["audio"].shape, file["audio"].dtype
    del file["audio"]
    layout = h5py.VirtualLayout(shape, kind)
    layout[...] = h5py.VirtualSource("elsewhere.hdf5", "audio", shape)
    file.create_virtual_dataset("audio", layout)


def grouped(column):
    def change(file, path):
        del file[column]
        file.create_group(column)

    return change


def vast(file, path):
    """Promise 3e8 rows that take no room."""
    for column in list(file):
        shape, kind = file[column].shape, file[column].dtype
        del file[column]
        fill = True if column == "done" else None
        file.create_dataset(column, (300_000_000, *shape[1:]), kind, chunks=(1024, *shape[1:]), fillvalue=fill)
    file.attrs["num_examples"] = 300_000_000


def attribute(name, value):
    return lambda file, path: file.attrs.__setitem__(name, value)


ANYWHERE = [("external", 0, h5py.h5f.UNLIMITED)]
HARM = {
    **{f"{column}-of-strings": raw(column, h5py.string_dtype()) for column in ("audio", "classes", "values", "done")},
    **{f"{column}-of-arrays": raw(column, h5py.vlen_dtype(np.float32)) for column in ("audio", "done")},
    **{f"{column}-of-references": raw(column, h5py.ref_dtype) for column in ("audio", "classes")},
    **{f"{column}-is-a-group": grouped(column) for column in ("audio", "classes", "values", "done")},
    **{f"{column}-of-s4": stored(column, "S4") for column in ("audio", "values")},
    **{f"audio-of-{kind.strip('>')}": stored("audio", kind) for kind in (">f4", "f8", "f2", "i4", "c8", "V4")},
    **{f"done-of-{kind}": stored("done", kind) for kind in ("i1", "u1")},
    **{f"classes-{name}": stored("classes", shape=shape) for name, shape in {"scalar": (), "empty": (0, 4)}.items()},
    "audio-in-chunks": stored("audio", chunks=(1, 400)),
    "audio-compressed": stored("audio", compression="gzip"),
    "audio-growing": stored("audio", maxshape=(None, 400)),
    "audio-in-another-file": stored("audio", external=ANYWHERE),
    "audio-virtual": virtual,
    "audio-external-link": linked("audio", h5py.ExternalLink("other.hdf5", "/audio")),
    "audio-soft-link": linked("audio", h5py.SoftLink("/values")),
    "audio-link-loop": linked("audio", h5py.SoftLink("/audio")),
    "rows-3e8": vast,
    **{f"length-{value}": attribute("length", value) for value in (np.inf, np.nan, 0.0, -1.0, 1e300)},
    **{f"rate-{value}": attribute("sample_rate", value) for value in (np.inf, 0, -1, 2**31 - 1, 2**62, 1)},
    **{f"examples-{value}": attribute("num_examples", value) for value in (np.inf, 0, -1, 2**62, 11)},
    **{f"seed-{value}": attribute("seed", value) for value in (np.inf, np.nan, -1)},
    **{f"{name}-of-numbers": attribute(name, np.arange(3)) for name in ("length", "seed", "synth", "space", "schema")},
    **{f"{name}-of-text": attribute(name, "many") for name in ("length", "seed", "normalise")},
    **{f"{name}-of-bytes": attribute(name, np.bytes_(b"\xff\xfe")) for name in ("synth", "space", "seed")},
    **{f"{name}-empty": attribute(name, h5py.Empty("f4")) for name in ("synth", "length", "num_examples")},
    **{f"{name}-nested": attribute(name, "[" * 60_000) for name in ("space", "options", "companions", "labels")},
    **{f"space-{name}": attribute("space", text) for name, text in {"nan": "NaN", "list": "[]", "text": "x"}.items()},
    "options-list": attribute("options", "[1]"),
    "options-names": attribute("options", '{"names": {"a": [1]}}'),
    "options-endless": attribute("options", '{"noise": 1e999}'),
    "companions-up": attribute("companions", '["../audio"]'),
    "companions-twice": attribute("companions", '["values"]'),
    "companions-number": attribute("companions", "[3]"),
    "labels-no-pair": attribute("labels", '["abc"]'),
    "labels-float": attribute("labels", '[["a", "float32"]]'),
    **{
        f"shard-{text.replace('/', '-')}": attribute("shard", text) for text in ("0/2", "3/2", "2/1", "1/99", "a/b", "")
    },
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_only_our_own_layout_is_read(tmp_path, harm):
    path = tmp_path / "d.hdf5"
    with Dataset.create(path, card()) as dataset:
        fill(dataset, slice(0, 10))
    (tmp_path / "external").write_bytes(bytes(1 << 16))
    with Dataset.create(tmp_path / "other.hdf5", card()):
        pass
    with h5py.File(path, "r+") as file:
        harm(file, path)
    for writable in (False, True):
        with pytest.raises(DatasetError) as fault:
            Dataset(path, writable=writable)
        assert "\n" not in str(fault.value)
        assert str(path) in str(fault.value)


def test_a_file_with_anything_in_front_is_refused(tmp_path):
    with Dataset.create(tmp_path / "d.hdf5", card()):
        pass
    (tmp_path / "d.hdf5").write_bytes(bytes(512) + (tmp_path / "d.hdf5").read_bytes())
    with pytest.raises(DatasetError, match="is no HDF5 file"):
        Dataset(tmp_path / "d.hdf5")


def test_truncation_anywhere_is_found(tmp_path):
    path = tmp_path / "d.hdf5"
    with Dataset.create(path, card()) as dataset:
        fill(dataset, slice(0, 10))
    content = path.read_bytes()
    for size in {*range(1, len(content), 397), len(content) - 1}:
        path.write_bytes(content[:size])
        with pytest.raises(DatasetError):
            Dataset(path)


def test_damage_anywhere_is_refused_or_harmless(tmp_path):
    path = tmp_path / "d.hdf5"
    with Dataset.create(path, card(options='{"noise": 1}')) as dataset:
        fill(dataset, slice(0, 10))
    content = path.read_bytes()
    random = np.random.default_rng(0)
    messages = []
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(0, 4000, 3):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        try:
            with Dataset(path) as dataset:
                assert dataset.read([0, 9])[0].shape == (2, dataset.samples)
        except DatasetError as error:
            messages.append(str(error))
    assert len(messages) > 10
    assert not any("\n" in message for message in messages)


def test_flags_are_flags_whatever_their_bytes(tmp_path):
    path = tmp_path / "d.hdf5"
    with Dataset.create(path, card()) as dataset:
        offset = dataset._parts[0].columns["done"].id.get_offset()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x07\x00\xff")
    with Dataset(path) as dataset:
        assert dataset.finished().tolist() == [0, 2]
        assert (~dataset.done[:3]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 2**64}, r"seed of a dataset lies in 0\.\.2\^63 - 1\. Received: 18446744073709551616"),
        ({"num_examples": 10**400}, r"num_examples of a dataset lies in .*Received: 10000"),
        ({"sample_rate": 10**9}, "sample_rate of a dataset lies in"),
        ({"length": 1e300}, "length of a dataset makes 1 to 268,435,456 samples"),
        ({"labels": (("up/and", "int32"),)}, "a column of a dataset has a name of its own"),
    ],
)
def test_numbers_beyond_their_bounds_make_no_file(tmp_path, changes, words):
    with pytest.raises(DatasetError, match=words) as fault:
        Dataset.create(tmp_path / "a" / "d.hdf5", card(**changes))
    assert len(str(fault.value)) < 400
    assert not list(tmp_path.iterdir())


def test_the_bytes_of_a_file_follow_from_its_rows(tmp_path):
    def make(name, blocks):
        with Dataset.create(tmp_path / name, card(labels=LABELS[2:])) as dataset:
            for first, last in blocks:
                audio = np.arange(first * 400, last * 400, dtype=np.float32).reshape(-1, 400)
                empty = np.zeros((last - first, 4))
                dataset.write(slice(first, last), audio, empty, empty, take=np.arange(first, last))
        return (tmp_path / name).read_bytes()

    first = make("a.hdf5", [(0, 10)])
    time.sleep(1.1)
    assert make("b.hdf5", [(5, 10), (0, 5)]) == first


# --- shards -----------------------------------------------------------------------------------------------------------


def whole_and_shards(folder, count=3):
    """Write a dataset of ten rows as one file and as shards; returns the paths."""
    audio = np.random.default_rng(0).standard_normal((10, 400)).astype(np.float32)
    classes, takes = (np.arange(40, dtype=np.uint8) * 7 % 13 % 3).reshape(10, 4), np.arange(10)
    paths = []
    for shard in [(1, 1), *((k, count) for k in range(1, count + 1))]:
        paths.append(dataset_path(folder, "d", shard))
        rows = shard_rows(10, shard)
        part = slice(rows.start, rows.stop)
        with Dataset.create(paths[-1], card(labels=LABELS[2:]), shard) as dataset:
            assert (len(dataset), dataset.first_row, dataset.name) == (len(rows), rows.start, "d")
            dataset.write(
                slice(0, len(rows)), audio[part], classes[part], classes[part].astype(np.float32), take=takes[part]
            )
    return paths


def test_shards_are_one_dataset(tmp_path):
    one, *shards = whole_and_shards(tmp_path)
    assert [path.name for path in shards] == ["d.1of3.hdf5", "d.2of3.hdf5", "d.3of3.hdf5"]
    rows = [9, 0, 3, 2, 6, 3]
    for given in (shards, shards[::-1], ",".join(map(str, shards)), Path(f"{tmp_path}/d.*of3.hdf5")):
        with Dataset(one) as expected, Dataset(given) as dataset:
            assert (len(dataset), dataset.card, dataset.shard) == (10, expected.card, (1, 1))
            assert (dataset.identity, dataset.name) == (expected.identity, "d")
            assert dataset.finished().tolist() == list(range(10))
            dataset.check_finished()
            for name in ("audio", "classes", "values", "take"):
                for chosen in (rows, slice(2, 8), slice(None), slice(0, 10, 3), slice(4, 4)):
                    np.testing.assert_array_equal(
                        dataset.read_columns(chosen, (name,))[0], expected.read_columns(chosen, (name,))[0]
                    )
            starts = [0, 7, 300, 20, 5, 1]
            np.testing.assert_array_equal(dataset.read_crops(rows, starts, 100), expected.read_crops(rows, starts, 100))
            np.testing.assert_array_equal(dataset.audio[-1], expected.audio[9])
            np.testing.assert_array_equal(dataset.classes[:, 1], np.asarray(expected.classes)[:, 1])
            np.testing.assert_array_equal(dataset.audio[2:7, 10:20], expected.audio[2:7, 10:20])
            assert dataset.count_labels() == expected.count_labels()
            assert dataset.file_bytes == sum(path.stat().st_size for path in shards)
    with Dataset(dataset.path) as again:
        assert len(again) == 10


def test_a_shard_alone_is_a_dataset_of_its_own(tmp_path):
    one, _, second, _ = whole_and_shards(tmp_path)
    with Dataset(second) as dataset, Dataset(one) as whole:
        assert (len(dataset), dataset.first_row, dataset.shard) == (3, 3, (2, 3))
        np.testing.assert_array_equal(dataset.audio[:], whole.audio[3:6])
        assert dataset.identity == {**whole.identity, "shard": "2/3"}


def test_shards_that_make_no_whole_are_refused(tmp_path):
    one, first, second, third = whole_and_shards(tmp_path)
    with Dataset.create(tmp_path / "e.3of3.hdf5", card(labels=LABELS[2:], seed=2), (3, 3)):
        pass
    with Dataset.create(tmp_path / "d.2of2.hdf5", card(labels=LABELS[2:]), (2, 2)):
        pass
    for given, words in {
        (first, third): r"Received: 2 of them, without 2\. Name them all, or make them: --shard 2/3",
        (first, first, second, third): "each shard comes once",
        (first, second, one): "it is a whole dataset by itself|shards of one dataset",
        (first, second, tmp_path / "e.3of3.hdf5"): "seed 1 against 2",
        (first, tmp_path / "d.2of2.hdf5"): "2 shards|3 shards",
        (first, tmp_path / "none.hdf5"): "no such dataset",
        (f"{tmp_path}/x*.hdf5",): "no such dataset: nothing matches",
    }.items():
        with pytest.raises(DatasetError, match=words):
            Dataset(given)
    with pytest.raises(DatasetError, match="written one file at a time"):
        Dataset([first, second, third], writable=True)


def test_each_shard_is_checked_like_a_single_file(tmp_path):
    _, first, second, third = whole_and_shards(tmp_path)
    with h5py.File(second, "r+") as file:
        raw("audio", h5py.string_dtype())(file, second)
    with pytest.raises(DatasetError, match=r"audio of .*2of3\.hdf5 must be float32 in one piece"):
        Dataset([first, second, third])


def test_a_name_with_a_comma_or_an_asterisk_is_a_name_where_it_exists(tmp_path):
    for name in ("a,b.hdf5", "a*.hdf5"):
        with Dataset.create(tmp_path / name, card()):
            pass
        assert dataset_files(tmp_path / name) == [tmp_path / name]


def test_shards_share_all_rows_evenly():
    for rows, n in ((10, 3), (7, 7), (1000, 13)):
        parts = [shard_rows(rows, (k, n)) for k in range(1, n + 1)]
        assert [row for part in parts for row in part] == list(range(rows))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
