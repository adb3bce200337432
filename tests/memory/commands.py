"""Every command that takes or makes a sound of any length, with its call for a length and the memory it may take.

A bound is what the command may hold above the same command on one second, in megabytes. It follows from a constant of
the command, which stands beside it; where there is none, memory must not grow with the length.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 96_000
SHORT, LONG = 1.0, 600.0
"""Seconds of the sounds that are compared."""

NOTE = 1.5
"""Seconds from one note of the sound to the next."""

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
"""Semitones of its notes above C4."""


@dataclass(frozen=True)
class Measured:
    """A command: its words for a material folder, what it may take on the long sound above the short one, and why.

    `longest`: seconds of the longest sound that it accepts, where that is less than LONG: it is measured on that one,
    and on the long one must end with one line. 0 where it accepts sounds of one length alone.
    """

    words: Callable[[Path], Sequence[str]]
    bound: int
    reason: str
    longest: float | None = None


def _sound(folder: Path) -> str:
    return str(folder / "sound_60.wav")


def _quick(words: Sequence[str], folder: Path, *flags: str) -> list[str]:
    return [*words, *flags, "--output_dir", str(folder / "out" / "_".join(words[:2]))]


STREAMED = "reads the sound in blocks of 4 MB and holds one note"

COMMANDS: dict[str, Measured] = {
    "invert": Measured(lambda at: _quick(["invert", _sound(at)], at, "--budget", "none"), 60, STREAMED),
    "invert --synth dx7": Measured(
        lambda at: _quick(["invert", _sound(at), "--synth", "dx7"], at, "--budget", "none"), 60, STREAMED
    ),
    "refine": Measured(
        lambda at: _quick(["refine", str(at / "patch.json"), _sound(at)], at, "--budget", "none"), 60, STREAMED
    ),
    "shape": Measured(
        lambda at: _quick(["shape", _sound(at)], at),
        300,
        "refuses more than 4,194,304 samples; holds a block of 65,536 in the network, and the whole in a few arrays",
        longest=(1 << 22) / RATE,
    ),
    "encode": Measured(
        lambda at: _quick(["encode", _sound(at)], at),
        650,
        "refuses more than 120 s, which the network takes at once",
        longest=120.0,
    ),
    "decode": Measured(
        lambda at: _quick(["decode", _sound(at)], at, "--length", "0.1"), 60, "reads no more than --length"
    ),
    "interpolate": Measured(
        lambda at: _quick(["interpolate", _sound(at), _sound(at)], at, "--length", "0.1"),
        60,
        "reads no more than --length",
    ),
    "grid": Measured(
        lambda at: ["grid", *(str(at / f"corner_{x}") for x in "abcd"), "--check", "--output_dir", str(at / "out")],
        60,
        "takes sounds of one length, and reads no more of others",
        longest=0,
    ),
    "wae reconstruct": Measured(
        lambda at: _quick(["wae", "reconstruct", _sound(at)], at, "--note", "60"), 60, STREAMED
    ),
    "wae morph": Measured(
        lambda at: _quick(["wae", "morph", _sound(at), _sound(at)], at, "--steps", "2", "--note", "60"), 60, STREAMED
    ),
    "wae transfer": Measured(
        lambda at: _quick(["wae", "transfer", _sound(at)], at, "--style", "flute", "--skip_unknown"), 150, STREAMED
    ),
    "play": Measured(
        lambda at: ["play", str(at / "patch.json"), "--midi", str(at / "song.mid"), "--output", str(at / "out.wav")],
        60,
        "mixes in blocks of 4 s",
    ),
    "gansynth midi": Measured(
        lambda at: _quick(["gansynth", "midi", str(at / "song.mid")], at, "--skip_unknown"), 150, "mixes in blocks"
    ),
    "gansynth hallucinate": Measured(
        lambda at: _quick(
            ["gansynth", "hallucinate"], at, "--points", (at / "points").read_text(), "--spacing", "1", "--steps", "0"
        ),
        250,
        "makes 1,200 s at most, which it holds and a page embeds",
    ),
    "generate notes": Measured(
        lambda at: [
            *("generate", "notes", "--source", "folder", "--notes_from", str(at / "sounds"), "--default_pitch", "60"),
            *("--sample_rate", "16000", "--length", "1", "--chop", "--convert", "--pad", "--no-wavefiles"),
            *("--dataset_directory", str(at / "out")),
        ],
        150,
        "converts one note at a time",
    ),
}


def make_materials(folder: Path, seconds: float) -> Path:
    """Make what the commands take, for a length: a sound of notes at 96 kHz, and a score."""
    (folder / "sounds").mkdir(parents=True, exist_ok=True)
    write_notes(folder / "sound_60.wav", seconds)
    (folder / "sounds" / "sound_60.wav").symlink_to(folder / "sound_60.wav")
    for number, name in enumerate("abcd"):
        corner = folder / f"corner_{name}" / f"{name}_60.wav"
        corner.parent.mkdir()
        if seconds > SHORT:
            corner.symlink_to(folder / "sound_60.wav")
        else:
            _write_corner(corner, number)
    (folder / "song.mid").write_bytes(score(seconds))
    (folder / "points").write_text(str(max(2, round(seconds))))
    from generators.registry import build_synth
    from inversynth.patches.patch import Patch

    synth = build_synth("fm", 16384, 1.0)
    values = synth.space.classes_to_values(np.zeros(len(synth.space), np.intp))
    patch = Patch(space=synth.space, values=values, sample_rate=synth.sample_rate, length=synth.length)
    (folder / "patch.json").write_text(patch.to_json(), encoding="utf-8")
    return folder


def _write_corner(path: Path, harmonics: int) -> None:
    """Write a note as the bundled NSynth takes it."""
    from inversynth.pretrained import find_model
    from models.model_files import read_card

    card = read_card(find_model("nsynth"))
    time = np.arange(card.samples) / card.sample_rate
    note = sum(np.sin(2 * np.pi * 261.6 * (1 + k) * time) for k in range(1 + harmonics)) / 8
    soundfile.write(path, note, card.sample_rate, subtype="PCM_16")


def write_notes(path: Path, seconds: float) -> None:
    """Write decaying notes of a major scale, one after another, as 16-bit mono at 96 kHz."""
    time = np.arange(round(NOTE * RATE)) / RATE
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        left, number = round(seconds * RATE), 0
        while left > 0:
            hertz = 440.0 * 2.0 ** ((60 + SCALE[number % len(SCALE)] - 69) / 12.0)
            note = 0.7 * np.exp(-2.0 * time) * sum(np.sin(2 * np.pi * k * hertz * time) / k for k in (1, 2, 3)) / 2.0
            file.write(note[:left])
            left, number = left - len(note), number + 1


def score(seconds: float) -> bytes:
    """Return a MIDI file of one note after another, 480 ticks to a second."""
    events = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))
    rest = b"\x00"
    for number in range(max(1, round(seconds / NOTE))):
        pitch = 60 + SCALE[number % len(SCALE)]
        events += rest + bytes([0x90, pitch, 100]) + b"\x83\x60" + bytes([0x80, pitch, 0])  # held for 480 ticks
        rest = b"\x81\x70"  # 240 ticks
    events += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(events)) + bytes(events)
