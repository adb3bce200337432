"""Generation: the same bytes whatever happens, nothing silently reused, and the commands as a user types them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators import fm_generator, registry, sine_generator
from generators.audio import read_audio
from generators.dataset import Dataset
from generators.errors import DatasetError, ParameterError
from generators.fm_generator import FmSynth
from generators.generate import _runs, generate_dataset, wavefile_path
from generators.parallel import ordered_map
from generators.sine_generator import SineSynth

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(path):
    with h5py.File(path) as file:
        return {name: file[name][:].tobytes() for name in ("audio", "classes", "values", "done")}


def finished_rows(path):
    """Count the done rows of a file that another process may be writing (so without asking for its lock)."""
    if not path.exists():
        return 0
    with h5py.File(path, locking=False) as file:
        return int(file["done"][:].sum())


def test_any_number_of_workers_gives_the_same_bytes(folder):
    synth = FmSynth(length=0.1)
    for workers in (1, 3):
        generate_dataset(folder / f"{workers}.hdf5", synth, 300, seed=4, workers=workers)
    assert content(folder / "1.hdf5") == content(folder / "3.hdf5")


def test_rows_are_what_their_classes_render(folder):
    synth = FmSynth(length=0.1)
    generate_dataset(folder / "d.hdf5", synth, 20)
    with Dataset(folder / "d.hdf5") as dataset:
        np.testing.assert_array_equal(dataset.audio[:], synth.render_classes(dataset.classes[:]))
        np.testing.assert_allclose(dataset.values[:], synth.space.classes_to_values(dataset.classes[:]), rtol=1e-6)
        dataset.check_finished()


def test_killed_dataset_equals_undisturbed_one(folder):
    """kill -9 at several instants, start again each time, compare the bytes."""
    arguments = ["--num_examples", "3000", "--no-wavefiles", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "generators.fm_generator", *arguments, "--name", "killed"]
    path = folder / "test_datasets" / "killed.hdf5"
    partial = 0
    for rows in (1, 1000, 2000):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while finished_rows(path) < rows and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        partial += 0 < finished_rows(path) < 3000
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    generate_dataset(folder / "whole.hdf5", FmSynth(), 3000)
    assert content(path) == content(folder / "whole.hdf5")
    assert partial, "no kill fell between the first and the last row: the test proved nothing"


def test_interrupted_rows_are_rendered_again_and_finished_ones_are_not(folder):
    synth = SineSynth(4000, 0.1)
    generate_dataset(folder / "d.hdf5", synth, 50)
    before = content(folder / "d.hdf5")
    with h5py.File(folder / "d.hdf5", "r+") as file:
        file["audio"][7:9] = 0
        file["done"][7:9] = False
    assert generate_dataset(folder / "d.hdf5", synth, 50).rendered == 2
    assert content(folder / "d.hdf5") == before
    assert generate_dataset(folder / "d.hdf5", synth, 50).rendered == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 1}, "seed 0 against 1"),
        ({"num_examples": 12}, "num_examples 10 against 12"),
        ({"sampling_method": "sobol"}, "sampling_method random against sobol"),
        ({"normalise": True}, "normalise False against True"),
        ({"synth": SineSynth(8000, 0.1)}, "sample_rate 4000 against 8000"),
        ({"synth": FmSynth(16384, 0.1)}, "synth sine against fm"),
    ],
)
def test_a_dataset_of_other_settings_is_never_reused(folder, changed, words):
    settings = {"synth": SineSynth(4000, 0.1), "num_examples": 10}
    generate_dataset(folder / "d.hdf5", **settings)
    before = (folder / "d.hdf5").read_bytes()
    with pytest.raises(DatasetError) as fault:
        generate_dataset(folder / "d.hdf5", **(settings | changed))
    assert words in str(fault.value)
    assert "--regenerate_samples" in str(fault.value)
    assert (folder / "d.hdf5").read_bytes() == before
    generate_dataset(folder / "d.hdf5", **(settings | changed), regenerate_samples=True)
    with Dataset(folder / "d.hdf5") as dataset:
        dataset.check_finished()


def test_regenerated_audio_replaces_damage(folder):
    synth = SineSynth(4000, 0.1)
    generate_dataset(folder / "d.hdf5", synth, 10)
    before = content(folder / "d.hdf5")
    with h5py.File(folder / "d.hdf5", "r+") as file:
        file["audio"][3] = 9.0
    assert generate_dataset(folder / "d.hdf5", synth, 10).rendered == 0
    assert content(folder / "d.hdf5") != before
    assert generate_dataset(folder / "d.hdf5", synth, 10, regenerate_audio=True).rendered == 10
    assert content(folder / "d.hdf5") == before


def test_complete_grid_needs_room_for_all_of_it(folder):
    with pytest.raises(ParameterError, match=r"complete grid of 'sine' has 81 patches. Received: --num_examples 80"):
        generate_dataset(folder / "d.hdf5", SineSynth(4000, 0.1), 80, sampling_method="complete")
    assert generate_dataset(folder / "d.hdf5", SineSynth(4000, 0.1), 90, sampling_method="complete").examples == 81


def test_wavefiles_hold_the_rows_and_are_mended(folder):
    synth, waves = FmSynth(length=0.1), folder / "waves"
    generate_dataset(folder / "d.hdf5", synth, 5)
    generate_dataset(folder / "d.hdf5", synth, 5, wavefile_directory=waves)
    paths = [wavefile_path(waves, "d", row) for row in range(5)]
    assert [path.name for path in paths] == [f"d_0000{row}.wav" for row in range(5)]
    paths[1].unlink()
    paths[2].write_bytes(b"broken")
    generate_dataset(folder / "d.hdf5", synth, 5, wavefile_directory=waves)
    with Dataset(folder / "d.hdf5") as dataset:
        for row, path in enumerate(paths):
            np.testing.assert_array_equal(read_audio(path).audio, dataset.audio[row])
    generate_dataset(folder / "d.hdf5", synth, 5, seed=9, regenerate_samples=True, wavefile_directory=waves)
    with Dataset(folder / "d.hdf5") as dataset:
        np.testing.assert_array_equal(read_audio(paths[0]).audio, dataset.audio[0])


def test_normalised_rows_peak_at_one(folder):
    generate_dataset(folder / "d.hdf5", SineSynth(4000, 0.1), 10, normalise=True)
    with Dataset(folder / "d.hdf5") as dataset:
        np.testing.assert_allclose(np.abs(dataset.audio[:]).max(axis=1), 1.0)


def test_the_commands_write_what_they_promise(folder, capsys):
    assert fm_generator.main(["--num_examples", "3", "--length", "0.1"]) == 0
    assert Dataset(folder / "test_datasets" / "InverSynth.hdf5").card.synth == "fm"
    assert (folder / "test_waves" / "InverSynth" / "InverSynth_00002.wav").is_file()
    assert sine_generator.main(["--num_examples", "3", "--no-wavefiles"]) == 0
    assert Dataset(folder / "test_datasets" / "sine.hdf5").card.synth == "sine"
    assert (
        registry.main(["fm", "--name", "again", "--num_examples", "3", "--dataset_directory", "x", "--no-wavefiles"])
        == 0
    )
    assert (folder / "x" / "again.hdf5").is_file()
    capsys.readouterr()


def test_settings_may_come_from_an_env_file(folder, capsys):
    (folder / ".env").write_text(
        "NUM_EXAMPLES=2\nDATASET_NAME=mine\nDATASET_DIR=d\nSEED=5\nLENGTH=0.1\nWAVEFILES=false\n"
    )
    assert fm_generator.main([]) == 0
    card = Dataset(folder / "d" / "mine.hdf5").card
    assert (card.num_examples, card.seed, card.length) == (2, 5, 0.1)
    assert not (folder / "test_waves").exists()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (
            ["fm", "--num_examples", "0"],
            "SettingsError: num_examples must be greater than or equal to 1. Received: --num_examples 0",
        ),
        (
            ["fm", "--num_examples", "-5"],
            "SettingsError: num_examples must be greater than or equal to 1. Received: --num_examples -5",
        ),
        (["fn"], "ParameterError: unknown synth 'fn'. Did you mean 'fm'? Known: fm, sine, envelope"),
        (["fm", "--sampling_method", "complete"], "ParameterError: the complete grid of 'fm' has"),
        (["fm", "--name", "a/b"], "SettingsError: name must be a plain name without slashes"),
        (["fm", "--length", "nan"], "SettingsError: length must be"),
        (["fm", "--sample_rate", "8000"], "ParameterError: synth 'fm' needs a sample rate above 8000 Hz"),
        (["fm", "--dataset_directory", "file"], "DatasetError: cannot write"),
        (["fm", "--wavefile_directory", "file"], "AudioError: cannot write"),
    ],
)
def test_bad_input_exits_with_one_line_and_2(folder, capsys, argv, line):
    (folder / "file").write_text("")
    assert registry.main(argv) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(line)


def test_runs_are_cut_at_gaps_and_at_the_longest():
    rows = np.array([0, 1, 2, 3, 7, 8, 20])
    assert list(_runs(rows, 3)) == [slice(0, 3), slice(3, 4), slice(7, 9), slice(20, 21)]
    assert list(_runs(rows[:0], 3)) == []


def test_ordered_map_keeps_order_and_bounds_what_waits():
    started = []

    def square(x):
        started.append(x)
        return x * x

    results = ordered_map(square, iter(range(100)), workers=2)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(started) <= 5
    assert list(results) == [x * x for x in range(1, 100)]


def test_ordered_map_passes_a_fault_on():
    def fail(x):
        raise ValueError(str(x))

    with pytest.raises(ValueError, match=r"^0$"):
        list(ordered_map(fail, range(5), workers=2))
