"""The published checkpoints of GANSynth, `all_instruments` and `acoustic_only`, and others that its code has trained.

A checkpoint of TensorFlow 1 holds the generator twice, its weights and their moving averages, of which the published
code plays the averages; so does this.
Source: the code of Engel et al. 2019 (magenta/models/gansynth), for names and shapes.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from generators.errors import ModelError, shown
from generators.notes.labels import SPACE
from generators.notes.pitches import note_ranges
from models.backend import start_keras
from models.gansynth.experiment import EXPERIMENT, FIXED, RELEASE, Training, normalisation_of
from models.gansynth.presets import CHANNELS, GANSYNTH, SIZES, GanSynthSize, growth_of
from models.gansynth.representation import KINDS, Kind, SpectrogramFormat
from models.model_files import MAX_SAMPLE_RATE, ModelCard, save_model
from models.tensorflow_checkpoint import Checkpoint, counted, open_checkpoint

if TYPE_CHECKING:
    import keras

SCOPE = "Generator/progressive_gan_generator/progressive_gan_block_"
LAYERS: Mapping[str, str] = {"first": "conv0", "second": "conv1", "picture": "to_rgb"}
"""Layers of a block: the end of our name, and the published one."""

AVERAGE = "/ExponentialMovingAverage"
CLASSES = "Discriminator/discriminator_cond/classification_logits/bias"
"""One number for each pitch."""

STEP = "global_step"
"""Counts images, not steps."""

STEP_IMAGES = 8
"""Images of a step (the release)."""

LOWEST_RATE = 1000
"""Hertz: at fewer, a note would last longer than a card may say."""

NOTES = tuple(range(24, 85))
COUNTS = (
    *(551, 545, 561, 550, 549, 578, 547, 628, 626, 630, 670, 668, 751, 768, 788, 801, 821, 871, 873, 860),
    *(873, 844, 883, 865, 1058, 1036, 1094, 1065, 1186, 1200, 1187, 1346, 1273, 1320, 1263, 1283, 1349, 1285),
    *(1281, 1332, 1286, 1301, 1220, 1300, 1209, 1257, 1288, 1223, 1258, 1183, 1178, 1125, 1171, 1089, 1024, 1081),
    *(966, 1043, 991, 959, 977),
)
"""How often the published code draws each of its notes: as often as the acoustic notes of its data have them."""


def import_gansynth(
    training: Training,
    output: str | os.PathLike[str],
    *,
    notes: Sequence[int] = NOTES,
    kind: Kind | None = None,
) -> ModelCard:
    """Write the generator of a checkpoint as a model file with its card.

    Args:
        training: as `find_training` returns it. notes: the MIDI notes that it was trained on, rising.
        kind: of its spectrograms, in place of what its training says.
    Raises: ModelError with the names that differ where the variables are those of another network; for options that
        the networks here do not have; and for as many notes as it does not have.
    """
    options = dict(training.options) | ({"data_type": kind} if kind else {})
    checkpoint = open_checkpoint(training.prefix)
    name, size, blocks = _size(checkpoint, notes)
    features = _features(training, options, name, size, notes)
    step = checkpoint.count(STEP)
    step = int(options["total_num_images"]) if step is None else step
    about = {"imported": shown(training.prefix.name, 100), "images": step, "epoch": step // STEP_IMAGES}
    length = options["audio_length"] / options["sample_rate"]
    card = ModelCard(GANSYNTH, "notes", SPACE.to_json(), options["sample_rate"], length, features, about)
    return save_model(build_imported(checkpoint, size, blocks), output, card)


def build_imported(checkpoint: Checkpoint, size: GanSynthSize, blocks: int) -> "keras.Model":
    """Build a generator with the averaged weights of a checkpoint. Raises ModelError as `Checkpoint.read_all`."""
    wanted = _shapes(size, blocks)
    weights = checkpoint.read_all(wanted, f"a generator of {blocks} blocks", (AVERAGE,))

    start_keras()
    from models.gansynth.networks import build_generator

    model = build_generator(size, blocks)
    for block in range(1, blocks + 1):
        for ours, theirs in LAYERS.items():
            kernel, bias = (weights[each] for each in _names(block, theirs))
            if (block, ours) == (1, "first"):  # a convolution over zeros around one point sees its kernel turned
                kernel = kernel[::-1, ::-1]
            model.get_layer(f"block{block}_{ours}").set_weights([kernel, bias])
    return model


# --- what a checkpoint tells ------------------------------------------------------------------------------------------


def _names(block: int, layer: str) -> tuple[str, str]:
    """Return the names of kernel and bias."""
    return f"{SCOPE}{block}/{layer}/conv2d/kernel{AVERAGE}", f"{SCOPE}{block}/{layer}/bias{AVERAGE}"


def _shapes(size: GanSynthSize, blocks: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all variables of a generator by their names."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = size.latent + size.pitches
    for block in range(1, blocks + 1):
        width = size.width(block)
        first = size.start if block == 1 else (3, 3)
        for layer, kernel in (
            ("conv0", (*first, before, width)),
            ("conv1", (3, 3, width, width)),
            ("to_rgb", (1, 1, width, CHANNELS)),
        ):
            names = _names(block, layer)
            shapes |= {names[0]: kernel, names[1]: kernel[-1:]}
        before = width
    return shapes


def _size(checkpoint: Checkpoint, notes: Sequence[int]) -> tuple[str, GanSynthSize, int]:
    """Return the size that a checkpoint has, by its name, with its own latent and pitches, and its number of blocks."""
    variables = checkpoint.variables
    first = _names(1, "conv0")[0]
    if first not in variables or len(variables[first].shape) != 4:
        plain = first.removesuffix(AVERAGE)
        found = f"{plain} without its average" if plain in variables else f"{len(variables):,} other variables"
        raise ModelError(f"{checkpoint.prefix} must hold GANSynth, as {first}. Received: {found}")
    *start, inputs, _ = variables[first].shape
    blocks = counted(variables, lambda block: _names(block, "conv0")[0])
    pitches = variables[CLASSES].shape[0] if CLASSES in variables and variables[CLASSES].shape else len(notes)
    if pitches != len(notes) or inputs <= pitches:
        raise ModelError(
            f"{checkpoint.prefix} was trained on {min(pitches, inputs)} notes. Received: {len(notes)}, "
            f"{note_ranges(notes)}. Name its notes with --notes"
        )
    fitting = {
        name: replace(size, latent=inputs - pitches, pitches=pitches, pitch_gain=1.0)
        for name, size in SIZES.items()
        if size.start == tuple(start) and size.blocks >= blocks
    }
    widths = tuple(variables[_names(block, "conv0")[0]].shape[-1] for block in range(1, blocks + 1))
    if not fitting:
        starts = " or ".join(sorted({_points(each.start) for each in SIZES.values()}))
        most = max(each.blocks for each in SIZES.values())
        raise ModelError(
            f"generators here start at {starts} points and have {most} blocks at most. Received: {blocks} from "
            f"{_points(start)} in {checkpoint.prefix}"
        )
    equal = {name: sum(map(int.__eq__, widths, map(size.width, range(1, 8)))) for name, size in fitting.items()}
    name = max(fitting, key=lambda each: (equal[each], -fitting[each].blocks))
    return name, fitting[name], blocks


def _points(start: Sequence[int]) -> str:
    return "x".join(map(str, start))


def _features(
    training: Training, options: Mapping[str, Any], name: str, size: GanSynthSize, notes: Sequence[int]
) -> dict[str, Any]:
    """Return the features of the card. Raises ModelError for options that the networks here do not have."""
    file = training.folder / EXPERIMENT
    for option in FIXED:
        if options[option] != RELEASE[option]:
            raise ModelError(f"{option} of {file} must be {RELEASE[option]}. Received: {options[option]!r:.60}")
    if training.told and options["num_resolutions"] != size.blocks:
        raise ModelError(
            f"num_resolutions of {file} must be {size.blocks}, as {name} has. Received: {options['num_resolutions']}"
        )
    kind = options["data_type"]
    if kind not in KINDS:
        raise ModelError(f"data_type of {file} must be {', '.join(KINDS)}. Received: {kind!r:.60}")
    if not LOWEST_RATE <= options["sample_rate"] <= MAX_SAMPLE_RATE:
        raise ModelError(
            f"sample_rate of {file} must be {LOWEST_RATE:,} to {MAX_SAMPLE_RATE:,}. Received: {options['sample_rate']}"
        )
    frames, bins = size.resolution(size.blocks)
    picture = SpectrogramFormat(
        kind, frames, bins, options["audio_length"], options["sample_rate"], aliased=kind == "mel"
    )
    scale, offset = normalisation_of(training)
    features = {
        **{"input": "latents", "size": name, "kind": kind, "aliased": picture.aliased, "latent": size.latent},
        **{"normaliser": "published", "progressive": options["train_progressive"], "epoch_images": STEP_IMAGES},
        **{"stable_images": options["stable_stage_num_images"], "total_images": options["total_num_images"]},
        "transition_images": options["transition_stage_num_images"],
        **{"picture": asdict(picture), "scale": scale, "offset": offset},
        **{"notes": list(notes), "counts": list(COUNTS if tuple(notes) == NOTES else (1,) * len(notes))},
    }
    growth_of(features)
    return features
