"""Preparing a sound for a model: mixed down, begun at its onset, resampled, cut or padded, with a record of each step.

Files of any length are searched for their onset in blocks, and only what is analysed is ever held.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.analysis.alignment import Onset, remove_drift
from generators.analysis.alignment import find_onset as find_rise
from generators.audio import SILENCE_PEAK, Sound, check_audible, normalise_peak, open_audio, read_audio, resample
from generators.dsp.butterworth import butterworth, run_filter, steady_state
from generators.errors import AudioError, shown

if TYPE_CHECKING:
    from inversynth.search.state import Recording

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

BEFORE, AFTER = 0.5, 0.3
"""Seconds held before and after what is analysed: the background, and as far as a search may move the begin. At 20 dB
above noise the first guess errs by 0.1 s for one sound of twenty."""

SURE, AT_ONCE = 4.0, 0.008
"""Standard deviations of the first guess, and at least seconds, within which a sound may begin with its file: a clean
one is guessed later than that once in fifty."""

SOFT, PAUSE = 0.1, 50.0
"""Seconds in which a soft beginning rises until it is found, and decibels below the whole of a short sound that what
precedes the guess lies where it is no part of the sound."""

ASKED = 0.01
"""Seconds by which a begin that was asked for may be off."""

HIGH_PASS = 30.0
"""Hertz below which nothing counts for the level of a frame: rumble does not, and of the lowest A of a piano, 27.5 Hz,
the harmonics do."""

BLOCK = 2**20
"""Samples, over all channels, held at once while a file is searched for its onset (4 MB)."""


@dataclass(frozen=True)
class Target:
    """A prepared sound: `audio` (samples,) float32 at the model's rate; `source` records file and preparation.

    `recording` is what it was cut from, cleaned, at the same rate and level: its begin may still be moved in it.
    """

    audio: NDArray[np.float32]
    sample_rate: int
    name: str
    source: Mapping[str, Any] = field(default_factory=dict)
    recording: "Recording | None" = None

    @property
    def treatment(self) -> tuple[str, ...]:
        """What was done to the sound, one sentence each."""
        return tuple(self.source.get("treatment", ()))

    def moved(self, audio: NDArray[np.float32], begin: float, polarity: int) -> "Target":
        """Return the target as a search found it: `audio`, begun `begin` samples later, turned over at polarity -1."""
        if begin == 0.0 and polarity == 1:
            return self
        treatment = list(self.treatment)
        if polarity < 0:
            treatment.append("It was turned over: its polarity is the opposite of the synthesizer's.")
        start = round(float(self.source.get("start", 0.0)) + begin / self.sample_rate, 8)
        return replace(self, audio=audio, source={**self.source, "start": start, "treatment": treatment})

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
    begin = find_onset(outline.levels, outline.frame) if start is None else start
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
    rate = sound.sample_rate
    levels = _Levels(rate)
    levels.add(sound.audio.astype(np.float64))
    outline = Outline(levels.decibels(), levels.frame, rate, sound.channels, len(sound.audio))
    begin = find_onset(outline.levels, outline.frame) if start is None else start
    first, last = _reach(begin, begin + length, length, outline)
    chosen = "" if start is None else "as asked"
    piece = sound.audio[first:last]
    return _fit(piece, first / rate, "sound", outline, begin, begin + length, sample_rate, length, chosen, normalise)


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
    """Read the seconds from `begin` to `end` and what lies around them, resample them, and pad them to `length`.

    Args: chosen: why they were chosen, in words that follow "from … s on"; empty for the sound's own onset, which is
        then looked for around `begin`.
    """
    rate = outline.sample_rate
    first, last = _reach(begin, end, length, outline)
    sound = read_audio(path, start=first / rate, length=(last - first) / rate)
    asked = sound.audio[round(begin * rate) - first :] if chosen else sound.audio
    check_audible(asked, f"{path} from {begin:g} s on" if chosen else str(path))
    return _fit(sound.audio, first / rate, path.name, outline, begin, end, sample_rate, length, chosen, normalise)


def _reach(begin: float, end: float, length: float, outline: "Outline") -> tuple[int, int]:
    """Return the first sample of a file and the one after the last that are held for a target.

    A sound that ends where the next note begins is held until there, any other as long as its begin may be moved.
    """
    first = max(round((begin - BEFORE) * outline.sample_rate), 0)
    last = end + (AFTER if end - begin >= length else 0.0)
    return first, max(round(last * outline.sample_rate), first + 1)


def _fit(
    piece: NDArray[np.float32],
    origin: float,
    name: str,
    outline: "Outline",
    begin: float,
    end: float,
    sample_rate: int,
    length: float,
    chosen: str,
    normalise: bool,
) -> Target:
    """Clean and resample the piece of a sound from second `origin` on, find where it begins, and cut it there."""
    from inversynth.search.state import Recording

    clean, offset = remove_drift(piece, outline.sample_rate)
    rumble = bool(np.abs(piece - np.float32(offset) - clean).max(initial=0.0) > SILENCE_PEAK)
    audio, samples = resample(clean, outline.sample_rate, sample_rate), round(length * sample_rate)
    if not np.abs(audio).max(initial=0.0) >= SILENCE_PEAK:
        raise AudioError(
            f"a sound must be audible (peak above -100 dB). Received: nothing but a constant offset in {name}"
        )
    if chosen:
        first = round((begin - origin) * sample_rate)
        onset = Onset(float(first), ASKED * sample_rate, 0.0)
    else:
        first, onset = _find_begin(audio, sample_rate, origin, outline.length <= length + SHORTEST_SILENCE)
        end, begin = end - begin + origin + first / sample_rate, origin + first / sample_rate
    if end - begin < length:  # the next note is none of this one
        audio = audio[: round((end - origin) * sample_rate)]
    available = min(end, outline.length) - begin
    padded = max(samples - round(available * sample_rate), 0) / sample_rate
    audio = np.pad(audio, (0, max(first + samples - len(audio), 0)))
    left = max(outline.length - end, 0.0)
    treatment = _sentences(outline, sample_rate, (end - begin, length), begin, padded, left, chosen, normalise)
    if offset:
        treatment.insert(0, f"A constant offset of {offset:.3g} was removed.")
    if rumble:
        treatment.insert(0, "Rumble below 15 Hz was removed.")
    source = {
        "file": shown(name),
        "sample_rate": outline.sample_rate,
        "channels": outline.channels,
        "length": round(outline.length, 6),
        "start": round(begin, 6),
        "padded": round(padded, 6),
        "left_out": round(left, 6),
        "treatment": treatment,
    }
    cut = audio[first : first + samples]
    if normalise:
        normal = normalise_peak(cut)
        gain = float(np.abs(normal).max(initial=0.0)) / max(float(np.abs(cut).max(initial=0.0)), 1e-30)
        cut, audio = normal, audio * np.float32(gain)
    return Target(cut, sample_rate, Path(name).stem or name, source, Recording(audio, first, onset))


def _find_begin(audio: NDArray[np.float32], sample_rate: int, origin: float, short: bool) -> tuple[int, "Onset"]:
    """Return the sample at which a recording is cut, and the guess of where its sound begins.

    A sound that may begin with the file, or right after digital silence, is cut there; a shorter silence than 20 ms
    stays. Any other is cut at the guess. short: the file is about as long as what is analysed.
    """
    onset = find_rise(audio, sample_rate)
    silent = max(int(np.argmax(audio != 0.0)) - 1, 0)
    late = round(onset.position) - silent
    at_once = late <= max(SURE * onset.spread, AT_ONCE * sample_rate)
    if not (at_once or silent or origin):
        before = np.square(audio[:late], dtype=np.float64)
        rising = late < SOFT * sample_rate and before[: late // 2].sum() < 0.5 * before[late // 2 :].sum()
        loud = short and before.mean() > np.mean(np.square(audio)) * 10.0 ** (-PAUSE / 10.0)
        if rising or loud:
            at_once, onset = True, replace(onset, position=0.0, spread=AT_ONCE * sample_rate)
    if at_once and (silent or origin == 0.0):
        return silent if silent >= SHORTEST_SILENCE * sample_rate else 0, onset
    return min(max(round(onset.position), 0), len(audio) - 1), onset


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


class _Levels:
    """Measures the level of a sound in frames of 5 ms, block by block, without offset and rumble."""

    def __init__(self, sample_rate: int) -> None:
        self.hop = max(1, round(FRAME * sample_rate))
        self.frame = self.hop / sample_rate
        self._sections = butterworth(2, HIGH_PASS, sample_rate, "highpass")
        self._state: NDArray[np.float64] | None = None
        self._means: list[NDArray[np.float64]] = []

    def add(self, mono: NDArray[np.float64]) -> None:
        """Measure a block, (samples,): a whole number of frames unless it is the last."""
        if not len(mono):
            return
        state = steady_state(self._sections) * mono[0] if self._state is None else self._state
        filtered, self._state = run_filter(self._sections, mono, state)
        starts = np.arange(0, len(mono), self.hop)
        self._means.append(np.add.reduceat(np.square(filtered), starts) / np.diff([*starts, len(mono)]))

    def decibels(self) -> NDArray[np.float64]:
        """Return the levels, (frames,) dB of full scale."""
        return 10.0 * np.log10(np.maximum(np.concatenate(self._means), 1e-14))


def measure_levels(path: Path) -> Outline:
    """Measure the level of a file's mono mix in frames of 5 ms, reading it in blocks.

    Raises: AudioError for a missing file, a folder, no audio, no samples, NaN or infinite samples, and silence.
    """
    loudest = mixed = 0.0
    frames = 0
    with open_audio(path) as file:
        rate, channels = file.header.sample_rate, file.header.channels
        levels = _Levels(rate)
        for block in file.blocks(max(levels.hop, BLOCK // channels // levels.hop * levels.hop)):
            mono = block.mean(axis=1, dtype=np.float64)
            frames += len(mono)
            loudest, mixed = max(loudest, float(np.abs(block).max())), max(mixed, float(np.abs(mono).max()))
            levels.add(mono)
    if not frames:
        raise AudioError(f"a sound needs samples. Received: none in {path}")
    if loudest >= SILENCE_PEAK and mixed < loudest * 10.0 ** (-SILENCE / 20.0):
        raise AudioError(f"the channels of {path} cancel each other when they are mixed down. Save one of them alone")
    if mixed < SILENCE_PEAK:
        raise AudioError(f"a sound must be audible (peak above -100 dB). Received: silence in {path}")
    return Outline(levels.decibels(), levels.frame, rate, channels, frames, file.cut)


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
