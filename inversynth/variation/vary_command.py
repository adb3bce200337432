"""`inversynth vary PATCH`: variations of a patch that stay musical, with how far each is from the original."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.settings import Settings

MOST = 31
"""Variations at most: a DX7 bank holds them and the original."""


class VarySettings(Settings):
    """Vary a patch: write patches and sounds that are near it, and a page to listen to them."""

    flags_only: ClassVar = frozenset({"patch", "count", "amount", "seed", "output_dir", "page"})

    patch: CliPositionalArg[Path] = Field(
        description="a patch: patch.json, what `inversynth export` wrote, or a DX7 voice (bank.syx#5)"
    )
    count: int = Field(8, ge=1, le=MOST, description="number of variations")
    amount: float = Field(0.2, ge=0, le=1, description="how far they go: 0 gives the patch itself, 1 other sounds")
    seed: int = Field(0, ge=0, description="of the variations; the same with another amount goes on in the same ways")
    output_dir: Path = Field(Path("output"), description="where <name of the patch>_varied is made")
    page: bool = Field(True, description="also write index.html, a page to listen to all of them")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth vary") -> int:
    """Vary a patch; returns the exit code."""
    return run_command(VarySettings, _run, argv, prog, resumes=False)


def _run(settings: VarySettings) -> None:
    from inversynth.patches.patch import render_patch
    from inversynth.report.audio_page import AudioPage, Clip, ClipRow
    from inversynth.variation.patch_set import MadePatch, open_patch, print_set, voice_name, write_patch_set
    from inversynth.variation.vary import vary_patch

    patch, name = open_patch(settings.patch)
    varied = vary_patch(patch, settings.count, settings.amount, settings.seed)
    made = [
        MadePatch("original", patch, render_patch(patch), name),
        *(
            MadePatch(f"variation_{number:02d}", each.patch, each.audio, voice_name(name, f"v{number}"))
            for number, each in enumerate(varied, start=1)
        ),
    ]
    distances = [0.0, *(each.distance for each in varied)]
    changed = [0, *(int((each.patch.values != patch.values).sum()) for each in varied)]
    table = [
        ["sound", "log-mel distance, dB", "settings changed"],
        *([one.name, f"{far:.2f}", str(count)] for one, far, count in zip(made, distances, changed, strict=True)),
    ]
    clips = [Clip(one.name, one.audio, f"{far:.1f} dB") for one, far in zip(made[1:], distances[1:], strict=True)]
    page = AudioPage(
        f"{name}, varied",
        f"{settings.count} variations by {settings.amount:g}, {np.mean(distances[1:]):.1f} dB from the original on "
        "average. Each caption says how far a sound is from the original.",
        [
            ClipRow("Original", [Clip(made[0].name, made[0].audio)]),
            ClipRow("Variations", clips),
        ],
        patch.sample_rate,
        {"Synth": patch.space.synth, "Amount": f"{settings.amount:g}", "Seed": str(settings.seed)},
        "inversynth vary",
        table,
    )
    folder = settings.output_dir / f"{folder_name(name)}_varied"
    print_set(table, write_patch_set(folder, made, page, settings.page))


def folder_name(name: str) -> str:
    """Return a name as one of a folder: whatever a voice is called, `A/B` becomes `A-B`."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "-", name).strip(" .-")[:60] or "patch"


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.variation.vary_command"))
