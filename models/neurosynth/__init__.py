"""NeuroSynth: a Wasserstein GAN that applies an amplitude envelope of three classes to a waveform."""
