"""Transforms by products of small matrices against NumPy's."""

import numpy as np
import pytest

from generators.errors import ModelError
from inversynth.export.matrix_fft import irfft, rfft

LENGTHS = (2, 6, 14, 256, 360, 2048, 5608, 16384)


@pytest.mark.parametrize("length", LENGTHS)
def test_both_directions_are_those_of_numpy(length):
    audio = np.random.default_rng(length).normal(size=(2, 3, length)).astype(np.float32)
    wanted = np.fft.rfft(audio.astype(np.float64))
    real, imaginary = rfft(audio)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(real + 1j * imaginary, wanted, atol=1e-6 * scale)
    back = irfft(wanted.real.astype(np.float32), wanted.imag.astype(np.float32))
    assert back.shape == audio.shape
    np.testing.assert_allclose(back, audio, atol=1e-5)


def test_keras_computes_what_numpy_does():
    from keras import ops

    audio = np.random.default_rng(0).normal(size=(2, 512)).astype(np.float32)
    ours, theirs = rfft(audio, ops), np.fft.rfft(audio)
    np.testing.assert_allclose(ours[0], theirs.real, atol=1e-4)
    np.testing.assert_allclose(irfft(*ours, ops), audio, atol=1e-5)


@pytest.mark.parametrize("length", [0, 7])
def test_odd_lengths_are_refused(length):
    with pytest.raises(ModelError, match="fixed, even length"):
        rfft(np.zeros((1, length), np.float32))
