"""The images of the README: `python -m docs.gallery docs/images --model runs/C6_train`.

A sound that the model was not trained on beside the re-synthesis of its estimated settings, their knobs, and random
patches of the synth. The sound is not selected by its result: it is `--row` of the sounds of seed 1.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.settings import Settings
from inversynth.inversion.inversion import invert
from inversynth.inversion.target import Target
from inversynth.patches.patch import Patch
from inversynth.pretrained import find_model
from inversynth.report import plots
from inversynth.report.figures import PAPER, to_png
from inversynth.report.report import describe

if TYPE_CHECKING:
    from models.model_files import LoadedModel

SEED = 1
"""Seed of the sounds shown; datasets have seed 0 by default."""


class GallerySettings(Settings):
    """Draw the images of the README with a trained model."""

    flags_only: ClassVar = frozenset({"directory", "model", "row"})

    directory: CliPositionalArg[Path] = Field(Path("docs/images"), description="where the PNG files are written")
    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
    row: int = Field(0, ge=0, description=f"number of the sound among those of seed {SEED}")


def write_gallery(directory: Path, model: "LoadedModel", row: int = 0) -> tuple[list[Path], Patch]:
    """Write spectrograms.png, waveforms.png, knobs.png and patches.png; returns their paths and the patch found."""
    synth = build_synth(model.card.synth, model.sample_rate, model.card.length)
    (truth,) = sample_classes(synth.space, row, row + 1, SEED)
    found = invert(Target(synth.render_classes(truth), synth.sample_rate, f"row {row}"), model, truth)
    target, match, rate = found.target.audio, found.audio, synth.sample_rate
    others = synth.render_classes(sample_classes(synth.space, row + 1, row + 9, SEED))
    figures = {
        "spectrograms": plots.spectrogram_pair(target, match, rate, PAPER),
        "waveforms": plots.waveforms(target, match, rate, PAPER),
        "knobs": plots.knob_panel(found.patch, truth.tolist(), palette=PAPER),
        "patches": plots.spectrogram_grid(others, rate, PAPER),
    }
    return [to_png(figure, directory / f"{name}.png") for name, figure in figures.items()], found.patch


def main(argv: Sequence[str] | None = None, prog: str = "python -m docs.gallery") -> int:
    """Write the gallery; returns the exit code."""
    return run_command(GallerySettings, _run, argv, prog)


def _run(settings: GallerySettings) -> None:
    from models.model_files import load_model

    paths, patch = write_gallery(settings.directory, load_model(find_model(settings.model)), settings.row)
    print(f"{patch.model}: {describe(patch.scores)}")
    print("\n".join(map(str, paths)))


if __name__ == "__main__":
    sys.exit(main())
