"""`inversynth inspect` and `inversynth list`: what a file, a run or a name stands for, and which names there are."""

import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import DatasetError, ModelError, RunError, unknown
from generators.settings import Settings
from inversynth.report.tables import text_table
from inversynth.systems import PRESETS, SYSTEMS


class InspectSettings(Settings):
    """Say what a dataset, a run folder, a .keras file, a model (by name) or a synth (by name) holds."""

    other_names: ClassVar = {"as_json": ("json",)}
    flags_only: ClassVar = frozenset({"what", "preset", "as_json"})

    what: CliPositionalArg[str] = Field(description="a file, a folder, or a name from `inversynth list`")
    preset: str | None = Field(
        None,
        description=f"at which a model by name is built: {', '.join(PRESETS)}; by default the first that it fits",
    )
    as_json: bool = Field(False, description="print JSON in place of text")


class ListSettings(Settings):
    """Name the synths, models, presets and systems."""

    other_names: ClassVar = {"as_json": ("json",)}
    flags_only: ClassVar = frozenset({"as_json"})

    as_json: bool = Field(False, description="print JSON in place of text")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth inspect") -> int:
    """Inspect one thing; returns the exit code."""

    def action(settings: InspectSettings) -> None:
        from inversynth.inspection import descriptions

        description = inspect(settings.what, settings.preset)
        print(_json(description) if settings.as_json else descriptions.text(description))

    return run_command(InspectSettings, action, argv, prog, resumes=False)


def list_main(argv: Sequence[str] | None = None, prog: str = "inversynth list") -> int:
    """List what there is; returns the exit code."""

    def action(settings: ListSettings) -> None:
        print(_json(listing()) if settings.as_json else _listing_text(listing()))

    return run_command(ListSettings, action, argv, prog, resumes=False)


def inspect(what: str, preset: str | None = None) -> dict[str, Any]:
    """Describe a path, else a name; see `inversynth.inspection.descriptions`.

    Raises: InversynthError where it is neither, or is broken.
    """
    from generators.registry import all_synths, is_synth
    from inversynth.inspection import descriptions
    from models.estimation.architectures import MODEL_NAMES
    from models.registry import find_recipe

    if preset is not None and preset not in PRESETS:
        raise ModelError(unknown("preset", preset, PRESETS))
    path = Path(what)
    if path.is_dir():
        return _inspect_folder(path)
    if path.exists():
        return _inspect_file(path)
    if is_synth(what):
        return descriptions.describe_synth(what)
    try:
        recipe = find_recipe(what)
    except ModelError:
        if path.suffix or len(path.parts) > 1:
            raise ModelError(f"no such file or folder: {what}") from None
        raise ModelError(unknown("file or name", what, (*MODEL_NAMES, *all_synths()))) from None
    fitting = "envelope" if recipe.inputs == "envelope" else "paper"
    return descriptions.describe_model(recipe, PRESETS[preset or fitting])


def listing() -> dict[str, Any]:
    """Return every name with what it stands for."""
    from generators.registry import all_synths
    from inversynth.pretrained import bundled
    from models.registry import RECIPES

    return {
        "synths": [
            {
                "name": name,
                "summary": synth.description,
                "parameters": len(synth.space),
                "patches": synth.space.combinations,
            }
            for name, synth in all_synths().items()
        ],
        "models": [
            {"name": name, "summary": recipe.summary, "paper": recipe.paper} for name, recipe in RECIPES.items()
        ],
        "bundled": [{"name": name, "summary": _bundled_summary(path)} for name, path in bundled().items()],
        "presets": [asdict(preset) for preset in PRESETS.values()],
        "systems": [asdict(system) for system in SYSTEMS.values()],
    }


def _inspect_folder(path: Path) -> dict[str, Any]:
    from inversynth.inspection import descriptions
    from models.training.runs import Run

    run = Run(path)
    if not run.settings_file.is_file() and not run.best.is_file():
        raise RunError(f"a folder to inspect is a run (settings.json, best.keras). Received: {path}. Name a file in it")
    return descriptions.describe_run(run)


def _inspect_file(path: Path) -> dict[str, Any]:
    import h5py

    from generators.dataset import SUFFIX, Dataset
    from inversynth.inspection import descriptions

    if path.suffix == ".keras" or (path.is_file() and zipfile.is_zipfile(path)):
        return descriptions.describe_model_file(path)
    if path.suffix == SUFFIX or (path.is_file() and h5py.is_hdf5(path)):
        with Dataset(path) as dataset:
            return descriptions.describe_dataset(dataset)
    raise DatasetError(f"a file to inspect is a dataset ({SUFFIX}) or a model (.keras). Received: {path}")


def _bundled_summary(path: Path) -> str:
    """Say on what a bundled model was measured, and with what result."""
    from models.model_files import read_card

    card = read_card(path)
    network, full = (card.scores.get(name, {}) for name in ("network", "full"))
    told = f"for synth {card.synth}, {card.length:g} s at {card.sample_rate} Hz"
    if card.takes == "envelope":
        test = card.scores["test"]
        return f"{told}; mean absolute error {test['mae']['All']:.4f} on {test['n']} waveforms"
    if card.takes in ("notes", "latents", "pictures", "mels"):
        from models.registry import find_recipe

        test = card.scores["test"]
        return f"{told}; {find_recipe(card.model).tell(test)} on {test['n']} notes"
    told += f"; MPR {network['mpr']:.1f} on {network['n']} sounds" if "mpr" in network else ""
    return told + (f", {full['mpr']:.1f} with a full search" if "mpr" in full else "")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _listing_text(names: dict[str, Any]) -> str:
    parts = [
        text_table(
            ["synth", "parameters", ""], [[s["name"], str(s["parameters"]), s["summary"]] for s in names["synths"]]
        ),
        text_table(["model", ""], [[m["name"], m["summary"]] for m in names["models"]]),
        text_table(["bundled, trained", ""], [[m["name"], m["summary"]] for m in names["bundled"]]),
        text_table(["preset", ""], [[p["name"], p["summary"]] for p in names["presets"]]),
        text_table(
            ["system", "status", "", "command"],
            [[s["name"], s["status"], s["summary"], s["command"]] for s in names["systems"]],
        ),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inspection.command"))
