"""Principal directions of timbre, and sliders for them: `inversynth gansynth pca`.

By default each direction is rendered from two standard deviations below the mean to two above, with its effect on
level, brightness and rise time. `--sliders` moves along several at once.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from pydantic_settings import CliToggleFlag

from generators.command import run_command
from generators.errors import SettingsError, one_line
from generators.notes.pitches import note_name
from generators.settings import Numbers
from inversynth.audio_command import SHARED, with_bar, write_and_list
from inversynth.gansynth.directions import (
    ENDING,
    PER_DIMENSION,
    Directions,
    activation_shape,
    find_directions,
    read_directions,
    write_directions,
)
from inversynth.gansynth.latents import read_latent
from inversynth.gansynth.model_pair import LabelledModel, model_facts, open_models
from inversynth.gansynth.session import MAKER, GansynthSettings
from inversynth.inputs import MidiNote
from inversynth.report.audio_page import AudioPage, Clip, ClipRow
from inversynth.report.tables import text_table

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

WINDOW = 0.010
"""Seconds of the level window when the rise is timed."""

RISEN = 0.9
"""Fraction of its greatest level at which a sound has risen."""


def measures(audio: ArrayLike, sample_rate: int) -> tuple[float, float, float]:
    """Return level (dB of full scale), spectral centroid (Hz) and rise time (ms).

    Shapes: audio (samples,).
    """
    audio = np.asarray(audio, np.float64)
    spectrum = np.abs(np.fft.rfft(audio))
    hertz = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    level = 10 * np.log10(max(float(np.mean(np.square(audio))), 1e-12))
    size = max(1, round(WINDOW * sample_rate))
    powers = np.square(audio[: len(audio) // size * size]).reshape(-1, size).mean(axis=1)
    risen = int(np.argmax(powers >= RISEN**2 * powers.max())) * size / sample_rate
    return level, float(np.average(hertz, weights=spectrum + 1e-12)), 1000 * risen


def move(
    gansynth: "GanSynthModel",
    directions: Directions,
    amplitudes: ArrayLike,
    base: NDArray[np.float32] | None = None,
    batch_size: int = 8,
) -> NDArray[np.float32]:
    """Decode moved activations, with a progress bar on a terminal.

    Shapes: amplitudes (n, directions or fewer), base (frames, bins, width) -> (n, samples). Raises: ParameterError,
        ModelError.
    """
    moved = directions.moved(amplitudes, None if base is None else base.ravel())
    activations = moved.reshape(-1, *activation_shape(gansynth))
    decode = partial(gansynth.decode_first_block, activations, batch_size)
    return with_bar(decode, len(moved), gansynth.name)


# --- the command -----------------------------------------------------------------------------------------------


class PcaSettings(GansynthSettings):
    """Find the directions in which timbres differ most, and render each; or move along them by sliders."""

    flags_only: ClassVar = SHARED | {
        *("note", "samples", "components", "pca", "sliders", "reach", "steps", "on_top", "latent")
    }

    note: MidiNote = Field(None, description="MIDI note or name; by default the middle one of the model")
    samples: int | None = Field(
        None, ge=2, description=f"latents to analyse; by default {PER_DIMENSION} per activation dimension"
    )
    components: int = Field(8, ge=1, description="directions to find")
    pca: Path | None = Field(None, description=f"a file of directions, <name>{ENDING}, in place of finding new ones")
    sliders: Numbers = Field(
        (), description="position along each direction, in standard deviations, for one sound: --sliders=-1,0.5,2"
    )
    reach: float = Field(2.0, ge=0.1, le=20, description="without sliders: standard deviations to either side")
    steps: int = Field(5, ge=2, le=25, description="sounds for each direction")
    on_top: CliToggleFlag[bool] = Field(False, description="start from the activation of a latent, not from the mean")
    latent: str = Field("", description="that latent, FILE or FILE:ROW; by default the seed's first")
    output_dir: Path = Field(
        Path("output/gansynth/pca"), description="where directions, sounds, spectrograms and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth pca") -> int:
    """Find directions, or move along them; returns the exit code."""
    return run_command(PcaSettings, _run, argv, prog, resumes=False)


def _run(settings: PcaSettings) -> None:
    _check(settings)
    model = open_models(settings.model)[0]
    gansynth = model.gansynth
    directions = _directions(settings, model)
    note = directions.note if settings.note is None else settings.note
    if note != directions.note and not settings.on_top:
        raise SettingsError(
            f"directions start from the mean at their note, {directions.note}. Received: --note {note}. "
            "Start from a latent with --on_top, or find them anew without --pca"
        )
    base = _base(settings, gansynth, note) if settings.on_top else None
    if settings.sliders:
        rows = _slider_rows(settings, model, directions, base)
    else:
        rows = _direction_rows(settings, model, directions, base)
    start = "the activation of a latent" if settings.on_top else "the mean activation"
    page = AudioPage(
        maker=MAKER,
        title=f"Directions of timbre at {note_name(note, settings.note_names)}",
        lead=f"Sounds of {start} of the first block, moved along the directions in which activations differ most. "
        "Numbers are standard deviations.",
        rows=rows,
        sample_rate=gansynth.sample_rate,
        facts=model_facts([model])
        | {
            "Directions": f"{len(directions)}, found in {directions.samples:,} latents at "
            f"{note_name(directions.note, settings.note_names)}"
        },
    )
    write_and_list(page, settings)


def _check(settings: PcaSettings) -> None:
    given = settings.model_fields_set
    if settings.pca is not None and (found := sorted({"samples", "components"} & given)):
        raise SettingsError(f"a file holds directions already. Received: --pca and --{found[0]}. Keep one")
    if settings.sliders and (found := sorted({"reach", "steps"} & given)):
        raise SettingsError(f"sliders give one sound, not several. Received: --sliders and --{found[0]}. Keep one")
    if settings.latent and not settings.on_top:
        raise SettingsError("a latent is where --on_top starts from. Received: --latent alone. Add --on_top")


def _directions(settings: PcaSettings, model: LabelledModel) -> Directions:
    """Read directions, or find and write them."""
    gansynth = model.gansynth
    if settings.pca is not None:
        return read_directions(settings.pca, gansynth)
    from tqdm import tqdm

    note = gansynth.notes[len(gansynth.notes) // 2] if settings.note is None else settings.note
    with tqdm(desc="analysing", unit="latents", disable=None) as bar:
        found = find_directions(gansynth, note, settings.components, settings.samples, settings.seed, bar.update)
    path = write_directions(settings.output_dir / f"{model.label}{ENDING}", found)
    total = 100 * float(found.shares.sum())
    print(
        one_line(f"{len(found)} directions hold {total:.1f} % of the variance of {found.samples:,} latents -> {path}")
    )
    return found


def _base(settings: PcaSettings, gansynth: "GanSynthModel", note: int) -> NDArray[np.float32]:
    if settings.latent:
        latent = read_latent(settings.latent, gansynth)[np.newaxis]
    else:
        latent = gansynth.draw_latents(1, settings.seed)
    base: NDArray[np.float32] = gansynth.first_block(latent, [note])[0]
    return base


def _slider_rows(
    settings: PcaSettings, model: LabelledModel, directions: Directions, base: NDArray[np.float32] | None
) -> list[ClipRow]:
    amplitudes = np.stack([np.zeros(len(settings.sliders)), settings.sliders])
    sounds = move(model.gansynth, directions, amplitudes, base, settings.batch_size)
    words = ",".join(f"{number:g}" for number in settings.sliders)
    shown = [Clip("start", sounds[0], "start"), Clip(f"sliders_{words.replace(',', '_')}"[:150], sounds[1], words)]
    return [ClipRow("Sliders", shown, "The first sound has all sliders at 0.")]


def _direction_rows(
    settings: PcaSettings, model: LabelledModel, directions: Directions, base: NDArray[np.float32] | None
) -> list[ClipRow]:
    """Return a row for each direction, and print its effect from one end to the other."""
    places = np.linspace(-settings.reach, settings.reach, settings.steps)
    amplitudes = np.concatenate([np.outer(places, row) for row in np.eye(len(directions))])
    sounds = move(model.gansynth, directions, amplitudes, base, settings.batch_size)
    sweeps = sounds.reshape(len(directions), settings.steps, -1)
    rows, lines = [], []
    for number, (sweep, share) in enumerate(zip(sweeps, directions.shares, strict=True), start=1):
        ends = [measures(audio, model.gansynth.sample_rate) for audio in (sweep[0], sweep[-1])]
        ranges = [f"{low:.{digits}f} .. {high:.{digits}f}" for low, high, digits in zip(*ends, (1, 0, 0), strict=True)]
        lines.append([str(number), f"{100 * share:.1f}", *ranges])
        shown = [
            Clip(f"direction{number:02d}_{place:+.3f}", audio, f"{place:+g}" if place else "0")
            for place, audio in zip(places, sweep, strict=True)
        ]
        effect = f"Level {ranges[0]} dB, centroid {ranges[1]} Hz, rise time {ranges[2]} ms."
        words = f"{100 * share:.1f} % of the variance. {effect}"
        rows.append(ClipRow(f"Direction {number}", shown, words))
    print(text_table(["direction", "% of variance", "level, dB", "centroid, Hz", "rise, ms"], lines))
    return rows


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.pca"))
