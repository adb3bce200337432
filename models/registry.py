"""Every recipe by name. Comes last: concrete models hand themselves over here, and the machinery finds them."""

from generators.errors import ModelError, unknown
from models.estimation import baselines, e2e_cnn, inverter, spectrogram_cnn
from models.estimation.architectures import MODEL_NAMES, OTHER_NAMES, fold
from models.gansynth import recipe as gansynth
from models.macros import recipe as macros
from models.mcnn import recipe as mcnn
from models.neurosynth import recipe as neurosynth
from models.notes import classifier as note_classifier
from models.nsynth import baseline as nsynth_baseline
from models.nsynth import recipe as nsynth
from models.training.recipe import Recipe
from models.wae import recipe as wae

_MODULES = (
    *(spectrogram_cnn, e2e_cnn, baselines, inverter, macros),
    *(neurosynth, nsynth, nsynth_baseline, note_classifier, gansynth, wae, mcnn),
)
_GATHERED = {recipe.name: recipe for module in _MODULES for recipe in module.RECIPES}

RECIPES: dict[str, Recipe] = {name: _GATHERED[name] for name in MODEL_NAMES}
"""In the order of the paper's tables."""

_BY_SPELLING = {fold(name): name for name in MODEL_NAMES} | {fold(o): name for o, name in OTHER_NAMES.items()}


def find_recipe(name: str) -> Recipe:
    """Return a recipe by any of its spellings. Raises ModelError offering the nearest name."""
    canonical = _BY_SPELLING.get(fold(name))
    if canonical is None:
        raise ModelError(unknown("model", name, RECIPES))
    return RECIPES[canonical]
