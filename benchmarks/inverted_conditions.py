"""What inversions find of `fm` sounds under conditions, and of sounds that `fm` cannot make: `benchmarks.conditions`.

A knob is *determined* where no other class of it alone renders within -60 dB of the clean sound, at any level. It is
found where its class is the true one, or where the whole patch renders within -60 dB of the clean sound.
"""

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.real_sounds import find_recordings
from benchmarks.unseen_sounds import instruments, noise
from generators.analysis.alignment import fit_offset
from generators.audio import Sound
from generators.errors import AudioError
from generators.synth import Synth
from inversynth.evaluation.identifiability import identifiability
from inversynth.inversion.inversion import estimate, invert_estimate, model_synth
from inversynth.inversion.target import Target, fit_target, read_target
from inversynth.inversion.verdict import WORDS
from inversynth.pretrained import find_model, load_estimator
from inversynth.search.objective import INAUDIBLE

if TYPE_CHECKING:
    from benchmarks.conditions import Condition, ConditionsSettings
    from models.model_files import LoadedModel

COLUMNS = [
    "condition",
    "determined knobs found",
    "all knobs",
    "called reachable",
    "MPR",
    "begin off, median",
    "97 %",
    "ECE",
    "s a sound",
]
ALARM_COLUMNS = ["sounds", "n", "called reachable", "log-mel distance, lowest", "5 %", "median"]

BINS = 10
"""Of probabilities, for the expected calibration error: the mean over knobs of |share that is right - probability|."""


GOAL_SNR = 40.0
"""Decibels of SNR down to which sounds should be found; a condition that leaves some below has a row of the others."""


@dataclass(frozen=True)
class _Inverted:
    """What was found of one sound: by knob, whether its class is right, or sounds right, and how probable it seemed."""

    right: NDArray[np.bool_]
    found: NDArray[np.bool_]
    claims: NDArray[np.floating]
    reachable: bool
    rank: float
    off: float
    seconds: float
    snr: float


def measure_inversions(
    settings: "ConditionsSettings",
    conditions: "Mapping[str, Condition]",
    classes: NDArray[np.integer],
    sounds: NDArray[np.float64],
) -> list[list[str]]:
    """Invert all sounds under all conditions; a row of `COLUMNS` each, also logged as it is ready."""
    model = load_estimator(find_model(settings.model))
    determined = identifiability(model_synth(model.card), classes, normalise=True).top1 == 1.0
    rows = []
    for name, condition in conditions.items():
        all_of_it = [
            _invert(settings, model, condition, settings.first + row, classes[row], sound)
            for row, sound in enumerate(tqdm(sounds, desc=name, disable=None))
        ]
        clear = np.array([one.snr >= GOAL_SNR for one in all_of_it])
        parts = [(name, np.ones(len(clear), bool))]
        if clear.any() and not clear.all():
            parts.append((f"{name}: {clear.sum()} sounds of {GOAL_SNR:g} dB SNR and more", clear))
        for title, chosen in parts:
            rows.append(_row(title, list(itertools.compress(all_of_it, chosen)), determined[chosen]))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _invert(
    settings: "ConditionsSettings",
    model: "LoadedModel",
    condition: "Condition",
    number: int,
    classes: NDArray[np.integer],
    sound: NDArray[np.float64],
) -> _Inverted:
    """Invert a sound under a condition, as `inversynth invert` does; `number` is its place within the seed."""
    synth = model_synth(model.card)
    rng = np.random.default_rng([settings.seed, number])
    recorded = condition(sound, synth.space.classes_to_values(classes[None])[0], rng)
    heard = Sound(recorded.audio.astype(np.float32), recorded.rate, 1)
    began = time.perf_counter()
    target = fit_target(heard, synth.sample_rate, synth.length, normalise=bool(model.card.features["normalise"]))
    inversion = invert_estimate(target, model.card, estimate(target, model), classes, settings.budget, "fit")
    seconds = time.perf_counter() - began
    right = inversion.patch.classes == classes
    probabilities = np.asarray(inversion.patch.probabilities)
    return _Inverted(
        right=right,
        found=right | _same_sound(synth, inversion.patch.values, sound),
        claims=np.array([probabilities[part].max() for part in synth.space.slices]),
        reachable=inversion.patch.verdict["word"] == WORDS[0],
        rank=inversion.patch.scores["mpr"],
        off=abs(inversion.target.source["start"] * synth.sample_rate - recorded.begin),
        seconds=seconds,
        snr=recorded.snr,
    )


def _row(name: str, inverted: Sequence[_Inverted], determined: NDArray[np.bool_]) -> list[str]:
    found, right = (np.array([getattr(one, each) for one in inverted]) for each in ("found", "right"))
    off = [one.off for one in inverted]
    return [
        name,
        f"{100.0 * found[determined].mean():.1f} %",
        f"{100.0 * found.mean():.1f} %",
        f"{100.0 * np.mean([one.reachable for one in inverted]):.1f} %",
        f"{np.mean([one.rank for one in inverted]):.1f}",
        f"{np.median(off):.3f}",
        f"{np.quantile(off, 0.97):.2f}",
        f"{calibration_error(np.array([one.claims for one in inverted]), right):.3f}",
        f"{np.median([one.seconds for one in inverted]):.2f}",
    ]


def calibration_error(probabilities: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error of claims, 0..1.

    Shapes: probabilities and right of any one shape.
    Source: Guo, Pleiss, Sun, Weinberger 2017 (arXiv 1706.04599), with bins of equal width.
    """
    claims, truths = np.ravel(probabilities), np.ravel(right)
    place = np.minimum((claims * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    apart = np.bincount(place, claims, BINS) - np.bincount(place, truths, BINS)
    return float(np.abs(apart).sum() / counts.sum())


def _same_sound(synth: Synth, values: NDArray[np.floating], sound: NDArray[np.float64]) -> bool:
    return fit_offset(sound, synth.render(values), (0, 0)).residual < INAUDIBLE


def measure_alarms(settings: "ConditionsSettings") -> list[list[str]]:
    """Invert recordings, notes of instruments and noise, which `fm` cannot make; a row of `ALARM_COLUMNS` each."""
    model = load_estimator(find_model(settings.model))
    rows = []
    for name, targets in _others(settings, model_synth(model.card), bool(model.card.features["normalise"])):
        distances, words = [], []
        for target in tqdm(targets, desc=name, disable=None):
            inversion = invert_estimate(target, model.card, estimate(target, model), None, settings.budget, "fit")
            distances.append(inversion.patch.verdict["distance"])
            words.append(inversion.patch.verdict["word"])
        lowest, twentieth, median = np.quantile(distances, (0.0, 0.05, 0.5))
        share = f"{100.0 * words.count(WORDS[0]) / len(words):.1f} %"
        rows.append([name, str(len(words)), share, f"{lowest:.2f}", f"{twentieth:.2f}", f"{median:.2f}"])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _others(settings: "ConditionsSettings", synth: Synth, normalise: bool) -> Iterator[tuple[str, list[Target]]]:
    def fitted(audio: NDArray[Any]) -> Target:
        return fit_target(
            Sound(audio.astype(np.float32), synth.sample_rate, 1), synth.sample_rate, 1.0, None, normalise
        )

    recordings = []
    for path in find_recordings(settings.recordings, settings.num):
        try:
            recordings.append(read_target(path, synth.sample_rate, synth.length, None, normalise))
        except AudioError as fault:
            print(fault, file=sys.stderr)
    yield "recordings", recordings
    yield (
        "SoundFont notes",
        [fitted(audio) for _, audio in instruments(settings.soundfont, settings.num, settings.seed)],
    )
    rng = np.random.default_rng(settings.seed)
    yield "bursts of noise", [fitted(noise(rng)) for _ in range(settings.num)]
