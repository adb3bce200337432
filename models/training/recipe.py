"""A recipe: all that differs from one model to the next, so that one training loop serves them all.

Recipes stand beside the models they describe and are gathered in `models.registry`; importing them costs no
TensorFlow, because a recipe only imports Keras once it builds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.backend import device_kind
from models.estimation.architectures import HEADS
from models.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

    from models.model_files import LoadedModel
    from models.training.data import Source

INVERSYNTH = "Barkan, Tsiris, Koenigstein, Katz: InverSynth, IEEE/ACM TASLP 2019, arXiv 1812.06349"

DATA_FORMATS = ("channels_last", "channels_first")


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
    """Return the measures shown while training: `mpr`, `top1`, `top5` and `mae`."""
    from models.training.keras_metrics import ClassMAE, MeanPercentileRank, TopKAccuracy

    sizes = space.sizes
    return [MeanPercentileRank(sizes), TopKAccuracy(sizes, k=1), TopKAccuracy(sizes, k=5), ClassMAE(sizes)]


def adam(learning_rate: float, steps: int) -> "keras.optimizers.Optimizer":
    """Return Adam, the optimiser of the paper, at one learning rate however many `steps` there are."""
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


Input = Literal["audio", "patches", "envelope", "notes", "latents", "pictures", "mels"]
"""What a model takes: a sound, the knob positions of a patch, a waveform with the classes of an envelope, pieces of
notes as mu-law classes, latents of a generator, pictures of notes with their labels, or mel magnitudes of notes."""


class TrainingStage(NamedTuple):
    """A part of a training in which the model has one shape: its number, and its last epoch, counted from 1."""

    number: int
    end: int


OpenData = Callable[[Any, ExitStack, Any], "tuple[Source, str]"]
"""Opens the data that settings mean, to be closed by the stack, with a reader of patch folders where one is at hand;
returns it and what the run is named after."""


@dataclass(frozen=True)
class Recipe:
    """One trainable model: how to build it, what to train it on, and where it comes from.

    Attributes:
        name: as in `--model`. summary: one line for lists. paper: its source.
        build: makes the model. adapt: fits feature weights to training audio first; None where there are none.
        loss, metrics: made from the parameter space and the settings; targets are `classes`.
        optimizer: made from the learning rate and the steps of the whole training. scheduled: it depends on the
            latter, so that a run cannot go on beyond the epochs it was begun with.
        features: what the model sees of the sound, as it is written into a model's card.
        critic_optimizer: made in the same way for the critic of an adversarial system, from its own steps; None else.
        counted: the critic's system is told how many steps there are altogether, for it has a schedule of its own.
        stages: of a model that grows as it is trained, from its options; `build` takes the `stage` then, and `grow`
            hands on what a compiled model has learned to that of the next stage.
        inputs: what it takes; a model of patches gives knob positions in place of probabilities.
        settings: what its door reads. open_data: opens its data, where that differs from sounds and their classes.
        told: what the last line of a training says, of each measure over all parameters.
        draw: draws what a model makes of a few examples of a source, every `print_interval` epochs.
        options: settings of its own that `build` takes, with what they are. loss_options: those that `loss` takes, too.
        compiled: let XLA have it, where Keras would. measure: how it is measured after training,
            where that differs from `models.training.evaluate.measure`.
        defaults: settings of its paper, by their names; `loss` is that of a run whose settings name none.
    """

    name: str
    summary: str
    paper: str
    build: Build
    adapt: Adapt | None = None
    loss: Callable[[ParameterSpace, str], "keras.losses.Loss"] = cross_entropy
    metrics: Callable[[ParameterSpace], list["keras.metrics.Metric"]] = class_metrics
    optimizer: Callable[[float, int], "keras.optimizers.Optimizer"] = adam
    scheduled: bool = False
    features: Mapping[str, Any] = field(default_factory=dict)
    critic_optimizer: Callable[[float, int], "keras.optimizers.Optimizer"] | None = None
    counted: bool = False
    stages: Callable[[Mapping[str, Any]], Sequence[TrainingStage]] | None = None
    grow: Callable[[Any, Any], None] | None = None
    inputs: Input = "audio"
    settings: type[TrainingSettings] = TrainingSettings
    open_data: OpenData | None = None
    told: tuple[str, ...] = ("MPR {mpr:.2f}", "top-1 {top1:.1%}", "mean error {mae:.2f} class steps")
    draw: Callable[["keras.Model", "Source", Path], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    loss_options: tuple[str, ...] = ()
    compiled: bool = True
    measure: Callable[["LoadedModel", "Source"], dict[str, Any]] | None = None
    defaults: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType(
            {"batch_size": 16, "epochs": 100, "learning_rate": 1e-3, "loss": "bce"}
        )
    )

    def with_options(self, **options: Any) -> "Recipe":
        """Return the recipe with other values of its own settings."""
        weighed = {name: value for name, value in options.items() if name in self.loss_options}
        return replace(
            self,
            build=partial(self.build, **options),
            loss=partial(self.loss, **weighed) if weighed else self.loss,
            options={**self.options, **options},
        )

    def tell(self, measures: Mapping[str, Any]) -> str:
        """Say what was measured, over all parameters; `measures` as `measure` returns them."""
        overall = {name: one["All"] for name, one in measures.items() if isinstance(one, dict) and "All" in one}
        return ", ".join(form.format(**overall) for form in self.told).replace("%", " %")

    def compile(
        self,
        model: "keras.Model",
        space: ParameterSpace,
        *,
        loss: str | None = None,
        learning_rate: float = 1e-3,
        steps: int = 1,
    ) -> None:
        """Make a built model ready for `fit` on (audio, classes), in so many steps altogether."""
        if self.critic_optimizer:
            pair = (self.optimizer, steps), (self.critic_optimizer, steps * model.critic_steps)
            told = {"steps": steps} if self.counted else {}
            model.compile(*(make(learning_rate, count) for make, count in pair), **told)
            return
        loss = loss or str(self.defaults["loss"])
        model.compile(
            optimizer=self.optimizer(learning_rate, steps),
            loss=self.loss(space, loss),
            metrics=self.metrics(space),
            jit_compile="auto" if self.compiled else False,
        )


def defaults_of(settings: type[TrainingSettings], loss: str, *names: str) -> Mapping[str, Any]:
    """Return the defaults of a recipe as the settings of its door have them, with the loss it is trained by.

    Args:
        names: further settings, besides batch_size, epochs and learning_rate.
    """
    fields = settings.model_fields
    told = {name: fields[name].default for name in ("batch_size", "epochs", "learning_rate")}
    return MappingProxyType({**told, "loss": loss, **{name: fields[name].default for name in names}})


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
    """Raise ModelError where a model that knows one layout alone is asked for another."""
    if data_format != "channels_last":
        raise ModelError(f"{name} is channels_last. Received: data_format {data_format}. Leave it out")


def layer_seeds(seed: int | None) -> Iterator[int | None]:
    """Yield one seed a layer, so that a model's weights follow from one integer; None leaves them to chance."""
    rng = None if seed is None else np.random.default_rng(seed)
    while True:
        yield None if rng is None else int(rng.integers(2**31))
