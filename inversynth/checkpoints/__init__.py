"""Checkpoints of other software, made into model files: `inversynth import SYSTEM CHECKPOINT`."""
