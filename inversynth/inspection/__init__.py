"""`inversynth inspect` and `inversynth list`: descriptions of files, runs, models and synthesizers."""
