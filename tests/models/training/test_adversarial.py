"""The Wasserstein GAN: terms against closed forms, which network a step moves, weights, parts of a batch, saving."""

import keras
import numpy as np
import pytest
from keras import ops

from models.training.adversarial import StepContext, WassersteinGAN
from models.training.callbacks import averaged_weights, optimizer_groups

SIZE = 3


def number(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def networks():
    """A generator that shifts its input, and a critic that is linear in the candidate."""
    start = keras.Input((SIZE,))
    generator = keras.Model([start], keras.layers.Dense(SIZE, kernel_initializer="identity")(start))
    candidate, beside = keras.Input((SIZE,)), keras.Input((SIZE,))
    score = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="line")(candidate)
    critic = keras.Model([candidate, beside], {"score": keras.layers.Reshape(())(score)})
    return generator, critic


def system(**options):
    made = WassersteinGAN(*networks(), **{"critic_steps": 1, "seed": 0, **options})
    made.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    return made


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(10, SIZE)).astype(np.float32)
    return (ops.convert_to_tensor(inputs),), ops.convert_to_tensor(inputs + 2.0)


def values(network):
    return [number(weight) for weight in network.trainable_variables]


def test_terms_of_a_linear_critic_have_closed_forms(data):
    made = system()
    one = StepContext(made, *data, network="critic")
    inputs, real = (number(part) for part in (data[0][0], data[1]))
    terms = {name: float(number(term(one))) for name, term in made.critic_terms().items()}
    np.testing.assert_allclose(terms["real"], -real.sum(axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(terms["fake"], inputs.sum(axis=1).mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(terms["penalty"], (np.sqrt(SIZE) - 1.0) ** 2, rtol=1e-5)
    np.testing.assert_allclose(terms["drift"], np.square(real.sum(axis=1)).mean(), rtol=1e-5)


def test_mixture_lies_between_real_and_fake_item_by_item(data):
    one = StepContext(system(), *data, network="critic")
    mix, fake, real = (number(part) for part in (one.mix, one.fake, one.real))
    share = (mix - real) / (fake - real)
    np.testing.assert_allclose(share, np.repeat(share[:, :1], SIZE, axis=1), atol=1e-5)
    assert np.all((share >= 0) & (share <= 1))
    assert np.ptp(share[:, 0]) > 0.2


def test_penalty_is_zero_at_its_target(data):
    made = system(penalty_target=float(np.sqrt(SIZE)))
    assert float(number(made.gradient_penalty(StepContext(made, *data, network="critic")))) < 1e-10


def test_one_training_step_moves_both_networks(data):
    made = system()
    before = values(made.generator), values(made.critic)
    told = made.train_step(data)
    for old, network in zip(before, (made.generator, made.critic), strict=True):
        assert any(np.any(new != one) for new, one in zip(values(network), old, strict=True))
    assert {"critic_real", "critic_fake", "critic_penalty", "critic_loss", "generator_fake", "loss"} <= set(told)
    assert "critic_drift" not in told  # its weight is 0


@pytest.mark.parametrize(("learner", "moved"), [("critic", "critic"), ("generator", "generator")])
def test_a_step_of_one_network_leaves_the_other_alone(data, learner, moved):
    made = system()
    before = {"generator": values(made.generator), "critic": values(made.critic)}
    made._step(learner, made.active_terms[learner], getattr(made, f"{learner}_terms")(), data)
    for name, old in before.items():
        same = all(np.array_equal(new, one) for new, one in zip(values(getattr(made, name)), old, strict=True))
        assert same == (name != moved)


def test_logged_loss_is_the_weighted_sum_of_the_logged_terms(data):
    made = system(weights={"penalty": 3.0, "drift": 0.5, "real": 2.0})
    told = {name: float(number(value)) for name, value in made.train_step(data).items()}
    expected = 2 * told["critic_real"] + told["critic_fake"] + 3 * told["critic_penalty"] + 0.5 * told["critic_drift"]
    np.testing.assert_allclose(told["critic_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(told["generator_loss"], told["generator_fake"], rtol=1e-6)


def test_schedule_takes_a_step_for_each_group(data):
    made = system(schedule=[["real"], ["fake", "penalty"]])
    made.train_step(data)
    assert int(number(made.critic_optimizer.iterations)) == 2
    assert int(number(made.generator_optimizer.iterations)) == 1


def test_critic_steps_divide_a_batch_and_none_of_them_is_empty(data):
    made = system(critic_steps=4)
    (inputs,), _ = data
    parts = [number(made._part(step, (inputs,), inputs)[1]) for step in range(4)]
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    rows = np.concatenate(parts)
    np.testing.assert_array_equal(rows[:10], number(inputs))  # all of them, and two again
    assert len(number(made._part(3, (inputs[:2],), inputs[:2])[1])) == 1
    made.train_step(data)
    assert int(number(made.critic_optimizer.iterations)) == 4


def test_generator_learns_from_the_critic_alone(data):
    """The shift between input and real is 2; no term compares a fake with the real one beside it."""
    candidate, beside = keras.Input((SIZE,)), keras.Input((SIZE,))
    hidden = keras.layers.Concatenate()([candidate, beside])
    for seed in (1, 2):
        start = keras.initializers.GlorotUniform(seed)
        hidden = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(32, kernel_initializer=start)(hidden))
    score = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(3))(hidden)
    critic = keras.Model([candidate, beside], {"score": keras.layers.Reshape(())(score)})
    made = WassersteinGAN(networks()[0], critic, critic_steps=1, seed=0)
    made.compile(keras.optimizers.Adam(0.01, 0.0, 0.9), keras.optimizers.Adam(0.01, 0.0, 0.9))
    examples = keras.tree.map_structure(number, data)
    repeated = keras.tree.map_structure(lambda part: np.tile(part, (200, 1)), examples)
    made.fit(*repeated, batch_size=10, epochs=3, shuffle=False, verbose=0)
    fake = number(made.generate(data[0]))
    assert np.abs(fake - examples[1]).mean() < 0.5


def test_averages_are_lent_to_the_network_whose_optimiser_keeps_them(data):
    made = system()
    made.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), keras.optimizers.SGD(0.1))
    assert [optimizer for optimizer, _ in optimizer_groups(made)] == [made.generator_optimizer, made.critic_optimizer]
    made.train_step(data)
    once = values(made.generator)
    made.train_step(data)
    learned, critic = values(made.generator), values(made.critic)
    with averaged_weights(made):
        for mean, old, new in zip(values(made.generator), once, learned, strict=True):
            np.testing.assert_allclose(mean, (old + new) / 2, rtol=1e-5, atol=1e-7)
        assert all(np.array_equal(a, b) for a, b in zip(values(made.critic), critic, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(values(made.generator), learned, strict=True))


def test_system_comes_back_from_its_config_and_its_weights(data, tmp_path):
    made = system(critic_steps=2, weights={"drift": 0.001}, schedule=[["real", "fake"], ["penalty", "drift"]])
    made.train_step(data)
    path = tmp_path / "system.keras"
    made.save(path)
    twin = WassersteinGAN.from_config(made.get_config())
    assert twin.get_config() == made.get_config()
    twin.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    for optimizer, variables in optimizer_groups(twin):
        optimizer.build(variables)
    twin.load_weights(path)
    for network in ("generator", "critic"):
        for a, b in zip(values(getattr(made, network)), values(getattr(twin, network)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert int(number(twin.critic_optimizer.iterations)) == 4


def test_validation_tells_the_distance_that_the_critic_sees(data):
    made = system()
    told = made.test_step(data)
    np.testing.assert_allclose(float(number(told["loss"])), 2.0 * SIZE, rtol=1e-4)
