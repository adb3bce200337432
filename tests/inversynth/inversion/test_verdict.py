"""The verdict: sounds of the synth are within reach, sounds of another are not, and it says what it rests on."""

from dataclasses import replace

import numpy as np
import pytest

from generators.fm_generator import FmSynth
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.inversion.verdict import DOUBTFUL, REACHABLE, WORDS, assess
from inversynth.search.search import refine


@pytest.fixture(scope="module")
def found():
    synth = FmSynth()
    classes = sample_classes(synth.space, 0, 1, 81)[0].astype(int)
    return refine(synth, synth.render_classes(classes), synth.space.classes_to_one_hot(classes), "fast", level="fit")


def test_a_sound_of_the_synth_is_within_reach(found):
    verdict = assess(found)
    assert verdict.word == "reachable"
    assert verdict.record()["distance"] == pytest.approx(found.distance, abs=1e-6)


def test_a_sound_of_another_synth_is_out_of_reach():
    synth = FmSynth()
    other = build_synth("sine").render_classes([0, 2, 1, 1])
    found = refine(synth, other, np.ones(synth.space.size), "fast", level="fit")
    verdict = assess(found)
    assert verdict.word == "out of reach"
    assert "--budget full" in verdict.sentence
    assert "--budget" not in assess(replace(found, budget="full")).sentence


def test_the_verdict_follows_the_distance(found):
    words = [assess(replace(found, distance=distance)).word for distance in (0.0, REACHABLE, 0.2, DOUBTFUL, 2.0)]
    assert words == [WORDS[0], WORDS[0], WORDS[1], WORDS[2], WORDS[2]]
