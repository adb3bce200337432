"""The group exercise of the SOPI course from its own words, to a pad on the device and in the patch of the course.

"Record 4-second samples of each of the following notes: C2, E2, G#2, C3, E3, G#3, C4 (MIDI notes 24, 28, 32, 36, 40,
44, 48). Convert the samples to 16000 Hz sample rate, 16-bit signed integer. Make sure they're exactly 4 seconds long
(64000 samples). Name your samples with the instrument name and note number separated by an underscore, e.g.
sandstormlead_24.wav. We will collect the samples in groups of four and run the audio generation scripts."
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.notes.labels import SPACE
from generators.notes.pitches import note_number
from inversynth.cli import main
from inversynth.nsynth.grid.pad import open_pad
from models.model_files import ModelCard, save_model
from models.nsynth.presets import NSYNTH
from models.nsynth.recipe import build_nsynth
from tests.inversynth.nsynth.grid.device import boot, course_patch

WORDS = ("C2", "E2", "G#2", "C3", "E3", "G#3", "C4")
NUMBERS = (24, 28, 32, 36, 40, 44, 48)
INSTRUMENTS = ("bottles", "kantele", "sandstormlead", "voice")
RATE, SAMPLES, LENGTH = 16000, 64000, 600
PAD = "_".join(INSTRUMENTS)


def record(path: Path, instrument: str, note: int) -> None:
    """Write a sound of four seconds at its note, its harmonics those of the instrument."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(SAMPLES) / RATE
    hertz = 440 * 2 ** ((note - 69) / 12)
    harmonics = 2 + INSTRUMENTS.index(instrument)
    sound = sum(np.sin(2 * np.pi * hertz * n * time) / n for n in range(1, harmonics + 1))
    soundfile.write(path, 0.3 * sound * np.exp(-time), RATE, subtype="PCM_16")


def network(path: Path, notes: tuple[int, ...]) -> str:
    """Save the smallest autoencoder, untrained, that knows some notes."""
    features = {"input": "notes", "size": "smoke", "pitch_conditioning": True, "notes": list(notes)}
    model = build_nsynth(SPACE, RATE, SAMPLES, size="smoke", pitch_conditioning=True, seed=0)
    save_model(model, path, ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, features))
    return str(path)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of four students in one folder."""
    folder = tmp_path_factory.mktemp("group") / "recordings"
    for instrument in INSTRUMENTS:
        for note in NUMBERS:
            record(folder / f"{instrument}_{note}.wav", instrument, note)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {"low": network(folder / "low.keras", NUMBERS), "high": network(folder / "high.keras", (60, 64, 68))}


@pytest.fixture(scope="module")
def pad(group: Path, models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pad, at the least resolution and a short length, which no reader depends on."""
    folder = tmp_path_factory.mktemp("pad")
    words = ["grid", str(group), "--model", models["low"], "--output_dir", str(folder)]
    assert main([*words, "--resolution", "2", "--final_length", str(LENGTH)]) == 0
    return folder


def test_the_notes_of_the_words_are_the_numbers_beside_them() -> None:
    assert tuple(note_number(word, "course") for word in WORDS) == NUMBERS


def test_one_folder_of_numbered_files_has_no_fault(group: Path, models: dict[str, str], capsys) -> None:
    assert main(["grid", str(group), "--check", "--model", models["low"], "--note_names", "course"]) == 0
    sounds, notes = "bottles, kantele, sandstormlead, voice", "24:48:4 (C2 to C4 where middle C is C5)"
    assert capsys.readouterr().out == f"no fault found in {sounds} at the notes {notes}\n"


def test_a_folder_each_and_named_notes_are_the_same(
    group: Path, models: dict[str, str], tmp_path: Path, capsys
) -> None:
    for instrument in INSTRUMENTS:
        (tmp_path / "in" / instrument).mkdir(parents=True)
        for word, number in zip(WORDS, NUMBERS, strict=True):
            shutil.copy(group / f"{instrument}_{number}.wav", tmp_path / "in" / instrument / f"{instrument}_{word}.wav")
    told = "at the notes 24:48:4 (C2 to C4 where middle C is C5)"
    words = ["--check", "--model", models["low"], "--note_names", "course"]
    assert main(["grid", str(tmp_path / "in"), *words]) == 0
    assert told in capsys.readouterr().out
    assert main(["grid", *(str(tmp_path / "in" / instrument) for instrument in INSTRUMENTS), *words]) == 0
    assert told in capsys.readouterr().out
    assert main(["grid", str(tmp_path / "in"), *words[:-2]]) == 2  # as the default counts, they are 36 to 60
    assert "Received: sounds at 52:60:4" in capsys.readouterr().err


def test_a_network_of_other_notes_refuses_them(group: Path, models: dict[str, str], tmp_path: Path, capsys) -> None:
    for check in ([], ["--check"]):
        words = ["grid", str(group), "--model", models["high"], "--output_dir", str(tmp_path / "out"), *check]
        assert main(words) == 2
        printed = capsys.readouterr()
        assert printed.err.splitlines()[-1] == (
            f"ModelError: {models['high']} was trained on the notes 60:68:4. Received: sounds at 24:48:4. Train a "
            "network on them, or pass --transpose_unknown"
        )
        assert not printed.out
        assert not (tmp_path / "out").exists()


def test_sounds_of_one_folder_are_chosen_and_ordered(group: Path, models: dict[str, str], capsys) -> None:
    words = ["grid", str(group), "--check", "--model", models["low"]]
    assert main([*words, "--sounds", "voice,kantele"]) == 0
    assert "no fault found in voice, kantele at" in capsys.readouterr().out
    for sounds, message in (
        ("voice,vice", "unknown sound 'vice'. Did you mean 'voice'?"),
        ("voice,voice", "--sounds names each sound once. Received: voice,voice"),
    ):
        assert main([*words, "--sounds", sounds]) == 2
        assert message in capsys.readouterr().err
    assert main([*words[:-3], "--model", models["low"], "--sounds", "voice,kantele,bottles"]) == 2
    assert "a pad is between four sounds. Received: 3 in " in capsys.readouterr().err
    assert main(["grid", *[str(group)] * 4, "--sounds", "voice"]) == 2
    assert "--sounds chooses among those of one folder. Received: 4 folders" in capsys.readouterr().err


def test_files_without_a_note_are_still_faults(group: Path, models: dict[str, str], tmp_path: Path, capsys) -> None:
    shutil.copytree(group, tmp_path / "in")
    shutil.move(tmp_path / "in" / "voice_24.wav", tmp_path / "in" / "voice.wav")
    assert main(["grid", str(tmp_path / "in"), "--check", "--model", models["low"]]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("/in/")[1] for line in lines[:-1]] == [
        "voice.wav: not named <sound>_<note>.wav",
        "voice_24.wav: missing",
    ]


# --- the readers -----------------------------------------------------------------------------------------------


def test_the_device_plays_the_notes_of_the_pad(pad: Path, tmp_path: Path) -> None:
    shutil.copy(pad / f"{PAD}.json", tmp_path / "settings.json")  # all that the device needs
    (tmp_path / "pads").mkdir()
    shutil.copy(pad / f"{PAD}.bin", tmp_path / "pads")
    device = boot(tmp_path / "settings.json", tmp_path / "pads")
    assert (device.resolution, device.pitches, device.length, device.sample_rate) == (2, [*NUMBERS], LENGTH, RATE)
    assert device.displayed == [("BOTTLES", "BO"), ("KANTELE", "KA"), ("SANDSTOR", "SA"), ("VOICE", "VO")]
    _, rows = open_pad(pad / f"{PAD}.json")
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for number, note in enumerate(NUMBERS):
            audio, rate = device.play(x, y, note)
            np.testing.assert_array_equal(audio, rows[y, x, number])
            assert rate == 1.0
    assert device.play(0, 0, 26)[1] == pytest.approx(2 ** (2 / 12))
    assert len({rows[y, x].tobytes() for x in (0, 1) for y in (0, 1)}) == 4


def test_the_patch_of_the_course_loads_it(pad: Path) -> None:
    np.testing.assert_array_equal(
        course_patch(pad / f"{PAD}.json", pad / f"{PAD}.bin"), open_pad(pad / f"{PAD}.json")[1]
    )


def test_what_is_ours_is_in_a_section_of_its_own(pad: Path) -> None:
    settings = json.loads((pad / f"{PAD}.json").read_text(encoding="utf-8"))
    assert set(settings) == {"nsynth", "corners", "audio", "midi", "osc", "inversynth"}
    own = settings["inversynth"]
    assert (own["schema"], own["file"], own["sounds"]) == ("inversynth-pad/2", f"{PAD}.bin", [*INSTRUMENTS])
    assert "made_at" not in own


def test_a_pad_of_unknown_notes_is_made_where_asked_to(
    group: Path, models: dict[str, str], tmp_path: Path, capsys
) -> None:
    words = ["grid", str(group), "--model", models["high"], "--output_dir", str(tmp_path), "--transpose_unknown"]
    words += ["--resolution", "2", "--final_length", str(LENGTH), "--pitches", "24,48"]
    assert main(words) == 0
    assert "at the notes 24,48 (C1 to C3 where middle C is C4), made by way of 60: 8 notes at 8 places" in (
        capsys.readouterr().out
    )
    settings, rows = open_pad(tmp_path / f"{PAD}.json")
    assert rows.shape == (2, 2, 2, LENGTH)
    assert rows.any(axis=-1).all()
    assert settings["inversynth"]["made_at"] == [60, 60]
    assert boot(tmp_path / f"{PAD}.json", tmp_path).pitches == [24, 48]
    audio = soundfile.read(tmp_path / "notes" / "gen_bottles_1.0_pitch_24.wav")[0]
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert spectrum[len(spectrum) // 7 :].max() < spectrum.max() / 1000  # made three octaves higher: 1 kHz is left
    words[words.index("--model") + 1] = models["low"]
    assert main(words) == 2
    assert "holds another grid. Received: made_at None, there 60,60" in capsys.readouterr().err


# --- on a cluster ----------------------------------------------------------------------------------------------


def test_the_script_of_the_page_makes_the_pad_in_an_array_of_jobs(
    pad: Path, group: Path, models: dict[str, str], tmp_path: Path
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "grid.md").read_text(encoding="utf-8")
    script = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", page, re.DOTALL)
    assert script
    first, last = map(int, re.search(r"#SBATCH --array=(\d+)-(\d+)", script[1]).groups())  # type: ignore[union-attr]
    assert (first, f"shards={last}\n" in script[1]) == (1, True)
    (tmp_path / "pad.sh").write_text(script[1].replace(f"shards={last}", "shards=2"))
    command = tmp_path / "bin" / "inversynth"
    command.parent.mkdir()
    command.write_text(f'#!/bin/bash\nexec "{sys.executable}" -m inversynth "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    words = ["--model", models["low"], "--resolution", "2", "--no-full", "--final_length", str(LENGTH)]
    for task, printed in (
        (2, "shard 2/2 is done; 14 of 28 notes are left to the others"),
        (1, "28 notes at 28 places"),
    ):
        slurm = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_PER_TASK": "1"}
        paths = {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[4])}
        done = subprocess.run(
            ["bash", str(tmp_path / "pad.sh"), str(group), str(tmp_path / "out"), *words],
            env=os.environ | slurm | paths,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert printed in done.stdout
    for name in (f"{PAD}.bin", f"{PAD}.json"):
        assert (tmp_path / "out" / name).read_bytes() == (pad / name).read_bytes()
