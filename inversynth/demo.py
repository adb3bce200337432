"""The main job at once: `python -m inversynth.demo`, `make demo`.

Five bundled sounds are inverted with the bundled network and the search behind it: two of the `fm` synth, whose truth
is known, and three recordings, which the synth can only come near to. With `--train` an inverter of one's own is made
instead (`inversynth.train_demo`).
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic_settings import CliToggleFlag

from generators.command import run_command
from generators.settings import Settings
from inversynth.examples import EXAMPLES, Example
from inversynth.inversion.inversion import Inversion, invert, write_inversion
from inversynth.inversion.target import read_target
from inversynth.report.report import describe, write_index


class DemoSettings(Settings):
    """Invert five bundled sounds in less than a minute; with --train make and score a network of your own instead."""

    flags_only: ClassVar = frozenset({"directory", "budget", "train", "num_examples", "epochs", "model"})

    directory: Path = Field(Path("demo"), description="where everything is written")
    budget: Literal["none", "fast", "full"] = Field("full", description="how long to search on each sound")
    train: CliToggleFlag[bool] = Field(False, description="make sounds, train a network, score it, invert a new sound")
    num_examples: int = Field(8000, ge=20, description="sounds in the dataset, with train (64 KB each)")
    epochs: int = Field(8, ge=1, description="passes over the training sounds, with train")
    model: str = Field("C3", description="which model to train, by name; `inversynth list` shows all")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth demo") -> int:
    """Run the demo; returns the exit code."""

    def action(settings: DemoSettings) -> None:
        if settings.train:
            from inversynth.train_demo import run_tour

            run_tour(settings.directory, settings.num_examples, settings.epochs, settings.model)
        else:
            run_demo(settings.directory, settings.budget)

    return run_command(DemoSettings, action, argv, prog)


def run_demo(directory: Path, budget: str = "full") -> Path:
    """Invert the examples, telling of each; returns the page that leads to all reports."""
    started = time.perf_counter()
    print("inversynth: from a sound to the synthesizer settings that make it.\n", flush=True)
    done = []
    for example, inversion in invert_examples(budget):
        report = write_inversion(inversion, directory / inversion.target.name)
        done.append((inversion, report))
        print(f"{inversion.target.name}: {example.summary}\n  {describe(inversion.patch.scores)}", flush=True)
        if inversion.patch.verdict:
            print(f"  {inversion.patch.verdict['sentence']}", flush=True)
        if inversion.truth is not None:
            print(f"  {_knobs_found(inversion)}", flush=True)
    index = write_index(directory / "index.html", done)
    print(f"\nDone in {time.perf_counter() - started:.0f} s. Hear the sounds and see the knobs:")
    print(f"  {index.resolve().as_uri()}")
    print(
        "Now a sound of your own:\n  inversynth invert SOUND.wav\nOr a network of your own:\n  inversynth demo --train"
    )
    return index


def invert_examples(budget: str) -> Iterator[tuple[Example, Inversion]]:
    """Invert the bundled sounds one after another, each at whatever level it has, with the bundled network."""
    from inversynth.pretrained import DEFAULT, find_model
    from models.model_files import load_model

    model = load_model(find_model(DEFAULT))
    for example in EXAMPLES:
        target = read_target(example.path, model.sample_rate, model.card.length)
        yield example, invert(target, model, example.truth(), budget, level="fit")


def _knobs_found(inversion: Inversion) -> str:
    """Say how many knobs are where they were, of those that the sound determines."""
    patch, truth = inversion.patch, inversion.truth
    assert truth is not None
    right = patch.classes.astype(int) == truth.astype(int)
    fixed = np.ones(len(right), bool) if patch.determined is None else np.asarray(patch.determined)
    return f"{int(right[fixed].sum())} of the {int(fixed.sum())} knobs that can be heard are exactly right"


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.demo"))
