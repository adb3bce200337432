"""`inversynth explain` says in plain words how a patch makes its sound."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import SettingsError, one_line
from generators.settings import Settings
from inversynth.inputs import MidiNote

if TYPE_CHECKING:
    from inversynth.patches.patch import Patch


class ExplainSettings(Settings):
    """Say in plain words how a patch makes its sound, what of it is heard, and what to turn to change it."""

    flags_only: ClassVar = frozenset({"patch", "note"})

    patch: CliPositionalArg[Path] = Field(
        description="patch.json, .csv, .mid or .syx, or a voice of a bank: bank.syx#5"
    )
    note: MidiNote = Field(None, description="explain it at another note than its root: C2, or a MIDI number")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth explain") -> int:
    """Explain one patch; returns the exit code."""

    def action(settings: ExplainSettings) -> None:
        from inversynth.explanation.explain import explain, text, title
        from inversynth.patches.formats import read_any_patch

        patch = read_any_patch(settings.patch)
        if settings.note is not None:
            patch = at_note(patch, settings.note)
        print(text(one_line(title(patch)), explain(patch)))

    return run_command(ExplainSettings, action, argv, prog, resumes=False)


def at_note(patch: "Patch", note: int) -> "Patch":
    """Return a patch with another root. Raises: InversynthError where its synth plays no notes, or not this one."""
    from generators.registry import find_synth

    if not find_synth(patch.space.synth).transposes:
        raise SettingsError(f"--note goes with a synth that plays notes. Received: a patch of '{patch.space.synth}'")
    moved = replace(patch, root=float(note))
    moved.synth()  # refuses a root that its sample rate cannot hold
    return moved


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.explanation.command"))
