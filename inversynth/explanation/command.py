"""`inversynth explain` says in plain words how a patch makes its sound."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import one_line
from generators.settings import Settings


class ExplainSettings(Settings):
    """Say in plain words how a patch makes its sound, what of it is heard, and what to turn to change it."""

    flags_only: ClassVar = frozenset({"patch"})

    patch: CliPositionalArg[Path] = Field(
        description="patch.json, .csv, .mid or .syx, or a voice of a bank: bank.syx#5"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth explain") -> int:
    """Explain one patch; returns the exit code."""

    def action(settings: ExplainSettings) -> None:
        from inversynth.explanation.explain import explain, text, title
        from inversynth.patches.formats import read_any_patch

        patch = read_any_patch(settings.patch)
        print(text(one_line(title(patch)), explain(patch)))

    return run_command(ExplainSettings, action, argv, prog, resumes=False)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.explanation.command"))
