"""Patches: one setting of one synthesizer, as files."""
