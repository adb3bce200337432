"""Bundled models: found by name, whole, what they say they are; and the tool that puts them there."""

import io
import json
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from generators.analysis.pitch import estimate_pitch, pitch_accuracy
from generators.envelope_generator import EnvelopeSynth
from generators.errors import ModelError
from generators.generate import render_columns, render_rows
from generators.registry import build_synth
from inversynth.pretrained import DEFAULT, bundled, find_model
from inversynth.pretrained.bundle import bundle, read_scores
from models.gansynth.inference import load_gansynth
from models.model_files import ModelCard, check_weights, load_model, read_card, save_model
from models.neurosynth.inference import load_envelope_shaper
from models.nsynth.inference import load_nsynth
from models.registry import find_recipe
from models.wae.inference import load_wae
from models.wae.vocoders import mcnn_renderer
from tests.styled_notes import write_notes
from tests.wae_models import write_untrained_pair

SINE = build_synth("sine", 8000, 0.25)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.keras"
    model = find_recipe("C1").build(SINE.space, 8000, SINE.samples, seed=0)
    card = ModelCard("C1", "sine", SINE.space.to_json(), 8000, 0.25, training={"history": [1, 2], "seed": 0})
    save_model(model, path, card)
    return path


def test_names_of_bundled_models_are_found_whatever_their_case() -> None:
    assert set(bundled()) == {
        *("inverter", "C6XL", "neurosynth", "neurosynth-adversarial"),
        *("nsynth", "nsynth-sines", "note-classifier", "gansynth", "wae", "mcnn"),
    }
    assert DEFAULT in bundled()
    assert find_model("c6xl") == bundled()["C6XL"]
    assert find_model("Inverter") == bundled()["inverter"]


def test_paths_go_first_and_missing_ones_are_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model(run.parent) == run
    monkeypatch.chdir(run.parent)
    Path("C6XL").mkdir()
    Path("C6XL/best.keras").write_bytes(run.read_bytes())
    assert find_model("C6XL") == Path("C6XL/best.keras")
    with pytest.raises(ModelError, match="no such model: runs/C6"):
        find_model("runs/C6")
    with pytest.raises(ModelError, match=r"no such model: invertor\..* or a bundled model: C6XL, gansynth, inverter"):
        find_model("invertor")


@pytest.mark.parametrize("name", ["inverter", "C6XL"])
def test_bundled_models_are_whole_and_state_their_scores(name: str) -> None:
    card = check_weights(bundled()[name])
    assert (card.model, card.synth, card.sample_rate, card.length) == (name, "fm", 16384, 1.0)
    assert card.scores["network"]["n"] >= 1000
    assert card.training["stream"] is True
    assert bundled()[name].stat().st_size < 10e6


def test_the_bundled_nsynth_is_small_and_decodes_a_note_at_its_pitch() -> None:
    """A held-out instrument is not needed to measure the pitch: any seed must give the note of its conditioning."""
    path = bundled()["nsynth"]
    assert path.stat().st_size <= 2e6
    card = check_weights(path)
    assert card.scores["test"]["gain"]["All"] >= 1.5
    coder = load_nsynth(path)
    assert coder.takes_pitch
    pitches, hertz = [60, 72, 84], 440 * 2 ** ((np.asarray([60, 72, 84]) - 69) / 12)
    time = np.arange(16 * coder.hop) / coder.sample_rate
    sounds = [sum(0.15 / k * np.sin(2 * np.pi * k * f * time) for k in (1, 2, 3)) for f in hertz]
    said = coder.decode(coder.encode(np.stack(sounds)), seeds=[0, 1, 2], pitch=pitches)
    for frequency, sound in zip(hertz, said, strict=True):
        assert np.sqrt(np.mean(sound**2)) > 0.02
        lags = np.fft.irfft(np.abs(np.fft.rfft(sound[2048:], 2 * len(sound))) ** 2)
        period = coder.sample_rate / frequency
        near = lags[int(period * 0.97) : int(np.ceil(period * 1.03)) + 1].max()
        between = lags[int(period * 0.45) : int(period * 0.6)].max()
        assert near > 0.7 * lags[0]
        assert near > between


def test_the_bundled_nsynth_with_sines_knows_all_notes_and_decodes_them_at_their_pitch() -> None:
    """Notes that the other bundled network does not know, low and high, from sounds of no known instrument."""
    path = bundled()["nsynth-sines"]
    assert path.stat().st_size <= 2e6
    card = check_weights(path)
    assert card.features["sine_conditioning"] is True
    codec = load_nsynth(path)
    assert codec.notes == tuple(range(24, 85))
    pitches = [25, 33, 50, 62, 75, 83]
    time = np.arange(24 * codec.hop) / codec.sample_rate
    hertz = [440 * 2 ** ((note - 69) / 12) for note in pitches]
    sounds = [sum(0.15 / k * np.sin(2 * np.pi * k * f * time) for k in range(1, 9) if k * f < 7000) for f in hertz]
    made = codec.decode(codec.encode(np.stack(sounds)), seeds=range(6), pitch=pitches)
    assert np.all(np.sqrt(np.mean(made**2, axis=1)) > 0.02)
    assert np.abs(np.mean(made, axis=1)).max() < 0.05
    assert pitch_accuracy(estimate_pitch(made, codec.sample_rate), np.asarray(pitches, float))[0] >= 5 / 6


def test_the_bundled_gansynth_is_small_and_plays_its_notes_in_many_timbres() -> None:
    """Of latents that no figure was taken from; the goal of the issue was 85 %, and this is of 24 notes."""
    path = bundled()["gansynth"]
    assert path.stat().st_size <= 3e6
    player = load_gansynth(path)
    assert player.notes == tuple(range(48, 72))
    sounds = player.decode(player.draw_latents(24, seed=606), player.notes)
    near, _ = pitch_accuracy(estimate_pitch(sounds, player.sample_rate), np.asarray(player.notes, float))
    assert near >= 0.8
    assert np.abs(sounds).max(axis=1).min() > 0.1
    alike = player.decode(player.draw_latents(8, seed=607), [60] * 8)
    spectra = np.abs(np.fft.rfft(alike))
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
    likeness = (spectra @ spectra.T)[np.triu_indices(8, 1)]
    assert likeness.mean() < 0.95


def test_the_bundled_autoencoder_and_its_vocoder_are_small_and_play_the_notes_and_styles_asked_for() -> None:
    """Every style at notes of its own, of latents that no figure was taken from."""
    paths = bundled()["wae"], bundled()["mcnn"]
    assert sum(path.stat().st_size for path in paths) <= 5e6
    maker = load_wae(paths[0])
    assert (maker.variant.name, maker.latent, len(maker.styles)) == ("wae-fader", 3, 12)
    notes, styles = 48 + 2 * np.arange(12), np.eye(12)
    latents = maker.draw_latents(12, seed=708)
    sounds = maker.decode(latents, notes, styles, mcnn_renderer(paths[1], maker.analysis))
    near, _ = pitch_accuracy(estimate_pitch(sounds, maker.sample_rate), notes.astype(float))
    assert near >= 11 / 12
    one = maker.decode_spectrograms(latents[:1].repeat(12, axis=0), [60] * 12, styles).reshape(12, -1)
    other = maker.decode_spectrograms(latents, [60] * 12, styles[:1].repeat(12, axis=0)).reshape(12, -1)
    assert one.std(axis=0).mean() > 2 * other.std(axis=0).mean()  # the label decides more than the latent


@pytest.mark.parametrize(("name", "weight"), [("neurosynth", 10.0), ("neurosynth-adversarial", 0.0)])
def test_bundled_generators_shape_as_well_as_their_cards_say(name: str, weight: float) -> None:
    """On waveforms drawn anew, of the goals that issue was closed with; and far apart for each of the 27 shapes."""
    shaper = load_envelope_shaper(bundled()[name])
    assert shaper.loaded.card.features["l1_weight"] == weight
    columns = render_columns(EnvelopeSynth(random_pitch=True, random_phase=True), 0, 270, 4711)
    classes = columns["classes"][:, 1:]
    error = np.abs(shaper.shape(columns["basic"], classes) - columns["audio"]).mean()
    assert error == pytest.approx(shaper.loaded.card.scores["test"]["mae"]["All"], rel=0.15)
    assert error < 0.03
    grid = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=-1)
    one = np.repeat(columns["basic"][:1], 27, axis=0)
    assert shaper.shape(one, grid).std(axis=0).mean() > 0.1
    assert bundled()[name].stat().st_size < 200_000


def test_the_bundled_inverter_scores_what_its_card_says() -> None:
    synth = build_synth("fm")
    model = load_model(bundled()["inverter"])
    audio, classes, _ = render_rows(synth, 0, 48, 987654)
    from models.training.metrics import mean_percentile_rank

    mpr = float(np.mean(mean_percentile_rank(classes, model.predict(audio), synth.space.slices)))
    assert mpr == pytest.approx(model.card.scores["network"]["mpr"], abs=3.0)
    assert mpr > 80.0


def test_bundling_halves_the_weights_and_keeps_the_predictions(run: Path, tmp_path: Path) -> None:
    path, change = bundle(run, tmp_path, {"C1": {"n": 5}, "C1 + fast": {"n": 6}, "chance": {"n": 7}}, seed=1)
    assert path == tmp_path / "C1.keras"
    assert re.fullmatch(r"0\.0\d\d % of the predicted classes have changed", change)
    card = read_card(path)
    assert card.scores == {"network": {"n": 5}, "fast": {"n": 6}}
    assert card.training == {"seed": 0}
    with zipfile.ZipFile(path) as small, zipfile.ZipFile(run) as whole:
        weights = "model.weights.h5"
        assert small.getinfo(weights).file_size < 0.6 * whole.getinfo(weights).file_size
    audio, _, _ = render_rows(SINE, 0, 4, 0)
    np.testing.assert_allclose(load_model(path).predict(audio), load_model(run).predict(audio), atol=2e-3)


def test_bundling_halves_an_autoencoder_of_notes_and_keeps_its_spectrograms(tmp_path: Path) -> None:
    source, _ = write_untrained_pair(write_notes(tmp_path / "notes.hdf5"), tmp_path)
    path, change = bundle(source, tmp_path / "package", {}, seed=1, name="wae")
    assert float(re.fullmatch(r"float16, (-\d+) dB from the spectrograms of float32", change)[1]) < -40
    kinds = set()
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(lambda _, item: kinds.add(str(item.dtype)) if isinstance(item, h5py.Dataset) else None)
    assert kinds == {"float16"}


def test_a_bundled_model_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    source, target = bundled()["C6XL"], tmp_path / "C6XL.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            data = bytearray(old.read(member))
            if member == "model.weights.h5":
                data[len(data) // 2] ^= 1
            new.writestr(member, bytes(data))
    with pytest.raises(ModelError, match="its weights do not match their hash"):
        load_model(target)


def test_scores_are_read_from_an_evaluation_and_from_nothing_else(tmp_path: Path) -> None:
    number = {"value": 1.5}
    result = {"name": "C1", "groups": {"All": {"mpr": number, "top1": number}}}
    result["reconstruction"] = {"stft_pcc": {"mean": number}}
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"n": 9, "dataset": {"seed": 4}, "results": [result]}))
    assert read_scores(path) == {"C1": {"n": 9, "seed": 4, "mpr": 1.5, "top1": 1.5, "stft_pcc": 1.5}}
    path.write_text("{}")
    with pytest.raises(ModelError, match="must be the JSON of `inversynth evaluate`"):
        read_scores(path)
