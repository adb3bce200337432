"""Networks written whole or not at all: what was written is run, compared, and described in a file beside it."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generators.errors import ModelError, SettingsError
from generators.files import writing, written_whole
from inversynth.export.formats import FORMATS, Format
from inversynth.export.signature import Arrays, Exportable
from inversynth.patches.patch import write_text
from models.model_files import ModelCard, software

SCHEMA = "inversynth-export/1"

CHECKED = 3
"""Random examples on which an exported network is compared."""


@dataclass(frozen=True)
class Written:
    """What was exported: network and description, its size in bytes, and the largest difference from Keras."""

    path: Path
    description: Path
    bytes: int
    difference: float
    tolerance: float


def describe(what: Exportable, card: ModelCard, name: str, form: Format, difference: float) -> dict[str, Any]:
    """Return all that one must know to use an exported network without Python, as JSON can hold it."""
    batch = form.batch or "batch"
    return {
        "schema": SCHEMA,
        "model": what.name,
        "kind": card.model,
        "format": name,
        "sample_rate": card.sample_rate,
        "seconds": card.length,
        "inputs": [port.told(batch) for port in what.inputs],
        "outputs": [port.told(batch) for port in what.outputs],
        **what.facts,
        "largest_difference": difference,
        "weights_sha256": card.weights_sha256,
        "software": software(),
    }


def export(what: Exportable, card: ModelCard, name: str, output: Path | None = None) -> Written:
    """Write a network in a format, run what was written, and describe it in `<file>.json`.

    Args:
        card: that of its model. name: a key of FORMATS. output: by default the model's name, in this folder.
    Raises: SettingsError for an output that is no such file; ModelError where the network cannot be written in that
        format, or where what was written differs by more than it may. Nothing stays behind then.
    """
    form = FORMATS[name]
    path = output or Path(f"{what.name}{form.suffix}")
    check_output(path, name)
    with writing(path), _folder_whole(path) if form.folder else written_whole(path) as partial:
        examples = what.draw(CHECKED)
        made = {key: np.asarray(value) for key, value in what.network(examples).items()}
        try:
            form.write(what, partial)
            received = form.open(partial)(examples)
        except OSError:
            raise
        except Exception as error:  # converters and runtimes raise whatever they like
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelError(
                f"{what.name} cannot be written as {form.title}: {reason[:200]}. Take another --format"
            ) from error
        difference, scale = compare(received, made)
        most = what.tolerance * scale
        if not difference <= most:
            raise ModelError(
                f"what is exported must differ from Keras by no more than {most:.1g}. Received: "
                f"{difference:.2g} of {what.name} as {form.title}; nothing is kept. Take another --format"
            )
        size = sum(file.stat().st_size for file in (partial.rglob("*") if form.folder else [partial]) if file.is_file())
    description = path.with_name(f"{path.name}.json")
    text = json.dumps(describe(what, card, name, form, difference), indent=1, ensure_ascii=False)
    write_text(description, f"{text}\n")
    return Written(path, description, size, difference, most)


def compare(received: Arrays, expected: Arrays) -> tuple[float, float]:
    """Return the largest difference of two sets of arrays, and the largest value expected.

    Raises: ModelError where names or shapes differ; a value that is no number makes the difference infinite.
    """
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in (received, expected)]
    if shapes[0] != shapes[1]:
        raise ModelError(f"what is exported must give what Keras does, {shapes[1]}. Received: {shapes[0]}")
    apart = max(float(np.abs(received[name] - expected[name]).max()) for name in expected)
    return apart if np.isfinite(apart) else np.inf, max(float(np.abs(array).max()) for array in expected.values())


def check_output(path: Path, name: str) -> None:
    """Raise SettingsError for a place that a network of that format cannot be written to."""
    form = FORMATS[name]
    if not form.folder:
        if path.suffix.lower() != form.suffix:
            raise SettingsError(f"--output must end in {form.suffix} for --format {name}. Received: {path}")
        if path.is_dir():
            raise SettingsError(f"--output must be a file for --format {name}. Received: {path}, a folder")
    elif path.exists() and not (path.is_dir() and ((path / "saved_model.pb").is_file() or not any(path.iterdir()))):
        raise SettingsError(
            f"--output must be a new folder, an empty one or a SavedModel for --format {name}. Received: {path}"
        )


@contextlib.contextmanager
def _folder_whole(path: Path) -> Iterator[Path]:
    """Yield a folder to write into; on leaving without a fault it replaces `path`, otherwise nothing stays behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, former = (path.with_name(f".{path.name}.{word}") for word in ("partial", "former"))
    for left in (partial, former):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    try:
        yield partial
        if path.exists():
            path.replace(former)
        partial.replace(path)
    finally:
        for left in (partial, former):
            shutil.rmtree(left, ignore_errors=True)
