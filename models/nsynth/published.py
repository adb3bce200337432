"""The published checkpoint of the WaveNet autoencoder, `wavenet-ckpt`, and others that its code has trained.

The published code generates with the weights themselves, not with the averages that a training keeps beside them; so
does this. The dilations and the hop are not among the variables, and are those of the preset with the same sizes.
Source: the code of Engel et al. 2017 (magenta/models/nsynth/wavenet), for names and shapes.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError, shown
from generators.notes.labels import SPACE
from models.backend import start_keras
from models.model_files import ModelCard, save_model
from models.nsynth.presets import FILTER, NSYNTH, PRESETS, NSynthPreset
from models.tensorflow_checkpoint import Checkpoint, counted, open_checkpoint

if TYPE_CHECKING:
    import keras

SAMPLE_RATE = 16_000
LENGTH = 4.0
"""Hertz, and seconds of the notes of NSynth."""

STEP = "global_step"
KERNEL, BIAS = "/W", "/biases"

Shapes = dict[str, tuple[int, ...]]


def import_nsynth(prefix: Path, output: str | os.PathLike[str]) -> ModelCard:
    """Write encoder and decoder of a checkpoint as a model file with its card.

    Args:
        prefix: of the checkpoint, as `models.tensorflow_checkpoint.find_checkpoint` returns it.
    Raises: ModelError with the names that differ where its variables are those of another network.
    """
    checkpoint = open_checkpoint(prefix)
    name = _preset_of(checkpoint)
    steps = checkpoint.count(STEP)
    about = {"imported": shown(prefix.name, 100)} | ({} if steps is None else {"steps": steps})
    features = {"input": "notes", "size": name, "pitch_conditioning": False, "normalise": False}
    card = ModelCard(NSYNTH, "notes", SPACE.to_json(), SAMPLE_RATE, LENGTH, features, about)
    return save_model(build_imported(checkpoint, PRESETS[name]), output, card)


def build_imported(checkpoint: Checkpoint, size: NSynthPreset) -> "keras.Model":
    """Build an autoencoder with the weights of a checkpoint. Raises ModelError as `Checkpoint.read_all`."""
    weights = checkpoint.read_all(_shapes(size), "a WaveNet autoencoder", (KERNEL, BIAS))

    start_keras()
    from models.nsynth.networks import autoencoder

    model = autoencoder(size)
    for network, ours, theirs, _ in _layers(size):
        layer = model.get_layer(network).get_layer(ours)
        kernel: NDArray[np.float32] = weights[theirs + KERNEL][0]  # an image of one row
        layer.set_weights([kernel.reshape(layer.get_weights()[0].shape), weights[theirs + BIAS]])
    return model


def _layers(size: NSynthPreset) -> Iterator[tuple[str, str, str, tuple[int, int, int]]]:
    """Iterate over the layers: network, name here, published name, and taps, inputs and outputs of the kernel."""
    narrow, width, skip, code = size.encoder_width, size.width, size.skip, size.code
    yield "encoder", "start", "ae_startconv", (FILTER, 1, narrow)
    for number in range(size.encoder_layers):
        yield "encoder", f"dilated{number}", f"ae_dilatedconv_{number + 1}", (FILTER, narrow, narrow)
        yield "encoder", f"residual{number}", f"ae_res_{number + 1}", (1, narrow, narrow)
    yield "encoder", "code", "ae_bottleneck", (1, narrow, code)
    yield "decoder", "start", "startconv", (FILTER, 1, width)
    yield "decoder", "skip_start", "skip_start", (1, width, skip)
    for number in range(size.layers):
        yield "decoder", f"dilated{number}", f"dilatedconv_{number + 1}", (FILTER, width, 2 * width)
        yield "decoder", f"condition{number}", f"cond_map_{number + 1}", (1, code, 2 * width)
        yield "decoder", f"residual{number}", f"res_{number + 1}", (1, width, width)
        yield "decoder", f"skip{number}", f"skip_{number + 1}", (1, width, skip)
    yield "decoder", "skip_last", "out1", (1, skip, skip)
    yield "decoder", "condition_last", "cond_map_out1", (1, code, skip)
    yield "decoder", "logits", "logits", (1, skip, 256)


def _shapes(size: NSynthPreset) -> Shapes:
    """Return the shapes of all variables of a network by their names."""
    shapes: Shapes = {}
    for _, _, theirs, kernel in _layers(size):
        shapes |= {theirs + KERNEL: (1, *kernel), theirs + BIAS: kernel[-1:]}
    return shapes


def _preset_of(checkpoint: Checkpoint) -> str:
    """Return the preset whose sizes a checkpoint has; `full`, which it then differs from, where none has them.

    Raises: ModelError for a checkpoint of something else altogether.
    """
    variables = checkpoint.variables
    if "startconv" + KERNEL not in variables or "ae_startconv" + KERNEL not in variables:
        raise ModelError(
            f"{checkpoint.prefix} must hold a WaveNet autoencoder, as startconv{KERNEL} and ae_startconv{KERNEL}. "
            f"Received: {len(variables):,} other variables"
        )
    found = (
        *(_last(variables, name) for name in ("ae_startconv", "ae_bottleneck", "startconv", "skip_start")),
        counted(variables, lambda number: f"ae_dilatedconv_{number}{KERNEL}"),
        counted(variables, lambda number: f"dilatedconv_{number}{KERNEL}"),
    )
    sizes = {
        name: (each.encoder_width, each.code, each.width, each.skip, each.encoder_layers, each.layers)
        for name, each in PRESETS.items()
    }
    return next((name for name, size in sizes.items() if size == found), "full")


def _last(variables: Mapping[str, object], name: str) -> int:
    """Return the outputs of a layer, 0 where there is none."""
    shape = getattr(variables.get(name + KERNEL), "shape", ())
    return int(shape[-1]) if shape else 0
