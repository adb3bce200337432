"""The commands of NSynth: encode, decode, interpolate and grid."""
