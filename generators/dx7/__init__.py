"""The Yamaha DX7: its voices, the files that hold them, and an engine that renders them in batches."""
