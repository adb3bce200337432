"""Alternatives are clearly different patches that sound alike, and there are none where a sound leaves no choice."""

import numpy as np
import pytest

from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from generators.sine_generator import SineSynth
from inversynth.search.alternatives import DISTANCE_FACTOR, DISTANCE_SLACK, MAX_ALTERNATIVES, MIN_DIFFERENCE
from inversynth.search.objective import Objective
from inversynth.search.search import refine


def test_a_sound_that_allows_a_trade_has_alternatives_that_keep_what_is_promised():
    synth = FmSynth()
    classes = sample_classes(synth.space, 0, 2, 4712)[1].astype(int)
    audio = synth.render_classes(classes)
    found = refine(synth, audio, synth.space.classes_to_one_hot(classes) + 0.05, "fast", alternatives=True)
    assert 1 <= len(found.alternatives) <= MAX_ALTERNATIVES
    fixed = found.determined
    rows = [found.classes, *(synth.space.values_to_classes(other.values).astype(int) for other in found.alternatives)]
    for place, one in enumerate(rows):
        for other in rows[:place]:
            assert (np.abs(one - other)[fixed] >= MIN_DIFFERENCE).sum() >= MIN_DIFFERENCE
    for other in found.alternatives:
        assert other.distance == pytest.approx(
            float(Objective(audio, synth.sample_rate).distance(synth.render(other.values))), abs=1e-4
        )
        assert (
            found.distance <= other.distance <= max(DISTANCE_FACTOR * found.distance, found.distance + DISTANCE_SLACK)
        )
    assert not refine(synth, audio, synth.space.classes_to_one_hot(classes), "fast").alternatives  # unless asked for


def test_two_sines_leave_no_choice():
    synth = SineSynth(length=0.25)
    classes = np.array([0, 2, 1, 1])
    found = refine(synth, synth.render_classes(classes), np.ones(synth.space.size), "fast", alternatives=True)
    np.testing.assert_array_equal(found.classes, classes)
    assert found.alternatives == ()
