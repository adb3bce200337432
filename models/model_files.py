"""Model files: a `.keras` file that carries its meaning.

Beside what Keras writes, the archive holds one more member, a card: which model, the parameter space that gives the
head its meaning, sample rate, length and features of the sounds it takes, how it was trained and scored, and a hash
of the weights. Loading refuses what does not fit, and executes nothing (`safe_mode`). A card is read without Keras.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators import __version__
from generators.audio import normalise_peak
from generators.errors import ModelError, ParameterError
from generators.files import written_whole
from generators.parameters import ParameterSpace
from models.backend import explained_wait, predict_directly, predict_in_batches, start_keras

if TYPE_CHECKING:
    import keras

SCHEMA = "inversynth-model/1"
CARD_MEMBER = "inversynth.json"
WEIGHTS_MEMBER = "model.weights.h5"
SUFFIX = ".keras"
OTHER_INPUTS = {
    "patches": ("a model of patches", "inversynth macros"),
    "envelope": ("a generator of envelopes", "inversynth shape"),
    "notes": ("a model of notes", "inversynth decode, or a classifier with python -m benchmarks.nsynth"),
    "latents": ("a generator of notes", "inversynth gansynth"),
    "pictures": ("an autoencoder of pictures of notes", "inversynth wae"),
    "mels": ("a renderer of mel magnitudes", "inversynth wae random --renderer mcnn"),
}
"""Models that do not hear a sound to name its settings: what they are, and the command for them."""

ANY_SHAPE = frozenset({"envelope", "notes", "latents", "pictures", "mels"})
"""Inputs whose models are asked for by what looks after them: `models.neurosynth.inference`, `models.nsynth`, `models.gansynth`,
`models.wae` and `models.mcnn`."""

BEST = "best.keras"
"""The model file of a run folder that `load_model` takes."""


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself.

    Attributes:
        model, synth: names. space: the parameter space as JSON. sample_rate: hertz. length: seconds.
        features: what the model sees of a sound; `normalise` says that it expects a peak of 1.
        training: data, settings and epoch it comes from. scores: measures on sounds it was not trained on.
        weights_sha256: of the archive's weights. software: what wrote the file.
    """

    model: str
    synth: str
    space: str
    sample_rate: int
    length: float
    features: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    software: str = ""

    @cached_property
    def parameter_space(self) -> ParameterSpace:
        return ParameterSpace.from_json(self.space)

    @property
    def samples(self) -> int:
        return round(self.sample_rate * self.length)

    @property
    def takes(self) -> str:
        """What goes into the model: `audio`, or a key of OTHER_INPUTS."""
        taken = str(self.features.get("input", "audio"))
        return taken if taken in OTHER_INPUTS else "audio"

    def check_hears(self, path: Path) -> None:
        """Raise ModelError, naming what it is for, unless this model takes sounds and gives probabilities."""
        if self.takes != "audio":
            what, command = OTHER_INPUTS[self.takes]
            raise ModelError(f"{path} is {what} and names no settings of a sound. Use it with: {command}")

    @property
    def widths(self) -> tuple[int, int]:
        """How many numbers go into the model for one example, and how many come out."""
        parameters = len(self.parameter_space)
        return (parameters, parameters) if self.takes == "patches" else (self.samples, self.parameter_space.size)

    @property
    def meaning_sha256(self) -> str:
        """A hash of all that predictions depend on: changing any of it by hand is noticed."""
        features = json.dumps(self.features, sort_keys=True)
        essence = [self.model, self.parameter_space.fingerprint, self.sample_rate, self.length, features]
        return hashlib.sha256(json.dumps([*essence, self.weights_sha256]).encode()).hexdigest()

    def to_json(self) -> str:
        """Write the card as JSON text."""
        card = {
            "schema": SCHEMA,
            **asdict(self),
            "space": json.loads(self.space),
            "meaning_sha256": self.meaning_sha256,
        }
        return json.dumps(card, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> "ModelCard":
        """Read what `to_json` wrote; `path` is for messages. Raises ModelError for anything else."""
        try:
            card = json.loads(text)
            if card["schema"] != SCHEMA:
                raise ModelError(f"{path} must follow schema '{SCHEMA}'. Received: {card['schema']!r}. Train it anew")
            space = ParameterSpace.from_json(json.dumps(card["space"], ensure_ascii=False))
            known = {part.name: card[part.name] for part in fields(cls) if part.name != "space"}
            made = cls(**known, space=space.to_json())
            if made.meaning_sha256 != card["meaning_sha256"]:
                raise ModelError(f"{path} was changed after it was saved (its card does not match its hash)")
        except (ValueError, KeyError, TypeError, AttributeError, ParameterError) as error:
            raise ModelError(f"{path} has a card that cannot be read: {type(error).__name__} {error}") from None
        return made


@dataclass(frozen=True)
class LoadedModel:
    """A model with its meaning. `predict` is all that inversion and evaluation need."""

    model: "keras.Model"
    card: ModelCard
    path: Path

    @property
    def name(self) -> str:
        return self.card.model

    @property
    def space(self) -> ParameterSpace:
        return self.card.parameter_space

    @property
    def sample_rate(self) -> int:
        return self.card.sample_rate

    @property
    def samples(self) -> int:
        return self.card.samples

    def predict(self, audio: NDArray[np.floating[Any]], batch_size: int = 64) -> NDArray[np.float32]:
        """Estimate the probability of every class.

        Shapes: audio (n, samples) at the model's sample rate -> (n, space.size) float32 in 0..1. A model of patches
        takes knob positions (n, parameters) and gives the same.
        Raises: ModelError where the shape does not fit.
        """
        if self.card.takes in ANY_SHAPE:
            self.card.check_hears(self.path)
        audio = np.asarray(audio, np.float32)
        width, outputs = self.card.widths
        if audio.ndim != 2 or audio.shape[1] != width:
            if self.card.takes == "patches":
                raise ModelError(
                    f"{self.path} is a model of patches and hears no sound: it takes (n, {width}) knob positions. "
                    f"Received: {audio.shape}. Use it with: inversynth macros"
                )
            raise ModelError(
                f"{self.name} takes sounds of shape (n, {self.samples}), {self.card.length:g} s at {self.sample_rate} "
                f"Hz. Received: {audio.shape}"
            )
        if self.card.features.get("normalise"):
            audio = normalise_peak(audio)
        if not len(audio):
            return np.empty((0, outputs), np.float32)
        if len(audio) == 1:
            return predict_directly(self.model, audio)
        predicted: NDArray[np.float32] = predict_in_batches(self.model, [audio], batch_size)
        return predicted

    def check_space(self, space: ParameterSpace) -> None:
        """Raise ModelError naming the difference where `space` is not the one this model was trained for."""
        difference = self.space.difference(space)
        if difference:
            raise ModelError(f"{self.path} is a model of another parameter space: {difference}")


@dataclass(frozen=True)
class TrainedModel:
    """A trained model whose meaning is known: the base of what shapes, encodes, names and plays sounds with one."""

    loaded: LoadedModel

    @property
    def sample_rate(self) -> int:
        return self.loaded.sample_rate

    @property
    def samples(self) -> int:
        """The length of the sounds that it was trained on."""
        return self.loaded.samples

    @property
    def fingerprint(self) -> str:
        """What tells what it makes from that of any other model: the beginning of the hash of its weights."""
        return self.loaded.card.weights_sha256[:16]


def load_model_named(name: str, path: str | os.PathLike[str], purpose: str) -> LoadedModel:
    """Load a model file, or the best model of a run folder, of one model alone.

    Args:
        purpose: what it is for, as the message begins: `notes are named`.
    Raises: ModelError for one of another name, and as `load_model`.
    """
    loaded = load_model(path)
    if loaded.name != name:
        raise ModelError(f"{purpose} by a model '{name}'. Received: {loaded.name} in {path}")
    return loaded


def save_model(
    model: "keras.Model", path: str | os.PathLike[str], card: ModelCard, *, optimizer: bool = False
) -> ModelCard:
    """Write a model with its card, whole or not at all.

    Args:
        optimizer: keep the optimiser's state, three times the size, to go on training from it.
    Returns: the card as it was written, hash and software included.
    """
    path = Path(path)
    with written_whole(path) as partial:
        (model if optimizer else _for_inference(model)).save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            card = replace(card, weights_sha256=_digest(archive), software=software())
            archive.writestr(CARD_MEMBER, card.to_json())
    return card


def write_card(path: str | os.PathLike[str], card: ModelCard) -> None:
    """Give a model file another card (its scores, once they are known), keeping the weights as they are."""
    _replace_members(Path(path), {CARD_MEMBER: card.to_json().encode()})


def rewrite_weights(path: str | os.PathLike[str], card: ModelCard, change: Callable[[bytes], bytes]) -> ModelCard:
    """Give a model file other weights, made by `change` from the HDF5 file they are in, and a card with their hash."""
    path = Path(path)
    with zipfile.ZipFile(path) as old:
        weights = change(old.read(WEIGHTS_MEMBER))
    card = replace(card, weights_sha256=hashlib.sha256(weights).hexdigest(), software=software())
    _replace_members(path, {WEIGHTS_MEMBER: weights, CARD_MEMBER: card.to_json().encode()})
    return card


def _replace_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive anew, whole or not at all, with other content under some names, last; the rest is copied."""
    with written_whole(path) as partial, zipfile.ZipFile(path) as old, zipfile.ZipFile(partial, "w") as new:
        for member in old.infolist():
            if member.filename not in members:
                with old.open(member) as source, new.open(member, "w") as target:
                    shutil.copyfileobj(source, target)
        for name, content in members.items():
            new.writestr(name, content)


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read the card of a model file or of a run folder's best model. Needs no Keras.

    Raises: ModelError for a missing, foreign, corrupt or tampered file.
    """
    path = find_model_file(path)
    with _open(path) as archive:
        return _card(archive, path)


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Load a model file, or the best model of a run folder, for prediction on any device: channels_last, float32.

    Raises: ModelError for a missing, foreign, corrupt or tampered file.
    """
    path = find_model_file(path)
    card = check_weights(path)
    start_keras()
    import keras

    from models.layers import for_prediction  # its package registers every layer that a saved model may hold

    try:
        with explained_wait("loading the network"):
            model = for_prediction(keras.saving.load_model(path, compile=False, safe_mode=True))
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path} cannot be rebuilt by Keras {keras.__version__}: {reason}") from None
    if card.takes in ANY_SHAPE:
        return LoadedModel(model, card, path)
    received = model.input_shape[-1], model.output_shape[-1]
    if received != card.widths:
        what = ("knob positions", "of them again") if card.takes == "patches" else ("samples", "probabilities")
        raise ModelError(
            f"{path} must take {card.widths[0]} {what[0]} and give {card.widths[1]} {what[1]}, as its card says. "
            f"Received: a network from {received[0]} to {received[1]}"
        )
    return LoadedModel(model, card, path)


def check_weights(path: Path) -> ModelCard:
    """Return the card of a model file whose weights are those it was saved with. Raises ModelError for others."""
    with _open(path) as archive:
        card = _card(archive, path)
        if _digest(archive) != card.weights_sha256:
            raise ModelError(f"{path} was changed after it was saved (its weights do not match their hash)")
    return card


def find_model_file(path: str | os.PathLike[str]) -> Path:
    """Return the model file that a path means: itself, or the best model of a run folder. Raises ModelError."""
    path = Path(path)
    if path.is_dir():
        if (path / BEST).is_file():
            return path / BEST
        folds = sorted(fold.parent.name for fold in path.glob(f"fold_*/{BEST}"))
        if folds:
            raise ModelError(f"{path} holds one model a fold. Name one of them, e.g. {path / folds[0]}")
        raise ModelError(f"{path} holds no {BEST}. Name the folder of a run with a finished epoch, or a model file")
    if not path.exists():
        raise ModelError(f"no such model: {path}. Train one, e.g. with: inversynth train")
    return path


def software() -> str:
    """Name what writes a file, so that it can be told later which version did."""
    import keras

    return f"inversynth {__version__}, keras {keras.__version__}, {keras.backend.backend()}"


def _for_inference(model: "keras.Model") -> "keras.Model":
    """Return the same network, on the same weights, without an optimiser to be saved along."""
    import keras

    if hasattr(model, "for_inference"):
        kept: keras.Model = model.for_inference()
        return kept
    if type(model) is not keras.Model and type(model).__name__ != "Functional":
        return model  # a system with a `train_step` of its own is saved as it is
    return keras.Model(model.input, model.output, name=model.name)


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        if path.stat().st_size == 0:
            raise ModelError(f"{path} is empty. Train it again") from None
        raise ModelError(f"{path} is no model file, or a truncated one (not a zip archive)") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from None


def _card(archive: zipfile.ZipFile, path: Path) -> ModelCard:
    names = archive.namelist()
    if CARD_MEMBER not in names or WEIGHTS_MEMBER not in names:
        foreign = "config.json" in names
        kind = "a Keras model without the card that says what its outputs mean" if foreign else "a zip file"
        raise ModelError(f"{path} is no model of this project. Received: {kind}")
    try:
        return ModelCard.from_json(archive.read(CARD_MEMBER), path)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path} is damaged: {error}") from None


def _digest(archive: zipfile.ZipFile) -> str:
    digest = hashlib.sha256()
    try:
        with archive.open(WEIGHTS_MEMBER) as weights:
            while block := weights.read(1 << 20):
                digest.update(block)
    except (zipfile.BadZipFile, KeyError):
        return "damaged"
    return digest.hexdigest()
