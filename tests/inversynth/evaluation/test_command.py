"""`inversynth evaluate`: its files and tables, the sounds it refuses to score on, and its faults in one line."""

import csv
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from generators.analysis.audio_metrics import MEASURES
from generators.dataset import Dataset
from generators.generate import generate_dataset
from generators.sine_generator import SineSynth
from inversynth.evaluation import command as evaluation
from inversynth.evaluation.held_out import held_out_rows
from inversynth.evaluation.scores import PARAMETER_MEASURES
from models.model_files import ModelCard, save_model
from models.registry import find_recipe
from models.training.splits import split_rows

RATE, LENGTH = 4096, 0.25
SYNTH = SineSynth(RATE, LENGTH)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of an untrained model."""
    path = tmp_path_factory.mktemp("models") / "C1.keras"
    model = find_recipe("C1").build(SYNTH.space, RATE, SYNTH.samples, seed=0)
    save_model(model, path, ModelCard("C1", "sine", SYNTH.space.to_json(), RATE, LENGTH))
    return path


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(saved, tmp_path / "C1.keras"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "sine.hdf5"
    generate_dataset(path, SYNTH, 40, seed=7, workers=1)
    return path


def give_card(path: Path, **changes: object) -> None:
    """Save the model anew with another card."""
    from models.model_files import load_model

    loaded = load_model(path)
    save_model(loaded.model, path, replace(loaded.card, **changes))


def trained_on(dataset: Path, **settings: object) -> dict:
    """What training writes into a card."""
    with Dataset(dataset) as data:
        identity = {**asdict(data.card), "space": data.space.fingerprint}
    return {"seed": 3, **settings, "data": identity}


def fault(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def evaluate(*argv: str | Path) -> int:
    return evaluation.main([*map(str, argv)])


# --- what it writes ---------------------------------------------------------------------------------------------------


def test_scores_are_printed_and_written_beside_the_model(
    model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(model, "--dataset", dataset, "--num_examples", "20", "--identifiability", "3") == 0
    out = capsys.readouterr().out
    assert "sine.hdf5: 20 of 40 sounds of sine, 0.25 s at 4096 Hz; condition clean; seed 0" in out
    for word in (
        *(measure.title for measure in MEASURES.values()),
        "MPR",
        "top-5 %",
        "chance",
        "oracle",
        "possible",
        "f1",
    ):
        assert word in out, word
    scores = json.loads(model.with_name("evaluation.json").read_text())
    assert scores["schema"] == "inversynth-evaluation/1"
    assert (scores["n"], scores["seed"], scores["level"], scores["bound"]["n"]) == (20, 0, 0.95, 3)
    assert scores["dataset"]["seed"] == 7
    assert [(row["name"], row["kind"], row["render_budget"]) for row in scores["results"]] == [
        ("C1", "model", 0),
        ("chance", "chance", 0),
        ("oracle", "oracle", 0),
    ]
    for row in scores["results"]:
        assert row["seconds_per_sound"] >= 0
        assert set(row["parameters"]) == {"f1", "f2", "a1", "a2"}
        assert set(row["groups"]) == {"Notes", "Amplitudes", "All"}
        assert set(row["groups"]["All"]) == set(PARAMETER_MEASURES)
        assert set(row["reconstruction"]) == set(MEASURES)
        for statistics in row["reconstruction"].values():
            for estimate in (statistics["mean"], statistics["median"]):
                assert estimate["low"] <= estimate["value"] <= estimate["high"]


def test_csv_holds_the_same_numbers(model: Path, dataset: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "scores.csv"
    assert evaluate(model, "--dataset", dataset, "--identifiability", "2", "--output", output) == 0
    scores = json.loads(output.with_suffix(".json").read_text())
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (7 * (4 + 3) + 2 * len(MEASURES)) + 2 * (4 + 3)
    found = next(r for r in rows if (r["name"], r["subject"], r["measure"]) == ("C1", "All", "mpr"))
    assert float(found["value"]) == scores["results"][0]["groups"]["All"]["mpr"]["value"]
    assert (found["kind"], found["of"], found["n"], found["seed"]) == ("model", "group", "40", "0")
    found = next(r for r in rows if (r["name"], r["subject"], r["measure"]) == ("oracle", "stft_pcc", "median"))
    assert float(found["value"]) == pytest.approx(100.0)


def test_json_is_all_that_is_printed(model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(model, "--dataset", dataset, "--json", "--identifiability", "0") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(model.with_name("evaluation.json").read_text())
    assert printed["bound"] is None


def test_the_same_command_gives_the_same_scores(model: Path, dataset: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert evaluate(model, "--dataset", dataset, "--num_examples", "10", "--output", tmp_path / name) == 0
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("a", "b"))
    for row in (*first["results"], *second["results"]):
        row["seconds_per_sound"] = 0.0
    assert first == second


def test_models_of_one_name_get_their_own_names(model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = model.parent / "run" / "best.keras"
    other.parent.mkdir()
    other.write_bytes(model.read_bytes())
    assert evaluate(model, other.parent, "--dataset", dataset, "--json", "--identifiability", "0") == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["results"]]
    assert names == [f"C1 ({model.parent.name}/C1.keras)", "C1 (run/best.keras)", "chance", "oracle"]


def test_environment_does_not_steer_a_measurement(
    model: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NUM_EXAMPLES", "3")
    monkeypatch.setenv("SEED", "8")
    assert evaluate(model, "--dataset", dataset, "--json", "--identifiability", "0") == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["n"], scores["seed"]) == (40, 0)


# --- sounds a model was trained on ------------------------------------------------------------------------------------


def test_a_model_is_not_scored_on_the_sounds_it_was_trained_on(
    model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    give_card(model, training=trained_on(dataset))
    assert evaluate(model, "--dataset", dataset) == 2
    message = fault(capsys)
    assert message.startswith("ModelError:")
    assert "must be scored on sounds that it was not trained on" in message
    assert "Generate another with --seed 8" in message


def test_a_larger_dataset_of_the_same_seed_offers_only_its_further_rows(
    model: Path, dataset: Path, tmp_path: Path
) -> None:
    give_card(model, training=trained_on(dataset))
    larger = tmp_path / "larger.hdf5"
    generate_dataset(larger, SYNTH, 55, seed=7, workers=1)
    with Dataset(larger) as data:
        assert list(held_out_rows(data, [model])) == list(range(40, 55))


def test_another_seed_is_another_set_of_sounds(model: Path, dataset: Path, tmp_path: Path) -> None:
    give_card(model, training=trained_on(dataset))
    other = tmp_path / "other.hdf5"
    generate_dataset(other, SYNTH, 30, seed=8, workers=1)
    with Dataset(other) as data:
        assert len(held_out_rows(data, [model])) == 30


@pytest.mark.parametrize("folds", [{"test_split": 0.2, "folds": 1}, {"folds": 4, "fold": 3}])
def test_of_a_run_and_its_own_dataset_the_test_split_is_scored(
    model: Path, dataset: Path, tmp_path: Path, folds: dict
) -> None:
    give_card(model, training=trained_on(dataset))
    run = tmp_path / "run"
    run.mkdir()
    best = model.rename(run / "best.keras")
    settings = {"seed": 3, "validation_split": 0.1, **folds}
    (run / "settings.json").write_text(
        json.dumps({"schema": "inversynth-run/1", "software": "", "settings": settings, "data": {}})
    )
    split = split_rows(40, 3, 0.1, folds.get("test_split", 0.1), folds["folds"], folds.get("fold", 1) - 1)
    with Dataset(dataset) as data:
        rows = held_out_rows(data, [best])
    assert list(rows) == list(split["test"])
    assert 0 < len(rows) < 20


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_model_of_another_space_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from generators.fm_generator import FmSynth

    path = tmp_path / "fm.hdf5"
    generate_dataset(path, FmSynth(8192, 0.1), 3, workers=1)
    assert evaluate(model, "--dataset", path) == 2
    assert "must be a model of the sounds in" in (message := fault(capsys))
    assert message.endswith("Received: synth 'sine' against 'fm'")


@pytest.mark.parametrize(
    ("synth", "difference"),
    [
        (SineSynth(8192, LENGTH), "sample_rate 4096 against 8192"),
        (SineSynth(RATE, 0.5), "length 0.25 against 0.5"),
    ],
)
def test_sounds_of_another_rate_or_length_are_refused(
    model: Path, tmp_path: Path, synth: SineSynth, difference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    generate_dataset(tmp_path / "other.hdf5", synth, 3, workers=1)
    assert evaluate(model, "--dataset", tmp_path / "other.hdf5") == 2
    assert fault(capsys).endswith(f"Received: {difference}")


def test_a_dataset_without_finished_rows_is_refused(
    model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Dataset(dataset, writable=True) as data:
        data.forget()
    assert evaluate(model, "--dataset", dataset) == 2
    assert "has no finished rows" in fault(capsys)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "dataset is required"),
        (["C1.keras"], "dataset is required"),
        (["C1.keras", "--dataset", "no.hdf5"], "no such dataset: no.hdf5"),
        (["no.keras", "--dataset", "sine.hdf5"], "no such model: no.keras"),
        (
            ["C1.keras", "--dataset", "sine.hdf5", "--num_examples", "0"],
            "num_examples must be greater than or equal to 1",
        ),
        (["C1.keras", "--dataset", "sine.hdf5", "--num_exampels", "5"], "Did you mean --num_examples?"),
        (["C1.keras", "--dataset", "sine.hdf5", "--output", "sine.hdf5/x"], "cannot write"),
    ],
)
def test_faults_take_one_line(
    model: Path, dataset: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*argv) == 2
    assert message in fault(capsys)


def test_a_folder_in_the_place_of_the_scores_is_found_before_the_work(
    model: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation.csv").mkdir()
    assert evaluate(model, "--dataset", dataset) == 2
    assert "evaluation.csv: it is a folder" in fault(capsys)
    assert not (tmp_path / "evaluation.json").exists()


def test_weights_that_are_no_numbers_are_refused(
    model: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from models.model_files import load_model

    loaded = load_model(model)
    loaded.model.set_weights([np.full(weight.shape, np.nan) for weight in loaded.model.get_weights()])
    save_model(loaded.model, model, loaded.card)
    assert evaluate(model, "--dataset", dataset) == 2
    assert "must lie in 0..1. Received: numbers outside, or NaN, from C1" in fault(capsys)


def test_interrupted_it_ends_with_130(
    model: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "evaluate_methods", interrupt)
    assert evaluate(model, "--dataset", dataset) == 130
    assert "Traceback" not in capsys.readouterr().err
