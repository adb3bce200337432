"""Units musicians and engineers use, and the way between them."""

from typing import Any

import numpy as np

A4_FREQUENCY = 440.0
"""Hertz (ISO 16)."""

A4_MIDI = 69
"""MIDI note number of A4."""


def midi_to_hz(midi: Any) -> Any:
    """Convert MIDI note numbers (fractions allowed) to hertz, equal temperament."""
    return A4_FREQUENCY * 2.0 ** ((midi - A4_MIDI) / 12.0)


def hz_to_midi(frequency: Any) -> Any:
    """Convert hertz to MIDI note numbers (fractions are cents / 100)."""
    return A4_MIDI + 12.0 * np.log2(np.asarray(frequency) / A4_FREQUENCY)


def amplitude_to_decibels(amplitude: Any, floor: float = 1e-10) -> Any:
    """Convert linear amplitude to decibels of full scale; `floor` bounds silence."""
    return 20.0 * np.log10(np.maximum(np.abs(amplitude), floor))
