"""Every row of every table builds, counts what the paper says, fits other sounds, and learns."""

import numpy as np
import pytest

from generators.errors import ModelError
from generators.registry import build_synth
from models.estimation.architectures import BASELINES, INVERTER, SPECTROGRAM_CNNS
from models.estimation.e2e_cnn import build_e2e_cnn
from models.estimation.spectrogram_cnn import build_spectrogram_cnn
from models.layers import for_prediction
from models.registry import RECIPES, find_recipe
from models.training.metrics import mean_percentile_rank, top_k_accuracy
from models.training.recipe import check_data_format

FM = (16,) * 23
PAPER_NAMES = (*SPECTROGRAM_CNNS, "e2e", *BASELINES)
PAPER = dict.fromkeys(PAPER_NAMES, 1.2e6) | {"C6XL": 2.3e6, "e2e": 1.9e6}


def trained_weights(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def build(name, synth_name="fm", sample_rate=16384, length=1.0, **options):
    synth = build_synth(synth_name, sample_rate, length)
    return synth, find_recipe(name).build(synth.space, sample_rate, synth.samples, **options)


@pytest.mark.parametrize("name", PAPER_NAMES)
def test_row_counts_what_the_paper_says(name):
    _, model = build(name)
    assert model.output.shape == (None, 368)
    assert trained_weights(model) == RECIPES[name].parameters
    assert abs(RECIPES[name].parameters - PAPER[name]) < 0.05 * PAPER[name]


def test_counts_that_are_known_exactly():
    assert RECIPES["C6"].parameters == 1_155_287
    assert RECIPES["C6XL"].parameters == 2_279_792


@pytest.mark.parametrize(("sample_rate", "length"), [(16000, 0.5), (22050, 2.0)])
@pytest.mark.parametrize("name", [*PAPER_NAMES, INVERTER])
def test_row_fits_other_rates_and_lengths(name, sample_rate, length):
    synth, model = build(name, "sine", sample_rate, length)
    audio = np.random.default_rng(0).uniform(-1, 1, (2, synth.samples)).astype(np.float32)
    probabilities = np.asarray(model(audio))
    assert probabilities.shape == (2, synth.space.size)
    assert np.all((probabilities >= 0) & (probabilities <= 1))


def test_learned_filter_bank_has_the_shape_of_the_spectrogram():
    learned = build_e2e_cnn(FM, 16384).get_layer("picture").output.shape
    given = build_spectrogram_cnn("C6", FM, 16384).get_layer("spectrogram").output.shape
    assert learned == given == (None, 64, 257, 1)


def test_tables_and_recipes_name_the_same_models():
    of_paper = ("C1", "C2", "C3", "C4", "C5", "C6", "C6XL", "e2e", "CE2E_2D", *BASELINES)
    assert tuple(RECIPES)[: len(of_paper)] == of_paper
    assert {*SPECTROGRAM_CNNS, *BASELINES, "e2e"} == set(of_paper)
    assert all(recipe.parameters > 0 for recipe in RECIPES.values())
    assert all(recipe.name == name and recipe.summary and recipe.paper for name, recipe in RECIPES.items())


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("c6", "C6"), ("Conv6XL", "C6XL"), ("CE2E", "e2e"), ("E2E", "e2e"), ("ce2e-2d", "CE2E_2D")]
    + [(spelling, "FC_Linear") for spelling in ("FC Linear", "FCLinear", "fc_linear", "fc-linear")],
)
def test_models_answer_to_their_spellings(spelling, name):
    assert find_recipe(spelling) is RECIPES[name]


def test_unknown_model_offers_the_nearest():
    with pytest.raises(ModelError) as error:
        find_recipe("C6XXL")
    assert str(error.value) == f"unknown model 'C6XXL'. Did you mean 'C6XL'? Known: {', '.join(RECIPES)}"


def test_builders_refuse_what_is_in_no_table():
    with pytest.raises(ModelError, match="unknown spectrogram model 'FC1'"):
        build_spectrogram_cnn("FC1", FM, 16384)
    with pytest.raises(ModelError, match=r"a head is sigmoid or softmax\. Received: linear"):
        build_spectrogram_cnn("C1", FM, 16384, head="linear")
    with pytest.raises(ModelError, match=r"loss must be one of bce, categorical\. Received: mse"):
        build("C1", loss="mse")


@pytest.mark.parametrize("name", ["C3", "e2e", "FC1"])
def test_seed_gives_the_same_weights_and_another_does_not(name):
    first, again, other = (build(name, "sine", length=0.1, seed=seed)[1].get_weights() for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", ["C1", "C6", "e2e"])
def test_both_layouts_have_the_same_weights(name):
    synth, last = build(name, "sine", length=0.0625, seed=1)
    _, first = build(name, "sine", length=0.0625, seed=1, data_format="channels_first")
    assert [w.shape for w in first.get_weights()] == [w.shape for w in last.get_weights()]
    portable = for_prediction(first)
    assert for_prediction(last) is last
    audio = np.random.default_rng(0).uniform(-1, 1, (2, synth.samples)).astype(np.float32)
    expected = np.asarray(last(audio))
    np.testing.assert_allclose(np.asarray(portable(audio)), expected, atol=1e-5)
    try:
        outputs = np.asarray(first(audio))
    except Exception as error:  # a TensorFlow without oneDNN; tests/backends computes it under the other backends
        if "NHWC" not in str(error):
            raise
    else:
        np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_channels_first_is_refused_on_a_cpu():
    check_data_format("channels_last", "cpu")
    check_data_format("channels_first", "gpu")
    with pytest.raises(ModelError) as error:
        check_data_format("channels_first", "cpu")
    assert str(error.value) == (
        "channels_first needs a GPU: on a CPU only channels_last convolutions can be relied on. "
        "Received: data_format channels_first on cpu. Use channels_last; the weights are the same"
    )
    with pytest.raises(ModelError, match=r"data_format must be channels_last or channels_first\. Received: NCHW"):
        check_data_format("NCHW")


def test_categorical_head_sums_to_one_for_each_parameter():
    synth, model = build("C1", "sine", loss="categorical")
    audio = np.random.default_rng(0).uniform(-1, 1, (2, synth.samples)).astype(np.float32)
    probabilities = np.asarray(model(audio))
    for part in synth.space.slices:
        np.testing.assert_allclose(probabilities[:, part].sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "length", "loss"),
    [("C1", 0.0625, "bce"), ("C3", 0.0625, "categorical"), ("e2e", 0.0625, "bce"), ("FC1", 0.25, "bce")],
)
def test_eight_sounds_are_memorised(name, length, loss):
    synth, model = build(name, "sine", length=length, loss=loss, seed=0)
    slices = synth.space.slices
    classes = np.random.default_rng(0).integers(0, 3, (8, 4)).astype(np.uint8)
    audio = synth.render_classes(classes)
    recipe = find_recipe(name)
    if recipe.adapt:
        recipe.adapt(model, [audio])
    recipe.compile(model, synth.space, loss=loss, learning_rate=1e-3)
    assert top_k_accuracy(classes, np.asarray(model(audio)), slices).mean() < 0.75
    for _ in range(16):
        for _ in range(25):
            measures = model.train_on_batch(audio, classes, return_dict=True)
        probabilities = np.asarray(model(audio))
        if np.all(top_k_accuracy(classes, probabilities, slices) == 1.0):
            break
    assert np.all(mean_percentile_rank(classes, probabilities, slices) == 100.0)
    assert np.all(
        mean_percentile_rank((classes + 1) % 3, probabilities, slices) <= 50.0
    )  # a wrong target: no such luck
    assert measures["top1"] > 0.9
