"""The middle floor: everything Keras. Features, layers, architecture tables, losses, metrics, training."""
