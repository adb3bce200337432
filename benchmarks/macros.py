"""How much of a patch a few macros keep, beside PCA: `python -m benchmarks.macros` writes the table of docs/macros.md.

Two kinds of patches of `fm`: uniform ones, whose 23 parameters have nothing to do with each other; and the family
corpus, made here, in which five hidden numbers move all of them along curves, with a little noise, as patches do that
belong to one kind of sound.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.registry import build_synth
from generators.sampling import sample_classes
from models.backend import start_keras

PAGE = Path(__file__).parents[1] / "docs" / "macros.md"
MARKED = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)

NOISE = 0.04
"""Standard deviation, in knob travel, of what no hidden number explains: a little more than half a level of 16."""

RUNS = (
    ("uniform", 20_000, 5),
    ("family", 100, 5),
    ("family", 300, 5),
    ("family", 2_000, 2),
    ("family", 2_000, 3),
    ("family", 2_000, 5),
    ("family", 2_000, 8),
    ("family", 20_000, 5),
)
"""Corpus, patches (training, validation and, for all sizes the same, test apart) and macros."""

TEST = 4_000
"""Further patches of the same corpus on which every row is measured."""


def family_patches(count: int, seed: int) -> NDArray[np.floating[Any]]:
    """Draw patches of `fm` that five hidden numbers decide: colour, pitch, wildness, envelope and brightness.

    Each hidden number is uniform in 0..1; knob positions follow by the curves of `family_curves`, plus Gaussian noise,
    clipped to the knob and set to the nearest level. Shapes: returns (count, 23) in 0..1.
    """
    space = build_synth("fm").space
    rng = np.random.default_rng(seed)
    exact = family_curves(count, rng)
    noisy = np.clip(exact + rng.normal(0.0, NOISE, exact.shape), 0.0, 1.0)
    return space.classes_to_unit(space.unit_to_classes(noisy))


def family_curves(count: int, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Draw the hidden numbers, and put them through the curves; before the noise, and before clipping."""
    colour, pitch, wild, envelope, bright = rng.random((5, count))
    unit = {
        "f_sin": pitch,
        "f_saw": pitch + 0.2 * colour,
        "f_tri": np.abs(2 * pitch - 1),
        "f_sqr": 1 - pitch * colour,
        "attack": 0.8 * envelope**3,
        "decay": 0.15 + 0.6 * envelope,
        "sustain": envelope**2 * (3 - 2 * envelope),
        "release": 0.1 + 0.8 * envelope**2,
        "f_cut": 0.1 + bright**1.5 + 0.2 * wild,
        "q": 3 * bright * (1 - bright),
        "f_gate": (1 - envelope) * wild,
    }
    for place, wave in zip((0, 1 / 3, 2 / 3, 1), ("sin", "saw", "tri", "sqr"), strict=True):
        unit[f"A_{wave}"] = np.exp(-(((colour - place) / 0.25) ** 2))  # the colour fades from wave to wave
        unit[f"B_{wave}"] = 0.7 * wild**2 * (1 - 0.5 * place)
        unit[f"v_{wave}"] = 0.1 + 0.8 * np.abs(wild - place)
    return np.stack([unit[name] for name in build_synth("fm").space.names], axis=-1)


def uniform_patches(count: int, seed: int) -> NDArray[np.floating[Any]]:
    """Draw patches of `fm` as datasets have them. Shapes: returns (count, 23) in 0..1."""
    space = build_synth("fm").space
    return space.classes_to_unit(sample_classes(space, 0, count, seed))


CORPORA = {"uniform": uniform_patches, "family": family_patches}


def measure(corpus: str, count: int, macros: int, folder: Path) -> dict[str, float]:
    """Train on patches of seed 1, and score on others of seed 2, beside scikit-learn's PCA of the same training."""
    start_keras()
    from sklearn.decomposition import PCA

    from models.macros.data import PatchSource
    from models.macros.patch_sets import patch_set
    from models.model_files import load_model
    from models.registry import find_recipe
    from models.training.loop import train

    synth = build_synth("fm")
    known = CORPORA[corpus](count, 1).astype(np.float32)
    source = PatchSource(patch_set(synth.space, synth.sample_rate, synth.length, known, corpus), macros=macros)
    recipe = find_recipe("macros").with_options(macros=macros)
    run = train(recipe, source, folder / f"{corpus}_{count}_{macros}", batch_size=16 if count < 1000 else 64)
    test = CORPORA[corpus](TEST, 2)
    with source.training(1024) as batches:
        training = np.concatenate([batches[number][0] for number in range(batches.num_batches)])
    pca = PCA(macros).fit(training)
    found = {
        "macros": load_model(run.path).predict(test),
        "pca": pca.inverse_transform(pca.transform(test)),
        "mean": np.broadcast_to(training.mean(axis=0), test.shape),
    }
    errors = {name: np.clip(unit, 0.0, 1.0) - test for name, unit in found.items()}
    whole = np.square(errors["mean"]).sum()
    scores: dict[str, float] = {"seconds": run.seconds() or 0.0, "epochs": run.metrics()["epochs"]}
    for name in ("macros", "pca"):
        scores[name] = 100.0 * (1.0 - np.square(errors[name]).sum() / whole)
        scores[f"{name}_steps"] = 15.0 * np.abs(errors[name]).mean()
    return scores


def ceiling() -> float:
    """Return the part of the family corpus's variance, in percent, that its own curves explain: all but the noise."""
    patches = family_patches(20_000, 3)
    exact = np.clip(family_curves(20_000, np.random.default_rng(3)), 0.0, 1.0)
    return float(100.0 * (1.0 - np.square(patches - exact).mean() / patches.var(axis=0).mean()))


def table(rows: list[tuple[str, int, int, dict[str, float]]]) -> str:
    """Write the results as a Markdown table."""
    lines = [
        "| patches | of them | macros | explained variance | PCA | mean error, class steps | PCA | epochs | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for corpus, count, macros, scores in rows:
        lines.append(
            f"| {corpus} | {count:,} | {macros} | **{scores['macros']:.1f} %** | {scores['pca']:.1f} % | "
            f"{scores['macros_steps']:.2f} | {scores['pca_steps']:.2f} | {scores['epochs']:.0f} | "
            f"{scores['seconds']:.0f} |"
        )
    lines.append(
        f"\nThe five hidden numbers themselves, put through the curves, explain {ceiling():.1f} % of `family`."
    )
    return "\n".join(lines)


def main() -> None:
    """Measure all rows and write them into the page."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [(*row, measure(*row, Path(folder))) for row in RUNS]
    text = table(rows)
    print(text)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
