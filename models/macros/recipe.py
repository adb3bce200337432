"""Macro controls: an autoencoder of patches with a bottleneck of a few numbers, each of which moves many parameters.

It reconstructs the parameter values of a patch (`unit`, 0..1). Encoder and decoder are the sum of a linear map and a
network; `adapt` sets the linear maps to the principal components of the patches and the networks begin at zero, so that
training starts at the reconstruction of PCA. The seed of this project had an autoencoder of parameters without a use;
this is what became of it.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from generators.dataset import Dataset
from generators.errors import ModelError, SettingsError
from generators.files import real_path
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from models.backend import predict_in_batches, start_keras
from models.macros.patch_sets import ReadPatches, dataset_patches
from models.training.recipe import Recipe, layer_seeds
from models.training.settings import EarlyStopping, MixedPrecision, RunSettings, SynthStreamSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel, ModelCard
    from models.training.data import Source

Floats = NDArray[np.floating[Any]]

MACROS = "macros"

COUNT = 5
"""Macros by default: as many as two hands can operate."""

UNITS = (128, 128)
"""Hidden units of encoder and decoder. On the family corpus of docs/macros.md half as many lose 0.1 points of
explained variance at 1,000 patches; more were not tried."""

QUANTILES = 21
"""Quantiles of a macro over the training patches that are kept: every 5 %."""


class MacrosSettings(SynthStreamSettings, EarlyStopping, MixedPrecision, RunSettings):
    """Train macro controls on the patches of a dataset, a folder or a stream."""

    model: str = Field(MACROS, description=MACROS)
    stream: bool = Field(False, description="train on patches drawn at random instead of a dataset")
    patience: int | None = Field(10, ge=1, description="stop after so many epochs without a lower validation loss")
    macros: int = Field(COUNT, ge=1, description="how many controls")
    patches: Path | None = Field(None, description="a folder of patch.json files to train on, in place of a dataset")

    @model_validator(mode="after")
    def _choose_stream_or_patches(self) -> Self:
        if self.stream and self.patches is not None:
            raise ValueError(f"stream draws its patches and reads none. Received: patches {self.patches}. Drop one")
        return self


def open_patches(settings: Any, stack: ExitStack, read_patches: ReadPatches | None = None) -> "tuple[Source, str]":
    """Open the patches that settings name, from a folder, a stream or a dataset. See `models.training.recipe.OpenData`.

    Raises: SettingsError for a folder where nothing reads patch files; DatasetError for too few patches.
    """
    if settings.stream:
        synth = build_synth(settings.synth, settings.sample_rate, settings.length)
        start_keras()
        from models.macros.data import PatchStream

        return PatchStream(synth, seed=settings.seed, steps=settings.steps_per_epoch), f"{synth.short_name}_stream"
    if settings.patches is not None:
        if read_patches is None:
            raise SettingsError(f"patches are read by `inversynth train`. Received: --patches {settings.patches}")
        patches, name = read_patches(settings.patches), real_path(settings.patches).name
    else:
        with Dataset(settings.dataset_path) as dataset:
            patches, name = dataset_patches(dataset), dataset.name
    start_keras()
    from models.macros.data import PatchSource

    return PatchSource(patches, macros=settings.macros, **settings.split), name


def build_macros(
    space: ParameterSpace,
    sample_rate: int = 0,
    samples: int = 0,
    *,
    macros: int | None = None,
    loss: str = "mse",
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build the autoencoder. Sample rate, length and data format have no effect, because it takes no sound.

    Args:
        macros: how many; by default COUNT, or one fewer than the parameters where there are no more.

    Shapes: values (batch, parameters) in 0..1 -> macros (batch, macros) -> values (batch, parameters), which may leave
    0..1 a little.
    Raises: ModelError where the macros are not fewer than the parameters.
    """
    import keras

    macros = min(COUNT, len(space) - 1) if macros is None else macros
    if not 1 <= macros < len(space):
        raise ModelError(
            f"macros of synth '{space.synth}' number 1 to {len(space) - 1}, fewer than its {len(space)} parameters. "
            f"Received: {macros}. Lower --macros"
        )
    seeds = layer_seeds(seed)

    def halfway(inputs: Any, width: int, name: str, part: str) -> Any:
        hidden = inputs
        for number, units in enumerate(UNITS, start=1):
            start = keras.initializers.GlorotUniform(next(seeds))
            hidden = keras.layers.Dense(units, "gelu", kernel_initializer=start, name=f"{part}_hidden{number}")(hidden)
        line = keras.layers.Dense(
            width, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name=f"{part}_line"
        )(inputs)
        bend = keras.layers.Dense(width, use_bias=False, kernel_initializer="zeros", name=f"{part}_bend")(hidden)
        return keras.layers.Add(dtype="float32", name=name)([line, bend])

    unit = keras.Input((len(space),), name="unit", dtype="float32")
    return keras.Model(
        unit, halfway(halfway(unit, macros, "macros", "encoder"), len(space), "knobs", "decoder"), name=MACROS
    )


def adapt(model: "keras.Model", batches: Iterable[NDArray[np.float32]], *, seed: int = 0) -> None:
    """Set the linear maps to the principal components of the training patches, each scaled to variance one.

    A varimax rotation lets each macro move few parameters far instead of many a little; it changes no reconstruction.
    Shapes: batches of (n, parameters). Raises: ModelError where there is no patch, or all are the same.
    """
    from models.layers.components import Moments

    moments = Moments(model.input_shape[-1])
    for batch in batches:
        moments.add(np.asarray(batch, np.float64))
    mean, axes, deviations = components(moments, model.get_layer("macros").output.shape[-1])
    scales = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    turn, spanned = np.eye(len(deviations)), int(np.count_nonzero(deviations))
    turn[:spanned, :spanned] = varimax((axes * deviations)[:, :spanned])
    encoder = (axes * scales) @ turn
    model.get_layer("encoder_line").set_weights([encoder, -mean @ encoder])
    model.get_layer("decoder_line").set_weights([(axes * deviations @ turn).T, mean])


def varimax(loadings: Floats, rounds: int = 100) -> Floats:
    """Return the rotation (count, count) after which the squares of loadings (parameters, count) vary most by column.

    Source: Kaiser 1958, in the form of repeated singular value decompositions; it settles within some ten rounds.
    """
    turn = np.eye(loadings.shape[1])
    for _ in range(rounds):
        turned = loadings @ turn
        left, _, right = np.linalg.svd(loadings.T @ (turned**3 - turned * np.square(turned).mean(axis=0)))
        turn = left @ right
    return turn


def components(moments: Any, count: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, axes and standard deviations of the principal components of `Moments`.

    Shapes: (parameters,), (parameters, count) and (count,). Raises: ModelError where nothing varies.
    """
    from models.layers.components import principal_axes

    if not moments.count or np.trace(moments.covariance) < 1e-12:
        raise ModelError(
            f"macros are learned from patches that differ. Received: {moments.count} patches, all the same. "
            "Gather others"
        )
    axes, variances = principal_axes(moments.covariance, count)
    return moments.mean, axes, np.sqrt(variances)


@dataclass(frozen=True)
class MacroControls:
    """A trained autoencoder as controls. Sliders run from 0 to 1: the quantiles of the patches it was trained on.

    Shapes: quantiles (QUANTILES, macros), in the order of the network; `order` (macros,) sorts them by effect.
    """

    loaded: "LoadedModel"
    quantiles: Floats
    effects: Floats

    @property
    def space(self) -> ParameterSpace:
        return self.loaded.space

    @property
    def count(self) -> int:
        return self.quantiles.shape[1]

    @property
    def order(self) -> NDArray[np.intp]:
        return np.argsort(-self.effects, kind="stable")

    @cached_property
    def _decoder(self) -> "keras.Model":
        import keras

        model = self.loaded.model
        return keras.Model(model.get_layer("macros").output, model.output)

    def unit(self, sliders: ArrayLike) -> Floats:
        """Turn slider positions, the macro of greatest effect first, into parameter values.

        Shapes: (n, macros) in 0..1 -> (n, parameters) in 0..1.
        """
        sliders = np.clip(np.asarray(sliders, np.float64), 0.0, 1.0)
        steps, numbers = np.linspace(0.0, 1.0, len(self.quantiles)), np.empty_like(sliders)
        for place, column in enumerate(self.order):
            numbers[:, column] = np.interp(sliders[:, place], steps, self.quantiles[:, column])
        return np.clip(_numbers(self._decoder(numbers.astype(np.float32))), 0.0, 1.0)


def open_controls(loaded: "LoadedModel") -> MacroControls:
    """Return the controls of a trained model. Raises ModelError for another model, or one not trained to its end."""
    check_card(loaded.card, loaded.path)
    spread = loaded.card.scores.get("test", {}).get("spread")
    count = loaded.model.get_layer("macros").output.shape[-1]
    try:
        quantiles, effects = np.asarray(spread["quantiles"], np.float64), np.asarray(spread["effects"], np.float64)
    except (TypeError, KeyError, ValueError):
        raise ModelError(
            f"{loaded.path} has not been trained to its end: the spread of its macros is missing. Give its "
            "`inversynth train` command again"
        ) from None
    if (
        quantiles.shape != (QUANTILES, count)
        or effects.shape != (count,)
        or not np.all(np.diff(quantiles, axis=0) >= 0)
    ):
        raise ModelError(f"{loaded.path} was changed after it was saved (the spread of its macros does not fit)")
    return MacroControls(loaded, quantiles, effects)


def check_card(card: "ModelCard", path: Path) -> None:
    """Raise ModelError where a card is not that of a model of macros."""
    if card.model != MACROS:
        raise ModelError(
            f"{path} must be a model of macros. Received: {card.model}. Train one with: inversynth train --model macros"
        )


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure the reconstruction of the test patches beside PCA with as many components, and the spread of the macros.

    Returns: n; `explained_variance` (1 is perfect, 0 the mean patch) and `mae` (class steps), over all parameters and
    by group, each with its `pca_` twin; `parameters`, the same for each of them; and `spread`.
    """
    from models.layers.components import Moments

    space = loaded.space
    with source.training(1024) as batches:
        training = [unit for unit, _ in (batches[number] for number in range(batches.num_batches))]
    with source.test(1024) as batches:
        test = np.concatenate([unit for unit, _ in (batches[number] for number in range(batches.num_batches))])
    moments = Moments(len(space))
    for unit in training:
        moments.add(np.asarray(unit, np.float64))
    controls = spread_of(loaded, np.concatenate(training))
    mean, axes, _ = components(moments, controls.count)
    found: dict[str, Floats] = {
        "": np.clip(loaded.predict(test), 0.0, 1.0),
        "pca_": np.clip(mean + (test - mean) @ axes @ axes.T, 0.0, 1.0),
    }
    measures: dict[str, Any] = {"n": len(test)}
    parameters: dict[str, dict[str, float]] = {name: {} for name in space.names}
    groups = {**space.groups, "All": tuple(range(len(space)))}
    steps = np.maximum(np.asarray(space.sizes) - 1, 1)
    for prefix, unit in found.items():
        errors = np.abs(test - unit)
        measures[f"{prefix}explained_variance"] = {
            name: explained_variance(test, unit, mean, columns) for name, columns in groups.items()
        }
        measures[f"{prefix}mae"] = {
            name: float((errors * steps)[:, list(columns)].mean()) for name, columns in groups.items()
        }
        for column, name in enumerate(space.names):
            parameters[name][f"{prefix}explained_variance"] = explained_variance(test, unit, mean, (column,))
            parameters[name][f"{prefix}mae"] = float((errors * steps)[:, column].mean())
    measures["parameters"] = parameters
    measures["spread"] = {"quantiles": controls.quantiles.tolist(), "effects": controls.effects.tolist()}
    return measures


def explained_variance(test: Floats, found: Floats, mean: Floats, columns: Sequence[int]) -> float:
    """Return 1 - squared error / squared distance from the mean patch, over some parameters; 0 where nothing varies.

    Shapes: test and found (n, parameters), mean (parameters,).
    """
    chosen = list(columns)
    error, whole = np.square(test - found)[:, chosen].sum(), np.square(test - mean)[:, chosen].sum()
    return float(1.0 - error / whole) if whole > 0 else 0.0


def spread_of(loaded: "LoadedModel", unit: Floats) -> MacroControls:
    """Measure the quantiles of the macros over training patches, and how far each moves the parameters.

    The effect of a macro is the variance of all parameters while its slider runs through all its positions and the
    others stay in the middle, as a fraction of the variance of the patches. Shapes: unit (n, parameters).
    """
    import keras

    model = loaded.model
    encoder = keras.Model(model.input, model.get_layer("macros").output)
    encoded = predict_in_batches(encoder, [unit], 1024).astype(np.float64)
    quantiles = np.quantile(encoded, np.linspace(0.0, 1.0, QUANTILES), axis=0)
    controls = MacroControls(loaded, quantiles, np.zeros(quantiles.shape[1]))  # the order of the network, for now
    places = np.linspace(0.0, 1.0, QUANTILES)
    effects = []
    for column in range(controls.count):
        sliders = np.full((QUANTILES, controls.count), 0.5)
        sliders[:, column] = places
        effects.append(float(controls.unit(sliders).var(axis=0).sum() / unit.var(axis=0).sum()))
    return MacroControls(loaded, quantiles, np.asarray(effects))


def _numbers(tensor: Any) -> Floats:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def _loss(space: ParameterSpace, name: str) -> "keras.losses.Loss":
    import keras

    if name != "mse":
        raise ModelError(f"macros are learned with loss mse. Received: {name}. Leave --loss out")
    return keras.losses.MeanSquaredError(name="mse")


def _metrics(space: ParameterSpace) -> "list[keras.metrics.Metric]":
    import keras

    return [keras.metrics.MeanAbsoluteError(name="unit_error")]


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        MACROS,
        f"an autoencoder of patches: {COUNT} macro controls (or --macros) that move all parameters",
        "this project; its principal components after Pearson 1901",
        build_macros,
        parameters=40_706,
        adapt=adapt,
        loss=_loss,
        metrics=_metrics,
        features={"input": "patches"},
        defaults=MappingProxyType(
            {"batch_size": 16, "epochs": 100, "learning_rate": 1e-3, "loss": "mse", "macros": COUNT}
        ),
        settings=MacrosSettings,
        open_data=open_patches,
        report_format=(
            "explained variance {explained_variance:.1%} (PCA {pca_explained_variance:.1%})",
            "mean error {mae:.2f} class steps",
        ),
        options=MappingProxyType({"macros": COUNT}),
        measure=measure,
    ),
)
