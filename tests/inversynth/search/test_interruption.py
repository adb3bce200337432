"""Ctrl-C during a search: no caller takes a truncated search for a complete one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import verdict
from generators.dataset import Dataset
from generators.fm_generator import FmSynth
from generators.generate import generate_dataset
from generators.sampling import sample_classes
from generators.sine_generator import SineSynth
from inversynth import demo
from inversynth.evaluation.evaluator import evaluate_methods
from inversynth.evaluation.methods import search
from inversynth.inversion import command, refine_command
from inversynth.patches.patch import Patch, read_patch, write_patch
from inversynth.search.search import SearchInterrupted, refine
from inversynth.search.stages import STAGES
from inversynth.search.state import SearchState
from tests.inversynth.sounds import save


@pytest.fixture(autouse=True)
def _interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt every search after the first move of its first stage."""
    for name in ("pick", "beam"):
        stage = STAGES[name]

        def run(state: SearchState, whole=stage.run) -> Iterator[None]:
            yield next(whole(state))
            raise KeyboardInterrupt

        monkeypatch.setitem(STAGES, name, replace(stage, run=run))


def test_refine_raises_with_the_best_so_far() -> None:
    synth = SineSynth(length=0.25)
    audio = synth.render_classes([1, 2, 0, 2])
    with pytest.raises(SearchInterrupted) as stop:
        refine(synth, audio, np.ones(synth.space.size), "fast")
    best = stop.value.best
    assert best.interrupted
    assert best.distance <= best.start_distance
    assert best.audio.shape == audio.shape


def test_invert_writes_the_best_so_far_and_ends_with_130(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        save(tmp_path / f"{name}.wav", SineSynth(8000, 0.25).render_classes([1, 2, 0, 2]), 8000)
    assert command.main(["first.wav", "second.wav", "--model", str(model_file), "--output_dir", "out"]) == 130
    assert read_patch(tmp_path / "out" / "first" / "patch.json").refinement["interrupted"]
    assert (tmp_path / "out" / "first" / "report.html").is_file()
    assert "search interrupted" in (tmp_path / "out" / "index.html").read_text()
    assert not (tmp_path / "out" / "second").exists()
    assert "interrupted" in capsys.readouterr().err


def test_refine_command_writes_the_best_so_far_and_ends_with_130(tmp_path: Path) -> None:
    synth = FmSynth(length=0.25)
    first, second = sample_classes(synth.space, 0, 2, seed=4)
    save(tmp_path / "bell.wav", synth.render_classes(first), synth.sample_rate, subtype="FLOAT")
    write_patch("near.json", Patch(synth.space, synth.space.classes_to_values(second), synth.sample_rate, 0.25))
    assert refine_command.main(["near.json", "bell.wav", "--output_dir", "out"]) == 130
    assert read_patch(tmp_path / "out" / "bell" / "patch.json").refinement["interrupted"]
    assert (tmp_path / "out" / "index.html").is_file()


def test_evaluation_scores_no_truncated_search(tmp_path: Path) -> None:
    class Uninformed:
        def predict(self, audio: np.ndarray, batch_size: int = 64) -> np.ndarray:
            return np.full((len(audio), synth.space.size), 0.5, np.float32)

    synth = SineSynth(4096, 0.1)
    generate_dataset(tmp_path / "sine.hdf5", synth, 4, workers=1)
    with Dataset(tmp_path / "sine.hdf5") as dataset, pytest.raises(KeyboardInterrupt):
        evaluate_methods(dataset, [search("search", Uninformed(), synth, "fast")], bound_examples=0, resamples=10)


def test_demo_writes_no_truncated_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--output_dir", "demo", "--budget", "fast"]) == 130
    assert "Done" not in capsys.readouterr().out
    assert not list(tmp_path.glob("demo/*/report.html"))


def test_verdict_benchmark_prints_no_row_of_a_truncated_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict.main(["--num", "2"]) == 130
    assert "of `fm`" not in capsys.readouterr().out
