"""What is heard of a WAE-Fader: `inversynth wae random|reconstruct|morph|transfer`, and the pages they write."""
