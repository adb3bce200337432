"""Codes, or sounds, said by an NSynth: `inversynth decode CODES… SOUND… FOLDER…`.

Sounds are drawn sample by sample, many at once, which takes about as long as they last; so a batch that is interrupted
leaves its state beside the results, and the same command goes on from there to the same samples. A WAV keeps in its
comment what it was made of, and is not made again as long as that is the same.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import soundfile
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.audio import write_audio
from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, DatasetError, InversynthError, ModelError, SettingsError
from generators.settings import Settings
from inversynth.neurosynth.shape import check_apart
from inversynth.nsynth.codes import BARE, ENDING, Codes
from inversynth.nsynth.encode import Ear, MidiNote, coder_loader, described, fault_teller, named, sounds_in

if TYPE_CHECKING:
    from models.nsynth.inference import NSynthCodec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Voice:
    """A model, and how it says codes: a sound follows from these and nothing else.

    Attributes: seed of all sounds, so that what a sound is does not hang on its neighbours. temperature divides the
    logits.
    """

    coder: "NSynthCodec"
    seed: int = 0
    temperature: float = 1.0

    def record(self, codes: Codes) -> str:
        """Return what a sound is made of, as JSON."""
        made = {
            "made_by": "inversynth decode",
            "model": self.coder.fingerprint,
            "codes": codes.digest,
            "pitch": codes.pitch if self.coder.takes_pitch else None,
            "seed": self.seed,
            "temperature": self.temperature,
        }
        return json.dumps(made)

    def has_said(self, codes: Codes, path: Path) -> bool:
        """Say whether a file is these codes, said by this very voice."""
        with suppress(soundfile.LibsndfileError, OSError), soundfile.SoundFile(path) as file:
            expected = self.record(codes), codes.samples, self.coder.sample_rate
            return (file.comment, file.frames, file.samplerate) == expected
        return False

    def check_note(self, codes: Codes) -> Codes:
        """Return codes that can be said. Raises ModelError where the model has to be told their note."""
        if self.coder.takes_pitch and codes.pitch is None:
            raise ModelError(
                f"{self.coder.loaded.path} is told the note that it says. Received: none for {codes.name}. Say --pitch "
                "C4, or name it <sound>_<note>"
            )
        return codes


def say(
    voice: Voice, sounds: Sequence[tuple[Codes, Path]], *, batch_size: int = 16, resume: bool = True
) -> Iterator[tuple[Codes, Path, bool]]:
    """Decode into WAV files, with a bar on a terminal; yields codes, file, and whether it was there already.

    Batches are all of one size, as large as they need be, the longest sounds first; codes that end before those of
    their batch are held, and what is said of that is cut off. `resume` keeps files that were made of the same, and
    goes on with a batch that was interrupted.
    """
    from tqdm import tqdm

    if not sounds:
        return
    ordered = sorted(sounds, key=lambda each: -len(each[0]))
    size = -(-len(ordered) // -(-len(ordered) // batch_size))
    said = {path: resume and voice.has_said(codes, path) for codes, path in ordered}
    total = sum(codes.samples for codes, path in ordered if not said[path])
    with tqdm(total=total, desc="decoding", unit="samples", unit_scale=True, disable=None) as bar:
        clock = _Clock(bar, voice.coder.sample_rate)
        for first in range(0, len(ordered), size):
            batch = ordered[first : first + size]
            missing = [each for each in batch if not said[each[1]]]
            if missing:
                _say_batch(voice, missing, size, resume, clock)
            yield from ((codes, path, said[path]) for codes, path in batch)
    if speed := str(clock):
        log.info("decoded at %s", speed)


def _say_batch(voice: Voice, sounds: Sequence[tuple[Codes, Path]], size: int, resume: bool, clock: "_Clock") -> None:
    coder, longest = voice.coder, len(sounds[0][0])
    filled = [*sounds, *[sounds[-1]] * (size - len(sounds))]
    codes = [np.pad(each.codes, ((0, longest - len(each)), (0, 0)), mode="edge") for each, _ in filled]
    state = sounds[0][1].with_name(f".{sounds[0][1].stem}.state.npz")
    if not resume:
        state.unlink(missing_ok=True)
    audio = coder.decode(
        np.stack(codes),
        seeds=[voice.seed] * size,
        pitch=[int(each.pitch or 0) for each, _ in filled] if coder.takes_pitch else None,
        temperature=voice.temperature,
        state_file=state,
        on_code=clock.following([each.samples for each, _ in sounds], coder.hop),
    )
    for (each, path), sound in zip(sounds, audio, strict=False):
        write_audio(path, sound[: each.samples], coder.sample_rate, comment=voice.record(each))


class _Clock:
    """Moves a bar in samples, and tells how many times as fast as real time they are made.

    The first code of all starts it: before that the loop was compiled.
    """

    def __init__(self, bar: Any, sample_rate: int) -> None:
        self._bar, self._sample_rate = bar, sample_rate
        self._begun, self._made = 0.0, 0

    def following(self, samples: Sequence[int], hop: int) -> Callable[[int], None]:
        """Return what is told, after each code, how many codes of sounds of these lengths are done."""
        before = 0

        def on_code(done: int) -> None:
            nonlocal before
            now = sum(min(done * hop, each) for each in samples)
            if not before and done > 1:
                log.info("going on at %.2f s of %.2f s", done * hop / self._sample_rate, samples[0] / self._sample_rate)
            elif self._begun:
                self._made += now - before
                self._bar.set_postfix_str(str(self), refresh=False)
            self._begun = self._begun or time.monotonic()
            self._bar.update(now - before)
            before = now

        return on_code

    def __str__(self) -> str:
        if not self._made:
            return ""
        seconds = self._made / self._sample_rate
        return f"{seconds / max(time.monotonic() - self._begun, 1e-9):.2f} x real time"


# --- inputs ----------------------------------------------------------------------------------------------------


def codes_in(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the code files in it, else by its .npy files, else by its sounds; and those below it.

    Raises: DatasetError for a folder with none of them.
    """
    return [file for path in paths for file in (_kept_in(path) if path.is_dir() else [path])]


def _kept_in(folder: Path) -> list[Path]:
    for ending in (ENDING, BARE):
        files = [file for file in folder.rglob("*") if file.name.endswith(ending) and not file.name.startswith(".")]
        if files:
            return sorted(files)
    return sounds_in([folder])


def targets(sounds: Sequence[Codes], folder: Path, inputs: Sequence[Path]) -> list[tuple[Codes, Path]]:
    """Say which file each sound goes into, `<name>_decoded.wav`. Raises SettingsError where that is an input."""
    placed = [(codes, folder / f"{codes.name}_decoded.wav") for codes in sounds]
    check_apart((path for _, path in placed), inputs)
    return placed


def check_writable(folder: Path) -> None:
    """Raise AudioError where no sound could be written, before any has been waited for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise AudioError(f"cannot write {folder}: {reason}. Name a folder with room that you may write to") from None


# --- the door --------------------------------------------------------------------------------------------------


class VoiceSettings(Settings):
    """What decode and interpolate share."""

    output_directory: Path = Field(Path("output"), description="where <name>_decoded.wav is written")
    model: str = Field("nsynth", description="a bundled model, a run folder, or a .keras file")
    temperature: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="divides the logits: below 1 duller and steadier, above 1 rougher"
    )
    seed: int = Field(0, ge=0, description="of the samples that are drawn; each sound follows from it and its codes")
    batch_size: int = Field(16, ge=1, description="sounds at once")
    pitch: MidiNote = Field(
        None, description="MIDI note or name of all, for a model that is told it; by default theirs"
    )
    length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds of each at most; whole if left out"
    )
    resume: bool = Field(True, description="keep what was made of the same, and go on with what was interrupted")


SHARED = frozenset(VoiceSettings.model_fields)


class DecodeSettings(VoiceSettings):
    """Decode codes by an NSynth, sample by sample, into a WAV each; sounds are encoded first."""

    flags_only: ClassVar = SHARED | {"inputs"}

    inputs: CliPositionalArg[list[Path]] = Field([], description="code files, .npy arrays, sounds, and folders of them")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth decode") -> int:
    """Decode what is named; returns the exit code, which is 2 where some of it is at fault."""
    faults: list[InversynthError] = []
    code = run_command(DecodeSettings, lambda settings: _run(settings, faults), argv, prog)
    return code or (EXIT_FAULT if faults else 0)


def _run(settings: DecodeSettings, faults: list[InversynthError]) -> None:
    if not settings.inputs:
        raise SettingsError("name codes or sounds, or folders of them. Received: none. See --help")
    load = coder_loader(settings.model)
    ear, on_fault = Ear(load, settings.pitch, settings.length), fault_teller(faults)
    paths, sounds = codes_in(settings.inputs), []
    for path, name in named(paths):
        try:
            codes = ear.take(path, name)
            sounds.append(voice_of(settings, load).check_note(codes))
        except (AudioError, DatasetError) as fault:
            on_fault(fault)
        except ModelError as fault:
            load()  # a model that is none is at fault by itself, and is told once
            on_fault(fault)
    if sounds:
        tell_sounds(settings, voice_of(settings, load), targets(sounds, settings.output_directory, paths))


def voice_of(settings: VoiceSettings, load: "Callable[[], NSynthCodec]") -> Voice:
    """Return the voice that settings speak of. Raises SettingsError for a note that nobody would be told."""
    voice = Voice(load(), settings.seed, settings.temperature)
    if settings.pitch is not None and isinstance(settings, DecodeSettings) and not voice.coder.takes_pitch:
        raise SettingsError(
            f"--pitch goes with a model that is told the note. Received: --pitch {settings.pitch} for "
            f"{voice.coder.loaded.path}, which is not. Leave it out"
        )
    return voice


def tell_sounds(settings: VoiceSettings, voice: Voice, sounds: Sequence[tuple[Codes, Path]]) -> None:
    """Decode, and print a line for each sound."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    check_writable(settings.output_directory)
    longest = max((codes for codes, _ in sounds), key=len)
    count = f"{len(sounds):,} sound{'' if len(sounds) == 1 else 's'}"
    log.info("%s to say, %s%s", count, "the longest of " if len(sounds) > 1 else "", described(longest))
    with logging_redirect_tqdm():
        for codes, path, was_there in say(voice, sounds, batch_size=settings.batch_size, resume=settings.resume):
            tqdm.write(f"{codes.name}: {described(codes)}{', there already' if was_there else ''} -> {path}")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.decode"))
