"""A small dataset of notes in several styles, for what learns from such ones."""

import json

import numpy as np

from generators.dataset import Card, Dataset
from generators.notes.labels import SPACE

RATE, COUNT = 8000, 48
STYLES = ("flute", "reed", "horn")


def write_notes(path, styles=STYLES, held_out=None):
    """Write notes 60 to 63 of styles that differ in their overtones; the name of one is known but unheard."""
    names = {"instrument": [*styles, "unheard"], "split": ["train", "valid", "test"]}
    labels = (("instrument", "int32"), ("split", "uint8"))
    card = Card(
        "notes", SPACE.to_json(), RATE, 1000 / RATE, 0, "listed", False, COUNT, json.dumps({"names": names}), (), labels
    )
    row = np.arange(COUNT)
    pitch, style = 60 + row % 4, row // 4 % len(styles)
    split = np.maximum(row // 12 - 1, 0)
    if held_out is not None:
        split[style == held_out] = 2
    angle = 2 * np.pi * 440 * 2 ** ((pitch[:, None] - 69) / 12) * np.arange(1000) / RATE
    audio = 0.2 * np.sin(angle) + 0.1 * style[:, None] * np.sin(3 * angle)
    classes = np.stack([pitch, np.full(COUNT, 100)], axis=-1).astype(np.uint8)
    with Dataset.create(path, card) as dataset:
        columns = {"instrument": style, "split": split}
        dataset.write(slice(None), audio.astype(np.float32), classes, classes.astype(np.float32), **columns)
    return path
