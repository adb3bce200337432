"""Trained networks as files that run without Python: what of each model is written, in which formats, and checked."""
