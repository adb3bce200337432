"""Comparisons: regenerated sounds are the originals, and a dataset whose synth has changed is refused."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators.audio import read_audio
from generators.dataset import Dataset, dataset_path
from generators.dx7.dataset import Dx7Rows
from generators.errors import DatasetError, ModelError
from generators.generate import generate_dataset
from generators.registry import build_synth
from generators.synth import Synth
from inversynth.evaluation.compare import compare_rows, main, mean_scores, render_comparison, write_comparison
from inversynth.evaluation.evaluator import evaluate_methods
from inversynth.evaluation.held_out import held_out_rows
from inversynth.evaluation.methods import chance
from inversynth.evaluation.scores import write_scores
from models.model_files import load_model, read_card, save_model


@pytest.fixture
def sines(tmp_path: Path) -> Path:
    """Return a dataset of eight sine sounds that the small model file fits."""
    path = tmp_path / "sines.hdf5"
    generate_dataset(path, build_synth("sine", 8000, 0.25), 8, seed=3)
    return path


def test_regenerated_is_the_original_and_reconstructed_what_the_model_names(
    tmp_path: Path, fm: Synth, oracle_of: Callable
) -> None:
    path = tmp_path / "a.hdf5"
    generate_dataset(path, fm, 4, seed=1)
    with Dataset(path) as dataset:
        _, classes = dataset.read([2])
        first, second = compare_rows(dataset, [2, 0], oracle_of(fm, classes[0]))
    assert (first.row, second.row) == (2, 0)
    assert first.is_same
    assert second.is_same
    assert first.difference == 0.0
    assert first.inversion.patch.scores["stft_pcc"] == first.inversion.patch.scores["mpr"] == 100.0
    assert np.array_equal(first.inversion.audio, first.regenerated)
    assert np.array_equal(second.inversion.audio, first.regenerated)
    assert second.inversion.patch.scores["mpr"] < 80.0


def test_shards_are_compared_and_evaluated_as_the_whole(tmp_path: Path, model_file: Path, sines: Path) -> None:
    for number in (1, 2):
        path = dataset_path(tmp_path, "parts", (number, 2))
        generate_dataset(path, build_synth("sine", 8000, 0.25), 8, seed=3, shard=(number, 2))
    parts, model = tmp_path / "parts.*of2.hdf5", load_model(model_file)
    with Dataset(sines) as whole, Dataset(parts) as shards:
        found = [compare_rows(dataset, [1, 6], model) for dataset in (whole, shards)]
        scored = [evaluate_methods(each, [chance(each.space, 0)], bound_examples=0) for each in (whole, shards)]
    for one, other in zip(*found, strict=True):
        assert one.inversion.patch.scores == other.inversion.patch.scores
        np.testing.assert_array_equal(one.regenerated, other.regenerated)
    assert scored[0].results[0].groups == scored[1].results[0].groups


@pytest.mark.skipif(os.name != "posix", reason="bytes that are not UTF-8 are names on POSIX only")
def test_a_dataset_of_a_name_that_is_not_utf8_is_evaluated(tmp_path: Path, sines: Path) -> None:
    odd = sines.rename(tmp_path / "caf\udce9.hdf5")
    with Dataset(odd) as dataset:
        found = evaluate_methods(dataset, [chance(dataset.space, 0)], bound_examples=0)
    write_scores(tmp_path / "scores.json", found)
    assert json.loads((tmp_path / "scores.json").read_text())["dataset"]["file"] == r"caf\xe9.hdf5"


def test_normalised_dataset_is_regenerated_normalised(tmp_path: Path, fm: Synth, oracle_of: Callable) -> None:
    path = tmp_path / "a.hdf5"
    generate_dataset(path, fm, 2, seed=1, normalise=True)
    with Dataset(path) as dataset:
        (comparison,) = compare_rows(dataset, [1], oracle_of(fm, dataset.classes[1], features={"normalise": True}))
    assert comparison.is_same
    assert np.abs(comparison.inversion.audio).max() == pytest.approx(1.0)


def test_rows_of_the_dx7_are_rendered_at_their_own_notes_and_velocities(tmp_path: Path, oracle_of: Callable) -> None:
    path = tmp_path / "dx7.hdf5"
    synth = Dx7Rows(8000, 0.1, notes=[45, 57, 69], velocities=[30, 110], families=["organ"])
    generate_dataset(path, synth, 6, seed=0, sampling_method=synth.own_sampling)
    with Dataset(path) as dataset:
        found = compare_rows(dataset, range(6), oracle_of(synth, dataset.classes[1]))
        notes = dataset.labels["note"][:]
        assert len(set(notes)) > 1
        assert [comparison.inversion.patch.root for comparison in found] == list(notes)
        assert all(comparison.is_same for comparison in found)
        assert np.array_equal(found[1].inversion.audio, found[1].regenerated)
        with pytest.raises(DatasetError, match="rows to score have one note"):
            evaluate_methods(dataset, [chance(dataset.space, 0)])


def test_comparison_shows_three_sounds_a_row_and_needs_nothing_else(
    tmp_path: Path, fm: Synth, oracle_of: Callable, read_page: Callable
) -> None:
    path = tmp_path / "a.hdf5"
    generate_dataset(path, fm, 3, seed=1)
    with Dataset(path) as dataset:
        model = oracle_of(fm, dataset.classes[0])
        comparisons = compare_rows(dataset, [0, 2], model)
        page = read_page(render_comparison(comparisons, model.card, dataset, "A remark."))
        report = write_comparison(tmp_path / "out", comparisons, model.card, dataset)
    assert len(page.all("audio")) == 6
    assert [svg["aria-label"] for svg in page.all("svg")][:2] == [
        "Log-mel picture of row 0, original over 0.25 s",
        "Log-mel picture of row 0, regenerated over 0.25 s",
    ]
    assert "A remark." in page.text
    assert page.text.count("regenerated as it was") == 2
    assert all(name in page.text for name in fm.space.names)
    files = sorted(file.relative_to(report.parent).as_posix() for file in report.parent.rglob("*.*"))
    names = ("original.wav", "patch.json", "reconstructed.wav", "regenerated.wav")
    assert files == ["report.html", *(f"row_{row:05d}/{name}" for row in (0, 2) for name in names)]
    original = read_audio(report.parent / "row_00002" / "original.wav").audio
    assert np.array_equal(original, comparisons[1].inversion.target.audio)


def test_door_compares_the_rows_that_are_named(
    model_file: Path, sines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(model_file), "--dataset", str(sines), "--rows", "1,5,1,1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("row 1:") == 1
    assert printed.splitlines()[0].startswith("row 1: Log-mel distance ")
    assert "row 5:" in printed
    assert printed.splitlines()[-1] == "output/comparison/report.html"


def test_door_draws_as_many_rows_as_are_asked_for(
    model_file: Path, sines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", str(model_file), "--dataset", str(sines), "--num", "3", "--output_dir", "out"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out == first
    assert first.count("row ") == 3


@pytest.mark.parametrize("count", [-1, "many", None, 1e9, [4]])
def test_a_card_that_does_not_say_on_how_many_sounds_it_was_trained_is_refused(
    tmp_path: Path, model_file: Path, sines: Path, count: object
) -> None:
    data = {"synth": "sine", "seed": 3, "sampling_method": "random", "num_examples": count}
    odd = tmp_path / "odd.keras"
    save_model(load_model(model_file).model, odd, replace(read_card(model_file), training={"data": data}))
    with Dataset(sines) as dataset, pytest.raises(ModelError, match="must say on how many sounds it was trained"):
        held_out_rows(dataset, [odd])


def test_report_says_whether_the_model_was_trained_on_the_rows(tmp_path: Path, model_file: Path, sines: Path) -> None:
    card = read_card(model_file)
    trained = tmp_path / "trained.keras"
    data = {"synth": "sine", "seed": 3, "sampling_method": "random", "num_examples": 8}
    save_model(load_model(model_file).model, trained, replace(card, training={"data": data, "seed": 0}))
    for model, words in ((model_file, "trained on none of these rows"), (trained, "trained or chosen on 2 of these 2")):
        assert main(["--model", str(model), "--dataset", str(sines), "--num", "2", "--output_dir", "out"]) == 0
        assert words in (tmp_path / "out" / "report.html").read_text()


def test_dataset_whose_sounds_have_changed_is_reported_and_refused(
    tmp_path: Path, model_file: Path, sines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Dataset(sines, writable=True) as dataset:
        dataset.audio[1] = 0.5 * dataset.audio[1]
    assert main(["--model", str(model_file), "--dataset", str(sines), "--rows", "0,1"]) == 2
    printed = capsys.readouterr()
    assert "row 1 of" in printed.err
    assert "1 of 2 rows that differ" in printed.err
    assert "regenerated differently" in (tmp_path / "output" / "comparison" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "8"], "run from 0 to 7. Received: 8"),
        (["--rows", "-1"], "run from 0 to 7. Received: -1"),
        (["--rows", "a"], "rows"),
        (["--num", "0"], "num must be greater than or equal to 1"),
        (["--dataset", "none.hdf5"], "no such dataset"),
        (["--model", "none.keras"], "no such model"),
    ],
)
def test_fault_is_printed_in_one_line(
    model_file: Path, sines: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--model": str(model_file), "--dataset": str(sines)} | {words[0]: words[1]}
    assert main([f"{flag}={value}" for flag, value in given.items()]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "a"]) == 2
    assert "dataset is required" in capsys.readouterr().err


def test_model_of_other_sounds_and_unfinished_rows_are_refused(
    tmp_path: Path, fm: Synth, oracle_of: Callable, sines: Path
) -> None:
    path = tmp_path / "a.hdf5"
    generate_dataset(path, fm, 2, seed=1)
    with Dataset(path, writable=True) as dataset:
        model = oracle_of(fm, dataset.classes[0])
        with pytest.raises(ModelError, match=r"length 1 against 0\.25"):
            compare_rows(dataset, [0], oracle_of(build_synth("fm"), dataset.classes[0]))
        with Dataset(sines) as others, pytest.raises(ModelError, match="synth 'fm' against 'sine'"):
            compare_rows(others, [0], model)
        dataset.done[1] = False
        with pytest.raises(DatasetError, match=r"row 1 of .* is not finished"):
            compare_rows(dataset, [1], model)


def test_means_take_differences_by_size_and_leave_out_what_is_missing() -> None:
    scores = [{"pitch_cents": -100.0, "stft_pcc": 90.0}, {"pitch_cents": 50.0, "stft_pcc": -10.0}, {"stft_pcc": 10.0}]
    assert mean_scores(scores) == {"pitch_cents": 75.0, "stft_pcc": 30.0}
