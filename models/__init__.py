"""Neural networks in Keras: layers, architectures, training, inference. The middle of the three packages."""
