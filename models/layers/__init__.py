"""Reusable Keras layers. Importing this package registers them all, so that saved models load."""

from models.layers.bag_of_frames import BagOfFrames
from models.layers.components import PrincipalComponents
from models.layers.hand_crafted import HandCraftedFeatures
from models.layers.heads import ParameterSoftmax
from models.layers.layout import ChannelsLast, ExpandChannels, to_channels_last
from models.layers.spectrogram import LogSpectrogram

__all__ = [
    "BagOfFrames",
    "ChannelsLast",
    "ExpandChannels",
    "HandCraftedFeatures",
    "LogSpectrogram",
    "ParameterSoftmax",
    "PrincipalComponents",
    "to_channels_last",
]
