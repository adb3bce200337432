"""Settings that every model trained on a dataset of notes shares. Importing this costs no TensorFlow."""

from typing import ClassVar

from pydantic import Field

from models.training.settings import TrainingSettings


class NoteTrainingSettings(TrainingSettings):
    """Train a model on a dataset of notes."""

    other_flags: ClassVar = {"size": ("preset",)}

    dataset_name: str = Field("notes", description="trains on <dataset_dir>/<dataset_name>.hdf5")
    patience: int = Field(100_000, ge=1, description="stop after so many epochs without a lower validation loss")


def start_note_training(settings: TrainingSettings) -> None:
    """Refuse settings that have no meaning for a model of notes, then start Keras. Raises SettingsError."""
    settings.refuse_all_but(folds=1, loss=None, patches=None, stream=False, normalise=False)
    from models.backend import start_keras

    start_keras()
