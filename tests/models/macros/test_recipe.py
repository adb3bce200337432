"""Macro controls: they begin as PCA, bend beyond it where patches lie on curves, and refuse what they cannot use."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from generators.errors import DatasetError, ModelError, RunError, SettingsError
from generators.fm_generator import FmSynth
from models.macros import recipe as macros
from models.macros.data import PatchSource, PatchStream
from models.macros.patch_sets import dataset_patches, patch_set
from models.model_files import load_model, read_card
from models.registry import find_recipe
from models.training.data import StreamSource
from models.training.loop import train

SYNTH = FmSynth(16384, 0.25)
SPACE = SYNTH.space
QUICK = {"epochs": 12, "learning_rate": 3e-3}


def curved_patches(count, seed=0):
    """Patches on a curve that PCA cannot follow: each knob swings once or twice while one hidden number runs."""
    hidden = np.random.default_rng(seed).random((count, 1))
    return 0.5 + 0.4 * np.sin(2 * np.pi * hidden * (1 + np.arange(23) % 2) + np.arange(23))


def source_of(unit, count=2, **options):
    return PatchSource(patch_set(SPACE, SYNTH.sample_rate, SYNTH.length, unit, "a test"), macros=count, **options)


def training_patches(source):
    with source.training(1024) as batches:
        return np.concatenate([batches[number][0] for number in range(batches.num_batches)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = find_recipe("macros").with_options(macros=2)
    return train(recipe, source_of(curved_patches(300)), tmp_path_factory.mktemp("macros") / "run", **QUICK)


def test_untrained_macros_are_the_principal_components():
    unit = np.random.default_rng(1).random((60, 23)).astype(np.float32)
    model = macros.build_macros(SPACE, macros=3, seed=0)
    macros.adapt(model, [unit[:40], unit[40:]])
    pca = PCA(3).fit(unit)
    np.testing.assert_allclose(np.asarray(model(unit)), pca.inverse_transform(pca.transform(unit)), atol=1e-5)


def test_varimax_finds_the_axes_that_were_mixed():
    loadings = np.asarray([[1.0, 0.0], [0.8, 0.0], [0.0, 0.9], [0.0, 0.5]])
    angle = 0.6
    mixed = loadings @ np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = macros.varimax(mixed)
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-9)
    found = np.abs(mixed @ turn)
    found = found[:, np.argsort(-found[0])]
    np.testing.assert_allclose(found, loadings, atol=1e-6)


def test_macros_follow_a_curve_that_pca_cannot(run):
    scores = run.metrics()["test"]
    assert scores["n"] == 30
    assert scores["pca_explained_variance"]["All"] < 0.7
    assert scores["explained_variance"]["All"] > scores["pca_explained_variance"]["All"] + 0.1
    assert scores["mae"]["All"] < scores["pca_mae"]["All"]
    assert set(scores["parameters"]) == set(SPACE.names)


def test_macros_of_one_family_explain_no_other(run):
    uniform = source_of(np.random.default_rng(2).random((400, 23)))
    scores = macros.measure(load_model(run.path), uniform)
    assert scores["explained_variance"]["All"] < 0.0
    assert 0.0 < scores["pca_explained_variance"]["All"] < 0.2  # 2 of 23 independent numbers are 9 %


def test_measured_pca_is_that_of_scikit_learn(run):
    source = source_of(curved_patches(300))
    with source.test(64) as batches:
        test = batches[0][0]
    known = training_patches(source)
    pca = PCA(2).fit(known)
    found = np.clip(pca.inverse_transform(pca.transform(test)), 0, 1)
    expected = 1 - np.square(test - found).sum() / np.square(test - known.mean(axis=0)).sum()
    assert run.metrics()["test"]["pca_explained_variance"]["All"] == pytest.approx(expected, abs=1e-5)


def test_sliders_run_over_the_quantiles_of_the_patches(run):
    controls = macros.open_controls(load_model(run.path))
    assert controls.count == 2
    middle, ends = controls.unit([[0.5, 0.5]]), controls.unit([[0.0, 0.5], [1.0, 0.5], [7.0, 0.5]])
    assert middle.shape == (1, 23)
    assert np.all((ends >= 0) & (ends <= 1))
    np.testing.assert_array_equal(ends[1], ends[2])
    reach = [np.ptp(controls.unit(line), axis=0).sum() for line in ([[0, 0.5], [1, 0.5]], [[0.5, 0], [0.5, 1]])]
    assert min(reach) > 0.5
    assert list(controls.effects[controls.order]) == sorted(controls.effects, reverse=True)


def test_saved_macros_take_and_give_knob_positions_only(run):
    loaded = load_model(run.path)
    assert loaded.card.features["macros"] == 2
    assert loaded.predict(np.full((3, 23), 0.5, np.float32)).shape == (3, 23)
    with pytest.raises(ModelError, match=r"is a model of patches: it takes parameter values of shape \(n, 23\)"):
        loaded.predict(np.zeros((1, SYNTH.samples), np.float32))


def test_another_number_of_macros_is_another_run(run):
    with pytest.raises(RunError, match=r"was trained with macros 2\. Received: macros 3"):
        train(find_recipe("macros").with_options(macros=3), source_of(curved_patches(300)), run.path, **QUICK)


def test_a_finished_run_is_left_as_it_is(run):
    before = run.best.read_bytes()
    recipe = find_recipe("macros").with_options(macros=2)
    train(recipe, source_of(curved_patches(300)), run.path, **QUICK)
    assert run.best.read_bytes() == before


def test_what_is_not_a_finished_macro_model_is_refused(run, tmp_path):
    loaded = load_model(run.path)
    with pytest.raises(ModelError, match=r"must be a model of macros\. Received: C6\. Train one with"):
        macros.open_controls(replace(loaded, card=replace(loaded.card, model="C6")))
    with pytest.raises(ModelError, match="has not been trained to its end"):
        macros.open_controls(replace(loaded, card=replace(loaded.card, scores={"val_loss": 0.1})))
    falling = {"test": {"spread": {"quantiles": [[1.0, 0.0]] + [[0.0, 0.0]] * 20, "effects": [1.0, 0.5]}}}
    with pytest.raises(ModelError, match="was changed after it was saved"):
        macros.open_controls(replace(loaded, card=replace(loaded.card, scores=falling)))


@pytest.mark.parametrize("count", [0, 23, 40])
def test_macros_are_fewer_than_parameters(count):
    with pytest.raises(ModelError, match=rf"number 1 to 22, fewer than its 23 parameters\. Received: {count}\."):
        macros.build_macros(SPACE, macros=count)


@pytest.mark.parametrize("count", [1, 2, 4, 18])
def test_too_few_patches_are_refused(count):
    with pytest.raises(DatasetError, match=rf"5 macros need 15 patches to train on.* of the {count} in a test"):
        source_of(curved_patches(count), 5)
    assert len(training_patches(source_of(curved_patches(19), 5))) == 15


def test_patches_that_are_all_the_same_are_refused():
    with pytest.raises(DatasetError, match=r"must differ\. Received: 40 times the same"):
        source_of(np.full((40, 23), 0.5))


def test_no_patch_is_in_two_splits():
    unit = curved_patches(50)
    source = source_of(unit)
    seen = [training_patches(source)]
    for part in (source.validation(64), source.test(64)):
        with part as batches:
            seen.append(batches[0][0])
    assert [len(one) for one in seen] == [40, 5, 5]
    assert len(np.unique(np.concatenate(seen), axis=0)) == 50


def test_streamed_patches_are_those_that_would_be_rendered():
    with PatchStream(SYNTH, seed=3).test(8) as patches, StreamSource(SYNTH, seed=3).test(8) as sounds:
        unit, same = patches[1]
        np.testing.assert_array_equal(SPACE.unit_to_classes(unit), sounds[1][1])
        np.testing.assert_array_equal(unit, same)
    with PatchStream(SYNTH, seed=3).training(8) as patches:
        first = patches[0][0]
        patches.start_epoch(1)
        assert not np.array_equal(first, patches[0][0])


def test_patches_of_a_dataset_are_its_classes(tiny_dataset):
    patches = dataset_patches(tiny_dataset)
    np.testing.assert_array_equal(tiny_dataset.space.unit_to_classes(patches.unit), tiny_dataset.classes[:])
    assert patches.identity["seed"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--folds", "3"], "unknown argument --folds"),
        (["--loss", "bce"], "unknown argument --loss"),
        (["--stream", "--patches", "somewhere"], "stream draws its patches and reads none"),
        (["--patches", "somewhere"], "patches are read by `inversynth train`. Received: --patches somewhere"),
    ],
)
def test_settings_that_mean_nothing_to_patches_are_refused(changes, message):
    with pytest.raises(SettingsError) as error:
        macros.open_patches(macros.MacrosSettings.parse(changes), ExitStack())
    assert message in str(error.value)


def test_card_of_an_unfinished_run_says_what_it_takes(run):
    card = read_card(run.last)
    assert card.takes == "patches"
    assert card.widths == (23, 23)
