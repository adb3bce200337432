"""How often the verdict of an inversion is right: `python -m benchmarks.verdict`.

Sounds that `fm` made, clean, late and in noise, should be called reachable: those that are not are misses. Sounds of
other synthesis, instruments, recordings and noise should not be: those that are, are false alarms. Each is prepared,
estimated by a network and searched as `inversynth invert` does it. Above stand the exact patches under noise, as near
as any search can get; below, trivial matches of the sounds that `fm` did not make (a bare sine, saw and noise under
their envelope, and the best of 1,000 random patches), which no grade should flatter. What is printed are quantiles of
the log-mel distance at 16,384 Hz and the share of each grade, row by row as they are measured; docs/refinement.md
quotes them. A search takes one to eight seconds, so that 40 sounds of each group take an hour on one core: with `--log`
each distance is written down at once, and a later run goes on from there.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
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
from inversynth.pretrained import find_model, load_estimator
from models.model_files import LoadedModel

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

BURSTS = 10
"""Bursts of white noise at most: they differ in nothing but their samples."""

Prepare = Callable[[], Target]
"""Prepares a sound once it is needed: not where its distance is known from an earlier run."""


class VerdictSettings(Settings):
    """Measure the verdict on sounds that `fm` made and on others."""

    flags_only: ClassVar = frozenset({"budget", "num", "seed", "soundfont", "model", "recordings", "continuous", "log"})

    budget: Literal["none", "fast", "full"] = Field("fast", description="of the search")
    num: int = Field(40, ge=1, description="sounds of each group at most")
    seed: int = Field(8101, ge=0, description="draws the sounds; not one that the thresholds were set on")
    model: str = Field("inverter", description="the model whose answer the searches begin with")
    soundfont: Path | None = Field(None, description="an SF2 file, for recordings of real instruments")
    recordings: Path | None = Field(None, description="a folder of one-shot recordings, such as sonic-pi-samples")
    continuous: CliToggleFlag[bool] = Field(False, description="finally move the knobs between their levels")
    log: Path | None = Field(None, description="a file that keeps every distance, from which a later run goes on")


@dataclass
class DistanceLog:
    """Distances that were measured, by group and sound, and kept in a file of JSON lines where one is named.

    Attributes: run: what else a distance depends on: lines of other runs are passed over. torn: the file ends within a
    line.
    """

    run: str
    path: Path | None = None
    known: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    torn: bool = False

    @classmethod
    def open(cls, settings: VerdictSettings) -> "DistanceLog":
        """Read what an earlier run left; a line that it did not finish is passed over."""
        run = f"{settings.model}, {settings.budget}, seed {settings.seed}" + ", continuous" * settings.continuous
        log = cls(run, settings.log)
        text = "" if log.path is None or not log.path.exists() else log.path.read_text(encoding="utf-8")
        log.torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                kept = json.loads(line)
            except json.JSONDecodeError:  # an earlier run was killed while it wrote
                continue
            if kept["run"] == run:
                log.known[kept["group"], kept["sound"]] = kept["distances"]
        return log

    def measure(self, group: str, sound: str, method: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return the distances of a sound: those known, or those that `method` measures now."""
        key = group, sound
        if key not in self.known:
            self.known[key] = method()
            if self.path is not None:
                kept = {"run": self.run, "group": group, "sound": sound, "distances": self.known[key]}
                with self.path.open("a", encoding="utf-8") as file:
                    file.write("\n" * self.torn + json.dumps(kept) + "\n")
                self.torn = False
        return self.known[key]


def fm_sounds(condition: str, settings: VerdictSettings, model: LoadedModel) -> Iterator[tuple[str, Prepare]]:
    """Yield sounds of random patches under a condition of `benchmarks.conditions`, prepared as files are."""
    synth = model_synth(model.card)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, settings.num, settings.seed))

    def prepared(row: int) -> Target:
        sound = synth.render(values[row]).astype(np.float64)
        recorded = CONDITIONS[condition](sound, values[row], np.random.default_rng([settings.seed, row]))
        return prepare(recorded.audio, recorded.rate, model)

    yield from ((str(row), partial(prepared, row)) for row in range(settings.num))


def between_levels(settings: VerdictSettings, model: LoadedModel) -> Iterator[tuple[str, Prepare]]:
    """Yield sounds of patches with all knobs at random between their levels."""
    synth = model_synth(model.card)
    units = np.random.default_rng(settings.seed).uniform(size=(settings.num, len(synth.space)))
    for row, sound in enumerate(synth.render(synth.space.unit_to_values(units))):
        yield str(row), partial(prepare, sound, synth.sample_rate, model)


def other_sounds(settings: VerdictSettings, model: LoadedModel) -> Iterator[tuple[str, Iterator[tuple[str, Prepare]]]]:
    """Yield groups of sounds that `fm` did not make."""

    def named(sounds: Sequence[tuple[str, NDArray[np.floating]]]) -> Iterator[tuple[str, Prepare]]:
        return (
            (f"{row} {name}", partial(prepare, audio, model.sample_rate, model))
            for row, (name, audio) in enumerate(sounds)
        )

    drawn = made(settings.num, settings.seed)
    yield "of other synthesis: sines, strings, bells, noise, pads", named(drawn)
    rng = np.random.default_rng(settings.seed)
    count = min(settings.num, BURSTS)
    yield "white noise", named([("noise", 0.1 * rng.standard_normal(model.sample_rate)) for _ in range(count)])
    if settings.soundfont is not None:
        yield "notes of a SoundFont", named(instruments(settings.soundfont, settings.num, settings.seed))
    if settings.recordings is not None:
        paths = find_recordings(settings.recordings, settings.num)
        read = partial(read_target, sample_rate=model.sample_rate, length=model.card.length)
        yield "recordings", ((path.name, partial(read, path)) for path in paths)


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


def independent_distances(synth: Synth, settings: VerdictSettings) -> list[float]:
    """Return how far sounds of `fm` are from the same patches rendered by the second renderer of the tests."""
    from tests.independent_fm import render_independently

    classes = sample_classes(synth.space, 0, settings.num, settings.seed)
    others = render_independently(synth.space.classes_to_values(classes))
    pairs = zip(others, synth.render_classes(classes), strict=True)
    return [float(LogMelDistance(other, synth.sample_rate).distance(sound)) for other, sound in pairs]


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
    model = load_estimator(find_model(settings.model))
    synth = model_synth(model.card)
    log = DistanceLog.open(settings)
    print(f"model {settings.model}, budget {settings.budget}, seed {settings.seed}\n")
    rows: list[list[str]] = []

    def add(name: str, distances: Sequence[float], error: str) -> None:
        if distances:
            rows.append(_row(name, distances, error))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)

    for snr in NOISES:
        add(f"exact patches of `fm`, {snr:g} dB SNR", exact_distances(synth, snr, settings), "miss")
    add("exact patches of `fm`, rendered independently", independent_distances(synth, settings), "miss")
    for name, condition in MADE_BY_FM.items():
        add(
            name,
            [one["found"] for one in _search(name, fm_sounds(condition, settings, model), settings, model, log)],
            "miss",
        )
    name = "of `fm`, knobs between their levels"
    add(name, [one["found"] for one in _search(name, between_levels(settings, model), settings, model, log)], "")
    random = synth.render_classes(sample_classes(synth.space, 0, RANDOM, settings.seed))
    trivial: dict[str, list[float]] = {}
    for name, sounds in other_sounds(settings, model):
        measured = [*_search(name, sounds, settings, model, log, random)]
        add(name, [one["found"] for one in measured], "false alarm")
        for match in [match for match in (measured[0] if measured else {}) if match != "found"]:
            trivial.setdefault(match, []).extend(one[match] for one in measured)
    for name, distances in trivial.items():
        add(f"trivial match: {name}", distances, "")
    columns = ["sounds", "n", "distance in dB, 10 / 50 / 90 / 95 %", *WORDS, "misses", "false alarms"]
    print(markdown_table(columns, rows))


def _search(
    group: str,
    sounds: Iterator[tuple[str, Prepare]],
    settings: VerdictSettings,
    model: LoadedModel,
    log: DistanceLog,
    random: NDArray[np.float32] | None = None,
) -> Iterator[dict[str, float]]:
    """Invert sounds, and yield how far in dB each match is ("found"), and each trivial one where `random` is given."""

    def measured(prepared: Prepare, number: int) -> dict[str, float]:
        target = prepared()
        found = invert_estimate(
            target,
            model.card,
            estimate(target, model),
            budget=settings.budget,
            level="fit",
            continuous=settings.continuous,
        )
        distances = {"found": float(found.patch.verdict["distance"])}
        return distances if random is None else distances | trivial_distances(target, random, settings.seed + number)

    for number, (sound, prepared) in enumerate(tqdm(sounds, desc=group, file=sys.stderr, disable=None)):
        try:
            yield log.measure(group, sound, partial(measured, prepared, number))
        except AudioError as fault:
            print(fault, file=sys.stderr)


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
