"""An index of the prior's voices by their sound: which of them are nearest to a sound, as starts of a search.

Each voice is rendered at five notes; what the log-mel distance compares (`generators.analysis.distance`) is averaged
over segments of time, short ones at the attack, and reduced to 48 principal components of one byte. The components of
the held part and of the release stand apart, so that a sound that is cut before its release can be compared too.

`python -m generators.dx7.voice_index` makes the file that comes with the package.
"""

import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.analysis.distance import RESOLUTIONS, log_mel_levels
from generators.audio import resample
from generators.command import run_command
from generators.dx7.engine import render
from generators.dx7.prior import sample_voices
from generators.dx7.voice import NAME_LENGTH, PACKED_BYTES, VOICE_BYTES, pack_voice, unpack_voice, voices_from_values
from generators.errors import AudioError, DatasetError, ParameterError
from generators.files import writing, written_whole
from generators.settings import Settings

NOTES = (36, 48, 60, 72, 84)
"""C2 to C6: a sound is compared with the nearest of them, and is at most half an octave away but at the ends."""

VELOCITY, HOLD, LENGTH = 100, 0.75, 1.0
"""Of the notes in the index; seconds."""

RENDER_RATE, SAMPLE_RATE = 44100, 22050
"""Hz at which voices are rendered, so that aliases are those of the instrument, and at which they are compared."""

SEGMENTS = (0.0, 0.01, 0.02, 0.035, 0.055, 0.08, 0.12, 0.17, 0.23, 0.3, 0.38, 0.47, 0.57, 0.66, 0.75, 0.8, 0.86, 1.0)
"""Seconds at which segments begin and end; a resolution whose frames are longer leaves out what it has no frame for."""

HELD_SIZE, RELEASE_SIZE = 40, 8
"""Principal components of the part before and after note-off."""

FIT_VOICES = 1500
"""Voices, by all notes, on which the components are fitted."""

TO_DISTANCE = 0.7
"""By which a root mean square of differences is multiplied to approximate their mean, the log-mel distance."""

CHUNK = 64
"""Sounds that are rendered and analysed at once."""

BUNDLED = Path(__file__).parent / "data" / "voice_index.npz"

VERSION = 1
"""Of the file and of what is measured; an index of another version is refused."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """Principal components of one part of the sounds.

    Shapes: `mean` (size,); `basis` (size, components); a component counts `step` dB for each unit of its byte.
    """

    mean: Floats
    basis: Floats
    step: float

    @classmethod
    def fit(cls, features: Floats, components: int) -> Self:
        """Fit components and the step, by which the largest value of all is 127. Shapes: (n, size)."""
        mean = features.mean(axis=0)
        centred = features - mean
        _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))  # in rising order
        basis = np.ascontiguousarray(vectors[:, : -components - 1 : -1]).astype(np.float16).astype(np.float32)
        step = float(np.abs(centred @ basis).max() / 127.0)
        return cls(mean.astype(np.float32), basis, step)

    def __call__(self, features: Floats) -> Floats:
        """Project features (n, size) to components in units of `step`, (n, components)."""
        return np.asarray((features - self.mean) @ self.basis / np.float32(self.step), np.float32)


@dataclass(frozen=True)
class VoiceIndex:
    """Voices and what they sound like.

    Attributes:
        packed: voices as a bank holds them, without their names, (voices, 128). held, release: components of each
            voice at each of NOTES, (notes, voices, components) int8. projections: those of held and release.
    """

    packed: NDArray[np.uint8]
    held: NDArray[np.int8]
    release: NDArray[np.int8]
    projections: tuple[Projection, Projection]

    def __len__(self) -> int:
        return len(self.packed)

    @classmethod
    def build(cls, voices: ArrayLike, workers: int | None = None) -> Self:
        """Render and analyse voices (n, 155), n > 0; the components are fitted on a part of them."""
        values = np.asarray(voices)
        chosen = np.linspace(0, len(values) - 1, min(len(values), FIT_VOICES)).astype(int)
        held, release = zip(*(features for _, _, features in _analysed(values[chosen], workers)), strict=True)
        projections = (
            Projection.fit(np.concatenate(held), HELD_SIZE),
            Projection.fit(np.concatenate(release), RELEASE_SIZE),
        )
        return cls(_packed(values), *_components(values, projections, workers), projections)

    def extended(self, voices: ArrayLike, workers: int | None = None) -> Self:
        """Return an index with further voices (n, 155), such as those of a user's banks, by the same components."""
        values = np.asarray(voices)
        held, release = _components(values, self.projections, workers)
        return replace(
            self,
            packed=np.concatenate([self.packed, _packed(values)]),
            held=np.concatenate([self.held, held], axis=1),
            release=np.concatenate([self.release, release], axis=1),
        )

    def nearest(
        self, audio: ArrayLike, sample_rate: int, note: float, count: int = 40, released: bool = True
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return the voices that sound most like a sound, nearest first.

        Args:
            audio: (samples,), from its onset on; what follows LENGTH is not looked at. note: its MIDI note, with a
                fraction. released: whether it ends about HOLD seconds after its onset, as the notes of the index do.
        Returns: voices (count, 155), fewer where the index has fewer; their approximate distances in dB (count,).
        Raises: AudioError for silence and what is no single sound; ParameterError for another note or count.
        """
        if not 0 <= note <= 127:
            raise ParameterError(f"note is a MIDI note from 0 to 127. Received: {note}")
        if count < 1:
            raise ParameterError(f"count is at least 1. Received: {count}")
        sound = np.asarray(audio, np.float32)
        if sound.ndim != 1 or not len(sound) or not np.isfinite(sound).all() or not sound.any():
            raise AudioError(f"a sound must be audible and finite, (samples,). Received: an array of {sound.shape}")
        place = int(np.argmin(np.abs(np.array(NOTES) - note)))
        features = _shifted_features(sound, sample_rate, NOTES[place] - note)
        squares = np.zeros(len(self), np.float32)
        for projection, table, feature in zip(
            self.projections[: 1 + released], (self.held, self.release), features, strict=False
        ):
            difference = table[place].astype(np.float32) - projection(feature)
            squares += np.einsum("ij,ij->i", difference, difference) * np.float32(projection.step**2)
        order = np.argsort(squares, kind="stable")[:count]
        voices = np.array([np.frombuffer(unpack_voice(row.tobytes()), np.uint8) for row in self.packed[order]])
        return voices.reshape(-1, VOICE_BYTES), TO_DISTANCE * np.sqrt(squares[order].astype(np.float64))

    def save(self, path: str | Path) -> Path:
        """Write the index, compressed. Raises DatasetError where it cannot be written."""
        path = Path(path)
        arrays = {"version": np.array(VERSION), "packed": self.packed, "held": self.held, "release": self.release}
        for name, projection in zip(("held", "release"), self.projections, strict=True):
            arrays[f"{name}_mean"] = projection.mean.astype(np.float16)
            arrays[f"{name}_basis"] = projection.basis.astype(np.float16)
            arrays[f"{name}_step"] = np.array(projection.step)
        with writing(path, DatasetError), written_whole(path) as partial:
            np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an index. Raises DatasetError for a file that is none, or of another version."""
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if int(arrays["version"]) != VERSION:
                raise ValueError(f"version {arrays['version']}")
            projections = [
                Projection(
                    arrays[f"{name}_mean"].astype(np.float32),
                    arrays[f"{name}_basis"].astype(np.float32),
                    float(arrays[f"{name}_step"]),
                )
                for name in ("held", "release")
            ]
            found = cls(arrays["packed"], arrays["held"], arrays["release"], (projections[0], projections[1]))
            found._check()
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{path} must be an index of DX7 voices, version {VERSION}. Received: {error}") from None
        return found

    def _check(self) -> None:
        """Raise ValueError where the arrays do not belong together."""
        wanted: list[tuple[int, NDArray[Any], Any]] = [(PACKED_BYTES, self.packed, np.uint8)]
        wanted += [
            (p.basis.shape[1], t, np.int8) for p, t in zip(self.projections, (self.held, self.release), strict=True)
        ]
        for width, table, kind in wanted:
            shape = (len(self), width) if table.ndim == 2 else (len(NOTES), len(self), width)
            if table.shape != shape or table.dtype != kind:
                raise ValueError(f"{table.dtype} of shape {table.shape}")


@lru_cache(maxsize=1)
def bundled_index() -> VoiceIndex:
    """Return the index that comes with the package: voices of the prior, none of anybody's banks."""
    return VoiceIndex.load(BUNDLED)


# --- features ---------------------------------------------------------------------------------------------------------


def _analysed(values: NDArray[np.integer], workers: int | None) -> Iterator[tuple[int, slice, tuple[Floats, Floats]]]:
    """Yield place of the note, voices and their features, chunk by chunk."""
    samples = round(LENGTH * SAMPLE_RATE)
    for place, note in enumerate(NOTES):
        for first in range(0, len(values), CHUNK):
            part = slice(first, min(first + CHUNK, len(values)))
            audio = render(values[part], note, VELOCITY, HOLD, LENGTH, RENDER_RATE, workers)
            sounds = np.stack([resample(sound, RENDER_RATE, SAMPLE_RATE)[:samples] for sound in audio])
            yield place, part, _features(sounds)


def _components(
    values: NDArray[np.integer], projections: tuple[Projection, Projection], workers: int | None
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the components of voices, (notes, n, components) of each part."""
    held, release = (np.empty((len(NOTES), len(values), p.basis.shape[1]), np.int8) for p in projections)
    for place, part, features in _analysed(values, workers):
        for table, projection, feature in zip((held, release), projections, features, strict=True):
            table[place, part] = np.clip(np.round(projection(feature)), -127, 127)
    return held, release


def _shifted_features(sound: Floats, sample_rate: int, semitones: float) -> tuple[Floats, Floats]:
    """Return the features of a sound at another pitch, (1, size) each: its times stay, its spectrum moves."""
    samples = round(LENGTH * sample_rate)
    cut = np.zeros(samples, np.float32)
    cut[: len(sound)] = sound[:samples]
    speed = 2.0 ** (semitones / 12.0)
    return _features(resample(cut, sample_rate, round(SAMPLE_RATE / speed))[None], speed)


def _features(audio: Floats, speed: float = 1.0) -> tuple[Floats, Floats]:
    """Return the levels of sounds averaged over segments, before and after note-off.

    A squared difference of features is the mean squared difference of levels, by the weights of the distance.

    Args:
        audio: (n, samples) at SAMPLE_RATE. speed: how many times as fast they run as they did.
    """
    parts: tuple[list[Floats], list[Floats]] = ([], [])
    for (_, hop, bands), levels in zip(RESOLUTIONS, log_mel_levels(audio, SAMPLE_RATE), strict=True):
        centres = (np.arange(levels.shape[1]) + 0.5) * hop * speed
        for begin, end in _segments(hop):
            frames = np.flatnonzero((centres >= begin) & (centres < end))
            if not len(frames):
                frames = np.array([np.argmin(np.abs(centres - (begin + end) / 2.0))])
            weight = np.sqrt((end - begin) / LENGTH / bands / len(RESOLUTIONS))
            parts[begin >= HOLD].append(levels[:, frames].mean(axis=1) * np.float32(weight))
    return np.concatenate(parts[0], axis=1), np.concatenate(parts[1], axis=1)


@lru_cache(maxsize=len(RESOLUTIONS))
def _segments(hop: float) -> tuple[tuple[float, float], ...]:
    """Return begin and end of the segments of a resolution: neighbours are joined until each holds a frame."""
    found, begin = [], 0.0
    for end in SEGMENTS[1:]:
        if np.floor(end / hop - 0.5 + 1e-9) > np.floor(begin / hop - 0.5 - 1e-9):
            found.append((begin, end))
            begin = end
    return tuple(found)


def _packed(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Pack voices, their names left blank, (n, 128)."""
    rows = [np.frombuffer(pack_voice(voice), np.uint8) for voice in voices_from_values(values)]
    packed = np.array(rows, np.uint8).reshape(-1, PACKED_BYTES)
    packed[:, PACKED_BYTES - NAME_LENGTH :] = ord(" ")
    return packed


# --- the command ------------------------------------------------------------------------------------------------------


class VoiceIndexSettings(Settings):
    """Make the index of the prior's voices that comes with the package."""

    flags_only: ClassVar = frozenset({"num", "seed", "output"})

    num: int = Field(12_000, ge=1, description="voices")
    seed: int = Field(0, ge=0, description="of the prior")
    output: Path = Field(BUNDLED, description="file to write")


def main(argv: Sequence[str] | None = None) -> int:
    """Sample voices, analyse them and write the index; returns the exit code."""
    return run_command(VoiceIndexSettings, _run, argv, "python -m generators.dx7.voice_index", resumes=False)


def _run(settings: VoiceIndexSettings) -> None:
    voices, _ = sample_voices(settings.num, settings.seed)
    path = VoiceIndex.build(voices).save(settings.output)
    print(f"{path.name}: {len(voices):,} voices at {len(NOTES)} notes, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
