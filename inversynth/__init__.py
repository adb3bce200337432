"""From a sound to the synthesizer settings that make it: the public API, loaded when it is first used.

`import inversynth` itself imports neither TensorFlow nor anything slow; see docs/api.md for an example of each name.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generators import __version__
    from inversynth import metrics as metrics
    from inversynth.api import (
        build_synth,
        decode,
        encode,
        invert,
        load_model,
        open_dataset,
        read_patch,
        refine,
        register_synth,
        render_patch,
        sample,
        write_patch,
    )

__all__ = [
    "__version__",
    "build_synth",
    "decode",
    "encode",
    "invert",
    "load_model",
    "metrics",
    "open_dataset",
    "read_patch",
    "refine",
    "register_synth",
    "render_patch",
    "sample",
    "write_patch",
]


def __getattr__(name: str) -> Any:
    """Import the API when one of its names is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'inversynth' has no attribute '{name}'. It offers: {', '.join(__all__)}")
    importlib.import_module("inversynth.packages").check_packages()
    if name == "metrics":
        return importlib.import_module("inversynth.metrics")
    return getattr(importlib.import_module("generators" if name == "__version__" else "inversynth.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
