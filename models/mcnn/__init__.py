"""MCNN: sound from mel magnitudes in one pass of many small heads (Arik, Jun and Diamos 2019, arXiv 1808.06719)."""
