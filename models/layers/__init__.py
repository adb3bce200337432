"""Reusable Keras layers. Importing this package registers them all, so that saved models load."""

from models.layers.bag_of_frames import BagOfFrames
from models.layers.causal import AddHeld, FirstOf, GatedTanh, ShiftRight
from models.layers.channels import ChannelsLast, CropBins, ExpandChannels, for_prediction
from models.layers.companding import CompandedLevel
from models.layers.components import PrincipalComponents
from models.layers.equalised import (
    EqualisedConv2D,
    EqualisedDense,
    EqualisedSpread,
    MinibatchDeviation,
    PixelNormalization,
)
from models.layers.hand_crafted import HandCraftedFeatures
from models.layers.heads import ParameterSoftmax
from models.layers.loudness import LevelNormalization, WaveEnvelope
from models.layers.modulation import (
    AdaptiveInstanceNormalization,
    FeatureModulation,
    RepeatInTime,
    TimeCoordinate,
)
from models.layers.note_sines import NoteBands, NoteSines
from models.layers.note_spectrograms import AddedHiss, MelsOfPicture, PictureError, RelativeSpectrogram
from models.layers.oscillators import (
    DotProductAttention,
    OscillatorCandidates,
    PointedItems,
    Pointer,
    PointerMixture,
)
from models.layers.parallel_heads import FrameSigns, ParallelHeads, ScaledSoftsign
from models.layers.partials import LevelLogarithm, NeighbourMixture, PartialBank, PartialLevels
from models.layers.resolution import Downscale, FadeIn, FadeOver, Upscale
from models.layers.spectrogram import LogSpectrogram
from models.layers.token_embedding import TokenEmbedding

__all__ = [
    "AdaptiveInstanceNormalization",
    "AddHeld",
    "AddedHiss",
    "BagOfFrames",
    "ChannelsLast",
    "CompandedLevel",
    "CropBins",
    "DotProductAttention",
    "Downscale",
    "EqualisedConv2D",
    "EqualisedDense",
    "EqualisedSpread",
    "ExpandChannels",
    "FadeIn",
    "FadeOver",
    "FeatureModulation",
    "FirstOf",
    "FrameSigns",
    "GatedTanh",
    "HandCraftedFeatures",
    "LevelLogarithm",
    "LevelNormalization",
    "LogSpectrogram",
    "MelsOfPicture",
    "MinibatchDeviation",
    "NeighbourMixture",
    "NoteBands",
    "NoteSines",
    "OscillatorCandidates",
    "ParallelHeads",
    "ParameterSoftmax",
    "PartialBank",
    "PartialLevels",
    "PictureError",
    "PixelNormalization",
    "PointedItems",
    "Pointer",
    "PointerMixture",
    "PrincipalComponents",
    "RelativeSpectrogram",
    "RepeatInTime",
    "ScaledSoftsign",
    "ShiftRight",
    "TimeCoordinate",
    "TokenEmbedding",
    "Upscale",
    "WaveEnvelope",
    "for_prediction",
]
