"""Parameter spaces: every conversion between the representations, and the message of each error."""

import numpy as np
import pytest

from generators.errors import ParameterError
from generators.fm_generator import FmSynth
from generators.parameters import Parameter, ParameterSpace, even_steps
from generators.registry import SYNTHS
from generators.sampling import sample_classes

SPACE = ParameterSpace(
    "toy", (Parameter("a", even_steps(0, 1, 5), "Hz", "first", "G"), Parameter("b", (1.0, 10.0, 100.0), "s"))
)


@pytest.mark.parametrize("name", SYNTHS)
def test_every_face_leads_back_to_the_classes(name):
    space = SYNTHS[name].space
    classes = sample_classes(space, 0, 200, seed=3)
    np.testing.assert_array_equal(space.values_to_classes(space.classes_to_values(classes)), classes)
    np.testing.assert_array_equal(space.unit_to_classes(space.classes_to_unit(classes)), classes)
    np.testing.assert_array_equal(space.probabilities_to_classes(space.classes_to_one_hot(classes)), classes)
    values = space.classes_to_values(classes)
    np.testing.assert_allclose(space.unit_to_values(space.values_to_unit(values)), values, rtol=1e-12)
    np.testing.assert_allclose(space.values_to_unit(values), space.classes_to_unit(classes), atol=1e-12)


def test_fm_space_is_the_one_of_the_paper():
    space = FmSynth.space
    assert (len(space), space.size, set(space.sizes)) == (23, 368, {16})
    assert space.combinations == 16**23
    f_sin = space.parameters[space.index("f_sin")]
    assert f_sin.levels[0] == 440.0
    np.testing.assert_allclose(f_sin.levels[12], 880.0)
    assert [space.parameters[space.index(n)].levels[0] for n in ("v_sin", "A_saw", "B_tri", "attack")] == [
        1,
        0.001,
        0,
        0.001,
    ]
    assert [space.parameters[space.index(n)].levels[-1] for n in ("f_cut", "q", "f_gate")] == [4000, 10, 30]
    assert space.groups.keys() == {
        "Notes",
        "Frequency LFO",
        "Oscillator amplitudes",
        "ADSR",
        "Filter",
        "Amplitude LFO",
    }


def test_values_beyond_the_range_take_its_end():
    assert SPACE.values_to_classes([-5.0, 1e9]).tolist() == [0, 2]
    assert SPACE.values_to_unit([-5.0, 1e9]).tolist() == [0.0, 1.0]


def test_falling_levels_mirror_rising_ones():
    rising, falling = Parameter("x", (0.4, 0.7, 1.0)), Parameter("x", (1.0, 0.7, 0.4))
    assert (falling.low, falling.high) == (rising.low, rising.high) == (0.4, 1.0)
    values = np.array([[0.1, 0.54, 0.56], [0.84, 0.86, 3.0]])
    np.testing.assert_array_equal(rising.nearest(values), [[0, 0, 1], [1, 2, 2]])
    np.testing.assert_array_equal(falling.nearest(values), 2 - rising.nearest(values))
    np.testing.assert_allclose(falling.position(values), 1.0 - rising.position(values), atol=1e-12)
    space = ParameterSpace("toy", (falling,))
    np.testing.assert_allclose(space.unit_to_values([[0.0], [0.25], [0.5], [1.0]])[:, 0], [1.0, 0.85, 0.7, 0.4])
    assert ParameterSpace.from_json(space.to_json()).fingerprint == space.fingerprint
    assert space.fingerprint != ParameterSpace("toy", (rising,)).fingerprint


def test_json_round_trip_keeps_everything():
    again = ParameterSpace.from_json(SPACE.to_json())
    assert again == SPACE
    assert again.fingerprint == SPACE.fingerprint


def test_fingerprint_depends_on_levels_and_not_on_wording():
    reworded = ParameterSpace("toy", (Parameter("a", even_steps(0, 1, 5), "Hz", "other words"), SPACE.parameters[1]))
    shifted = ParameterSpace("toy", (Parameter("a", even_steps(0, 2, 5)), SPACE.parameters[1]))
    assert reworded.fingerprint == SPACE.fingerprint
    assert shifted.fingerprint != SPACE.fingerprint
    assert SPACE.difference(reworded) == ""
    assert SPACE.difference(shifted) == "levels of 'a': 5 from 0 to 1 against 5 from 0 to 2"


def test_probabilities_are_normalised_per_parameter():
    scores = SPACE.normalise_probabilities(np.array([0.0, 0.0, 0.5, 0.0, 0.5, 0.9, 0.9, 0.9]))
    np.testing.assert_allclose([scores[s].sum() for s in SPACE.slices], 1.0)
    np.testing.assert_allclose(scores[5:], 1 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SPACE.check_classes([0, 3]), "classes of 'b' run from 0 to 2. Received: 3"),
        (lambda: SPACE.check_classes([0.5, 1.0]), "classes must be integers. Received: float64"),
        (lambda: SPACE.check_classes([0]), "classes of synth 'toy' have 2 columns. Received: an array of shape (1,)"),
        (lambda: SPACE.check_values([0.0, np.nan]), "values must be finite. Received: NaN or infinity"),
        (lambda: SPACE.index("c"), "unknown parameter 'c'. Known: a, b"),
        (
            lambda: Parameter("x", (2.0, 1.0, 1.5)),
            "levels must be finite, and each above the one before or each below it. Received: [2.0, 1.0, 1.5] for 'x'",
        ),
        (
            lambda: Parameter("x", (1.0, 1.0)),
            "levels must be finite, and each above the one before or each below it. Received: [1.0, 1.0] for 'x'",
        ),
        (lambda: ParameterSpace("t", ()), "a parameter space needs one or more distinct names. Received: []"),
    ],
)
def test_misuse_is_refused_in_one_sentence(call, message):
    with pytest.raises(ParameterError) as fault:
        call()
    assert str(fault.value) == message


@pytest.mark.parametrize("text", ["", "[]", '{"synth": "x"}', '{"synth": "x", "parameters": [{"name": "a"}]}'])
def test_foreign_json_is_refused(text):
    with pytest.raises(ParameterError, match="a parameter space is JSON"):
        ParameterSpace.from_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 60_000, "it must be JSON of at most 64 levels"),
        ('{"synth": "x", "parameters": [{"name": "a", "levels": [1e999]}]}', "it must be JSON with finite numbers"),
        ('{"synth": "x", "parameters": [{"name": "a", "levels": [1' + "0" * 400 + "]}]}", "integers within 64 bits"),
        ('{"synth": "\\ud800", "parameters": [{"name": "a", "levels": [1]}]}', "it must be JSON with Unicode text"),
        ('{"synth": "' + "x" * 2000 + '", "parameters": [{"name": "a", "levels": [1]}]}', "a text of 2,000 characters"),
        ('{"synth": "x", "parameters": [' + "{}," * 5000 + "{}]}", "5,001 parameters, of at most 4,096"),
        ('{"synth": "x", "parameters": [{"name": "a", "levels": [-1e308, 1e308, 0]}]}', "levels must be finite"),
    ],
)
def test_a_space_beyond_the_bounds_is_refused_in_a_short_line(text, message):
    with pytest.raises(ParameterError, match=message) as error:
        ParameterSpace.from_json(text)
    assert len(str(error.value)) < 400
