"""`inversynth shape SOUND… --attack 0.4 --release 0.4`: apply an amplitude envelope to sounds, by NeuroSynth."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.errors import InversynthError, SettingsError, one_line
from generators.settings import Settings
from inversynth.commands import run_for_each
from inversynth.inputs import check_inputs_kept, model_loader
from inversynth.neurosynth.shaping import read_batch, shape_batch, shape_files
from inversynth.npz import write_arrays

LOADER = "models.neurosynth.inference:load_envelope_shaper"


class ShapeSettings(Settings):
    """Apply an amplitude envelope to sounds (WAV, FLAC, OGG, MP3, AIFF), by a trained NeuroSynth."""

    flags_only: ClassVar = frozenset(
        {"sounds", "attack", "sustain", "release", "model", "output_dir", "batch", "output"}
    )
    renamed: ClassVar = {"output_directory": "output_dir"}

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    attack: float = Field(0.0, ge=0, le=1, allow_inf_nan=False, description="fraction of the sound in which it rises")
    sustain: float = Field(1.0, ge=0, le=1, allow_inf_nan=False, description="level between attack and release")
    release: float = Field(0.0, ge=0, le=1, allow_inf_nan=False, description="fraction of the sound in which it falls")
    model: str = Field("neurosynth", description="a bundled model, a run folder, or a .keras file")
    output_dir: Path = Field(Path("output"), description="where <name>_shaped.wav and .png are written")
    batch: Path | None = Field(
        None, description="in place of sounds: an .npz file with basic (n, samples) and label (n, 3), classes"
    )
    output: Path | None = Field(None, description="with --batch: the .npz file to write out (n, samples) to")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth shape") -> int:
    """Shape sounds or a batch; returns the exit code, which is 2 where one of the sounds is unusable."""
    return run_for_each(ShapeSettings, _run, argv, prog, resumes=False)


def _run(settings: ShapeSettings, on_error: Callable[[InversynthError], None]) -> None:
    _check(settings)
    if settings.batch is not None:
        _run_batch(settings, settings.batch)
        return
    levels = settings.attack, settings.sustain, settings.release
    load = model_loader(settings.model, LOADER)
    for path, shaped in shape_files(settings.sounds, load, levels, settings.output_dir, on_error):
        errors = f"mean absolute error {shaped.error:.4f}, envelope error {shaped.envelope_error:.4f}"
        print(one_line(f"{path.stem}: {errors} -> {path}"))


def _run_batch(settings: ShapeSettings, batch: Path) -> None:
    output = settings.output
    if output is None:
        raise SettingsError("--batch needs --output. Received: none. Name the .npz file to write")
    if output.suffix.lower() != ".npz":
        raise SettingsError(f"--output must end in .npz. Received: {output}")
    check_inputs_kept([output], [batch])
    load = model_loader(settings.model, LOADER)
    basic, label = read_batch(batch)
    out = shape_batch(load(), basic, label)
    write_arrays(output, out=out)
    print(one_line(f"{len(out):,} sounds of {out.shape[1]:,} samples -> {output}"))


def _check(settings: ShapeSettings) -> None:
    """Refuse flags of the other kind of input. Raises SettingsError."""
    if bool(settings.sounds) == (settings.batch is not None):
        received = "both" if settings.sounds else "neither"
        raise SettingsError(f"name what to shape: either sounds or --batch FILE. Received: {received}. See --help")
    unused = {"attack", "sustain", "release", "output_dir"} if settings.batch else {"output"}
    for name in sorted(unused & settings.model_fields_set):
        goes = "sounds; a batch has its classes in label" if settings.batch else "--batch"
        raise SettingsError(f"--{name} goes with {goes}. Received: --{name} {getattr(settings, name)}. Leave it out")


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.neurosynth.shape"))
