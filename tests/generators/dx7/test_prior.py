"""The prior of voices: a pure function of its seed, in range, audible, in tune, and as its statistics say."""

import numpy as np
import pytest

from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.archetypes import FAMILIES, UNPITCHED, archetype_values
from generators.dx7.engine import render
from generators.dx7.prior import (
    LOUDEST,
    QUIETEST,
    STATISTICS,
    _stacks,
    cross,
    draw_voices,
    harmonic_share,
    is_usable,
    mutate,
    sample_voices,
    voice_from_statistics,
)
from generators.dx7.voice import HIGHEST, Voice, voices_from_values
from generators.errors import ParameterError

RATE = 22050
TIME = np.arange(RATE) / RATE


@pytest.fixture(scope="module")
def sampled():
    return sample_voices(300, 7, workers=1)


def test_a_seed_gives_the_same_voices_and_the_first_ones_do_not_depend_on_the_count(sampled):
    voices, families = sampled
    again, names = sample_voices(40, 7, workers=1)
    np.testing.assert_array_equal(again, voices[:40])
    np.testing.assert_array_equal(names, families[:40])
    other, _ = sample_voices(40, 8, workers=1)
    assert (other != again).any(axis=1).all()


def test_voices_are_in_range_differ_and_come_from_all_families(sampled):
    voices, families = sampled
    assert voices.shape == (300, 155)
    assert voices.dtype == np.uint8
    assert (voices <= HIGHEST).all()
    assert len(voices_from_values(voices)) == 300
    assert len(np.unique(voices, axis=0)) == 300
    assert set(families) == {*FAMILIES, STATISTICS}


def test_voices_are_audible_and_no_louder_than_public_banks(sampled):
    audio = render(sampled[0], 60, 100, 0.75, 1.0, RATE, workers=1)
    peaks = np.abs(audio).max(axis=1)
    assert peaks.min() >= QUIETEST
    assert peaks.max() <= LOUDEST


def test_voices_of_pitched_families_are_in_tune(sampled):
    voices, families = sampled
    pitched = ~np.isin(families, [*UNPITCHED, STATISTICS])
    audio = render(voices[pitched], 60, 100, 0.75, 1.0, RATE, workers=1)
    fundamentals = 440.0 * 2.0 ** ((60 + voices[pitched, 144].astype(float) - 24 - 69) / 12.0)
    shares = harmonic_share(audio, RATE, fundamentals)
    assert shares.min() >= 0.5
    assert np.median(shares) > 0.95


def test_families_can_be_chosen_and_name_the_voices():
    voices, families = sample_voices(12, 1, ["bass", "organ"], workers=1)
    assert set(families) == {"bass", "organ"}
    assert [voice.name for voice in voices_from_values(voices)] == [family.upper() for family in families]


def test_silent_loud_and_mistuned_voices_are_rejected():
    good = Voice()
    silent = good.replaced(op1_output_level=0)
    mistuned = good.replaced(op1_fine=23)
    loud = good.replaced(algorithm=31, **{f"op{k}_output_level": 99 for k in range(2, 7)})
    voices = np.array([voice.values for voice in (good, silent, mistuned, loud)])
    assert is_usable(voices, ["organ"] * 4, workers=1).tolist() == [True, False, False, False]
    assert is_usable(voices[2:3], ["bell"], workers=1).tolist() == [True]


def test_harmonics_and_noise_are_told_apart():
    tone = sum(np.sin(2 * np.pi * 220 * k * TIME) / k for k in range(1, 20))
    shifted = sum(np.sin(2 * np.pi * 220 * (k + 0.25) * TIME) / k for k in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(RATE)
    shares = harmonic_share(np.stack([tone, shifted, noise, 0 * noise]), RATE, np.full(4, 220.0))
    assert shares[0] > 0.999
    assert shares[1] < 0.1
    assert 0.1 < shares[2] < 0.35
    assert shares[3] == 0.0


def test_stacks_are_carriers_with_their_modulators():
    for number, algorithm in enumerate(ALGORITHMS):
        stacks = [{6 - row for row in stack} for stack in _stacks(number)]
        assert [6 - stack[0] for stack in _stacks(number)] == sorted(algorithm.carriers, reverse=True)
        assert set().union(*stacks) == set(range(1, 7))
    assert _stacks(4) == ((1, 0), (3, 2), (5, 4))  # algorithm 5: 5 with 6, 3 with 4, 1 with 2


def test_a_cross_takes_whole_stacks_of_either_parent():
    rng = np.random.default_rng(2)
    first, second = (np.full(155, value) for value in (1, 2))
    first[134] = second[134] = 4
    mixed = 0
    for _ in range(40):
        operators = cross(first, second, rng)[:126].reshape(3, 2, 21)
        assert all(len(np.unique(pair)) == 1 for pair in operators)
        mixed += len(np.unique(operators)) == 2
    assert mixed > 10


def test_a_cross_into_another_algorithm_fills_its_stacks_from_the_parents():
    rng = np.random.default_rng(3)
    parents = archetype_values()[[0, 8]]
    rows = {tuple(row) for parent in parents for row in parent[:126].reshape(6, 21).tolist()}
    for algorithm in range(32):
        child = cross(parents[0], parents[1], rng, algorithm)
        assert child[134] == algorithm
        found = [tuple(row) for row in child[:126].reshape(6, 21).tolist()]
        assert sum(row in rows for row in found) >= 3
        assert (child <= HIGHEST).all()


def test_mutations_grow_with_their_amount_and_stay_in_range():
    rng = np.random.default_rng(4)
    voice = archetype_values()[0]
    moved = [
        np.mean([np.abs(mutate(voice, amount, rng)[:126] - voice[:126].astype(int)).mean() for _ in range(40)])
        for amount in (0.2, 1.0, 3.0)
    ]
    assert 0.0 < moved[0] < moved[1] < moved[2]
    assert all((mutate(voice, 3.0, rng) <= HIGHEST).all() for _ in range(40))


def test_draws_from_the_statistics_have_their_shares():
    rng = np.random.default_rng(5)
    voices = np.array([voice_from_statistics(rng) for _ in range(1500)])
    assert (voices <= HIGHEST).all()
    assert (voices[:, 134] == 4).mean() == pytest.approx(0.1406, abs=0.03)
    assert (voices[:, 135] == 7).mean() == pytest.approx(0.4565, abs=0.05)
    assert (voices[:, 144] == 12).mean() == pytest.approx(0.2975, abs=0.05)
    assert (voices[:, 130:134] == 50).all(axis=1).mean() == pytest.approx(0.787, abs=0.06)


def test_most_candidates_of_each_family_are_usable():
    rng = np.random.default_rng(6)
    for family in (*FAMILIES, STATISTICS):
        voices, families = draw_voices(32, rng, [family])
        assert is_usable(voices, families, workers=1).mean() > 0.6, family


def test_unknown_families_and_negative_counts_are_refused():
    with pytest.raises(ParameterError, match=r"unknown family of DX7 voices 'base'\. Did you mean 'bass'"):
        sample_voices(1, 0, ["base"])
    with pytest.raises(ParameterError, match=r"count is 0 or more\. Received: -1"):
        sample_voices(-1, 0)
    assert sample_voices(0, 0)[0].shape == (0, 155)
