"""Apply an amplitude envelope to sounds by a trained NeuroSynth.

The network was trained on steady waveforms with a peak of 1. So a sound, of any length, is mixed down, divided by its
local level, shaped, multiplied by that level again, and written beside a plot of the output over the ideal. A batch of
arrays is shaped as it is.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.audio import Sound, full_scale_gain, read_audio, write_audio
from generators.errors import AudioError, DatasetError, InversynthError, ModelError
from generators.files import writing
from generators.synth import DEFAULT_SAMPLE_RATE
from inversynth.inputs import check_inputs_kept, unique_names
from inversynth.npz import Content, read_arrays
from models.neurosynth.metrics import WINDOW, envelope_errors

if TYPE_CHECKING:
    from models.neurosynth.inference import EnvelopeShaper

log = logging.getLogger(__name__)

LONGEST = 2**22
"""Samples, 95 s at 44.1 kHz: half a minute of work on two cores, and 100 MB of arrays."""

LEVEL_SECONDS = 0.02
"""Window of the local level: a period of 50 Hz, so that the level does not follow the waveform. On four bundled sounds
20 ms gave the smallest error of 20, 50 and 100 ms."""

QUIETEST = 1e-3
"""Least local level relative to the peak, -60 dB: quieter parts are not amplified to full scale."""

BLOCK = 2**20
"""Samples between two updates of a batch's progress bar, under a second of work, and of a sound measured at once."""

BATCH = Content("batch", "an .npz file of plain arrays")


@dataclass(frozen=True)
class Shaped:
    """A sound at a peak of 1, the network's output, and the ideal output.

    Shapes: basic, output, ideal (samples,) float32. `peak` is that of the original.
    """

    basic: NDArray[np.float32]
    output: NDArray[np.float32]
    ideal: NDArray[np.float32]
    peak: float

    @property
    def audio(self) -> NDArray[np.float32]:
        """The output at the level of the original."""
        return self.output * np.float32(self.peak)

    @property
    def error(self) -> float:
        """Mean absolute error relative to the peak."""
        return float(np.abs(self.output - self.ideal, dtype=np.float64).mean())

    @property
    def envelope_error(self) -> float:
        """Mean absolute error of the RMS in windows of 11 samples, relative to the peak."""
        windows, total = len(self.output) - WINDOW + 1, 0.0
        for start in range(0, windows, BLOCK):
            parts = (sound[np.newaxis, start : start + BLOCK + WINDOW - 1] for sound in self._sounds)
            total += min(BLOCK, windows - start) * envelope_errors(*parts)["env_rms"]
        return total / windows

    @property
    def _sounds(self) -> tuple[NDArray[np.float32], ...]:
        return self.output, self.ideal, self.basic


def local_level(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return the local peak level: the largest sample within LEVEL_SECONDS, smoothed over the same window.

    A sound shorter than four windows has one level, its peak. Shapes: (samples,) -> (samples,) above 0.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    magnitude, peak = np.abs(audio), float(np.abs(audio).max())
    window = round(LEVEL_SECONDS * sample_rate)
    if len(audio) < 4 * window:
        return np.full_like(audio, peak)
    return np.maximum(uniform_filter1d(maximum_filter1d(magnitude, window), window), np.float32(QUIETEST * peak))


def shape_sound(
    shaper: "EnvelopeShaper",
    audio: NDArray[np.float32],
    classes: NDArray[np.intp],
    sample_rate: int = DEFAULT_SAMPLE_RATE,
) -> Shaped:
    """Apply the envelope of three classes to one sound; silence stays silent.

    The ideal output is a product, so the local level may be divided out before and multiplied in after.

    Shapes: audio (samples,); classes (3,). Raises: ModelError as `EnvelopeShaper.shape`.
    """
    peak = float(np.abs(audio).max())
    if not peak:
        return Shaped(audio, np.zeros_like(audio), np.zeros_like(audio), 0.0)
    basic = (audio / np.float32(peak))[np.newaxis]
    level = local_level(basic[0], sample_rate)
    output = level * _finite(shaper, shaper.shape(basic / level, classes[np.newaxis]))
    return Shaped(basic[0], output[0], shaper.ideal(basic, classes[np.newaxis])[0], peak)


def shape_files(
    paths: Sequence[Path],
    load: "Callable[[], EnvelopeShaper]",
    levels: tuple[float, float, float],
    folder: Path,
    on_error: Callable[[InversynthError], None],
) -> Iterator[tuple[Path, Shaped]]:
    """Shape sounds one after another into `<name>_shaped.wav` and `.png`; yields each path and result.

    `load` is called for the first readable sound. The error of a single sound goes to `on_error`.

    Args:
        levels: attack, sustain, release.
    Raises: ModelError for levels that the model was not trained on; SettingsError where an output would be an input.
    """
    names = unique_names(path.stem or "sound" for path in paths)
    targets = [(path, folder / f"{name}_shaped.wav") for path, name in zip(paths, names, strict=True)]
    check_inputs_kept((output for _, target in targets for output in (target, target.with_suffix(".png"))), paths)
    shaper = None
    for path, target in targets:
        try:
            sound = _read(path)
            shaper = shaper or load()
            classes = shaper.classes_of(*levels)
            if not shaper.any_length and len(sound.audio) != shaper.samples:
                raise AudioError(
                    f"{shaper.loaded.path} shapes sounds of {shaper.samples} samples. Received: {len(sound.audio)} in "
                    f"{path}. Use --model neurosynth, which shapes any length"
                )
            shaped = shape_sound(shaper, sound.audio, classes, sound.sample_rate)
            if sound.channels > 1:
                log.info("mixed the %d channels of %s down to one", sound.channels, path)
            write_audio(target, shaped.audio * np.float32(full_scale_gain([shaped.audio])), sound.sample_rate)
            _draw(target.with_suffix(".png"), shaped, levels)
        except AudioError as error:
            on_error(error)
            continue
        yield target, shaped


def _read(path: Path) -> Sound:
    """Read a sound, of a very long one no more than shows that it is too long. Raises AudioError."""
    rate = read_audio(path, length=0.0).sample_rate
    sound = read_audio(path, length=(LONGEST + 1) / rate)
    if not WINDOW <= len(sound.audio) <= LONGEST:
        received = f"more, in {path}" if len(sound.audio) > LONGEST else f"{len(sound.audio)} in {path}"
        raise AudioError(f"a sound to shape has {WINDOW} to {LONGEST:,} samples. Received: {received}. Cut it")
    return sound


def _draw(path: Path, shaped: Shaped, levels: tuple[float, float, float]) -> None:
    from models.neurosynth.plots import draw_shapes

    title = "attack {:g}, sustain {:g}, release {:g}; at a peak of 1".format(*levels)
    with writing(path):
        draw_shapes(shaped.basic[np.newaxis], shaped.output[np.newaxis], shaped.ideal[np.newaxis], [title], path)


# --- batches ---------------------------------------------------------------------------------------------------


def read_batch(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read waveforms and their classes from an .npz file: `basic` (n, samples) and `label` (n, 3).

    Raises: DatasetError for a file that is missing, damaged or lacks one of them, or arrays of another shape or kind.
    """
    arrays = read_arrays(path, ("basic", "label"), BATCH)
    basic, label = arrays["basic"], arrays["label"]
    for name, array in (("basic", basic), ("label", label)):
        if array.dtype.kind not in "fiu":
            raise DatasetError(f"{name} of {path} must hold numbers. Received: {array.dtype}")
    if basic.ndim != 2 or not basic.size:
        raise DatasetError(f"basic of {path} must be (n, samples), neither of them 0. Received: {basic.shape}")
    if basic.shape[1] > LONGEST:
        raise DatasetError(f"basic of {path} may have {LONGEST:,} samples a row. Received: {basic.shape[1]:,}")
    if label.shape != (len(basic), 3):
        raise DatasetError(
            f"label of {path} must be ({len(basic)}, 3): a class of attack, sustain and release for each row of basic. "
            f"Received: {label.shape}"
        )
    with np.errstate(over="ignore"):
        return basic.astype(np.float32), label


def shape_batch(shaper: "EnvelopeShaper", basic: NDArray[Any], label: NDArray[Any]) -> NDArray[np.float32]:
    """Shape waveforms as they are, without normalising their level, with a progress bar on a terminal.

    Shapes: basic (n, samples), label (n, 3) -> (n, samples) float32. Raises: ModelError as `EnvelopeShaper.shape`.
    """
    from tqdm import tqdm

    out = np.empty(basic.shape, np.float32)
    rows = max(1, BLOCK // basic.shape[1])
    with tqdm(total=len(basic), desc="shaping", unit="sounds", disable=None) as bar:
        for start in range(0, len(basic), rows):
            part = slice(start, start + rows)
            out[part] = _finite(shaper, shaper.shape(basic[part], label[part]))
            bar.update(len(out[part]))
    return out


def _finite(shaper: "EnvelopeShaper", output: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.all(np.isfinite(output)):
        raise ModelError(f"{shaper.loaded.path} must give finite sounds. Received: NaN or infinity. Train it again")
    return output
