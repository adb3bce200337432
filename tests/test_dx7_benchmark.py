"""The benchmark of the DX7 engine: its sets of notes, its tables, and a comparison with dexed-py where it is there."""

import numpy as np
import pytest

from benchmarks import dexed_referee, dx7
from generators.dx7.sysex import write_syx
from generators.dx7.voice import Voice
from generators.errors import DatasetError


def test_installed_voices_are_each_played_by_three_notes(tmp_path):
    voices = [Voice().replaced(op1_fine=k) for k in range(32)]
    write_syx(tmp_path / "a.syx", voices)
    notes = dx7.installed_voices(tmp_path, 4)
    assert notes.values.shape == (12, 155)
    assert sorted(set(notes.values[:, 124])) == [0, 10, 20, 31]
    assert list(zip(notes.notes[:3], notes.velocities[:3], strict=True)) == list(dx7.NOTES)
    with pytest.raises(DatasetError, match=r"no DX7 voices in .* Install Debian's package hexter"):
        dx7.installed_voices(tmp_path / "none", 4)


def test_random_voices_depend_on_the_seed_alone():
    one, same, other = dx7.random_voices(5, 0), dx7.random_voices(5, 0), dx7.random_voices(5, 1)
    np.testing.assert_array_equal(one.values, same.values)
    assert (one.values != other.values).any()


def test_distance_and_correlation_take_silence():
    silence, tone = np.zeros(44100, np.float32), np.sin(np.arange(44100) * 0.1).astype(np.float32)
    assert dx7.distance(silence, tone) == dx7.distance(tone, silence) > 1
    assert dx7.correlation(tone, silence) == 0
    assert dx7.correlation(tone, -tone) == pytest.approx(-1)


def test_tables_have_a_row_for_each_set_and_feedback():
    notes = dx7.random_voices(40, 0)
    found = dx7.Comparison(np.linspace(0, 1, 40), np.linspace(0.9, 1, 40), np.arange(40) % 2 == 0)
    table = dx7.distance_table([(notes, found)])
    assert "| random" in table
    assert "50.0" in table
    assert "0.50000" in table
    levels = set(notes.values[:, 135].tolist())
    assert len(dx7.correlation_table([(notes, found)]).splitlines()) == 2 + len(levels) + 2


@pytest.mark.skipif(not dexed_referee.installed(), reason="needs dexed-py, the extra `referee`")
def test_engine_equals_the_referee_to_the_bit_for_plain_voices():
    voices = np.array([Voice().values, Voice().replaced(algorithm=4, op2_output_level=80, op2_coarse=14).values])
    notes = dx7.NoteSet("own", voices.astype(np.int64), np.array([60, 48]), np.array([100, 50]))
    with dexed_referee.Referee(dx7.SAMPLE_RATE) as referee:
        found = dx7.compare(notes, referee)
    assert found.equal.all()
    assert (found.distances == 0).all()
