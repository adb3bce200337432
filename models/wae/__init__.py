"""WAE-Fader: notes from a small latent space, told which semitone, octave and style they should have."""
