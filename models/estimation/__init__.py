"""Networks that estimate the parameters of a synthesizer from a sound: InverSynth, its baselines and our inverter."""
