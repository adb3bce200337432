"""Sounds and a song to try the commands on.

Five short sounds: two of the `fm` synthesizer, and three recordings in the public domain.

The recordings are CC0, shortened, mixed to mono and resampled by `inversynth.examples.cut`; their
sources are in LICENCES.md beside them.
"""

import io
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """A bundled sound: its file, a description, and for a sound of `fm` the seed and row of its `sample_classes`."""

    file: str
    summary: str
    seed: int | None = None
    row: int = 0

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    def truth(self) -> NDArray | None:
        """Return the classes (parameters,) that made the sound, where the `fm` synth did."""
        if self.seed is None:
            return None
        from generators.registry import find_synth
        from generators.sampling import sample_classes

        return sample_classes(find_synth("fm").space, self.row, self.row + 1, self.seed)[0]


EXAMPLES: tuple[Example, ...] = (
    Example("fm_first.flac", "a random patch of the fm synth", seed=3030, row=0),
    Example("fm_second.flac", "another one, 12 dB down", seed=3030, row=2),
    Example("guitar_harmonic.flac", "a harmonic on a guitar"),
    Example("bell.flac", "a struck bell"),
    Example("cowbell.flac", "a cowbell"),
)

SONG = "song.mid"
"""The name that the song gets as a file."""

THEME = (
    *(("E4", 1.0), ("E4", 1.0), ("F4", 1.0), ("G4", 1.0), ("G4", 1.0), ("F4", 1.0), ("E4", 1.0), ("D4", 1.0)),
    *(("C4", 1.0), ("C4", 1.0), ("D4", 1.0), ("E4", 1.0), ("D4", 1.5), ("C4", 0.5), ("C4", 2.0)),
)
"""Notes and beats of the theme of the finale of Beethoven's Ninth Symphony (1824), its second half."""

BEATS_PER_MINUTE = 150


def bundled_sounds() -> list[Path]:
    """Return the files of the example sounds."""
    return [example.path for example in EXAMPLES]


def song() -> bytes:
    """Return the song as a MIDI file: four bars of one voice, six seconds, the same bytes every time."""
    import mido

    from generators.notes.pitches import note_number

    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BEATS_PER_MINUTE))])
    for name, beats in THEME:
        ticks, pitch = round(480 * beats), note_number(name)
        track.append(mido.Message("note_on", note=pitch, velocity=96))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=ticks))
    file.tracks.append(track)
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
