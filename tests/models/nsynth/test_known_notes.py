"""Which notes a network was trained on: from its card, else from its weights."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import nsynth as benchmark
from generators.errors import ModelError
from generators.notes.labels import SPACE
from inversynth.pretrained import find_model
from models.model_files import ModelCard, load_model, save_model
from models.notes import spectral_encoder
from models.notes.classifier import NOTE_CLASSIFIER, build_classifier
from models.nsynth.baseline_networks import build_spectral_autoencoder
from models.nsynth.inference import load_nsynth
from models.nsynth.known_notes import check_known, known_notes, nearest_note
from models.nsynth.presets import NSYNTH, NSYNTH_BASELINE, PITCHES, find_preset
from models.nsynth.recipe import build_nsynth
from tests.models.notes.test_classifier import RATE, SAMPLES, SMALL, write_labelled_notes


def saved(path: Path, *, moved: tuple[int, ...] = (), conditioned: bool = True, **features: object) -> Path:
    """Save the smallest network, after its weights for some notes have been moved as training moves them."""
    model = build_nsynth(SPACE, 4000, 160, size="smoke", pitch_conditioning=conditioned, seed=0)
    code = find_preset("smoke").code
    for kernel in model.get_layer("decoder").weights:
        if kernel.shape[0] == code + PITCHES:
            weights = np.array(kernel)
            weights[[code + note for note in moved]] *= 3.0
            kernel.assign(weights)
    known = {"input": "notes", "size": "smoke", "pitch_conditioning": conditioned, **features}
    save_model(model, path, ModelCard(NSYNTH, "notes", SPACE.to_json(), 4000, 0.04, known))
    return path


def test_a_card_tells_its_notes(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.keras", notes=[64, 60, 60])
    assert known_notes(path) == load_nsynth(path).notes == (60, 64)


def test_weights_tell_the_notes_that_moved_them(tmp_path: Path) -> None:
    assert known_notes(saved(tmp_path / "a.keras", moved=(24, 60, 61))) == (24, 60, 61)
    assert known_notes(saved(tmp_path / "b.keras")) == ()


def test_the_bundled_network_tells_its_notes() -> None:
    path = find_model("nsynth")
    notes = load_model(path).card.features.get("notes", list(range(60, 85, 4)))
    assert known_notes(path) == tuple(notes)


def test_a_network_without_the_note_tells_nothing(tmp_path: Path) -> None:
    assert known_notes(saved(tmp_path / "a.keras", conditioned=False)) == ()
    assert known_notes(find_model("note-classifier")) == ()


@pytest.mark.parametrize("notes", [60, [60.5], [128], [-1], ["60"], [True], None, [[60]]])
def test_notes_that_are_none_are_refused(tmp_path: Path, notes: object) -> None:
    path = saved(tmp_path / "a.keras", notes=notes)
    with pytest.raises(ModelError, match=r"must be a list of MIDI numbers\. Received: "):
        known_notes(path)


def test_a_note_that_is_not_known_is_named() -> None:
    path = Path("a.keras")
    check_known("x", (60, 64), (60, 64, 68), path, "Stop")
    check_known("x", (3,), (), path, "nothing is known")
    message = r"^a\.keras was trained on the notes 60:84:4\. Received: x at 24:48:4\. Stop$"
    with pytest.raises(ModelError, match=message):
        check_known("x", (24, 28, 32, 36, 40, 44, 48, 60), tuple(range(60, 85, 4)), path, "Stop")


def test_the_nearest_note_is_the_lower_of_two() -> None:
    notes = tuple(range(60, 85, 4))
    assert [nearest_note(note, notes) for note in (24, 60, 61, 62, 63, 90)] == [60, 60, 60, 60, 64, 84]
    assert nearest_note(24, ()) == 24


def test_the_benchmark_refuses_notes_that_a_baseline_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(spectral_encoder.PRESETS, "tiny", SMALL)
    for name, model, known in (
        (NSYNTH_BASELINE, build_spectral_autoencoder(SMALL, SAMPLES, RATE, seed=0), [24]),
        (NOTE_CLASSIFIER, build_classifier(SPACE, RATE, SAMPLES, seed=0), [60]),
    ):
        features = {"input": "notes", "size": "tiny", "notes": known}
        card = ModelCard(name, "notes", SPACE.to_json(), RATE, SAMPLES / RATE, features)
        save_model(model, tmp_path / f"{name}.keras", card)
    write_labelled_notes(tmp_path / "notes.hdf5")
    words = ["--classifier", str(tmp_path / f"{NOTE_CLASSIFIER}.keras"), "--dataset", str(tmp_path / "notes.hdf5")]
    assert (
        benchmark.main([*words, "--models", str(tmp_path / f"{NSYNTH_BASELINE}.keras"), "--count", "3", "--dry"]) == 2
    )
    assert "was trained on the notes 24. Received: " in capsys.readouterr().err
