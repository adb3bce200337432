"""Every recipe by name: one line for each module that has some.

The top of the models: recipes are gathered here, and `models.train` and the application find them.
"""

from collections.abc import Iterable
from types import ModuleType

from generators.errors import ModelError, unknown
from models.dx7 import recipe as dx7
from models.estimation import baselines, e2e_cnn, inverter, spectrogram_cnn
from models.gansynth import recipe as gansynth
from models.macros import recipe as macros
from models.mcnn import recipe as mcnn
from models.model_files import fold_name
from models.neurosynth import recipe as neurosynth
from models.notes import classifier as note_classifier
from models.nsynth import baseline as nsynth_baseline
from models.nsynth import recipe as nsynth
from models.training.recipe import Recipe
from models.wae import recipe as wae

MODULES: tuple[ModuleType, ...] = (
    spectrogram_cnn,
    e2e_cnn,
    baselines,
    inverter,
    macros,
    neurosynth,
    nsynth,
    nsynth_baseline,
    note_classifier,
    gansynth,
    wae,
    mcnn,
    dx7,
)
"""Modules with a tuple `RECIPES`, in the order of lists; InverSynth in the order of its paper's tables."""


def gather(modules: Iterable[ModuleType]) -> dict[str, Recipe]:
    """Return the recipes of modules by name, in order. Raises ModelError where two share a name or an alias."""
    recipes: dict[str, Recipe] = {}
    owners: dict[str, str] = {}
    for recipe in (recipe for module in modules for recipe in module.RECIPES):
        for name in {fold_name(name) for name in (recipe.name, *recipe.aliases)}:
            if name in owners:
                raise ModelError(f"names of models must differ. Received: {recipe.name} and {owners[name]}")
            owners[name] = recipe.name
        recipes[recipe.name] = recipe
    return recipes


RECIPES: dict[str, Recipe] = gather(MODULES)


def find_recipe(name: str) -> Recipe:
    """Return a recipe by its name or an alias. Raises ModelError with the nearest name for an unknown one."""
    folded = fold_name(name)
    for recipe in RECIPES.values():
        if folded in map(fold_name, (recipe.name, *recipe.aliases)):
            return recipe
    raise ModelError(unknown("model", name, RECIPES))
