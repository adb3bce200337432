"""Pads of notes between four sounds, as the Open NSynth Super plays them: `inversynth grid`.

Four corners, each a folder of notes; a model encodes them, codes are mixed at every point of a grid and decoded.
Source: googlecreativelab/open-nsynth-super 2018 (its corners SW and SE are swapped; ours are in place), and
the group exercise of the SOPI course at Aalto University 2019.
"""
