"""Checkpoints with the variables that Magenta's code has, of any size and with random values, and its graphs in NumPy.

The names and shapes are those of its code (magenta/models/gansynth/lib, magenta/models/nsynth/wavenet), written down
here without regard to what the imports expect; `tf.compat.v1.train.Saver` writes the files, as it did then.
"""

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.tensorflow_files import masked_crc32c

Values = dict[str, NDArray[Any]]

GENERATOR = "Generator/progressive_gan_generator/progressive_gan_block_{}/{}"
CRITIC = "Discriminator/progressive_gan_discriminator/progressive_gan_block_{}/{}"
AVERAGE = "/ExponentialMovingAverage"


def save_checkpoint(prefix: Path, values: Mapping[str, NDArray[Any]]) -> Path:
    """Write a checkpoint with TensorFlow; returns its prefix."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    v1 = tf.compat.v1
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        holders = {name: v1.placeholder(value.dtype, value.shape) for name, value in values.items()}
        for name, value in values.items():  # a placeholder, since a graph holds 2 GB of constants at most
            v1.get_variable(name, initializer=holders[name], dtype=value.dtype, use_resource=False)
        session.run(v1.global_variables_initializer(), {holders[name]: value for name, value in values.items()})
        v1.train.Saver().save(session, str(prefix), write_meta_graph=False)
    return prefix


# --- GANSynth ---------------------------------------------------------------------------------------------------------


def gansynth_values(
    start: Sequence[int] = (2, 8),
    widths: Sequence[int] = (16, 16, 8),
    latent: int = 8,
    pitches: int = 3,
    step: int = 320,
    seed: int = 0,
) -> Values:
    """Return what a training of GANSynth saves: weights of both networks, averages, the state of Adam, counters.

    Args:
        widths: filters of the blocks.
    """
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(scope: str, kernel: tuple[int, ...], inner: str = "conv2d") -> None:
        shapes[f"{scope}/bias"] = kernel[-1:]
        shapes[f"{scope}/{inner}/kernel"] = kernel

    before = latent + pitches
    for block, width in enumerate(widths, 1):
        layer(GENERATOR.format(block, "conv0"), (*(start if block == 1 else (3, 3)), before, width))
        layer(GENERATOR.format(block, "conv1"), (3, 3, width, width))
        layer(GENERATOR.format(block, "to_rgb"), (1, 1, width, 2))
        before = width
    generator = list(shapes)
    for block, width in enumerate(widths, 1):
        layer(CRITIC.format(block, "from_rgb"), (1, 1, 2, width))
        below = widths[max(block - 2, 0)]
        layer(CRITIC.format(block, "conv0"), (3, 3, width + (block == 1), width))
        layer(CRITIC.format(block, "conv1"), (*(start if block == 1 else (3, 3)), width, below))
    layer(CRITIC.format(1, "logits"), (widths[0], 1), "dense")
    layer("Discriminator/discriminator_cond/classification_logits", (widths[0], pitches), "dense")

    def draw(shape: tuple[int, ...]) -> NDArray[np.float32]:
        return random.standard_normal(shape, np.float32)

    values: Values = {name: draw(shape) for name, shape in shapes.items()}
    values |= {name + AVERAGE: draw(shapes[name]) for name in generator}
    values |= {f"{name}/{slot}": np.zeros(shapes[name], np.float32) for name in shapes for slot in ("Adam", "Adam_1")}
    return values | {"global_step": np.int64(step), "Variable": np.float32(0.0), "beta2_power": np.float32(0.99)}


def gansynth_graph(
    values: Mapping[str, NDArray[Any]], latents: NDArray[Any], labels: NDArray[Any], blocks: int
) -> NDArray[np.float64]:
    """Compute the published generator with averaged weights and its last block alone, in its own steps.

    Shapes: (n, latent), (n,) labels from 0 -> (n, frames, bins, 2), normalised.
    """
    averages = {
        name.removesuffix(AVERAGE): np.asarray(value, np.float64)
        for name, value in values.items()
        if name.endswith(AVERAGE)
    }

    def convolved(inputs: NDArray[Any], block: int, name: str, slope: float, same: bool = True) -> NDArray[Any]:
        scope = GENERATOR.format(block, name)
        kernel, bias = averages[f"{scope}/conv2d/kernel"], averages[f"{scope}/bias"]
        rows, columns = kernel.shape[:2]
        if same:
            inputs = np.pad(inputs, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(
            inputs, (rows, columns), (1, 2)
        )  # n, h, w, in, rows, columns
        scale = np.sqrt(2.0 / ((1.0 + slope**2) * np.prod(kernel.shape[:3])))
        return np.asarray(scale * np.einsum("nhwirc,rcio->nhwo", windows, kernel, optimize=True) + bias)

    def normalised(inputs: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(inputs / np.sqrt(np.mean(inputs**2, axis=3, keepdims=True) + 1e-8))

    def active(inputs: NDArray[Any]) -> NDArray[Any]:
        return normalised(np.maximum(inputs, 0.2 * inputs))

    first = averages[GENERATOR.format(1, "conv0") + "/conv2d/kernel"]
    rows, columns, width = first.shape[:3]
    one_hot = np.eye(width - latents.shape[1])[labels]
    hidden = normalised(np.concatenate([latents, one_hot], axis=1)[:, None, None, :])
    hidden = np.pad(hidden, ((0, 0), (rows - 1,) * 2, (columns - 1,) * 2, (0, 0)))
    for block in range(1, blocks + 1):
        if block > 1:
            hidden = hidden.repeat(2, axis=1).repeat(2, axis=2)
        hidden = active(convolved(hidden, block, "conv0", 0.0, same=block > 1))
        hidden = active(convolved(hidden, block, "conv1", 0.0))
    return np.tanh(convolved(hidden, blocks, "to_rgb", 1.0))


# --- NSynth -----------------------------------------------------------------------------------------------------------


def nsynth_values(
    narrow: int = 8,
    encoder_layers: int = 4,
    code: int = 4,
    width: int = 8,
    skip: int = 8,
    layers: int = 4,
    seed: int = 0,
) -> Values:
    """Return what a training of the WaveNet autoencoder saves: weights, averages, the state of Adam, a counter."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, taps: int, inputs: int, outputs: int) -> None:
        shapes[f"{name}/W"], shapes[f"{name}/biases"] = (1, taps, inputs, outputs), (outputs,)

    layer("ae_startconv", 3, 1, narrow)
    for number in range(1, encoder_layers + 1):
        layer(f"ae_dilatedconv_{number}", 3, narrow, narrow)
        layer(f"ae_res_{number}", 1, narrow, narrow)
    layer("ae_bottleneck", 1, narrow, code)
    layer("startconv", 3, 1, width)
    layer("skip_start", 1, width, skip)
    for number in range(1, layers + 1):
        layer(f"dilatedconv_{number}", 3, width, 2 * width)
        layer(f"cond_map_{number}", 1, code, 2 * width)
        layer(f"res_{number}", 1, width, width)
        layer(f"skip_{number}", 1, width, skip)
    layer("out1", 1, skip, skip)
    layer("cond_map_out1", 1, code, skip)
    layer("logits", 1, skip, 256)

    def draw(shape: tuple[int, ...]) -> NDArray[np.float32]:
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 10.0
        return (random.standard_normal(shape, np.float32) / np.sqrt(fan_in)).astype(np.float32)

    values: Values = {name: draw(shape) for name, shape in shapes.items()}
    values |= {name + AVERAGE: draw(shape) for name, shape in shapes.items()}
    values |= {f"{name}/{slot}": np.zeros(shapes[name], np.float32) for name in shapes for slot in ("Adam", "Adam_1")}
    return values | {"global_step": np.int32(200_000), "beta1_power": np.float32(0.9)}


def nsynth_graph(
    values: Mapping[str, NDArray[Any]], audio: NDArray[Any], hop: int, cycle: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the published graph on sounds. Shapes: (n, samples) -> codes (n, k, code), logits (n, samples, 256)."""
    steps = np.floor(128 * np.sign(audio) * np.log(1 + 255 * np.abs(audio)) / np.log(256))
    scaled = (steps / 128.0)[:, :, None]

    def linear(inputs: NDArray[Any], name: str) -> NDArray[Any]:
        return inputs @ np.asarray(values[f"{name}/W"][0, 0], np.float64) + values[f"{name}/biases"]

    def convolved(inputs: NDArray[Any], name: str, dilation: int, causal: bool) -> NDArray[Any]:
        count, before = inputs.shape[1], 2 * dilation if causal else dilation
        padded = np.pad(inputs, ((0, 0), (before, 2 * dilation - before), (0, 0)))
        taps = [padded[:, tap * dilation : tap * dilation + count] for tap in range(3)]
        kernel = np.asarray(values[f"{name}/W"][0], np.float64)
        return sum(tap @ part for tap, part in zip(taps, kernel, strict=True)) + values[f"{name}/biases"]

    def relu(inputs: NDArray[Any]) -> NDArray[Any]:
        return np.maximum(inputs, 0.0)

    def numbers(name: str) -> range:
        return range(1, 1 + sum(key.startswith(f"{name}_") and key.endswith("/W") for key in values))

    hidden = convolved(scaled, "ae_startconv", 1, causal=False)
    for number in numbers("ae_dilatedconv"):
        inner = convolved(relu(hidden), f"ae_dilatedconv_{number}", 2 ** ((number - 1) % cycle), causal=False)
        hidden = hidden + linear(relu(inner), f"ae_res_{number}")
    hidden = linear(hidden, "ae_bottleneck")
    codes = hidden.reshape(len(audio), -1, hop, hidden.shape[-1]).mean(axis=2)

    known = np.pad(scaled, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    hidden = convolved(known, "startconv", 1, causal=True)
    total = linear(hidden, "skip_start")
    for number in numbers("dilatedconv"):
        gates = convolved(hidden, f"dilatedconv_{number}", 2 ** ((number - 1) % cycle), causal=True)
        gates = gates + linear(codes, f"cond_map_{number}").repeat(hop, axis=1)
        half = gates.shape[-1] // 2
        gated = np.tanh(gates[..., half:]) / (1.0 + np.exp(-gates[..., :half]))
        hidden = hidden + linear(gated, f"res_{number}")
        total = total + linear(gated, f"skip_{number}")
    total = linear(relu(total), "out1") + linear(codes, "cond_map_out1").repeat(hop, axis=1)
    return codes, linear(relu(total), "logits")


# --- the index, written by hand ---------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """Return a number as protocol buffers and tables write it."""
    digits = []
    while number > 127:
        digits.append(128 | number & 127)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, content: int | bytes, *, fixed: bool = False) -> bytes:
    """Return a field of a message."""
    if fixed:
        assert isinstance(content, int)
        return varint(number << 3 | 5) + struct.pack("<I", content)
    if isinstance(content, int):
        return varint(number << 3) + varint(content & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(content)) + content


def entry(shape: Sequence[int], offset: int, size: int, checksum: int = 0, kind: int = 1, more: bytes = b"") -> bytes:
    """Return the record of a variable."""
    dimensions = b"".join(field(2, field(1, number)) for number in shape)
    place = field(4, offset) + field(5, size) + field(6, checksum, fixed=True)
    return field(1, kind) + field(2, dimensions) + place + more


HEADER = field(1, 1) + field(3, field(1, 1))
"""Of a checkpoint with one data file."""


def block(entries: Sequence[tuple[bytes, bytes]], shared: int = 0) -> bytes:
    """Return a block of a table; `shared`: how much of the key before each entry says that it shares."""
    body = b"".join(
        varint(shared if number else 0) + varint(len(key)) + varint(len(value)) + key + value
        for number, (key, value) in enumerate(entries)
    )
    return body + struct.pack("<II", 0, 1)


def sealed(content: bytes, compression: int = 0) -> bytes:
    """Return a block with its compression and its checksum."""
    kind = bytes([compression])
    return content + kind + struct.pack("<I", masked_crc32c(content + kind))


def table(entries: Sequence[tuple[bytes, bytes]], *, compression: int = 0, repeats: int = 1, shared: int = 0) -> bytes:
    """Return an index; `repeats`: how often its one block of entries is listed."""
    content = block(entries, shared)
    data, meta = sealed(content, compression), sealed(block([]))
    handle = varint(0) + varint(len(content))
    listing = block([(b"~" + bytes([number % 256]), handle) for number in range(repeats)])
    footer = varint(len(data)) + varint(len(meta) - 5) + varint(len(data) + len(meta)) + varint(len(listing))
    return data + meta + sealed(listing) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
