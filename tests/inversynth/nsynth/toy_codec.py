"""A toy codec to test commands with, whose codes and sounds can be worked out by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE, HOP, WIDTH = 4000, 16, 4


@dataclass
class Toy:
    """Stands in for a `NSynthCodec`: a code is the mean of its samples, twice, thrice and four times that.

    It decodes to the first number of each code, a hop long, plus a thousandth of the seed, and a millionth of the note
    where it is conditioned on pitch. `batches` records its arguments.
    """

    path: Path
    takes_pitch: bool = False
    fingerprint: str = "0123456789abcdef"
    sample_rate: int = RATE
    hop: int = HOP
    width: int = WIDTH
    temperature: float = 1.0
    notes: tuple[int, ...] = ()
    batches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def loaded(self) -> SimpleNamespace:
        return SimpleNamespace(path=self.path)

    def encode(self, audio: NDArray[np.floating]) -> NDArray[np.float32]:
        whole = np.pad(audio, ((0, 0), (0, -audio.shape[1] % HOP)))
        means = whole.reshape(len(audio), -1, HOP).mean(axis=2)
        return (means[:, :, np.newaxis] * np.arange(1, WIDTH + 1)).astype(np.float32)

    def decode(
        self,
        codes: NDArray[np.floating],
        *,
        seeds: Sequence[int],
        pitch: Sequence[int] | None,
        temperature: float,
        state_file: Path,
        on_code: Callable[[int], None],
    ) -> NDArray[np.float32]:
        assert (pitch is not None) == self.takes_pitch
        self.batches.append({"shape": codes.shape, "pitch": pitch, "temperature": temperature, "state": state_file})
        for done in range(codes.shape[1]):
            on_code(done + 1)
        offsets = np.asarray(seeds) * 1e-3 + np.asarray(pitch or [0] * len(codes)) * 1e-6
        return (np.repeat(codes[:, :, 0], HOP, axis=1) + offsets[:, np.newaxis]).astype(np.float32)
