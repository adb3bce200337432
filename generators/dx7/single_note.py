"""Voices as one note tells them: scaling and velocity folded into levels and rates, what is not heard set to defaults.

Many voices sound the same at one note of one velocity. `fold_scaling` picks the one whose keyboard scaling, rate
scaling and velocity sensitivity are zero, and `drop_inaudible` gives what is not heard the values of the initial voice.
A network that hears one note learns these voices.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dx7.algorithms import routing
from generators.dx7.tables import EXPONENTIAL_CURVE, LEVELS, VELOCITIES
from generators.dx7.voice import HIGHEST, OPERATOR_BYTES, OPERATORS, PARAMETER_BY_NAME, Voice

UNTOLD_OF_OPERATOR = (
    "break_point",
    "left_depth",
    "right_depth",
    "left_curve",
    "right_curve",
    "rate_scaling",
    "velocity_sensitivity",
)
"""Parameters of an operator that one note cannot tell."""

UNTOLD_SHARED = ("oscillator_sync", "lfo_sync")
"""Parameters of all operators that one note cannot tell."""

FAINTEST_MODULATOR = 20
"""Output level below which a modulator moves nothing: 0.01 rad at most."""

FAINTEST_CARRIER = 70
"""Steps of 0.75 dB below the loudest carrier at which another is not heard."""

Values = NDArray[np.int64]

_COLUMNS = {name.removeprefix("op6_"): row.byte for name, row in PARAMETER_BY_NAME.items() if name.startswith("op6_")}
_SHARED = {name: row.byte for name, row in PARAMETER_BY_NAME.items()}
_INITIAL = Voice().values.astype(np.int64)


def fold_scaling(voices: ArrayLike, note: ArrayLike, velocity: ArrayLike) -> Values:
    """Return voices without scaling and velocity that sound, at one note, as these do, to half a step of level.

    Shapes: voices (n, 155), note and velocity (n,) or () -> (n, 155). Levels are whole steps of 0.75 dB, and rates
    whole steps of the 64 that the engine has; a level above 99 is 99.
    """
    values = np.array(voices, np.int64, ndmin=2)
    transpose = values[:, _SHARED["transpose"]]
    notes = np.clip(np.asarray(note, np.int64) + transpose - 24, 0, 127)[:, None]
    loudness = VELOCITIES[np.broadcast_to(np.asarray(velocity, np.int64), len(values)) >> 1][:, None] - 239
    operators = values[:, : OPERATORS * OPERATOR_BYTES].reshape(len(values), OPERATORS, OPERATOR_BYTES)
    column = {name: operators[:, :, byte] for name, byte in _COLUMNS.items()}
    right = notes >= column["break_point"] + 17
    depth = np.where(right, column["right_depth"], column["left_depth"])
    curve = np.where(right, column["right_curve"], column["left_curve"])
    change = scaling_steps(notes, column["break_point"], depth, curve)
    level = np.minimum(LEVELS[column["output_level"]] + change, 127) * 32
    level = np.maximum(level + ((column["velocity_sensitivity"] * loudness + 7) >> 3) * 16, 0)
    steps = np.rint(level / 32.0).astype(np.int64)
    operators[:, :, _COLUMNS["output_level"]] = (
        np.abs(LEVELS[None, :] - steps.reshape(-1, 1)).argmin(axis=1).reshape(steps.shape)
    )
    speed = (column["rate_scaling"] * np.clip(notes // 3 - 7, 0, 31)) >> 3
    for rate in (column[f"rate_{k}"] for k in range(1, 5)):
        faster = np.minimum(63, ((rate * 41) >> 6) + speed)
        rate[...] = np.where(speed > 0, np.minimum(99, -(-faster * 64 // 41)), rate)
    for name in UNTOLD_OF_OPERATOR:
        operators[:, :, _COLUMNS[name]] = _INITIAL[_COLUMNS[name]]
    return values


def scaling_steps(notes: ArrayLike, break_point: ArrayLike, depth: ArrayLike, curve: ArrayLike) -> Values:
    """Return the steps of level, 0.75 dB each, that keyboard scaling adds at notes; all arguments broadcast.

    Depth and curve are those of the side of the break point on which the note lies.
    """
    distance = np.asarray(notes, np.int64) - np.asarray(break_point, np.int64) - 17
    shape, amount = np.asarray(curve, np.int64), np.asarray(depth, np.int64)
    group = np.where(distance >= 0, (distance + 1) // 3, (1 - distance) // 3)
    exponential = EXPONENTIAL_CURVE[np.minimum(group, len(EXPONENTIAL_CURVE) - 1)]
    linear = (shape == 0) | (shape == 3)
    change = np.where(linear, (group * amount * 329) >> 12, (exponential * amount * 329) >> 15)
    return np.asarray(np.where(shape < 2, -change, change), np.int64)


def drop_inaudible(voices: ArrayLike) -> Values:
    """Return voices whose operators, feedback, envelope of pitch and LFO are those of the initial voice where unheard.

    Shapes: (n, 155) -> (n, 155). Judged by levels: a modulator below `FAINTEST_MODULATOR`, a carrier `FAINTEST_CARRIER`
    steps below the loudest one, and whatever modulates only such.
    """
    values = np.array(voices, np.int64, ndmin=2)
    operators = values[:, : OPERATORS * OPERATOR_BYTES].reshape(len(values), OPERATORS, OPERATOR_BYTES)
    algorithm = values[:, _SHARED["algorithm"]]
    heard = heard_operators(values)
    initial = _INITIAL[:OPERATOR_BYTES].copy()
    initial[_COLUMNS["output_level"]] = 0
    operators[~heard] = initial
    fixed = operators[:, :, _COLUMNS["mode"]] == 1
    coarse = operators[:, :, _COLUMNS["coarse"]]
    coarse[fixed] &= 3
    rows = np.arange(len(values))
    first = routing()[2][algorithm, 0]
    values[~heard[rows, first], _SHARED["feedback"]] = 0
    pitch = slice(_SHARED["pitch_rate_1"], _SHARED["pitch_level_4"] + 1)
    levels = values[:, _SHARED["pitch_level_1"] : _SHARED["pitch_level_4"] + 1]
    flat = (levels == 50).all(axis=1)
    values[flat, pitch] = _INITIAL[pitch]
    vibrato = (values[:, _SHARED["lfo_pitch_depth"]] > 0) & (values[:, _SHARED["pitch_sensitivity"]] > 0)
    moved = (operators[:, :, _COLUMNS["am_sensitivity"]] > 0).any(axis=1)
    tremolo = (values[:, _SHARED["lfo_amplitude_depth"]] > 0) & moved
    for name in ("lfo_pitch_depth", "pitch_sensitivity"):
        values[~vibrato, _SHARED[name]] = _INITIAL[_SHARED[name]]
    values[~tremolo, _SHARED["lfo_amplitude_depth"]] = 0
    operators[~tremolo, :, _COLUMNS["am_sensitivity"]] = 0
    for name in ("lfo_speed", "lfo_delay", "lfo_wave", "lfo_sync"):
        values[~vibrato & ~tremolo, _SHARED[name]] = _INITIAL[_SHARED[name]]
    values[:, _SHARED["oscillator_sync"]] = _INITIAL[_SHARED["oscillator_sync"]]
    return np.minimum(values, HIGHEST.astype(np.int64))


def heard_operators(voices: ArrayLike) -> NDArray[np.bool_]:
    """Say which operators are heard, judged by their output levels, operator 6 first. Shapes: (n, 155) -> (n, 6)."""
    values = np.asarray(voices, np.int64)
    operators = values[:, : OPERATORS * OPERATOR_BYTES].reshape(len(values), OPERATORS, OPERATOR_BYTES)
    level = operators[:, :, _COLUMNS["output_level"]]
    modulators, carriers, _ = routing()
    algorithm = values[:, _SHARED["algorithm"]]
    carrier = carriers[algorithm]
    loudest = np.where(carrier, level, 0).max(axis=1, keepdims=True)
    heard = np.where(carrier, (level > 0) & (level > loudest - FAINTEST_CARRIER), False)
    rows = np.arange(len(values))
    for operator in range(OPERATORS - 1, -1, -1):  # a modulator stands above what it modulates, in an earlier place
        for slot in range(modulators.shape[2]):
            source = modulators[algorithm, operator, slot]
            reaches = (source >= 0) & heard[:, operator]
            loud = level[rows, source] >= FAINTEST_MODULATOR
            heard[rows[reaches & loud], source[reaches & loud]] = True
    return np.asarray(heard, np.bool_)
