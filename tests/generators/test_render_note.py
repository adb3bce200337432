"""Notes of any length: the sound of the synth while they are held, silence soon after."""

import numpy as np
import pytest

from generators.registry import SYNTHS, build_synth
from generators.sampling import sample_classes
from generators.synth import FADE


@pytest.mark.parametrize("name", SYNTHS)
def test_note_as_long_as_that_of_the_synth_is_its_sound(name: str) -> None:
    synth = build_synth(name)
    for values in synth.space.classes_to_values(sample_classes(synth.space, 0, 8, seed=4)):
        note, sound = synth.render_note(values, synth.note_fraction * synth.length), synth.render(values)
        both = min(len(note), len(sound))
        assert np.array_equal(note[:both], sound[:both])
        assert np.abs(sound[both:]).max(initial=0.0) < 1e-3 * np.abs(sound).max()


@pytest.mark.parametrize("name", SYNTHS)
def test_note_ends_in_silence(name: str) -> None:
    synth = build_synth(name)
    for values in synth.space.classes_to_values(sample_classes(synth.space, 0, 8, seed=5)):
        note = np.abs(synth.render_note(values, 0.2))
        assert note[-8:].max() < 2e-3 * note.max() if name == "fm" else note[-1] < 0.02 * note.max()


def test_filter_rings_on_after_a_short_release() -> None:
    synth = build_synth("fm")
    values = synth.space.classes_to_values(np.full(23, 8))
    changes = {"release": 0.001, "f_cut": 200.0, "q": 10.0}
    values[[synth.space.index(name) for name in changes]] = list(changes.values())
    note = np.abs(synth.render_note(values, 0.2))
    assert len(note) == pytest.approx((0.201 + np.log(1000) * 10 / (np.pi * 200)) * 16384, abs=2)
    assert note[round(0.205 * 16384) : round(0.215 * 16384)].max() > 0.01 * note.max()


def test_note_of_the_fm_synth_is_longer_by_its_release() -> None:
    synth = build_synth("fm")
    values = synth.space.classes_to_values(np.full(23, 8))
    short, long = (len(synth.render_note(values, held)) for held in (0.5, 2.0))
    assert long - short == pytest.approx(1.5 * 16384, abs=1)


def test_note_of_the_sine_synth_fades_within_its_five_milliseconds() -> None:
    synth = build_synth("sine")
    values = synth.space.classes_to_values([0, 0, 2, 2])
    note = synth.render_note(values, 0.1)
    assert len(note) == round((0.1 + FADE) * 16384)
    assert np.array_equal(note[:1638], build_synth("sine").render(values)[:1638])
