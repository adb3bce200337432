"""Sounds that the `fm` synth did not make, to ask whether it can: other synthesis, noise, and instruments of a file.

Each is one second at 16,384 Hz, drawn by a seed. Real instruments are the recordings inside a soundfont, where one is
named; without one they are left out.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from generators.audio import resample
from generators.registry import build_synth
from generators.sampling import sample_classes

RATE, SAMPLES = 16384, 16384
Audio = NDArray[np.float32]


def sine(rng: np.random.Generator) -> Audio:
    """Two steady sines: the `sine` synth."""
    synth = build_synth("sine")
    return synth.render_classes(sample_classes(synth.space, 0, 1, int(rng.integers(2**31)))[0])


def string(rng: np.random.Generator) -> Audio:
    """A plucked string (Karplus and Strong 1983)."""
    period = round(RATE / rng.uniform(80.0, 600.0))
    pluck = np.zeros(SAMPLES)
    pluck[:period] = rng.uniform(-1, 1, period)
    feedback = np.zeros(period + 2)
    feedback[0], feedback[-2:] = 1.0, -0.498
    return lfilter([1.0], feedback, pluck).astype(np.float32)


def bell(rng: np.random.Generator) -> Audio:
    """A bell of two sines, one modulating the other at a ratio that is no whole number (Chowning 1973)."""
    time = np.arange(SAMPLES) / RATE
    carrier, ratio, index = rng.uniform(150.0, 900.0), rng.choice([1.4, 2.76, 3.52]), rng.uniform(2.0, 10.0)
    fall = np.exp(-time * rng.uniform(2.0, 6.0))
    wave = np.sin(2 * np.pi * carrier * time + index * fall * np.sin(2 * np.pi * carrier * ratio * time))
    return (fall * wave).astype(np.float32)


def noise(rng: np.random.Generator) -> Audio:
    """A falling burst of band-limited noise: a drum or a breath."""
    middle = np.exp(rng.uniform(np.log(200.0), np.log(4000.0)))
    band = butter(2, [middle / 1.3, middle * 1.3], "bandpass", fs=RATE, output="sos")
    return (sosfilt(band, rng.standard_normal(SAMPLES)) * np.exp(-np.arange(SAMPLES) / RATE * 4.0)).astype(np.float32)


def chord(rng: np.random.Generator) -> Audio:
    """Three detuned saws on a triad, a pad."""
    time = np.arange(SAMPLES) / RATE
    root = rng.uniform(100.0, 400.0)
    notes = root * 2.0 ** (np.array([0.0, rng.choice([3.0, 4.0]), 7.0]) / 12.0)
    waves = sum(2.0 * ((note * time * d) % 1.0) - 1.0 for note in notes for d in (0.996, 1.004))
    return (0.1 * np.minimum(time / 0.05, 1.0) * waves).astype(np.float32)


MADE = (sine, string, bell, noise, chord)


def made(count: int, seed: int) -> list[tuple[str, Audio]]:
    """Draw sounds of other synthesis, kind after kind."""
    rng = np.random.default_rng(seed)
    return [(maker.__name__, maker(rng)) for maker in (MADE[row % len(MADE)] for row in range(count))]


def instruments(soundfont: Path, count: int, seed: int) -> list[tuple[str, Audio]]:
    """Draw recordings of single notes from an SF2 soundfont, each held by its loop and faded out at its end.

    Source: SoundFont 2.04 specification, chunks `smpl` (16-bit samples) and `shdr` (46 bytes a recording).
    """
    content = soundfont.read_bytes()
    samples = np.frombuffer(_chunk(content, b"smpl"), "<i2").astype(np.float32) / 32768.0
    header = np.dtype(
        [
            ("name", "S20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop", "<u4"),
            ("loop_end", "<u4"),
            ("rate", "<u4"),
            ("_", "V6"),
        ]
    )
    notes = [
        note for note in np.frombuffer(_chunk(content, b"shdr"), header)[:-1] if note["end"] > note["start"] + 4000
    ]
    rng = np.random.default_rng(seed)
    sounds = []
    for number in rng.permutation(len(notes))[:count]:
        note = notes[number]
        audio = samples[note["start"] : note["end"]]
        span = int(note["loop_end"]) - int(note["loop"])
        wanted = int(note["rate"]) + 1
        if span > 100 and len(audio) < wanted:
            loop = samples[note["loop"] : note["loop_end"]]
            audio = np.concatenate([samples[note["start"] : note["loop_end"]], np.tile(loop, wanted // span + 1)])[
                :wanted
            ]
        audio = resample(np.ascontiguousarray(audio[:wanted]), int(note["rate"]), RATE)[:SAMPLES]
        audio = np.pad(audio, (0, SAMPLES - len(audio)))
        audio[-(SAMPLES // 5) :] *= np.linspace(1.0, 0.0, SAMPLES // 5, dtype=np.float32)
        sounds.append((note["name"].decode("latin-1").strip("\0 "), audio.astype(np.float32)))
    return sounds


def _chunk(content: bytes, name: bytes) -> bytes:
    place = content.index(name)
    (length,) = struct.unpack("<I", content[place + 4 : place + 8])
    return content[place + 8 : place + 8 + length]
