"""How well pitches, notes of melodies and chords are found: `python -m benchmarks.pitch --soundfont FluidR3_GM.sf2`.

Notes, chords and melodies are played from SoundFonts by our own player: TimGM6mb, which pretty_midi carries, and others
that are named. Weights and thresholds were set on programs of even number (melodies: on even rows); the table shows the
odd ones beside them, and librosa's pYIN. Recordings are those of Sonic Pi (CC0), where their folder is named; the
pitches that they are compared with were read off spectra of 131,072 points, partial by partial.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag
from tqdm import tqdm

from benchmarks.page import markdown_table
from generators.analysis.note_segments import segment_notes
from generators.analysis.pitch import find_note
from generators.analysis.polyphony import find_polyphony
from generators.audio import read_audio, resample
from generators.command import run_command
from generators.fm_generator import FmSynth
from generators.notes.general_midi import PITCHED, PROGRAMS
from generators.notes.soundfont import SoundFont, general_midi_font
from generators.notes.soundfont_player import render_note
from generators.sampling import sample_classes
from generators.settings import Settings

Audio = NDArray[np.float32]
RATE = 16384

UNPITCHED = frozenset({8, 9, 10, 14, 31, 47, 55, 86, *range(96, 104)})
"""Programs left out: celesta, glockenspiel, music box and tubular bells (bells), guitar harmonics (an octave above the
keys), timpani, the orchestra hit, the fifths lead (two notes), and the effects."""

ORGANS = frozenset({16, 17, 18, 19})
"""Programs whose 16-foot stops sound one or two octaves below their keys in one font or both."""

MISTUNED = {"TimGM6mb": frozenset({21, 61, 77, 78, 83})}
"""Programs that a font itself tunes half a semitone or more off in places (whistle -8.5, shakuhachi +0.7 semitones)."""

SHAPES = (
    *((0, 3), (0, 4), (0, 5), (0, 7), (0, 8), (0, 9)),
    *((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 5, 9), (0, 3, 8), (0, 4, 9), (0, 5, 8), (0, 5, 7), (0, 2, 7), (0, 4, 8)),
    *((0, 16, 19), (0, 7, 16)),
)
"""Chords in semitones above their lowest note: intervals, triads with their inversions, two in open position."""

MELODIC = {
    "flute": (73, 60, 90),
    "strings": (48, 48, 84),
    "organ": (20, 48, 84),
    "bass": (33, 30, 55),
    "piano": (0, 40, 88),
    "clarinet": (71, 52, 84),
    "violin": (40, 56, 88),
}
"""Program, lowest and highest key of the instruments that play melodies."""

RECORDED = {
    "ambi_glass_rub": 78.0,
    "ambi_piano": 22.1,
    "bass_dnb_f": 28.9,
    "bass_drop_c": 35.95,
    "bass_hard_c": 23.83,
    "bass_thick_c": 35.96,
    "bass_trance_c": 35.9,
    "bass_voxy_c": 36.03,
    "bass_voxy_hit_c": 35.97,
    "bass_woodsy_c": 35.96,
    "bd_boom": 34.6,
    "bd_gas": 31.31,
    "bd_klub": 31.95,
    "bd_pure": 30.14,
    "drum_tom_mid_soft": 46.76,
    "elec_bell": 59.93,
    "elec_blip": 74.12,
    "elec_blip2": 73.87,
    "elec_fuzz_tom": 40.01,
    "elec_ping": 81.07,
    "elec_tick": 84.01,
    "guit_harmonics": 70.93,
    "tabla_ghe2": 41.76,
    "tabla_ghe3": 41.5,
    "tabla_ghe5": 41.88,
    "tabla_ghe6": 42.07,
    "tabla_ghe7": 41.76,
    "tabla_na": 80.15,
    "tabla_na_o": 63.04,
    "tabla_na_s": 80.42,
    "tabla_tas1": 72.99,
    "tabla_tas2": 73.18,
    "tabla_tas3": 73.0,
    "tabla_tun1": 63.19,
    "tabla_tun2": 63.25,
    "tabla_tun3": 63.25,
}
"""Pitched recordings of Sonic Pi: the MIDI note of their fundamental, or of the strongest mode of a drum.

Drums are those of which one mode stands alone at its pitch, beside the sidebands of its own glide. Bells are left out,
and what sounds at several pitches (cowbell, glass hum, fifths) or glides all the time (guitar slide)."""


class PitchSettings(Settings):
    """Measure how pitches, notes and chords are found, beside pYIN."""

    flags_only: ClassVar = frozenset({"soundfont", "recordings", "seed", "per_program", "no_pyin"})

    soundfont: list[Path] = Field([], description="further SF2 files beside TimGM6mb")
    recordings: Path | None = Field(None, description="the folder of Sonic Pi's samples")
    seed: int = Field(2026, ge=0, description="draws notes, chords and melodies")
    per_program: int = Field(2, ge=1, description="notes and chords of each program of each font")
    no_pyin: CliToggleFlag[bool] = Field(False, description="leave pYIN out, which takes most of the time")


@dataclass(frozen=True)
class Played:
    """A sound of a font: its group (0 the one that thresholds were set on), the keys that sound, and for melodies their
    onsets in seconds."""

    group: int
    keys: tuple[int, ...]
    audio: Audio
    onsets: tuple[float, ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(PitchSettings, _run, argv, "python -m benchmarks.pitch")


def _run(settings: PitchSettings) -> None:
    fonts = [SoundFont(path) for path in (general_midi_font(), *settings.soundfont)]
    rng = np.random.default_rng(settings.seed)
    notes = play_notes(fonts, settings.per_program, rng)
    print("Notes C2 to C7: share within 50 cents\n")
    print(_notes_table(notes, settings), "\n")
    print("Chords of two and three notes, and what is called one\n")
    print(_chords_table(notes, play_chords(fonts, settings.per_program, rng), settings), "\n")
    print("Melodies: note F-measure, onset within 50 ms and pitch within 50 cents\n")
    print(_melodies_table(fonts, rng))


# --- sounds -----------------------------------------------------------------------------------------------------


def play_notes(fonts: Sequence[SoundFont], per_program: int, rng: np.random.Generator) -> list[Played]:
    """Play single notes of every pitched program."""
    found = []
    for font in fonts:
        for program in _programs(font):
            for _ in range(per_program):
                key, velocity = int(rng.integers(36, 97)), int(rng.integers(60, 115))
                audio = _note(font, program, key, velocity, float(rng.uniform(0.3, 0.9)), RATE)
                if np.abs(audio).max() > 1e-3:
                    found.append(Played(program % 2, (key,), audio))
    return found


def play_chords(fonts: Sequence[SoundFont], per_program: int, rng: np.random.Generator) -> list[Played]:
    """Play chords of two and three notes, struck at once, of every pitched program."""
    found = []
    for font in fonts:
        for program in _programs(font):
            for _ in range(per_program):
                root, shape = int(rng.integers(45, 73)), SHAPES[rng.integers(len(SHAPES))]
                held, velocity = float(rng.uniform(0.4, 0.9)), int(rng.integers(70, 110))
                keys = tuple(root + step for step in shape)
                parts = [_note(font, program, key, velocity + int(rng.integers(-8, 9)), held, RATE) for key in keys]
                if min(np.abs(part).max() for part in parts) > 1e-3:
                    found.append(Played(program % 2, keys, np.sum(parts, axis=0, dtype=np.float32)))
    return found


def play_melodies(font: SoundFont, instrument: str, count: int, rng: np.random.Generator) -> list[Played]:
    """Play melodies of six to nine notes, half of them legato, a quarter of the notes repeated.

    An onset is where the note, played alone, reaches a tenth of its amplitude: what can be heard of a soft attack.
    """
    program, lowest, highest = MELODIC[instrument]
    found = []
    for number in range(count):
        legato, start = rng.random() < 0.5, float(rng.uniform(0.0, 0.3))
        key, plan = int(rng.integers(lowest + 4, highest - 4)), []
        for place in range(int(rng.integers(6, 10))):
            if place and rng.random() > 0.25:
                step = int(rng.choice([-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12]))
                key = int(np.clip(key + step, lowest, highest))
            plan.append((start, key, float(rng.uniform(0.2, 0.6))))
            start += plan[-1][2]
        audio, onsets = np.zeros(int((start + 0.4) * RATE), np.float32), []
        for place, (begin, each, apart) in enumerate(plan):
            repeated = place + 1 < len(plan) and plan[place + 1][1] == each
            held = apart * float(rng.uniform(0.97, 1.03) if legato and not repeated else rng.uniform(0.8, 0.92))
            first = int(begin * RATE)
            note = _note(
                font,
                program,
                each,
                int(rng.integers(70, 110)),
                held,
                min(int((apart + 0.4) * RATE), len(audio) - first),
            )
            audio[first : first + len(note)] += note
            level = np.sqrt(np.convolve(np.square(note.astype(np.float64)), np.full(80, 1 / 80), "same"))
            loudest = level[: int(min(apart, 0.4) * RATE)].max()
            onsets.append(begin + float(np.argmax(level >= 0.1 * loudest)) / RATE)
        found.append(Played(number % 2, tuple(each for _, each, _ in plan), audio, tuple(onsets)))
    return found


def _programs(font: SoundFont) -> list[int]:
    wrong = MISTUNED.get(font.path.stem, frozenset())
    return [number for number in PITCHED if number not in UNPITCHED | ORGANS | wrong and (0, number) in font.presets]


def _note(font: SoundFont, program: int, key: int, velocity: int, held: float, samples: int) -> Audio:
    return render_note(font, 0, PROGRAMS[program].number, key, velocity, held=held, samples=samples, sample_rate=RATE)


# --- tables -----------------------------------------------------------------------------------------------------


def _ours(audio: Audio, sample_rate: int) -> float:
    note = find_note(audio, sample_rate)
    return np.nan if note is None else note.midi


def _pyin(audio: Audio, sample_rate: int) -> float:
    """Return the median of the voiced frames of librosa's pYIN, at its default settings but for the range."""
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frequency, voiced, _ = librosa.pyin(audio, fmin=27.5, fmax=4186.0, sr=sample_rate)
    return float(np.median(librosa.hz_to_midi(frequency[voiced]))) if voiced.any() else np.nan


def _notes_table(notes: Sequence[Played], settings: PitchSettings) -> str:
    sets: dict[str, list[tuple[float, Audio]]] = {
        "notes, even programs": [(note.keys[0], note.audio) for note in notes if note.group == 0],
        "notes, odd programs (held out)": [(note.keys[0], note.audio) for note in notes if note.group == 1],
    }
    if settings.recordings is not None:
        sets["CC0 recordings"] = list(recordings(settings.recordings))
    methods: dict[str, Callable[[Audio, int], float]] = {"ours": _ours}
    if not settings.no_pyin:
        methods["pYIN"] = _pyin
    rows = []
    for label, sounds in sets.items():
        for name, method in methods.items():
            began = time.perf_counter()
            off = np.array(
                [method(audio, RATE) - key for key, audio in tqdm(sounds, desc=f"{label}, {name}", disable=None)]
            )
            seconds = (time.perf_counter() - began) / max(sum(len(audio) for _, audio in sounds) / RATE, 1e-9)
            near = np.abs(off) <= 0.5
            folded = np.abs(off - 12 * np.round(np.where(np.isfinite(off), off, 6) / 12)) <= 0.5
            rows.append([label, str(len(off)), name, _percent(near), _percent(folded & ~near), f"{1000 * seconds:.0f}"])
    return markdown_table(["sounds", "n", "by", "within 50 cents", "octaves off", "ms a second"], rows)


def recordings(folder: Path) -> list[tuple[float, Audio]]:
    """Read the pitched recordings of Sonic Pi, at most 2 s of each, with their notes."""
    found = []
    for name, key in RECORDED.items():
        sound = read_audio(folder / f"{name}.flac", length=2.0)
        found.append((key, resample(sound.audio, sound.sample_rate, RATE)))
    return found


def _chords_table(notes: Sequence[Played], chords: Sequence[Played], settings: PitchSettings) -> str:
    synth = FmSynth(RATE)
    sounds = synth.render_classes(sample_classes(synth.space, 0, 300, settings.seed))
    sets = {
        f"{kind}, {half}": [each.audio for each in played if each.group == group]
        for kind, played in (("chords", chords), ("single notes", notes))
        for group, half in enumerate(("even programs", "odd programs (held out)"))
    }
    sets["sounds of fm"] = list(sounds)
    rows = [
        [
            label,
            str(len(group)),
            _percent(np.array([find_polyphony(audio, RATE).chord for audio in tqdm(group, desc=label, disable=None)])),
        ]
        for label, group in sets.items()
    ]
    return markdown_table(["sounds", "n", "called chords"], rows)


def _melodies_table(fonts: Sequence[SoundFont], rng: np.random.Generator) -> str:
    rows, sums = [], np.zeros((2, 3))
    for instrument in MELODIC:
        counts = np.zeros((2, 3))
        for font in fonts:
            for melody in play_melodies(font, instrument, 8, rng):
                counts[melody.group] += _matched(melody)
        if instrument in ("flute", "strings", "organ", "bass", "piano"):
            sums += counts
        rows.append([instrument, str(int(counts[:, 1].sum())), *(f"{_f_measure(each):.3f}" for each in counts)])
    rows.append(["the first five together", str(int(sums[:, 1].sum())), *(f"{_f_measure(each):.3f}" for each in sums)])
    return markdown_table(["instrument", "notes", "even rows", "odd rows (held out)"], rows)


def _matched(melody: Played) -> NDArray[np.float64]:
    """Return how many notes were met, how many there are and how many were found."""
    found, used = segment_notes(melody.audio, RATE), set[int]()
    for onset, key in zip(melody.onsets, melody.keys, strict=True):
        near = [
            (abs(segment.start - onset), place)
            for place, segment in enumerate(found)
            if place not in used and abs(segment.start - onset) <= 0.05 and abs(segment.pitch - key) <= 0.5
        ]
        if near:
            used.add(min(near)[1])
    return np.array([len(used), len(melody.keys), len(found)], np.float64)


def _f_measure(counts: NDArray[np.float64]) -> float:
    return float(2.0 * counts[0] / max(counts[1] + counts[2], 1.0))


def _percent(found: NDArray[np.bool_]) -> str:
    return f"{100.0 * float(np.mean(found)):.1f} %"


if __name__ == "__main__":
    sys.exit(main())
