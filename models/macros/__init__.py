"""Macro controls: an autoencoder of patches whose few latent numbers move many parameters at once."""
