"""Pairing: the decoder of a trained autoencoder and a trained MCNN learn on together, from the sound that they make.

The encoder stays as it is. Training notes are decoded from where it puts them, the logarithm is undone, MCNN renders
the magnitudes; both are trained by the spectra of that sound, and the decoder by its picture besides, so that it keeps
its meaning. The paper says that they are trained together, and not how.
Source: Esling et al. 2019, arXiv 1904.06215.
"""

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from generators.command import run_command
from generators.dataset import Dataset
from generators.parameters import ParameterSpace
from generators.settings import Settings
from models.inference import name_of
from models.training.backend import start_keras
from models.training.recipe import Recipe, adam
from models.training.runs import Run, write_json

if TYPE_CHECKING:
    import keras

    from models.mcnn.inference import McnnVocoder
    from models.model_files import LoadedModel
    from models.training.data import Source
    from models.wae.data import StyledNotes
    from models.wae.inference import WaeModel

log = logging.getLogger(__name__)

PAIR = "pairing"
"""What the run is called in which both learn; it is no model of its own."""

KEPT = ("seed", "validation_split", "test_split")
"""Settings of the autoencoder's training by which its notes were split, and are split again."""


class PairingSettings(Settings):
    """Train the decoder of an autoencoder of notes and an MCNN together; writes both as new run folders."""

    flags_only: ClassVar = frozenset({"wae", "mcnn"})

    wae: Path = Field(description="the autoencoder: a run folder or a .keras file")
    mcnn: Path = Field(description="the MCNN that renders its pictures: a run folder or a .keras file")
    dataset_file: Path = Field(description="the notes that both were trained on")
    output_dir: Path = Field(Path("runs"), description="where the run folders are made")
    epochs: int = Field(50, ge=1, description="passes over the notes")
    batch_size: int = Field(8, ge=1, description="notes per step")
    learning_rate: float = Field(1e-4, gt=0, description="of Adam")
    picture_weight: float = Field(1.0, ge=0, description="of the error of pictures, beside that of the sounds")
    print_interval: int = Field(1, ge=1, description="epochs between two validations and checkpoints")
    resume: bool = Field(True, description="go on with the run of these two (else begin it again)")


@dataclass(frozen=True)
class Paired:
    """Run folders of a pairing: of the training, and of what the two models have become."""

    run: Run
    wae: Run
    mcnn: Run


def pair_network(maker: "WaeModel", renderer: "McnnVocoder") -> "keras.Model":
    """Join both models, on their own weights, of which those of the encoder are not trained.

    Shapes: [pictures (batch, bands, frames, 1), conditions (batch, 21 + styles), MIDI notes (batch, 1)] ->
        {picture (batch, bands, frames, 1), sound (batch, samples)}.
    """
    import keras

    from models.layers import MelsOfPicture

    maker.encoder.trainable = False
    picture = keras.Input(maker.encoder.input_shape[1:], name="picture")
    condition = keras.Input(maker.decoder.input_shape[1][1:], name="condition")
    note = keras.Input((1,), name="note")
    found = maker.decoder([maker.encoder(picture)[:, : maker.latent], condition])
    mels = MelsOfPicture(name="mels")(found)
    sound = renderer.network([mels, note] if renderer.told else mels)
    return keras.Model([picture, condition, note], {"picture": found, "sound": sound}, name=PAIR)


def pair_notes(dataset: Dataset, maker: "WaeModel", kind: "type[StyledNotes]") -> "StyledNotes":
    """Return the notes of a dataset, split as they were when the autoencoder was trained.

    Raises: DatasetError as `StyledNotes` does.
    """
    from models.wae.presets import find_size

    card = maker.loaded.card
    split = {name: card.training[name] for name in KEPT if name in card.training}
    return kind(dataset, size=find_size(str(card.features["size"])), label=maker.label, **split)


def pair_loss(maker: "WaeModel", space: ParameterSpace, loss: str, *, picture_weight: float = 1.0) -> dict[str, Any]:
    """Return the loss of each output: spectra of sounds on bins and on mel bands, and the autoencoder's of pictures."""
    from models.mcnn.losses import PAIRED, WaveformLoss
    from models.wae.losses import PictureLoss

    analysis, reduction = maker.analysis, str(maker.loaded.card.features["reduction"])
    heard = WaveformLoss(PAIRED, analysis.fft_length, analysis.hop_length, analysis.bands, analysis.sample_rate)
    return {"picture": PictureLoss(reduction, picture_weight), "sound": heard}


def pair(settings: PairingSettings) -> Paired:
    """Do what the settings ask for; a run that was stopped goes on.

    Raises: ModelError for models of another kind, or of pictures that differ; as `models.training.loop.train` does.
    """
    start_keras()
    from models.training.loop import train
    from models.wae.data import PairedNotes, StyledNotes
    from models.wae.inference import load_wae
    from models.wae.vocoders import matching_renderer

    maker = load_wae(settings.wae)
    renderer = matching_renderer(settings.mcnn, maker.analysis)
    names = [name_of(model.loaded.path) for model in (maker, renderer)]

    def build(*_: Any, **__: Any) -> "keras.Model":
        return pair_network(maker, renderer)

    recipe = Recipe(
        PAIR,
        "decoder and renderer, trained together",
        "Esling et al. 2019, arXiv 1904.06215",
        build,
        loss=partial(pair_loss, maker),
        loss_options=("picture_weight",),
        metrics=lambda space: [],
        optimizer=adam,
        compiled=False,
        features={"input": "pictures"},
        inputs="pictures",
        options={"wae": maker.fingerprint, "mcnn": renderer.fingerprint},
        measure=partial(measure, maker, renderer),
        told=("sounds {convergence:.1f} dB from the notes (before: {before_convergence:.1f})",),
        defaults={"batch_size": 8, "epochs": 50, "learning_rate": 1e-4, "loss": PAIR},
    ).with_options(picture_weight=settings.picture_weight)
    with ExitStack() as stack:
        dataset = stack.enter_context(Dataset(settings.dataset_file))
        run = train(
            recipe,
            pair_notes(dataset, maker, PairedNotes),
            settings.output_dir / f"{PAIR}_{names[0]}_{names[1]}",
            epochs=settings.epochs,
            patience=100_000,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            print_interval=settings.print_interval,
            resume=settings.resume,
            progress=sys.stderr.isatty(),
        )
        paired = Paired(run, *(Run(settings.output_dir / f"{name}_paired") for name in names))
        write_both(paired, maker, renderer, pair_notes(dataset, maker, StyledNotes))
    return paired


def measure(maker: "WaeModel", renderer: "McnnVocoder", loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure sounds of test notes, decoded from where the encoder puts them, before and after they were paired.

    Returns: `n` notes; means of the measures of `models.mcnn.metrics.note_errors` and of `rmse`, of pictures; with
        `before_` before their names those of the models as they came.
    """
    from models.mcnn.metrics import means_of, note_errors
    from models.wae.data import PairedNotes
    from models.wae.inference import load_wae
    from models.wae.vocoders import matching_renderer

    assert isinstance(source, PairedNotes)
    rows = source.rows("test")
    inputs, wanted = source.examples().read(rows)
    targets: Any = wanted
    before = pair_network(load_wae(maker.loaded.path), matching_renderer(renderer.loaded.path, maker.analysis))
    found: dict[str, Any] = {}
    for prefix, network in (("", loaded.model), ("before_", before)):
        made = network.predict(list(inputs), batch_size=8, verbose=0)
        errors = note_errors(targets["sound"], made["sound"], maker.analysis)
        rmse = np.sqrt(np.mean(np.square(made["picture"] - targets["picture"]), axis=(1, 2, 3)))
        found |= means_of({**errors, "rmse": rmse}, prefix)
    return {"n": len(rows), **found}


def write_both(paired: Paired, maker: "WaeModel", renderer: "McnnVocoder", source: "StyledNotes") -> None:
    """Write the two models out of the best of a pairing as runs of their own, measured as each is by itself."""
    from models.model_files import load_model, read_card, save_model, write_card
    from models.registry import find_recipe
    from models.wae.networks import build_autoencoder

    best, metrics = load_model(paired.run.best), paired.run.metrics()
    networks = (
        build_autoencoder(best.model.get_layer("encoder"), best.model.get_layer("decoder")),
        best.model.get_layer("note_renderer").get_layer("mcnn"),
    )
    told = {"wae": maker.fingerprint, "mcnn": renderer.fingerprint, "epoch": metrics["best_epoch"]}
    for run, model, network in zip((paired.wae, paired.mcnn), (maker, renderer), networks, strict=True):
        card, recipe = model.loaded.card, find_recipe(model.loaded.name)
        assert recipe.measure is not None
        with run.locked():
            run.begin({"model": card.model, PAIR: told}, source.identity, resume=False)
            save_model(network, run.best, replace(card, training={**card.training, PAIR: told}, scores={}))
            test = recipe.measure(load_model(run.best), source)
            write_card(run.best, replace(read_card(run.best), scores={"test": test}))
            write_json(run.metrics_file, {"model": card.model, PAIR: told, "test": test})
        log.info("%s: %s, %s", run.path, card.model, recipe.tell(test))


def main(argv: Sequence[str] | None = None) -> int:
    """Pair two models: the door `python -m models.wae.joint_training`."""

    def action(settings: PairingSettings) -> None:
        pair(settings)

    return run_command(PairingSettings, action, argv, "python -m models.wae.joint_training")


if __name__ == "__main__":
    sys.exit(main())
