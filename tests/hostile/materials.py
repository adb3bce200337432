"""What valid calls are made of: small sounds, scores, fonts, datasets, runs; made once, by code and by the commands."""

import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import soundfile
from numpy.typing import NDArray

from generators.dx7.sysex import write_syx
from models.backend import silent_libraries
from tests.generators.notes.fonts import sine_font
from tests.hostile.corpus.voices import BANK
from tests.published_checkpoints import gansynth_values, nsynth_values, save_checkpoint

RATE = 8000
"""Hertz of sounds that small models of notes are trained on."""

STYLES = ("flute", "reed", "horn")

Run = Callable[[Sequence[str], Path], None]
"""Runs a command in a folder, and raises where it fails."""


def make_materials(folder: Path, run: Run) -> dict[str, str]:
    """Make everything that the table of commands names in braces; returns the path of each.

    Models that take long to train are untrained: what a command does with a file is the same.

    Args:
        run: how commands are run, which make what only they can.
    """
    with silent_libraries():
        from tests.wae_models import write_untrained_pair  # takes Keras, as nothing else in this process does

        checkpoints = _checkpoints(folder)

    folder.mkdir(parents=True, exist_ok=True)
    found = {
        **_sounds(folder),
        **checkpoints,
        "midi": write_midi(folder / "song.mid"),
        "soundfont": sine_font(folder / "font.sf2"),
        "notes": _notes(folder / "played"),
        "labels": _labels(folder / "labels.csv"),
        "batch": _batch(folder / "batch.npz"),
        "patches": _patches(folder / "patches"),
        "records": _records(folder / "nsynth-train.tfrecord"),
        "examples": _examples(folder / "nsynth-valid"),
        "voice": write_syx(folder / "voice.syx", BANK[4:5]),
        "bank": write_syx(folder / "bank.syx", BANK),
    }
    for name in "abcd":
        found[f"corner_{name}"] = folder / f"corner_{name}"
        found[f"corner_{name}"].mkdir(exist_ok=True)
        soundfile.write(folder / f"corner_{name}" / f"{name}_60.wav", tone(4.0, 16000, 60), 16000)
    small = ["--num_examples", "16", "--length", "0.25", "--no-wavefiles"]
    data = folder / "test_datasets"
    for synth, rate in (("sine", RATE), ("fm", 16384)):
        run(["generate", synth, *small, "--name", synth, "--sample_rate", str(rate)], folder)
    run(["generate", "envelope", "--num_examples", "16", "--seq_length", "128", "--no-wavefiles"], folder)
    run(
        [
            *("generate", "notes", "--source", "folder", "--notes_from", str(found["notes"])),
            *("--sample_rate", str(RATE), "--length", "0.125", "--labels", str(found["labels"])),
        ],
        folder,
    )
    found |= {name: data / f"{name}.hdf5" for name in ("sine", "fm", "envelope", "notes")}
    found["notes_dataset"] = found.pop("notes")
    found["notes"] = folder / "played"
    found["space"] = folder / "space.json"
    with h5py.File(found["sine"]) as file:
        space = next(value for value in file.attrs.values() if isinstance(value, str) and '"parameters"' in value)
    found["space"].write_text(space, encoding="utf-8")
    once = ["--epochs", "1", "--batch_size", "4"]
    run(["train", "--model", "C1", "--dataset_file", str(found["sine"]), *once], folder)
    run(["train", "--model", "macros", "--patches", str(found["patches"]), "--macros", "2", *once], folder)
    found |= {"run": folder / "runs" / "C1_sine", "macros_run": folder / "runs" / "macros_patches"}
    found["model_file"] = found["run"] / "best.keras"
    with silent_libraries():
        found["wae_run"], found["mcnn_run"] = write_untrained_pair(found["notes_dataset"], folder)
    run(["invert", str(found["fm_sound"]), "--budget", "none"], folder)
    found["patch"] = next((folder / "output").rglob("patch.json"))
    for form, ending in (("csv", "csv"), ("midi-cc", "mid")):
        found[f"patch_{ending}"] = folder / f"patch.{ending}"
        run(["export", str(found["patch"]), "--format", form, "--output", str(found[f"patch_{ending}"])], folder)
    run(["encode", str(found["note"]), "--npy", "--length", "0.1"], folder)
    found |= {"codes": next((folder / "output").glob("*.codes.npz")), "npy": next((folder / "output").glob("*.npy"))}
    run(["gansynth", "random", "--count", "2", "--no-pictures", "--no-page"], folder)
    run(["gansynth", "pca", "--samples", "16", "--components", "2", "--steps", "2", "--no-pictures"], folder)
    found["latents"] = next((folder / "output").rglob("latents.npz"))
    found["pca"] = next((folder / "output").rglob("*.pca.npz"))
    (folder / "materials.json").write_text(json.dumps({name: str(path) for name, path in found.items()}, indent=1))
    return {name: str(path) for name, path in found.items()}


def tone(seconds: float, rate: int, pitch: float, overtone: float = 0.3) -> NDArray[np.float32]:
    """Return a note with one overtone that decays, (samples,)."""
    time = np.arange(round(seconds * rate)) / rate
    angle = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time
    return (np.exp(-2 * time) * (0.4 * np.sin(angle) + overtone * np.sin(3 * angle))).astype(np.float32)


def _checkpoints(folder: Path) -> dict[str, Path]:
    found = {name: folder / f"{name}_checkpoint" for name in ("gansynth", "nsynth")}
    save_checkpoint(found["gansynth"] / "stage_00004" / "model.ckpt-320", gansynth_values())
    options = {"num_resolutions": 3, "audio_length": 160, "sample_rate": RATE, "total_num_images": 8_000_000}
    (found["gansynth"] / "experiment.json").write_text(json.dumps(options))
    save_checkpoint(found["nsynth"] / "model.ckpt-200000", nsynth_values())
    return {f"{name}_checkpoint": path for name, path in found.items()}


def _sounds(folder: Path) -> dict[str, Path]:
    found = {}
    for name, seconds, rate in (("fm_sound", 1.0, 16384), ("note", 0.3, 16000), ("sound", 0.4, 22050)):
        found[name] = folder / f"{name}_60.wav"
        soundfile.write(found[name], tone(seconds, rate, 60), rate)
    return found


def write_midi(path: Path) -> Path:
    """Write two short notes, a beat of 0.1 s apart (format 0)."""
    events = b"\0\xff\x51\x03" + (100_000).to_bytes(3, "big")
    for pitch in (60, 62):
        events += bytes([0, 0x90, pitch, 100, 96, 0x80, pitch, 0])
    events += b"\0\xff\x2f\0"
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(events)) + events)
    return path


def _notes(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for number, style in enumerate(STYLES):
        for pitch in range(60, 76):
            audio = tone(0.125, RATE, pitch, 0.1 * number)
            soundfile.write(folder / f"{style}_{pitch}.wav", audio, RATE, subtype="FLOAT")
    return folder


def _labels(path: Path) -> Path:
    splits = ("train", "train", "valid", "test")
    rows = [f"{style}_{pitch}.wav,{style},{splits[pitch % 4]}" for style in STYLES for pitch in range(60, 76)]
    path.write_text("\n".join(["file,instrument,split", *rows]) + "\n", encoding="utf-8")
    return path


def _batch(path: Path) -> Path:
    basic = np.sin(np.arange(256, dtype=np.float32).reshape(2, 128) / 4)
    np.savez(path, basic=basic, label=np.zeros((2, 3), np.int64))
    return path


def _patches(folder: Path) -> Path:
    from generators.registry import build_synth
    from inversynth.patches.patch import Patch, write_patch

    synth = build_synth("sine", RATE, 0.25)
    for number, place in enumerate(np.linspace(0.0, 1.0, 12)):
        values = synth.space.unit_to_values(np.resize([place, 1.0 - place], len(synth.space)))
        (folder / f"sound{number}").mkdir(parents=True, exist_ok=True)
        write_patch(folder / f"sound{number}" / "patch.json", Patch(synth.space, values, RATE, 0.25, model="C6"))
    return folder


def _records(path: Path) -> Path:
    from tests.generators.notes.records import write_example, write_records

    numbers = {"pitch": 60, "velocity": 100, "instrument_family": 0, "instrument_source": 0}
    features = {
        "note_str": [b"bass_acoustic_001-060-100"],
        "audio": tone(0.05, RATE, 60),
        "qualities": np.zeros(10, np.int64),
        **{name: np.asarray([number]) for name, number in numbers.items()},
    }
    write_records(path, [write_example(features)])
    return path


def _examples(folder: Path) -> Path:
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    name = "bass_acoustic_001-060-100"
    note = {"instrument_str": name[:17], "pitch": 60, "velocity": 100, "qualities": [0] * 10, "sample_rate": RATE}
    note |= {"instrument_family": 0, "instrument_source": 0}
    (folder / "examples.json").write_text(json.dumps({name: note}), encoding="utf-8")
    soundfile.write(folder / "audio" / f"{name}.wav", tone(0.05, RATE, 60), RATE)
    return folder
