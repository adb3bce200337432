"""MCNN: merged heads against the plain sum, losses against what is known of them, and a tone learned by heart."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from generators.analysis.mel import MelAnalysis, mel_magnitudes, padded_mels, padded_note
from generators.errors import ModelError
from models.backend import start_keras
from models.layers.parallel_heads import FrameSigns, ParallelHeads, ScaledSoftsign, upsample
from models.mcnn.losses import JOINT_WEIGHTS, SINGLE_WEIGHTS, TERMS, WaveformLoss
from models.mcnn.networks import build_mcnn, note_renderer
from models.mcnn.presets import PARAMETER_COUNTS, SIZES, McnnSize, find_preset, find_size
from models.wae.presets import PRESETS as WAE_PRESETS
from tests.harness import check_layer

start_keras()
RNG = np.random.default_rng(0)
SPECTRA = RNG.uniform(size=(3, 7, 10)).astype(np.float32)
PLAIN = McnnSize(2, (4, 1), 5, 4, front=6)
"""Without a harmonic head, as the published one is."""
TOLD = McnnSize(2, (4, 1), 9, 4, front=6, noisy=True, biased=False, partials=8, units=6, bend=0.1)
"""With one."""
NOTES = MelAnalysis(sample_rate=4096, samples=1024, fft_length=128, hop_length=16, bands=20)


def spoken(heads):
    """Build heads with biases that are not 0, as after training."""
    heads.build(SPECTRA.shape)
    heads.set_weights([RNG.normal(size=weight.shape) * 0.3 for weight in heads.get_weights()])
    return heads


# --- network ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "stride"), [(13, 2), (5, 4), (6, 3)])
def test_merged_heads_equal_the_plain_sum(width, stride):
    filters = (6, 4, 1)
    heads = spoken(ParallelHeads(3, filters, width, stride))
    total = 0.0
    for head in range(3):
        hidden = SPECTRA
        for number, count in enumerate(filters):
            plain = keras.layers.Conv1DTranspose(count, width, stride, "same", activation="elu")
            plain.build(hidden.shape)
            kernel, bias = np.asarray(heads.kernels[number])[head], np.asarray(heads.biases[number])[head]
            plain.set_weights([kernel.transpose(0, 2, 1), bias.reshape(-1)])
            hidden = plain(hidden)
        total = total + float(heads.scales[head]) * np.asarray(hidden)[..., 0]
    np.testing.assert_allclose(np.asarray(heads(SPECTRA)), total, rtol=1e-4, atol=1e-5)


def test_heads_are_independent_of_each_other():
    hidden = RNG.normal(size=(2, 1, 5, 3)).astype(np.float32)
    kernel = RNG.normal(size=(2, 5, 3, 4)).astype(np.float32)
    one = np.asarray(upsample(hidden, ops.convert_to_tensor(kernel), 2))
    kernel[1] = 0.0
    other = np.asarray(upsample(hidden, ops.convert_to_tensor(kernel), 2))
    np.testing.assert_array_equal(one[0], other[0])
    assert np.all(other[1] == 0)
    assert np.abs(one[1]).max() > 0.1


def test_heads_and_softsign_pass_the_harness(tmp_path):
    check_layer(ParallelHeads(2, (3, 1), 5, 2, seed=1), SPECTRA, (28,), tmp_path)
    check_layer(ParallelHeads(2, (1,), 4, 4, biased=False, seed=1), SPECTRA, (28,), tmp_path)
    check_layer(ParallelHeads(2, (3, 1), 5, (2, 4), seed=1), SPECTRA, (56,), tmp_path)
    check_layer(ScaledSoftsign(), SPECTRA, (7, 10), tmp_path)
    check_layer(FrameSigns(seed=1), SPECTRA, (7, 10), tmp_path)


def test_softsign_is_that_of_the_formula():
    found = np.asarray(ScaledSoftsign(3.0, 0.5)(np.asarray([-4.0, 0.0, 2.0, 1e6], np.float32)))
    np.testing.assert_allclose(found, [-4.0, 0.0, 3.0, 6.0], rtol=1e-4)


@pytest.mark.parametrize("fields", [{"heads": 0}, {"filters": (4, 2)}, {"filters": ()}, {"width": 1}, {"stride": (2,)}])
def test_heads_that_cannot_be_are_refused(fields):
    with pytest.raises(ValueError, match="there must be a head or more"):
        ParallelHeads(**{"heads": 2, "filters": (4, 1), **fields})


@pytest.mark.parametrize("name", PARAMETER_COUNTS)
def test_weights_are_as_many_as_known_and_a_frame_is_a_hop(name):
    preset = find_preset(name)
    network = build_mcnn(find_size(name), preset.bands, preset.frames)
    assert network.count_params() == PARAMETER_COUNTS[name]
    assert network.output_shape == (None, preset.frames * preset.hop_length)
    assert PARAMETER_COUNTS["tiny"] * 4 < 2.5e6


@pytest.mark.parametrize(
    ("name", "other"), [("paper", "paper"), ("small", "paper"), ("tiny", "tiny"), ("smoke", "smoke")]
)
def test_notes_are_those_of_the_autoencoders(name, other):
    decoder = WAE_PRESETS[other]
    wanted = MelAnalysis(22050, decoder.samples, decoder.fft_length, decoder.hop_length, decoder.bands)
    assert find_preset(name).analysis(22050) == wanted


def test_the_published_network_over_linear_bins_has_its_weights_too():
    heads = ParallelHeads(8, SIZES["paper"].filters)
    assert sum(int(np.prod(shape)) for shape in shapes_of(heads, 1025)) + 2 == 14_782_738


def shapes_of(heads, bins):
    for filters in heads.filters:
        yield from ((heads.heads, heads.width, bins, filters), (heads.heads, filters))
        bins = filters
    yield (heads.heads,)


def test_unknown_size_is_named():
    with pytest.raises(ModelError, match="unknown size 'huge'"):
        find_size("huge")


def test_silence_stays_silence_and_one_seed_makes_one_network():
    network = build_mcnn(SIZES["tiny"], 128, seed=3)
    network.set_weights([RNG.normal(size=weight.shape) for weight in network.get_weights()])
    assert np.all(np.asarray(network([np.zeros((1, 4, 128), np.float32), np.full((1, 1), 60.0)])) == 0)
    one, other, third = (build_mcnn(PLAIN, 10, seed=seed)(SPECTRA) for seed in (1, 1, 2))
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert np.abs(np.asarray(third) - np.asarray(one)).max() > 1e-3


def test_a_harmonic_head_sounds_only_where_the_note_is_known():
    network = told_network()
    mels = RNG.uniform(size=(1, 6, NOTES.bands)).astype(np.float32)
    unknown, known, other = (np.asarray(network([mels, np.full((1, 1), note)])) for note in (0, 69, 70))
    bare = keras.Model(network.inputs, network.get_layer("heads").output)
    softsign = network.get_layer("softsign")
    np.testing.assert_allclose(unknown, np.asarray(softsign(bare([mels, np.zeros((1, 1))]))), atol=1e-6)
    assert np.abs(known - unknown).max() > 0.01
    assert np.abs(known - other).max() > 0.01


def told_network(**options):
    options = {"fft_length": NOTES.fft_length, "sample_rate": NOTES.sample_rate, "seed": 0, **options}
    return build_mcnn(TOLD, NOTES.bands, **options)


def test_alternating_signs_give_different_hops_of_equal_frames():
    steady = np.repeat(SPECTRA[:1, :1], 12, axis=1)
    quiet, noisy = (build_mcnn(replace(PLAIN, noisy=noisy), 10, seed=0)(steady) for noisy in (False, True))
    hops = [np.asarray(sound).reshape(12, 16)[4:8] for sound in (quiet, noisy)]
    assert np.abs(np.diff(hops[0], axis=0)).max() < 1e-6 < 1e-3 < np.abs(np.diff(hops[1], axis=0)).max()


def test_signs_are_the_same_however_many_frames_are_known_beforehand():
    layer, anything = FrameSigns(seed=2), keras.Input((None, 10))
    free = keras.Model(anything, layer(anything))
    np.testing.assert_array_equal(free.predict(SPECTRA, verbose=0), np.asarray(layer(SPECTRA)))
    assert set(np.unique(np.asarray(layer(np.ones_like(SPECTRA))))) == {-1.0, 1.0}


def test_a_steady_spectrum_makes_a_tone_that_repeats_every_hop():
    """So a steady partial can only come out at a multiple of sample rate / hop: no phase goes in, none is kept."""
    network = build_mcnn(PLAIN, 10, seed=0)
    sound = np.asarray(network(np.repeat(SPECTRA[:1, :1], 20, axis=1)))[0].reshape(20, 16)
    np.testing.assert_allclose(sound[4:16], np.broadcast_to(sound[8], (12, 16)), atol=1e-6)
    assert np.abs(sound[8]).max() > 1e-3


# --- notes -----------------------------------------------------------------------------------------------------------


def test_renderer_crops_the_whole_note_from_the_output_of_the_network():
    network = build_mcnn(PLAIN, NOTES.bands, seed=0)
    mels = RNG.uniform(size=(2, NOTES.frames, NOTES.bands)).astype(np.float32)
    renderer = note_renderer(network, NOTES)
    note, around = np.asarray(renderer(mels)), np.asarray(network(padded_mels(mels, NOTES)))
    assert note.shape == (2, NOTES.samples)
    place = padded_note(np.arange(1, NOTES.samples + 1)[None], NOTES)[0] > 0
    np.testing.assert_array_equal(note, around[:, place])


def test_renderer_comes_back_from_a_file(tmp_path):
    renderer = note_renderer(told_network(), NOTES)
    given = [RNG.uniform(size=(1, NOTES.frames, NOTES.bands)).astype(np.float32), np.full((1, 1), 60.0, np.float32)]
    renderer.save(tmp_path / "renderer.keras")
    again = keras.saving.load_model(tmp_path / "renderer.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(given)), np.asarray(renderer(given)))


@pytest.mark.parametrize(
    ("size", "bands", "message"),
    [
        (PLAIN, 21, "the same bands. Received: 21, 20"),
        (McnnSize(1, (1,), 4, 4), 20, "4 samples a frame, hop_length 16"),
    ],
)
def test_renderer_refuses_a_network_that_does_not_fit(size, bands, message):
    with pytest.raises(ModelError, match=message):
        note_renderer(build_mcnn(size, bands), NOTES)


def test_a_tone_is_memorised():
    """A sine at a multiple of sample rate / hop, the only kind that there is a network for."""
    analysis = MelAnalysis(sample_rate=4096, samples=512, fft_length=128, hop_length=16, bands=20)
    hertz = 2 * analysis.sample_rate / analysis.hop_length
    note = 0.3 * np.sin(2 * np.pi * hertz * np.arange(analysis.samples) / analysis.sample_rate)[None].astype(np.float32)
    mels, target = padded_mels(mel_magnitudes(note, analysis), analysis), padded_note(note, analysis)
    network = build_mcnn(McnnSize(4, (8, 4, 2, 1), 5, 2), analysis.bands, mels.shape[1], seed=0)
    loss = WaveformLoss({"convergence": 1.0, "phase": 1.0}, analysis.fft_length, analysis.hop_length)
    network.compile(optimizer=keras.optimizers.Adam(5e-3, clipnorm=5.0), loss=loss, jit_compile=False)
    network.fit(np.repeat(mels, 60, axis=0), np.repeat(target, 60, axis=0), batch_size=1, verbose=0)
    sound = np.asarray(network(mels))
    spectrum = np.abs(np.fft.rfft(sound[0] * np.hanning(sound.shape[1]), 1 << 16))
    assert 20 * np.log10(float(loss.terms(target, sound)["convergence"][0])) < -15
    assert spectrum.argmax() * analysis.sample_rate / (1 << 16) == pytest.approx(hertz, abs=1.0)


def test_a_tone_of_any_frequency_is_memorised_where_the_note_is_known():
    """A third of a semitone above the note, and no multiple of sample rate / hop."""
    analysis = MelAnalysis(sample_rate=8000, samples=2048, fft_length=512, hop_length=64, bands=40)
    hertz = 440 * 2 ** (0.3 / 12)
    note = 0.3 * np.sin(2 * np.pi * hertz * np.arange(analysis.samples) / analysis.sample_rate)[None].astype(np.float32)
    size = McnnSize(1, (4, 1), 9, 8, front=4, biased=False, partials=4, units=12, bend=0.1)
    renderer = note_renderer(build_mcnn(size, 40, seed=0, fft_length=512, sample_rate=8000), analysis)
    loss = WaveformLoss({"convergence": 1.0}, analysis.fft_length, analysis.hop_length)
    renderer.compile(optimizer=keras.optimizers.Adam(1e-2, clipnorm=5.0), loss=loss, jit_compile=False)
    given = [mel_magnitudes(note, analysis), np.full((1, 1), 69.0, np.float32)]
    columns = [np.repeat(one, 80, axis=0) for one in (*given, note)]
    renderer.fit(columns[:2], columns[2], batch_size=1, verbose=0)
    sound = np.asarray(renderer(given))
    spectrum = np.abs(np.fft.rfft(sound[0] * np.hanning(sound.shape[1]), 1 << 17))
    assert 20 * np.log10(float(loss.terms(note, sound)["convergence"][0])) < -15
    assert spectrum.argmax() * analysis.sample_rate / (1 << 17) == pytest.approx(hertz, abs=1.0)
    silence = np.asarray(renderer([0 * given[0], given[1]]))
    assert np.abs(silence).max() < 1e-3


# --- losses ----------------------------------------------------------------------------------------------------------

LENGTH, HOP, RATE = 256, 64, 8000
TIME = np.arange(4096) / RATE
NOISE = (RNG.normal(size=(2, 4096)) * 0.2).astype(np.float32)
WAVE = WaveformLoss(SINGLE_WEIGHTS, LENGTH, HOP)
ALL = WaveformLoss(dict.fromkeys(TERMS, 1.0), LENGTH, HOP, bands=20, sample_rate=RATE)


def terms(target, output, loss=ALL):
    return {name: np.asarray(value) for name, value in loss.terms(target, output).items()}


def tone(hertz, phase=0.0, level=0.5):
    """Make a tone that swells and fades, so that no frame hears it begin."""
    return (level * np.sin(2 * np.pi * hertz * TIME + phase) * np.hanning(4096)).astype(np.float32)[None]


def test_a_sound_is_no_distance_from_itself_and_some_from_another():
    same, other = terms(NOISE, NOISE), terms(NOISE, NOISE[::-1])
    assert set(same) == set(TERMS)
    for name in TERMS:
        assert np.all(np.abs(same[name]) < 1e-4), name
        assert np.all(other[name] > 0.1), name
        assert other[name].shape == (2,)


def test_half_as_loud_is_half_a_norm_away_and_ln_two_in_logarithm():
    found = terms(NOISE, NOISE / 2)
    for prefix in ("", "mel_"):
        np.testing.assert_allclose(found[f"{prefix}convergence"], 0.5, atol=1e-3)
        np.testing.assert_allclose(found[f"{prefix}log_magnitude"], np.log(2), atol=0.05)
    np.testing.assert_allclose(found["frequency"], 0.0, atol=1e-3)
    np.testing.assert_allclose(found["phase"], 0.0, atol=1e-3)


def test_magnitude_terms_ignore_the_phase_and_phase_terms_do_not():
    found = terms(tone(1000.0), tone(1000.0, phase=1.0))
    assert found["convergence"] < 0.05
    np.testing.assert_allclose(found["phase"], 1 - np.cos(1.0), atol=0.03)
    assert found["frequency"] < 0.1  # a shift is no other frequency
    np.testing.assert_allclose(terms(NOISE, -NOISE)["phase"], 2.0, atol=1e-4)


def test_frequency_is_the_phase_gained_in_a_hop():
    detuned = 0.5 * RATE / (2 * np.pi * HOP)  # 0.5 radians a hop
    np.testing.assert_allclose(terms(tone(1000.0), tone(1000.0 + detuned))["frequency"], 0.5, atol=0.05)


def test_quiet_bins_and_silence_have_no_frequency():
    hiss = (RNG.normal(size=(1, 4096)) * 1e-6).astype(np.float32)
    loud = tone(1000.0)
    assert terms(loud, loud + hiss)["frequency"] < 0.02
    assert terms(np.zeros_like(loud), loud)["frequency"] == 0
    np.testing.assert_allclose(terms(loud, np.zeros_like(loud))["frequency"], np.pi / 2, rtol=1e-5)


@pytest.mark.parametrize("target", ["silence", "noise", "half"])
@pytest.mark.parametrize("output", ["silence", "noise", "whisper"])
def test_gradients_are_finite_at_silence(target, output):
    sounds = {"silence": NOISE * 0, "noise": NOISE, "whisper": NOISE * 1e-12, "half": NOISE * (TIME < 0.2)}
    found, gradient = value_and_gradient(ALL, sounds[target], sounds[output].astype(np.float32))
    assert np.isfinite(found)
    assert np.all(np.isfinite(gradient))
    assert np.abs(gradient).max() < 1e4


def value_and_gradient(loss, target, output):
    import tensorflow

    variable = tensorflow.Variable(output)
    with tensorflow.GradientTape() as tape:
        value = loss(target, variable)
    return float(value), np.asarray(tape.gradient(value, variable))


def test_gradients_are_those_of_differences():
    direction = NOISE[::-1] / np.linalg.norm(NOISE)
    _, gradient = value_and_gradient(WAVE, NOISE, NOISE * 0.7)
    step = 0.05
    ahead, behind = (float(WAVE(NOISE, NOISE * 0.7 + sign * step * direction)) for sign in (1, -1))
    assert float(np.sum(gradient * direction)) == pytest.approx((ahead - behind) / (2 * step), rel=0.1, abs=0.02)


def test_the_loss_is_the_weighted_sum_and_comes_back_from_its_settings():
    loss = WaveformLoss(JOINT_WEIGHTS, LENGTH, HOP, bands=20, sample_rate=RATE)
    found = terms(NOISE, NOISE[::-1], loss)
    assert set(found) == set(JOINT_WEIGHTS)
    expected = np.mean(sum(JOINT_WEIGHTS[name] * value for name, value in found.items()))
    assert float(loss(NOISE, NOISE[::-1])) == pytest.approx(expected, rel=1e-5)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(twin(NOISE, NOISE[::-1])) == pytest.approx(expected, rel=1e-5)


def test_unknown_terms_and_mels_without_bands_are_refused():
    with pytest.raises(ModelError, match="unknown loss term 'loudness'"):
        WaveformLoss({"loudness": 1.0})
    with pytest.raises(ModelError, match="mel terms need bands and sample_rate"):
        WaveformLoss(JOINT_WEIGHTS)
