"""The inverter: our own network from a sound to the settings that make it.

Trained with `inversynth train --model inverter --stream`. Every sound is first scaled to one level, so that its gain
has no effect. Three views of it are processed by convolutions: a log spectrogram (512/256), a long-window one
(2048/512) up to 4.2 kHz, which resolves semitones, and the envelope of the waveform. Where the synth declares
oscillators, a fixed bank detects all their shapes at once (`models.layers.oscillators`); attention compares the best
candidates with each other and with the views, and each oscillator points at one of them. One softmax for each
parameter; at most 5 M weights. Convolutions have no normalisation: on two cores it cost a third of the throughput and
gained nothing.

Adam has cosine decay, and exponential averages of the weights (0.999 per step) are kept.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from generators.oscillator_spec import oscillator_columns
from generators.parameters import ParameterSpace
from generators.registry import declared_oscillators
from models.estimation.architectures import INVERTER, INVERTER_VIEWS, INVERTER_WAVE
from models.estimation.e2e_cnn import convolve_wave
from models.estimation.spectrogram_cnn import convolve
from models.training.recipe import Recipe, check_loss, cosine_adam, layer_seeds

if TYPE_CHECKING:
    import keras

WIDTH = 448
"""Of the hidden layers that read all views together."""

ITEM_WIDTH = 128
"""Of a candidate while candidates are compared."""

BLOCKS = 2
"""Of attention over candidates."""

LONG_VIEW_TOP = 4200.0
"""Hertz up to which the long window is used: above are harmonics, which the short one resolves."""

FEATURES = {"input": "audio", "level": "normalised", "views": ["512/256", "2048/512 to 4.2 kHz", "envelope"]}


def build_inverter(
    space: ParameterSpace,
    sample_rate: int,
    samples: int,
    *,
    data_format: str = "channels_last",
    seed: int | None = None,
) -> "keras.Model":
    """Build the inverter of a parameter space.

    Args:
        sample_rate: hertz. samples: length of the sounds. data_format: of the 2-D convolutions.
    Shapes: audio (batch, samples) -> probabilities (batch, space.size), summing to one per parameter.
    """
    import keras

    from models.layers import LevelNormalization, ParameterSoftmax, PointerMixture

    seeds = layer_seeds(seed)
    audio = keras.Input((samples,), name="audio", dtype="float32")
    level = LevelNormalization(name="level")(audio)
    views = _views(level, sample_rate, data_format, seeds)
    summary = _dense(views, WIDTH, "relu", seeds, "summary")
    summary = keras.layers.Add(name="summary_sum")([summary, _dense(summary, WIDTH, "relu", seeds, "summary_more")])
    columns = oscillator_columns(space, declared_oscillators(space))
    oscillators = [(frequency, rate, depth) for frequency, rate, _, depth in columns]
    if oscillators:
        pointer, shapes, pointed = _listen(level, summary, space, oscillators, sample_rate, seeds)
        both = keras.layers.Concatenate(name="all_heard")([pointed, summary])
        more = _dense(both, WIDTH, "relu", seeds, "conclusion")
        summary = keras.layers.Add(name="conclusion_sum")([more, summary])
    logits = _dense(summary, space.size, None, seeds, "logits", dtype="float32")
    name = "plain_probabilities" if oscillators else "probabilities"
    outputs = ParameterSoftmax(space.sizes, dtype="float32", name=name)(logits)
    if oscillators:
        outputs = PointerMixture(space.sizes, oscillators, name="probabilities")([pointer, shapes, outputs])
    return keras.Model(audio, outputs, name=INVERTER)


def _views(level: Any, sample_rate: int, data_format: str, seeds: Iterator[int | None]) -> Any:
    """Read the three views, (batch, numbers)."""
    import keras

    from models.layers import ChannelsLast, CropBins, LogSpectrogram, WaveEnvelope

    flat = []
    for name, view in INVERTER_VIEWS.items():
        view_spectrogram = LogSpectrogram(view.fft_length, view.hop_length, data_format, name=f"{name}_view")(level)
        bins = view.fft_length // 2 + 1
        if view.to_top:
            bins = min(bins, round(LONG_VIEW_TOP * view.fft_length / sample_rate))
            view_spectrogram = CropBins(bins, data_format, name=f"{name}_crop")(view_spectrogram)
        view_spectrogram = convolve(view_spectrogram, view.rows, data_format, seeds, f"{name}_", "HeNormal")
        view_spectrogram = ChannelsLast(data_format, name=f"{name}_channels_last")(view_spectrogram)
        flat.append(keras.layers.Flatten(data_format="channels_last", name=f"{name}_flat")(view_spectrogram))
    wave = WaveEnvelope(name="envelope")(level)
    wave = convolve_wave(wave, INVERTER_WAVE, "channels_last", seeds, "envelope_", "HeNormal")
    flat.append(keras.layers.Flatten(name="envelope_flat")(wave))
    return keras.layers.Concatenate(name="views")(flat)


def _listen(
    level: Any,
    summary: Any,
    space: ParameterSpace,
    oscillators: Sequence[Sequence[int]],
    sample_rate: int,
    seeds: Iterator[int | None],
) -> tuple[Any, Any, Any]:
    """Find candidates, compare them, point. Returns pointer, shapes, and what is pointed at, flat."""
    import keras

    from models.layers import DotProductAttention, OscillatorCandidates, PointedItems, Pointer

    frequencies, rates, depths = (space.parameters[column].levels for column in oscillators[0])
    bank = OscillatorCandidates(frequencies, rates, depths, sample_rate, name="candidates")
    features, shapes = bank(level)
    items = _dense(features, ITEM_WIDTH, None, seeds, "items")
    about = _dense(summary, ITEM_WIDTH, None, seeds, "about_sound")
    items = keras.layers.Add(name="items_in_sound")(
        [items, keras.layers.Reshape((1, ITEM_WIDTH), name="about_all_items")(about)]
    )
    for number in range(1, BLOCKS + 1):
        rest = _layer_norm(items, f"look{number}_norm")
        parts = [_dense(rest, ITEM_WIDTH, None, seeds, f"look{number}_{part}") for part in ("query", "key", "value")]
        looked = DotProductAttention(name=f"look{number}")(parts)
        items = keras.layers.Add(name=f"look{number}_sum")(
            [items, _dense(looked, ITEM_WIDTH, None, seeds, f"look{number}_out")]
        )
        rest = _dense(_layer_norm(items, f"think{number}_norm"), 3 * ITEM_WIDTH, "gelu", seeds, f"think{number}")
        items = keras.layers.Add(name=f"think{number}_sum")(
            [items, _dense(rest, ITEM_WIDTH, None, seeds, f"think{number}_out")]
        )
    items = _layer_norm(items, "items_norm")
    count = len(oscillators)
    scores = _dense(items, count, None, seeds, "pointer_scores", dtype="float32")
    none = _dense(summary, count, None, seeds, "none_scores", dtype="float32")
    pointer = Pointer(name="pointer")([scores, none])
    return pointer, shapes, PointedItems(name="pointed")([pointer, items])


def _dense(
    inputs: Any, units: int, activation: str | None, seeds: Iterator[int | None], name: str, **options: Any
) -> Any:
    import keras

    kind = keras.initializers.HeNormal if activation == "relu" else keras.initializers.GlorotUniform
    layer = keras.layers.Dense(units, activation=activation, kernel_initializer=kind(next(seeds)), name=name, **options)
    return layer(inputs)


def _layer_norm(inputs: Any, name: str) -> Any:
    import keras

    return keras.layers.LayerNormalization(epsilon=1e-5, name=name)(inputs)


def _build(
    space: ParameterSpace, sample_rate: int, samples: int, *, loss: str = "categorical", **options: Any
) -> "keras.Model":
    check_loss(loss)
    return build_inverter(space, sample_rate, samples, **options)


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        INVERTER,
        "three views, a bank of all oscillator shapes and pointers into it; ours",
        "this toolkit",
        _build,
        parameters=4_536_264,
        optimizer=cosine_adam,
        features=FEATURES,
        defaults={"batch_size": 32, "epochs": 100, "learning_rate": 1e-3, "loss": "categorical"},
        scheduled=True,
    ),
)
