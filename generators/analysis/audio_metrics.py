"""How similar two sounds are: the distance to the ear, the measures of the InverSynth paper, and three more.

The paper's three compare a target with its re-synthesis. *STFT PCC* is the Pearson correlation (x100) of two log
spectrograms: lenient, since loud frames against silent ones already correlate, and blind to level. *FT PCC* is the same
on the magnitude of one Fourier transform of the whole clip: strict about pitch, blind to time. *F-delta* is the
Frobenius norm of the difference of the log spectrograms: it also sees the level. None suffices alone; read the first
two side by side. `log_mel_distance` alone follows nearness for any sound, whatever its level and phases
(`generators.analysis.distance`). `multiscale_distance` uses six windows at once, `mfcc_distance` follows the timbre and
`envelope_cosine` the loudness over time.

Every measure takes (n, samples) targets and matches (one sound (samples,) counts as n = 1), returns (n,) float64 and is
never NaN: what a formula leaves undefined for silent or constant sounds is defined below. `evaluate` gives all at once.
Source: Barkan et al. 2019 (arXiv 1812.06349), whose log scale is unknown; ours is in `generators.analysis.spectrogram`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis import distance
from generators.analysis.mel import mel_filters
from generators.analysis.spectrogram import log_spectrogram, magnitude_spectrogram, power_spectrogram
from generators.errors import AudioError

Scores = NDArray[np.float64]

DEFAULT_SAMPLE_RATE = 16384
"""Hertz; the paper's."""

SCALES = (2048, 1024, 512, 256, 128, 64)
"""Window lengths of `multiscale_distance`, as in DDSP (Engel et al. 2020)."""

LOG_FLOOR = 1e-5
"""Magnitude below which `multiscale_distance` takes no logarithm: DDSP's `safe_log`."""

MEL_BANDS, COEFFICIENTS, MEL_FFT_LENGTH, MEL_HOP_LENGTH = 40, 13, 1024, 256
"""Of `mfcc_distance`: 40 bands and 13 coefficients are the field's habit; the windows last 62 ms at 16,384 Hz."""

POWER_FLOOR = 1e-10
"""Mel power (-100 dB) below which `mfcc_distance` sees silence; the floor of librosa's `power_to_db`."""

FLAT = 1e-6
"""Deviation, relative to the norm, below which a spectrum counts as constant: just above float32 rounding."""


@dataclass(frozen=True)
class Measure:
    """How to read a score: its title, whether higher is better, and the best value."""

    title: str
    higher_is_better: bool
    best: float
    decimals: int = 2


MEASURES: dict[str, Measure] = {
    "log_mel_distance": Measure("log-mel distance (dB)", False, 0.0),
    "stft_pcc": Measure("STFT PCC", True, 100.0),
    "ft_pcc": Measure("FT PCC", True, 100.0),
    "f_delta": Measure("F-delta", False, 0.0, 1),
    "multiscale_distance": Measure("multi-scale spectral distance", False, 0.0, 3),
    "mfcc_distance": Measure("MFCC distance (dB)", False, 0.0),
    "envelope_cosine": Measure("envelope cosine", True, 1.0, 4),
}
"""Every measure of `evaluate`, in its order."""


def evaluate(target: ArrayLike, match: ArrayLike, sample_rate: int = DEFAULT_SAMPLE_RATE) -> dict[str, Scores]:
    """Measure everything in `MEASURES`.

    Shapes: target, match (n, samples). Returns one (n,) array by name.
    Raises: AudioError where the two differ in shape, are empty or are not finite.
    """
    target, match = check_pair(target, match)
    logs = log_spectrogram(target), log_spectrogram(match)
    return {
        "log_mel_distance": log_mel_distance(target, match, sample_rate),
        "stft_pcc": _pearson(*logs),
        "ft_pcc": ft_pcc(target, match),
        "f_delta": _frobenius(*logs),
        "multiscale_distance": multiscale_distance(target, match),
        "mfcc_distance": mfcc_distance(target, match, sample_rate),
        "envelope_cosine": envelope_cosine(target, match),
    }


def log_mel_distance(target: ArrayLike, match: ArrayLike, sample_rate: int = DEFAULT_SAMPLE_RATE) -> Scores:
    """Measure pairs of sounds by `generators.analysis.distance`, in dB; 0 is equal up to level and phase.

    The floor follows the noise of each target. Silence against silence is 0; a silent target is as far from a match as
    silence is from that match taken for the target. Rounded to 1e-4 dB, as exactly as float32 spectra allow.
    """
    target, match = check_pair(target, match)
    found = np.zeros(len(target))
    for number, (mine, theirs) in enumerate(zip(target, match, strict=True)):
        known, other = (mine, theirs) if mine.any() else (theirs, mine)
        if known.any():
            found[number] = distance.log_mel_distance(known, other, sample_rate)
    return np.round(found, 4)


def stft_pcc(target: ArrayLike, match: ArrayLike) -> Scores:
    """Correlate the two log spectrograms, flattened: 100 equal up to level and contrast, 0 unrelated, -100 opposite.

    Two constant spectrograms (silence against silence) score 100, a constant one against any other 0.
    Source: Barkan et al. 2019, reconstruction measures.
    """
    target, match = check_pair(target, match)
    return _pearson(log_spectrogram(target), log_spectrogram(match))


def ft_pcc(target: ArrayLike, match: ArrayLike) -> Scores:
    """Correlate the two magnitudes |FFT| of the whole clips: 100 equal up to level, about 0 for other pitches.

    Linear magnitudes, no window, no padding. Constant magnitudes (silence, a click) score as in `stft_pcc`.
    Source: Barkan et al. 2019, reconstruction measures.
    """
    target, match = check_pair(target, match)
    return _pearson(np.abs(np.fft.rfft(target)), np.abs(np.fft.rfft(match)))


def f_delta(target: ArrayLike, match: ArrayLike) -> Scores:
    """Take the Frobenius norm of the difference of the two log spectrograms, in dB; 0 is equal.

    It grows with the root of the clip's length: compare only clips of equal length.
    Source: Barkan et al. 2019, reconstruction measures.
    """
    target, match = check_pair(target, match)
    return _frobenius(log_spectrogram(target), log_spectrogram(match))


def multiscale_distance(target: ArrayLike, match: ArrayLike) -> Scores:
    """Add, over windows of 2048 to 64 samples, the mean absolute differences of magnitudes and of log magnitudes.

    Per window length L (75 % overlap): mean |S - S'| + mean |ln max(S, 1e-5) - ln max(S', 1e-5)|, over frames and bins.
    Source: Engel et al. 2020 (DDSP), spectral loss with weight 1 on both terms; frames are padded as in
    `generators.analysis.spectrogram`.
    """
    target, match = check_pair(target, match)
    total = np.zeros(len(target))
    for fft_length in SCALES:
        mine = magnitude_spectrogram(target, fft_length=fft_length, hop_length=fft_length // 4)
        theirs = magnitude_spectrogram(match, fft_length=fft_length, hop_length=fft_length // 4)
        total += np.abs(mine - theirs).mean(axis=(1, 2))
        total += np.abs(np.log(np.maximum(mine, LOG_FLOOR) / np.maximum(theirs, LOG_FLOOR))).mean(axis=(1, 2))
    return total


def mfcc_distance(target: ArrayLike, match: ArrayLike, sample_rate: int = DEFAULT_SAMPLE_RATE) -> Scores:
    """Average the absolute differences of 13 mel-frequency cepstral coefficients over frames, in dB; 0 is equal.

    40 Slaney mel bands up to half the sample rate, of the power in windows of 1024 every 256 samples, in dB above
    -100; orthonormal DCT-II along the bands; coefficients 0 (the level) to 12.
    """
    target, match = check_pair(target, match)
    return np.abs(_mfcc(target, sample_rate) - _mfcc(match, sample_rate)).mean(axis=(1, 2))


def envelope_cosine(target: ArrayLike, match: ArrayLike, window: int = 512, hop: int = 256) -> Scores:
    """Take the cosine between the two loudness curves (RMS of 512 samples every 256): 1 the same shape, level aside.

    Two silent sounds score 1, a silent one against any other 0.
    """
    target, match = check_pair(target, match)
    mine, theirs = _envelope(target, window, hop), _envelope(match, window, hop)
    return _cosine(mine, theirs, _lengths(mine) == 0.0, _lengths(theirs) == 0.0)


def check_pair(target: ArrayLike, match: ArrayLike) -> tuple[Scores, Scores]:
    """Return both as (n, samples) float64. Raises AudioError where they cannot be compared."""
    pair = np.atleast_2d(np.asarray(target, np.float64)), np.atleast_2d(np.asarray(match, np.float64))
    if pair[0].shape != pair[1].shape or pair[0].ndim != 2:
        raise AudioError(
            f"target and match must both be (n, samples). Received: {np.shape(target)} and {np.shape(match)}"
        )
    if not pair[0].size:
        raise AudioError(f"target and match need samples. Received: {np.shape(target)}")
    for name, sound in zip(("target", "match"), pair, strict=True):
        if not np.isfinite(sound).all():
            raise AudioError(f"samples must be finite. Received: NaN or infinity in the {name}")
    return pair


def _pearson(target: Any, match: Any) -> Scores:
    """Correlate row by row, x100; both constant 100, one constant 0."""
    centred, flat = [], []
    for rows in (target, match):
        rows = np.asarray(rows, np.float64).reshape(len(rows), -1)
        centred.append(rows - rows.mean(axis=1, keepdims=True))
        flat.append(_lengths(centred[-1]) <= FLAT * _lengths(rows))
    return 100.0 * _cosine(*centred, *flat)


def _cosine(target: Scores, match: Scores, target_empty: NDArray[Any], match_empty: NDArray[Any]) -> Scores:
    """Return the cosine row by row in -1..1; where both are empty 1, where one is 0."""
    empty = target_empty | match_empty
    norms = _lengths(target) * _lengths(match)
    cosine = np.einsum("ns,ns->n", target, match) / np.where(empty, 1.0, norms)
    return np.where(empty, np.where(target_empty & match_empty, 1.0, 0.0), np.clip(cosine, -1.0, 1.0))


def _lengths(rows: Scores) -> Scores:
    return np.asarray(np.sqrt(np.einsum("ns,ns->n", rows, rows)))


def _frobenius(target: Any, match: Any) -> Scores:
    difference = np.asarray(target, np.float64) - np.asarray(match, np.float64)
    return np.sqrt(np.square(difference).sum(axis=(1, 2)))


def _envelope(audio: Scores, window: int, hop: int) -> Scores:
    """Return the RMS of each frame, (n, frames); the last ones reach into added silence."""
    short = -(-max(audio.shape[1] - window, 0) // hop) * hop + window - audio.shape[1]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, ((0, 0), (0, max(short, 0)))), window, axis=1)
    return np.sqrt(np.square(frames[:, ::hop]).mean(axis=2))


def _mfcc(audio: Scores, sample_rate: int) -> Scores:
    import scipy.fft  # a fifth of a second that `--help` never needs

    power = power_spectrogram(audio, fft_length=MEL_FFT_LENGTH, hop_length=MEL_HOP_LENGTH)
    bands = (_mel_filters(sample_rate) @ power.reshape(-1, power.shape[2]).T).T.reshape(*power.shape[:2], MEL_BANDS)
    decibels = 10.0 * np.log10(np.maximum(bands, POWER_FLOOR))
    return np.asarray(scipy.fft.dct(decibels, type=2, norm="ortho", axis=2)[:, :, :COEFFICIENTS])


@lru_cache(maxsize=8)
def _mel_filters(sample_rate: int) -> Any:
    """Return the triangles, (bands, bins), sparse: each bin feeds two bands at most."""
    from scipy.sparse import csr_array

    return csr_array(mel_filters(MEL_BANDS, MEL_FFT_LENGTH, sample_rate).T)
