"""The bank of oscillators computes nothing that would not fit into memory."""

import pytest

from generators.analysis.mel import mel_filters
from generators.analysis.oscillator_bank import build_oscillator_bank
from generators.errors import ModelError


@pytest.mark.parametrize(
    ("frequencies", "samples"), [([440.0] * 5000, 1 << 24), ([440.0] * 300_000, 16_384), ([440.0], 1 << 30)]
)
def test_a_bank_of_gigabytes_is_refused(frequencies: list[float], samples: int) -> None:
    with pytest.raises(ModelError, match=r"must have tables of at most 268,435,456 numbers\. Received: "):
        build_oscillator_bank(frequencies, [1.0, 2.0], [10.0, 20.0], 16_384, samples, 8)


def test_a_bank_of_nothing_is_refused() -> None:
    for grid in (([], [1.0], [1.0]), ([440.0], [], [1.0]), ([440.0], [1.0], [])):
        with pytest.raises(ModelError, match="needs levels of frequency, rate and depth"):
            build_oscillator_bank(*grid, 16_384, 4096, 8)


@pytest.mark.parametrize(("bands", "fft_length"), [(1 << 20, 2048), (500, 1 << 24), (0, 2048)])
def test_mel_filters_of_gigabytes_are_refused(bands: int, fft_length: int) -> None:
    with pytest.raises(ModelError, match=r"mel filters must have 1 to 33,554,432 numbers"):
        mel_filters(bands, fft_length, 16_000)
