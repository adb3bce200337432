"""A Wasserstein GAN with gradient penalty: two networks, named loss terms, one table of weights.

The base that concrete systems stand on (Gulrajani et al. 2017, arXiv 1704.00028; the drift term after Karras et al.
2018, arXiv 1710.10196). A system names further terms by overriding `critic_terms` and `generator_terms`; it is trained
by `models.training.loop` as any other model is.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import keras
from keras import ops

from generators.errors import ModelError
from models.training.gradients import adversarial_backend, descend, input_gradients

WEIGHTS: Mapping[str, float] = {"real": 1.0, "fake": 1.0, "penalty": 10.0, "drift": 0.0}
"""What each term counts for, of critic and generator alike. The penalty is that of the paper; Karras et al. take 0.001
for the drift."""

EPSILON = 1e-12
"""Added under the root of a gradient's norm, whose own gradient would be infinite at zero."""


class StepContext:
    """What one step looks at, each part computed once and only if a term asks for it.

    Attributes: inputs (a sequence, what the generator is given), real (batch, …); fake, mix and the judgements of the
    critic, which are its outputs by name, `score` (batch,) among them.
    """

    def __init__(self, system: "WassersteinGAN", inputs: Any, real: Any, *, learning: str) -> None:
        self._system, self._learning = system, learning
        self.inputs, self.real = inputs, real

    @cached_property
    def fake(self) -> Any:
        fake = self._system.generate(self.inputs, training=True)
        return ops.stop_gradient(fake) if self._learning == "critic" else fake

    @cached_property
    def real_output(self) -> Mapping[str, Any]:
        return self._system.judge(self.real, self.inputs, training=True)

    @cached_property
    def fake_output(self) -> Mapping[str, Any]:
        return self._system.judge(self.fake, self.inputs, training=True)

    @cached_property
    def mix(self) -> Any:
        """Each item somewhere on the line between a real one and the fake one beside it. Shapes: those of real."""
        shape = (ops.shape(self.real)[0], *(1,) * (len(self.real.shape) - 1))
        share = keras.random.uniform(shape, seed=self._system.seed_generator)
        return self.real + share * (self.fake - self.real)


Term = Callable[[StepContext], Any]
"""Computes one scalar of a loss."""


@keras.saving.register_keras_serializable("inversynth")
class WassersteinGAN(keras.Model):
    """A generator and the critic it learns from.

    Args:
        generator: what is trained, and all that is kept: [*inputs] -> (batch, …).
        critic: [candidate, *inputs] -> a dictionary with `score` (batch,), unbounded, and whatever else terms use.
        critic_steps: steps of the critic before one of the generator, each on examples of its own: a batch from `fit`
            is cut into so many parts, and the generator learns on the first.
        generator_first: the generator takes its step before the critic, on a further part of its own.
        penalty_target: the norm of the gradient at which the penalty is zero.
        weights: of the loss terms by name, beside or in place of WEIGHTS; a term of weight 0 is not computed.
        schedule: the terms of the critic, grouped: the sum of a group is one loss and one step of the optimiser. By
            default all in one.
        seed: of the mixtures that the penalty is taken at.
    """

    validation_names: ClassVar[tuple[str, ...]] = ("loss",)
    """What `validation_measures` returns."""

    logged_terms: ClassVar[tuple[str, ...]] = ()
    """Terms that are computed and logged at weight 0, too."""

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        critic_steps: int = 5,
        generator_first: bool = False,
        penalty_target: float = 1.0,
        weights: Mapping[str, float] | None = None,
        schedule: Sequence[Sequence[str]] | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.generator, self.critic = generator, critic
        self.critic_steps, self.generator_first = critic_steps, generator_first
        self.penalty_target = penalty_target
        self.weights_of_terms = {**WEIGHTS, **(weights or {})}
        self.seed, self.seed_generator = seed, keras.random.SeedGenerator(seed)
        self.schedule = [self._counting(group) for group in schedule or [list(self.critic_terms())]]
        self.counted = {
            "critic": [name for group in self.schedule for name in group],
            "generator": self._counting(self.generator_terms()),
        }
        self.means = {
            f"{learner}_{name}": keras.metrics.Mean(f"{learner}_{name}")
            for learner, names in self.counted.items()
            for name in (*names, "loss")
        }
        self.validation_means = {name: keras.metrics.Mean(name) for name in self.validation_names}
        self.built = True

    # --- what a system may say otherwise ---------------------------------------------------------------------------

    def critic_terms(self) -> dict[str, Term]:
        """Return the terms of the critic's loss by name."""
        return {
            "real": lambda one: -ops.mean(one.real_output["score"]),
            "fake": lambda one: ops.mean(one.fake_output["score"]),
            "penalty": self.gradient_penalty,
            "drift": lambda one: ops.mean(ops.square(one.real_output["score"])),
        }

    def generator_terms(self) -> dict[str, Term]:
        """Return the terms of the generator's loss by name."""
        return {"fake": lambda one: -ops.mean(one.fake_output["score"])}

    def generate(self, inputs: Any, training: bool = False) -> Any:
        """Return what the generator makes of its inputs."""
        return self.generator(list(inputs), training=training)

    def judge(self, candidate: Any, inputs: Any, training: bool = False) -> Mapping[str, Any]:
        """Return what the critic says of candidates, given the inputs they were made from."""
        judged: Mapping[str, Any] = self.critic([candidate, *inputs], training=training)
        return judged

    def gradient_penalty(self, one: StepContext) -> Any:
        """Return mean (|gradient of the score for the candidate| - target)^2, one norm an item."""

        def score(candidate: Any) -> Any:
            return self.judge(candidate, one.inputs, training=True)["score"]

        slope = input_gradients(score, one.mix)
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=tuple(range(1, len(slope.shape)))) + EPSILON)
        return ops.mean(ops.square(norm - self.penalty_target))

    def validation_measures(self, inputs: Any, real: Any) -> dict[str, Any]:
        """Measure one batch of validation; the lowest mean `loss` tells the best epoch.

        Here it is the critic's estimate of the Wasserstein distance; systems that know the answer compare with it.
        """
        judged = [self.judge(sound, inputs)["score"] for sound in (real, self.generate(inputs))]
        return {"loss": ops.mean(judged[0]) - ops.mean(judged[1])}

    # --- what `fit` calls ------------------------------------------------------------------------------------------

    def compile(
        self, generator_optimizer: keras.optimizers.Optimizer, critic_optimizer: keras.optimizers.Optimizer
    ) -> None:
        """Make ready for `fit`, each network with its optimiser; averages are kept by that of the generator.

        Raises: ModelError on another backend than TensorFlow and PyTorch, and in float16.
        """
        adversarial_backend()
        if self.dtype_policy.name == "mixed_float16":
            raise ModelError(
                "adversarial systems train in float32 or mixed_bfloat16, for float16 cannot hold slopes of slopes. "
                "Received: precision mixed_float16"
            )
        super().compile(optimizer=None)  # Keras would take one optimiser for that of all weights
        self.generator_optimizer, self.critic_optimizer = generator_optimizer, critic_optimizer
        for learner, variables in self.optimizer_groups():
            learner.build(variables)  # variables made while a step is traced would have it traced once more

    def optimizer_groups(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        """Return each optimiser with the variables that it moves."""
        return [
            (self.generator_optimizer, self.generator.trainable_variables),
            (self.critic_optimizer, self.critic.trainable_variables),
        ]

    def for_inference(self) -> keras.Model:
        """Return what is kept of this system once it is trained."""
        return self.generator

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.generate(inputs, training=training)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())  # those of the validation share a name with a measure of the training

    def reset_metrics(self) -> None:
        for mean in (*self.means.values(), *self.validation_means.values()):
            mean.reset_state()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take `critic_steps` steps of the critic, and one of the generator. Shapes: data (inputs, real)."""
        inputs, real, _ = keras.utils.unpack_x_y_sample_weight(data)
        first = 1 if self.generator_first else 0
        if self.generator_first:
            self._learn_generator(self._part(0, inputs, real))
        terms = self.critic_terms()
        for number in range(first, first + self.critic_steps):
            part = self._part(number, inputs, real)
            losses = [self._step("critic", group, terms, part) for group in self.schedule]
            self.means["critic_loss"].update_state(ops.sum(ops.stack(losses)))
        if not self.generator_first:
            self._learn_generator(self._part(0, inputs, real))
        told = {name: mean.result() for name, mean in self.means.items()}
        return {"loss": self.training_loss(told), **told}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch of validation."""
        inputs, real, _ = keras.utils.unpack_x_y_sample_weight(data)
        measures = self.validation_measures(inputs, real)
        for name, value in measures.items():
            self.validation_means[name].update_state(value, sample_weight=ops.shape(real)[0])
        return {name: self.validation_means[name].result() for name in measures}

    def training_loss(self, told: dict[str, Any]) -> Any:
        """Choose what is told as `loss` of a training step, among the means of all terms so far."""
        return told["generator_loss"]

    def get_config(self) -> dict[str, Any]:
        """Return what builds this system again, both networks included, untrained."""
        return {
            "name": self.name,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "critic": keras.saving.serialize_keras_object(self.critic),
            "critic_steps": self.critic_steps,
            "generator_first": self.generator_first,
            "penalty_target": self.penalty_target,
            "weights": dict(self.weights_of_terms),
            "schedule": [list(group) for group in self.schedule],
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "WassersteinGAN":
        networks = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("generator", "critic")}
        return cls(**{**config, **networks})

    def _counting(self, names: Any) -> list[str]:
        return [name for name in names if self._weight(name) != 0.0 or name in self.logged_terms]

    def _weight(self, name: str) -> float:
        return float(self.weights_of_terms.get(name, 1.0))

    def _part(self, number: int, inputs: Any, real: Any) -> tuple[Any, Any]:
        """Return the examples of one step. Where they do not suffice, some serve twice."""
        parts = self.critic_steps + self.generator_first
        if parts == 1:
            return inputs, real
        count = ops.shape(real)[0]
        size = (count + parts - 1) // parts
        rows = (ops.arange(size) + number * size) % count
        return keras.tree.map_structure(lambda column: ops.take(column, rows, axis=0), (inputs, real))

    def _learn_generator(self, part: tuple[Any, Any]) -> None:
        loss = self._step("generator", self.counted["generator"], self.generator_terms(), part)
        self.means["generator_loss"].update_state(loss)

    def _step(self, learner: str, names: Sequence[str], terms: Mapping[str, Term], part: tuple[Any, Any]) -> Any:
        """Take one step of a learner down the weighted sum of some terms, and keep them for the log."""

        def loss() -> tuple[Any, dict[str, Any]]:
            one = StepContext(self, *part, learning=learner)
            values = {name: terms[name](one) for name in names}
            weighted = [self._weight(name) * values[name] for name in names if self._weight(name) != 0.0]
            return ops.sum(ops.stack(weighted)), values  # a chain of additions would be rewritten, in any order

        optimizer, variables = self.optimizer_groups()[0 if learner == "generator" else 1]
        total, values = descend(loss, optimizer, variables)
        for name, value in values.items():
            self.means[f"{learner}_{name}"].update_state(value)
        return total
