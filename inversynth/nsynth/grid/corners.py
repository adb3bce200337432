"""The four corners: notes named `<sound>_<note>.wav`, in a folder each or all in one; all faults are found at once."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generators.audio import SILENCE_PEAK, read_audio
from generators.errors import AudioError, SettingsError, unknown
from generators.notes.folder import Fit, check_sound, labels_in_name, sounds_below
from generators.notes.pitches import SCIENTIFIC, NoteNames

PITCH = "pitch"
"""A word of every file name, which no sound may have as its name."""


@dataclass
class Corner:
    """A folder and what was found in it of one sound.

    Attributes: sound: the name its files begin with. notes: its files by MIDI number. faults: one line each.
    """

    folder: Path
    sound: str = ""
    notes: dict[int, Path] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def check_corners(
    folders: Sequence[Path],
    fit: Fit,
    pitches: Sequence[int] | None = None,
    *,
    sounds: Sequence[str] = (),
    names: NoteNames = SCIENTIFIC,
) -> list[Corner]:
    """Check all sounds of all folders, and list what is wrong with each as a fault of its folder.

    Several folders hold a sound each, in the order of the corners. A single one may hold them all, as files or as
    folders, in alphabetical order: that of the course.

    Args:
        sounds: which of those in a single folder to take, in the order of the corners. names: how octaves are counted.
        pitches: notes that each folder must hold; further ones are allowed. None requires the notes that more than one
            folder holds, so that a note is missing where the others have it, and surplus where no other has it.
    Raises: SettingsError for sounds that are not in the folder, or more folders than one where sounds are named.
    """
    if sounds and len(folders) != 1:
        raise SettingsError(
            f"--sounds chooses among those of one folder. Received: {len(folders)} folders. Name them in their order"
        )
    if len(folders) == 1:
        corners = [_check_files(*each, fit, names) for each in _parts_of(Path(folders[0]), sounds, names)]
    else:
        corners = [_check_files(Path(folder), None, fit, names) for folder in folders]
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
                corner.faults.append(f"{corner.notes[note]}: surplus, no other corner has this note")
    for number, corner in enumerate(corners):
        for other in corners[:number]:
            if corner.sound and corner.sound == other.sound:
                corner.faults.append(f"{corner.folder}: '{corner.sound}' is also the sound of {other.folder}")
    return corners


def _parts_of(folder: Path, sounds: Sequence[str], names: NoteNames) -> list[tuple[Path, Sequence[Path] | None]]:
    """Return the folder and the files of each sound in one folder; None stands for all files of a folder."""
    files = sounds_below(folder) if folder.is_dir() else []
    found: dict[str, tuple[Path, list[Path]]] = {}
    if any(file.parent == folder for file in files):
        unnamed = []
        for file in files:
            label = labels_in_name(file.stem, names)
            if "pitch" in label:
                found.setdefault(label["instrument"], (folder, []))[1].append(file)
            else:
                unnamed.append(file)
        if unnamed and found and not sounds:  # a fault, which is listed with those of the first
            min(found.items())[1][1].extend(unnamed)
    else:
        for file in files:
            part = folder / file.relative_to(folder).parts[0]
            found.setdefault(part.name, (part, []))[1].append(file)
    for sound in sounds:
        if sound not in found:
            raise SettingsError(unknown("sound", sound, sorted(found)))
    if len(set(sounds)) < len(sounds):
        raise SettingsError(f"--sounds names each sound once. Received: {','.join(sounds)}")
    return [found[sound] for sound in sounds or sorted(found)] or [(folder, None)]


def _check_files(folder: Path, files: Sequence[Path] | None, fit: Fit, names: NoteNames) -> Corner:
    """Check the files of one sound: those of a folder, or some of them."""
    corner = Corner(folder)
    if files is None and not folder.is_dir():
        corner.faults.append(f"{folder}: no such folder")
        return corner
    files = sounds_below(folder) if files is None else files
    if not files:
        corner.faults.append(f"{folder}: no sounds in it")
        return corner
    labels = {file: labels_in_name(file.stem, names) for file in files}
    named = Counter(each["instrument"] for each in labels.values() if "pitch" in each)
    corner.sound = max(named, key=lambda sound: (named[sound], sound == folder.name), default="")
    if corner.sound == PITCH or "_" in corner.sound:
        corner.faults.append(
            f"{folder}: a sound's name has no underscores, and is not '{PITCH}'. Received: '{corner.sound}'"
        )
    seen: dict[bytes, Path] = {}
    for file in files:
        wrong = []
        note = labels[file].get("pitch")
        if note is None:
            wrong.append("not named <sound>_<note>.wav")
        elif labels[file]["instrument"] != corner.sound:
            wrong.append(f"a sound '{labels[file]['instrument']}' among those of '{corner.sound}'")
        elif note in corner.notes:
            wrong.append(f"note {note} is also {corner.notes[note].name}")
        else:
            corner.notes[note] = file
        if file.parent != folder:
            wrong.append("in a subfolder")
        wrong += _check_file(file, fit, seen)
        if wrong:
            corner.faults.append(f"{file}: {', '.join(wrong)}")
    return corner


def _check_file(file: Path, fit: Fit, seen: dict[bytes, Path]) -> list[str]:
    """Return what is wrong with the header or the samples of a sound, of which no more than a note is read.

    Args:
        seen: the sounds of the folder so far, by the hash of their samples.
    """
    wrong, info = check_sound(file, fit)
    if info is None:
        return wrong
    if info.format not in ("WAV", "WAVEX"):
        wrong.append(f"a {info.format} file")
    try:
        audio = read_audio(file, length=(fit.samples + 1) / info.sample_rate).audio
    except AudioError:
        return [*wrong, "damaged"]
    if len(audio) != min(info.frames, fit.samples + 1):
        wrong.append(f"{len(audio)} samples where its header says {info.frames}")
    if not len(audio) or float(abs(audio).max()) < SILENCE_PEAK:
        wrong.append("silent")
    elif len(audio) <= fit.samples:
        other = seen.setdefault(hashlib.sha256(audio.tobytes()).digest(), file)
        if other != file:
            wrong.append(f"the same samples as {other.name}")
    return wrong


def required_format(fit: Fit) -> str:
    """Describe the sounds that corners must hold."""
    return (
        f"<sound>_<note>.wav, mono, {fit.bits} bits, {fit.sample_rate} Hz, {fit.samples} samples "
        f"({fit.samples / fit.sample_rate:g} s)"
    )
