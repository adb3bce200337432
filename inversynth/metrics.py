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
from generators.analysis.distance import LogMelDistance, log_mel_distance
from generators.analysis.musical_measures import MusicalMeasures, musical_measures
from generators.analysis.note_segments import segment_notes
from generators.analysis.pitch import estimate_pitch, find_note, pitch_accuracy, track_pitch
from generators.analysis.polyphony import find_polyphony
from models.training.metrics import mean_absolute_error, mean_percentile_rank, percentile_rank, top_k_accuracy

__all__ = [
    "LogMelDistance",
    "MusicalMeasures",
    "envelope_cosine",
    "estimate_pitch",
    "evaluate",
    "f_delta",
    "find_note",
    "find_polyphony",
    "ft_pcc",
    "log_mel_distance",
    "mean_absolute_error",
    "mean_percentile_rank",
    "mfcc_distance",
    "multiscale_distance",
    "musical_measures",
    "percentile_rank",
    "pitch_accuracy",
    "segment_notes",
    "stft_pcc",
    "top_k_accuracy",
    "track_pitch",
]
