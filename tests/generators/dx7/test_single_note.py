"""Voices as one note tells them: they sound as before, and what is not heard is at rest."""

import numpy as np
import pytest

from generators.analysis.distance import log_mel_distance
from generators.dx7.engine import render
from generators.dx7.prior import sample_voices
from generators.dx7.single_note import drop_inaudible, fold_scaling, heard_operators
from generators.dx7.voice import Voice, stack_values

RATE = 22050


@pytest.mark.parametrize(("note", "velocity"), [(36, 40), (60, 100), (84, 120)])
def test_a_voice_without_scaling_sounds_the_same_at_its_note(note: int, velocity: int) -> None:
    voices, _ = sample_voices(24, 5)
    folded = fold_scaling(voices, note, velocity)
    before, after = (
        render(each, note, loudness, 0.75, 1.0, RATE) for each, loudness in ((voices, velocity), (folded, 30))
    )
    distances = [float(log_mel_distance(a, b, RATE)) for a, b in zip(before, after, strict=True) if a.any()]
    assert np.median(distances) < 0.4
    assert np.mean(np.array(distances) > 2.0) <= 0.2  # levels above 99, and waits that a rate of its own sets


def test_scaling_is_measured_at_the_transposed_note() -> None:
    voice = Voice().replaced(transpose=36, op1_break_point=43, op1_right_depth=60, op1_output_level=80)
    down = Voice().replaced(op1_break_point=43, op1_right_depth=60, op1_output_level=80)
    rows = stack_values([voice, down])
    quieter, _ = fold_scaling(rows, 60, 100)
    same = fold_scaling(rows[1:], 72, 100)[0]
    assert Voice(quieter.astype(np.uint8).tobytes())["op1_output_level"] == same[5 * 21 + 16]
    assert same[5 * 21 + 16] < 80


def test_what_is_not_heard_is_at_rest_and_the_sound_stays() -> None:
    voices, _ = sample_voices(48, 6)
    folded = fold_scaling(voices, 60, 100)
    bare = drop_inaudible(folded)
    before, after = (render(each, 60, 100, 0.75, 1.0, RATE) for each in (folded, bare))
    distances = [float(log_mel_distance(a, b, RATE)) for a, b in zip(before, after, strict=True)]
    assert np.mean(distances) < 0.05
    assert max(distances) < 1.0
    assert (bare != folded).any()
    np.testing.assert_array_equal(drop_inaudible(bare), bare)


def test_a_modulator_of_a_silent_carrier_is_not_heard() -> None:
    voice = Voice().replaced(
        algorithm=0, op1_output_level=99, op2_output_level=80, op4_output_level=90, op3_output_level=0
    )
    assert heard_operators(voice.values[None])[0].tolist() == [False, False, False, False, True, True]
    loud = voice.replaced(op3_output_level=90)
    assert heard_operators(loud.values[None])[0].tolist() == [False, False, True, True, True, True]
