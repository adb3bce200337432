"""A long sound that drifts through timbres: `inversynth gansynth hallucinate`.

Latents are drawn, and further ones interpolated on the arcs between neighbours. All are played at one note, each a
little after the one before, under an envelope, and overlap-added. As in the tools of the course "Deep Learning with
Audio" of Aalto University, which play each inner point twice; here it is played once.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generators.command import run_command
from generators.errors import SettingsError
from generators.notes.pitches import midi_number, note_name
from inversynth.audio_command import SHARED, write_and_list
from inversynth.gansynth.latent_path import LatentPath, draw_latent_path
from inversynth.gansynth.latents import arc, read_latents, write_latents
from inversynth.gansynth.model_pair import LabelledModel, model_facts
from inversynth.gansynth.sample import LATENTS_FILE
from inversynth.gansynth.session import MAKER, GansynthSettings, open_gansynth
from inversynth.playback.envelope import envelope
from inversynth.playback.mixdown import mix
from inversynth.playback.sustain import find_sustain
from inversynth.report.audio_page import AudioPage, Clip, ClipRow, finite
from inversynth.report.figures import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.gansynth.inference import GanSynthModel

log = logging.getLogger(__name__)

LONGEST = 1200.0
"""Seconds, 20 minutes: what a page still holds at 8 kHz."""

MOST_NOTES = 5000
"""Some minutes of work on two cores."""

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Grain:
    """The envelope of each note, and its distance from the next.

    Attributes: all in seconds. `spacing` is the time between two beginnings, `trim` is cut off the front; attack,
    sustain and release follow each other.
    """

    spacing: float = 0.4
    trim: float = 0.0
    attack: float = 0.5
    sustain: float = 1.0
    release: float = 0.5

    @property
    def seconds(self) -> float:
        """Length of a shaped note."""
        return self.attack + self.sustain + self.release

    def check(self, seconds: float) -> None:
        """Raise SettingsError where trimming leaves nothing of notes of the model, which last `seconds`."""
        if not (seconds > self.trim and self.seconds > 0.0):
            raise SettingsError(
                f"trimming must leave a part of each note of {seconds:g} s. Received: --trim {self.trim:g}, attack, "
                f"sustain and release of {self.seconds:g} s together"
            )

    def shape(self, audio: Audio, sample_rate: int) -> Audio:
        """Trim one note and apply the envelope; one that is too short is held by a loop. Shapes: (samples,) -> (n,)."""
        attack, held, end = (
            round(sample_rate * seconds) for seconds in (self.attack, self.attack + self.sustain, self.seconds)
        )
        level = envelope(held, attack=attack, release=end - held)
        trim = round(sample_rate * self.trim)
        whole = trim + len(level)
        long = audio[:whole] if len(audio) >= whole else find_sustain(audio, sample_rate).held(whole)
        shaped: Audio = long[trim:] * level
        return shaped


def points_between(keys: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Interpolate `steps` latents between neighbouring keys, and return them with the keys.

    Shapes: (n, latent) -> (n + (n - 1) steps, latent).
    """
    arcs = [arc(one, other, steps + 2)[:-1] for one, other in pairwise(keys)]
    return np.concatenate([*arcs, keys[-1:]])


def hallucinate(
    gansynth: "GanSynthModel", latents: NDArray[np.float32], note: int, grain: Grain, batch_size: int = 8
) -> tuple[Audio, float]:
    """Play latents one after another at one note, overlapping, with a progress bar on a terminal.

    A sum above full scale is normalised to it. Memory holds one batch of notes, and the whole once.

    Shapes: latents (n, latent) -> (samples,). Returns: also the gain, 1 or less. Raises: ModelError.
    """
    from tqdm import tqdm

    rate = gansynth.sample_rate

    def sounds() -> Iterator[tuple[int, Audio]]:
        with tqdm(total=len(latents), desc="decoding", unit="notes", disable=None) as bar:
            for first in range(0, len(latents), batch_size):
                part = latents[first : first + batch_size]
                made = finite(gansynth.decode(part, [note] * len(part), batch_size=batch_size), gansynth.name)
                for number, audio in enumerate(made, start=first):
                    yield round(number * grain.spacing * rate), grain.shape(audio, rate)
                bar.update(len(part))

    whole = np.concatenate(list(mix(sounds())))
    gain = min(1.0, 1.0 / max(float(np.abs(whole).max()), 1e-9))
    return whole * np.float32(gain), gain


class HallucinateSettings(GansynthSettings):
    """Drift through timbres at one note: a WAV and a spectrogram, the timbres it passes, and a page."""

    flags_only: ClassVar = SHARED | {
        *("points", "steps", "spacing", "trim", "attack", "sustain", "release", "note", "latents"),
    }

    points: int | None = Field(None, ge=1, le=1000, description="timbres it passes; 5, or all of --latents")
    steps: int = Field(5, ge=0, le=1000, description="interpolated timbres between two neighbours")
    spacing: float = Field(0.4, gt=0, le=60, allow_inf_nan=False, description="seconds from one note to the next")
    trim: float = Field(0.0, ge=0, allow_inf_nan=False, description="seconds cut off the front of each note")
    attack: float = Field(0.5, ge=0, le=60, allow_inf_nan=False, description="seconds of the rise of each note")
    sustain: float = Field(1.0, ge=0, le=60, allow_inf_nan=False, description="seconds at full level")
    release: float = Field(0.5, ge=0, le=60, allow_inf_nan=False, description="seconds of the fall of each note")
    note: str = Field("", description="C4 or 60; by default the model's middle one")
    latents: Path | None = Field(None, description="a file of latents to use in place of drawing them")
    output_dir: Path = Field(
        Path("output/gansynth/hallucinate"),
        description=f"where the sounds, {LATENTS_FILE}, spectrograms and page are written",
    )


POINTS = 5
"""Default number of timbres, as in the course's tool."""


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth hallucinate") -> int:
    """Generate a hallucination; returns the exit code."""
    return run_command(HallucinateSettings, _run, argv, prog, resumes=False)


def _run(settings: HallucinateSettings) -> None:
    grain = Grain(settings.spacing, settings.trim, settings.attack, settings.sustain, settings.release)
    note = midi_number(settings.note, settings.note_names) if settings.note else None
    gansynth = open_gansynth(settings.model)
    note = gansynth.notes[len(gansynth.notes) // 2] if note is None else int(gansynth.check_notes(note)[0])
    grain.check(gansynth.seconds)
    if grain.trim + grain.seconds > gansynth.seconds:
        log.info("notes are held by loops: one of %s lasts %g s", gansynth.name, gansynth.seconds)
    keys = _keys(settings, gansynth)
    count = len(keys) + (len(keys) - 1) * settings.steps
    seconds = (count - 1) * grain.spacing + grain.seconds
    if count > MOST_NOTES or seconds > LONGEST:
        raise SettingsError(
            f"a hallucination has {MOST_NOTES:,} notes and {LONGEST:g} s at most. Received: {count:,} notes over "
            f"{seconds:,.0f} s. Take fewer --points or --steps, or less --spacing"
        )
    latents = points_between(keys, settings.steps)
    audio, gain = hallucinate(gansynth, latents, note, grain, settings.batch_size)
    if gain < 1.0:
        log.info("attenuated by %.1f dB, to full scale", -20.0 * np.log10(gain))
    model = LabelledModel(gansynth.name, gansynth)
    names = [f"point{number:03d}_{note_name(note, settings.note_names)}" for number in range(len(keys))]
    captions = [f"{number + 1}" for number in range(len(keys))]
    points = model.shown(keys, np.full(len(keys), note), names, captions, settings.batch_size)
    write_latents(settings.output_dir / LATENTS_FILE, keys, gansynth)
    whole = Clip(
        f"hallucination_{note_name(note, settings.note_names)}",
        audio,
        f"{count} notes, {grain.spacing:g} s apart, {len(audio) / gansynth.sample_rate:.1f} s",
        _path_drawer(audio, gansynth.sample_rate, LatentPath(keys, (count - 1) * grain.spacing or seconds)),
    )
    page = AudioPage(
        maker=MAKER,
        title=f"A hallucination at {note_name(note, settings.note_names)}",
        lead=f"{len(keys)} timbres, and {settings.steps} interpolated between neighbours: each lasts "
        f"{grain.seconds:.3g} s, and begins {grain.spacing:g} s after the one before.",
        rows=[ClipRow("The whole", [whole]), ClipRow("The timbres it passes", points)],
        sample_rate=gansynth.sample_rate,
        facts=model_facts([model])
        | {"Points": str(settings.latents or f"{LATENTS_FILE}, seed {settings.seed}")}
        | {"Envelope": f"attack {grain.attack:.3g} s, sustain {grain.sustain:.3g} s, release {grain.release:.3g} s"},
    )
    write_and_list(page, settings)


def _keys(settings: HallucinateSettings, gansynth: "GanSynthModel") -> NDArray[np.float32]:
    if settings.latents is None:
        return gansynth.draw_latents(settings.points or POINTS, settings.seed)
    given = read_latents(settings.latents, gansynth)
    if settings.points and settings.points > len(given):
        raise SettingsError(f"{settings.latents} holds {len(given)} latents. Received: --points {settings.points}")
    return given[: settings.points]


def _path_drawer(audio: Audio, sample_rate: int, latent_path: LatentPath) -> "Callable[[Palette], Figure]":
    return lambda palette: draw_latent_path(audio, sample_rate, latent_path, palette)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.hallucinate"))
