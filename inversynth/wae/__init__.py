"""The commands of WAE-Fader: `inversynth wae random|reconstruct|morph|transfer|map`, and the pages they write."""
