"""From a folder of patches to a page of controls, by the commands as they are typed; and what is no use for it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.registry import build_synth
from inversynth import macros
from inversynth.cli import main
from inversynth.patches.patch import Patch, read_patch, render_patch, write_patch
from inversynth.train import read_patches

SYNTH = build_synth("sine", 8000, 0.25)


def write_patches(folder: Path, count: int, synth=SYNTH) -> Path:
    """Write patches of a family: the second half of the knobs goes against the first."""
    knobs = len(synth.space) // 2
    for number, place in enumerate(np.random.default_rng(0).random(count)):
        unit = np.concatenate([np.full(knobs, place), np.full(len(synth.space) - knobs, 1.0 - place)])
        values = synth.space.unit_to_values(unit)
        (folder / f"sound{number}").mkdir(parents=True)
        patch = Patch(synth.space, values, synth.sample_rate, synth.length, model="C6")
        write_patch(folder / f"sound{number}" / "patch.json", patch)
    return folder


def train_words(patches: Path, *more: str) -> list[str]:
    return ["train", "--model", "macros", "--patches", str(patches), "--epochs", "1", "--macros", "2", *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("macros")
    patches = write_patches(folder / "found", 30)
    assert main(train_words(patches, "--output_dir", str(folder / "runs"))) == 0
    return folder / "runs" / "macros_found"


@pytest.fixture(scope="module")
def written(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    assert main(["macros", str(run), "--positions", "3", "--output_dir", str(folder)]) == 0
    return folder


def test_page_plays_every_position_and_asks_for_nothing(written: Path, read_page: Callable) -> None:
    page = read_page((written / "macros.html").read_text(encoding="utf-8"))
    players = page.all("audio")
    assert len(players) == len(page.all("img")) == 2 * 3
    assert all(player["src"].startswith("data:audio/wav;base64,") for player in players)
    assert [one["max"] for one in page.all("input")] == ["3", "3"]
    assert len({player["src"] for player in players}) >= 3  # the second has nothing to add
    assert "of 3 patches held out, by 2 numbers in place of 4 knobs" in page.text


def test_every_position_is_saved_as_its_patch_sounds(written: Path) -> None:
    places = sorted(written.glob("macro_*/position_*"))
    assert [place.relative_to(written).as_posix() for place in places] == [
        f"macro_{control}/position_{position}" for control in (1, 2) for position in (1, 2, 3)
    ]
    for place in places:
        patch = read_patch(place / "patch.json")
        audio, rate = soundfile.read(place / "sound.wav", dtype="float32")
        assert rate == 8000
        np.testing.assert_allclose(audio, render_patch(patch), atol=1e-4)
    assert read_patch(places[4] / "patch.json").source == {"macro": 2, "slider": 0.5, "run": "macros_found"}


def test_first_control_moves_the_knobs_against_each_other(written: Path) -> None:
    first, last = (
        SYNTH.space.values_to_unit(read_patch(written / "macro_1" / f"position_{number}" / "patch.json").values)
        for number in (1, 3)
    )
    change = last - first
    assert np.all(np.abs(change) > 0.5)
    assert np.sign(change[0]) == np.sign(change[1]) == -np.sign(change[2]) == -np.sign(change[3])


def test_a_control_is_described_by_what_it_moves(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    assert main(["macros", str(run), "--positions", "2", "--output_dir", str(tmp_path)]) == 0
    first, second, page = capsys.readouterr().out.splitlines()
    assert first.startswith("macro 1 (")
    assert sorted(word.split()[1] for word in first.split("): ")[1].split(", ")) == ["down", "down", "up", "up"]
    assert second.startswith("macro 2 (")
    assert page == str(tmp_path / "macros.html")


@pytest.mark.parametrize(
    ("places", "direction"),
    [([0, 0.5, 1], "up"), ([1, 0.2, 0.1], "down"), ([0.1, 0.9, 0.1], "up and down"), ([0.8, 0.1, 0.9], "down and up")],
)
def test_directions_of_a_knob_have_names(places: list[float], direction: str) -> None:
    assert macros._direction(np.asarray(places)) == direction


def test_patches_are_found_at_any_depth_and_those_of_macros_left_out(written: Path, tmp_path: Path) -> None:
    folder = write_patches(tmp_path / "a" / "b", 3).parent
    (folder / "bell.patch.json").write_bytes((folder / "b" / "sound0" / "patch.json").read_bytes())
    (folder / "macro.patch.json").write_bytes((written / "macro_1" / "position_1" / "patch.json").read_bytes())
    (folder / "notes.json").write_text("{}")
    patches = read_patches(folder)
    assert len(patches) == 4
    assert (patches.sample_rate, patches.length, patches.space.synth) == (8000, 0.25, "sine")
    np.testing.assert_allclose(patches.unit[:, 0], 1.0 - patches.unit[:, 3], atol=1e-6)


def faults_of(folder: Path, kind: str) -> Path:
    """Make a folder that nothing can be learned from."""
    if kind == "absent":
        return folder / "absent"
    if kind == "file":
        (folder / "file").write_text("")
        return folder / "file"
    if kind == "few":
        return write_patches(folder / "few", 5)
    if kind == "one":
        return write_patches(folder / "one", 1)
    if kind == "mixed":
        write_patches(folder / "mixed" / "fm", 2, build_synth("fm", 16384, 0.25))
        return write_patches(folder / "mixed", 10)
    if kind == "broken":
        broken = write_patches(folder / "broken", 10)
        (broken / "sound3" / "patch.json").write_text("{")
        return broken
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("absent", "which is none. Name another --patches"),
        ("file", "which is none. Name another --patches"),
        ("empty", "holds no patch.json. Make some with: inversynth invert"),
        ("few", "2 macros need 6 patches to train on, 3 each. Received: 3 of the 5 in folder"),
        ("one", "2 macros need 6 patches to train on, 3 each. Received: 0 of the 1 in folder"),
        ("mixed", "Received: fm (0.25 s at 16384 Hz), and sine (0.25 s at 8000 Hz) in"),
        ("broken", "must be JSON"),
    ],
)
def test_useless_folders_are_refused_in_one_line(
    kind: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_words(faults_of(tmp_path, kind), "--output_dir", str(tmp_path / "runs"))) == 2
    printed = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(printed) == 1
    assert message in printed[0]


def test_commands_refuse_models_of_the_other_kind(
    run: Path, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros(2000), 8000)
    for words, message in (
        (["macros", str(model_file)], "must be a model of macros. Received: tiny. Train one with"),
        (["macros", str(tmp_path)], "holds no best.keras"),
        (
            ["invert", str(tmp_path / "sound.wav"), "--model", str(run)],
            "is a model of patches and estimates no parameters of a sound. Use it with: inversynth macros",
        ),
        (["train", "--model", "C3", "--patches", str(tmp_path)], "unknown argument --patches"),
    ):
        assert main(words) == 2
        printed = capsys.readouterr().err.splitlines()
        assert len(printed) == 1
        assert message in printed[0]


def test_inspect_describes_a_run_of_macros(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(run), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["settings"]["macros"] == 2
    assert described["data"]["patches"] == 30
    assert set(described["test"]["explained_variance"]) == {*SYNTH.space.groups, "All"}
    assert main(["inspect", str(run)]) == 0
    assert "explained_variance" in capsys.readouterr().out
