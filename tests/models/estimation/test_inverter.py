"""The inverter: what its bank of oscillators hears, what its pointers say, and that gain does not matter to it."""

import keras
import numpy as np
import pytest

from generators.generate import render_rows
from generators.oscillator_spec import oscillator_columns
from generators.registry import build_synth, declared_oscillators
from models.layers import OscillatorCandidates, PointedItems, Pointer, PointerMixture, WaveEnvelope, for_prediction
from models.registry import RECIPES, find_recipe
from models.training.loop import computing_in
from models.training.recipe import cosine_adam

SYNTH = build_synth("fm")
COLUMNS = oscillator_columns(SYNTH.space, declared_oscillators(SYNTH.space))
GRID = [SYNTH.space.parameters[COLUMNS[0][part]].levels for part in (0, 1, 3)]


def build(**options):
    return find_recipe("inverter").build(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, seed=0, **options)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def bank():
    return OscillatorCandidates(*GRID, SYNTH.sample_rate)


def candidates(bank, audio):
    """Return the classes of the candidates, (batch, candidates, 3)."""
    _, shapes = bank(audio)
    return np.stack([np.asarray(part).argmax(-1) for part in np.split(np.asarray(shapes), 3, axis=-1)], axis=-1)


# --- the bank ---------------------------------------------------------------------------------------------------------


def test_a_lone_oscillator_is_the_first_candidate(bank):
    rng = np.random.default_rng(1)
    classes = np.zeros((16, len(SYNTH.space)), np.int64)
    shapes = rng.integers(0, 16, (16, 3))
    for row, (frequency, rate, amplitude, depth) in enumerate(np.asarray(COLUMNS)[np.arange(16) % 4]):
        classes[row, [frequency, rate, depth]] = shapes[row]
        classes[row, amplitude] = 15
    for name, level in (("sustain", 15), ("f_cut", 15), ("q", 1), ("f_gate", 0)):
        classes[:, SYNTH.space.index(name)] = level
    found = candidates(bank, SYNTH.render_classes(classes))[:, 0]
    assert (found == shapes).all(axis=1).mean() >= 0.9
    swapped = np.roll(shapes, 1, axis=0)
    assert (found == swapped).all(axis=1).mean() < 0.2


def test_most_oscillators_of_random_sounds_are_candidates(bank):
    audio, classes, _ = render_rows(SYNTH, 0, 100, 77)
    found = candidates(bank, audio)
    heard = [(found == classes[:, None, [f, v, b]]).all(-1).any(-1).mean() for f, v, _, b in COLUMNS]
    assert np.mean(heard) > 0.75  # 0.81 of 1,000 sounds; 48 of 4,096 shapes would be there by chance
    wrong = [(found == np.roll(classes, 1, 0)[:, None, [f, v, b]]).all(-1).any(-1).mean() for f, v, _, b in COLUMNS]
    assert np.mean(wrong) < 0.1


def test_the_bank_describes_its_candidates_and_takes_no_gradient(bank):
    audio = SYNTH.render_classes(np.full(len(SYNTH.space), 8))[None]
    features, shapes = bank(audio)
    assert features.shape == (1, 48, bank.feature_count)
    assert bank.compute_output_shape((None, SYNTH.samples)) == ((None, 48, bank.feature_count), (None, 48, 48))
    np.testing.assert_array_equal(np.asarray(shapes).sum(-1), 3.0)
    assert np.all(np.isfinite(np.asarray(features)))
    assert not bank.trainable_weights
    again = OscillatorCandidates.from_config(bank.get_config())
    np.testing.assert_array_equal(np.asarray(again(audio)[0]), np.asarray(features))


def test_silence_is_no_trouble(bank):
    assert np.all(np.isfinite(np.asarray(bank(np.zeros((1, SYNTH.samples), np.float32))[0])))


# --- pointers ---------------------------------------------------------------------------------------------------------


def test_a_sure_pointer_gives_the_shape_pointed_at_and_none_what_is_thought_without():
    shapes = np.zeros((1, 2, 6), np.float32)
    shapes[0, 0, [0, 2, 4]] = 1
    shapes[0, 1, [1, 3, 5]] = 1
    sizes, columns = (2, 3, 2, 2), [(0, 2, 3)]
    plain = np.array([[0.9, 0.1, 0.2, 0.3, 0.5, 0.6, 0.4, 0.7, 0.3]], np.float32)
    mixture = PointerMixture(sizes, columns)
    second = Pointer()([np.array([[[0.0], [40.0]]]), np.zeros((1, 1))])
    np.testing.assert_allclose(
        np.asarray(mixture([second, shapes, plain])), [[0, 1, 0.2, 0.3, 0.5, 0, 1, 0, 1]], atol=1e-6
    )
    none = Pointer()([np.zeros((1, 2, 1)), np.full((1, 1), 40.0)])
    np.testing.assert_allclose(np.asarray(mixture([none, shapes, plain])), plain, atol=1e-6)
    items = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)
    np.testing.assert_allclose(np.asarray(PointedItems()([second, items])), [[3.0, 4.0]], atol=1e-5)


def test_envelope_follows_the_level():
    tone = np.sin(2 * np.pi * 1024 * np.arange(4096) / 16384) * np.repeat([1.0, 0.1], 2048)
    linear, _ = np.moveaxis(np.asarray(WaveEnvelope(16)(tone[None].astype(np.float32)))[0], -1, 0)
    assert linear[:128].mean() == pytest.approx(10 * linear[128:].mean(), rel=1e-4)


# --- the whole --------------------------------------------------------------------------------------------------------


def test_weights_are_counted_and_below_five_million(model):
    assert model.count_params() == RECIPES["inverter"].parameters <= 5_000_000


def test_gain_does_not_matter(model):
    audio, _, _ = render_rows(SYNTH, 0, 8, 5)
    loud = np.asarray(model(audio))
    soft = np.asarray(model(audio * np.float32(10 ** (-30 / 20))))
    np.testing.assert_allclose(soft, loud, atol=1e-5)
    for part in SYNTH.space.slices:
        np.testing.assert_allclose(loud[:, part].sum(-1), 1.0, rtol=1e-4)


def test_mixed_precision_keeps_the_weights_and_predicts_in_float32(model, tmp_path):
    with computing_in("mixed_bfloat16"):
        mixed = build()
    assert keras.config.dtype_policy().name == "float32"
    assert mixed.get_layer("short_conv1").compute_dtype == "bfloat16"
    mixed.save(tmp_path / "mixed.keras")
    twin = for_prediction(keras.saving.load_model(tmp_path / "mixed.keras", compile=False))
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    audio, _, _ = render_rows(SYNTH, 0, 4, 6)
    np.testing.assert_allclose(np.asarray(twin(audio)), np.asarray(model(audio)), atol=1e-6)


def test_a_synth_without_oscillators_is_only_viewed():
    synth = build_synth("sine", 8000, 0.25)
    plain = find_recipe("inverter").build(synth.space, 8000, synth.samples)
    assert not any(isinstance(layer, OscillatorCandidates) for layer in plain.layers)
    assert plain.output_shape == (None, synth.space.size)


def test_learning_rate_rises_and_falls():
    optimizer = cosine_adam(1e-3, 1000)
    rate = [float(optimizer._learning_rate(step)) for step in (0, 5, 10, 505, 1000)]
    assert rate[0] < rate[1] < rate[2] == pytest.approx(1e-3)
    assert rate[2] > rate[3] > rate[4] == pytest.approx(1e-5, rel=0.01)
