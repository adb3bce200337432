"""The referee of the DX7 engine: `dexed-py` (GPL-3.0) as a black box in a process of its own, spoken to through pipes.

`python -m benchmarks.dexed_referee` is that process. It imports nothing of this project, and the project imports
nothing of dexed-py. A request is one line of JSON; the answer is one line of JSON and the sounds as float32.
"""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple, Self


class Job(NamedTuple):
    """One note: the 155 bytes of a voice, MIDI note and velocity, seconds of hold and in all."""

    values: list[int]
    note: int
    velocity: int
    hold: float
    length: float


def installed() -> bool:
    """Tell whether dexed-py is there (the extra `referee`), without importing it."""
    return importlib.util.find_spec("dexed") is not None


class Referee:
    """A process that renders; a context manager, at whose end the process ends.

    Args:
        sample_rate: Hz; the tables of dexed-py are shared by all its synthesizers, so one process has one rate.
    """

    def __init__(self, sample_rate: int = 44100) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dexed_referee", str(sample_rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def render(self, jobs: Iterable[Job], *, fresh: bool = True):
        """Render notes.

        Args:
            fresh: a new synthesizer for each note, for dexed-py carries feedback and LFO over from note to note.
        Returns: the sounds, float32, and the processor seconds that they took.
        """
        import numpy as np

        request = json.dumps({"fresh": fresh, "jobs": [list(job) for job in jobs]})
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        sounds = [np.frombuffer(self._process.stdout.read(4 * samples), np.float32) for samples in answer["samples"]]
        return sounds, answer["seconds"]


def main(sample_rate: float) -> None:
    """Answer requests until the input ends."""
    import numpy as np
    from dexed import DexedSynth, Patch

    synth = DexedSynth(sample_rate=sample_rate)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        started = time.process_time()
        sounds = []
        for values, note, velocity, hold, length in request["jobs"]:
            if request["fresh"]:
                synth = DexedSynth(sample_rate=sample_rate)
            synth.load_patch(Patch.from_raw(np.array(values)))
            sounds.append(np.ascontiguousarray(synth.render(note, velocity, hold, length), np.float32))
        seconds = time.process_time() - started
        answer = {"seconds": seconds, "samples": [len(sound) for sound in sounds]}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + b"".join(map(bytes, sounds)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
