"""The WaveNet autoencoder of NSynth: networks as tables, and autoregressive generation sample by sample.

Source: Engel, Resnick, Roberts, Dieleman, Eck, Simonyan, Norouzi: Neural Audio Synthesis of Musical Notes with WaveNet
Autoencoders, ICML 2017, arXiv 1704.01279.
"""
