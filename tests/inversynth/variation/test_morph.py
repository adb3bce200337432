"""Morphs begin and end with their patches to the bit, and their steps are more even than steps by number."""

from pathlib import Path

import numpy as np
import pytest

from generators.dx7.archetypes import archetype_values
from generators.dx7.sysex import read_syx, write_syx
from generators.dx7.voice import Voice, voices_from_values
from generators.errors import ParameterError
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.cli import main
from inversynth.patches.formats import patch_from_voice
from inversynth.patches.patch import Patch, read_patch, render_patch
from inversynth.variation.dx7_edits import column, shared
from inversynth.variation.dx7_path import BY_NUMBER, Dx7Path, match_operators, ratio_between
from inversynth.variation.morph import distance_table, even_steps, morph_patches, unevenness

VOICES = voices_from_values(archetype_values())
PAIRS = [(0, 1), (0, 8), (14, 33), (40, 62)]


def fm_patch(row: int, level_db: float = 0.0, root: float = 69.0) -> Patch:
    synth = build_synth("fm", 16384, 0.5)
    values = synth.space.classes_to_values(sample_classes(synth.space, row, row + 1, 5)[0])
    return Patch(synth.space, values, 16384, 0.5, level_db=level_db, root=root)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_ends_are_the_voices_to_the_bit(first: int, second: int) -> None:
    ends = [patch_from_voice(VOICES[place]) for place in (first, second)]
    morph = morph_patches(ends[0], ends[1], 4)
    assert len(morph.patches) == 4
    for patch, sound, end in zip(
        (morph.patches[0], morph.patches[-1]), (morph.sounds[0], morph.sounds[-1]), ends, strict=True
    ):
        np.testing.assert_array_equal(patch.values, end.values)
        np.testing.assert_array_equal(sound, render_patch(end))
    for patch, sound in zip(morph.patches, morph.sounds, strict=True):
        np.testing.assert_array_equal(sound, render_patch(patch))
        np.testing.assert_array_equal(patch.values, patch.space.classes_to_values(patch.classes))


def test_steps_are_more_even_than_those_by_number() -> None:
    voices = [morph_patches(patch_from_voice(VOICES[a]), patch_from_voice(VOICES[b]), 5) for a, b in PAIRS]
    sounds = [morph_patches(fm_patch(row), fm_patch(row + 4), steps=5) for row in range(3)]
    for morph in (*voices, *sounds):
        assert unevenness(morph.distances) <= unevenness(morph.by_number) + 1e-9
        assert morph.distances.max() <= morph.by_number.max() + 1e-6
        assert np.all(np.diff(morph.places) > 0)
    assert np.mean([unevenness(m.distances) for m in sounds]) < 1.1
    by_sound, by_number = (
        np.mean([unevenness(getattr(m, name)) for m in voices]) for name in ("distances", "by_number")
    )
    assert by_sound < by_number - 0.2


def test_even_steps_of_known_distances() -> None:
    points = np.array([0.0, 0.1, 0.2, 0.3, 3.0, 5.0, 6.1, 9.0])
    table = np.abs(points[:, None] - points)
    np.testing.assert_array_equal(even_steps(table, 4), [0, 4, 6, 7])
    np.testing.assert_array_equal(even_steps(table, 2), [0, 7])
    np.testing.assert_array_equal(even_steps(table, 8), range(8))


def test_a_table_of_distances_is_that_of_single_ones() -> None:
    from generators.analysis.distance import FLOOR_DB, log_mel_distance

    sounds = np.random.default_rng(0).normal(size=(3, 4000)).astype(np.float32)
    table = distance_table(sounds, 8000)
    np.testing.assert_allclose(table, table.T)
    assert table[0, 0] == 0.0
    assert table[0, 2] == pytest.approx(float(log_mel_distance(sounds[0], sounds[2], 8000, FLOOR_DB)), rel=1e-4)


def test_level_and_root_of_fm_move_evenly() -> None:
    morph = morph_patches(fm_patch(0, -12.0, 57.0), fm_patch(1, 0.0, 69.0), steps=3)
    place = morph.places[1]
    middle = morph.patches[1]
    assert (middle.root, middle.level_db) == pytest.approx((57.0 + 12.0 * place, -12.0 * (1.0 - place)))
    np.testing.assert_allclose(morph.sounds[1], render_patch(middle), atol=1e-5)


def test_a_morph_to_itself_changes_nothing() -> None:
    morph = morph_patches(patch_from_voice(VOICES[5]), patch_from_voice(VOICES[5]), steps=3)
    assert not morph.distances.any()
    assert unevenness(morph.distances) == 1.0
    for patch in morph.patches:
        np.testing.assert_array_equal(patch.values, VOICES[5].values[:145])


def test_patches_of_two_synths_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"of the same synth\. Received: 'dx7' and 'fm'"):
        morph_patches(patch_from_voice(VOICES[0]), fm_patch(0), 3)


def test_operators_are_matched_by_role() -> None:
    first = Voice().replaced(algorithm=4, op1_coarse=1, op2_coarse=14, op2_output_level=70)
    second = Voice().replaced(algorithm=15, op1_coarse=1, op3_coarse=14, op3_output_level=70)
    partners = match_operators(first.values[:145], second.values[:145])
    assert partners[:2] == (1, 3)
    assert sorted(partners) == [1, 2, 3, 4, 5, 6]
    assert match_operators(first.values[:145], first.values[:145]) == BY_NUMBER


def test_switches_change_once_and_where_they_are_heard_least() -> None:
    quiet_start = Voice().replaced(op2_output_level=0, op1_left_curve=0, lfo_wave=0, algorithm=4)
    second = Voice().replaced(op2_output_level=90, op2_coarse=3, lfo_wave=2, algorithm=4, op1_mode=1)

    def nearest_at_a_quarter(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        assert len(one) == len(other)
        return np.abs(np.arange(len(one)) / (len(one) + 1) - 0.25)

    path = Dx7Path(quiet_start.values[:145], second.values[:145], BY_NUMBER, nearest_at_a_quarter)
    assert set(path.switches) == {"lfo_wave", "op1_mode"}
    assert set(path.switches.values()) == {0.3125}
    assert path.at(0.3)[shared("lfo_wave")] == 0
    assert path.at(0.32)[shared("lfo_wave")] == 2
    assert path.at(0.5)[column(2, "coarse")] == 3  # an operator that fades in has its ratio at once
    assert 40 <= path.at(0.5)[column(2, "output_level")] <= 50


def test_ratios_go_from_one_common_ratio_to_the_next() -> None:
    assert [ratio_between(1.0, 4.0, place) for place in (0.0, 0.3, 0.5, 0.75, 1.0)] == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert ratio_between(1.0, 1.41, 0.5) == pytest.approx(np.sqrt(1.41))


def test_command_writes_the_steps_and_says_how_even_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_syx(tmp_path / "bank.syx", VOICES[:9])
    words = ["morph", f"{path}#1", f"{path}#9", "--steps", "4", "--output_dir", str(tmp_path / "out")]
    assert main(words) == 0
    (folder,) = (tmp_path / "out").iterdir()
    bank = read_syx(folder / "voices.syx").voices
    assert (bank[0], bank[3]) == (VOICES[0], VOICES[8])
    assert len({voice.name for voice in bank[:4]}) == 4
    np.testing.assert_array_equal(bank[1].values[:145], read_patch(folder / "step_02.json").values)
    out = capsys.readouterr().out
    assert "largest step / mean: " in out
    assert "algorithm changes at " in out
    assert (folder / "index.html").is_file()
    assert (folder / "step_04.wav").is_file()
