"""The mel matrix: its two forms, what the published one is known to do, and the way back."""

import numpy as np
import pytest

from models.gansynth.mel import band_edges, hertz_to_mel, inverse_mel_matrix, mel_matrix, mel_to_hertz


def test_mels_are_those_of_the_formula_and_back():
    assert hertz_to_mel(700.0) == pytest.approx(1127 * np.log(2))
    hertz = np.asarray([0.0, 27.5, 440.0, 8000.0])
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(hertz)), hertz, atol=1e-9)


@pytest.mark.parametrize(("aliased", "widened"), [(True, 852), (False, 498)])
def test_as_many_bands_are_widened_as_is_known_of_either_form(aliased, widened):
    assert band_edges(1024, 16000, aliased)[3] == widened


def test_the_published_form_weighs_the_lowest_bin_with_nothing():
    matrix = mel_matrix(1024, 16000, True)
    assert np.flatnonzero(matrix.sum(axis=1) == 0).tolist() == [0, 1023]
    assert (matrix.sum(axis=0) == 0).sum() == 1
    assert matrix.sum(axis=0).max() == pytest.approx(2.7616, abs=1e-4)
    assert np.abs(matrix - mel_matrix(1024, 16000)).max() > 0.99


def test_ours_covers_every_bin_below_the_highest():
    matrix = mel_matrix(1024, 16000)
    assert np.flatnonzero(matrix.sum(axis=1) == 0).tolist() == [1023]
    peaks = 8000 * (matrix.argmax(axis=0) + 1) / 1024  # of the bands, in hertz
    centres = mel_to_hertz(band_edges(1024, 16000)[1])
    assert np.abs(peaks - centres)[1:].max() <= 8000 / 1024  # within a bin


@pytest.mark.parametrize("aliased", [False, True])
def test_an_even_spectrum_comes_back_even(aliased):
    matrix, inverse = mel_matrix(256, 8000, aliased), inverse_mel_matrix(256, 8000, aliased)
    heard = matrix.sum(axis=1) > 1e-6
    assert heard.sum() >= 254
    back = (np.ones(256) @ matrix @ inverse)[heard]
    np.testing.assert_allclose(back, 1.0, atol=1e-9)


def test_the_matrices_that_are_kept_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        mel_matrix(64, 8000)[0] = 1.0
