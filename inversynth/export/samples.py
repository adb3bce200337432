"""A patch as an instrument of samples: its notes by key and velocity as WAV files, and an SFZ text that maps them.

SFZ is a plain text that free and commercial samplers read (sfzformat.com). A key range is rendered every few semitones,
and each sample serves the keys nearest to it. Steady notes are looped (`inversynth.playback.loops`), others end as the
patch lets them.
"""

import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from generators import __version__
from generators.audio import write_audio
from generators.errors import AudioError, ParameterError
from generators.files import write_text, writing
from generators.notes.pitches import note_name
from inversynth.playback.loops import Loop, find_loop
from inversynth.playback.midi import Note, Score
from inversynth.playback.play import Instrument

Audio = NDArray[np.float32]

MOST_SAMPLES = 1024
"""Samples of an instrument: all keys at eight velocities."""

MOST_VALUES = 100_000_000
"""Values of all samples together, 400 MB: nine times those of the default instrument."""

PEAK = 10.0 ** (-1.0 / 20.0)
"""Peak of the loudest sample: 1 dB below full scale."""

INAUDIBLE = 10.0 ** (-60.0 / 20.0)
"""Amplitude, as a fraction of that at the release, at which a release is over; and of the peak, at which a note is."""

SHORTEST_RELEASE, BLOCK = 0.01, 0.01
"""Seconds: a shorter release clicks; levels are measured in blocks."""


@dataclass(frozen=True)
class Zone:
    """The keys and velocities that one sample serves: MIDI numbers, both ends included."""

    key: int
    velocity: int
    keys: tuple[int, int]
    velocities: tuple[int, int]

    @property
    def file(self) -> str:
        """The name of its WAV file."""
        return f"{self.key:03d}_{note_name(self.key).replace('#', 's')}_v{self.velocity:03d}.wav"


@dataclass(frozen=True)
class Sample:
    """A rendered zone: audio (samples,), its loop if it has one, and the seconds of its release."""

    zone: Zone
    audio: Audio
    loop: Loop | None
    release: float


def zones(keys: Sequence[int], last: int, velocities: Sequence[int]) -> list[Zone]:
    """Return the zones of rendered keys and velocities: each key up to `last`, and each velocity, has the nearest one.

    Args:
        keys: rising, of which the first is the lowest that sounds. velocities: rising.
    Raises: ParameterError for more zones than `MOST_SAMPLES`, and for none.
    """
    if not 0 < len(keys) * len(velocities) <= MOST_SAMPLES:
        raise ParameterError(
            f"an instrument has 1 to {MOST_SAMPLES} samples. Received: {len(keys)} notes at {len(velocities)} "
            "velocities. Raise --step, or ask for fewer"
        )
    key_ranges = _ranges(keys, keys[0], max(last, keys[-1]))
    return [
        Zone(key, velocity, reach, loudness)
        for key, reach in zip(keys, key_ranges, strict=True)
        for velocity, loudness in zip(velocities, _ranges(velocities, 1, 127), strict=True)
    ]


def _ranges(numbers: Sequence[int], first: int, last: int) -> list[tuple[int, int]]:
    """Return the numbers from first to last that are nearest to each, of two equally near ones to the higher."""
    borders = [-(-(low + high) // 2) for low, high in pairwise(numbers)]
    return list(zip([first, *borders], [*(border - 1 for border in borders), last], strict=True))


def render_samples(
    instrument: Instrument, wanted: Sequence[Zone], seconds: float, loops: bool = True
) -> Iterator[Sample]:
    """Render zones, each held for a time, with loops where the sound allows them.

    A note that is not looped keeps its release; where it is over before, it ends there.
    """
    rate, held = instrument.sample_rate, round(seconds * instrument.sample_rate)
    for zone in wanted:
        audio = instrument.render(Note(0.0, seconds, zone.key, zone.velocity))
        loop = find_loop(audio, held, rate) if loops else None
        yield Sample(zone, _ended(audio) if loop is None else loop.audio, loop, release_seconds(audio, held, rate))


def release_seconds(audio: Audio, released: int, sample_rate: int) -> float:
    """Return the seconds after which a released note is 60 dB quieter than as it was released, 0.01 at least."""
    block = max(round(BLOCK * sample_rate), 1)
    before = audio[max(released - 5 * block, 0) : released]
    level = float(np.abs(before).max(initial=0.0))
    tail = audio[released:]
    loud = np.flatnonzero(np.abs(tail) > INAUDIBLE * level)
    return max(float(loud[-1] + 1) / sample_rate if len(loud) and level else 0.0, SHORTEST_RELEASE)


def _ended(audio: Audio) -> Audio:
    """Cut silence behind a note, which keeps one sample at least."""
    loud = np.flatnonzero(np.abs(audio) > INAUDIBLE * 0.1 * float(np.abs(audio).max(initial=0.0)))
    return audio[: loud[-1] + 1] if len(loud) else audio[:1]


def check_memory(instrument: Instrument, wanted: Sequence[Zone], seconds: float) -> None:
    """Raise ParameterError for an instrument that is too large to be rendered."""
    values = len(wanted) * seconds * instrument.sample_rate
    if values > MOST_VALUES:
        raise ParameterError(
            f"an instrument has up to {MOST_VALUES / 1e6:,.0f} million values. Received: {values / 1e6:,.0f} million, "
            f"{len(wanted)} samples of {seconds:g} s. Ask for fewer or shorter ones, or a lower --sample_rate"
        )


def check_playable(instrument: Instrument, keys: Sequence[int]) -> list[int]:
    """Return the keys that an instrument can play. Raises AudioError where there are none."""
    score = Score(tuple(Note(0.0, 1.0, key) for key in keys))
    return [note.pitch for note in instrument.playable(score)]


def write_instrument(path: Path, samples: Sequence[Sample], sample_rate: int, title: str, one_shots: bool) -> float:
    """Write the WAV files of samples into a folder beside an SFZ text, and the text last; returns the gain of all.

    The files are 16-bit, scaled alike so that the loudest peaks 1 dB below full scale.

    Raises: InversynthError for what cannot be written.
    """
    loudest = max(float(np.abs(sample.audio).max(initial=0.0)) for sample in samples)
    gain = PEAK / loudest if loudest else 1.0
    folder = samples_folder(path)
    for sample in samples:
        file = path.parent / folder / sample.zone.file
        write_audio(file, sample.audio * np.float32(gain), sample_rate, bits=16)
        with writing(file, AudioError), file.open("r+b") as wav:
            append_sampler_chunk(wav, sample.zone.key, sample_rate, sample.loop)
    write_text(path, sfz_text(samples, folder, title, one_shots))
    return gain


def append_sampler_chunk(wav: BinaryIO, key: int, sample_rate: int, loop: Loop | None) -> None:
    """Append the chunk `smpl` to a WAV file, by which samplers that read no SFZ know its key and loop.

    Source: Multimedia Programming Interface and Data Specifications 1.0 (Microsoft, IBM 1991), and its update of 1994.
    """
    loops = [] if loop is None else [struct.pack("<6I", 0, 0, loop.start, loop.end - 1, 0, 0)]
    head = struct.pack("<9I", 0, 0, round(1e9 / sample_rate), key, 0, 0, 0, len(loops), 0)
    content = head + b"".join(loops)
    size = wav.seek(0, io.SEEK_END)
    wav.write(b"\0" * (size % 2) + b"smpl" + struct.pack("<I", len(content)) + content)
    end = wav.tell()
    wav.seek(4)
    wav.write(struct.pack("<I", end - 8))


def samples_folder(path: Path) -> str:
    """Return the name of the folder of samples beside an SFZ text, without characters that samplers read otherwise."""
    return re.sub(r"[^\w.-]+", "_", path.stem, flags=re.ASCII).strip(".") + "_samples"


def sfz_text(samples: Sequence[Sample], folder: str, title: str, one_shots: bool = False) -> str:
    """Return the SFZ text of samples whose WAV files are in a folder beside it.

    With several velocities the samples have the levels of theirs; with one the sampler follows the velocity.
    """
    layered = len({sample.zone.velocity for sample in samples}) > 1
    plain = "".join(each if each.isprintable() else " " for each in title)
    lines = [
        f"// {plain}: {len(samples)} samples, by inversynth {__version__}",
        "<global>",
        f"amp_veltrack={0 if layered else 100}",
    ]
    for sample in samples:
        zone = sample.zone
        lines += [
            "",
            "<region>",
            f"sample={folder}/{zone.file}",
            f"lokey={zone.keys[0]} hikey={zone.keys[1]} pitch_keycenter={zone.key}",
            f"lovel={zone.velocities[0]} hivel={zone.velocities[1]}",
        ]
        if sample.loop is not None:
            lines.append(f"loop_mode=loop_continuous loop_start={sample.loop.start} loop_end={sample.loop.end - 1}")
        else:
            lines.append(f"loop_mode={'one_shot' if one_shots else 'no_loop'}")
        lines.append(f"ampeg_release={sample.release:.3f}")
    return "\n".join(lines) + "\n"
