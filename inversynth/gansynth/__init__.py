"""What is heard of a GANSynth: `inversynth gansynth random|interpolate|…`, and the pages they write."""
