"""The search for DX7 voices comes nearer by every stage, moves only what a note can tell, and repeats itself."""

from typing import Any

import numpy as np
import pytest

from generators.dx7.synth import Dx7Synth, patch_voice, voice_values
from generators.dx7.voice import Voice, stack_values
from inversynth.search import dx7_search
from inversynth.search.dx7_levels import fit_carriers
from inversynth.search.dx7_population import _modulation_cost, _tuning_cost, genes
from inversynth.search.search import plan_stages, refine
from inversynth.search.stages import BUDGETS
from tests.inversynth.search.dx7_state import begun

VOICES = tuple(
    Voice().replaced(
        algorithm=algorithm,
        op1_rate_2=decay,
        op1_level_2=0,
        op2_output_level=level,
        op2_coarse=ratio,
        op1_velocity_sensitivity=sensitivity,
    )
    for algorithm, decay, level, ratio, sensitivity in (
        (4, 30, 70, 1, 0),
        (4, 45, 80, 2, 3),
        (0, 60, 60, 3, 5),
        (7, 50, 75, 5, 2),
        (21, 35, 85, 14, 7),
        (4, 70, 65, 7, 1),
    )
)
"""Pairs of a carrier and a modulator, which decay."""


class FewVoices:
    """An index of those voices, in their order."""

    def nearest(self, audio: Any, sample_rate: int, note: int, count: int, released: bool) -> tuple[Any, Any]:
        return stack_values(VOICES)[:count], np.zeros(len(VOICES[:count]))


@pytest.fixture
def synth(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(dx7_search, "_index", FewVoices)
    return Dx7Synth(16000, 0.5).at_root(57.0)


def target(synth: Any) -> Any:
    wanted = VOICES[1].replaced(op2_coarse=3, op2_output_level=72, op1_rate_2=52, feedback=2)
    return synth.render(voice_values(wanted.values).astype(float))


def search(synth: Any, limit: int, seed: int = 0) -> Any:
    uniform = np.ones(synth.space.size)
    start = voice_values(VOICES[2].values).astype(float)
    return refine(synth, target(synth), uniform, "fast", limit=limit, start=start, level="fit", seed=seed)


def test_every_stage_comes_nearer(synth: Any) -> None:
    found = search(synth, 1200)
    distances = [found.start_distance, *(stage.distance for stage in found.stages)]
    assert [stage.name for stage in found.stages] == ["voices", "levels", "islands", "hop"]
    assert distances == sorted(distances, reverse=True)
    assert found.distance < 0.5 * found.start_distance
    assert found.renders < 1200 + 100  # a fit, or a generation, that was begun within
    assert found.determined is None


def test_equal_seeds_give_equal_voices(synth: Any) -> None:
    once, again = search(synth, 300), search(synth, 300)
    np.testing.assert_array_equal(once.classes, again.classes)
    assert (search(synth, 300, seed=1).classes != once.classes).any()


def test_what_one_note_cannot_tell_is_never_moved(synth: Any) -> None:
    """Scaling and velocity come from the voices that a search began with, whole operators at a time."""
    found = search(synth, 600)
    table = genes()
    still = np.flatnonzero(table.weights == 0.0)
    assert {"op1_break_point", "op3_rate_scaling", "op6_velocity_sensitivity", "lfo_sync"} <= {
        table.names[column] for column in still
    }
    begun = voice_values(stack_values(VOICES))[:, still]
    within = (begun == found.classes[still]).any(axis=0)
    octave = np.array([table.names[column] == "transpose" for column in still])
    assert (within | octave).all()


def test_deep_modulation_costs_and_a_little_does_not() -> None:
    plain = voice_values(VOICES[0].values)
    deep = voice_values(VOICES[0].replaced(lfo_pitch_depth=99, pitch_sensitivity=7).values)
    little = voice_values(VOICES[0].replaced(lfo_pitch_depth=10, pitch_sensitivity=3).values)
    costs = _modulation_cost(np.stack([plain, deep, little]))
    assert costs[0] == costs[2] == 0.0
    assert costs[1] == pytest.approx(3.0 * 0.95)


def test_a_pitch_beside_that_of_the_sound_costs_and_one_towards_it_does_not() -> None:
    plain = VOICES[0]
    flat = plain.replaced(pitch_level_2=49, pitch_level_3=49)  # 37.5 cents
    bent = plain.replaced(pitch_level_1=20)
    classes = np.stack([voice_values(voice.values) for voice in (plain, flat, bent)])
    assert _tuning_cost(classes, 0.0) == pytest.approx([0.0, 3.0 * 0.375, 0.0])
    assert _tuning_cost(classes, -0.4) == pytest.approx([0.0, 0.0, 0.0])
    assert _tuning_cost(classes, np.nan) == pytest.approx([0.0, 0.0, 0.0])


def test_a_transposed_voice_begins_with_voices_at_the_pitch_that_is_heard() -> None:
    synth = Dx7Synth(32000, 1.0).at_root(60.0)
    low = VOICES[0].replaced(transpose=24 - 19)
    state, start = begun(synth, low, VOICES[5])
    state.starts = start[None]
    for _ in dx7_search.voices(state):
        pass
    assert state.voices is not None
    assert patch_voice(state.voices.classes[0].astype(float))["transpose"] in (5, 17)
    assert state.tuning == pytest.approx(5.0, abs=0.1)


def test_a_full_search_first_does_what_a_fast_one_does(synth: Any) -> None:
    fast, full = (plan_stages(synth, budget) for budget in ("fast", "full"))
    assert full[: len(fast)] == fast
    assert [stage.name for stage in full[len(fast) :]] == ["hop"]
    assert BUDGETS["full"][0] > BUDGETS["fast"][0]


def test_carriers_are_fitted_to_their_levels() -> None:
    synth = Dx7Synth(16000, 0.5).at_root(60.0)
    wanted = Voice().replaced(
        algorithm=4, op1_output_level=90, op3_output_level=70, op3_coarse=5, op4_output_level=60, op4_coarse=3
    )
    state, changed = begun(synth, wanted, wanted.replaced(op1_output_level=60, op3_output_level=95))
    alone = voice_values(Voice().values).astype(np.int64)
    (fitted,) = fit_carriers(state, np.stack([changed, alone]))
    found = patch_voice(fitted.astype(float))
    assert found["op1_output_level"] - found["op3_output_level"] == pytest.approx(20, abs=1)
    assert found.replaced(op1_output_level=60, op3_output_level=95).data[:145] == patch_voice(changed).data[:145]
    assert state.renders == 2
