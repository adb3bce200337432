"""The six variants as systems: which terms there are, what a step moves, the adversary, files and resuming."""

import keras
import numpy as np
import pytest
from keras import ops

from generators.errors import ModelError
from models.training.callbacks import optimizer_groups
from models.wae.conditions import conditions
from models.wae.networks import build_decoder, build_discriminator, build_encoder
from models.wae.presets import PRESETS
from models.wae.schedule import discriminator_adam, halving_adam
from models.wae.system import NoteAutoencoder
from models.wae.variants import VARIANTS

SMOKE = PRESETS["smoke"]
STYLES = 3


def number(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def values(network):
    return [number(weight) for weight in network.trainable_variables]


def system(kind="wae-fader", steps=10, adam=None, **options):
    """A system with plain gradient descent, or with Adam at a rate: eager, that takes many times as long."""
    traits = VARIANTS[kind]
    made = NoteAutoencoder(
        build_encoder(SMOKE, variational=traits.latent == "kl", seed=0),
        build_decoder(SMOKE, STYLES, condition_mask=traits.condition_mask(STYLES), seed=1),
        build_discriminator(SMOKE, STYLES, seed=2) if traits.adversary else None,
        variant=kind,
        seed=3,
        **options,
    )
    plain = [keras.optimizers.SGD(1e-3, global_clipnorm=1.0) for _ in range(2)]
    scheduled = [] if adam is None else [build(adam, steps) for build in (halving_adam, discriminator_adam)]
    made.compile(*(scheduled or plain), steps=steps)
    return made


def examples(count=8, seed=0):
    rng = np.random.default_rng(seed)
    styles = np.arange(count) % STYLES
    spectrograms = rng.uniform(0, 0.2, (count, SMOKE.bands, SMOKE.frames, 1)).astype(np.float32)
    spectrograms[np.arange(count), 4 * styles + 2] += 1.0  # each style sounds in a band of its own
    notes = rng.integers(36, 84, count)
    return spectrograms, conditions(notes, np.eye(STYLES)[styles])


def tensors(count=8):
    return tuple(map(ops.convert_to_tensor, examples(count)))


@pytest.mark.parametrize("kind", VARIANTS)
def test_a_step_of_any_variant_updates_its_networks_and_returns_its_terms(kind):
    made = system(kind)
    before = [values(made.encoder), values(made.decoder)]
    results = {name: float(number(value)) for name, value in made.train_step(tensors()).items()}
    assert all(map(np.isfinite, results.values()))
    latent = {"latent"} if kind != "ae" else set()
    adversary = (
        {"adversarial_loss", "adversary_weight", "discriminator_loss", "discriminator_accuracy"}
        if kind == "wae-fader"
        else set()
    )
    assert set(results) == {"loss", "reconstruction"} | latent | adversary
    beta = VARIANTS[kind].beta
    expected = results["reconstruction"] + beta * results.get("latent", 0.0)
    assert results["loss"] == pytest.approx(expected, rel=1e-5)  # the adversary waits
    for old, network in zip(before, (made.encoder, made.decoder), strict=True):
        assert sum(np.any(new != one) for new, one in zip(values(network), old, strict=True)) > len(old) / 2
    assert set(made.test_step(tensors())) == set(results) - {"loss", "adversary_weight", "discriminator_loss"}


def test_the_decoder_depends_on_the_style_after_one_step():
    made = system()
    made.train_step(tensors())
    latent = np.zeros((1, SMOKE.latent), np.float32)
    styles = ([1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0], [0, 1.7, 0])
    found = [number(made.decode(latent, conditions([60], [style]))) for style in styles]
    assert all(np.isfinite(one).all() for one in found)
    assert all(np.abs(one - found[0]).max() > 1e-5 for one in found[1:])
    amounts = [layer.amounts.kernel for layer in made.decoder.layers if hasattr(layer, "amounts")]
    assert all(number(kernel).any() for kernel in amounts)


def test_latents_depend_on_spectrograms_alone():
    made, (spectrograms, condition) = system(), tensors()
    found = made.encode(spectrograms)
    kept = made.for_inference()
    for one in (condition, condition[::-1]):
        np.testing.assert_allclose(number(kept([spectrograms, one])), number(made.decode(found, one)), atol=1e-6)


def test_a_discriminator_takes_its_number_of_steps_and_does_not_change_the_latents():
    made, (spectrograms, condition) = system(), tensors()
    optimizer, variables = made.optimizer_groups()[1]
    others = [*values(made.encoder), *values(made.decoder)]
    guessing = values(made.discriminator)
    made._train_discriminator(made.encode(spectrograms), condition, optimizer, variables)
    after = [*values(made.encoder), *values(made.decoder)]
    assert all(np.array_equal(new, old) for new, old in zip(after, others, strict=True))
    assert any(np.any(new != old) for new, old in zip(values(made.discriminator), guessing, strict=True))
    made.critic_steps = 3
    made.train_step((spectrograms, condition))
    assert [int(number(each.iterations)) for each, _ in optimizer_groups(made)] == [1, 1 + 3]


def test_a_discriminator_learns_styles_in_the_latents_before_the_adversary_has_weight():
    made = system(adam=0.01, steps=1000)
    optimizer, variables = made.optimizer_groups()[1]
    _, condition = tensors(24)
    rng = np.random.default_rng(0)
    latent = ops.convert_to_tensor(3.0 * number(condition)[:, -STYLES:] + rng.normal(0, 0.1, (24, STYLES)), "float32")
    first = float(number(made._train_discriminator(latent, condition, optimizer, variables)["discriminator_loss"]))
    for _ in range(12):
        last = made._train_discriminator(latent, condition, optimizer, variables)
    assert float(number(last["discriminator_loss"])) < first / 2
    assert float(number(last["discriminator_accuracy"])) > 0.9


def test_the_adversary_gains_weight_with_the_steps_and_counts_in_the_loss():
    made = system(steps=10, adversary_loss="complement", beta=2.0)
    found = []
    for step in (0, 1, 3, 5, 10):
        made.autoencoder_optimizer.iterations.assign(step)
        found.append(float(number(made.current_adversary_weight())))
    np.testing.assert_allclose(found, [0, 0, 2, 4, 4], atol=1e-5)
    condition = {name: float(number(value)) for name, value in made.train_step(tensors()).items()}
    expected = condition["reconstruction"] + 2.0 * condition["latent"] + 4.0 * condition["adversarial_loss"]
    assert condition["loss"] == pytest.approx(expected, rel=1e-5)
    assert system(steps=None, adversary_weight=1.5).current_adversary_weight() == 1.5


def test_a_variational_encoder_returns_means_in_inference_and_samples_in_training():
    made, (spectrograms, condition) = system("vae"), tensors()
    np.testing.assert_array_equal(
        number(made.encode(spectrograms)), number(made.encoder(spectrograms))[:, : SMOKE.latent]
    )
    drawn = [number(made._terms(spectrograms, condition, training=True)[1]) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0.01


def test_it_memorises_spectrograms_in_fit():
    made = system(steps=80, adam=0.01)
    spectrograms, condition = examples(8)
    eightfold = np.tile(spectrograms, (8, 1, 1, 1)), np.tile(condition, (8, 1))
    history = made.fit(*eightfold, batch_size=8, epochs=10, verbose=0, shuffle=False).history
    assert history["reconstruction"][-1] < 0.4 * history["reconstruction"][0]
    assert history["adversary_weight"][-1] == pytest.approx(4.0)
    assert history["adversary_weight"][0] == 0.0
    again = made.evaluate(spectrograms, condition, batch_size=4, verbose=0, return_dict=True)
    assert set(again) == {"reconstruction", "latent", "adversarial_loss", "discriminator_accuracy"}


def test_it_comes_back_from_its_config_and_goes_on_from_its_weights(tmp_path):
    made = system(beta=3.0, adversary_loss="reverse", kernel="gaussian", reduction="sum")
    made.train_step(tensors())
    made.save(tmp_path / "last.keras")
    twin = NoteAutoencoder.from_config(made.get_config())
    assert twin.get_config() == made.get_config()
    twin.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), steps=10)
    for optimizer, variables in optimizer_groups(twin):
        optimizer.build(variables)
    twin.load_weights(tmp_path / "last.keras")
    for name in ("encoder", "decoder", "discriminator"):
        for old, new in zip(values(getattr(made, name)), values(getattr(twin, name)), strict=True):
            np.testing.assert_array_equal(old, new)
    assert [int(number(optimizer.iterations)) for optimizer, _ in optimizer_groups(twin)] == [1, 1]
    spectrograms, condition = tensors()
    made.for_inference().save(tmp_path / "best.keras")
    best = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    np.testing.assert_array_equal(number(best([spectrograms, condition])), number(made([spectrograms, condition])))
    plain = system("ae")
    assert NoteAutoencoder.from_config(plain.get_config()).discriminator is None


def test_networks_that_do_not_fit_their_kind_are_refused():
    encoder, decoder = build_encoder(SMOKE, seed=0), build_decoder(SMOKE, STYLES, seed=0)
    with pytest.raises(ModelError, match=r"encoder of vae must give 6 numbers a note\. Received: 3"):
        NoteAutoencoder(encoder, decoder, variant="vae")
    with pytest.raises(ModelError, match=r"wae-fader has a discriminator\. Received: none"):
        NoteAutoencoder(encoder, decoder)
    with pytest.raises(ModelError, match=r"ae has no discriminator\. Received: one"):
        NoteAutoencoder(encoder, decoder, build_discriminator(SMOKE, STYLES), variant="ae")
    with pytest.raises(ModelError, match=r"same styles, two or more\. Received: 3 and 4"):
        NoteAutoencoder(encoder, decoder, build_discriminator(SMOKE, 4))
    with pytest.raises(ModelError, match=r"two or more\. Received: 1 and 1"):
        NoteAutoencoder(encoder, build_decoder(SMOKE, 1), build_discriminator(SMOKE, 1))
    made = system()
    with pytest.raises(ModelError, match="optimiser of its own"):
        made.compile(keras.optimizers.Adam())
    with pytest.raises(ModelError, match=r"1 step or more\. Received: 0"):
        made.compile(keras.optimizers.Adam(), keras.optimizers.Adam(), steps=0)
