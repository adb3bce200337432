"""Evaluation: methods, conditions, measures, intervals and the tables of the InverSynth paper."""
