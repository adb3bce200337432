"""Spectrograms: a tone stands where it sounds, both array namespaces agree, and nothing heavy is imported."""

import subprocess
import sys

import keras
import librosa
import numpy as np
import pytest

from generators.analysis.spectrogram import (
    frame_count,
    log_spectrogram,
    magnitude_spectrogram,
    power_spectrogram,
    stft,
)
from generators.errors import ModelError

RATE = 16384


def tone(frequency, amplitude=1.0, samples=RATE):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(samples) / RATE)).astype(np.float32)[None]


def test_one_second_gives_the_spectrogram_of_the_paper():
    assert log_spectrogram(tone(440)).shape == (1, 64, 257)


@pytest.mark.parametrize(
    ("samples", "hop", "frames"), [(16384, 256, 64), (16385, 256, 65), (8000, 256, 32), (1, 256, 1)]
)
def test_every_hop_of_a_sound_has_one_frame(samples, hop, frames):
    assert frame_count(samples, hop) == frames
    assert log_spectrogram(np.zeros((2, samples), np.float32), 512, hop).shape == (2, frames, 257)


def test_440_hz_peaks_in_its_bin():
    peaks = log_spectrogram(tone(440)).argmax(axis=-1)
    assert np.all(peaks == 14)  # bins are 32 Hz apart: 13.75


def test_full_scale_sine_reaches_a_quarter_of_the_window():
    inner = magnitude_spectrogram(tone(512))[
        0, 2:-2
    ]  # bin 16 exactly; the first and last frames reach beyond the sound
    np.testing.assert_allclose(inner[:, 16], 128.0, rtol=1e-4)
    np.testing.assert_allclose(inner[:, 32:].max(), 0.0, atol=1e-3)
    np.testing.assert_allclose(log_spectrogram(tone(512))[0, 8, 16], 42.144, atol=1e-3)


@pytest.mark.parametrize("place", [0, 100, 255, 257, 5000, 16383])
def test_click_is_loudest_in_the_frame_of_its_hop(place):
    audio = np.zeros((1, RATE), np.float32)
    audio[0, place] = 1.0
    assert power_spectrogram(audio)[0].sum(axis=-1).argmax() == place // 256


def test_silence_has_the_lowest_level():
    assert np.all(np.abs(log_spectrogram(np.zeros((1, RATE), np.float32)) + 60.0) < 1e-4)


@pytest.mark.parametrize(("fft", "hop"), [(512, 256), (512, 128), (512, 200), (256, 256), (1024, 300)])
def test_transform_is_that_of_librosa(fft, hop):
    audio = np.random.default_rng(1).uniform(-1, 1, (2, 5000)).astype(np.float32)
    real, imaginary = stft(audio, fft, hop)
    frames = frame_count(5000, hop)
    left = (fft - hop) // 2
    padded = np.pad(audio, ((0, 0), (left, (frames - 1) * hop + fft - left - 5000)))
    expected = librosa.stft(padded, n_fft=fft, hop_length=hop, window="hann", center=False).swapaxes(1, 2)
    np.testing.assert_allclose(real + 1j * imaginary, expected, atol=1e-3)


@pytest.mark.parametrize(("fft", "hop"), [(512, 256), (512, 200)])
def test_numpy_equals_keras(fft, hop):
    audio = np.random.default_rng(2).uniform(-1, 1, (3, 9000)).astype(np.float32)
    ours = log_spectrogram(audio, fft, hop)
    theirs = np.asarray(log_spectrogram(keras.ops.convert_to_tensor(audio), fft, hop, keras.ops))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(theirs, ours, atol=1e-3)
    magnitude = np.asarray(magnitude_spectrogram(keras.ops.convert_to_tensor(audio), fft, hop, keras.ops))
    np.testing.assert_allclose(magnitude, magnitude_spectrogram(audio, fft, hop), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spectrogram", [log_spectrogram, magnitude_spectrogram])
def test_gradient_is_finite_even_in_silence(spectrogram):
    tensorflow = pytest.importorskip("tensorflow")
    audio = tensorflow.Variable(np.concatenate([np.zeros((1, 2000)), tone(440, samples=2000)]).astype(np.float32))
    with tensorflow.GradientTape() as tape:
        total = keras.ops.sum(spectrogram(audio, xp=keras.ops))
    gradient = np.asarray(tape.gradient(total, audio))
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient[1] != 0.0)


@pytest.mark.parametrize(("fft", "hop"), [(512, 0), (512, 513), (511, 256), (0, 0)])
def test_unusable_window_is_refused(fft, hop):
    with pytest.raises(ModelError) as error:
        stft(np.zeros((1, 100), np.float32), fft, hop)
    assert str(error.value) == (
        f"fft_length must be even and hop_length lie in 1..fft_length. Received: fft_length {fft}, hop_length {hop}"
    )


def test_tables_features_and_registry_import_no_deep_learning():
    code = (
        "import sys, generators.analysis.spectrogram, models.training.metrics, models.estimation.architectures\n"
        "import models.registry, models.estimation.spectrogram_cnn\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
