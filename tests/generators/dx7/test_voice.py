"""The voice: its table of parameters, checked construction, and the packing of banks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.dx7.voice import (
    HIGHEST,
    PARAMETER_BY_NAME,
    PARAMETERS,
    VOICE_BYTES,
    Voice,
    clamped_voice,
    pack_voice,
    stack_values,
    unpack_voice,
    voices_from_values,
)
from generators.errors import ParameterError

voices = st.tuples(*(st.integers(0, int(highest)) for highest in HIGHEST)).map(lambda values: Voice(bytes(values)))


def test_parameters_stand_at_the_bytes_of_the_format():
    assert [parameter.byte for parameter in PARAMETERS] == list(range(145))
    assert len(PARAMETER_BY_NAME) == 145
    expected = {
        "op6_rate_1": (0, 99),
        "op6_detune": (20, 14),
        "op1_rate_1": (105, 99),
        "op1_break_point": (113, 99),
        "op1_left_curve": (116, 3),
        "op1_rate_scaling": (118, 7),
        "op1_output_level": (121, 99),
        "op1_coarse": (123, 31),
        "pitch_rate_1": (126, 99),
        "pitch_level_4": (133, 99),
        "algorithm": (134, 31),
        "feedback": (135, 7),
        "lfo_wave": (142, 5),
        "pitch_sensitivity": (143, 7),
        "transpose": (144, 48),
    }
    for name, (byte, highest) in expected.items():
        assert (PARAMETER_BY_NAME[name].byte, PARAMETER_BY_NAME[name].highest) == (byte, highest)


def test_initial_voice_is_one_sine():
    voice = Voice()
    assert voice.name == "INIT VOICE"
    assert [voice[f"op{k}_output_level"] for k in range(1, 7)] == [99, 0, 0, 0, 0, 0]
    assert (voice["op1_coarse"], voice["op1_detune"], voice["transpose"], voice["pitch_level_4"]) == (1, 7, 24, 50)


def test_replaced_changes_only_what_is_named():
    voice = Voice().replaced(name="BELL", op2_coarse=14, algorithm=4)
    assert (voice.name, voice["op2_coarse"], voice["algorithm"]) == ("BELL", 14, 4)
    assert np.flatnonzero(voice.values[:145] != Voice().values[:145]).tolist() == [102, 134]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"op1_coarse": 32}, "op1_coarse is 0 to 31. Received: 32"),
        ({"algorithm": -1}, "algorithm is 0 to 31. Received: -1"),
        ({"op1_corse": 1}, "unknown DX7 parameter 'op1_corse'. Did you mean 'op1_coarse'?"),
        ({"name": "Ümlaut"}, "the name of a DX7 voice is up to 10 ASCII characters. Received: 'Ümlaut'"),
    ],
)
def test_replaced_names_what_does_not_fit(values, message):
    with pytest.raises(ParameterError, match=message.replace("?", r"\?")):
        Voice().replaced(**values)


def test_bytes_that_are_no_voice_are_refused():
    with pytest.raises(ParameterError, match=r"a DX7 voice has 155 bytes. Received: 154"):
        Voice(bytes(154))
    data = bytearray(Voice().data)
    data[134] = 32
    with pytest.raises(ParameterError, match=r"algorithm is 0 to 31. Received: 32"):
        Voice(bytes(data))
    voice, above = clamped_voice(bytes(data))
    assert (voice["algorithm"], above) == (31, ("algorithm",))


def test_voices_come_from_integers_alone():
    assert voices_from_values(Voice().values) == (Voice(),)
    assert stack_values([Voice(), Voice()]).shape == (2, VOICE_BYTES)
    for values in (np.zeros((2, 155)), np.zeros((2, 154), int), np.full((1, 155), -1), np.full((1, 155), 300)):
        with pytest.raises(ParameterError, match="Received"):
            voices_from_values(values)


def test_unprintable_name_is_shown_but_kept():
    voice = Voice(Voice().data[:145] + b"A\x00\x1b\x7fB     ")
    assert voice.name == "A???B"
    assert unpack_voice(pack_voice(voice)) == voice.data


@given(voices)
def test_packing_loses_nothing(voice):
    packed = pack_voice(voice)
    assert len(packed) == 128
    assert max(packed) < 128
    assert unpack_voice(packed) == voice.data


@given(st.binary(min_size=155, max_size=155))
def test_clamping_gives_a_voice_and_names_each_byte_that_it_changed(data):
    voice, above = clamped_voice(data)
    assert len(above) == sum(a != b for a, b in zip(voice.data, data, strict=True))
