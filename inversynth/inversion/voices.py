"""From a sound to a DX7 voice: a search from the nearest voices of an index, at the note that the sound plays.

What one note does not tell, keyboard scaling and velocity, is set to what players expect (`set_untold`); several notes
of one instrument tell it (`inversynth.inversion.one_voice`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from generators.dx7.algorithms import routing
from generators.dx7.single_note import UNTOLD_OF_OPERATOR, UNTOLD_SHARED, fold_scaling
from generators.dx7.synth import VELOCITY, Dx7Synth, values_to_bytes, voice_values
from generators.dx7.sysex import read_syx
from generators.dx7.voice import OPERATORS, Voice, stack_values
from generators.errors import ParameterError, one_line
from generators.synth import Synth
from inversynth.inversion.inversion import search_from
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.search.objective import Objective
from inversynth.search.search import Refinement

if TYPE_CHECKING:
    from generators.dx7.voice_index import VoiceIndex
    from inversynth.search.search import StageReport

LENGTH = 1.0
"""Seconds of a sound that are matched."""

MIDDLE_C = 60
"""The note at which sounds without a pitch are matched."""

BANK_STARTS = 40
"""Nearest voices of a user's banks that a search begins with: of the best of an index, 97 of 100 are among so many."""

INDEX_STARTS, DRAWN = 40, 40
"""Voices of the index, and drawn by the network, of which the nearest is taken without a search."""

MOST_VOICES = 20_000
"""Voices of banks that are looked at: 600 banks, analysed in about two minutes."""

BANK_SUFFIXES = (".syx", ".dx7", ".mid")
"""Files of a folder that are read as banks, whatever their case."""

CARRIER_VELOCITY, MODULATOR_VELOCITY = 2, 3
"""Velocity sensitivity where none is told: 6 dB between velocities 40 and 100 of a carrier, 9 dB of a modulator."""

CHANGED = 0.05
"""Decibels by which a voice may move away from the sound for the sake of velocity: far below what is heard."""


@dataclass(frozen=True)
class Banks:
    """Voices of a user's banks.

    Attributes: voices: (n, 155). remarks: what was wrong with files, a line each. files: that were read.
    """

    voices: NDArray[np.uint8]
    remarks: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @cached_property
    def index(self) -> "VoiceIndex":
        """The index of these voices alone, made when it is first needed."""
        from generators.dx7.voice_index import bundled_index

        known = bundled_index()
        nothing = replace(known, packed=known.packed[:0], held=known.held[:, :0], release=known.release[:, :0])
        return nothing.extended(self.voices)

    @property
    def digest(self) -> str:
        """A short hash of the voices, by which searches from other banks are told apart."""
        return hashlib.sha256(self.voices.tobytes()).hexdigest()[:16]


def read_banks(path: Path) -> Banks:
    """Read the voices of a file, or of all voice files in a folder and below it; those at fault are left out.

    Raises: ParameterError where there is no voice, for a missing path, and for more than `MOST_VOICES` voices.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in BANK_SUFFIXES and file.is_file())
        if not files:
            raise ParameterError(f"--bank names DX7 voices (.syx), or a folder of such. Received: {path}, without any")
    found: list[Voice] = []
    remarks: list[str] = []
    for file in files:
        try:
            content = read_syx(file)
        except ParameterError as fault:
            if file == path:
                raise
            remarks.append(one_line(str(fault)))
            continue
        found += content.voices
        remarks += [one_line(f"{file.name}: {remark}") for remark in content.remarks]
        if len(found) > MOST_VOICES:
            raise ParameterError(f"--bank takes at most {MOST_VOICES:,} voices. Received: more in {path}. Take a part")
    if not found:
        raise ParameterError(f"--bank names DX7 voices. Received: {path}, without any: {remarks[0]}")
    return Banks(np.unique(stack_values(found), axis=0), tuple(remarks), tuple(files))


def invert_voice(
    target: Target,
    budget: str,
    progress: "Callable[[StageReport], None] | None" = None,
    limit: int | None = None,
    banks: Banks | None = None,
) -> Inversion:
    """Find the DX7 voice that makes a sound; `target` is at `SAMPLE_RATE` and lasts `LENGTH`.

    Args: budget: of the search; "none" takes the nearest of those that a search begins with. progress: called after
        every stage. limit: renders allowed, in place of the budget's own number. banks: further voices to begin with.
    Raises: InversionInterrupted on Ctrl-C.
    """
    note = played_note(target)
    synth = voice_synth(target, note)
    starts = starting_voices(target, note, banks, by_rendering=budget == "none")
    return search_from(
        synth,
        target,
        np.ones(synth.space.size),
        budget,
        describe_assumptions(synth, note),
        level="fit",
        start=starts[0],
        starts=starts[1:],
        limit=limit,
        progress=progress,
        finish=lambda found: replace(set_untold(found, synth), details=search_details(limit, banks)),
    )


def starting_voices(
    target: Target, note: int, banks: Banks | None = None, by_rendering: bool = False
) -> NDArray[np.float64]:
    """Return voices to begin with, as this note tells them: the nearest by their features first.

    They are the nearest of the index, what the network draws and, of the banks, what is near.

    Args: by_rendering: render them, and have the nearest by its sound first. Shapes: -> (n, 145).
    """
    from generators.dx7.voice_index import bundled_index

    found, distances = bundled_index().nearest(target.audio, target.sample_rate, note, INDEX_STARTS)
    found = np.concatenate([found, drawn_voices(target, note)])
    if banks is not None:
        further, others = banks.index.nearest(target.audio, target.sample_rate, note, BANK_STARTS)
        found = np.concatenate([further, found] if others[0] < distances[0] else [found, further])
    voices = voice_values(fold_scaling(found, note, VELOCITY)).astype(np.float64)
    if by_rendering:
        objective = Objective(target.audio, target.sample_rate, any_level=True)
        voices = voices[np.argsort(objective.distance(voice_synth(target, note).render(voices)), kind="stable")]
    return voices


def drawn_voices(target: Target, note: int) -> NDArray[np.int64]:
    """Return voices that the network draws for a sound at a MIDI note, (DRAWN, 155)."""
    from models.dx7.inference import bundled_network

    network = bundled_network()
    with threadpool_limits(
        1, user_api="blas"
    ):  # products this small gain nothing from BLAS threads, which wait in turns
        heard = network.hear(target.audio, target.sample_rate, note)
        return network.draw(heard, DRAWN, np.random.default_rng(0))


def voice_synth(target: Target, note: int) -> Dx7Synth:
    """Return the synth that renders sounds like a target at a note."""
    synth = Dx7Synth(target.sample_rate, len(target.audio) / target.sample_rate)
    synth.root = float(note)
    return synth


def played_note(target: Target) -> int:
    """Return the MIDI note at which a sound is matched: the one that it plays, else middle C."""
    note = target.source.get("note")
    return MIDDLE_C if not note else int(np.clip(round(float(note["midi"])), 0, 127))


def search_details(limit: int | None, banks: Banks | None) -> dict[str, Any]:
    """Return what else of a search `patch.json` keeps, so that an equal search is known again."""
    return {
        **({"limit": limit} if limit is not None else {}),
        **({"bank": banks.digest, "bank_voices": len(banks.voices)} if banks is not None else {}),
    }


# --- what one note does not tell --------------------------------------------------------------------------------


def untold_names(scaling: bool = True, velocity: bool = True) -> tuple[str, ...]:
    """Return the names of the parameters that one note does not tell: keyboard and rate scaling, velocity, syncs."""
    chosen = [name for name in UNTOLD_OF_OPERATOR if (velocity if name == "velocity_sensitivity" else scaling)]
    return (*(f"op{operator}_{name}" for operator in range(1, OPERATORS + 1) for name in chosen), *UNTOLD_SHARED)


def set_untold(
    found: Refinement, synth: Dx7Synth, scaling: bool = True, velocity: bool = True, parts: int = 1
) -> Refinement:
    """Set what a sound does not tell to what players expect, and name it in `untold`.

    Keyboard scaling is none, and velocity moves carriers by 2 and modulators by 3, or neither where that changes the
    sound: at the velocity of the search a sensitivity adds half a step of level, which modulators may show. A voice
    moves away from the sound by at most `CHANGED` dB.

    Args: scaling, velocity: whether they are untold; several notes tell the first, several velocities the second.
            parts: sounds of which the target consists.
    """
    names = untold_names(scaling, velocity)
    untold = replace(found, untold=names)
    target = found.target
    if target is None:
        return untold
    plain = found.values[None]
    if scaling and velocity:
        plain = voice_values(fold_scaling(values_to_bytes(plain), round(synth.root), VELOCITY)).astype(np.float64)
    options = np.concatenate([plain, found.values[None]])
    if velocity:
        options = np.concatenate([_with_velocity(plain[0], synth), options])
    audio = synth.render(options)
    objective = Objective(target, synth.sample_rate, any_level=True, parts=parts)
    distances = objective.distance(audio)
    chosen = int(np.argmax(distances <= distances[-1] + CHANGED))  # the first that is as near; the last one is
    gains = objective.gains(audio)
    values = options[chosen]
    return replace(
        untold,
        values=values,
        classes=synth.space.values_to_classes(values).astype(np.int64),
        audio=audio[chosen] * gains[chosen],
        distance=float(distances[chosen]),
        level_db=float(20.0 * np.log10(max(gains[chosen], 1e-9))),
    )


def _with_velocity(values: NDArray[np.float64], synth: Dx7Synth) -> NDArray[np.float64]:
    """Return voices that velocity moves, those that it moves most first, (3, 145)."""
    column = synth.space.names.index
    operators = range(OPERATORS, 0, -1)
    sensitivities = [column(f"op{operator}_velocity_sensitivity") for operator in operators]
    levels = [column(f"op{operator}_output_level") for operator in operators]
    carriers = routing()[1][int(values[column("algorithm")])]
    made = np.repeat(values[None], 3, axis=0)
    made[:2, sensitivities] = np.where(carriers, CARRIER_VELOCITY, MODULATOR_VELOCITY)
    made[1, levels] = np.maximum(
        made[1, levels] - ~carriers, 0
    )  # half a step below, where the first is half a step above
    made[2, sensitivities] = np.where(carriers, CARRIER_VELOCITY, 0)
    return made


def describe_assumptions(synth: Synth, note: int | None = None) -> Mapping[str, str]:
    """Describe what the search for a voice takes for granted."""
    return {
        "Synth": f"{synth.name}: {synth.description}",
        "Sample rate": f"{synth.sample_rate:,} Hz",
        "Length": f"{synth.length:g} s",
        "Note": ("the one that the sound plays" if note is None else f"MIDI note {note}")
        + f", velocity {VELOCITY}, held for {synth.note_fraction * synth.length:g} s",
        "Level": "any: fitted beside the settings",
        "Not told by one note": "keyboard scaling (set to none) and velocity (carriers "
        f"{CARRIER_VELOCITY}, modulators {MODULATOR_VELOCITY}, or 0 where that changes the sound)",
    }
