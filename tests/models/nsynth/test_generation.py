"""Cached generation against the network that sees a sound at once, and draws against their distribution."""

import numpy as np
import pytest
from scipy.special import softmax

from generators.analysis.note_phase import nominal_phase
from generators.errors import ModelError
from models.nsynth.generation import CachedDecoder, sample_classes, uniform_draws
from models.nsynth.networks import decoder
from models.nsynth.presets import PRESETS

SMOKE = PRESETS["smoke"]
RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(3, 5, SMOKE.code)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return decoder(SMOKE, seed=0)


@pytest.fixture(scope="module")
def cached(network):
    return CachedDecoder(network)


@pytest.fixture(scope="module")
def drawn(cached):
    return whole(cached, CODES, seeds=[7, 8, 9])


def whole(cached, codes, **options):
    return np.concatenate([classes for classes, _ in cached.sample(codes, **options)], axis=1)


def test_cached_logits_are_those_of_the_network(network, cached):
    """80 samples: more than twice the receptive field of 33, so that every ring runs round."""
    classes = RNG.integers(0, 256, (3, 80))
    assert SMOKE.receptive_field < 40
    expected = np.asarray(network([classes, CODES]))
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(cached.logits(classes, CODES), expected, atol=1e-4)


def test_cached_logits_are_those_of_the_network_with_a_pitch():
    network = decoder(SMOKE, pitch=True, seed=1)
    classes, pitch = RNG.integers(0, 256, (2, 32)), np.asarray([40, 70])
    cached = CachedDecoder(network)
    expected = np.asarray(network([classes, CODES[:2, :2], pitch[:, None]]))
    np.testing.assert_allclose(cached.logits(classes, CODES[:2, :2], pitch), expected, atol=1e-4)
    with pytest.raises(ModelError, match="this decoder needs a pitch"):
        cached.logits(classes, CODES[:2, :2])


@pytest.mark.parametrize("pitch", [False, True])
def test_cached_logits_are_those_of_the_network_with_sines(pitch):
    """80 samples at 4 kHz of notes of which one has all its sines, and the other some above half the rate."""
    network = decoder(SMOKE, pitch=pitch, sine_rate=4000, seed=1)
    classes, notes = RNG.integers(0, 256, (2, 80)), np.asarray([40, 84])
    cached = CachedDecoder(network)
    assert (cached.takes_pitch, cached.takes_phase) == (True, True)
    expected = np.asarray(network([classes, CODES[:2], notes[:, None], nominal_phase(notes, 0, 80, 4000)]))
    np.testing.assert_allclose(cached.logits(classes, CODES[:2], notes), expected, atol=1e-4)
    with pytest.raises(ModelError, match="this decoder needs a pitch"):
        cached.logits(classes, CODES[:2])


def test_sines_go_on_from_any_code():
    cached = CachedDecoder(decoder(SMOKE, sine_rate=4000, seed=1))
    options = {"seeds": [7, 8, 9], "pitch": np.asarray([40, 60, 84])}
    parts = list(cached.sample(CODES, **options))
    rest = whole(cached, CODES[:, 2:], state=parts[1][1], **options)
    np.testing.assert_array_equal(rest, np.concatenate([classes for classes, _ in parts[2:]], axis=1))


def test_what_is_drawn_is_what_the_network_finds_likely(network, cached, drawn):
    """The network, shown the drawn sounds, must give the same draws for the same chances."""
    logits = np.asarray(network([drawn, CODES]))
    chances = np.concatenate([uniform_draws([7, 8, 9], first, SMOKE.hop) for first in range(0, 80, SMOKE.hop)])
    again = np.asarray(sample_classes(logits.reshape(-1, 256), chances.T.reshape(-1))).reshape(3, 80)
    assert np.mean(again == drawn) > 0.98  # a chance that falls on an edge may go either way
    assert drawn.dtype == np.uint8
    assert len(np.unique(drawn)) > 50


def test_a_sound_follows_from_its_seed_whatever_is_beside_it(cached, drawn):
    np.testing.assert_array_equal(whole(cached, CODES[[2, 0, 1]], seeds=[9, 7, 8]), drawn[[2, 0, 1]])
    other = whole(cached, CODES, seeds=[1, 8, 9])
    assert np.any(other[0] != drawn[0])
    np.testing.assert_array_equal(other[1:], drawn[1:])


def test_a_sound_goes_on_from_any_code(cached, drawn):
    parts = list(cached.sample(CODES, seeds=[7, 8, 9]))
    rest = whole(cached, CODES[:, 2:], seeds=[7, 8, 9], state=parts[1][1])
    np.testing.assert_array_equal(rest, drawn[:, 2 * SMOKE.hop :])


def test_low_temperature_draws_the_likeliest_class(network, cached):
    classes = whole(cached, CODES[:, :2], seeds=[0, 1, 2], temperature=1e-4)
    likeliest = np.argmax(np.asarray(network([classes, CODES[:, :2]])), axis=-1)
    assert np.mean(likeliest == classes) > 0.97


def test_draws_have_the_distribution_they_are_drawn_from():
    logits = RNG.normal(0, 2, 256).astype(np.float32)
    chances = (np.arange(40_000, dtype=np.float32) + 0.5) / 40_000
    classes = np.asarray(sample_classes(np.tile(logits, (40_000, 1)), chances))
    counted = np.bincount(classes, minlength=256) / 40_000
    np.testing.assert_allclose(counted, softmax(logits), atol=1e-4)
    assert np.all(np.diff(classes) >= 0)  # an inverse of the running sum


def test_a_certain_class_is_drawn_at_either_end_of_chance():
    for certain in (0, 15, 16, 128, 255):
        logits = np.full((2, 256), -100.0, np.float32)
        logits[:, certain] = 100.0
        np.testing.assert_array_equal(sample_classes(logits, np.asarray([0.0, 1 - 2**-24], np.float32)), [certain] * 2)


@pytest.mark.parametrize(
    ("codes", "seeds", "options", "message"),
    [
        (CODES[0], [0], {}, r"codes must have shape \(sounds, n, 4\)"),
        (CODES[..., :3], [0, 1, 2], {}, r"Received: \(3, 5, 3\) with 3 seeds"),
        (CODES, [0], {}, "a seed for each sound"),
        (CODES, [0, 1, 2], {"temperature": 0.0}, "temperature must be above 0"),
        (CODES, [0, 1, 2], {"pitch": [60] * 3}, "this decoder has no pitch"),
    ],
)
def test_what_does_not_fit_is_refused(cached, codes, seeds, options, message):
    with pytest.raises(ModelError, match=message):
        next(cached.sample(codes, seeds=seeds, **options))
