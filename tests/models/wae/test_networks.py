"""The parts of the autoencoders of notes: labels, kinds, networks, losses against closed forms, and the schedule."""

import keras
import numpy as np
import pytest
from keras import ops

from generators.errors import ModelError
from models.wae import losses
from models.wae.conditions import NOTE_WIDTH, conditions, note_labels
from models.wae.networks import build_autoencoder, build_decoder, build_discriminator, build_encoder
from models.wae.presets import MULTIPLICATIONS, PARAMETER_COUNTS, PRESETS, find_preset
from models.wae.schedule import adversary_weight_at, discriminator_adam, halving_adam
from models.wae.variants import VARIANTS, find_variant

SMOKE = PRESETS["smoke"]
STYLES = 3
RNG = np.random.default_rng(0)


def number(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def condition(style=(1.0, 0.0, 0.0), note=60, count=2):
    return conditions([note] * count, [style] * count)


def multiplications(network):
    total = 0
    for layer in network.layers:
        each = layer.amounts if hasattr(layer, "amounts") else layer
        if isinstance(each, (keras.layers.Conv2D, keras.layers.Conv1D, keras.layers.Dense)):
            points = () if isinstance(each, keras.layers.Dense) else layer.output.shape[1:-1]
            total += int(np.prod(points)) * int(np.prod(each.kernel.shape))
    return total


# --- labels and kinds ------------------------------------------------------------------------------------------------


def test_notes_have_the_octave_of_their_name():
    semitones, octaves = note_labels([12, 60, 69, 119])
    assert (semitones.tolist(), octaves.tolist()) == ([0, 0, 9, 11], [0, 4, 4, 8])


@pytest.mark.parametrize("note", [11, 120, 60.5])
def test_notes_without_an_octave_are_refused(note):
    with pytest.raises(ModelError, match=rf"from 12 to 119, C0 to B8\. Received: {note}"):
        note_labels([60, note])


def test_conditions_lay_labels_side_by_side():
    found = conditions([61, 36], [[0.5, 1.5], [0.0, 1.0]])
    assert found.shape == (2, NOTE_WIDTH + 2)
    np.testing.assert_array_equal(np.flatnonzero(found[0]), [1, 12 + 4, 21, 22])
    np.testing.assert_array_equal(found[:, NOTE_WIDTH:], [[0.5, 1.5], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("styles", "message"),
    [([[1.0, np.nan]], "finite numbers. Received: nan"), ([[1.0], [0.0]], "one row"), ([1.0], "one row")],
)
def test_weights_that_are_no_row_of_numbers_are_refused(styles, message):
    with pytest.raises(ModelError, match=message):
        conditions([60], styles)


def test_six_variants_differ_in_conditions_and_in_what_shapes_the_latent():
    rows = {name: (one.note, one.style, one.latent, one.adversary) for name, one in VARIANTS.items()}
    assert rows == {
        "ae": (False, False, "none", False),
        "vae": (False, False, "kl", False),
        "wae-mmd": (False, False, "mmd", False),
        "wae-note": (True, False, "mmd", False),
        "wae-style": (True, True, "mmd", False),
        "wae-fader": (True, True, "mmd", True),
    }
    assert VARIANTS["wae-note"].condition_mask(2) == [1.0] * 21 + [0.0] * 2
    for find, what in ((find_variant, "variant"), (find_preset, "preset")):
        with pytest.raises(ModelError, match=f"unknown {what} 'wae'"):
            find("wae")


# --- networks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def undrawn(monkeypatch):
    """Weights of zero: to draw millions of them takes seconds."""
    monkeypatch.setattr(keras.initializers, "GlorotNormal", lambda seed: keras.initializers.Zeros())


@pytest.mark.usefixtures("undrawn")
def test_the_paper_size_has_the_published_shapes():
    size = PRESETS["paper"]
    encoder = build_encoder(size, seed=0)
    shapes = [encoder.get_layer(f"down{layer}").output.shape[1:] for layer in range(1, 6)]
    assert shapes == [(250, 64, 16), (125, 32, 32), (63, 16, 64), (32, 8, 128), (16, 4, 256)]
    assert (encoder.input_shape, encoder.output_shape) == ((None, 500, 128, 1), (None, 3))
    for styles in (12, 10):
        decoder = build_decoder(size, styles, seed=0)
        names = ("map_shape", "up1", "up2", "up3", "full", "picture")
        assert [decoder.get_layer(name).output.shape[1:] for name in names] == [
            *[(16, 4, 256), (48, 12, 128), (144, 36, 64), (432, 108, 32)],
            *[(500, 128, 16), (500, 128, 1)],
        ]
        assert decoder.input_shape == [(None, 3), (None, 21 + styles)]
        if styles == 12:
            assert (encoder.count_params(), decoder.count_params()) == PARAMETER_COUNTS["paper"]
            assert (multiplications(encoder), multiplications(decoder)) == MULTIPLICATIONS["paper"]


@pytest.mark.usefixtures("undrawn")
def test_the_tiny_size_has_the_counts_of_its_table():
    networks = build_encoder(PRESETS["tiny"], seed=0), build_decoder(PRESETS["tiny"], 12, seed=0)
    assert tuple(network.count_params() for network in networks) == PARAMETER_COUNTS["tiny"]
    assert tuple(map(multiplications, networks)) == MULTIPLICATIONS["tiny"]
    assert networks[1].output_shape == networks[0].input_shape == (None, 128, 64, 1)


def test_the_encoder_takes_the_spectrogram_alone():
    encoder = build_encoder(SMOKE, seed=0)
    assert [each.name for each in encoder.inputs] == ["picture"]
    assert build_encoder(SMOKE, variational=True, seed=0).output_shape == (None, 2 * SMOKE.latent)


def test_maps_begin_unconditioned():
    decoder = build_decoder(SMOKE, STYLES, seed=0)
    amounts = [layer.amounts for layer in decoder.layers if hasattr(layer, "amounts")]
    assert len(amounts) == len(SMOKE.dense) + len(SMOKE.decoder) + 1
    assert all(not number(weight).any() for each in amounts for weight in each.weights)


def test_any_weights_of_styles_give_a_spectrogram_of_their_own():
    decoder = build_decoder(SMOKE, STYLES, seed=0)
    styles = [(1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (-0.2, 1.5, 0.0), (4.0, 3.0, 2.0)]
    given = np.concatenate([np.zeros((1, 24), np.float32), conditions([60] * len(styles), styles)])  # no label at all
    found = number(decoder([np.ones((len(given), SMOKE.latent), np.float32), given]))
    assert found.shape == (len(given), SMOKE.bands, SMOKE.frames, 1)
    assert np.isfinite(found).all()
    assert found.min() > 0
    for place, one in enumerate(found):
        assert all(np.abs(one - other).max() > 1e-6 for other in found[:place])


def test_a_decoder_ignores_conditions_that_its_variant_does_not_use():
    latent = RNG.normal(size=(2, SMOKE.latent)).astype(np.float32)
    for name in ("wae-mmd", "wae-note", "wae-style"):
        kind = VARIANTS[name]
        decoder = build_decoder(SMOKE, STYLES, condition_mask=kind.condition_mask(STYLES), seed=0)
        found = number(decoder([latent, condition()]))
        for seen, other in ((kind.note, condition(note=73)), (kind.style, condition((0.0, 1.0, 0.0)))):
            assert np.array_equal(number(decoder([latent, other])), found) != seen, name


def test_networks_come_back_from_a_file(tmp_path):
    spectrograms = RNG.uniform(0, 1, (2, SMOKE.bands, SMOKE.frames, 1)).astype(np.float32)
    latent = RNG.normal(size=(2, SMOKE.latent)).astype(np.float32)
    encoder, decoder = (
        build_encoder(SMOKE, variational=True, seed=0),
        build_decoder(SMOKE, STYLES, condition_mask=[0.0] * 24, seed=0),
    )
    for network, given in (
        (build_autoencoder(encoder, decoder), [spectrograms, condition()]),
        (build_discriminator(SMOKE, STYLES, seed=0), latent),
    ):
        path = tmp_path / f"{network.name}.keras"
        network.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        np.testing.assert_array_equal(number(again(given)), number(network(given)))
    whole = keras.saving.load_model(tmp_path / "wae.keras", safe_mode=True)
    np.testing.assert_array_equal(number(whole.get_layer("encoder")(spectrograms)), number(encoder(spectrograms)))
    np.testing.assert_array_equal(
        number(whole.get_layer("decoder")([latent, condition()])), number(decoder([latent, condition()]))
    )


# --- losses ----------------------------------------------------------------------------------------------------------


def test_reductions_differ_by_what_they_divide_by():
    spectrograms, found = RNG.normal(size=(2, 4, 5, 3, 1)).astype(np.float32)
    sums = np.square(found - spectrograms).sum()
    for reduction, count in (("sum", 4), ("mel", 4 * 3), ("mean", 4 * 5 * 3)):
        assert float(losses.reconstruction_loss(spectrograms, found, reduction)) == pytest.approx(
            sums / count, rel=1e-5
        )


@pytest.mark.parametrize(
    ("kernel", "near"),
    [
        ("rbf", sum(np.exp(-4 / (2 * width**2)) for width in (1, 2, 4, 8, 16))),
        ("gaussian", np.exp(-4 / 9)),
        ("multiquadric", 6 / (6 + 4)),
    ],
)
def test_discrepancy_of_two_points_has_a_closed_form(kernel, near):
    one, other = np.zeros((1, 3), np.float32), np.asarray([[0.0, 2.0, 0.0]], np.float32)
    same = 5.0 if kernel == "rbf" else 1.0
    assert float(losses.mmd(one, other, kernel)) == pytest.approx(2 * same - 2 * near, rel=1e-5)
    assert float(losses.mmd(one, one, kernel)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("count", "mean", "most"), [(256, 0.012, 0.03), (64, 0.045, 0.11)])
def test_discrepancy_tells_the_prior_from_a_law_beside_it(count, mean, most):
    rng = np.random.default_rng(1)
    sets = rng.normal(size=(12, 2, count, 3)).astype(np.float32)
    found = [float(losses.mmd(one, other)) for one, other in sets]
    assert max(found) < most
    assert np.mean(found) == pytest.approx(mean, rel=0.3)
    assert float(losses.mmd(sets[0, 0], sets[0, 1] + 2.0)) > 1.5


def test_divergence_is_that_of_normal_laws():
    mean, log_variance = np.asarray([[1.0, 0.0]], np.float32), np.asarray([[0.0, np.log(4.0)]], np.float32)
    assert float(losses.kl_divergence(mean, log_variance)) == pytest.approx(0.5 * (1.0 + 3.0 - np.log(4.0)), rel=1e-5)
    assert float(losses.kl_divergence(0 * mean, 0 * mean)) == 0.0


def test_forms_of_the_adversarial_loss_have_closed_forms():
    logits = RNG.normal(size=(6, 4)).astype(np.float32) * 3
    style = np.eye(4, dtype=np.float32)[RNG.integers(0, 4, 6)]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = (chances * style).sum(axis=1)
    expected = {
        "uniform": np.mean(-np.log(chances).mean(axis=1) - np.log(4.0)),
        "reverse": np.mean(np.log(right)),
        "complement": np.mean(-np.log(1.0 - right)),
    }
    for form, value in expected.items():
        assert float(losses.adversarial_loss(logits, style, form)) == pytest.approx(value, rel=1e-4)
    assert float(losses.discriminator_loss(logits, style)) == pytest.approx(-expected["reverse"], rel=1e-5)
    assert float(losses.adversarial_loss(0 * logits + 7, style)) == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(float(losses.adversarial_loss(1e3 * style, style, "complement")))


@pytest.mark.parametrize("find", [losses.reconstruction_loss, losses.mmd, losses.adversarial_loss])
def test_unknown_names_of_losses_are_refused(find):
    with pytest.raises(ModelError, match=r"unknown .* 'best'"):
        find(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), "best")


# --- schedule --------------------------------------------------------------------------------------------------------


def test_the_adversary_waits_gains_weight_and_keeps_it():
    found = [float(adversary_weight_at(epoch / 400)) for epoch in (0, 39, 40, 120, 200, 399)]
    np.testing.assert_allclose(found, [0, 0, 0, 2, 4, 4], atol=1e-5)
    assert float(adversary_weight_at(12 / 40, 1.0)) == pytest.approx(0.5)


@pytest.mark.parametrize("build", [halving_adam, discriminator_adam])
def test_the_rate_of_learning_is_halved_three_times(build):
    adam = build(5e-4, 400)
    rates = []
    for step in (0, 199, 200, 299, 300, 359, 360, 10_000):
        adam.iterations.assign(step)
        rates.append(float(adam.learning_rate) / 5e-4)
    np.testing.assert_allclose(rates, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125], rtol=1e-5)
    assert adam.global_clipnorm == 50.0
    assert adam.beta_1 == (0.9 if build is halving_adam else 0.5)
