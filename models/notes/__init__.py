"""What the note systems share: training data, a note classifier, and measures of reconstructed and generated notes."""
