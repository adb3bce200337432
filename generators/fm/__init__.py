"""Parts of the `fm` synthesizer: its fused kernel, and single oscillators for the search."""
