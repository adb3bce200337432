"""The panel's words and numbers, and their meaning measured on what the engine renders."""

import numpy as np
import pytest

from generators.dx7 import panel
from generators.dx7.engine import render, trace
from generators.dx7.voice import PARAMETERS, Voice
from generators.errors import ParameterError
from tests.generators.dx7.test_engine import frequency as measured_frequency
from tests.generators.dx7.test_engine import sine

RATE = 44100


def test_every_parameter_has_a_label_of_its_own_without_underscores():
    labels = [panel.label(parameter.name) for parameter in PARAMETERS]
    assert len(set(labels)) == len(PARAMETERS) == 145
    assert all(label == label.upper() and "_" not in label for label in labels)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("op2_output_level", "OP 2 OUTPUT LEVEL"),
        ("op6_rate_1", "OP 6 EG RATE 1"),
        ("pitch_level_4", "PITCH EG LEVEL 4"),
        ("lfo_pitch_depth", "LFO PMD"),
        ("algorithm", "ALGORITHM"),
    ],
)
def test_labels_are_those_of_the_panel(name, label):
    assert panel.label(name) == label


def test_an_unknown_parameter_has_no_label():
    with pytest.raises(ParameterError, match="op7_coarse"):
        panel.label("op7_coarse")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("algorithm", 0, "1"),
        ("algorithm", 31, "32"),
        ("op1_detune", 0, "−7"),
        ("op1_detune", 7, "0"),
        ("op1_detune", 14, "+7"),
        ("transpose", 12, "−12"),
        ("op3_break_point", 0, "A−1"),
        ("op3_break_point", 3, "C0"),
        ("op3_break_point", 39, "C3"),
        ("op3_break_point", 99, "C8"),
        ("op3_left_curve", 0, "−LIN"),
        ("op3_right_curve", 2, "+EXP"),
        ("op4_mode", 1, "FIXED"),
        ("lfo_wave", 5, "SAMPLE & HOLD"),
        ("lfo_sync", 1, "ON"),
        ("op1_output_level", 87, "87"),
    ],
)
def test_values_are_shown_as_on_the_panel(name, value, text):
    assert panel.shown_value(name, value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"op1_coarse": 0}, "0.50"),
        ({"op1_coarse": 14}, "14.00"),
        ({"op1_coarse": 31, "op1_fine": 99}, "61.69"),
        ({"op1_mode": 1, "op1_coarse": 0}, "1.000 Hz"),
        ({"op1_mode": 1, "op1_coarse": 3, "op1_fine": 12}, "1318 Hz"),
        ({"op1_mode": 1, "op1_coarse": 6, "op1_fine": 50}, "316.2 Hz"),
        ({"op1_mode": 1, "op1_coarse": 31, "op1_fine": 99}, "9772 Hz"),
    ],
)
def test_frequencies_are_shown_as_on_the_panel(values, text):
    assert panel.frequency(Voice().replaced(**values), 1) == text


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"op1_coarse": 3, "op1_fine": 50}, 60),
        ({"op1_coarse": 0, "op1_detune": 14}, 72),
        ({"op1_detune": 0}, 36),
        ({"transpose": 36}, 57),
        ({"op1_mode": 1, "op1_coarse": 2, "op1_fine": 64, "op1_detune": 14}, 60),
        ({"op1_mode": 1, "op1_coarse": 3, "op1_fine": 7, "op1_detune": 0}, 30),
    ],
)
def test_hertz_are_those_that_the_engine_renders(values, note):
    voice = sine(**values)
    sound = render(voice, note=note, hold=2.0, length=2.0, sample_rate=RATE)[0]
    assert panel.hertz(voice, 1, note) == pytest.approx(measured_frequency(sound, RATE), abs=0.05)


def test_a_fixed_frequency_is_the_panels_to_a_tenth_of_a_percent():
    for coarse in range(4):
        for fine in (0, 33, 99):
            voice = sine(op1_mode=1, op1_coarse=coarse, op1_fine=fine)
            assert panel.hertz(voice, 1, 60) == pytest.approx(panel.fixed_hertz(voice, 1), rel=1e-3)


def test_the_lfo_bends_the_pitch_as_far_and_as_often_as_said():
    voice = Voice().replaced(lfo_pitch_depth=60, pitch_sensitivity=4, lfo_speed=40, lfo_wave=4)
    bends = 1200.0 * trace(voice, hold=4.0, length=4.0).bends
    assert bends.max() == pytest.approx(panel.vibrato_cents(voice), rel=0.01)
    assert -bends.min() == pytest.approx(panel.vibrato_cents(voice), rel=0.01)
    crossings = int(((bends[:-1] < 0) & (bends[1:] >= 0)).sum())
    assert crossings == pytest.approx(4.0 * panel.lfo_hertz(voice), abs=1)
    assert not np.any(trace(Voice().replaced(lfo_pitch_depth=60, pitch_sensitivity=0)).bends)
