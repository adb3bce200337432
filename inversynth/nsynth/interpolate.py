"""Interpolate between sounds by their NSynth codes: `inversynth interpolate A B …`.

Three methods, as in the published notebook: a weighted mean of codes, a cross-fade from the codes of one sound to those
of another along a raised cosine, and codes stretched in time, which keeps the pitch.
"""

import hashlib
import os
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
from inversynth.inputs import model_loader
from inversynth.nsynth.codes import ENDING, Codes, write_codes
from inversynth.nsynth.decode import (
    SHARED,
    DecodingSettings,
    decode_and_print,
    decoder_of,
    input_paths,
    with_outputs,
)
from inversynth.nsynth.encode import LOADER, CodeReader, describe_codes, output_names
from inversynth.nsynth.transpose import stretched

MOST_STEPS = 1000
"""Steps of a series: beyond, weights rounded to three decimals would repeat."""

LONGEST_NAME = 150
"""Bytes of the name of a result: file systems take 255, and suffixes follow."""


def mix(sounds: Sequence[Codes], weights: ArrayLike | None = None) -> Codes:
    """Return the weighted mean of codes; without weights all count equally.

    Args:
        weights: one per sound, none below 0, of any sum above 0.
    Raises: ParameterError for other weights, or for sounds of different lengths or models.
    """
    _check_compatible(sounds)
    given = np.ones(len(sounds)) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (len(sounds),) or not np.all(np.isfinite(given)) or given.min() < 0 or not given.sum() > 0:
        raise ParameterError(
            f"weights are one for each of {len(sounds)} sounds, none below 0 and not all 0. Received: "
            f"{', '.join(f'{weight:g}' for weight in given.ravel())}"
        )
    parts = given / given.sum()
    mean = np.tensordot(parts, np.stack([sound.codes for sound in sounds]).astype(np.float64), axes=1)
    words = (*(sound.name for sound in sounds), "mix", *(f"{part:.3f}" for part in parts))
    return _result(sounds, mean, "_".join(words))


def series(first: Codes, last: Codes, steps: int) -> Iterator[Codes]:
    """Yield mixes at even steps from one sound to another, both included. Raises ParameterError as `mix`."""
    for part in np.linspace(0.0, 1.0, steps):
        yield mix([first, last], [1.0 - part, part])


def crossfade(first: Codes, last: Codes, start: float = 0.0, end: float = 1.0) -> Codes:
    """Cross-fade from one sound to another over their length, along a raised cosine.

    Args:
        start, end: of the fade, as fractions of the length; before it is the first sound alone, after it the last.
    Raises: ParameterError where they do not rise within 0..1, or for sounds of different lengths or models.
    """
    _check_compatible([first, last])
    if not 0.0 <= start < end <= 1.0:
        raise ParameterError(f"a fade begins before it ends, both within 0..1. Received: {start:g}:{end:g}")
    middles = (np.arange(len(first)) + 0.5) / len(first)
    part = 0.5 - 0.5 * np.cos(np.pi * np.clip((middles - start) / (end - start), 0.0, 1.0))
    codes = first.codes + part[:, np.newaxis] * (last.codes.astype(np.float64) - first.codes)
    return _result([first, last], codes, f"{first.name}_{last.name}_crossfade_{start:.3f}_{end:.3f}")


def stretch(sound: Codes, factor: float) -> Codes:
    """Stretch a sound in time, or shorten it with a factor below 1, at the same pitch.

    A code of the result is interpolated linearly at the position of its centre in the original.
    Raises: ParameterError for a factor that is not above 0.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise ParameterError(f"a sound is stretched by a factor above 0. Received: {factor:g}")
    samples = max(1, round(sound.samples * factor))
    codes = stretched(sound.codes, factor, -(-samples // sound.hop))
    return replace(_result([sound], codes, f"{sound.name}_stretch_{factor:.3f}"), samples=samples)


def _result(sounds: Sequence[Codes], codes: NDArray[np.float64], name: str) -> Codes:
    """Return new codes with the note of the sounds they come from, where these share one."""
    if len(whole := os.fsencode(name)) > LONGEST_NAME:
        name = f"{whole[: LONGEST_NAME - 9].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:8]}"
    notes = {sound.pitch for sound in sounds}
    made = replace(sounds[0], codes=codes.astype(np.float32), name=name, pitch=notes.pop() if len(notes) == 1 else None)
    return replace(made, samples=max(sound.samples for sound in sounds))


def _check_compatible(sounds: Sequence[Codes]) -> None:
    if len({(sound.fingerprint, sound.codes.shape[1]) for sound in sounds}) > 1:
        raise ParameterError(
            "codes that are mixed are of one model. Received: "
            + ", ".join(f"{sound.name} of {sound.fingerprint or 'an unknown model'}" for sound in sounds)
        )
    if len({len(sound) for sound in sounds}) > 1:
        raise ParameterError(
            f"codes that are mixed are of one length. Received: "
            f"{'; '.join(f'{sound.name}, {describe_codes(sound)}' for sound in sounds)}. Cut them, e.g. with "
            f"--length {min(sound.seconds for sound in sounds):g}, or stretch one first (--how stretch)"
        )


# --- the command -----------------------------------------------------------------------------------------------


def fade_of(text: str) -> tuple[float, float]:
    """Parse START:END. Raises ParameterError for anything but two numbers; `crossfade` checks their range."""
    try:
        start, end = map(float, text.split(":"))
    except ValueError:
        raise ParameterError(f"a fade is two fractions of the length, such as 0.25:0.75. Received: {text}") from None
    return start, end


METHOD_FLAGS = {"mix": ("weights", "steps"), "crossfade": ("fade",), "stretch": ("factor",)}
"""Flags that one method alone takes."""


class InterpolateSettings(DecodingSettings):
    """Mix, cross-fade or stretch sounds by their NSynth codes: a code file and a WAV each."""

    flags_only: ClassVar = SHARED | {"inputs", "how", "weights", "steps", "fade", "factor"}

    inputs: CliPositionalArg[list[Path]] = Field([], description="code files, .npy arrays and sounds, in their order")
    how: Literal["mix", "crossfade", "stretch"] = Field(
        "mix", description="weighted mean, cross-fade from A to B, or one sound stretched in time"
    )
    weights: Numbers = Field((), description="of a mix, one per sound, of any sum; equal if left out")
    steps: int | None = Field(None, ge=2, le=MOST_STEPS, description="of a series of mixes from A to B, both included")
    fade: str = Field("0:1", description="START:END of a cross-fade, as fractions of the length")
    factor: float = Field(1.5, gt=0, le=100, allow_inf_nan=False, description="of a stretch: 2 is twice as long")
    output_dir: Path = Field(Path("output"), description="where <name>.codes.npz and <name>_decoded.wav are written")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth interpolate") -> int:
    """Interpolate between sounds; returns the exit code."""
    return run_command(InterpolateSettings, _run, argv, prog)


def _run(settings: InterpolateSettings) -> None:
    _check(settings)
    load = model_loader(settings.model, LOADER)
    paths = input_paths(settings.inputs)
    _check_count(settings, len(paths))
    reader = CodeReader(load, length=settings.length, names=settings.note_names, transpose=settings.transpose_unknown)
    sounds = [reader.read(path, name) for path, name in output_names(paths)]
    note: dict[str, Any] = {} if settings.pitch is None else {"pitch": settings.pitch}
    results = [replace(codes, **note) for codes in _interpolate(settings, sounds)]
    decoder = decoder_of(settings, load())
    pairs = with_outputs([decoder.check_pitch(codes) for codes in results], settings.output_dir, paths)
    for codes in results:
        write_codes(settings.output_dir / f"{codes.name}{ENDING}", codes)
    decode_and_print(settings, decoder, pairs)


def _interpolate(settings: InterpolateSettings, sounds: Sequence[Codes]) -> list[Codes]:
    """Return the codes that settings ask for. Raises ParameterError as the methods do."""
    if settings.how == "stretch":
        return [stretch(sounds[0], settings.factor)]
    if settings.how == "crossfade":
        return [crossfade(sounds[0], sounds[1], *fade_of(settings.fade))]
    if settings.steps is not None:
        return list(series(sounds[0], sounds[1], settings.steps))
    return [mix(sounds, settings.weights or None)]


def _check(settings: InterpolateSettings) -> None:
    for method, names in METHOD_FLAGS.items():
        for name in names:
            if method != settings.how and name in settings.model_fields_set:
                raise SettingsError(f"--{name} goes with --how {method}. Received: --how {settings.how}. Leave it out")
    fade_of(settings.fade)
    if settings.weights and settings.steps:
        raise SettingsError("a series sets its own weights. Received: --weights and --steps. Keep one of them")


def _check_count(settings: InterpolateSettings, count: int) -> None:
    exact = {"stretch": 1, "crossfade": 2}.get(settings.how, 2 if settings.steps else None)
    if count == exact or (exact is None and count >= 2):
        return
    method = f"--how {settings.how}{' with --steps' if settings.steps else ''}"
    wanted = {None: "two sounds or more", 1: "one sound", 2: "two sounds"}[exact]
    raise SettingsError(f"{method} takes {wanted}. Received: {count}. See --help")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.nsynth.interpolate"))
