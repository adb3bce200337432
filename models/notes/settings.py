"""Settings that every model trained on a dataset of notes shares. Importing this costs no TensorFlow."""

from typing import ClassVar

from pydantic import Field

from models.training.settings import DatasetSettings, RunSettings


class NoteTrainingSettings(DatasetSettings, RunSettings):
    """Train a model on a dataset of notes."""

    other_flags: ClassVar = {"size": ("preset",)}

    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
