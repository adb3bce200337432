"""Notes of a SoundFont, rendered one by one: instruments times pitches times velocities."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generators.errors import DatasetError, ParameterError, shown, unknown
from generators.notes.general_midi import PITCHED, PROGRAMS, program_number
from generators.notes.labels import note_table
from generators.notes.soundfont import SoundFont, general_midi_font
from generators.notes.soundfont_player import render_note
from generators.notes.source import NoteSource

PITCHES, VELOCITIES = tuple(range(24, 85, 4)), (100,)
"""The sixteen pitches of Open NSynth Super, and a velocity that most fonts are designed for."""

HELD, LENGTH, SAMPLE_RATE = 3.0, 4.0, 16000
"""Seconds, seconds and hertz of a note of NSynth."""

RENDERING = 1
"""Version of the rendering of `generators.notes.soundfont_player`, so that datasets of two versions are never mixed."""

Preset = tuple[int, int]


def soundfont_source(
    path: str | os.PathLike[str] | None = None,
    *,
    instruments: Sequence[str] = (),
    families: Sequence[str] = (),
    sources: Sequence[str] = (),
    styles: Sequence[str] = (),
    pitches: Sequence[int] = PITCHES,
    velocities: Sequence[int] = VELOCITIES,
    held: float = HELD,
    length: float = LENGTH,
    sample_rate: int = SAMPLE_RATE,
    gain: float = 1.0,
) -> NoteSource:
    """List the notes of a SoundFont, without those that no region covers.

    Args:
        path: an SF2 or SF3 file; by default the General MIDI font that pretty_midi ships.
        instruments: programs of General MIDI by name or number, or presets as bank:number; by default all that have a
            pitch. families, sources, styles: names to keep of them.
        held, length: seconds until the release, and in total. sample_rate: hertz. gain: factor.
    Raises: AudioError for a file that is no SoundFont; ParameterError for unknown instruments and names; DatasetError
        where no note is left.
    """
    font = SoundFont(path or general_midi_font())
    if not 0.0 < held <= length:
        raise ParameterError(f"a note is held for a part of its length, {length:g} s. Received: {held:g} s. Set --held")
    chosen = [preset for text in instruments for preset in _presets(font, text)] or [
        (0, number) for number in PITCHED if (0, number) in font.presets
    ]
    rows, played = [], []
    for bank, number in dict.fromkeys(chosen):
        program = PROGRAMS[number]
        name = program.name if bank == 0 else f"{program.name}-bank-{bank}"
        labels = {"instrument": name, "family": program.family, "source": program.source, "style": program.style}
        for pitch in pitches:
            for velocity in velocities:
                if font.regions(bank, number, pitch, velocity):
                    rows.append({"pitch": pitch, "velocity": velocity, **labels})
                    played.append((bank, number, pitch, velocity))
    if not rows:
        raise DatasetError(f"{font.path.name} must have some of the requested notes. Received: none. Choose others")
    samples = round(length * sample_rate)

    def read(numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        options = {"held": held, "samples": samples, "sample_rate": sample_rate, "gain": gain}
        return np.stack([render_note(font, *played[number], **options) for number in numbers])  # type: ignore[arg-type]

    facts = {
        **{"kind": "soundfont", "soundfont": shown(font.path.name), "soundfont_hash": font.digest},
        **{"rendering": RENDERING, "held": held, "gain": gain},
    }
    source = NoteSource(note_table(rows), sample_rate, samples, facts, read)
    return source.select(families=families, sources=sources, styles=styles)


def _presets(font: SoundFont, text: str) -> list[Preset]:
    """Return the preset of a name or number. Raises ParameterError where the font lacks it."""
    bank, _, number = text.rpartition(":")
    if bank and bank.strip().isdigit() and number.strip().isdigit():
        preset = int(bank), int(number)
    else:
        own = {name.casefold(): preset for preset, (name, _, _) in font.presets.items() if preset[1] < len(PROGRAMS)}
        preset = own[text.strip().casefold()] if text.strip().casefold() in own else (0, program_number(text))
    if preset not in font.presets or preset[1] >= len(PROGRAMS):
        known = [f"{each}:{program}" for each, program in sorted(font.presets)]
        raise ParameterError(f"{font.path.name}: {unknown('preset', f'{preset[0]}:{preset[1]}', known)}")
    return [preset]
