"""The command of training: settings, faults in one line, Ctrl-C, and a run that survives being killed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generators.errors import ParameterError
from generators.generate import generate_dataset
from models import e2e_cnn
from models.model_files import load_model
from models.registry import find_recipe
from models.train import main, read_parameters
from models.training import callbacks, data
from models.training.data import DatasetSource
from models.training.loop import train
from models.training.runs import Run

from .conftest import SYNTH
from .training.conftest import assert_same_run


def test_the_command_trains_with_the_settings_of_the_env_file(tiny_dataset_path, tmp_path, capfd):
    (tmp_path / ".env").write_text(
        f"EPOCHS=1\nDATASET_DIR={tiny_dataset_path.parent}\nDATASET_NAME=tiny\nBATCH_SIZE=30\n"
    )
    assert e2e_cnn.main([]) == 0
    run = Run(tmp_path / "output" / "e2e_tiny")
    assert (len(run.history()), run.settings()["settings"]["batch_size"]) == (1, 30)
    assert load_model(run.path).name == "e2e"


def refuse(capfd, *flags):
    assert main(list(map(str, flags))) == 2
    message = capfd.readouterr().err.strip()
    assert "\n" not in message
    return message


def test_bad_input_is_told_in_one_line(tiny_dataset_path, tmp_path, capfd):
    tiny = ("--dataset_file", tiny_dataset_path)
    assert refuse(capfd, "--model", "C7").startswith("ModelError: unknown model 'C7'. Did you mean 'C")
    assert refuse(capfd).startswith("DatasetError: no such dataset: test_datasets/InverSynth.hdf5. Make one")
    message = refuse(capfd, "--data_format", "channels_first", *tiny)
    assert message.startswith("ModelError: channels_first needs a GPU")
    generate_dataset(tmp_path / "two.hdf5", SYNTH, 2)
    message = refuse(capfd, "--dataset_file", tmp_path / "two.hdf5")
    assert "two.hdf5 must be large enough for training, validation and test. Received: 2 examples" in message
    assert "unknown synth 'fmm'. Did you mean 'fm'?" in refuse(capfd, "--stream", "--synth", "fmm")
    assert "stream has no folds" in refuse(capfd, "--stream", "--folds", "5")
    assert "stream renders its sounds and reads no dataset" in refuse(capfd, "--stream", *tiny)
    (tmp_path / "file").touch()
    assert "must be a folder. Received: a file in its place" in refuse(
        capfd, *tiny, "--output_dir", tmp_path / "file" / "runs"
    )
    assert not (tmp_path / "runs").exists()


def test_a_parameters_file_is_held_against_the_data(tiny_dataset_path, tmp_path, capfd):
    from generators.fm_generator import FmSynth

    right, wrong = tmp_path / "sine.json", tmp_path / "fm.json"
    right.write_text(SYNTH.space.to_json())
    wrong.write_text(FmSynth.space.to_json())
    assert read_parameters(right) == SYNTH.space
    with pytest.raises(ParameterError, match=r"no such parameters_file: nowhere\.json"):
        read_parameters(right.with_name("x").relative_to(tmp_path).with_name("nowhere.json"))
    with pytest.raises(ParameterError, match="parameters_file"):  # no end of it is ever reached
        read_parameters(Path("/dev/full"))
    message = refuse(capfd, "--dataset_file", tiny_dataset_path, "--parameters_file", wrong)
    assert "must have the parameter space of parameters_file. Received: synth 'fm' against 'sine'" in message


def test_control_c_leaves_a_run_that_goes_on(tiny_dataset_path, tmp_path, monkeypatch, capfd):
    on_epoch_end = callbacks.RunKeeper.on_epoch_end

    def interrupted(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    flags = ["--model", "C1", "--dataset_file", str(tiny_dataset_path), "--epochs", "2"]
    monkeypatch.setattr(callbacks.RunKeeper, "on_epoch_end", interrupted)
    assert main(flags) == 130
    assert "the same command goes on from there" in capfd.readouterr().err
    monkeypatch.undo()
    os.chdir(tmp_path)
    assert main(flags) == 0
    assert len(json.loads((tmp_path / "runs/C1_tiny/metrics.json").read_text())["test"]["parameters"]) == 4


def test_help_needs_no_keras():
    code = "import sys\nfrom models.train import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'keras', 'tensorflow', 'numba', 'librosa', 'scipy'} & {*sys.modules}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--batch_size" in done.stdout


def test_a_run_killed_within_an_epoch_is_the_run_that_was_not_killed(
    tiny_dataset_path, tiny_dataset, tmp_path, monkeypatch
):
    """With a real model, after 1 of 3 epochs and 2 of 3 batches; `tests.kill` kills real processes."""
    killed = Run(tmp_path / "runs" / "C1_tiny")
    make = data.DatasetBatches.make

    def copying(self, epoch, number):
        if (epoch, number) == (1, 2) and not killed.path.exists():  # what a kill at this instant would leave
            shutil.copytree(tmp_path / "whole", killed.path)
        return make(self, epoch, number)

    monkeypatch.setattr(data.DatasetBatches, "make", copying)
    whole = train(find_recipe("C1"), DatasetSource(tiny_dataset, seed=1), tmp_path / "whole", epochs=3)
    assert [row["epoch"] for row in killed.history()] == [1]
    flags = ["--model", "C1", "--dataset_file", str(tiny_dataset_path), "--epochs", "3", "--seed", "1"]
    assert main(flags) == 0
    assert_same_run(whole, killed)
