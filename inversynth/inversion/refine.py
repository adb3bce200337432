"""Refining a given patch: searching on from it for one whose sound is nearer to a given sound.

The patch may come from a network, from a person or from another search. Its probabilities guide the search; without
them each parameter is expected near its value. The result is never farther from the sound than the patch given.
"""

from typing import Any

import numpy as np

from generators.parameters import Floats
from inversynth.inversion.inversion import search_from
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.patches.patch import Patch

DECAY = 0.5
"""Factor by which a class's probability falls with every step away from a patch without probabilities: half of it stays
with the patch's own class and its neighbours, and the farthest of 16 keeps 1e-5."""


def refine_patch(target: Target, patch: Patch, budget: str = "fast", **options: Any) -> Inversion:
    """Search on from a patch for what makes a sound of any level; `options` are those of `search.refine`.

    Raises: AudioError for a target that is not as long as the patch's sounds; InversionInterrupted on Ctrl-C.
    """
    synth = patch.synth()
    probabilities = near_patch(patch) if patch.probabilities is None else patch.probabilities
    assumptions = {
        "Synth": f"{synth.name}: {synth.description}",
        "Sample rate": f"{synth.sample_rate:,} Hz",
        "Length": f"{synth.length:g} s",
        "Parameter space": f"{len(synth.space)} parameters, fingerprint {synth.space.fingerprint}",
        "Level": "any: fitted beside the settings",
        "Begun with": f"a patch by {patch.model or 'hand'}",
    }
    options = {"start": patch.values, "level": "fit", **options}
    return search_from(synth, target, probabilities, budget, assumptions, model=patch.model, **options)


def near_patch(patch: Patch) -> Floats:
    """Return probabilities that fall by half with every class away from a patch's own, (size,)."""
    rows = [
        DECAY ** np.abs(np.arange(size) - int(chosen))
        for size, chosen in zip(patch.space.sizes, patch.classes, strict=True)
    ]
    return np.concatenate([row / row.sum() for row in rows])
