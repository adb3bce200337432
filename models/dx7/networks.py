"""The network: an encoder of a note, and a transformer over the seven tokens of a voice, some classes of them hidden.

It is trained to name hidden classes from the sound and from those that are given (as BERT and MaskGIT are: Devlin et
al. 2018, arXiv 1810.04805; Chang et al. 2022, arXiv 2202.04200), so that a voice is drawn in a few passes in which what
was drawn before counts: operators of a stack belong together.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from generators.dx7.voice import OPERATORS
from models.dx7.features import CHANNELS, FRAMES
from models.dx7.tokens import FIELDS, OPERATOR_FIELDS, SHARED_FIELDS, SIZES, columns_of
from models.layers.token_embedding import TokenEmbedding

WIDTH, CONVOLUTIONS, KERNEL = 224, 3, 3
"""Of the encoder: channels, layers of stride 2, steps that each looks at."""

STEP = 2
"""Frames that the encoder takes together first."""

SOUND = 256
"""Numbers in which the encoder describes a sound."""

DEPTH, HEADS, LAYERS = 192, 4, 3
"""Of the transformer."""

TOKENS = OPERATORS + 1
OPERATOR_CLASSES = sum(one.size for one in OPERATOR_FIELDS)
SHARED_CLASSES = sum(one.size for one in SHARED_FIELDS)
CLASSES = OPERATORS * OPERATOR_CLASSES + SHARED_CLASSES
"""Numbers that the network returns for a voice: the logits of all columns."""

SPREAD = 1.5
"""Standard deviation, in classes, of the targets of parameters whose neighbouring classes sound alike."""

NEAR, LEAST_WEIGHT = 3, 0.1
"""Steps within which a number counts as right, and the weight above which a column is measured."""


def build_network(seed: int | None = None) -> keras.Model:
    """Build the network, untrained.

    Shapes: [sound (batch, FRAMES, CHANNELS), note (batch, 1) as MIDI, classes (batch, columns)] -> logits
    (batch, CLASSES), the columns one after another.
    """
    rng = np.random.default_rng(seed)

    def start() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(int(rng.integers(2**31)))

    sound = keras.Input((FRAMES, CHANNELS), name="sound")
    note = keras.Input((1,), name="note")
    classes = keras.Input((len(FIELDS),), name="classes", dtype="int32")

    hidden = keras.layers.Reshape((FRAMES // STEP, STEP * CHANNELS), name="steps")(sound)
    hidden = keras.layers.Dense(WIDTH, "relu", kernel_initializer=start(), name="frames")(hidden)
    for number in range(1, CONVOLUTIONS + 1):
        hidden = keras.layers.Conv1D(
            WIDTH, KERNEL, 2, "same", activation="relu", kernel_initializer=start(), name=f"convolution{number}"
        )(hidden)
        hidden = keras.layers.LayerNormalization(epsilon=1e-5, name=f"normalisation{number}")(hidden)
    flat = keras.layers.Flatten(name="flat")(hidden)
    key = keras.layers.Rescaling(1.0 / 32.0, -2.0, name="key")(note)
    heard = keras.layers.Dense(SOUND, "relu", kernel_initializer=start(), name="heard")(
        keras.layers.Concatenate(name="heard_at")([flat, key])
    )
    context = keras.layers.Dense(TOKENS * DEPTH, kernel_initializer=start(), name="context")(heard)
    context = keras.layers.Reshape((TOKENS, DEPTH), name="context_of_tokens")(context)

    groups = [
        ("operator", OPERATORS, [one.size for one in OPERATOR_FIELDS]),
        ("shared", 1, [one.size for one in SHARED_FIELDS]),
    ]
    tokens = TokenEmbedding(groups, DEPTH, int(rng.integers(2**31)), name="tokens")(classes)
    state = keras.layers.Add(name="state")([tokens, context])
    for number in range(1, LAYERS + 1):
        normal = keras.layers.LayerNormalization(epsilon=1e-5, name=f"attention{number}_normalisation")(state)
        attended = keras.layers.MultiHeadAttention(
            HEADS, DEPTH // HEADS, kernel_initializer=start(), name=f"attention{number}"
        )(normal, normal)
        state = keras.layers.Add(name=f"attention{number}_sum")([state, attended])
        normal = keras.layers.LayerNormalization(epsilon=1e-5, name=f"mlp{number}_normalisation")(state)
        wide = keras.layers.Dense(4 * DEPTH, "relu", kernel_initializer=start(), name=f"mlp{number}_wide")(normal)
        narrow = keras.layers.Dense(DEPTH, kernel_initializer=start(), name=f"mlp{number}_narrow")(wide)
        state = keras.layers.Add(name=f"mlp{number}_sum")([state, narrow])
    state = keras.layers.LayerNormalization(epsilon=1e-5, name="final_normalisation")(state)
    operators = keras.layers.Dense(OPERATOR_CLASSES, kernel_initializer=start(), name="operator_classes")(
        state[:, :OPERATORS]
    )
    shared = keras.layers.Dense(SHARED_CLASSES, kernel_initializer=start(), name="shared_classes")(state[:, OPERATORS:])
    logits = keras.layers.Concatenate(name="logits", dtype="float32")(
        [keras.layers.Flatten(name="operators_flat")(operators), keras.layers.Flatten(name="shared_flat")(shared)]
    )
    return keras.Model([sound, note, classes], logits, name="dx7")


@keras.saving.register_keras_serializable("inversynth")
class TokenCrossentropy(keras.losses.Loss):
    """Weighted cross entropy over the columns of voices; numbers count as near the right class as they sound.

    Shapes: targets (batch, 2 x columns), classes and then weights of the columns; logits (batch, CLASSES) -> (batch,).
    """

    def __init__(self, name: str = "token_crossentropy", **options: Any) -> None:
        super().__init__(name=name, **options)
        self._targets = [_soft_targets(one.size, one.ordinal) for one in (*OPERATOR_FIELDS, *SHARED_FIELDS)]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        columns = len(FIELDS)
        classes, weights = ops.cast(y_true[:, :columns], "int32"), ops.cast(y_true[:, columns:], "float32")
        wide = OPERATORS * OPERATOR_CLASSES
        logits = (ops.reshape(y_pred[:, :wide], (-1, OPERATORS, OPERATOR_CLASSES)), y_pred[:, None, wide:])
        count = len(OPERATOR_FIELDS)
        groups = (
            [ops.reshape(part[:, : OPERATORS * count], (-1, OPERATORS, count)) for part in (classes, weights)],
            [part[:, None, OPERATORS * count :] for part in (classes, weights)],
        )
        total: Any = 0.0
        for fields, scores, (wanted, weight), first in zip(
            (OPERATOR_FIELDS, SHARED_FIELDS), logits, groups, (0, count), strict=True
        ):
            begin = 0
            for number, one in enumerate(fields):
                log_probability = ops.log_softmax(scores[:, :, begin : begin + one.size], axis=-1)
                target = ops.take(ops.convert_to_tensor(self._targets[first + number]), wanted[:, :, number], axis=0)
                total = total - ops.sum(weight[:, :, number] * ops.sum(target * log_probability, axis=-1), axis=-1)
                begin += one.size
        return total / ops.maximum(ops.sum(weights, axis=-1), 1.0)


def token_accuracies(logits: Any, targets: Any, names: Sequence[str]) -> dict[str, float]:
    """Return how often the likeliest class is right, by parameter: numbers within `NEAR` steps, heard operators alone.

    Shapes: logits (n, CLASSES), targets (n, 2 x columns), as of `TokenCrossentropy`.
    """
    found = {}
    starts = np.cumsum(SIZES) - SIZES
    for name in names:
        right = []
        for column in columns_of(name):
            one = FIELDS[column]
            likeliest = logits[:, starts[column] : starts[column] + one.size].argmax(axis=1)
            near = np.abs(likeliest - targets[:, column]) <= (NEAR if one.ordinal else 0)
            right.append(near[targets[:, len(FIELDS) + column] > LEAST_WEIGHT])
        found[name] = float(np.concatenate(right).mean())
    return found


def _soft_targets(size: int, ordinal: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the targets of each class, (size, size)."""
    if not ordinal:
        return np.eye(size, dtype=np.float32)
    steps = np.arange(size)
    near = np.exp(-0.5 * ((steps[:, None] - steps[None]) / SPREAD) ** 2)
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


assert int(SIZES.sum()) == CLASSES
