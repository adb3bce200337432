"""The networks of the WaveNet autoencoder: counts, what sees what, where they start, and how they are trained."""

import keras
import numpy as np
import pytest

from generators.analysis.note_phase import nominal_phase
from generators.errors import ModelError
from models.layers import NoteBands
from models.nsynth.networks import autoencoder, decoder, encoder
from models.nsynth.presets import PARAMETER_COUNTS, PRESETS, SINES, find_preset
from models.training.optimizers import AveragingAdam, falling_adam

SMOKE = PRESETS["smoke"]


def classes_of(batch, samples, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, samples))


def codes_of(batch, count, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, count, SMOKE.code)).astype(np.float32)


@pytest.fixture(scope="module")
def smoke():
    return autoencoder(SMOKE, seed=0)


@pytest.mark.parametrize("name", ["full", "medium", "tiny", "shallow"])
def test_size_counts_what_is_published_of_it(name):
    model = autoencoder(PRESETS[name])
    assert model.count_params() == PARAMETER_COUNTS[name]
    keras.backend.clear_session()


def test_parts_of_the_full_network_count_what_they_should():
    assert encoder(PRESETS["full"]).count_params() == 1_976_336
    assert PRESETS["full"].decoder_macs() == pytest.approx(59.742e6, rel=1e-5)
    assert PRESETS["full"].decoder_macs(codes=False) == pytest.approx(59.246e6, rel=1e-5)
    assert (PRESETS["full"].receptive_field, PRESETS["tiny"].receptive_field, PRESETS["medium"].receptive_field) == (
        6141,
        2047,
        4095,
    )
    assert PRESETS["full"].encoder_reach == 3070


def test_unknown_size_is_refused():
    with pytest.raises(ModelError, match=r"unknown preset 'tinny'\. Did you mean 'tiny'\?"):
        find_preset("tinny")


def test_logits_of_a_sample_follow_from_earlier_samples_alone():
    network, codes = decoder(SMOKE, seed=0), codes_of(1, 4)
    classes = classes_of(1, 64)
    before = np.asarray(network([classes, codes]))
    for moment in (0, 17, 63):
        changed = classes.copy()
        changed[0, moment] = (changed[0, moment] + 100) % 256
        moved = np.flatnonzero(np.abs(np.asarray(network([changed, codes])) - before).max(axis=-1)[0] > 0)
        assert moment not in moved
        assert np.all(moved > moment)
        assert moment == 63 or moved[0] == moment + 1


def test_decoder_sees_as_far_back_as_its_receptive_field_and_no_further():
    network, codes = decoder(SMOKE, seed=0), codes_of(1, 6)
    field = SMOKE.receptive_field
    assert field == 1 + 2 * (1 + 1 + 2 + 4 + 8)
    classes = classes_of(1, 96)
    before = np.asarray(network([classes, codes]))
    changed = classes.copy()
    changed[0, 20] = (changed[0, 20] + 128) % 256
    moved = np.flatnonzero(np.abs(np.asarray(network([changed, codes])) - before).max(axis=-1)[0] > 0)
    assert (moved[0], moved[-1]) == (21, 20 + field)


def test_encoder_sees_both_past_and_future_within_its_reach():
    network = encoder(SMOKE, seed=0)
    classes = classes_of(1, 160)
    before = np.asarray(network(classes))
    assert before.shape == (1, 10, SMOKE.code)
    assert SMOKE.encoder_reach == 16
    changed = classes.copy()
    changed[0, 80] = (
        changed[0, 80] + 128
    ) % 256  # the first sample of code 5: within reach of code 4, and of code 6 by
    moved = np.flatnonzero(np.abs(np.asarray(network(changed)) - before).max(axis=-1)[0] > 0)
    np.testing.assert_array_equal(moved, [4, 5, 6])  # a sample


def test_weights_start_uniform_with_variance_of_one_over_the_fan_in():
    kernel = np.asarray(encoder(PRESETS["tiny"], seed=1).get_layer("dilated3").kernel)
    limit = np.sqrt(3 / (3 * 16))
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.98 * limit
    assert kernel.var() == pytest.approx(1 / (3 * 16), rel=0.1)
    assert not np.any(np.asarray(encoder(PRESETS["tiny"], seed=1).get_layer("dilated3").bias))


def test_starting_weights_follow_from_the_seed():
    first, same, other = (autoencoder(SMOKE, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(one, two) for one, two in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])
    kernels = [weight for weight in first if weight.ndim == 3 and weight.shape[1] == SMOKE.width]
    assert not any(np.array_equal(kernels[0], kernel) for kernel in kernels[1:])


def test_network_takes_any_number_of_hops(smoke):
    for hops in (1, 3):
        assert smoke(classes_of(2, hops * SMOKE.hop)).shape == (2, hops * SMOKE.hop, 256)


def test_pitch_is_an_optional_condition(smoke):
    assert not isinstance(smoke.input, list)
    model = autoencoder(SMOKE, pitch=True, seed=0)
    classes = classes_of(2, 32)
    low, high = (np.asarray(model([classes, np.full((2, 1), pitch)])) for pitch in (40, 60))
    assert np.abs(low - high).max() > 1e-3
    conditions = SMOKE.layers * 2 * SMOKE.width + SMOKE.skip
    assert model.count_params() - smoke.count_params() == 128 * conditions


def test_sines_are_an_optional_condition_and_give_the_period(smoke):
    """A known sound with sines of another phase has other logits; a phase that is whole cycles ahead has the same."""
    model = autoencoder(SMOKE, sine_rate=4000, seed=0)
    classes, note = classes_of(2, 32), np.full((2, 1), 60)
    phase = nominal_phase([60, 60], 0, 32, 4000)
    first, ahead, other = (np.asarray(model([classes, note, phase + turn])) for turn in (0.0, 3.0, 0.25))
    np.testing.assert_allclose(first, ahead, atol=1e-3)
    assert np.abs(first - other).max() > 1e-2
    widths = SMOKE.width + SMOKE.layers * 2 * SMOKE.width + SMOKE.skip
    bands = NoteBands().centres * (SMOKE.layers * 2 * SMOKE.width + SMOKE.skip)
    assert model.count_params() - smoke.count_params() == 2 * len(SINES) * widths + bands


def test_sines_beside_one_hot_notes():
    model = autoencoder(SMOKE, pitch=True, sine_rate=4000, seed=0)
    classes, phase = classes_of(1, 32), nominal_phase([60], 0, 32, 4000)
    low, high = (np.asarray(model([classes, np.full((1, 1), note), phase])) for note in (60, 61))
    assert np.abs(low - high).max() > 1e-3
    assert model.get_layer("decoder").get_layer("condition0").kernel.shape[0] == SMOKE.code + 128 + NoteBands().centres


def test_network_with_sines_comes_back_from_its_file(tmp_path):
    model = autoencoder(SMOKE, sine_rate=4000, seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    inputs = [classes_of(2, 32), np.full((2, 1), 60), nominal_phase([60, 60], 0, 32, 4000)]
    np.testing.assert_array_equal(again(inputs), model(inputs))


def test_network_comes_back_from_its_file(smoke, tmp_path):
    smoke.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    classes = classes_of(2, 32)
    np.testing.assert_array_equal(again(classes), smoke(classes))
    assert again.get_layer("decoder").count_params() == decoder(SMOKE).count_params()


def compiled(model, learning_rate=1e-2, steps=1000):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(falling_adam(learning_rate, steps), loss)
    return model


def test_a_wave_is_learned_while_the_last_residual_rests():
    """A wave of period 8 is nearly certain after a while; without any learning it costs ln 256 and more."""
    model = autoencoder(SMOKE, seed=0)
    model.compile(falling_adam(1e-2, 1000), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    unheard = model.get_layer("decoder").get_layer(f"residual{SMOKE.layers - 1}")
    before = [np.array(weight) for weight in unheard.weights]
    wave = np.tile((128 + 100 * np.sin(np.arange(8) * np.pi / 4)).astype(int), (4, 8))
    losses = [float(model.train_on_batch(wave, wave)) for _ in range(60)]
    assert losses[0] > np.log(256) - 1
    assert float(model.test_on_batch(wave, wave)) < 1.0
    assert all(np.array_equal(old, np.asarray(new)) for old, new in zip(before, unheard.weights, strict=True))
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert model.count_params() - trained == SMOKE.width * (SMOKE.width + 1)


def test_rate_falls_in_the_published_steps():
    optimizer = falling_adam(2e-4, 200_000)
    rate = optimizer._learning_rate
    expected = {0: 2e-4, 89_999: 2e-4, 90_000: 1.333e-4, 120_000: 6e-5, 150_000: 4e-5, 180_000: 2e-5, 199_999: 2e-5}
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, rel=1e-3), step
    assert optimizer.ema_momentum == 0.9999
    assert falling_adam(1e-3, 8000).ema_momentum == 0.999


@pytest.mark.parametrize(("momentum", "steps"), [(0.9999, 12), (0.3, 6)])
def test_averages_follow_the_rule_with_its_warm_up(momentum, steps):
    weight = keras.Variable([1.0, -2.0])
    optimizer = AveragingAdam(0.1, ema_momentum=momentum)
    optimizer.build([weight])
    expected = 0.0
    for number in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor([1.0, 0.5])], [weight])
        kept = min(momentum, (1 + number) / (10 + number)) if number else 0.0
        expected = kept * expected + (1 - kept) * np.asarray(weight)
    learned = np.array(weight)
    optimizer.finalize_variable_values([weight])
    np.testing.assert_allclose(np.asarray(weight), expected, rtol=1e-5)
    assert np.abs(np.asarray(weight) - learned).max() > 1e-2


def test_optimiser_comes_back_from_its_config():
    optimizer = falling_adam(1e-3, 100)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, AveragingAdam)
    assert (again.use_ema, again.ema_momentum, again.epsilon) == (True, 0.999, 1e-8)
