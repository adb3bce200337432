"""The presets at which a model can be built without data: those that its training settings offer.

A neural system lists its presets as the choices of its `--preset` flag, from which other settings follow. An estimator
of synth parameters has no such flag; its presets are a synth with a loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from generators.errors import ModelError, look_up
from generators.parameters import ParameterSpace
from models.training.recipe import Recipe

PRESET_FLAG = "preset"

FOLLOWING = ("epochs", "steps_per_epoch", "batch_size", "learning_rate")
"""Training settings that may follow a preset, besides the options of the network."""

NOTES = "notes"
"""The parameter space of datasets of notes."""


@dataclass(frozen=True)
class Preset:
    """What a model is built for.

    Attributes:
        synth: a synth, or `notes`. sample_rate, length: hertz and seconds of its sounds. loss: by its name.
        settings: training settings that follow the preset.
    """

    name: str
    summary: str
    synth: str
    sample_rate: int
    length: float
    loss: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return round(self.length * self.sample_rate)

    @property
    def space(self) -> ParameterSpace:
        """The parameter space of the synth, or of notes."""
        from generators.notes.labels import SPACE
        from generators.registry import build_synth

        return SPACE if self.synth == NOTES else build_synth(self.synth, self.sample_rate, self.length).space


PAPER = Preset("paper", "fm, 1 s at 16,384 Hz, a sigmoid per class, as in InverSynth", "fm", 16384, 1.0, "bce")
SOFTMAX = Preset("softmax", "the same with one softmax per parameter", "fm", 16384, 1.0, "categorical")
ENVELOPE = Preset("envelope", "128 samples at 16,384 Hz, as in NeuroSynth", "envelope", 16384, 128 / 16384, "bce")
SINE = Preset("sine", "the two sines of the seed repositories", "sine", 16384, 1.0, "bce")

OF_SYNTHS = {preset.name: preset for preset in (PAPER, SOFTMAX, ENVELOPE, SINE)}
"""Presets of networks that estimate parameters."""

NOTE_RATE, NOTE_LENGTH = 16_000, 4.0
"""Notes of the NSynth dataset. The weights of a model of notes do not depend on them."""


def presets_of(recipe: Recipe) -> dict[str, Preset]:
    """Return the presets of a model by name, its default first."""
    if names := _preset_names(recipe):
        default = str(recipe.settings.model_fields[_preset_field(recipe)].default)
        return {name: _of_notes(recipe, name) for name in sorted(names, key=lambda name: name != default)}
    if recipe.inputs == "envelope":
        return {ENVELOPE.name: ENVELOPE}
    if recipe.inputs == "patches":
        return {"fm": Preset("fm", "patches of the fm synth", "fm", 16384, 1.0, "mse")}
    return OF_SYNTHS


def find_preset(recipe: Recipe, name: str | None) -> Preset:
    """Return a preset of a model, by default its first. Raises ModelError for an unknown name."""
    presets = presets_of(recipe)
    return look_up("preset", name or next(iter(presets)), presets, ModelError)


def recipe_at(recipe: Recipe, preset: Preset) -> Recipe:
    """Return the recipe with the options of a preset."""
    options = {name: value for name, value in preset.settings.items() if name in recipe.options}
    return recipe.with_options(**options) if options else recipe


def _preset_field(recipe: Recipe) -> str:
    """Return the setting that chooses the preset; empty where there is none."""
    settings = recipe.settings
    return next((name for name in settings.model_fields if PRESET_FLAG in settings.flags(name)), "")


def _preset_names(recipe: Recipe) -> tuple[str, ...]:
    chosen = _preset_field(recipe)
    return get_args(recipe.settings.model_fields[chosen].annotation) if chosen else ()


def _of_notes(recipe: Recipe, name: str) -> Preset:
    """Return a preset with the settings that follow it, whatever the environment sets."""

    class Defaults(recipe.settings):  # type: ignore[name-defined]
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, **others: Any) -> Any:
            return (init_settings,)

    settings = Defaults(**{_preset_field(recipe): name})
    following = {key: getattr(settings, key) for key in (*FOLLOWING, *recipe.options) if hasattr(settings, key)}
    return Preset(name, "", NOTES, NOTE_RATE, NOTE_LENGTH, str(recipe.defaults["loss"]), following)
