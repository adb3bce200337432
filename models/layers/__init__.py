"""Reusable Keras layers. Importing this package registers them all, so that saved models load."""

from models.layers.heads import ParameterSoftmax
from models.layers.spectrogram import LogSpectrogram

__all__ = ["LogSpectrogram", "ParameterSoftmax"]
