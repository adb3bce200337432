"""How two sounds differ in a musician's terms: distance to the ear, pitch, envelope, attack, end and octave bands.

`log_mel_distance` says how far they are apart as a whole; the others say in what. All are blind to the level. Attack
and end are read from the envelope, where its level in windows of 10 ms first comes near its greatest, and last is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.audio_metrics import check_pair, envelope_cosine, log_mel_distance
from generators.analysis.pitch import PitchTrack, track_pitch
from generators.analysis.spectrogram import power_spectrogram
from generators.dsp.units import hz_to_midi

ATTACK_DB = 6.0
"""Decibels below the greatest level at which a sound counts as begun; the first such moment is its attack."""

END_DB = 20.0
"""Decibels below the greatest level at which it counts as over: a tenth of the amplitude."""

ENVELOPE_WINDOW, ENVELOPE_STEP = 0.010, 0.001
"""Seconds of the windows of the envelope, and between them: a period of 100 Hz, in steps shorter than the ear parts."""

LEAST_VOICED = 5
"""Frames of 10 ms that must have a pitch in a sound that has one, and in both sounds for their pitches to compare."""

LEAST_CONFIDENCE = 0.4
"""Mean confidence of its voiced frames from which on a sound has a pitch, a strength of 0.29: bands of noise reach 0.2,
notes 0.4 (`generators.analysis.pitch_strength`)."""

STEADY = 2.0
"""Semitones within which the middle half of its pitches lie where a sound has one pitch, and of the differences where
two pitches compare: chords jump between their notes by more, drums glide by more."""

LOWEST_OCTAVE = 30.0
"""Hz below which no octave band begins; bands are halves of half the rate, so that each ends where the next begins."""

BAND_FFT_LENGTH = 4096
"""Window of the octave bands: 4 Hz at 16,384 Hz, eight bins in the lowest band, 32 to 64 Hz."""

SILENT_BAND = -80.0
"""Decibels below a sound's whole power at which a band counts as empty."""


@dataclass(frozen=True)
class OctaveBand:
    """Level of two sounds of equal power between two frequencies, in dB of their whole power: `target` and `match`."""

    low: float
    high: float
    target: float
    match: float


@dataclass(frozen=True)
class MusicalMeasures:
    """Differences of a match from its target.

    Attributes:
        log_mel_distance: dB, at the rate of the sounds. envelope_cosine: 0..1.
        target_note, match_note: MIDI notes with a fraction, None where a sound has no single steady pitch.
        pitch_cents: how much higher the match is, the median over the moments at which both have a pitch; None where
            there are few, or where the difference is not steady.
        attack_ms: how much later it is attacked, end_ms: how much longer it sounds.
        octaves: levels by octave band, from low to high.
    """

    log_mel_distance: float
    envelope_cosine: float
    target_note: float | None
    match_note: float | None
    pitch_cents: float | None
    attack_ms: float
    end_ms: float
    octaves: tuple[OctaveBand, ...]

    def scores(self) -> dict[str, float]:
        """Return the single numbers by name; `pitch_cents` is left out where there is none."""
        found = {
            "log_mel_distance": self.log_mel_distance,
            "envelope_cosine": self.envelope_cosine,
            "attack_ms": self.attack_ms,
            "end_ms": self.end_ms,
        }
        return found if self.pitch_cents is None else found | {"pitch_cents": self.pitch_cents}


def musical_measures(target: ArrayLike, match: ArrayLike, sample_rate: int) -> MusicalMeasures:
    """Measure how a sound differs from its target in pitch, envelope and octave bands, and how far it is from it.

    Shapes: (samples,) each.
    Raises: AudioError where the two differ in length, are empty or are not finite.
    """
    (mine,), (theirs,) = check_pair(target, match)
    tracks = track_pitch(mine, sample_rate), track_pitch(theirs, sample_rate)
    notes = [_note(track) for track in tracks]
    attacks, ends = zip(*(_attack_and_end(sound, sample_rate) for sound in (mine, theirs)), strict=True)
    return MusicalMeasures(
        log_mel_distance=float(log_mel_distance(mine, theirs, sample_rate)[0]),
        envelope_cosine=float(envelope_cosine(mine, theirs)[0]),
        target_note=notes[0],
        match_note=notes[1],
        pitch_cents=_pitch_cents(*tracks) if all(map(_is_pitched, tracks)) else None,
        attack_ms=1000.0 * (attacks[1] - attacks[0]),
        end_ms=1000.0 * (ends[1] - ends[0]),
        octaves=_octaves(mine, theirs, sample_rate),
    )


def _is_pitched(track: PitchTrack) -> bool:
    voiced = track.voiced
    return bool(voiced.sum() >= LEAST_VOICED and float(track.confidence[voiced].mean()) >= LEAST_CONFIDENCE)


def _note(track: PitchTrack) -> float | None:
    """Return the median pitch of the voiced frames as a MIDI note, or None where a sound has no single pitch."""
    if not _is_pitched(track):
        return None
    notes = hz_to_midi(track.frequency[track.voiced])
    return float(np.median(notes)) if _spread(notes) <= STEADY else None


def _pitch_cents(target: PitchTrack, match: PitchTrack) -> float | None:
    both = target.voiced & match.voiced
    if both.sum() < LEAST_VOICED:
        return None
    semitones = 12.0 * np.log2(match.frequency[both] / target.frequency[both])
    return float(np.median(100.0 * semitones)) if _spread(semitones) <= STEADY else None


def _spread(values: NDArray[np.float64]) -> float:
    """Return how far apart the quartiles of some values are."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low)


def _attack_and_end(sound: NDArray[np.float64], sample_rate: int) -> tuple[float, float]:
    """Return the first second within ATTACK_DB of the greatest level, and the last within END_DB."""
    step = max(round(ENVELOPE_STEP * sample_rate), 1)
    half = max(round(ENVELOPE_WINDOW * sample_rate / 2), 1)
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound))])
    places = np.arange(0, len(sound), step)
    power = sums[np.minimum(places + half, len(sound))] - sums[np.maximum(places - half, 0)]
    loudest = float(power.max())
    begun = np.flatnonzero(power >= loudest * 10.0 ** (-ATTACK_DB / 10.0))
    sounding = np.flatnonzero(power >= loudest * 10.0 ** (-END_DB / 10.0))
    return float(places[begun[0]] / sample_rate), float(places[sounding[-1]] / sample_rate)


def _octaves(target: NDArray[np.float64], match: NDArray[np.float64], sample_rate: int) -> tuple[OctaveBand, ...]:
    """Measure both sounds in octaves below half the rate."""
    edges = [sample_rate / 2.0]
    while edges[0] / 2.0 >= LOWEST_OCTAVE:
        edges.insert(0, edges[0] / 2.0)
    power: Any = power_spectrogram(
        np.stack([target, match]), fft_length=BAND_FFT_LENGTH, hop_length=BAND_FFT_LENGTH // 4
    )
    spectra = power.sum(axis=1)
    places = np.round(np.array(edges) * BAND_FFT_LENGTH / sample_rate).astype(int)
    places[-1] += 1  # the bin of half the rate
    bands = np.add.reduceat(np.pad(spectra, ((0, 0), (0, 1))), places, axis=1)[:, :-1]
    whole = np.maximum(spectra.sum(axis=1, keepdims=True), 1e-30)
    levels = np.maximum(10.0 * np.log10(np.maximum(bands / whole, 1e-30)), SILENT_BAND)
    return tuple(
        OctaveBand(low, high, float(mine), float(theirs))
        for low, high, mine, theirs in zip(edges, edges[1:], *levels, strict=False)
    )
