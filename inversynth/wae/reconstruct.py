"""What comes back of notes: `inversynth wae reconstruct`, of the test of a dataset or of sounds of one's own.

A note becomes a few numbers, and these with its pitch and style a note again. Both are heard and drawn, and three
measures say how far apart their pictures are, before any sound is made of them.
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
from generators.notes.pitches import note_name
from inversynth.neurosynth.shape import check_apart
from inversynth.nsynth.encode import MidiNote, tell_conversion
from inversynth.patches.patch import write_text
from inversynth.report.audio_page import Row, Showing, Shown, check_count, tell_showing
from inversynth.report.tables import csv_text, text_table
from inversynth.wae.plots import draw_reconstruction
from inversynth.wae.segmentation import hear_note, note_of
from inversynth.wae.session import MAKER, WaeSettings, apart, mixture, open_studio, slug

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

MEASURES_FILE = "measures.csv"

HEAD = {"rmse": "RMSE", "lsd": "LSD, dB", "convergence": "convergence"}
DIGITS = {"rmse": 4, "lsd": 2, "convergence": 3}


class ReconstructSettings(WaeSettings):
    """Turn notes into a few numbers and back, and hear both: of a dataset's test, or sounds of your own."""

    flags_only: ClassVar = WaeSettings.flags_only | {"sounds", "dataset_file", "count", "note", "style"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="sounds of one note each")
    dataset_file: Path | None = Field(None, description="in place of sounds: a dataset of notes, of whose test to take")
    count: int = Field(8, ge=1, le=1000, description="notes of the dataset, evenly spread over its test")
    note: MidiNote = Field(None, description="of all sounds, C4 or 60; by default the pitch that is heard")
    style: str = Field("", description="of all sounds, or a mixture; by default the one that brings back most of each")
    output_directory: Path = Field(
        Path("output/wae/reconstruct"), description=f"where the sounds, {MEASURES_FILE}, pictures and page are written"
    )


@dataclass(frozen=True)
class Given:
    """Notes to bring back: names, audio (n, any) at the model's rate, MIDI notes (n,), weights (n, styles).

    `styles` names them; where it is empty, so are the weights.
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
    studio = open_studio(settings)
    maker, folder = studio.maker, settings.output_directory
    given = _of_sounds(settings, maker) if settings.sounds else _of_dataset(settings, maker)
    pictures = maker.pictures_of(given.audio)
    latents = maker.latents_of(pictures)
    if not given.styles:
        given = nearest_styles(given, pictures, latents, maker)
    found = maker.pictures(latents, given.notes, given.weights)

    from generators.analysis.mel import whole_note
    from models.wae.metrics import reconstruction

    scores = reconstruction(pictures, found)
    names = apart(
        slug(f"{name}_{note_name(int(note))}_{style}" if settings.dataset_file else name)
        for name, note, style in zip(given.names, given.notes, given.styles, strict=True)
    )
    check_apart((folder / f"{name}_{part}.wav" for name in names for part in ("input", "output")), settings.sounds)
    inputs = whole_note(given.audio, maker.samples)
    made = studio.sounds(latents, given.notes, given.weights)
    head = ["note", "pitch", maker.label, *HEAD.values()]
    lines = [
        [name, note_name(int(note)), style, *(f"{scores[key][row]:.{DIGITS[key]}f}" for key in HEAD)]
        for row, (name, note, style) in enumerate(zip(names, given.notes, given.styles, strict=True))
    ]
    means = ["mean", "", "", *(f"{scores[key].mean():.{DIGITS[key]}f}" for key in HEAD)]
    rows = [
        Row(
            f"{note_name(int(note))} · {style}",
            [Shown(f"{name}_input", before, "input"), Shown(f"{name}_output", after, "reconstruction")],
            "RMSE {}, LSD {} dB, spectral convergence {}".format(*line[3:]),
            name,
            f"Mel magnitudes of {name} and of what came back",
            partial(draw_reconstruction, picture, back, maker.seconds),
        )
        for name, note, style, before, after, line, picture, back in zip(
            names, given.notes, given.styles, inputs, made, lines, pictures, found, strict=True
        )
    ]
    exact = [[*line[:3], *(float(scores[key][row]) for key in HEAD)] for row, line in enumerate(lines)]
    write_text(folder / MEASURES_FILE, csv_text(["note", "pitch", maker.label, *HEAD], exact))
    showing = Showing(
        title=f"{len(names)} note{'s' if len(names) > 1 else ''} and what comes back",
        lead=f"Each note was turned into {maker.latent} numbers by {maker.name}, and these, with its pitch and its "
        f"{maker.label}, into a note again.",
        rows=rows,
        sample_rate=studio.sample_rate,
        facts=studio.facts() | _meaning(settings),
        maker=MAKER,
        table=[head, *lines, means],
    )
    tell_showing(showing, settings)
    print(text_table(head, [*lines, means]))


def _meaning(settings: ReconstructSettings) -> dict[str, str]:
    return {
        "Notes": f"of the test of {settings.dataset_file.name}" if settings.dataset_file else "sounds of your own",
        "Measures": "of pictures: RMSE of log(1 + magnitude); LSD, log-spectral distance above 0.005; spectral "
        "convergence, the norm of the difference over that of the input",
    }


def nearest_styles(
    given: Given, pictures: NDArray[np.float32], latents: NDArray[np.float32], maker: "WaeModel"
) -> Given:
    """Give each note the style in which most of it comes back: the one with the least error of its picture."""
    from models.wae.metrics import reconstruction

    eye = np.eye(len(maker.styles), dtype=np.float32)
    errors = [
        reconstruction(pictures, maker.pictures(latents, given.notes, np.tile(row, (len(latents), 1))))["rmse"]
        for row in eye
    ]
    best = np.argmin(errors, axis=0)
    return Given(given.names, given.audio, given.notes, [maker.styles[number] for number in best], eye[best])


def _of_sounds(settings: ReconstructSettings, maker: "WaeModel") -> Given:
    """Read sounds. Raises: AudioError, ModelError."""
    style = mixture(settings.style, maker) if settings.style else None
    heard = [hear_note(path, maker) for path in settings.sounds]
    notes = np.asarray([note_of(one, maker, settings.note) for one in heard], np.intp)
    weights = np.empty((0, len(maker.styles)), np.float32)
    if style:
        weights = style.weights[None].repeat(len(heard), axis=0)
    styles = [style.caption] * len(heard) if style else []
    return Given([one.name for one in heard], np.stack([one.audio for one in heard]), notes, styles, weights)


def _of_dataset(settings: ReconstructSettings, maker: "WaeModel") -> Given:
    """Read notes of a test. Raises: DatasetError, ModelError."""
    from models.notes.data import WholeNotes

    assert settings.dataset_file is not None
    with Dataset(settings.dataset_file) as dataset:
        rows = WholeNotes(dataset, seed=settings.seed).rows("test")
        rows = rows[np.linspace(0, len(rows) - 1, min(settings.count, len(rows))).astype(np.intp)]
        if maker.label not in dataset.labels:
            raise DatasetError(f"{unknown('label', maker.label, dataset.labels)}, in {dataset.path}")
        audio, classes, label = dataset.read_columns(rows, ("audio", "classes", maker.label))
        names, rate = dataset.card.names[maker.label], dataset.card.sample_rate
    known = {name: number for number, name in enumerate(maker.styles)}
    styles = [names[number] for number in label]
    kinds = [look_up(maker.label, name, known, ModelError) for name in styles]
    tell_conversion(settings.dataset_file, rate, 1, maker.analysis.sample_rate)
    for row, sound in zip(rows, audio, strict=True):
        check_audible(sound, f"note {row} of {settings.dataset_file}")
    heard = np.stack([resample(sound, rate, maker.analysis.sample_rate) for sound in audio])
    notes = maker.check_notes(classes[:, 0])
    weights = np.eye(len(known), dtype=np.float32)[kinds]
    return Given([f"note{row:05d}" for row in rows], heard, notes, styles, weights)


def _check(settings: ReconstructSettings) -> None:
    if bool(settings.sounds) == (settings.dataset_file is not None):
        received = "both" if settings.sounds else "neither"
        raise SettingsError(f"name what to bring back: sounds or --dataset_file. Received: {received}. See --help")
    strangers = {"count"} if settings.sounds else {"note", "style"}
    for name in sorted(strangers & settings.model_fields_set):
        goes = "--dataset_file" if settings.sounds else "sounds; notes of a dataset have theirs"
        raise SettingsError(f"--{name} goes with {goes}. Received: --{name} {getattr(settings, name)}. Leave it out")
    check_count(len(settings.sounds), f"{len(settings.sounds)} sounds")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.reconstruct"))
