"""`inversynth start` creates `.env` and the data folders, and never touches what exists."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from generators.audio import read_audio
from generators.files import written_whole
from inversynth.examples import SONG
from inversynth.playback.midi import read_score
from inversynth.start import BUNDLED_EXAMPLE, EXAMPLE, main

FOLDERS = ("test_datasets", "test_waves", "runs")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / EXAMPLE
    path.write_text("EPOCHS=3\n")
    return path


def test_start_makes_the_env_file_and_the_folders(example: Path) -> None:
    assert main([]) == 0
    assert Path(".env").read_text() == "EPOCHS=3\n"
    assert all(Path(folder).is_dir() for folder in FOLDERS)


def test_started_again_it_keeps_everything(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    Path(".env").write_text("EPOCHS=7\n")
    (Path("runs") / "mine").touch()
    assert main([]) == 0
    assert Path(".env").read_text() == "EPOCHS=7\n"
    assert (Path("runs") / "mine").exists()
    assert "kept .env" in capsys.readouterr().out


def test_folders_follow_the_settings(example: Path) -> None:
    Path(".env").write_text("OUTPUT_DIR=elsewhere/runs\n")
    assert main(["--dataset_dir", "data"]) == 0
    assert Path("elsewhere/runs").is_dir()
    assert Path("data").is_dir()
    assert not Path("runs").exists()


@pytest.mark.parametrize("place", FOLDERS)
def test_file_in_the_place_of_a_folder_is_refused(
    example: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(place).touch()
    assert main([]) == 2
    assert f"{place} must be a folder. Received: a file there" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["dataset_directory", "wavefile_directory", "output_dir", "examples_dir"])
def test_a_refusal_leaves_nothing_behind(example: Path, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").mkdir()
    assert main([f"--{flag}", "n" * 300]) == 2
    assert sorted(path.name for path in Path().iterdir()) == [EXAMPLE, "runs"]
    assert capsys.readouterr().out == ""


def test_examples_are_written_all_or_none(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> AbstractContextManager[Path]:
        if path.name == SONG:
            raise OSError(28, "No space left on device", str(path))
        return written_whole(path)

    monkeypatch.setattr("inversynth.start.written_whole", full)
    assert main([]) == 2
    assert [path.name for path in Path().iterdir()] == [EXAMPLE]


def test_folder_in_the_place_of_the_env_file_is_refused(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").mkdir()
    assert main([]) == 2
    assert ".env must be a file. Received: a folder" in capsys.readouterr().err


def test_full_disk_leaves_no_half_env_file(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open

    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def __init__(self, path: Path, mode: str) -> None:
            self.file = real_open(path, mode)

        def write(self, content: bytes) -> int:
            self.file.write(content[:3])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **_: Full(path, mode) if mode == "xb" else real_open(path, mode)
    )
    assert main([]) == 2
    assert not Path(".env").exists()


def test_without_an_example_in_the_folder_the_bundled_one_is_copied() -> None:
    assert main([]) == 0
    assert Path(".env").read_bytes() == BUNDLED_EXAMPLE.read_bytes()


def test_examples_are_sounds_and_a_song_that_can_be_used(example: Path) -> None:
    assert main(["--examples_dir", "mine"]) == 0
    assert sorted(path.suffix for path in Path("mine").iterdir()) == [".flac"] * 5 + [".mid"]
    assert all(read_audio(path).length > 0.2 for path in Path("mine").glob("*.flac"))
    notes = read_score(Path("mine") / SONG).notes
    assert (len(notes), notes[0].pitch, notes[-1].pitch) == (15, 64, 60)
    assert notes[-1].start + notes[-1].held == pytest.approx(16 * 60 / 150)


def test_examples_of_the_user_are_kept(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("examples").mkdir()
    (Path("examples") / "bell.flac").write_text("mine")
    main([])
    main([])
    assert (Path("examples") / "bell.flac").read_text() == "mine"
    assert "kept examples: five sounds and song.mid" in capsys.readouterr().out
