"""The one harness that every Keras layer passes: shape, config round trip, save and load, one training step."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np


def check_layer(layer: keras.layers.Layer, inputs: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Hold a layer, adapted where it needs that, to what all layers promise.

    Args:
        inputs: a batch of two or more, without the batch axis of `shape`, which is what must come out for one of it.
    """
    outputs = np.asarray(layer(inputs))
    assert outputs.shape == (len(inputs), *shape)
    assert np.all(np.isfinite(outputs))
    _check_shapes(layer, inputs, shape)
    _check_config(layer, inputs, outputs)
    _check_saving(layer, inputs, outputs, tmp_path)
    _check_training_step(layer, inputs)
    _check_half_precision(layer, inputs)


def _check_shapes(layer: keras.layers.Layer, inputs: Any, shape: tuple[int, ...]) -> None:
    assert tuple(layer.compute_output_shape((None, *inputs.shape[1:]))) == (None, *shape)
    assert tuple(layer(keras.Input(inputs.shape[1:])).shape) == (None, *shape)


def _check_config(layer: keras.layers.Layer, inputs: Any, outputs: Any) -> None:
    config = json.loads(json.dumps(layer.get_config()))
    twin = type(layer).from_config(config)
    assert json.loads(json.dumps(twin.get_config())) == config
    twin.build(inputs.shape)
    twin.set_weights(layer.get_weights())
    np.testing.assert_allclose(np.asarray(twin(inputs)), outputs, rtol=1e-6, atol=1e-6)


def _check_saving(layer: keras.layers.Layer, inputs: Any, outputs: Any, tmp_path: Path) -> None:
    start = keras.Input(inputs.shape[1:])
    path = tmp_path / "layer.keras"
    keras.Model(start, layer(start)).save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(inputs)), outputs, rtol=1e-6, atol=1e-6)


def _check_training_step(layer: keras.layers.Layer, inputs: Any) -> None:
    start = keras.Input(inputs.shape[1:])
    model = keras.Model(start, keras.layers.Dense(2)(keras.layers.Flatten()(layer(start))))
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss="mean_squared_error")
    before = [np.asarray(weight) for weight in layer.non_trainable_weights]
    moving = [np.asarray(weight) for weight in model.trainable_weights]
    loss = model.train_on_batch(inputs, np.ones((len(inputs), 2), np.float32))
    assert np.isfinite(loss)
    for old, weight in zip(before, layer.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), old)
    assert all(np.any(np.asarray(new) != old) for old, new in zip(moving, model.trainable_weights, strict=True))


def _check_half_precision(layer: keras.layers.Layer, inputs: Any) -> None:
    """A mixed-precision model hands a layer float16 or float32, and gets numbers of its own precision back."""
    config = {**layer.get_config(), "dtype": "mixed_float16"}
    twin = type(layer).from_config(config)
    twin.build(inputs.shape)
    twin.set_weights(layer.get_weights())
    half = twin(keras.ops.cast(inputs, "float16"))
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    assert np.all(np.isfinite(np.asarray(half, np.float32)))
