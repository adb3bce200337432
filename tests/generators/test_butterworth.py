"""Butterworth filters of our own are SciPy's, in whole, in blocks, and forwards and backwards."""

import numpy as np
import pytest
from scipy import signal

from generators.dsp.butterworth import butterworth, filter_both_ways, run_filter, steady_state
from generators.errors import ParameterError

RATE = 16384
NOISE = np.random.default_rng(5).standard_normal(3000) + 0.3


@pytest.mark.parametrize("kind", ["lowpass", "highpass"])
@pytest.mark.parametrize(("order", "cutoff"), [(2, 30.0), (4, 15.0), (4, 3000.0), (6, 500.0)])
def test_filters_are_those_of_scipy(order: int, cutoff: float, kind: str) -> None:
    ours, theirs = butterworth(order, cutoff, RATE, kind), signal.butter(order, cutoff, kind, fs=RATE, output="sos")
    rest = np.zeros((order // 2, 2))
    np.testing.assert_allclose(run_filter(ours, NOISE, rest)[0], signal.sosfilt(theirs, NOISE), atol=1e-9)
    settled, _ = signal.sosfilt(theirs, NOISE, zi=signal.sosfilt_zi(theirs) * NOISE[0])
    np.testing.assert_allclose(run_filter(ours, NOISE, steady_state(ours) * NOISE[0])[0], settled, atol=1e-9)
    both = signal.sosfiltfilt(theirs, NOISE, padlen=700)
    np.testing.assert_allclose(filter_both_ways(ours, NOISE, 700), both, atol=1e-8)


def test_blocks_go_on_where_the_one_before_ended() -> None:
    sections = butterworth(4, 100.0, RATE, "highpass")
    state = steady_state(sections) * NOISE[0]
    whole, last = run_filter(sections, NOISE, state)
    pieces = []
    for block in np.array_split(NOISE, 7):
        piece, state = run_filter(sections, block, state)
        pieces.append(piece)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    np.testing.assert_array_equal(state, last)


@pytest.mark.parametrize(("order", "cutoff", "words"), [(3, 100.0, "even"), (2, 0.0, "cutoff"), (2, 8192.0, "cutoff")])
def test_what_is_no_filter_is_refused(order: int, cutoff: float, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        butterworth(order, cutoff, RATE, "lowpass")
