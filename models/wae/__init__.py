"""WAE-Fader: notes from a small latent space, conditioned on semitone, octave and style."""
