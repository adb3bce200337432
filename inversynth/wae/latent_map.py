"""Maps of the latent spaces of models: `inversynth wae map`.

Grids of models by attributes of notes, in the plane by t-SNE and in three dimensions; and an animation over the epochs
of each training whose plots are there.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from generators.command import run_command
from generators.errors import ModelError, one_line
from generators.files import real_path
from generators.settings import Settings
from inversynth.wae.session import load_model

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

FLAT_FILE, SPACE_FILE = "tsne.png", "space.png"


class MapSettings(Settings):
    """Draw held-out notes in the latent spaces of models: t-SNE, three dimensions, and animations over a training."""

    flags_only: ClassVar = frozenset({"models", "dataset_file", "seed", "output_dir"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    models: list[str] = Field(["wae"], min_length=1, description="bundled models, run folders or .keras files: a,b,c")
    dataset_file: Path = Field(
        description="the dataset of notes that they were trained on, whose held-out notes are drawn"
    )
    seed: int = Field(0, ge=0, description="of t-SNE")
    output_dir: Path = Field(
        Path("output/wae/map"), description=f"where {FLAT_FILE}, {SPACE_FILE} and <run>.gif are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae map") -> int:
    """Draw latent spaces; returns the exit code."""
    return run_command(MapSettings, _run, argv, prog, resumes=False)


def _run(settings: MapSettings) -> None:
    from inversynth.report.figures import to_png

    wae_models = [load_model(name) for name in settings.models]
    names = _names(wae_models)
    from generators.dataset import Dataset
    from models.wae.data import StyledNotes
    from models.wae.plots import animate, attributes_of, draw_grid, in_space
    from models.wae.presets import find_preset

    with Dataset(settings.dataset_file) as dataset:
        first = wae_models[0].loaded.card.features
        source = StyledNotes(dataset, size=find_preset(first["size"]), label=wae_models[0].label)
        for wae in wae_models:
            if (wae.analysis, wae.styles) != (source.analysis, source.styles):
                raise ModelError(
                    "models must have been trained on the styles of the dataset and its size of spectrograms, "
                    f"{len(source.styles)} of {source.label}. "
                    f"Received: {wae.name} with {len(wae.styles)} of {wae.label}"
                )
        rows = np.sort(np.concatenate([source.rows("validation"), source.rows("test")]))
        spectrograms = source.spectrograms(rows)
        attributes = attributes_of(source.pitch[rows], source.style[rows], source.styles)
    latents = {name: wae.encode_spectrograms(spectrograms) for name, wae in zip(names, wae_models, strict=True)}
    folder = settings.output_dir
    flat = {name: _to_plane(each, settings.seed) for name, each in latents.items()}
    print(one_line(to_png(draw_grid(flat, attributes), folder / FLAT_FILE)))
    spaces = {name: in_space(each) for name, each in latents.items()}
    print(one_line(to_png(draw_grid(spaces, attributes), folder / SPACE_FILE)))
    for name, wae in zip(names, wae_models, strict=True):
        plots = sorted((real_path(wae.loaded.path).parent / "pictures").glob("epoch_*.png"))
        if plots:
            print(one_line(animate(plots, folder / f"{name}.gif")))


def _names(wae_models: "Sequence[WaeModel]") -> list[str]:
    """Name models by their files or runs, numbered where names repeat."""
    names: list[str] = []
    for wae in wae_models:
        taken = names.count(wae.name)
        names.append(f"{wae.name} {taken + 1}" if taken else wae.name)
    return names


def _to_plane(latents: np.ndarray, seed: int) -> np.ndarray:
    """Project latents to the plane by t-SNE (van der Maaten and Hinton 2008). Shapes: (n, latent) -> (n, 2)."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(latents) - 1) / 3.0)
    found: np.ndarray = TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(latents)
    return found


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.latent_map"))
