"""Decode NSynth codes, or re-synthesise sounds: `inversynth decode CODES… SOUND… FOLDER…`.

Samples are drawn one after another, many sounds at once, which takes about as long as the sounds last. A batch that is
interrupted leaves its state beside the results, and the same command resumes it to the same samples. A WAV records in
its comment what it was decoded from, and is not decoded again while that stays the same.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import read_header, write_audio
from generators.errors import AudioError, DatasetError, InversynthError, ModelError, SettingsError, one_line
from generators.files import check_writable, hidden_path
from generators.notes.naming import NoteNaming
from generators.notes.pitches import NoteNames
from inversynth.commands import run_for_each
from inversynth.inputs import MidiNote, check_inputs_kept, model_loader, sound_paths
from inversynth.nsynth.codes import BARE, ENDING, Codes
from inversynth.nsynth.encode import LOADER, TEMPERATURE, TRANSPOSE, CodeReader, describe_codes, output_names
from inversynth.nsynth.transpose import codes_to_make, describe_note, note_to_make, restored

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoder:
    """A model and its sampling options, from which, with its codes, every sound follows.

    Attributes:
        seed: of each sound, so that no sound depends on others of its batch. temperature: divides the logits.
        transpose: decode notes that the model was not trained on by way of the nearest that it was.
    """

    codec: "NSynthCodec"
    seed: int = 0
    temperature: float = 1.0
    transpose: bool = False

    def made_at(self, codes: Codes) -> int | None:
        """Return the note at which codes are decoded. Raises ModelError for one that the model does not know."""
        return note_to_make(self.codec, codes.name, codes.pitch, self.transpose)

    def record(self, codes: Codes) -> str:
        """Return what a sound is decoded from, as JSON."""
        source = {
            "made_by": "inversynth decode",
            "model": self.codec.fingerprint,
            "codes": codes.digest,
            "pitch": codes.pitch if self.codec.takes_pitch else None,
            "seed": self.seed,
            "temperature": self.temperature,
        }
        made = self.made_at(codes)
        return json.dumps(source if made == codes.pitch else source | {"pitch": codes.pitch, "made_at": made})

    def is_decoded(self, codes: Codes, path: Path) -> bool:
        """Return whether a file holds these codes, decoded in this very way."""
        with suppress(AudioError):
            found = read_header(path)
            expected = self.record(codes), codes.samples, self.codec.sample_rate
            return (found.comment, found.frames, found.sample_rate) == expected
        return False

    def check_pitch(self, codes: Codes) -> Codes:
        """Return the codes. Raises ModelError for a note that the model does not know, or none where it needs one."""
        if self.codec.takes_pitch and codes.pitch is None:
            raise ModelError(
                f"{self.codec.loaded.path} is conditioned on pitch. Received: none for {codes.name}. Pass --pitch C4, "
                "or name the sound <sound>_<note>"
            )
        self.made_at(codes)
        return codes

    def task(self, codes: Codes, path: Path) -> "Task":
        """Return what is decoded of codes into a file."""
        made = self.made_at(codes)
        return Task(codes, path, *codes_to_make(codes.codes, codes.samples, self.codec.hop, codes.pitch, made), made)


@dataclass(frozen=True)
class Task:
    """A sound to decode.

    Attributes: codes: of the sound. path: of its file. decoded, samples: codes that are decoded, (l, width), and how
    many samples of that are the sound. pitch: its note there.
    """

    codes: Codes
    path: Path
    decoded: NDArray[np.float32]
    samples: int
    pitch: int | None


def decode_files(
    decoder: Decoder, sounds: Sequence[tuple[Codes, Path]], *, batch_size: int = 16, resume: bool = True
) -> Iterator[tuple[Codes, Path, bool]]:
    """Decode into WAV files, with a progress bar; yields codes, file, and whether it was already decoded.

    All batches have one size, for which the loop is compiled once; the longest sounds come first. Shorter codes of a
    batch are held at their end, and the surplus sound is cut off. `resume` keeps files that were decoded from the same,
    and resumes an interrupted batch.
    """
    from tqdm import tqdm

    if not sounds:
        return
    ordered = sorted((decoder.task(*each) for each in sounds), key=lambda task: -len(task.decoded))
    size = -(-len(ordered) // -(-len(ordered) // batch_size))
    done = {task.path: resume and decoder.is_decoded(task.codes, task.path) for task in ordered}
    total = sum(task.samples for task in ordered if not done[task.path])
    with tqdm(total=total, desc="decoding", unit="samples", unit_scale=True, disable=None) as bar:
        progress = _Progress(bar, decoder.codec.sample_rate)
        for first in range(0, len(ordered), size):
            batch = ordered[first : first + size]
            missing = [task for task in batch if not done[task.path]]
            if missing:
                _decode_batch(decoder, missing, size, resume, progress)
            yield from ((task.codes, task.path, done[task.path]) for task in batch)
    if speed := str(progress):
        log.info("decoded at %s", speed)


def _decode_batch(decoder: Decoder, tasks: Sequence[Task], size: int, resume: bool, progress: "_Progress") -> None:
    codec, longest = decoder.codec, len(tasks[0].decoded)
    filled = [*tasks, *[tasks[-1]] * (size - len(tasks))]
    codes = [np.pad(task.decoded, ((0, longest - len(task.decoded)), (0, 0)), mode="edge") for task in filled]
    state = hidden_path(tasks[0].path.with_suffix(""), ".state.npz")
    if not resume:
        state.unlink(missing_ok=True)
    audio = codec.decode(
        np.stack(codes),
        seeds=[decoder.seed] * size,
        pitch=[int(task.pitch or 0) for task in filled] if codec.takes_pitch else None,
        temperature=decoder.temperature,
        state_file=state,
        on_code=progress.of_batch([task.samples for task in tasks], codec.hop),
    )
    for task, sound in zip(tasks, audio, strict=False):
        whole = restored(sound, task.codes.samples, codec.sample_rate, task.codes.pitch, task.pitch)
        write_audio(task.path, whole, codec.sample_rate, comment=decoder.record(task.codes))


class _Progress:
    """Advances a bar in samples, and measures the speed relative to real time.

    The time starts at the first code: before it, the loop is compiled.
    """

    def __init__(self, bar: Any, sample_rate: int) -> None:
        self._bar, self._sample_rate = bar, sample_rate
        self._started, self._samples = 0.0, 0

    def of_batch(self, samples: Sequence[int], hop: int) -> Callable[[int], None]:
        """Return a callback that takes the number of decoded codes, for sounds of these lengths."""
        before = 0

        def on_code(done: int) -> None:
            nonlocal before
            now = sum(min(done * hop, each) for each in samples)
            if not before and done > 1:
                log.info("resuming at %.2f s of %.2f s", done * hop / self._sample_rate, samples[0] / self._sample_rate)
            elif self._started:
                self._samples += now - before
                self._bar.set_postfix_str(str(self), refresh=False)
            self._started = self._started or time.monotonic()
            self._bar.update(now - before)
            before = now

        return on_code

    def __str__(self) -> str:
        if not self._samples:
            return ""
        seconds = self._samples / self._sample_rate
        return f"{seconds / max(time.monotonic() - self._started, 1e-9):.2f} x real time"


# --- inputs and outputs ----------------------------------------------------------------------------------------


def input_paths(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the code files in it and below it, else by its .npy files, else by its sounds.

    Raises: DatasetError for a folder with none of them.
    """
    return [file for path in paths for file in (_inputs_in(path) if path.is_dir() else [path])]


def _inputs_in(folder: Path) -> list[Path]:
    for ending in (ENDING, BARE):
        files = [file for file in folder.rglob("*") if file.name.endswith(ending) and not file.name.startswith(".")]
        if files:
            return sorted(files)
    return sound_paths([folder])


def with_outputs(sounds: Sequence[Codes], folder: Path, inputs: Sequence[Path]) -> list[tuple[Codes, Path]]:
    """Pair codes with `<name>_decoded.wav`. Raises SettingsError where that is an input."""
    pairs = [(codes, folder / f"{codes.name}_decoded.wav") for codes in sounds]
    check_inputs_kept((path for _, path in pairs), inputs)
    return pairs


# --- the command -----------------------------------------------------------------------------------------------


class DecodingSettings(NoteNaming):
    """What decode and interpolate share."""

    renamed: ClassVar = {"output_directory": "output_dir"}

    output_dir: Path = Field(Path("output"), description="where <name>_decoded.wav is written")
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    temperature: float | None = Field(None, gt=0, allow_inf_nan=False, description=TEMPERATURE)
    seed: int = Field(0, ge=0, description="of the drawn samples; each sound follows from the seed and its codes")
    batch_size: int = Field(16, ge=1, description="sounds at once")
    pitch: MidiNote = Field(
        None, description="MIDI note or name of all sounds, for a model conditioned on pitch; by default their own"
    )
    transpose_unknown: CliToggleFlag[bool] = Field(False, description=TRANSPOSE)
    length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds of each sound at most; all of it if left out"
    )
    resume: bool = Field(True, description="keep what was decoded from the same, and resume what was interrupted")


SHARED = frozenset(DecodingSettings.model_fields)


class DecodeSettings(DecodingSettings):
    """Decode NSynth codes sample by sample, into a WAV each; sounds are encoded first."""

    flags_only: ClassVar = SHARED | {"inputs"}

    inputs: CliPositionalArg[list[Path]] = Field([], description="code files, .npy arrays, sounds, and folders of them")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth decode") -> int:
    """Decode codes and sounds; returns the exit code, which is 2 where one of them is unusable."""
    return run_for_each(DecodeSettings, _run, argv, prog)


def _run(settings: DecodeSettings, on_error: Callable[[InversynthError], None]) -> None:
    if not settings.inputs:
        raise SettingsError("name codes or sounds, or folders of them. Received: none. See --help")
    load = model_loader(settings.model, LOADER)
    reader = CodeReader(load, settings.pitch, settings.length, settings.note_names, settings.transpose_unknown)
    paths, sounds = input_paths(settings.inputs), []
    for path, name in reader.without_unknown(output_names(paths), on_error):
        try:
            codes = reader.read(path, name)
            sounds.append(decoder_of(settings, load()).check_pitch(codes))
        except (AudioError, DatasetError) as error:
            on_error(error)
        except ModelError as error:
            load()  # an unusable model is not the fault of one input: its error ends the command
            on_error(error)
    if sounds:
        decode_and_print(settings, decoder_of(settings, load()), with_outputs(sounds, settings.output_dir, paths))


def decoder_of(settings: DecodingSettings, codec: "NSynthCodec") -> Decoder:
    """Return the decoder that settings describe. Raises SettingsError for a pitch that the model does not take."""
    if settings.pitch is not None and isinstance(settings, DecodeSettings) and not codec.takes_pitch:
        raise SettingsError(
            f"--pitch goes with a model conditioned on pitch. Received: --pitch {settings.pitch} for "
            f"{codec.loaded.path}, which is not. Leave it out"
        )
    return Decoder(codec, settings.seed, settings.temperature or codec.temperature, settings.transpose_unknown)


def decode_and_print(settings: DecodingSettings, decoder: Decoder, sounds: Sequence[tuple[Codes, Path]]) -> None:
    """Decode, and print a line for each sound."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    for _, path in sounds:
        check_writable(path, AudioError)
    longest = max((codes for codes, _ in sounds), key=len)
    count = f"{len(sounds):,} sound{'' if len(sounds) == 1 else 's'}"
    log.info("decoding %s, %s%s", count, "the longest of " if len(sounds) > 1 else "", describe_codes(longest))
    with logging_redirect_tqdm():
        options = {"batch_size": settings.batch_size, "resume": settings.resume}
        for codes, path, already in decode_files(decoder, sounds, **options):  # type: ignore[arg-type]
            note = _describe_note(decoder, codes, settings.note_names) + (", already decoded" if already else "")
            tqdm.write(one_line(f"{codes.name}: {describe_codes(codes)}{note} -> {path}"))


def _describe_note(decoder: Decoder, codes: Codes, names: NoteNames) -> str:
    """Return what a line says of the note of a sound: nothing where the model does not take it."""
    made = decoder.made_at(codes)
    return f", {describe_note(codes.pitch, names, made)}" if decoder.codec.takes_pitch or made != codes.pitch else ""


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.decode"))
