"""What a synth declares is all that a search through its structure knows: names and order of parameters are free."""

from dataclasses import replace

import numpy as np
import pytest

from generators.errors import ParameterError
from generators.fm_generator import FmSynth
from generators.oscillator_spec import EffectParameters, Oscillator, OscillatorStructure
from generators.parameters import ParameterSpace
from generators.sampling import sample_classes
from generators.sine_generator import SineSynth
from inversynth.search.fm_rendering import AtomRenderer, PatchColumns
from inversynth.search.search import plan_stages, refine

ORDER = np.array([22, 20, 21, *range(12, 16), *range(8), 19, 18, 17, 16, *range(8, 12)])
"""Columns of `fm` in another order."""


def _name(name: str) -> str:
    return f"my_{name}"


class OtherFm(FmSynth):
    """The sounds of `fm` behind other names, and parameters in another order."""

    space = ParameterSpace(
        "other_fm",
        tuple(replace(FmSynth.space.parameters[column], name=_name(FmSynth.space.names[column])) for column in ORDER),
    )
    oscillators = tuple(
        Oscillator(one.waveform, *(_name(name) for name in (one.frequency, one.rate, one.amplitude, one.depth)))
        for one in FmSynth.oscillators
    )
    structure = OscillatorStructure(
        oscillators,
        EffectParameters(*map(_name, ("attack", "decay", "sustain", "release", "f_cut", "q", "f_gate"))),
        FmSynth.structure.gain,
    )

    def _render_batch(self, values):
        original = np.empty_like(values)
        original[:, ORDER] = values
        return super()._render_batch(original)


def test_columns_are_those_that_the_structure_names() -> None:
    columns = PatchColumns.of(OtherFm.space, OtherFm.structure)
    assert [OtherFm.space.names[column] for column in columns.effects] == [
        f"my_{name}" for name in ("attack", "decay", "sustain", "release", "f_cut", "q", "f_gate")
    ]
    amplitudes = [OtherFm.space.names[column] for column in columns.amplitudes]
    assert amplitudes == ["my_A_sin", "my_A_saw", "my_A_tri", "my_A_sqr"]


def test_atoms_of_other_names_are_the_sound_of_the_synth() -> None:
    synth = OtherFm(length=0.25)
    classes = sample_classes(synth.space, 0, 3, 6).astype(np.int64)
    audio = AtomRenderer(synth).render(classes, np.zeros(4))
    np.testing.assert_allclose(audio, synth.render_classes(classes), atol=1e-4)


def test_a_synth_of_other_names_is_searched_through_its_structure() -> None:
    fm, other = FmSynth(length=0.5), OtherFm(length=0.5)
    classes = sample_classes(fm.space, 0, 1, 21)[0].astype(np.int64)
    audio = fm.render_classes(classes)
    found = refine(other, audio, other.space.classes_to_one_hot(classes[ORDER]) + 0.2, "fast")
    assert found.stages[0].name == "pick"
    assert found.residual_db < -60.0
    fixed = found.determined
    np.testing.assert_array_equal(found.classes[fixed], classes[ORDER][fixed])


def test_stages_are_those_that_the_synth_names() -> None:
    assert [stage.name for stage in plan_stages(FmSynth(), "full")] == [
        "pick",
        "align",
        "beam",
        "match",
        "realign",
        "pick",
        "restart",
        "match on",
    ]
    assert [stage.name for stage in plan_stages(SineSynth(), "full")] == ["beam", "turn", "evolve", "turn"]
    assert [stage.name for stage in plan_stages(SineSynth(), "fast", continuous=True)] == ["beam", "turn", "between"]


def test_a_synth_without_structure_has_no_atoms() -> None:
    with pytest.raises(ParameterError, match=r"must declare its structure\. Received: sine"):
        AtomRenderer(SineSynth())


@pytest.mark.parametrize("synth_class", [FmSynth, OtherFm])
def test_atoms_at_another_root_are_the_sound_of_the_synth(synth_class) -> None:
    synth = synth_class(length=0.25).at_root(50.0)
    classes = sample_classes(synth.space, 0, 3, 6).astype(np.int64)
    audio = synth.render_classes(classes)
    np.testing.assert_allclose(AtomRenderer(synth).render(classes, np.zeros(4)), audio, atol=1e-4)
    assert np.abs(audio - synth_class(length=0.25).render_classes(classes)).max() > 0.1


def test_sound_at_another_root_is_found_again_by_a_search_at_that_root() -> None:
    synth = FmSynth(length=0.5, root=45.0)
    classes = sample_classes(synth.space, 0, 1, 12)[0].astype(np.int64)
    uniform = np.ones(synth.space.size)
    found = refine(synth, synth.render_classes(classes), uniform, "full")
    assert found.distance < 0.05
