"""The commands of `inversynth gansynth` that draw latents, with an untrained generator."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inversynth.cli import main
from inversynth.gansynth.hallucinate import Grain, hallucinate, points_between
from inversynth.report import audio_page
from inversynth.report.audio_page import AudioPage, Clip, ClipRow
from models.gansynth.inference import GanSynthModel, load_gansynth
from tests.gansynth_models import write_untrained

NOTES = (60, 61, 62)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one.keras, and of runs: other/best.keras, and narrow/best.keras at another rate."""
    folder = tmp_path_factory.mktemp("models")
    write_untrained(folder / "one.keras", notes=NOTES)
    for name, options in {"other": {"seed": 1}, "narrow": {"sample_rate": 4000}, "high": {"notes": (70, 71)}}.items():
        (folder / name).mkdir()
        write_untrained(folder / name / "best.keras", **options)
    return folder


@pytest.fixture(scope="module")
def gansynth(models: Path) -> GanSynthModel:
    return load_gansynth(models / "one.keras")


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch, gansynth: GanSynthModel) -> Callable[..., Path]:
    """Type a command into a folder of results, which is returned; the first model is loaded once for all."""
    monkeypatch.setattr(
        "models.gansynth.inference.load_gansynth",
        lambda path: gansynth if path.name == "one.keras" else load_gansynth(path),
    )

    def typed(command: str, *words: str, code: int = 0) -> Path:
        line = ["gansynth", command, "--model", str(models / "one.keras"), "--output_dir", "out", *words]
        assert main(line) == code
        return Path("out")

    return typed


def wav(folder: Path, name: str) -> np.ndarray:
    audio, rate = soundfile.read(folder / f"{name}.wav", dtype="float32")
    assert rate == 8000
    return audio


def within_full_scale(*sounds: np.ndarray) -> list[np.ndarray]:
    """Return the sounds of one call as they are written: turned down alike where one is above full scale."""
    loudest = max(float(np.abs(sound).max()) for sound in sounds)
    return [sound / max(loudest, 1.0) for sound in sounds]


def latents_in(folder: Path) -> np.ndarray:
    with np.load(folder / "latents.npz") as file:
        return file["latents"]


def test_names_of_notes_follow_the_convention_in_and_out(run: Callable, capsys) -> None:
    for command, words, names in (
        ("random", ["--count", "2"], {"timbre000_C5", "timbre001_C5"}),
        ("interpolate", ["--steps", "2"], {"step000_C5", "step001_C5"}),
        ("hallucinate", ["--points", "2", "--steps", "0", "--spacing", "0.1"], {"hallucination_C5", "point000_C5"}),
    ):
        folder = run(command, *words, "--note", "C5", "--note_names", "course", "--no-pictures")  # 60, which it knows
        assert names <= {path.stem for path in folder.glob("*.wav")}
        assert "names of notes: middle C is C5\n" in capsys.readouterr().out
    run("random", "--note", "C5", code=2)  # 72 otherwise


def test_random_timbres_sound_as_the_model_makes_them(
    run: Callable, gansynth: GanSynthModel, read_page: Callable
) -> None:
    folder = run("random", "--count", "3", "--note", "60,62", "--seed", "5")
    latents = gansynth.draw_latents(3, 5)
    assert (latents_in(folder) == latents).all()
    expected = within_full_scale(*gansynth.decode(latents, [60, 62, 60], batch_size=3))
    for number, name in enumerate(("timbre000_C4", "timbre001_D4", "timbre002_C4")):
        np.testing.assert_allclose(wav(folder, name), expected[number], atol=1e-6)
        assert (folder / f"{name}.png").stat().st_size > 1000
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == len(page.all("img")) == 3
    assert "3 timbres at random" in page.text


def test_notes_are_drawn_where_none_is_named(run: Callable, gansynth: GanSynthModel) -> None:
    folder = run("random", "--count", "6", "--no-pictures", "--no-page")
    notes = sorted(path.stem.split("_")[1] for path in folder.glob("*.wav"))
    assert notes == sorted({60: "C4", 61: "C#4", 62: "D4"}[int(note)] for note in gansynth.draw_notes(6, 0))
    assert not list(folder.glob("*.png"))
    assert not (folder / "index.html").exists()


def test_latents_of_a_file_are_played_again_and_one_of_them_at_every_note(
    run: Callable, gansynth: GanSynthModel
) -> None:
    latents = gansynth.draw_latents(4, 9)[1:]
    np.save("mine.npy", latents)
    folder = run("random", "--latents", "mine.npy", "--note", "C4", "--no-pictures", "--no-page")
    assert (latents_in(folder) == latents).all()
    expected = within_full_scale(*gansynth.decode(latents[[0]].repeat(3, axis=0), NOTES))
    folder = run("random", "--latents", "mine.npy", "--same_latent", "--no-pictures", "--no-page")
    for number, name in enumerate(("timbre000_C4", "timbre001_C#4", "timbre002_D4")):
        np.testing.assert_allclose(wav(folder, name), expected[number], atol=1e-6)


def test_two_models_are_rendered_on_the_same_latents(run: Callable, models: Path, read_page: Callable) -> None:
    folder = run("random", "--compare", str(models / "other"), "--count", "9", "--no-pictures")
    assert len(list(folder.glob("one_timbre*.wav"))) == len(list(folder.glob("other_timbre*.wav"))) == 9
    name = next(folder.glob("one_*.wav")).stem.removeprefix("one_")
    assert not np.allclose(wav(folder, f"one_{name}"), wav(folder, f"other_{name}"), atol=1e-3)
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert [word in page.text for word in ("Sounds 0 to 7 · one", "Sounds 0 to 7 · other", "Sounds 8 to 8 · other")]


def test_interpolation_begins_and_ends_with_its_latents(
    run: Callable, gansynth: GanSynthModel, read_page: Callable
) -> None:
    given = gansynth.draw_latents(3, 4)
    np.save("mine.npy", given)
    folder = run("interpolate", "--steps", "4", "--from", "mine.npy:2", "--note", "C4,D4", "--no-pictures")
    way = latents_in(folder)
    assert (way[0] == given[2]).all()
    assert (way[3] == gansynth.draw_latents(2, 0)[1]).all()
    expected = within_full_scale(*(sound for note in (60, 62) for sound in gansynth.decode(way, [note] * 4)))
    for place, name in enumerate(("C4", "D4")):
        for step in range(4):
            np.testing.assert_allclose(wav(folder, f"step{step:03d}_{name}"), expected[4 * place + step], atol=1e-6)
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 8
    assert {one["style"] for one in page.all("ol")} == {"--columns: 4"}


def test_a_hallucination_passes_each_point_once() -> None:
    keys = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    latents = points_between(keys, 3)
    assert len(latents) == 4 + 3 * 3
    assert (latents[::4] == keys).all()
    assert len(np.unique(latents, axis=0)) == len(latents)
    assert (points_between(keys, 0) == keys).all()
    assert (points_between(keys[:1], 3) == keys[:1]).all()


def test_a_hallucination_is_the_sum_of_its_notes(gansynth: GanSynthModel) -> None:
    latents = gansynth.draw_latents(3, 0)
    grain = Grain(spacing=0.005, trim=0.001, attack=0.002, sustain=0.005, release=0.003)
    made, gain = hallucinate(gansynth, latents, 61, grain, batch_size=2)
    level = np.interp(np.arange(80), [0, 16, 56, 79], [0, 1, 1, 0])
    expected = np.zeros(160)
    for number, sound in enumerate(gansynth.decode(latents, [61] * 3)):
        expected[40 * number :][:80] += sound[8:88] * level
    assert gain == pytest.approx(min(1.0, 1.0 / np.abs(expected).max()))
    np.testing.assert_allclose(made, expected * gain, atol=1e-5)


def test_a_sum_above_full_scale_is_attenuated_to_it(gansynth: GanSynthModel) -> None:
    loud, gain = hallucinate(gansynth, gansynth.draw_latents(20, 0), 60, Grain(0.001, 0, 0, 0.02, 0))
    assert gain < 1.0
    assert np.abs(loud).max() == pytest.approx(1.0)


def test_a_grain_longer_than_the_sound_is_held_by_a_loop() -> None:
    time = np.arange(4000) / 8000
    sound = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    shaped = Grain(0.4, 0.05, 0.5, 1.0, 0.5).shape(sound, 8000)
    assert len(shaped) == 16000
    peaks = np.abs(shaped.reshape(-1, 400)).max(axis=1)
    expected = np.interp(0.05 * np.arange(41), [0, 0.5, 1.5, 2], [0, 1, 1, 0])
    np.testing.assert_allclose(peaks, np.maximum(expected[1:], expected[:-1]), atol=0.03)


def test_notes_have_the_length_that_is_asked_for(run: Callable, gansynth: GanSynthModel) -> None:
    for command, words, name in (
        ("random", ("--count", "1"), "timbre000_C4"),
        ("interpolate", ("--steps", "2"), "step000_C4"),
    ):
        own = wav(run(command, *words, "--note", "C4", "--no-pictures", "--no-page"), name)
        long = wav(run(command, *words, "--note", "C4", "--seconds", "0.5", "--no-pictures", "--no-page"), name)
        assert (len(own), len(long)) == (160, 4000)
        np.testing.assert_allclose(long[:40], own[:40], atol=1e-5)
        assert np.abs(long[2000:3000]).max() > 0.1 * np.abs(own).max()
        short = wav(run(command, *words, "--note", "C4", "--seconds", "0.01", "--no-pictures", "--no-page"), name)
        assert len(short) == 80


def test_hallucination_is_written_with_its_points(run: Callable, read_page: Callable) -> None:
    folder = run("hallucinate", "--points", "3", "--steps", "1", "--spacing", "0.01", "--note", "D4")
    assert len(wav(folder, "hallucination_D4")) == 4 * 80 + 16000  # of 2 s each, longer than the model's
    assert len(list(folder.glob("point*_D4.wav"))) == len(latents_in(folder)) == 3
    page = read_page((folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("audio")) == 4
    assert "5 notes, 0.01 s apart" in page.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("random --note 59:61", "one plays 3 notes of 60 to 62. Received: note 59"),
        ("random --note H3", "a note is a letter"),
        ("random --count 0", "count must be greater than or equal to 1"),
        ("random --latents absent.npz", "no such latents: absent.npz"),
        ("random --latents wide.npy", "latents for one have shape (n, 8). Received: (2, 9) in wide.npy"),
        ("random --latents few.npy --count 3", "few.npy holds 2 latents. Received: --count 3"),
        ("random --same_latent --count 3", "Received: --count as well"),
        ("random --compare {}/narrow", "at the same rate. Received: 8000 Hz in"),
        ("random --compare {}/high", "models that are compared must share notes. Received: 60 to 62 in"),
        ("random --count 200 --seconds 60", "8,000 s of sound at most. Received: --seconds 60 for 200 notes"),
        ("random --seconds 0", "seconds must be greater than 0"),
        ("interpolate --steps 200 --seconds 60", "8,000 s of sound at most. Received: --seconds 60 for 200 notes"),
        ("interpolate --note 60:63", "Received: note 63"),
        ("interpolate --to few.npy:2", "rows of few.npy run from 0 to 1. Received: 2"),
        ("interpolate --steps 1000 --note 60:62", "2,000 sounds at most. Received: 1000 steps at 3 notes"),
        ("hallucinate --points 900 --steps 9", "5,000 notes and 1200 s at most. Received: 8,991 notes over"),
        ("hallucinate --trim 3", "must leave a part of each note of 0.02 s. Received: --trim 3"),
        ("hallucinate --attack 0 --sustain 0 --release 0", "trimming must leave a part of each note"),
        ("hallucinate --note C9", "Received: note 120"),
        ("rnadom", "unknown command 'rnadom'. Did you mean 'random'?"),
    ],
)
def test_what_cannot_be_made_is_one_line(
    run: Callable, models: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    np.save("wide.npy", np.zeros((2, 9)))
    np.save("few.npy", np.zeros((2, 8)))
    command, *rest = words.format(models).split()
    assert main(["gansynth", command]) == 2 if command == "rnadom" else run(command, *rest, code=2)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Error" in line]
    assert message in line
    assert not Path("out").exists()


def test_models_of_other_kinds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gansynth", "random", "--model", "C6XL"]) == 2
    assert "notes are made by a model 'gansynth'. Received: C6XL" in capsys.readouterr().err


def test_the_group_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gansynth", "--help"])
    assert ended.value.code == 0
    assert "  interpolate  notes between two timbres" in capsys.readouterr().out


def test_misspelt_command_is_named_whatever_follows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gansynth", "mdi", "song.mid", "--seed", "1"]) == 2
    assert "unknown command 'mdi'" in capsys.readouterr().err


def test_a_page_that_would_be_too_large_is_not_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(audio_page, "MOST_EMBEDDED", 100)
    sounds = [Clip(name, np.ones(60, np.float32)) for name in ("a", "b")]
    one = AudioPage("Two", "", [ClipRow("", sounds)], 8000)
    assert audio_page.write_audio_page(one, Path("out"), pictures=False) is None
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.wav", "b.wav"]
    assert "no page" in caplog.text
