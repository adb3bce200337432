"""Signal analysis over an array namespace `xp`, for every package: spectrograms, mel bands, phase, Griffin-Lim."""
