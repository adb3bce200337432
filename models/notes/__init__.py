"""What the note systems share: training data and settings, a spectral encoder, a note classifier, and metrics of
reconstructed and generated notes.
"""
