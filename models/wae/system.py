"""The six variants of the note autoencoder as one system with a training step of its own.

Each step updates encoder and decoder by the sum of their losses, then, where there is a discriminator, the
discriminator once or more on the latents of the same forward pass. The discriminator is trained from the first step on;
its predictions enter the encoder's loss as the schedule says. The published order is unknown.
Source: Esling et al. 2019, arXiv 1904.06215; Lample et al. 2017 (Fader Networks), arXiv 1706.00409.
"""

from typing import Any, ClassVar, Self, cast

import keras
from keras import ops

from generators.errors import ModelError
from models.training.adversarial import TwoOptimizerModel
from models.training.gradients import descend
from models.wae.conditions import NOTE_WIDTH
from models.wae.losses import adversarial_loss, discriminator_loss, kl_divergence, mmd, reconstruction_loss
from models.wae.networks import build_autoencoder
from models.wae.schedule import ADVERSARY_WEIGHT, adversary_weight_at
from models.wae.variants import STORED_NAMES, find_variant

WRITTEN = ("beta", "reduction", "kernel", "critic_steps", "seed", "adversary_weight", "adversary_loss")
"""Arguments in the configuration of a system, besides its networks and its variant."""


@keras.saving.register_keras_serializable("inversynth")
class NoteAutoencoder(TwoOptimizerModel):
    """An encoder and a decoder, and for some variants a discriminator of styles.

    Args:
        encoder, decoder, discriminator: as `models.wae.networks` builds them; the last only for a variant with one.
        variant: a key of `models.wae.variants.VARIANTS`. adversary_weight: the final weight of the adversarial loss.
        beta: weight of the latent term; by default that of the variant. reduction, kernel, adversary_loss: see
            `models.wae.losses`.
        critic_steps: steps of the discriminator for each step of encoder and decoder.
        seed: of samples from the prior and the posterior.
    Shapes: `fit` takes (spectrograms (batch, bands, frames, 1), conditions (batch, 21 + styles)); styles one-hot.
    Raises: ModelError where variant, networks and their shapes do not fit.
    """

    networks: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "discriminator")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        variant: str = "wae-fader",
        adversary_weight: float = ADVERSARY_WEIGHT,
        beta: float | None = None,
        reduction: str = "mel",
        kernel: str = "rbf",
        adversary_loss: str = "uniform",
        critic_steps: int = 1,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed, **options)
        self.variant = find_variant(variant)
        self.encoder, self.decoder, self.discriminator = encoder, decoder, discriminator
        self.beta = float(self.variant.beta if beta is None else beta)
        self.adversary_weight, self.adversary_loss = float(adversary_weight), adversary_loss
        self.reduction, self.kernel, self.critic_steps = reduction, kernel, critic_steps
        self.latent = int(decoder.input_shape[0][-1])
        self.steps: int | None = None
        self._check_networks()
        names = ["loss", "reconstruction", *(["latent"] if self.variant.latent != "none" else [])]
        if self.discriminator is not None:
            names += ["adversarial_loss", "adversary_weight", "discriminator_loss", "discriminator_accuracy"]
        self.means = {name: keras.metrics.Mean(name) for name in names}
        self.built = True

    # --- inference -------------------------------------------------------------------------------------------------

    def encode(self, spectrograms: Any, training: bool = False) -> Any:
        """Encode spectrograms to the means of their latents. Shapes: (batch, bands, frames, 1) -> (batch, latent)."""
        return self.encoder(spectrograms, training=training)[:, : self.latent]

    def decode(self, latent: Any, conditions: Any, training: bool = False) -> Any:
        """Decode latents. Shapes: (batch, latent), (batch, 21 + styles) -> spectrograms (batch, bands, frames, 1)."""
        return self.decoder([latent, conditions], training=training)

    def call(self, inputs: Any, training: bool = False) -> Any:
        spectrograms, conditions = inputs
        return self.decode(self.encode(spectrograms, training), conditions, training)

    def for_inference(self) -> keras.Model:
        """Return the model that is kept of this system after training."""
        return build_autoencoder(self.encoder, self.decoder)

    # --- training --------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        *,
        steps: int | None = None,
    ) -> None:
        """Compile for `fit`.

        Args:
            steps: of the whole training, over which the weight of the adversary is scheduled. Without it the weight is
                the final one from the beginning.
        Raises: ModelError on another backend than TensorFlow and PyTorch; without a second optimiser where there is a
            discriminator; for steps below 1.
        """
        if self.discriminator is not None and discriminator_optimizer is None:
            raise ModelError(f"a discriminator needs an optimiser of its own. Received: none for {self.variant.name}")
        if steps is not None and steps < 1:
            raise ModelError(f"a training has 1 step or more. Received: {steps}")
        self.steps = steps
        second = {} if discriminator_optimizer is None else {"discriminator_optimizer": discriminator_optimizer}
        self.compile_with(jit_compile=False, autoencoder_optimizer=optimizer, **second)

    def optimizer_groups(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        """Return each optimiser with the variables that it updates."""
        moved = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        pairs = [(self.autoencoder_optimizer, moved)]
        if self.discriminator is not None:
            pairs.append((self.discriminator_optimizer, self.discriminator.trainable_variables))
        return pairs

    def current_adversary_weight(self) -> Any:
        """Return the weight of the adversarial loss at the current step."""
        if self.steps is None:
            return self.adversary_weight
        return adversary_weight_at(
            ops.cast(self.autoencoder_optimizer.iterations, "float32") / self.steps, self.adversary_weight
        )

    def train_step(self, data: Any) -> dict[str, Any]:
        """Update encoder and decoder, then the discriminator if there is one."""
        spectrograms, conditions, _ = keras.utils.unpack_x_y_sample_weight(data)
        adversary_weight = self.current_adversary_weight()

        def loss() -> tuple[Any, tuple[dict[str, Any], Any]]:
            terms, latent = self._terms(spectrograms, conditions, training=True)
            weighted = [self._weight(name, adversary_weight) * value for name, value in terms.items()]
            return ops.sum(ops.stack(weighted)), (terms, latent)

        (autoencoder, *others) = self.optimizer_groups()
        total, (terms, latent) = descend(loss, *autoencoder)
        measures = {"loss": total, **terms}
        for optimizer, variables in others:
            measures["adversary_weight"] = adversary_weight
            for _ in range(self.critic_steps):
                measures |= self._train_discriminator(latent, conditions, optimizer, variables)
        for name, value in measures.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch of validation.

        There is no `loss` among the measures: with an adversary it is lowest before the adversary has any weight, so
        the newest epoch counts as the best.
        """
        spectrograms, conditions, _ = keras.utils.unpack_x_y_sample_weight(data)
        measures, latent = self._terms(spectrograms, conditions, training=False)
        if self.discriminator is not None:
            measures["discriminator_accuracy"] = _accuracy(self.discriminator(latent), _style(conditions))
        for name, value in measures.items():
            self.means[name].update_state(value, sample_weight=ops.shape(spectrograms)[0])
        return {name: self.means[name].result() for name in measures}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            STORED_NAMES["variant"]: self.variant.name,
            **{STORED_NAMES.get(name, name): getattr(self, name) for name in WRITTEN},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        arguments = {stored: name for name, stored in STORED_NAMES.items()}
        return super().from_config({arguments.get(name, name): value for name, value in config.items()})

    # --- losses ----------------------------------------------------------------------------------------------------

    def _terms(self, spectrograms: Any, conditions: Any, training: bool) -> tuple[dict[str, Any], Any]:
        """Return the loss terms of encoder and decoder by name, and the latents behind them."""
        encoded = self.encoder(spectrograms, training=training)
        latent = encoded[:, : self.latent]
        terms = {}
        if self.variant.latent == "kl":
            log_variance = encoded[:, self.latent :]
            terms["latent"] = kl_divergence(latent, log_variance)
            if training:
                latent = latent + ops.exp(0.5 * log_variance) * self._prior_samples(latent)
        if self.variant.latent == "mmd":
            terms["latent"] = mmd(latent, self._prior_samples(latent), self.kernel)
        found = self.decode(latent, conditions, training)
        terms = {"reconstruction": reconstruction_loss(spectrograms, found, self.reduction), **terms}
        if self.discriminator is not None:
            logits = self.discriminator(latent, training=False)
            terms["adversarial_loss"] = adversarial_loss(logits, _style(conditions), self.adversary_loss)
        return terms, latent

    def _weight(self, term: str, adversary_weight: Any) -> Any:
        return {"reconstruction": 1.0, "latent": self.beta, "adversarial_loss": adversary_weight}[term]

    def _prior_samples(self, latent: Any) -> Any:
        """Draw as many samples of the prior, a standard normal distribution."""
        return keras.random.normal(ops.shape(latent), seed=self.seed_generator)

    def _train_discriminator(self, latent: Any, conditions: Any, optimizer: Any, variables: Any) -> dict[str, Any]:
        """Update the discriminator once; return its loss and its accuracy."""
        latent, style, discriminator = (
            ops.stop_gradient(latent),
            _style(conditions),
            cast(keras.Model, self.discriminator),
        )

        def loss() -> tuple[Any, Any]:
            logits = discriminator(latent, training=True)
            return discriminator_loss(logits, style), _accuracy(logits, style)

        value, accuracy = descend(loss, optimizer, variables)
        return {"discriminator_loss": value, "discriminator_accuracy": accuracy}

    def _check_networks(self) -> None:
        width = {"kl": 2}.get(self.variant.latent, 1) * self.latent
        if self.encoder.output_shape[-1] != width:
            raise ModelError(
                f"the encoder of {self.variant.name} must give {width} numbers a note. "
                f"Received: {self.encoder.output_shape[-1]}"
            )
        if self.variant.adversary != (self.discriminator is not None):
            raise ModelError(
                f"{self.variant.name} has {'a' if self.variant.adversary else 'no'} discriminator. "
                f"Received: {'none' if self.discriminator is None else 'one'}"
            )
        styles = int(self.decoder.input_shape[1][-1]) - NOTE_WIDTH
        if self.discriminator is not None and not 1 < styles == self.discriminator.output_shape[-1]:
            raise ModelError(
                "decoder and discriminator must know the same styles, two or more. "
                f"Received: {styles} and {self.discriminator.output_shape[-1]}"
            )


def _style(conditions: Any) -> Any:
    return conditions[:, NOTE_WIDTH:]


def _accuracy(logits: Any, style: Any) -> Any:
    return ops.mean(keras.metrics.categorical_accuracy(style, logits))
