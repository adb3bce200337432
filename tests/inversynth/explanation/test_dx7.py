"""Explanations of DX7 voices: every sentence must follow from the voice, and end with the part that it tells of."""

import re

import numpy as np
import pytest

from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import render
from generators.dx7.voice import Voice
from inversynth.explanation.dx7 import explain_voice
from inversynth.explanation.dx7_algorithm import describe_algorithm
from inversynth.explanation.dx7_parts import centroid, fading_segment, operator_course, voice_parts
from inversynth.explanation.dx7_sound import NOISE, feedback_radians, spectrum

NOTE = {"note": 60, "velocity": 100, "hold": 0.75, "length": 1.0, "sample_rate": 32000}

PIANO = Voice().replaced(
    name="TINE",
    algorithm=4,
    op1_output_level=99,
    op1_rate_2=40,
    op1_level_2=0,
    op1_level_3=0,
    op1_rate_4=70,
    op2_output_level=70,
    op2_coarse=14,
    op2_rate_2=60,
    op2_level_2=0,
    op2_level_3=0,
    op3_output_level=80,
    op3_coarse=2,
    op4_coarse=3,
    op4_output_level=0,
)


def told(voice, **changes):
    """The paragraphs of a voice by their heads."""
    return {paragraph.head: paragraph.text for paragraph in explain_voice(voice_parts(voice, **{**NOTE, **changes}))}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "a pair 2→1 and a stack of four 6→5→4→3"),
        (3, "two stacks of three 3→2→1 and 6→5→4"),
        (5, "three pairs 2→1, 4→3 and 6→5"),
        (14, "a pair 2→1 and a carrier with several modulators (5 + 6)→4→3"),
        (18, "a carrier with several modulators (2 + 3 + 6→5→4)→1"),
        (20, "a modulator of several carriers 3→(1 + 2) and a carrier with several modulators (5 + 6)→4"),
        (21, "two modulators of several carriers 3→(1 + 2) and 6→(4 + 5)"),
        (32, "operators 1, 2, 3, 4, 5 and 6 side by side"),
    ],
)
def test_algorithms_are_named_by_their_groups(number, words):
    assert describe_algorithm(number) == words


def test_each_algorithm_names_every_operator_once_in_its_groups():
    for number in range(1, 33):
        assert sorted(re.findall(r"[1-6]", describe_algorithm(number))) == list("123456"), number
    assert len({describe_algorithm(n) for n in range(1, 33)}) == len({a.chains for a in ALGORITHMS})


def test_a_tine_is_told_of_its_operator_and_the_silent_ones_are_not():
    text = told(PIANO)
    assert list(text)[:4] == ["Algorithm 5", "Operator 1", "Operator 2", "Operator 3"]
    assert text["Algorithm 5"].startswith("Three pairs 2→1, 4→3 and 6→5; arrows")
    assert "Carriers: 1, 3 and 5." in text["Algorithm 5"]
    assert "Told at C4, velocity 100, held for 0.75 s" in text["Algorithm 5"]
    assert text["Operator 1"].startswith("The loudest carrier: ratio 1.00, at the pitch of the note (261.6 Hz).")
    assert text["Operator 2"].startswith("Modulates operator 1: ratio 14.00, OUTPUT LEVEL 70. It ")
    assert "high ring around 3.66 kHz, as of the tine of an electric piano" in text["Operator 2"]
    assert "an octave above the note (523.3 Hz)" in text["Operator 3"]
    assert text["Not heard"].startswith("Without operators 4, 5 and 6 ")
    assert "Operator 4" not in " ".join(text.values())


def test_levels_and_changes_are_measured():
    parts = voice_parts(PIANO, **NOTE)
    whole, without = render([PIANO, PIANO.replaced(op3_output_level=0)], 60, 100, 0.75, 1.0, 32000)
    assert parts.silent == [4, 5, 6]
    assert [part.operator for part in parts.carriers] == [1, 3]
    assert parts.operators[0].level == 0.0
    body, octave = (np.square(sound, dtype=float).mean() for sound in (without, whole - without))
    assert parts.operators[2].level == pytest.approx(10 * np.log10(octave / body), abs=0.01)
    assert parts.operators[3].change < 1e-4 < 0.5 < parts.operators[1].change
    assert parts.operators[1].level == -np.inf


def test_a_silent_operator_of_high_keyboard_scaling_is_silenced_too():
    loud = Voice().replaced(algorithm=31, op2_coarse=3, op2_output_level=40, op2_right_depth=99, op2_right_curve=3)
    parts = voice_parts(loud, **{**NOTE, "note": 96})
    assert parts.operators[1].change > 0.1
    louder = Voice().replaced(algorithm=31, op2_coarse=3, op2_output_level=0, op2_right_depth=99, op2_right_curve=3)
    assert voice_parts(louder, **{**NOTE, "note": 96}).operators[1].change > 0.1


def test_a_doubled_carrier_is_heard_by_its_loudness():
    doubled = Voice().replaced(algorithm=31, op2_output_level=99)
    part = voice_parts(doubled, **NOTE).operators[1]
    assert part.change < 0.1
    assert part.quieter == pytest.approx(6.02, abs=0.01)
    assert part.is_heard


def test_courses_follow_the_envelope():
    course = operator_course(PIANO, 1, 60, 100, 0.75)
    sound = render(PIANO.replaced(op2_output_level=0, op3_output_level=0), 60, 100, 5.0, 5.0, 32000)[0]
    blocks = 10 * np.log10(2 * np.square(sound.astype(float)).reshape(-1, 320).mean(axis=1) + 1e-12)
    fallen = 0.01 * (np.flatnonzero(blocks > blocks.max() - 20)[-1] + 0.5)
    assert course.fade == pytest.approx(fallen, abs=0.03)
    assert course.peak == pytest.approx(blocks.max(), abs=0.5)
    assert course.attack < 0.01
    assert fading_segment(PIANO, 1, 60, 100) == 2
    assert operator_course(Voice(), 1, 60, 100, 0.75).fade == np.inf
    assert operator_course(Voice(), 2, 60, 100, 0.75).release == 0.0


def test_silence_is_told_as_such():
    text = told(Voice().replaced(op1_output_level=0))
    assert text["Silence"] == "Nothing is heard at C4."
    assert list(text) == ["Algorithm 1", "Silence"]


def test_what_moves_is_told_with_its_size():
    base = Voice().replaced(lfo_pitch_depth=50, pitch_sensitivity=5, lfo_speed=35, lfo_wave=4, lfo_delay=10)
    moving = told(base)["Movement"]
    assert moving.startswith(
        "The LFO, a sine of 5.8 Hz (LFO SPEED 35, with LFO DELAY 10), moves the pitch by up to 216 "
    )
    assert "Movement" not in told(Voice())
    bent = told(Voice().replaced(pitch_level_4=60, pitch_rate_1=60))["Movement"]
    found = re.search(r"bends the pitch by up to \+([\d.]+) semitones and comes to rest after ([\d.]+) s", bent)
    assert found is not None
    assert 3.0 < float(found[1]) <= 3.75  # ten steps of 1/32 octave, less what the first block has fallen
    assert 0.05 < float(found[2]) < 0.2
    beating = told(Voice().replaced(algorithm=31, op2_output_level=99, op2_detune=14))["Movement"]
    assert beating.startswith("DETUNE of operator 2 (+7) makes it beat")


def test_a_soft_stroke_is_told_where_the_voice_listens_to_it():
    assert "Touch" not in told(Voice())
    text = told(Voice().replaced(op1_velocity_sensitivity=5))["Touch"]
    found = re.fullmatch(r"Played softly \(velocity 40 instead of 100\) it is (\d+) dB quieter\.", text)
    assert found is not None
    loud, soft = render(Voice().replaced(op1_velocity_sensitivity=5), 60, [100, 40], 0.75, 1.0, 32000)
    assert int(found[1]) == round(20 * np.log10(np.linalg.norm(loud) / np.linalg.norm(soft)))


def test_what_the_knobs_are_said_to_do_is_what_they_do():
    text = told(PIANO)["To change it"]
    found = re.search(r"brighter sound turn OP 2 OUTPUT LEVEL from 70 to 78 \(.*? (\d+) → ([\d,]+) Hz\)", text)
    assert found is not None
    before, after = render([PIANO, PIANO.replaced(op2_output_level=78)], 60, 100, 0.75, 1.0, 32000)
    assert float(found[1]) == round(centroid(before, 32000))
    assert float(found[2].replace(",", "")) == round(centroid(after, 32000))
    longer = re.search(r"longer one turn OP 1 EG RATE 2 from 40 to 30 \(20 dB down after (.*?) s → (.*?) s\)", text)
    assert longer is not None
    slower = operator_course(PIANO.replaced(op1_rate_2=30), 1, 60, 100, 0.75)
    assert float(longer[2]) == round(slower.fade, 1) > float(longer[1])


@pytest.mark.parametrize(
    ("modulator", "carrier", "index", "words"),
    [
        (440.0, 440.0, 1.0, "adds all harmonics, as of a saw"),
        (880.0, 440.0, 1.0, "adds odd harmonics, hollow as of a square wave"),
        (890.0, 440.0, 1.0, "adds odd harmonics, hollow as of a square wave, slightly out of tune"),
        (1320.0, 440.0, 8.0, "strongly adds harmonics around every third one"),
        (220.0, 440.0, 1.0, "adds harmonics of a tone an octave lower (220.0 Hz)"),
        (620.0, 440.0, 0.1, "faintly adds partials off the harmonics, as of metal or bells"),
        (1540.0, 440.0, 1.0, "adds partials off the harmonics, as of metal or bells"),
        (6160.0, 440.0, 1.0, "adds a high ring around 6.16 kHz, as of glass"),
        (6050.0, 440.0, 1.0, "adds a high ring around 6.05 kHz, as of metal or a bell"),
        (6.0, 440.0, 1.0, "makes it waver 6.0 times a second"),
    ],
)
def test_ratios_are_told_by_their_partials(modulator, carrier, index, words):
    sustained = operator_course(Voice(), 1, 60, 100, 0.75)
    assert spectrum(modulator, carrier, index, sustained) == words


def test_a_modulator_of_twice_the_frequency_really_gives_odd_harmonics():
    voice = Voice().replaced(op2_output_level=75, op2_coarse=2)
    sound = render(voice, 60, 100, 2.0, 2.0, 32000)[0].astype(float)
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))
    hertz = np.fft.rfftfreq(len(sound), 1 / 32000)
    at = [power[np.abs(hertz - k * 261.6256) < 3].sum() for k in range(1, 7)]
    assert min(at[0], at[2]) > 1e4 * max(at[1], at[3], at[5])


@pytest.mark.parametrize(("level", "feedback", "noisy"), [(99, 7, True), (95, 6, True), (85, 7, False), (90, 6, False)])
def test_feedback_is_called_noise_where_it_is(level, feedback, noisy):
    voice = Voice().replaced(
        algorithm=4, op1_output_level=0, op5_output_level=99, op6_output_level=level, feedback=feedback
    )
    sound = render(voice, 60, 100, 2.0, 2.0, 44100)[0].astype(float)[8820:52920]
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))
    hertz = np.arange(len(power))
    near = np.abs(hertz - np.round(hertz / 261.6256) * 261.6256) < 6
    assert (power[~near].sum() > 0.05 * power.sum()) == noisy
    course = operator_course(voice, 6, 60, 100, 0.75)
    assert (feedback_radians(voice, course) >= NOISE) == noisy
    assert ("noise" in told(voice)["Operator 6"]) == noisy


def test_a_quarter_of_the_feedback_is_told_in_the_algorithms_that_have_it():
    course = operator_course(Voice(), 1, 60, 100, 0.75)
    whole, quarter = (Voice().replaced(feedback=7, algorithm=number) for number in (4, 3))
    assert feedback_radians(whole, course) == pytest.approx(4 * feedback_radians(quarter, course))


def test_shared_modulators_are_told_once():
    text = told(Voice().replaced(algorithm=21, op3_output_level=99, op4_output_level=99, op6_output_level=80))
    assert text["Operator 6"].startswith("Modulates operator ")
    assert " ".join(text.values()).count("Operator 6 modulates it, too.") == 1
