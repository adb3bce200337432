"""SoundFont 2 files: the sample regions of a note of a preset, with all their generators resolved.

SoundFont 3, whose samples are Ogg Vorbis streams, is read too: a sample is decoded where it is played first.

Source: E-mu, SoundFont Technical Specification 2.04; the extension SF3 of MuseScore. Written here because no package
that installs everywhere renders at the right pitch: symusic 0.5.9 plays A4 of the piano of TimGM6mb at 1662 Hz. All
modulators but the default one from velocity to level are ignored.
"""

import hashlib
import importlib.util
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import AudioError, ParameterError, os_reason, unknown
from generators.files import check_readable_file

MOST_BYTES = 1 << 30
"""Of a font, which is read at once; the largest that are common have 500 MB."""

MOST_FRAMES = 1 << 24
"""Of a compressed sample: six minutes at 48 kHz, 32 MB; a note of a piano rings for half a minute."""

DECODED = 64
"""Decoded samples that are kept: those of one instrument."""

DEEPEST = 3
"""Lists within lists; a font has lists within its RIFF alone."""

COMPRESSED = 0x10
"""Bit in the type of a sample that is an Ogg Vorbis stream (SF3)."""

KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE = 43, 44, 41, 53
START, END, LOOP_START, LOOP_END = (0, 4), (1, 12), (2, 45), (3, 50)
"""Generators that offset the start, end and loop points of a sample: in samples, and in units of 32,768."""
KEY, VELOCITY, MODES, ROOT = 46, 47, 54, 58

GENERATORS = 61
FULL_RANGE = 127 << 8
DEFAULTS = np.zeros(GENERATORS, np.int64)
DEFAULTS[[21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38]] = -12000
DEFAULTS[[8, 56, KEY, VELOCITY, ROOT, KEY_RANGE, VELOCITY_RANGE]] = 13500, 100, -1, -1, -1, FULL_RANGE, FULL_RANGE
DEFAULTS[[INSTRUMENT, SAMPLE]] = -1

NOTHING = np.zeros(GENERATORS, np.int64)
"""Generators of a preset that adds nothing to its instruments."""
NOTHING[[KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE]] = FULL_RANGE, FULL_RANGE, -1, -1

OF_SAMPLES = (*START, *END, *LOOP_START, *LOOP_END, KEY, VELOCITY, MODES, 57, ROOT)
"""Generators that are not allowed in a preset (specification 8.5)."""

RECORDS: dict[str, Any] = {
    "phdr": [("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")],
    "pbag": [("generator", "<u2"), ("modulator", "<u2")],
    "pgen": [("kind", "<u2"), ("amount", "<i2")],
    "inst": [("name", "S20"), ("bag", "<u2")],
    "ibag": [("generator", "<u2"), ("modulator", "<u2")],
    "igen": [("kind", "<u2"), ("amount", "<i2")],
    "shdr": [
        *(("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4")),
        *(("rate", "<u4"), ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")),
    ],
}


@dataclass(frozen=True)
class Region:
    """A sample and how to play it: positions in the font's samples, hertz, cents, generators by number."""

    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction: int
    generators: NDArray[np.int64]
    stream: int | None = None
    """Number of the compressed sample that the positions belong to; None for those of the font."""


class SoundFont:
    """An SF2 or SF3 file, read once: presets by (bank, number), and 16-bit samples.

    Raises: AudioError for a missing file and for one that is no SoundFont 2.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        check_readable_file(self.path, "SoundFont", AudioError, most_bytes=MOST_BYTES, hint="Name an SF2 or SF3 file")
        try:
            self._bytes = self.path.read_bytes()
        except OSError as error:
            raise AudioError(f"cannot open {self.path}: {os_reason(error)}. Name an SF2 or SF3 file") from None
        self._decode = lru_cache(DECODED)(self._decoded)
        try:
            self._read()
        except (ValueError, LookupError) as error:
            raise AudioError(f"a SoundFont is an SF2 or SF3 file. Received: {self.path}, {error}") from None

    @cached_property
    def digest(self) -> str:
        """A short hash of the file."""
        return hashlib.sha256(self._bytes).hexdigest()[:16]

    def name(self, bank: int, number: int) -> str:
        """Return the name of a preset. Raises ParameterError for one that the file lacks."""
        self._check(bank, number)
        return str(self.presets[bank, number][0])

    def samples_of(self, region: Region) -> NDArray[np.int16]:
        """Return the samples that the positions of a region count.

        Raises: AudioError for a compressed sample that cannot be decoded.
        """
        return self.samples if region.stream is None else self._decode(region.stream)

    def _decoded(self, sample: int) -> NDArray[np.int16]:
        """Decode a compressed sample; of several channels, the first."""
        import soundfile  # a fifth of a second that fonts without compression never need

        header = self._tables["shdr"][sample]
        stream = bytes(self._pool[int(header["start"]) : int(header["end"])])
        try:
            with soundfile.SoundFile(io.BytesIO(stream)) as file:
                audio = file.read(MOST_FRAMES, dtype="int16", always_2d=True)[:, 0]
        except (soundfile.LibsndfileError, ValueError, OSError) as error:
            reason = getattr(error, "error_string", error)
            raise AudioError(
                f"sample {sample} of {self.path} must be an Ogg Vorbis stream. Received: {len(stream)} bytes, {reason}"
            ) from None
        audio = np.ascontiguousarray(audio)
        audio.setflags(write=False)
        return audio

    def regions(self, bank: int, number: int, key: int, velocity: int) -> list[Region]:
        """Return the regions of a key and a velocity; none where the preset covers neither.

        Raises: ParameterError for a preset that the file lacks, AudioError for one with broken references.
        """
        self._check(bank, number)
        try:
            return self._regions(bank, number, key, velocity)
        except (LookupError, ValueError) as error:
            raise AudioError(f"preset {bank}:{number} of {self.path} must be whole. Received: {error}") from None

    def _regions(self, bank: int, number: int, key: int, velocity: int) -> list[Region]:
        _, first, last = self.presets[bank, number]
        found = []
        for zone, instrument in self._zones("pbag", "pgen", first, last, INSTRUMENT, NOTHING):
            if not _holds(zone, key, velocity):
                continue
            added = zone.copy()
            added[[*OF_SAMPLES, KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE]] = 0
            bags = self._tables["inst"]["bag"]
            ends = int(bags[instrument]), int(bags[instrument + 1])
            for inner, sample in self._zones("ibag", "igen", *ends, SAMPLE, DEFAULTS):
                if _holds(inner, key, velocity):
                    found.append(self._region(inner + added, sample))
        return found

    def _check(self, bank: int, number: int) -> None:
        if (bank, number) not in self.presets:
            known = [f"{each}:{preset}" for each, preset in sorted(self.presets)]
            raise ParameterError(f"{self.path.name}: {unknown('preset', f'{bank}:{number}', known)}")

    def _region(self, generators: NDArray[np.int64], sample: int) -> Region:
        header = self._tables["shdr"][sample]
        places = {name: int(header[name]) for name in ("start", "end", "loop_start", "loop_end")}
        stream, samples = None, self.samples
        if int(header["kind"]) & COMPRESSED:
            stream, samples = sample, self._decode(sample)
            places |= {"start": 0, "end": len(samples)}
        for name, (fine, coarse) in zip(places, (START, END, LOOP_START, LOOP_END), strict=True):
            place = places[name] + int(generators[fine]) + 32768 * int(generators[coarse])
            places[name] = min(max(place, 0), len(samples))
        root = int(generators[ROOT]) if generators[ROOT] >= 0 else int(header["pitch"])
        root = root if root <= 127 else 60  # above 127, the sample has no pitch: the specification's default
        rate, correction = int(header["rate"]), int(header["correction"])
        return Region(**places, rate=rate, root=root, correction=correction, generators=generators, stream=stream)

    def _zones(
        self, bags: str, lists: str, first: int, last: int, link: int, base: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Iterate over the zones of a preset or instrument: generators over those of the global zone, and the link."""
        for bag in range(first, last):
            ends = self._tables[bags]["generator"]
            zone = base.copy()
            rows = self._tables[lists][int(ends[bag]) : int(ends[bag + 1])]
            rows = rows[rows["kind"] < GENERATORS]
            zone[rows["kind"]] = rows["amount"]
            if zone[link] >= 0:
                yield zone, int(zone[link])
            elif bag == first:
                base = zone

    def _read(self) -> None:
        if self._bytes[:4] != b"RIFF" or self._bytes[8:12] != b"sfbk":
            raise ValueError("which does not begin like one")
        data = memoryview(self._bytes)
        chunks = dict(_chunks(data, 12, len(data)))
        self._pool = chunks["smpl"]
        self.samples = np.frombuffer(self._pool, "<i2", len(self._pool) // 2)
        if not self.samples.flags.aligned:  # behind an odd chunk without padding
            self.samples = self.samples.copy()
            self.samples.setflags(write=False)
        self._tables = {
            name: np.frombuffer(chunks[name], kind, len(chunks[name]) // np.dtype(kind).itemsize)
            for name, kind in RECORDS.items()
        }
        headers = self._tables["phdr"]
        self.presets: dict[tuple[int, int], tuple[str, int, int]] = {
            (int(header["bank"]), int(header["preset"])): (
                header["name"].split(b"\0")[0].decode("latin-1").strip(),
                int(header["bag"]),
                int(after["bag"]),
            )
            for header, after in pairwise(headers)
        }
        if not self.presets:
            raise ValueError("which has no presets")


def general_midi_font() -> Path:
    """Return the SoundFont that pretty_midi ships, TimGM6mb. Raises AudioError where it is not installed."""
    found = importlib.util.find_spec("pretty_midi")
    path = Path(found.origin).with_name("TimGM6mb.sf2") if found and found.origin else None
    if path is None or not path.is_file():
        raise AudioError(
            "the SoundFont of General MIDI comes with pretty_midi. Received: none. Name one: --soundfont FILE"
        )
    return path


def _chunks(data: memoryview, start: int, end: int, depth: int = 0) -> Iterator[tuple[str, memoryview]]:
    """Iterate over the chunks of a RIFF file, lists included. Raises ValueError where one exceeds the file.

    Chunks of odd size are padded to an even one; some writers leave that byte, a zero, out.
    """
    if depth > DEEPEST:
        raise ValueError(f"with lists within lists, {DEEPEST} deep and more")
    while start + 8 <= end:
        name, size = bytes(data[start : start + 4]), int.from_bytes(data[start + 4 : start + 8], "little")
        if start + 8 + size > end:
            raise ValueError(f"whose chunk {name.decode('latin-1')!r} exceeds the file")
        if name == b"LIST":
            yield from _chunks(data, start + 12, start + 8 + size, depth + 1)
        else:
            yield name.decode("latin-1"), data[start + 8 : start + 8 + size]
        start += 8 + size
        if size % 2 and start < end and data[start] == 0:
            start += 1


def _holds(zone: NDArray[np.int64], key: int, velocity: int) -> bool:
    """Return whether a zone covers a key and a velocity."""
    for kind, number in ((KEY_RANGE, key), (VELOCITY_RANGE, velocity)):
        low, high = int(zone[kind]) & 255, int(zone[kind]) >> 8 & 255
        if not low <= number <= high:
            return False
    return True
