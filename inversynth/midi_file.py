"""Reading standard MIDI files: what playback and patches share. Faults are named in one line."""

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from generators.errors import AudioError

if TYPE_CHECKING:
    import mido


def read_midi(path: str | os.PathLike[str]) -> "mido.MidiFile":
    """Read a standard MIDI file. Raises AudioError where it is none, is broken or is not written in beats."""
    import mido
    from mido.midifiles.meta import KeySignatureError

    path = Path(path)
    if path.is_dir():
        raise AudioError(f"a MIDI file is a file. Received: the folder {path}")
    if not path.exists():
        raise AudioError(f"no such MIDI file: {path}")
    faults = (OSError, EOFError, ValueError, TypeError, LookupError, struct.error, KeySignatureError)
    try:
        file = mido.MidiFile(path)
    except faults as error:
        reason = str(error) or "it ends too early"
        raise AudioError(f"cannot read {path} as a MIDI file (format 0 or 1). Received: {reason}") from None
    if file.type not in (0, 1):
        raise AudioError(f"a MIDI file has format 0 or 1. Received: format {file.type} in {path}")
    if file.ticks_per_beat <= 0:
        raise AudioError(f"a MIDI file counts ticks per beat, not SMPTE frames. Received: {path}. Export it in beats")
    return file
