"""The network that hears a note and names the settings of a DX7 voice, some given others."""
