"""The six autoencoders of notes as one system with a training step of its own.

One step of encoder and decoder down the sum of their terms, then, where there is a discriminator, a step of it or more
on the latents of the same forward pass, from the first step on; for the encoder its guesses weigh nothing until the
schedule lets them. The published order is unknown.
Source: Esling et al. 2019, arXiv 1904.06215; Lample et al. 2017 (Fader Networks), arXiv 1706.00409.
"""

from typing import Any, cast

import keras
from keras import ops

from generators.errors import ModelError
from models.training.gradients import adversarial_backend, descend
from models.wae.conditions import NOTE_WIDTH
from models.wae.losses import evasion, guess_loss, kl_divergence, mmd, reconstruction
from models.wae.networks import build_autoencoder
from models.wae.schedule import ALPHA, alpha_at
from models.wae.variants import find_variant

WRITTEN = ("kind", "alpha", "beta", "reduction", "kernel", "form", "critic_steps", "seed")
"""What is written of a system, besides its networks."""


@keras.saving.register_keras_serializable("inversynth")
class NoteAutoencoder(keras.Model):
    """An encoder and a decoder, and for some kinds a discriminator of styles.

    Args:
        encoder, decoder, discriminator: as `models.wae.networks` builds them; the last only for a kind that has one.
        kind: a key of `models.wae.variants.KINDS`. alpha: what the adversary weighs in the end. beta: what the term of
            the latent weighs; by default that of the kind. reduction, kernel, form: see `models.wae.losses`.
        critic_steps: of the discriminator, for one of encoder and decoder.
        seed: of points drawn from the prior, and around means.
    Shapes: what `fit` takes is (pictures (batch, bands, frames, 1), conditions (batch, 21 + styles)); styles one-hot.
    Raises: ModelError where kind, networks and numbers do not fit.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        kind: str = "wae-fader",
        alpha: float = ALPHA,
        beta: float | None = None,
        reduction: str = "mel",
        kernel: str = "rbf",
        form: str = "uniform",
        critic_steps: int = 1,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kind, self.traits = kind, find_variant(kind)
        self.encoder, self.decoder, self.discriminator = encoder, decoder, discriminator
        self.alpha, self.beta = float(alpha), float(self.traits.beta if beta is None else beta)
        self.reduction, self.kernel, self.form, self.critic_steps = reduction, kernel, form, critic_steps
        self.seed, self.seed_generator = seed, keras.random.SeedGenerator(seed)
        self.latent = int(decoder.input_shape[0][-1])
        self.steps: int | None = None
        self._check_networks()
        names = ["loss", "reconstruction", *(["latent"] if self.traits.latent != "none" else [])]
        if self.discriminator is not None:
            names += ["evasion", "alpha", "guess", "guessed"]
        self.means = {name: keras.metrics.Mean(name) for name in names}
        self.built = True

    # --- what it does ----------------------------------------------------------------------------------------------

    def encode(self, pictures: Any, training: bool = False) -> Any:
        """Return where notes lie, without chance. Shapes: (batch, bands, frames, 1) -> (batch, latent)."""
        return self.encoder(pictures, training=training)[:, : self.latent]

    def decode(self, latent: Any, conditions: Any, training: bool = False) -> Any:
        """Return pictures of notes. Shapes: (batch, latent), (batch, 21 + styles) -> (batch, bands, frames, 1)."""
        return self.decoder([latent, conditions], training=training)

    def call(self, inputs: Any, training: bool = False) -> Any:
        pictures, conditions = inputs
        return self.decode(self.encode(pictures, training), conditions, training)

    def for_inference(self) -> keras.Model:
        """Return what is kept of this system once it is trained."""
        return build_autoencoder(self.encoder, self.decoder)

    # --- what `fit` calls ------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        *,
        steps: int | None = None,
    ) -> None:
        """Make ready for `fit`.

        Args:
            steps: of the whole training; the weight of the adversary follows from how many of them are over. Without
                it the adversary weighs all it ever will from the beginning.
        Raises: ModelError on another backend than TensorFlow and PyTorch; without a second optimiser where there is a
            discriminator; for steps below 1.
        """
        adversarial_backend()
        if self.discriminator is not None and discriminator_optimizer is None:
            raise ModelError(f"a discriminator needs an optimiser of its own. Received: none for {self.kind}")
        if steps is not None and steps < 1:
            raise ModelError(f"a training has 1 step or more. Received: {steps}")
        super().compile(optimizer=None, jit_compile=False)  # Keras would take one optimiser for that of all weights
        self.autoencoder_optimizer, self.steps = optimizer, steps
        if self.discriminator is not None:
            self.discriminator_optimizer = discriminator_optimizer
        for learner, variables in self.optimizer_groups():
            learner.build(variables)

    def optimizer_groups(self) -> list[tuple[keras.optimizers.Optimizer, list[keras.Variable]]]:
        """Return each optimiser with the variables that it moves."""
        moved = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        pairs = [(self.autoencoder_optimizer, moved)]
        if self.discriminator is not None:
            pairs.append((self.discriminator_optimizer, self.discriminator.trainable_variables))
        return pairs

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())

    def current_alpha(self) -> Any:
        """Return what the adversary weighs by now."""
        if self.steps is None:
            return self.alpha
        return alpha_at(ops.cast(self.autoencoder_optimizer.iterations, "float32") / self.steps, self.alpha)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step of encoder and decoder, and one of the discriminator if there is any."""
        pictures, conditions, _ = keras.utils.unpack_x_y_sample_weight(data)
        alpha = self.current_alpha()

        def loss() -> tuple[Any, tuple[dict[str, Any], Any]]:
            terms, latent = self._terms(pictures, conditions, training=True)
            weighted = [self._weight(name, alpha) * value for name, value in terms.items()]
            return ops.sum(ops.stack(weighted)), (terms, latent)

        (autoencoder, *others) = self.optimizer_groups()
        total, (terms, latent) = descend(loss, *autoencoder)
        told = {"loss": total, **terms}
        for optimizer, variables in others:
            told["alpha"] = alpha
            for _ in range(self.critic_steps):
                told |= self._learn_guessing(latent, conditions, optimizer, variables)
        for name, value in told.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch of validation.

        There is no `loss` among the measures: with an adversary the lowest one is had before it weighs anything, and
        the newest epoch counts as the best.
        """
        pictures, conditions, _ = keras.utils.unpack_x_y_sample_weight(data)
        told, latent = self._terms(pictures, conditions, training=False)
        if self.discriminator is not None:
            told["guessed"] = _share_guessed(self.discriminator(latent), _style(conditions))
        for name, value in told.items():
            self.means[name].update_state(value, sample_weight=ops.shape(pictures)[0])
        return {name: self.means[name].result() for name in told}

    def get_config(self) -> dict[str, Any]:
        """Return what builds this system again, its networks included, untrained."""
        networks = (self.encoder, self.decoder, self.discriminator)
        written = [None if one is None else keras.saving.serialize_keras_object(one) for one in networks]
        return {
            "name": self.name,
            **dict(zip(("encoder", "decoder", "discriminator"), written, strict=True)),
            **{name: getattr(self, name) for name in WRITTEN},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "NoteAutoencoder":
        names = [name for name in ("encoder", "decoder", "discriminator") if config[name] is not None]
        return cls(**{**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names}})

    # --- the terms -------------------------------------------------------------------------------------------------

    def _terms(self, pictures: Any, conditions: Any, training: bool) -> tuple[dict[str, Any], Any]:
        """Return the terms of the loss of encoder and decoder by name, and the latents they are of."""
        law = self.encoder(pictures, training=training)
        latent = law[:, : self.latent]
        terms = {}
        if self.traits.latent == "kl":
            logarithm = law[:, self.latent :]
            terms["latent"] = kl_divergence(latent, logarithm)
            if training:
                latent = latent + ops.exp(0.5 * logarithm) * self._drawn(latent)
        if self.traits.latent == "mmd":
            terms["latent"] = mmd(latent, self._drawn(latent), self.kernel)
        found = self.decode(latent, conditions, training)
        terms = {"reconstruction": reconstruction(pictures, found, self.reduction), **terms}
        if self.discriminator is not None:
            terms["evasion"] = evasion(self.discriminator(latent, training=False), _style(conditions), self.form)
        return terms, latent

    def _weight(self, term: str, alpha: Any) -> Any:
        return {"reconstruction": 1.0, "latent": self.beta, "evasion": alpha}[term]

    def _drawn(self, latent: Any) -> Any:
        """Return as many points of the prior, a standard normal law."""
        return keras.random.normal(ops.shape(latent), seed=self.seed_generator)

    def _learn_guessing(self, latent: Any, conditions: Any, optimizer: Any, variables: Any) -> dict[str, Any]:
        """Take one step of the discriminator; return its loss, and how often it was right."""
        latent, style, guesser = ops.stop_gradient(latent), _style(conditions), cast(keras.Model, self.discriminator)

        def loss() -> tuple[Any, Any]:
            logits = guesser(latent, training=True)
            return guess_loss(logits, style), _share_guessed(logits, style)

        wrong, right = descend(loss, optimizer, variables)
        return {"guess": wrong, "guessed": right}

    def _check_networks(self) -> None:
        width = {"kl": 2}.get(self.traits.latent, 1) * self.latent
        if self.encoder.output_shape[-1] != width:
            raise ModelError(
                f"the encoder of {self.kind} must give {width} numbers a note. "
                f"Received: {self.encoder.output_shape[-1]}"
            )
        if self.traits.adversary != (self.discriminator is not None):
            raise ModelError(
                f"{self.kind} has {'a' if self.traits.adversary else 'no'} discriminator. "
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


def _share_guessed(logits: Any, style: Any) -> Any:
    return ops.mean(keras.metrics.categorical_accuracy(style, logits))
