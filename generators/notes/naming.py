"""The setting of every command that reads or writes names of notes: how their octaves are counted."""

from pydantic import Field

from generators.notes.pitches import SCIENTIFIC, NoteNames
from generators.settings import Settings


class NoteNaming(Settings):
    """Settings of commands that take names of notes, in arguments or in names of files."""

    note_names: NoteNames = Field(
        SCIENTIFIC,
        description="octaves of note names: middle C, 60, is C4 (scientific), C5 (course, where C2 is 24) or C3 "
        "(yamaha)",
    )
