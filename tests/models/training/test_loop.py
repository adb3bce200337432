"""Training: a run learns, ends when it should, and after any interruption is the run it would have been."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from generators.errors import ModelError, RunError
from generators.files import write_text
from models.model_files import load_model, read_card
from models.training import data
from models.training import loop as training
from models.training.data import DatasetSource, StreamSource
from models.training.evaluate import measure
from models.training.recipe import cosine_adam
from models.training.runs import Run

from ..conftest import SYNTH, copied_after
from .conftest import assert_same_run, weights

# --- what a run is ----------------------------------------------------------------------------------------------------


def test_a_run_learns_and_writes_all_that_belongs_to_it(go, drawn_curves):
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
            "timing.json",
            "curves.png",
            "curves.pdf",
            "logs",
        )
    }
    assert run.curves[0].read_bytes()[:4] == b"\x89PNG"
    assert run.curves[1].read_bytes()[:4] == b"%PDF"


def test_a_model_file_says_how_it_was_trained(finished, source):
    card = read_card(finished().best)
    assert (card.model, card.synth, card.sample_rate, card.length) == ("tiny", "sine", 4000, 0.064)
    assert card.features == {"input": "audio", "normalise": False}
    assert card.training["data"] == source.identity
    known = {"model": "tiny", "batch_size": 16, "seed": 1, "stream": False, "validation_split": 0.1, "test_split": 0.1}
    assert known.items() <= card.training.items()
    assert "val_loss" in card.scores


def test_tensorboard_reads_the_curves(go, finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = finished()
    go(epochs=4)
    for part, prefix in (("train", ""), ("validation", "val_")):
        reader = EventAccumulator(str(run.logs / part))
        reader.Reload()
        points = reader.Scalars("epoch_loss")
        assert [point.step for point in points] == [1, 2, 3, 4][: len(points)]
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


def test_averaged_weights_are_kept_and_a_scheduled_run_goes_on_exactly_and_only_to_its_own_end(
    go, tiny_recipe, source, tmp_path
):
    averaging = replace(tiny_recipe, optimizer=cosine_adam, scheduled=True)
    with copied_after(tmp_path, 2):
        run = go(recipe=averaging, epochs=4)
    best, last = weights(run.best), weights(run.last)
    kernels = [name for name in best if "dense" in name and name.endswith("0")]
    assert kernels
    assert all(np.abs(best[name] - last[name]).max() > 1e-4 for name in kernels)  # learning goes on with the others
    epoch = read_card(run.best).training["epoch"]
    with source.validation(64) as batches:
        scored = measure(load_model(run.best), batches)
    assert scored["mpr"]["All"] == pytest.approx(run.history()[epoch - 1]["val_mpr"], abs=0.01)
    with pytest.raises(RunError, match="epochs"):
        go("2/run", recipe=averaging, epochs=6)
    part = go("2/run", recipe=averaging, epochs=4)
    assert part.path != run.path
    assert_same_run(part, run)


def test_precision_belongs_to_a_run_and_float32_need_not_be_said(go, finished):
    run = finished()
    assert "precision" not in run.settings()["settings"]
    with pytest.raises(RunError, match="precision"):
        go(epochs=1, precision="mixed_bfloat16")
    mixed = go("mixed", epochs=1, precision="mixed_bfloat16")
    assert mixed.settings()["settings"]["precision"] == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in load_model(mixed.best).model.layers} == {"float32"}


# --- when it ends -----------------------------------------------------------------------------------------------------


def test_training_stops_when_the_validation_loss_no_longer_falls(go):
    run = go(learning_rate=1e-12, epochs=50, patience=2)
    metrics = run.metrics()
    assert metrics["epochs"] < 50
    assert metrics["epochs"] - metrics["best_epoch"] == 2


def test_a_finished_run_is_left_as_it_is(go, finished, caplog):
    run = finished()
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


def test_a_run_gone_on_with_is_the_run_that_was_not_interrupted(go, finished):
    for epochs in (1, 2):
        go("b", epochs=epochs)
    assert_same_run(finished("a"), go("b"))


def test_a_run_may_keep_every_other_epoch_only(go, finished, tmp_path):
    with copied_after(tmp_path, 2):
        run = go("parts", print_interval=2)
    assert [row["epoch"] for row in run.history()] == [2, 3]
    assert run.history() == finished("every").history()[1:]
    assert run.metrics()["epochs"] == 3
    assert run.metrics()["best_epoch"] in (2, 3)
    assert_same_run(go("2/parts", print_interval=2), run)


def test_patience_counts_epochs_whichever_are_kept(go):
    run = go(epochs=200, patience=6, print_interval=3, learning_rate=1.0)
    epochs = [row["epoch"] for row in run.history()]
    assert epochs == list(range(3, epochs[-1] + 1, 3))
    assert epochs[-1] - run.metrics()["best_epoch"] == 6


def test_another_seed_is_another_run(go, finished, tiny_dataset):
    assert finished("a").history() != go("b", source=DatasetSource(tiny_dataset, seed=2)).history()


@pytest.mark.parametrize("lost", [["best.keras", "history.csv", "metrics.json"], ["best.keras"], ["history.csv"]])
def test_a_kill_between_two_writes_harms_nothing(go, finished, lost):
    undisturbed, interrupted = map(finished, "ab")
    assert undisturbed.metrics()["best_epoch"] == 3
    for name in lost:
        (interrupted.path / name).unlink()
    assert_same_run(undisturbed, go("b"))
    assert go("b").metrics()["test"] == undisturbed.metrics()["test"]


def test_a_kill_before_the_last_epoch_is_listed_costs_no_row(go, finished):
    undisturbed, interrupted = map(finished, "ab")
    rows = interrupted.history_file.read_text().splitlines(keepends=True)
    interrupted.history_file.write_text("".join(rows[:-1]))
    assert_same_run(undisturbed, go("b"))


def test_a_kill_before_an_epoch_is_drawn_costs_no_plot(go, tiny_recipe, tmp_path):
    drawn = replace(tiny_recipe, draw=lambda model, source, path: write_text(path, f"{model.count_params()}"))
    with copied_after(tmp_path, 2):
        undisturbed = go(recipe=drawn)
    interrupted = Run(tmp_path / "2" / "run")
    for path in (interrupted.picture(2), interrupted.snapshot(2)):
        path.unlink()
    go("2/run", recipe=drawn, epochs=2)
    assert interrupted.picture(2).is_file()
    assert interrupted.snapshot(2).is_file()
    go("2/run", recipe=drawn)
    assert_same_run(undisturbed, interrupted)
    assert [path.name for path in interrupted.kept_on_the_way()] == [
        *(f"epoch_0000{epoch}.png" for epoch in (1, 2, 3)),
        *(f"epoch_0000{epoch}.keras" for epoch in (1, 2, 3)),
    ]
    assert weights(undisturbed.snapshot(2)).keys() == weights(interrupted.snapshot(2)).keys()
    for name, array in weights(undisturbed.snapshot(2)).items():
        np.testing.assert_array_equal(array, weights(interrupted.snapshot(2))[name])


def test_no_compared_file_of_a_run_knows_how_long_it_took(go, finished):
    run = finished()
    assert run.seconds() > 0.0
    assert "seconds" not in run.metrics()
    assert all("seconds" not in read_card(path).training for path in (run.best, run.last))
    first = run.seconds()
    go(epochs=4)
    assert run.seconds() > first


def test_a_kill_before_the_measures_are_written_only_costs_the_measures(go, monkeypatch):
    monkeypatch.setattr(training, "_measure", lambda *_: None)
    run = go()
    assert not run.metrics_file.exists()
    monkeypatch.undo()
    go()
    assert run.metrics()["epochs"] == 3


def test_a_run_does_not_go_on_with_other_settings(go, finished):
    finished()
    with pytest.raises(RunError, match=r"was trained with batch_size 16\. Received: batch_size 8"):
        go(batch_size=8)
    with pytest.raises(RunError, match=r"was trained with learning_rate 0\.01\. Received: learning_rate 0\.1"):
        go(learning_rate=0.1)
    assert len(go(batch_size=8, resume=False, epochs=1).history()) == 1


def test_a_damaged_last_model_is_refused(go, finished):
    run = finished()
    whole = run.last.read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(b"model.weights.h5") + 5000] ^= 1
    for content, message in ((whole[:1000], "truncated"), (bytes(damaged), "weights do not match their hash")):
        run.last.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            go(epochs=4)
