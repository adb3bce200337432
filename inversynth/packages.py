"""A check that the packages `generators` and `models` beside this one are the ones that Python imports.

Both names are common: a folder `models` in the working folder, or another installed package, would shadow ours.
"""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the three packages of the project."""


def check_packages() -> None:
    """Raise ImportError, in one line that names its folder, where another package shadows one of ours."""
    for name in ("generators", "models"):
        spec = importlib.util.find_spec(name)
        places = list(spec.submodule_search_locations or [spec.origin or "?"]) if spec else []
        if not places or Path(places[0]).resolve() != ROOT / name:
            found = f"another one in {places[0]}" if places else "none"
            raise ImportError(
                f"inversynth needs its own package '{name}' in {ROOT}. Received: {found}. Rename that one, or run from "
                "another folder"
            )
