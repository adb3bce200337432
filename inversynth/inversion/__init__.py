"""Inversion of one sound: target, network, search, verdict and result."""
