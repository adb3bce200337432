"""Settings that every model trained on a dataset of notes shares. Importing this costs no TensorFlow."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from models.notes.spectral_encoder import PRESETS
from models.training.settings import DatasetSettings, EarlyStopping, EpochLength, MixedPrecision, RunSettings


class NoteTrainingSettings(DatasetSettings, RunSettings):
    """Train a model on a dataset of notes, in one of several sizes, of which further settings follow.

    A subclass names its `presets` by their size, and in `of_preset` what follows of one.
    """

    other_flags: ClassVar = {"size": ("preset",)}
    presets: ClassVar[Mapping[str, Any]]

    if TYPE_CHECKING:
        size: str

    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")

    def of_preset(self, preset: Any) -> dict[str, Any]:
        """Return the settings that follow of a preset where they are not set themselves."""
        return {"batch_size": preset.batch_size, "learning_rate": preset.learning_rate}

    @model_validator(mode="after")
    def _follow_the_size(self) -> Self:
        self.follow(**self.of_preset(self.presets[self.size]))
        return self


class SpectralTrainingSettings(EpochLength, EarlyStopping, MixedPrecision, NoteTrainingSettings):
    """Train a network of note spectrograms on a dataset of notes: the baseline of NSynth, or a classifier."""

    presets: ClassVar = PRESETS

    size: Literal["full", "tiny", "short"] = Field(
        "tiny",
        description="size of spectrogram and networks; batch_size and learning_rate follow, where they are not set",
    )
    epochs: int = Field(20, ge=1, description="passes over the notes")
    batch_size: int = Field(PRESETS["tiny"].batch_size, ge=1, description="notes per step; 8 for full")
    learning_rate: float = Field(PRESETS["tiny"].learning_rate, gt=0, description="of Adam; 1e-4 for full")
