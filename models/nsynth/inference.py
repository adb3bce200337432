"""A trained WaveNet autoencoder: sounds to codes, and codes to sounds.

Decoding can be stopped at any code and resumed to the same samples: the classes so far and the rings are kept in a
state file.
"""

import hashlib
import os
import time
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.archives import open_archive
from generators.files import written_whole
from models.backend import predict_in_batches
from models.inference import TrainedModel, load_model_named
from models.nsynth.known_notes import known_notes
from models.nsynth.presets import NSYNTH, SINE_TEMPERATURE

if TYPE_CHECKING:
    from models.nsynth.generation import CachedDecoder, GenerationState

MAX_STATE_BYTES = 8 << 30
"""Size of the state of a batch, unpacked: of 500 sounds of the full size."""

SAVE_SECONDS = 60.0
"""Between two writes of the state of a batch: the rings of the full size are 13 MB per sound."""


class NSynthCodec(TrainedModel):
    """Encoder and decoder with their card; they take sounds of any length."""

    @property
    def hop(self) -> int:
        """Samples per code."""
        return self.decoder.hop

    @property
    def width(self) -> int:
        """Width of a code."""
        return self.decoder.code

    @property
    def takes_pitch(self) -> bool:
        """Whether the decoder is conditioned on the MIDI note."""
        return self.decoder.takes_pitch

    @property
    def temperature(self) -> float:
        """The temperature to decode at by default: 1, as trained, and less for a decoder conditioned on sines."""
        return SINE_TEMPERATURE if self.decoder.takes_phase else 1.0

    @cached_property
    def notes(self) -> tuple[int, ...]:
        """MIDI notes that it was trained on, rising; none where its file does not tell."""
        return known_notes(self.loaded.path)

    @cached_property
    def decoder(self) -> "CachedDecoder":
        from models.nsynth.generation import CachedDecoder

        return CachedDecoder(self.loaded.model.get_layer("decoder"))

    def encode(self, audio: NDArray[np.floating[Any]], batch_size: int = 16) -> NDArray[np.float32]:
        """Encode sounds of one length, padded with silence to a whole number of codes.

        Shapes: (n, samples) -> (n, ceil(samples / hop), width) float32.
        """
        from models.layers.companding import mu_law_classes  # its package imports Keras

        classes = mu_law_classes(np.pad(audio, ((0, 0), (0, -audio.shape[1] % self.hop)))).astype(np.int32)
        codes: NDArray[np.float32] = predict_in_batches(self.loaded.model.get_layer("encoder"), [classes], batch_size)
        return codes

    def decode(
        self,
        codes: NDArray[np.floating[Any]],
        *,
        seeds: Sequence[int],
        pitch: Sequence[int] | None = None,
        temperature: float | None = None,
        state_file: Path | None = None,
        on_code: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Decode codes autoregressively, all sounds as one batch.

        Args:
            seeds: one per sound. pitch: one MIDI note per sound, where `takes_pitch`. temperature: divides the logits;
                by default that of the network.
            state_file: written every minute and when interrupted; a call with the same codes, seeds, notes and
                temperature resumes from it. Removed at the end.
            on_code: called with the number of codes of each sound that are decoded, counted from the beginning.
        Shapes: codes (n, k, width) -> audio (n, hop k).
        Raises: ModelError as `CachedDecoder.sample`.
        """
        codes = np.asarray(codes, np.float32)
        temperature = self.temperature if temperature is None else temperature
        task = self._task(codes, seeds, pitch, temperature)
        decoded, state = _read_state(state_file, task, len(codes))
        done = decoded.shape[1] // self.hop
        parts, saved = [decoded], time.monotonic()
        if on_code and done:
            on_code(done)
        notes = None if pitch is None else np.asarray(pitch, np.int32)
        sampling = self.decoder.sample(codes[:, done:], seeds=seeds, pitch=notes, temperature=temperature, state=state)
        try:
            for classes, state in sampling:
                parts.append(classes)
                done += 1
                if on_code:
                    on_code(done)
                if state_file and time.monotonic() - saved > SAVE_SECONDS:
                    _write_state(state_file, task, np.concatenate(parts, axis=1), state)
                    saved = time.monotonic()
        except BaseException:
            if state_file and state is not None and len(parts) > 1:
                _write_state(state_file, task, np.concatenate(parts, axis=1)[:, : state.sample], state)
            raise
        if state_file:
            state_file.unlink(missing_ok=True)
        from models.layers.companding import mu_law_audio

        return mu_law_audio(np.concatenate(parts, axis=1))

    def _task(self, codes: NDArray[np.float32], seeds: Sequence[int], pitch: Any, temperature: float) -> str:
        """Return a hash of everything that determines the samples."""
        sha = hashlib.sha256(self.loaded.card.weights_sha256.encode() + codes.tobytes())
        sha.update(repr((codes.shape, list(map(int, seeds)), pitch and list(map(int, pitch)), temperature)).encode())
        return sha.hexdigest()


def load_nsynth(path: str | os.PathLike[str]) -> NSynthCodec:
    """Load a model file, or the best model of a run folder. Raises ModelError for one that is no NSynth."""
    return NSynthCodec(load_model_named(NSYNTH, path, "notes are encoded and decoded"))


def _write_state(path: Path, task: str, classes: NDArray[np.uint8], state: "GenerationState") -> None:
    from keras import ops

    rings = {f"ring{number}": ops.convert_to_numpy(ring) for number, ring in enumerate(state.rings)}
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, task=np.asarray(task), classes=classes, last=ops.convert_to_numpy(state.last), **rings)


def _read_state(path: Path | None, task: str, count: int) -> "tuple[NDArray[np.uint8], GenerationState | None]":
    """Read the state of a batch; no classes and None where there is none, or that of another task."""
    from keras import ops

    from models.nsynth.generation import GenerationState

    no_classes = np.empty((count, 0), np.uint8)
    if path is None or not path.is_file():
        return no_classes, None
    try:
        with open_archive(path, MAX_STATE_BYTES):  # checked before NumPy unpacks it
            pass
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["task"]) != task:
                return no_classes, None
            rings = [kept[f"ring{number}"] for number in range(sum(name.startswith("ring") for name in kept.files))]
            classes, last = kept["classes"], kept["last"]
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, TypeError, MemoryError):
        return no_classes, None
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError):
        return no_classes, None
    tensors = tuple(ops.convert_to_tensor(ring) for ring in rings)
    return classes, GenerationState(classes.shape[1], ops.convert_to_tensor(last), tensors)
