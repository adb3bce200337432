"""How a published training of GANSynth was done: where its newest checkpoint is, and its options.

The weights do not tell the kind of spectrogram and its normalisation. They are in the `experiment.json` of a training,
where there is one; otherwise they are taken to be those of the release.
Source: the code of Engel et al. 2019 (magenta/models/gansynth: lib/model.py, lib/data_normalizer.py, configs).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generators.archives import ArchiveError, open_archive
from generators.errors import ModelError, os_reason
from generators.files import check_readable_file
from generators.json_reader import JsonError, read_json_object
from models.gansynth.presets import SCHEDULES
from models.gansynth.representation import PUBLISHED
from models.tensorflow_checkpoint import find_checkpoint

EXPERIMENT = "experiment.json"
RELEASE: Mapping[str, Any] = {
    **{"data_type": "mel", "audio_length": 64_000, "sample_rate": 16_000, "num_resolutions": 7, "scale_base": 2},
    **{"scale_mode": "ALL", "to_rgb_activation": "tanh", "train_progressive": True},
    **{"stable_stage_num_images": SCHEDULES["release"].stable, "total_num_images": SCHEDULES["release"].total},
    "transition_stage_num_images": SCHEDULES["release"].transition,
    "data_normalizer": "specgrams_prespecified_normalizer",
    **{"mag_normalizer_a": PUBLISHED.scale[0], "mag_normalizer_b": PUBLISHED.offset[0]},
    **{"p_normalizer_a": PUBLISHED.scale[1], "p_normalizer_b": PUBLISHED.offset[1]},
}
"""What the release was trained with, by the names of `experiment.json`."""

LARGEST = 10**12
"""Of an option that counts."""

FIXED = ("scale_base", "scale_mode", "to_rgb_activation")
"""Options of which the networks here have no other value."""

KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
"""Of options, for messages."""

MEASURED = Path("assets") / "specgrams_simple_normalizer.npz"
"""Where a training keeps a normalisation that it has measured."""


@dataclass(frozen=True)
class Training:
    """Where a training has left its newest checkpoint, and how it was done.

    Attributes: folder of the training; prefix of the checkpoint; options as RELEASE has them; `told`, whether an
    experiment.json told them.
    """

    folder: Path
    prefix: Path
    options: Mapping[str, Any]
    told: bool


def find_training(path: str | os.PathLike[str]) -> Training:
    """Find a checkpoint, and what is known of its training.

    Args:
        path: the folder of a training, whose newest stage is taken; the folder of a stage; or a checkpoint.
    Raises: ModelError where there is no checkpoint, or its options are unusable.
    """
    path = Path(path)
    stages = sorted(index.parent for index in path.glob("stage_*/*.index")) if path.is_dir() else []
    prefix = find_checkpoint(stages[-1] if stages else path)
    folder = prefix.parent.parent if prefix.absolute().parent.name.startswith("stage_") else prefix.parent
    file = folder / EXPERIMENT
    if not file.exists():
        return Training(folder, prefix, RELEASE, False)
    check_readable_file(file, "file of options", ModelError)
    try:
        content = read_json_object(file)
    except JsonError as error:
        raise ModelError(f"{file} {error}") from None
    return Training(folder, prefix, {name: _option(file, content, name) for name in RELEASE}, True)


def normalisation_of(training: Training) -> tuple[list[float], list[float]]:
    """Return scale and offset of magnitude and phase.

    Raises: ModelError for a kind of normalisation that has more numbers, and for unusable ones.
    """
    options, kind = training.options, training.options["data_normalizer"]
    if kind == "none":
        return [1.0, 1.0], [0.0, 0.0]
    if kind == "specgrams_prespecified_normalizer":
        numbers = [options[f"{channel}_normalizer_{part}"] for channel in ("mag", "p") for part in ("a", "b")]
    elif kind == "specgrams_simple_normalizer":
        numbers = _measured(training.folder / MEASURED)
    else:
        raise ModelError(
            "data_normalizer must be specgrams_prespecified_normalizer, specgrams_simple_normalizer or none. "
            f"Received: {kind!r:.60} in {training.folder / EXPERIMENT}"
        )
    scale, offset = [float(each) for each in numbers[::2]], [float(each) for each in numbers[1::2]]
    if not (np.isfinite(numbers).all() and all(scale)):
        raise ModelError(
            f"a normalisation has a finite scale other than 0. Received: {scale} and {offset} in {training.folder}"
        )
    return scale, offset


def _measured(path: Path) -> list[float]:
    check_readable_file(path, "file of a normalisation", ModelError, hint="Copy it beside the checkpoint")
    try:
        with open_archive(path, 1 << 20) as archive, archive.open("normalizer.npy") as member:
            numbers = np.lib.format.read_array(member, allow_pickle=False)
    except (ArchiveError, OSError, ValueError, KeyError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise ModelError(f"{path} must hold the array 'normalizer'. Received: {reason:.200}") from None
    if numbers.shape != (4,) or numbers.dtype.kind != "f":
        raise ModelError(f"{path} must hold four numbers. Received: shape {numbers.shape} of {numbers.dtype}")
    return [float(number) for number in numbers]


def _option(file: Path, content: Mapping[str, Any], name: str) -> Any:
    """Return an option of a training, or that of the release. Raises ModelError for one of another type."""
    default = RELEASE[name]
    value = content.get(name, default)
    allowed = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, allowed) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise ModelError(f"{name} of {file} must be {KINDS[type(default)]}. Received: {value!r:.60}")
    if type(default) is int and not 0 < value <= LARGEST:
        raise ModelError(f"{name} of {file} must be from 1 to {LARGEST:,}. Received: {value!r:.60}")
    return value
