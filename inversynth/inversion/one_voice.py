"""From several notes of one instrument to one DX7 voice, with its keyboard scaling and velocity.

First the main note alone is matched, with half of the renders; then its best voices go on at all notes together
(`inversynth.search.dx7_keyboard`), where one common gain leaves it to scaling and velocity how loud each note is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.dx7.synth import VELOCITY, Dx7Synth
from generators.errors import AudioError, ParameterError
from generators.notes.folder import labels_in_name
from generators.notes.pitches import midi_number, note_name
from inversynth.inversion.inversion import conclude
from inversynth.inversion.result import Inversion, InversionInterrupted
from inversynth.inversion.target import Target
from inversynth.inversion.voices import (
    Banks,
    describe_assumptions,
    search_details,
    set_untold,
    starting_voices,
    voice_synth,
)
from inversynth.search.dx7_keyboard import PlayedNote, SeveralNotes
from inversynth.search.search import BUDGETS, Refinement, SearchInterrupted, refine

if TYPE_CHECKING:
    from inversynth.search.search import StageReport

MOST_NOTES = 16
"""Notes that determine a voice: more slow the search down, which has a fixed number of renders."""

ALONE = 0.5
"""Part of the renders for the main note alone."""

STARTS = 11
"""Further voices of the search of the main note that go on at all notes."""

NSYNTH_NAME = re.compile(r"-(\d{3})-(\d{3})$")
"""How names of notes end in the NSynth dataset: pitch and velocity."""

VELOCITY_NAME = re.compile(r"[_-]v(?:el)?(\d{1,3})$", re.IGNORECASE)
NOTE_ALONE = re.compile(r"[A-Ga-g][#b]?-?\d")


@dataclass(frozen=True)
class NamedNote:
    """What a file's name says of its note: MIDI note and velocity, None where it says nothing."""

    note: int | None = None
    velocity: int | None = None


def note_in_name(stem: str) -> NamedNote:
    """Read note and velocity out of a name: `piano_C4`, `piano_60`, `c4`, `piano_C4_v100`, `guitar_000-060-100`."""
    if match := NSYNTH_NAME.search(stem):
        note, velocity = int(match[1]), int(match[2])
        return NamedNote(note, velocity) if max(note, velocity) <= 127 and velocity else NamedNote()
    match = VELOCITY_NAME.search(stem)
    spoken = int(match[1]) if match else 0
    rest = stem[: match.start()] if match else stem
    number = labels_in_name(rest).get("pitch")
    if number is None and NOTE_ALONE.fullmatch(rest):
        try:
            number = midi_number(rest)
        except ParameterError:
            number = None
    return NamedNote(number, spoken if 1 <= spoken <= 127 else None)


def played_notes(
    targets: Sequence[Target], notes: Sequence[int] = (), velocities: Sequence[int] = ()
) -> tuple[PlayedNote, ...]:
    """Return the note and velocity of each sound: those given, else those in all names, else those that are heard.

    Velocities that nobody names are 100.

    Raises: AudioError where there are fewer than two or too many sounds, where a note is not known, and where two are
        of one note and velocity; ParameterError for another number of notes or velocities than of sounds.
    """
    if not 2 <= len(targets) <= MOST_NOTES:
        raise AudioError(f"one voice takes 2 to {MOST_NOTES} notes of one instrument. Received: {len(targets)}")
    for name, given in (("notes", notes), ("velocities", velocities)):
        if given and len(given) != len(targets):
            raise ParameterError(f"--{name} has one for each of {len(targets)} sounds. Received: {len(given)}")
    named = [note_in_name(target.name) for target in targets]
    found = list(notes)
    if not found and all(one.note is not None for one in named):
        found = [int(one.note or 0) for one in named]
    if not found:
        found = [_heard(target) for target in targets]
    struck = list(velocities)
    if not struck and all(one.velocity is not None for one in named):
        struck = [int(one.velocity or VELOCITY) for one in named]
    played = tuple(
        PlayedNote(note, velocity) for note, velocity in zip(found, struck or [VELOCITY] * len(found), strict=True)
    )
    for place, one in enumerate(played):
        if one in played[:place]:
            raise AudioError(
                f"each sound has its own note and velocity. Received: {note_name(one.note)} at velocity {one.velocity} "
                f"twice, in {targets[played.index(one)].name} and {targets[place].name}. Give --velocities, or leave "
                "one out"
            )
    return played


def _heard(target: Target) -> int:
    note = target.source.get("note")
    if not note:
        raise AudioError(
            f"one voice needs the note of each sound. Received: {target.name}, without a pitch. Give --notes, such as "
            "--notes C2,C4,C6"
        )
    return int(np.clip(round(float(note["midi"])), 0, 127))


def main_place(targets: Sequence[Target], notes: Sequence[PlayedNote]) -> int:
    """Return the place of the note to begin with: at the velocity of patches, in the middle, the louder of two."""
    middle = float(np.median([one.note for one in notes]))

    def order(place: int) -> tuple[float, ...]:
        one, level = notes[place], float(np.square(targets[place].audio, dtype=np.float64).sum())
        return abs(one.velocity - VELOCITY), abs(one.note - middle), -level

    return min(range(len(notes)), key=order)


def invert_notes(
    targets: Sequence[Target],
    notes: Sequence[PlayedNote],
    budget: str,
    progress: "Callable[[StageReport], None] | None" = None,
    limit: int | None = None,
    banks: Banks | None = None,
) -> Inversion:
    """Find the one DX7 voice that makes several notes of an instrument; the result shows the main one of them.

    The distances at all notes stand in the record of the search, under `notes`.

    Args: targets: all at one rate and length. limit: notes that may be rendered, in place of the budget's number.
    Raises: InversionInterrupted on Ctrl-C.
    """
    first = main_place(targets, notes)
    order = [first, *(place for place in range(len(targets)) if place != first)]
    targets, notes = [targets[place] for place in order], [notes[place] for place in order]
    main = targets[0]
    synth = voice_synth(main, notes[0].note)
    several = SeveralNotes(notes, synth.length, synth.sample_rate)
    allowed = BUDGETS[budget][0] if limit is None else limit
    starts = starting_voices(main, notes[0].note, banks, by_rendering=budget == "none")
    options: dict[str, Any] = {"level": "fit", "progress": progress}
    uniform = np.ones(synth.space.size)

    def finished(found: Refinement, renders: int) -> Inversion:
        return _finished(found, targets, several, synth, renders, search_details(limit, banks))

    try:
        alone = refine(
            synth,
            main.audio,
            uniform,
            budget,
            limit=round(ALONE * allowed),
            start=starts[0],
            starts=starts[1:],
            **options,
        )
    except SearchInterrupted as stop:
        raise InversionInterrupted(stop.best, finished(stop.best, stop.best.renders)) from stop
    sound = np.concatenate([target.audio for target in targets])
    try:
        found = refine(
            several,
            sound,
            uniform,
            budget,
            limit=(allowed - alone.renders) // len(notes),
            start=alone.values,
            starts=alone.population[:STARTS] if len(alone.population) else None,
            parts=len(notes),
            **options,
        )
    except SearchInterrupted as stop:
        renders = alone.renders + len(notes) * stop.best.renders
        raise InversionInterrupted(stop.best, finished(stop.best, renders)) from stop
    stages = (*alone.stages, *(replace(stage, renders=len(notes) * stage.renders) for stage in found.stages))
    found = replace(found, stages=stages, start_distance=found.start_distance)
    return finished(found, alone.renders + len(notes) * found.renders)


def _finished(
    found: Refinement,
    targets: Sequence[Target],
    several: SeveralNotes,
    synth: Dx7Synth,
    renders: int,
    details: dict[str, Any],
) -> Inversion:
    """Conclude at the main note; what the notes do not tell is set there, by all of them."""
    from generators.analysis.distance import LogMelDistance

    scaling, velocity = several.told
    sound = np.concatenate([target.audio for target in targets])
    settled = set_untold(replace(found, target=sound), several, not scaling, not velocity, len(targets))
    rendered = several.render(settled.values).reshape(len(targets), -1)
    gain = np.float32(10.0 ** (settled.level_db / 20.0))
    rows = []
    for target, one, audio in zip(targets, several.notes, rendered, strict=True):
        rows.append(
            {
                "file": target.source.get("file", target.name),
                "note": one.note,
                "velocity": one.velocity,
                "distance": round(float(LogMelDistance(target.audio, target.sample_rate).distance(audio)), 6),
                "level_error_db": round(_level(audio * gain) - _level(target.audio), 2),
            }
        )
    at_main = replace(
        settled,
        target=None,
        audio=rendered[0] * gain,
        renders=renders,
        details={**details, "notes": rows},
    )
    assumptions = {
        **describe_assumptions(synth, several.notes[0].note),
        "Notes": ", ".join(f"{note_name(one.note)} at velocity {one.velocity}" for one in several.notes),
        "Level": "one gain for all notes, fitted beside the settings",
    }
    told = [word for word, known in (("keyboard scaling", scaling), ("velocity", velocity)) if known]
    assumptions.pop("Not told by one note")
    assumptions["Told by the notes"] = " and ".join(told) or "neither keyboard scaling nor velocity"
    return conclude(targets[0], synth, at_main, assumptions)


def _level(audio: NDArray[np.floating[Any]]) -> float:
    return float(10.0 * np.log10(max(float(np.mean(np.square(audio, dtype=np.float64))), 1e-20)))
