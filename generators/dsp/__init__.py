"""Signal processing written once against an array namespace `xp`: NumPy by default, `keras.ops` for gradients."""
