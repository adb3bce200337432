"""Reconstruct notes of a test split, or sounds of the user: `inversynth wae reconstruct`.

A note is encoded to a latent and decoded with its pitch and style. A page plays and draws both, and three metrics
compare their spectrograms before the vocoder.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.audio import check_audible, resample
from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, SettingsError, look_up, unknown
from generators.files import write_text
from generators.notes.pitches import note_name
from inversynth.audio_command import check_count, write_and_list
from inversynth.inputs import MidiNote, check_inputs_kept, log_conversion, unique_names
from inversynth.report.audio_page import AudioPage, Clip, ClipRow
from inversynth.report.tables import csv_text, text_table
from inversynth.wae.plots import draw_reconstruction
from inversynth.wae.segmentation import midi_note_of, read_whole_note
from inversynth.wae.session import MAKER, WaeSettings, open_session, parse_mixture, slug

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

MEASURES_FILE = "measures.csv"

HEAD = {"rmse": "RMSE", "lsd": "LSD, dB", "convergence": "convergence"}
DIGITS = {"rmse": 4, "lsd": 2, "convergence": 3}


class ReconstructSettings(WaeSettings):
    """Encode and decode notes of a test split, or sounds of your own, and compare them on a page."""

    flags_only: ClassVar = WaeSettings.flags_only | {"sounds", "dataset_file", "count", "note", "style"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="sounds of one note each")
    dataset_file: Path | None = Field(
        None, description="in place of sounds: a dataset of notes, whose test split is used"
    )
    count: int = Field(8, ge=1, le=1000, description="notes of the dataset, evenly spaced over its test split")
    note: MidiNote = Field(None, description="of all sounds, C4 or 60; by default the detected pitch")
    style: str = Field(
        "", description="of all sounds, or a mixture; by default the style of the smallest error, for each"
    )
    output_dir: Path = Field(
        Path("output/wae/reconstruct"),
        description=f"where the sounds, {MEASURES_FILE}, spectrograms and page are written",
    )


@dataclass(frozen=True)
class NoteBatch:
    """Notes to reconstruct: names, audio (n, any) at the model's rate, MIDI notes (n,), style weights (n, styles).

    `styles` names the styles; it is empty, as are the weights, where they are unknown.
    """

    names: Sequence[str]
    audio: NDArray[np.float32]
    notes: NDArray[np.intp]
    styles: Sequence[str]
    weights: NDArray[np.float32]


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae reconstruct") -> int:
    """Reconstruct notes; returns the exit code."""
    return run_command(ReconstructSettings, _run, argv, prog, resumes=False)


def _run(settings: ReconstructSettings) -> None:
    _check(settings)
    session = open_session(settings)
    wae, folder = session.wae, settings.output_dir
    given = _of_sounds(settings, wae) if settings.sounds else _of_dataset(settings, wae)
    spectrograms = wae.spectrograms_of(given.audio)
    latents = wae.encode_spectrograms(spectrograms)
    if not given.styles:
        given = nearest_styles(given, spectrograms, latents, wae)
    found = wae.decode_spectrograms(latents, given.notes, given.weights)

    from generators.analysis.mel import prepare_notes
    from models.wae.metrics import reconstruction_errors

    scores = reconstruction_errors(spectrograms, found)
    names = unique_names(
        slug(f"{name}_{note_name(int(note), settings.note_names)}_{style}" if settings.dataset_file else name)
        for name, note, style in zip(given.names, given.notes, given.styles, strict=True)
    )
    outputs = (folder / f"{name}_{part}.wav" for name in names for part in ("input", "output"))
    check_inputs_kept(outputs, settings.sounds)
    inputs = prepare_notes(given.audio, wae.samples)
    made = session.sounds(latents, given.notes, given.weights)
    head = ["note", "pitch", wae.label, *HEAD.values()]
    lines = [
        [
            name,
            note_name(int(note), settings.note_names),
            style,
            *(f"{scores[key][row]:.{DIGITS[key]}f}" for key in HEAD),
        ]
        for row, (name, note, style) in enumerate(zip(names, given.notes, given.styles, strict=True))
    ]
    means = ["mean", "", "", *(f"{scores[key].mean():.{DIGITS[key]}f}" for key in HEAD)]
    rows = [
        ClipRow(
            f"{note_name(int(note), settings.note_names)} · {style}",
            [Clip(f"{name}_input", before, "input"), Clip(f"{name}_output", after, "reconstruction")],
            "RMSE {}, LSD {} dB, spectral convergence {}".format(*line[3:]),
            name,
            f"Mel spectrograms of {name} and its reconstruction",
            partial(draw_reconstruction, spectrogram, back, wae.seconds),
        )
        for name, note, style, before, after, line, spectrogram, back in zip(
            names, given.notes, given.styles, inputs, made, lines, spectrograms, found, strict=True
        )
    ]
    exact = [[*line[:3], *(float(scores[key][row]) for key in HEAD)] for row, line in enumerate(lines)]
    write_text(folder / MEASURES_FILE, csv_text(["note", "pitch", wae.label, *HEAD], exact))
    page = AudioPage(
        title=f"{len(names)} note{'s' if len(names) > 1 else ''} and reconstruction{'s' if len(names) > 1 else ''}",
        lead=f"Each note was encoded to a latent of {wae.latent} by {wae.name}, and decoded with its pitch and "
        f"{wae.label}.",
        rows=rows,
        sample_rate=session.sample_rate,
        facts=session.facts() | _page_facts(settings),
        maker=MAKER,
        table=[head, *lines, means],
    )
    write_and_list(page, settings)
    print(text_table(head, [*lines, means]))


def _page_facts(settings: ReconstructSettings) -> dict[str, str]:
    return {
        "Notes": f"of the test split of {settings.dataset_file.name}"
        if settings.dataset_file
        else "sounds of your own",
        "Measures": "of spectrograms: RMSE of log(1 + magnitude); LSD, log-spectral distance above 0.005; spectral "
        "convergence, the norm of the difference over that of the input",
    }


def nearest_styles(
    given: NoteBatch, spectrograms: NDArray[np.float32], latents: NDArray[np.float32], wae: "WaeModel"
) -> NoteBatch:
    """Give each note the style of the smallest reconstruction error."""
    from models.wae.metrics import reconstruction_errors

    eye = np.eye(len(wae.styles), dtype=np.float32)
    errors = [
        reconstruction_errors(
            spectrograms, wae.decode_spectrograms(latents, given.notes, np.tile(row, (len(latents), 1)))
        )["rmse"]
        for row in eye
    ]
    best = np.argmin(errors, axis=0)
    return NoteBatch(given.names, given.audio, given.notes, [wae.styles[number] for number in best], eye[best])


def _of_sounds(settings: ReconstructSettings, wae: "WaeModel") -> NoteBatch:
    """Read sounds. Raises: AudioError, ModelError."""
    style = parse_mixture(settings.style, wae) if settings.style else None
    sources = [read_whole_note(path, wae) for path in settings.sounds]
    notes = np.asarray([midi_note_of(one, wae, settings.note, settings.note_names) for one in sources], np.intp)
    weights = np.empty((0, len(wae.styles)), np.float32)
    if style:
        weights = style.weights[None].repeat(len(sources), axis=0)
    styles = [style.caption] * len(sources) if style else []
    return NoteBatch([one.name for one in sources], np.stack([one.audio for one in sources]), notes, styles, weights)


def _of_dataset(settings: ReconstructSettings, wae: "WaeModel") -> NoteBatch:
    """Read notes of a test split. Raises: DatasetError, ModelError."""
    from models.notes.data import WholeNotes
    from models.training.splits import evenly_spaced

    assert settings.dataset_file is not None
    with Dataset(settings.dataset_file) as dataset:
        rows = evenly_spaced(WholeNotes(dataset, seed=settings.seed).rows("test"), settings.count)
        if wae.label not in dataset.labels:
            raise DatasetError(f"{unknown('label', wae.label, dataset.labels)}, in {dataset.path}")
        audio, classes, label = dataset.read_columns(rows, ("audio", "classes", wae.label))
        names, rate = dataset.card.names_of(wae.label), dataset.card.sample_rate
    known = {name: number for number, name in enumerate(wae.styles)}
    styles = [names[number] for number in label]
    numbers = [look_up(wae.label, name, known, ModelError) for name in styles]
    log_conversion(settings.dataset_file, rate, 1, wae.analysis.sample_rate)
    for row, sound in zip(rows, audio, strict=True):
        check_audible(sound, f"note {row} of {settings.dataset_file}")
    resampled = np.stack([resample(sound, rate, wae.analysis.sample_rate) for sound in audio])
    notes = wae.check_notes(classes[:, 0])
    weights = np.eye(len(known), dtype=np.float32)[numbers]
    return NoteBatch([f"note{row:05d}" for row in rows], resampled, notes, styles, weights)


def _check(settings: ReconstructSettings) -> None:
    if bool(settings.sounds) == (settings.dataset_file is not None):
        received = "both" if settings.sounds else "neither"
        raise SettingsError(f"name what to reconstruct: sounds or --dataset_file. Received: {received}. See --help")
    unused = {"count"} if settings.sounds else {"note", "style"}
    for name in sorted(unused & settings.model_fields_set):
        goes = "--dataset_file" if settings.sounds else "sounds; notes of a dataset have theirs"
        raise SettingsError(f"--{name} goes with {goes}. Received: --{name} {getattr(settings, name)}. Leave it out")
    check_count(len(settings.sounds), f"{len(settings.sounds)} sounds")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.reconstruct"))
