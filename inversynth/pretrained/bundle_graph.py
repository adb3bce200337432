"""Put the graph of an exported network into the package: `python -m inversynth.pretrained.bundle_graph EXPORTED MODEL`.

    inversynth export inverter --format onnx --output inverter.onnx
    python -m inversynth.pretrained.bundle_graph inverter.onnx inverter

The graph holds no weights (`models.estimation.onnx_inference`): it has to be written anew only where the structure of a
network changes. What ONNX Runtime computes with it is compared with Keras, and refused where a class differs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import ModelError
from generators.files import written_whole
from generators.generate import render_rows
from generators.registry import build_synth
from generators.settings import Settings
from inversynth.pretrained import FOLDER, find_model
from models.estimation.onnx_graph import strip_graph
from models.estimation.onnx_inference import GRAPH_SUFFIX, load_onnx, read_graph, write_graph
from models.model_files import load_model

COMPARED = 200
"""Sounds on which ONNX Runtime is compared with Keras."""

TOLERANCE = 1e-3
"""Greatest difference of a probability."""


class GraphSettings(Settings):
    """Put the graph of an exported network into the package."""

    flags_only: ClassVar = frozenset({"exported", "model", "seed"})

    exported: CliPositionalArg[Path] = Field(description="what `inversynth export --format onnx` wrote of the model")
    model: CliPositionalArg[str] = Field(description="the bundled model, or any of its structure")
    seed: int = Field(70708, ge=0, description="of the sounds on which ONNX Runtime is compared with Keras")


def main(argv: Sequence[str] | None = None, prog: str = "python -m inversynth.pretrained.bundle_graph") -> int:
    """Bundle a graph; returns the exit code."""
    return run_command(GraphSettings, _run, argv, prog)


def _run(settings: GraphSettings) -> None:
    path, difference = bundle_graph(settings.exported, find_model(settings.model), FOLDER, settings.seed)
    print(
        f"{path.name}: {path.stat().st_size / 1e3:.0f} kB; probabilities differ from Keras by {difference:.1g} at most"
    )


def bundle_graph(exported: Path, model: Path, folder: Path, seed: int) -> tuple[Path, float]:
    """Write the graph of an exported network into a folder, under the name of its model.

    Returns: its path, and the greatest difference of a probability from Keras.
    Raises: ModelError where a class chosen differs, or a probability by more than TOLERANCE.
    """
    card = load_model(model).card
    path = folder / f"{card.model}{GRAPH_SUFFIX}"
    with written_whole(path) as partial:
        write_graph(partial, strip_graph(exported, model))
        loaded = load_onnx(model, read_graph(partial))
        synth = build_synth(card.synth, card.sample_rate, card.length)
        audio, _, _ = render_rows(synth, 0, COMPARED, seed)
        received, expected = loaded.predict(audio), load_model(model).predict(audio)
        changed = int(
            np.sum(synth.space.probabilities_to_classes(received) != synth.space.probabilities_to_classes(expected))
        )
        difference = float(np.abs(received - expected).max())
        if changed or not difference <= TOLERANCE:
            raise ModelError(
                f"ONNX Runtime must choose the classes that Keras does, on {COMPARED} sounds. Received: {changed} "
                f"others, and probabilities up to {difference:.2g} apart"
            )
    return path, difference


if __name__ == "__main__":
    sys.exit(main())
