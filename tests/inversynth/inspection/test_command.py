"""`inversynth inspect` and `inversynth list`: descriptions of all there is, and errors for what is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from generators.dataset import Card, Dataset
from generators.generate import generate_dataset
from generators.registry import SYNTHS
from generators.sine_generator import SineSynth
from inversynth.inspection import command as inspection
from inversynth.inspection import descriptions
from inversynth.inspection.presets import OF_SYNTHS, presets_of
from inversynth.systems import SYSTEMS
from models.model_files import ModelCard, save_model
from models.registry import RECIPES, find_recipe

SHAPERS = ("neurosynth", "neurosynth-adversarial")

RATE, LENGTH = 4096, 0.25
SYNTH = SineSynth(RATE, LENGTH)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "sine.hdf5"
    generate_dataset(path, SYNTH, 300, seed=7, workers=1)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "C1.keras"
    card = ModelCard(
        "C1",
        "sine",
        SYNTH.space.to_json(),
        RATE,
        LENGTH,
        features={"input": "log_spectrogram"},
        training={"epoch": 3, "history": [{"epoch": 1}]},
        scores={"test": {"n": 30, "mpr": {"Notes": 99.0, "All": 87.25}}},
    )
    save_model(find_recipe("C1").build(SYNTH.space, RATE, SYNTH.samples, seed=0), path, card)
    return path


def inspect(*argv: str | Path) -> int:
    return inspection.main([*map(str, argv)])


def inspect_json(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict:
    assert inspect(*argv, "--json") == 0
    return json.loads(capsys.readouterr().out)


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_many_classes_share_bars() -> None:
    assert descriptions._bars([0, 8, 4]) == "▁█▅"
    assert descriptions._bars([0] * 64 + [1] * 64) == "▁" * 16 + "█" * 16
    assert len(descriptions._bars([1] * 33)) == 17


def test_a_dataset_describes_its_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.hdf5"
    names = {"instrument": [f"sound{i}" for i in range(20)]}
    options = json.dumps({"names": names, "gain": 0.5})
    card = Card(
        "sine", SYNTH.space.to_json(), RATE, 0.01, 0, "random", False, 30, options, (), (("instrument", "int32"),)
    )
    with Dataset.create(path, card) as made:
        rows = np.minimum(np.arange(30), 19)
        made.write(slice(0, 30), np.zeros((30, 41)), np.zeros((30, 4)), np.zeros((30, 4)), instrument=rows)
    described = inspect_json(capsys, path)
    assert described["labels"] == {"instrument": {f"sound{i}": 1 if i < 19 else 11 for i in range(20)}}
    assert json.loads(described["options"]) == {"gain": 0.5}
    assert inspect(path) == 0
    out = capsys.readouterr().out
    assert "sound19 11, sound0 1, sound1 1" in out
    assert "sound6 1, … 12 more" in out


def test_a_dataset_describes_its_card_level_and_spread(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = inspect_json(capsys, dataset)
    assert (described["kind"], described["synth"], described["seed"], described["done"], described["num_examples"]) == (
        "dataset",
        "sine",
        7,
        300,
        300,
    )
    assert described["duration"] == pytest.approx(75.0)
    assert described["file_bytes"] == dataset.stat().st_size
    assert described["level"]["sampled"] == descriptions.SAMPLED
    assert -20 < described["level"]["peak_db"]["median"] <= 0
    assert described["level"]["silent"] == described["level"]["above_full_scale"] == 0
    assert set(described["histograms"]) == {"f1", "f2", "a1", "a2"}
    for histogram in described["histograms"].values():
        assert sum(histogram["counts"]) == 300
        assert histogram["p_even"] > 1e-4


def test_a_dataset_fits_a_screen(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(dataset) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    assert "300 of 300 rows (finished)" in "\n".join(lines)
    assert any(set("▁▂▃▄▅▆▇█") & set(line) for line in lines)


def test_an_unfinished_dataset_states_so(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Dataset(dataset, writable=True) as data:
        data.done[100:] = False
    assert inspect_json(capsys, dataset)["done"] == 100
    assert inspect(dataset) == 0
    assert "100 of 300 rows (unfinished" in capsys.readouterr().out


def test_a_dataset_without_rows_can_be_looked_at(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Dataset(dataset, writable=True) as data:
        data.forget()
    described = inspect_json(capsys, dataset)
    assert described["level"] == {}
    assert {histogram["p_even"] for histogram in described["histograms"].values()} == {1.0}
    assert inspect(dataset) == 0


def test_uneven_classes_silence_and_overload_are_noticed(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Dataset(dataset, writable=True) as data:
        data.classes[:, 0] = 0
        data.audio[0] = 0.0
        data.audio[299] = 2.0
    described = inspect_json(capsys, dataset)
    assert described["histograms"]["f1"]["counts"] == [300, 0, 0]
    assert described["histograms"]["f1"]["p_even"] < 1e-6
    assert (described["level"]["silent"], described["level"]["above_full_scale"]) == (1, 1)
    assert described["level"]["peak_db"]["highest"] == pytest.approx(6.02, abs=0.01)


def test_a_dataset_passes_through_in_blocks(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = inspect_json(capsys, dataset)
    monkeypatch.setattr(descriptions, "BLOCK", 7)
    assert inspect_json(capsys, dataset) == whole


# --- models and runs --------------------------------------------------------------------------------------------------


def test_a_model_file_describes_its_card_scores_and_layers(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = inspect_json(capsys, model)
    assert (described["kind"], described["model"], described["synth"], described["sample_rate"]) == (
        "model file",
        "C1",
        "sine",
        RATE,
    )
    assert described["training"] == {"epoch": 3}
    assert len(described["weights_sha256"]) == 64
    assert described["layers"][0]["output_shape"] == [1024]
    assert described["layers"][-1]["output_shape"] == [12]
    assert sum(layer["weights"] for layer in described["layers"]) == described["weights"]
    assert inspect(model) == 0
    assert "scores: mpr 87.25 on 30 sounds" in capsys.readouterr().out


def test_a_run_folder_describes_how_far_it_is(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "C1_sine"
    run.mkdir()
    settings = {"schema": "inversynth-run/1", "software": "x", "settings": {"seed": 3}, "data": {"synth": "sine"}}
    (run / "settings.json").write_text(json.dumps(settings))
    assert inspect(run) == 0
    assert "no model yet" in capsys.readouterr().out
    (run / "best.keras").write_bytes(model.read_bytes())
    (run / "metrics.json").write_text(json.dumps({"test": {"n": 5, "mpr": {"All": 61.5}}}))
    described = inspect_json(capsys, run)
    assert (described["kind"], described["epochs"], described["settings"], described["test"]["mpr"]) == (
        "run",
        0,
        {"seed": 3},
        {"All": 61.5},
    )
    assert described["model"]["model"] == "C1"
    assert set(described["files"]) == {"settings.json", "best.keras", "metrics.json"}
    assert inspect(run) == 0
    assert "mpr 61.5 on 5 sounds" in capsys.readouterr().out


@pytest.mark.parametrize("preset", OF_SYNTHS)
def test_a_model_by_name_is_built_at_a_preset(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    described = inspect_json(capsys, "c3", "--preset", preset)
    assert (described["kind"], described["model"], described["preset"]["name"]) == ("model", "C3", preset)
    assert described["layers"][-1]["output_shape"] == [SYNTHS[OF_SYNTHS[preset].synth].space.size]
    if preset == "paper":
        assert described["weights"] == RECIPES["C3"].parameters


@pytest.mark.parametrize(
    ("name", "default", "known"),
    [
        ("nsynth", "tiny", {"full", "medium", "tiny", "shallow", "smoke"}),
        ("nsynth-baseline", "tiny", {"full", "tiny", "short"}),
        ("note-classifier", "tiny", {"full", "tiny", "short"}),
        ("gansynth", "tiny", {"release", "release-low", "tiny", "smoke"}),
        ("wae", "tiny", {"paper", "tiny", "smoke"}),
        ("mcnn", "tiny", {"paper", "small", "tiny", "smoke"}),
        ("neurosynth", "envelope", {"envelope"}),
        ("macros", "fm", {"fm"}),
        ("C6", "paper", set(OF_SYNTHS)),
    ],
)
def test_every_model_has_presets_of_its_own(name: str, default: str, known: set[str]) -> None:
    presets = presets_of(find_recipe(name))
    assert next(iter(presets)) == default
    assert set(presets) == known


def test_presets_do_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "3")
    assert presets_of(find_recipe("nsynth"))["full"].settings["batch_size"] == 32


@pytest.mark.parametrize(
    ("name", "preset", "count"),
    [
        ("nsynth", "tiny", 180_808),
        ("mcnn", "tiny", 466_856),
        ("wae", "smoke", None),
        ("gansynth", "smoke", None),
        ("note-classifier", "short", None),
        ("neurosynth", "envelope", None),
        ("macros", "fm", None),
    ],
)
def test_a_model_of_a_system_is_built_at_its_preset(
    name: str, preset: str, count: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    described = inspect_json(capsys, name, "--preset", preset)
    assert (described["model"], described["preset"]["name"]) == (name, preset)
    assert sum(layer["weights"] for layer in described["layers"]) == described["weights"]
    assert count is None or described["weights"] == count


def test_a_preset_of_another_model_is_refused(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect("nsynth", "--preset", "paper") == 2
    assert "unknown preset 'paper'. Known: tiny, full, medium, shallow, smoke" in capsys.readouterr().err
    assert inspect(dataset, "--preset", "paper") == 2
    assert "--preset goes with a model by its name" in capsys.readouterr().err


def test_a_layer_of_two_outputs_is_described_by_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    described = inspect_json(capsys, "inverter")
    assert described["weights"] == RECIPES["inverter"].parameters
    bank = next(layer for layer in described["layers"] if layer["kind"] == "OscillatorCandidates")
    assert bank["output_shape"][0] == 48


def test_other_spellings_of_a_model_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect_json(capsys, "fc linear", "--preset", "sine")["model"] == "FC_Linear"


def test_fixed_weights_are_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect("FC1", "--preset", "sine") == 0
    assert "of them fixed" in capsys.readouterr().out


@pytest.mark.parametrize("synth", SYNTHS)
def test_a_synth_by_name_describes_its_knobs(synth: str, capsys: pytest.CaptureFixture[str]) -> None:
    described = inspect_json(capsys, synth)
    assert [parameter["name"] for parameter in described["space"]["parameters"]] == list(SYNTHS[synth].space.names)
    assert inspect(synth) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SYNTHS[synth].space.names)


def test_a_file_wins_over_a_name(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset.rename("C3")
    assert inspect_json(capsys, "C3")["kind"] == "dataset"


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("C7", "ModelError: unknown file or name 'C7'. Did you mean 'C6'? Known: C1, C2"),
        ("fmm", "Did you mean 'fm'?"),
        ("no.hdf5", "ModelError: no such file or folder: no.hdf5"),
        ("runs/no", "ModelError: no such file or folder: runs/no"),
        ("empty.hdf5", "DatasetError: empty.hdf5 is empty"),
        ("empty.keras", "ModelError: empty.keras is empty"),
        (
            "empty.xyz",
            "DatasetError: a file to inspect is a dataset (.hdf5), a model (.keras) or DX7 voices (.syx). Received: "
            "empty.xyz",
        ),
        ("cut.hdf5", "DatasetError: cut.hdf5 is truncated"),
        ("cut.keras", "ModelError: cut.keras is no model file, or a truncated one"),
        ("folder", "RunError: a folder to inspect is a run"),
        ("text.hdf5", "DatasetError: text.hdf5 is no HDF5 file"),
    ],
)
def test_what_cannot_be_inspected_takes_one_line(
    what: str, message: str, dataset: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("hdf5", "keras", "xyz"):
        Path(f"empty.{suffix}").touch()
    Path("cut.hdf5").write_bytes(dataset.read_bytes()[:9000])
    Path("cut.keras").write_bytes(model.read_bytes()[:9000])
    Path("folder").mkdir()
    Path("text.hdf5").write_text("no data")
    assert inspect(what) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_an_unknown_preset_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect("C3", "--preset", "papper") == 2
    assert capsys.readouterr().err == "ModelError: unknown preset 'papper'. Did you mean 'paper'? Known: " + (
        ", ".join(OF_SYNTHS) + "\n"
    )


def test_classes_out_of_range_are_a_fault_of_the_file(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Dataset(dataset, writable=True) as data:
        data.classes[5, 1] = 200
    assert inspect(dataset) == 2
    assert "classes of 'f2' run from 0 to 2. Received: 200" in capsys.readouterr().err


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert inspection.list_main(["--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in described["synths"]] == list(SYNTHS)
    assert [row["name"] for row in described["models"]] == list(RECIPES)
    notes = ("nsynth", "nsynth-sines", "note-classifier", "gansynth", "wae", "mcnn")
    assert {row["name"] for row in described["bundled"]} == {"inverter", "C6XL", *notes, *SHAPERS}
    printed = {row["name"]: row["summary"] for row in described["bundled"]}
    measures = {**dict.fromkeys(SHAPERS, "mean absolute error 0.0"), "inverter": "MPR 88.3 on 1000", "C6XL": "MPR 72.5"}
    measures |= {"nsynth": "3.975 below the unigram entropy of 7.361 on 75 notes", "note-classifier": "pitch 85.0 %"}
    assert all(measure in printed[name] for name, measure in measures.items())
    assert {row["name"]: row["presets"] for row in described["models"]} == {
        name: list(presets_of(recipe)) for name, recipe in RECIPES.items()
    }
    assert [row["name"] for row in described["systems"]] == list(SYSTEMS)
    assert inspection.list_main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in (*SYNTHS, *RECIPES, *OF_SYNTHS, *SYSTEMS))


def test_every_system_that_works_has_a_command_and_no_other() -> None:
    for system in SYSTEMS.values():
        assert bool(system.command) == (system.status == "works"), system.name


def test_an_even_spread_is_rarely_called_uneven() -> None:
    rng = np.random.default_rng(0)
    p = [descriptions._p_even(np.bincount(rng.integers(16, size=500), minlength=16)) for _ in range(400)]
    assert 0.02 < np.mean(np.asarray(p) < 0.05) < 0.09
