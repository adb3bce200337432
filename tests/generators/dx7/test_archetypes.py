"""The archetypes: every family has some, every one renders, and the pitched ones have the pitch of their note."""

import numpy as np
import pytest

from generators.dsp.units import midi_to_hz
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.archetypes import (
    ARCHETYPES,
    ENVELOPES,
    FAMILIES,
    UNPITCHED,
    archetype_values,
    fixed_frequency,
    ratio_bytes,
)
from generators.dx7.engine import render
from generators.dx7.prior import harmonic_share

RATE = 22050


@pytest.fixture(scope="module")
def audio():
    return render(archetype_values(), 60, 100, 0.75, 1.0, RATE, workers=1)


def test_each_family_has_at_least_seven_archetypes_with_names_of_their_own():
    families = [archetype.family for archetype in ARCHETYPES]
    assert set(families) == set(FAMILIES)
    assert min(families.count(family) for family in FAMILIES) >= 7
    assert len({archetype.name for archetype in ARCHETYPES}) == len(ARCHETYPES)
    assert len(np.unique(archetype_values()[:, :145], axis=0)) == len(ARCHETYPES)


def test_every_envelope_is_used_and_each_archetype_has_six_operators():
    used = {operator.envelope for archetype in ARCHETYPES for operator in archetype.operators}
    assert used == set(ENVELOPES)
    assert {len(archetype.operators) for archetype in ARCHETYPES} == {6}


def test_numbers_of_the_table_are_those_of_the_voice():
    for archetype in ARCHETYPES:
        voice = archetype.voice()
        assert voice["algorithm"] == archetype.algorithm - 1
        assert voice["transpose"] == 24 + archetype.transpose
        for number, operator in enumerate(archetype.operators, 1):
            assert voice[f"op{number}_output_level"] == operator.level
            assert voice[f"op{number}_detune"] == 7 + operator.detune
            coarse, fine = voice[f"op{number}_coarse"], voice[f"op{number}_fine"]
            if operator.hertz:
                assert 10.0 ** (coarse + fine / 100.0) == pytest.approx(operator.hertz, rel=0.012)
            else:
                assert (coarse or 0.5) * (1.0 + fine / 100.0) == pytest.approx(operator.ratio, rel=0.006)


def test_every_archetype_is_audible_and_none_is_louder_than_public_banks(audio):
    peaks = np.abs(audio).max(axis=1)
    assert peaks.min() > 0.1
    assert peaks.max() < 4.0


def test_archetypes_of_pitched_families_have_the_pitch_of_their_note(audio):
    fundamentals = midi_to_hz(60 + archetype_values()[:, 144].astype(float) - 24)
    shares = harmonic_share(audio, RATE, fundamentals)
    pitched = np.array([archetype.family not in UNPITCHED for archetype in ARCHETYPES])
    assert np.median(shares[pitched]) > 0.97
    assert (shares[pitched] > 0.5).mean() > 0.95
    effects = np.array([archetype.family == "effects" for archetype in ARCHETYPES])
    assert np.median(shares[effects]) < 0.6


def test_every_carrier_of_an_archetype_is_meant_to_sound_or_named_off():
    for archetype in ARCHETYPES:
        carriers = ALGORITHMS[archetype.algorithm - 1].carriers
        assert any(archetype.operators[carrier - 1].level >= 80 for carrier in carriers), archetype.name


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.5, (0, 0)), (1, (1, 0)), (3.5, (3, 17)), (14, (14, 0)), (61, (31, 97))]
)
def test_ratios_become_coarse_and_fine(ratio, expected):
    assert ratio_bytes(ratio) == expected


@pytest.mark.parametrize(
    ("hertz", "expected"), [(1, (1, 0, 0)), (10, (1, 1, 0)), (400, (1, 2, 60)), (20000, (1, 3, 99))]
)
def test_fixed_frequencies_become_a_power_of_ten(hertz, expected):
    assert fixed_frequency(hertz) == expected
