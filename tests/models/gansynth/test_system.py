"""GANSynth as a system: who learns which pitch, in which order, and a penalty that knows its units."""

import keras
import numpy as np
import pytest
from keras import ops

from models.gansynth.networks import build_critic, build_generator
from models.gansynth.presets import SIZES
from models.gansynth.representation import Normaliser
from models.gansynth.system import GanSynth
from models.layers.resolution import downscaled
from models.training.adversarial import StepContext
from models.training.gradients import input_gradients

SMOKE = SIZES["smoke"]
NORMALISER = Normaliser((0.0661, 0.8), (0.1137, 0.0))


def number(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def system(blocks=3, **options):
    made = GanSynth(build_generator(SMOKE, blocks, seed=0), build_critic(SMOKE, blocks, seed=1), seed=2, **options)
    adam = {"learning_rate": 8e-4, "beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-8}
    made.compile(keras.optimizers.Adam(**adam), keras.optimizers.Adam(**adam))
    return made


def examples(count=8, blocks=3, seed=0):
    rng = np.random.default_rng(seed)
    pitches = np.eye(SMOKE.pitches, dtype=np.float32)
    inputs = (
        rng.normal(size=(count, SMOKE.latent)).astype(np.float32),
        pitches[rng.integers(0, SMOKE.pitches, count)],
        np.full((count, 1), blocks - 1, np.float32),
        pitches[rng.integers(0, SMOKE.pitches, count)],
    )
    real = rng.uniform(-1, 1, (count, *SMOKE.resolution(blocks), 2)).astype(np.float32)
    return tuple(map(ops.convert_to_tensor, inputs)), ops.convert_to_tensor(real)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_penalty_is_that_of_full_spectrograms_in_their_own_units(blocks):
    """Both formulations: at the size of the block on normalised spectrograms, and at full size in logarithms."""
    repeats = 1 << (SMOKE.blocks - blocks)
    made = system(blocks, units=NORMALISER.scale, repeats=repeats)
    inputs, real = examples(blocks=blocks)
    one = StepContext(made, inputs, real, network="critic")
    found = float(number(made.gradient_penalty(one)))

    full = np.repeat(np.repeat(NORMALISER.undo(number(one.mix)), repeats, axis=1), repeats, axis=2)
    scale, offset = (np.asarray(each, np.float32) for each in (NORMALISER.scale, NORMALISER.offset))

    def score(spectrograms):  # what is within bounds is not clipped
        return made.critic([downscaled(spectrograms * scale + offset, repeats), inputs[2]])["score"]

    slope = number(input_gradients(score, ops.convert_to_tensor(full.astype(np.float32))))
    expected = np.mean((np.sqrt((slope**2).sum(axis=(1, 2, 3))) - 1.0) ** 2)
    assert found == pytest.approx(float(expected), rel=1e-4)
    plain = system(blocks)
    assert abs(float(number(plain.gradient_penalty(StepContext(plain, inputs, real, network="critic")))) - found) > 1e-3


def test_the_critic_learns_real_pitches_and_the_generator_target_pitches():
    made, (inputs, real) = system(), examples()
    one = StepContext(made, inputs, real, network="generator")
    pairs = (
        (made.critic_terms()["pitch"], made.critic([real, inputs[2]])["pitch"], inputs[3]),
        (made.generator_terms()["pitch"], made.critic([made.generate(inputs), inputs[2]])["pitch"], inputs[1]),
    )
    for term, logits, wanted in pairs:
        scores = number(logits)
        scores = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        assert float(number(term(one))) == pytest.approx(-np.mean((scores * number(wanted)).sum(axis=1)), rel=1e-4)


def test_terms_count_as_in_the_release():
    made = system()
    assert {name: made.weights_of_terms[name] for name in ("real", "fake", "penalty", "drift", "pitch")} == {
        **{"real": 1.0, "fake": 1.0},
        **{"penalty": 10.0, "drift": 0.001, "pitch": 10.0},
    }
    assert set(made.active_terms["critic"]) == {"real", "fake", "penalty", "drift", "pitch"}
    assert set(made.active_terms["generator"]) == {"fake", "pitch"}


def test_the_generator_steps_first_and_each_learner_on_examples_of_its_own(monkeypatch):
    made, (inputs, real) = system(), examples()
    order = []
    step = made._step

    def noted(learner, names, terms, part):
        order.append((learner, number(part[0][0]), number(part[1])))
        return step(learner, names, terms, part)

    monkeypatch.setattr(made, "_step", noted)
    made.train_step((inputs, real))
    assert [learner for learner, *_ in order] == ["generator", "critic"]
    np.testing.assert_array_equal(order[0][1], number(inputs[0])[:4])
    np.testing.assert_array_equal(order[1][1], number(inputs[0])[4:])
    np.testing.assert_array_equal(order[1][2], number(real)[4:])


def test_it_learns_from_fit_and_comes_back_from_its_config():
    made, (inputs, real) = system(), examples(16)
    before = [number(weight) for weight in (*made.generator.weights, *made.critic.weights)]
    real_notes = made.fit(inputs, real, batch_size=8, epochs=2, verbose=0).history
    assert all(np.all(np.isfinite(values)) for values in real_notes.values())
    assert {"critic_pitch", "critic_penalty", "generator_pitch", "generator_fake"} <= set(real_notes)
    moved = [
        np.any(number(new) != old)
        for new, old in zip((*made.generator.weights, *made.critic.weights), before, strict=True)
    ]
    unused = 2 * 2 * 2  # kernels and biases of what makes and sees spectrograms at two smaller resolutions
    assert sum(moved) == len(moved) - unused
    again = GanSynth.from_config(made.get_config())
    assert again.get_config() == made.get_config()
    assert again.generator_first
