"""GANSynth as an adversarial system: a Wasserstein GAN whose critic also names the pitch.

The critic learns the pitch of real notes alone, the generator is held to the pitch that was asked of it. Both are
trained at the resolution of their last block and on normalised pictures, where the published code trains on pictures of
full size in units of logarithms and half turns; the gradient penalty is scaled to be the same.
Source: Engel et al. 2019, arXiv 1902.08710, and its code; losses after Karras et al. 2018, arXiv 1710.10196.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from models.training.adversarial import EPSILON, StepContext, Term, WassersteinGAN
from models.training.gradients import input_gradients
from models.training.recipe import device_kind

TERMS: Mapping[str, float] = {"penalty": 10.0, "drift": 1e-3, "pitch": 10.0}
"""What the terms count for (the release)."""


@keras.saving.register_keras_serializable("inversynth")
class GanSynth(WassersteinGAN):
    """A generator of pictures of notes.

    Args:
        units: by what each channel of a picture was multiplied to normalise it. repeats: points of the final picture
            along a side, for each point here. Further arguments: see `WassersteinGAN`; by default the generator steps
            first, then the critic once, each with latents of its own.
    Shapes: what `fit` takes is ((latent (batch, latent), pitch asked for (batch, pitches), progress (batch, 1), pitch
        of the real notes (batch, pitches)), real pictures (batch, frames, bins, 2)).
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
            self.jit_compile = False  # on CPUs XLA takes ten seconds a stage, and is slower from then on

    def generate(self, inputs: Any, training: bool = False) -> Any:
        return self.generator(list(inputs[:3]), training=training)

    def judge(self, candidate: Any, inputs: Any, training: bool = False) -> Mapping[str, Any]:
        judged: Mapping[str, Any] = self.critic([candidate, inputs[2]], training=training)
        return judged

    def critic_terms(self) -> dict[str, Term]:
        return {**super().critic_terms(), "pitch": lambda one: _pitch_loss(one.real_output["pitch"], one.inputs[3])}

    def generator_terms(self) -> dict[str, Term]:
        return {**super().generator_terms(), "pitch": lambda one: _pitch_loss(one.fake_output["pitch"], one.inputs[1])}

    def gradient_penalty(self, one: StepContext) -> Any:
        """Return mean (|gradient of the score for the picture at full size in its own units| - target)^2.

        A picture at full size repeats each point here `repeats` squared times, and each of them moves the score by so
        much less: the norm over all is that over the points here, divided by `repeats`.
        """
        slope = input_gradients(lambda candidate: self.judge(candidate, one.inputs, training=True)["score"], one.mix)
        slope = slope * ops.convert_to_tensor(self.units, "float32") / self.repeats
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=(1, 2, 3)) + EPSILON)
        return ops.mean(ops.square(norm - self.penalty_target))

    def validation_measures(self, inputs: Any, real: Any) -> dict[str, Any]:
        """Measure the critic's estimate of the distance, and how often it names the pitch of a note as it should.

        No measure here says which epoch is the best: the critic learns along.
        """
        judged = self.judge(real, inputs), self.judge(self.generate(inputs), inputs)
        return {
            "distance": ops.mean(judged[0]["score"]) - ops.mean(judged[1]["score"]),
            "pitch": ops.mean(keras.metrics.categorical_accuracy(inputs[1], judged[1]["pitch"])),
            "real_pitch": ops.mean(keras.metrics.categorical_accuracy(inputs[3], judged[0]["pitch"])),
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": list(self.units), "repeats": self.repeats}


def _pitch_loss(logits: Any, one_hot: Any) -> Any:
    return ops.mean(keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True))
