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
from inversynth.playback.sustain import Sustain, find_sustain
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import MOST_EMBEDDED, AudioPage, Clip, ClipRow, WrittenSound, finite
from inversynth.report.figures import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.gansynth.inference import GanSynthModel

log = logging.getLogger(__name__)

ATTACK = 0.010
"""Seconds of a note's attack (published)."""

LONGEST_HELD = 60.0
"""Longest hold of a note in seconds, which bounds memory; the published code ends notes after 3 s, as NSynth does."""

LONGEST_RELEASE = 60.0
"""Seconds."""

MOST_NOTES = 50_000
"""Notes of a piece, each of which the network decodes; a symphony in one file has fewer."""


@dataclass(frozen=True)
class Performance:
    """Plays notes with GANSynth.

    A note that the model's own is too short for is held by a loop (`inversynth.playback.sustain`).

    Attributes: latent_path: timbre over time. release: in seconds. batch_size: notes decoded at once.
    Raises: SettingsError for a release out of range.
    """

    gansynth: "GanSynthModel"
    latent_path: LatentPath
    release: float = 0.3
    batch_size: int = 8

    def __post_init__(self) -> None:
        if not 0.0 <= self.release <= LONGEST_RELEASE:
            raise SettingsError(
                f"a release lasts 0 to {LONGEST_RELEASE:g} s. Received: --release {self.release:g}. Take another"
            )

    def lengths(self, note: Note) -> tuple[int, int]:
        """Return for how many samples a note is held and released."""
        rate = self.gansynth.sample_rate
        return max(1, round(min(note.held, LONGEST_HELD) * rate)), round(self.release * rate)

    def is_lengthened(self, note: Note) -> bool:
        """Tell whether a note lasts longer than those of the model."""
        return sum(self.lengths(note)) > self.gansynth.samples

    def shape(self, note: Note, audio: NDArray[np.float32], sustain: Sustain | None = None) -> NDArray[np.float32]:
        """Apply length and velocity of a note to a sound, of which the `sustain` is needed where it is lengthened.

        Shapes: (samples,) -> (held and release,).
        """
        held, release = self.lengths(note)
        long = sustain.held(held + release) if sustain else audio[: held + release]
        shaped = long * envelope(held, attack=round(ATTACK * self.gansynth.sample_rate), release=release)
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
        uses, made, sustains = Counter(pairs), dict[int, NDArray[np.float32]](), dict[int, Sustain]()
        for note, pair in zip(notes, pairs, strict=True):
            if pair not in made:
                batch = range(pair, min(pair + size, len(first)))
                filled = first[np.arange(pair, pair + size) % len(first)]  # one batch size, compiled once
                audio = self.gansynth.decode(latents[filled], [notes[place].pitch for place in filled], size)
                made |= zip(batch, finite(audio, self.gansynth.name), strict=False)
                on_decoded(sum(uses[number] for number in batch))
            if self.is_lengthened(note) and pair not in sustains:
                sustains[pair] = find_sustain(made[pair], self.gansynth.sample_rate)
            sustain = sustains[pair] if self.is_lengthened(note) else None
            yield round(note.start * self.gansynth.sample_rate), self.shape(note, made[pair], sustain)
            uses[pair] -= 1
            if not uses[pair]:
                del made[pair]
                sustains.pop(pair, None)

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
    release: float = Field(
        0.3, ge=0, le=LONGEST_RELEASE, allow_inf_nan=False, description="seconds of the release of a note"
    )
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
    seconds = _length(notes, gansynth, settings.release)
    performance = Performance(
        gansynth, _latent_path(settings, gansynth, seconds), settings.release, settings.batch_size
    )
    if ended := sum(note.held > LONGEST_HELD for note in notes):
        log.info("ended %s after %g s, the longest that a note is held", count_notes(ended), LONGEST_HELD)
    if lengthened := sum(map(performance.is_lengthened, notes)):
        log.info("held %s by a loop: a sound of the model lasts %g s", count_notes(lengthened), gansynth.seconds)
    path = settings.output_dir / f"{settings.midi.stem}.wav"
    performance.play(notes, path, settings.peak)
    if settings.latents is None:
        write_latents(path.with_name(f"{path.stem}.latents.npz"), performance.latent_path.keys, gansynth)
    if (seconds + settings.release) * gansynth.sample_rate > MOST_EMBEDDED:
        log.info("no spectrogram and no page: %.0f minutes are too long", seconds / 60)
        print(one_line(f"{path.stem}: {count_notes(len(notes))} -> {path}"))
        return
    write_and_list(_page(model, performance, notes, WrittenSound(path), settings), settings)


def _latent_path(settings: MidiSettings, gansynth: "GanSynthModel", seconds: float) -> LatentPath:
    if settings.latents is not None:
        return LatentPath(read_latents(settings.latents, gansynth), seconds)
    return random_latent_path(gansynth, seconds, settings.seconds_per_instrument, settings.seed)


def _length(notes: Sequence[Note], gansynth: "GanSynthModel", release: float) -> float:
    """Return the time at which the last note is released. Raises AudioError for more than a WAV holds."""
    end = max(note.start + min(note.held, LONGEST_HELD) for note in notes)
    if (end + release) * gansynth.sample_rate > LONGEST:
        raise AudioError(
            f"a WAV file holds up to {LONGEST / gansynth.sample_rate / 3600:.0f} hours at {gansynth.sample_rate} Hz. "
            f"Received: notes up to hour {end / 3600:.0f}"
        )
    return end


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
            "Envelope": f"attack {ATTACK:g} s, held as written, release {performance.release:g} s",
            "Peak": f"{settings.peak:g}",
        },
        MAKER,
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.midi"))
