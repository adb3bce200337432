"""What a sound plays: its note, whether it is one note, several or a chord; and a file taken apart into its notes.

Pitch, notes and chords are measured by `generators.analysis`; here stands what is said of them, in `source` of a
target: the note as numbers, and a sentence for whatever a reader should know before believing the result. A file is
segmented by pitch and onset together, and by level where it has no pitch, in pieces of bounded length.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import Sound, read_audio, resample
from generators.notes.pitches import note_name
from inversynth.inversion.target import (
    AUDIBLE,
    FRAME,
    Outline,
    Target,
    cut_target,
    find_onset,
    fit_target,
    measure_levels,
    read_target,
)

if TYPE_CHECKING:  # they are read by commands that follow several notes, and --help need not wait for them
    from generators.analysis.note_segments import Segment
    from generators.analysis.pitch import NotePitch

Audio = NDArray[np.float32]

RATE = 16384
"""Hertz at which notes are looked for: the harmonics of all pitches up to 4.7 kHz, of which one at least is needed."""

LOOKED_AHEAD = 8.0
"""Seconds from the start of a sound in which further notes are looked for: a phrase, measured in 0.2 s."""

PIECE, BEFORE, AFTER = 15.0, 1.0, 0.5
"""Seconds of a long file that are segmented at once, and those read before and after, so that a note which goes on
across an edge does not begin there. They need about 60 MB."""

APART = 0.1
"""Seconds between notes found by level, at least: sixteenths at 150 beats a minute."""

NEAR = 0.05
"""Seconds by which a rise of the level may follow where a pitch begins and be the same note; it may come `APART`
before, as in drums, whose pitch is found late. The rise is the more exact of the two."""

STEP = 4
"""Frames (20 ms) within which a level rises where a note begins."""

RISE = 6.0
"""Decibels by which it rises more than around it: a note as loud as the rest of the one before."""

SURE = 0.8
"""Certainty of pitch from which on a note counts as one of several: notes of SoundFonts reach 1, while the glides of an
`fm` sound, which segmentation takes apart, rarely do."""

LASTING = 0.1
"""Seconds that each of several notes lasts at least; shorter ones are ornaments, attacks or glides."""

ANOTHER = 0.8
"""Semitones between notes of different pitch: less is vibrato or a bend."""

STRUCK, STRUCK_LATER = 18.0, 12.0
"""Decibels by which the level rises where a note of the same pitch is struck again, within the part that is analysed
and after it. Beats and tremolo of single notes of SoundFonts rise by up to 17 dB."""

NAMED = 4
"""Notes that a sentence names."""

SHORTEST = 0.02
"""Seconds of sound that a pitch needs: eight periods of A4."""

FULL_SCALE, FLAT = 0.98, 3
"""Peak from which on a sound may be clipped, and how many samples in a row stand at the peak where it is."""

CLIPPED = (0.002, 0.4)
"""Share of such samples in a clipped sound; where there are more, a square wave is meant to be flat."""

UNSURE = 0.5
"""Certainty below which a note is called uncertain: 94 % of the notes of SoundFonts lie above."""


@dataclass(frozen=True)
class Playing:
    """What a sound plays.

    Attributes:
        note: pitch of the part that is analysed, or of its first note; None where it has no pitch.
        within: notes that begin in the part that is analysed. later: those that begin after it.
        chord: whether two or more notes sound at once.
    """

    note: "NotePitch | None"
    within: "tuple[Segment, ...]" = ()
    later: "tuple[Segment, ...]" = ()
    chord: bool = False


def read_sound(
    path: str | os.PathLike[str], sample_rate: int, length: float, start: float | None = None, normalise: bool = False
) -> Target:
    """Read a sound as `read_target` does, and say what it plays, as `describe_notes` does.

    Raises: AudioError for a sound that cannot be read or is silent.
    """
    target = read_target(path, sample_rate, length, start, normalise)
    ahead = read_audio(path, start=float(target.source["start"]), length=max(LOOKED_AHEAD, length))
    return describe_notes(target, ahead)


def fit_sound(
    sound: Sound, sample_rate: int, length: float, start: float | None = None, normalise: bool = False
) -> Target:
    """Fit a sound in memory as `fit_target` does, and say what it plays, as `read_sound` does of a file."""
    target = fit_target(sound, sample_rate, length, start, normalise)
    first = round(float(target.source["start"]) * sound.sample_rate)
    last = first + round(max(LOOKED_AHEAD, length) * sound.sample_rate)
    return describe_notes(target, replace(sound, audio=sound.audio[first:last]))


def read_notes(
    path: str | os.PathLike[str], sample_rate: int, length: float, normalise: bool = False
) -> Iterator[Target]:
    """Read a sound note by note: each from its beginning until the next begins, fitted like `read_target`'s.

    What is held at once is one note, or the 15 s in which notes are looked for. The targets are named after the file
    and numbered from 1. Raises: AudioError for a sound that cannot be read or is silent.
    """
    path = Path(path)
    outline = measure_levels(path)
    begins = find_note_starts(path, outline)
    for number, (begin, following) in enumerate(itertools.pairwise([*begins, outline.length]), start=1):
        end = min(following, begin + length)
        note = cut_target(
            path, outline, begin, end, sample_rate, length, f"as note {number} of {len(begins)}", normalise
        )
        yield describe_notes(replace(note, name=f"{note.name}-{number:03}"))


# --- finding ----------------------------------------------------------------------------------------------------


def find_note_starts(path: Path, outline: Outline) -> list[float]:
    """Return the seconds at which the notes of a file begin, rising; at least one.

    Notes are those of `segment_notes`; where a rise of the level is as near as 50 ms they begin there. Rises of the
    level count by themselves where no pitch sounds, as in drums.
    """
    loudest, onsets = outline.levels.max(), find_onsets(outline.levels, outline.frame)
    voiced = [
        segment
        for segment in _segments(path, outline)
        if _level(outline, segment.start, segment.end) > loudest - AUDIBLE
    ]
    begins = []
    for segment in voiced:
        near = [onset for onset in onsets if segment.start - APART < onset <= segment.start + NEAR]
        begins.append(min(near, key=lambda onset: abs(onset - segment.start)) if near else segment.start)
    for onset in onsets:
        beside = any(abs(onset - begin) < APART for begin in begins)
        if not beside and not any(segment.start <= onset < segment.end for segment in voiced):
            begins.append(onset)
    return sorted(set(begins))


def find_onsets(levels: NDArray[np.floating[Any]], frame: float = FRAME) -> list[float]:
    """Return the seconds at which a level rises as where notes begin, the first being `find_onset`'s.

    Peaks of how much louder each frame is than 20 ms before, found by librosa; levels more than 40 dB below the
    loudest are ignored. Notes are 0.1 s apart at least.
    """
    import librosa

    first = find_onset(levels, frame)
    audible = np.maximum(levels, levels.max() - AUDIBLE)
    back = np.concatenate([np.full(STEP, audible[0]), audible[:-STEP]])[: len(audible)]
    rises = np.maximum(audible - back, 0.0)
    wait = round(APART / frame)
    peaks = librosa.onset.onset_detect(
        onset_envelope=rises,
        sr=1.0 / frame,
        hop_length=1,
        units="frames",
        wait=wait,
        delta=RISE,
        pre_max=wait // 2,
        normalize=False,
    )
    return [first, *(float(peak) * frame for peak in peaks if float(peak) * frame >= first + APART)]


def _segments(path: Path, outline: Outline) -> "Iterator[Segment]":
    """Yield the pitched notes of a file, piece by piece."""
    from generators.analysis.note_segments import segment_notes

    for begin in np.arange(0.0, outline.length, PIECE).tolist():
        lead = min(BEFORE, begin)
        sound = read_audio(path, start=begin - lead, length=lead + PIECE + AFTER)
        for segment in segment_notes(resample(sound.audio, sound.sample_rate, RATE), RATE):
            if lead <= segment.start < lead + PIECE or (not begin and segment.start < PIECE):
                moved = begin - lead
                yield replace(segment, start=segment.start + moved, end=segment.end + moved)


def _level(outline: Outline, start: float, end: float) -> float:
    """Return the level in dB of the loudest frame between two seconds."""
    first = min(int(start / outline.frame), len(outline.levels) - 1)
    return float(outline.levels[first : max(int(end / outline.frame), first + 1)].max())


def find_playing(audio: Audio, length: float) -> Playing:
    """Tell what a sound plays that begins with the `length` seconds which are analysed. Shapes: audio (samples,)."""
    from generators.analysis.note_segments import segment_notes
    from generators.analysis.pitch import find_note
    from generators.analysis.polyphony import find_polyphony

    segments = _several(segment_notes(audio, RATE), length)
    within = tuple(segment for segment in segments if segment.start < length)
    later = tuple(segment for segment in segments if segment.start >= length)
    end = within[1].start if len(within) > 1 else length
    first = audio[: max(round(end * RATE), 1)]
    return Playing(find_note(first, RATE), within, later, find_polyphony(first, RATE).chord)


def _several(segments: "Sequence[Segment]", length: float) -> "list[Segment]":
    """Leave of segments those that are notes beyond doubt: of a certain pitch, and another one or struck again."""
    kept: list[Segment] = []
    for segment in segments:
        struck = segment.rise >= (STRUCK if segment.start < length else STRUCK_LATER)
        again = not kept or struck or abs(segment.pitch - kept[-1].pitch) >= ANOTHER
        if segment.confidence >= SURE and segment.end - segment.start >= LASTING and again:
            kept.append(segment)
    return kept


# --- words ------------------------------------------------------------------------------------------------------


def describe_notes(target: Target, ahead: Sound | None = None) -> Target:
    """Say what a target plays, in its source: `note` (MIDI number, name, cents and confidence, or None) and `remarks`.

    The remarks are sentences, which stand in its treatment, too.

    Args: ahead: the sound from the same moment on, farther than the target reaches; None takes the target alone.
    """
    sound = ahead or Sound(target.audio, target.sample_rate, 1)
    analysed = len(target.audio) / target.sample_rate - float(target.source["padded"])
    playing = find_playing(resample(sound.audio, sound.sample_rate, RATE), analysed)
    sentences = [*_sentences(playing, analysed), *_clipping(sound.audio)]
    source = {
        **target.source,
        "note": note_card(playing.note),
        "treatment": [*target.treatment, *sentences],
        "remarks": sentences,
    }
    return replace(target, source=source)


def note_card(note: "NotePitch | None") -> dict[str, Any] | None:
    """Return a note as `patch.json` keeps it: `midi` with a fraction, `name`, `cents` off it, and `confidence`."""
    if note is None:
        return None
    nearest = round(note.midi)
    return {
        "midi": round(note.midi, 4),
        "name": note_name(nearest),
        "cents": round(100.0 * (note.midi - nearest), 1),
        "confidence": round(note.confidence, 4),
    }


def pitch_words(midi: float) -> str:
    """Return a pitch in words: `C#4`, and `A4 -12 cents` where it is off by a cent or more."""
    nearest = round(midi)
    cents = round(100.0 * (midi - nearest))
    return note_name(nearest) + (f" {cents:+d} cents" if cents else "")


def _sentences(playing: Playing, analysed: float) -> list[str]:
    """Say what a sound plays: its note, its notes one after another, or its chord; and whether more follow."""
    if len(playing.within) > 1:
        sentences = [
            f"It plays {_names(playing.within)} one after another within the {analysed:.3g} s analysed, which were "
            "matched as one sound. To invert each alone: --every_onset."
        ]
    elif playing.chord:
        sentences = [
            "Several pitches sound at once, as in a chord, a bell or a drum, and were matched as one sound. To match "
            "one note, give it alone, or --start where it sounds alone."
        ]
    elif playing.note is not None:
        doubt = ", with little certainty" if playing.note.confidence < UNSURE else ""
        sentences = [f"It plays {pitch_words(playing.note.midi)}{doubt}."]
    elif analysed < SHORTEST:
        sentences = [f"It lasts {1000.0 * analysed:.2g} ms, too short to have a pitch."]
    else:
        sentences = ["It has no steady pitch, as noise, most drums and glides have none."]
    if playing.later:
        sentences.append(
            f"More notes follow ({_names(playing.later)}). To invert each: --every_onset; another one: --start."
        )
    return sentences


def _names(segments: "Sequence[Segment]") -> str:
    """Return the first notes of a melody, and how many more there are: `C4, E4, G4 and 5 more`."""
    names = [note_name(round(segment.pitch)) for segment in segments[:NAMED]]
    left = len(segments) - len(names)
    return ", ".join(names) + (f" and {left} more" if left else "")


def _clipping(audio: Audio) -> list[str]:
    """Say it where a sound is clipped: its peaks are flat, at full scale."""
    levels = np.abs(audio)
    peak = float(levels.max(initial=0.0))
    if not FULL_SCALE <= peak <= 1.0 + 1e-3:
        return []
    runs = np.convolve(levels >= peak * (1.0 - 1e-3), np.ones(FLAT)) == FLAT  # where a run of that many has ended
    share = float((np.convolve(runs, np.ones(FLAT)) > 0.5).sum()) / len(levels)
    if not CLIPPED[0] < share < CLIPPED[1]:
        return []
    return [
        f"It is clipped: {share:.1%} of its samples stand at full scale, and the overtones of that are matched too."
    ]
