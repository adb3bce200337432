"""Our rendering of `fm` against an independent one."""

import numpy as np

from generators.analysis.distance import log_mel_distance
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from tests.independent_fm import render_independently

SYNTH = FmSynth()


def both(classes):
    values = SYNTH.space.classes_to_values(classes)
    return SYNTH.render(values).astype(np.float64), render_independently(values)


def difference(audio, other):
    return 10 * np.log10(np.square(audio - other).sum(axis=1) / np.square(other).sum(axis=1))


def test_the_synth_sounds_as_its_docstring_says():
    """What differs is aliasing: PolyBLEP leaves more of it than oversampling."""
    audio, other = both(sample_classes(SYNTH.space, 0, 12, 99))
    agreement = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(audio, other, strict=True)])
    assert agreement.min() >= 0.995
    assert np.median(agreement) >= 0.9998
    assert difference(audio, other).max() <= -18.0
    assert max(float(log_mel_distance(b, a, SYNTH.sample_rate)) for a, b in zip(audio, other, strict=True)) <= 1.5


def test_a_sine_without_aliases_agrees_to_the_rounding():
    space = SYNTH.space
    classes = np.full((4, len(space)), 7)
    classes[:, [space.index(f"A_{wave}") for wave in ("saw", "tri", "sqr")]] = 0  # an amplitude of 0.001
    classes[:, space.index("f_sin")] = (0, 5, 10, 15)
    audio, other = both(classes)
    assert difference(audio, other).max() <= -45.0


def test_another_patch_disagrees():
    classes = sample_classes(SYNTH.space, 0, 3, 99).astype(int)
    other = both(classes)[1]
    for name in ("f_saw", "attack", "f_cut", "f_gate"):
        moved = classes.copy()
        column = SYNTH.space.index(name)
        moved[:, column] = np.where(classes[:, column] < 8, classes[:, column] + 4, classes[:, column] - 4)
        assert np.median(difference(both(moved)[0], other)) > -18.0
