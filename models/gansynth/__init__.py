"""GANSynth: a progressive, pitch-conditional GAN of notes, as pictures of magnitude and instantaneous frequency."""
