"""The four corners: folders of notes named `<sound>_<note>.wav`, as the exercise wants them, or every fault at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generators.audio import SILENCE_PEAK, read_audio
from generators.errors import AudioError
from generators.notes.folder import Fit, check_sound, labels_in_name, sounds_below

PITCH = "pitch"
"""A word of every file name, which no sound can have for a name."""


@dataclass
class Corner:
    """A folder as it was found.

    Attributes: sound is what its files are named by; notes are its files by MIDI number; faults are lines about it.
    """

    folder: Path
    sound: str = ""
    notes: dict[int, Path] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def look_at_corners(folders: Sequence[Path], fit: Fit, pitches: Sequence[int] | None = None) -> list[Corner]:
    """Look at all sounds of all folders, and write what is wrong with each down as a fault of its folder.

    Args:
        pitches: the notes that each must hold, whatever else it has; None takes those that more than one of them holds,
            so that a note that all but one have is missing there, and a note that only one has is too many.
    """
    corners = [_look(Path(folder), fit) for folder in folders]
    held = Counter(note for corner in corners for note in corner.notes)
    shared = {note for note, count in held.items() if count > 1 or len(corners) == 1}
    wanted = shared if pitches is None else set(pitches)
    for corner in corners:
        if not corner.sound:
            continue
        for note in sorted(wanted - corner.notes.keys()):
            corner.faults.append(f"{corner.folder / f'{corner.sound}_{note}.wav'}: missing")
        if pitches is None:
            for note in sorted(corner.notes.keys() - wanted):
                corner.faults.append(f"{corner.notes[note]}: too many, for no other corner has this note")
    for number, corner in enumerate(corners):
        for other in corners[:number]:
            if corner.sound and corner.sound == other.sound:
                corner.faults.append(f"{corner.folder}: '{corner.sound}' is the sound of {other.folder} too")
    return corners


def _look(folder: Path, fit: Fit) -> Corner:
    corner = Corner(folder)
    if not folder.is_dir():
        corner.faults.append(f"{folder}: no such folder")
        return corner
    files = sounds_below(folder)
    if not files:
        corner.faults.append(f"{folder}: no sounds in it")
        return corner
    said = {file: labels_in_name(file.stem) for file in files}
    named = Counter(each["instrument"] for each in said.values() if "pitch" in each)
    corner.sound = max(named, key=lambda sound: (named[sound], sound == folder.name), default="")
    if corner.sound == PITCH or "_" in corner.sound:
        corner.faults.append(
            f"{folder}: a sound is named without underscores, and not '{PITCH}'. Received: '{corner.sound}'"
        )
    heard: dict[bytes, Path] = {}
    for file in files:
        wrong = []
        note = said[file].get("pitch")
        if note is None:
            wrong.append("not named <sound>_<note>.wav")
        elif said[file]["instrument"] != corner.sound:
            wrong.append(f"a sound '{said[file]['instrument']}' among those of '{corner.sound}'")
        elif note in corner.notes:
            wrong.append(f"note {note} is {corner.notes[note].name} too")
        else:
            corner.notes[note] = file
        if file.parent != folder:
            wrong.append("lies in a folder within")
        wrong += _hear(file, fit, heard)
        if wrong:
            corner.faults.append(f"{file}: {', '.join(wrong)}")
    return corner


def _hear(file: Path, fit: Fit, heard: dict[bytes, Path]) -> list[str]:
    """Return what is wrong with a sound by its header and by its samples; `heard` are those of the folder so far."""
    wrong, info = check_sound(file, fit)
    if info is None:
        return wrong
    if info.format not in ("WAV", "WAVEX"):
        wrong.append(f"a {info.format} file")
    try:
        audio = read_audio(file).audio
    except AudioError:
        return [*wrong, "damaged"]
    if len(audio) != info.frames:
        wrong.append(f"{len(audio)} samples where its header says {info.frames}")
    if not len(audio) or float(abs(audio).max()) < SILENCE_PEAK:
        wrong.append("silent")
    else:
        other = heard.setdefault(audio.tobytes(), file)
        if other != file:
            wrong.append(f"the same samples as {other.name}")
    return wrong


def what_a_sound_must_be(fit: Fit) -> str:
    """Say it in words."""
    return (
        f"<sound>_<note>.wav, mono, {fit.bits} bits, {fit.sample_rate} Hz, {fit.samples} samples "
        f"({fit.samples / fit.sample_rate:g} s)"
    )
