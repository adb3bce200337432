"""Measure methods on a dataset: how well they estimate the parameters, and how similar the resulting sounds are.

The measures of the InverSynth paper (`models.training.metrics`, `generators.analysis.audio_metrics`), always beside
*chance* (random scores, hence random patches) and an *oracle* (the true classes, rendered again: what a perfect
estimate scores). What no method can know is measured in `inversynth.evaluation.identifiability`. Every number comes
with a 95 % bootstrap interval over sounds. Sounds are processed in batches; only their scores are kept.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis import audio_metrics
from generators.audio import normalise_peak
from generators.dataset import Dataset
from generators.errors import DatasetError, ModelError, shown
from generators.parallel import ordered_map
from generators.parameters import ParameterSpace
from generators.registry import build_synth
from generators.synth import Synth
from inversynth.evaluation.bootstrap import RESAMPLES, Estimate, mean_estimates, median_estimates
from inversynth.evaluation.conditions import CONDITIONS, Condition, apply_condition
from inversynth.evaluation.identifiability import identifiability
from inversynth.evaluation.methods import Method
from inversynth.evaluation.scores import ALL, PARAMETER_MEASURES, Bound, Evaluation, Result
from models.training.metrics import TOP_K, rank_scores, step_errors, top_k_scores

log = logging.getLogger(__name__)

SOUNDS_A_JOB = 4
"""Sounds whose spectrograms are held at once: their arrays are small enough to be reused and not mapped anew each time
(measured: 5.6 ms a sound against 10), and every core gets a share of a batch."""


def choose_rows(rows: NDArray[np.intp], num_examples: int | None, seed: int) -> NDArray[np.intp]:
    """Draw distinct rows by `seed`, in rising order; all of them where fewer are there or None is asked for."""
    if num_examples is None or num_examples >= len(rows):
        return rows
    return np.sort(np.random.default_rng([seed, 0]).choice(rows, num_examples, replace=False))


def dataset_synth(dataset: Dataset) -> Synth:
    """Build the synth that rendered a dataset. Raises DatasetError where it has changed since."""
    card = dataset.card
    synth = build_synth(card.synth, card.sample_rate, card.length)
    difference = dataset.space.difference(synth.space)
    if difference:
        raise DatasetError(
            f"{dataset.path} must hold sounds of synth '{card.synth}' as it is now. Received: {difference}. "
            "Generate it again"
        )
    return synth


def row_synth(dataset: Dataset, synth: Synth, row: int) -> Synth:
    """Return the synth that rendered a row: that of the dataset, at the note and velocity of the row if it has them."""
    if not (synth.plays_keys and {"note", "velocity"} <= set(dataset.labels)):
        return synth
    return synth.at_key(int(dataset.labels["note"][row]), int(dataset.labels["velocity"][row]))


def one_key_synth(dataset: Dataset) -> Synth:
    """Build the synth that rendered all rows. Raises DatasetError where their notes or velocities differ."""
    synth = dataset_synth(dataset)
    for name in ("note", "velocity") if synth.plays_keys else ():
        found = np.unique(dataset.labels[name][:]) if name in dataset.labels else ()
        if len(found) > 1:
            raise DatasetError(
                f"rows to score have one {name}. Received: {len(found)} in {dataset.path}. Generate a dataset of one: "
                "--notes C4 --velocities 100"
            )
    return row_synth(dataset, synth, 0)


def evaluate_methods(
    dataset: Dataset,
    methods: Iterable[Method],
    *,
    rows: NDArray[np.intp] | None = None,
    seed: int = 0,
    batch_size: int = 64,
    bound_examples: int = 100,
    resamples: int = RESAMPLES,
    condition: Condition = CONDITIONS["clean"],
    progress: bool = False,
) -> Evaluation:
    """Measure methods, one after another, on the same rows of a dataset, and the upper bound of its sounds.

    Args:
        rows: which sounds, finished ones; None takes all that are.
        bound_examples: sounds on which identifiability is measured, at `space.size` renders each; 0 leaves it out.
        condition: applied to the sounds.
    Raises: DatasetError where no row is finished, or the synth has changed since.
    """
    synth = one_key_synth(dataset)
    rows = dataset.finished() if rows is None else rows
    if not len(rows):
        raise DatasetError(f"{dataset.path} has no finished rows. Generate it first")
    results = tuple(
        _measure(method, dataset, synth, rows, seed, batch_size, resamples, condition, progress) for method in methods
    )
    bound_rows = rows[np.sort(np.random.default_rng([seed, 2]).permutation(len(rows))[:bound_examples])]
    card = {**asdict(dataset.card), "space": dataset.space.fingerprint, "file": shown(dataset.path.name)}
    return Evaluation(
        card,
        len(rows),
        seed,
        results,
        _bound(dataset, synth, bound_rows, seed, resamples, progress),
        resamples,
        condition=condition.name,
    )


def _measure(
    method: Method,
    dataset: Dataset,
    synth: Synth,
    rows: NDArray[np.intp],
    seed: int,
    batch_size: int,
    resamples: int,
    condition: Condition,
    progress: bool,
) -> Result:
    """Run one method over the rows, keeping only scores: (n, parameters) a measure and (n,) an audio measure."""
    if progress:
        log.info("%s: %d sounds …", method.name, len(rows))
    space, sample_rate = dataset.space, dataset.card.sample_rate
    estimated: list[NDArray[np.float64]] = []
    sounded: list[NDArray[np.float64]] = []
    seconds, renders, done = 0.0, 0, 0
    batch_size = method.batch_size or batch_size
    for audio, classes in _batches(dataset, rows, batch_size, method.name, progress):
        audio, reference = apply_condition(condition, synth, audio, classes, rows[done : done + len(audio)], seed)
        done += len(audio)
        if method.kind in ("model", "search") and not estimated:
            method.predict(audio, classes)  # the first call also builds graph and kernels, which is not timed
        started = time.perf_counter()
        prediction = method.predict(audio, classes)
        probabilities = np.asarray(prediction.probabilities)
        if not np.all((probabilities >= 0.0) & (probabilities <= 1.0)):
            raise ModelError(
                f"probabilities must lie in 0..1. Received: numbers outside, or NaN, from {method.name}. Train it again"
            )
        chosen = space.probabilities_to_classes(probabilities)
        seconds += time.perf_counter() - started
        estimated.append(_parameter_scores(classes, probabilities, space))
        renders += prediction.renders
        match = synth.render_classes(chosen) if prediction.audio is None else prediction.audio
        match = normalise_peak(match) if dataset.card.normalise else match
        sounded.append(_sound_scores(reference, match, sample_rate))
    parameters, groups = _by_parameter_and_group(np.concatenate(estimated), space, PARAMETER_MEASURES, seed, resamples)
    table = np.concatenate(sounded)
    means, medians = mean_estimates(table, seed, resamples), median_estimates(table, seed, resamples)
    reconstruction = {
        name: {"mean": mean, "median": median}
        for name, mean, median in zip(audio_metrics.MEASURES, means, medians, strict=True)
    }
    if progress:
        mpr, pcc = groups[ALL]["mpr"].value, reconstruction["stft_pcc"]["mean"].value
        log.info("%s: MPR %.1f, STFT PCC %.2f, %.3f s a sound", method.name, mpr, pcc, seconds / len(rows))
    return Result(
        method.name,
        method.kind,
        round(renders / len(rows)),
        seconds / len(rows),
        parameters,
        groups,
        reconstruction,
    )


def _batches(
    dataset: Dataset, rows: NDArray[np.intp], batch_size: int, title: str, progress: bool
) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
    from tqdm import tqdm

    with tqdm(total=len(rows), desc=title, unit="sounds", disable=None if progress else True) as bar:
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            yield dataset.read(part)
            bar.update(len(part))


def _sound_scores(target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Return every audio measure of every sound, (batch, measures), computed a few sounds at a time on every core."""

    def job(start: int) -> NDArray[np.float64]:
        part = slice(start, start + SOUNDS_A_JOB)
        return np.stack(list(audio_metrics.evaluate(target[part], match[part], sample_rate).values()), axis=1)

    return np.concatenate(list(ordered_map(job, range(0, len(target), SOUNDS_A_JOB))))


def _parameter_scores(classes: NDArray[Any], probabilities: NDArray[Any], space: ParameterSpace) -> NDArray[np.float64]:
    """Return every parameter measure of every sound, (batch, measures, parameters)."""
    classes, sizes = classes.astype(np.int64), space.sizes
    scores = [rank_scores(classes, probabilities, sizes)]
    scores += [top_k_scores(classes, probabilities, sizes, k) for k in TOP_K]
    scores.append(step_errors(classes, probabilities, sizes))
    return np.stack(scores, axis=1).astype(np.float64)


def _by_parameter_and_group(
    scores: NDArray[np.float64], space: ParameterSpace, measures: Sequence[str], seed: int, resamples: int
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Estimate the mean of each measure by parameter and by group. Shapes: scores (n, measures, parameters)."""
    groups = {**space.groups, ALL: tuple(range(len(space)))}
    columns = [scores] + [scores[:, :, list(members)].mean(axis=2, keepdims=True) for members in groups.values()]
    table = np.concatenate(columns, axis=2)
    estimates = mean_estimates(table.reshape(len(table), -1), seed, resamples)
    width = table.shape[2]
    by_name = [
        {measure: estimates[number * width + column] for number, measure in enumerate(measures)}
        for column in range(width)
    ]
    by_parameter = dict(zip(space.names, by_name[: len(space)], strict=True))
    return by_parameter, dict(zip(groups, by_name[len(space) :], strict=True))


def _bound(
    dataset: Dataset, synth: Synth, rows: NDArray[np.intp], seed: int, resamples: int, progress: bool
) -> Bound | None:
    """Estimate the identifiability by parameter and group, on some rows."""
    if not len(rows):
        return None
    if progress:
        log.info("upper bound: %d sounds …", len(rows))

    def job(batch: tuple[Any, NDArray[Any]]) -> NDArray[np.float64]:
        bound = identifiability(synth, batch[1], dataset.card.normalise)
        return np.stack([bound.mpr, bound.top1], axis=1)

    scores = list(ordered_map(job, _batches(dataset, rows, 1, "identifiability", progress)))
    measures = ("mpr", "top1")
    return Bound(len(rows), *_by_parameter_and_group(np.concatenate(scores), dataset.space, measures, seed, resamples))
