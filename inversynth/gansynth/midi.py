"""A MIDI file played by a GANSynth, whose timbre glides from one latent to the next: `inversynth gansynth midi FILE`.

After the published code, with two faults mended: a note is divided by its largest magnitude, not by its largest sample,
which of a lopsided wave is less; and the clip lasts as long as the last release, not a whole number of seconds.
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

from generators.audio import normalise_peak, read_audio
from generators.command import run_command
from generators.errors import AudioError, SettingsError
from inversynth.gansynth.common import MAKER, GansynthSettings
from inversynth.gansynth.latent_path import LatentPath, draw_latent_path, random_latent_path
from inversynth.gansynth.latents import read_latents, write_latents
from inversynth.gansynth.model_pair import Contender, contenders, facts
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, read_score
from inversynth.playback.mixdown import LONGEST, mix, write_mix
from inversynth.playback.play import counted
from inversynth.playback.transpose import playable
from inversynth.report.audio_page import MOST_EMBEDDED, SHARED, Row, Showing, Shown, finite, tell_showing
from inversynth.report.figures import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.gansynth.inference import GanSynthModel

log = logging.getLogger(__name__)

ATTACK = 0.010
"""Seconds in which a note rises (published)."""

HELD = 3.0
"""Seconds that a note is held at most (published): so long are the keys of the NSynth dataset down."""


@dataclass(frozen=True)
class Performance:
    """How a GANSynth plays notes.

    Attributes: course is where timbres come from. release in seconds. batch_size: sounds that are made at once.
    Raises: SettingsError for a release that leaves nothing of a sound to hold.
    """

    player: "GanSynthModel"
    course: LatentPath
    release: float = 0.3
    batch_size: int = 8

    def __post_init__(self) -> None:
        room = self.player.seconds - ATTACK
        if not 0.0 <= self.release <= room:
            raise SettingsError(
                f"a release lies within the {self.player.seconds:g} s of a sound, from 0 to {room:g} s. Received: "
                f"--release {self.release:g}"
            )

    @property
    def longest(self) -> float:
        """Seconds for which a note can be held: the release too has to lie within the sound of the model."""
        return min(HELD, self.player.seconds - self.release)

    def shape(self, note: Note, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give a sound the length and the level of a note. Shapes: (samples,) -> (held and release,)."""
        rate = self.player.sample_rate
        release = round(self.release * rate)
        held = min(max(1, round(note.held * rate)), round(self.longest * rate), len(audio) - release)
        shaped = audio[: held + release] * envelope(held, attack=round(ATTACK * rate), release=release)
        return normalise_peak(shaped) * np.float32(note.velocity / 127)

    def sounds(
        self, notes: Sequence[Note], on_made: Callable[[int], object] = lambda count: None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first sample and the sound of each note, which rise in time as the notes do.

        What several notes share is made once, and forgotten behind the last of them; `on_made` is told how many
        notes are known after each batch.
        """
        latents = self.course.at([note.start for note in notes])
        numbers: dict[tuple[int, bytes], int] = {}
        pairs = [numbers.setdefault((n.pitch, z.tobytes()), len(numbers)) for n, z in zip(notes, latents, strict=True)]
        first = np.unique(pairs, return_index=True)[1]
        size = min(self.batch_size, len(first))
        uses, made = Counter(pairs), dict[int, NDArray[np.float32]]()
        for note, pair in zip(notes, pairs, strict=True):
            if pair not in made:
                batch = range(pair, min(pair + size, len(first)))
                filled = first[np.arange(pair, pair + size) % len(first)]  # one size, for which all is compiled once
                audio = self.player.sounds(latents[filled], [notes[place].pitch for place in filled], size)
                made |= zip(batch, finite(audio, self.player.name), strict=False)
                on_made(sum(uses[number] for number in batch))
            yield round(note.start * self.player.sample_rate), self.shape(note, made[pair])
            uses[pair] -= 1
            if not uses[pair]:
                del made[pair]

    def play(self, notes: Sequence[Note], path: str | os.PathLike[str], peak: float) -> None:
        """Play notes into one WAV that reaches `peak`, with a bar on a terminal. Raises AudioError."""
        from tqdm import tqdm

        with tqdm(total=len(notes), desc="playing", unit="notes", disable=None) as bar:
            write_mix(path, mix(self.sounds(notes, bar.update)), self.player.sample_rate, peak=peak)


# --- the door --------------------------------------------------------------------------------------------------


class MidiSettings(GansynthSettings):
    """Play a MIDI file, its timbre gliding from one latent to the next, into a WAV."""

    flags_only: ClassVar = SHARED | {
        *("midi", "seconds_per_instrument", "latents", "release", "peak", "transpose", "skip_unknown")
    }

    midi: CliPositionalArg[Path] = Field(description="the MIDI file to play")
    seconds_per_instrument: float = Field(
        6.0, ge=0.1, allow_inf_nan=False, description="seconds from one random timbre to the next; two at least"
    )
    latents: Path | None = Field(
        None, description="timbres to glide through in place of random ones, spread evenly: a .npz or .npy of latents"
    )
    release: float = Field(0.3, ge=0, allow_inf_nan=False, description="seconds in which a note falls silent")
    peak: float = Field(0.5, gt=0, le=1, description="of the clip")
    transpose: int = Field(0, ge=-127, le=127, description="semitones to move all notes by")
    skip_unknown: CliToggleFlag[bool] = Field(False, description="leave out notes that the model does not know")
    output_directory: Path = Field(
        Path("output/gansynth/midi"), description="where the WAV, the latents drawn, picture and page are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth gansynth midi") -> int:
    """Play a MIDI file; returns the exit code."""
    return run_command(MidiSettings, _run, argv, prog, resumes=False)


def _run(settings: MidiSettings) -> None:
    if settings.latents is not None and "seconds_per_instrument" in settings.model_fields_set:
        raise SettingsError(
            "latents of a file are spread evenly. Received: --latents and --seconds_per_instrument. Keep one of them"
        )
    score = read_score(settings.midi)
    model = contenders(settings.model)[0]
    player = model.player
    notes = playable(
        score, player.notes, transpose=settings.transpose, skip_unknown=settings.skip_unknown, name=model.label
    )
    seconds = _length(notes, player)
    performance = Performance(player, _course(settings, player, seconds), settings.release, settings.batch_size)
    longest = performance.longest
    if ended := sum(note.held > longest + 1e-6 for note in notes):
        log.info("ended %s after %g s, for a sound lasts %g s", counted(ended), longest, player.seconds)
    path = settings.output_directory / f"{settings.midi.stem}.wav"
    performance.play(notes, path, settings.peak)
    if settings.latents is None:
        write_latents(path.with_name(f"{path.stem}.latents.npz"), performance.course.keys, player)
    if (seconds + player.seconds) * player.sample_rate > MOST_EMBEDDED:
        log.info("no picture and no page: %.0f minutes are too long for them", seconds / 60)
        print(f"{path.stem}: {counted(len(notes))} -> {path}")
        return
    tell_showing(_showing(model, performance, notes, read_audio(path).audio, settings), settings)


def _course(settings: MidiSettings, player: "GanSynthModel", seconds: float) -> LatentPath:
    if settings.latents is not None:
        return LatentPath(read_latents(settings.latents, player), seconds)
    return random_latent_path(player, seconds, settings.seconds_per_instrument, settings.seed)


def _length(notes: Sequence[Note], player: "GanSynthModel") -> float:
    """Return the second at which the last note is let go. Raises AudioError for more than a WAV holds."""
    end = max(note.start for note in notes) + player.seconds
    if end * player.sample_rate > LONGEST:
        raise AudioError(
            f"a WAV file holds up to {LONGEST / player.sample_rate / 3600:.0f} hours at {player.sample_rate} Hz. "
            f"Received: notes up to hour {end / 3600:.0f}"
        )
    return max(note.start + note.held for note in notes)


def _showing(
    model: Contender,
    performance: Performance,
    notes: Sequence[Note],
    audio: NDArray[np.float32],
    settings: MidiSettings,
) -> Showing:
    """Return the clip as it is shown, over the course of its timbre."""
    course, name, rate = performance.course, settings.midi.stem, model.player.sample_rate

    def draw(palette: Palette) -> "Figure":
        return draw_latent_path(audio, rate, course, palette)

    timbres = f"{len(course.keys)} timbre{'' if len(course.keys) == 1 else 's'}"
    caption = f"{counted(len(notes))} through {timbres} in {len(audio) / rate:.1f} s"
    source = settings.latents.name if settings.latents else f"drawn by seed {settings.seed}"
    return Showing(
        name,
        "A MIDI file, played note by note by a GANSynth whose timbre glides.",
        [Row(name, [Shown(name, audio, caption, draw)], "Below: which of the timbres the notes have, and when.")],
        rate,
        facts([model])
        | {
            "Timbres": f"{len(course.keys)}, {source}",
            "Envelope": f"up in {ATTACK:g} s, held up to {performance.longest:g} s, down in {performance.release:g} s",
            "Peak": f"{settings.peak:g}",
        },
        MAKER,
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.gansynth.midi"))
