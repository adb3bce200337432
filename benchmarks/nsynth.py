"""Reconstructions of held-out notes, measured by a classifier and by a pitch tracker.

`python -m benchmarks.nsynth --classifier RUN --models RUN,RUN --dataset FILE` measures WaveNet autoencoders and
spectral baselines beside the notes themselves.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from benchmarks.page import Section, publish
from generators.command import run_command
from generators.dataset import Dataset
from generators.errors import ModelError
from generators.files import written_whole
from generators.settings import Settings
from models.notes.classifier import NOTE_CLASSIFIER
from models.nsynth.presets import NSYNTH, NSYNTH_BASELINE

PUBLISHED = {"the notes": 0.916, "WaveNet": 0.796, "spectral baseline": 0.734}
"""Pitch accuracy by the classifier of Engel et al. 2017, on NSynth's own test notes: recalled, and not checked against
the paper."""

SHARES = {
    **{"pitch": "exact pitch", "near": "± a semitone", "tracked": "YIN ± a semitone", "octave": "octaves away"},
    **{"reached": "of notes in tune", "as_original": "as the note", "family": "family"},
}
BITS = {"nll": "bits", "unigram": "unigram", "gain": "gain"}


@dataclass(frozen=True)
class Row:
    """Scores of one system: shares of notes in 0..1, and bits per sample where it has a likelihood."""

    name: str
    scores: Mapping[str, float]

    def cells(self) -> list[str]:
        shares = [f"{100 * self.scores[key]:.1f} %" if key in self.scores else "" for key in SHARES]
        bits = [f"{self.scores[key]:.2f}" if key in self.scores else "" for key in BITS]
        return [self.name, *shares, *bits]


def name_of(card: Any) -> str:
    """Return the name of a system and the length of its training, from its card."""
    names = {"pitch_conditioning": ", pitch conditioning", "sine_conditioning": ", sines"}
    condition = "".join(name for option, name in names.items() if card.features.get(option))
    system = "spectral baseline" if card.model == NSYNTH_BASELINE else "WaveNet"
    epoch, steps = card.training.get("epoch"), card.training.get("steps_per_epoch")
    long = f", {epoch * steps:,} steps" if epoch and steps else f", {epoch} epochs" if epoch else ""
    return f"{system}, {card.features.get('size', '')}{condition}{long}"


def section(rows: Sequence[Row], count: int, dataset: str) -> Section:
    """Write the section of the page."""
    published = [Row(f"published: {name}", {"pitch": share}) for name, share in PUBLISHED.items()]
    return Section(
        "nsynth",
        "NSynth: reconstructed notes",
        1,
        ["sound", *SHARES.values(), *BITS.values()],
        [row.cells() for row in (*rows, *published)],
        text=f"{count:,} notes of {dataset}, evenly spaced over its test split, which no network was trained on. "
        "*Exact pitch*, *± a semitone* and *family* are by a classifier (`--model note-classifier`); *YIN* compares "
        "the pitch by YIN with the MIDI note, *of notes in tune* for those that are within a semitone themselves, "
        "*as the note* with YIN's pitch of the original (some instruments sound an octave lower than written, and "
        "count as *octaves away*). *Bits* per sample are the model's negative log likelihood, *unigram* the least that "
        "is possible without context, and *gain* is the difference. A network conditioned on sines has their phase "
        "from the note: at most 13 numbers for the 2,048 samples measured, with 8 bits each 0.05 bits a sample.",
        after="The published figures are recalled and were not checked against the paper; they are of other notes "
        "(NSynth's own), of networks of the full size, and of another classifier.",
        packages=("numpy", "librosa", "keras", "tensorflow"),
    )


class NSynthBenchmarkSettings(Settings):
    """Measure reconstructions of held-out notes by note autoencoders."""

    flags_only: ClassVar = frozenset(
        {"classifier", "models", "dataset", "count", "temperatures", "seed", "output", "dry"}
    )

    classifier: str = Field(
        NOTE_CLASSIFIER, description="run folder, .keras file, or name of a bundled model, of a note-classifier"
    )
    models: list[str] = Field(
        ["nsynth"], min_length=1, description="run folders, .keras files, or names of bundled models: a,b,c"
    )
    dataset: Path = Field(Path("test_datasets/notes.hdf5"), description="dataset of notes, whose test split is used")
    count: int = Field(256, ge=1, description="notes that are reconstructed")
    temperatures: list[float] = Field(
        [], description="temperatures at which WaveNets are sampled, a row each; by default that of each network"
    )
    seed: int = Field(0, ge=0, description="of the split, where notes are not labelled with one")
    output: Path | None = Field(None, description="also write every figure here, as JSON")
    dry: bool = Field(False, description="print the section and leave docs/benchmarks.md alone")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and rewrite the section; returns the exit code."""
    return run_command(NSynthBenchmarkSettings, _run, argv, "python -m benchmarks.nsynth", resumes=False)


def _run(settings: NSynthBenchmarkSettings) -> None:
    from inversynth.pretrained import find_model
    from models.model_files import read_card

    paths = [find_model(name) for name in settings.models]
    for path in paths:
        card = read_card(path)
        if card.model not in (NSYNTH, NSYNTH_BASELINE):
            raise ModelError(
                f"notes are reconstructed by {NSYNTH} or {NSYNTH_BASELINE}. Received: {card.model} in {path}"
            )
    from tqdm import tqdm

    from models.model_files import load_model
    from models.notes.classifier import load_classifier
    from models.notes.metrics import held_out, score
    from models.nsynth.inference import NSynthCodec
    from models.nsynth.known_notes import check_known, known_notes
    from models.nsynth.metrics import likelihood, reconstruct_with_baseline, reconstruct_with_wavenet

    classifier = load_classifier(find_model(settings.classifier))
    with Dataset(settings.dataset) as dataset:
        notes = held_out(dataset, settings.count, settings.seed)
        for path in paths:
            check_known(str(settings.dataset), notes.pitch.tolist(), known_notes(path), path, "Measure it on those")
        rows = [Row("the notes", score(classifier, notes.audio, notes))]
        bar = partial(tqdm, total=notes.audio.size, unit="samples", unit_scale=True, disable=None)
        for path in paths:
            loaded = load_model(path)
            name = name_of(loaded.card)
            if loaded.name != NSYNTH:
                with bar(desc=name) as done:
                    audio = reconstruct_with_baseline(loaded, notes, on_samples=done.update)
                rows.append(Row(name, score(classifier, audio, notes)))
                continue
            codec = NSynthCodec(loaded)
            bits = likelihood(codec, dataset, settings.seed)
            for temperature in settings.temperatures or [codec.temperature]:
                row = f"{name}, temperature {temperature:g}"
                with bar(desc=row) as done:
                    audio = reconstruct_with_wavenet(codec, notes, temperature=temperature, on_samples=done.update)
                rows.append(Row(row, {**score(classifier, audio, notes), **bits}))
    if settings.output is not None:
        figures = [{"name": row.name, "scores": dict(row.scores)} for row in rows]
        with written_whole(settings.output) as file:
            file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    made = section(rows, len(notes), settings.dataset.name)
    if settings.dry:
        print(made.to_markdown())
    else:
        publish(made)


if __name__ == "__main__":
    sys.exit(main())
