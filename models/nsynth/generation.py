"""Cached generation: one compiled loop that generates a sound sample by sample, at the cost of one step per sample.

A causal convolution of three taps needs its inputs of d and 2d samples ago, and nothing else of the past. A ring buffer
of 2d + 1 slots keeps them. The one extra slot lets a sample be written before its past is read, so that the compiler
need not copy the ring to save what is about to be overwritten. Rings start as zeros, as in training before the first
sample. The contribution of a code to each layer is computed once per code; the skip paths of all layers are one matrix
product per sample.
Source: Le Paine et al. 2016, arXiv 1611.09482; Engel et al. 2017.

The loop runs over the samples of one code and returns its rings, so that a caller can show progress, stop and resume.
A decoder that is conditioned on sines is given those of a note in tune, which begin with the sound at phase 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from generators.analysis.note_phase import nominal_phase
from generators.errors import ModelError
from models.layers.companding import CLASSES, MIDDLE
from models.nsynth.presets import FILTER, PITCHES

BRANCHES = 16
"""The inverse of a distribution over 256 classes is found in two steps of 16: short sums, and little code."""


@dataclass(frozen=True)
class GenerationState:
    """GenerationState of a generation: the number of samples so far, the class of the last, and the rings."""

    sample: int
    last: Any
    rings: tuple[Any, ...]


class CachedDecoder:
    """The decoder of a WaveNet autoencoder as a loop.

    Args:
        decoder: as `models.nsynth.networks.decoder` builds it; its weights are read once, here.
    """

    def __init__(self, decoder: keras.Model) -> None:
        layer = {each.name: each for each in decoder.layers}
        count = sum(name.startswith("dilated") for name in layer)
        self.dilations = tuple(layer[f"dilated{number}"].dilation_rate[0] for number in range(count))
        self.width = layer["start"].filters
        self.code = decoder.inputs[1].shape[-1]
        self.hop = layer["with_condition_last"].hop
        self.takes_pitch = len(decoder.inputs) >= 3
        self._sines, self._bands = layer.get("sines"), layer.get("note_bands")
        self._one_hot = "one_hot" in layer
        weights = {name: [ops.convert_to_tensor(w) for w in each.weights] for name, each in layer.items()}
        self._weights = {
            "start": _flat_taps(weights["start"]),
            "skip_start": weights["skip_start"],
            "layers": [
                (*_flat_taps(weights[f"dilated{number}"]), *weights[f"residual{number}"]) for number in range(count)
            ],
            "skips": (
                ops.concatenate([weights[f"skip{number}"][0] for number in range(count)], axis=0),
                sum(weights[f"skip{number}"][1] for number in range(count)),
            ),
            "skip_last": weights["skip_last"],
            "logits": weights["logits"],
            "conditions": [*(weights[f"condition{number}"] for number in range(count)), weights["condition_last"]],
        }
        if self._sines is not None:
            names = ["sines_start", *(f"sines{number}" for number in range(count)), "sines_last"]
            self._weights["sines"] = ops.concatenate([weights[name][0] for name in names], axis=-1)

    @property
    def takes_phase(self) -> bool:
        """Whether the decoder is conditioned on sines."""
        return self._sines is not None

    def initial_state(self, batch: int) -> GenerationState:
        """Return the state before the first sample."""
        rings = [ops.zeros((3, batch, 1)), *(ops.zeros((2 * d + 1, batch, self.width)) for d in self.dilations)]
        return GenerationState(0, ops.full((batch,), MIDDLE, "int32"), tuple(rings))

    def logits(self, classes: NDArray[np.integer[Any]], codes: NDArray[np.floating[Any]], pitch: Any = None) -> Any:
        """Return the logits of the loop for each sample of a known sound: those of the network in one pass.

        Shapes: classes (batch, hop n), codes (batch, n, code), pitch (batch,) -> (batch, hop n, 256).
        """
        state, parts = self.initial_state(len(classes)), []
        for number, condition in enumerate(self._conditions(codes, pitch)):
            known = ops.transpose(ops.cast(classes[:, number * self.hop : (number + 1) * self.hop], "int32"))
            sines = self._sines_from(state.sample, pitch)
            logits, last, rings = teacher_forced_loop(self.dilations)(
                self._weights, condition, _int_tensor(state.sample), state.last, state.rings, known, sines
            )
            state = GenerationState(state.sample + self.hop, last, rings)
            parts.append(ops.convert_to_numpy(logits))
        return np.concatenate(parts).transpose(1, 0, 2)

    def sample(
        self,
        codes: NDArray[np.floating[Any]],
        *,
        seeds: Sequence[int],
        pitch: Any = None,
        temperature: float = 1.0,
        state: GenerationState | None = None,
    ) -> Iterator[tuple[NDArray[np.uint8], GenerationState]]:
        """Generate sounds, one code after the other.

        Args:
            seeds: one per sound; a sound follows from its codes and its seed, whatever else is in the batch.
            temperature: divides the logits; 1 is the distribution itself (published).
            state: to resume from, as returned with the last part; `codes` are then the remaining ones.
        Shapes: codes (batch, n, code), pitch (batch,) -> n times classes (batch, hop), each with the state after them.
        Raises: ModelError where shapes do not fit, or the temperature is not above zero.
        """
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 3 or codes.shape[-1] != self.code or len(codes) != len(seeds):
            raise ModelError(
                f"codes must have shape (sounds, n, {self.code}) and a seed for each sound. Received: {codes.shape} "
                f"with {len(seeds)} seeds"
            )
        if not temperature > 0:
            raise ModelError(f"temperature must be above 0. Received: {temperature:g}")
        state, sharpness = state or self.initial_state(len(codes)), ops.convert_to_tensor(1.0 / temperature, "float32")
        for condition in self._conditions(codes, pitch):
            uniform = ops.convert_to_tensor(uniform_draws(seeds, state.sample, self.hop))
            sines = self._sines_from(state.sample, pitch)
            drawn, last, rings = sampling_loop(self.dilations)(
                self._weights, condition, _int_tensor(state.sample), state.last, state.rings, uniform, sharpness, sines
            )
            state = GenerationState(state.sample + self.hop, last, rings)
            yield np.ascontiguousarray(ops.convert_to_numpy(drawn).T.astype(np.uint8)), state

    def _conditions(self, codes: NDArray[np.floating[Any]], pitch: Any) -> Iterator[Any]:
        if (pitch is not None) != self.takes_pitch:
            raise ModelError(f"this decoder {'needs a' if self.takes_pitch else 'has no'} pitch. Received: {pitch}")
        for number in range(codes.shape[1]):
            condition = ops.cast(codes[:, number], "float32")
            parts = [condition]
            if self._one_hot:
                parts.append(ops.one_hot(ops.cast(pitch, "int32"), PITCHES))
            if self._bands is not None:
                parts.append(self._bands(ops.convert_to_tensor(np.asarray(pitch)[:, None])))
            yield ops.concatenate(parts, axis=-1)

    def _sines_from(self, first: int, pitch: Any) -> Any:
        """Return the sines of the samples of a code, (hop, batch, channels); None without."""
        if self._sines is None:
            return None
        phase = nominal_phase(pitch, first, self.hop, self._sines.sample_rate)
        return ops.transpose(self._sines([phase, np.asarray(pitch)[:, None]]), (1, 0, 2))


@cache
def teacher_forced_loop(dilations: tuple[int, ...]) -> Any:
    """Return the loop that gives the logits of known classes, compiled once for all decoders of these dilations."""

    def run(weights: Any, condition: Any, start: Any, last: Any, rings: Any, known: Any, sines: Any) -> Any:
        out, held = ops.zeros((*known.shape, CLASSES)), [_dense(condition, each) for each in weights["conditions"]]
        waves = None if sines is None else _with_sines(held, sines, weights["sines"])

        def body(i: Any, last: Any, rings: Any, out: Any) -> Any:
            logits, rings = _step(dilations, weights, held, None if waves is None else waves[i], start + i, last, rings)
            return i + 1, known[i], rings, ops.slice_update(out, (i, 0, 0), logits[None])

        _, last, rings, out = ops.while_loop(lambda i, *_: i < known.shape[0], body, (0, last, rings, out))
        return out, last, rings

    return compiled(run)


@cache
def sampling_loop(dilations: tuple[int, ...]) -> Any:
    """Return the loop that draws classes, compiled once for all decoders of these dilations."""

    def run(
        weights: Any, condition: Any, start: Any, last: Any, rings: Any, uniform: Any, sharpness: Any, sines: Any
    ) -> Any:
        out, held = ops.zeros(uniform.shape, "int32"), [_dense(condition, each) for each in weights["conditions"]]
        waves = None if sines is None else _with_sines(held, sines, weights["sines"])

        def body(i: Any, last: Any, rings: Any, out: Any) -> Any:
            logits, rings = _step(dilations, weights, held, None if waves is None else waves[i], start + i, last, rings)
            drawn = sample_classes(logits * sharpness, uniform[i])
            return i + 1, drawn, rings, ops.slice_update(out, (i, 0), drawn[None])

        _, last, rings, out = ops.while_loop(lambda i, *_: i < uniform.shape[0], body, (0, last, rings, out))
        return out, last, rings

    return compiled(run)


def _step(
    dilations: Sequence[int], weights: Any, condition: Any, waves: Any, t: Any, last: Any, rings: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Return the logits of sample t, given the class before it. Shapes: last (batch,) -> (batch, 256), rings."""
    level = (ops.cast(last, "float32") - MIDDLE) / MIDDLE
    hidden, first = _convolved(level[:, None], weights["start"], rings[0], t, 1)
    if waves is not None:
        hidden = hidden + waves[:, : hidden.shape[-1]]
        ends = np.cumsum([hidden.shape[-1], *(each.shape[-1] for each in condition)])
        condition = [waves[:, begin:end] for begin, end in pairwise(ends)]
    made, gates = [first], []
    for number, dilation in enumerate(dilations):
        kernel, bias, out_kernel, out_bias = weights["layers"][number]
        taps, ring = _convolved(hidden, (kernel, bias), rings[number + 1], t, dilation)
        gate, value = ops.split(taps + condition[number], 2, axis=-1)
        gates.append(ops.sigmoid(gate) * ops.tanh(value))
        made.append(ring)
        if number == 0:
            total = _dense(hidden, weights["skip_start"])
        hidden = hidden + _dense(gates[-1], (out_kernel, out_bias))
    total = ops.relu(total + _dense(ops.concatenate(gates, axis=-1), weights["skips"]))
    total = ops.relu(_dense(total, weights["skip_last"]) + condition[-1])
    return _dense(total, weights["logits"]), tuple(made)


def _with_sines(held: Sequence[Any], sines: Any, kernel: Any) -> Any:
    """Return what is added where the sound enters, in each layer and before the output, for each sample of a code.

    Shapes: held, (batch, channels) of each layer and before the output; sines (hop, batch, 2 multiples) -> (hop, batch,
        width + all channels).
    """
    width = kernel.shape[-1] - sum(each.shape[-1] for each in held)
    constant = ops.concatenate([ops.zeros((held[0].shape[0], width)), *held], axis=-1)
    return ops.matmul(sines, kernel) + constant


def uniform_draws(seeds: Sequence[int], first: int, count: int) -> NDArray[np.float32]:
    """Return a uniform random number per sample and sound, from sample `first` on. Shapes: -> (count, sounds)."""
    drawn = [np.random.default_rng([seed, first]).random(count, np.float32) for seed in seeds]
    return np.stack(drawn, axis=1)


def sample_classes(logits: Any, uniform: Any) -> Any:
    """Sample classes by inverting their cumulative distributions.

    Shapes: (batch, 256), (batch,) in 0..1 -> (batch,) int32.
    """
    weights = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))
    branches = ops.reshape(weights, (-1, BRANCHES, CLASSES // BRANCHES))
    running = ops.convert_to_tensor(np.triu(np.ones((BRANCHES, BRANCHES), np.float32)))
    ends = ops.matmul(ops.sum(branches, axis=-1), running)
    target = uniform * ends[:, -1]
    branch = _count_below(ends, target)
    chosen = ops.one_hot(branch, BRANCHES)
    before = ops.sum(chosen * ops.concatenate([ops.zeros_like(ends[:, :1]), ends[:, :-1]], axis=-1), axis=-1)
    leaves = ops.matmul(ops.sum(branches * chosen[..., None], axis=1), running)
    return branch * BRANCHES + _count_below(leaves, target - before)


def _count_below(ends: Any, target: Any) -> Any:
    """Count the parts that end at or before a target, except the last. Shapes: (batch, n), (batch,) -> (batch,)."""
    return ops.sum(ops.cast(ends[:, :-1] <= target[:, None], "int32"), axis=-1)


def compiled(function: Any) -> Any:
    """Compile a function for the backend that Keras runs on. Raises ModelError on PyTorch."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    raise ModelError(f"cached generation needs TensorFlow or JAX. Received: KERAS_BACKEND={backend}")


def _int_tensor(number: int) -> Any:
    """Return a number as a tensor: a Python number would cause a compilation for each value."""
    return ops.convert_to_tensor(number, "int32")


def _flat_taps(weights: Sequence[Any]) -> tuple[Any, Any]:
    """Stack the taps of a kernel. Shapes: (3, in, out), (out,) -> (3 in, out), (out,)."""
    kernel, bias = weights
    return ops.reshape(kernel, (FILTER * kernel.shape[1], kernel.shape[2])), bias


def _convolved(inputs: Any, weights: Sequence[Any], ring: Any, t: Any, dilation: int) -> tuple[Any, Any]:
    """Write one sample into its ring, and convolve it with its past."""
    slots = ring.shape[0]
    ring = ops.slice_update(ring, (t % slots, 0, 0), inputs[None])
    past = [ops.take(ring, (t + slots - back) % slots, axis=0) for back in (2 * dilation, dilation)]
    return _dense(ops.concatenate([*past, inputs], axis=-1), weights), ring


def _dense(inputs: Any, weights: Sequence[Any]) -> Any:
    return ops.matmul(inputs, weights[0]) + weights[1]
