"""Scaling and velocity for several notes: levels move as the engine's do, and moves leave the first note alone."""

from typing import Any

import numpy as np
import pytest

from generators.analysis.distance import log_mel_distance
from generators.dx7.engine import render
from generators.dx7.single_note import scaling_steps
from generators.dx7.synth import values_to_bytes, voice_values
from generators.dx7.voice import Voice
from inversynth.search import dx7_keyboard
from inversynth.search.dx7_keyboard import PlayedNote

RATE = 16000
MAIN = PlayedNote(60, 100)
PAIR = Voice().replaced(algorithm=4, op1_output_level=80, op2_output_level=70, op1_rate_2=40, op1_level_2=0)


def sound(values: Any, note: int = 60, velocity: int = 100) -> Any:
    return render(values_to_bytes(np.atleast_2d(values)), note, velocity, 0.3, 0.4, RATE)[0]


def level(audio: Any) -> float:
    return float(10.0 * np.log10(np.mean(np.square(audio, dtype=np.float64))))


@pytest.mark.parametrize("curve", range(4))
@pytest.mark.parametrize("note", [24, 41, 60, 67, 88])
def test_steps_of_scaling_are_those_of_the_engine(curve: int, note: int) -> None:
    plain = Voice().replaced(op1_output_level=50, op1_break_point=43)
    side = "left" if note < 60 else "right"
    scaled = plain.replaced(**{f"op1_{side}_depth": 40, f"op1_{side}_curve": curve})
    change = level(sound(voice_values(scaled.values), note)) - level(sound(voice_values(plain.values), note))
    steps = scaling_steps(np.array([note]), 43, 40, curve)
    assert change == pytest.approx(steps[0] * dx7_keyboard.STEP_DB, abs=1.0)


@pytest.mark.parametrize("sensitivity", [1, 4, 7])
@pytest.mark.parametrize("velocity", [20, 64, 127])
def test_steps_of_velocity_are_those_of_the_engine(sensitivity: int, velocity: int) -> None:
    plain = Voice().replaced(op1_output_level=90)
    moved = voice_values(plain.replaced(op1_velocity_sensitivity=sensitivity).values)
    change = level(sound(moved, 60, velocity)) - level(sound(voice_values(plain.values)))
    loudness = np.asarray(dx7_keyboard.VELOCITIES[velocity >> 1] - 239)
    assert change == pytest.approx(
        float(dx7_keyboard._velocity_steps(sensitivity, loudness)) * dx7_keyboard.STEP_DB, abs=0.3
    )


@pytest.mark.parametrize(("kind", "most"), [("left", 0.0), ("right", 0.0), ("velocity", 0.6), ("rates", 2.0)])
def test_moves_leave_the_first_note_as_it_was(kind: str, most: float) -> None:
    """Scaling about the first note changes nothing there; velocity half a step, rates by what whole numbers allow."""
    table, rng = dx7_keyboard._keyboard_table(), np.random.default_rng(0)
    parent = table.centred(voice_values(PAIR.values)[None], MAIN.note)
    before, kinds = sound(parent), np.array([float(name == kind) for name in dx7_keyboard.KINDS])
    children = [table.moved(parent, MAIN, kinds, rng) for _ in range(16)]
    distances = [float(log_mel_distance(before, sound(child), RATE)) for child in children]
    assert max(distances) <= most + 1e-4
    assert sum((child != parent[0]).any() for child in children) > 4
    other = [
        float(log_mel_distance(sound(parent, n, 50), sound(child, n, 50), RATE)) for child in children for n in (36, 84)
    ]
    assert max(other) > 1.0


def test_the_scaling_that_levels_of_notes_need_is_computed() -> None:
    notes = np.array([60, 72, 84, 96])
    for depth, curve in ((70, 0), (40, 1), (55, 2), (80, 3)):
        wanted = scaling_steps(notes, 43, depth, curve).astype(float)
        found = dx7_keyboard._nearest_scaling(wanted, notes, 43, notes > 60)
        assert found[2] == 0.0
        np.testing.assert_array_equal(scaling_steps(notes, 43, *found[:2]), wanted)
    assert dx7_keyboard._nearest_scaling(wanted, notes, 43, np.zeros(4, bool)) == (0, 0, 0.0)
