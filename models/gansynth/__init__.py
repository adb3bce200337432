"""GANSynth: a progressive, pitch-conditional GAN of notes, as spectrograms of magnitude and instantaneous frequency."""
