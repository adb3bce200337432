"""Encode sounds to NSynth codes: `inversynth encode SOUND… FOLDER…`.

A sound of any rate and channel count is mixed down and resampled to the model's rate; its note is read from its name,
and must be one that the model was trained on, unless it is asked to be transposed (`inversynth.nsynth.transpose`).
Each sound gives a code file (`inversynth.nsynth.codes`), and on request the array that the published code writes.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import Sound, read_audio, resample
from generators.errors import AudioError, DatasetError, InversynthError, ModelError, SettingsError, one_line
from generators.notes.naming import NoteNaming
from generators.notes.pitches import SCIENTIFIC, NoteNames
from inversynth.commands import run_for_each
from inversynth.inputs import MidiNote, log_conversion, model_loader, sound_paths, unique_names
from inversynth.nsynth.codes import (
    BARE_ENDING,
    ENDING,
    Codes,
    is_code_file,
    pitch_in_name,
    read_codes,
    sound_name,
    write_bare_codes,
    write_codes,
)
from inversynth.nsynth.transpose import ADVICE, describe_note, encode_by_way_of, note_to_make
from models.nsynth.known_notes import check_known
from models.nsynth.presets import SINE_TEMPERATURE

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

log = logging.getLogger(__name__)

LOADER = "models.nsynth.inference:load_nsynth"

TRANSPOSE = "make notes that the model was not trained on by way of the nearest ones that it was"
"""What `--transpose_unknown` does."""

TEMPERATURE = (
    "divides the logits: low is duller and steadier, 1 as trained, above it rougher; by default 1, and for a network "
    f"conditioned on sines {SINE_TEMPERATURE:g}"
)
"""What `--temperature` does."""

LONGEST_SOUND = 120.0
"""Seconds of a sound to encode: one layer of the full size takes a gigabyte for this length."""

LONGEST_CODES = 600.0
"""Seconds of codes that are decoded without an explicit length. The published code mistakes a number of samples for a
number of codes, and has produced files of 34 minutes."""


@dataclass(frozen=True)
class CodeReader:
    """Turns files into codes of one model: code files are read, sounds are encoded.

    Attributes: load returns the model, and is called for the first readable file. pitch: MIDI note of all files, in
    place of that in their names. length: seconds of each file at most. names: how octaves are counted in names of
    files. transpose: encode notes that the model was not trained on by way of the nearest that it was.
    """

    load: "Callable[[], NSynthCodec]"
    pitch: int | None = None
    length: float | None = None
    names: NoteNames = SCIENTIFIC
    transpose: bool = False

    def read(self, path: Path, name: str) -> Codes:
        """Read codes, or encode a sound. Raises: AudioError, DatasetError, ModelError."""
        if is_code_file(path):
            codes = self._cut(replace(read_codes(path, self.names), name=name).of_model(self.load()))
        else:
            codes = self.encode(path, name)
        return codes if self.pitch is None else replace(codes, pitch=self.pitch)

    def pitch_of(self, path: Path) -> int | None:
        """Return the MIDI note of a sound: the given one, else that in its name."""
        return pitch_in_name(sound_name(path), self.names) if self.pitch is None else self.pitch

    def without_unknown(
        self, named: Sequence[tuple[Path, str]], on_error: Callable[[InversynthError], None]
    ) -> list[tuple[Path, str]]:
        """Return the files but for sounds at notes that the model does not know, which one error tells of."""
        if self.transpose:
            return list(named)
        sounds = [(path, self.pitch_of(path)) for path, _ in named if path.is_file() and not is_code_file(path)]
        asked = {path: pitch for path, pitch in sounds if pitch is not None}
        known = self.load().notes if asked else ()
        unknown = {path: pitch for path, pitch in asked.items() if known and pitch not in known}
        if unknown:
            what = f"{len(unknown):,} sounds" if len(unknown) > 1 else next(iter(unknown)).stem
            try:
                check_known(what, tuple(unknown.values()), known, self.load().loaded.path, ADVICE)
            except ModelError as error:
                on_error(error)
        return [(path, name) for path, name in named if path not in unknown]

    def encode(self, path: Path, name: str) -> Codes:
        """Encode a sound, mixed down and at the model's rate. Raises: AudioError, ModelError."""
        sound = self._read_sound(path)
        codec = self.load()
        pitch = self.pitch_of(path)
        made = note_to_make(codec, name, pitch, self.transpose)
        audio = resample(sound.audio, sound.sample_rate, codec.sample_rate)
        log_conversion(path, sound.sample_rate, sound.channels, codec.sample_rate)
        if (peak := float(np.abs(audio).max())) > 1.0:
            log.info("%s is clipped to full scale. Its peak is %.2f", path, peak)
        codes = encode_by_way_of(codec, audio, pitch, made)
        if not np.all(np.isfinite(codes)):
            raise ModelError(f"{codec.loaded.path} must give finite codes. Received: NaN or infinity. Train it again")
        return Codes(codes, name, pitch, codec.fingerprint, codec.hop, codec.sample_rate, len(audio))

    def _read_sound(self, path: Path) -> Sound:
        just_too_long = LONGEST_SOUND + 1 / read_audio(path, length=0.0).sample_rate
        sound = read_audio(path, length=min(self.length or just_too_long, just_too_long))
        if sound.length > LONGEST_SOUND:
            raise AudioError(
                f"a sound to encode lasts {LONGEST_SOUND:g} s at most. Received: more, in {path}. Limit it, e.g. with "
                "--length 4"
            )
        return sound

    def _cut(self, codes: Codes) -> Codes:
        if self.length is None:
            if codes.seconds > LONGEST_CODES:
                raise DatasetError(
                    f"{len(codes):,} codes of {codes.name} are {codes.seconds:,.1f} s of sound. Received: no --length, "
                    f"without which {LONGEST_CODES:g} s are the limit. Pass --length {codes.seconds:g} to decode them"
                )
            return codes
        samples = min(codes.samples, max(1, round(self.length * codes.sample_rate)))
        return replace(codes, codes=codes.codes[: -(-samples // codes.hop)], samples=samples)


def output_names(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Pair each file with the name of its sound, numbered where names repeat."""
    return list(zip(paths, unique_names(map(sound_name, paths)), strict=True))


def describe_codes(codes: Codes) -> str:
    """Return the length in codes and in seconds, which are easily mistaken for each other."""
    return f"{len(codes):,} code{'' if len(codes) == 1 else 's'}, {codes.seconds:,.3f} s"


def encode_files(
    paths: Sequence[Path],
    reader: CodeReader,
    folder: Path,
    on_error: Callable[[InversynthError], None],
    *,
    bare: bool = False,
) -> Iterator[tuple[Path, Codes]]:
    """Encode sounds one by one into `<name>.codes.npz`, with a progress bar on a terminal; yields each file and codes.

    Batches would be no faster, and sounds may have any lengths. The error of a single sound goes to `on_error`.

    Args:
        bare: also write `<name>_embeddings.npy`.
    Raises: ModelError for an unusable model; DatasetError where nothing can be written.
    """
    from tqdm import tqdm

    for path, name in tqdm(
        reader.without_unknown(output_names(paths), on_error), desc="encoding", unit="sounds", disable=None
    ):
        try:
            codes = reader.encode(path, name)
        except AudioError as error:
            on_error(error)
            continue
        except ModelError as error:
            reader.load()  # an unusable model is not the fault of one sound: its error ends the command
            on_error(error)
            continue
        written = write_codes(folder / f"{name}{ENDING}", codes)
        if bare:
            write_bare_codes(folder / f"{name}{BARE_ENDING}", codes)
        yield written, codes


# --- the command -----------------------------------------------------------------------------------------------


class EncodeSettings(NoteNaming):
    """Encode sounds (WAV, FLAC, OGG, MP3, AIFF) to NSynth codes, a code file each."""

    flags_only: ClassVar = frozenset(
        {"sounds", "model", "pitch", "note_names", "transpose_unknown", "length", "npy", "output_dir"}
    )
    renamed: ClassVar = {"output_directory": "output_dir"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, and folders of sounds")
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    pitch: MidiNote = Field(None, description="MIDI note or name of all sounds; by default that in <sound>_<note>")
    transpose_unknown: CliToggleFlag[bool] = Field(False, description=TRANSPOSE)
    length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds of each sound at most; all of it if left out"
    )
    npy: CliToggleFlag[bool] = Field(False, description="also write <name>_embeddings.npy, the bare array")
    output_dir: Path = Field(Path("output"), description="where <name>.codes.npz is written")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth encode") -> int:
    """Encode sounds; returns the exit code, which is 2 where one of them is unusable."""
    return run_for_each(EncodeSettings, _run, argv, prog, resumes=False)


def _run(settings: EncodeSettings, on_error: Callable[[InversynthError], None]) -> None:
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    if not settings.sounds:
        raise SettingsError("name one or more sounds, or folders of them. Received: none. See --help")
    load, transpose = model_loader(settings.model, LOADER), settings.transpose_unknown
    reader = CodeReader(load, settings.pitch, settings.length, settings.note_names, transpose)
    paths = sound_paths(settings.sounds)
    with logging_redirect_tqdm():
        for written, codes in encode_files(paths, reader, settings.output_dir, on_error, bare=settings.npy):
            note = describe_note(codes.pitch, settings.note_names, note_to_make(load(), "", codes.pitch, transpose))
            tqdm.write(one_line(f"{codes.name}: {describe_codes(codes)}, {note} -> {written}"))


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.encode"))
