"""Measures of a trained classifier of synthesizer parameters on held-out examples."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from models.model_files import LoadedModel
    from models.training.data import Batches

EVALUATION_BATCH = 64
"""Examples a step where nothing is learned: larger is no quicker on two cores."""


def measure(loaded: "LoadedModel", batches: "Batches") -> dict[str, Any]:
    """Measure a model on batches it was not trained on: percentile rank, top-1 to top-5, error in class steps.

    Returns: n; each measure over all parameters and by group; and `parameters`, each measure for every parameter.
    """
    from models.training.metrics import TOP_K, group_means, mean_absolute_error, mean_percentile_rank, top_k_accuracy

    names = ("mpr", *(f"top{k}" for k in TOP_K), "mae")
    space, count = loaded.space, 0
    sums = np.zeros((len(names), len(space)))
    for audio, classes in (batches[number] for number in range(batches.num_batches)):
        scored = classes, loaded.predict(audio), space.slices
        top = (top_k_accuracy(*scored, k) for k in TOP_K)
        sums += len(classes) * np.stack([mean_percentile_rank(*scored), *top, mean_absolute_error(*scored)])
        count += len(classes)
    means = dict(zip(names, sums / count, strict=True))
    return {
        "n": count,
        **{name: group_means(values, space.groups) for name, values in means.items()},
        "parameters": {
            parameter: {name: float(values[column]) for name, values in means.items()}
            for column, parameter in enumerate(space.names)
        },
    }
