"""Transfer a sound to other styles: `inversynth wae transfer SOUND --style flute`.

The sound is split at its onsets. Each note is encoded to a latent, which is decoded with the new style at the detected
pitch, and placed where the note was, at its level and for its audible length. Pitches are rounded to semitones: a glide
or a vibrato is lost unless the latent holds it.
"""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import normalise_peak
from generators.command import run_command
from generators.errors import InversynthError, SettingsError
from generators.notes.pitches import NoteNames, note_name
from inversynth.audio_command import check_count, write_and_list
from inversynth.inputs import MidiNote, check_inputs_kept, unique_names
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, Score
from inversynth.playback.mixdown import mix, write_mix
from inversynth.playback.play import count_notes
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import AudioPage, Clip, ClipRow, WrittenSound
from inversynth.wae.resampling import resampled_blocks
from inversynth.wae.segmentation import NotePlace, read_whole_note, segment_notes
from inversynth.wae.session import (
    MAKER,
    NOTES_FILE,
    STYLES,
    Mixture,
    Session,
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
    batch_size: int = Field(2, ge=1, le=1024, description="notes made at once, 30 MB of memory each")
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
    places, latents, notes = _playable(settings, *_encode(settings, wae), wae)
    check_count(len(places) * len(styles), f"{count_notes(len(places))} in {len(styles)} styles")
    stem = slug(settings.sound.stem)
    names = unique_names([f"{stem}_original", *(f"{stem}_{style.slug}" for style in styles)])
    paths = [folder / f"{name}.wav" for name in names]
    check_inputs_kept(paths, [settings.sound])
    with removed_on_error(paths):
        _write_sounds(session, settings, paths, places, latents, notes, styles)
    captions = ["original", *(style.caption for style in styles)]
    shown = [
        Clip(name, WrittenSound(path), caption) for name, path, caption in zip(names, paths, captions, strict=True)
    ]
    labels = [f"{style.slug}_{number:03d}" for style in styles for number in range(len(places))]
    count = len(styles)
    weights = np.repeat([style.weights for style in styles], len(places), axis=0)
    write_notes(folder, wae, labels, np.tile(latents, (count, 1)), np.tile(notes, count), weights)
    page = AudioPage(
        title=f"{settings.sound.stem} in {f'{count} styles' if count > 1 else styles[0].caption}",
        lead=f"{count_notes(len(places))}, each encoded to a latent of {wae.latent} by {wae.name}, and decoded with "
        f"another {wae.label}.",
        rows=_rows(settings.sound.name, shown, len(places)),
        sample_rate=rate,
        facts=session.facts() | {"Notes": _describe_notes(places, notes, settings.note_names)},
        maker=MAKER,
    )
    write_and_list(page, settings)


def _write_sounds(
    session: Session,
    settings: TransferSettings,
    paths: Sequence[Path],
    places: Sequence[NotePlace],
    latents: NDArray[np.float32],
    notes: NDArray[np.intp],
    styles: Sequence[Mixture],
) -> None:
    """Write the original at the model's rate, and the sound in each style, piece by piece."""
    from tqdm import tqdm

    rate = session.sample_rate
    write_mix(paths[0], resampled_blocks(settings.sound, rate), rate, keep_level=True)
    samples = len(WrittenSound(paths[0]))
    with tqdm(total=len(places) * len(styles), desc="making", unit="notes", disable=None) as bar:
        for style, path in zip(styles, paths[1:], strict=True):
            weights = np.repeat(style.weights[np.newaxis], len(places), axis=0)
            sounds = session.decoded(latents, notes, weights, bar.update)
            write_mix(path, overlay_notes(places, sounds, samples, rate, settings.release), rate)


@contextmanager
def removed_on_error(paths: Sequence[Path]) -> Iterator[None]:
    """Remove files, and their folder where it was not there, when an error of ours ends the block."""
    folder = paths[0].parent
    there = folder.exists()
    try:
        yield
    except InversynthError:
        for path in paths:
            path.unlink(missing_ok=True)
        if not there:
            with suppress(OSError):
                folder.rmdir()
        raise


def _encode(settings: TransferSettings, wae: "WaeModel") -> tuple[list[NotePlace], NDArray[np.float32]]:
    """Encode the notes of the sound, of which a batch is held at a time. Shapes: -> n places, latents (n, latent)."""
    whole = settings.whole
    sources = iter([read_whole_note(settings.sound, wae)]) if whole else segment_notes(settings.sound, wae)
    places, latents = [], []
    while batch := list(itertools.islice(sources, settings.batch_size)):
        places += [one.place for one in batch]
        latents.append(wae.encode(np.stack([one.audio for one in batch]), settings.batch_size))
    return places, np.concatenate(latents)


def _playable(
    settings: TransferSettings, places: Sequence[NotePlace], latents: NDArray[np.float32], wae: "WaeModel"
) -> tuple[list[NotePlace], NDArray[np.float32], NDArray[np.intp]]:
    """Return the notes to decode: places, latents and MIDI pitches.

    Raises: ModelError for a given note outside the model's range; AudioError for detected ones outside it.
    """
    if settings.note is not None:
        return list(places), latents, wae.check_notes(settings.note).repeat(len(places))
    score = Score(tuple(Note(float(number), 1.0, one.note) for number, one in enumerate(places)))
    kept = playable(
        score,
        range(wae.notes[0], wae.notes[-1] + 1),
        transpose=settings.transpose,
        skip_unknown=settings.skip_unknown,
        name=wae.name,
    )
    rows = [int(note.start) for note in kept]
    return [places[row] for row in rows], latents[rows], np.asarray([note.pitch for note in kept], np.intp)


def overlay_notes(
    places: Sequence[NotePlace], sounds: Iterable[Audio], samples: int, sample_rate: int, release: float
) -> Iterator[Audio]:
    """Place decoded notes where their sources were, at their levels and audible lengths, with a release in seconds.

    Shapes: sounds (any,) each -> pieces of (samples or a release more,) in all.
    """

    def placed() -> Iterator[tuple[int, Audio]]:
        for one, sound in zip(places, sounds, strict=True):
            fall = min(round(release * sample_rate), len(sound))
            held = min(max(1, round(one.seconds * sample_rate)), len(sound) - fall)
            shaped = sound[: held + fall] * envelope(held, attack=0, release=fall)
            yield round(one.start * sample_rate), normalise_peak(shaped) * np.float32(one.peak)
        yield samples, np.empty(0, np.float32)  # silence up to the end of the original

    return mix(placed())


def _rows(title: str, shown: Sequence[Clip], notes: int) -> list[ClipRow]:
    """Return one row for a single note in all styles, else a large row for the melody in each style."""
    if notes == 1:
        return [ClipRow(title, shown)]
    return [ClipRow(one.caption, [one]) for one in shown]


def _describe_notes(places: Sequence[NotePlace], notes: NDArray[np.intp], names: NoteNames) -> str:
    """List the notes and their onsets, up to MOST_LISTED of them."""
    words = [f"{note_name(int(note), names)} at {one.start:.2f} s" for one, note in zip(places, notes, strict=True)]
    return ", ".join(words[:MOST_LISTED]) + (
        f", and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    )


MOST_LISTED = 40
"""Notes that a page lists one by one."""


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.transfer"))
