"""The recipe of GANSynth: spectrograms of notes stage by stage, networks that grow, and a run from a dataset on."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, RunError, SettingsError
from models.gansynth import plots
from models.gansynth import recipe as gansynth_recipe
from models.gansynth.data import NoteSpectrograms, open_spectrograms
from models.gansynth.inference import load_gansynth
from models.gansynth.presets import SCHEDULES, SIZES
from models.gansynth.progressive import SteadyAdam
from models.gansynth.recipe import GanSynthSettings, build_gansynth, stages_of
from models.model_files import read_card
from models.registry import find_recipe
from models.train import train_from_settings
from models.training.callbacks import averaged_weights
from models.training.recipe import TrainingStage
from models.training.runs import Run
from tests.gansynth_models import RATE, SAMPLES, SPACE, write_notes

from ..conftest import copied_after

SMOKE = SIZES["smoke"]
SMALL = ("--size", "smoke", "--stable_images", "8", "--transition_images", "8", "--total_images", "48")
SHORT = (*SMALL, "--epoch_images", "8", "--epochs", "2")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "notes.hdf5")


@pytest.fixture
def source(path):
    with Dataset(path) as dataset:
        yield NoteSpectrograms(dataset, size=SMOKE, growth=SCHEDULES["smoke"], epoch_images=32)


def settings(path, folder, *flags):
    return GanSynthSettings.parse(["--dataset_file", str(path), "--output_dir", str(folder), *SHORT, *flags])


def test_settings_follow_the_size_where_they_are_not_set():
    release = GanSynthSettings.parse(["--size", "release"])
    assert (release.latent, release.total_images, release.epochs, release.learning_rate) == (
        256,
        11_000_000,
        1375,
        8e-4,
    )
    assert GanSynthSettings.parse(["--preset", "release", "--latent", "512"]).latent == 512
    assert GanSynthSettings.parse(["--size", "release", "--no-progressive"]).total_images == 4_000_000


def test_the_old_name_of_the_group_keeps_working():
    assert GanSynthSettings.parse(["--alike", "4"]) == GanSynthSettings.parse(["--minibatch_std_group", "4"])
    assert GanSynthSettings.parse(["--alike", "4"]).alike == 4  # as runs and cards store it


def test_stages_end_with_whole_epochs():
    options = {"size": "smoke", "stable_images": 32, "transition_images": 64, "total_images": 320, "epoch_images": 32}
    ends = [1, 3, 4, 6, 10]
    assert stages_of({**options, "progressive": True}) == tuple(TrainingStage(*pair) for pair in enumerate(ends))
    assert stages_of({**options, "progressive": False}) == (TrainingStage(4, 10),)


def test_spectrograms_of_a_stage_are_means_of_the_final_ones(source):
    rows = source.rows("training")[:3]
    full, first = source.at(4).spectrograms(rows), source.at(0).spectrograms(rows)
    assert (full.shape, first.shape) == ((3, 8, 32, 2), (3, 2, 8, 2))
    np.testing.assert_allclose(first[:, 0, 0], full[:, :4, :4].mean(axis=(1, 2)), atol=1e-6)
    assert np.abs(full).max() <= 1.0
    magnitude = full[..., 0]
    assert magnitude.max() > 0.4
    assert magnitude.min() == pytest.approx(-0.8, abs=1e-3)


def test_a_block_is_faded_into_real_spectrograms_as_into_those_of_the_generator(source):
    rows, view = source.rows("training")[:2], source.at(1)
    coarse, fine = source.at(0).spectrograms(rows).repeat(2, axis=1).repeat(2, axis=2), view.spectrograms(rows)
    np.testing.assert_allclose(view.blended(rows, 0.0), coarse, atol=1e-6)
    np.testing.assert_allclose(view.blended(rows, 0.25), 0.25 * fine + 0.75 * coarse, atol=1e-6)
    np.testing.assert_array_equal(source.at(2).blended(rows, 1.0), fine)


def test_a_batch_serves_two_steps_and_follows_from_its_number(source):
    batches = source.at(1).training(4)
    (latents, targets, progress, real_notes), spectrograms = batches.make(1, 2)
    assert latents.shape == (8, 8)
    assert targets.shape == real_notes.shape == (8, 3)
    assert not spectrograms[:4].any()
    assert not real_notes[:4].any()
    np.testing.assert_array_equal(real_notes[4:].sum(axis=1), 1)
    np.testing.assert_allclose(progress, 8 / 32)  # image 40: the transition began at 32
    again = source.at(1).training(4).make(1, 2)
    np.testing.assert_array_equal(again[0][0], latents)
    np.testing.assert_array_equal(again[1], spectrograms)
    assert not np.array_equal(batches.make(1, 3)[0][0], latents)
    assert batches.num_batches == 8


def test_notes_come_up_as_often_as_in_the_data_and_real_ones_keep_their_own(source):
    batches = source.at(0).training(4)
    parts = [batches.make(epoch, number) for epoch in range(8) for number in range(8)]
    targets = np.concatenate([part[0][1] for part in parts]).mean(axis=0)
    np.testing.assert_allclose(targets, source.counts / source.counts.sum(), atol=0.08)
    real = np.concatenate([part[1][4:] for part in parts])
    real_notes = np.concatenate([part[0][3][4:] for part in parts]).argmax(axis=1)
    rows = source.rows("training")
    known, pitch = source.at(0).spectrograms(rows), source.pitch(rows) - 60
    nearest = np.abs(real[:, None] - known[None]).sum(axis=(2, 3, 4)).argmin(axis=1)
    np.testing.assert_array_equal(pitch[nearest], real_notes)


def test_spectrograms_of_one_note_lie_side_by_side_where_they_are_compared(path):
    size = replace(SMOKE, minibatch_std_group=2)
    with Dataset(path) as dataset:
        source = NoteSpectrograms(dataset, size=size, growth=SCHEDULES["smoke"], epoch_images=32)
        batches = source.at(0).training(4)
        for number in range(8):
            (_, targets, _, real_notes), spectrograms = batches.make(0, number)
            np.testing.assert_array_equal(targets[::2], targets[1::2])
            np.testing.assert_array_equal(real_notes[4::2], real_notes[5::2])
            assert np.abs(spectrograms[4::2] - spectrograms[5::2]).max(axis=(1, 2, 3)).min() > 1e-3


def test_what_is_validated_is_blended_as_at_the_end_of_the_epoch(source):
    view = source.at(1)
    view.training(4).start_epoch(1)
    (_, _, progress, _), _ = view.validation(64).make(0, 0)
    np.testing.assert_allclose(progress, 31 / 32)


def test_growing_keeps_weights_and_averages_and_begins_the_optimisers_anew():
    recipe = find_recipe("gansynth")
    young, old = (build_gansynth(SPACE, RATE, SAMPLES, stage=stage, size="smoke", latent=8, seed=1) for stage in (0, 1))
    for system in (young, old):
        recipe.compile(system, SPACE, steps=10)
    rng = np.random.default_rng(0)
    notes = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)]
    latents, progress = rng.normal(size=(8, 8)).astype(np.float32), np.zeros((8, 1), np.float32)
    real = rng.uniform(-1, 1, (8, 2, 8, 2)).astype(np.float32)
    young.fit((latents, notes, progress, notes), real, batch_size=8, epochs=2, verbose=0)
    recipe.growth.grow(young, old)

    before = np.asarray(young.generator([latents, notes, progress]))
    after = np.asarray(old.generator([latents, notes, progress]))
    np.testing.assert_allclose(after, before.repeat(2, axis=1).repeat(2, axis=2), atol=1e-6)
    score = np.asarray(young.critic([real, progress])["score"])
    larger = real.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(np.asarray(old.critic([larger, progress])["score"]), score, atol=1e-5)
    with averaged_weights(young), averaged_weights(old):
        averaged = np.asarray(young.generator([latents, notes, progress]))
        np.testing.assert_allclose(
            np.asarray(old.generator([latents, notes, progress])),
            averaged.repeat(2, axis=1).repeat(2, axis=2),
            atol=1e-6,
        )
    assert np.abs(averaged - before).max() > 1e-4
    assert int(old.generator_optimizer.iterations) == 0
    assert all(not np.any(np.asarray(one)) for one in old.generator_optimizer._velocities)


def test_averages_begin_at_the_weights_and_keep_their_share():
    import keras

    weight = keras.Variable([1.0, -2.0])
    optimizer = SteadyAdam(0.5, ema_momentum=0.9)
    optimizer.build([weight])
    expected = np.asarray(weight.value)
    for _ in range(3):
        optimizer.apply([keras.ops.ones(2)], [weight])
        expected = 0.9 * expected + 0.1 * np.asarray(weight.value)
    np.testing.assert_allclose(np.asarray(optimizer.averages[0]), expected, rtol=1e-6)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(path, tmp_path, monkeypatch):
    """Once behind the end of a stage, and once within one, where the optimisers' state counts."""
    monkeypatch.setattr(plots, "SHOWN", 1)  # a panel takes a tenth of a second
    monkeypatch.setattr(gansynth_recipe, "MEASURED", 16)
    flags = ("--transition_images", "16", "--total_images", "64", "--epochs", "3", "--run_name", "run")
    with copied_after(tmp_path, 1, 2):
        whole = train_from_settings(settings(path, tmp_path, *flags))
    for stopped in ("1", "2"):
        part = train_from_settings(settings(path, tmp_path / stopped, *flags))
        assert part.history_file.read_text() == whole.history_file.read_text()
        assert read_card(part.best).weights_sha256 == read_card(whole.best).weights_sha256
    card = read_card(part.best)
    assert (card.takes, card.training["epoch"], card.features["notes"]) == ("latents", 3, [60, 61, 62])
    assert sorted(one.name for one in part.pictures.iterdir()) == [f"epoch_0000{number}.png" for number in (1, 2, 3)]
    for number in (1, 2, 3):  # 2 was drawn again as the run went on
        assert part.picture(number).read_bytes() == whole.picture(number).read_bytes()
    assert set(part.metrics()["test"]) == {"n", "tracked", "real"}

    model = load_gansynth(part.path)
    assert model.loaded.model.output_shape[1:] == (4, 16, 2)
    assert model.progress == pytest.approx(15 / 16)
    assert model.decode(model.draw_latents(2), [60, 62]).shape == (2, SAMPLES)
    with pytest.raises(RunError, match=r"was trained with kind mel\. Received: kind linear"):
        train_from_settings(settings(path, tmp_path, *flags, "--kind", "linear"))


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (("--epoch_images", "6"), SettingsError, "epoch_images must be a multiple of batch_size 4"),
        (
            ("--stable_images", "12"),
            SettingsError,
            "stages must be whole epochs of 8 images",
        ),
        (("--total_images", "16"), ModelError, "growing to 3 blocks takes 33 images at least"),
        (("--precision", "mixed_bfloat16"), SettingsError, "unknown argument --precision"),
        (("--folds", "3"), SettingsError, "unknown argument --folds"),
        (("--minibatch_std_group", "3"), SettingsError, "batch_size must be a multiple of minibatch_std_group, 3"),
        (("--size", "tiny"), ModelError, None),
    ],
)
def test_settings_that_cannot_be_are_refused(path, tmp_path, flags, error, message):
    if message is None:
        with ExitStack() as stack:
            source, _ = open_spectrograms(GanSynthSettings.parse(["--dataset_file", str(path)]), stack)
            assert source.format.left == 64 * 128 + 384 - SAMPLES  # a short sound in a large spectrogram is no fault
        return
    with pytest.raises(error, match=message):
        train_from_settings(settings(path, tmp_path, *flags))
    assert not Run(tmp_path / "gansynth_notes").path.exists()


def test_a_dataset_of_something_else_is_refused(tmp_path):
    from generators.fm_generator import main as generate

    generate(["--num_examples", "8", "--name", "fm", "--dataset_dir", str(tmp_path), "--no-wavefiles"])
    with pytest.raises(DatasetError, match="learn from a dataset of notes"):
        train_from_settings(settings(tmp_path / "fm.hdf5", tmp_path))
