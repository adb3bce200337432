"""Readers of a pad as the published ones describe their format: the device, and the patch of the course.

Written from what they read (open-nsynth-super, app 1.2.0; SOPI course, nsynth), not from our writer, and without any of
our code.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Device:
    """The Open NSynth Super with a pad loaded: `settings.json` in its data folder, and a folder of pads."""

    resolution: int
    pitches: list[int]
    length: int
    sample_rate: int
    displayed: list[tuple[str, str]]
    samples: NDArray[np.int16]

    def play(self, x: float, y: float, note: int) -> tuple[NDArray[np.int16], float]:
        """Return what is played at a position 0..1 of the pad, and at what rate relative to its own."""
        column, row = (int(np.floor(place * (self.resolution - 1) + 0.5)) for place in (x, y))
        nearest = min(range(len(self.pitches)), key=lambda number: abs(self.pitches[number] - note))
        place = (row * self.resolution + column) * len(self.pitches) + nearest
        return self.samples.reshape(-1, self.length)[place], 2 ** ((note - self.pitches[nearest]) / 12)


def boot(settings: Path, pads: Path) -> Device:
    """Start the device: every key that has no default there must be present, and of its type."""
    read: dict[str, Any] = json.loads(settings.read_text(encoding="utf-8"))
    assert isinstance(read["nsynth"]["dataDirectory"], str)
    assert isinstance(read["audio"]["sampleRate"], int)
    assert isinstance(read["audio"]["bufferSize"], int)
    assert isinstance(read["midi"]["device"], str)
    assert 1 <= read["midi"]["channel"] <= 16
    assert isinstance(read["osc"]["in"]["port"], int)
    nsynth = read["nsynth"]
    assert isinstance(nsynth["looping"], bool)
    assert 0 <= nsynth["loopStart"] < nsynth["loopEnd"] <= 1
    assert len(read["corners"]) == 4
    shown = [corner["instruments"][0] for corner in read["corners"]]
    for instrument in shown:
        assert 0 < len(instrument["display"]) <= 8
        assert len(instrument["abbr"]) == 2
    file = pads / ("_".join(instrument["name"] for instrument in shown) + ".bin")
    samples = np.fromfile(file, "<i2")
    assert samples.size == nsynth["resolution"] ** 2 * len(nsynth["pitches"]) * nsynth["length"]
    names = [(instrument["display"], instrument["abbr"]) for instrument in shown]
    return Device(nsynth["resolution"], nsynth["pitches"], nsynth["length"], nsynth["sampleRate"], names, samples)


def course_patch(settings: Path, pad: Path) -> NDArray[np.int16]:
    """Load a pad as the Pure Data patch of the course does. Shapes: -> (y, x, pitches, length)."""
    nsynth = json.loads(settings.read_text(encoding="utf-8"))["nsynth"]
    samples = np.fromfile(pad, np.int16)
    side, pitches = nsynth["resolution"], nsynth["pitches"]
    assert sorted(pitches) == pitches
    assert isinstance(nsynth["sampleRate"], int)
    assert samples.size // side**2 // nsynth["length"] == len(pitches)
    return samples.reshape(side, side, len(pitches), nsynth["length"])
