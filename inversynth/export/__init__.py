"""Export trained networks to files that run without Python: each model's signature, the formats, the check."""
