"""Making a given patch sound more like a given sound: `inversynth refine PATCH SOUND`.

The patch may come from a network, from a human or from another search. Its probabilities guide the search; without them
each parameter is taken to lie near its value. What is written is the folder that `inversynth invert` writes, and its
patch is never farther from the sound than the one given.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import run_command
from generators.parameters import Floats
from generators.settings import Settings
from inversynth.inversion.inversion import Inversion, conclude, tell_stage, write_inversion
from inversynth.inversion.target import Target, read_target
from inversynth.patches.patch import Patch, read_patch

PEAKED = 0.5
"""Factor by which the belief in a class falls with every step away from a patch without probabilities: half of it stays
with the patch's own class and its neighbours, and the farthest of 16 keeps 1e-5."""


def refine_patch(target: Target, patch: Patch, budget: str = "fast", **options: object) -> Inversion:
    """Search on from a patch for what makes a sound of any level; `options` are those of `refinement.refine`.

    Raises: AudioError for a target that is not as long as the patch's sounds.
    """
    from generators.registry import build_synth, find_synth
    from inversynth.search.search import refine

    synth = build_synth(patch.space.synth, patch.sample_rate, patch.length)
    beliefs = peaked(patch) if patch.probabilities is None else patch.probabilities
    found = refine(synth, target.audio, beliefs, budget, start=patch.values, level="fit", alternatives=True, **options)  # type: ignore[arg-type]
    assumed = {
        "Synth": f"{synth.name}: {find_synth(synth.name).description}",
        "Sample rate": f"{synth.sample_rate:,} Hz",
        "Length": f"{synth.length:g} s",
        "Parameter space": f"{len(synth.space)} parameters, fingerprint {synth.space.fingerprint}",
        "Level": "any: found apart from the settings",
        "Begun with": f"a patch by {patch.model or 'hand'}",
    }
    return conclude(target, synth, found, assumed, model=patch.model)


def peaked(patch: Patch) -> Floats:
    """Return probabilities that fall by half with every class away from a patch's own, (size,)."""
    rows = [
        PEAKED ** np.abs(np.arange(size) - int(chosen))
        for size, chosen in zip(patch.space.sizes, patch.classes, strict=True)
    ]
    return np.concatenate([row / row.sum() for row in rows])


class RefineSettings(Settings):
    """Search on from a patch for settings that come nearer to a sound."""

    flags_only: ClassVar = frozenset({"patch", "sound", "budget", "output_directory", "start", "continuous"})

    patch: CliPositionalArg[Path] = Field(description="the patch.json to begin with")
    sound: CliPositionalArg[Path] = Field(description="the sound to come near to")
    budget: Literal["none", "fast", "full"] = Field("fast", description="how long to search; none only measures")
    continuous: CliToggleFlag[bool] = Field(False, description="at last move the knobs between their levels (Adam)")
    output_directory: Path = Field(Path("output"), description="where a folder of the sound's name is made")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth refine") -> int:
    """Refine a patch; returns the exit code."""
    return run_command(RefineSettings, _run, argv, prog, resumes=False)


def _run(settings: RefineSettings) -> None:
    from inversynth.report.report import describe

    patch = read_patch(settings.patch)
    target = read_target(settings.sound, patch.sample_rate, patch.length, settings.start)
    found = refine_patch(target, patch, settings.budget, continuous=settings.continuous, progress=tell_stage)
    report = write_inversion(found, settings.output_directory / (settings.sound.stem or "sound"))
    record = found.patch.refinement
    print(
        f"{target.name}: distance {record['start_distance']:.3f} -> {record['distance']:.3f}, "
        f"{describe(found.patch.scores)} -> {report}"
    )
    if found.interrupted:
        raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion.refine"))
