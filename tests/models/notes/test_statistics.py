"""Measures of sets of notes, where the answer is known: sets that are alike, that collapsed, and that lie apart."""

import numpy as np
import pytest

from generators.errors import ModelError
from models.notes.statistics import (
    RANGE_DB,
    Cells,
    Moments,
    Spread,
    decibel_spectrograms,
    distances,
    entropies,
    frechet_distance,
    highest_inception_score,
    inception_score,
    pitch_hits,
)

RATE = 8000


def named(pitch):
    return np.eye(128)[pitch]


def test_hits_are_exact_or_within_a_semitone():
    hits = pitch_hits(named([60, 61, 62, 59]), np.full(4, 60))
    assert hits.tolist() == [[1, 1], [0, 1], [0, 0], [0, 1]]


def test_certain_predictions_have_no_entropy_and_uniform_ones_the_most():
    found = entropies(np.stack([named(3), np.full(128, 1 / 128), np.repeat([0.5, 0], [2, 126])]))
    assert found.tolist() == [0.0, pytest.approx(np.log(128)), pytest.approx(np.log(2))]


def test_inception_score_counts_pitches_that_are_named_surely():
    pitch = np.tile([50, 60, 70], 5)
    assert inception_score(named(pitch)) == pytest.approx(3.0)
    assert highest_inception_score(pitch) == pytest.approx(3.0)
    assert inception_score(named(np.full(9, 60))) == pytest.approx(1.0)
    assert inception_score(np.full((9, 128), 1 / 128)) == pytest.approx(1.0)
    assert inception_score(named([50, 60]), np.asarray([2.0, 0.0])) == pytest.approx(1.0)
    assert highest_inception_score(np.asarray([1, 1, 1, 2])) == pytest.approx(np.exp(0.5623351))


def test_frechet_distance_is_that_of_normal_distributions():
    diagonal = [Moments(np.asarray(mean), np.diag(spread)) for mean, spread in (([0, 1], [4.0, 9]), ([3, 1], [1.0, 4]))]
    assert frechet_distance(*diagonal) == pytest.approx(9 + (2 - 1) ** 2 + (3 - 2) ** 2)
    rng = np.random.default_rng(0)
    a, b = (Moments.of(rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5))) for _ in range(2))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(a, Moments(a.mean + 2.0, a.covariance)) == pytest.approx(5 * 4.0)


def test_frechet_distance_bears_few_notes_and_features_that_never_move():
    rng = np.random.default_rng(0)
    few, still = rng.normal(size=(3, 64)), np.zeros((4, 64))
    assert frechet_distance(Moments.of(few), Moments.of(few)) == pytest.approx(0.0, abs=1e-6)
    trace = np.trace(Moments.of(few).covariance)
    assert frechet_distance(Moments.of(few), Moments.of(still)) == pytest.approx(trace + np.sum(few.mean(axis=0) ** 2))
    for wrong in (few[:1], few * np.nan):
        with pytest.raises(ModelError, match="two notes or more, all finite"):
            Moments.of(wrong)


def test_notes_that_are_drawn_twice_count_twice():
    rng = np.random.default_rng(0)
    features, counts = rng.normal(size=(6, 3)), np.asarray([2.0, 0, 1, 0, 3, 0])
    drawn, twice = Moments.of(features, counts), Moments.of(features.repeat(counts.astype(int), axis=0))
    np.testing.assert_allclose(drawn.mean, twice.mean)
    np.testing.assert_allclose(drawn.covariance, twice.covariance)
    np.testing.assert_allclose(twice.covariance, np.cov(features.T, fweights=counts.astype(int)))
    pitch = np.asarray([60, 60, 60, 61, 61, 62])
    spectrograms = rng.normal(size=(6, 8)).astype(np.float32)
    apart = distances(spectrograms, spectrograms)
    spread = Spread.of(spectrograms, pitch)
    assert spread.mean() == pytest.approx(np.mean([apart[0, 1], apart[0, 2], apart[1, 2], apart[3, 4]]))
    assert spread.mean(counts) == pytest.approx(apart[0, 2])
    assert spread.mean(np.eye(6)[0]) == 0.0


def test_spectrograms_are_independent_of_gain_and_in_decibels():
    time = np.arange(4000) / RATE
    tone, faint = np.sin(2 * np.pi * 500 * time), 0.001 * np.sin(2 * np.pi * 2000 * time)
    found = decibel_spectrograms(np.stack([tone, 0.01 * tone, tone + 20 * faint, np.zeros(4000)]), RATE)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    bins = found.reshape(4, -1, 257)
    assert found[0].max() == 1.0
    assert (1 - bins[2, 5:-5, 128]) * RANGE_DB == pytest.approx(20 * np.log10(50), abs=0.1)  # both tones lie on bins
    assert not found[3].any()
    assert decibel_spectrograms(np.ones((1, 32_000)), 16_000).shape == (1, 63 * 513)
    assert distances(found[:1], found[3:])[0, 0] == pytest.approx(RANGE_DB * np.sqrt(np.mean(found[0] ** 2)))
    assert distances(found, found).diagonal().max() < 1e-3


@pytest.fixture(scope="module")
def notes():
    """Pictures of 400 notes in ten clouds that do not touch, each cloud a pitch."""
    cloud = np.tile(np.arange(10), 40)
    return (10 * np.eye(10)[cloud] + 0.1 * np.random.default_rng(0).normal(size=(400, 10))).astype(np.float32), cloud


def test_bins_distinguish_collapsed_sets_from_equal_ones(notes):
    spectrograms, cloud = notes
    cells = Cells.of(spectrograms, 10)
    assert sorted(cells.training) == [40] * 10
    own = cells.number(spectrograms)
    assert len(set(zip(own, cloud, strict=True))) == 10
    assert cells.different(own) == 0
    assert cells.js_divergence(own) == pytest.approx(0.0, abs=1e-12)
    assert cells.different(own[np.random.default_rng(1).integers(400, size=300)]) <= 3
    collapsed = own[np.zeros(100, int)]
    assert cells.different(collapsed) == 10
    shares = np.stack([np.eye(10)[0], np.full(10, 0.1)])
    assert cells.js_divergence(collapsed) == pytest.approx(entropies(shares.mean(axis=0)[None])[0] - np.log(10) / 2)
    assert cells.different(own, np.where(own == own[0], 1.0, 0.0)) == 10
    with pytest.raises(ModelError, match=r"401 cells need as many training notes\. Received: 400"):
        Cells.of(spectrograms, 401)


def test_bins_use_the_pooled_share_and_five_percent():
    cells = Cells(np.zeros((2, 1), np.float32), np.asarray([500, 500]))
    sets = [np.repeat([0, 1], [heads, 1000 - heads]) for heads in (543, 544)]  # 1.92 and 1.97 standard errors
    assert [cells.different(one) for one in sets] == [0, 2]


def test_spread_is_one_timbre_for_all_where_it_is_nothing(notes):
    spectrograms, cloud = notes
    alike = spectrograms[:10][cloud]
    assert Spread.of(alike, cloud).mean() == pytest.approx(0.0, abs=1e-3)
    assert Spread.of(spectrograms, cloud).mean() > 1.0
    with pytest.raises(ModelError, match="two notes of one pitch"):
        Spread.of(spectrograms[:10], cloud[:10])
