"""The verdict: grades follow the log-mel distance, and what is said of a match is what was changed in it."""

import numpy as np
import pytest

from generators.analysis.musical_measures import musical_measures
from generators.fm_generator import FmSynth
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.inversion.differences import a_weighting, describe_differences, describe_pitch
from inversynth.inversion.inversion import conclude
from inversynth.inversion.target import Target
from inversynth.inversion.verdict import THRESHOLDS, WORDS, assess, grade, next_step
from inversynth.search.search import refine

RATE = 16384
TIME = np.arange(RATE) / RATE


def note(frequency: float = 220.0, begin: float = 0.1, decay: float = 3.0, partials: int = 30) -> np.ndarray:
    local = np.maximum(TIME - begin, 0.0)
    tone = sum(np.sin(2 * np.pi * k * frequency * local) / k for k in range(1, partials + 1))
    return np.where(begin <= TIME, 0.2 * np.exp(-decay * local) * tone, 0.0)


def said(match: np.ndarray, target: np.ndarray | None = None) -> str:
    return describe_differences(musical_measures(note() if target is None else target, match, RATE))


def inverted(synth: FmSynth, sound: np.ndarray, probabilities: np.ndarray, budget: str):
    found = refine(synth, sound, probabilities, budget, level="fit")
    return conclude(Target(sound, synth.sample_rate, "sound"), synth, found, {}).patch


def test_a_sound_of_the_synth_is_within_reach() -> None:
    synth = FmSynth()
    classes = sample_classes(synth.space, 0, 1, 81)[0].astype(int)
    patch = inverted(synth, synth.render_classes(classes), synth.space.classes_to_one_hot(classes), "fast")
    assert patch.verdict["word"] == "reachable"
    assert patch.verdict["distance"] == patch.scores["log_mel_distance"] < 0.1
    assert patch.verdict["sentence"].endswith("ttack right, tone right.")
    assert patch.verdict["hint"] == ""


def test_a_sound_of_another_synth_is_not_and_a_longer_search_is_named() -> None:
    synth = FmSynth()
    other = build_synth("sine").render_classes([0, 2, 1, 1])
    patch = inverted(synth, other, np.ones(synth.space.size), "none")
    assert patch.verdict["word"] != "reachable"
    assert patch.verdict["distance"] == patch.scores["log_mel_distance"] > THRESHOLDS[0]
    assert "--budget fast" in patch.verdict["hint"]


def test_grades_fall_with_the_distance_alone() -> None:
    distances = np.linspace(0.0, 2 * THRESHOLDS[-1], 200)
    places = [WORDS.index(grade(distance)) for distance in distances]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2, 3}
    assert [grade(most) for most in THRESHOLDS] == list(WORDS[:3])
    assert grade(np.nextafter(THRESHOLDS[0], 99.0)) == WORDS[1]


def test_what_to_try_next_follows_what_was_tried() -> None:
    assert next_step("reachable", "fast", {}) == ""
    assert "--budget fast" in next_step("far", "none", {})
    assert "--budget full" in next_step("close", "fast", {"left_out": 2.0})
    assert "--every_onset" in next_step("far", "full", {"left_out": 2.0})
    assert "--model" in next_step("far", "full", {"left_out": 0.0})


def test_an_equal_sound_is_said_to_be_right_in_all() -> None:
    assert said(0.3 * note()) == "Pitch right, attack right, tone right."


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (note(220.0 * 2 ** (30 / 1200)), "Pitch 30 cents sharp, "),
        (note(110.0), "Pitch an octave too low, "),
        (note(220.0 * 2 ** (4 / 12)), "Pitch 4 semitones too high, "),
        (note(begin=0.14), ", attack 40 ms late"),
        (note(begin=0.04), ", attack 60 ms early"),
        (note(decay=9.0), "too soon"),
        (note(partials=4), ", all above 1 kHz is missing."),
        (np.random.default_rng(1).standard_normal(RATE), "No clear pitch where the target plays A3, "),
    ],
)
def test_what_was_changed_is_what_is_said(match: np.ndarray, words: str) -> None:
    assert words in said(match)


def test_the_top_octave_alone_is_called_so() -> None:
    low, high = np.sin(2 * np.pi * 500 * TIME), 0.5 * np.sin(2 * np.pi * 6000 * TIME)
    assert "the top octave is missing" in said(low, low + high)
    assert "too much of the top octave" in said(low + high, low)
    assert "too little of the top octave" in said(low + 0.4 * high, low + high)


def test_a_rumble_that_nobody_hears_is_not_named() -> None:
    tone, rumble = np.sin(2 * np.pi * 500 * TIME), np.sin(2 * np.pi * 45 * TIME)
    assert "64 Hz" not in said(tone, tone + 0.05 * rumble)  # -26 dB, and 30 dB less to the ear
    assert "all below 64 Hz is missing" in said(tone, tone + 1.2 * rumble)
    assert a_weighting(1000.0) == pytest.approx(0.0, abs=0.01)
    assert a_weighting(100.0) == pytest.approx(-19.1, abs=0.1)  # the table of the standard


def test_a_pitch_that_the_target_does_not_have_is_named() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE)
    assert said(note(), noise).startswith("One steady pitch (A3) where the target has none or several, ")


def test_a_far_match_is_never_said_to_be_right_in_all() -> None:
    drawn = [np.random.default_rng(seed).standard_normal(RATE) * np.sin(np.pi * TIME) for seed in (1, 2)]
    found = musical_measures(*drawn, RATE)
    assert found.log_mel_distance > THRESHOLDS[0]
    assert "the tone differs in detail" in describe_differences(found)


@pytest.mark.parametrize(
    ("cents", "words"),
    [
        (20.0, "20 cents sharp"),
        (-99.0, "99 cents flat"),
        (110.0, "a semitone too high"),
        (-700.0, "7 semitones too low"),
        (-1190.0, "an octave too low"),
        (2440.0, "2 octaves too high"),
        (2500.0, "25 semitones too high"),
    ],
)
def test_pitches_are_compared_in_the_words_of_musicians(cents: float, words: str) -> None:
    assert describe_pitch(cents) == words


def test_a_verdict_keeps_what_it_rests_on() -> None:
    record = assess(musical_measures(note(), note(110.0), RATE), "fast").record()
    assert list(record) == ["word", "distance", "thresholds", "sentence", "hint"]
    assert record["thresholds"] == list(THRESHOLDS)
    assert record["word"] == grade(record["distance"])
