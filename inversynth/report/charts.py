"""Charts of sounds as SVG, written without matplotlib, whose import alone takes longer than drawing a report's four.

They take the colours of the page that they stand in. What else is drawn goes through `inversynth.report.plots`.
"""

import base64
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.analysis.mel import mel_filters
from generators.analysis.spectrogram import (
    FFT_LENGTH,
    HOP_LENGTH,
    frame_count,
    hann_window,
    log_spectrogram,
    power_spectrogram,
)
from models.neurosynth.plots import outline

RANGE = 80.0
"""Decibels from the loudest point of either sound to black: what lies below is seldom audible beside it."""

COLUMNS = 480
"""Steps of a drawn waveform; each holds the least and the greatest sample that it covers."""

MOST_COLUMNS = 4096
"""Columns of a drawn spectrogram, two to four for each pixel of a page. A column of a longer sound shows the loudest of
several frames; 64 s at the paper's rate stay as they are."""

BLOCK_FRAMES = 1024
"""Frames of a long sound that are transformed at once, 8 MB of them."""

MEL_WINDOW, MEL_STEP = 0.06, 0.004
"""Seconds of a window of a log-mel picture, to the nearest power of two of samples, and between its columns: partials
of a C3 stand apart, and an attack is no wider than a few pixels."""

MEL_BANDS = 80
"""Mel bands of such a picture up to half the rate: the narrowest still hold a bin."""

MEL_ROWS, LOWEST_ROW = 160, 50.0
"""Rows of a log-mel picture, and hertz of the lowest; they are evenly spaced on a logarithmic axis."""

MEL_COLUMNS = 1024
"""Columns of a log-mel picture at most; longer sounds take wider steps."""

MEL_FLOOR = 1e-12
"""Power that counts as silence in a log-mel picture (-120 dB)."""

OCTAVE_TICKS = (100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0)
"""Hertz at which the logarithmic axis is labelled."""

ZOOM = 0.02
"""Seconds in the close-up of two waveforms: nine periods of the lowest carrier (440 Hz)."""

POINTS = 72.0
"""Points in an inch: the unit of the drawings, in which text has 8."""

NICE_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Steps between ticks, times a power of ten."""

MAGMA = bytes.fromhex(
    "00000300000400000601000701010901010b02020d02020f03031104031304041505041706051907051b08061d09071f0a07220b0824"
    "0c09260d0a280e0a2a0f0b2c100c2f110c31120d33140d35150e38160e3a170f3c180f3f1a10411b10441c10461e10491f114b20114d"
    "2211502311522511552611572811592a115c2b115e2d10602f1062301065321067341068350f6a370f6c390f6e3b0f6f3c0f713e0f72"
    "400f73420f74430f75450f76470f774810784a10794b10794d117a4f117b50127b52127c53137c55137d57147d58157e5a157e5b167e"
    "5d177e5e177f60187f61187f63197f651a80661a80681b80691c806b1c806c1d806e1e816f1e81711f81731f81742081762181772181"
    "7922817a22817c23817e24817f24818125818225818426818526818727818928818a28818c29808d29808f2a80912a80922b80942b80"
    "952c80972c7f992d7f9a2d7f9c2e7f9e2e7e9f2f7ea12f7ea3307ea4307da6317da7317da9327cab337cac337bae347bb0347bb1357a"
    "b3357ab53679b63679b83778b93778bb3877bd3977be3976c03a75c23a75c33b74c53c74c63c73c83d72ca3e72cb3e71cd3f70ce4070"
    "d0416fd1426ed3426dd4436dd6446cd7456bd9466ada4769dc4869dd4968de4a67e04b66e14c66e24d65e44e64e55063e65162e75262"
    "e85461ea5560eb5660ec585fed595fee5b5eee5d5def5e5df0605df1615cf2635cf3655cf3675bf4685bf56a5bf56c5bf66e5bf6705b"
    "f7715bf7735cf8755cf8775cf9795cf97b5df97d5dfa7f5efa805efa825ffb8460fb8660fb8861fb8a62fc8c63fc8e63fc9064fc9265"
    "fc9366fd9567fd9768fd9969fd9b6afd9d6bfd9f6cfda16efda26ffda470fea671fea873feaa74feac75feae76feaf78feb179feb37b"
    "feb57cfeb77dfeb97ffebb80febc82febe83fec085fec286fec488fec689fec78bfec98dfecb8efdcd90fdcf92fdd193fdd295fdd497"
    "fdd698fdd89afdda9cfddc9dfddd9ffddfa1fde1a3fce3a5fce5a6fce6a8fce8aafceaacfcecaefceeb0fcf0b1fcf1b3fcf3b5fcf5b7"
    "fbf7b9fbf9bbfbfabdfbfcbf"
)
"""The colour scale of spectrograms, 256 RGB colours from quiet to loud: `magma` by S. van der Walt and N. Smith (2015,
CC0), as in matplotlib. Its lightness rises evenly, so that it also reads in grey and in print."""

Floats = NDArray[np.floating[Any]]


class Samples(Protocol):
    """A mono sound: an array (samples,), or a file that is read as far as it is sliced."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Floats: ...


@dataclass(frozen=True)
class Panel:
    """Axes within a drawing: sizes and margins in points, and the values at the ends of both axes."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, values: ArrayLike) -> Floats:
        """Return where values lie on the horizontal axis."""
        low, high = self.x_range
        return self.left + (np.asarray(values, np.float64) - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, values: ArrayLike) -> Floats:
        """Return where values lie on the vertical axis, which rises upwards."""
        low, high = self.y_range
        share = (np.asarray(values, np.float64) - low) / (high - low)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


# --- charts ----------------------------------------------------------------------------------------------------


def draw_spectrogram(
    audio: NDArray[Any],
    sample_rate: int,
    limits: tuple[float, float],
    label: str,
    size: tuple[float, float] = (4.4, 2.55),
) -> str:
    """Draw one log spectrogram, hertz over seconds; `limits` are the decibels of the darkest and the brightest colour.

    Shapes: audio (samples,). `size` is width and height in inches; `label` the alternative text.
    """
    panel = _picture_panel(size, len(audio) / sample_rate, (0.0, sample_rate / 2.0))
    image = base64.b64encode(spectrogram_png(audio, limits)).decode()
    return _chart(panel, label, [_image(panel, image)], _seconds, _hertz, "Hz", y_steps=5, grid=False)


def draw_log_mel(
    audio: NDArray[Any],
    sample_rate: int,
    limits: tuple[float, float],
    label: str,
    size: tuple[float, float] = (4.4, 2.55),
) -> str:
    """Draw one log-mel picture: level by pitch, on a logarithmic axis of hertz, over seconds.

    Shapes: audio (samples,). `limits` are the decibels of the darkest and the brightest colour, `size` is width and
    height in inches, `label` the alternative text.
    """
    ends = math.log2(LOWEST_ROW), math.log2(sample_rate / 2.0)
    panel = _picture_panel(size, len(audio) / sample_rate, ends)
    image = base64.b64encode(log_mel_png(audio, sample_rate, limits)).decode()
    octaves = [(math.log2(hertz), f"{hertz:,.0f}") for hertz in OCTAVE_TICKS if ends[0] <= math.log2(hertz) <= ends[1]]
    return _chart(panel, label, [_image(panel, image)], _seconds, _hertz, "Hz", grid=False, y_ticks=octaves)


def _picture_panel(size: tuple[float, float], seconds: float, y_range: tuple[float, float]) -> Panel:
    """Return the panel of a picture over `seconds`; `size` is its width and height in inches."""
    width, height = (POINTS * side for side in size)
    margins = 0.55 * POINTS, 0.22 * POINTS, 0.08 * POINTS, 0.2 * POINTS
    return Panel(width, height, *margins, (0.0, seconds), y_range)


def log_mel_png(audio: NDArray[Any], sample_rate: int, limits: tuple[float, float]) -> bytes:
    """Return a log-mel picture as a PNG of MEL_ROWS rows; frequencies rise upwards. Shapes: audio (samples,)."""
    low, high = limits
    share = np.clip((log_mel_columns(audio, sample_rate).T - low) / (high - low), 0.0, 1.0)
    return _indexed_png(np.minimum(256 * share[::-1], 255).astype(np.uint8))


def log_mel_columns(audio: NDArray[Any], sample_rate: int) -> Floats:
    """Return mel levels in dB at frequencies that are evenly spaced on a logarithmic axis.

    0 dB is a full-scale sine. Shapes: (samples,) -> (columns, MEL_ROWS).
    """
    window = 2 ** round(math.log2(MEL_WINDOW * sample_rate))
    step = min(max(round(MEL_STEP * sample_rate), -(-len(audio) // MEL_COLUMNS)), window)
    power = power_spectrogram(np.asarray(audio, np.float32)[np.newaxis], window, step)[0]
    weights = mel_filters(MEL_BANDS, window, sample_rate, htk=True)
    scale = (hann_window(window).sum() / 2.0) ** 2  # the power of a full-scale sine in its bin
    levels = 10.0 * np.log10(np.maximum(power @ weights / scale, MEL_FLOOR))
    bins = np.arange(len(weights)) * (sample_rate / window)
    centres = (bins @ weights) / weights.sum(axis=0)
    rows = np.geomspace(LOWEST_ROW, sample_rate / 2.0, MEL_ROWS)
    return np.stack([np.interp(np.log(rows), np.log(centres), column) for column in levels])


def log_mel_limits(sounds: Iterable[NDArray[Any]], sample_rate: int) -> tuple[float, float]:
    """Return the colour scale that log-mel pictures share: from the loudest point, up to 5 dB above, down by 80 dB."""
    loudest = max(float(log_mel_columns(sound, sample_rate).max()) for sound in sounds)
    top = 5.0 * math.ceil(loudest / 5.0)
    return top - RANGE, top


def draw_waveforms(target: NDArray[Any], match: NDArray[Any], sample_rate: int, label: str) -> str:
    """Lay the two waveforms over each other: amplitude over seconds, drawn as the range that each step covers."""
    seconds, peak = len(target) / sample_rate, greatest_peak(target, match)
    panel = _wide_panel((0.0, seconds), 1.05 * peak)
    drawn = []
    for audio, colour in ((target, "target"), (match, "match")):
        low, high = outline(audio, COLUMNS)
        time = np.linspace(0.0, seconds, len(low))
        path = _path(panel, np.concatenate([time, time[::-1]]), np.concatenate([low, high[::-1]]))
        drawn.append(f'<path d="{path}Z" style="fill: var(--{colour}); fill-opacity: 0.55"/>')
    return _chart(panel, label, drawn, _seconds, _amplitude, "amplitude")


def draw_close_up(target: NDArray[Any], match: NDArray[Any], sample_rate: int, label: str) -> str:
    """Draw the 20 ms of the target around its loudest moment, and the same moment of the match, sample by sample."""
    count = min(len(target), max(2, round(ZOOM * sample_rate)))
    start = min(max(int(np.argmax(np.abs(target))) - count // 2, 0), len(target) - count)
    time = 1000.0 * np.arange(start, start + count) / sample_rate
    parts = [audio[start : start + count] for audio in (target, match)]
    panel = _wide_panel((float(time[0]), float(time[-1])), 1.08 * greatest_peak(*parts))
    drawn = [
        f'<path d="{_path(panel, time, audio)}" style="fill: none; stroke: var(--{colour}); stroke-width: 1.4; '
        f'stroke-opacity: 0.9; stroke-linejoin: round"/>'
        for audio, colour in zip(parts, ("target", "match"), strict=True)
    ]
    return _chart(panel, label, drawn, lambda place, _: f"{place:g} ms", _amplitude, "")


def spectrogram_png(audio: Samples, limits: tuple[float, float], pairs: bool = False) -> bytes:
    """Return a log spectrogram as a PNG of a pixel for each frame and bin; frequencies rise upwards.

    Shapes: audio (samples,). With `pairs`, a pixel shows the louder of two bins.
    """
    decibels = decibel_columns(audio).T
    if pairs:
        decibels = decibels[: len(decibels) // 2 * 2].reshape(-1, 2, decibels.shape[1]).max(axis=1)
    low, high = limits
    share = np.clip((decibels - low) / (high - low), 0.0, 1.0)
    return _indexed_png(np.minimum(256.0 * share, 255.0).astype(np.uint8)[::-1])


def colour_stops(count: int = 9) -> tuple[str, ...]:
    """Return `count` colours along the scale of the spectrograms, from quiet to loud, as `#rrggbb`."""
    places = np.minimum(256 * np.linspace(0.0, 1.0, count), 255).astype(int)
    return tuple(f"#{MAGMA[3 * place : 3 * place + 3].hex()}" for place in places)


def decibel_columns(audio: Samples) -> Floats:
    """Return a log spectrogram of at most MOST_COLUMNS columns, in dB; memory does not grow with the sound beyond that.

    Shapes: (samples,) -> (columns, bins).
    """
    frames = frame_count(len(audio))
    step = -(-frames // MOST_COLUMNS)
    if step == 1:
        return np.asarray(log_spectrogram(np.asarray(audio[:], np.float32)[np.newaxis]))[0]
    block, edge = max(1, BLOCK_FRAMES // step) * step, (FFT_LENGTH - HOP_LENGTH) // 2
    hops = -(-edge // HOP_LENGTH)  # of the sound before and behind a block, which its first and last frames reach into
    parts = []
    for first in range(0, frames, block):
        start = max(first - hops, 0)
        piece = np.asarray(audio[start * HOP_LENGTH : (first + block + hops) * HOP_LENGTH], np.float32)
        decibels = np.asarray(log_spectrogram(piece[np.newaxis]))[0][first - start :][: min(block, frames - first)]
        parts.append(np.maximum.reduceat(decibels, np.arange(0, len(decibels), step)))
    return np.concatenate(parts)


def decibel_limits(sounds: Iterable[Samples]) -> tuple[float, float]:
    """Return the colour scale that several sounds share: from the loudest point, rounded up to 10 dB, down by 80 dB."""
    loudest = max(float(np.max(decibel_columns(sound))) for sound in sounds)
    top = 10.0 * math.ceil(loudest / 10.0)
    return max(top - RANGE, -60.0) if top > -60.0 else -70.0, top


# --- drawing ---------------------------------------------------------------------------------------------------


def _wide_panel(x_range: tuple[float, float], peak: float) -> Panel:
    width, height = 4.4 * POINTS, 1.9 * POINTS
    return Panel(width, height, 0.11 * width, 0.04 * width, 0.02 * height, 0.1 * height, x_range, (-peak, peak))


def _chart(
    panel: Panel,
    label: str,
    drawn: Sequence[str],
    x_format: Callable[[float, float], str],
    y_format: Callable[[float, float], str],
    y_label: str,
    y_steps: int = 4,
    grid: bool = True,
    y_ticks: Sequence[tuple[float, str]] = (),
) -> str:
    """Return axes as an inline SVG with what is drawn in them; formats take a tick and the step between ticks.

    `y_ticks`, places and words, stand on the vertical axis in place of round numbers.
    """
    lines, words = [], []
    (left, right), (bottom, top) = panel.x(panel.x_range), panel.y(panel.y_range)
    x_ticks, x_step = ticks(*panel.x_range, 6)
    for place, x in zip(x_ticks, panel.x(x_ticks), strict=True):
        lines.append(f"M{x:.2f} {bottom:.2f}V{top:.2f}")
        words.append(_text(float(x), bottom + 10.0, "middle", x_format(place, x_step)))
    if not y_ticks:
        places, y_step = ticks(*panel.y_range, y_steps)
        y_ticks = [(place, y_format(place, y_step)) for place in places]
    for place, word in y_ticks:
        y = float(panel.y(place))
        lines.append(f"M{left:.2f} {y:.2f}H{right:.2f}")
        words.append(_text(left - 4.0, y + 3.0, "end", word))
    if y_label:
        words.append(_text(8.8, top, "end", y_label, f' transform="rotate(-90 8.8 {top:.2f})"'))
    net = f'<path d="{"".join(lines)}" style="fill: none; stroke: var(--line); stroke-width: 0.6"/>' if grid else ""
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {panel.width:.2f} {panel.height:.2f}">'
    )
    return "\n".join(part for part in (head, net, *drawn, *words, "</svg>") if part)


def _image(panel: Panel, encoded: str) -> str:
    """Return a PNG, base64, that fills the axes."""
    (left, right), (bottom, top) = panel.x(panel.x_range), panel.y(panel.y_range)
    return (
        f'<image href="data:image/png;base64,{encoded}" x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" '
        f'height="{bottom - top:.2f}" preserveAspectRatio="none"/>'
    )


def ticks(low: float, high: float, most: int) -> tuple[list[float], float]:
    """Return round numbers within a range, and the step between them: at most `most` steps."""
    least = (high - low) / most
    scale = 10.0 ** math.floor(math.log10(least))
    step = next(scale * nice for nice in NICE_STEPS if scale * nice >= least * (1.0 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)], step


def _path(panel: Panel, x: Floats, y: Floats) -> str:
    return "M" + "L".join(f"{a:.2f} {b:.2f}" for a, b in zip(panel.x(x), panel.y(y), strict=True))


def _text(x: float, y: float, anchor: str, words: str, more: str = "") -> str:
    style = f"font-size: 8px; text-anchor: {anchor}; fill: currentColor"
    return f'<text style="{style}" x="{x:.2f}" y="{y:.2f}"{more}>{escape(words)}</text>'


def _seconds(place: float, step: float) -> str:
    return f"{place:g} s"


def _hertz(place: float, step: float) -> str:
    return f"{place:,.0f}"


def _amplitude(place: float, step: float) -> str:
    """Write a tick with as many digits as its step has, and a minus sign as long as a digit."""
    digits = next((digits for digits in range(7) if abs(round(step, digits) - step) < 1e-9), 7)
    return f"{place:.{max(digits, 1)}f}".replace("-", "\N{MINUS SIGN}")


def greatest_peak(*sounds: NDArray[Any]) -> float:
    """Return the greatest absolute sample of some sounds, and of silence a number above 0."""
    return max(*(float(np.abs(sound).max()) for sound in sounds), 1e-6)


def _indexed_png(pixels: NDArray[np.uint8]) -> bytes:
    """Write pixels, numbers of colours in MAGMA, as a PNG. Shapes: (rows, columns)."""
    rows, columns = pixels.shape
    scanlines = np.zeros((rows, columns + 1), np.uint8)  # each begins with its filter: none
    scanlines[:, 1:] = pixels
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),  # 8 bits, indexed colour
        (b"PLTE", MAGMA),
        (b"IDAT", zlib.compress(scanlines.tobytes(), 9)),
        (b"IEND", b""),
    )
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
