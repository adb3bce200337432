"""A small neural system as somebody would add it: settings, network and recipe in a module of its own."""

from types import MappingProxyType
from typing import Any

from pydantic import Field

from models.training.recipe import Recipe, layer_seeds
from models.training.settings import RunSettings, SoundSettings

TOY = "toy"


class ToySettings(SoundSettings, RunSettings):
    """Train the toy on a dataset or a stream."""

    model: str = Field(TOY, description=TOY)
    units: int = Field(3, ge=1, description="width of the hidden layer")


def build_toy(
    space: Any,
    sample_rate: int,
    samples: int,
    *,
    units: int = 3,
    loss: str = "bce",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> Any:
    """Build a network of one hidden layer. Shapes: audio (batch, samples) -> probabilities (batch, space.size)."""
    import keras

    seeds = layer_seeds(seed)
    audio = keras.Input((samples,), dtype="float32")
    hidden = keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(audio)
    head = keras.layers.Dense(
        space.size, activation="sigmoid", kernel_initializer=keras.initializers.GlorotUniform(next(seeds))
    )
    return keras.Model(audio, head(hidden), name=TOY)


RECIPES = (
    Recipe(
        TOY,
        "a network of one hidden layer",
        "this test",
        build_toy,
        parameters=51_604,
        aliases=("plaything",),
        features={"input": "audio"},
        settings=ToySettings,
        options=MappingProxyType({"units": 3}),
    ),
)
