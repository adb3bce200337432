"""From four folders to a pad, its files and its page, by the command as it is typed; and what stops it or is shared."""

import base64
import json
import re
import threading
from functools import lru_cache

import numpy as np
import pytest
import soundfile

from generators.errors import DatasetError
from generators.notes.labels import SPACE
from inversynth.cli import main
from inversynth.nsynth.grid import pad as pad_module
from inversynth.nsynth.grid.corners import check_corners
from inversynth.nsynth.grid.job import Job
from inversynth.nsynth.grid.pad import open_pad
from inversynth.nsynth.grid.rendering import encode_corners, missing_batches, render
from inversynth.nsynth.grid.trim import cut_note
from models.model_files import ModelCard, save_model
from models.nsynth import inference as inference
from models.nsynth.presets import NSYNTH
from models.nsynth.recipe import build_nsynth
from tests.inversynth.nsynth.grid.test_corners import FIT, NOTES, RATE, SAMPLES, SOUNDS, write_note

LENGTH = 100
FILES = {
    "grid.json",
    "pad.html",
    "pad/pitch_60.js",
    "pad/pitch_64.js",
    "brass_flute_organ_violin.bin",
    "brass_flute_organ_violin.json",
}


@pytest.fixture(scope="module", autouse=True)
def one_coder():
    """Load and compile the model once for all runs of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "load_nsynth", lru_cache(inference.load_nsynth))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid_model") / "smoke.keras"
    save_model(
        build_nsynth(SPACE, RATE, SAMPLES, size="smoke", seed=0),
        path,
        ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, {"input": "notes"}),
    )
    return path


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    root = tmp_path_factory.mktemp("grid_corners")
    for sound in SOUNDS:
        for note in NOTES:
            write_note(root / sound / f"{sound}_{note}.wav", note)
    return [str(root / sound) for sound in SOUNDS]


@pytest.fixture(scope="module")
def typed(model, corners):
    """Return what runs the command into a folder. Two batches of four notes each."""

    def run(folder, *flags):
        words = ["grid", *corners, "--model", str(model), "--output_dir", str(folder)]
        return main([*words, "--resolution", "2", "--final_length", str(LENGTH), "--batch_size", "4", *flags])

    return run


@pytest.fixture(scope="module")
def made(typed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid_made")
    assert typed(folder, "--workers", "2") == 0
    return folder


def sounds_in(folder):
    return {path.name: path.read_bytes() for path in (folder / "notes").iterdir()}


def test_every_point_has_its_note(made):
    assert set(sounds_in(made)) == {f"gen_pitch_{note}_{sound}_1.0.wav" for note in NOTES for sound in SOUNDS[3:]} | {
        f"gen_{sound}_1.0_pitch_{note}.wav" for note in NOTES for sound in SOUNDS[:3]
    }
    for path in (made / "notes").iterdir():
        info = soundfile.info(path)
        assert (info.samplerate, info.frames, info.subtype, info.channels) == (RATE, SAMPLES, "PCM_16", 1)
        peak = np.abs(soundfile.read(path)[0]).max()
        assert 20 * np.log10(peak) == pytest.approx(-12, abs=0.01)
    assert {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()} == FILES | {
        f"notes/{name}" for name in sounds_in(made)
    }


def test_rows_of_the_pad_are_the_notes_in_their_order(made):
    settings, rows = open_pad(made / "brass_flute_organ_violin.json")
    assert settings["inversynth"]["sounds"] == list(SOUNDS)
    assert rows.shape == (2, 2, 2, LENGTH)
    for place, sound in enumerate(SOUNDS):
        for number, note in enumerate(NOTES):
            name = "_".join(["gen", *(f"{k}_{v}" for k, v in sorted({sound: 1.0, "pitch": note}.items()))])
            audio = soundfile.read(made / "notes" / f"{name}.wav", dtype="int16")[0]
            np.testing.assert_array_equal(rows[place // 2, place % 2, number], cut_note(audio, RATE, LENGTH))
    flat = np.fromfile(made / settings["inversynth"]["file"], "<i2").reshape(-1, LENGTH)
    np.testing.assert_array_equal(flat[(1 * 2 + 0) * 2 + 1], rows[1, 0, 1])


def test_the_page_needs_nothing_but_its_scripts_which_hold_the_rows(made, read_page):
    html = (made / "pad.html").read_text(encoding="utf-8")
    page = read_page(html)
    assert all(sound in page.text for sound in SOUNDS)
    data = re.search(r'<script type="application/json" id="data">(\{.*\})</script>', html)[1]
    settings = json.loads(data)["settings"]
    assert (settings["resolution"], settings["pitches"], settings["length"]) == (2, list(NOTES), LENGTH)
    _, rows = open_pad(made / "brass_flute_organ_violin.json")
    for number, note in enumerate(NOTES):
        script = (made / "pad" / f"pitch_{note}.js").read_text(encoding="utf-8")
        described = re.fullmatch(rf'received\({note}, "([A-Za-z0-9+/=]+)"\);\n', script)
        sent = np.frombuffer(base64.b64decode(described[1]), "<i2").reshape(-1, LENGTH)
        np.testing.assert_array_equal(sent, rows[:, :, number].reshape(-1, LENGTH))


def test_notes_that_are_there_are_not_made_again(made, typed):
    times = {path: path.stat().st_mtime_ns for path in (made / "notes").iterdir()}
    assert typed(made) == 0
    assert {path: path.stat().st_mtime_ns for path in (made / "notes").iterdir()} == times


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--seed", "1"), "seed 1, there 0"),
        (("--resolution", "3"), "resolution 3, there 2"),
        (("--pitches", "60"), "pitches 60, there 60,64"),
    ],
)
def test_a_folder_of_another_grid_is_refused(made, typed, capsys, flags, words):
    before = sounds_in(made)
    assert typed(made, *flags) == 2
    assert words in capsys.readouterr().err
    assert sounds_in(made) == before


def test_shares_come_to_the_same_and_the_last_builds_the_pad(made, typed, tmp_path, capsys):
    assert typed(tmp_path, "--shard", "2/2") == 0
    assert "4 of 8 notes are left to the others" in capsys.readouterr().out
    assert not (tmp_path / "pad.html").exists()
    assert typed(tmp_path, "--shard", "1/2") == 0
    assert sounds_in(tmp_path) == sounds_in(made)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_an_interrupted_rendering_goes_on_to_the_same_sounds(made, model, corners, tmp_path):
    coder = inference.load_nsynth(model)
    card = json.loads((made / "grid.json").read_text(encoding="utf-8"))
    job = Job(
        *(SOUNDS, tuple(card["recordings"].values()), NOTES, 2, LENGTH, RATE, coder.fingerprint, coder.hop),
        codes=SAMPLES // coder.hop,
    )
    assert job.card() == card
    codes = encode_corners(coder, check_corners(corners, FIT), NOTES)
    assert codes.shape == (4, 2, SAMPLES // coder.hop, coder.width)
    printed = []

    def interrupt(samples):
        printed.append(samples)
        if len(printed) == 5:
            raise KeyboardInterrupt

    batches = missing_batches(job, tmp_path, 4)
    with pytest.raises(KeyboardInterrupt):
        render(job, coder, codes, batches, tmp_path, size=4, on_samples=interrupt)
    assert len(list(tmp_path.glob(".batch_*"))) == 1
    printed.clear()
    render(job, coder, codes, batches, tmp_path, size=4, on_samples=printed.append)
    assert printed[0] == 5 * 4 * coder.hop
    assert sum(printed) == 8 * SAMPLES
    assert sounds_in(tmp_path) == sounds_in(made)
    assert not missing_batches(job, tmp_path, 4)


class Recorder:
    """Stands in for a codec conditioned on pitch: decodes to silence, and records its arguments."""

    takes_pitch, hop, width = True, 16, 4

    def __init__(self):
        self.asked, self.threads = [], set()

    def decode(self, codes, *, seeds, pitch, temperature, state_file, on_code):
        self.asked.append((codes, seeds, pitch))
        self.threads.add(threading.get_ident())
        on_code(codes.shape[1])
        return np.zeros((len(codes), 16 * codes.shape[1]), np.float32)


def job_of(resolution=3, pitches=NOTES, **changes):
    return Job(SOUNDS, ("",) * 4, pitches, resolution, LENGTH, RATE, "model", hop=16, codes=10, **changes)


def test_a_decoder_is_reported_the_note_and_the_mixed_codes(tmp_path):
    coder, job = Recorder(), job_of()
    codes = np.random.default_rng(0).standard_normal((4, 2, 10, 4))
    size = job.even_size(16)
    assert size == 9
    render(job, coder, codes, missing_batches(job, tmp_path, size), tmp_path, size=size, workers=2)
    assert sorted(asked[2] for asked in coder.asked) == [[60] * 9, [64] * 9]
    mixed, _, pitch = coder.asked[0]
    number = NOTES.index(pitch[0])
    np.testing.assert_allclose(mixed[4], codes[:, number].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(mixed[1], codes[:2, number].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(mixed[6], codes[2, number], atol=1e-6)


def test_the_last_batch_is_filled_up_and_nothing_is_written_twice(tmp_path):
    coder, job = Recorder(), job_of(resolution=2, pitches=(60,))
    render(job, coder, np.zeros((4, 1, 10, 4)), missing_batches(job, tmp_path, 3), tmp_path, size=3)
    assert [len(asked[0]) for asked in coder.asked] == [3, 3]
    assert len(sounds_in(tmp_path)) == 4


def test_only_codes_that_the_pad_needs_are_decoded():
    job = Job(SOUNDS, ("",) * 4, NOTES, 5, 60_000, 16_000, "model", hop=512, codes=125)
    assert job.codes_needed == 125
    short = Job(SOUNDS, ("",) * 4, NOTES, 5, 16_000, 16_000, "model", hop=512, codes=125)
    assert short.codes_needed == -(-(16_000 + 4_000 - 17) // 512)


def test_a_mixture_at_two_points_is_rendered_once():
    job = job_of(9, (60,))
    assert (len(job.notes), len(job.mixtures)) == (81, 77)
    assert [note.row for note in job.notes] == list(range(81))
    assert [note.row for note in job.mixtures] == sorted(note.row for note in job.mixtures)
    assert {note.name for note in job.mixtures} == {note.name for note in job.notes}
    assert len(job_of(9, tuple(range(24, 49, 4))).notes) == 567


def test_a_point_is_drawn_alike_in_any_grid_and_otherwise_by_another_seed():
    coarse, fine = ({note.name: job.seed_of(note) for note in job.notes} for job in (job_of(3), job_of(5)))
    assert coarse.items() <= fine.items()
    assert len(set(fine.values())) == len(fine) == 50
    other = job_of(3, seed=1)
    assert not {other.seed_of(note) for note in other.notes} & set(coarse.values())


def test_faults_are_listed_and_nothing_is_written(typed, model, corners, tmp_path, capsys):
    bad = tmp_path / "violin"
    write_note(bad / "violin_60.wav", 60, channels=2)
    words = ["grid", *corners[:3], str(bad), "--model", str(model), "--output_dir", str(tmp_path / "out")]
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [f"{bad}/violin_60.wav: 2 channels", f"{bad}/violin_64.wav: missing"]
    assert lines[2].startswith("AudioError: each sound must be there at the same notes as the others: ")
    assert "Received: 2 faults, listed above" in lines[2]
    assert not (tmp_path / "out").exists()
    assert main(["grid", corners[0], "--check", "--model", str(model)]) == 0
    assert capsys.readouterr().out == "no fault found in brass at the notes 60,64 (C4 to E4 where middle C is C4)\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--shard", "3/2"], "--shard is one part of several"),
        (["--full", "--resolution", "4"], "--full is --resolution 9"),
        (["--pitches", "60:50"], "--pitches: a range of notes rises"),
        (["--final_length", "161"], "is cut from one of 160 samples"),
        (["--model", "C6XL"], "a pad is rendered by a model 'nsynth'. Received: C6XL"),
    ],
)
def test_contradictions_are_reported(model, corners, capsys, flags, words, tmp_path):
    named = [] if "--model" in flags else ["--model", str(model)]
    assert main(["grid", *corners, *named, "--output_dir", str(tmp_path / "out"), *flags]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_pad_is_written_where_it_can_be_and_not_among_its_sounds(typed, corners, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert typed(file) == 2
    assert f"DatasetError: cannot write {file}/grid.json: " in capsys.readouterr().err
    assert typed(f"{corners[2]}/pad") == 2
    assert "the pad must not be written into a corner" in capsys.readouterr().err


def test_four_folders_are_asked_for(corners, capsys):
    assert main(["grid", *corners[:3]]) == 2
    assert (
        "name four folders: top-left, top-right, bottom-left, bottom-right; or one that holds all"
        in capsys.readouterr().err
    )


def test_a_pad_that_is_no_pad_is_refused(made, tmp_path):
    path = tmp_path / "brass_flute_organ_violin.json"
    with pytest.raises(DatasetError, match="a pad is opened by"):
        open_pad(path)
    path.write_bytes((made / path.name).read_bytes())
    path.with_suffix(".bin").write_bytes(b"1234")
    with pytest.raises(DatasetError, match=r"must hold 1,600 bytes\. Received: 4"):
        open_pad(path)


def test_a_damaged_note_stops_the_building_and_leaves_nothing(made, typed, tmp_path, monkeypatch, capsys):
    assert pad_module.SCRIPTS in str(sorted(made.iterdir()))
    target = tmp_path / "pad"
    target.mkdir()
    (target / "grid.json").write_bytes((made / "grid.json").read_bytes())
    (target / "notes").mkdir()
    for name, content in sounds_in(made).items():
        (target / "notes" / name).write_bytes(content)
    monkeypatch.setattr(Job, "is_rendered", lambda *_: True)
    next((target / "notes").iterdir()).write_bytes(b"RIFF")
    assert typed(target) == 2
    assert "Remove it, and run the same command again" in capsys.readouterr().err
    assert {path.name for path in target.iterdir()} == {"grid.json", "notes"}
