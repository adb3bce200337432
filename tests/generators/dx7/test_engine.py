"""The engine: equal to the stored measurements of the referee, and what the instrument must do by its physics."""

import json

import numpy as np
import pytest

from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import render, trace
from generators.dx7.kernel import render_voices
from generators.dx7.tables import BLOCK
from generators.dx7.voice import HIGHEST, Voice
from generators.errors import ParameterError
from tests.generators.dx7.measured import HOLD, LENGTH, NOTES, SAMPLE_RATE, STORE, kept_blocks

MEASURED = json.loads(STORE.read_text(encoding="utf-8"))
SILENT_OPERATORS = {f"op{k}_output_level": 0 for k in range(1, 7)}


def sine(**values):
    """A voice of operator 1 alone, in algorithm 32."""
    return Voice().replaced(algorithm=31, **values)


def frequency(sound, sample_rate, low=0.1, high=0.9):
    """Frequency in Hz by the phase of the strongest partial at two times."""
    part = sound[int(low * len(sound)) : int(high * len(sound))].astype(np.float64)
    window = np.hanning(len(part))
    spectrum = np.abs(np.fft.rfft(part * window, 8 * len(part)))
    top = int(spectrum[8:].argmax()) + 8
    a, b, c = np.log(spectrum[top - 1 : top + 2] + 1e-12)
    return (top + 0.5 * (a - c) / (a - 2 * b + c)) * sample_rate / (8 * len(part))


def level(sound):
    """Level in dB of a sine's amplitude, 0 for 1."""
    return 10 * np.log10(2 * np.mean(np.square(sound, dtype=np.float64)) + 1e-12)


def test_every_note_has_its_measurement_and_every_measurement_sounds():
    assert list(MEASURED) == [note.name for note in NOTES]
    assert all(np.abs(blocks).max() >= 4 for blocks in MEASURED.values())
    assert {note.voice["algorithm"] for note in NOTES} == set(range(32))


def test_notes_equal_the_measurements_of_the_referee_to_the_bit():
    sounds = render(
        [note.voice for note in NOTES],
        [note.note for note in NOTES],
        [note.velocity for note in NOTES],
        HOLD,
        LENGTH,
        SAMPLE_RATE,
    )
    different = [
        note.name for note, sound in zip(NOTES, sounds, strict=True) if kept_blocks(sound, note) != MEASURED[note.name]
    ]
    assert different == []


def test_measurements_tell_neighbouring_values_apart():
    note = next(note for note in NOTES if note.name == "decay and release")
    for name in ("op1_rate_2", "op1_level_3", "op1_rate_4", "op1_output_level"):
        other = note.voice.replaced(**{name: note.voice[name] - 2})
        sound = render(other, note.note, note.velocity, HOLD, LENGTH, SAMPLE_RATE)[0]
        assert kept_blocks(sound, note) != MEASURED[note.name]


@pytest.mark.parametrize("number", range(1, 33))
def test_carriers_of_each_algorithm_are_what_is_heard(number):
    algorithm = ALGORITHMS[number - 1]
    for operator in range(1, 7):
        voice = Voice().replaced(**(SILENT_OPERATORS | {f"op{operator}_output_level": 99}), algorithm=number - 1)
        heard = np.abs(render(voice, hold=0.1, length=0.1, sample_rate=8000)).max() > 0.5
        assert heard == (operator in algorithm.carriers)


@pytest.mark.parametrize("number", range(1, 33))
def test_modulators_of_each_algorithm_change_their_carrier_and_no_other(number):
    algorithm = ALGORITHMS[number - 1]
    for carrier in algorithm.carriers:
        alone = Voice().replaced(**(SILENT_OPERATORS | {f"op{carrier}_output_level": 99}), algorithm=number - 1)
        plain = render(alone, hold=0.1, length=0.1, sample_rate=8000)
        for operator in {1, 2, 3, 4, 5, 6} - set(algorithm.carriers):
            both = alone.replaced(**{f"op{operator}_output_level": 80, f"op{operator}_coarse": 2})
            changed = not np.array_equal(plain, render(both, hold=0.1, length=0.1, sample_rate=8000))
            assert changed == (operator in algorithm.modulators(carrier))


def test_feedback_stands_where_the_charts_have_it():
    assert [n for n, a in enumerate(ALGORITHMS, 1) if len(a.loop) > 1] == [4, 6]
    assert (ALGORITHMS[3].loop, ALGORITHMS[5].loop) == ((6, 5, 4), (6, 5))
    for algorithm in ALGORITHMS:
        loop = algorithm.loop[0]
        level = SILENT_OPERATORS | {f"op{k}_output_level": 99 for k in range(1, loop + 1)}
        voice = Voice().replaced(**level, algorithm=ALGORITHMS.index(algorithm))
        plain, fed = render([voice, voice.replaced(feedback=6)], hold=0.1, length=0.1, sample_rate=8000)
        assert not np.array_equal(plain, fed)


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("note", [36, 60, 84])
def test_pitch_is_that_of_the_note_at_any_sample_rate(sample_rate, note):
    sound = render(sine(), note, hold=1.0, length=1.0, sample_rate=sample_rate)[0]
    assert len(sound) == sample_rate
    cents = 1200 * np.log2(frequency(sound, sample_rate) / (440 * 2 ** ((note - 69) / 12)))
    assert abs(cents) < 0.3


def test_ratios_fixed_frequencies_and_transposition_give_their_frequencies():
    a4 = 440.0
    for values, expected in (
        ({"op1_coarse": 0}, a4 / 2),
        ({"op1_coarse": 3, "op1_fine": 50}, a4 * 4.5),
        ({"transpose": 12}, a4 / 2),
        ({"op1_mode": 1, "op1_coarse": 2, "op1_fine": 50}, 10**2.5),
        ({"op1_mode": 1, "op1_coarse": 7, "op1_fine": 0}, 1000.0),
    ):
        sound = render(sine(**values), 69, hold=0.5, length=0.5)[0]
        assert frequency(sound, 44100) == pytest.approx(expected, rel=3e-4)


def test_one_step_of_output_level_is_three_quarters_of_a_decibel():
    levels = [level(render(sine(op1_output_level=k), hold=0.2, length=0.2)[0][2000:]) for k in (99, 98, 91, 60)]
    assert levels[0] == pytest.approx(0.0, abs=0.05)
    assert np.subtract(levels[0], levels[1:]) == pytest.approx([0.7526, 8 * 0.7526, 39 * 0.7526], abs=0.06)


def test_velocity_moves_the_level_as_measured():
    voice = sine(op1_velocity_sensitivity=7, op1_output_level=99)
    soft, middle, loud = (level(s[2000:]) for s in render(voice, 60, [64, 100, 127], 0.2, 0.2))
    assert (loud - soft, loud - middle) == pytest.approx((15.8, 4.9), abs=0.2)


@pytest.mark.parametrize("sample_rate", [16000, 44100])
def test_envelope_times_are_the_same_at_any_sample_rate(sample_rate):
    rising = render(sine(op1_rate_1=50), hold=0.5, length=0.5, sample_rate=sample_rate)[0]
    loudest = np.flatnonzero(np.abs(rising) > 0.99)[0] / sample_rate
    assert loudest == pytest.approx(0.173, abs=0.003)
    falling = render(sine(op1_rate_2=60, op1_level_2=0, op1_level_3=0), hold=1.0, length=0.3, sample_rate=sample_rate)[
        0
    ]
    early, late = (falling[int(t * sample_rate) : int((t + 0.02) * sample_rate)] for t in (0.05, 0.15))
    assert (level(early) - level(late)) / 0.1 == pytest.approx(194, rel=0.05)


def test_note_off_ends_the_sound():
    sound = render(sine(op1_rate_4=70), hold=0.2, length=2.0)[0]
    assert level(sound[4000:8000]) > -0.1
    assert not sound[-4000:].any()
    assert not render(sine(), hold=0.0, length=0.5)[0][2000:].any()


def test_no_amplitude_modulation_without_sensitivity():
    plain, with_depth = render([sine(), sine(lfo_amplitude_depth=99)], length=0.3)
    np.testing.assert_array_equal(plain, with_depth)


def random_notes(count):
    generator = np.random.default_rng(3)
    values = generator.integers(0, HIGHEST.astype(int) + 1, (count, 155))
    return (
        values,
        generator.integers(24, 100, count),
        generator.integers(1, 128, count),
        generator.uniform(0, 0.2, count),
    )


def test_a_sound_does_not_depend_on_its_batch_or_on_threads():
    values, notes, velocities, holds = random_notes(37)
    together = render(values, notes, velocities, holds, 0.3, 22050, workers=1)
    assert np.isfinite(together).all()
    np.testing.assert_array_equal(render(values, notes, velocities, holds, 0.3, 22050, workers=3), together)
    for k in range(len(values)):
        alone = render(values[k], int(notes[k]), int(velocities[k]), float(holds[k]), 0.3, 22050)
        np.testing.assert_array_equal(alone[0], together[k])


def test_a_shorter_sound_is_the_beginning_of_a_longer_one():
    values, notes, velocities, holds = random_notes(8)
    long = render(values, notes, velocities, holds, 0.31)
    np.testing.assert_array_equal(render(values, notes, velocities, holds, 0.2), long[:, : round(0.2 * 44100)])


def test_extreme_voices_are_rendered():
    for values in (np.zeros(155, int), HIGHEST.astype(int)):
        for note in (0, 127):
            sound = render(values, note, 127, 0.1, 0.2, 8000)
            assert np.isfinite(sound).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"note": 128}, "note is a whole number from 0 to 127. Received: 128"),
        ({"velocity": -1}, "velocity is a whole number from 0 to 127. Received: -1"),
        ({"note": 60.5}, "note is a whole number"),
        ({"hold": -0.1}, "hold is a number of seconds from 0. Received: -0.1"),
        ({"hold": float("nan")}, "hold is a number of seconds from 0. Received: nan"),
        ({"length": 0.0}, "length is above 0 and at most 600 seconds. Received: 0"),
        ({"length": float("inf")}, "length is above 0 and at most 600 seconds. Received: inf"),
        ({"sample_rate": 100}, "sample_rate is 4000 to 192000 Hz. Received: 100"),
        ({"voices": [Voice(), Voice()], "note": [1, 2, 3]}, "voices, notes, velocities and holds must be as many"),
        ({"voices": np.zeros((2, 154), int)}, "voices are integers of shape"),
        ({"voices": np.full((1, 155), 127)}, "byte 0 of a voice is 0 to 99. Received: 127"),
    ],
)
def test_what_cannot_be_rendered_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message.replace(".", r"\.")):
        render(**({"voices": Voice()} | arguments))


def test_no_voices_give_no_sounds():
    assert render(np.zeros((0, 155), int), length=0.1).shape == (0, 4410)


def test_a_trace_follows_the_level_that_is_rendered():
    voice = sine(op1_rate_1=60, op1_rate_2=45, op1_level_2=70, op1_rate_3=50, op1_level_3=60, op1_rate_4=45)
    traced = trace(voice, note=96, hold=1.0, length=2.0)
    sound = render(voice, note=96, hold=1.0, length=2.0)[0]
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(np.float64)
    rendered = 10 * np.log10(2 * np.mean(np.square(blocks), axis=1) + 1e-12)
    assert len(traced.times) == len(blocks)
    audible = (traced.levels[1:, 0] > -50) & (traced.levels[:-1, 0] > -50)
    between = (traced.levels[1:, 0] + traced.levels[:-1, 0]) / 2  # a block rises from the level of the last one
    assert audible.sum() > 1000
    assert np.abs(rendered[1:] - between)[audible].max() < 1.0
    assert np.abs(rendered[1:] - between)[audible].mean() < 0.15
    released = traced.times[np.flatnonzero(traced.stages[:, 0] == 3)]
    assert released[0] < 1.0 < released[-1]  # the third level is reached before note-off, and held


def test_a_trace_shows_levels_velocity_and_pitch_envelope():
    full = trace(sine(), length=0.1)
    assert full.levels[10, 0] == 0.0
    assert full.levels[10, 1] < -85  # operator 2 is silent
    soft = trace(sine(op1_velocity_sensitivity=7), velocity=40, length=0.1)
    assert soft.levels[10, 0] < -10
    rising = trace(Voice().replaced(pitch_level_1=70, pitch_level_2=70, pitch_level_3=70, pitch_rate_1=40), length=1.0)
    assert rising.bends[0] < rising.bends[20] < rising.bends[-1]
    assert trace(Voice(), length=1.0).bends.tolist() == [0.0] * 689


@pytest.mark.parametrize("values", [{"hold": -1.0}, {"hold": np.nan}, {"length": 0.0}, {"note": 128}, {"velocity": -1}])
def test_what_is_no_note_is_not_traced(values):
    with pytest.raises(ParameterError):
        trace(Voice(), **values)


def test_the_kernel_is_compiled_once_whatever_form_the_arguments_have() -> None:
    voice = Voice()
    batch = np.stack([voice.values, voice.values])
    render(voice, 60, 100, 0.01, 0.02)
    render([voice, voice], [60, 62], 100, 0.01, 0.02)
    render(batch, 60, np.array([90, 100], np.uint8), np.full(2, 0.01), 0.02)
    render(np.broadcast_to(voice.values, (3, len(voice.values))), np.arange(60, 63), 100, 0.01, 0.02)
    assert len(render_voices.dispatcher.signatures) == 1
