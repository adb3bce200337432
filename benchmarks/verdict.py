"""How often the verdict of an inversion is right: `python -m benchmarks.verdict`.

Sounds that `fm` made, clean, late and in noise, should be called reachable: those that are not are misses. Sounds of
other synthesis, instruments, recordings and noise should not be: those that are, are false alarms. Each is prepared,
estimated by a network and searched as `inversynth invert` does it. Above stand the exact patches under noise, as near
as any search can get; below, trivial matches of the sounds that `fm` did not make (a bare sine, saw and noise under
their envelope, and the best of 1,000 random patches), which no grade should flatter. What is printed are quantiles of
the log-mel distance at 16,384 Hz and the share of each grade; docs/refinement.md quotes them.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag
from tqdm import tqdm

from benchmarks.conditions import CONDITIONS
from benchmarks.page import markdown_table
from benchmarks.real_sounds import bare_waveforms, find_recordings
from benchmarks.unseen_sounds import instruments, made
from generators.analysis.distance import LogMelDistance
from generators.analysis.pitch import find_note
from generators.audio import Sound
from generators.command import run_command
from generators.errors import AudioError
from generators.sampling import sample_classes
from generators.settings import Settings
from generators.synth import Synth
from inversynth.inversion.inversion import estimate, invert_estimate, model_synth
from inversynth.inversion.target import Target, fit_target, read_target
from inversynth.inversion.verdict import WORDS, grade
from inversynth.pretrained import find_model
from models.model_files import LoadedModel, load_model

MADE_BY_FM = {
    "of `fm`": "clean, at sample 0",
    "of `fm`, late, 16-bit dither": "late, 16-bit dither",
    "of `fm`, late, 44.1 kHz": "late, 44.1 kHz",
    "of `fm`, 40 dB SNR": "noise 40 dB below, at sample 0",
    "of `fm`, late, 40 dB SNR": "late, noise 40 dB below",
}
"""Groups of sounds that `fm` made, and what was done to them: names in `benchmarks.conditions`."""

NOISES = (60.0, 40.0, 20.0)
"""Decibels of SNR at which exact patches are measured."""

RANDOM = 1000
"""Random patches, of which the nearest is a trivial match."""

Prepared = Iterator[Target]


class VerdictSettings(Settings):
    """Measure the verdict on sounds that `fm` made and on others."""

    flags_only: ClassVar = frozenset({"budget", "num", "seed", "soundfont", "model", "recordings", "continuous"})

    budget: Literal["none", "fast", "full"] = Field("fast", description="of the search")
    num: int = Field(40, ge=1, description="sounds of each group at most")
    seed: int = Field(8101, ge=0, description="draws the sounds; not one that the thresholds were set on")
    model: str = Field("inverter", description="the model whose answer the searches begin with")
    soundfont: Path | None = Field(None, description="an SF2 file, for recordings of real instruments")
    recordings: Path | None = Field(None, description="a folder of one-shot recordings, such as sonic-pi-samples")
    continuous: CliToggleFlag[bool] = Field(False, description="finally move the knobs between their levels")


def fm_sounds(condition: str, settings: VerdictSettings, model: LoadedModel) -> Prepared:
    """Yield sounds of random patches under a condition of `benchmarks.conditions`, prepared as files are."""
    synth = model_synth(model.card)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, settings.num, settings.seed))
    for row, sound in enumerate(synth.render(values)):
        rng = np.random.default_rng([settings.seed, row])
        recorded = CONDITIONS[condition](sound.astype(np.float64), values[row], rng)
        yield prepare(recorded.audio, recorded.rate, model)


def between_levels(settings: VerdictSettings, model: LoadedModel) -> Prepared:
    """Yield sounds of patches with all knobs at random between their levels."""
    synth = model_synth(model.card)
    units = np.random.default_rng(settings.seed).uniform(size=(settings.num, len(synth.space)))
    for sound in synth.render(synth.space.unit_to_values(units)):
        yield prepare(sound, synth.sample_rate, model)


def other_sounds(settings: VerdictSettings, model: LoadedModel) -> Iterator[tuple[str, Prepared]]:
    """Yield groups of sounds that `fm` did not make."""
    rate = model.sample_rate
    drawn = made(settings.num, settings.seed)
    yield "of other synthesis: sines, strings, bells, noise, pads", (prepare(audio, rate, model) for _, audio in drawn)
    rng = np.random.default_rng(settings.seed)
    noises = (prepare(0.1 * rng.standard_normal(rate), rate, model) for _ in range(min(settings.num, 10)))
    yield "white noise", noises
    if settings.soundfont is not None:
        notes = instruments(settings.soundfont, settings.num, settings.seed)
        yield "notes of a SoundFont", (prepare(audio, rate, model) for _, audio in notes)
    if settings.recordings is not None:
        yield "recordings", recorded(settings.recordings, settings.num, model)


def recorded(folder: Path, count: int, model: LoadedModel) -> Prepared:
    """Yield one-shot recordings of a folder; what cannot be inverted is said on standard error."""
    for path in find_recordings(folder, count):
        try:
            yield read_target(path, model.sample_rate, model.card.length)
        except AudioError as fault:
            print(fault, file=sys.stderr)


def prepare(audio: NDArray[np.floating], sample_rate: int, model: LoadedModel) -> Target:
    """Prepare a sound in memory as a file would be."""
    return fit_target(Sound(np.asarray(audio, np.float32), sample_rate, 1), model.sample_rate, model.card.length)


def exact_distances(synth: Synth, decibels: float, settings: VerdictSettings) -> list[float]:
    """Return how far sounds of `fm` are from themselves under white noise so far below their RMS."""
    rng, found = np.random.default_rng(settings.seed), []
    for sound in synth.render_classes(sample_classes(synth.space, 0, settings.num, settings.seed)):
        level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) * 10.0 ** (-decibels / 20.0)
        noisy = sound + level * rng.standard_normal(len(sound))
        found.append(float(LogMelDistance(noisy, synth.sample_rate).distance(sound)))
    return found


def trivial_distances(target: Target, random: NDArray[np.float32], seed: int) -> dict[str, float]:
    """Return the distances of matches that cost nothing: bare waveforms, and the nearest of random patches."""
    measure = LogMelDistance(target.audio, target.sample_rate).distance
    note = find_note(target.audio, target.sample_rate)
    bare = bare_waveforms(target.audio, target.sample_rate, note, np.random.default_rng(seed))
    found = {f"a bare {name}": float(measure(sound)) for name, sound in bare.items()}
    return found | {f"the best of {RANDOM:,} random patches": float(measure(random).min())}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(VerdictSettings, _run, argv, "python -m benchmarks.verdict")


def _run(settings: VerdictSettings) -> None:
    model = load_model(find_model(settings.model))
    synth = model_synth(model.card)
    print(f"model {settings.model}, budget {settings.budget}, seed {settings.seed}\n")
    rows = [
        _row(f"exact patches of `fm`, {snr:g} dB SNR", exact_distances(synth, snr, settings), "miss") for snr in NOISES
    ]
    for name, condition in MADE_BY_FM.items():
        rows.append(_row(name, [*_distances(name, fm_sounds(condition, settings, model), settings, model)], "miss"))
    name = "of `fm`, knobs between their levels"
    rows.append(_row(name, [*_distances(name, between_levels(settings, model), settings, model)], ""))
    random = synth.render_classes(sample_classes(synth.space, 0, RANDOM, settings.seed))
    trivial: dict[str, list[float]] = {}
    for name, sounds in other_sounds(settings, model):
        targets = list(sounds)
        rows.append(_row(name, [*_distances(name, iter(targets), settings, model)], "false alarm"))
        for number, target in enumerate(targets):
            for match, distance in trivial_distances(target, random, settings.seed + number).items():
                trivial.setdefault(match, []).append(distance)
    rows += [_row(f"trivial match: {name}", distances, "") for name, distances in trivial.items()]
    columns = ["sounds", "n", "distance in dB, 10 / 50 / 90 / 95 %", *WORDS, "misses", "false alarms"]
    print(markdown_table(columns, rows))


def _distances(name: str, sounds: Prepared, settings: VerdictSettings, model: LoadedModel) -> Iterator[float]:
    """Invert sounds, and yield how far each match is in dB."""
    for target in tqdm(sounds, desc=name, file=sys.stderr, disable=None):
        probabilities = estimate(target, model)
        found = invert_estimate(
            target, model.card, probabilities, budget=settings.budget, level="fit", continuous=settings.continuous
        )
        yield float(found.patch.verdict["distance"])


def _row(name: str, distances: Sequence[float], error: str) -> list[str]:
    """Return a line of the table; `error` says what a grade of the wrong side is called here."""
    words = [grade(distance) for distance in distances]
    quantiles = " / ".join(f"{quantile:.2f}" for quantile in np.quantile(distances, (0.1, 0.5, 0.9, 0.95)))
    shares = [f"{100 * words.count(word) / len(words):.0f} %" for word in WORDS]
    reachable = words.count(WORDS[0]) / len(words)
    misses = f"{100 * (1 - reachable):.1f} %" if error == "miss" else ""
    alarms = f"{100 * reachable:.1f} %" if error == "false alarm" else ""
    return [name, str(len(words)), quantiles, *shares, misses, alarms]


if __name__ == "__main__":
    sys.exit(main())
