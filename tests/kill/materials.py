"""What the kinds of work take: made by code in some seconds, as small as each command allows."""

import wave
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from tests.gansynth_models import write_notes

RATE, SAMPLES = 4000, 160
"""Hertz and length of the sounds that the WaveNet takes."""

CORNERS = ("brass", "flute", "organ", "violin")


def make_materials(folder: Path) -> dict[str, str]:
    """Make all of it in a folder, which must exist; returns the path of each by its name."""
    found = {
        "fm_sound": _fm_sound(folder / "fm.wav"),
        "sine": _dataset(folder / "sine.hdf5"),
        "notes": write_notes(folder / "notes.hdf5"),
        "wavenet": _wavenet(folder / "smoke.keras"),
    }
    for number, name in enumerate(CORNERS):
        found[name] = folder / name
        found[name].mkdir(exist_ok=True)
        for note in (60, 64):
            sound = 0.5 * _tone(note, RATE, SAMPLES) * np.linspace(1.0, 0.2 * number, SAMPLES)
            _write_sound(found[name] / f"{name}_{note}.wav", sound, RATE)
    return {name: str(path) for name, path in found.items()}


def _tone(note: int, rate: int, samples: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * np.arange(samples) / rate)


def _write_sound(path: Path, sound: "np.ndarray[tuple[int], np.dtype[np.float64]]", rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(32767 * sound).astype("<i2").tobytes())
    return path


def _fm_sound(path: Path) -> Path:
    from generators.fm_generator import FmSynth
    from generators.sampling import sample_classes

    synth = FmSynth(16384, 1.0)
    sound = synth.render_classes(sample_classes(synth.space, 0, 1, seed=1)[0].astype(int))
    return _write_sound(path, 0.7 * sound / np.abs(sound).max(), synth.sample_rate)


def _dataset(path: Path) -> Path:
    from generators.generate import generate_dataset
    from generators.sine_generator import SineSynth

    generate_dataset(path, SineSynth(8000, 0.25), 16, seed=3)
    return path


def _wavenet(path: Path) -> Path:
    """Write a WaveNet autoencoder of one layer that learned nothing: whoever decodes with it compiles it first."""
    from generators.notes.labels import SPACE
    from models.model_files import ModelCard, save_model
    from models.nsynth.presets import NSYNTH, PRESETS
    from models.nsynth.recipe import build_nsynth

    card = ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes"})
    small = replace(PRESETS["smoke"], encoder_layers=1, layers=1, cycle=1)
    with patch.dict(PRESETS, smoke=small):
        save_model(build_nsynth(SPACE, RATE, SAMPLES, size="smoke", seed=0), path, card)
    return path
