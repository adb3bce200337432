"""`inversynth demo`: invert five bundled sounds, one of them by a DX7, too; or with `--train` train an inverter.

The sounds are inverted by the bundled network and the search: two of the `fm` synth, whose settings are known, and
three recordings, which the synth can only approximate. One recording is then found again as a DX7 voice.
`inversynth.train_demo` does the training.
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
from inversynth.inversion.inversion import invert
from inversynth.inversion.result import VOICE, Inversion, write_inversion
from inversynth.inversion.target import read_target
from inversynth.report.index import write_index
from inversynth.report.report import describe_match

DX7_EXAMPLE = "cowbell"
"""The recording that is also found as a DX7 voice."""


class DemoSettings(Settings):
    """Invert five bundled sounds in less than a minute, one as a DX7 voice, too; or --train a network of your own."""

    flags_only: ClassVar = frozenset({"output_dir", "budget", "train", "num_examples", "epochs", "model"})
    renamed: ClassVar = {"directory": "output_dir"}

    output_dir: Path = Field(Path("demo"), description="where everything is written")
    budget: Literal["none", "fast", "full"] = Field("fast", description="length of the search on each sound")
    train: CliToggleFlag[bool] = Field(
        False, description="render sounds, train a network, score it, and invert a new sound"
    )
    num_examples: int = Field(8000, ge=20, description="with --train: sounds in the dataset (64 KB each)")
    epochs: int = Field(8, ge=1, description="with --train: passes over the training sounds")
    model: str = Field("C3", description="with --train: the model; `inversynth list` shows all")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth demo") -> int:
    """Run the demo; returns the exit code."""

    def action(settings: DemoSettings) -> None:
        if settings.train:
            from inversynth.train_demo import run_train_demo

            run_train_demo(settings.output_dir, settings.num_examples, settings.epochs, settings.model)
        else:
            run_demo(settings.output_dir, settings.budget)

    return run_command(DemoSettings, action, argv, prog)


def run_demo(directory: Path, budget: str = "fast") -> Path:
    """Invert the examples, printing each result; returns the page that links to all reports."""
    started = time.perf_counter()
    print("inversynth: from a sound to the synthesizer settings that make it.\n", flush=True)
    index = directory / "index.html"
    for example, inversion in invert_examples(budget):
        write_inversion(inversion, directory / inversion.target.name, index)
        print(f"{inversion.target.name}: {example.summary}\n  {describe_match(inversion.patch)}", flush=True)
        if inversion.truth is not None:
            print(f"  {_knobs_found(inversion)}", flush=True)
    _demonstrate_dx7(directory, budget, index)
    write_index(index)
    print(f"\nDone in {time.perf_counter() - started:.0f} s. Open the reports to hear the sounds and see the settings:")
    print(f"  {index.resolve().as_uri()}")
    print("Next, invert a sound of your own:\n  inversynth invert SOUND.wav\n  inversynth invert SOUND.wav --synth dx7")
    print("Or train a network of your own:\n  inversynth demo --train")
    return index


def _demonstrate_dx7(directory: Path, budget: str, index: Path) -> None:
    """Find one of the recordings as a DX7 voice, and write it for the instrument."""
    from generators.dx7.synth import SAMPLE_RATE
    from inversynth.inversion.voices import LENGTH, invert_voice

    example = next(each for each in EXAMPLES if each.path.stem == DX7_EXAMPLE)
    folder = directory / f"{DX7_EXAMPLE}_dx7"
    found = invert_voice(read_target(example.path, SAMPLE_RATE, LENGTH), budget)
    write_inversion(found, folder, index)
    print(f"{DX7_EXAMPLE}, as a DX7 voice:\n  {describe_match(found.patch)}")
    print(f"  {folder / VOICE} loads into the instrument, Dexed and others", flush=True)


def invert_examples(budget: str) -> Iterator[tuple[Example, Inversion]]:
    """Invert the bundled sounds one after another, each at whatever level it has, with the bundled network."""
    from inversynth.pretrained import DEFAULT, find_model, load_estimator

    model = load_estimator(find_model(DEFAULT))
    for example in EXAMPLES:
        target = read_target(example.path, model.sample_rate, model.card.length)
        yield example, invert(target, model, example.truth(), budget, level="fit")


def _knobs_found(inversion: Inversion) -> str:
    """Count the knobs at their true level, among those that the sound determines."""
    patch, truth = inversion.patch, inversion.truth
    assert truth is not None
    right = patch.classes.astype(int) == truth.astype(int)
    fixed = np.ones(len(right), bool) if patch.determined is None else np.asarray(patch.determined)
    return f"{int(right[fixed].sum())} of the {int(fixed.sum())} knobs that the sound determines are exactly right"


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.demo"))
