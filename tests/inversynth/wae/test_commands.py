"""The commands of `inversynth wae`, with untrained networks."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from generators.analysis.mel import log_mel_to_mel
from inversynth.cli import main
from inversynth.inputs import unique_names
from inversynth.wae.segmentation import NotePlace, audible_seconds
from inversynth.wae.session import slug
from inversynth.wae.transfer import overlay_notes
from models.wae.inference import WaeModel, load_wae
from models.wae.vocoders import griffin_lim_renderer
from tests.styled_notes import RATE, write_notes
from tests.wae_models import write_untrained_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of notes.hdf5, wae.keras and mcnn.keras."""
    folder = tmp_path_factory.mktemp("wae")
    write_untrained_pair(write_notes(folder / "notes.hdf5"), folder)
    return folder


@pytest.fixture(scope="module")
def wae(folder: Path) -> WaeModel:
    return load_wae(folder / "wae.keras")


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, wae: WaeModel) -> Callable[..., Path]:
    """Type a command into a folder of results, which is returned; the model is loaded once for all."""
    monkeypatch.setattr(
        "models.wae.inference.load_wae", lambda path: wae if path.name == "wae.keras" else load_wae(path)
    )

    def typed(command: str, *words: str, code: int = 0) -> Path:
        line = ["wae", command, "--model", str(folder / "wae.keras"), "--output_dir", "out", *words]
        quick = ["--renderer", "griffinlim", "--griffin_lim_iterations", "2"]
        sound = [] if {"--renderer", "--mcnn"} & set(words) else quick
        assert main([*line, *sound, "--no-pictures"]) == code
        return Path("out")

    return typed


def tone(name: str, *notes: int, rate: int = RATE, gap: float = 0.2) -> None:
    """Write notes of 0.12 s, one each `gap` seconds, into a WAV of two channels."""
    time = np.arange(round(0.12 * rate)) / rate
    sound = np.zeros(round(gap * len(notes) * rate), np.float32)
    for number, note in enumerate(notes):
        first = round(number * gap * rate)
        sound[first : first + len(time)] = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * time)
    soundfile.write(name, np.stack([sound, sound], axis=1), rate, "FLOAT")


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_names_of_notes_follow_the_convention_in_and_out(run: Callable, capsys) -> None:
    folder = run("random", "--count", "1", "--note", "C5", "--note_names", "course")  # 60, which it knows
    assert all(path.stem.startswith("latent000_C5") for path in folder.glob("*.wav"))
    assert "names of notes: middle C is C5\n" in capsys.readouterr().out
    run("random", "--count", "1", "--note", "C5", code=2)  # 72 otherwise
    tone("a.wav", 60)
    run("reconstruct", "a.wav", "--note", "C5", "--note_names", "course")
    assert re.search(r"^a +C5 ", capsys.readouterr().out, re.MULTILINE)
    tone("high.wav", 79)
    run("reconstruct", "high.wav", "--note_names", "course", code=2)
    assert "wae plays C5 to D#5. Received: high, detected as G6" in capsys.readouterr().err


def test_one_latent_is_decoded_in_every_style(run: Callable, wae: WaeModel, read_page: Callable) -> None:
    folder = run("random", "--seed", "3")
    (note,) = wae.draw_notes(1, 3)
    mels = log_mel_to_mel(
        wae.decode_spectrograms(wae.draw_latents(1, 3).repeat(3, 0), [note] * 3, np.eye(3)).transpose(0, 2, 1)
    )
    expected = griffin_lim_renderer(wae.analysis, 2, 3)(mels, np.asarray([note] * 3))
    made = lines_of(folder / "notes.csv")
    for line, audio, style in zip(made, expected, wae.styles, strict=True):
        assert line["name"].endswith(style)
        assert line[style] == "1.0"
        written, rate = soundfile.read(folder / f"{line['name']}.wav", dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(written, audio, atol=1e-5)
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 3
    assert "WAE-Fader" in page.text


def test_mixtures_are_rendered_by_mcnn_at_every_note(run: Callable, folder: Path) -> None:
    words = ("--style", "flute:1.5,horn:-0.5; reed", "--latent=0.1,-1,2", "--note", "60,61", "--no-page")
    made = lines_of(run("random", *words, "--mcnn", str(folder / "mcnn.keras")) / "notes.csv")
    assert [line["name"] for line in made] == [
        f"latent000_{note}_{style}" for note in ("C4", "C#4") for style in ("flute1.5+horn-0.5", "reed")
    ]
    assert [made[0][name] for name in ("latent2", "flute", "reed", "horn")] == ["-1.0", "1.5", "0.0", "-0.5"]


def test_notes_of_a_test_come_back_with_their_measures(
    run: Callable, folder: Path, read_page: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run("reconstruct", "--dataset_file", str(folder / "notes.hdf5"), "--count", "2")
    (one, other) = lines_of(out / "measures.csv")
    assert one["note"] != other["note"]
    assert all(float(line[name]) > 0 for line in (one, other) for name in ("rmse", "lsd", "convergence"))
    page = read_page((out / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 4
    assert "Frame at" in page.text
    assert f"{float(one['rmse']):.4f}" in capsys.readouterr().out


def test_a_sound_gets_the_style_of_its_smallest_error(run: Callable, wae: WaeModel) -> None:
    tone("mine.wav", 61, rate=2 * RATE)
    (line,) = lines_of(run("reconstruct", "mine.wav", "--no-page") / "measures.csv")
    assert line["note"] == "mine"
    assert line["pitch"] == "C#4"
    (other,) = lines_of(run("reconstruct", "mine.wav", "--style", "flute", "--no-page") / "measures.csv")
    assert line["instrument"] in wae.styles
    assert float(line["rmse"]) <= float(other["rmse"])


def test_a_morph_goes_beyond_its_end(run: Callable, wae: WaeModel, read_page: Callable) -> None:
    words = ("--from", "flute", "--to", "horn", "--steps", "4", "--beyond", "1.5", "--note", "60,62")
    made = lines_of((out := run("morph", *words)) / "notes.csv")
    assert [float(line["horn"]) for line in made] == [0.0, 0.5, 1.0, 1.5] * 2
    assert [float(line["flute"]) for line in made] == [1.0, 0.5, 0.0, -0.5] * 2
    assert len({line["latent1"] for line in made}) == 1
    page = read_page((out / "index.html").read_text(encoding="utf-8"))
    assert {one["style"] for one in page.all("ol")} == {"--columns: 4"}
    assert "150 %" in page.text


def test_a_morph_between_sounds_begins_and_ends_with_their_latents(run: Callable, wae: WaeModel) -> None:
    tone("a.wav", 60)
    tone("b.wav", 63)
    made = lines_of(run("morph", "a.wav", "b.wav", "--steps", "3", "--no-page") / "notes.csv")
    latents = np.asarray([[float(line[f"latent{number}"]) for number in (1, 2, 3)] for line in made])
    assert {line["note"] for line in made} == {"60"}
    np.testing.assert_allclose(latents[1], latents[[0, 2]].mean(axis=0), atol=1e-5)
    assert not np.allclose(latents[0], latents[2], atol=1e-4)


def test_a_melody_comes_back_note_by_note(run: Callable, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    tone("melody.wav", 60, 63, 61, rate=2 * RATE)
    out = run("transfer", "melody.wav", "--style", "horn")
    assert [line["note"] for line in lines_of(out / "notes.csv")] == ["60", "63", "61"]
    assert "converted melody.wav: 16,000 Hz, 2 channels -> 8,000 Hz, mono" in caplog.text
    audio, _ = soundfile.read(out / "melody_horn.wav")
    assert len(audio) >= round(0.6 * RATE)


def test_notes_are_placed_where_they_were_as_loud_and_as_long() -> None:
    places = [NotePlace(0.0, 0.004, 60.0, 0.5), NotePlace(0.01, 0.002, 60.0, 0.2)]
    whole = np.concatenate(list(overlay_notes(places, np.ones((2, 10), np.float32), 30, 1000, 0.002)))
    expected = np.zeros(30)
    expected[:6], expected[10:14] = [0.5, 0.5, 0.5, 0.5, 0.5, 0.0], [0.2, 0.2, 0.2, 0.0]
    np.testing.assert_allclose(whole, expected, atol=1e-6)


def test_length_of_a_note_ends_with_what_is_audible() -> None:
    audio = np.concatenate([np.ones(400), np.full(400, 1e-3)]).astype(np.float32)
    assert audible_seconds(audio, 1000) == pytest.approx(0.4)


def test_names_of_files_are_plain_and_unique() -> None:
    assert slug("a/b: c") == "a_b_c"
    assert slug("///") == "sound"
    assert unique_names(["x", "y", "x"]) == ["x", "y", "x-2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("random --style fluet", "unknown instrument 'fluet'. Did you mean 'flute'?"),
        ("random --style flute:nan", "weights of a mixture must be numbers, as violin:0.5. Received: 'nan'"),
        ("random --style ;;", "styles are written as violin or violin:0.5,flute:0.5;flute. Received: ';;'"),
        ("random --style flute:0,horn:0", "one style or more must have a weight other than 0"),
        ("random --note 59", "wae plays notes 60 to 63. Received: note 59"),
        ("random --latent 1,2", "a latent of wae has 3 dimensions. Received: 2"),
        ("random --latent 1,2,3 --count 2", "Received: --count as well"),
        ("random --count 1000 --note 60:63", "2,000 sounds at most. Received: 1000 latents, 4 notes and 3 styles"),
        (
            "random --renderer mcnn --griffin_lim_iterations 9",
            "--griffin_lim_iterations goes with --renderer griffinlim",
        ),
        ("random --renderer mcnn --mcnn absent", "no such model: absent."),
        ("reconstruct", "name what to reconstruct: sounds or --dataset_file. Received: neither"),
        ("reconstruct high.wav", "wae plays C4 to D#4. Received: high, detected as G5. Name another note with --note"),
        ("reconstruct silent.wav", "a sound must be audible"),
        ("morph --to hron", "unknown instrument 'hron'. Did you mean 'horn'?"),
        ("morph --from flute --to flute:-1 --steps 3", "one style or more must have a weight other than 0"),
        ("morph high.wav --latent 1,2,3", "Received: --latent as well"),
        ("transfer silent.wav", "a sound must be audible"),
        ("transfer absent.wav", "no such sound: absent.wav"),
        ("transfer high.wav", "Try --transpose -16, or leave them out with --skip_unknown"),
        ("transfer high.wav --note 90", "wae plays notes 60 to 63. Received: note 90"),
        ("transfer high.wav --note 60 --transpose 1", "Received: --transpose as well"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    run: Callable, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    tone("high.wav", 79)
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    command, *rest = words.split()
    run(command, *rest, code=2)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Error" in line]
    assert message in line
    assert not Path("out").exists()


def test_models_of_other_kinds_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wae", "random", "--model", str(folder / "mcnn.keras")]) == 2
    assert "notes are made by a model 'wae'. Received: mcnn" in capsys.readouterr().err
    words = ["--model", str(folder / "wae.keras"), "--mcnn", str(folder / "wae.keras")]
    assert main(["wae", "random", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- map -------------------------------------------------------------------------------------------------------------


def test_latent_spaces_are_drawn_side_by_side_and_a_training_as_an_animation(folder, tmp_path, capsys):
    run = tmp_path / "mine"
    (run / "pictures").mkdir(parents=True)
    (run / "best.keras").write_bytes((folder / "wae.keras").read_bytes())
    for epoch, level in ((5, 0), (10, 255)):
        Image.new("RGB", (40, 30), (level, 0, 0)).save(run / "pictures" / f"epoch_{epoch:05d}.png")
    models = f"{folder / 'wae.keras'},{run}"
    words = ["wae", "map", "--models", models, "--dataset_file", str(folder / "notes.hdf5")]
    assert main([*words, "--output_dir", "out"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["mine.gif", "space.png", "tsne.png"]
    for name in ("space.png", "tsne.png"):
        with Image.open(Path("out") / name) as picture:
            assert picture.width > 2 * 300  # two models
    with Image.open("out/mine.gif") as film:
        assert film.n_frames == 2
    assert capsys.readouterr().out.splitlines() == ["out/tsne.png", "out/space.png", "out/mine.gif"]


def test_models_of_other_notes_are_not_drawn(folder, tmp_path, capsys):
    other = write_notes(tmp_path / "other.hdf5", styles=("flute", "reed"))
    assert main(["wae", "map", "--models", str(folder / "wae.keras"), "--dataset_file", str(other)]) == 2
    assert (
        "models must have been trained on the styles of the dataset and its size of spectrograms, 2 of instrument"
        in capsys.readouterr().err
    )
    assert not Path("output").exists()
