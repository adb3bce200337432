"""What lies between notes: `inversynth interpolate A B …`, on the codes of an NSynth.

Three ways, as the published notebook shows them: a weighted mean of codes, a cross-fade from one sound's to another's
along a raised cosine, and a sound whose codes are stretched in time, which keeps its pitch.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import ParameterError, SettingsError
from generators.settings import Numbers
from inversynth.nsynth.codes import ENDING, Codes, write_codes
from inversynth.nsynth.decode import SHARED, VoiceSettings, codes_in, targets, tell_sounds, voice_of
from inversynth.nsynth.encode import Ear, coder_loader, described, named

MOST_STEPS = 1000
"""Of a series: beyond them, weights of three decimals would be the same."""

LONGEST_NAME = 150
"""Bytes of the name of a result; file systems take 255, and something comes behind it."""


def mix(sounds: Sequence[Codes], weights: ArrayLike | None = None) -> Codes:
    """Return the weighted mean of codes; without weights all count the same.

    Args:
        weights: one a sound, none below 0, of any sum above it.
    Raises: ParameterError for weights that are not so, or sounds of different lengths or models.
    """
    _check_alike(sounds)
    given = np.ones(len(sounds)) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (len(sounds),) or not np.all(np.isfinite(given)) or given.min() < 0 or not given.sum() > 0:
        raise ParameterError(
            f"weights are one for each of {len(sounds)} sounds, none below 0 and not all 0. Received: "
            f"{', '.join(f'{weight:g}' for weight in given.ravel())}"
        )
    parts = given / given.sum()
    mean = np.tensordot(parts, np.stack([sound.codes for sound in sounds]).astype(np.float64), axes=1)
    words = (*(sound.name for sound in sounds), "mix", *(f"{part:.3f}" for part in parts))
    return _made(sounds, mean, "_".join(words))


def series(first: Codes, last: Codes, steps: int) -> Iterator[Codes]:
    """Return mixes at even steps from one sound to another, both ends among them. Raises ParameterError as `mix`."""
    for part in np.linspace(0.0, 1.0, steps):
        yield mix([first, last], [1.0 - part, part])


def crossfade(first: Codes, last: Codes, start: float = 0.0, end: float = 1.0) -> Codes:
    """Go over from one sound to another while they last, along a raised cosine.

    Args:
        start, end: parts of the length; before lies the first sound alone, behind the last.
    Raises: ParameterError where they do not rise within 0..1, or for sounds of different lengths or models.
    """
    _check_alike([first, last])
    if not 0.0 <= start < end <= 1.0:
        raise ParameterError(f"a fade begins before it ends, both within 0..1. Received: {start:g}:{end:g}")
    middles = (np.arange(len(first)) + 0.5) / len(first)
    part = 0.5 - 0.5 * np.cos(np.pi * np.clip((middles - start) / (end - start), 0.0, 1.0))
    codes = first.codes + part[:, np.newaxis] * (last.codes.astype(np.float64) - first.codes)
    return _made([first, last], codes, f"{first.name}_{last.name}_crossfade_{start:.3f}_{end:.3f}")


def stretch(sound: Codes, factor: float) -> Codes:
    """Make a sound last longer, or shorter with a factor below 1, at the pitch that it has.

    A code of the result is read where its middle would lie in the original, on the line between two codes.
    Raises: ParameterError for a factor that is not above 0.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise ParameterError(f"a sound is stretched by a factor above 0. Received: {factor:g}")
    samples = max(1, round(sound.samples * factor))
    places = (np.arange(-(-samples // sound.hop)) + 0.5) / factor - 0.5
    codes = [np.interp(places, np.arange(len(sound)), column) for column in sound.codes.T]
    return replace(_made([sound], np.stack(codes, axis=1), f"{sound.name}_stretch_{factor:.3f}"), samples=samples)


def _made(sounds: Sequence[Codes], codes: NDArray[np.float64], name: str) -> Codes:
    """Return codes made from those of sounds; their note is that of the sounds, where it is one."""
    if len(whole := name.encode()) > LONGEST_NAME:
        name = f"{whole[: LONGEST_NAME - 9].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:8]}"
    notes = {sound.pitch for sound in sounds}
    made = replace(sounds[0], codes=codes.astype(np.float32), name=name, pitch=notes.pop() if len(notes) == 1 else None)
    return replace(made, samples=max(sound.samples for sound in sounds))


def _check_alike(sounds: Sequence[Codes]) -> None:
    if len({(sound.fingerprint, sound.codes.shape[1]) for sound in sounds}) > 1:
        raise ParameterError(
            "codes that are mixed are of one model. Received: "
            + ", ".join(f"{sound.name} of {sound.fingerprint or 'nobody knows which'}" for sound in sounds)
        )
    if len({len(sound) for sound in sounds}) > 1:
        raise ParameterError(
            f"codes that are mixed are of one length. Received: "
            f"{'; '.join(f'{sound.name}, {described(sound)}' for sound in sounds)}. Cut them alike, e.g. --length "
            f"{min(sound.seconds for sound in sounds):g}, or stretch one first (--how stretch)"
        )


# --- the door --------------------------------------------------------------------------------------------------


def fade_of(text: str) -> tuple[float, float]:
    """Read START:END. Raises ParameterError for anything but two numbers; whether they fit says `crossfade`."""
    try:
        start, end = map(float, text.split(":"))
    except ValueError:
        raise ParameterError(f"a fade is two parts of the length, such as 0.25:0.75. Received: {text}") from None
    return start, end


WAYS = {"mix": ("weights", "steps"), "crossfade": ("fade",), "stretch": ("factor",)}
"""What each way has of its own."""


class InterpolateSettings(VoiceSettings):
    """Make sounds that lie between others, by way of their codes: a code file and a WAV each."""

    flags_only: ClassVar = SHARED | {"inputs", "how", "weights", "steps", "fade", "factor"}

    inputs: CliPositionalArg[list[Path]] = Field([], description="code files, .npy arrays and sounds, in their order")
    how: Literal["mix", "crossfade", "stretch"] = Field(
        "mix", description="weighted mean, from A to B while they last, or one sound longer or shorter"
    )
    weights: Numbers = Field((), description="of a mix, one a sound; of any sum. All the same if left out")
    steps: int | None = Field(None, ge=2, le=MOST_STEPS, description="of a series of mixes, from A to B with both")
    fade: str = Field("0:1", description="START:END of a crossfade, as parts of the length")
    factor: float = Field(1.5, gt=0, le=100, allow_inf_nan=False, description="of a stretch: 2 is twice as long")
    output_directory: Path = Field(
        Path("output"), description="where <name>.codes.npz and <name>_decoded.wav are written"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth interpolate") -> int:
    """Interpolate between what is named; returns the exit code."""
    return run_command(InterpolateSettings, _run, argv, prog)


def _run(settings: InterpolateSettings) -> None:
    _check(settings)
    load = coder_loader(settings.model)
    paths = codes_in(settings.inputs)
    _check_count(settings, len(paths))
    ear = Ear(load, length=settings.length)
    sounds = [ear.take(path, name) for path, name in named(paths)]
    note: dict[str, Any] = {} if settings.pitch is None else {"pitch": settings.pitch}
    made = [replace(codes, **note) for codes in interpolate(settings, sounds)]
    voice = voice_of(settings, load)
    placed = targets([voice.check_note(codes) for codes in made], settings.output_directory, paths)
    for codes in made:
        write_codes(settings.output_directory / f"{codes.name}{ENDING}", codes)
    tell_sounds(settings, voice, placed)


def interpolate(settings: InterpolateSettings, sounds: Sequence[Codes]) -> list[Codes]:
    """Return what settings ask for, of sounds. Raises ParameterError as the ways do."""
    if settings.how == "stretch":
        return [stretch(sounds[0], settings.factor)]
    if settings.how == "crossfade":
        return [crossfade(sounds[0], sounds[1], *fade_of(settings.fade))]
    if settings.steps is not None:
        return list(series(sounds[0], sounds[1], settings.steps))
    return [mix(sounds, settings.weights or None)]


def _check(settings: InterpolateSettings) -> None:
    for way, names in WAYS.items():
        for name in names:
            if way != settings.how and name in settings.model_fields_set:
                raise SettingsError(f"--{name} goes with --how {way}. Received: --how {settings.how}. Leave it out")
    fade_of(settings.fade)
    if settings.weights and settings.steps:
        raise SettingsError("a series has weights of its own. Received: --weights and --steps. Keep one of them")


def _check_count(settings: InterpolateSettings, count: int) -> None:
    exact = {"stretch": 1, "crossfade": 2}.get(settings.how, 2 if settings.steps else None)
    if count == exact or (exact is None and count >= 2):
        return
    way = f"--how {settings.how}{' with --steps' if settings.steps else ''}"
    wanted = {None: "two sounds or more", 1: "one sound", 2: "two sounds"}[exact]
    raise SettingsError(f"{way} takes {wanted}. Received: {count}. See --help")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.interpolate"))
