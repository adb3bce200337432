"""Inference with NeuroSynth: apply envelopes to waveforms, and measure the distance from the exact result."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dsp.envelopes import attack_sustain_release
from generators.errors import ModelError
from generators.parameters import ParameterSpace
from models.backend import predict_in_batches
from models.inference import TrainedModel
from models.model_files import LoadedModel, load_model
from models.neurosynth.metrics import ATTRIBUTES, score

if TYPE_CHECKING:
    import keras

    from models.neurosynth.blockwise import BlockwiseGenerator
    from models.training.data import Source

LONG = 1 << 17
"""Samples from which on a sound is shaped block by block: the network takes 1.2 kB of memory for each, 160 MB."""

SHOWN = 6
"""Examples in a plot of training."""

Floats = NDArray[np.floating[Any]]


class EnvelopeShaper(TrainedModel):
    """A trained generator, with the levels of its classes and the format of its training sounds.

    Ours takes sounds of any length.
    """

    @property
    def space(self) -> ParameterSpace:
        return self.loaded.space

    @property
    def attacks(self) -> tuple[float, ...]:
        return self.levels[0]

    @property
    def sustains(self) -> tuple[float, ...]:
        return self.levels[1]

    @property
    def releases(self) -> tuple[float, ...]:
        return self.levels[2]

    @cached_property
    def levels(self) -> tuple[tuple[float, ...], ...]:
        """Levels of attack, sustain and release, in the order of their classes."""
        return tuple(map(self.space.levels, ATTRIBUTES))

    @property
    def legacy(self) -> bool:
        """Whether it was trained on the ramps of the original."""
        return bool(self.loaded.card.training.get("data", {}).get("legacy", False))

    @property
    def any_length(self) -> bool:
        """Whether it shapes sounds of other lengths than that of its training."""
        return self.loaded.model.input_shape[0][-1] is None

    def classes_of(self, attack: float, sustain: float, release: float) -> NDArray[np.intp]:
        """Return the classes of three levels, (3,). Raises ModelError for a level that it was not trained for."""
        classes = []
        for name, level, known in zip(ATTRIBUTES, (attack, sustain, release), self.levels, strict=True):
            near = [number for number, one in enumerate(known) if abs(one - level) < 1e-6]
            if not near:
                raise ModelError(
                    f"{self.loaded.path} was trained for {name} {', '.join(f'{one:g}' for one in known)}. Received: "
                    f"{level:g}. Take one of them, or train with --{name}s"
                )
            classes.append(near[0])
        return np.asarray(classes)

    def shape(self, basic: ArrayLike, classes: ArrayLike, batch_size: int = 256) -> NDArray[np.float32]:
        """Apply the envelopes of classes to waveforms.

        Shapes: basic (n, samples), classes (n, 3) -> (n, samples) float32.
        Raises: ModelError where the shapes do not fit, a class is not one of its own, or a number is not finite.
        """
        sounds, numbers = self._checked(basic, classes)
        one_hot = np.concatenate(
            [np.eye(len(known), dtype=np.float32)[numbers[:, i]] for i, known in enumerate(self.levels)], axis=1
        )
        if not len(sounds):
            return np.empty_like(sounds)
        if sounds.shape[1] > LONG and self.any_length:
            return np.stack([self._blockwise.shape(*one) for one in zip(sounds, one_hot, strict=True)])
        most = max(1, batch_size * self.samples // max(sounds.shape[1], 1))  # long sounds in smaller batches
        shaped: NDArray[np.float32] = predict_in_batches(self.loaded.model, [sounds, one_hot], most)
        return shaped

    @cached_property
    def _blockwise(self) -> "BlockwiseGenerator":
        from models.neurosynth.blockwise import BlockwiseGenerator

        return BlockwiseGenerator(self.loaded.model)

    def ideal(self, basic: ArrayLike, classes: ArrayLike) -> NDArray[np.float32]:
        """Return what `shape` should. Shapes: as there."""
        sounds, numbers = self._checked(basic, classes)
        return (sounds * self.envelopes(numbers, sounds.shape[1])).astype(np.float32)

    def envelopes(self, classes: NDArray[Any], samples: int) -> Floats:
        """Return the envelopes of classes. Shapes: (n, 3) -> (n, samples)."""
        attack, sustain, release = (np.asarray(known)[classes[:, i]] for i, known in enumerate(self.levels))
        shapes: Floats = attack_sustain_release(attack, sustain, release, samples, self.legacy)
        return shapes

    def _checked(self, basic: ArrayLike, classes: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        sounds, numbers = np.asarray(basic, np.float32), np.asarray(classes)
        if sounds.ndim != 2 or numbers.shape != (len(sounds), len(ATTRIBUTES)):
            raise ModelError(
                "waveforms are (n, samples), and their classes (n, 3): attack, sustain, release. Received: "
                f"{sounds.shape} and {numbers.shape}"
            )
        if not self.any_length and sounds.shape[1] != self.samples:
            raise ModelError(
                f"{self.loaded.path} shapes sounds of {self.samples} samples. Received: {sounds.shape[1]}. Train one "
                f"with --seq_length {sounds.shape[1]}, or take a model of --model neurosynth, which shapes any length"
            )
        if not np.all(np.isfinite(sounds)):
            raise ModelError("waveforms must be finite. Received: NaN or infinity in one of them")
        for column, (name, known) in enumerate(zip(ATTRIBUTES, self.levels, strict=True)):
            wrong = [number for number in np.unique(numbers[:, column]) if number not in range(len(known))]
            if wrong:
                raise ModelError(
                    f"classes of {name} run from 0 to {len(known) - 1}, {', '.join(f'{one:g}' for one in known)}, in "
                    f"{self.loaded.path}. Received: {wrong[0]}"
                )
        return sounds, numbers.astype(np.intp)


def load_envelope_shaper(path: str | os.PathLike[str]) -> EnvelopeShaper:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that applies no envelopes."""
    loaded = load_model(path)
    if loaded.card.takes != "envelope":
        raise ModelError(
            f"{loaded.path} must be a generator of envelopes. Received: {loaded.name}. Train one with: "
            "inversynth train --model neurosynth"
        )
    shaper = EnvelopeShaper(loaded)
    width = sum(map(len, shaper.levels))
    shapes = loaded.model.input_shape
    lengths = {None} if shapes[0][-1] is None else {shaper.samples}
    if len(shapes) != 2 or shapes[1][-1] != width or {shapes[0][-1], loaded.model.output_shape[-1]} != lengths:
        raise ModelError(
            f"{loaded.path} must take {shaper.samples} samples and {width} classes, as its card says. Received: a "
            f"network of {shapes}"
        )
    return shaper


def measure(loaded: LoadedModel, source: "Source") -> dict[str, Any]:
    """Measure a generator on the test examples of a source, against the ideal; see `models.neurosynth.metrics`.

    Returns: n, and each measure under `All`.
    """
    shaper = EnvelopeShaper(loaded)
    sizes = [len(known) for known in shaper.levels]
    with source.test(1024) as batches:
        parts = [batches[number] for number in range(batches.num_batches)]
    basic = np.concatenate([inputs[0] for inputs, _ in parts])
    target = np.concatenate([shaped for _, shaped in parts])
    classes = one_hot_classes(np.concatenate([inputs[1] for inputs, _ in parts]), sizes)
    grid = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=-1)
    ideals = shaper.envelopes(grid, shaper.samples)
    found = score(shaper.shape(basic, classes), target, basic, classes, ideals, sizes)
    return {"n": len(basic), **{name: {"All": value} for name, value in found.items()}}


def one_hot_classes(one_hot: Floats, sizes: list[int]) -> NDArray[np.intp]:
    """Return the classes that one-hot rows stand for. Shapes: (n, sum of sizes) -> (n, 3)."""
    parts = np.split(one_hot, np.cumsum(sizes)[:-1], axis=1)
    return np.stack([part.argmax(axis=1) for part in parts], axis=1)


def draw_examples(model: "keras.Model", source: "Source", path: Path) -> None:
    """Plot the output of a system in training for the first test examples, over the exact result."""
    from models.neurosynth.plots import draw_shapes

    with source.test(SHOWN) as batches:
        inputs, ideal = batches[0]
    levels = [source.space.levels(name) for name in ATTRIBUTES]
    classes = one_hot_classes(inputs[1], list(map(len, levels)))
    titles = [
        ", ".join(f"{name} {known[number]:g}" for name, known, number in zip(ATTRIBUTES, levels, row, strict=True))
        for row in classes
    ]
    draw_shapes(inputs[0], np.asarray(model.predict_on_batch(list(inputs))), ideal, titles, path)
