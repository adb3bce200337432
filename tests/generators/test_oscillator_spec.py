"""A synth that declares oscillators is linear in their amplitudes, and only then."""

import numpy as np
import pytest

from generators.dsp.envelopes import adsr
from generators.dsp.modulation import gater, sample_times
from generators.errors import ParameterError
from generators.fm.atoms import WAVEFORMS, EffectChain, carriers, filter_table, shape
from generators.oscillator_spec import Oscillator, oscillator_columns
from generators.registry import SYNTHS, build_synth
from generators.sampling import sample_classes

DECLARING = [name for name in SYNTHS if build_synth(name).oscillators]


def test_fm_declares_its_four_oscillators():
    synth = build_synth("fm")
    assert [oscillator.waveform for oscillator in synth.oscillators] == ["sine", "saw", "triangle", "square"]
    assert oscillator_columns(synth.space, synth.oscillators) == tuple(tuple(range(4 * k, 4 * k + 4)) for k in range(4))
    assert build_synth("sine").oscillators == ()


@pytest.mark.parametrize("name", DECLARING)
def test_a_sound_is_the_sum_of_its_oscillators_times_their_amplitudes(name):
    synth = build_synth(name, length=0.125)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, 1, 7)[0])
    amplitudes = [synth.space.index(oscillator.amplitude) for oscillator in synth.oscillators]
    alone = np.repeat(values[None], len(amplitudes), axis=0)
    alone[:, amplitudes] = np.eye(len(amplitudes))
    atoms = synth.synthesize(alone)
    np.testing.assert_allclose(values[amplitudes] @ atoms, synth.synthesize(values[None])[0], atol=1e-9)
    knob = synth.space.index(synth.oscillators[0].depth)
    values[knob] *= 0.5
    assert np.abs(values[amplitudes] @ atoms - synth.synthesize(values[None])[0]).max() > 1e-3


@pytest.mark.parametrize("name", [name for name in SYNTHS if SYNTHS[name].structure])
def test_a_sound_is_rendered_from_its_declared_structure_alone(name):
    synth = build_synth(name, length=0.25)
    structure, space = synth.structure, synth.space
    values = space.classes_to_values(sample_classes(space, 0, 1, 3)[0])
    columns = np.asarray(oscillator_columns(space, structure.oscillators))
    attack, decay, sustain, release, cutoff, quality, gate = (
        values[column : column + 1, None] for column in structure.effect_columns(space)
    )
    time = sample_times(synth.samples, synth.sample_rate)
    note_length = synth.note_fraction * synth.length
    effects = EffectChain(
        adsr(time, attack, decay, sustain, release, note_length).astype(np.float32),
        filter_table(cutoff[0], quality[0], synth.sample_rate),
        gater(time, gate).astype(np.float32),
    )
    kinds = [WAVEFORMS.index(oscillator.waveform) for oscillator in structure.oscillators]
    waves = carriers(kinds, values[columns[:, [0, 1, 3]]], synth.samples, synth.sample_rate)
    atoms = shape(waves, effects, np.arange(len(waves)))
    np.testing.assert_allclose(structure.gain * values[columns[:, 2]] @ atoms, synth.render(values), atol=1e-4)


def test_a_declaration_that_does_not_fit_its_space_is_refused():
    space = build_synth("fm").space
    with pytest.raises(ParameterError, match="unknown parameter 'A_pulse'"):
        oscillator_columns(space, [Oscillator("pulse", "f_sin", "v_sin", "A_pulse", "B_sin")])
    sine, saw = (Oscillator(name, "f_sin", f"v_{name}", f"A_{name}", f"B_{name}") for name in ("sin", "saw"))
    with pytest.raises(ParameterError, match=r"belongs to one oscillator\. Received: f_sin of two"):
        oscillator_columns(space, [sine, saw])
