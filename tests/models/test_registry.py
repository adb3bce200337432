"""The registry: every recipe by its names, and a new system by one line alone."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from generators.errors import ModelError
from inversynth import cli
from models import registry
from models.input_kinds import INPUT_KINDS
from models.model_files import load_model, read_card
from models.registry import MODULES, RECIPES, find_recipe, gather
from models.training.runs import Run

from . import toy_system

STREAM = ("--stream", "--synth", "sine", "--length", "0.064", "--sample_rate", "4000")


@pytest.fixture
def toy(monkeypatch):
    """Register the toy as its line in the registry would."""
    monkeypatch.setattr(registry, "RECIPES", gather((*MODULES, toy_system)))


def test_a_new_system_trains_by_its_line_in_the_registry_alone(toy, tmp_path, capfd):
    flags = ("--model", "toy", *STREAM, "--units", "5", "--epochs", "1", "--steps_per_epoch", "2")
    assert cli.main(["train", *flags]) == 0
    run = Run(tmp_path / "runs" / "toy_sine_stream")
    assert run.settings()["settings"]["units"] == 5
    assert [row["epoch"] for row in run.history()] == [1]
    assert run.metrics()["splits"]["training"] == 32
    loaded = load_model(run.path)
    assert loaded.card.features["units"] == 5
    assert loaded.model.layers[1].units == 5
    capfd.readouterr()
    assert cli.main(["list", "--json"]) == 0
    assert "toy" in [row["name"] for row in json.loads(capfd.readouterr().out)["models"]]


def test_a_system_has_its_own_flags_and_no_others(toy, capfd):
    with pytest.raises(SystemExit):
        cli.main(["train", "--model", "plaything", "--help"])
    shown = capfd.readouterr().out
    assert "--units" in shown
    assert "--patience" not in shown
    assert cli.main(["train", "--model", "toy", "--patience", "3"]) == 2
    assert "unknown argument --patience" in capfd.readouterr().err


def test_variables_of_other_models_are_not_read(toy, tmp_path):
    lines = (
        "FOLDS=3",
        "PATCHES=nowhere",
        "PATIENCE=none",
        "LOSS=nonsense",
        "KIND=mel",
        "EPOCHS=1",
        "STEPS_PER_EPOCH=1",
    )
    (tmp_path / ".env").write_text("\n".join(lines))
    assert cli.main(["train", "--model", "toy", *STREAM]) == 0
    assert read_card(tmp_path / "runs" / "toy_sine_stream").training["units"] == 3


def test_names_that_fold_to_one_are_refused():
    (recipe,) = toy_system.RECIPES
    same = SimpleNamespace(RECIPES=(replace(recipe, name="other", aliases=("Con-v6 XL",)),))
    with pytest.raises(ModelError, match=r"names of models must differ\. Received: other and C6XL"):
        gather((*MODULES, same))


def test_every_recipe_takes_a_known_kind_of_input():
    assert {recipe.inputs for recipe in RECIPES.values()} == set(INPUT_KINDS)
    assert find_recipe("FC1").kind.estimates_parameters
    assert not find_recipe("macros").kind.estimates_parameters
