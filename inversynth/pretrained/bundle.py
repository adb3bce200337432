"""Put trained runs into the package: `python -m inversynth.pretrained.bundle RUN… [--evaluation FILE] [--name NAME]`.

Weights are stored as compressed float16 and used in float32. The effect is measured on the spot: the classes predicted
before and after are compared on 256 sounds, and the command refuses if more than one in a thousand differs. For
autoencoders of notes the decoded spectrograms are compared, and refused if the error exceeds -40 dB. Models that output
waveforms are small, and stay float32.
"""

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import ModelError, SettingsError
from generators.files import written_whole
from generators.generate import render_rows
from generators.json_reader import read_json_object
from generators.registry import build_synth
from generators.settings import Settings
from inversynth.pretrained import FOLDER
from models.model_files import SUFFIX, LoadedModel, find_model_file, load_model, rewrite_weights, save_model

COMPARED = 256
"""Sounds on which the model is compared before and after."""

MOST_CHANGED = 1e-3
"""Share of predicted classes that may differ."""

MOST_ERROR = 1e-2
"""Greatest relative error of decoded spectrograms, by their norms: -40 dB."""


class BundleSettings(Settings):
    """Put trained runs into the package, their weights as float16."""

    flags_only: ClassVar = frozenset({"runs", "evaluation", "name", "seed"})

    runs: CliPositionalArg[list[Path]] = Field(min_length=1, description="run folders or .keras files")
    evaluation: Path | None = Field(None, description="JSON of `inversynth evaluate`; its scores go into the cards")
    name: str | None = Field(None, description="name of a single run in the package; by default that of its model")
    seed: int = Field(70707, ge=0, description="seed of the sounds on which float16 and float32 are compared")


def main(argv: Sequence[str] | None = None, prog: str = "python -m inversynth.pretrained.bundle") -> int:
    """Bundle runs; returns the exit code."""
    return run_command(BundleSettings, _run, argv, prog)


def _run(settings: BundleSettings) -> None:
    scores = read_scores(settings.evaluation) if settings.evaluation else {}
    if settings.name and len(settings.runs) > 1:
        raise SettingsError(f"--name goes with one run. Received: --name {settings.name} and {len(settings.runs)} runs")
    for run in settings.runs:
        path, change = bundle(find_model_file(run), FOLDER, scores, settings.seed, settings.name)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB; {change}")


def read_scores(path: Path) -> dict[str, Any]:
    """Read the scores of each method from an evaluation, reduced to those that a card holds. Raises ModelError."""
    try:
        evaluation = read_json_object(path)
        about = {"n": evaluation["n"], "seed": evaluation["dataset"]["seed"]}
        return {
            result["name"]: {
                **about,
                "mpr": result["groups"]["All"]["mpr"]["value"],
                "top1": result["groups"]["All"]["top1"]["value"],
                **{name: both["mean"]["value"] for name, both in result["reconstruction"].items()},
            }
            for result in evaluation["results"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} must be the JSON of `inversynth evaluate`. Received: {error!r}") from None


def bundle(path: Path, folder: Path, scores: Mapping[str, Any], seed: int, name: str | None = None) -> tuple[Path, str]:
    """Write a model into a folder, with float16 weights where their effect can be measured.

    Returns: its path, and that effect in words.
    Raises: ModelError where it is too large.
    """
    original = load_model(path)
    card = original.card
    training = {name: value for name, value in card.training.items() if name != "history"}
    measured = {
        name.removeprefix(card.model).strip(" +") or "network": one
        for name, one in scores.items()
        if name == card.model or name.startswith(f"{card.model} + ")
    }
    target = folder / f"{name or card.model}{SUFFIX}"
    with written_whole(target) as partial:
        card = save_model(original.model, partial, replace(card, training=training, scores=measured or card.scores))
        if card.takes not in ("audio", "pictures"):
            return target, "float32"
        rewrite_weights(partial, card, halve)
        compare = _changed_classes if card.takes == "audio" else _changed_spectrograms
        return target, compare(original, load_model(partial), seed)


def halve(weights: bytes) -> bytes:
    """Rewrite an HDF5 file of weights with its floating-point datasets as compressed float16."""
    import h5py

    out = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as old, h5py.File(out, "w") as new:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                group = new.require_group(name)
            else:
                data = item[()]
                small = data.astype(np.float16) if np.issubdtype(data.dtype, np.floating) else data
                options = {"compression": "gzip", "shuffle": True} if small.ndim else {}
                group = new.create_dataset(name, data=small, **options)
            for key, value in item.attrs.items():
                group.attrs[key] = value

        for key, value in old.attrs.items():
            new.attrs[key] = value
        old.visititems(copy)
    return out.getvalue()


def _changed_classes(one: LoadedModel, other: LoadedModel, seed: int) -> str:
    """Measure for which share of parameters two models predict different classes. Raises ModelError."""
    synth = build_synth(one.card.synth, one.sample_rate, one.card.length)
    audio, _, _ = render_rows(synth, 0, COMPARED, seed)
    first, second = (synth.space.probabilities_to_classes(model.predict(audio)) for model in (one, other))
    changed = float(np.mean(first != second))
    if changed > MOST_CHANGED:
        raise ModelError(
            f"float16 must not change the classes that {one.card.model} predicts. "
            f"Received: {100 * changed:.2f} % changed"
        )
    return f"{100 * changed:.3f} % of the predicted classes have changed"


def _changed_spectrograms(one: LoadedModel, other: LoadedModel, seed: int) -> str:
    """Measure how far apart two models' spectrograms of the same inputs are, in dB. Raises ModelError."""
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(0.0, 1.0, (8, *each.shape[1:])).astype(np.float32) for each in one.model.inputs]
    first, second = (np.asarray(model.model.predict_on_batch(columns)) for model in (one, other))
    error = float(np.linalg.norm(first - second) / np.linalg.norm(first))
    if not error < MOST_ERROR:
        raise ModelError(
            f"float16 must not change the spectrograms of {one.card.model}. Received: a relative error of {error:.2g}"
        )
    return f"float16, {20 * np.log10(error):.0f} dB from the spectrograms of float32"


if __name__ == "__main__":
    sys.exit(main())
