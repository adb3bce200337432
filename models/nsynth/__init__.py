"""The WaveNet autoencoder of NSynth: networks as tables, training data aside, and generation one sample at a time.

Source: Engel, Resnick, Roberts, Dieleman, Eck, Simonyan, Norouzi: Neural Audio Synthesis of Musical Notes with WaveNet
Autoencoders, ICML 2017, arXiv 1704.01279.
"""
