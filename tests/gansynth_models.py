"""Untrained generators of notes, in real model files, and notes to train them on."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from generators.dataset import Card, Dataset
from generators.notes.labels import SPACE
from models.gansynth.networks import build_generator
from models.gansynth.presets import GANSYNTH, find_size
from models.gansynth.representation import SpectrogramFormat
from models.model_files import ModelCard, save_model

RATE, SAMPLES, COUNT = 8000, 160, 40


def write_notes(path: Path) -> Path:
    """Write notes of MIDI 60 to 62, at several levels: of ten, eight to learn from, one to validate, one to test."""
    options = json.dumps({"names": {"split": ["train", "valid", "test"]}})
    labels = (("split", "uint8"),)
    card = Card("notes", SPACE.to_json(), RATE, SAMPLES / RATE, 0, "listed", False, COUNT, options, (), labels)
    pitch, level = 60 + np.arange(COUNT) % 3, np.linspace(0.1, 0.9, COUNT)
    wave = np.sin(2 * np.pi * 440 * 2 ** ((pitch[:, None] - 69) / 12) * np.arange(SAMPLES) / RATE)
    classes = np.stack([pitch, np.full(COUNT, 100)], axis=-1).astype(np.uint8)
    columns = {"split": np.maximum(np.arange(COUNT) % 10 - 7, 0)}
    with Dataset.create(path, card) as dataset:
        audio = (level[:, None] * wave).astype(np.float32)
        dataset.write(slice(None), audio, classes, classes.astype(np.float32), **columns)
    return path


def write_untrained(
    path: Path, size: str = "smoke", seed: int = 0, notes: Sequence[int] = (60, 61, 62), sample_rate: int = 8000
) -> Path:
    """Write a generator that learned nothing; its sounds are noise, and all else is as it should be."""
    shape = replace(find_size(size), pitches=len(notes))
    frames, bins = shape.resolution(shape.blocks)
    samples = {"smoke": 160, "tiny": 8000}[size]
    features = {
        "input": "latents",
        "size": size,
        "picture": asdict(SpectrogramFormat("mel", frames, bins, samples, sample_rate)),
        "scale": [0.07, 0.8],
        "offset": [0.14, 0.0],
        "notes": list(notes),
        "counts": [1] * len(notes),
        "stable_images": 32,
        "transition_images": 32,
        "total_images": 64 * shape.blocks,
        "progressive": True,
        "epoch_images": 32,
    }
    card = ModelCard(
        GANSYNTH, "notes", SPACE.to_json(), sample_rate, samples / sample_rate, features, {"epoch": 2 * shape.blocks}
    )
    save_model(build_generator(shape, seed=seed), path, card)
    return path
