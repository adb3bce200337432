"""How near the search for DX7 voices comes: `python -m benchmarks.dx7_search`.

Two tables: voices of Debian's `hexter` package (drawn by a seed, in no index), rendered and found again, compared at
44.1 kHz with a floor of -80 dB; and recordings (Debian's sonic-pi-samples) with a pitch, the first second from the
onset, compared at 16,384 Hz with the recording's own noise as the floor, as `benchmarks.real_sounds` compares `fm`.

Beside the search stand the nearest voice of the index, the nearest of those that the network draws, and the nearest
after the first stage; with `--baselines` a plain
genetic search and CMA-ES with as many renders from the same starts, and with `--fm` the search for a patch of `fm`.
`--referee` renders voices and answers by dexed-py, in place of our own engine.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag
from tqdm import tqdm

from benchmarks.dexed_referee import Job, Referee, installed
from benchmarks.dx7_prior import HOLD, LENGTH, NATIVE_RATE, NOTE, QUIETEST, VELOCITY, draw_targets
from benchmarks.page import markdown_table
from benchmarks.real_sounds import PITCHED, find_recordings, search_by_cma
from generators.analysis.distance import LogMelDistance
from generators.analysis.pitch import find_note
from generators.audio import resample
from generators.command import run_command
from generators.dx7.engine import render
from generators.dx7.single_note import fold_scaling
from generators.dx7.synth import SAMPLE_RATE, Dx7Synth, values_to_bytes, voice_values
from generators.dx7.voice import PARAMETERS, Voice
from generators.dx7.voice_index import bundled_index
from generators.errors import AudioError, SettingsError
from generators.settings import Settings
from inversynth.inversion.target import Target, read_target
from inversynth.inversion.voices import drawn_voices, starting_voices, voice_synth
from inversynth.search.dx7_search import genes
from inversynth.search.search import refine

Audio = NDArray[np.float32]
Values = NDArray[np.int64]

FLOOR = -80.0
COMPARED = 16384
"""Hz at which recordings are compared, as `fm` is."""

POPULATION, CHILDREN, CROSSED, MOST_GENES = 40, 20, 0.3, 5
"""The plain genetic search of the study: voices kept, made at a time, share that takes operators from another, and
parameters that are moved at most."""

BASELINES = ("genetic", "cma-es")

FM = "fm"


class Dx7SearchSettings(Settings):
    """Find DX7 voices for voices of others and for recordings."""

    flags_only: ClassVar = frozenset(
        {"voices", "targets", "note", "seed", "recordings", "num", "renders", "budget", "baselines", "fm", "referee"}
        | {"worst"}
    )

    voices: Path = Field(Path("/usr/share/hexter"), description="folder of voice files: Debian's hexter")
    targets: int = Field(100, ge=0, description="voices of the folder that are drawn")
    note: int = Field(NOTE, ge=0, le=127, description="MIDI note at which they are played")
    seed: int = Field(18, ge=0, description="by which those are drawn")
    recordings: Path = Field(Path("/usr/share/sonic-pi/samples"), description="a folder of sounds (FLAC or WAV)")
    num: int = Field(200, ge=0, description="recordings at most, evenly spread over the folder")
    renders: int | None = Field(None, ge=1, description="renders of each search; by default those of the budget")
    budget: Literal["none", "fast", "full"] = Field("fast", description="length of each search")
    baselines: CliToggleFlag[bool] = Field(False, description="a plain genetic search and CMA-ES beside it")
    fm: CliToggleFlag[bool] = Field(False, description="the search for a patch of fm beside it, on recordings")
    referee: CliToggleFlag[bool] = Field(False, description="render voices and answers by dexed-py (extra referee)")
    worst: int = Field(12, ge=0, description="sounds that are farthest, shown by name")


@dataclass(frozen=True)
class Row:
    """A sound: its name, the distance by each method in dB, and seconds and renders of the search."""

    name: str
    distances: dict[str, float]
    seconds: float
    renders: int


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(Dx7SearchSettings, _run, argv, "python -m benchmarks.dx7_search")


def _run(settings: Dx7SearchSettings) -> None:
    if settings.referee and not installed():
        raise SettingsError("dexed-py must be installed. Received: none. Install the extra: pip install .[referee]")
    if settings.targets:
        _print(f"voices of hexter at MIDI note {settings.note}, 44.1 kHz", list(_find_voices(settings)), settings.worst)
    if settings.num:
        _print("recordings with a pitch, 16,384 Hz", list(_match_recordings(settings)), settings.worst)


def _find_voices(settings: Dx7SearchSettings) -> Iterator[Row]:
    targets = draw_targets(settings.voices, settings.targets, settings.seed)
    with ExitStack() as stack:
        play: Callable[[Values], Audio] = partial(
            render, note=settings.note, velocity=VELOCITY, hold=HOLD, length=LENGTH, sample_rate=NATIVE_RATE
        )
        if settings.referee:
            play = _played_by(stack.enter_context(Referee(NATIVE_RATE)), settings.note)
        for voice in tqdm(targets, desc="voices", disable=None):
            wanted = play(voice[None])[0]
            if np.abs(wanted).max() < QUIETEST / 20:
                continue  # not heard at this note
            measure = LogMelDistance(wanted, NATIVE_RATE, FLOOR)
            name = Voice(voice.astype(np.uint8).tobytes()).name
            target = Target(resample(wanted, NATIVE_RATE, SAMPLE_RATE), SAMPLE_RATE, name)

            def compare(voices: Values, measure: LogMelDistance = measure) -> NDArray[np.float64]:
                return measure.distance(play(voices))

            yield _measured(target, settings.note, settings, compare)


def _played_by(referee: Referee, note: int) -> Callable[[Values], Audio]:
    """Return what renders voices (n, 155) by dexed-py, -> (n, samples)."""
    samples = round(LENGTH * NATIVE_RATE)

    def play(voices: Values) -> Audio:
        jobs = [Job(voice.tolist(), note, VELOCITY, HOLD, LENGTH) for voice in voices]
        return np.stack([np.asarray(sound[:samples], np.float32) for sound in referee.render(jobs)[0]])

    return play


def _match_recordings(settings: Dx7SearchSettings) -> Iterator[Row]:
    for path in tqdm(find_recordings(settings.recordings, settings.num), desc="recordings", disable=None):
        try:
            target = read_target(path, SAMPLE_RATE, LENGTH)
        except AudioError as fault:
            print(fault, file=sys.stderr)
            continue
        found = find_note(target.audio, SAMPLE_RATE)
        if found is None or found.confidence < PITCHED:
            continue
        note = round(found.midi)
        measure = LogMelDistance(resample(target.audio, SAMPLE_RATE, COMPARED), COMPARED)

        def compare(voices: Values, note: int = note, measure: LogMelDistance = measure) -> NDArray[np.float64]:
            audio = render(voices, note, VELOCITY, HOLD, LENGTH, SAMPLE_RATE)
            return measure.distance(np.stack([resample(one, SAMPLE_RATE, COMPARED) for one in audio]))

        row = _measured(target, note, settings, compare)
        if settings.fm:
            row.distances[FM] = _distance_of_fm(path)
        yield row


def _distance_of_fm(path: Path) -> float:
    """Return how near the search for a patch of `fm` comes to a recording, budget fast, at the rate of `fm`."""
    from inversynth.inversion.inversion import invert
    from inversynth.pretrained import DEFAULT, find_model, load_estimator

    model = load_estimator(find_model(DEFAULT))
    target = read_target(path, model.sample_rate, model.card.length)
    found = invert(target, model, None, "fast", level="fit")
    return float(found.patch.scores["log_mel_distance"])


def _measured(
    target: Target, note: int, settings: Dx7SearchSettings, compare: Callable[[Values], NDArray[np.float64]]
) -> Row:
    """Search for a sound by all methods, and compare the answers."""
    began = time.perf_counter()
    synth = voice_synth(target, note)
    starts = starting_voices(target, note)
    found = refine(
        synth,
        target.audio,
        np.ones(synth.space.size),
        settings.budget,
        limit=settings.renders,
        start=starts[0],
        starts=starts[1:],
        level="fit",
    )
    seconds = time.perf_counter() - began
    measure = LogMelDistance(target.audio, SAMPLE_RATE)
    drawn = voice_values(drawn_voices(target, note)).astype(np.float64)
    likely = drawn[int(measure.distance(synth.render(drawn)).argmin())]
    answers = {"nearest": starts[0], "network": likely, "search": found.values}
    if settings.baselines:
        index, _ = bundled_index().nearest(target.audio, SAMPLE_RATE, note, POPULATION)
        known = voice_values(fold_scaling(index, note, VELOCITY))
        rng = np.random.default_rng(settings.seed)
        answers["genetic"] = search_plainly(synth, measure, known, found.renders, rng)
        answers["cma-es"] = search_by_cma(synth, measure.distance, starts[0], found.renders, settings.seed)[1]
    voices = np.concatenate([values_to_bytes(np.asarray(values)[None]) for values in answers.values()])
    distances = dict(zip(answers, (float(each) for each in compare(voices)), strict=True))
    distances["first stage"] = found.stages[0].distance if found.stages else found.distance
    row = Row(target.name, distances, seconds, found.renders)
    print(target.name, " ".join(f"{key} {value:.2f}" for key, value in distances.items()), file=sys.stderr, flush=True)
    return row


def search_plainly(
    synth: Dx7Synth, measure: LogMelDistance, start: Values, renders: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Search as the feasibility study did: one population, moves of 1 to 5 parameters, operators from another parent.

    Shapes: start (n, 145) -> (145,).
    """
    highest = np.array([one.highest for one in PARAMETERS])
    operators = [[k for k, one in enumerate(PARAMETERS) if one.name.startswith(f"op{op}_")] for op in range(1, 7)]
    movable = np.flatnonzero(genes().weights)

    def distances(voices: Values) -> NDArray[np.float64]:
        return measure.distance(synth.render(voices.astype(np.float64)))

    population, costs = start[:POPULATION], distances(start[:POPULATION])
    spent = len(population)
    while spent < renders:
        children = population[rng.integers(len(population), size=CHILDREN)].copy()
        for child in children:
            if rng.random() < CROSSED:
                columns = operators[rng.integers(len(operators))]
                child[columns] = population[rng.integers(len(population)), columns]
            moved = rng.choice(movable, rng.integers(1, MOST_GENES + 1), replace=False)
            drawn = rng.integers(0, highest[moved] + 1)
            near = np.rint(child[moved] + rng.normal(0.0, np.maximum(0.1 * highest[moved], 1.0))).astype(np.int64)
            child[moved] = np.clip(np.where(rng.random(len(moved)) < 0.3, drawn, near), 0, highest[moved])
        both, all_costs = np.concatenate([population, children]), np.concatenate([costs, distances(children)])
        kept = np.argsort(all_costs, kind="stable")[:POPULATION]
        population, costs, spent = both[kept], all_costs[kept], spent + CHILDREN
    return population[0].astype(np.float64)


def _print(name: str, rows: list[Row], worst: int) -> None:
    """Print a table of the methods, and one of the sounds that are farthest."""
    if not rows:
        print(f"{name}: none", "\n")
        return
    methods = list(rows[0].distances)
    search = np.array([row.distances["search"] for row in rows])
    table = []
    for method in methods:
        found = np.array([row.distances[method] for row in rows])
        nearer = "" if method == "search" else f"{100.0 * np.mean(search < found):.0f} %"
        below = f"{100.0 * np.mean(found < 1.0):.0f} %"
        table.append([method, f"{found.mean():.2f}", f"{np.median(found):.2f}", below, nearer])
    renders, seconds = (float(np.median([getattr(row, key) for row in rows])) for key in ("renders", "seconds"))
    print(f"{name}: {len(rows)} sounds, {renders:,.0f} renders, {seconds:.1f} s each (medians)\n")
    print(markdown_table(["method", "mean, dB", "median", "below 1 dB", "search is nearer"], table), "\n")
    if worst:
        farthest = sorted(rows, key=lambda row: -row.distances["search"])[:worst]
        cells = [[row.name, *(f"{row.distances[method]:.2f}" for method in methods)] for row in farthest]
        print(markdown_table(["farthest", *methods], cells), "\n")


if __name__ == "__main__":
    sys.exit(main())
