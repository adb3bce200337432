"""The public Python API: what `import inversynth` offers. Commands and these functions share the same code.

Sounds are file paths, or arrays (samples,) with their `sample_rate` in hertz. A model is named as in every command: a
bundled model, a run folder or a `.keras` file. Faults of the input raise subclasses of `InversynthError`.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.audio import Sound, read_audio, resample
from generators.dataset import Dataset
from generators.errors import AudioError, ModelError
from generators.registry import build_synth, register_synth
from inversynth.inversion.inversion import invert as invert_target
from inversynth.inversion.inversion import learned_normalised
from inversynth.inversion.notes import fit_sound, read_sound
from inversynth.inversion.refine import refine_patch
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.patches.patch import Patch, read_patch, render_patch, write_patch
from inversynth.pretrained import DEFAULT, find_model, load_estimator
from models.inference import NoteModel, TrainedModel
from models.model_files import LoadedModel, read_card
from models.registry import find_recipe

__all__ = [
    "build_synth",
    "decode",
    "encode",
    "invert",
    "load_model",
    "open_dataset",
    "read_patch",
    "refine",
    "register_synth",
    "render_patch",
    "sample",
    "write_patch",
]

Audio = NDArray[np.float32]


def load_model(name: str | os.PathLike[str] = DEFAULT) -> Any:
    """Load a trained model of any system.

    Args:
        name: a bundled model (`inversynth list` names them), a run folder, or a `.keras` file.
    Returns: a `LoadedModel` with `predict` for networks that estimate parameters and for macros; `NSynthCodec`,
        `GanSynthModel`, `WaeModel`, `McnnVocoder` or `EnvelopeShaper` for the others.
    Raises: ModelError for a file that is missing, damaged, changed or no model.
    """
    path = find_model(str(name))
    load = find_recipe(read_card(path).model).inference
    if load:
        module, _, function = load.partition(":")
        loader: Callable[[Path], TrainedModel] = getattr(importlib.import_module(module), function)
        return loader(path)
    return load_estimator(path)


def invert(
    sound: str | os.PathLike[str] | ArrayLike,
    sample_rate: int | None = None,
    *,
    model: "str | os.PathLike[str] | LoadedModel" = DEFAULT,
    budget: str = "fast",
    **options: Any,
) -> Inversion:
    """Find the synthesizer settings that make a sound of any level, and the sound that they make.

    Args:
        sound: a file (WAV, FLAC, OGG, MP3, AIFF), or an array (samples,) at `sample_rate` hertz.
        model: a network that estimates parameters, by name or as `load_model` returned it.
        budget: of the search that follows the network: "none", "fast" or "full".
        options: `start` (seconds into the sound), and those of `inversynth.inversion.inversion.invert`.
    Returns: an `Inversion`: `patch` (values, probabilities, level, scores, verdict), and `audio` (samples,), the sound
        of the patch at the level of the target.
    Raises: AudioError for a sound that cannot be used, ModelError for a model that estimates no parameters.
    """
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    if not isinstance(loaded, LoadedModel):
        raise ModelError(f"sounds are inverted by a network that estimates parameters. Received: {loaded.loaded.name}")
    loaded.card.check_estimates(loaded.path)
    normalise = learned_normalised(loaded.card)
    target = _target(sound, sample_rate, loaded.sample_rate, loaded.card.length, options.pop("start", None), normalise)
    return invert_target(target, loaded, budget=budget, **{"level": "fit", **options})


def refine(
    patch: "str | os.PathLike[str] | Patch",
    sound: str | os.PathLike[str] | ArrayLike,
    sample_rate: int | None = None,
    *,
    budget: str = "fast",
    **options: Any,
) -> Inversion:
    """Search on from a patch for one whose sound is nearer to a given sound; never farther than the patch given.

    Args:
        patch: a `patch.json`, or what `read_patch` or `invert` returned. Other arguments: as those of `invert`.
    """
    given = patch if isinstance(patch, Patch) else read_patch(patch)
    target = _target(sound, sample_rate, given.sample_rate, given.length, options.pop("start", None), False)
    return refine_patch(target, given, budget, **options)


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset file for reading; use it as a context manager. Raises DatasetError for any other file."""
    return Dataset(path)


def encode(
    sound: str | os.PathLike[str] | ArrayLike,
    sample_rate: int | None = None,
    *,
    model: "str | os.PathLike[str] | TrainedModel" = "nsynth",
) -> Audio:
    """Encode one sound with a note model: NSynth to a code sequence, WAE to a latent.

    Shapes: (samples,) -> (codes, width) of NSynth, (latent,) of WAE.
    Raises: ModelError for a model without an encoder.
    """
    trained = _note_model(model, "encode")
    audio = _audio(sound, sample_rate, trained.sample_rate)
    encoded: Audio = trained.encode(audio[np.newaxis])[0]
    return encoded


def decode(
    codes: ArrayLike,
    notes: ArrayLike | None = None,
    *,
    model: "str | os.PathLike[str] | TrainedModel" = "nsynth",
    styles: ArrayLike | None = None,
    seed: int = 0,
) -> Audio:
    """Decode codes or latents to sounds at the model's `sample_rate`.

    Args:
        codes: (n, codes, width) of NSynth, (n, latent) of GANSynth and WAE; a single one may lack the first axis.
        notes: (n,) MIDI notes: of GANSynth and WAE, and of an NSynth with pitch conditioning; or one for all.
        styles: of WAE, a mixture such as "flute" or "flute:0.5,organ:0.5", or weights (n, styles); by default the
            first style.
        seed: of the samples that NSynth draws.
    Shapes: -> (n, samples), or (samples,) of a single one.
    Raises: ModelError for a model without a decoder, and for codes and notes that do not fit it.
    """
    trained = _note_model(model, "decode")
    given = np.asarray(codes, np.float32)
    axes = 2 if isinstance(trained, NoteModel) else 3
    rows = given[np.newaxis] if given.ndim == axes - 1 else given
    pitches = None if notes is None else np.broadcast_to(np.asarray(notes), (len(rows),))
    if isinstance(trained, NoteModel):
        if pitches is None:
            raise ModelError(f"{trained.name} decodes latents at MIDI notes. Received: no notes. Name them")
        weights = [_style_weights(trained, styles, len(rows))] if hasattr(trained, "style_weights") else []
        audio = trained.decode(rows, pitches, *weights)  # type: ignore[attr-defined]
    else:
        pitch = None if pitches is None else [int(one) for one in pitches]
        audio = trained.decode(rows, seeds=range(seed, seed + len(rows)), pitch=pitch)
    return np.asarray(audio[0] if given.ndim == axes - 1 else audio, np.float32)


def sample(
    count: int = 1,
    notes: ArrayLike | None = None,
    *,
    model: "str | os.PathLike[str] | TrainedModel" = "wae",
    styles: ArrayLike | None = None,
    seed: int = 0,
) -> Audio:
    """Generate notes from latents drawn from the prior of a GANSynth or WAE.

    Args:
        notes: MIDI notes (count,), or one for all; by default as often as they occur in the training data.
        styles: as those of `decode`. seed: sound k is a pure function of the seed and k.
    Shapes: -> (count, samples) at the model's `sample_rate`.
    Raises: ModelError for a model without a prior.
    """
    trained = _note_model(model, "sample")
    latents, drawn = trained.sample(count, seed)
    return decode(latents, drawn if notes is None else notes, model=trained, styles=styles)


def _note_model(model: "str | os.PathLike[str] | TrainedModel", act: str) -> Any:
    trained = model if isinstance(model, TrainedModel) else load_model(model)
    if not hasattr(trained, act):
        name = trained.loaded.name if isinstance(trained, TrainedModel) else trained.name
        raise ModelError(f"a model to {act} with must be one that can. Received: {name}. See docs/api.md")
    return trained


def _style_weights(model: Any, styles: ArrayLike | None, count: int) -> Audio:
    if styles is None:
        styles = model.styles[0]
    weights = model.style_weights(styles) if isinstance(styles, str) else np.asarray(styles, np.float32)
    return np.broadcast_to(weights, (count, weights.shape[-1]))


def _target(
    sound: str | os.PathLike[str] | ArrayLike,
    sample_rate: int | None,
    rate: int,
    length: float,
    start: float | None,
    normalise: bool,
) -> Target:
    if isinstance(sound, str | os.PathLike):
        return read_sound(sound, rate, length, start, normalise)
    return fit_sound(Sound(_array(sound), _rate(sample_rate), 1), rate, length, start, normalise)


def _audio(sound: str | os.PathLike[str] | ArrayLike, sample_rate: int | None, rate: int) -> Audio:
    given = read_audio(sound) if isinstance(sound, str | os.PathLike) else Sound(_array(sound), _rate(sample_rate), 1)
    return resample(given.audio, given.sample_rate, rate)


def _array(sound: ArrayLike) -> Audio:
    audio = np.asarray(sound, np.float32)
    if audio.ndim != 1 or not len(audio) or not np.all(np.isfinite(audio)):
        raise AudioError(f"a sound must have finite samples in one channel (samples,). Received: shape {audio.shape}")
    return audio


def _rate(sample_rate: int | None) -> int:
    if sample_rate is None or sample_rate < 1:
        raise AudioError(f"a sound in an array needs its sample_rate in hertz. Received: {sample_rate}")
    return int(sample_rate)
