"""Make a model file of a published checkpoint: `inversynth import gansynth CHECKPOINT`, `import nsynth CHECKPOINT`.

The files are those that Magenta's code reads; nothing is fetched. A checkpoint whose variables differ from those of the
network by a name or a shape is refused, and the names are told.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import SettingsError, one_line
from generators.files import real_path
from generators.notes.naming import NoteNaming
from generators.notes.pitches import describe_notes, note_list
from generators.settings import Settings
from models.model_files import SUFFIX, ModelCard

CHECKPOINT = "the folder of a checkpoint, or its files as model.ckpt-200000"
OUTPUT = f"{SUFFIX} file to write; by default named after the folder of the checkpoint"


class ImportSettings(Settings):
    """What every import has: a checkpoint, and where its model file goes."""

    checkpoint: CliPositionalArg[Path] = Field(description=CHECKPOINT)
    output: Path | None = Field(None, description=OUTPUT)
    output_dir: Path = Field(Path(), description="folder that output is relative to")

    def target(self, name: str) -> Path:
        """Return the file to write. Raises SettingsError for another ending."""
        output = self.output_dir / (self.output or f"{name}{SUFFIX}")
        if output.suffix.lower() != SUFFIX:
            raise SettingsError(f"--output must end in {SUFFIX}. Received: {output}")
        return output


class ImportGansynthSettings(ImportSettings, NoteNaming):
    """Make a model file of a GANSynth that Magenta's code trained: all_instruments, acoustic_only or one's own."""

    flags_only: ClassVar = frozenset({"checkpoint", "output", "output_dir", "notes", "note_names", "kind"})

    notes: str = Field("24:84", description="the notes that it was trained on; those of the published ones")
    kind: Literal["mel", "linear", "phase"] | None = Field(
        None,
        description="its spectrograms: mel, linear or phase; by default as experiment.json beside it says, else mel",
    )


class ImportNsynthSettings(ImportSettings):
    """Make a model file of an NSynth that Magenta's code trained: wavenet-ckpt or one's own."""

    flags_only: ClassVar = frozenset({"checkpoint", "output", "output_dir"})


def gansynth_main(argv: Sequence[str] | None = None, prog: str = "inversynth import gansynth") -> int:
    """Import a GANSynth; returns the exit code."""
    return run_command(ImportGansynthSettings, _import_gansynth, argv, prog, resumes=False)


def nsynth_main(argv: Sequence[str] | None = None, prog: str = "inversynth import nsynth") -> int:
    """Import an NSynth; returns the exit code."""
    return run_command(ImportNsynthSettings, _import_nsynth, argv, prog, resumes=False)


def _import_gansynth(settings: ImportGansynthSettings) -> None:
    from models.gansynth.experiment import find_training
    from models.gansynth.published import import_gansynth

    notes = note_list(settings.notes, settings.note_names)
    training = find_training(settings.checkpoint)
    output = settings.target(_name_of(training.folder))
    card = import_gansynth(training, output, notes=notes, kind=settings.kind)
    kind, known = card.features["kind"], "as experiment.json says" if training.told else "as published"
    print(one_line(f"{training.prefix} -> {output}"))
    print(one_line(f"{describe_notes(notes, settings.note_names)}, {_sounds(card)}, {kind} spectrograms {known}"))
    print(one_line(f"play it, e.g. with: inversynth gansynth random --model {output}"))


def _import_nsynth(settings: ImportNsynthSettings) -> None:
    from models.nsynth.published import import_nsynth
    from models.tensorflow_checkpoint import find_checkpoint

    prefix = find_checkpoint(settings.checkpoint)
    output = settings.target(_name_of(prefix.parent))
    card = import_nsynth(prefix, output)
    print(one_line(f"{prefix} -> {output}"))
    print(one_line(f"size {card.features['size']}, any note, {_sounds(card)}"))
    print(one_line(f"use it, e.g. with: inversynth decode SOUND --model {output}"))


def _sounds(card: ModelCard) -> str:
    return f"sounds of {card.length:g} s at {card.sample_rate:,} Hz"


def _name_of(folder: Path) -> str:
    return real_path(folder).name or "imported"


if __name__ == "__main__":
    sys.exit(gansynth_main(prog="python -m inversynth.checkpoints.import_model"))
