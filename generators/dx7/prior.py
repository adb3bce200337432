"""The prior of DX7 voices: archetypes, mutated and crossed by stacks of operators, and draws from statistics.

Uniform random bytes are silent in 12 to 26 % of cases and musical in hardly any. Here most voices descend from the
archetypes of a family (`generators.dx7.archetypes`), so that ratios, levels and envelopes of a stack belong together.
A part is drawn operator by operator from `data/voice_statistics.json`: aggregate statistics of public voices, shares
and means of clusters, from which no voice can be rebuilt. Voices that are silent, louder than any bank's, or in a
pitched family without the pitch of their note are rejected by measuring what they sound like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.units import midi_to_hz
from generators.dx7.algorithms import routing
from generators.dx7.archetypes import ARCHETYPES, FAMILIES, UNPITCHED, archetype_values, fixed_frequency, ratio_bytes
from generators.dx7.engine import render
from generators.dx7.voice import (
    HIGHEST,
    NAME_LENGTH,
    OPERATOR_BYTES,
    OPERATORS,
    PARAMETER_BY_NAME,
    PARAMETER_BYTES,
    VOICE_BYTES,
    Voice,
)
from generators.errors import ParameterError, unknown
from generators.json_reader import parse_json

STATISTICS = "statistics"
"""What stands in place of a family for voices that are drawn from the statistics alone."""

STATISTICS_SHARE = 0.1
"""Share of those where no families are asked for. On public voices that the benchmark does not take, the nearest of
3,000 is no farther with a tenth of them than with none (by 0.01 dB); a third costs 0.05 dB, all of them 0.5 dB."""

DATA = Path(__file__).parent / "data" / "voice_statistics.json"

SAMPLE_RATE, NOTE, VELOCITY, HOLD, LENGTH = 22050, 60, 100, 0.75, 1.0
"""Of the sounds by which voices are accepted or rejected."""

QUIETEST, LOUDEST = 0.02, 4.0
"""Peaks between which a voice is kept, of 1 for a carrier at full level: those of public banks are 0.02 to 3.96."""

LEAST_HARMONIC = 0.5
"""Share of the power near harmonics that a pitched voice has; white noise has 0.2 at C4."""

PITCH_PART = (0.05, 0.65)
"""Seconds of a note in which its pitch is measured: behind the attack, before it is released."""

BATCH = 256
"""Candidates that are drawn, rendered and measured at once. Part of what a seed means: it must not change."""

Values = NDArray[np.int64]

_ENVELOPE, _RATES, _LEVELS = slice(0, 8), slice(0, 4), slice(4, 8)
_RATE_SCALING, _AM_SENSITIVITY, _VELOCITY, _LEVEL, _DETUNE = 13, 14, 15, 16, 20
_FREQUENCY = slice(17, 20)
_FINE = 19
_PITCH = slice(OPERATORS * OPERATOR_BYTES, OPERATORS * OPERATOR_BYTES + 8)
_ALGORITHM, _FEEDBACK, _TRANSPOSE, _LFO_SPEED, _LFO_DELAY, _LFO_PITCH, _LFO_AMPLITUDE, _LFO_WAVE, _SENSITIVITY = (
    PARAMETER_BY_NAME[name].byte
    for name in (
        "algorithm",
        "feedback",
        "transpose",
        "lfo_speed",
        "lfo_delay",
        "lfo_pitch_depth",
        "lfo_amplitude_depth",
        "lfo_wave",
        "pitch_sensitivity",
    )
)
_LFO = slice(_LFO_SPEED, _TRANSPOSE)


# --- sampling ---------------------------------------------------------------------------------------------------------


def sample_voices(
    count: int, seed: int, families: Sequence[str] | None = None, workers: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Sample voices from the prior; a pure function of count, seed and families.

    Args:
        families: of FAMILIES or STATISTICS, drawn with equal shares; all of them if left out, with STATISTICS_SHARE.
    Returns: voices (count, 155), the first n of them the same for every count; their families (count,).
    Raises: ParameterError for a count below 0 and for unknown families.
    """
    if count < 0:
        raise ParameterError(f"count is 0 or more. Received: {count}")
    known = (*FAMILIES, STATISTICS)
    for family in families or ():
        if family not in known:
            raise ParameterError(unknown("family of DX7 voices", family, known))
    voices: list[NDArray[np.uint8]] = []
    names: list[NDArray[np.str_]] = []
    found, batch = 0, 0
    while found < count:
        rng = np.random.default_rng((seed, batch))
        drawn, labels = draw_voices(BATCH, rng, families)
        kept = is_usable(drawn, labels, workers)
        voices.append(drawn[kept])
        names.append(labels[kept])
        found, batch = found + int(kept.sum()), batch + 1
    if not voices:
        return np.zeros((0, VOICE_BYTES), np.uint8), np.zeros(0, np.str_)
    return np.concatenate(voices)[:count], np.concatenate(names)[:count]


def draw_voices(
    count: int, rng: np.random.Generator, families: Sequence[str] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Draw candidates without measuring them. Shapes: (count, 155), (count,)."""
    voices, labels = np.empty((count, VOICE_BYTES), np.uint8), []
    for row in range(count):
        if families:
            family = families[int(rng.integers(len(families)))]
        elif rng.random() < STATISTICS_SHARE:
            family = STATISTICS
        else:
            family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        voices[row] = voice_from_statistics(rng) if family == STATISTICS else voice_of_family(family, rng)
        labels.append(family)
    return voices, np.array(labels, np.str_)


def is_usable(
    voices: ArrayLike, families: Sequence[str] | NDArray[np.str_], workers: int | None = None
) -> NDArray[np.bool_]:
    """Say which voices are neither silent nor too loud, and in tune where their family is pitched. Shapes: -> (n,)."""
    values = np.asarray(voices)
    audio = render(values, NOTE, VELOCITY, HOLD, LENGTH, SAMPLE_RATE, workers)
    peaks = np.abs(audio).max(axis=1)
    fundamentals = midi_to_hz(NOTE + values[:, _TRANSPOSE].astype(np.float64) - 24)
    pitched = ~np.isin(np.asarray(families), [*UNPITCHED, STATISTICS])
    usable = np.asarray((peaks >= QUIETEST) & (peaks <= LOUDEST))
    checked = np.flatnonzero(usable & pitched)
    usable[checked] = harmonic_share(audio[checked], SAMPLE_RATE, fundamentals[checked]) >= LEAST_HARMONIC
    return usable


def harmonic_share(audio: ArrayLike, sample_rate: int, fundamental: ArrayLike) -> NDArray[np.float64]:
    """Return the share of power near whole multiples of half the fundamental: ratios of a DX7 are halves too.

    Only what lies below eight times the fundamental is looked at, where the pitch is heard. Near is within 6 Hz, the
    width of a partial in this window, plus 0.6 %, ten cents of detuning or vibrato.

    Shapes: (n, samples), (n,) Hz -> (n,), 0 for silence.
    """
    begin, end = (round(seconds * sample_rate) for seconds in PITCH_PART)
    part = np.asarray(audio, np.float64)[:, begin:end]
    power = np.abs(np.fft.rfft(part * np.hanning(part.shape[1]))) ** 2
    hertz = np.fft.rfftfreq(part.shape[1], 1.0 / sample_rate)
    half = np.asarray(fundamental, np.float64)[:, None] / 2.0
    number = np.maximum(np.round(hertz / half), 1.0)
    near = np.abs(hertz - number * half) <= 6.0 + 0.006 * hertz
    power = power * (hertz <= 16.0 * half)
    return np.asarray((power * near).sum(axis=1) / np.maximum(power.sum(axis=1), 1e-30))


# --- one voice --------------------------------------------------------------------------------------------------------


def voice_of_family(family: str, rng: np.random.Generator) -> Values:
    """Draw a voice that descends from archetypes of a family, (155,).

    A third are one archetype, mutated; a third two of them, crossed by stacks; a third two whose stacks are laid into
    an algorithm of the statistics. One parent in six comes from another family.
    """
    first, second = (_values_of(_parent(family, rng)) for _ in range(2))
    way = rng.random()
    if way < 1 / 3:
        child = first
    elif way < 2 / 3:
        child = cross(first, second, rng)
    else:
        child = cross(first, second, rng, _pick(_statistics().algorithm, rng))
    return _named(mutate(child, float(rng.choice((0.5, 1.0, 1.5, 2.2))), rng), family)


def voice_from_statistics(rng: np.random.Generator) -> Values:
    """Draw a voice operator by operator from the statistics, (155,); neighbours of a role may share an envelope."""
    table = _statistics()
    voice = Voice().values.astype(np.int64)
    operators = _operators(voice)
    voice[_ALGORITHM] = _pick(table.algorithm, rng)
    voice[_FEEDBACK] = _pick(table.feedback, rng)
    carriers = _carriers(int(voice[_ALGORITHM]))
    last: dict[bool, NDArray[np.int64]] = {}
    for row, carrier in enumerate(carriers):
        role = table.roles[bool(carrier)]
        operator = operators[row]
        if carrier in last and rng.random() < table.like_neighbour:
            operator[_ENVELOPE] = last[carrier] + np.round(rng.normal(0.0, 2.0, 8))
        else:
            operator[_ENVELOPE] = role.draw_envelope(rng)
        last[carrier] = operator[_ENVELOPE].copy()
        role.draw_rest(operator, rng)
        operator[_LEVEL] = 0 if rng.random() < role.silent else _pick(role.level, rng)
    _draw_pitch_and_lfo(voice, rng)
    voice[_TRANSPOSE] = table.draw_transpose(rng)
    return _named(_clipped(voice), STATISTICS)


def cross(first: ArrayLike, second: ArrayLike, rng: np.random.Generator, algorithm: int | None = None) -> Values:
    """Cross two voices by stacks: a carrier with its modulators comes from one of them.

    Args:
        algorithm: 0-31, into which the stacks of both are laid; by default that of the first, half of whose stacks
            are then its own.
    Shapes: (155,) each -> (155,).
    """
    parents = [np.asarray(parent, np.int64) for parent in (first, second)]
    child = parents[0].copy()
    operators = _operators(child)
    if algorithm is not None:
        child[_ALGORITHM] = algorithm
    for place, stack in enumerate(_stacks(int(child[_ALGORITHM]))):
        donor = parents[int(rng.random() < 0.4)]
        if donor is parents[0] and algorithm is None:
            continue
        stacks = _stacks(int(donor[_ALGORITHM]))
        near = [found for found in stacks if len(found) == len(stack)] or list(stacks)
        chosen = near[place % len(near)] if rng.random() < 0.5 else near[int(rng.integers(len(near)))]
        source = _operators(donor)
        for target, row in zip(stack, chosen, strict=False):
            operators[target] = source[row]
        for target in stack[len(chosen) :]:  # more modulators than the donor's stack has: those of the others
            others = np.flatnonzero(~_carriers(int(donor[_ALGORITHM])))
            if len(others):
                operators[target] = source[int(rng.choice(others))]
            else:
                operators[target, _LEVEL] = 0
    for part in (slice(_FEEDBACK, _FEEDBACK + 1), _PITCH, _LFO, slice(_TRANSPOSE, _TRANSPOSE + 1)):
        if rng.random() < 0.35:
            child[part] = parents[1][part]
    return child


def mutate(voice: ArrayLike, amount: float, rng: np.random.Generator) -> Values:
    """Change a voice as an editor would: all times, the brightness, then single operators.

    Args:
        amount: 1 moves rates by 6, levels of modulators by 8, and redraws one in eight frequencies and envelopes from
            the statistics. Modulators get louder, releases faster and attacks slower on the whole than the
            archetypes have them, as centroids and envelopes of public voices are on average.
    Shapes: (155,) -> (155,).
    """
    table = _statistics()
    child = np.array(voice, np.int64)
    operators = _operators(child)
    carriers = _carriers(int(child[_ALGORITHM]))
    index = rng.normal(4.0, 6.0 * amount)
    _mutate_envelopes(operators, carriers, amount, rng)
    for operator, carrier in zip(operators, carriers, strict=True):
        role = table.roles[bool(carrier)]
        if operator[_LEVEL] > 0:
            spread = 2.0 if carrier else 6.0
            operator[_LEVEL] += round(rng.normal(0.0, spread * amount) + (0.0 if carrier else index))
        elif rng.random() < 0.3 * amount:
            operator[_LEVEL] = _pick(role.level, rng)
        if rng.random() < 0.125 * amount:
            operator[_FREQUENCY] = role.draw_frequency(rng)
        if rng.random() < 0.1 * amount:
            operator[_LEVEL] = _pick(role.level, rng)
        if rng.random() < 0.04 * amount:
            operator[_LEVEL] = 0
        if rng.random() < 0.25:
            operator[_DETUNE] = _pick(role.detune, rng)
        if rng.random() < 0.2:
            operator[_VELOCITY] = _pick(role.velocity, rng)
        if rng.random() < 0.2:
            operator[_RATE_SCALING] = _pick(role.rate_scaling, rng)
    while rng.random() < 0.3:
        _silence_stack(child, rng)
    if rng.random() < 0.3:
        child[_FEEDBACK] += int(rng.integers(-2, 3))
    if rng.random() < 0.3 * amount:
        child[_FEEDBACK] = _pick(table.feedback, rng)
    if rng.random() < 0.1 * amount:
        child[_ALGORITHM] = _sibling(int(child[_ALGORITHM]), rng)
    if rng.random() < 0.2 * amount:
        _draw_pitch_and_lfo(child, rng)
    if rng.random() < 0.5:
        child[_TRANSPOSE] = table.draw_transpose(rng)
    return _clipped(child)


def _mutate_envelopes(operators: Values, carriers: NDArray[np.bool_], amount: float, rng: np.random.Generator) -> None:
    """Move the rates of all envelopes together and each apart, and levels; envelopes that were equal mostly stay so."""
    rates, release = rng.normal(0.0, 5.0 * amount), rng.normal(6.0, 9.0 * amount)
    attack = rng.normal(-5.0, 6.0 * amount)
    seen: dict[bytes, Values] = {}
    for operator, carrier in zip(operators, carriers, strict=True):
        key = operator[_ENVELOPE].tobytes()
        if key in seen and rng.random() < 0.75:
            operator[_ENVELOPE] = seen[key]
            continue
        if rng.random() < 0.125 * amount:
            operator[_ENVELOPE] = _statistics().roles[bool(carrier)].draw_envelope(rng)
        else:
            moved = np.array((attack, rates, rates, release)) + rng.normal(0.0, 4.0 * amount, 4)
            held = (operator[_RATES] >= 90) & (np.arange(4) > 0)
            operator[_RATES] += np.round(np.where(held, moved / 3.0, moved)).astype(np.int64)
            levels = operator[_LEVELS]
            free = ((levels > 0) & (levels < 99)) | (rng.random(4) < 0.08)
            free[3] &= levels[3] > 0  # a note ends
            operator[_LEVELS] += np.round(rng.normal(0.0, 5.0 * amount, 4) * free).astype(np.int64)
        seen[key] = operator[_ENVELOPE].copy()


def _silence_stack(voice: Values, rng: np.random.Generator) -> None:
    """Silence a stack, as in voices of four operators, unless it is the only one that sounds."""
    operators, stacks = _operators(voice), _stacks(int(voice[_ALGORITHM]))
    sounding = [stack for stack in stacks if operators[stack[0], _LEVEL] > 0]
    if len(sounding) > 1:
        operators[sounding[int(rng.integers(len(sounding)))][0], _LEVEL] = 0


def _draw_pitch_and_lfo(voice: Values, rng: np.random.Generator) -> None:
    """Draw pitch envelope and LFO: flat and without vibrato as often as the statistics say."""
    table = _statistics()
    voice[_PITCH] = (99, 99, 99, 99, 50, 50, 50, 50)
    if rng.random() >= table.flat_pitch:
        voice[_PITCH][:4] = rng.integers(40, 100, 4)
        start = 50 + int(np.round(rng.normal(0.0, 6.0)))
        voice[_PITCH][4:] = (start, 50, 50, 50 if rng.random() < 0.6 else start)
    voice[_LFO_SPEED] = round(rng.normal(35.0, 12.0))
    voice[_LFO_DELAY] = max(0, round(rng.normal(20.0, 25.0)))
    voice[_LFO_WAVE] = (0, 0, 4, 4, 4, 1, 2, 3, 5)[int(rng.integers(9))]
    voice[_LFO_PITCH] = voice[_LFO_AMPLITUDE] = 0
    if rng.random() >= table.no_vibrato:
        voice[_LFO_PITCH] = 1 + round(rng.gamma(1.5, 6.0))
        voice[_SENSITIVITY] = int(rng.integers(1, 5))
    if rng.random() < 0.15:
        voice[_LFO_AMPLITUDE] = round(rng.gamma(1.5, 15.0))


# --- stacks -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _routing() -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    return routing()


def _carriers(algorithm: int) -> NDArray[np.bool_]:
    return _routing()[1][algorithm]


@lru_cache(maxsize=32)
def _stacks(algorithm: int) -> tuple[tuple[int, ...], ...]:
    """Return each carrier with its modulators, from the bottom of the chart to its top, as places in a voice."""
    modulators, carriers, _ = _routing()
    found = []
    for carrier in np.flatnonzero(carriers[algorithm]):
        stack = [int(carrier)]
        for operator in stack:  # grows on the way
            stack += [int(m) for m in modulators[algorithm, operator] if m >= 0 and int(m) not in stack]
        found.append(tuple(stack))
    return tuple(found)


@lru_cache(maxsize=1)
def _siblings() -> tuple[tuple[int, ...], ...]:
    """Return, for each algorithm, those with the same stacks; they differ in their feedback alone."""
    modulators, carriers, _ = _routing()
    keys = [(modulators[k].tobytes(), carriers[k].tobytes()) for k in range(len(carriers))]
    return tuple(tuple(k for k, other in enumerate(keys) if other == key) for key in keys)


def _sibling(algorithm: int, rng: np.random.Generator) -> int:
    found = _siblings()[algorithm]
    return found[int(rng.integers(len(found)))]


def _operators(voice: Values) -> Values:
    """Return a view of the operators of a voice, (6, 21)."""
    return voice[: OPERATORS * OPERATOR_BYTES].reshape(OPERATORS, OPERATOR_BYTES)


@lru_cache(maxsize=len(FAMILIES))
def _members(family: str) -> tuple[int, ...]:
    return tuple(k for k, archetype in enumerate(ARCHETYPES) if archetype.family == family)


def _parent(family: str, rng: np.random.Generator) -> int:
    if rng.random() < 1 / 6:
        return int(rng.integers(len(ARCHETYPES)))
    members = _members(family)
    return members[int(rng.integers(len(members)))]


def _values_of(archetype: int) -> Values:
    return archetype_values()[archetype].astype(np.int64)


def _clipped(voice: Values) -> Values:
    return np.clip(voice, 0, HIGHEST.astype(np.int64))


def _named(voice: Values, family: str) -> Values:
    voice[PARAMETER_BYTES:] = np.frombuffer(family.upper()[:NAME_LENGTH].ljust(NAME_LENGTH).encode("ascii"), np.uint8)
    return voice


# --- the statistics ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Role:
    """What carriers, or modulators, are like. Shares are cumulative.

    Shapes: `means` and `spreads` (envelopes, 8), `frequencies` (n, 3) as mode, coarse and fine.
    """

    silent: float
    envelope: NDArray[np.float64]
    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    frequency: NDArray[np.float64]
    frequencies: NDArray[np.int64]
    level: NDArray[np.float64]
    detune: NDArray[np.float64]
    velocity: NDArray[np.float64]
    rate_scaling: NDArray[np.float64]
    am_sensitivity: NDArray[np.float64]

    def draw_envelope(self, rng: np.random.Generator) -> NDArray[np.int64]:
        chosen = _pick(self.envelope, rng)
        drawn = np.round(rng.normal(self.means[chosen], self.spreads[chosen])).astype(np.int64)
        return np.clip(drawn, 0, 99)

    def draw_frequency(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw mode, coarse and fine: a listed one, or in 8 % of cases any ratio up to 16, at times any fixed one."""
        if rng.random() < 0.92:
            return self.frequencies[_pick(self.frequency, rng)]
        if rng.random() < 0.2:
            return np.array(fixed_frequency(10.0 ** rng.uniform(0.0, 3.6)))
        return np.array((0, *ratio_bytes(float(np.exp(rng.uniform(np.log(0.5), np.log(16.0)))))))

    def draw_rest(self, operator: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Draw frequency, detune and sensitivities into the bytes of an operator, (21,)."""
        operator[_FREQUENCY] = self.draw_frequency(rng)
        operator[_DETUNE] = _pick(self.detune, rng)
        operator[_VELOCITY] = _pick(self.velocity, rng)
        operator[_RATE_SCALING] = _pick(self.rate_scaling, rng)
        operator[_AM_SENSITIVITY] = _pick(self.am_sensitivity, rng)


@dataclass(frozen=True)
class _Statistics:
    """The statistics as cumulative shares; `roles` by whether an operator is a carrier."""

    algorithm: NDArray[np.float64]
    feedback: NDArray[np.float64]
    flat_pitch: float
    no_vibrato: float
    like_neighbour: float
    transpose: NDArray[np.float64]
    transposes: tuple[int, ...]
    roles: dict[bool, _Role]

    def draw_transpose(self, rng: np.random.Generator) -> int:
        return self.transposes[_pick(self.transpose, rng)]


@lru_cache(maxsize=1)
def _statistics() -> _Statistics:
    content = parse_json(DATA.read_bytes())

    def role(row: dict[str, Any]) -> _Role:
        frequencies = np.array(row["frequency"])
        return _Role(
            silent=row["silent_share"],
            envelope=_cumulative(row["envelope_share"]),
            means=np.array(row["envelope_means"], np.float64),
            spreads=np.array(row["envelope_spread"], np.float64),
            frequency=_cumulative(frequencies[:, 3]),
            frequencies=frequencies[:, :3].astype(np.int64) & (1, 31, 127),
            level=_cumulative(row["output_level_share"]),
            detune=_cumulative(row["detune_share"]),
            velocity=_cumulative(row["velocity_sensitivity_share"]),
            rate_scaling=_cumulative(row["rate_scaling_share"]),
            am_sensitivity=_cumulative(row["am_sensitivity_share"]),
        )

    return _Statistics(
        algorithm=_cumulative(content["algorithm_share"]),
        feedback=_cumulative(content["feedback_share"]),
        flat_pitch=content["pitch_envelope_flat"],
        no_vibrato=content["no_vibrato"],
        like_neighbour=content["like_neighbour"],
        transpose=_cumulative(list(content["transpose_share"].values())),
        transposes=tuple(int(semitones) for semitones in content["transpose_share"]),
        roles={True: role(content["roles"]["carrier"]), False: role(content["roles"]["modulator"])},
    )


def _cumulative(shares: ArrayLike) -> NDArray[np.float64]:
    total = np.cumsum(np.asarray(shares, np.float64))
    return np.asarray(total / total[-1])


def _pick(cumulative: NDArray[np.float64], rng: np.random.Generator) -> int:
    return int(np.searchsorted(cumulative, rng.random(), side="right"))
