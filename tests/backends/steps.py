"""What one backend has to do; started by `python -m tests.backends` with KERAS_BACKEND set."""

import logging
import sys
import time
import traceback
from pathlib import Path

from models.backend import start_keras

start_keras()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import models.layers  # noqa: E402
import models.training.keras_metrics  # noqa: E402
import models.training.losses  # noqa: E402, F401
from generators.errors import ModelError  # noqa: E402
from generators.notes.labels import SPACE as NOTES  # noqa: E402
from generators.registry import build_synth  # noqa: E402
from models.gansynth.presets import find_size  # noqa: E402
from models.mcnn.presets import find_preset  # noqa: E402
from models.nsynth.generation import CachedDecoder  # noqa: E402
from models.registry import RECIPES  # noqa: E402
from models.training.metrics import mean_percentile_rank  # noqa: E402
from models.training.recipe import Recipe  # noqa: E402
from models.wae.conditions import conditions  # noqa: E402
from models.wae.presets import find_preset as find_wae_preset  # noqa: E402
from tests.backends.__main__ import REFERENCE  # noqa: E402

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it complains of many models in one process
BACKEND = keras.backend.backend()
SYNTH = build_synth("sine", 16384, 0.25)
CLASSES = np.random.default_rng(0).integers(0, 3, (16, 4)).astype(np.uint8)
NOISE = np.random.default_rng(1).uniform(-0.05, 0.05, (16, SYNTH.samples)).astype(np.float32)
AUDIO = SYNTH.render_classes(CLASSES) + NOISE  # no two frames alike, so that rounding decides nothing
TOLERANCE = 1e-3
"""Between probabilities of two backends, in float32 and with sums in other orders."""


def train(recipe: Recipe, loss: str, **options: str) -> keras.Model:
    """Build, adapt and train for two steps; the loss must be finite and fall, and the metric equal that of NumPy."""
    space = SYNTH.space
    model = recipe.build(space, SYNTH.sample_rate, SYNTH.samples, loss=loss, seed=0, **options)
    if recipe.adapt:
        recipe.adapt(model, [AUDIO])
    epochs = 8 if recipe.scheduled else 2
    recipe.compile(model, space, loss=loss, learning_rate=1e-3 if recipe.scheduled else 1e-4, steps=epochs)
    before = model.evaluate(AUDIO, CLASSES, batch_size=16, verbose=0, return_dict=True)
    expected = mean_percentile_rank(CLASSES, predict(model), space.slices).mean()
    assert abs(before["mpr"] - expected) < 0.1, f"mpr {before['mpr']} against {expected}"
    model.fit(AUDIO, CLASSES, batch_size=16, epochs=epochs, verbose=0)
    after = model.evaluate(AUDIO, CLASSES, batch_size=16, verbose=0, return_dict=True)
    assert np.isfinite(after["loss"]), f"loss {after['loss']}"
    assert after["loss"] < before["loss"], f"loss {before['loss']} before, {after['loss']} after"
    return model


def predict(model: keras.Model) -> np.ndarray:
    """Return probabilities of the sounds that all backends share."""
    return np.asarray(model.predict(AUDIO, batch_size=16, verbose=0))


def check_model(recipe: Recipe, folder: Path) -> None:
    """Train, and compare predictions of the reference's file with those of the reference backend."""
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    trained = train(recipe, "bce")
    if BACKEND == REFERENCE:
        trained.save(file)
        np.save(outputs, predict(trained))
        return
    difference = np.abs(predict(keras.saving.load_model(file, safe_mode=True)) - np.load(outputs)).max()
    assert difference < TOLERANCE, f"probabilities differ by {difference:.2g} from {REFERENCE}"


def check_oscillators(recipe: Recipe, folder: Path) -> None:
    """Find the oscillators of `fm` as the reference does: the same candidates, and the same probabilities."""
    synth = build_synth("fm")
    audio = synth.render_classes(np.random.default_rng(2).integers(0, 16, (8, len(synth.space))))
    file, outputs = folder / "oscillators.keras", folder / "oscillators.npy"
    model = recipe.build(synth.space, synth.sample_rate, synth.samples, seed=0)
    if BACKEND == REFERENCE:
        model.save(file)
    else:
        model = keras.saving.load_model(file, safe_mode=True)
    _, shapes = model.get_layer("candidates")(model.get_layer("level")(audio))
    counts = keras.ops.convert_to_numpy(shapes).sum(axis=1)
    found = np.concatenate([counts, model.predict(audio, verbose=0)], axis=1)
    if BACKEND == REFERENCE:
        np.save(outputs, found)
    differences = np.split(np.abs(found - np.load(outputs)), [counts.shape[1]], axis=1)
    changed, apart = float(differences[0].sum() / counts.sum()), float(differences[1].mean())
    assert changed < 0.02, f"{changed:.1%} of the candidates' levels differ from {REFERENCE}"  # ties at the last place
    assert apart < TOLERANCE, f"probabilities differ by {apart:.2g} on average from {REFERENCE}"


def check_macros(recipe: Recipe, folder: Path) -> None:
    """Train the autoencoder of patches, and compare outputs of the reference's file."""
    file, outputs = folder / "macros.keras", folder / "macros.npy"
    unit = SYNTH.space.classes_to_unit(CLASSES).astype(np.float32)
    model = recipe.build(SYNTH.space, seed=0)
    recipe.adapt(model, [unit])
    recipe.compile(model, SYNTH.space, learning_rate=1e-3)
    before, after = model.fit(unit, unit, batch_size=16, epochs=2, verbose=0).history["loss"]
    assert after < before, f"loss {before} before, {after} after"
    if BACKEND == REFERENCE:
        model.save(file)
        np.save(outputs, model.predict(unit, verbose=0))
        return
    difference = np.abs(keras.saving.load_model(file, safe_mode=True).predict(unit, verbose=0) - np.load(outputs)).max()
    assert difference < TOLERANCE, f"knob positions differ by {difference:.2g} from {REFERENCE}"


def check_adversarial(recipe: Recipe, folder: Path) -> None:
    """Compare gradients with closed forms, train both networks, and apply envelopes as the reference does."""
    synth = build_synth("envelope", 16384, 16 / 16384)
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    basic = np.random.default_rng(3).uniform(-1, 1, (32, synth.samples)).astype(np.float32)
    one_hot = np.eye(3, dtype=np.float32)[np.random.default_rng(4).integers(0, 3, (32, 3))].reshape(32, 9)
    system = recipe.build(synth.space, synth.sample_rate, synth.samples, conv_dim=2, seed=0)
    if BACKEND not in ("tensorflow", "torch"):
        with pytest.raises(ModelError, match="adversarial systems train on TensorFlow and PyTorch"):
            recipe.compile(system, synth.space)
    else:
        closed = ["tests/models/training/test_gradients.py", "tests/models/training/test_adversarial.py"]
        assert pytest.main(["-q", "--no-header", "-W", "ignore", *closed]) == 0
        recipe.compile(system, synth.space, learning_rate=1e-3, steps=20)
        start = system.get_weights()
        history = system.fit((basic, one_hot), 0.5 * basic, batch_size=16, epochs=20, verbose=0).history
        assert all(np.all(np.isfinite(values)) for values in history.values()), history
        moved = [
            np.any(keras.ops.convert_to_numpy(new) != old) for new, old in zip(system.get_weights(), start, strict=True)
        ]
        assert sum(moved) > 0.9 * len(moved), f"{sum(moved)} of {len(moved)} weights moved"
    if BACKEND == REFERENCE:
        system.for_inference().save(file)
        np.save(outputs, system.for_inference().predict([basic, one_hot], verbose=0))
    shaped = keras.saving.load_model(file, safe_mode=True).predict([basic, one_hot], verbose=0)
    difference = np.abs(shaped - np.load(outputs)).max()
    assert difference < TOLERANCE, f"shaped sounds differ by {difference:.2g} from {REFERENCE}"


def check_notes(recipe: Recipe, folder: Path) -> None:
    """Train an autoencoder of notes, compare outputs of the reference's file, and generate from it."""
    size = "smoke" if recipe.name == "nsynth" else "tiny"
    rng, samples = np.random.default_rng(5), 16 * 8 if size == "smoke" else 16000
    pitch = np.asarray([[40], [70]])
    if size == "smoke":
        heard = [rng.integers(0, 256, (2, samples)).astype(np.int32), pitch]
        options: dict[str, object] = {"pitch_conditioning": True}
        wanted = heard[0]
    else:
        heard, options, wanted = [rng.normal(size=(2, samples)).astype(np.float32), pitch], {}, pitch
    model = recipe.build(NOTES, 16000, samples, size=size, seed=0, **options)
    recipe.compile(model, NOTES, learning_rate=1e-3, steps=5)
    losses = model.fit(heard, wanted, batch_size=2, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0], f"losses {losses}"
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    if BACKEND == REFERENCE:
        model.save(file)
        np.save(outputs, model.predict(heard, verbose=0))
    model = keras.saving.load_model(file, safe_mode=True)
    said = model.predict(heard, verbose=0)
    difference = np.abs(said - np.load(outputs)).max()
    assert difference < TOLERANCE, f"what is said differs by {difference:.2g} from {REFERENCE}"
    if size != "smoke":
        return
    cached, codes = CachedDecoder(model.get_layer("decoder")), model.get_layer("encoder").predict(heard[0], verbose=0)
    if BACKEND == "torch":
        with pytest.raises(ModelError, match="cached generation needs TensorFlow or JAX"):
            cached.logits(heard[0], codes, pitch[:, 0])
        return
    difference = np.abs(cached.logits(heard[0], codes, pitch[:, 0]) - said).max()
    assert difference < 1e-4, f"cached generation differs by {difference:.2g} from the network"
    drawn = np.concatenate([part for part, _ in cached.sample(codes, seeds=[0, 1], pitch=pitch[:, 0])], axis=1)
    assert drawn.shape == (2, samples)


def check_growing(recipe: Recipe, folder: Path) -> None:
    """Train a stage, grow, train the next, and generate the spectrograms that the reference generates."""
    size, rng = find_size("smoke"), np.random.default_rng(6)
    pitch = np.eye(size.pitches, dtype=np.float32)[rng.integers(0, size.pitches, 8)]
    latent, progress = rng.normal(size=(8, size.latent)).astype(np.float32), np.full((8, 1), 0.5, np.float32)
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    options = {"size": "smoke", "latent": size.latent, "seed": 0}
    young, old = (recipe.build(NOTES, 8000, 160, stage=stage, **options) for stage in (0, 1))
    if BACKEND not in ("tensorflow", "torch"):
        with pytest.raises(ModelError, match="adversarial systems train on TensorFlow and PyTorch"):
            recipe.compile(young, NOTES)
    else:
        for system, blocks in ((young, 1), (old, 2)):
            recipe.compile(system, NOTES, learning_rate=1e-3, steps=2)
            if system is old:
                recipe.growth.grow(young, old)
            real = rng.uniform(-1, 1, (8, *size.resolution(blocks), 2)).astype(np.float32)
            history = system.fit((latent, pitch, progress, pitch), real, batch_size=8, epochs=2, verbose=0).history
            assert all(np.all(np.isfinite(values)) for values in history.values()), history
    given = [latent, pitch, progress]
    if BACKEND == REFERENCE:
        old.for_inference().save(file)
        np.save(outputs, old.for_inference().predict(given, verbose=0))
    made = keras.saving.load_model(file, safe_mode=True).predict(given, verbose=0)
    difference = np.abs(made - np.load(outputs)).max()
    assert difference < TOLERANCE, f"pictures differ by {difference:.2g} from {REFERENCE}"


def check_pictures(recipe: Recipe, folder: Path) -> None:
    """Train encoder, decoder and discriminator, and decode as the reference does."""
    size, rng = find_wae_preset("smoke"), np.random.default_rng(7)
    pictures = rng.uniform(0, 1, (8, size.bands, size.frames, 1)).astype(np.float32)
    told = conditions(60 + np.arange(8), np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)])
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    system = recipe.build(NOTES, 8000, size.samples, size="smoke", latent=size.latent, styles=("a", "b", "c"), seed=0)
    if BACKEND not in ("tensorflow", "torch"):
        with pytest.raises(ModelError, match="adversarial systems train on TensorFlow and PyTorch"):
            recipe.compile(system, NOTES)
    else:
        recipe.compile(system, NOTES, learning_rate=1e-3, steps=30)
        history = system.fit(pictures, told, batch_size=8, epochs=30, verbose=0).history
        assert all(np.all(np.isfinite(values)) for values in history.values()), history
        assert history["reconstruction"][-1] < history["reconstruction"][0], history["reconstruction"]
    if BACKEND == REFERENCE:
        system.for_inference().save(file)
        np.save(outputs, system.for_inference().predict([pictures, told], verbose=0))
    made = keras.saving.load_model(file, safe_mode=True).predict([pictures, told], verbose=0)
    difference = np.abs(made - np.load(outputs)).max()
    assert difference < TOLERANCE, f"pictures differ by {difference:.2g} from {REFERENCE}"


def check_rendering(recipe: Recipe, folder: Path) -> None:
    """Train a vocoder, and render the sound that the reference renders, phases included."""
    preset, rng = find_preset("smoke"), np.random.default_rng(8)
    mels = rng.uniform(0, 1, (4, 12, preset.bands)).astype(np.float32)
    note = np.asarray([[48.0], [60.5], [72.0], [0.0]], np.float32)
    sound = rng.uniform(-0.3, 0.3, (4, 12 * preset.hop_length)).astype(np.float32)
    model = recipe.build(NOTES, 8000, 960, size="smoke", seed=0)
    recipe.with_options(size="smoke").compile(model, NOTES, learning_rate=3e-3, steps=8)
    losses = model.fit([mels, note], sound, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0], f"losses {losses}"
    file, outputs = folder / f"{recipe.name}.keras", folder / f"{recipe.name}.npy"
    if BACKEND == REFERENCE:
        model.save(file)
        np.save(outputs, model.predict([mels, note], verbose=0))
    made = keras.saving.load_model(file, safe_mode=True).predict([mels, note], verbose=0)
    difference = np.abs(made - np.load(outputs)).max()
    assert difference < TOLERANCE, f"sounds differ by {difference:.2g} from {REFERENCE}"


def check_layouts(recipe: Recipe) -> None:
    """Compute the convolutions channels_first, where this backend has them on this device."""
    first = train(recipe, "bce", data_format="channels_first")
    last = recipe.build(SYNTH.space, SYNTH.sample_rate, SYNTH.samples, data_format="channels_last")
    last.set_weights(first.get_weights())
    difference = np.abs(predict(last) - predict(first)).max()
    assert difference < TOLERANCE, f"the layouts differ by {difference:.2g}"


def main(folder: Path) -> int:
    """Check every recipe, the other loss, and the other layout; print each failure, and count them."""
    started = time.monotonic()
    sounds = [recipe for recipe in RECIPES.values() if recipe.inputs == "audio"]
    checks = [(recipe.name, lambda r=recipe: check_model(r, folder)) for recipe in sounds]
    checks.append(("oscillators", lambda: check_oscillators(RECIPES["inverter"], folder)))
    checks.append(("macros", lambda: check_macros(RECIPES["macros"], folder)))
    shaping = [recipe for recipe in RECIPES.values() if recipe.inputs == "envelope"]
    checks += [(recipe.name, lambda r=recipe: check_adversarial(r, folder)) for recipe in shaping]
    checks += [(r.name, lambda r=r: check_notes(r, folder)) for r in RECIPES.values() if r.inputs == "notes"]
    growing = [recipe for recipe in RECIPES.values() if recipe.inputs == "latents"]
    checks += [(recipe.name, lambda r=recipe: check_growing(r, folder)) for recipe in growing]
    drawn = [recipe for recipe in RECIPES.values() if recipe.inputs == "pictures"]
    checks += [(recipe.name, lambda r=recipe: check_pictures(r, folder)) for recipe in drawn]
    rendered = [recipe for recipe in RECIPES.values() if recipe.inputs == "mels"]
    checks += [(recipe.name, lambda r=recipe: check_rendering(r, folder)) for recipe in rendered]
    checks.append(("C1 categorical", lambda: train(RECIPES["C1"], "categorical")))
    if BACKEND != REFERENCE or any(device.startswith("gpu") for device in keras.distribution.list_devices()):
        checks += [(f"{name} channels_first", lambda n=name: check_layouts(RECIPES[n])) for name in ("C1", "C6", "e2e")]
    failures = 0
    for name, check in checks:
        try:
            check()
        except Exception:
            failures += 1
            print(f"{BACKEND}: {name} failed\n{traceback.format_exc()}", flush=True)
    seconds = time.monotonic() - started
    print(f"{BACKEND}: {len(checks) - failures} of {len(checks)} checks hold, {seconds:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
