"""The corpus: every hostile file, number, name and place, made by code when it is asked for."""

from functools import cache

from tests.hostile.corpus import (
    arrays,
    audio,
    checkpoints,
    datasets,
    midi,
    models,
    notes,
    places,
    soundfonts,
    texts,
    values,
    voices,
)
from tests.hostile.corpus.member import Member


@cache
def corpus() -> tuple[Member, ...]:
    """Return all members. Raises ValueError where two have one name."""
    found = (
        *places.readable(),
        *places.writable(),
        *values.members(),
        *datasets.members(),
        *models.members(),
        *arrays.members(),
        *audio.members(),
        *midi.members(),
        *soundfonts.members(),
        *voices.members(),
        *checkpoints.members(),
        *texts.members(),
        *notes.members(),
        *notes.env_members(),
    )
    names = [member.name for member in found]
    if len(set(names)) < len(names):
        raise ValueError(f"members of one name: {sorted({name for name in names if names.count(name) > 1})}")
    return found
