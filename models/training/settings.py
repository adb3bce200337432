"""Settings of training: flag > environment > `.env` > default. Importing this costs no TensorFlow.

Each class holds the settings of one subject, and the settings of a model are composed of those that it has: a flag that
means nothing to a model does not exist for it, and a variable of another model is not read.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, create_model, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from generators.dataset import dataset_path
from generators.settings import Settings, is_plain_name
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE

DEFAULT_MODEL = "C6"

_MODEL = "which model, by name; `inversynth list` shows all"


class ModelChoice(Settings):
    """Which model to train. Parsed first, because settings depend on the model."""

    model_config = SettingsConfigDict(extra="ignore", cli_ignore_unknown_args=True)
    preliminary: ClassVar = True
    other_names: ClassVar = {"model": ("architecture",)}

    model: str | None = Field(None, description=_MODEL)


class RunSettings(Settings):
    """What every training has: a model, a run folder, and how long and in which steps to train."""

    other_names: ClassVar = {"model": ("architecture",)}

    model: str = Field(DEFAULT_MODEL, description=_MODEL)
    output_dir: Path = Field(Path("runs"), description="where the run folder is made")
    run_name: str | None = Field(None, description="name of the run folder; by default <model>_<dataset>")
    resume: bool = Field(True, description="go on with the run of that name (else begin it again)")
    epochs: int = Field(100, ge=1, description="passes over the training examples, at most")
    print_interval: int = Field(
        1, ge=1, description="epochs between two validations, with what is written then: checkpoint, history, plot"
    )
    batch_size: int = Field(16, ge=1, description="examples per step")
    learning_rate: float = Field(1e-3, gt=0, description="step size of the optimiser")
    seed: int = Field(0, ge=0, lt=2**32, description="split, starting weights, order and dropout follow from it")

    @property
    def training_options(self) -> dict[str, Any]:
        """Options of `models.training.loop.train` that these settings hold."""
        names = ("epochs", "print_interval", "batch_size", "learning_rate", "resume")
        further = ("patience", "precision", "loss", "data_format")  # of classes that a model may be composed of
        present = (*names, *(name for name in further if name in type(self).model_fields))
        return {name: getattr(self, name) for name in present}

    def follow(self, **meant: Any) -> None:
        """Give settings that were not set the values that another one, such as a preset, implies."""
        for name in meant.keys() - self.model_fields_set:
            object.__setattr__(self, name, meant[name])

    @classmethod
    def with_defaults(cls, **defaults: Any) -> type[Self]:
        """Return these settings with other defaults, for a command that has its own."""
        fields: dict[str, Any] = {}
        for name, default in defaults.items():
            field = cls.model_fields[name]
            fields[name] = (field.annotation, Field(default, description=field.description))
        return create_model(cls.__name__, __base__=cls, __doc__=cls.__doc__, **fields)

    @field_validator("run_name")
    @classmethod
    def _is_plain(cls, name: str | None) -> str | None:
        return _plain(name)


class DatasetSettings(Settings):
    """A dataset file, and how it is split."""

    other_names: ClassVar = {"model": ("architecture",), "dataset_dir": ("dataset_directory",)}

    dataset_name: str = Field("InverSynth", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    dataset_dir: Path = Field(Path("test_datasets"), description="where datasets are")
    dataset_file: Path | None = Field(
        None, description="a dataset file, or its shards: a,b or a pattern; overrides dataset_dir and dataset_name"
    )
    parameters_file: Path | None = Field(
        None, description="a parameter space as JSON that the data must have; the dataset carries its own"
    )
    validation_split: float = Field(0.1, gt=0, lt=1, description="part of the examples that early stopping looks at")
    test_split: float = Field(0.1, gt=0, lt=1, description="part held out for metrics.json; with folds, 1/folds")

    @property
    def dataset_path(self) -> Path:
        """Where the dataset is read from."""
        return self.dataset_file or dataset_path(self.dataset_dir, self.dataset_name)

    @property
    def split(self) -> dict[str, Any]:
        """How a dataset is split and cut into epochs, as the sources of `models.training.data` take it."""
        names = {"seed": "seed", "validation_split": "validation_split", "test_split": "test_split"}
        names |= {"steps_per_epoch": "steps"}  # of EpochLength
        return {given: getattr(self, name) for name, given in names.items() if name in type(self).model_fields}

    @field_validator("dataset_name")
    @classmethod
    def _is_plain_dataset(cls, name: str) -> str:
        return str(_plain(name))

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> Self:
        if self.validation_split + self.test_split >= 1 and getattr(self, "folds", 1) == 1:
            raise ValueError(
                "validation_split and test_split must leave something to train on. "
                f"Received: {self.validation_split:g} and {self.test_split:g}"
            )
        return self


class EpochLength(Settings):
    """An epoch that may be shorter than a pass over the data."""

    steps_per_epoch: int | None = Field(
        None, ge=1, description="batches in an epoch; by default all training examples once, and 500 with stream"
    )


class EarlyStopping(Settings):
    """Training ends when the validation loss no longer falls."""

    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without a lower validation loss; by default never"
    )


class MixedPrecision(Settings):
    """Training in fewer bits."""

    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="of the computation while training; mixed_bfloat16 is quicker where the processor has it"
    )


class StreamSettings(DatasetSettings, EpochLength):
    """Examples made during training, in place of a dataset."""

    stream: bool = Field(False, description="train on freshly rendered sounds instead of a dataset")
    length: float = Field(DEFAULT_LENGTH, gt=0, description="seconds per sound, with stream")
    sample_rate: int = Field(DEFAULT_SAMPLE_RATE, ge=1000, description="hertz, with stream")

    @model_validator(mode="after")
    def _choose_stream_or_dataset(self) -> Self:
        if self.stream and "stream" in self.model_fields_set and self.dataset_file is not None:
            raise ValueError(
                f"stream renders its sounds and reads no dataset. Received: dataset_file {self.dataset_file}. Drop one"
            )
        return self


class SynthStreamSettings(StreamSettings):
    """A stream of any synth."""

    synth: str = Field("fm", description="which synthesizer to stream: a name, or package.module:Class")


class SoundSettings(SynthStreamSettings):
    """Sounds and the classes of their parameters: a dataset, or a rendered stream."""

    normalise: bool = Field(False, description="scale every sound to a peak of 1, with stream")


class TrainingSettings(SoundSettings, EarlyStopping, MixedPrecision, RunSettings):
    """Train a model on a dataset, or with --stream on sounds rendered as it learns, into a run folder."""

    renamed_variables: ClassVar = {"image_data_format": "data_format"}  # as the seed's `.env` had it

    patience: int | None = Field(10, ge=1, description="stop after so many epochs without a lower validation loss")
    loss: Literal["bce", "categorical"] | None = Field(
        None,
        description="binary cross-entropy over sigmoids, or one softmax a parameter; by default what the model's paper "
        "has: bce, and categorical for the inverter",
    )
    folds: int = Field(1, ge=1, description="cross-validation with so many folds; 1 is a single split")
    data_format: Literal["channels_last", "channels_first"] = Field(
        "channels_last", description="layout of the convolutions; channels_first needs a GPU"
    )

    @model_validator(mode="after")
    def _have_no_folds_of_a_stream(self) -> Self:
        if self.stream and self.folds > 1:
            raise ValueError(f"stream has no folds: every sound is new. Received: folds {self.folds}. Drop one")
        return self


def _plain(name: str | None) -> str | None:
    if name is not None and not is_plain_name(name):
        raise ValueError("must be a plain name without slashes")
    return name
