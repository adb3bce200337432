"""Speed of a note autoencoder with an MCNN: `python -m benchmarks.wae_speed WAE MCNN` prints JSON.

From latents and labels to samples, in a process of its own, as in `benchmarks.gansynth_speed`.
"""

import sys

from benchmarks.gansynth_speed import BATCHES, time_batches


def _time(path: str, mcnn: str) -> str:
    from models.backend import start_keras

    start_keras()
    import numpy as np

    from models.wae.inference import load_wae
    from models.wae.vocoders import mcnn_renderer

    model = load_wae(path)
    renderer = mcnn_renderer(mcnn, model.analysis)
    weights = np.eye(len(model.styles), dtype=np.float32)
    drawn = {
        batch: (model.draw_latents(batch), model.draw_notes(batch), weights[np.arange(batch) % len(weights)])
        for batch in BATCHES
    }
    return time_batches(lambda batch: model.decode(*drawn[batch], renderer, batch_size=batch), model.seconds)


if __name__ == "__main__":
    print(_time(*sys.argv[1:3]))
