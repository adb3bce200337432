"""Audio files in and out: any common format, rate and channel count in; lossless 32-bit float WAV out.

Reading goes through soundfile (WAV, FLAC, OGG, MP3, AIFF), resampling through soxr, whole or block by block.
Whatever a header promises, memory is bounded; of a file that ends early, what can be decoded is used.
"""

import contextlib
import io
import logging
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from generators.errors import AudioError, os_reason
from generators.files import check_readable_file, written_whole

log = logging.getLogger(__name__)

SILENCE_PEAK = 1e-5
"""Largest absolute sample (-100 dB of full scale) below which a sound counts as silent."""

SAMPLE_RATES = range(1_000, 768_001)
"""Hertz: below, no sound of a synth is left; above, there is no converter (768 kHz is 16 times 48 kHz)."""

MOST_CHANNELS = 64
"""Seventh-order ambisonics, the most that is recorded, has as many."""

MOST_SAMPLES = 1 << 28
"""Of a sound in memory: 93 minutes at 48 kHz, 1 GB. Compressed files may promise, and hold, any number."""

LONGEST_FILE = 1 << 33
"""Samples a channel that are decoded block by block: 50 hours at 48 kHz. A megabyte of FLAC may hold as many."""

MOST_RATIO = 256
"""Between two sample rates of a conversion: its filter and its result grow with it. From 1 kHz to 192 kHz it is 192."""

LOUDEST = 2.0**31
"""Largest absolute sample: that of 32-bit integers stored as floats without scaling. Squares of more overflow."""

BLOCK = 1 << 20
"""Samples of all channels that are decoded, or resampled, at once, 4 MB."""

RINGING = 85
"""Samples of the lower rate, before and after an edge, in which a resampled sound rings above -90 dB of its peak."""

MP3_SLACK = 2 * 1152
"""Samples, two frames of an MP3: an encoder's delay and padding, by which a count may differ from its header."""

OGG_PAGE = 27 + 255 + 255 * 255
"""Bytes of the largest page of an Ogg stream."""

MOST_CHUNKS = 1000
"""Of a WAV that are searched for one: writers make a dozen at most."""

PEAK_TIME = 12
"""Where in a PEAK chunk the seconds since 1970 stand: after its name, its size and its version."""

PIPED_SIZE = 0x7FFFF000
"""Sizes from here on stand in a WAV whose writer could not know its own: 0x7FFFFFFF, 0xFFFFFFFF and a little less."""

_STDERR = threading.Lock()
"""Held while standard error is silenced, which is one for all threads."""


@dataclass(frozen=True)
class Sound:
    """A sound as it was read: `audio` (samples,) float32 mono, with its own rate and the channel count of the file.

    `cut` says that the file ended before its sound did.
    """

    audio: NDArray[np.float32]
    sample_rate: int
    channels: int
    path: Path | None = None
    cut: bool = False

    @property
    def length(self) -> float:
        """Seconds."""
        return len(self.audio) / self.sample_rate


@dataclass(frozen=True)
class Header:
    """What a file says of itself: `frames` are samples a channel, `subtype` how they are stored (`PCM_16`).

    `comment` is what its writer noted in it.
    """

    format: str
    sample_rate: int
    channels: int
    frames: int
    subtype: str
    comment: str = ""


class AudioFile:
    """An open sound, decoded from its beginning on in blocks.

    Attributes: path, header; `cut` is set once a reader met an end before the one that the file promises.
    """

    def __init__(self, path: Path, file: soundfile.SoundFile) -> None:
        self.path, self._file = path, file
        frames, comment = max(file.frames, 0), file.comment
        self.header = Header(file.format, file.samplerate, file.channels, frames, file.subtype, comment)
        endings = {"OGG": _ogg_is_cut, "WAV": _wav_is_cut, "WAVEX": _wav_is_cut}
        self.cut = file.format in endings and endings[file.format](path)
        self._place = 0

    def seek(self, frame: int) -> None:
        """Go on from a sample, or from the end where it lies beyond. Raises: AudioError where it cannot be reached."""
        with _reading(self.path):
            self._place = self._file.seek(min(frame, self.header.frames))

    def blocks(self, frames: int | None = None, most: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield what follows, in blocks of (frames, channels) float32, the last one shorter.

        Args:
            frames: samples a channel of a block; by default as many as make 4 MB. most: samples a channel in all.
        Raises: AudioError for samples that cannot be decoded, are not finite, or beyond ±2^31.
        """
        size = frames or max(BLOCK // self.header.channels, 1)
        left = LONGEST_FILE if most is None else most
        while left > 0:
            block = self._read(min(size, left))
            if not len(block):
                return
            peak = float(np.abs(block).max())
            if not peak <= LOUDEST:
                if np.all(np.isfinite(block)):
                    raise AudioError(f"samples must lie within ±2^31. Received: {peak:.3g} in {self.path}. Scale it")
                raise AudioError(f"samples must be finite. Received: NaN or infinity in {self.path}")
            yield block
            left -= len(block)
        if most is None:
            raise AudioError(f"a sound has at most {LONGEST_FILE:,} samples. Received: more in {self.path}. Cut it")

    def _read(self, frames: int) -> NDArray[np.float32]:
        out = np.empty((frames, self.header.channels), np.float32)
        lossless = self._file.format == "FLAC"
        if lossless:
            out.fill(np.nan)  # marks what the decoder did not reach: it does not count where it fails
        try:
            with _reading(self.path), _without_notices(self._file.format == "MP3"):
                block = self._file.read(dtype="float32", always_2d=True, out=out)
        except AudioError:
            decoded = int(np.argmax(np.isnan(out[:, 0])))
            if not lossless or self._place + decoded == 0:
                raise
            self.cut = True
            self._place += decoded
            return out[:decoded]
        self._place += len(block)
        slack = {"MP3": MP3_SLACK, "FLAC": 0}.get(self._file.format)
        if not len(block) and slack is not None and self._place < self.header.frames - slack:
            self.cut = True
        return block


@contextlib.contextmanager
def open_audio(path: str | os.PathLike[str]) -> Iterator[AudioFile]:
    """Open a sound to read it in blocks; a file that turns out to end early is noted in the log.

    Raises: AudioError for what is no regular file, no audio, or beyond the bounds of rate and channels.
    """
    path = Path(path)
    if not check_readable_file(path, "sound", AudioError):
        raise AudioError(f"cannot read {path} as audio (WAV, FLAC, OGG, MP3 or AIFF). Received: an empty file")
    with contextlib.ExitStack() as stack:
        with _reading(path), _without_notices(_may_be_mp3(path)):
            file = stack.enter_context(_decoder(path))
        if file.samplerate not in SAMPLE_RATES:
            raise AudioError(
                f"a sample rate lies in {SAMPLE_RATES[0]:,}..{SAMPLE_RATES[-1]:,} Hz. Received: {file.samplerate:,} Hz "
                f"in {path}"
            )
        if file.channels > MOST_CHANNELS:
            raise AudioError(
                f"a sound has at most {MOST_CHANNELS} channels. Received: {file.channels} in {path}. Mix them down"
            )
        audio = AudioFile(path, file)
        yield audio
        if audio.cut:
            _note_cut(path)


@lru_cache(maxsize=1000)
def _note_cut(path: Path) -> None:
    """Log that a file is not whole; once, for commands read a sound more than once."""
    log.warning("%s ends before its sound does: what could be decoded is used", path)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read what a sound says of itself. Raises: AudioError as `open_audio`."""
    with open_audio(path) as file:
        return file.header


def read_audio(path: str | os.PathLike[str], *, start: float = 0.0, length: float | None = None) -> Sound:
    """Read a file as mono float32 at its own rate.

    Args:
        start: seconds to skip. length: seconds at most (bounded memory for long files); None reads to the end.
    Raises: AudioError for a missing file, a folder, no audio, no samples, NaN and infinite samples, and more than
        MOST_SAMPLES.
    """
    path = Path(path)
    with open_audio(path) as file:
        rate, channels = file.header.sample_rate, file.header.channels
        file.seek(round(min(start * rate, file.header.frames)))
        asked = MOST_SAMPLES + 1 if length is None else max(1, round(min(length * rate, MOST_SAMPLES)))
        pieces = [block.mean(axis=1, dtype=np.float32) for block in file.blocks(most=asked)]
    audio = pieces[0] if len(pieces) == 1 else np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    if not len(audio):
        raise AudioError(f"a sound needs samples. Received: none in {path}")
    if len(audio) > MOST_SAMPLES:
        raise AudioError(
            f"a sound has at most {MOST_SAMPLES:,} samples, {MOST_SAMPLES / rate / 60:.0f} minutes at {rate} Hz. "
            f"Received: more in {path}. Cut it into pieces"
        )
    return Sound(audio, rate, channels, path, file.cut)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise what soundfile raises as an AudioError, in one line."""
    try:
        yield
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        message = f"cannot read {path} as audio (WAV, FLAC, OGG, MP3 or AIFF). Received: {_reason(error)}"
        raise AudioError(message) from None
    except OSError as error:
        raise AudioError(f"cannot open {path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return the reason of an error in a few words; libsndfile keeps that of the system to itself."""
    if isinstance(error, OSError):
        return os_reason(error)
    text = str(getattr(error, "error_string", error)).rstrip(".")
    return "the disk may be full" if text in ("", "System error") else text


@contextlib.contextmanager
def _decoder(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a decoder: the content alone decides the format, not the name, which may be of any bytes."""
    size_field = _unwritten_size(path)
    with _PipedWav(path, size_field) if size_field else path.open("rb", buffering=0) as raw:
        by_number = not size_field and os.name == "posix"
        with soundfile.SoundFile(raw.fileno() if by_number else raw, closefd=False) as file:
            yield file


class _PipedWav(io.FileIO):
    """A WAV whose size was never filled in, for it went through a pipe: reads as if its samples went to the end."""

    def __init__(self, path: Path, size_field: int) -> None:
        super().__init__(path, "rb")
        self._first = size_field
        self.name = "sound"  # soundfile would guess a format from the suffix

    def readinto(self, buffer: Any, /) -> int:
        start = self.tell()
        count = super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        for place in range(self._first, self._first + 4):
            if 0 <= place - start < count:
                view[place - start] = 0xFF
        return count


def _unwritten_size(path: Path) -> int:
    """Return where in a WAV the size of the samples stands if it is 0 although samples follow, else 0."""
    with _reading(path), path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        place = _find_chunk(file, b"data")
        if not place or _size_at(file, place) or place + 8 >= end:
            return 0
        following = place + 8
        for _ in range(MOST_CHUNKS):  # chunks in a row up to the end are no samples
            file.seek(following)
            name = file.read(4)
            if following >= end or not (len(name) == 4 and name.isascii() and name.decode().isprintable()):
                break
            size = _size_at(file, following)
            following += 8 + size + size % 2
        return 0 if following in (end, end + 1) else place + 4


def _find_chunk(file: Any, name: bytes) -> int:
    """Return where a chunk of an open WAV begins, or 0."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0
    place = 12
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        found = file.read(4)
        if found == name:
            return place
        if len(found) < 4:
            return 0
        size = _size_at(file, place)
        place += 8 + size + size % 2
    return 0


def _size_at(file: Any, chunk: int) -> int:
    file.seek(chunk + 4)
    field = file.read(4)
    return int.from_bytes(field, "little") if len(field) == 4 else 0


def _wav_is_cut(path: Path) -> bool:
    """Return whether the samples of a WAV are fewer than its header says; sizes from a pipe say nothing."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        place = _find_chunk(file, b"data")
        return place > 0 and end - place - 8 < _size_at(file, place) < PIPED_SIZE


def _ogg_is_cut(path: Path) -> bool:
    """Return whether the last page of an Ogg stream is incomplete, or not marked as its last."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 2 * OGG_PAGE, 0))
        content = file.read()
    page = content[content.rfind(b"OggS") :]
    if len(page) < 27 or page[:4] != b"OggS":
        return True
    return not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _may_be_mp3(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(3)
    return head == b"ID3" or (len(head) == 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


@contextlib.contextmanager
def _without_notices(silence: bool) -> Iterator[None]:
    """Silence what a C library (libmpg123) prints to standard error itself."""
    if not silence:
        yield
        return
    with _STDERR, contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
            stack.callback(os.close, kept)
            null = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, null)
        except OSError:  # there is no standard error
            yield
            return
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)


def check_audible(audio: NDArray[np.floating], label: str) -> None:
    """Raise AudioError where a sound is silent (peak below -100 dB of full scale)."""
    if not len(audio) or float(np.abs(audio).max()) < SILENCE_PEAK:
        raise AudioError(f"a sound must be audible (peak above -100 dB). Received: silence in {label}")


def resample(audio: NDArray[np.float32], sample_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Change the sample rate by a linear-phase low-pass at 0.913 of half the lower rate, with aliases below -120 dB.

    Sample 0 stays at time 0, to a thousandth of a sample over ten minutes. Before and after the sound is silence:
    nothing wraps, and the filter rings for RINGING samples of the lower rate around an edge.

    Shapes: (samples,) -> (ceil(samples * target_rate / sample_rate),).
    Raises: AudioError for rates further apart than MOST_RATIO, and for a result of more than MOST_SAMPLES.
    Source: libsoxr at its quality HQ (20 bits).
    """
    if sample_rate == target_rate:
        return audio
    _check_conversion(len(audio), sample_rate, target_rate)
    return np.concatenate([np.empty(0, np.float32), *resample_blocks([audio], sample_rate, target_rate)])


def resample_blocks(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int, target_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Change the sample rate of a sound of any length that comes in blocks: the samples of `resample`, to the bit.

    Shapes: (samples,) each; those yielded have up to 2 * BLOCK samples, or are the given ones where rates are equal.
    Raises: AudioError for rates further apart than MOST_RATIO.
    """
    if sample_rate == target_rate:
        yield from blocks
        return
    _check_conversion(0, sample_rate, target_rate)
    import soxr

    stream = soxr.ResampleStream(sample_rate, target_rate, 1, dtype="float32", quality="HQ")
    step = max(1, min(BLOCK, BLOCK * sample_rate // target_rate))
    samples = made = 0
    for block in blocks:
        for start in range(0, len(block), step):
            out = stream.resample_chunk(np.ascontiguousarray(block[start : start + step], np.float32))
            made += len(out)
            if len(out):
                yield out
        samples += len(block)
    left = -(-samples * target_rate // sample_rate) - made  # the ceiling; soxr alone would round
    silence = np.zeros(ceil(sample_rate / target_rate), np.float32)
    if left > 0:
        yield stream.resample_chunk(silence, last=True)[:left]


def _check_conversion(samples: int, sample_rate: int, target_rate: int) -> None:
    if not 0 < max(sample_rate, target_rate) <= MOST_RATIO * min(sample_rate, target_rate):
        raise AudioError(
            f"two sample rates differ by a factor of at most {MOST_RATIO}. Received: {sample_rate} Hz to become "
            f"{target_rate} Hz"
        )
    if samples * target_rate > MOST_SAMPLES * sample_rate:
        raise AudioError(
            f"a sound has at most {MOST_SAMPLES:,} samples. Received: {samples:,} at {sample_rate} Hz to become "
            f"{target_rate} Hz. Cut it into pieces"
        )


def write_audio(
    path: str | os.PathLike[str],
    audio: ArrayLike,
    sample_rate: int,
    *,
    bits: Literal[16, 32] = 32,
    comment: str = "",
) -> Path:
    """Write a mono 32-bit float WAV, or one of 16-bit integers, or a 16-bit FLAC where the name ends so; whole or not.

    The same sound gives the same bytes at any time.

    Args:
        comment: stored in the file.
    Raises: AudioError where the folder cannot be made or written.
    """
    path = Path(path)
    with writing_audio(path), written_whole(path) as partial:
        flac = path.suffix.lower() == ".flac"
        subtype, kind = "PCM_16" if flac or bits == 16 else "FLOAT", "FLAC" if flac else "WAV"
        with soundfile.SoundFile(system_path(partial), "w", sample_rate, 1, subtype, format=kind) as file:
            if comment:
                file.comment = comment
            file.write(np.asarray(audio, np.float32))
        clear_write_time(partial)
    return path


@contextlib.contextmanager
def writing_audio(path: str | os.PathLike[str], place: str = "a folder") -> Iterator[None]:
    """Raise what soundfile and the system raise while a file is written as an AudioError, in one line.

    Args:
        place: what to name instead, for the message: an --output.
    """
    try:
        yield
    except (OSError, soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
        message = f"cannot write {path}: {_reason(error)}. Name {place} with room that you may write to"
        raise AudioError(message) from None


def clear_write_time(path: str | os.PathLike[str]) -> None:
    """Set the time in the PEAK chunk of a float WAV to 0, so that its bytes follow from the sound alone."""
    with open(path, "r+b") as file:
        place = _find_chunk(file, b"PEAK")
        if place:
            file.seek(place + PEAK_TIME)
            file.write(struct.pack("<I", 0))


def system_path(path: Path) -> str | bytes:
    """Return a path as libsndfile opens it: soundfile encodes text strictly, and names may be of any bytes."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def full_scale_gain(sounds: Iterable[NDArray[np.floating[Any]]]) -> float:
    """Return the gain, 1 or less, at which none of some sounds is above full scale; it is logged where below 1."""
    peak = max((float(np.abs(sound).max(initial=0.0)) for sound in sounds), default=0.0)
    if peak <= 1.0:
        return 1.0
    log.info("turned down by %.1f dB, to full scale", 20.0 * np.log10(peak))
    return 1.0 / peak


def normalise_peak(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each sound (…, samples) to an absolute peak of 1; silence stays silent."""
    peak = np.abs(audio).max(axis=-1, keepdims=True)
    return (audio / np.where(peak > 0.0, peak, 1.0)).astype(np.float32)
