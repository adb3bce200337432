"""Mel magnitudes of notes as WAE-Fader and MCNN take them, and their inversion to linear magnitudes.

Slaney's bank (Auditory Toolbox, 1998): mels are linear up to 1 kHz and logarithmic above, each triangle has the same
area. Frames lie wholly inside the note, so the first is centred half a window after its beginning.
Source: Bitton et al. 2019, arXiv 1904.06215 (500 bands, 128 frames); its authors' earlier code for the rest.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.spectrogram import bin_count, check_window, cut_frames, power_of_frames
from generators.errors import ModelError

Matrix = NDArray[np.float64]

SMALLEST = 1e-3
"""Mel magnitudes below count as 0 in a log-mel spectrogram (the authors' earlier code)."""

INVERSION_ITERATIONS = 200
"""Of the mel inversion: after these, the relative error of a note's mel magnitudes is below a thousandth."""

SLANEY_STEP, SLANEY_KNEE, SLANEY_LOG_STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
"""Slaney's mel scale: hertz a mel up to the knee, the frequency of that knee, and the log of the ratio a mel above."""

MAX_FILTERS = 1 << 25
"""Numbers in a bank of mel filters, 256 MB; the paper's 500 bands of 1,025 bins have half a million."""

_TINY = 1e-14
"""Power below which a magnitude is held, so that the gradient of its square root stays finite (-194 dB)."""


@dataclass(frozen=True)
class MelAnalysis:
    """The analysis of notes into mel magnitudes; the defaults are the paper's.

    Attributes:
        sample_rate: Hz. samples: of a note, 1.567 s. fft_length, hop_length: samples. bands: of the mel bank.
    Raises: ModelError where frames do not fill the note to its last sample, or a band would cover no bin.
    """

    sample_rate: int = 22050
    samples: int = 34560
    fft_length: int = 2048
    hop_length: int = 256
    bands: int = 500

    def __post_init__(self) -> None:
        check_window(self.fft_length, self.hop_length)
        frames, rest = divmod(self.samples - self.fft_length, self.hop_length)
        if frames < 0 or rest:
            raise ModelError(
                "a note must be a window and whole hops long. "
                f"Received: samples {self.samples}, fft_length {self.fft_length}, hop_length {self.hop_length}"
            )
        if self.bands < 1 or not self.matrix.any(axis=0).all():
            raise ModelError(
                "every mel band must cover a bin: take fewer bands, or a longer window. "
                f"Received: bands {self.bands}, fft_length {self.fft_length}, sample_rate {self.sample_rate}"
            )

    @property
    def frames(self) -> int:
        return (self.samples - self.fft_length) // self.hop_length + 1

    @property
    def bins(self) -> int:
        return bin_count(self.fft_length)

    @property
    def matrix(self) -> Matrix:
        """Weight of each bin in each band, (bins, bands)."""
        return mel_filters(self.bands, self.fft_length, self.sample_rate)

    @property
    def margin(self) -> int:
        """Silent frames needed on either side so that one hop a frame covers the whole note; see `padded_mels`."""
        return -(-(self.fft_length - self.hop_length) // 2 // self.hop_length)


@lru_cache(maxsize=8)
def mel_filters(bands: int, fft_length: int, sample_rate: int, htk: bool = False) -> Matrix:
    """Return the weight of each bin in each mel band: the bank of `librosa.filters.mel`, to the last digits.

    Written out, because importing `librosa.filters` imports `scipy.signal`: 0.8 s, more than inverting a sound takes
    otherwise. A test compares the two.

    Args:
        htk: the HTK mel scale with triangles of height 1; otherwise Slaney's scale with triangles of area 1.
    Shapes: (fft_length / 2 + 1, bands), read-only.
    Raises: ModelError where that is more than MAX_FILTERS numbers.
    """
    if not 0 < bands * (fft_length // 2 + 1) <= MAX_FILTERS:
        raise ModelError(
            f"mel filters must have 1 to {MAX_FILTERS:,} numbers. Received: {bands:,} bands at an FFT of {fft_length:,}"
        )
    to_mel, to_hertz = (_hertz_to_htk, _htk_to_hertz) if htk else (_hertz_to_slaney, _slaney_to_hertz)
    edges = to_hertz(np.linspace(0.0, to_mel(np.asarray(sample_rate / 2)), bands + 2))
    distance = edges[None, :] - np.fft.rfftfreq(fft_length, 1.0 / sample_rate)[:, None]
    rising, falling = -distance[:, :-2] / np.diff(edges)[:-1], distance[:, 2:] / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    matrix: Matrix = triangles if htk else triangles * (2.0 / (edges[2:] - edges[:-2]))
    matrix.flags.writeable = False
    return matrix


def _hertz_to_slaney(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's Auditory Toolbox (1998): linear up to 1 kHz, 27 steps to a ratio of 6.4 above."""
    above = SLANEY_KNEE / SLANEY_STEP + np.log(np.maximum(hertz, SLANEY_KNEE) / SLANEY_KNEE) / SLANEY_LOG_STEP
    return np.where(hertz < SLANEY_KNEE, hertz / SLANEY_STEP, above)


def _slaney_to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = SLANEY_KNEE * np.exp(SLANEY_LOG_STEP * (mels - SLANEY_KNEE / SLANEY_STEP))
    return np.where(mels < SLANEY_KNEE / SLANEY_STEP, mels * SLANEY_STEP, above)


def _hertz_to_htk(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scale of the Hidden Markov Model Toolkit: 2595 log10(1 + f / 700)."""
    return 2595.0 * np.log10(1.0 + hertz / 700.0)


def _htk_to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)


def prepare_notes(audio: NDArray[np.floating], samples: int) -> NDArray[np.float32]:
    """Cut or zero-pad sounds to a note's length, then scale each to a peak of 1; silence stays silent.

    Shapes: (batch, any) -> (batch, samples).
    """
    kept = np.asarray(audio, np.float32)[:, :samples]
    kept = np.pad(kept, ((0, 0), (0, samples - kept.shape[-1])))
    peak = np.abs(kept).max(axis=-1, keepdims=True)
    return np.asarray(kept / np.where(peak > 0, peak, 1), np.float32)


def linear_magnitudes(audio: Any, analysis: MelAnalysis, xp: Any = np) -> Any:
    """Take magnitudes of frames that lie wholly inside the note; a full-scale sine reaches fft_length / 4.

    Shapes: (batch, samples) -> (batch, frames, bins). Raises: ModelError where notes have another length.
    """
    if audio.shape[-1] != analysis.samples:
        raise ModelError(f"a note must have {analysis.samples} samples. Received: {audio.shape[-1]}")
    frames = cut_frames(audio, analysis.fft_length, analysis.hop_length, analysis.frames, xp)
    return xp.sqrt(xp.maximum(power_of_frames(frames, xp), _TINY))


def mel_magnitudes(audio: Any, analysis: MelAnalysis, xp: Any = np) -> Any:
    """Sum magnitudes by mel bands. Shapes: (batch, samples) -> (batch, frames, bands)."""
    return xp.matmul(linear_magnitudes(audio, analysis, xp), analysis.matrix.astype(np.float32))


def mel_to_log_mel(mels: Any, xp: Any = np) -> Any:
    """Return log(1 + S) of magnitudes, of which those below 1e-3 count as 0. Shapes: any -> the same."""
    return xp.where(mels < SMALLEST, xp.zeros_like(mels), xp.log1p(mels))


def log_mel_to_mel(log_mel: Any, xp: Any = np) -> Any:
    """Invert `mel_to_log_mel`; negative values, as a network may predict them, become 0. Shapes: any -> the same."""
    return xp.expm1(xp.maximum(log_mel, 0.0))


def padded_mels(mels: Any, analysis: MelAnalysis, xp: Any = np) -> Any:
    """Pad with silent frames, so that a network that outputs one hop a frame covers the whole note.

    A frame of 2,048 samples stands for the 256 at its centre; 128 frames alone would lack 896 samples at either end.

    Shapes: (batch, frames, bands) -> (batch, frames + 2 margin, bands).
    """
    return xp.pad(mels, ((0, 0), (analysis.margin, analysis.margin), (0, 0)))


def padded_note(audio: Any, analysis: MelAnalysis, xp: Any = np) -> Any:
    """Zero-pad notes so that their hop k is the centre of frame k of `padded_mels`.

    So frames a..b and samples a hop .. b hop are input and target, for any excerpt of the note.

    Shapes: (batch, samples) -> (batch, (frames + 2 margin) x hop).
    """
    left, right = note_edges(analysis)
    return xp.pad(audio, ((0, 0), (left, right)))


def note_edges(analysis: MelAnalysis) -> tuple[int, int]:
    """Return the samples before and after the note in a network's output for `padded_mels`."""
    hops = analysis.frames + 2 * analysis.margin
    left = analysis.margin * analysis.hop_length - (analysis.fft_length - analysis.hop_length) // 2
    return left, hops * analysis.hop_length - left - analysis.samples


def mel_to_linear(
    mels: NDArray[np.floating], analysis: MelAnalysis, iterations: int = INVERSION_ITERATIONS
) -> NDArray[np.float32]:
    """Invert the mel bank: non-negative linear magnitudes that fit the mel magnitudes best in least squares.

    With fewer bands than bins the solution is not unique; starting at silence leads to one of low power. The method is
    a projected gradient with Nesterov's momentum (Beck and Teboulle 2009), restarted where it overshoots, on bands
    scaled to norm 1.

    Shapes: (…, frames, bands) -> (…, frames, bins). Raises: ModelError for another number of bands.
    """
    from scipy.sparse import csr_array

    if mels.shape[-1] != analysis.bands:
        raise ModelError(f"mel magnitudes must have {analysis.bands} bands. Received: {mels.shape[-1]}")
    scale = 1.0 / np.linalg.norm(analysis.matrix, axis=0)
    matrix = analysis.matrix * scale
    bank, back = csr_array(matrix.T), csr_array(matrix)
    steepest = float(np.abs(matrix).sum(axis=0).max() * np.abs(matrix).sum(axis=1).max())  # bounds ||A||^2
    wanted = np.reshape(np.asarray(mels, np.float64), (-1, analysis.bands)).T * scale[:, None]
    found = np.zeros((analysis.bins, wanted.shape[1]))
    ahead, pace = found, 1.0
    for _ in range(iterations):
        slope = back @ (bank @ ahead - wanted)
        new = np.maximum(ahead - slope / steepest, 0.0)
        if np.vdot(slope, new - found) > 0:
            pace = 1.0
        faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * pace * pace))
        ahead = new + (new - found) * ((pace - 1.0) / faster)
        found, pace = new, faster
    return np.reshape(found.T, (*mels.shape[:-1], analysis.bins)).astype(np.float32)
