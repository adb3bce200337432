"""What the parts of a DX7 voice do to one note of it, measured by rendering the note without each of them.

An operator's part is the log-mel distance (`generators.analysis.distance`) between the note and the note with that
operator silenced; feedback, LFO, pitch envelope and detune likewise. How its level moves follows from the engine's own
control (`generators.dx7.engine.trace`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import Trace, render, trace
from generators.dx7.voice import OPERATORS, Voice
from inversynth.explanation.audibility import HEARD

FALLEN, GONE = 20.0, 40.0
"""Decibels below its peak at which a level counts as faded, and below that of note-off as gone."""

RISEN = 6.0
"""Decibels below its peak from which on a level counts as attacked, as in the verdict (`generators.analysis`)."""

HEARD_LEVEL = 0.5
"""Decibels of RMS by which a note may change its loudness unnoticed: about the smallest step that listeners tell."""

LONG = 20.0
"""Seconds for which envelopes are followed; what lasts longer counts as sustained."""

SILENT_LEVEL = -85.0
"""Decibels below which the engine computes no operator (it stops at 89.7 below full level)."""


@dataclass(frozen=True)
class Course:
    """How the level of an operator moves: decibels, 0 being a carrier of amplitude 1, and seconds.

    Attributes:
        peak: its highest level while the note is held. attack: until it first comes within 6 dB of that. fade: from the
            beginning until it stays 20 dB below, if the key is held long enough; infinite if never.
        sustain: how far below the peak it is when it no longer moves. release: from note-off until 40 dB below the
            level at note-off.
    """

    peak: float
    attack: float
    fade: float
    sustain: float
    release: float


@dataclass(frozen=True)
class OperatorPart:
    """What one operator does to a note.

    Attributes:
        hertz: its frequency. change: by how many dB of log-mel distance, which knows no loudness, the note moves
            without it. quieter: by how many dB the note then is quieter. level: of a carrier with its modulators alone,
            in dB of RMS relative to the loudest carrier; `-inf` for a modulator.
    """

    operator: int
    hertz: float
    change: float
    quieter: float
    level: float
    course: Course

    @property
    def is_heard(self) -> bool:
        """Whether the note changes audibly without it, in colour or in loudness."""
        return self.change >= HEARD or abs(self.quieter) >= HEARD_LEVEL


@dataclass(frozen=True)
class VoiceParts:
    """The parts of a voice at one note.

    Attributes: note, velocity: MIDI numbers. hold, length: seconds. sample_rate: hertz. operators: 1 to 6. feedback,
        vibrato, tremolo, pitch_envelope, detune: dB of log-mel distance without them, 0 where the voice has none.
        centroid: of the spectrum, in hertz.
    """

    voice: Voice
    note: int
    velocity: int
    hold: float
    length: float
    sample_rate: int
    operators: tuple[OperatorPart, ...]
    feedback: float
    vibrato: float
    tremolo: float
    pitch_envelope: float
    detune: float
    centroid: float

    @property
    def carriers(self) -> list[OperatorPart]:
        """The carriers that are heard, the loudest first."""
        found = [self.operators[k - 1] for k in ALGORITHMS[self.voice["algorithm"]].carriers]
        return sorted((part for part in found if part.is_heard), key=lambda part: -part.level)

    @property
    def silent(self) -> list[int]:
        """The operators without which the note sounds the same."""
        return [part.operator for part in self.operators if not part.is_heard]


def voice_parts(voice: Voice, note: int, velocity: int, hold: float, length: float, sample_rate: int) -> VoiceParts:
    """Measure the parts of a voice at one note. A voice that is silent there has no part that is heard."""
    operators = range(1, OPERATORS + 1)
    carriers = ALGORITHMS[voice["algorithm"]].carriers
    variants = {
        "whole": voice,
        **{f"without {k}": silenced(voice, k) for k in operators},
        **{f"carrier {k}": silenced(voice, *(other for other in carriers if other != k)) for k in carriers},
        "feedback": voice.replaced(feedback=0),
        "vibrato": voice.replaced(lfo_pitch_depth=0),
        "tremolo": voice.replaced(lfo_amplitude_depth=0),
        "pitch_envelope": voice.replaced(None, **{f"pitch_level_{k}": panel.NO_BEND for k in range(1, 5)}),
        "detune": voice.replaced(None, **{f"op{k}_detune": panel.NO_DETUNE for k in operators}),
    }
    sounds = dict(
        zip(variants, render(list(variants.values()), note, velocity, hold, length, sample_rate), strict=True)
    )
    changes = distances(sounds["whole"], sounds, sample_rate)
    levels = {name: decibels(sound) for name, sound in sounds.items()}
    loudest = max(levels[f"carrier {k}"] for k in carriers)
    held, released = _traces(voice, note, velocity, hold)
    parts = tuple(
        OperatorPart(
            operator=k,
            hertz=panel.hertz(voice, k, note),
            change=changes[f"without {k}"],
            quieter=levels["whole"] - levels[f"without {k}"],
            level=levels[f"carrier {k}"] - loudest if k in carriers else -np.inf,
            course=level_course(held, released, k, hold),
        )
        for k in operators
    )
    rest = {name: changes[name] for name in ("feedback", "vibrato", "tremolo", "pitch_envelope", "detune")}
    return VoiceParts(
        voice, note, velocity, hold, length, sample_rate, parts, **rest, centroid=centroid(sounds["whole"], sample_rate)
    )


def silenced(voice: Voice, *operators: int) -> Voice:
    """Return a voice without the sound of some operators, at every note and velocity."""
    values = {f"op{k}_{name}": 0 for k in operators for name in ("output_level", "left_depth", "right_depth")}
    return voice.replaced(None, **values)


def distances(sound: NDArray[Any], others: dict[str, NDArray[Any]], sample_rate: int) -> dict[str, float]:
    """Return the log-mel distances of sounds from one, in dB, by name; all are 0 where that one is silent."""
    from generators.analysis.distance import LogMelDistance

    if not sound.any():
        return dict.fromkeys(others, 0.0)
    found = LogMelDistance(sound, sample_rate).distance(np.stack(list(others.values())))
    return dict(zip(others, map(float, found), strict=True))


def decibels(sound: NDArray[Any]) -> float:
    """Return the RMS of a sound in dB, -120 at least. Shapes: (samples,)."""
    return 10.0 * float(np.log10(max(float(np.square(sound, dtype=np.float64).mean()), 1e-12)))


def centroid(sound: NDArray[Any], sample_rate: int) -> float:
    """Return the centre of a sound's power spectrum in hertz, 0 for silence. Shapes: (samples,)."""
    power = np.square(np.abs(np.fft.rfft(np.asarray(sound, np.float64))))
    hertz = np.fft.rfftfreq(len(sound), 1.0 / sample_rate)
    return float(hertz @ power / power.sum()) if power.any() else 0.0


def operator_course(voice: Voice, operator: int, note: int, velocity: int, hold: float) -> Course:
    """Return how the level of an operator moves over a note, without the LFO."""
    return level_course(*_traces(voice, note, velocity, hold), operator, hold)


def fading_segment(voice: Voice, operator: int, note: int, velocity: int) -> int:
    """Return the segment of an operator's envelope, 1 to 4, in which its level falls 20 dB below its peak."""
    held, _ = _traces(voice, note, velocity, LONG)
    levels = held.levels[:, operator - 1]
    loud = np.flatnonzero(levels > levels.max() - FALLEN)
    return min(int(held.stages[loud[-1], operator - 1]) + 1, 4)


def _traces(voice: Voice, note: int, velocity: int, hold: float) -> tuple[Trace, Trace]:
    """Return the envelopes of a note that is held to the end, and of one that is released, without the LFO."""
    still = voice.replaced(lfo_amplitude_depth=0)
    return trace(still, note, velocity, LONG, LONG), trace(still, note, velocity, hold, hold + LONG)


def level_course(held: Trace, released: Trace, operator: int, hold: float) -> Course:
    """Return how the level of an operator moves, from a note held to the end and one that is released at `hold`."""
    levels, times = held.levels[:, operator - 1], held.times
    peak = float(levels.max())
    attack = float(times[int(np.argmax(levels >= peak - RISEN))])
    loud = np.flatnonzero(levels > peak - FALLEN)
    fade = float(times[loud[-1]]) if loud[-1] < len(levels) - 1 else np.inf
    after = released.levels[:, operator - 1]
    off = int(np.searchsorted(released.times, hold))
    sounding = np.flatnonzero(after[off:] > max(after[off] - GONE, SILENT_LEVEL))
    release = float(released.times[off + sounding[-1]]) - hold if len(sounding) else 0.0
    return Course(peak, attack, fade, peak - float(levels[-1]), max(release, 0.0))
