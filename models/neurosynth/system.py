"""NeuroSynth as adversarial systems: the terms of their losses, and the gradient penalty of the critic.

Ours is WGAN-GP with a class head: one critic loss, the penalty on the candidate alone, three softmaxes. The published
one is kept unchanged for comparison: a sigmoid on the score, three optimiser steps in each critic step, and a penalty
on every input plane, for each sample of time separately.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from models.training.adversarial import EPSILON, StepContext, Term, WassersteinGAN
from models.training.gradients import input_gradients


@keras.saving.register_keras_serializable("inversynth")
class NeuroSynth(WassersteinGAN):
    """A generator of shaped sounds, whose critic also predicts the classes of the envelope.

    Args:
        sizes: how many classes each of attack, sustain and release has. Further arguments: see `WassersteinGAN`.
    Shapes: `fit` takes ((basic (batch, samples), one-hot (batch, sum of sizes)), shaped (batch, samples)).
    """

    logged_terms: ClassVar[tuple[str, ...]] = ("l1",)

    def __init__(self, generator: keras.Model, critic: keras.Model, *, sizes: Sequence[int], **options: Any) -> None:
        self.sizes = tuple(sizes)
        super().__init__(generator, critic, **options)

    def critic_terms(self) -> dict[str, Term]:
        return {
            **super().critic_terms(),
            "classes": lambda step: self.class_loss(step.real_output["classes"], step.inputs[1]),
        }

    def generator_terms(self) -> dict[str, Term]:
        return {
            **super().generator_terms(),
            "classes": lambda step: self.class_loss(step.fake_output["classes"], step.inputs[1]),
            "l1": lambda step: ops.mean(ops.abs(step.fake - step.real)),
        }

    def class_loss(self, logits: Any, one_hot: Any) -> Any:
        """Return the sum of the cross-entropies of the three softmaxes. Shapes: (batch, sum of sizes) -> ()."""
        losses, start = [], 0
        for size in self.sizes:
            part = slice(start, start := start + size)
            losses.append(ops.categorical_crossentropy(one_hot[:, part], logits[:, part], from_logits=True))
        return ops.mean(sum(losses))

    def training_loss(self, means: dict[str, Any]) -> Any:
        return means["generator_l1"]  # the error that validation measures, too

    def validation_measures(self, inputs: Any, real: Any) -> dict[str, Any]:
        """Measure the mean absolute error to the target, which is known here."""
        return {"loss": ops.mean(ops.abs(self.generate(inputs) - real))}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": list(self.sizes)}


@keras.saving.register_keras_serializable("inversynth")
class PublishedNeuroSynth(NeuroSynth):
    """The system as published. Source: eoin-og/NeuroSynth, the losses and the loop of its trainer."""

    def critic_output(self, candidate: Any, inputs: Any, training: bool = False) -> Any:
        return self.critic(self._planes(candidate, inputs[0]), training=training)

    def class_loss(self, logits: Any, one_hot: Any) -> Any:
        """Return the mean of nine binary cross-entropies, as if the classes did not exclude each other (published)."""
        return ops.mean(keras.losses.binary_crossentropy(one_hot, logits, from_logits=True))

    def gradient_penalty(self, step: StepContext) -> Any:
        """Return mean (|gradient of the score for all planes at one sample of time| - target)^2."""
        slope = input_gradients(
            lambda planes: self.critic(planes, training=True)["score"], self._planes(step.mix, step.inputs[0])
        )
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=-1) + EPSILON)
        return ops.mean(ops.square(norm - self.penalty_target))

    @staticmethod
    def _planes(candidate: Any, basic: Any) -> Any:
        """Stack candidate, waveform and an index as planes. Shapes: twice (batch, samples) -> (batch, samples, 3)."""
        index = ops.cumsum(ops.ones_like(basic), axis=-1) - 1.0
        return ops.stack([candidate, basic, index], axis=-1)
