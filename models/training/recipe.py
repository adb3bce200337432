"""A recipe: everything that differs between models, so that one training loop serves them all.

Each recipe stands in the folder of its model, and `models.registry` lists them. Importing a recipe costs no TensorFlow,
because it imports Keras only when it builds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.errors import ModelError
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from models.backend import device_kind, start_keras
from models.input_kinds import InputKind, InputName, find_input_kind
from models.training.settings import RunSettings, TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

INVERSYNTH = "Barkan, Tsiris, Koenigstein, Katz: InverSynth, IEEE/ACM TASLP 2019, arXiv 1812.06349"

DATA_FORMATS = ("channels_last", "channels_first")


HEADS: dict[str, str] = {"bce": "sigmoid", "categorical": "softmax"}
"""Losses by name, and the head that each needs: independent sigmoids, or one softmax for each parameter. InverSynth
trains the first and reports the second as equal."""

OptimizerFactory = Callable[[float, int], "keras.optimizers.Optimizer"]
"""Makes an optimiser from a learning rate and a number of steps."""


class Build(Protocol):
    """Make a new, untrained model: audio (batch, samples) -> probabilities (batch, space.size) in 0..1.

    Options: `loss` (a key of `HEADS`) chooses the head; `data_format` the layout of the convolutions (the weights are
    the same in both); `seed` makes the starting weights repeatable.
    """

    def __call__(
        self,
        space: ParameterSpace,
        sample_rate: int,
        samples: int,
        *,
        loss: str = "bce",
        data_format: str = "channels_last",
        seed: int | None = None,
    ) -> "keras.Model": ...


class Adapt(Protocol):
    """Fit a model's feature weights (components, centroids) to batches of training audio, before training."""

    def __call__(self, model: "keras.Model", batches: Iterable[NDArray[np.float32]], *, seed: int = 0) -> None: ...


def cross_entropy(space: ParameterSpace, loss: str) -> "keras.losses.Loss":
    """Return the loss between classes (batch, parameters) and probabilities (batch, size), by its name."""
    from models.training.losses import BinaryCrossentropy, CategoricalCrossentropy

    check_loss(loss)
    return BinaryCrossentropy(space.sizes) if loss == "bce" else CategoricalCrossentropy(space.sizes)


def class_metrics(space: ParameterSpace) -> list["keras.metrics.Metric"]:
    """Return the metrics shown during training: `mpr`, `top1`, `top5` and `mae`."""
    from models.training.keras_metrics import ClassMAE, MeanPercentileRank, TopKAccuracy

    sizes = space.sizes
    return [MeanPercentileRank(sizes), TopKAccuracy(sizes, k=1), TopKAccuracy(sizes, k=5), ClassMAE(sizes)]


def adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return Adam, the optimiser of the paper, at a constant learning rate for any number of `steps`."""
    import keras

    return keras.optimizers.Adam(learning_rate)


def cosine_adam(
    learning_rate: float,
    steps: int,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    average: float | None = 0.999,
) -> "keras.optimizers.Optimizer":
    """Return Adam that warms up for a hundredth of its `steps`, falls along a cosine to 1 %, and averages weights.

    Args:
        average: share that the averages keep at each step; None for none.
    """
    import keras

    warm = max(1, steps // 100)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), alpha=0.01, warmup_target=learning_rate, warmup_steps=warm
    )
    averages = {"use_ema": True, "ema_momentum": average} if average else {}
    return keras.optimizers.Adam(schedule, beta_1, beta_2, **averages)


class TrainingStage(NamedTuple):
    """A part of a training in which the model has one architecture: its number, and its last epoch, counted from 1."""

    number: int
    end: int


class OpenData(Protocol):
    """Open the data that settings name.

    Args:
        stack: closes it. read_patches: reads a folder of patch files, whose format belongs to the application.
    Returns: the examples, and what the run is named after.
    Raises: DatasetError, SettingsError or ParameterError where there can be none.
    """

    def __call__(self, settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]": ...


def open_sounds(settings: Any, stack: ExitStack, read_patches: Any = None) -> "tuple[Source, str]":
    """Open sounds and their classes: a dataset, or a stream of a synth. See `OpenData`."""
    if settings.stream:
        synth = build_synth(settings.synth, settings.sample_rate, settings.length)
        start_keras()
        from models.training.data import StreamSource

        options = {"seed": settings.seed, "steps": settings.steps_per_epoch, "normalise": settings.normalise}
        return StreamSource(synth, **options), f"{synth.short_name}_stream"
    dataset = stack.enter_context(Dataset(settings.dataset_path))
    dataset.check_finished()
    start_keras()
    from models.training.data import DatasetSource

    return DatasetSource(dataset, **settings.split), dataset.name


@dataclass(frozen=True)
class AdversarialTraining:
    """How a model of two networks is trained, with two optimisers (`models.training.adversarial`).

    Attributes:
        critic_optimizer: the optimiser of the critic or discriminator, made from the learning rate and the number of
            its own steps.
        needs_total_steps: `compile` of the model takes `steps`, the length of the whole training, for it schedules the
            weight of a loss term.
    """

    critic_optimizer: OptimizerFactory
    needs_total_steps: bool = False


@dataclass(frozen=True)
class ProgressiveGrowth:
    """How a model grows during training.

    Attributes:
        stages: the stages of a training, from the options of the recipe; `build` takes the number of a `stage`.
        grow: copies what a compiled model has learned, optimisers included, to the model of the next stage.
    """

    stages: Callable[[Mapping[str, Any]], Sequence[TrainingStage]]
    grow: Callable[[Any, Any], None]


@dataclass(frozen=True)
class Recipe:
    """One trainable model: how to build it, what to train it on, and where it comes from.

    Attributes:
        name: as in `--model`. summary: one line for lists. paper: its source.
        build: makes the model.
        parameters: trained weights of the default model, for lists; 0 where it is not in any.
        aliases: further names, the spellings of its paper among them.
        adapt: fits feature weights to training audio before training; None where there are none.
        loss, metrics: made from the parameter space (and the name of the loss); a model with a training step of its own
            needs neither.
        loss_options: options that `loss` takes, too.
        optimizer: made from the learning rate and the number of steps of the whole training.
        scheduled: the optimiser follows a schedule over the whole training, so that a run cannot be continued beyond
            the epochs it was started with.
        jit_compile: compile with XLA where Keras would by default.
        adversarial: for a model of two networks with an optimiser each. growth: for a model that grows in training.
        features: the input of the model, as its card holds it; `input` names a kind of `models.input_kinds`, or a
            feature computed from a sound.
        settings: what its command parses. open_data: opens the examples that settings name.
        options: the settings that `build` takes, with their defaults; they are part of a run's identity and card.
        defaults: the settings that its paper used, by name; `loss` is the loss of a run whose settings name none.
        measure: measures the trained model; None for the measures of `models.training.evaluate`.
        renamed_measures: measures in the histories of runs of earlier versions, with their present names.
        report_format: parts of the last line of a training, formatted with each measure over all parameters.
        draw: plots the output for a few examples of a source into a file, every `print_interval` epochs.
        inference: `module:function`, which loads a trained model for its use; empty where
            `models.model_files.load_model` does.
    """

    name: str
    summary: str
    paper: str
    build: Build
    parameters: int = 0
    aliases: tuple[str, ...] = ()
    adapt: Adapt | None = None
    loss: Callable[[ParameterSpace, str], Any] = cross_entropy
    metrics: Callable[[ParameterSpace], list["keras.metrics.Metric"]] = class_metrics
    loss_options: tuple[str, ...] = ()
    optimizer: OptimizerFactory = adam
    scheduled: bool = False
    jit_compile: bool = True
    adversarial: AdversarialTraining | None = None
    growth: ProgressiveGrowth | None = None
    features: Mapping[str, Any] = field(default_factory=dict)
    settings: type[RunSettings] = TrainingSettings
    open_data: OpenData = open_sounds
    options: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType(
            {"batch_size": 16, "epochs": 100, "learning_rate": 1e-3, "loss": "bce"}
        )
    )
    measure: Callable[["LoadedModel", "Source"], dict[str, Any]] | None = None
    renamed_measures: Mapping[str, str] = field(default_factory=dict)
    report_format: tuple[str, ...] = ("MPR {mpr:.2f}", "top-1 {top1:.1%}", "mean error {mae:.2f} class steps")
    draw: Callable[["keras.Model", "Source", Path], None] | None = None
    inference: str = ""

    @property
    def kind(self) -> InputKind:
        """The kind of input that the model takes."""
        return find_input_kind(str(self.features.get("input", "audio")))

    @property
    def inputs(self) -> InputName:
        """The name of its kind of input."""
        return self.kind.name

    def current_measures(self, row: Mapping[str, float]) -> dict[str, float]:
        """Return a row of a history with the present names of its measures, of training and validation."""
        return {self._current_name(name): value for name, value in row.items()}

    def _current_name(self, name: str) -> str:
        prefix = "val_" if name.startswith("val_") else ""
        measure = name.removeprefix(prefix)
        return prefix + self.renamed_measures.get(measure, measure)

    def with_options(self, **options: Any) -> "Recipe":
        """Return the recipe with other values of its own settings."""
        of_loss = {name: value for name, value in options.items() if name in self.loss_options}
        return replace(
            self,
            build=partial(self.build, **options),
            loss=partial(self.loss, **of_loss) if of_loss else self.loss,
            options={**self.options, **options},
        )

    def report(self, measures: Mapping[str, Any]) -> str:
        """Format measures over all parameters in one line; `measures` as `measure` returns them."""
        overall = {name: one["All"] for name, one in measures.items() if isinstance(one, dict) and "All" in one}
        return ", ".join(form.format(**overall) for form in self.report_format).replace("%", " %")

    def compile(
        self,
        model: "keras.Model",
        space: ParameterSpace,
        *,
        loss: str | None = None,
        learning_rate: float = 1e-3,
        steps: int = 1,
    ) -> None:
        """Compile a model for `fit`, in so many steps altogether."""
        if self.adversarial:
            pair = (self.optimizer, steps), (self.adversarial.critic_optimizer, steps * model.critic_steps)
            total = {"steps": steps} if self.adversarial.needs_total_steps else {}
            model.compile(*(make(learning_rate, count) for make, count in pair), **total)
            return
        loss = loss or str(self.defaults["loss"])
        model.compile(
            optimizer=self.optimizer(learning_rate, steps),
            loss=self.loss(space, loss),
            metrics=self.metrics(space),
            jit_compile="auto" if self.jit_compile else False,
        )
        model.optimizer.build(model.trainable_variables)  # made while a step is traced, they have it traced once more


def defaults_of(settings: type[RunSettings], loss: str, *names: str) -> Mapping[str, Any]:
    """Return the defaults of a recipe as its settings have them, and the name of its loss.

    Args:
        names: further settings, besides batch_size, epochs and learning_rate.
    """
    fields = settings.model_fields
    shared = {name: fields[name].default for name in ("batch_size", "epochs", "learning_rate")}
    return MappingProxyType({**shared, "loss": loss, **{name: fields[name].default for name in names}})


def check_loss(loss: str) -> None:
    """Raise ModelError for an unknown loss."""
    if loss not in HEADS:
        raise ModelError(f"loss must be one of {', '.join(HEADS)}. Received: {loss}")


def check_data_format(data_format: str, device: str | None = None) -> None:
    """Raise ModelError for an unknown layout, or for channels_first on a CPU.

    There it depends on how TensorFlow was built (x86 with oneDNN computes it, others do not), and is never faster.

    Args:
        device: 'cpu', 'gpu' or 'tpu'; None asks Keras what this machine computes on.
    """
    if data_format not in DATA_FORMATS:
        raise ModelError(f"data_format must be {' or '.join(DATA_FORMATS)}. Received: {data_format}")
    if data_format == "channels_first" and (device or device_kind()) == "cpu":
        raise ModelError(
            "channels_first needs a GPU: on a CPU only channels_last convolutions can be relied on. "
            "Received: data_format channels_first on cpu. Use channels_last; the weights are the same"
        )


def check_channels_last(name: str, data_format: str) -> None:
    """Raise ModelError for another layout, for a model that has one alone."""
    if data_format != "channels_last":
        raise ModelError(f"{name} is channels_last. Received: data_format {data_format}. Leave it out")


def layer_seeds(seed: int | None) -> Iterator[int | None]:
    """Yield one seed for each layer, so that a model's weights follow from one integer; for None, yield None."""
    rng = None if seed is None else np.random.default_rng(seed)
    while True:
        yield None if rng is None else int(rng.integers(2**31))
