"""Mel magnitudes of notes: the bank against librosa's, a sine where it belongs, and the way back to bins and sound."""

import librosa
import numpy as np
import pytest
from keras import ops

from generators.analysis.griffin_lim import mel_to_audio, reconstruct_phase
from generators.analysis.mel import (
    MelAnalysis,
    linear_magnitudes,
    log_mel_to_mel,
    mel_filters,
    mel_magnitudes,
    mel_to_linear,
    mel_to_log_mel,
    padded_mels,
    padded_note,
    prepare_notes,
)
from generators.errors import ModelError

PAPER = MelAnalysis()
SMALL = MelAnalysis(sample_rate=8000, samples=4096, fft_length=512, hop_length=64, bands=48)


def sine(hertz, analysis=SMALL):
    return np.sin(2 * np.pi * hertz * np.arange(analysis.samples) / analysis.sample_rate).astype(np.float32)[None]


def test_the_analysis_of_the_paper_has_128_frames_and_covers_a_note_with_four_silent_ones_around_it():
    assert (PAPER.frames, PAPER.bins, PAPER.margin) == (128, 1025, 4)
    assert np.linalg.matrix_rank(PAPER.matrix) == 430


def test_bank_is_that_of_librosa():
    expected = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=500, dtype=np.float64)
    np.testing.assert_allclose(PAPER.matrix.T, expected, atol=1e-9)


@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(
    ("bands", "fft_length", "sample_rate"), [(40, 1024, 16384), (128, 2048, 44100), (500, 2048, 22050), (20, 512, 1600)]
)
@pytest.mark.filterwarnings("ignore:Empty filters")  # librosa warns of bands without a bin
def test_every_bank_is_that_of_librosa(bands, fft_length, sample_rate, htk):
    norm = None if htk else "slaney"
    expected = librosa.filters.mel(sr=sample_rate, n_fft=fft_length, n_mels=bands, htk=htk, norm=norm, dtype=np.float64)
    bank = mel_filters(bands, fft_length, sample_rate, htk)
    np.testing.assert_allclose(bank.T, expected, rtol=1e-9, atol=1e-12)
    assert not bank.flags.writeable


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"samples": 34561}, "whole hops"),
        ({"samples": 1024}, "whole hops"),
        ({"fft_length": 1024, "samples": 1024 + 256}, "every mel band must cover a bin"),
        ({"bands": 0}, "every mel band must cover a bin"),
        ({"fft_length": 2047}, "fft_length must be even"),
    ],
)
def test_an_analysis_that_skips_samples_or_bands_is_refused(fields, message):
    with pytest.raises(ModelError, match=message):
        MelAnalysis(**fields)


def test_a_full_scale_sine_is_loudest_in_its_band_and_the_same_in_numpy_and_keras():
    audio = sine(1000.0)
    linear, mels = linear_magnitudes(audio, SMALL), mel_magnitudes(audio, SMALL)
    assert linear.shape == (1, SMALL.frames, 257)
    assert linear.max() == pytest.approx(512 / 4, rel=1e-3)
    assert np.all(linear.argmax(axis=-1) == 64)
    centres = librosa.mel_frequencies(50, fmax=4000.0)[1:-1]
    assert np.all(mels.argmax(axis=-1) == np.abs(centres - 1000).argmin())
    np.testing.assert_allclose(np.asarray(mel_magnitudes(audio, SMALL, ops)), mels, atol=1e-3)
    with pytest.raises(ModelError, match="must have 4096 samples"):
        linear_magnitudes(audio[:, 1:], SMALL)


def test_log_mel_is_inverted_except_below_the_threshold():
    mels = np.asarray([[0.0, 9e-4, 2e-3, 1.0, 70.0]], np.float32)
    for xp in (np, ops):
        log_mel = mel_to_log_mel(mels, xp)
        np.testing.assert_allclose(np.asarray(log_mel_to_mel(log_mel, xp)), [[0, 0, 2e-3, 1, 70]], rtol=1e-5)
    assert log_mel_to_mel(np.asarray([-0.5])) == 0


def test_notes_are_cut_padded_and_scaled_to_a_peak_of_one():
    notes = prepare_notes(np.asarray([[0.1, -0.5], [0.0, 0.0]]), 4)
    np.testing.assert_allclose(notes, [[0.2, -1.0, 0, 0], [0, 0, 0, 0]])
    assert prepare_notes(np.ones((1, 9)), 4).shape == (1, 4)


def test_padded_notes_have_the_middle_of_each_frame_as_their_hops():
    click = np.zeros((1, SMALL.samples), np.float32)
    click[0, 2000] = 1.0
    padded = padded_note(click, SMALL)
    mels = padded_mels(mel_magnitudes(click, SMALL), SMALL)
    assert padded.shape[-1] == mels.shape[1] * SMALL.hop_length
    assert padded.argmax() // SMALL.hop_length == mels.sum(axis=-1).argmax()
    whole = padded_note(np.ones((1, PAPER.samples), np.float32), PAPER)
    assert whole.shape == (1, 136 * 256)
    assert whole.sum() == PAPER.samples


def test_magnitudes_found_for_mels_have_these_mels_and_are_none_negative():
    rng = np.random.default_rng(0)
    true = np.abs(rng.normal(size=(2, 12, 1025)))
    found = mel_to_linear(true @ PAPER.matrix, PAPER)
    assert found.shape == true.shape
    assert found.min() >= 0
    assert np.linalg.norm(found @ PAPER.matrix - true @ PAPER.matrix) < 1e-2 * np.linalg.norm(true @ PAPER.matrix)
    clipped = np.maximum(true @ PAPER.matrix @ np.linalg.pinv(PAPER.matrix), 0)
    error, of_clipped = np.linalg.norm(found - true), np.linalg.norm(clipped - true)
    assert error < 1.02 * of_clipped
    with pytest.raises(ModelError, match="500 bands"):
        mel_to_linear(true, PAPER)


def test_a_sine_comes_back_from_its_mels_as_loud_as_it_was():
    audio = sine(1000.0) * 0.5
    sound = mel_to_audio(mel_magnitudes(audio, SMALL)[0], SMALL, iterations=40)
    assert sound.shape == (SMALL.samples,)
    middle = sound[512:-512]
    peak = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 16)).argmax() * 8000 / (1 << 16)
    assert peak == pytest.approx(1000.0, abs=8.0)  # bins are 15.6 Hz apart
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / 2**0.5, rel=0.15)
    assert np.abs(sound).max() < 0.8  # nothing blows up where the windows end
    np.testing.assert_array_equal(sound, mel_to_audio(mel_magnitudes(audio, SMALL)[0], SMALL, iterations=40))
    again = mel_to_audio(mel_magnitudes(audio, SMALL)[0], SMALL, iterations=40, seed=1)
    assert np.abs(again - sound).max() > 1e-3


def test_more_iterations_and_momentum_reduce_the_error():
    rng = np.random.default_rng(0)
    audio = rng.normal(size=(1, SMALL.samples)).astype(np.float32)
    wanted = linear_magnitudes(audio, SMALL)[0]

    def error(iterations, momentum):
        sound = reconstruct_phase(wanted, 512, 64, iterations, 0, momentum, center=False)
        return np.linalg.norm(linear_magnitudes(sound[None], SMALL)[0] - wanted)

    assert error(30, 0.99) < error(30, 0.0) < error(3, 0.0)


@pytest.mark.parametrize(
    ("mels", "message"),
    [
        (np.zeros((57, 47)), "57 frames x 48 bands"),
        (np.full((57, 48), np.nan), "0 or more"),
        (np.full((57, 48), -1.0), "0 or more"),
    ],
)
def test_impossible_mel_magnitudes_are_refused(mels, message):
    with pytest.raises(ModelError, match=message):
        mel_to_audio(mels, SMALL)


def test_silence_stays_silent():
    assert np.abs(mel_to_audio(np.zeros((57, 48)), SMALL, iterations=2)).max() == 0
    assert not mel_filters(48, 512, 8000).flags.writeable
    with pytest.raises(ModelError, match="iterations and momentum"):
        reconstruct_phase(np.zeros((4, 257)), 512, 64, -1, 0)
