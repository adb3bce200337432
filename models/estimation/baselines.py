"""The networks without convolutions that InverSynth compares itself with: FC Linear, FC1 … FC3, HC and HC3.

Each takes 1000 numbers that layers of the model itself compute from a sound: a bag of frames (FC), or hand-crafted
features after Itoyama and Okuno 2014 (HC; our set is smaller, see `models.layers.hand_crafted`). `adapt` fits these
layers to training audio before training; their weights are then fixed and saved with the model, which maps audio to
probabilities like every other.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.spectrogram import FFT_LENGTH, FLOOR, HOP_LENGTH
from generators.errors import ModelError, unknown
from generators.parameters import ParameterSpace
from models.estimation.architectures import BASELINE_INPUTS, BASELINES, Baseline
from models.estimation.spectrogram_cnn import probabilities
from models.training.recipe import HEADS, INVERSYNTH, Recipe, check_loss, layer_seeds

if TYPE_CHECKING:
    import keras

COMPONENTS = 64
"""Principal components kept of each frame (InverSynth, section 4.2)."""

ADAPT_BATCHES = 400
"""Batches that `adapt` reads at most: 25,600 sounds at 64 a batch, beyond which components and centroids settle."""


def build_baseline(
    name: str,
    sizes: Sequence[int],
    sample_rate: int,
    samples: int,
    *,
    fft_length: int = FFT_LENGTH,
    hop_length: int = HOP_LENGTH,
    head: str = "sigmoid",
    seed: int | None = None,
) -> "keras.Model":
    """Build a baseline. Its features give nothing until `adapt` has fitted them.

    Args:
        name: a row of BASELINES. sizes: class count of each parameter. head: 'sigmoid' or 'softmax'.
    Shapes: audio (batch, samples) -> 1000 numbers -> probabilities (batch, sum of sizes).
    """
    import keras

    from models.layers import BagOfFrames, HandCraftedFeatures, LogSpectrogram, PrincipalComponents

    if name not in BASELINES:
        raise ModelError(unknown("baseline", name, BASELINES))
    baseline = BASELINES[name]
    seeds = layer_seeds(seed)
    audio = keras.Input((samples,), name="audio", dtype="float32")
    if baseline.features == "bag_of_frames":
        spectrogram = LogSpectrogram(fft_length, hop_length, name="spectrogram")(audio)
        hidden = BagOfFrames(BASELINE_INPUTS, COMPONENTS, name="features")(spectrogram)
    else:
        measures = HandCraftedFeatures(sample_rate, fft_length, hop_length, name="measures")(audio)
        hidden = PrincipalComponents(BASELINE_INPUTS, name="features")(measures)
    for number, row in enumerate(baseline.rows, start=1):
        hidden = keras.layers.Dense(
            row.units,
            activation=baseline.activation,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name=f"hidden{number}",
        )(hidden)
        if row.dropout:
            hidden = keras.layers.Dropout(row.dropout, seed=next(seeds), name=f"dropout{number}")(hidden)
    return keras.Model(audio, probabilities(hidden, sizes, head, seeds), name=name)


def adapt(model: "keras.Model", batches: Iterable[NDArray[np.float32]], *, seed: int = 0) -> None:
    """Fit the feature layer of a baseline to batches of training audio, (n, samples) each, before it trains.

    Reads ADAPT_BATCHES batches at most, once. Fewer sounds or frames than 1000 give fewer components or centroids,
    and the inputs left over stay zero.
    Raises: ModelError where there is no sound.
    """
    import keras

    layer = model.get_layer("features")
    front = keras.Model(model.input, layer.input)
    layer.adapt((front.predict_on_batch(batch) for batch in islice(batches, ADAPT_BATCHES)), seed=seed)


def _build(
    name: str,
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    loss: str = "bce",
    data_format: str = "channels_last",
    **options: Any,
) -> "keras.Model":
    check_loss(loss)  # data_format is for convolutions, and a baseline has none
    return build_baseline(name, space.sizes, sample_rate, samples, head=HEADS[loss], **options)


def _summary(baseline: Baseline) -> str:
    inputs = "a bag of frames" if baseline.features == "bag_of_frames" else "hand-crafted features"
    units = " + ".join(str(row.units) for row in baseline.rows)
    return f"{units} {'linear' if baseline.activation == 'linear' else 'ReLU'} units over {inputs}"


PARAMETERS: dict[str, int] = {
    "FC_Linear": 1_190_029,
    "FC1": 1_188_660,
    "FC2": 1_189_115,
    "FC3": 1_189_028,
    "HC": 1_190_029,
    "HC3": 1_189_028,
}
"""Trained weights with the `fm` head of 368. The fixed weights of the features are not counted: 80,705 for FC,
2,178,176 for HC."""

RECIPES: tuple[Recipe, ...] = tuple(
    Recipe(
        name,
        _summary(baseline),
        INVERSYNTH,
        partial(_build, name),
        parameters=PARAMETERS[name],
        adapt=adapt,
        features={
            "input": baseline.features,
            "fft_length": FFT_LENGTH,
            "hop_length": HOP_LENGTH,
            "window": "hann",
            "floor": FLOOR,
        },
    )
    for name, baseline in BASELINES.items()
)
