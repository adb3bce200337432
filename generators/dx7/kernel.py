"""The DX7 engine as one Numba kernel: control in blocks of 64 samples, operators in integers, output in float32.

The signal path is that of the referee (`dexed-py`) to the bit: phase and output of an operator are numbers of 12 bits,
read from a table of logarithmic sines and one of powers of two. Integers also make the sound independent of the batch
and of the order in which a compiler sums. Voices are rendered in groups, so that the feedback operators of a group
advance in lockstep: each of them waits for its own last sample, but not for the others.

Numba counts references to every array that a function is given, which takes 9 ns: what is done for each voice and block
stands in loops within few functions, and what is called there takes numbers or is called rarely.

Tables are compiled in, and Numba keeps the kernel until this file changes: remove `__pycache__` after changing a table.
"""

from math import exp
from typing import Any

import numpy as np

from generators.dsp.compiler import compile_kernel
from generators.dx7.algorithms import routing
from generators.dx7.tables import (
    AM_BASE,
    AM_SENSITIVITIES,
    AM_SLOPE,
    AMPLITUDES,
    BLOCK,
    COARSE,
    DETUNE_DECAY,
    DETUNE_DEPTH,
    EXPONENTIAL_CURVE,
    FINE,
    FIRST_WAIT_DIVISOR,
    FIRST_WAIT_RATES,
    FIXED_DETUNE,
    FIXED_STEP,
    FULL_ATTENUATION,
    LEVELS,
    LFO_DELAY_UNIT,
    LFO_SINE,
    LOG_SINE,
    NOTE_0,
    OCTAVE,
    PITCH_LEVELS,
    PITCH_RATES,
    PITCH_SENSITIVITIES,
    PITCH_UNIT,
    REFERENCE_RATE,
    SEMITONE,
    SILENT,
    VELOCITIES,
    WAIT_SECONDS,
)
from generators.dx7.voice import PARAMETER_BY_NAME

LANES = 32
"""Voices of a group: enough to hide the latency of feedback; their state stays in the nearest cache."""

STEP_TABLE = 1024
"""Entries of an octave in the table of phase increments."""

_MODULATORS, _CARRIERS, _LOOPS = routing()

# Bytes of a voice; those of an operator count from its first.
_LEVEL, _BREAK_POINT, _LEFT_DEPTH, _RIGHT_DEPTH, _LEFT_CURVE, _RIGHT_CURVE = 4, 8, 9, 10, 11, 12
_RATE_SCALING, _AM_SENSITIVITY, _VELOCITY_SENSITIVITY, _OUTPUT_LEVEL = 13, 14, 15, 16
_MODE, _COARSE, _FINE, _DETUNE = 17, 18, 19, 20
_PITCH_RATE = PARAMETER_BY_NAME["pitch_rate_1"].byte
_PITCH_LEVEL = PARAMETER_BY_NAME["pitch_level_1"].byte
_ALGORITHM = PARAMETER_BY_NAME["algorithm"].byte
_FEEDBACK = PARAMETER_BY_NAME["feedback"].byte
_LFO_SPEED = PARAMETER_BY_NAME["lfo_speed"].byte
_LFO_DELAY = PARAMETER_BY_NAME["lfo_delay"].byte
_LFO_PITCH_DEPTH = PARAMETER_BY_NAME["lfo_pitch_depth"].byte
_LFO_AMPLITUDE_DEPTH = PARAMETER_BY_NAME["lfo_amplitude_depth"].byte
_LFO_SYNC = PARAMETER_BY_NAME["lfo_sync"].byte
_LFO_WAVE = PARAMETER_BY_NAME["lfo_wave"].byte
_PITCH_SENSITIVITY = PARAMETER_BY_NAME["pitch_sensitivity"].byte
_TRANSPOSE = PARAMETER_BY_NAME["transpose"].byte

_LFO_START = (1 << 31) - 1
"""Phase of an LFO that a note restarts, of 2 ** 32."""

_JUMP = 1716 << 16
"""Level to which a rising envelope jumps at once."""

_CEILING = 17 << 24
"""Level towards which a rising envelope slows down."""

_SCALE = np.float32(1.0 / 4096.0)

_LOG_SINE, _AMPLITUDES = LOG_SINE.astype(np.int32), AMPLITUDES.astype(np.int32)
_ONE, _ELEVEN, _TWELVE = np.int32(1), np.int32(11), np.int32(12)
_CYCLE, _LAST_AMPLITUDE = np.uint32(len(LOG_SINE) - 1), np.uint32(len(AMPLITUDES) - 1)

_UNSET = 1 << 40
"""Bend of a voice before its first block: larger than any."""

# State of a group. Per operator: (lanes, 6). Envelopes:
_E_LEVEL, _E_TARGET, _E_STEP, _E_STAGE, _E_RISING, _E_WAIT, _E_OUTPUT, _E_RATE = range(8)
# what of an operator reaches from block to block, or from control to sound:
_O_PITCH, _O_PHASE, _O_ADVANCE, _O_ATTENUATION, _O_BEGIN, _O_SLOPE, _O_ACTIVE = range(8, 15)
_OPERATOR_STATES = 15
# Per voice: (lanes,).
_P_LEVEL, _P_TARGET, _P_STEP, _P_STAGE, _P_RISING = range(5)
_L_PHASE, _L_STEP, _L_DELAY, _L_DELAY_STEP, _L_DELAY_STEP_2, _L_RANDOM = range(5, 11)
_F_OLDER, _F_LAST, _F_SHIFT, _HELD, _DONE, _BEND = range(11, 17)
_VOICE_STATES = 17
# Offsets of what is kept of the voices with feedback while a block of it is rendered, and of the block.
_OLDER, _LAST, _DEPTH, _PHASE, _ADVANCE, _LEVEL_NOW, _SLOPE, _FED = (LANES * k for k in range(8))


@compile_kernel
def render_voices(
    values: Any, notes: Any, velocities: Any, holds: Any, sample_rate: float, steps: Any, lfo_steps: Any, audio: Any
) -> None:
    """Render a batch into `audio` (batch, samples) float32; 1 is the amplitude of a carrier at full level.

    Shapes: values (batch, 155) int64; notes, velocities, holds (in samples) (batch,) int64; steps (1025,) and lfo_steps
        (100,) int64, as `engine` makes them.
    """
    batch, samples = audio.shape
    voices = np.zeros((LANES, _VOICE_STATES), np.int64)
    operators = np.zeros((LANES, 6, _OPERATOR_STATES), np.int64)
    outputs, modulation = np.zeros((6, BLOCK), np.int32), np.zeros(BLOCK, np.int32)
    mix = np.zeros(BLOCK, np.int32)
    lanes, columns = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    fed = np.zeros(_FED + BLOCK * LANES, np.int32)
    for first in range(0, batch, LANES):
        members = min(LANES, batch - first)
        for lane in range(members):
            sound = first + lane
            _start(values, sound, notes[sound], velocities[sound], sample_rate, lfo_steps, voices, operators, lane)
        for begin in range(0, samples, BLOCK):
            fed_voices = _control(
                values, first, members, begin, holds, sample_rate, steps, voices, operators, lanes, columns
            )
            if fed_voices:
                _advance_feedback(values, first, lanes, fed_voices, voices, operators, fed)
            _sound(values, first, members, begin, voices, operators, columns, fed, outputs, modulation, mix, audio)


@compile_kernel
def trace_control(
    values: Any,
    note: int,
    velocity: int,
    hold: int,
    sample_rate: float,
    steps: Any,
    lfo_steps: Any,
    attenuations: Any,
    stages: Any,
    bends: Any,
) -> None:
    """Record the control of one voice at the end of every block: what its envelopes and its LFO do.

    Shapes: values (1, 155) int64; attenuations (blocks, 6) int64, in 1/1024 octave, and stages (blocks, 6) int64, the
        segment of each envelope, 4 after the last, are filled in the order of a voice's bytes (operator 6 first); bends
        (blocks,) int64 in octaves of 2 ** 24.
    """
    voices = np.zeros((LANES, _VOICE_STATES), np.int64)
    operators = np.zeros((LANES, 6, _OPERATOR_STATES), np.int64)
    holds, lanes, columns = np.full(1, hold), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    _start(values, 0, note, velocity, sample_rate, lfo_steps, voices, operators, 0)
    for block in range(len(bends)):
        _control(values, 0, 1, block * BLOCK, holds, sample_rate, steps, voices, operators, lanes, columns)
        bends[block] = voices[0, _BEND]
        for place in range(6):
            attenuations[block, place] = operators[0, place, _O_ATTENUATION]
            stages[block, place] = operators[0, place, _E_STAGE]


# --- note on ----------------------------------------------------------------------------------------------------------


@compile_kernel
def _start(
    values: Any,
    sound: int,
    note: int,
    velocity: int,
    sample_rate: float,
    lfo_steps: Any,
    voices: Any,
    operators: Any,
    lane: int,
) -> None:
    """Set the state of a voice at the beginning of a note."""
    voice = voices[lane]
    note = min(127, max(0, note + values[sound, _TRANSPOSE] - 24))
    voice[:] = 0
    operators[lane] = 0
    for place in range(6):
        row = values[sound, 21 * place : 21 * place + 21]
        state = operators[lane, place]
        level = LEVELS[row[_OUTPUT_LEVEL]] + _level_scaling(note, row)
        level = min(127, level) * 32
        loudness = VELOCITIES[velocity >> 1] - 239
        level += ((row[_VELOCITY_SENSITIVITY] * loudness + 7) >> 3) * 16
        state[_E_OUTPUT] = max(0, level)
        state[_E_RATE] = (row[_RATE_SCALING] * min(31, max(0, note // 3 - 7))) >> 3
        state[_O_PITCH] = _pitch(note, row)
        state[_O_ATTENUATION] = FULL_ATTENUATION - 1
        _enter_stage(0, values, sound, operators, lane, place, sample_rate)
    voice[_P_LEVEL] = PITCH_LEVELS[values[sound, _PITCH_LEVEL + 3]] << 19
    _enter_pitch_stage(0, values, sound, voices, lane, sample_rate)
    voice[_L_PHASE] = _LFO_START if values[sound, _LFO_SYNC] else 0
    voice[_L_STEP] = lfo_steps[values[sound, _LFO_SPEED]]
    delay = 99 - values[sound, _LFO_DELAY]
    if delay == 99:
        voice[_L_DELAY_STEP] = voice[_L_DELAY_STEP_2] = 0xFFFFFFFF
    else:
        unit = int(BLOCK * LFO_DELAY_UNIT / sample_rate + 0.5)
        delay = (16 + (delay & 15)) << (1 + (delay >> 4))
        voice[_L_DELAY_STEP] = unit * delay
        voice[_L_DELAY_STEP_2] = unit * max(0x80, delay & 0xFF80)
    voice[_F_SHIFT] = 4 + values[sound, _FEEDBACK]
    first, last = _LOOPS[values[sound, _ALGORITHM]]
    if first != last or values[sound, _ALGORITHM] == 31:
        voice[_F_SHIFT] -= 2  # measured: a quarter of the feedback in algorithms 4, 6 and 32
    voice[_HELD] = 1
    voice[_BEND] = _UNSET


@compile_kernel
def _level_scaling(note: int, row: Any) -> int:
    """Return the steps of output level that keyboard scaling adds at a note."""
    distance = note - row[_BREAK_POINT] - 17
    if distance >= 0:
        group, depth, curve = (distance + 1) // 3, row[_RIGHT_DEPTH], row[_RIGHT_CURVE]
    else:
        group, depth, curve = (1 - distance) // 3, row[_LEFT_DEPTH], row[_LEFT_CURVE]
    if curve == 0 or curve == 3:
        change = (group * depth * 329) >> 12
    else:
        change = (EXPONENTIAL_CURVE[min(group, len(EXPONENTIAL_CURVE) - 1)] * depth * 329) >> 15
    return -change if curve < 2 else change


@compile_kernel
def _pitch(note: int, row: Any) -> int:
    """Return the frequency of an operator, log2 of Hz with 24 fractional bits."""
    steps = row[_DETUNE] - 7
    if row[_MODE]:
        pitch = (FIXED_STEP * ((row[_COARSE] & 3) * 100 + row[_FINE])) >> 3
        return pitch + max(steps, 0) * FIXED_DETUNE
    pitch = NOTE_0 + SEMITONE * note
    detune = DETUNE_DEPTH / 7.0 * exp(-DETUNE_DECAY * pitch / OCTAVE)
    return int(np.floor(pitch + detune * pitch * steps)) + COARSE[row[_COARSE]] + FINE[row[_FINE]]


# --- control ----------------------------------------------------------------------------------------------------------


@compile_kernel
def _enter_stage(
    stage: int, values: Any, sound: int, operators: Any, lane: int, place: int, sample_rate: float
) -> None:
    """Begin a segment of an operator's envelope: 0 to 2 while the note is held, 3 after it, 4 is the end."""
    operators[lane, place, _E_STAGE] = stage
    if stage > 3:
        return
    level = (
        max(
            16,
            (LEVELS[values[sound, 21 * place + _LEVEL + stage]] >> 1) * 64 + operators[lane, place, _E_OUTPUT] - 4256,
        )
        << 16
    )
    operators[lane, place, _E_TARGET] = level
    operators[lane, place, _E_RISING] = level > operators[lane, place, _E_LEVEL]
    speed = min(63, ((values[sound, 21 * place + stage] * 41) >> 6) + operators[lane, place, _E_RATE])
    operators[lane, place, _E_STEP] = int(((4 + (speed & 3)) << (8 + (speed >> 2))) * (REFERENCE_RATE / sample_rate))
    from_nothing = stage == 0 and values[sound, 21 * place + _LEVEL] == 0
    if level == operators[lane, place, _E_LEVEL] or from_nothing:
        rate = min(99, values[sound, 21 * place + stage] + operators[lane, place, _E_RATE])
        seconds = WAIT_SECONDS[rate]
        if from_nothing and rate < FIRST_WAIT_RATES:
            seconds /= FIRST_WAIT_DIVISOR
        operators[lane, place, _E_WAIT] = int(seconds * sample_rate + 1e-6)
    else:
        operators[lane, place, _E_WAIT] = 0


@compile_kernel
def _enter_pitch_stage(stage: int, values: Any, sound: int, voices: Any, lane: int, sample_rate: float) -> None:
    voices[lane, _P_STAGE] = stage
    if stage > 3:
        return
    voices[lane, _P_TARGET] = PITCH_LEVELS[values[sound, _PITCH_LEVEL + stage]] << 19
    voices[lane, _P_RISING] = voices[lane, _P_TARGET] > voices[lane, _P_LEVEL]
    voices[lane, _P_STEP] = PITCH_RATES[values[sound, _PITCH_RATE + stage]] * int(
        BLOCK * OCTAVE / (PITCH_UNIT * sample_rate) + 0.5
    )


@compile_kernel
def _advance_pitch(values: Any, sound: int, voices: Any, lane: int, sample_rate: float) -> None:
    """Advance the pitch envelope by a block."""
    stage = voices[lane, _P_STAGE]
    if voices[lane, _P_RISING]:
        voices[lane, _P_LEVEL] += voices[lane, _P_STEP]
        reached = voices[lane, _P_LEVEL] >= voices[lane, _P_TARGET]
    else:
        voices[lane, _P_LEVEL] -= voices[lane, _P_STEP]
        reached = voices[lane, _P_LEVEL] <= voices[lane, _P_TARGET]
    if reached:
        voices[lane, _P_LEVEL] = voices[lane, _P_TARGET]
        _enter_pitch_stage(stage + 1, values, sound, voices, lane, sample_rate)


@compile_kernel
def _lfo(wave: int, voices: Any, lane: int) -> int:
    """Advance the LFO by a block and return its value, 0 to 2 ** 24."""
    phase = voices[lane, _L_PHASE] = (voices[lane, _L_PHASE] + voices[lane, _L_STEP]) & 0xFFFFFFFF
    if wave == 0:
        return ((0xFFFFFFFF - phase if phase >> 31 else phase) >> 7) & 0xFFFFFF
    if wave == 1:
        return (0xFFFFFFFF - phase ^ 0x80000000) >> 8
    if wave == 2:
        return (phase ^ 0x80000000) >> 8
    if wave == 3:
        return 0 if phase >> 31 else 1 << 24
    if wave == 4:
        place = phase >> 22
        rise = LFO_SINE[(place + 1) & 1023] - LFO_SINE[place]
        return (1 << 23) + ((LFO_SINE[place] + ((rise * ((phase >> 8) & 16383)) >> 14)) >> 1)
    if phase < voices[lane, _L_STEP]:
        voices[lane, _L_RANDOM] = (voices[lane, _L_RANDOM] * 179 + 17) & 0xFF
    return ((voices[lane, _L_RANDOM] ^ 0x80) + 1) << 16


@compile_kernel
def _lfo_delay(voices: Any, lane: int) -> int:
    """Advance the delay of the LFO by a block and return how far it has set in, 0 to 2 ** 24."""
    step = voices[lane, _L_DELAY_STEP] if voices[lane, _L_DELAY] < 1 << 31 else voices[lane, _L_DELAY_STEP_2]
    delay = (voices[lane, _L_DELAY] + step) & 0xFFFFFFFF
    if delay < voices[lane, _L_DELAY_STEP]:
        return 1 << 24
    voices[lane, _L_DELAY] = delay
    return 0 if delay < 1 << 31 else (delay >> 7) & 0xFFFFFF


@compile_kernel
def _control(
    values: Any,
    first: int,
    members: int,
    begin: int,
    holds: Any,
    sample_rate: float,
    steps: Any,
    voices: Any,
    operators: Any,
    lanes: Any,
    columns: Any,
) -> int:
    """Advance envelopes and LFO of a group by a block; set phase increments and attenuations of all operators.

    Returns: how many voices have an operator that modulates itself and sounds; `lanes` tells which, and `columns` of
        each voice its place among them, -1 for none.
    """
    fed_voices = 0
    for lane in range(members):
        sound = first + lane
        columns[lane] = -1
        if voices[lane, _DONE]:
            continue
        if begin >= holds[sound] and voices[lane, _HELD]:
            voices[lane, _HELD] = 0
            for place in range(6):
                _enter_stage(3, values, sound, operators, lane, place, sample_rate)
            _enter_pitch_stage(3, values, sound, voices, lane, sample_rate)
        held = voices[lane, _HELD] != 0
        if voices[lane, _P_STAGE] < 3 or (voices[lane, _P_STAGE] == 3 and not held):
            _advance_pitch(values, sound, voices, lane, sample_rate)
        bend, tremolo = voices[lane, _P_LEVEL], 0
        swing = PITCH_SENSITIVITIES[values[sound, _PITCH_SENSITIVITY]] * ((values[sound, _LFO_PITCH_DEPTH] * 165) >> 6)
        if swing or values[sound, _LFO_AMPLITUDE_DEPTH]:
            lfo = _lfo(values[sound, _LFO_WAVE], voices, lane)
            onset = _lfo_delay(voices, lane)
            bend += (swing * onset * (lfo - (1 << 23))) >> 39
            tremolo = (((values[sound, _LFO_AMPLITUDE_DEPTH] * 165) >> 6) * onset) >> 8
            tremolo = (tremolo * ((1 << 24) - lfo)) >> 24
        started, bent = voices[lane, _BEND] == _UNSET, bend != voices[lane, _BEND]
        voices[lane, _BEND] = bend

        done = not held
        for place in range(6):
            if operators[lane, place, _E_WAIT] > 0:
                operators[lane, place, _E_WAIT] -= BLOCK
                if operators[lane, place, _E_WAIT] <= 0:
                    operators[lane, place, _E_WAIT] = 0
                    stage = operators[lane, place, _E_STAGE] + 1
                    _enter_stage(stage, values, sound, operators, lane, place, sample_rate)
            stage = operators[lane, place, _E_STAGE]
            if operators[lane, place, _E_WAIT] <= 0 and (stage < 3 or (stage == 3 and not held)):
                level, target = operators[lane, place, _E_LEVEL], operators[lane, place, _E_TARGET]
                if operators[lane, place, _E_RISING]:
                    level = max(level, _JUMP)
                    level += ((_CEILING - level) >> 24) * operators[lane, place, _E_STEP]
                    reached = level >= target
                else:
                    level -= operators[lane, place, _E_STEP]
                    reached = level <= target
                operators[lane, place, _E_LEVEL] = target if reached else level
                if reached:
                    _enter_stage(stage + 1, values, sound, operators, lane, place, sample_rate)
            level = operators[lane, place, _E_LEVEL]
            sensitivity = values[sound, 21 * place + _AM_SENSITIVITY]
            if sensitivity:
                share = (tremolo * AM_SENSITIVITIES[sensitivity]) >> 24
                level -= (level * (int(exp(share * AM_SLOPE + AM_BASE)) * 16)) >> 28
            before, after = operators[lane, place, _O_ATTENUATION], FULL_ATTENUATION - (level >> 14)
            active = before < SILENT or after < SILENT
            operators[lane, place, _O_ATTENUATION] = after
            operators[lane, place, _O_BEGIN] = before
            operators[lane, place, _O_SLOPE] = (after - before + BLOCK // 2) >> 6
            operators[lane, place, _O_ACTIVE] = active
            operators[lane, place, _O_PHASE] += operators[lane, place, _O_ADVANCE] * BLOCK
            fixed = values[sound, 21 * place + _MODE] != 0
            if started or (bent and not fixed):
                # beyond 2 ** 21 Hz the shift is what the referee's processor makes of a negative one
                pitch = operators[lane, place, _O_PITCH] + (0 if fixed else bend)
                row = (pitch & (OCTAVE - 1)) >> 14
                step = steps[row] + (((steps[row + 1] - steps[row]) * (pitch & 16383)) >> 14)
                operators[lane, place, _O_ADVANCE] = step >> ((20 - (pitch >> 24)) & 31)
            done = done and not active and operators[lane, place, _E_STAGE] > 3
        voices[lane, _DONE] = done

        algorithm = values[sound, _ALGORITHM]
        place = _LOOPS[algorithm, 0]
        if values[sound, _FEEDBACK] and place == _LOOPS[algorithm, 1] and operators[lane, place, _O_ACTIVE]:
            lanes[fed_voices] = lane
            columns[lane] = fed_voices
            fed_voices += 1
    return fed_voices


# --- sound ------------------------------------------------------------------------------------------------------------


@compile_kernel
def _advance_feedback(values: Any, first: int, lanes: Any, count: int, voices: Any, operators: Any, fed: Any) -> None:
    """Render one block of the operators that modulate themselves, sample by sample, all voices in lockstep.

    All state stands in one array, at offsets that are known when this is compiled: only so the voices become a vector.

    Shapes: fed (71 x LANES,) int32: seven rows of state, then the output, one row a sample.
    """
    for i in range(count):
        lane = lanes[i]
        place = _LOOPS[values[first + lane, _ALGORITHM], 0]
        fed[_OLDER + i], fed[_LAST + i] = voices[lane, _F_OLDER], voices[lane, _F_LAST]
        fed[_DEPTH + i] = 1 << voices[lane, _F_SHIFT]
        fed[_PHASE + i] = operators[lane, place, _O_PHASE] & 0xFFFFFF
        fed[_ADVANCE + i] = operators[lane, place, _O_ADVANCE] & 0xFFFFFF
        fed[_LEVEL_NOW + i], fed[_SLOPE + i] = operators[lane, place, _O_BEGIN], operators[lane, place, _O_SLOPE]
    width = (count + 7) & ~7  # whole vectors
    for j in range(BLOCK):
        row = _FED + LANES * j
        for i in range(width):
            level = np.int32(fed[_LEVEL_NOW + i] + fed[_SLOPE + i])
            bend = np.int32(np.int32(fed[_OLDER + i] + fed[_LAST + i]) * fed[_DEPTH + i])
            value = _operator(np.int32(np.int32(fed[_PHASE + i] + bend) >> _TWELVE), level)
            fed[_LEVEL_NOW + i] = level
            fed[_OLDER + i] = fed[_LAST + i]
            fed[_LAST + i] = value
            fed[_PHASE + i] = np.int32(fed[_PHASE + i] + fed[_ADVANCE + i])
            fed[row + i] = value
    for i in range(count):
        voices[lanes[i], _F_OLDER], voices[lanes[i], _F_LAST] = fed[_OLDER + i], fed[_LAST + i]


@compile_kernel
def _render_loop(first: int, last: int, voices: Any, operators: Any, lane: int, outputs: Any) -> None:
    """Render one block of the operators within a feedback around several of them (algorithms 4 and 6).

    Measured: all but the first hold the attenuation of the block's end, and sound even where they are silent.
    """
    older, newest, shift = voices[lane, _F_OLDER], voices[lane, _F_LAST], voices[lane, _F_SHIFT]
    attenuation, slope = operators[lane, first, _O_BEGIN], operators[lane, first, _O_SLOPE]
    for j in range(BLOCK):
        attenuation += slope
        phase = operators[lane, first, _O_PHASE] + operators[lane, first, _O_ADVANCE] * j
        step = (phase + ((older + newest) << shift)) >> 12
        value = AMPLITUDES[(LOG_SINE[step & 4095] + attenuation) & 32767] ^ -((step >> 11) & 1)
        outputs[first, j] = value
        for place in range(first + 1, last + 1):
            phase = operators[lane, place, _O_PHASE] + operators[lane, place, _O_ADVANCE] * j
            step = (phase >> 12) + 2 * value
            level = operators[lane, place, _O_ATTENUATION]
            value = AMPLITUDES[(LOG_SINE[step & 4095] + level) & 32767] ^ -((step >> 11) & 1)
            outputs[place, j] = value
        older, newest = newest, value
    voices[lane, _F_OLDER], voices[lane, _F_LAST] = older, newest


@compile_kernel
def _low_bits(number: int) -> Any:
    """Return a phase within its cycle, of 2 ** 24; 64 increments later it still fits 32 bits."""
    return np.int32(number & 0xFFFFFF)


@compile_kernel
def _operator(step: Any, level: Any) -> Any:
    """Return an operator's output at a step of its cycle and an attenuation, int32 as they are."""
    place = np.uint32(_LOG_SINE[np.uint32(step) & _CYCLE] + level) & _LAST_AMPLITUDE
    return np.int32(_AMPLITUDES[place] ^ np.int32(-(np.int32(step >> _ELEVEN) & _ONE)))


@compile_kernel
def _sound(
    values: Any,
    first: int,
    members: int,
    begin: int,
    voices: Any,
    operators: Any,
    columns: Any,
    fed: Any,
    outputs: Any,
    modulation: Any,
    mix: Any,
    audio: Any,
) -> None:
    """Render one block of a group into `audio`. All numbers of a sample are held to 32 bits, for wider vectors."""
    count = min(BLOCK, audio.shape[1] - begin)
    for lane in range(members):
        sound = first + lane
        if voices[lane, _DONE]:
            for j in range(count):
                audio[sound, begin + j] = np.float32(0.0)
            continue
        algorithm = values[sound, _ALGORITHM]
        enters, leaves = _LOOPS[algorithm, 0], _LOOPS[algorithm, 1]
        looping = values[sound, _FEEDBACK] and enters != leaves and operators[lane, enters, _O_ACTIVE]
        if looping:
            _render_loop(enters, leaves, voices, operators, lane, outputs)
        column = columns[lane]
        for j in range(BLOCK):
            mix[j] = 0
        for place in range(6):
            if looping and enters <= place <= leaves:
                operators[lane, place, _O_ACTIVE] = 1
            elif not operators[lane, place, _O_ACTIVE]:
                continue
            elif place == enters and column >= 0:
                for j in range(BLOCK):
                    outputs[place, j] = fed[_FED + LANES * j + column]
            else:
                found, source = 0, 0
                for k in range(_MODULATORS.shape[2]):
                    modulator = _MODULATORS[algorithm, place, k]
                    if modulator >= 0 and operators[lane, modulator, _O_ACTIVE]:
                        found += 1
                        if found == 1:
                            source = modulator
                        elif found == 2:
                            for j in range(BLOCK):
                                modulation[j] = outputs[source, j] + outputs[modulator, j]
                        else:
                            for j in range(BLOCK):
                                modulation[j] += outputs[modulator, j]
                phase, advance = (
                    _low_bits(operators[lane, place, _O_PHASE]),
                    _low_bits(operators[lane, place, _O_ADVANCE]),
                )
                level, slope = np.int32(operators[lane, place, _O_BEGIN]), np.int32(operators[lane, place, _O_SLOPE])
                if found == 0:
                    for j in range(BLOCK):
                        level = np.int32(level + slope)
                        outputs[place, j] = _operator(np.int32(phase >> _TWELVE), level)
                        phase = np.int32(phase + advance)
                elif found == 1:
                    for j in range(BLOCK):
                        level = np.int32(level + slope)
                        step = np.int32(np.int32(phase >> _TWELVE) + np.int32(outputs[source, j] << _ONE))
                        outputs[place, j] = _operator(step, level)
                        phase = np.int32(phase + advance)
                else:
                    for j in range(BLOCK):
                        level = np.int32(level + slope)
                        step = np.int32(np.int32(phase >> _TWELVE) + np.int32(modulation[j] << _ONE))
                        outputs[place, j] = _operator(step, level)
                        phase = np.int32(phase + advance)
            if _CARRIERS[algorithm, place]:
                for j in range(BLOCK):
                    mix[j] += outputs[place, j]
        for j in range(count):
            audio[sound, begin + j] = np.float32(mix[j]) * _SCALE
