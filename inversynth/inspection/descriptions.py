"""Descriptions of datasets, model files, runs, models and synths, as plain data and as text for a terminal.

Each `describe_…` returns a dict whose first entry is `kind`; `text` formats any of them. A dataset is not loaded whole:
its classes and labels are read in blocks, and its level is measured on a sample of its sounds.
"""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.dataset import Dataset
from generators.dsp.units import amplitude_to_decibels
from generators.errors import one_line, shown
from generators.parameters import ParameterSpace
from inversynth.inspection.presets import Preset, recipe_at
from inversynth.inspection.voices import voice_text, voices_text
from inversynth.report.tables import text_table
from models.training.recipe import Recipe
from models.training.splits import evenly_spaced

if TYPE_CHECKING:
    import keras

    from models.model_files import ModelCard
    from models.training.runs import Run

SAMPLED = 256
"""Sounds on which the level is measured: 17 MB of one-second sounds, and a median settled to about half a dB."""

BLOCK = 65536
"""Rows of classes in memory at a time."""

NAMED = 8
"""Names of a label that are listed: more would not fit on a line."""

SILENT = -100.0
"""Decibels of full scale below which a sound counts as silent, as in `generators.audio`."""

WIDEST_BARS = 32
"""Bars in a row: the room that the longest table leaves on a terminal."""

BARS = "▁▂▃▄▅▆▇█"


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Describe a dataset file: card, finished rows, size, level, labels, and the distribution of its classes."""
    card, done = asdict(dataset.card), len(dataset.finished())
    counts = _class_counts(dataset)
    return {
        "kind": "dataset",
        "path": str(dataset.path),
        **{name: value for name, value in card.items() if name not in ("space", "options")},
        **({"shard": "{}/{}".format(*dataset.shard)} if dataset.shard != (1, 1) else {}),
        "num_examples": len(dataset),
        "options": json.dumps({key: value for key, value in json.loads(card["options"]).items() if key != "names"}),
        "labels": dataset.count_labels(),
        "software": dataset.software,
        "done": done,
        "file_bytes": dataset.file_bytes,
        "duration": done * card["length"],
        "level": _level(dataset),
        "space": _describe_space(dataset.space),
        "histograms": {
            name: {"counts": counts[part].tolist(), "p_even": _p_even(counts[part])}
            for name, part in zip(dataset.space.names, dataset.space.slices, strict=True)
        },
    }


def describe_model_file(path: Path) -> dict[str, Any]:
    """Describe a `.keras` file: card, scores and layers. Raises ModelError for an unusable file."""
    from models.model_files import load_model

    loaded = load_model(path)
    return {
        "kind": "model file",
        "path": str(loaded.path),
        "file_bytes": loaded.path.stat().st_size,
        **_describe_card(loaded.card),
        **_describe_layers(loaded.model),
    }


def describe_run(run: "Run") -> dict[str, Any]:
    """Describe a run folder: its settings, progress, scores, and best model."""
    settings, history = run.settings(), run.history()
    files = {path.name: path.stat().st_size for path in sorted(run.path.iterdir()) if path.is_file()}
    description: dict[str, Any] = {
        "kind": "run",
        "path": str(run.path),
        "software": settings.get("software", ""),
        "settings": settings.get("settings", {}),
        "data": settings.get("data", {}),
        "epochs": len(history),
        "last_epoch": history[-1] if history else {},
        "test": run.metrics().get("test", {}) if run.metrics_file.is_file() else {},
        "folds": [fold.name for fold in run.folds()],
        "files": {name: size for name, size in files.items() if not name.startswith(".")},
    }
    if run.best.is_file():
        description["model"] = describe_model_file(run.best)
    return description


def describe_model(recipe: Recipe, preset: Preset) -> dict[str, Any]:
    """Describe a model by name: its layers and parameter counts at a preset. Builds it, untrained."""
    from models.backend import start_keras

    start_keras()
    model = recipe_at(recipe, preset).build(preset.space, preset.sample_rate, preset.samples, loss=preset.loss)
    return {
        "kind": "model",
        "model": recipe.name,
        "summary": recipe.summary,
        "paper": recipe.paper,
        "preset": asdict(preset),
        "features": dict(recipe.features),
        "defaults": dict(recipe.defaults),
        **_describe_layers(model),
    }


def describe_synth(name: str) -> dict[str, Any]:
    """Describe the parameters of a synth. Raises ParameterError for an unknown one."""
    from generators.registry import find_synth

    synth = find_synth(name)
    return {
        "kind": "synth",
        "synth": synth.name,
        "description": synth.description,
        "patches": synth.space.combinations,
        "space": _describe_space(synth.space),
    }


def text(description: Mapping[str, Any]) -> str:
    """Format a description for a terminal."""
    return {
        "dataset": _dataset_text,
        "model file": _model_file_text,
        "run": _run_text,
        "model": _model_text,
        "synth": _synth_text,
        "voices": voices_text,
        "voice": voice_text,
    }[description["kind"]](description)


# --- the data -------------------------------------------------------------------------------------------------------


def _class_counts(dataset: Dataset) -> NDArray[np.int64]:
    """Count how often each class of each parameter occurs among finished rows, (space.size,)."""
    space = dataset.space
    starts = np.asarray([part.start for part in space.slices])
    counts = np.zeros(space.size, np.int64)
    for rows in dataset.blocks(BLOCK):
        classes = space.check_classes(dataset.classes[rows][dataset.done[rows]])
        counts += np.bincount((classes.astype(np.int64) + starts).ravel(), minlength=space.size)
    return counts


def _p_even(counts: NDArray[np.int64]) -> float:
    """Return the p-value of a chi-square test against equally likely classes."""
    from scipy.special import gammaincc

    if len(counts) < 2 or not counts.sum():
        return 1.0
    expected = counts.sum() / len(counts)
    statistic = np.square(counts - expected).sum() / expected
    return float(gammaincc((len(counts) - 1) / 2, statistic / 2))


def _level(dataset: Dataset) -> dict[str, Any]:
    """Measure peak and RMS in dB of full scale on finished rows spread over the file; empty without rows."""
    rows = dataset.finished()
    if not len(rows):
        return {}
    chosen = evenly_spaced(rows, SAMPLED)
    sounds = [dataset.audio[int(row)].astype(np.float64) for row in chosen]
    peak = amplitude_to_decibels(np.asarray([np.abs(sound).max() for sound in sounds]))
    rms = amplitude_to_decibels(np.asarray([np.sqrt(np.square(sound).mean()) for sound in sounds]))
    return {
        "sampled": len(chosen),
        "peak_db": {"lowest": peak.min(), "median": float(np.median(peak)), "highest": peak.max()},
        "rms_db": {"lowest": rms.min(), "median": float(np.median(rms)), "highest": rms.max()},
        "silent": int((peak < SILENT).sum()),
        "above_full_scale": int((peak > 0.0).sum()),
    }


def _describe_space(space: ParameterSpace) -> dict[str, Any]:
    return {
        "synth": space.synth,
        "fingerprint": space.fingerprint,
        "size": space.size,
        "parameters": [
            {
                "name": p.name,
                "first": p.levels[0],
                "last": p.levels[-1],
                "levels": len(p.levels),
                "unit": p.unit,
                "group": p.group,
                "description": p.description,
            }
            for p in space.parameters
        ],
    }


def _describe_card(card: "ModelCard") -> dict[str, Any]:
    fields = {name: value for name, value in asdict(card).items() if name not in ("space", "training")}
    training = {name: value for name, value in card.training.items() if name != "history"}
    return {**fields, "training": training, "space": _describe_space(card.parameter_space)}


def _describe_layers(model: "keras.Model") -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "output_shape": list(
                (layer.output[0] if isinstance(layer.output, list | tuple) else layer.output).shape[1:]
            ),
            "weights": layer.count_params(),
        }
        for layer in _layers(model)
    ]
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"weights": model.count_params(), "trainable_weights": trainable, "layers": layers}


def _layers(model: "keras.Model") -> "list[keras.layers.Layer]":
    """Return the layers of a model, or of all networks of a system."""
    networks = [layer for layer in model.layers if hasattr(layer, "layers")]
    return [layer for network in networks or [model] for layer in network.layers]


# --- the text -------------------------------------------------------------------------------------------------------


def _dataset_text(d: Mapping[str, Any]) -> str:
    state = "finished" if d["done"] == d["num_examples"] else "unfinished; the same command resumes it"
    lines = [
        f"dataset {one_line(d['path'])}",
        f"  synth {d['synth']}, {d['length']:g} s at {d['sample_rate']} Hz, seed {d['seed']}, "
        f"{d['sampling_method']} sampling{', peaks at 1' if d['normalise'] else ''}",
        f"  {d['done']:,} of {d['num_examples']:,} rows ({state}); {_duration(d['duration'])} of sound, "
        f"{_bytes(d['file_bytes'])}; by {d['software']}",
    ]
    if d["level"]:
        level = d["level"]
        peak, rms = level["peak_db"], level["rms_db"]
        lines.append(
            f"  peak {peak['median']:.1f} dB ({peak['lowest']:.1f} to {peak['highest']:.1f}), "
            f"RMS {rms['median']:.1f} dB ({rms['lowest']:.1f} to {rms['highest']:.1f}), {level['silent']} silent, "
            f"{level['above_full_scale']} above full scale, of {level['sampled']} sounds"
        )
    rows = [
        [*row, _bars(d["histograms"][row[0]]["counts"]), f"{d['histograms'][row[0]]['p_even']:.3f}"]
        for row in _space_rows(d["space"])
    ]
    note = "p: of a chi-square test against equally likely classes"
    spread = [text_table(["parameter", "levels", "range", "classes", "p"], rows), note]
    labels = [[label, str(len(counts)), _most_frequent(counts)] for label, counts in d["labels"].items()]
    spread += ["", text_table(["label", "names", "rows"], labels)] if labels else []
    return "\n".join([*lines, "", *spread])


def _most_frequent(counts: Mapping[str, int]) -> str:
    """List the most frequent names, and how many more there are."""
    names = sorted(counts, key=lambda name: -counts[name])
    more = f", … {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"{name} {counts[name]:,}" for name in names[:NAMED]) + more


def _model_file_text(d: Mapping[str, Any]) -> str:
    training = {name: value for name, value in d["training"].items() if not isinstance(value, dict)}
    lines = [
        f"model file {one_line(d['path'])} ({_bytes(d['file_bytes'])})",
        f"  {d['model']} for synth {d['synth']} ({len(d['space']['parameters'])} parameters, "
        f"{d['space']['size']} classes), {d['length']:g} s at {d['sample_rate']} Hz; by {d['software']}",
        f"  features: {_pairs(d['features'])}",
        f"  training: {_pairs(training)}",
        f"  scores: {_scores_line(d['scores'].get('test', {}))}",
        f"  sha256 of the weights: {d['weights_sha256']}",
    ]
    return "\n".join([*lines, "", _layers_text(d)])


def _run_text(d: Mapping[str, Any]) -> str:
    lines = [
        f"run {one_line(d['path'])}",
        f"  settings: {_pairs(d['settings'])}",
        f"  data: {_pairs(d['data'])}",
        f"  {d['epochs']} epochs done{': ' if d['last_epoch'] else ''}{_pairs(d['last_epoch'])}",
        f"  test: {_scores_line(d['test'])}",
        f"  files: {', '.join(f'{name} {_bytes(size)}' for name, size in d['files'].items())}",
    ]
    if d["folds"]:
        lines.append(f"  folds: {', '.join(d['folds'])}")
    model = ["", _model_file_text(d["model"])] if "model" in d else ["  no model yet"]
    return "\n".join([*lines, *model])


def _model_text(d: Mapping[str, Any]) -> str:
    preset = d["preset"]
    lines = [
        f"model {d['model']}: {d['summary']}",
        f"  {d['paper']}",
        textwrap.fill(
            f"preset {preset['name']}: {_preset_line(preset)}", 116, initial_indent="  ", subsequent_indent="    "
        ),
        f"  features: {_pairs(d['features'])}",
        f"  defaults: {_pairs(d['defaults'])}",
    ]
    return "\n".join([*lines, "", _layers_text(d)])


def _preset_line(preset: Mapping[str, Any]) -> str:
    if preset["settings"]:
        return _pairs(preset["settings"])
    length, rate = f"{preset['length']:g} s", f"{preset['sample_rate']} Hz"
    return f"synth {preset['synth']}, {length} at {rate}, loss {preset['loss']}"


def _synth_text(d: Mapping[str, Any]) -> str:
    rows = [
        [*row, p["group"], p["description"]]
        for row, p in zip(_space_rows(d["space"]), d["space"]["parameters"], strict=True)
    ]
    head = f"synth {d['synth']}: {d['description']}\n  {d['patches']:.3g} patches"
    return "\n".join([head, "", text_table(["parameter", "levels", "range", "group", "meaning"], rows)])


def _space_rows(space: Mapping[str, Any]) -> list[list[str]]:
    return [
        [p["name"], str(p["levels"]), f"{p['first']:.6g} … {p['last']:.6g} {p['unit']}".rstrip()]
        for p in space["parameters"]
    ]


def _layers_text(d: Mapping[str, Any]) -> str:
    rows = [
        [layer["name"], layer["kind"], " x ".join(map(str, layer["output_shape"])), f"{layer['weights']:,}"]
        for layer in d["layers"]
    ]
    fixed = d["weights"] - d["trainable_weights"]
    total = f"{d['weights']:,} parameters" + (f", {fixed:,} of them fixed" if fixed else "")
    return f"{text_table(['layer', 'kind', 'output', 'parameters'], rows)}\n{total}"


def _scores_line(scores: Mapping[str, Any]) -> str:
    """List the metrics over all parameters, as training wrote them."""
    overall = {name: value["All"] for name, value in scores.items() if isinstance(value, dict) and "All" in value}
    return f"{_pairs(overall)} on {scores['n']} sounds" if overall else "none yet"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{shown(name)} {value:.4g}" if isinstance(value, float) else f"{shown(name)} {shown(str(value))}"
        for name, value in values.items()
    )


def _bars(counts: list[int]) -> str:
    """Draw counts as bars, the highest one full; neighbours are summed where there are too many for a line."""
    shared = -(-len(counts) // WIDEST_BARS)
    counts = [sum(counts[first : first + shared]) for first in range(0, len(counts), shared)]
    highest = max(max(counts), 1)
    return "".join(BARS[min(count * len(BARS) // highest, len(BARS) - 1)] for count in counts)


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.4g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
