"""Playing patches and note models over MIDI files and note ranges."""
