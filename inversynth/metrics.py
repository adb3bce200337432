"""All measures in one namespace: of two sounds, of estimated parameters, and of the pitch of notes. NumPy alone.

Each function says its shapes, range and source where it is defined; nothing here depends on a deep-learning library.
"""

from generators.analysis.audio_metrics import (
    envelope_cosine,
    evaluate,
    f_delta,
    ft_pcc,
    mfcc_distance,
    multiscale_distance,
    stft_pcc,
)
from generators.analysis.pitch import estimate_pitch, pitch_accuracy
from models.training.metrics import mean_absolute_error, mean_percentile_rank, percentile_rank, top_k_accuracy

__all__ = [
    "envelope_cosine",
    "estimate_pitch",
    "evaluate",
    "f_delta",
    "ft_pcc",
    "mean_absolute_error",
    "mean_percentile_rank",
    "mfcc_distance",
    "multiscale_distance",
    "percentile_rank",
    "pitch_accuracy",
    "stft_pcc",
    "top_k_accuracy",
]
