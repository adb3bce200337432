"""Joint training: the decoder of a trained autoencoder and a trained MCNN are fine-tuned together, on their audio.

The encoder is frozen. Training notes are encoded and decoded, the logarithm is inverted, and MCNN renders the
magnitudes; both networks are trained by spectral losses of that audio, and the decoder by the error of its spectrogram
as well, so that it still decodes spectrograms. The paper says that they are trained together, but not how.
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
from models.backend import start_keras
from models.inference import name_of
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
"""Name of the run in which both are trained, also in settings and cards; it is not a model of its own."""

SPLIT_SETTINGS = ("seed", "validation_split", "test_split")
"""Settings of the autoencoder's training that determine the split of its notes, which is used again."""


class JointTrainingSettings(Settings):
    """Train the decoder of a note autoencoder and an MCNN together; writes both as new run folders."""

    flags_only: ClassVar = frozenset({"wae", "mcnn"})
    renamed: ClassVar = {"picture_weight": "spectrogram_weight"}

    wae: Path = Field(description="the autoencoder: a run folder or a .keras file")
    mcnn: Path = Field(description="the MCNN that renders its spectrograms: a run folder or a .keras file")
    dataset_file: Path = Field(description="the notes that both were trained on")
    output_dir: Path = Field(Path("runs"), description="where the run folders are made")
    epochs: int = Field(50, ge=1, description="passes over the notes")
    batch_size: int = Field(8, ge=1, description="notes per step")
    learning_rate: float = Field(1e-4, gt=0, description="of Adam")
    spectrogram_weight: float = Field(1.0, ge=0, description="of the error of spectrograms, beside that of the audio")
    print_interval: int = Field(1, ge=1, description="epochs between two validations and checkpoints")
    resume: bool = Field(True, description="resume the run of these two (else start it again)")


@dataclass(frozen=True)
class JointRuns:
    """Run folders of a joint training: of the training itself, and of the two models that it made."""

    run: Run
    wae: Run
    mcnn: Run


def build_joint_network(model: "WaeModel", vocoder: "McnnVocoder") -> "keras.Model":
    """Join both models, which share their weights with it; those of the encoder are frozen.

    Shapes: [spectrograms (batch, bands, frames, 1), conditions (batch, 21 + styles), MIDI notes (batch, 1)] ->
        {picture (batch, bands, frames, 1), sound (batch, samples)}.
    """
    import keras

    from models.layers import MelsOfPicture

    model.encoder.trainable = False
    spectrogram = keras.Input(model.encoder.input_shape[1:], name="picture")
    condition = keras.Input(model.decoder.input_shape[1][1:], name="condition")
    note = keras.Input((1,), name="note")
    found = model.decoder([model.encoder(spectrogram)[:, : model.latent], condition])
    mels = MelsOfPicture(name="mels")(found)
    sound = vocoder.network([mels, note] if vocoder.takes_note else mels)
    return keras.Model([spectrogram, condition, note], {"picture": found, "sound": sound}, name=PAIR)


def open_joint_notes(dataset: Dataset, model: "WaeModel", source_type: "type[StyledNotes]") -> "StyledNotes":
    """Return the notes of a dataset, split as in the training of the autoencoder.

    Raises: DatasetError as `StyledNotes` does.
    """
    from models.wae.presets import find_preset

    card = model.loaded.card
    split = {name: card.training[name] for name in SPLIT_SETTINGS if name in card.training}
    return source_type(dataset, size=find_preset(str(card.features["size"])), label=model.label, **split)


def joint_loss(model: "WaeModel", space: ParameterSpace, loss: str, *, picture_weight: float = 1.0) -> dict[str, Any]:
    """Return the loss of each output: spectral losses of audio on bins and mel bands, and the autoencoder's loss."""
    from models.mcnn.losses import JOINT_WEIGHTS, WaveformLoss
    from models.wae.losses import SpectrogramLoss

    analysis, reduction = model.analysis, str(model.loaded.card.features["reduction"])
    audio = WaveformLoss(JOINT_WEIGHTS, analysis.fft_length, analysis.hop_length, analysis.bands, analysis.sample_rate)
    return {"picture": SpectrogramLoss(reduction, picture_weight), "sound": audio}


def train_jointly(settings: JointTrainingSettings) -> JointRuns:
    """Train both models as the settings say; a run that was stopped is resumed.

    Raises: ModelError for models of another kind, or with different spectrograms; as `models.training.loop.train` does.
    """
    start_keras()
    from models.training.loop import train
    from models.wae.data import PairedNotes, StyledNotes
    from models.wae.inference import load_wae
    from models.wae.vocoders import matching_renderer

    model = load_wae(settings.wae)
    vocoder = matching_renderer(settings.mcnn, model.analysis)
    names = [name_of(each.loaded.path) for each in (model, vocoder)]

    def build(*_: Any, **__: Any) -> "keras.Model":
        return build_joint_network(model, vocoder)

    recipe = Recipe(
        PAIR,
        "decoder and vocoder, trained together",
        "Esling et al. 2019, arXiv 1904.06215",
        build,
        loss=partial(joint_loss, model),
        loss_options=("picture_weight",),
        metrics=lambda space: [],
        optimizer=adam,
        jit_compile=False,
        features={"input": "pictures"},
        options={"wae": model.fingerprint, "mcnn": vocoder.fingerprint},
        measure=partial(measure, model, vocoder),
        report_format=("spectral convergence {convergence:.1f} dB (before: {before_convergence:.1f})",),
        defaults={"batch_size": 8, "epochs": 50, "learning_rate": 1e-4, "loss": PAIR},
    ).with_options(picture_weight=settings.spectrogram_weight)
    with ExitStack() as stack:
        dataset = stack.enter_context(Dataset(settings.dataset_file))
        run = train(
            recipe,
            open_joint_notes(dataset, model, PairedNotes),
            settings.output_dir / f"{PAIR}_{names[0]}_{names[1]}",
            epochs=settings.epochs,
            patience=None,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            print_interval=settings.print_interval,
            resume=settings.resume,
            progress=sys.stderr.isatty(),
        )
        runs = JointRuns(run, *(Run(settings.output_dir / f"{name}_paired") for name in names))
        write_both(runs, model, vocoder, open_joint_notes(dataset, model, StyledNotes))
    return runs


def measure(model: "WaeModel", vocoder: "McnnVocoder", loaded: "LoadedModel", source: "Source") -> dict[str, Any]:
    """Measure reconstructed audio of test notes before and after joint training.

    Returns: `n` notes; means of the errors of `models.mcnn.metrics.note_errors` and of `rmse`, of spectrograms;
        with the prefix `before_` those of the models before joint training.
    """
    from models.mcnn.metrics import means_of, note_errors
    from models.wae.data import PairedNotes
    from models.wae.inference import load_wae
    from models.wae.vocoders import matching_renderer

    assert isinstance(source, PairedNotes)
    rows = source.rows("test")
    inputs, wanted = source.examples().read(rows)
    targets: Any = wanted
    before = build_joint_network(load_wae(model.loaded.path), matching_renderer(vocoder.loaded.path, model.analysis))
    found: dict[str, Any] = {}
    for prefix, network in (("", loaded.model), ("before_", before)):
        made = network.predict(list(inputs), batch_size=8, verbose=0)
        errors = note_errors(targets["sound"], made["sound"], model.analysis)
        rmse = np.sqrt(np.mean(np.square(made["picture"] - targets["picture"]), axis=(1, 2, 3)))
        found |= means_of({**errors, "rmse": rmse}, prefix)
    return {"n": len(rows), **found}


def write_both(runs: JointRuns, model: "WaeModel", vocoder: "McnnVocoder", source: "StyledNotes") -> None:
    """Write the two models of the best epoch as runs of their own, each measured as it is by itself."""
    from models.mcnn.recipe import RECIPES as MCNN_RECIPES
    from models.model_files import load_model, read_card, save_model, write_card
    from models.wae.networks import build_autoencoder
    from models.wae.recipe import RECIPES as WAE_RECIPES

    recipes = {recipe.name: recipe for recipe in (*WAE_RECIPES, *MCNN_RECIPES)}
    best, metrics = load_model(runs.run.best), runs.run.metrics()
    networks = (
        build_autoencoder(best.model.get_layer("encoder"), best.model.get_layer("decoder")),
        best.model.get_layer("note_renderer").get_layer("mcnn"),
    )
    origin = {"wae": model.fingerprint, "mcnn": vocoder.fingerprint, "epoch": metrics["best_epoch"]}
    for run, each, network in zip((runs.wae, runs.mcnn), (model, vocoder), networks, strict=True):
        card, recipe = each.loaded.card, recipes[each.loaded.name]
        assert recipe.measure is not None
        with run.locked():
            run.begin({"model": card.model, PAIR: origin}, source.identity, resume=False)
            save_model(network, run.best, replace(card, training={**card.training, PAIR: origin}, scores={}))
            test = recipe.measure(load_model(run.best), source)
            write_card(run.best, replace(read_card(run.best), scores={"test": test}))
            write_json(run.metrics_file, {"model": card.model, PAIR: origin, "test": test})
        log.info("%s: %s, %s", run.path, card.model, recipe.report(test))


def main(argv: Sequence[str] | None = None) -> int:
    """Train two models together: the command `python -m models.wae.joint_training`."""

    def action(settings: JointTrainingSettings) -> None:
        train_jointly(settings)

    return run_command(JointTrainingSettings, action, argv, "python -m models.wae.joint_training")


if __name__ == "__main__":
    sys.exit(main())
