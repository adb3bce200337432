"""A sound in other styles: `inversynth wae transfer SOUND --style flute`.

The sound is taken apart at its onsets. Each note becomes a latent, which is decoded with the new style at the pitch
that was heard; it comes back where it was, as loud as it was and for as long as it was heard. Notes are those of the
tempered scale: a glide or a vibrato is lost, unless the latent tells of it.
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
from inversynth.neurosynth.shape import check_apart
from inversynth.nsynth.encode import MidiNote
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, Score
from inversynth.playback.mixdown import mix
from inversynth.playback.play import counted
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import Row, Showing, Shown, check_count, tell_showing
from inversynth.wae.segmentation import Heard, hear_note, hear_notes
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    STYLES,
    WaeSettings,
    apart,
    check_told,
    mixtures,
    open_studio,
    slug,
    write_notes,
)

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

Audio = NDArray[np.float32]


class TransferSettings(WaeSettings):
    """Make a sound, or a melody note by note, again in other styles: a WAV and a picture each, and a page."""

    flags_only: ClassVar = WaeSettings.flags_only | {
        *("sound", "style", "note", "transpose", "skip_unknown", "whole", "release"),
    }

    sound: CliPositionalArg[Path] = Field(description="the sound, of any rate, length and channel count")
    style: str = Field("", description=f"{STYLES}; by default each style of the model once")
    note: MidiNote = Field(None, description="C4 or 60, for all notes; by default the pitch that is heard of each")
    transpose: int = Field(0, ge=-127, le=127, description="semitones to move all notes by")
    skip_unknown: CliToggleFlag[bool] = Field(False, description="leave out notes that the model does not know")
    whole: CliToggleFlag[bool] = Field(False, description="take the sound as one note, whatever begins in it")
    release: float = Field(0.1, ge=0, le=10, allow_inf_nan=False, description="seconds in which a note falls silent")
    output_directory: Path = Field(
        Path("output/wae/transfer"), description=f"where the sounds, {NOTES_FILE}, pictures and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae transfer") -> int:
    """Transfer a sound to other styles; returns the exit code."""
    return run_command(TransferSettings, _run, argv, prog, resumes=False)


def _run(settings: TransferSettings) -> None:
    if settings.note is not None and settings.transpose:
        raise SettingsError("--note names the note. Received: --transpose as well. Leave one of them out")
    studio = open_studio(settings)
    maker, rate, folder = studio.maker, studio.sample_rate, settings.output_directory
    check_told(maker)
    styles = mixtures(settings.style, maker)
    heard = [hear_note(settings.sound, maker)] if settings.whole else hear_notes(settings.sound, maker)
    heard, notes = _playable(settings, heard, maker)
    check_count(len(heard) * len(styles), f"{counted(len(heard))} in {len(styles)} styles")
    stem = slug(settings.sound.stem)
    names = apart([f"{stem}_original", *(f"{stem}_{style.slug}" for style in styles)])
    check_apart((folder / f"{name}.wav" for name in names), [settings.sound])
    latents = maker.encode(np.stack([one.audio for one in heard]))
    weights = np.repeat([style.weights for style in styles], len(heard), axis=0)
    every, played = np.tile(latents, (len(styles), 1)), np.tile(notes, len(styles))
    made = studio.sounds(every, played, weights).reshape(len(styles), len(heard), -1)
    given = read_audio(settings.sound)
    original = resample(given.audio, given.sample_rate, rate)
    whole = [lay(heard, sounds, len(original), rate, settings.release) for sounds in made]
    captions = ["original", *(style.caption for style in styles)]
    shown = [Shown(*one) for one in zip(names, [original, *whole], captions, strict=True)]
    labels = [f"{style.slug}_{number:03d}" for style in styles for number in range(len(heard))]
    write_notes(folder, maker, labels, every, played, weights)
    showing = Showing(
        title=f"{settings.sound.stem} in {f'{len(styles)} styles' if len(styles) > 1 else styles[0].caption}",
        lead=f"{counted(len(heard))}: each was turned into {maker.latent} numbers by {maker.name}, and these into a "
        f"note again, of another {maker.label}.",
        rows=_rows(settings.sound.name, shown, len(heard)),
        sample_rate=rate,
        facts=studio.facts() | {"Notes": _told(heard, notes)},
        maker=MAKER,
    )
    tell_showing(showing, settings)


def _playable(
    settings: TransferSettings, heard: Sequence[Heard], maker: "WaeModel"
) -> tuple[list[Heard], NDArray[np.intp]]:
    """Return the notes that are decoded, and at which pitch.

    Raises: ModelError for one given that the model does not know; AudioError for those heard.
    """
    if settings.note is not None:
        return list(heard), maker.check_notes(settings.note).repeat(len(heard))
    score = Score(tuple(Note(float(number), 1.0, one.note) for number, one in enumerate(heard)))
    kept = playable(
        score,
        range(maker.notes[0], maker.notes[-1] + 1),
        transpose=settings.transpose,
        skip_unknown=settings.skip_unknown,
        name=maker.name,
    )
    return [heard[int(note.start)] for note in kept], np.asarray([note.pitch for note in kept], np.intp)


def lay(heard: Sequence[Heard], sounds: Audio, samples: int, sample_rate: int, release: float) -> Audio:
    """Lay made notes where those heard were: as loud, and as long, and then down to silence in `release` seconds.

    A sum beyond full scale is turned down to just reach it. Shapes: sounds (n, any) -> (samples or a release more,).
    """
    notes = []
    for one, sound in zip(heard, sounds, strict=True):
        fall = min(round(release * sample_rate), len(sound))
        held = min(max(1, round(one.seconds * sample_rate)), len(sound) - fall)
        shaped = sound[: held + fall] * envelope(held, attack=0, release=fall)
        notes.append((round(one.start * sample_rate), normalise_peak(shaped) * np.float32(np.abs(one.audio).max())))
    whole = np.concatenate(list(mix(notes)))
    whole = np.pad(whole, (0, max(samples - len(whole), 0)))
    return np.asarray(whole / max(1.0, float(np.abs(whole).max())), np.float32)


def _rows(title: str, shown: Sequence[Shown], notes: int) -> list[Row]:
    """Show a melody large in each style, and single notes side by side."""
    if notes == 1:
        return [Row(title, shown)]
    return [Row(one.caption, [one]) for one in shown]


def _told(heard: Sequence[Heard], notes: NDArray[np.intp]) -> str:
    """Write when which notes begin, the first of them where there are many."""
    words = [f"{note_name(int(note))} at {one.start:.2f} s" for one, note in zip(heard, notes, strict=True)]
    return ", ".join(words[:MOST_TOLD]) + (f", and {len(words) - MOST_TOLD} more" if len(words) > MOST_TOLD else "")


MOST_TOLD = 40
"""Notes that a page tells one by one."""


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.transfer"))
