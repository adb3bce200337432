"""Model files: a `.keras` archive with a card that describes the network.

In addition to what Keras writes, the archive holds one member, the card: the name of the model, the parameter space of
its outputs, sample rate, length and features of its input, training, scores, and a hash of the weights. Loading refuses
a file that does not fit its card, and executes no code from it (`safe_mode`). A card is read without Keras.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, field, fields, replace
from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from generators import __version__
from generators.audio import normalise_peak
from generators.errors import ModelError, ParameterError
from generators.files import written_whole
from generators.parameters import ParameterSpace
from models.backend import explained_wait, predict_directly, predict_in_batches, start_keras
from models.input_kinds import InputKind, find_input_kind

if TYPE_CHECKING:
    import keras

SCHEMA = "inversynth-model/1"
CARD_MEMBER = "inversynth.json"
WEIGHTS_MEMBER = "model.weights.h5"
SUFFIX = ".keras"
BEST = "best.keras"
"""The model file of a run folder that `load_model` opens."""


@dataclass(frozen=True)
class ModelCard:
    """The metadata of a model file.

    Attributes:
        model, synth: names. space: the parameter space as JSON. sample_rate: hertz. length: seconds.
        features: the input of the model and how it was built; with `normalise` it expects sounds with a peak of 1.
        training: the data, settings and epoch that it comes from. scores: measures on held-out examples.
        weights_sha256: of the weights in the archive. software: versions that wrote the file.
    """

    model: str
    synth: str
    space: str
    sample_rate: int
    length: int | float
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
    def kind(self) -> InputKind:
        """The kind of input that the model takes."""
        return find_input_kind(str(self.features.get("input", "audio")))

    @property
    def takes(self) -> str:
        """The name of its kind of input, a key of `models.input_kinds.INPUT_KINDS`."""
        return self.kind.name

    def check_estimates(self, path: Path) -> None:
        """Raise ModelError, naming the command to use instead, unless the model estimates parameters of sounds."""
        if not self.kind.estimates_parameters:
            raise ModelError(
                f"{path} is {self.kind.model} and estimates no parameters of a sound. Use it with: {self.kind.command}"
            )

    @property
    def widths(self) -> tuple[int, int]:
        """Numbers that one example has at the input of the model, and at its output."""
        parameters = len(self.parameter_space)
        return (parameters, parameters) if self.takes == "patches" else (self.samples, self.parameter_space.size)

    @property
    def meaning_sha256(self) -> str:
        """A hash of everything that predictions depend on, which detects changes made by hand."""
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
            content = json.loads(text)
            if content["schema"] != SCHEMA:
                raise ModelError(
                    f"{path} must follow schema '{SCHEMA}'. Received: {content['schema']!r}. Train it anew"
                )
            space = ParameterSpace.from_json(json.dumps(content["space"], ensure_ascii=False))
            meaning = content["meaning_sha256"]
            known = {part.name: content[part.name] for part in fields(cls) if part.name != "space"}
        except (ValueError, KeyError, TypeError, AttributeError, ParameterError) as error:
            raise ModelError(f"{path} has a card that cannot be read: {type(error).__name__} {error}") from None
        try:
            card = cls(**known, space=space.to_json())
        except ValidationError as error:
            raise ModelError(f"{path} has a card that cannot be read: {_explain(error)}") from None
        if card.meaning_sha256 != meaning:
            raise ModelError(f"{path} was changed after it was saved (its card does not match its hash)")
        return card


def _explain(error: ValidationError) -> str:
    """Name the first field that is wrong, in the form in which settings name theirs."""
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"]))
    return f"{where} {fault['msg'].replace('Input should be', 'must be')}. Received: {fault['input']!r}"


@plain_dataclass(frozen=True)
class LoadedModel:
    """A network with its card. `predict` is all that inversion and evaluation need."""

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
        maps parameter values (n, parameters) to the same.
        Raises: ModelError where the shape does not fit.
        """
        if not self.card.kind.fixed_shape:
            self.card.check_estimates(self.path)
        audio = np.asarray(audio, np.float32)
        width, outputs = self.card.widths
        if audio.ndim != 2 or audio.shape[1] != width:
            if self.card.takes == "patches":
                raise ModelError(
                    f"{self.path} is {self.card.kind.model}: it takes parameter values of shape (n, {width}). "
                    f"Received: {audio.shape}. Use it with: {self.card.kind.command}"
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


def save_model(
    model: "keras.Model", path: str | os.PathLike[str], card: ModelCard, *, optimizer: bool = False
) -> ModelCard:
    """Write a model with its card, atomically.

    Args:
        optimizer: include the optimiser's state (three times the size), from which training can resume.
    Returns: the card as written, with hash and software.
    """
    path = Path(path)
    with written_whole(path, durable=True) as partial:
        (model if optimizer else _for_inference(model)).save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            card = replace(card, weights_sha256=_digest(archive), software=software())
            archive.writestr(CARD_MEMBER, card.to_json())
    return card


def write_card(path: str | os.PathLike[str], card: ModelCard) -> None:
    """Replace the card of a model file, for example to add scores; the weights stay."""
    _replace_members(Path(path), {CARD_MEMBER: card.to_json().encode()})


def rewrite_weights(path: str | os.PathLike[str], card: ModelCard, change: Callable[[bytes], bytes]) -> ModelCard:
    """Replace the weights of a model file by what `change` makes of their HDF5 file; the card gets the new hash."""
    path = Path(path)
    with zipfile.ZipFile(path) as old:
        weights = change(old.read(WEIGHTS_MEMBER))
    card = replace(card, weights_sha256=hashlib.sha256(weights).hexdigest(), software=software())
    _replace_members(path, {WEIGHTS_MEMBER: weights, CARD_MEMBER: card.to_json().encode()})
    return card


def _replace_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive again, atomically, with new content for some members, which come last; the rest is copied."""
    with (
        written_whole(path, durable=True) as partial,
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(partial, "w") as new,
    ):
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
    if not card.kind.fixed_shape:
        return LoadedModel(model, card, path)
    received = model.input_shape[-1], model.output_shape[-1]
    if received != card.widths:
        what = ("parameter values", "of them") if card.takes == "patches" else ("samples", "probabilities")
        raise ModelError(
            f"{path} must take {card.widths[0]} {what[0]} and give {card.widths[1]} {what[1]}, as its card says. "
            f"Received: a network from {received[0]} to {received[1]}"
        )
    return LoadedModel(model, card, path)


def check_weights(path: Path) -> ModelCard:
    """Return the card of a model file after checking the hash of its weights. Raises ModelError on a mismatch."""
    with _open(path) as archive:
        card = _card(archive, path)
        if _digest(archive) != card.weights_sha256:
            raise ModelError(f"{path} was changed after it was saved (its weights do not match their hash)")
    return card


def find_model_file(path: str | os.PathLike[str]) -> Path:
    """Return the model file at a path: the file itself, or the best model of a run folder. Raises ModelError."""
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


def fold_name(name: str) -> str:
    """Reduce the name of a model to what distinguishes it: `FC Linear`, `fc-linear` and `FC_Linear` are one."""
    return "".join(character for character in name.casefold() if character not in " _-")


def software() -> str:
    """Return the versions that write a file, for its card."""
    import keras

    return f"inversynth {__version__}, keras {keras.__version__}, {keras.backend.backend()}"


def _for_inference(model: "keras.Model") -> "keras.Model":
    """Return the same network on the same weights, without its optimiser."""
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
