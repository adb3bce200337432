"""Signal analysis for every package, over `xp` where networks need it: spectrograms, mel, phase, Griffin-Lim, pitch."""
