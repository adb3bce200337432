"""Model files: a `.keras` archive with a card that describes the network.

In addition to what Keras writes, the archive holds one member, the card: the name of the model, the parameter space of
its outputs, sample rate, length and features of its input, training, scores, and hashes of the weights and of the
network's description. Loading refuses a file that does not fit its card, and executes no code from it; what a network
may hold is in `models.network_files`. A card is read without Keras.
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
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, ValidationError
from pydantic.dataclasses import dataclass

from generators import __version__
from generators.archives import ArchiveError, read_member, reading_archive
from generators.audio import normalise_peak
from generators.errors import ModelError, ParameterError, shown
from generators.files import written_whole
from generators.json_reader import MAX_BYTES, JsonError, parse_json
from generators.parameters import ParameterSpace
from models.backend import predict_directly, predict_in_batches
from models.input_kinds import InputKind, find_input_kind
from models.network_files import (
    CARD_MEMBER,
    CONFIG_MEMBER,
    METADATA_MEMBER,
    WEIGHTS_MEMBER,
    check_members,
    load_network,
    open_model_file,
    read_weights_member,
    save_network,
    write_member,
)

if TYPE_CHECKING:
    import keras

SCHEMA = "inversynth-model/1"
DESCRIBING = (CONFIG_MEMBER, METADATA_MEMBER)
"""Members that describe the network, hashed in this order."""

SUFFIX = ".keras"
BEST = "best.keras"
"""The model file of a run folder that `load_model` opens."""

MAX_SAMPLE_RATE = 768_000
"""Hertz: twice the highest rate of any converter for sound."""

MAX_LENGTH = 3600.0
"""Seconds that a network takes at once: the longest here takes four."""

MAX_NAME = 200
"""Characters of a name or version in a card."""


def _printable(text: str) -> str:
    if len(text) > MAX_NAME or not text.isprintable():
        raise ValueError(f"must be at most {MAX_NAME} printable characters")
    return text


Name = Annotated[str, AfterValidator(_printable)]

TRAINING_TYPES: dict[str, tuple[type, ...]] = {"epoch": (int,), "data": (dict,), "history": (list,)}
"""Types of what programs read of `ModelCard.training`; everything else in it is for people."""


def _readable_training(training: dict[str, Any]) -> dict[str, Any]:
    for name, types in TRAINING_TYPES.items():
        if name in training and (not isinstance(training[name], types) or isinstance(training[name], bool)):
            raise ValueError(f"must have {types[0].__name__} as {name}")
    return training


@dataclass(frozen=True)
class ModelCard:
    """The metadata of a model file.

    Attributes:
        model, synth: names. space: the parameter space as JSON. sample_rate: hertz. length: seconds.
        features: the input of the model and how it was built; with `normalise` it expects sounds with a peak of 1.
        training: the data, settings and epoch that it comes from. scores: measures on held-out examples.
        weights_sha256: of the weights in the archive. software: versions that wrote the file.
        config_sha256: of what describes the network in the archive; empty in files from before it was kept.
    """

    model: Name
    synth: Name
    space: str
    sample_rate: Annotated[int, Field(ge=1, le=MAX_SAMPLE_RATE)]
    length: Annotated[int | float, Field(gt=0, le=MAX_LENGTH)]
    features: dict[str, Any] = field(default_factory=dict)
    training: Annotated[dict[str, Any], AfterValidator(_readable_training)] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    weights_sha256: Name = ""
    software: Name = ""
    config_sha256: Name = ""

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
        hashes = [self.weights_sha256, self.config_sha256] if self.config_sha256 else [self.weights_sha256]
        return hashlib.sha256(json.dumps([*essence, *hashes]).encode()).hexdigest()

    def to_json(self) -> str:
        """Write the card as JSON text."""
        card = {
            "schema": SCHEMA,
            **asdict(self),
            "space": json.loads(self.space),
            "meaning_sha256": self.meaning_sha256,
        }
        if not self.config_sha256:
            del card["config_sha256"]
        return json.dumps(card, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> "ModelCard":
        """Read what `to_json` wrote; `path` is for messages. Raises ModelError for anything else."""
        try:
            content = parse_json(text)
            if content["schema"] != SCHEMA:
                raise ModelError(
                    f"{path} must follow schema '{SCHEMA}'. Received: {content['schema']!r:.60}. Train it anew"
                )
            space = ParameterSpace.from_json(json.dumps(content["space"], ensure_ascii=False))
            meaning = content["meaning_sha256"]
            names = [part.name for part in fields(cls) if part.name not in ("space", "config_sha256")]
            known = {name: content[name] for name in names} | {"config_sha256": content.get("config_sha256", "")}
        except JsonError as error:
            raise ModelError(f"{path} has a card that cannot be read: it {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, ParameterError) as error:
            reason = shown(str(error), 300)
            raise ModelError(f"{path} has a card that cannot be read: {type(error).__name__} {reason}") from None
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
    where = shown(".".join(map(str, fault["loc"])), 60)
    message = fault["msg"].replace("Input should be", "must be").removeprefix("Value error, ")
    return f"{where} {message}. Received: {fault['input']!r:.60}"


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
    """Write a model with its card, atomically. Equal models with equal cards give equal files.

    Args:
        optimizer: include the optimiser's state (three times the size), from which training can resume.
    Returns: the card as written, with hash and software.
    """
    path = Path(path)
    with written_whole(path, durable=True) as partial:
        save_network(model if optimizer else _for_inference(model), partial)
        with zipfile.ZipFile(partial, "a") as archive:
            weights, config = _digest(archive, WEIGHTS_MEMBER), _digest(archive, *DESCRIBING)
            card = replace(card, weights_sha256=weights, config_sha256=config, software=software())
            write_member(archive, CARD_MEMBER, card.to_json().encode())
    return card


def write_card(path: str | os.PathLike[str], card: ModelCard) -> None:
    """Replace the card of a model file, for example to add scores; the weights stay."""
    _replace_members(Path(path), {CARD_MEMBER: card.to_json().encode()})


def rewrite_weights(path: str | os.PathLike[str], card: ModelCard, change: Callable[[bytes], bytes]) -> ModelCard:
    """Replace the weights of a model file by what `change` makes of their HDF5 file; the card gets the new hash."""
    path = Path(path)
    with open_model_file(path) as old:
        weights = change(read_weights_member(old))
    card = replace(card, weights_sha256=hashlib.sha256(weights).hexdigest(), software=software())
    _replace_members(path, {WEIGHTS_MEMBER: weights, CARD_MEMBER: card.to_json().encode()})
    return card


def _replace_members(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive again, atomically, with new content for some members, which come last; the rest is copied."""
    with (
        written_whole(path, durable=True) as partial,
        open_model_file(path) as old,
        zipfile.ZipFile(partial, "w") as new,
    ):
        for member in old.infolist():
            if member.filename not in members:
                with old.open(member) as source, new.open(member, "w") as target:
                    shutil.copyfileobj(source, target)
        for name, content in members.items():
            write_member(new, name, content)


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read the card of a model file or of a run folder's best model. Needs no Keras.

    Raises: ModelError for a missing, foreign, corrupt or tampered file.
    """
    path = find_model_file(path)
    with open_model_file(path) as archive:
        return _card(archive, path)


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """Load a model file, or the best model of a run folder, for prediction on any device: channels_last, float32.

    Raises: ModelError for a missing, foreign, corrupt or tampered file.
    """
    path = find_model_file(path)
    card = check_weights(path)
    network = load_network(path)

    from models.layers import for_prediction  # its package imports Keras

    model = for_prediction(network)
    if not card.kind.fixed_shape:
        return LoadedModel(model, card, path)
    received = _width(model, "input_shape"), _width(model, "output_shape")
    if received != card.widths:
        what = ("parameter values", "of them") if card.takes == "patches" else ("samples", "probabilities")
        raise ModelError(
            f"{path} must take {card.widths[0]} {what[0]} and give {card.widths[1]} {what[1]}, as its card says. "
            f"Received: a network from {received[0]} to {received[1]}"
        )
    return LoadedModel(model, card, path)


def check_weights(path: Path) -> ModelCard:
    """Return the card of a model file after checking the hashes of its weights and of its network.

    Raises: ModelError on a mismatch.
    """
    with open_model_file(path) as archive:
        card = _card(archive, path)
        if _digest(archive, WEIGHTS_MEMBER) != card.weights_sha256:
            raise ModelError(f"{path} was changed after it was saved (its weights do not match their hash)")
        if card.config_sha256 and _digest(archive, *DESCRIBING) != card.config_sha256:
            raise ModelError(f"{path} was changed after it was saved (its network does not match its hash)")
    return card


def _width(model: "keras.Model", end: str) -> Any:
    """Return the numbers of one example at an end of a network; None where it has several or none."""
    shape = getattr(model, end, None)
    return shape[-1] if isinstance(shape, tuple) and shape else None


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


def _card(archive: zipfile.ZipFile, path: Path) -> ModelCard:
    names = archive.namelist()
    if CARD_MEMBER not in names or WEIGHTS_MEMBER not in names:
        foreign = "config.json" in names
        kind = "a Keras model without the card that says what its outputs mean" if foreign else "a zip file"
        raise ModelError(f"{path} is no model of this project. Received: {kind}")
    check_members(archive, path)
    return ModelCard.from_json(read_member(archive, CARD_MEMBER, MAX_BYTES), path)


def _digest(archive: zipfile.ZipFile, *names: str) -> str:
    """Hash members of an archive, one after the other; `damaged` where one is missing or cannot be unpacked."""
    digest = hashlib.sha256()
    try:
        for name in names:
            with reading_archive(), archive.open(name) as member:
                while block := member.read(1 << 20):
                    digest.update(block)
    except ArchiveError:
        return "damaged"
    return digest.hexdigest()
