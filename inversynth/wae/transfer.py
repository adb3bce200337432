"""Transfer a sound to other styles: `inversynth wae transfer SOUND --style flute`.

The sound is split at its onsets. Each note is encoded to a latent, which is decoded with the new style at the detected
pitch, and placed where the note was, at its level and for its audible length. Pitches are rounded to semitones: a glide
or a vibrato is lost unless the latent holds it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import normalise_peak, read_audio, resample
from generators.command import run_command
from generators.errors import SettingsError
from generators.notes.pitches import note_name
from inversynth.audio_command import check_count, write_and_list
from inversynth.inputs import MidiNote, check_inputs_kept, unique_names
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, Score
from inversynth.playback.mixdown import mix
from inversynth.playback.play import count_notes
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import AudioPage, Clip, ClipRow
from inversynth.wae.segmentation import SourceNote, read_whole_note, segment_notes
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    STYLES,
    WaeSettings,
    check_styled,
    open_session,
    parse_mixtures,
    slug,
    write_notes,
)

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

Audio = NDArray[np.float32]


class TransferSettings(WaeSettings):
    """Transfer a sound, or a melody note by note, to other styles: a WAV and a spectrogram each, and a page."""

    flags_only: ClassVar = WaeSettings.flags_only | {
        *("sound", "style", "note", "transpose", "skip_unknown", "whole", "release"),
    }

    sound: CliPositionalArg[Path] = Field(description="the sound, of any rate, length and channel count")
    style: str = Field("", description=f"{STYLES}; by default each style of the model")
    note: MidiNote = Field(None, description="C4 or 60, for all notes; by default the detected pitch of each")
    transpose: int = Field(0, ge=-127, le=127, description="semitones to transpose all notes by")
    skip_unknown: CliToggleFlag[bool] = Field(False, description="leave out notes outside the range of the model")
    whole: CliToggleFlag[bool] = Field(False, description="treat the sound as one note, without splitting it at onsets")
    release: float = Field(0.1, ge=0, le=10, allow_inf_nan=False, description="seconds of the release of a note")
    output_dir: Path = Field(
        Path("output/wae/transfer"), description=f"where the sounds, {NOTES_FILE}, spectrograms and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae transfer") -> int:
    """Transfer a sound to other styles; returns the exit code."""
    return run_command(TransferSettings, _run, argv, prog, resumes=False)


def _run(settings: TransferSettings) -> None:
    if settings.note is not None and settings.transpose:
        raise SettingsError("--note names the note. Received: --transpose as well. Leave one of them out")
    session = open_session(settings)
    wae, rate, folder = session.wae, session.sample_rate, settings.output_dir
    check_styled(wae)
    styles = parse_mixtures(settings.style, wae)
    sources = [read_whole_note(settings.sound, wae)] if settings.whole else segment_notes(settings.sound, wae)
    sources, notes = _playable(settings, sources, wae)
    check_count(len(sources) * len(styles), f"{count_notes(len(sources))} in {len(styles)} styles")
    stem = slug(settings.sound.stem)
    names = unique_names([f"{stem}_original", *(f"{stem}_{style.slug}" for style in styles)])
    check_inputs_kept((folder / f"{name}.wav" for name in names), [settings.sound])
    latents = wae.encode(np.stack([one.audio for one in sources]))
    weights = np.repeat([style.weights for style in styles], len(sources), axis=0)
    every, played = np.tile(latents, (len(styles), 1)), np.tile(notes, len(styles))
    made = session.sounds(every, played, weights).reshape(len(styles), len(sources), -1)
    given = read_audio(settings.sound)
    original = resample(given.audio, given.sample_rate, rate)
    whole = [overlay_notes(sources, sounds, len(original), rate, settings.release) for sounds in made]
    captions = ["original", *(style.caption for style in styles)]
    shown = [Clip(*one) for one in zip(names, [original, *whole], captions, strict=True)]
    labels = [f"{style.slug}_{number:03d}" for style in styles for number in range(len(sources))]
    write_notes(folder, wae, labels, every, played, weights)
    page = AudioPage(
        title=f"{settings.sound.stem} in {f'{len(styles)} styles' if len(styles) > 1 else styles[0].caption}",
        lead=f"{count_notes(len(sources))}, each encoded to a latent of {wae.latent} by {wae.name}, and decoded with "
        f"another {wae.label}.",
        rows=_rows(settings.sound.name, shown, len(sources)),
        sample_rate=rate,
        facts=session.facts() | {"Notes": _describe_notes(sources, notes)},
        maker=MAKER,
    )
    write_and_list(page, settings)


def _playable(
    settings: TransferSettings, sources: Sequence[SourceNote], wae: "WaeModel"
) -> tuple[list[SourceNote], NDArray[np.intp]]:
    """Return the notes to decode, and their MIDI pitches.

    Raises: ModelError for a given note outside the model's range; AudioError for detected ones outside it.
    """
    if settings.note is not None:
        return list(sources), wae.check_notes(settings.note).repeat(len(sources))
    score = Score(tuple(Note(float(number), 1.0, one.note) for number, one in enumerate(sources)))
    kept = playable(
        score,
        range(wae.notes[0], wae.notes[-1] + 1),
        transpose=settings.transpose,
        skip_unknown=settings.skip_unknown,
        name=wae.name,
    )
    return [sources[int(note.start)] for note in kept], np.asarray([note.pitch for note in kept], np.intp)


def overlay_notes(
    sources: Sequence[SourceNote], sounds: Audio, samples: int, sample_rate: int, release: float
) -> Audio:
    """Place decoded notes where their sources were, at their levels and audible lengths, with a release in seconds.

    A sum above full scale is normalised to it. Shapes: sounds (n, any) -> (samples or a release more,).
    """
    notes = []
    for one, sound in zip(sources, sounds, strict=True):
        fall = min(round(release * sample_rate), len(sound))
        held = min(max(1, round(one.seconds * sample_rate)), len(sound) - fall)
        shaped = sound[: held + fall] * envelope(held, attack=0, release=fall)
        notes.append((round(one.start * sample_rate), normalise_peak(shaped) * np.float32(np.abs(one.audio).max())))
    whole = np.concatenate(list(mix(notes)))
    whole = np.pad(whole, (0, max(samples - len(whole), 0)))
    return np.asarray(whole / max(1.0, float(np.abs(whole).max())), np.float32)


def _rows(title: str, shown: Sequence[Clip], notes: int) -> list[ClipRow]:
    """Return one row for a single note in all styles, else a large row for the melody in each style."""
    if notes == 1:
        return [ClipRow(title, shown)]
    return [ClipRow(one.caption, [one]) for one in shown]


def _describe_notes(sources: Sequence[SourceNote], notes: NDArray[np.intp]) -> str:
    """List the notes and their onsets, up to MOST_LISTED of them."""
    words = [f"{note_name(int(note))} at {one.start:.2f} s" for one, note in zip(sources, notes, strict=True)]
    return ", ".join(words[:MOST_LISTED]) + (
        f", and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    )


MOST_LISTED = 40
"""Notes that a page lists one by one."""


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.transfer"))
