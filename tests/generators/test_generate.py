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
from generators.audio import check_audible, read_audio, write_audio
from generators.dataset import Dataset
from generators.errors import AudioError, DatasetError, ParameterError
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
    """kill -9 at two instants, start again each time, compare the bytes."""
    arguments = ["--num_examples", "1500", "--no-wavefiles", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "generators.fm_generator", *arguments, "--name", "killed"]
    path = folder / "test_datasets" / "killed.hdf5"
    partial = 0
    for rows in (1, 700):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while finished_rows(path) < rows and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        partial += 0 < finished_rows(path) < 1500
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    generate_dataset(folder / "whole.hdf5", FmSynth(), 1500)
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


# --- shards, crowds, failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_shards_are_the_rows_and_sounds_of_the_whole(folder, capsys, caplog, method):
    common = ["sine", "--num_examples", "10", "--length", "0.05", "--sample_rate", "8000", "--sampling_method", method]
    assert registry.main([*common, "--name", "d", "--wavefile_directory", "whole"]) == 0
    for k in (3, 1, 2):
        assert registry.main([*common, "--name", "d", "--shard", f"{k}/3", "--wavefile_directory", "parts"]) == 0
    whole, parts = (sorted((folder / each / "d").iterdir()) for each in ("whole", "parts"))
    assert [path.name for path in parts] == [path.name for path in whole]
    assert [path.read_bytes() for path in parts] == [path.read_bytes() for path in whole]
    with Dataset("test_datasets/d.hdf5") as expected, Dataset("test_datasets/d.*of3.hdf5") as dataset:
        for name in ("audio", "classes", "values"):
            np.testing.assert_array_equal(getattr(dataset, name)[:], getattr(expected, name)[:])
    caplog.set_level("INFO")
    assert registry.main([*common, "--name", "d", "--shard", "2/3"]) == 0
    assert "3 sounds of sine, 0.05 s at 8000 Hz, seed 0; 0 rendered now" in caplog.text
    Path("test_datasets/d.1of3.hdf5").rename("test_datasets/d.2of3.hdf5")
    assert registry.main([*common, "--name", "d", "--shard", "2/3"]) == 2
    assert "d.2of3.hdf5 holds another dataset: shard 1/3 against 2/3" in capsys.readouterr().err


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/99999", "a/b", "1/-2", "11/11"])
def test_a_shard_is_one_of_some(folder, capsys, shard):
    assert registry.main(["sine", "--num_examples", "10", f"--shard={shard}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "k/n" in line
    assert not list(folder.iterdir())


def test_the_same_dataset_has_the_same_bytes_at_any_time(folder):
    synth = SineSynth(4000, 0.1)
    for name in ("a", "b"):
        generate_dataset(folder / f"{name}.hdf5", synth, 50, wavefile_directory=folder / "w")
        time.sleep(1.1)
    assert (folder / "a.hdf5").read_bytes() == (folder / "b.hdf5").read_bytes()
    assert (folder / "w/a/a_00049.wav").read_bytes() == (folder / "w/b/b_00049.wav").read_bytes()


def test_an_interrupted_dataset_has_the_bytes_of_an_undisturbed_one(folder, monkeypatch):
    synth = SineSynth(4000, 0.1)
    generate_dataset(folder / "a.hdf5", synth, 50)
    monkeypatch.setattr("generators.generate.BLOCK_SECONDS", 0.5)
    write, calls = Dataset.write, []

    def interrupted(self, *arguments, **others):
        calls.append(arguments[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(self, *arguments, **others)

    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate_dataset(folder / "b.hdf5", synth, 50)
    assert 0 < finished_rows(folder / "b.hdf5") < 50
    generate_dataset(folder / "b.hdf5", synth, 50)
    assert (folder / "a.hdf5").read_bytes() == (folder / "b.hdf5").read_bytes()


@pytest.mark.parametrize("fails", ["wavefiles", "name", "first row"])
def test_what_fails_before_its_first_row_leaves_nothing(folder, monkeypatch, fails):
    synth, path, sounds = SineSynth(4000, 0.1), folder / "a" / "b" / "d.hdf5", folder / "c" / "w"
    if fails == "wavefiles":
        (folder / "c").touch()
    if fails == "name":  # the name of a dataset fits where those of its sounds do not
        path = path.with_name("n" * 250 + ".hdf5")
    if fails == "first row":
        monkeypatch.setattr(SineSynth, "render_rows", lambda *_: check_audible(np.zeros(3), "a row"))
    before = list(folder.rglob("*"))
    with pytest.raises(AudioError):
        generate_dataset(path, synth, 50, wavefile_directory=sounds)
    assert list(folder.rglob("*")) == before


@pytest.mark.parametrize("room", [2, 45])
def test_wavefiles_without_room_leave_none_but_those_of_finished_rows(folder, monkeypatch, room):
    """Two files find room, which is less than a block, or 45 of 50."""
    left = iter(range(room))

    def write(path, *options):
        if next(left, None) is None:
            raise AudioError(f"cannot write {path}: the disk is full")
        return write_audio(path, *options)

    monkeypatch.setattr("generators.generate.BLOCK_SECONDS", 0.5)
    monkeypatch.setattr("generators.generate.write_audio", write)
    with pytest.raises(AudioError, match="the disk is full"):
        generate_dataset(folder / "d.hdf5", SineSynth(4000, 0.1), 50, workers=1, wavefile_directory=folder / "w")
    found = {path.name for path in folder.rglob("*.wav")}
    if room == 2:
        assert list(folder.iterdir()) == []
    else:
        with Dataset(folder / "d.hdf5") as dataset:
            assert found == {f"d_{row:05d}.wav" for row in dataset.finished()}
        assert 0 < len(found) < 45


def test_a_failure_later_keeps_finished_rows(folder, monkeypatch):
    synth = SineSynth(4000, 0.1)
    monkeypatch.setattr("generators.generate.BLOCK_SECONDS", 0.5)
    render = SineSynth.render_rows

    def failing(self, values, first, seed):
        return check_audible(np.zeros(3), "a row") if first > 20 else render(self, values, first, seed)

    with monkeypatch.context() as patch:
        patch.setattr(SineSynth, "render_rows", failing)
        with pytest.raises(AudioError, match=r"silence in a row\. \d+ of 50 rows are finished and kept in .*d\.hdf5$"):
            generate_dataset(folder / "d.hdf5", synth, 50, workers=1)
    assert finished_rows(folder / "d.hdf5") > 0
    assert generate_dataset(folder / "d.hdf5", synth, 50).rendered < 50


@pytest.mark.skipif(sys.platform == "win32", reason="the kernel's file locks are POSIX")
def test_several_processes_make_one_dataset_or_are_told_who_does(folder):
    command = [sys.executable, "-m", "inversynth", "generate", "sine", "--num_examples", "2000", "--no-wavefiles"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    crowd = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in crowd:
        err = process.communicate()[1]
        if process.returncode:
            assert process.returncode == 2
            assert "is being written by process" in err
            assert len(err.splitlines()) == 1
    assert 0 in [process.returncode for process in crowd]
    assert [path.name for path in (folder / "test_datasets").iterdir()] == ["sine.hdf5"]
    with Dataset("test_datasets/sine.hdf5") as dataset:
        dataset.check_finished()


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
