"""Settings of the training doors: flag > environment > `.env` > default. Importing this costs no TensorFlow."""

from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn, Self

from pydantic import Field, create_model, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from generators.dataset import dataset_path
from generators.errors import SettingsError
from generators.settings import Settings, is_plain_name
from generators.synth import DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE

DEFAULT_MODEL = "C6"

_MODEL = "which model, by name; `inversynth list` shows all"


class ModelChoice(Settings):
    """Which model to train. Read first, for a model may have settings of its own."""

    model_config = SettingsConfigDict(extra="ignore", cli_ignore_unknown_args=True)
    preliminary: ClassVar = True
    other_names: ClassVar = {"model": ("architecture",)}

    model: str | None = Field(None, description=_MODEL)


class TrainingSettings(Settings):
    """Train a model on a dataset, or with --stream on sounds rendered as it learns, into a run folder."""

    other_names: ClassVar = {"model": ("architecture",), "dataset_dir": ("dataset_directory",)}

    model: str = Field(DEFAULT_MODEL, description=_MODEL)
    dataset_name: str = Field("InverSynth", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    dataset_dir: Path = Field(Path("test_datasets"), description="where datasets are")
    dataset_file: Path | None = Field(None, description="a dataset file; overrides dataset_dir and dataset_name")
    parameters_file: Path | None = Field(
        None, description="a parameter space as JSON that the data must have; the dataset carries its own"
    )
    output_dir: Path = Field(Path("runs"), description="where the run folder is made")
    run_name: str | None = Field(None, description="name of the run folder; by default <model>_<dataset>")
    resume: bool = Field(True, description="go on with the run of that name (else begin it again)")
    epochs: int = Field(100, ge=1, description="passes over the training examples, at most")
    patience: int = Field(10, ge=1, description="stop after so many epochs without a lower validation loss")
    print_interval: int = Field(
        1, ge=1, description="epochs between two validations, with what is written then: checkpoint, history, picture"
    )
    batch_size: int = Field(16, ge=1, description="examples per step")
    learning_rate: float = Field(1e-3, gt=0, description="step size of the optimiser")
    loss: Literal["bce", "categorical"] | None = Field(
        None,
        description="binary cross-entropy over sigmoids, or one softmax a parameter; by default what the model's paper "
        "has: bce, and categorical for the inverter",
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="of the computation while training; mixed_bfloat16 is quicker where the processor has it"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="split, starting weights, order and dropout follow from it")
    validation_split: float = Field(0.1, gt=0, lt=1, description="part of the examples that early stopping looks at")
    test_split: float = Field(0.1, gt=0, lt=1, description="part held out for metrics.json; with folds, 1/folds")
    folds: int = Field(1, ge=1, description="cross-validation with so many folds; 1 is a single split")
    steps_per_epoch: int | None = Field(
        None, ge=1, description="batches in an epoch; by default all training examples once, and 500 with stream"
    )
    data_format: Literal["channels_last", "channels_first"] = Field(
        "channels_last", description="layout of the convolutions; channels_first needs a GPU"
    )
    patches: Path | None = Field(
        None, description="for --model macros: a folder of patch.json files to learn from, in place of a dataset"
    )
    macros: int = Field(5, ge=1, description="for --model macros: how many controls")
    stream: bool = Field(False, description="train on freshly rendered sounds instead of a dataset")
    synth: str = Field("fm", description="which synth to stream")
    length: float = Field(DEFAULT_LENGTH, gt=0, description="seconds per sound, with stream")
    sample_rate: int = Field(DEFAULT_SAMPLE_RATE, ge=1000, description="hertz, with stream")
    normalise: bool = Field(False, description="scale every sound to a peak of 1, with stream")

    @property
    def dataset_path(self) -> Path:
        """Where the dataset is read from."""
        return self.dataset_file or dataset_path(self.dataset_dir, self.dataset_name)

    @property
    def split(self) -> dict[str, Any]:
        """How a dataset is split and cut into epochs, as the sources of `models.training.data` take it."""
        return {
            "seed": self.seed,
            "validation_split": self.validation_split,
            "test_split": self.test_split,
            "steps": self.steps_per_epoch,
        }

    def follow(self, **meant: Any) -> None:
        """Give settings that nobody set the values that another one, such as a size, implies."""
        for name in meant.keys() - self.model_fields_set:
            object.__setattr__(self, name, meant[name])

    def refuse(self, name: str) -> NoReturn:
        """Raise SettingsError for a setting that the model does not have."""
        raise SettingsError(f"{self.model} has no --{name}. Received: --{name} {getattr(self, name)}. Leave it out")

    def refuse_all_but(self, **meant: Any) -> None:
        """Raise SettingsError for the first of some settings that is not as meant, having no meaning to the model."""
        for name, value in meant.items():
            if getattr(self, name) != value:
                self.refuse(name)

    @classmethod
    def with_default_model(cls, model: str) -> type[Self]:
        """Return these settings with another default model, for a door that belongs to one."""
        description = cls.model_fields["model"].description
        return create_model(
            cls.__name__, __base__=cls, __doc__=cls.__doc__, model=(str, Field(model, description=description))
        )

    @field_validator("run_name", "dataset_name")
    @classmethod
    def _is_plain(cls, name: str | None) -> str | None:
        if name is not None and not is_plain_name(name):
            raise ValueError("must be a plain name without slashes")
        return name

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.stream and "stream" in self.model_fields_set and self.dataset_file is not None:
            raise ValueError(
                f"stream renders its sounds and reads no dataset. Received: dataset_file {self.dataset_file}. Drop one"
            )
        if self.stream and self.patches is not None:
            raise ValueError(f"stream draws its patches and reads none. Received: patches {self.patches}. Drop one")
        if self.stream and self.folds > 1:
            raise ValueError(f"stream has no folds: every sound is new. Received: folds {self.folds}. Drop one")
        if self.validation_split + self.test_split >= 1 and self.folds == 1:
            raise ValueError(
                "validation_split and test_split must leave something to train on. "
                f"Received: {self.validation_split:g} and {self.test_split:g}"
            )
        return self
