"""The commands of GANSynth: `inversynth gansynth random|interpolate|hallucinate|midi|pca`, and the pages they write."""
