"""The state of a search for a DX7 voice, as stages are given it."""

from typing import Any

import numpy as np

from generators.dx7.synth import Dx7Synth, voice_values
from generators.dx7.voice import Voice
from inversynth.search.objective import Objective
from inversynth.search.state import Recording, SearchState


def begun(synth: Dx7Synth, wanted: Voice, start: Voice) -> tuple[SearchState, Any]:
    """Return the state of a search for one voice that begins with another, whose classes come second."""
    sound = synth.render(voice_values(wanted.values).astype(float))
    classes = voice_values(start.values).astype(np.int64)
    state = SearchState(
        synth,
        sound,
        posterior=np.ones(synth.space.size),
        limit=10_000,
        seed=0,
        pool=None,
        start=classes,
        classes=classes,
        objective=Objective(sound, synth.sample_rate, any_level=True),
        recording=Recording(sound, 0, len(sound)),
        any_level=True,
    )
    return state, classes
