"""Mu-law companding: 8 bits per sample, with finer steps at low levels (ITU-T G.711; van den Oord et al. 2016).

As NSynth has it (Engel et al. 2017), the levels are whole numbers from -128 to 127 and the network sees level / 128,
without half a step of offset. Here levels travel as classes 0 to 255, level + 128, so that inputs and targets of a
network are one array.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

MU = 255
CLASSES = MU + 1
MIDDLE = CLASSES // 2
"""The class of silence, level 0."""


def mu_law_classes(audio: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return the class of each sample: 128 + floor(128 sign(x) ln(1 + 255 |x|) / ln 256), at most 255.

    Shapes: audio of any shape in -1..1 -> the same, uint8. What lies outside -1..1 is clipped; 1.0 itself would be
    class 256, which there is not.
    """
    audio = np.clip(np.asarray(audio, np.float32), -1.0, 1.0)
    companded = np.sign(audio) * np.log1p(MU * np.abs(audio)) / np.float32(math.log(CLASSES))
    return np.clip(np.floor(MIDDLE * companded) + MIDDLE, 0, MU).astype(np.uint8)


def mu_law_audio(classes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the sample in the middle of each class, and exactly 0 for class 128.

    Shapes: classes of any shape, 0 to 255 -> the same, float32 in -0.9785..0.9785.
    """
    level = np.asarray(classes, np.float32) - MIDDLE
    companded = (level + np.float32(0.5)) / MIDDLE
    audio = np.sign(companded) * np.expm1(np.abs(companded) * np.float32(math.log(CLASSES))) / MU
    return np.where(level == 0, np.float32(0.0), audio).astype(np.float32)


def mu_law_classes_op(audio: Any) -> Any:
    """Do what `mu_law_classes` does with a tensor. Shapes: any -> the same, int32."""
    audio = ops.clip(ops.cast(audio, "float32"), -1.0, 1.0)
    companded = ops.sign(audio) * ops.log1p(MU * ops.abs(audio)) / math.log(CLASSES)
    return ops.cast(ops.clip(ops.floor(MIDDLE * companded) + MIDDLE, 0, MU), "int32")


def mu_law_audio_op(classes: Any) -> Any:
    """Do what `mu_law_audio` does with a tensor. Shapes: any -> the same, float32."""
    level = ops.cast(classes, "float32") - MIDDLE
    companded = (level + 0.5) / MIDDLE
    audio = ops.sign(companded) * ops.expm1(ops.abs(companded) * math.log(CLASSES)) / MU
    return ops.where(level == 0, ops.zeros_like(audio), audio)


@keras.saving.register_keras_serializable("inversynth")
class CompandedLevel(keras.layers.Layer):
    """Scale mu-law classes to numbers: (class - 128) / 128.

    Shapes: (batch, samples) of classes 0 to 255 -> (batch, samples, 1) in -1..1.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"autocast": False, **options})  # float16 would round the classes

    def call(self, classes: Any) -> Any:
        level = (ops.cast(classes, "float32") - MIDDLE) / MIDDLE
        return ops.cast(level[..., None], self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, 1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
