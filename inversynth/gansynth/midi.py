"""Play a MIDI file with GANSynth, its timbre gliding from latent to latent: `inversynth gansynth midi FILE`.

After the published code, with two corrections: a note is normalised by its largest magnitude, not its largest sample,
which is smaller for an asymmetric waveform; and the clip ends with the last release, not at a whole second.
"""

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import normalise_peak
from generators.command import run_command
from generators.errors import AudioError, SettingsError, one_line
from inversynth.audio_command import SHARED, write_and_list
from inversynth.gansynth.latent_path import LatentPath, draw_latent_path, random_latent_path
from inversynth.gansynth.latents import read_latents, write_latents
from inversynth.gansynth.model_pair import LabelledModel, model_facts, open_models
from inversynth.gansynth.session import MAKER, GansynthSettings
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, read_score
from inversynth.playback.mixdown import LONGEST, mix, write_mix
from inversynth.playback.play import count_notes
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import MOST_EMBEDDED, AudioPage, Clip, ClipRow, WrittenSound, finite
from inversynth.report.figures import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.gansynth.inference import GanSynthModel

log = logging.getLogger(__name__)

ATTACK = 0.010
"""Seconds of a note's attack (published)."""

HELD = 3.0
"""Longest hold of a note in seconds (published): that of the notes of the NSynth dataset."""

MOST_NOTES = 50_000
"""Notes of a piece, each of which the network decodes; a symphony in one file has fewer."""


@dataclass(frozen=True)
class Performance:
    """Plays notes with GANSynth.

    Attributes: latent_path: timbre over time. release: in seconds. batch_size: notes decoded at once.
    Raises: SettingsError for a release that is longer than a sound.
    """

    gansynth: "GanSynthModel"
    latent_path: LatentPath
    release: float = 0.3
    batch_size: int = 8

    def __post_init__(self) -> None:
        room = self.gansynth.seconds - ATTACK
        if not 0.0 <= self.release <= room:
            raise SettingsError(
                f"a release lies within the {self.gansynth.seconds:g} s of a sound, from 0 to {room:g} s. Received: "
                f"--release {self.release:g}"
            )

    @property
    def longest(self) -> float:
        """Longest hold in seconds: the release must also lie within the sound of the model."""
        return min(HELD, self.gansynth.seconds - self.release)

    def shape(self, note: Note, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Apply length and velocity of a note to a sound. Shapes: (samples,) -> (held and release,)."""
        rate = self.gansynth.sample_rate
        release = round(self.release * rate)
        held = min(max(1, round(note.held * rate)), round(self.longest * rate), len(audio) - release)
        shaped = audio[: held + release] * envelope(held, attack=round(ATTACK * rate), release=release)
        return normalise_peak(shaped) * np.float32(note.velocity / 127)

    def sounds(
        self, notes: Sequence[Note], on_decoded: Callable[[int], object] = lambda count: None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first sample and the sound of each note, in the order of the notes.

        Notes of the same pitch and latent are decoded once, and the sound is dropped after the last of them.
        `on_decoded` takes how many more notes are ready after each batch.
        """
        latents = self.latent_path.at([note.start for note in notes])
        numbers: dict[tuple[int, bytes], int] = {}
        pairs = [numbers.setdefault((n.pitch, z.tobytes()), len(numbers)) for n, z in zip(notes, latents, strict=True)]
        first = np.unique(pairs, return_index=True)[1]
        size = min(self.batch_size, len(first))
        uses, made = Counter(pairs), dict[int, NDArray[np.float32]]()
        for note, pair in zip(notes, pairs, strict=True):
            if pair not in made:
                batch = range(pair, min(pair + size, len(first)))
                filled = first[np.arange(pair, pair + size) % len(first)]  # one batch size, compiled once
                audio = self.gansynth.decode(latents[filled], [notes[place].pitch for place in filled], size)
                made |= zip(batch, finite(audio, self.gansynth.name), strict=False)
                on_decoded(sum(uses[number] for number in batch))
            yield round(note.start * self.gansynth.sample_rate), self.shape(note, made[pair])
            uses[pair] -= 1
            if not uses[pair]:
                del made[pair]

    def play(self, notes: Sequence[Note], path: str | os.PathLike[str], peak: float) -> None:
        """Play notes into one WAV with a given peak, with a progress bar on a terminal. Raises AudioError."""
        from tqdm import tqdm

        with tqdm(total=len(notes), desc="playing", unit="notes", disable=None) as bar:
            write_mix(path, mix(self.sounds(notes, bar.update)), self.gansynth.sample_rate, peak=peak)


# --- the command -----------------------------------------------------------------------------------------------


class MidiSettings(GansynthSettings):
    """Play a MIDI file into a WAV, its timbre gliding from latent to latent."""

    flags_only: ClassVar = SHARED | {
        *("midi", "seconds_per_instrument", "latents", "release", "peak", "transpose", "skip_unknown")
    }

    midi: CliPositionalArg[Path] = Field(description="the MIDI file to play")
    seconds_per_instrument: float = Field(
        6.0,
        ge=0.1,
        allow_inf_nan=False,
        description="seconds between two random timbres, of which there are at least two",
    )
    latents: Path | None = Field(
        None, description="latents to glide through in place of random ones, evenly spaced: a .npz or .npy file"
    )
    release: float = Field(0.3, ge=0, allow_inf_nan=False, description="seconds of the release of a note")
    peak: float = Field(0.5, gt=0, le=1, description="of the clip")
    transpose: int = Field(0, ge=-127, le=127, description="semitones to transpose all notes by")
    skip_unknown: CliToggleFlag[bool] = Field(False, description="leave out notes that the model was not trained on")
    output_dir: Path = Field(
        Path("output/gansynth/midi"), description="where the WAV, its latents, spectrogram and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth midi") -> int:
    """Play a MIDI file; returns the exit code."""
    return run_command(MidiSettings, _run, argv, prog, resumes=False)


def _run(settings: MidiSettings) -> None:
    if settings.latents is not None and "seconds_per_instrument" in settings.model_fields_set:
        raise SettingsError(
            "latents of a file are evenly spaced. Received: --latents and --seconds_per_instrument. Keep one of them"
        )
    score = read_score(settings.midi)
    if (count := len(score.notes)) > MOST_NOTES:
        raise AudioError(
            f"a piece has at most {MOST_NOTES:,} notes. Received: {count:,} in {settings.midi}. Play a part of it"
        )
    model = open_models(settings.model)[0]
    gansynth = model.gansynth
    notes = playable(
        score, gansynth.notes, transpose=settings.transpose, skip_unknown=settings.skip_unknown, name=model.label
    )
    seconds = _length(notes, gansynth)
    performance = Performance(
        gansynth, _latent_path(settings, gansynth, seconds), settings.release, settings.batch_size
    )
    longest = performance.longest
    if ended := sum(note.held > longest + 1e-6 for note in notes):
        log.info("ended %s after %g s: a sound of the model lasts %g s", count_notes(ended), longest, gansynth.seconds)
    path = settings.output_dir / f"{settings.midi.stem}.wav"
    performance.play(notes, path, settings.peak)
    if settings.latents is None:
        write_latents(path.with_name(f"{path.stem}.latents.npz"), performance.latent_path.keys, gansynth)
    if (seconds + gansynth.seconds) * gansynth.sample_rate > MOST_EMBEDDED:
        log.info("no spectrogram and no page: %.0f minutes are too long", seconds / 60)
        print(one_line(f"{path.stem}: {count_notes(len(notes))} -> {path}"))
        return
    write_and_list(_page(model, performance, notes, WrittenSound(path), settings), settings)


def _latent_path(settings: MidiSettings, gansynth: "GanSynthModel", seconds: float) -> LatentPath:
    if settings.latents is not None:
        return LatentPath(read_latents(settings.latents, gansynth), seconds)
    return random_latent_path(gansynth, seconds, settings.seconds_per_instrument, settings.seed)


def _length(notes: Sequence[Note], gansynth: "GanSynthModel") -> float:
    """Return the time at which the last note is released. Raises AudioError for more than a WAV holds."""
    end = max(note.start for note in notes) + gansynth.seconds
    if end * gansynth.sample_rate > LONGEST:
        raise AudioError(
            f"a WAV file holds up to {LONGEST / gansynth.sample_rate / 3600:.0f} hours at {gansynth.sample_rate} Hz. "
            f"Received: notes up to hour {end / 3600:.0f}"
        )
    return max(note.start + note.held for note in notes)


def _page(
    model: LabelledModel,
    performance: Performance,
    notes: Sequence[Note],
    audio: WrittenSound,
    settings: MidiSettings,
) -> AudioPage:
    """Return the page of the clip, with its spectrogram over the weights of the timbres."""
    latent_path, name, rate = performance.latent_path, settings.midi.stem, model.gansynth.sample_rate

    def draw(palette: Palette) -> "Figure":
        return draw_latent_path(audio, rate, latent_path, palette)

    timbres = f"{len(latent_path.keys)} timbre{'' if len(latent_path.keys) == 1 else 's'}"
    caption = f"{count_notes(len(notes))} through {timbres} in {len(audio) / rate:.1f} s"
    source = settings.latents.name if settings.latents else f"drawn from seed {settings.seed}"
    return AudioPage(
        name,
        "A MIDI file, played note by note with GANSynth while its timbre glides.",
        [ClipRow(name, [Clip(name, audio, caption, draw)], "Below: the weights of the timbres over time.")],
        rate,
        model_facts([model])
        | {
            "Timbres": f"{len(latent_path.keys)}, {source}",
            "Envelope": f"attack {ATTACK:g} s, hold up to {performance.longest:g} s, release {performance.release:g} s",
            "Peak": f"{settings.peak:g}",
        },
        MAKER,
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.midi"))
