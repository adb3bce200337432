"""How near `fm` comes to recordings, beside what is easy: `python -m benchmarks.real_sounds --recordings FOLDER`.

Recordings are one-shots of Sonic Pi's samples (Debian's sonic-pi-samples; each of them CC0, public domain, from
freesound.org), prepared as `invert` prepares any file. Distances are log-mel distances at 16,384 Hz with the noise
floor of the recording (`generators.analysis.distance`). Beside the search stand the network alone, the best of 1,000
random patches, CMA-ES from the network's answer with as many renders as the search took, and a bare sine, saw and noise
at the pitch of the sound under its own envelope. `--page FOLDER` writes a page on which all of them can be heard.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag
from tqdm import tqdm

from benchmarks.page import markdown_table
from generators.analysis.distance import LogMelDistance
from generators.analysis.pitch import NotePitch, find_note
from generators.command import run_command
from generators.dsp.units import midi_to_hz
from generators.errors import AudioError
from generators.sampling import sample_classes
from generators.settings import Settings
from generators.synth import Synth
from inversynth.inversion.inversion import model_synth
from inversynth.inversion.target import read_target
from inversynth.pretrained import find_model
from inversynth.report.audio_page import AudioPage, Clip, ClipRow, write_audio_page
from inversynth.search.search import refine
from models.model_files import load_model

Audio = NDArray[np.float32]

LEFT_OUT = ("loop_", "vinyl_", "ambi_lunar_land", "ambi_sauna", "ambi_swoosh", "elec_tick", "tabla_ke")
"""Beginnings of names: loops and records are no single sounds, three ambiences no notes, the rest too short."""

PITCHED = 0.4
"""Certainty of the pitch from which on a recording counts as pitched."""

SMOOTH = 0.005
"""Seconds over which the envelope of the bare waveforms is smoothed."""

RANDOM = 1000
"""Random patches, of which the best counts."""

EASY = ("sine", "saw", "noise", "random")
METHODS = ("search", "network", "cma-es", *EASY)


class RealSoundsSettings(Settings):
    """Compare the search with simple baselines on recordings."""

    flags_only: ClassVar = frozenset({"recordings", "model", "budget", "num", "seed", "continuous", "page"})

    recordings: Path = Field(Path("/usr/share/sonic-pi/samples"), description="a folder of sounds (FLAC or WAV)")
    model: str = Field("inverter", description="the model whose answer the searches begin with")
    budget: Literal["fast", "full"] = Field("fast", description="of the search")
    num: int = Field(200, ge=1, description="recordings at most, evenly spread over the folder")
    seed: int = Field(4711, ge=0, description="of random patches, CMA-ES and noise")
    continuous: CliToggleFlag[bool] = Field(False, description="finally descend the gradient, too")
    page: Path | None = Field(None, description="a folder for a page to listen to, with all sounds; by default none")


@dataclass(frozen=True)
class Row:
    """The distances of one recording in dB by method, its pitch where it has one, and what the search spent.

    `sounds` are the recording, the sound found and the bare waveforms, by name, (samples,) each.
    """

    name: str
    note: NotePitch | None
    renders: int
    seconds: float
    distances: Mapping[str, float]
    sounds: Mapping[str, Audio]

    @property
    def pitched(self) -> bool:
        return self.note is not None and self.note.confidence >= PITCHED


def find_recordings(folder: Path, count: int) -> list[Path]:
    """Return one-shot recordings of a folder, evenly spread. Raises AudioError where there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".flac", ".wav", ".aiff", ".ogg"))
    paths = [path for path in paths if not path.name.startswith(LEFT_OUT)]
    if not paths:
        raise AudioError(
            f"recordings must lie in a folder. Received: {folder}, without any. On Debian, install sonic-pi-samples"
        )
    return [paths[place] for place in np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int))]


def bare_waveforms(
    audio: Audio, sample_rate: int, note: NotePitch | None, rng: np.random.Generator
) -> dict[str, Audio]:
    """Return a sine and a saw at the pitch of a sound (C4 where it has none) and noise, under its own envelope."""
    window = np.hanning(round(SMOOTH * sample_rate) | 1)
    envelope = np.sqrt(np.convolve(np.square(audio.astype(np.float64)), window / window.sum(), mode="same"))
    frequency = float(midi_to_hz(60.0 if note is None else note.midi))
    time = np.arange(len(audio)) / sample_rate
    harmonics = range(1, int(sample_rate / 2 / frequency) + 1)
    waves = {
        "sine": np.sin(2.0 * np.pi * frequency * time),
        "saw": np.sum([np.sin(2.0 * np.pi * k * frequency * time) / k for k in harmonics], axis=0),
        "noise": rng.standard_normal(len(audio)),
    }
    return {name: (wave * envelope).astype(np.float32) for name, wave in waves.items()}


def search_by_cma(
    synth: Synth, measure: Callable[[Audio], NDArray[np.float64]], start: NDArray[np.floating], renders: int, seed: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the least distance that CMA-ES finds from a patch, on the positions of the knobs, with so many renders.

    Also returns where, (parameters,).
    """
    from cmaes import CMA

    best, values = float(measure(synth.render(start[np.newaxis]))[0]), np.asarray(start, np.float64)
    unit = synth.space.values_to_unit(start)
    optimiser = CMA(np.clip(unit, 0.05, 0.95), 0.2, bounds=np.tile([0.0, 1.0], (len(unit), 1)), seed=seed)
    spent = 1
    while spent < renders:
        asked = np.array([optimiser.ask() for _ in range(optimiser.population_size)])
        tried = synth.space.unit_to_values(asked)
        found = measure(synth.render(tried))
        optimiser.tell([(one, float(value)) for one, value in zip(asked, found, strict=True)])
        if found.min() < best:
            best, values = float(found.min()), tried[int(found.argmin())]
        spent += len(asked)
    return best, values


def measure_recordings(settings: RealSoundsSettings) -> Iterator[Row]:
    """Search for one recording after another, and measure all methods."""
    model = load_model(find_model(settings.model))
    synth = model_synth(model.card)
    random = synth.render_classes(sample_classes(synth.space, 0, RANDOM, settings.seed))
    for number, path in enumerate(tqdm(find_recordings(settings.recordings, settings.num), disable=None)):
        try:
            audio = read_target(path, synth.sample_rate, synth.length).audio
        except AudioError as fault:
            print(fault, file=sys.stderr)
            continue
        probabilities = np.asarray(model.predict(audio[np.newaxis]))[0]
        found = refine(synth, audio, probabilities, settings.budget, level="fit", continuous=settings.continuous)
        audio = audio if found.target is None else found.target
        measure = LogMelDistance(audio, synth.sample_rate).distance
        note = find_note(audio, synth.sample_rate)
        start = synth.space.classes_to_values(synth.space.probabilities_to_classes(probabilities))
        seed = settings.seed + number
        bare = bare_waveforms(audio, synth.sample_rate, note, np.random.default_rng(seed))
        match = np.pad(synth.at_root(found.root).render(found.values), (found.offset, 0))[: synth.samples]
        distances = {
            "search": float(measure(match)),
            "network": float(measure(synth.render(start))),
            "cma-es": search_by_cma(synth, measure, start, found.renders, seed)[0],
            **{name: float(measure(sound)) for name, sound in bare.items()},
            "random": float(measure(random).min()),
        }
        sounds = {"recording": audio, "search": match, **bare}
        yield Row(path.stem, note, found.renders, found.seconds, distances, sounds)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    return run_command(RealSoundsSettings, _run, argv, "python -m benchmarks.real_sounds")


def _run(settings: RealSoundsSettings) -> None:
    rows = list(measure_recordings(settings))
    print(markdown_table(["recording", "note", "renders", *METHODS], [_cells(row) for row in rows]), "\n")
    print(summary_table(rows))
    renders, seconds = (np.median([getattr(row, name) for row in rows]) for name in ("renders", "seconds"))
    print(f"\nThe search took {renders:,.0f} renders and {seconds:.2f} s, medians.")
    if settings.page is not None:
        print(f"to listen: {write_page(rows, settings)}")


def write_page(rows: Sequence[Row], settings: RealSoundsSettings) -> Path | None:
    """Write a page with the recording, the sound found and the bare waveforms in each row, equally loud."""
    lines = []
    for row in rows:
        clips = []
        for name, sound in row.sounds.items():
            caption = f"{name}, {row.distances[name]:.1f} dB" if name in row.distances else name
            clips.append(Clip(f"{row.name}_{name}", equally_loud(sound), caption))
        lines.append(ClipRow(row.name, clips))
    lead = (
        f"{len(rows)} recordings beside what the search of fm ({settings.budget}) and bare waveforms under the "
        "recording's own envelope make of them, with log-mel distances at 16,384 Hz."
    )
    page = AudioPage("Recordings and their matches", lead, lines, 16384, maker="python -m benchmarks.real_sounds")
    return write_audio_page(page, settings.page or Path(), pictures=False)


def equally_loud(audio: Audio) -> Audio:
    """Scale a sound to -20 dBFS RMS, or less where it would clip."""
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    return audio * np.float32(min(0.1 / max(rms, 1e-9), 0.99 / max(float(np.abs(audio).max()), 1e-9)))


def _cells(row: Row) -> list[str]:
    note = "" if row.note is None else f"{row.note.midi:.1f}"
    return [row.name, note, str(row.renders), *(f"{row.distances[name]:.1f}" for name in METHODS)]


def summary_table(rows: Sequence[Row]) -> str:
    """Return mean and median distance by method, and how often the search is nearer than each."""
    cells = []
    for label, chosen in (("all", rows), ("pitched", [row for row in rows if row.pitched])):
        if not chosen:
            continue
        table = {name: np.array([row.distances[name] for row in chosen]) for name in METHODS}
        for name in METHODS:
            nearer = "" if name == "search" else f"{100 * np.mean(table['search'] < table[name]):.0f} %"
            cells.append(
                [label, str(len(chosen)), name, f"{table[name].mean():.2f}", f"{np.median(table[name]):.2f}", nearer]
            )
        best = np.min([table[name] for name in METHODS if name not in ("search", "network")], axis=0)
        cells.append(
            [
                label,
                str(len(chosen)),
                "nearest baseline",
                f"{best.mean():.2f}",
                f"{np.median(best):.2f}",
                f"{100 * np.mean(table['search'] < best):.0f} %",
            ]
        )
    return markdown_table(["recordings", "n", "by", "mean dB", "median dB", "search is nearer"], cells)


if __name__ == "__main__":
    sys.exit(main())
