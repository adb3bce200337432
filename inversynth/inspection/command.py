"""`inversynth inspect` describes a file, a run or a name; `inversynth list` lists the names."""

import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from glob import has_magic
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.errors import DatasetError, ModelError, RunError, SettingsError, unknown
from generators.settings import Settings
from inversynth.report.tables import text_table
from inversynth.systems import SYSTEMS


class InspectSettings(Settings):
    """Describe a dataset, a run folder, a .keras file, a DX7 voice file, or a model or synth by its name."""

    other_names: ClassVar = {"as_json": ("json",)}
    flags_only: ClassVar = frozenset({"what", "preset", "as_json"})

    what: CliPositionalArg[str] = Field(
        description="a file, a folder, a voice (bank.syx#5), or a name from `inversynth list`"
    )
    preset: str | None = Field(
        None,
        description="of a model by its name, which is built at it; `inversynth list` shows those of each model",
    )
    as_json: bool = Field(False, description="print JSON in place of text")


class ListSettings(Settings):
    """List the synths, the models with their presets, the bundled models and the systems."""

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

    Raises: InversynthError where it is neither, or is damaged, or for an unknown preset.
    """
    from generators.registry import all_synths, is_synth
    from inversynth.inspection import descriptions, presets, voices
    from models.registry import RECIPES, find_recipe

    path = Path(what)
    is_voices = not path.is_dir() and voices.is_voice_file(what)
    if preset is not None and (path.exists() or is_synth(what) or is_voices):
        raise SettingsError(f"--preset goes with a model by its name. Received: --preset {preset} for {what}")
    if is_voices:
        return voices.describe_voices(what)
    if path.is_dir():
        return _inspect_folder(path)
    if path.exists():
        return _inspect_file(path)
    if path.suffix == ".hdf5" and ("," in what or has_magic(what)):
        return _inspect_file(path)
    if is_synth(what):
        return descriptions.describe_synth(what)
    try:
        recipe = find_recipe(what)
    except ModelError:
        if path.suffix or len(path.parts) > 1:
            raise ModelError(f"no such file or folder: {what}") from None
        raise ModelError(unknown("file or name", what, (*RECIPES, *all_synths()))) from None
    return descriptions.describe_model(recipe, presets.find_preset(recipe, preset))


def listing() -> dict[str, Any]:
    """Return every name with its summary; models with their presets, the default first."""
    from generators.registry import all_synths
    from inversynth.inspection.presets import presets_of
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
            {"name": name, "summary": recipe.summary, "paper": recipe.paper, "presets": list(presets_of(recipe))}
            for name, recipe in RECIPES.items()
        ],
        "bundled": [{"name": name, "summary": _bundled_summary(path)} for name, path in bundled().items()],
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
    raise DatasetError(
        f"a file to inspect is a dataset ({SUFFIX}), a model (.keras) or DX7 voices (.syx). Received: {path}"
    )


def _bundled_summary(path: Path) -> str:
    """Return the data and the result of a bundled model's evaluation."""
    from models.model_files import read_card

    card = read_card(path)
    network, full = (card.scores.get(name, {}) for name in ("network", "full"))
    data = f"synth {card.synth}, {card.length:.3g} s at {card.sample_rate} Hz"
    if not card.kind.estimates_parameters:
        from models.registry import find_recipe

        test = card.scores["test"]
        return f"{data}; {find_recipe(card.model).report(test)} on {test['n']} {card.kind.examples}"
    scored = f"; MPR {network['mpr']:.1f} on {network['n']} sounds" if "mpr" in network else ""
    return data + scored + (f", {full['mpr']:.1f} with a full search" if "mpr" in full else "")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _listing_text(names: dict[str, Any]) -> str:
    tables = {
        ("system", "status", "command", "what it does"): [
            [s["name"], s["status"], s["command"], s["summary"]] for s in names["systems"]
        ],
        ("bundled model", "trained for, and its score"): [[m["name"], m["summary"]] for m in names["bundled"]],
        ("model to train", "presets", "what it is"): [
            [m["name"], ", ".join(m["presets"]), m["summary"]] for m in names["models"]
        ],
        ("synth", "parameters", "what it is"): [
            [s["name"], str(s["parameters"]), s["summary"]] for s in names["synths"]
        ],
    }
    parts = [text_table(head, rows) for head, rows in tables.items()]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inspection.command"))
