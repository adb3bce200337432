"""A voice in the words and numbers of the DX7's panel, and what they mean in hertz, cents and octaves.

The bytes count from 0 what the panel counts from 1 or to both sides of 0: algorithm, detune, transposition. Frequencies
follow the engine (`generators.dx7.kernel`), without the rounding of its phase increments.
"""

import math
from functools import cache

from generators.dsp.units import midi_to_hz
from generators.dx7.tables import (
    COARSE,
    DETUNE_DECAY,
    DETUNE_DEPTH,
    FINE,
    FIXED_DETUNE,
    FIXED_STEP,
    LFO_SPEEDS,
    LFO_UNIT,
    OCTAVE,
    PITCH_SENSITIVITIES,
)
from generators.dx7.voice import CURVES, MODES, PARAMETER_BY_NAME, WAVES, Voice
from generators.errors import ParameterError, look_up

NO_DETUNE, NO_TRANSPOSITION, NO_BEND = 7, 24, 50
"""Values of detune, transposition and pitch envelope levels that do nothing."""

FIXED_RANGES = (1, 10, 100, 1000)
"""Hertz of the coarse setting in fixed mode, modulo 4."""

_NOTES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")

_LABELS = {
    "break_point": "BREAK POINT",
    "left_depth": "LEFT DEPTH",
    "right_depth": "RIGHT DEPTH",
    "left_curve": "LEFT CURVE",
    "right_curve": "RIGHT CURVE",
    "rate_scaling": "KEYBOARD RATE SCALING",
    "am_sensitivity": "A MOD SENS",
    "velocity_sensitivity": "KEY VELOCITY SENSITIVITY",
    "output_level": "OUTPUT LEVEL",
    "mode": "FREQUENCY MODE",
    "coarse": "FREQUENCY COARSE",
    "fine": "FREQUENCY FINE",
    "detune": "DETUNE",
    "algorithm": "ALGORITHM",
    "feedback": "FEEDBACK",
    "oscillator_sync": "OSC KEY SYNC",
    "lfo_speed": "LFO SPEED",
    "lfo_delay": "LFO DELAY",
    "lfo_pitch_depth": "LFO PMD",
    "lfo_amplitude_depth": "LFO AMD",
    "lfo_sync": "LFO KEY SYNC",
    "lfo_wave": "LFO WAVE",
    "pitch_sensitivity": "P MOD SENS",
    "transpose": "TRANSPOSE",
}


@cache
def label(name: str) -> str:
    """Return what the panel calls a parameter: `OP 2 OUTPUT LEVEL` for `op2_output_level`.

    Raises: ParameterError for an unknown parameter.
    """
    look_up("DX7 parameter", name, PARAMETER_BY_NAME, ParameterError)
    prefix, rest = "", name
    if name[:2] == "op" and name[2:3].isdigit():
        prefix, rest = f"OP {name[2]} ", name[4:]
    if rest in _LABELS:
        return prefix + _LABELS[rest]
    *words, number = rest.split("_")  # rate_1, level_1, pitch_rate_1, pitch_level_1
    envelope = "PITCH EG" if words[0] == "pitch" else "EG"
    return f"{prefix}{envelope} {words[-1].upper()} {number}"


def shown_value(name: str, value: int) -> str:
    """Return a parameter's value as the panel shows it: `+3` for a detune of 10, `5` for the algorithm 4."""
    key = name[4:] if name[:2] == "op" and name[2:3].isdigit() else name
    if key == "algorithm":
        return str(value + 1)
    if key == "detune":
        return signed(value - NO_DETUNE)
    if key == "transpose":
        return signed(value - NO_TRANSPOSITION)
    if key == "break_point":
        return break_point(value)
    if key in ("left_curve", "right_curve"):
        return CURVES[value].upper().replace("-", "\N{MINUS SIGN}")
    if key == "mode":
        return MODES[value].upper()
    if key == "lfo_wave":
        return WAVES[value].upper()
    if key in ("oscillator_sync", "lfo_sync"):
        return "ON" if value else "OFF"
    return str(value)


def signed(value: float) -> str:
    """Write a number with its sign, the minus as long as a digit, and zero without one."""
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"


def break_point(value: int) -> str:
    """Return the note of a break point, A-1 to C8 as the panel counts: its C3 is the middle C."""
    return f"{_NOTES[value % 12]}{(value + 9) // 12 - 1}".replace("-", "\N{MINUS SIGN}")


def is_fixed(voice: Voice, operator: int) -> bool:
    """Tell whether an operator, 1 to 6, has one frequency at all notes."""
    return bool(voice[f"op{operator}_mode"])


def ratio(voice: Voice, operator: int) -> float:
    """Return the frequency of an operator in ratio mode as a multiple of the note's, without detune: 0.5 to 61.69."""
    coarse, fine = voice[f"op{operator}_coarse"], voice[f"op{operator}_fine"]
    return max(coarse, 0.5) * (1.0 + fine / 100.0)


def fixed_hertz(voice: Voice, operator: int) -> float:
    """Return the frequency of an operator in fixed mode, without detune: 1 to 9,772 Hz."""
    return float(FIXED_RANGES[voice[f"op{operator}_coarse"] & 3] * 10.0 ** (voice[f"op{operator}_fine"] / 100.0))


def frequency(voice: Voice, operator: int) -> str:
    """Return the frequency of an operator as the panel shows it, without detune: `14.00`, or `1318 Hz` if fixed."""
    if not is_fixed(voice, operator):
        return f"{ratio(voice, operator):.2f}"
    hertz = fixed_hertz(voice, operator)
    return f"{hertz:.{3 - min(int(math.log10(hertz)), 3)}f} Hz"


def hertz(voice: Voice, operator: int, note: int) -> float:
    """Return the frequency of an operator at a MIDI note, with detune and transposition."""
    steps = voice[f"op{operator}_detune"] - NO_DETUNE
    coarse, fine = voice[f"op{operator}_coarse"], voice[f"op{operator}_fine"]
    if is_fixed(voice, operator):
        pitch = FIXED_STEP * ((coarse & 3) * 100 + fine) / 8 + max(steps, 0) * FIXED_DETUNE
        return float(2.0 ** (pitch / OCTAVE))
    played = math.log2(float(midi_to_hz(min(127, max(0, note + voice["transpose"] - NO_TRANSPOSITION)))))
    detune = DETUNE_DEPTH / 7.0 * played * math.exp(-DETUNE_DECAY * played) * steps
    return float(2.0 ** (played + detune + (int(COARSE[coarse]) + int(FINE[fine])) / OCTAVE))


def lfo_hertz(voice: Voice) -> float:
    """Return the frequency of the LFO."""
    return float(LFO_SPEEDS[voice["lfo_speed"]] * LFO_UNIT / 2.0**32)


def vibrato_cents(voice: Voice) -> float:
    """Return by how many cents the LFO moves the pitch up and down at most, 0 to 1,190."""
    depth = (voice["lfo_pitch_depth"] * 165) >> 6  # 0 to 255, as in the kernel
    return float(1200.0 * PITCH_SENSITIVITIES[voice["pitch_sensitivity"]] * depth / 2.0**16)
