"""Sounds into the codes of an NSynth: `inversynth encode SOUND… FOLDER…`.

A sound of any rate and channel count is mixed down and brought to the model's rate; its note is read from its name.
What comes out is a code file each (`inversynth.nsynth.codes`), and on request the array that the published code writes.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import Sound, read_audio, resample
from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, DatasetError, InversynthError, ModelError, ParameterError, SettingsError
from generators.notes.folder import sound_files
from generators.notes.pitches import midi_number
from generators.settings import Settings
from inversynth.inversion.inversion import name_folders
from inversynth.nsynth.codes import (
    BARE,
    BARE_ENDING,
    ENDING,
    Codes,
    is_code_file,
    name_of,
    pitch_in_name,
    read_codes,
    write_bare,
    write_codes,
)

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

log = logging.getLogger(__name__)

LONGEST_HEARD = 120.0
"""Seconds of a sound: a layer of the full size holds a gigabyte of so many."""

LONGEST_SAID = 600.0
"""Seconds of codes that nobody has to ask for by a length. The published code takes a number of samples for one of
codes, and has made people files of 34 minutes."""


def coder_loader(name: str) -> "Callable[[], NSynthCodec]":
    """Find a model at once, and return what loads it (and TensorFlow) when it is first called. Raises ModelError."""
    from inversynth.pretrained import find_model

    path = find_model(name)

    @cache
    def load() -> "NSynthCodec":
        from models.nsynth.inference import load_nsynth

        return load_nsynth(path)

    return load


@dataclass(frozen=True)
class Ear:
    """How files are turned into codes of one model.

    Attributes: load gives the model, for the first file that can be read. pitch: MIDI note of all, in place of those
    in their names. length: seconds at most of each.
    """

    load: "Callable[[], NSynthCodec]"
    pitch: int | None = None
    length: float | None = None

    def take(self, path: Path, name: str) -> Codes:
        """Read codes, or hear a sound. Raises: AudioError, DatasetError, ModelError."""
        if is_code_file(path):
            codes = self._cut(replace(read_codes(path), name=name).said_by(self.load()))
        else:
            codes = self.hear(path, name)
        return codes if self.pitch is None else replace(codes, pitch=self.pitch)

    def hear(self, path: Path, name: str) -> Codes:
        """Encode a sound, mixed down and at the model's rate. Raises: AudioError, ModelError."""
        sound = self._read(path)
        coder = self.load()
        audio = resample(sound.audio, sound.sample_rate, coder.sample_rate)
        tell_conversion(path, sound.sample_rate, sound.channels, coder.sample_rate)
        if (peak := float(np.abs(audio).max())) > 1.0:
            log.info("%s is clipped to full scale. Its peak is %.2f", path, peak)
        codes = coder.encode(audio[np.newaxis])[0]
        if not np.all(np.isfinite(codes)):
            raise ModelError(f"{coder.loaded.path} must give finite codes. Received: NaN or infinity. Train it again")
        pitch = pitch_in_name(name_of(path)) if self.pitch is None else self.pitch
        return Codes(codes, name, pitch, coder.fingerprint, coder.hop, coder.sample_rate, len(audio))

    def _read(self, path: Path) -> Sound:
        just_too_long = LONGEST_HEARD + 1 / read_audio(path, length=0.0).sample_rate
        sound = read_audio(path, length=min(self.length or just_too_long, just_too_long))
        if sound.length > LONGEST_HEARD:
            raise AudioError(
                f"a sound to encode lasts {LONGEST_HEARD:g} s at most. Received: more, in {path}. Say how many seconds "
                "of it to take, e.g. --length 4"
            )
        return sound

    def _cut(self, codes: Codes) -> Codes:
        if self.length is None:
            if codes.seconds > LONGEST_SAID:
                raise DatasetError(
                    f"{len(codes):,} codes of {codes.name} are {codes.seconds:,.1f} s of sound. Received: no --length, "
                    f"without which {LONGEST_SAID:g} s are the limit. Say --length {codes.seconds:g} if you mean it"
                )
            return codes
        samples = min(codes.samples, max(1, round(self.length * codes.sample_rate)))
        return replace(codes, codes=codes.codes[: -(-samples // codes.hop)], samples=samples)


def named(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Give each file the name of its sound, and a number where two have the same name."""
    names = name_folders([Path(f"{name_of(path)}{BARE}") for path in paths])
    return [(path, name) for path, (_, name) in zip(paths, names, strict=True)]


def tell_conversion(path: Path, sample_rate: int, channels: int, wanted: int) -> None:
    """Log that a sound was brought to mono and to another rate, where it was."""
    if (sample_rate, channels) != (wanted, 1):
        was = f"{sample_rate:,} Hz, {channels} channel{'s' if channels > 1 else ''}"
        log.info("converted %s: %s -> %s Hz, mono", path, was, f"{wanted:,}")


def described(codes: Codes) -> str:
    """Say how long codes are, in both units that have been mistaken for each other."""
    return f"{len(codes):,} code{'' if len(codes) == 1 else 's'}, {codes.seconds:,.3f} s"


def encode_files(
    paths: Sequence[Path], ear: Ear, folder: Path, on_fault: Callable[[InversynthError], None], *, bare: bool = False
) -> Iterator[tuple[Path, Codes]]:
    """Encode sounds one after another into `<name>.codes.npz`, with a bar on a terminal; yields each file and codes.

    One at a time is as fast as many at once, and sounds of any lengths can be. A sound at fault goes to `on_fault`.

    Args:
        bare: also write `<name>_embeddings.npy`.
    Raises: ModelError for a model that is none; DatasetError where nothing can be written.
    """
    from tqdm import tqdm

    for path, name in tqdm(named(paths), desc="encoding", unit="sounds", disable=None):
        try:
            codes = ear.hear(path, name)
        except AudioError as fault:
            on_fault(fault)
            continue
        written = write_codes(folder / f"{name}{ENDING}", codes)
        if bare:
            write_bare(folder / f"{name}{BARE_ENDING}", codes)
        yield written, codes


def sounds_in(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the sounds in it, and in the folders in it. Raises DatasetError for one without."""
    return [file for path in paths for file in (sound_files(path) if path.is_dir() else [path])]


# --- the door --------------------------------------------------------------------------------------------------


def _note(text: Any) -> Any:
    try:
        return midi_number(text) if isinstance(text, str) else text
    except ParameterError:
        raise ValueError("must be a MIDI number, 0 to 127, or a note such as C4") from None


MidiNote = Annotated[int | None, BeforeValidator(_note)]
"""A field that is a MIDI number or the name of a note."""


class EncodeSettings(Settings):
    """Encode sounds (WAV, FLAC, OGG, MP3, AIFF) by an NSynth, into a code file each."""

    flags_only: ClassVar = frozenset({"sounds", "model", "pitch", "length", "npy", "output_directory"})

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, and folders of them")
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    pitch: MidiNote = Field(None, description="MIDI note or name of all sounds; by default that in <sound>_<note>")
    length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds of each sound at most; whole if left out"
    )
    npy: CliToggleFlag[bool] = Field(False, description="also write <name>_embeddings.npy, the numbers alone")
    output_directory: Path = Field(Path("output"), description="where <name>.codes.npz is written")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth encode") -> int:
    """Encode the sounds named; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[InversynthError] = []
    code = run_command(EncodeSettings, lambda settings: _run(settings, faults), argv, prog, resumes=False)
    return code or (EXIT_FAULT if faults else 0)


def fault_teller(faults: list[InversynthError]) -> Callable[[InversynthError], None]:
    """Return what prints a fault in a line, above a bar where there is one, and keeps it."""

    def tell(fault: InversynthError) -> None:
        from tqdm import tqdm

        faults.append(fault)
        tqdm.write(" ".join(f"{type(fault).__name__}: {fault}".split()), file=sys.stderr)

    return tell


def _run(settings: EncodeSettings, faults: list[InversynthError]) -> None:
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    if not settings.sounds:
        raise SettingsError("name one or more sounds, or folders of them. Received: none. See --help")
    ear = Ear(coder_loader(settings.model), settings.pitch, settings.length)
    paths, folder = sounds_in(settings.sounds), settings.output_directory
    with logging_redirect_tqdm():
        for written, codes in encode_files(paths, ear, folder, fault_teller(faults), bare=settings.npy):
            note = "no note" if codes.pitch is None else f"note {codes.pitch}"
            tqdm.write(f"{codes.name}: {described(codes)}, {note} -> {written}")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.encode"))
