"""Training: a run learns, ends when it should, and after any interruption is the run it would have been."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest

from generators.errors import ModelError, ParameterError, RunError
from generators.generate import generate_dataset
from models.estimation import e2e_cnn
from models.model_files import load_model, read_card
from models.registry import find_recipe
from models.train import read_parameters
from models.training import callbacks, curves, data
from models.training import loop as training
from models.training.cross_validation import cross_validate
from models.training.data import DatasetSource, StreamSource
from models.training.evaluate import measure
from models.training.loop import train
from models.training.runs import Run

from ..conftest import SYNTH


def weights(path):
    """Every number in a model file, optimiser included."""
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def assert_same_run(one, other):
    assert one.history_file.read_text() == other.history_file.read_text()
    for mine, theirs in ((weights(one.last), weights(other.last)), (weights(one.best), weights(other.best))):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


@pytest.fixture(autouse=True)
def quick_curves(request, monkeypatch):
    """Drawing takes longer than training does here; one test does it."""
    if request.function is not test_a_run_learns_and_writes_all_that_belongs_to_it:
        monkeypatch.setattr(curves, "draw_curves", lambda history, title, paths: [path.touch() for path in paths])


@pytest.fixture
def source(tiny_dataset):
    return DatasetSource(tiny_dataset, seed=1)


@pytest.fixture
def go(tiny_recipe, source, tmp_path):
    """Train the tiny recipe; keywords change its recipe, source, folder or options."""

    def go(name="run", recipe=tiny_recipe, source=source, **options):
        return train(recipe, source, tmp_path / name, **{"epochs": 3, "learning_rate": 0.01} | options)

    return go


# --- what a run is ----------------------------------------------------------------------------------------------------


def test_a_run_learns_and_writes_all_that_belongs_to_it(go):
    run = go(epochs=15, patience=15)
    history = run.history()
    assert [row["epoch"] for row in history] == list(range(1, 16))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history[-1]["mpr"] > 80
    files = {path.name for path in run.path.iterdir() if not path.name.startswith(".")}
    assert files == {
        *(
            "settings.json",
            "best.keras",
            "last.keras",
            "history.csv",
            "metrics.json",
            "curves.png",
            "curves.pdf",
            "logs",
        )
    }
    assert run.curves[0].read_bytes()[:4] == b"\x89PNG"
    assert run.curves[1].read_bytes()[:4] == b"%PDF"


def test_measures_are_those_of_the_best_model_on_sounds_held_out(go, source, tiny_dataset):
    run = go()
    metrics = run.metrics()
    assert metrics["splits"] == {"training": 48, "validation": 6, "test": 6}
    assert (metrics["epochs"], metrics["test"]["n"]) == (3, 6)
    assert set(metrics["test"]) == {"n", "mpr", "top1", "top2", "top3", "top4", "top5", "mae", "parameters"}
    assert set(metrics["test"]["mpr"]) == {"Notes", "Amplitudes", "All"}
    assert set(metrics["test"]["parameters"]["f1"]) == {"mpr", "top1", "top2", "top3", "top4", "top5", "mae"}
    audio, classes = tiny_dataset.read(source.rows("test"))
    loaded = load_model(run.path)
    right = loaded.space.probabilities_to_classes(loaded.predict(audio)) == classes
    assert metrics["test"]["top1"]["All"] == pytest.approx(right.mean())
    assert loaded.card.scores["test"] == metrics["test"]
    with source.test(4) as batches:
        again = measure(loaded, batches)
    for name in ("mpr", "top5", "mae"):
        assert again[name] == pytest.approx(metrics["test"][name])


def test_a_model_file_says_how_it_was_trained(go, source):
    card = read_card(go().best)
    assert (card.model, card.synth, card.sample_rate, card.length) == ("tiny", "sine", 4000, 0.064)
    assert card.features == {"input": "audio", "normalise": False}
    assert card.training["data"] == source.identity
    known = {"model": "tiny", "batch_size": 16, "seed": 1, "stream": False, "validation_split": 0.1, "test_split": 0.1}
    assert known.items() <= card.training.items()
    assert "val_loss" in card.scores


def test_tensorboard_reads_the_curves(go):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = go(epochs=2)
    go(epochs=3)
    for part, prefix in (("train", ""), ("validation", "val_")):
        reader = EventAccumulator(str(run.logs / part))
        reader.Reload()
        points = reader.Scalars("epoch_loss")
        assert [point.step for point in points] == [1, 2, 3][: len(points)]
        expected = [row[f"{prefix}loss"] for row in run.history()][: len(points)]
        np.testing.assert_allclose([point.value for point in points], expected, rtol=1e-6)


def test_features_are_fitted_once_and_to_training_sounds_only(go, tiny_recipe, source, tiny_dataset):
    seen = []
    recipe = replace(tiny_recipe, adapt=lambda model, batches, seed: seen.append(np.concatenate(list(batches))))
    go(recipe=recipe, epochs=1)
    go(recipe=recipe, epochs=2)
    (sounds,) = seen
    expected = tiny_dataset.read(source.rows("training"))[0]
    assert sorted(map(bytes, sounds)) == sorted(map(bytes, expected))


def test_a_stream_trains_and_its_run_resumes(tiny_recipe, tmp_path, go):
    def stream():
        return StreamSource(SYNTH, seed=1, steps=4)

    undisturbed = go("a", source=stream(), epochs=2)
    go("b", source=stream(), epochs=1)
    assert_same_run(undisturbed, go("b", source=stream(), epochs=2))
    assert undisturbed.metrics()["splits"] == {"training": 64, "validation": 1024, "test": 1024}


def test_averaged_weights_are_measured_and_kept_while_learning_goes_on_with_the_others(go, tiny_recipe, source):
    from models.training.recipe import cosine_adam

    averaging = replace(tiny_recipe, optimizer=cosine_adam, scheduled=True)
    run = go(recipe=averaging, epochs=4)
    best, last = weights(run.best), weights(run.last)
    kernels = [name for name in best if "dense" in name and name.endswith("0")]
    assert kernels
    assert all(np.abs(best[name] - last[name]).max() > 1e-4 for name in kernels)
    epoch = read_card(run.best).training["epoch"]
    with source.validation(64) as batches:
        scored = measure(load_model(run.best), batches)
    assert scored["mpr"]["All"] == pytest.approx(run.history()[epoch - 1]["val_mpr"], abs=0.01)


def test_precision_belongs_to_a_run_and_float32_need_not_be_said(go):
    run = go(epochs=1)
    assert "precision" not in run.settings()["settings"]
    with pytest.raises(RunError, match="precision"):
        go(epochs=1, precision="mixed_bfloat16")
    mixed = go("mixed", epochs=1, precision="mixed_bfloat16")
    assert mixed.settings()["settings"]["precision"] == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in load_model(mixed.best).model.layers} == {"float32"}


def test_a_scheduled_run_goes_on_exactly_and_only_to_its_own_end(go, tiny_recipe, monkeypatch):
    from models.training.recipe import cosine_adam

    averaging = replace(tiny_recipe, optimizer=cosine_adam, scheduled=True)
    whole = go("whole", recipe=averaging, epochs=4)
    on_epoch_end = callbacks.RunKeeper.on_epoch_end

    def interrupted(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.RunKeeper, "on_epoch_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go("parts", recipe=averaging, epochs=4)
    monkeypatch.undo()
    with pytest.raises(RunError, match="epochs"):
        go("parts", recipe=averaging, epochs=6)
    monkeypatch.setattr(curves, "draw_curves", lambda history, title, paths: [path.touch() for path in paths])
    assert_same_run(go("parts", recipe=averaging, epochs=4), whole)


# --- when it ends -----------------------------------------------------------------------------------------------------


def test_training_stops_when_the_validation_loss_no_longer_falls(go):
    run = go(learning_rate=1e-12, epochs=50, patience=2)
    metrics = run.metrics()
    assert metrics["epochs"] < 50
    assert metrics["epochs"] - metrics["best_epoch"] == 2


def test_a_finished_run_is_left_as_it_is(go, caplog):
    run = go()
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir() if path.is_file()}
    with caplog.at_level(logging.INFO):
        go()
    assert "is finished after 3 epochs; raise --epochs or --patience to go on" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in run.path.iterdir() if path.is_file()}


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_best_weights(go, monkeypatch):
    make = data.DatasetBatches.make

    def broken(self, epoch, number):
        audio, classes = make(self, epoch, number)
        return audio * (np.nan if (epoch, number) == (1, 1) else 1), classes

    monkeypatch.setattr(data.DatasetBatches, "make", broken)
    with pytest.raises(RunError, match=r"must stay finite\. Received: nan in epoch 2; the best weights so far are"):
        go()
    run = go(epochs=1)
    assert run.metrics()["epochs"] == 1
    assert all(np.all(np.isfinite(array)) for array in weights(run.best).values())


def test_a_step_size_far_too_large_is_told_in_one_line(go):
    with pytest.raises(RunError, match=r"in epoch 1; no epoch was finished\. Lower --learning_rate"):
        go(learning_rate=1e30)


# --- interruptions ----------------------------------------------------------------------------------------------------


def test_a_run_gone_on_with_is_the_run_that_was_not_interrupted(go):
    undisturbed = go("a", epochs=4)
    go("b", epochs=1)
    go("b", epochs=3)
    assert_same_run(undisturbed, go("b", epochs=4))


def test_a_run_may_keep_every_other_epoch_only(go):
    run = go("sparse", epochs=5, print_interval=2)
    every = go("every", epochs=5)
    assert [row["epoch"] for row in run.history()] == [2, 4, 5]
    assert run.history() == [row for row in every.history() if row["epoch"] in (2, 4, 5)]
    assert run.metrics()["epochs"] == 5
    assert run.metrics()["best_epoch"] in (2, 4, 5)
    go("parts", epochs=4, print_interval=2)
    assert_same_run(go("parts", epochs=5, print_interval=2), run)


def test_patience_counts_epochs_whichever_are_kept(go):
    run = go(epochs=200, patience=6, print_interval=3, learning_rate=0.3)
    epochs = [row["epoch"] for row in run.history()]
    assert epochs == list(range(3, epochs[-1] + 1, 3))
    assert epochs[-1] - run.metrics()["best_epoch"] == 6


def test_another_seed_is_another_run(go, tiny_dataset):
    assert go("a").history() != go("b", source=DatasetSource(tiny_dataset, seed=2)).history()


def test_a_run_killed_within_an_epoch_is_the_run_that_was_not_killed(tiny_dataset_path, tmp_path, source):
    """With a real model, killed by the signal that no process survives, after 1 of 3 epochs and 2 of 3 batches."""
    code = """
import os, signal, sys
from models.training import data
from models.training import loop as training
make = data.DatasetBatches.make
def fatal(self, epoch, number):
    if (epoch, number) == (1, 2):
        os.kill(os.getpid(), signal.SIGKILL)
    return make(self, epoch, number)
"""
    flags = ["--model", "C1", "--dataset_file", str(tiny_dataset_path), "--epochs", "3", "--seed", "1"]
    code = code.replace(
        "from models import data",
        "from models.training.backend import start_keras\nstart_keras()\nfrom models import data",
    )
    code += f"data.DatasetBatches.make = fatal\ntraining.main({flags})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    killed = Run(tmp_path / "runs" / "C1_tiny")
    assert [row["epoch"] for row in killed.history()] == [1]
    assert training.main(flags) == 0
    assert_same_run(train(find_recipe("C1"), source, tmp_path / "whole", epochs=3), killed)


@pytest.mark.parametrize("lost", [["best.keras", "history.csv", "metrics.json"], ["best.keras"], ["history.csv"]])
def test_a_kill_between_two_writes_harms_nothing(go, lost):
    undisturbed = go("a")
    assert undisturbed.metrics()["best_epoch"] == 3
    interrupted = go("b")
    for name in lost:
        (interrupted.path / name).unlink()
    assert_same_run(undisturbed, go("b"))
    assert go("b").metrics()["test"] == undisturbed.metrics()["test"]


def test_a_kill_before_the_measures_are_written_only_costs_the_measures(go, monkeypatch):
    monkeypatch.setattr(training, "_measure", lambda *_: None)
    run = go()
    assert not run.metrics_file.exists()
    monkeypatch.undo()
    go()
    assert run.metrics()["epochs"] == 3


def test_a_run_does_not_go_on_with_other_settings(go, tiny_dataset):
    go()
    with pytest.raises(RunError, match=r"was trained with batch_size 16\. Received: batch_size 8"):
        go(batch_size=8)
    with pytest.raises(RunError, match=r"was trained with learning_rate 0\.01\. Received: learning_rate 0\.1"):
        go(learning_rate=0.1)
    assert len(go(batch_size=8, resume=False, epochs=1).history()) == 1


def test_a_damaged_last_model_is_refused(go):
    run = go(epochs=1)
    whole = run.last.read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(b"model.weights.h5") + 5000] ^= 1
    for content, message in ((whole[:1000], "truncated"), (bytes(damaged), "weights do not match their hash")):
        run.last.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            go(epochs=4)


# --- folds ------------------------------------------------------------------------------------------------------------


def test_folds_are_runs_of_their_own_and_their_measures_are_gathered(tiny_recipe, tiny_dataset, tmp_path):
    def go(**options):
        return cross_validate(tiny_recipe, tiny_dataset, tmp_path / "cv", 3, seed=1, epochs=1, **options)

    run = go()
    parts = [fold.metrics()["test"] for fold in run.folds()]
    test = run.metrics()["test"]
    assert [part["n"] for part in parts] == [20, 20, 20]
    assert test["n"] == 60
    ranks = [part["mpr"]["All"] for part in parts]
    assert test["mpr"]["All"] == {"mean": pytest.approx(np.mean(ranks)), "std": pytest.approx(np.std(ranks, ddof=1))}
    assert set(test["parameters"]["f2"]["mae"]) == {"mean", "std"}
    before = [fold.last.stat().st_mtime_ns for fold in run.folds()]
    (run.folds()[1].metrics_file).unlink()
    go()
    assert [fold.last.stat().st_mtime_ns for fold in run.folds()] == before
    with pytest.raises(RunError, match="was trained with batch_size 16"):
        go(batch_size=8)


# --- the door ---------------------------------------------------------------------------------------------------------


def test_the_door_trains_with_the_settings_of_the_env_file(tiny_dataset_path, tmp_path, capfd):
    (tmp_path / ".env").write_text(
        f"EPOCHS=1\nDATASET_DIR={tiny_dataset_path.parent}\nDATASET_NAME=tiny\nBATCH_SIZE=30\n"
    )
    assert e2e_cnn.main([]) == 0
    run = Run(tmp_path / "runs" / "e2e_tiny")
    assert (len(run.history()), run.settings()["settings"]["batch_size"]) == (1, 30)
    assert load_model(run.path).name == "e2e"


def refuse(capfd, *flags):
    assert training.main(list(map(str, flags))) == 2
    message = capfd.readouterr().err.strip()
    assert "\n" not in message
    return message


def test_bad_input_is_told_in_one_line(tiny_dataset_path, tmp_path, capfd):
    tiny = ("--dataset_file", tiny_dataset_path)
    assert refuse(capfd, "--model", "C7").startswith("ModelError: unknown model 'C7'. Did you mean 'C")
    assert refuse(capfd).startswith("DatasetError: no such dataset: test_datasets/InverSynth.hdf5. Make one")
    message = refuse(capfd, "--data_format", "channels_first", *tiny)
    assert message.startswith("ModelError: channels_first needs a GPU")
    generate_dataset(tmp_path / "two.hdf5", SYNTH, 2)
    message = refuse(capfd, "--dataset_file", tmp_path / "two.hdf5")
    assert "two.hdf5 must be large enough for training, validation and test. Received: 2 examples" in message
    assert "unknown synth 'fmm'. Did you mean 'fm'?" in refuse(capfd, "--stream", "--synth", "fmm")
    assert "stream has no folds" in refuse(capfd, "--stream", "--folds", "5")
    assert "stream renders its sounds and reads no dataset" in refuse(capfd, "--stream", *tiny)
    (tmp_path / "file").touch()
    assert "must be a folder. Received: a file in its place" in refuse(
        capfd, *tiny, "--output_dir", tmp_path / "file" / "runs"
    )
    assert not (tmp_path / "runs").exists()


def test_a_parameters_file_is_held_against_the_data(tiny_dataset_path, tmp_path, capfd):
    from generators.fm_generator import FmSynth

    right, wrong = tmp_path / "sine.json", tmp_path / "fm.json"
    right.write_text(SYNTH.space.to_json())
    wrong.write_text(FmSynth.space.to_json())
    assert read_parameters(right) == SYNTH.space
    with pytest.raises(ParameterError, match=r"cannot read parameters_file nowhere\.json: No such file"):
        read_parameters(right.with_name("x").relative_to(tmp_path).with_name("nowhere.json"))
    message = refuse(capfd, "--dataset_file", tiny_dataset_path, "--parameters_file", wrong)
    assert "must have the parameter space of parameters_file. Received: synth 'fm' against 'sine'" in message


def test_control_c_leaves_a_run_that_goes_on(tiny_dataset_path, tmp_path, monkeypatch, capfd):
    on_epoch_end = callbacks.RunKeeper.on_epoch_end

    def interrupted(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    flags = ["--model", "C1", "--dataset_file", str(tiny_dataset_path), "--epochs", "2"]
    monkeypatch.setattr(callbacks.RunKeeper, "on_epoch_end", interrupted)
    assert training.main(flags) == 130
    assert "the same command goes on from there" in capfd.readouterr().err
    monkeypatch.undo()
    os.chdir(tmp_path)
    assert training.main(flags) == 0
    assert len(json.loads((tmp_path / "runs/C1_tiny/metrics.json").read_text())["test"]["parameters"]) == 4


def test_help_needs_no_keras():
    code = "import sys\nfrom models.train import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'keras', 'tensorflow', 'numba', 'librosa', 'scipy'} & {*sys.modules}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--batch_size int" in done.stdout
