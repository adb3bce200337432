"""Likelihood and reconstructions of the NSynth autoencoders, on notes that no network was trained on.

The likelihood is that of the WaveNet decoder in bits per sample, beside the entropy of the samples themselves.
Reconstructions of the WaveNet and of its spectral baseline are measured by `models.notes.metrics`.
Source: Engel et al. 2017, arXiv 1704.01279.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.griffin_lim import ITERATIONS
from generators.dataset import Dataset
from generators.errors import ModelError
from models.notes.data import NoteCrops
from models.notes.metrics import HeldOut, check_same_rate
from models.notes.spectral_encoder import find_preset
from models.nsynth.baseline_inference import spectrogram_to_audio
from models.nsynth.presets import NSYNTH_BASELINE

if TYPE_CHECKING:
    from models.model_files import LoadedModel
    from models.nsynth.inference import NSynthCodec
    from models.training.data import Source

Audio = NDArray[np.floating[Any]]

NAT = float(np.log(2.0))
"""Nats in a bit."""

MEASURED_CROP = 2048
"""Samples of each note that the likelihood is averaged over, the same for every model: the crop of the tiny size."""


def measure(loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure how well the next sample is predicted on the test notes, in bits per sample over all samples.

    Returns: `n` notes; `nll`, the mean negative log likelihood; `unigram`, the entropy of the classes of these notes,
        the least that is possible without looking at the past; `gain`, by how much the model is below it.
    """
    import keras

    total, counts, notes = 0.0, np.zeros(256), 0
    with source.test(64) as batches:
        for number in range(batches.num_batches):
            inputs, targets = batches[number]
            logits = loaded.model(inputs, training=False)
            each = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
            total += float(keras.ops.sum(each))
            counts += np.bincount(targets.ravel(), minlength=256)
            notes += len(targets)
    nll, unigram = total / counts.sum() / NAT, entropy(counts)
    return {
        "n": notes,
        **{name: {"All": v} for name, v in (("nll", nll), ("unigram", unigram), ("gain", unigram - nll))},
    }


def entropy(counts: Any) -> float:
    """Return the entropy of a distribution in bits, from the count of each class."""
    shares = np.asarray(counts, float)[np.asarray(counts) > 0] / np.sum(counts)
    return float(-(shares * np.log2(shares)).sum())


def likelihood(codec: "NSynthCodec", dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Return `nll`, `unigram` and `gain` in bits per sample, on the middles of the test notes."""
    hop = codec.hop
    crop = max(hop, min(MEASURED_CROP, dataset.samples) // hop * hop)
    source = NoteCrops(dataset, crop=crop, pitch=codec.takes_pitch, phase=codec.decoder.takes_phase, seed=seed)
    found = measure(codec.loaded, source)
    return {name: found[name]["All"] for name in ("nll", "unigram", "gain")}


def reconstruct_with_wavenet(
    codec: "NSynthCodec",
    notes: HeldOut,
    *,
    batch_size: int = 32,
    temperature: float | None = None,
    on_samples: Callable[[int], None] | None = None,
) -> Audio:
    """Encode and decode notes; the seed of each is its index.

    Args:
        batch_size: of all batches, the last one too, so that the loop is compiled once. temperature: by default that
            of the network.
        on_samples: called with the number of samples decoded since the last call, over all notes.
    Shapes: returns (n, samples). Raises: ModelError for another sample rate.
    """
    check_same_rate(codec.loaded, notes)
    decoded = []
    for first in range(0, len(notes), batch_size):
        rows = np.arange(first, first + batch_size) % len(notes)
        wanted = min(batch_size, len(notes) - first)

        def report(codes: int, wanted: int = wanted) -> None:
            if on_samples:
                on_samples(wanted * codec.hop)

        pitch = notes.pitch[rows].tolist() if codec.takes_pitch else None
        codes = codec.encode(notes.audio[rows])
        made = codec.decode(codes, seeds=rows.tolist(), pitch=pitch, temperature=temperature, on_code=report)
        decoded.append(made[:wanted])
    return np.concatenate(decoded)[:, : notes.audio.shape[1]]


def reconstruct_with_baseline(
    loaded: "LoadedModel", notes: HeldOut, *, rounds: int = ITERATIONS, on_samples: Callable[[int], None] | None = None
) -> Audio:
    """Reconstruct spectrograms of notes with the spectral baseline, and their phases with Griffin-Lim.

    Args:
        rounds: iterations of Griffin-Lim. on_samples: called with the number of samples that are ready.
    Shapes: returns (n, samples). Raises: ModelError for another model, or another sample rate.
    """
    if loaded.name != NSYNTH_BASELINE:
        raise ModelError(
            f"spectrograms of notes are made by '{NSYNTH_BASELINE}'. Received: {loaded.name} in {loaded.path}"
        )
    check_same_rate(loaded, notes)
    preset, samples = find_preset(str(loaded.card.features["size"])), notes.audio.shape[1]
    decoded: list[Audio] = []
    for first in range(0, len(notes), 16):
        rows = slice(first, first + 16)
        spectrograms = np.asarray(loaded.model([notes.audio[rows], notes.pitch[rows, None]], training=False))
        for spectrogram in spectrograms:
            decoded.append(spectrogram_to_audio(spectrogram, preset, samples, rounds, seed=len(decoded)))
            if on_samples:
                on_samples(samples)
    return np.stack(decoded)
