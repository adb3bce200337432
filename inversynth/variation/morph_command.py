"""`inversynth morph A B`: the way from one patch to another, in steps that are equally far apart to the ear."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import one_line
from generators.settings import Settings
from inversynth.variation.vary_command import folder_name

MOST_STEPS = 32
"""A DX7 bank."""


class MorphSettings(Settings):
    """Morph from one patch to another of the same synth: patches, sounds and a page to listen to them."""

    flags_only: ClassVar = frozenset({"first", "second", "steps", "output_dir", "page"})

    first: CliPositionalArg[Path] = Field(description="the patch to begin with: patch.json or a DX7 voice (bank.syx#5)")
    second: CliPositionalArg[Path] = Field(description="the patch to end with, of the same synth")
    steps: int = Field(5, ge=2, le=MOST_STEPS, description="number of patches, with both ends")
    output_dir: Path = Field(Path("output"), description="where <first>_to_<second> is made")
    page: bool = Field(True, description="also write index.html, a page to listen to all of them")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth morph") -> int:
    """Morph between patches; returns the exit code."""
    return run_command(MorphSettings, _run, argv, prog, resumes=False)


def _run(settings: MorphSettings) -> None:
    from inversynth.report.audio_page import AudioPage, Clip, ClipRow
    from inversynth.variation.morph import morph_patches, unevenness
    from inversynth.variation.patch_set import MadePatch, open_patch, print_set, voice_name, write_patch_set

    (first, name), (second, other) = (open_patch(path) for path in (settings.first, settings.second))
    morph = morph_patches(first, second, settings.steps)
    titles = [name, *(f"{100 * place:.0f} %" for place in morph.places[1:-1]), other]
    voices = [name, *(voice_name(name, f">{number}") for number in range(2, settings.steps)), other]
    made = [
        MadePatch(f"step_{number:02d}", patch, audio, voice)
        for number, (patch, audio, voice) in enumerate(zip(morph.patches, morph.sounds, voices, strict=True), start=1)
    ]
    table = [
        ["sound", "along the way, %", "log-mel distance from the one before, dB"],
        *(
            [one.name, f"{100 * place:.1f}", "" if number == 0 else f"{morph.distances[number - 1]:.2f}"]
            for number, (one, place) in enumerate(zip(made, morph.places, strict=True))
        ),
    ]
    evenness = (
        f"largest step / mean: {unevenness(morph.distances):.2f} (evenly spaced along the way: "
        f"{unevenness(morph.by_number):.2f})"
    )
    page = AudioPage(
        f"From {name} to {other}",
        f"{settings.steps} steps, placed so that neighbours are equally far apart to the ear.",
        [ClipRow("Steps", [Clip(one.name, one.audio, title) for one, title in zip(made, titles, strict=True)])],
        first.sample_rate,
        {"Synth": first.space.synth, "Evenness": evenness, "Changes at once": "; ".join(morph.remarks) or "none"},
        "inversynth morph",
        table,
    )
    folder = settings.output_dir / f"{folder_name(name)}_to_{folder_name(other)}"
    files = write_patch_set(folder, made, page, settings.page)
    for remark in morph.remarks:
        print(one_line(remark))
    print(evenness)
    print_set(table, files)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.variation.morph_command"))
