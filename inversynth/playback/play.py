"""A patch as an instrument over a MIDI file or a range of notes: `inversynth play PATCH`.

A note multiplies every carrier, and the depths of frequency modulation, by the same ratio, note / root, so that the
whole course of the pitch is transposed; rates, times and the filter stay. The root is the lowest audible carrier, as
the root of the patch transposes it. Each note restarts the patch (modulators, gater and envelope), is held for its own
length and then released. Velocity scales the amplitude of the patch at its own level: gain = velocity / 127. Pitch bend
multiplies the same frequencies, within a note where the synth can (`Synth.bends`), else as it stands when the note
starts. A DX7 voice plays MIDI notes and velocities by itself, with its own scaling of both.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.audio import full_scale_gain, read_audio, write_audio
from generators.command import run_command
from generators.dsp.units import hz_to_midi, midi_to_hz
from generators.dx7.synth import VELOCITY
from generators.errors import AudioError, ParameterError, SettingsError, one_line
from generators.notes.pitches import note_name, note_number
from generators.oscillator_spec import oscillator_columns
from generators.parameters import Floats
from generators.registry import find_synth
from generators.settings import Settings
from generators.synth import PitchBend
from inversynth.patches.patch import Patch
from inversynth.playback.midi import Note, Score, note_range, read_score
from inversynth.playback.mixdown import LONGEST, mix, write_mix

log = logging.getLogger(__name__)

AUDIBLE = 0.1
"""Fraction of the largest amplitude (-20 dB) from which an oscillator counts for the root; below, it only colours."""

LONGEST_NOTE = 600.0
"""Seconds, so that a stuck key does not fill the memory."""


MOST_SOUNDING = 100_000.0
"""Seconds of all notes together, a few minutes of rendering: an hour of a dense score has a third of it."""

HIGHEST_NOTE = 127
"""The highest MIDI note."""

TAIL = 10.0
"""Seconds after a note is released in which bends are still followed: longer than releases last, which are a second."""


class Instrument:
    """A patch that plays notes.

    Args:
        sample_rate: hertz; None takes that of the patch. root: pitch in hertz at which the patch sounds unchanged;
            None takes the lowest audible carrier.
    Raises: ParameterError for a synth without notes, or a sample rate that does not fit it.
    """

    def __init__(self, patch: Patch, sample_rate: int | None = None, root: float | None = None) -> None:
        self.synth = patch.synth(sample_rate)
        self.sample_rate = self.synth.sample_rate
        space = patch.space
        columns = oscillator_columns(space, self.synth.oscillators)
        self._carriers = [f for f, _, _, _ in columns] or list(space.groups.get("Notes", ()))
        self._amplitudes = [amplitude for _, _, amplitude, _ in columns]
        self._depths = [depth for _, _, _, depth in columns]
        if not self._carriers:
            raise ParameterError(f"a synth to play has parameters of group 'Notes'. Received: '{space.synth}'")
        self._patch = np.asarray(patch.values, np.float64)
        self._gain = 10.0 ** (patch.level_db / 20.0)
        self._last: tuple[float, float, NDArray[np.float32]] = -1.0, 0.0, np.zeros(0, np.float32)
        self.root = root or float(self.synth.rendered_values(self._patch)[self._carriers][self._audible].min())

    @property
    def _audible(self) -> NDArray[np.bool_]:
        """Which carriers are audible."""
        if not self._amplitudes:
            return np.ones(len(self._carriers), np.bool_)
        amplitudes = self._patch[self._amplitudes]
        return amplitudes >= AUDIBLE * amplitudes.max()

    def values(self, pitch: float, raised: float = 0.0) -> tuple[Floats, int]:
        """Return the values (parameters,) at a MIDI number, and how many audible oscillators are left.

        An oscillator whose highest instantaneous frequency exceeds half the sample rate would alias: it is silenced
        (frequency, depth and amplitude 0).

        Args:
            pitch: with a fraction where bent. raised: semitones by which a bend raises the pitch further.
        """
        values = self._patch.copy()  # the synth transposes them to the root of the patch
        moved = self._carriers + self._depths
        values[moved] *= float(midi_to_hz(pitch)) / self.root
        rendered = self.synth.rendered_values(values)
        highest = rendered[self._carriers] + (rendered[self._depths] if self._depths else 0.0)
        beyond = highest * 2.0 ** (raised / 12.0) >= self.sample_rate / 2
        for columns in (self._carriers, self._depths, self._amplitudes):
            if columns:
                values[np.asarray(columns)[beyond]] = 0.0
        return values, int((self._audible & ~beyond).sum())

    @property
    def voices(self) -> int:
        """How many oscillators are audible."""
        return int(self._audible.sum())

    def render(self, note: Note) -> NDArray[np.float32]:
        """Render one note with its release, (samples,) float32."""
        held = min(note.held, LONGEST_NOTE)
        bend = self._bend_within(note)
        if bend is not None:
            values = self.values(*self._pitch(note))[0]
            audio = self.synth.render_note(values, held, bend)  # type: ignore[call-arg]  # `bends` says that it takes it
        else:
            audio = self._unbent(note.pitch + note.bend, held)
        return audio * np.float32(self._gain * note.velocity / 127)

    def _unbent(self, pitch: float, held: float) -> NDArray[np.float32]:
        """Render a note at full velocity; of equal ones in sequence, as in a chord of one key, only the first."""
        if (pitch, held) != self._last[:2]:
            self._last = pitch, held, self.synth.render_note(self.values(pitch)[0], held)
        return self._last[2]

    def _bend_within(self, note: Note) -> PitchBend | None:
        """Return the bend from the start of a note on, relative to that at its start; None where it stays."""
        if not self.synth.bends or not note.curve:
            return None
        times, semitones = note.curve.within(note.start, note.start + min(note.held, LONGEST_NOTE) + TAIL)
        if not len(times):
            return None
        return PitchBend(np.subtract(times, note.start), np.subtract(semitones, note.bend))

    def _pitch(self, note: Note) -> tuple[float, float]:
        """Return the pitch at the start of a note, and by how many semitones a bend raises it later."""
        bend = self._bend_within(note)
        return note.pitch + note.bend, 0.0 if bend is None else max(float(bend.semitones.max()), 0.0)

    def playable(self, score: Score) -> tuple[Note, ...]:
        """Return the notes that this patch can play; what is left out or altered is logged.

        Raises: AudioError where none is left, or the whole is too long for a WAV file.
        """
        if score.percussion:
            log.info("skipped %s of channel 10 (percussion)", count_notes(score.percussion))
        pitches = [self._pitch(note) for note in score.notes]
        left = {pitch: self.values(*pitch)[1] for pitch in set(pitches)}
        notes = tuple(note for note, pitch in zip(score.notes, pitches, strict=True) if left[pitch])
        limit = f"half the sample rate, {self.sample_rate / 2:g} Hz (raise it with --sample_rate)"
        if not notes:
            raise AudioError(f"a note must stay below {limit}. Received: {count_notes(len(score.notes))} above")
        if len(notes) < len(score.notes):
            log.info("skipped %s above %s", count_notes(len(score.notes) - len(notes)), limit)
        thinned = sum(0 < left[pitch] < self.voices for pitch in pitches)
        if thinned:
            log.info("silenced the oscillators of %s that reach above %s", count_notes(thinned), limit)
        steady = 0 if self.synth.bends else sum(note.is_bent_within for note in notes)
        if steady:
            name = self.synth.short_name
            log.info("bent %s at their start alone: synth '%s' cannot bend within a note", count_notes(steady), name)
        long = sum(note.held > LONGEST_NOTE for note in notes)
        if long:
            log.info("ended %s after %g minutes", count_notes(long), LONGEST_NOTE / 60)
        seconds = max(note.start + min(note.held, LONGEST_NOTE) for note in notes)
        if seconds * self.sample_rate > LONGEST:
            raise AudioError(
                f"a WAV file holds up to {LONGEST / self.sample_rate / 3600:.0f} hours at {self.sample_rate} Hz. "
                f"Received: notes up to hour {seconds / 3600:.0f}"
            )
        sounding = sum(min(note.held, LONGEST_NOTE) for note in notes)
        if sounding > MOST_SOUNDING:
            raise AudioError(
                f"notes to play last up to {MOST_SOUNDING:g} s, all together. Received: {sounding:.0f} s in "
                f"{count_notes(len(notes))}. Play a part of them"
            )
        return notes

    def sounds(self, notes: Sequence[Note]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first sample and the sound of each note, with a progress bar on a terminal."""
        from tqdm import tqdm

        for note in tqdm(notes, desc="playing", unit="notes", disable=None):
            yield round(note.start * self.sample_rate), self.render(note)


class KeyInstrument(Instrument):
    """A patch of a synth that plays MIDI notes and velocities by itself, as a DX7 does.

    It plays whole semitones: pitch bend counts as it stands when a note starts. Velocity is the patch's own affair.

    Args: as of `Instrument`; root: pitch in hertz at which the patch sounds as at its own root, which others follow.
    """

    def __init__(self, patch: Patch, sample_rate: int | None = None, root: float | None = None) -> None:
        self.synth = patch.synth(sample_rate)
        self.sample_rate = self.synth.sample_rate
        self._patch = np.asarray(patch.values, np.float64)
        self._gain = 10.0 ** (patch.level_db / 20.0)
        self.root = root or float(midi_to_hz(patch.root))
        self._moved = round(patch.root - float(hz_to_midi(self.root)))

    def values(self, pitch: float, raised: float = 0.0) -> tuple[Floats, int]:
        """Return the values (parameters,), the same at every note, and 1 where there is such a note, else 0."""
        return self._patch, int(0 <= self._key(pitch) <= HIGHEST_NOTE)

    @property
    def voices(self) -> int:
        """1: a voice sounds as a whole, or not at all."""
        return 1

    def render(self, note: Note) -> NDArray[np.float32]:
        """Render one note with its release, (samples,) float32."""
        key, held = self._key(note.pitch + note.bend), min(note.held, LONGEST_NOTE)
        return self.synth.render_key(self._patch, key, note.velocity, held) * np.float32(self._gain)

    def _key(self, pitch: float) -> int:
        return round(pitch) + self._moved


def open_instrument(patch: Patch, sample_rate: int | None = None, root: float | None = None) -> Instrument:
    """Return a patch as an instrument, in the way that its synth plays notes; arguments are those of `Instrument`."""
    kind = KeyInstrument if find_synth(patch.space.synth).plays_keys else Instrument
    return kind(patch, sample_rate, root)


def play(instrument: Instrument, score: Score, path: str | os.PathLike[str]) -> tuple[int, float]:
    """Play a score into one WAV; returns the number of notes played and the gain (1 or less) of the whole.

    Raises: AudioError where nothing is left to play or the file cannot be written.
    """
    notes = instrument.playable(score)
    return len(notes), write_mix(path, mix(instrument.sounds(notes)), instrument.sample_rate)


def play_separately(instrument: Instrument, score: Score, folder: str | os.PathLike[str]) -> list[Path]:
    """Write one WAV per note, named by MIDI number and note, and return the paths.

    The notes keep the level of the patch; where one is above full scale, all are turned down alike, which is logged.
    """
    notes = instrument.playable(score)
    paths, loudest = [], 0.0
    for note, (_, audio) in zip(notes, instrument.sounds(notes), strict=True):
        loudest = max(loudest, float(np.abs(audio).max()))
        name = f"{note.pitch:03d}_{note_name(note.pitch)}.wav"
        paths.append(write_audio(Path(folder) / name, audio, instrument.sample_rate))
    gain = np.float32(full_scale_gain([np.array([loudest])]))
    for path in paths if gain < 1.0 else ():
        write_audio(path, gain * read_audio(path).audio, instrument.sample_rate)
    return paths


# --- the command -----------------------------------------------------------------------------------------------


class PlaySettings(Settings):
    """Play a patch over a MIDI file, or over a range of notes, into a WAV file."""

    flags_only: ClassVar = frozenset(
        [
            "patch",
            "midi",
            "notes",
            "output",
            "output_dir",
            "root",
            "sample_rate",
            "step",
            "length",
            "velocity",
            "separate",
        ]
    )

    patch: CliPositionalArg[Path] = Field(description="a patch: patch.json, or what `inversynth export` wrote")
    midi: Path | None = Field(None, description="the MIDI file to play")
    notes: str = Field("", description="the notes to play in place of a MIDI file: C3:C5, or one of them")
    output: Path | None = Field(
        None, description="WAV file to write, or folder with --separate; named after the notes if left out"
    )
    output_dir: Path = Field(Path(), description="folder that output is relative to")
    root: str = Field(
        "",
        description="pitch at which the patch sounds unchanged, a note or Hz; its lowest audible carrier if left out",
    )
    sample_rate: int | None = Field(None, ge=1, description="hertz; that of the patch if left out")
    step: int = Field(1, ge=1, description="semitones between the notes of --notes")
    length: float | None = Field(
        None, gt=0, le=LONGEST_NOTE, description="seconds from note to note of --notes; that of the patch if left out"
    )
    velocity: int | None = Field(
        None,
        ge=1,
        le=127,
        description=f"velocity of --notes; that at which the patch is as it was found by default: {VELOCITY} for a DX7 "
        "voice, else 127",
    )
    separate: bool = Field(False, description="write one WAV per note of --notes")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth play") -> int:
    """Play a patch; returns the exit code."""
    return run_command(PlaySettings, _run, argv, prog, resumes=False)


def _run(settings: PlaySettings) -> None:
    from inversynth.patches.formats import read_any_patch

    if (settings.midi is None) == (not settings.notes):
        raise SettingsError("name what to play: either --midi FILE or --notes C3:C5. See --help")
    if settings.separate and settings.midi is not None:
        raise SettingsError("--separate goes with --notes. Received: --midi")
    output = _output(settings)
    patch = read_any_patch(settings.patch)
    instrument = open_instrument(patch, settings.sample_rate, root_frequency(settings.root))
    score = read_score(settings.midi) if settings.midi is not None else _range(settings, instrument)
    if settings.separate:
        print(one_line(f"{count_notes(len(play_separately(instrument, score, output)))} -> {output}"))
        return
    count, gain = play(instrument, score, output)
    if gain < 1.0:
        log.info("turned down by %.1f dB, to full scale", -20 * np.log10(gain))
    print(one_line(f"{count_notes(count)} -> {output}"))


def root_frequency(root: str) -> float | None:
    """Return hertz for a note name or a number; None for an empty text. Raises ParameterError."""
    if not root:
        return None
    try:
        frequency = float(root)
    except ValueError:
        return float(midi_to_hz(note_number(root)))
    if not 1.0 <= frequency <= 100_000.0:
        raise ParameterError(f"a root must lie in 1..100000 Hz. Received: {root}")
    return frequency


def count_notes(notes: int) -> str:
    """Return `1 note`, `2 notes`, …"""
    return f"{notes} note{'' if notes == 1 else 's'}"


def _range(settings: PlaySettings, instrument: Instrument) -> Score:
    length = settings.length or instrument.synth.length
    held = instrument.synth.note_fraction * length
    velocity = settings.velocity or (VELOCITY if instrument.synth.plays_keys else 127)
    return note_range(settings.notes, step=settings.step, length=length, held=held, velocity=velocity)


def _output(settings: PlaySettings) -> Path:
    named = settings.midi.stem if settings.midi is not None else f"{settings.patch.stem}_notes"
    output = settings.output_dir / (settings.output or (named if settings.separate else f"{named}.wav"))
    if not settings.separate and output.suffix.lower() != ".wav":
        raise SettingsError(f"--output must end in .wav. Received: {output}")
    return output


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.playback.play"))
