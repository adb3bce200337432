"""Tables of the DX7: how its 0-99 become levels, rates, frequencies and waves.

Two sources: the source and wiki of Google's music-synthesizer-for-android (msfa, Apache-2.0), and black-box measurement
of the sounds that `dexed-py` 0.3.0 renders, marked "measured". Levels are on a log2 scale with 256 steps an octave
(0.0235 dB) here and 16 further fractional bits in the engine; frequencies on a log2 scale with 24 fractional bits.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
"""Samples of a control block: envelopes and LFO move once a block."""

OCTAVE = 1 << 24
"""One octave on the scale of frequencies."""

REFERENCE_RATE = 44100.0
"""Hz at which increments are defined; they scale with the sample rate."""

# --- levels -----------------------------------------------------------------------------------------------------------

LEVELS: NDArray[np.int64] = np.array(
    [0, 5, 9, 13, 17, 20, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 42, 43, 45, 46] + [28 + k for k in range(20, 100)]
)
"""Internal level of an output level or an envelope level; one step is 0.75 dB. Source: msfa."""

VELOCITIES: NDArray[np.int64] = np.array(
    [
        0,
        70,
        86,
        97,
        106,
        114,
        121,
        126,
        132,
        138,
        142,
        148,
        152,
        156,
        160,
        163,
        166,
        170,
        173,
        174,
        178,
        181,
        184,
        186,
        189,
        190,
        194,
        196,
        198,
        200,
        202,
        205,
        206,
        209,
        211,
        214,
        216,
        218,
        220,
        222,
        224,
        225,
        227,
        229,
        230,
        232,
        233,
        235,
        237,
        238,
        240,
        241,
        242,
        243,
        244,
        246,
        246,
        248,
        249,
        250,
        251,
        252,
        253,
        254,
    ]
)
"""Loudness of a velocity, by velocity // 2. Source: msfa."""

EXPONENTIAL_CURVE: NDArray[np.int64] = np.array(
    [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        11,
        14,
        16,
        19,
        23,
        27,
        33,
        39,
        47,
        56,
        66,
        80,
        94,
        110,
        126,
        142,
        158,
        174,
        190,
        206,
        222,
        238,
        250,
    ]
)
"""Exponential keyboard scaling by groups of three notes from the break point. Source: msfa."""

AM_SENSITIVITIES: NDArray[np.int64] = np.array([0, 66, 109, 255]) * OCTAVE // 255
"""Share of the LFO's amplitude depth that reaches an operator, of 2 ** 24. Measured: 0, 0.259, 0.428, 1."""

AM_SLOPE, AM_BASE = 0.07 / (1 << 18), 12.2
"""Amplitude modulation takes exp(depth * AM_SLOPE + AM_BASE) / 2 ** 24 of a level: 1.2 % at least, where the
sensitivity is not 0. Measured: the logarithm of the share is a line over depth, 0.0451 a step at sensitivity 3."""

# --- envelope rates ---------------------------------------------------------------------------------------------------

WAIT_SECONDS: NDArray[np.float64] = np.array(
    [
        40,
        40,
        32,
        32,
        27,
        23,
        22.5,
        20,
        16,
        16,
        13.25,
        11.5,
        11.4,
        10,
        9.5,
        8,
        7,
        6.5,
        5.75,
        5,
        5,
        4,
        3.3,
        3.3,
        2.85,
        2.5,
        2.5,
        2,
        2,
        1.7,
        1.4,
        1.4,
        1.25,
        1.1,
        1,
        0.85,
        0.71,
        0.7,
        0.625,
        0.625,
        0.5,
        0.42,
        0.4,
        0.35,
        0.32,
        0.3,
        0.25,
        0.21,
        0.21,
        0.175,
        0.15,
        0.15,
        0.126,
        0.126,
        0.1,
        0.09,
        0.09,
        0.078,
        0.065,
        0.062,
        0.052,
        0.044,
        0.043,
        0.042,
        0.033,
        0.031,
        0.029,
        0.026,
        0.021,
        0.02,
        0.02,
        0.017,
        0.013,
        0.013,
        0.013,
        0.01,
        0.01,
    ]
    + [20 * (99 - rate) / REFERENCE_RATE for rate in range(77, 100)]
)
"""Seconds that a segment of an envelope lasts whose level is reached already, by rate. Measured, within one block."""

FIRST_WAIT_DIVISOR = 20
"""By what the wait is shorter in a first segment of level 0 at rates below `FIRST_WAIT_RATES`. Measured."""

FIRST_WAIT_RATES = 77

# --- frequencies ------------------------------------------------------------------------------------------------------

NOTE_0 = 50857776
"""Note 0 on the scale of frequencies: log2(440) - 69 / 12. Source: msfa; measured: rounded down."""

SEMITONE = OCTAVE // 12

COARSE: NDArray[np.int64] = np.array([round(OCTAVE * np.log2(max(k, 0.5))) for k in range(32)])
"""Frequency ratios of the coarse setting; 0 means one half. Source: msfa."""

FINE: NDArray[np.int64] = np.array([int(np.floor(OCTAVE * np.log2(1 + k / 100) + 0.5)) for k in range(100)])
"""Frequency ratios of the fine setting. Source: msfa."""

FIXED_STEP = 4458616
"""Frequency of one hundredth of a power of ten, times eight. Source: msfa."""

FIXED_DETUNE = 13457
"""Frequency of a step of detune above 7 in fixed mode; steps below 7 do nothing. Source: msfa."""

DETUNE_DEPTH, DETUNE_DECAY = 0.0209, 0.396
"""Seven steps of detune move a note by DETUNE_DEPTH * x * exp(-DETUNE_DECAY * x) octaves, x being log2 of its Hz: 17
cents at C1, 8 at C4, 3.5 at C7. Measured; the fit gives all of 63 phase increments to within one."""

PITCH_LEVELS: NDArray[np.int64] = np.array(
    [
        -128,
        -116,
        -104,
        -95,
        -85,
        -76,
        -68,
        -61,
        -56,
        -52,
        -49,
        -46,
        -43,
        -41,
        -39,
        -37,
        -35,
        -33,
        -32,
        -31,
        -30,
        -29,
        -28,
        -27,
        -26,
        -25,
        -24,
        -23,
        -22,
        -21,
        -20,
        -19,
        -18,
        -17,
        -16,
        -15,
        -14,
        -13,
        -12,
        -11,
        -10,
        -9,
        -8,
        -7,
        -6,
        -5,
        -4,
        -3,
        -2,
        -1,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        19,
        20,
        21,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        29,
        30,
        31,
        32,
        33,
        34,
        35,
        38,
        40,
        43,
        46,
        49,
        53,
        58,
        65,
        73,
        82,
        92,
        103,
        115,
        127,
    ]
)
"""Levels of the pitch envelope, in 1/32 octave. Source: msfa."""

PITCH_RATES: NDArray[np.int64] = np.array(
    [
        1,
        2,
        3,
        3,
        4,
        4,
        5,
        5,
        6,
        6,
        7,
        7,
        8,
        8,
        9,
        9,
        10,
        10,
        11,
        11,
        12,
        12,
        13,
        13,
        14,
        14,
        15,
        16,
        16,
        17,
        18,
        18,
        19,
        20,
        21,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        30,
        31,
        33,
        34,
        36,
        37,
        38,
        39,
        41,
        42,
        44,
        46,
        47,
        49,
        51,
        53,
        54,
        56,
        58,
        60,
        62,
        64,
        66,
        68,
        70,
        72,
        74,
        76,
        79,
        82,
        85,
        88,
        91,
        94,
        98,
        102,
        106,
        110,
        115,
        120,
        125,
        130,
        135,
        141,
        147,
        153,
        159,
        165,
        171,
        178,
        185,
        193,
        202,
        211,
        232,
        243,
        254,
        255,
    ]
)
"""Speeds of the pitch envelope, in units of 1/21.3 octave a second over `PITCH_UNIT`. Source: msfa."""

PITCH_UNIT = 21.3

PITCH_SENSITIVITIES: NDArray[np.int64] = np.array([0, 10, 20, 33, 55, 92, 153, 255])
"""Depth of the LFO's pitch modulation, by sensitivity. Source: msfa."""

# --- LFO --------------------------------------------------------------------------------------------------------------

LFO_UNIT = 4437500000
"""Increment a sample of an LFO of 1 Hz at a sample rate of 1 Hz: 2 ** 32, but 3.3 % more in the referee. Measured."""

# fmt: off
LFO_SPEEDS: NDArray[np.float64] = np.array([
    0.062541, 0.125031, 0.312393, 0.437120, 0.624610, 0.750694, 0.936330, 1.125302, 1.249609, 1.436782,
    1.560915, 1.752081, 1.875117, 2.062494, 2.247191, 2.374451, 2.560492, 2.686728, 2.873976, 2.998950,
    3.188013, 3.369840, 3.500175, 3.682224, 3.812065, 4.000800, 4.186202, 4.310716, 4.501260, 4.623209,
    4.814636, 4.930480, 5.121901, 5.315191, 5.434783, 5.617346, 5.750431, 5.946717, 6.062811, 6.248438,
    6.431695, 6.564264, 6.749460, 6.868132, 7.052186, 7.250580, 7.375719, 7.556294, 7.687577, 7.877738,
    7.993605, 8.181967, 8.372405, 8.504848, 8.685079, 8.810573, 8.986341, 9.122423, 9.300595, 9.500285,
    9.607994, 9.798158, 9.950249, 10.117361, 11.251125, 11.384335, 12.562814, 13.676149, 13.904338, 15.092062,
    16.366612, 16.638935, 17.869907, 19.193858, 19.425019, 20.833333, 21.034918, 22.502250, 24.003841, 24.260068,
    25.746653, 27.173913, 27.578599, 29.052876, 30.693677, 31.191516, 32.658393, 34.317090, 34.674064, 36.416606,
    38.197097, 38.550501, 40.387722, 40.749796, 42.625746, 44.326241, 44.883303, 46.772685, 48.590865, 49.261084,
])
# fmt: on
"""Frequency of the LFO by its speed, in units of `LFO_UNIT`. Measured: a line through the phase of a saw over 100 s."""

LFO_DELAY_UNIT = 25190424
"""Increment of the LFO's delay a sample at 1 Hz, of 2 ** 32. Source: msfa."""


def _lfo_sine() -> NDArray[np.int64]:
    """Return 1,024 points of a cycle by turning a vector step by step, whose rounding is kept. Source: msfa."""
    one, half = 1 << 30, 1 << 29
    cosine, sine = (int(np.floor(f(2 * np.pi / 1024) * one + 0.5)) for f in (np.cos, np.sin))
    x, y, points = one, 0, []
    for _ in range(512):
        points.append((y + 32) >> 6)
        x, y = (x * cosine - y * sine + half) >> 30, (x * sine + y * cosine + half) >> 30
    return np.array(points + [-point for point in points])


LFO_SINE = _lfo_sine()
"""One cycle of the LFO's sine, amplitude 2 ** 24, between whose points it is interpolated linearly."""

# --- sine -------------------------------------------------------------------------------------------------------------

SINE_STEPS = 4096
"""Steps of a cycle, and of the amplitude 1: phase and output are numbers of 12 bits. Measured."""

FULL_ATTENUATION = 16384
"""Attenuation of silence in 1/1024 octave; that of a level is FULL_ATTENUATION - (level >> 14)."""

SILENT = FULL_ATTENUATION - 99
"""Attenuation from which on an operator is not computed. Measured on a slow decay: one more or less is heard."""


def _log_sine() -> NDArray[np.uint16]:
    """Return -log2 |sin| at the middle of each step of a cycle, in 1/1024."""
    middle = (np.arange(SINE_STEPS // 4) + 0.5) * (2 * np.pi / SINE_STEPS)
    quarter = np.round(-1024 * np.log2(np.sin(middle))).astype(np.uint16)
    half = np.concatenate([quarter, quarter[::-1]])
    return np.concatenate([half, half])


def _amplitudes() -> NDArray[np.int16]:
    """Return the amplitude of an attenuation plus a log sine: a power of two from 1024 rounded mantissas, cut off."""
    octaves = np.arange(AMPLITUDES_LENGTH) - 1023
    mantissas = np.round(SINE_STEPS * 2.0 ** (np.arange(1024) / 1024)).astype(np.int64)
    shifts = np.minimum((octaves + 1023) >> 10, 31)
    return np.asarray(mantissas[-octaves & 1023] >> shifts, np.int16)


AMPLITUDES_LENGTH = 1 << 15
"""Entries of `AMPLITUDES`: above the largest attenuation plus the largest log sine, 27,500."""

LOG_SINE = _log_sine()
"""(4096,). The wave is symmetrical; of its second half all bits are inverted: amplitudes are 4093 and -4094.
Measured: with `AMPLITUDES`, all 4,096 steps of a 1 Hz sine, and every level, to the bit."""

AMPLITUDES = _amplitudes()
