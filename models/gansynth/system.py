"""GANSynth as an adversarial system: a Wasserstein GAN whose critic also names the pitch.

The critic is trained to classify the pitch of real notes, the generator to make notes of the target pitch. Both are
trained at the resolution of their last block and on normalised spectrograms, where the published code trains on
spectrograms of full size in units of logarithms and half turns; the gradient penalty is scaled to be the same.
Source: Engel et al. 2019, arXiv 1902.08710, and its code; losses after Karras et al. 2018, arXiv 1710.10196.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from models.backend import device_kind
from models.training.adversarial import EPSILON, StepContext, Term, WassersteinGAN
from models.training.gradients import input_gradients

TERMS: Mapping[str, float] = {"penalty": 10.0, "drift": 1e-3, "pitch": 10.0}
"""Weights of the terms (the release)."""


@keras.saving.register_keras_serializable("inversynth")
class GanSynth(WassersteinGAN):
    """A generator and a critic of spectrograms of notes.

    Args:
        units: factor by which each channel of a spectrogram was normalised. repeats: points of the final spectrogram
            along each axis, for each point here. Further arguments: see `WassersteinGAN`; by default the generator is
            updated first, then the critic once, each with its own latents.
    Shapes: `fit` takes ((latent (batch, latent), target pitch (batch, pitches), progress (batch, 1), pitch of the real
        notes (batch, pitches)), real spectrograms (batch, frames, bins, 2)).
    """

    validation_names: ClassVar[tuple[str, ...]] = ("distance", "pitch", "real_pitch")

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        units: Sequence[float] = (1.0, 1.0),
        repeats: int = 1,
        weights: Mapping[str, float] | None = None,
        **options: Any,
    ) -> None:
        self.units, self.repeats = tuple(map(float, units)), repeats
        chosen = {"critic_steps": 1, "generator_first": True, **options}
        super().__init__(generator, critic, weights={**TERMS, **(weights or {})}, **chosen)

    def compile(self, *optimizers: keras.optimizers.Optimizer) -> None:
        super().compile(*optimizers)
        if device_kind() != "gpu":
            self.jit_compile = False  # on CPUs XLA compiles for ten seconds per stage, and each step is slower

    def generate(self, inputs: Any, training: bool = False) -> Any:
        return self.generator(list(inputs[:3]), training=training)

    def critic_output(self, candidate: Any, inputs: Any, training: bool = False) -> Mapping[str, Any]:
        outputs: Mapping[str, Any] = self.critic([candidate, inputs[2]], training=training)
        return outputs

    def critic_terms(self) -> dict[str, Term]:
        return {**super().critic_terms(), "pitch": lambda step: _pitch_loss(step.real_output["pitch"], step.inputs[3])}

    def generator_terms(self) -> dict[str, Term]:
        return {
            **super().generator_terms(),
            "pitch": lambda step: _pitch_loss(step.fake_output["pitch"], step.inputs[1]),
        }

    def gradient_penalty(self, step: StepContext) -> Any:
        """Return mean (|gradient of the score for the spectrogram at full size in its own units| - target)^2.

        A spectrogram at full size repeats each point here `repeats` squared times, and the gradient of each is smaller
        by that factor: the norm over all is the norm over the points here, divided by `repeats`.
        """
        slope = input_gradients(
            lambda candidate: self.critic_output(candidate, step.inputs, training=True)["score"], step.mix
        )
        slope = slope * ops.convert_to_tensor(self.units, "float32") / self.repeats
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=(1, 2, 3)) + EPSILON)
        return ops.mean(ops.square(norm - self.penalty_target))

    def validation_measures(self, inputs: Any, real: Any) -> dict[str, Any]:
        """Measure the critic's estimate of the distance, and its pitch accuracy on generated and real notes.

        None of these tells the best epoch, since the critic changes as well.
        """
        real_output, fake_output = self.critic_output(real, inputs), self.critic_output(self.generate(inputs), inputs)
        return {
            "distance": ops.mean(real_output["score"]) - ops.mean(fake_output["score"]),
            "pitch": ops.mean(keras.metrics.categorical_accuracy(inputs[1], fake_output["pitch"])),
            "real_pitch": ops.mean(keras.metrics.categorical_accuracy(inputs[3], real_output["pitch"])),
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": list(self.units), "repeats": self.repeats}


def _pitch_loss(logits: Any, one_hot: Any) -> Any:
    return ops.mean(keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True))
