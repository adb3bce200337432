"""The command of NeuroSynth: `inversynth shape`."""
