"""Other engines, set up to do what comes nearest to `fm`, each through its own public interface.

They are not the same synthesizer (torchsynth and synthax play their Voice, which has two oscillators, noise, LFOs and
envelopes but no filter; synthplayer is set up as four modulated oscillators with an envelope and no filter), so the
figures compare engines, not sounds. A rival that is not installed is left out of the table and named below it.
"""

import importlib
import itertools
import sys
import types
from collections.abc import Callable

SAMPLE_RATE = 16384
BATCH = 128

Render = Callable[[], int]
"""Renders once and returns how many samples of audio that made."""


def torchsynth() -> Render:
    """Voice in PyTorch, one-second sounds in batches of 128."""
    import pytorch_lightning

    # torchsynth 1.0.2 imports two modules that newer releases of their packages have dropped
    shim = types.ModuleType("pytorch_lightning.core.lightning")
    shim.LightningModule = pytorch_lightning.LightningModule  # type: ignore[attr-defined]
    sys.modules.setdefault(shim.__name__, shim)
    try:
        importlib.import_module("pkg_resources")
    except ImportError:
        from importlib import resources

        shim = types.ModuleType("pkg_resources")
        shim.resource_string = lambda package, name: (
            resources.files(package.rpartition(".")[0]).joinpath(name).read_bytes()
        )  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = shim
    from torchsynth.config import SynthConfig
    from torchsynth.synth import Voice

    config = SynthConfig(batch_size=BATCH, sample_rate=SAMPLE_RATE, buffer_size_seconds=1.0, reproducible=False)
    voice = Voice(config)
    batches = itertools.count()
    return lambda: voice(next(batches))[0].numel()


def synthax() -> Render:
    """Voice in JAX, compiled, one-second sounds in batches of 128."""
    import jax
    from synthax.config import SynthConfig
    from synthax.synth import Voice

    voice = Voice(SynthConfig(batch_size=BATCH, sample_rate=SAMPLE_RATE, buffer_size_seconds=1.0))
    initialise, apply = jax.jit(voice.init), jax.jit(voice.apply)
    keys = itertools.count()

    def render() -> int:  # fresh parameters for every batch, as for the others
        return int(apply(initialise(jax.random.PRNGKey(next(keys)))).block_until_ready().size)

    return render


def synthplayer() -> Render:
    """Four modulated oscillators and an envelope in pure Python: the engine of the repository this one grew from."""
    from synthplayer import oscillators

    def voice(kind: type) -> object:
        modulator = oscillators.Sine(5.0, amplitude=0.5, samplerate=SAMPLE_RATE)
        return kind(440.0, amplitude=0.25, fm_lfo=modulator, samplerate=SAMPLE_RATE)

    def render() -> int:
        kinds = (oscillators.Sine, oscillators.Sawtooth, oscillators.Triangle, oscillators.Square)
        mixed = oscillators.MixingFilter(*(voice(kind) for kind in kinds))
        shaped = oscillators.EnvelopeFilter(mixed, 0.1, 0.2, 0.5, 0.5, 0.2)
        samples = itertools.islice(itertools.chain.from_iterable(shaped.blocks()), SAMPLE_RATE)
        return sum(1 for _ in samples)

    return render


RIVALS: dict[str, Callable[[], Render]] = {"torchsynth": torchsynth, "synthax": synthax, "synthplayer": synthplayer}
