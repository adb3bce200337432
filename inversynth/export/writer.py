"""Write a network, whole or not at all: the file is run, compared with Keras, and described in JSON beside it."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generators.errors import ModelError, SettingsError
from generators.files import write_text, writing, written_whole
from inversynth.export.formats import FORMATS, Format
from inversynth.export.signature import Arrays, Exportable
from models.model_files import ModelCard, software

SCHEMA = "inversynth-export/1"

CHECKED = 3
"""Random examples on which an exported network is compared."""


@dataclass(frozen=True)
class Written:
    """The result of an export: the paths of network and description, size in bytes, and difference from Keras."""

    path: Path
    description: Path
    bytes: int
    difference: float
    tolerance: float


def describe(what: Exportable, card: ModelCard, name: str, form: Format, difference: float) -> dict[str, Any]:
    """Return what is needed to use an exported network without Python, as JSON can hold it."""
    batch = form.batch or "batch"
    return {
        "schema": SCHEMA,
        "model": what.name,
        "kind": card.model,
        "format": name,
        "sample_rate": card.sample_rate,
        "seconds": card.length,
        "inputs": [port.describe(batch) for port in what.inputs],
        "outputs": [port.describe(batch) for port in what.outputs],
        **what.facts,
        "largest_difference": difference,
        "weights_sha256": card.weights_sha256,
        "software": software(),
    }


def export(what: Exportable, card: ModelCard, name: str, output: Path | None = None) -> Written:
    """Write a network in a format, run the file for comparison, and describe it in `<file>.json`.

    Args:
        card: of the model. name: a key of FORMATS. output: by default the model's name, in the working folder.
    Raises: SettingsError for an output of another kind; ModelError where the network cannot be written in that format,
        or differs from Keras by more than the tolerance. Nothing is left behind then.
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
        except Exception as error:  # converters and runtimes raise errors of any kind
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelError(
                f"{what.name} cannot be written as {form.title}: {reason[:200]}. Use another --format"
            ) from error
        difference, scale = compare(received, made)
        most = what.tolerance * scale
        if not difference <= most:
            raise ModelError(
                f"an exported network must differ from Keras by {most:.1g} at most. Received: "
                f"{difference:.2g} of {what.name} as {form.title}; nothing was written. Use another --format"
            )
        size = sum(file.stat().st_size for file in (partial.rglob("*") if form.folder else [partial]) if file.is_file())
    description = path.with_name(f"{path.name}.json")
    text = json.dumps(describe(what, card, name, form, difference), indent=1, ensure_ascii=False)
    write_text(description, f"{text}\n")
    return Written(path, description, size, difference, most)


def compare(received: Arrays, expected: Arrays) -> tuple[float, float]:
    """Return the largest difference between two sets of arrays, and the largest expected value.

    A NaN makes the difference infinite. Raises: ModelError where names or shapes differ.
    """
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in (received, expected)]
    if shapes[0] != shapes[1]:
        raise ModelError(f"an exported network must have the outputs of Keras, {shapes[1]}. Received: {shapes[0]}")
    difference = max(float(np.abs(received[name] - expected[name]).max()) for name in expected)
    return difference if np.isfinite(difference) else np.inf, max(
        float(np.abs(array).max()) for array in expected.values()
    )


def check_output(path: Path, name: str) -> None:
    """Raise SettingsError for a path that a network of that format cannot be written to."""
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
    """Yield a folder to write into; it replaces `path` at the end, or is removed after an error."""
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
