"""Where notes lie in the latent spaces of models: `inversynth wae map`.

Grids of models and what notes are, flat by t-SNE and in space; and of each training that left pictures of its way, an
animation over its epochs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from generators.command import run_command
from generators.errors import ModelError
from generators.settings import Settings

if TYPE_CHECKING:
    from models.wae.inference import WaeModel

FLAT_FILE, SPACE_FILE = "tsne.png", "space.png"


class MapSettings(Settings):
    """Draw where notes lie in the latent spaces of models: t-SNE, three axes, and a training as an animation."""

    flags_only: ClassVar = frozenset({"models", "dataset_file", "seed", "output_directory"})

    models: list[str] = Field(["wae"], min_length=1, description="bundled models, run folders or .keras files: a,b,c")
    dataset_file: Path = Field(description="the dataset of notes that they were trained on; held-out notes are drawn")
    seed: int = Field(0, ge=0, description="of t-SNE")
    output_directory: Path = Field(
        Path("output/wae/map"), description=f"where {FLAT_FILE}, {SPACE_FILE} and <run>.gif are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth wae map") -> int:
    """Draw latent spaces; returns the exit code."""
    return run_command(MapSettings, _run, argv, prog, resumes=False)


def _run(settings: MapSettings) -> None:
    from inversynth.pretrained import find_model
    from inversynth.report.figures import to_png
    from models.wae.inference import load_wae

    makers = [load_wae(find_model(name)) for name in settings.models]
    names = _names(makers)
    from generators.dataset import Dataset
    from models.wae.data import StyledNotes
    from models.wae.plots import animate, attributes_of, draw_grid, in_space
    from models.wae.presets import find_size

    with Dataset(settings.dataset_file) as dataset:
        first = makers[0].loaded.card.features
        source = StyledNotes(dataset, size=find_size(first["size"]), label=makers[0].label)
        for maker in makers:
            if (maker.analysis, maker.styles) != (source.analysis, source.styles):
                raise ModelError(
                    f"models must have learned the styles of the dataset, {len(source.styles)} of {source.label}, "
                    f"and one size of pictures. Received: {maker.name} with {len(maker.styles)} of {maker.label}"
                )
        rows = np.sort(np.concatenate([source.rows("validation"), source.rows("test")]))
        pictures = source.pictures(rows)
        attributes = attributes_of(source.pitch[rows], source.style[rows], source.styles)
    latents = {name: maker.latents_of(pictures) for name, maker in zip(names, makers, strict=True)}
    folder = settings.output_directory
    flat = {name: _flattened(each, settings.seed) for name, each in latents.items()}
    print(to_png(draw_grid(flat, attributes), folder / FLAT_FILE))
    spaces = {name: in_space(each) for name, each in latents.items()}
    print(to_png(draw_grid(spaces, attributes), folder / SPACE_FILE))
    for name, maker in zip(names, makers, strict=True):
        way = sorted((maker.loaded.path.resolve().parent / "pictures").glob("epoch_*.png"))
        if way:
            print(animate(way, folder / f"{name}.gif"))


def _names(makers: "Sequence[WaeModel]") -> list[str]:
    """Name models by their files or runs, and tell apart those of one name."""
    names: list[str] = []
    for maker in makers:
        taken = names.count(maker.name)
        names.append(f"{maker.name} {taken + 1}" if taken else maker.name)
    return names


def _flattened(latents: np.ndarray, seed: int) -> np.ndarray:
    """Lay latents into the plane by t-SNE (van der Maaten and Hinton 2008). Shapes: (n, latent) -> (n, 2)."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(latents) - 1) / 3.0)
    found: np.ndarray = TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(latents)
    return found


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.wae.latent_map"))
