"""`inversynth export PATCH_OR_MODEL --format …`: convert or render a patch, or export the network of a model."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.dsp.units import hz_to_midi
from generators.dx7.sysex import BANK_VOICES, read_syx, split_address, write_syx
from generators.dx7.voice import Voice, uniquely_named
from generators.errors import ParameterError, SettingsError, one_line
from generators.files import real_path
from generators.notes.pitches import note_list
from generators.notes.settings import velocity_list
from generators.settings import Settings
from inversynth.inputs import check_inputs_kept

if TYPE_CHECKING:
    from inversynth.patches.patch import Patch
    from inversynth.playback.play import Instrument

log = logging.getLogger(__name__)

NETWORK_FORMATS = ("onnx", "saved_model", "litert")
SOUND_FORMATS: dict[str, str] = {"wav": ".wav", "sfz": ".sfz"}
"""Formats in which a patch is rendered, and how their files end."""

SOUND_FIELDS = ("notes", "step", "velocities", "seconds", "sample_rate", "loops")

KEYS, STEP, VELOCITY, SECONDS, SAMPLE_RATE = "C2:C6", 3, 100, 4.0, 44100
"""Of an SFZ instrument by default: a sample for each minor third, long enough to tell a decay from slow beating."""

LONGEST = 30.0
"""Seconds for which a note may be held."""


class ExportSettings(Settings):
    """Convert a patch to JSON, CSV, a MIDI file of control changes or a DX7 voice, render it to WAV or to samples with
    an SFZ file, or export the network of a model to ONNX, SavedModel or LiteRT.
    """

    flags_only: ClassVar = frozenset({"patch_or_model", "format", "output", "output_dir", "mcnn", *SOUND_FIELDS})

    patch_or_model: CliPositionalArg[list[str]] = Field(
        min_length=1,
        description="a patch: patch.json, a CSV or MIDI file exported from one, or a DX7 voice (bank.syx#5); for syx "
        "several, or banks, which make one bank; or a model: a bundled one, a run folder or a .keras file",
    )
    format: Literal["json", "csv", "midi-cc", "syx", "wav", "sfz", "onnx", "saved_model", "litert"] = Field(
        "json",
        description="what to write: the first six for a patch (syx: DX7 voices, wav: its sound, sfz: samples of its "
        "notes for samplers), the others for a model",
    )
    output: Path | None = Field(
        None, description="file to write, for saved_model a folder; by default the name of the patch or model"
    )
    output_dir: Path = Field(Path(), description="folder that output is relative to")
    notes: str | None = Field(
        None,
        description=f"for wav and sfz: notes, as C4 or C2:C6; for wav that of the patch by default, for sfz {KEYS}",
    )
    step: int | None = Field(
        None,
        ge=1,
        le=127,
        description=f"for wav and sfz: semitones from note to note; {STEP} for sfz by default, else 1",
    )
    velocities: str = Field(
        str(VELOCITY), description="for wav and sfz: velocities, as 100 or 40,80,120; sfz has a layer for each"
    )
    seconds: float | None = Field(
        None,
        gt=0,
        le=LONGEST,
        description=f"for wav and sfz: seconds that notes are held; {SECONDS:g} for sfz by default, else the patch's",
    )
    sample_rate: int | None = Field(
        None,
        ge=4000,
        le=192_000,
        description=f"for wav and sfz: hertz; {SAMPLE_RATE} for sfz by default, else the patch's",
    )
    loops: Literal["auto", "none", "one_shot"] = Field(
        "auto",
        description="for sfz: auto loops steady notes, none loops nothing, one_shot plays notes to their end, as drums",
    )
    mcnn: str | None = Field(
        None,
        description="with a WAE: the MCNN that renders its spectrograms: a bundled one, a run folder, a .keras file",
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth export") -> int:
    """Export a patch or a network; returns the exit code."""
    return run_command(ExportSettings, _run, argv, prog, resumes=False)


def _run(settings: ExportSettings) -> None:
    several = len(settings.patch_or_model) > 1
    if several and settings.format != "syx":
        raise SettingsError(
            f"several patches go into one file of DX7 voices, with --format syx. Received: "
            f"{len(settings.patch_or_model)} and --format {settings.format}. Export them one by one"
        )
    given = sorted(name for name in SOUND_FIELDS if name in settings.model_fields_set)
    if given and settings.format not in SOUND_FORMATS:
        raise SettingsError(f"--{given[0]} goes with --format wav or sfz. Received: --format {settings.format}")
    if settings.format in NETWORK_FORMATS:
        _export_network(settings)
        return
    _check_patches(settings)
    if settings.format == "wav":
        _export_wav(settings)
    elif settings.format == "sfz":
        _export_sfz(settings)
    elif settings.format == "syx":
        _export_voices(settings)
    else:
        _export_patch(settings)


def _check_patches(settings: ExportSettings) -> None:
    """Raise SettingsError where a model stands in place of a patch."""
    from inversynth.pretrained import bundled
    from models.model_files import BEST, SUFFIX

    for name in settings.patch_or_model:
        patch = Path(name)
        bare = not patch.exists() and name in bundled()
        if bare or patch.suffix == SUFFIX or (patch / BEST).is_file():
            raise SettingsError(
                f"a model is written with --format {', '.join(NETWORK_FORMATS)}. Received: {patch} and --format "
                f"{settings.format}"
            )
        if settings.mcnn is not None:
            raise SettingsError(f"--mcnn goes with a model of inversynth wae. Received: {patch}, a patch. Leave it out")


def _output(settings: ExportSettings) -> Path:
    """Return the file to write. Raises SettingsError where it would replace an input, or has another ending."""
    from inversynth.patches.formats import SUFFIXES

    suffix = (SUFFIXES | SOUND_FORMATS)[settings.format]
    patches = [Path(name) for name in settings.patch_or_model]
    default = _default_name(patches[0], suffix) if len(patches) == 1 else f"voices{suffix}"
    output = settings.output_dir / (settings.output or default)
    if settings.output is None:
        check_inputs_kept([output], [Path(split_address(patch)[0]) for patch in patches])
    if output.suffix.lower() != suffix:
        raise SettingsError(f"--output must end in {suffix} for --format {settings.format}. Received: {output}")
    return output


def _export_patch(settings: ExportSettings) -> None:
    from inversynth.patches.formats import read_any_patch, write_any_patch

    (name,), output = settings.patch_or_model, _output(settings)
    print(one_line(f"{name} -> {write_any_patch(output, read_any_patch(name), settings.format)}"))


def _export_voices(settings: ExportSettings) -> None:
    from inversynth.patches.formats import SUFFIXES, read_any_patch, voice_from_patch

    output = _output(settings)
    voices: list[Voice] = []
    for name in settings.patch_or_model:
        path, number = split_address(name)
        is_file_of_voices = number is None and Path(path).suffix.lower() == SUFFIXES["syx"]
        voices += read_syx(path).voices if is_file_of_voices else [voice_from_patch(read_any_patch(name))]
    if len(voices) > BANK_VOICES:
        banks = -(-len(voices) // BANK_VOICES)
        log.info(
            "%d voices are %d banks in one file; what reads one bank of a file reads the first", len(voices), banks
        )
    written = write_syx(output, voices if len(voices) == 1 else uniquely_named(voices))
    names = ", ".join(settings.patch_or_model[:3]) + (" …" if len(settings.patch_or_model) > 3 else "")
    print(one_line(f"{names} -> {written}" + (f" ({len(voices)} voices)" if len(voices) > 1 else "")))


# --- sounds -----------------------------------------------------------------------------------------------------


def _keys(settings: ExportSettings, default: str, step: int) -> tuple[int, ...]:
    """Return the notes that are asked for; a range without a step of its own takes that of the settings."""
    text = settings.notes or default
    is_range = text.count(":") == 1 and "," not in text
    return note_list(f"{text}:{settings.step or step}" if is_range else text)


def _export_wav(settings: ExportSettings) -> None:
    from generators.audio import full_scale_gain, write_audio
    from inversynth.patches.formats import read_any_patch
    from inversynth.patches.patch import render_patch
    from inversynth.playback.midi import Note, Score
    from inversynth.playback.play import open_instrument, play

    (name,), output = settings.patch_or_model, _output(settings)
    if settings.loops != "auto":
        raise SettingsError(f"--loops goes with --format sfz. Received: --loops {settings.loops} and --format wav")
    patch = read_any_patch(name)
    if not {"notes", "velocities", "seconds", "sample_rate", "step"} & settings.model_fields_set:
        audio = render_patch(patch)
        audio = audio * np.float32(full_scale_gain([audio]))
        print(
            one_line(f"{name} -> {write_audio(output, audio, patch.sample_rate)}: {len(audio) / patch.sample_rate:g} s")
        )
        return
    instrument = open_instrument(patch, settings.sample_rate)
    keys = _keys(settings, str(_own_note(patch, instrument)), 1)
    held = settings.seconds or instrument.synth.note_fraction * instrument.synth.length
    pairs = [(key, velocity) for key in keys for velocity in velocity_list(settings.velocities)]
    apart = held / instrument.synth.note_fraction
    notes = tuple(Note(place * apart, held, *pair) for place, pair in enumerate(pairs))
    count, gain = play(instrument, Score(notes), output)
    if gain < 1.0:
        log.info("turned down by %.1f dB, to full scale", -20 * np.log10(gain))
    print(one_line(f"{name} -> {output}: {count} note{'' if count == 1 else 's'}"))


def _own_note(patch: "Patch", instrument: "Instrument") -> int:
    """Return the MIDI note at which a patch sounds unchanged, or the nearest to it."""
    note = round(patch.root if instrument.synth.plays_keys else float(hz_to_midi(instrument.root)))
    if not 0 <= note <= 127:
        raise ParameterError(
            f"a patch to render has a MIDI note. Received: a root of {instrument.root:g} Hz. Name --notes"
        )
    return note


def _export_sfz(settings: ExportSettings) -> None:
    from tqdm import tqdm

    from inversynth.export.samples import (
        check_memory,
        check_playable,
        render_samples,
        samples_folder,
        write_instrument,
        zones,
    )
    from inversynth.patches.formats import read_any_patch
    from inversynth.playback.play import open_instrument

    (name,), output = settings.patch_or_model, _output(settings)
    keys = _keys(settings, KEYS, STEP)
    last = note_list(settings.notes or KEYS)[-1]
    velocities = velocity_list(settings.velocities)
    zones(keys, last, velocities)  # as many as there may be
    patch = read_any_patch(name)
    instrument = open_instrument(patch, settings.sample_rate or SAMPLE_RATE)
    wanted = zones(check_playable(instrument, keys), last, velocities)
    rendered = render_samples(instrument, wanted, settings.seconds or SECONDS, settings.loops == "auto")
    check_memory(instrument, wanted, settings.seconds or SECONDS)
    samples = list(tqdm(rendered, desc="rendering", unit="samples", total=len(wanted), disable=None))
    title = str(patch.source.get("voice") or output.stem)
    gain = write_instrument(output, samples, instrument.sample_rate, title, settings.loops == "one_shot")
    looped = sum(sample.loop is not None for sample in samples)
    log.info("all samples %s by %.1f dB", "turned up" if gain > 1.0 else "turned down", abs(20 * np.log10(gain)))
    print(one_line(f"{name} -> {output}, {len(samples)} samples in {samples_folder(output)}, {looped} of them looped"))


def _default_name(patch: Path, suffix: str) -> str:
    """Return a file name: that of the patch, or of the sound whose folder holds a `patch.json`."""
    folder = real_path(patch).parent.name
    path, number = split_address(patch)
    stem = folder if patch.name == "patch.json" and folder else Path(path).stem
    stem = stem if number is None else f"{stem}_{number}"
    return f"{stem}{suffix}" if f"{stem}{suffix}" != patch.name else f"{stem}_exported{suffix}"


def _export_network(settings: ExportSettings) -> None:
    from inversynth.patches.formats import SUFFIXES
    from inversynth.pretrained import find_model

    (name,) = settings.patch_or_model
    given = Path(name)
    if given.is_file() and given.suffix.lower() in {*SUFFIXES.values(), ".midi"}:
        raise SettingsError(
            f"a patch is written with --format {', '.join(SUFFIXES)}. Received: {given} and --format {settings.format}"
        )
    path = find_model(name)
    mcnn = find_model(settings.mcnn) if settings.mcnn is not None else None

    from models.backend import start_keras

    start_keras()
    from inversynth.export.formats import FORMATS
    from inversynth.export.models import exportable
    from inversynth.export.writer import check_output, export
    from models.model_files import read_card

    form = FORMATS[settings.format]
    form.check_installed(settings.format)
    if settings.output:
        check_output(settings.output_dir / settings.output, settings.format)
    what = exportable(path, mcnn)
    log.info("exporting %s to %s, and comparing the file with Keras", what.name, form.title)
    output = settings.output_dir / (settings.output or f"{what.name}{form.suffix}")
    done = export(what, read_card(path), settings.format, output)
    batch = "any number of examples at once" if form.batch is None else f"{form.batch} example at once"
    print(one_line(f"{done.path}: {done.bytes / 1e6:.1f} MB, {batch}"))
    print(one_line(f"{done.description}: inputs and outputs"))
    print(f"largest difference from Keras: {done.difference:.1e} (at most {done.tolerance:.1e})")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.export.command"))
