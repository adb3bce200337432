"""Sines at the partials of a note, and how loud mels say that they are: frequencies, phases, edges, and a file."""

import json

import keras
import numpy as np
import pytest

from generators.analysis.mel import MelAnalysis, mel_magnitudes
from generators.errors import ModelError
from models.layers import LevelLogarithm, NeighbourMixture, PartialBank, PartialLevels
from tests.harness import check_layer

RATE, HOP, FRAMES = 8000, 64, 24
ANALYSIS = MelAnalysis(sample_rate=RATE, samples=2048, fft_length=512, hop_length=HOP, bands=40)
RNG = np.random.default_rng(0)


def hertz(note):
    return 440.0 * 2 ** ((note - 69) / 12)


def bank(levels, note=69.0, detuning=0.0, stiffness=0.0, **options):
    """Play levels (partials,) or (frames, partials) throughout."""
    levels = np.broadcast_to(np.asarray(levels, np.float32), (FRAMES, np.shape(levels)[-1]))[None]
    off = np.broadcast_to(np.asarray(detuning, np.float32), FRAMES).reshape(1, FRAMES, 1)
    given = [levels, off, np.full((1, 1), stiffness, np.float32), np.full((1, 1), note, np.float32)]
    return np.asarray(PartialBank(HOP, RATE, **options)(given))[0]


def loudest(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17))
    return spectrum.argmax() * RATE / (1 << 17)


# --- the bank --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("partial", "note"), [(1, 69.0), (3, 57.0), (2, 60.5)])
def test_a_partial_sounds_at_its_multiple_of_the_note(partial, note):
    sound = bank(np.eye(4)[partial - 1], note)
    assert sound.shape == (FRAMES * HOP,)
    assert loudest(sound) == pytest.approx(partial * hertz(note), abs=0.3)
    np.testing.assert_allclose(np.sqrt(2 * np.mean(sound**2)), 1.0, atol=0.02)


def test_phases_run_on_from_hop_to_hop():
    """A sine is what its two neighbours say it is, wherever a hop ends."""
    sound = bank([1.0], 69.3)
    turn = 2 * np.cos(2 * np.pi * hertz(69.3) / RATE)
    np.testing.assert_allclose(sound[2:], turn * sound[1:-1] - sound[:-2], atol=2e-3)


def test_detuning_and_stiffness_are_in_cents_and_squares():
    assert loudest(bank([1.0], detuning=1.0, cents=50.0)) == pytest.approx(hertz(69.5), abs=0.3)
    stretched = 3 * hertz(69) * np.sqrt(1 + 0.01 * 9)
    assert loudest(bank(np.eye(3)[2], stiffness=1.0, stretch=0.01)) == pytest.approx(stretched, abs=0.5)


def test_a_glide_ends_where_it_should():
    course = np.linspace(-1, 1, FRAMES)
    sound = bank([1.0], detuning=course, cents=200.0)
    first, last = loudest(sound[: 6 * HOP]), loudest(sound[-6 * HOP :])
    assert first == pytest.approx(hertz(67.5), rel=0.01)
    assert last == pytest.approx(hertz(70.5), rel=0.01)


def test_amplitudes_run_straight_from_the_middle_of_a_hop_to_the_next():
    ramp = np.linspace(0, 1, FRAMES)[:, None]
    steady, swelling = bank([1.0]), bank(ramp)
    heard = np.abs(steady) > 0.3
    middles = (np.arange(FRAMES) + 0.5) * HOP - 0.5
    expected = np.interp(np.arange(FRAMES * HOP), middles, ramp[:, 0])
    np.testing.assert_allclose((swelling / np.where(heard, steady, 1))[heard], expected[heard], atol=1e-4)


def test_partials_that_would_fold_back_and_unknown_notes_are_silent():
    assert np.all(bank(np.eye(12)[11], 69.0) == 0)  # 5,280 Hz at 8 kHz
    for note in (0.0, -1.0):
        assert np.all(bank(np.ones(3), note) == 0)


def test_a_hop_of_an_odd_number_of_samples_is_refused():
    with pytest.raises(ModelError, match="an even number of samples"):
        PartialBank(63, RATE)


# --- levels of mels --------------------------------------------------------------------------------------------------


def levels_of(sound, note, partials=6):
    mels = mel_magnitudes(sound[None].astype(np.float32), ANALYSIS)
    return np.asarray(PartialLevels(partials, 512, RATE)([mels, np.full((1, 1), note, np.float32)]))[0]


def test_levels_are_those_of_the_sines_in_a_sound():
    amplitudes, time = np.asarray([0.5, 0.1, 0.0, 0.2, 0.05, 0.0]), np.arange(ANALYSIS.samples) / RATE
    waves = np.sin(2 * np.pi * hertz(69) * np.outer(np.arange(1, 7), time) + np.arange(6)[:, None])
    found = levels_of(amplitudes @ waves, 69.0)
    assert found.shape == (FRAMES + 1, 6)
    np.testing.assert_allclose(found, np.broadcast_to(amplitudes, found.shape), atol=0.03)
    np.testing.assert_allclose(levels_of(3 * amplitudes @ waves, 69.0), 3 * found, rtol=1e-2, atol=1e-3)


def test_silence_unknown_notes_and_inaudible_partials_have_no_level():
    noise = RNG.normal(size=ANALYSIS.samples)
    assert np.all(levels_of(0 * noise, 69.0) < 1e-8)
    assert np.all(levels_of(noise, 0.0) == 0)
    assert np.all(levels_of(noise, 69.0, 12)[:, 9:] == 0)
    assert np.all(levels_of(noise, 69.0, 12)[:, :8] > 0)


# --- what steers them ------------------------------------------------------------------------------------------------


def test_logarithm_is_one_at_full_scale_and_nothing_at_silence(tmp_path):
    layer = LevelLogarithm(1e-3, 10.0)
    np.testing.assert_allclose(np.asarray(layer(np.asarray([0.0, 10.0], np.float32))), [0.0, 1.0], rtol=1e-5)
    check_layer(LevelLogarithm(0.1, 2.0), RNG.uniform(size=(2, 5, 3)).astype(np.float32), (5, 3), tmp_path)


def test_mixture_hands_on_what_comes_in_until_it_learns_to_look_around():
    levels = RNG.uniform(size=(1, 7, 3)).astype(np.float32)
    nothing = np.zeros((1, 7, 9), np.float32)
    np.testing.assert_allclose(np.asarray(NeighbourMixture(1)([levels, nothing])), levels, atol=0.05)
    ahead = nothing + np.repeat([-50.0, -50.0, 50.0 + 4.0], 3).astype(np.float32)
    found = np.asarray(NeighbourMixture(1)([levels, ahead]))
    np.testing.assert_allclose(found[:, :-1], 50.0 * levels[:, 1:], rtol=1e-4)
    assert np.all(found[:, -1] < 1e-9)


def test_layers_come_back_from_config_and_file(tmp_path):
    mels, note = keras.Input((5, 40)), keras.Input((1,))
    levels = PartialLevels(4, 512, RATE, rounds=3)([mels, note])
    levels = NeighbourMixture(1)([levels, keras.layers.Dense(12)(mels)])
    off = keras.layers.Dense(1, "tanh")(mels)
    stiff = keras.layers.Dense(1, "sigmoid")(note)
    model = keras.Model([mels, note], PartialBank(HOP, RATE)([levels, off, stiff, note]))
    given = [RNG.uniform(size=(2, 5, 40)).astype(np.float32), np.asarray([[60.0], [64.0]], np.float32)]
    model.save(tmp_path / "partials.keras")
    again = keras.saving.load_model(tmp_path / "partials.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(given)), np.asarray(model(given)))
    assert np.asarray(model(given)).shape == (2, 5 * HOP)
    for layer in model.layers:
        config = json.loads(json.dumps(layer.get_config()))
        assert json.loads(json.dumps(type(layer).from_config(config).get_config())) == config
