"""`demo --train` makes what it promises, and a second run finds it made."""

from pathlib import Path

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.demo import main
from inversynth.train_demo import NEW_SEED, run_train_demo
from models.training.runs import Run


def test_tour_makes_a_run_and_a_report_and_a_second_one_finds_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPOCHS", "7")  # the demo is the same whatever the settings of training are
    monkeypatch.setenv("STREAM", "true")
    first = run_train_demo(tmp_path / "demo", num_examples=30, epochs=1, model="c1")
    printed = capsys.readouterr().out
    assert first.report == tmp_path / "demo" / "new_sound" / "report.html"
    assert first.report.as_uri() in printed
    for words in ("1 of 4", "2 of 4", "3 of 4", "4 of 4", "random settings", "true settings", "STFT PCC"):
        assert words in printed
    assert len(Run(first.run).history()) == 1
    assert first.evaluation.n == 3
    assert {result.kind for result in first.evaluation.results} == {"chance", "model", "oracle"}
    weights = (first.run / "best.keras").stat().st_mtime_ns

    second = run_train_demo(tmp_path / "demo", num_examples=30, epochs=1, model="c1")
    assert "rendered before" in capsys.readouterr().out
    assert (first.run / "best.keras").stat().st_mtime_ns == weights
    assert second.inversion.patch.scores == first.inversion.patch.scores
    assert np.array_equal(second.inversion.audio, first.inversion.audio)

    truth = sample_classes(build_synth("fm").space, 0, 1, NEW_SEED)[0]
    assert second.inversion.truth is not None
    assert np.array_equal(second.inversion.truth, truth)
    with Dataset(tmp_path / "demo" / "fm_30.hdf5") as dataset:
        assert not (dataset.classes[:] == truth).all(axis=1).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "C9"], "unknown model 'C9'"),
        (["--num_examples", "3"], "num_examples must be greater than or equal to 20"),
        (["--epochs", "0"], "epochs must be greater than or equal to 1"),
    ],
)
def test_fault_is_reported_before_anything_is_made(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--train", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
