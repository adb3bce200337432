"""Voices of our own, and what `dexed-py` made of them: `python -m tests.generators.dx7.measured` measures them anew.

Stored are a few blocks of 64 samples of each note, in the referee's 12-bit numbers: around the attack, within the note,
around note-off and after it. With dexed-py absent, the tests hold the engine to these.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from generators.dx7.voice import Voice

STORE = Path(__file__).with_name("measured.json")
SAMPLE_RATE = 44100
HOLD, LENGTH = 0.3, 0.5
BLOCKS = (0, 7, 150, 207, 230)
"""Blocks that are kept: note-off takes effect in block 207."""


@dataclass(frozen=True)
class Note:
    """One note of a voice."""

    name: str
    voice: Voice
    note: int = 60
    velocity: int = 100
    blocks: tuple[int, ...] = field(default=BLOCKS)


def _stack(algorithm: int, feedback: int, **values: int) -> Voice:
    """A voice of which all operators sound, each with a ratio, a level and a decay of its own."""
    settings: dict[str, int] = {"algorithm": algorithm - 1, "feedback": feedback}
    for k in range(1, 7):
        settings |= {
            f"op{k}_output_level": 96 - 4 * k,
            f"op{k}_coarse": k,
            f"op{k}_fine": 7 * k,
            f"op{k}_rate_2": 45 + 3 * k,
            f"op{k}_level_2": 90 - 5 * k,
            f"op{k}_rate_4": 60 + k,
        }
    return Voice().replaced(**(settings | values))


def _one(**values: int) -> Voice:
    return Voice().replaced(**values)


NOTES = (
    Note("sine", Voice()),
    Note("low sine", Voice(), 24),
    Note("attack 60", _one(op1_rate_1=60)),
    Note("decay and release", _one(op1_rate_2=60, op1_level_2=50, op1_level_3=50, op1_rate_4=55)),
    Note("rise from a low level", _one(op1_level_1=40, op1_rate_2=70, op1_level_2=99)),
    Note("wait at a level", _one(op1_rate_2=50, op1_rate_3=60, op1_level_3=30)),
    Note("wait at nothing", _one(op1_level_1=0, op1_rate_1=50, op1_rate_2=80)),
    Note("wait, scaled by rate", _one(op1_rate_2=30, op1_rate_scaling=7, op1_rate_3=60, op1_level_3=30), 90),
    Note("quiet", _one(op1_output_level=30)),
    Note("soft", _one(op1_velocity_sensitivity=7), 60, 20),
    Note("hard", _one(op1_velocity_sensitivity=7), 60, 127),
    Note("scaled linearly", _one(op1_left_depth=60, op1_output_level=80), 40),
    Note("scaled exponentially", _one(op1_right_depth=70, op1_right_curve=1, op1_output_level=95), 85),
    Note("raised exponentially", _one(op1_left_depth=50, op1_left_curve=2, op1_output_level=50), 30),
    Note("detuned", _one(op1_detune=14), 36),
    Note("half ratio", _one(op1_coarse=0, op1_fine=33, op1_detune=0)),
    Note("fixed", _one(op1_mode=1, op1_coarse=2, op1_fine=64, op1_detune=12), 80),
    Note("transposed", _one(transpose=36)),
    Note("transposed beyond the keyboard", _one(transpose=48), 120),
    Note(
        "pitch envelope", _one(pitch_rate_1=70, pitch_level_1=80, pitch_rate_2=60, pitch_level_2=30, pitch_level_4=40)
    ),
    *(
        Note(
            f"vibrato, {wave}", _one(lfo_wave=k, lfo_speed=70, lfo_pitch_depth=70, pitch_sensitivity=6, lfo_sync=k % 2)
        )
        for k, wave in enumerate(("triangle", "saw down", "saw up", "square", "sine", "sample & hold"))
    ),
    Note("delayed vibrato", _one(lfo_delay=45, lfo_speed=60, lfo_pitch_depth=90, pitch_sensitivity=5)),
    *(
        Note(f"tremolo {k}", _one(op1_am_sensitivity=k, lfo_amplitude_depth=60, lfo_speed=60, lfo_wave=4))
        for k in (1, 2, 3)
    ),
    Note("feedback 7", _one(algorithm=31, op1_output_level=0, op6_output_level=95, feedback=7)),
    *(Note(f"algorithm {k}", _stack(k, 5), 55, 100, (3, 100, 230)) for k in range(1, 33)),
    Note("algorithm 4, first operator silent", _stack(4, 6, op6_output_level=0)),
    Note("algorithm 6, last operator silent", _stack(6, 6, op5_output_level=0)),
)


def kept_blocks(sound: np.ndarray, note: Note) -> list[list[int]]:
    """Return the blocks of a sound that are stored of a note, as 12-bit numbers."""
    numbers = np.round(np.asarray(sound, np.float64) * 4096).astype(int)
    return [numbers[64 * block : 64 * block + 64].tolist() for block in note.blocks]


def main() -> None:
    """Measure all notes with dexed-py and store them."""
    from benchmarks.dexed_referee import Job, Referee

    jobs = [Job(note.voice.values.tolist(), note.note, note.velocity, HOLD, LENGTH) for note in NOTES]
    with Referee(SAMPLE_RATE) as referee:
        sounds, _ = referee.render(jobs)
    stored = {note.name: kept_blocks(sound, note) for note, sound in zip(NOTES, sounds, strict=True)}
    lines = [f"{json.dumps(name)}: {json.dumps(blocks, separators=(',', ':'))}" for name, blocks in stored.items()]
    STORE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
