"""Models that come with the package: the inverter, C6XL as its paper describes it, two that shape envelopes, and five
of notes: an NSynth with the classifier that it is measured by, a GANSynth, and a WAE-Fader with the MCNN that renders
it.

Each is a `.keras` file with its card: parameter space, features, settings it was trained with, scores and a hash of its
weights, which loading checks. They are made from runs by `python -m inversynth.pretrained.bundle`.
"""

from pathlib import Path

from generators.errors import ModelError
from models.estimation.architectures import fold
from models.model_files import SUFFIX, find_model_file

FOLDER = Path(__file__).parent

DEFAULT = "inverter"
"""What sounds are inverted with where no model is named."""


def bundled() -> dict[str, Path]:
    """Return the bundled models by name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def find_model(name: str | Path) -> Path:
    """Return the model file that a name means: a run folder, a `.keras` file, or a bundled model.

    What is there on disk goes first. Raises: ModelError.
    """
    if Path(name).exists():
        return find_model_file(name)
    models = bundled()
    found = next((path for model, path in models.items() if fold(model) == fold(str(name))), None)
    if found is not None:
        return found
    raise ModelError(
        f"no such model: {name}. Name a run folder, a {SUFFIX} file, or a bundled model: {', '.join(models) or 'none'}"
    )
