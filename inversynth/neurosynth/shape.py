"""Sounds under an amplitude envelope, by a trained NeuroSynth: `inversynth shape SOUND… --attack 0.4 --release 0.4`.

A sound of any length is mixed down, divided by its own level from moment to moment (the network was trained on steady
waveforms with a peak of 1), shaped, given its level back, and written beside a picture of what came out over what
should have. `--batch` shapes many arrays, as they are.
"""

import logging
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.audio import Sound, read_audio, write_audio
from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, DatasetError, InversynthError, ModelError, SettingsError
from generators.files import writing, written_whole
from generators.settings import Settings
from generators.synth import DEFAULT_SAMPLE_RATE
from inversynth.inversion.inversion import name_folders
from models.neurosynth.metrics import WINDOW, envelope_errors

if TYPE_CHECKING:
    from models.neurosynth.inference import EnvelopeShaper

log = logging.getLogger(__name__)

LONGEST = 2**22
"""Samples, 95 s at 44.1 kHz: the network holds about 1.2 kB for each of them, 5 GB for this many."""

LEVEL_SECONDS = 0.02
"""Window in which the level of a sound is taken: a period of 50 Hz, so that it follows no single wave. Of four bundled
sounds 20 ms left the smallest error, of 20, 50 and 100."""

QUIETEST = 1e-3
"""Least level, as a part of the peak: what lies 60 dB below is not blown up."""

BLOCK = 2**20
"""Samples of a batch between two steps of its bar: under a second of work."""


@dataclass(frozen=True)
class Shaped:
    """A sound at a peak of 1, what became of it, and what should have.

    Shapes: basic, output, ideal (samples,) float32. `peak` is that of the sound itself.
    """

    basic: NDArray[np.float32]
    output: NDArray[np.float32]
    ideal: NDArray[np.float32]
    peak: float

    @property
    def audio(self) -> NDArray[np.float32]:
        """The output at the level of the sound."""
        return self.output * np.float32(self.peak)

    @property
    def error(self) -> float:
        """Mean absolute error, as a part of the peak."""
        return float(np.abs(self.output - self.ideal, dtype=np.float64).mean())

    @property
    def envelope_error(self) -> float:
        """Mean absolute error of the RMS in windows of 11 samples, as a part of the peak."""
        return envelope_errors(*(sound[np.newaxis] for sound in (self.output, self.ideal, self.basic)))["env_rms"]


def local_level(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Follow the peak of a sound: its largest sample within LEVEL_SECONDS, smoothed over as many.

    A sound of fewer than four such windows has one level, its peak. Shapes: (samples,) -> (samples,) above 0.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    size, peak = np.abs(audio), float(np.abs(audio).max())
    window = round(LEVEL_SECONDS * sample_rate)
    if len(audio) < 4 * window:
        return np.full_like(audio, peak)
    return np.maximum(uniform_filter1d(maximum_filter1d(size, window), window), np.float32(QUIETEST * peak))


def shape_sound(
    shaper: "EnvelopeShaper",
    audio: NDArray[np.float32],
    classes: NDArray[np.intp],
    sample_rate: int = DEFAULT_SAMPLE_RATE,
) -> Shaped:
    """Put one sound under the envelope of three classes; silence stays silent.

    What the network should do is a product, so the level of the sound may be taken out before and put back after.

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
    on_fault: Callable[[InversynthError], None],
) -> Iterator[tuple[Path, Shaped]]:
    """Shape sounds one after another into `<name>_shaped.wav` and `.png`; yields each WAV with what is in it.

    `load` is called for the first sound that can be read. A sound at fault goes to `on_fault`.

    Args:
        levels: attack, sustain, release.
    Raises: ModelError for levels that the model does not know; SettingsError where a result would replace a sound.
    """
    targets = [(path, folder / f"{name}_shaped.wav") for path, name in name_folders(paths)]
    check_apart((written for _, target in targets for written in (target, target.with_suffix(".png"))), paths)
    shaper = None
    for path, target in targets:
        try:
            sound = _read(path)
            shaper = shaper or load()
            classes = shaper.classes_of(*levels)
            if not shaper.any_length and len(sound.audio) != shaper.samples:
                raise AudioError(
                    f"{shaper.loaded.path} shapes sounds of {shaper.samples} samples. Received: {len(sound.audio)} in "
                    f"{path}. Take a model of --model neurosynth, which shapes any length"
                )
            shaped = shape_sound(shaper, sound.audio, classes, sound.sample_rate)
            if sound.channels > 1:
                log.info("mixed the %d channels of %s down to one", sound.channels, path)
            write_audio(target, shaped.audio, sound.sample_rate)
            _draw(target.with_suffix(".png"), shaped, levels)
        except AudioError as fault:
            on_fault(fault)
            continue
        yield target, shaped


def _read(path: Path) -> Sound:
    """Read a sound, of a very long one no more than tells that it is. Raises AudioError."""
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

    Raises: DatasetError for a file that is none, lacks one of them, or holds them in another shape or kind; nothing is
    unpickled.
    """
    try:
        with zipfile.ZipFile(path):
            pass  # NumPy takes anything else for a pickle, and says so
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ("basic", "label") if name not in archive.files]
            if missing:
                held = ", ".join(archive.files) or "nothing"
                raise DatasetError(f"{path} must hold the arrays basic and label. Received: {held}")
            basic, label = archive["basic"], archive["label"]
    except FileNotFoundError:
        raise DatasetError(f"no such batch: {path}. Name an .npz file with the arrays basic and label") from None
    except (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{path} must be an .npz file of plain arrays. Received: {error}") from None
    for name, array in (("basic", basic), ("label", label)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            kind = array.dtype if isinstance(array, np.ndarray) else "no array"
            raise DatasetError(f"{name} of {path} must hold numbers. Received: {kind}")
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
    """Shape waveforms at the level they have, with a bar on a terminal.

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


def check_apart(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise SettingsError where writing a file would replace one that is read."""
    read = {_identity(path): path for path in inputs}
    for target in targets:
        if _identity(target) is not None and (path := read.get(_identity(target))):
            raise SettingsError(f"a result must not replace what it is made from: {path}. Write elsewhere")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever its name; None where there is none."""
    with suppress(OSError):
        return (found := path.stat()).st_dev, found.st_ino
    return None


# --- the door --------------------------------------------------------------------------------------------------


class ShapeSettings(Settings):
    """Put sounds (WAV, FLAC, OGG, MP3, AIFF) under an amplitude envelope, by a trained NeuroSynth."""

    flags_only: ClassVar = frozenset(
        {"sounds", "attack", "sustain", "release", "model", "output_directory", "batch", "output"}
    )

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    attack: float = Field(0.0, ge=0, le=1, allow_inf_nan=False, description="part of the sound in which it rises")
    sustain: float = Field(1.0, ge=0, le=1, allow_inf_nan=False, description="level between attack and release")
    release: float = Field(0.0, ge=0, le=1, allow_inf_nan=False, description="part of the sound in which it falls")
    model: str = Field("neurosynth", description="a bundled model, a run folder, or a .keras file")
    output_directory: Path = Field(Path("output"), description="where <name>_shaped.wav and .png are written")
    batch: Path | None = Field(
        None, description="in place of sounds: an .npz file with basic (n, samples) and label (n, 3), classes"
    )
    output: Path | None = Field(None, description="with --batch: the .npz file to write out (n, samples) into")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth shape") -> int:
    """Shape the sounds named, or a batch; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[InversynthError] = []
    code = run_command(ShapeSettings, lambda settings: _run(settings, faults), argv, prog, resumes=False)
    return code or (EXIT_FAULT if faults else 0)


def _run(settings: ShapeSettings, faults: list[InversynthError]) -> None:
    if bool(settings.sounds) == (settings.batch is not None):
        received = "both" if settings.sounds else "neither"
        raise SettingsError(f"name what to shape: either sounds or --batch FILE. Received: {received}. See --help")
    strangers = {"attack", "sustain", "release", "output_directory"} if settings.batch else {"output"}
    for name in sorted(strangers & settings.model_fields_set):
        goes = "sounds; a batch has its classes in label" if settings.batch else "--batch"
        raise SettingsError(f"--{name} goes with {goes}. Received: --{name} {getattr(settings, name)}. Leave it out")
    if settings.batch is not None:
        _run_batch(settings, settings.batch)
        return

    def on_fault(fault: InversynthError) -> None:
        faults.append(fault)
        print(" ".join(f"{type(fault).__name__}: {fault}".split()), file=sys.stderr)

    levels = settings.attack, settings.sustain, settings.release
    load = _loader(settings.model)
    for target, shaped in shape_files(settings.sounds, load, levels, settings.output_directory, on_fault):
        print(
            f"{target.stem}: mean absolute error {shaped.error:.4f}, envelope error {shaped.envelope_error:.4f} "
            f"-> {target}"
        )


def _run_batch(settings: ShapeSettings, batch: Path) -> None:
    output = settings.output
    if output is None:
        raise SettingsError("--batch needs --output. Received: none. Name the .npz file to write")
    if output.suffix.lower() != ".npz":
        raise SettingsError(f"--output must end in .npz. Received: {output}")
    check_apart([output], [batch])
    load = _loader(settings.model)
    basic, label = read_batch(batch)
    out = shape_batch(load(), basic, label)
    with writing(output), written_whole(output) as partial, partial.open("wb") as file:
        np.savez(file, out=out)  # by name it would end an .NPZ in .npz once more
    print(f"{len(out):,} sounds of {out.shape[1]:,} samples -> {output}")


def _loader(name: str) -> "Callable[[], EnvelopeShaper]":
    """Find a model at once, and return what loads it (and TensorFlow). Raises ModelError."""
    from inversynth.pretrained import find_model

    path = find_model(name)

    def load() -> "EnvelopeShaper":
        from models.neurosynth.inference import load_envelope_shaper

        return load_envelope_shaper(path)

    return load


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.neurosynth.shape"))
