"""An untrained autoencoder of notes and an MCNN that renders its spectrograms, in real model files."""

from pathlib import Path

from generators.dataset import Dataset
from models.mcnn.data import MelNotes
from models.mcnn.presets import find_preset as find_mcnn_preset
from models.model_files import ModelCard, save_model
from models.registry import find_recipe
from models.wae.data import StyledNotes
from models.wae.presets import find_preset
from tests.styled_notes import RATE


def write_untrained_pair(notes: Path, folder: Path) -> tuple[Path, Path]:
    """Write wae.keras and mcnn.keras for a dataset of `tests.styled_notes`."""
    with Dataset(notes) as dataset:
        sources = {
            "wae": StyledNotes(dataset, size=find_preset("smoke")),
            "mcnn": MelNotes(dataset, analysis=find_mcnn_preset("smoke").analysis(RATE), segment=0, takes_note=True),
        }
        for name, source in sources.items():
            recipe = find_recipe(name)
            options = {**recipe.options, "size": "smoke", **source.known}
            network = recipe.build(source.space, RATE, source.samples, seed=0, **options)
            features = {**recipe.features, **options}
            card = ModelCard(name, source.synth, source.space.to_json(), RATE, source.length, features, {"seed": 0})
            save_model(network, folder / f"{name}.keras", card)
    return folder / "wae.keras", folder / "mcnn.keras"
