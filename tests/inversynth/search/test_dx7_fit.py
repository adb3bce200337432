"""Levels and rates are fitted to a sound, and the ratios that a sound shows are those of the voice that makes it."""

import numpy as np
import pytest

from generators.dx7.synth import Dx7Synth, voice_values
from generators.dx7.voice import Voice
from inversynth.search.dx7_fit import FITTED, fit_voice
from inversynth.search.dx7_population import genes, operator_columns
from inversynth.search.dx7_ratios import observed_ratios
from inversynth.search.objective import Objective
from tests.inversynth.search.dx7_state import begun

PAIRS = Voice().replaced(
    algorithm=4,
    op1_rate_2=40,
    op1_level_2=0,
    op2_output_level=72,
    op2_coarse=3,
    op2_rate_2=50,
    op2_level_2=40,
    op3_output_level=90,
    op3_coarse=2,
    op4_output_level=60,
    op4_coarse=7,
)
"""Two pairs of a carrier and a modulator."""


def test_differences_are_what_the_distance_averages() -> None:
    synth = Dx7Synth(16000, 0.5).at_root(60.0)
    state, classes = begun(synth, PAIRS, PAIRS.replaced(op2_output_level=90))
    audio = state.render(classes)
    differences = state.objective.differences(audio)
    assert state.objective.weights.sum() == pytest.approx(1.0, rel=1e-4)
    assert np.abs(differences[0]) @ state.objective.weights == pytest.approx(
        state.objective.distance(audio)[0], rel=1e-4
    )
    two = Objective(np.tile(state.target, 2), synth.sample_rate, any_level=True, parts=2)
    doubled = np.tile(audio, 2)
    assert np.abs(two.differences(doubled)[0]) @ two.weights == pytest.approx(two.distance(doubled)[0], rel=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_levels_and_rates_that_were_moved_are_fitted(seed: int) -> None:
    synth = Dx7Synth(16000, 0.5).at_root(60.0)
    names = genes().names
    columns = np.concatenate([operator_columns(names, each)[2:] for each in FITTED if each != "level_4"])
    rng = np.random.default_rng(seed)
    state, exact = begun(synth, PAIRS, PAIRS)
    moved = exact.copy()
    moved[columns] = np.clip(moved[columns] + np.rint(rng.normal(0.0, 6.0, len(columns))).astype(np.int64), 0, 99)
    far = float(state.measure(state.render(moved))[0])
    state.renders = 0
    fitted = fit_voice(state, moved, 6, rng)
    assert fitted.distance < min(0.3 * far, 0.7)
    assert fitted.distance == pytest.approx(float(state.measure(state.render(fitted.voice))[0]), abs=1e-3)
    assert state.renders < 6 * 50
    others = np.setdiff1d(np.arange(len(names)), np.concatenate([operator_columns(names, each) for each in FITTED]))
    np.testing.assert_array_equal(fitted.voice[others], exact[others])


def test_a_fit_that_does_not_help_leaves_the_voice_and_says_so() -> None:
    state, exact = begun(Dx7Synth(16000, 0.5).at_root(60.0), PAIRS, PAIRS)
    fitted = fit_voice(state, exact, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(fitted.voice, exact)
    assert fitted.settled
    assert fitted.distance < 1e-3


@pytest.mark.parametrize(("coarse", "fine"), [(2, 57), (4, 11), (0, 40)])
def test_inharmonic_ratios_of_carriers_are_seen(coarse: int, fine: int) -> None:
    voice = PAIRS.replaced(op3_coarse=coarse, op3_fine=fine, op4_output_level=0)
    synth = Dx7Synth(32000, 1.0).at_root(60.0)
    seen = observed_ratios(synth.render(voice_values(voice.values).astype(float)), 32000, 60.0)
    assert seen is not None
    wanted = (coarse or 0.5) * (1.0 + fine / 100.0)
    near = np.abs(seen.ratios / wanted - 1.0) < 0.01
    assert seen.weights[near].sum() > 2.0 * seen.weights.mean()
    for semitones in (0, -12, 24):
        drawn = np.array([seen.draw(np.random.default_rng(seed), semitones) for seed in range(200)])
        assert drawn.min() >= 0
        assert drawn[:, 0].max() < 32
        assert drawn[:, 1].max() < 100
        own = np.where(drawn[:, 0] == 0, 0.5, drawn[:, 0]) * (1.0 + drawn[:, 1] / 100.0)
        shares = np.mean(np.abs(own * 2.0 ** (semitones / 12.0) / wanted - 1.0) < 0.01)
        assert shares > 0.05 or wanted / 2.0 ** (semitones / 12.0) < 0.5


def test_the_distance_of_sidebands_names_the_modulator() -> None:
    voice = Voice().replaced(algorithm=4, op1_coarse=5, op2_coarse=1, op2_fine=41, op2_output_level=75)
    synth = Dx7Synth(32000, 1.0).at_root(60.0)
    seen = observed_ratios(synth.render(voice_values(voice.values).astype(float)), 32000, 60.0)
    assert seen is not None
    assert (1, 41) in {seen.draw(np.random.default_rng(seed)) for seed in range(400)}


def test_a_sound_without_partials_shows_no_ratio() -> None:
    assert observed_ratios(np.zeros(16000), 16000, 60.0) is None
