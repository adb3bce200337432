"""Systems of networks that are trained against each other, each by an optimiser of its own.

`TwoOptimizerModel` holds what they share. `WassersteinGAN` is a GAN with gradient penalty (Gulrajani et al. 2017, arXiv
1704.00028; the drift term after Karras et al. 2018, arXiv 1710.10196) with named loss terms and one table of weights; a
concrete GAN adds terms by overriding `critic_terms` and `generator_terms`. `models.training.loop` trains both kinds as
it does any other model.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import keras
from keras import ops

from generators.errors import ModelError
from models.training.gradients import adversarial_backend, descend, input_gradients

WEIGHTS: Mapping[str, float] = {"real": 1.0, "fake": 1.0, "penalty": 10.0, "drift": 0.0}
"""Weights of the loss terms, of critic and generator alike. The penalty is that of the paper; Karras et al. use 0.001
for the drift."""

EPSILON = 1e-12
"""Added under the square root of a gradient's norm, whose own gradient would be infinite at zero."""


class TwoOptimizerModel(keras.Model):
    """Base of systems that train their networks on separate losses, with two optimisers.

    A subclass sets `networks` and `means`, calls `compile_with` in `compile`, and returns its `optimizer_groups`.

    Args:
        seed: of everything random in a step.
    """

    networks: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold the networks, which are part of the configuration; one of them may be None."""

    means: dict[str, keras.metrics.Mean]
    """Running means of the loss terms, by the names under which they are logged."""

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed, self.seed_generator = seed, keras.random.SeedGenerator(seed)

    def compile_with(self, jit_compile: Any = "auto", **optimizers: keras.optimizers.Optimizer) -> None:
        """Compile for `fit` with optimisers, which become attributes of these names.

        Raises: ModelError on another backend than TensorFlow and PyTorch.
        """
        adversarial_backend()
        super().compile(optimizer=None, jit_compile=jit_compile)  # Keras would apply one optimiser to all weights
        for name, optimizer in optimizers.items():
            setattr(self, name, optimizer)
        for optimizer, variables in self.optimizer_groups():
            optimizer.build(variables)  # variables made while a step is traced would have it traced once more

    def optimizer_groups(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        """Return each optimiser with the variables that it updates."""
        raise NotImplementedError

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    def get_config(self) -> dict[str, Any]:
        """Return the configuration that builds this system again, its networks included, untrained."""
        parts = {name: getattr(self, name) for name in self.networks}
        written = {
            name: None if part is None else keras.saving.serialize_keras_object(part) for name, part in parts.items()
        }
        return {"name": self.name, **written, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        present = [name for name in cls.networks if config[name] is not None]
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in present}})


class StepContext:
    """Tensors of one training step, each computed once and only if a loss term needs it.

    Attributes:
        inputs: a sequence, what the generator is given. real (batch, …).
        fake, mix: as `real`. real_output, fake_output: outputs of the critic by name, `score` (batch,) among them.
    """

    def __init__(self, system: "WassersteinGAN", inputs: Any, real: Any, *, network: str) -> None:
        self._system, self._network = system, network
        self.inputs, self.real = inputs, real

    @cached_property
    def fake(self) -> Any:
        fake = self._system.generate(self.inputs, training=True)
        return ops.stop_gradient(fake) if self._network == "critic" else fake

    @cached_property
    def real_output(self) -> Mapping[str, Any]:
        return self._system.critic_output(self.real, self.inputs, training=True)

    @cached_property
    def fake_output(self) -> Mapping[str, Any]:
        return self._system.critic_output(self.fake, self.inputs, training=True)

    @cached_property
    def mix(self) -> Any:
        """Random points between each real example and the fake one beside it. Shapes: those of real."""
        shape = (ops.shape(self.real)[0], *(1,) * (len(self.real.shape) - 1))
        share = keras.random.uniform(shape, seed=self._system.seed_generator)
        return self.real + share * (self.fake - self.real)


Term = Callable[[StepContext], Any]
"""Computes one scalar of a loss."""


@keras.saving.register_keras_serializable("inversynth")
class WassersteinGAN(TwoOptimizerModel):
    """A generator and its critic.

    Args:
        generator: [*inputs] -> (batch, …); the only network that is kept after training.
        critic: [candidate, *inputs] -> a dictionary with `score` (batch,), unbounded, and any outputs that terms use.
        critic_steps: steps of the critic for each step of the generator, each on examples of its own: a batch from
            `fit` is cut into so many parts, and the generator is trained on the first.
        generator_first: update the generator before the critic, on a further part of its own.
        penalty_target: the norm of the gradient at which the penalty is zero.
        weights: of the loss terms by name, in addition to or in place of WEIGHTS; a term of weight 0 is not computed.
        schedule: the terms of the critic in groups, each of which is one loss and one optimiser step. By default all
            terms form one group.
        seed: of the random points at which the penalty is computed.
    """

    validation_names: ClassVar[tuple[str, ...]] = ("loss",)
    """Names of what `validation_measures` returns."""

    logged_terms: ClassVar[tuple[str, ...]] = ()
    """Terms that are computed and logged even at weight 0."""

    networks: ClassVar[tuple[str, ...]] = ("generator", "critic")

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
        super().__init__(seed, **options)
        self.generator, self.critic = generator, critic
        self.critic_steps, self.generator_first = critic_steps, generator_first
        self.penalty_target = penalty_target
        self.weights_of_terms = {**WEIGHTS, **(weights or {})}
        self.schedule = [self._active(group) for group in schedule or [list(self.critic_terms())]]
        self.active_terms = {
            "critic": [name for group in self.schedule for name in group],
            "generator": self._active(self.generator_terms()),
        }
        self.means = {
            f"{network}_{name}": keras.metrics.Mean(f"{network}_{name}")
            for network, names in self.active_terms.items()
            for name in (*names, "loss")
        }
        self.validation_means = {name: keras.metrics.Mean(name) for name in self.validation_names}
        self.built = True

    # --- overridden by concrete systems ----------------------------------------------------------------------------

    def critic_terms(self) -> dict[str, Term]:
        """Return the terms of the critic's loss by name."""
        return {
            "real": lambda step: -ops.mean(step.real_output["score"]),
            "fake": lambda step: ops.mean(step.fake_output["score"]),
            "penalty": self.gradient_penalty,
            "drift": lambda step: ops.mean(ops.square(step.real_output["score"])),
        }

    def generator_terms(self) -> dict[str, Term]:
        """Return the terms of the generator's loss by name."""
        return {"fake": lambda step: -ops.mean(step.fake_output["score"])}

    def generate(self, inputs: Any, training: bool = False) -> Any:
        """Return the generator's output."""
        return self.generator(list(inputs), training=training)

    def critic_output(self, candidate: Any, inputs: Any, training: bool = False) -> Mapping[str, Any]:
        """Return the critic's outputs for candidates, given the inputs they were generated from."""
        outputs: Mapping[str, Any] = self.critic([candidate, *inputs], training=training)
        return outputs

    def gradient_penalty(self, step: StepContext) -> Any:
        """Return mean (|gradient of the score for the candidate| - target)^2, one norm for each example."""

        def score(candidate: Any) -> Any:
            return self.critic_output(candidate, step.inputs, training=True)["score"]

        slope = input_gradients(score, step.mix)
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=tuple(range(1, len(slope.shape)))) + EPSILON)
        return ops.mean(ops.square(norm - self.penalty_target))

    def validation_measures(self, inputs: Any, real: Any) -> dict[str, Any]:
        """Measure one batch of validation; the epoch with the lowest mean `loss` counts as the best.

        Here it is the critic's estimate of the Wasserstein distance. A system whose targets are known measures its
        error instead.
        """
        scores = [self.critic_output(each, inputs)["score"] for each in (real, self.generate(inputs))]
        return {"loss": ops.mean(scores[0]) - ops.mean(scores[1])}

    # --- called by `fit` -------------------------------------------------------------------------------------------

    def compile(
        self, generator_optimizer: keras.optimizers.Optimizer, critic_optimizer: keras.optimizers.Optimizer
    ) -> None:
        """Compile for `fit`, with an optimiser for each network; that of the generator may average weights.

        Raises: ModelError on another backend than TensorFlow and PyTorch, and in float16.
        """
        if self.dtype_policy.name == "mixed_float16":
            raise ModelError(
                "adversarial systems train in float32 or mixed_bfloat16, because second derivatives overflow in "
                "float16. Received: precision mixed_float16"
            )
        self.compile_with(generator_optimizer=generator_optimizer, critic_optimizer=critic_optimizer)

    def optimizer_groups(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        return [
            (self.generator_optimizer, self.generator.trainable_variables),
            (self.critic_optimizer, self.critic.trainable_variables),
        ]

    def for_inference(self) -> keras.Model:
        """Return the network that is kept after training."""
        return self.generator

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.generate(inputs, training=training)

    def reset_metrics(self) -> None:
        """Reset the means of training and of validation, which are not `metrics`, for some share a name."""
        for mean in (*self.means.values(), *self.validation_means.values()):
            mean.reset_state()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Update the critic `critic_steps` times and the generator once. Shapes: data (inputs, real)."""
        inputs, real, _ = keras.utils.unpack_x_y_sample_weight(data)
        first = 1 if self.generator_first else 0
        if self.generator_first:
            self._update_generator(self._part(0, inputs, real))
        terms = self.critic_terms()
        for number in range(first, first + self.critic_steps):
            part = self._part(number, inputs, real)
            losses = [self._step("critic", group, terms, part) for group in self.schedule]
            self.means["critic_loss"].update_state(ops.sum(ops.stack(losses)))
        if not self.generator_first:
            self._update_generator(self._part(0, inputs, real))
        means = {name: mean.result() for name, mean in self.means.items()}
        return {"loss": self.training_loss(means), **means}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch of validation."""
        inputs, real, _ = keras.utils.unpack_x_y_sample_weight(data)
        measures = self.validation_measures(inputs, real)
        for name, value in measures.items():
            self.validation_means[name].update_state(value, sample_weight=ops.shape(real)[0])
        return {name: self.validation_means[name].result() for name in measures}

    def training_loss(self, means: dict[str, Any]) -> Any:
        """Choose what is logged as the training `loss`, among the means of all terms so far."""
        return means["generator_loss"]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "critic_steps": self.critic_steps,
            "generator_first": self.generator_first,
            "penalty_target": self.penalty_target,
            "weights": dict(self.weights_of_terms),
            "schedule": [list(group) for group in self.schedule],
        }

    def _active(self, names: Any) -> list[str]:
        return [name for name in names if self._weight(name) != 0.0 or name in self.logged_terms]

    def _weight(self, name: str) -> float:
        return float(self.weights_of_terms.get(name, 1.0))

    def _part(self, number: int, inputs: Any, real: Any) -> tuple[Any, Any]:
        """Return the examples of one step. Where there are too few, some are used twice."""
        parts = self.critic_steps + self.generator_first
        if parts == 1:
            return inputs, real
        count = ops.shape(real)[0]
        size = (count + parts - 1) // parts
        rows = (ops.arange(size) + number * size) % count
        return keras.tree.map_structure(lambda column: ops.take(column, rows, axis=0), (inputs, real))

    def _update_generator(self, part: tuple[Any, Any]) -> None:
        loss = self._step("generator", self.active_terms["generator"], self.generator_terms(), part)
        self.means["generator_loss"].update_state(loss)

    def _step(self, network: str, names: Sequence[str], terms: Mapping[str, Term], part: tuple[Any, Any]) -> Any:
        """Update one network by the weighted sum of some terms, and add their values to the means."""

        def loss() -> tuple[Any, dict[str, Any]]:
            step = StepContext(self, *part, network=network)
            values = {name: terms[name](step) for name in names}
            weighted = [self._weight(name) * values[name] for name in names if self._weight(name) != 0.0]
            return ops.sum(ops.stack(weighted)), values  # XLA reorders a chain of additions, and rounding with it

        optimizer, variables = self.optimizer_groups()[0 if network == "generator" else 1]
        total, values = descend(loss, optimizer, variables)
        for name, value in values.items():
            self.means[f"{network}_{name}"].update_state(value)
        return total
