"""Sounds to test with, good ones and bad ones."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16384


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> NDArray[np.float64]:
    """Make a sine wave of half the full scale."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def save(path: Path, audio: NDArray[np.floating], rate: int = RATE, **options: str) -> Path:
    """Write a sound; the name's ending says how."""
    soundfile.write(path, audio, rate, **options)
    return path


def bad_sounds(folder: Path) -> dict[str, str]:
    """Write sounds that cannot be inverted; returns their names and what is said of them."""
    save(folder / "nan.wav", np.array([0.0, np.nan]), subtype="FLOAT")
    late = tone(3.0)
    late[-1] = np.inf
    save(folder / "infinite.wav", late, subtype="FLOAT")
    save(folder / "silent.wav", np.zeros(1000))
    save(folder / "none.wav", np.zeros(0))
    save(folder / "cancel.wav", np.stack([tone(0.1), -tone(0.1)], axis=1))
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.flac").touch()
    return {
        "nan.wav": "samples must be finite",
        "infinite.wav": "samples must be finite",
        "silent.wav": "must be audible",
        "none.wav": "needs samples",
        "cancel.wav": "cancel each other",
        "text.wav": "cannot read",
        "empty.flac": "cannot read",
        "missing.wav": "no such sound",
        ".": "a sound is a file",
    }
