"""Preparing a sound for a model: mixed down, begun at its onset, resampled, cut or padded, with a record of each step.

Files of any length are searched for their onset in blocks, and only what is analysed is ever held.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import SILENCE_PEAK, Sound, check_audible, normalise_peak, open_audio, read_audio, resample
from generators.errors import AudioError

FRAME = 0.005
"""Seconds, to the nearest sample, in which the onset detector measures one level: about the gap at which two clicks are
heard as two."""

SILENCE = 60.0
"""Decibels below the loudest frame under which a sound counts as silent; the reverberation time ends there too."""

LOUD = 24.0
"""Decibels below the loudest frame above which a sound has begun, whatever the background."""

LEAD = 0.2
"""Seconds before the first loud frame that make it a pause, in which the background can be measured. A linear attack of
a second is loud after 0.06; of 4,000 random `fm` sounds this length takes the start of 19 for a pause."""

ABOVE_NOISE = 12.0
"""Decibels by which a beginning stands above the background; 5 ms of noise stray by far less."""

SHORTEST_SILENCE = 0.02
"""Seconds of silence that are left in front of a sound: inaudible, and slow attacks begin like this."""

AUDIBLE = 40.0
"""Decibels below the loudest frame of a file under which rises are not taken for notes."""

GUARD = 0.05
"""Seconds read beyond the end of a piece before its rate is changed, so that the filter meets no edge."""

BLOCK = 2**20
"""Samples, over all channels, held at once while a file is searched for its onset (4 MB)."""


@dataclass(frozen=True)
class Target:
    """A prepared sound: `audio` (samples,) float32 at the model's rate; `source` records file and preparation."""

    audio: NDArray[np.float32]
    sample_rate: int
    name: str
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def treatment(self) -> tuple[str, ...]:
        """What was done to the sound, one sentence each."""
        return tuple(self.source.get("treatment", ()))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What it plays and what to beware of, one sentence each (`inversynth.inversion.notes`)."""
        return tuple(self.source.get("remarks", ()))


def read_target(
    path: str | os.PathLike[str], sample_rate: int, length: float, start: float | None = None, normalise: bool = False
) -> Target:
    """Read a sound and fit it to `sample_rate` (hertz) and `length` (seconds).

    Args:
        start: second at which to begin; None finds the onset.
        normalise: scale to a peak of 1, as the model's training sounds were.
    Raises: AudioError for a sound that cannot be read or is silent.
    """
    path = Path(path)
    outline = measure_levels(path)
    if start is not None and not 0.0 <= start < outline.length:
        raise AudioError(f"{path} lasts {outline.length:.2f} s, and --start must lie within. Received: {start:g}")
    begin = find_start(outline, length) if start is None else start
    chosen = "" if start is None else "as asked"
    return cut_target(path, outline, begin, begin + length, sample_rate, length, chosen, normalise)


def fit_target(
    sound: Sound, sample_rate: int, length: float, start: float | None = None, normalise: bool = False
) -> Target:
    """Fit a sound in memory to `sample_rate` (hertz) and `length` (seconds), as `read_target` fits a file.

    Raises: AudioError for a silent sound, and for a `start` outside it.
    """
    check_audible(sound.audio, "the array")
    if start is not None and not 0.0 <= start < sound.length:
        raise AudioError(f"the sound lasts {sound.length:.2f} s, and start must lie within. Received: {start:g}")
    hop = max(1, round(FRAME * sound.sample_rate))
    means = _mean_squares(sound.audio.astype(np.float64), hop)
    outline = Outline(_decibels(means), hop / sound.sample_rate, sound.sample_rate, sound.channels, len(sound.audio))
    begin = find_start(outline, length) if start is None else start
    first = round(begin * sound.sample_rate)
    margin = max(GUARD, 1.0 / sound.sample_rate)
    piece = sound.audio[first : first + round((length + margin) * sound.sample_rate)]
    chosen = "" if start is None else "as asked"
    return _fit(piece, "sound", outline, begin, begin + length, sample_rate, length, chosen, normalise)


def cut_target(
    path: Path,
    outline: "Outline",
    begin: float,
    end: float,
    sample_rate: int,
    length: float,
    chosen: str,
    normalise: bool,
) -> Target:
    """Read the seconds from `begin` to `end`, resample them, and pad them to `length`."""
    margin = max(GUARD, 1.0 / outline.sample_rate)
    sound = read_audio(path, start=begin, length=end - begin + margin)
    check_audible(sound.audio, f"{path} from {begin:g} s on" if chosen else str(path))
    return _fit(sound.audio, path.name, outline, begin, end, sample_rate, length, chosen, normalise)


def _fit(
    piece: NDArray[np.float32],
    name: str,
    outline: "Outline",
    begin: float,
    end: float,
    sample_rate: int,
    length: float,
    chosen: str,
    normalise: bool,
) -> Target:
    """Resample the piece of a sound that begins at `begin` seconds, cut it at `end`, and pad it to `length`."""
    audio, samples = resample(piece, outline.sample_rate, sample_rate), round(length * sample_rate)
    audio = audio[: round((end - begin) * sample_rate)]
    padded = max(samples - len(audio), 0) / sample_rate
    audio = np.pad(audio[:samples], (0, max(samples - len(audio), 0)))
    left = max(outline.length - end, 0.0)
    source = {
        "file": name,
        "sample_rate": outline.sample_rate,
        "channels": outline.channels,
        "length": round(outline.length, 6),
        "start": round(begin, 6),
        "padded": round(padded, 6),
        "left_out": round(left, 6),
        "treatment": _sentences(outline, sample_rate, (end - begin, length), begin, padded, left, chosen, normalise),
    }
    return Target(normalise_peak(audio) if normalise else audio, sample_rate, Path(name).stem or name, source)


@dataclass(frozen=True)
class Outline:
    """A file in brief: `levels` (frames,) in dB of full scale, one each `frame` seconds, and how it is stored.

    `cut` says that the file ended before its sound did.
    """

    levels: NDArray[np.float64]
    frame: float
    sample_rate: int
    channels: int
    frames: int
    cut: bool = False

    @property
    def length(self) -> float:
        """Seconds."""
        return self.frames / self.sample_rate


def measure_levels(path: Path) -> Outline:
    """Measure the level of a file's mono mix in frames of 5 ms, reading it in blocks.

    Raises: AudioError for a missing file, a folder, no audio, no samples, NaN or infinite samples, and silence.
    """
    means: list[NDArray[np.float64]] = []
    loudest = mixed = 0.0
    frames = 0
    with open_audio(path) as file:
        rate, channels = file.header.sample_rate, file.header.channels
        hop = max(1, round(FRAME * rate))
        for block in file.blocks(max(hop, BLOCK // channels // hop * hop)):
            mono = block.mean(axis=1, dtype=np.float64)
            frames += len(mono)
            loudest, mixed = max(loudest, float(np.abs(block).max())), max(mixed, float(np.abs(mono).max()))
            means.append(_mean_squares(mono, hop))
    if not frames:
        raise AudioError(f"a sound needs samples. Received: none in {path}")
    if loudest >= SILENCE_PEAK and mixed < loudest * 10.0 ** (-SILENCE / 20.0):
        raise AudioError(f"the channels of {path} cancel each other when they are mixed down. Save one of them alone")
    if mixed < SILENCE_PEAK:
        raise AudioError(f"a sound must be audible (peak above -100 dB). Received: silence in {path}")
    return Outline(_decibels(np.concatenate(means)), hop / rate, rate, channels, frames, file.cut)


def _mean_squares(audio: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """Return the mean square of each frame of `hop` samples, the last one shorter. Shapes: (samples,) -> (frames,)."""
    starts = np.arange(0, len(audio), hop)
    return np.add.reduceat(np.square(audio), starts) / np.diff([*starts, len(audio)])


def _decibels(mean_squares: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10.0 * np.log10(np.maximum(mean_squares, 1e-14))


def find_start(outline: Outline, length: float) -> float:
    """Return the second from which on a sound is analysed.

    Its onset where it is longer than the `length` analysed. A shorter one is taken whole, but for digital silence in
    front (below -100 dB of full scale), since a synth starts at once and softly begun notes must not be shifted.
    """
    if outline.frames > round(length * outline.sample_rate):
        return find_onset(outline.levels, outline.frame)
    silence = int(np.argmax(outline.levels > 20.0 * math.log10(SILENCE_PEAK))) * outline.frame
    return silence if silence >= SHORTEST_SILENCE else 0.0


def find_onset(levels: NDArray[np.floating[Any]], frame: float = FRAME) -> float:
    """Return the second at which a sound begins, given its levels in dB, one each `frame` seconds.

    The first frame that is at most 60 dB below the loudest one and, where 100 ms or more pass before the first loud
    frame (24 dB below the loudest), also 12 dB above the background: the median level of that time. A beginning within
    20 ms of the file's own counts as 0.
    """
    loudest = float(levels.max())
    threshold = loudest - SILENCE
    lead = int(np.argmax(levels >= loudest - LOUD))
    if lead * frame >= LEAD:
        background = float(np.median(levels[:lead]))
        threshold = max(threshold, min(background + ABOVE_NOISE, loudest - LOUD))
    onset = int(np.argmax(levels >= threshold)) * frame
    return onset if onset >= SHORTEST_SILENCE else 0.0


def _sentences(
    outline: Outline,
    sample_rate: int,
    lengths: tuple[float, float],
    begin: float,
    padded: float,
    left: float,
    chosen: str,
    normalise: bool,
) -> list[str]:
    sentences = []
    if outline.cut:
        sentences.append(f"Its file ends early; the {outline.length:.2f} s that could be decoded were used.")
    if outline.channels > 1:
        sentences.append(f"Its {outline.channels} channels were mixed down to one.")
    if outline.sample_rate != sample_rate:
        sentences.append(f"It was resampled from {outline.sample_rate:,} Hz to {sample_rate:,} Hz.")
    if chosen:
        sentences.append(f"It was analysed from {begin:.2f} s on, {chosen}.")
    elif begin:
        sentences.append(f"It begins at {begin:.2f} s; what lies before was left out.")
    if left > 0.5 / sample_rate:
        sentences.append(f"It goes on after the {lengths[0]:.4g} s that were analysed; {left:.2f} s were left out.")
    if padded:
        sentences.append(f"{padded:.2f} s of silence were added at its end, to reach {lengths[1]:g} s.")
    if normalise:
        sentences.append("It was scaled to a peak of 1, as the sounds were that the model learned from.")
    return sentences
