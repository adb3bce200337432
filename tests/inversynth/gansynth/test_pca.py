"""Directions of timbre: found where they were put, moved along by hand, and by the command as it is typed."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import ArrayLike, NDArray

from generators.errors import DatasetError, ParameterError
from inversynth.cli import main
from inversynth.gansynth.directions import Directions, find_directions, read_directions, write_directions
from inversynth.gansynth.pca import measures
from tests.gansynth_models import write_untrained

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

SCALES = np.array([5.0, 3.0, 2.0])


class Toy:
    """Lays the three numbers of a latent along three directions of twelve, on top of what the note gives."""

    latent, notes, name, fingerprint = 3, (60, 61), "toy", "0123456789abcdef"
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 3)))[0].T

    def check_notes(self, notes: ArrayLike) -> None:
        assert set(np.ravel(notes)) <= set(self.notes)

    def first_block(self, latents: ArrayLike, notes: ArrayLike) -> NDArray[np.float32]:
        laid = (np.asarray(latents) * SCALES) @ self.axes + np.asarray(notes)[:, np.newaxis]
        return laid.reshape(-1, 1, 3, 4).astype(np.float32)


def found(count: int = 2, samples: int | None = 3000, note: int = 61, seed: int = 0) -> Directions:
    return find_directions(Toy(), note, count, samples, seed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained(tmp_path_factory.mktemp("models") / "small.keras")


@pytest.fixture(scope="module")
def gansynth(model: Path) -> "GanSynthModel":
    from models.gansynth.inference import load_gansynth

    return load_gansynth(model)


# --- finding and moving ----------------------------------------------------------------------------------------


def test_directions_are_found_in_the_order_of_their_variance() -> None:
    printed: list[int] = []
    directions = find_directions(Toy(), 61, 3, 3000, on_latents=printed.append)  # type: ignore[arg-type]
    assert sum(printed) == 3000
    assert len(printed) > 1
    np.testing.assert_allclose(np.abs(directions.components @ Toy.axes.T), np.eye(3), atol=0.1)
    np.testing.assert_allclose(directions.deviations, SCALES, rtol=0.06)
    np.testing.assert_allclose(directions.shares, SCALES**2 / 38, rtol=0.12)
    np.testing.assert_allclose(directions.mean, 61, atol=0.3)
    assert (directions.note, directions.samples) == (61, 3000)


def test_directions_follow_from_the_seed() -> None:
    np.testing.assert_array_equal(found().components, found().components)
    assert not np.array_equal(found().components, found(seed=1).components)
    assert found(samples=None).samples == 4 * 12


def test_moving_adds_deviations_along_directions_to_the_mean_or_to_a_start() -> None:
    directions = found()
    np.testing.assert_allclose(directions.moved([0, 0]), directions.mean[np.newaxis], atol=1e-5)
    one, other = directions.components * directions.deviations[:, np.newaxis]
    np.testing.assert_allclose(directions.moved([[2, -1]])[0], directions.mean + 2 * one - other, atol=1e-4)
    start = np.arange(12.0)
    np.testing.assert_allclose(directions.moved([[0.5], [1]], start), start + np.outer([0.5, 1], one), atol=1e-4)
    with pytest.raises(ParameterError, match=r"there are 2 directions\. Received: amplitudes for 3"):
        directions.moved([1, 2, 3])


@pytest.mark.parametrize(("count", "samples"), [(13, 3000), (5, 4), (1, 1), (0, 100)])
def test_more_directions_than_latents_or_numbers_are_reported(count: int, samples: int) -> None:
    with pytest.raises(ParameterError, match=rf"12\. Received: {count} directions of {samples} latents"):
        found(count, samples)


def test_directions_of_a_network_are_those_of_all_its_activations_at_once(gansynth: "GanSynthModel") -> None:
    directions = find_directions(gansynth, 61, 4, 1100)
    latents = np.random.default_rng(5).normal(size=(1100, gansynth.latent)).astype(np.float32)
    seen = gansynth.first_block(latents, [61] * 1100).reshape(1100, -1).astype(np.float64)
    exact = np.linalg.svd(seen - seen.mean(axis=0), compute_uv=False)[:4] / np.sqrt(1099)
    np.testing.assert_allclose(directions.deviations, exact, rtol=0.12)
    np.testing.assert_allclose(directions.components @ directions.components.T, np.eye(4), atol=1e-5)


# --- what a sound is like --------------------------------------------------------------------------------------


def test_a_sine_measures_its_level_its_pitch_and_its_rise() -> None:
    time = np.arange(8000) / 8000
    sine = 0.5 * np.sin(2 * np.pi * 400 * time)
    level, centroid, rise = measures(sine, 8000)
    assert level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert centroid == pytest.approx(400, abs=1)
    assert rise == 0
    assert measures(sine * np.minimum(time / 0.5, 1), 8000)[2] == pytest.approx(450, abs=10)
    assert measures(np.zeros(100), 8000)[0] == -120


# --- files -----------------------------------------------------------------------------------------------------


def test_directions_are_read_as_they_were_written_and_for_their_model_alone(tmp_path: Path) -> None:
    directions = found()
    path = write_directions(tmp_path / "a.pca.npz", directions)
    again = read_directions(path, Toy())  # type: ignore[arg-type]
    for name, value in vars(directions).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    for change, words in (
        ({"fingerprint": "f" * 16}, "belong to the model"),
        ({"mean": np.zeros(5, np.float32)}, r"mean of toy have shape \(12,\)"),
        ({"deviations": np.full(2, np.nan, np.float32)}, "NaN"),
        ({"note": 60.5}, "whole numbers"),
    ):
        write_directions(path, replace(directions, **change))  # type: ignore[arg-type]
        with pytest.raises(DatasetError, match=words):
            read_directions(path, Toy())  # type: ignore[arg-type]


# --- the command -----------------------------------------------------------------------------------------------


def pca(model: Path, *words: str) -> int:
    return main(["gansynth", "pca", "--model", str(model), "--output_dir", "out", "--no-pictures", *words])


def test_command_finds_directions_renders_them_and_moves_along_them(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pca(model, "--components", "2", "--samples", "200", "--steps", "3") == 0
    printed = capsys.readouterr().out
    assert "2 directions hold " in printed
    assert "centroid, Hz" in printed
    assert len(list((tmp_path / "out").glob("direction*.wav"))) == 6
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<audio") == 6
    assert "Directions of timbre at C#4" in page
    fit = "out/small.pca.npz"
    assert pca(model, "--pca", fit, "--sliders=-1,0.5") == 0
    start, slid = (soundfile.read(tmp_path / "out" / f"{name}.wav")[0] for name in ("start", "sliders_-1_0.5"))
    middle = soundfile.read(tmp_path / "out" / "direction01_+0.000.wav")[0]
    np.testing.assert_allclose(start / np.abs(start).max(), middle / np.abs(middle).max(), atol=1e-5)
    assert np.abs(slid - start).max() > 1e-3
    assert pca(model, "--pca", fit, "--sliders", "0,0", "--on_top", "--note", "62", "--no-page") == 0
    assert not np.allclose(soundfile.read(tmp_path / "out" / "start.wav")[0], start)


def test_what_contradicts_itself_is_one_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, printed in (
        (["--pca", "a.pca.npz", "--samples", "9"], "holds directions already"),
        (["--sliders", "1", "--steps", "3"], "sliders give one sound"),
        (["--latent", "a.npz"], "Add --on_top"),
        (["--pca", "a.pca.npz"], "no such directions: a.pca.npz"),
        (["--note", "72"], "Received: note 72"),
        (["--components", "9", "--samples", "8"], "9 directions of 8 latents"),
    ):
        assert pca(model, *words) == 2
        error = capsys.readouterr().err.splitlines()
        assert [line for line in error if printed in line] == error[-1:], error
