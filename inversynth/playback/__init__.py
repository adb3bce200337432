"""Play patches and note models over MIDI files and ranges of notes."""
