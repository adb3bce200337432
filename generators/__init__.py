"""The lowest layer: synthesizers, parameter spaces, sampling, datasets and audio files (NumPy, no deep learning)."""

__version__ = "0.1.0"
