"""Variations stay near their patch, go farther with the amount, and are what their files say."""

from pathlib import Path

import numpy as np
import pytest

from generators.audio import read_audio
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.archetypes import ARCHETYPES, archetype_values
from generators.dx7.sysex import read_syx, write_syx
from generators.dx7.voice import Voice, uniquely_named, voices_from_values
from generators.errors import AudioError
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.cli import main
from inversynth.patches.formats import patch_from_voice, read_any_patch
from inversynth.patches.patch import Patch, read_patch, render_patch, write_patch
from inversynth.variation.dx7_edits import (
    COMMON_RATIOS,
    algorithm_of,
    column,
    neighbouring_ratio,
    ratio_of,
    shared,
    vary_voice,
)
from inversynth.variation.vary import vary_patch

VOICES = voices_from_values(archetype_values())


def fm_patch(row: int) -> Patch:
    synth = build_synth("fm", 16384, 0.5)
    return Patch(
        synth.space, synth.space.classes_to_values(sample_classes(synth.space, row, row + 1, 5)[0]), 16384, 0.5
    )


@pytest.mark.parametrize("patch", [patch_from_voice(VOICES[0]), fm_patch(0)], ids=["dx7", "fm"])
def test_amount_zero_gives_the_patch_itself(patch: Patch) -> None:
    for variation in vary_patch(patch, 3, 0.0, seed=4):
        np.testing.assert_array_equal(variation.patch.values, patch.values)
        np.testing.assert_array_equal(variation.audio, render_patch(patch))
        assert variation.distance < 1e-4


@pytest.mark.parametrize(
    "patches",
    [[patch_from_voice(VOICES[k]) for k in (0, 20, 40, 60)], [fm_patch(k) for k in range(4)]],
    ids=["dx7", "fm"],
)
def test_distance_grows_with_the_amount_on_average(patches: list[Patch]) -> None:
    means = [
        np.mean([each.distance for patch in patches for each in vary_patch(patch, 3, amount)])
        for amount in (0.1, 0.3, 0.9)
    ]
    assert 0.2 < means[0] < 0.8 * means[1] < 0.64 * means[2]
    assert means[2] < 14.0


def test_a_seed_gives_the_same_variations_whatever_their_number() -> None:
    patch = patch_from_voice(VOICES[3])
    few, many, other = vary_patch(patch, 2, 0.4), vary_patch(patch, 4, 0.4), vary_patch(patch, 2, 0.4, seed=1)
    for one, again in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.patch.values, again.patch.values)
    assert not np.array_equal(few[0].patch.values, many[1].patch.values)
    assert not np.array_equal(few[0].patch.values, other[0].patch.values)


def test_variations_of_a_voice_keep_its_pitch_and_what_does_not_sound() -> None:
    for place in range(0, len(VOICES), 5):
        values = archetype_values()[place][:145].astype(np.int64)
        for seed in range(4):
            varied = vary_voice(values, 1.0, np.random.default_rng(seed))
            for name in ("algorithm", "transpose", "pitch_level_1", "lfo_wave"):
                assert varied[shared(name)] == values[shared(name)]
            for operator in range(1, 7):
                level = column(operator, "output_level")
                assert (varied[level] == 0) == (values[level] == 0)
                if not values[column(operator, "mode")]:
                    before, after = (
                        ratio_of(int(each[column(operator, "coarse")]), int(each[column(operator, "fine")]))
                        for each in (values, varied)
                    )
                    assert after == before or min(abs(after - common) for common in COMMON_RATIOS) < 0.01
            carriers = [
                each
                for each in algorithm_of(values).carriers
                if values[column(each, "output_level")] and not values[column(each, "mode")]
            ]
            lowest = [
                min(
                    (ratio_of(int(each[column(c, "coarse")]), int(each[column(c, "fine")])) for c in carriers),
                    default=0,
                )
                for each in (values, varied)
            ]
            assert lowest[1] == pytest.approx(lowest[0]), ARCHETYPES[place].family


def test_neighbours_of_ratios_are_common_and_never_below_the_lowest() -> None:
    assert neighbouring_ratio(2.0, 1) == 3.0
    assert neighbouring_ratio(2.0, -1) == 1.5
    assert neighbouring_ratio(3.46, 1) == 4.0
    assert neighbouring_ratio(1.0, -1, lowest=1.0) == 1.5
    assert neighbouring_ratio(31.0, 1) == 16.0


def test_stacks_hold_every_operator_from_its_carrier_up() -> None:
    assert ALGORITHMS[4].stacks == ((1, 2), (3, 4), (5, 6))
    assert ALGORITHMS[0].stacks == ((1, 2), (3, 4, 5, 6))
    for algorithm in ALGORITHMS:
        assert {each for stack in algorithm.stacks for each in stack} == set(range(1, 7))


def test_values_of_fm_stand_on_levels_where_they_moved() -> None:
    patch = fm_patch(1)
    for variation in vary_patch(patch, 4, 0.6):
        moved = variation.patch.values != patch.values
        assert moved.any()
        space = patch.space
        on_levels = space.classes_to_values(space.values_to_classes(variation.patch.values))
        np.testing.assert_array_equal(variation.patch.values[moved], on_levels[moved])


def test_a_silent_patch_is_refused() -> None:
    silent = Voice().replaced(op1_output_level=0)
    with pytest.raises(AudioError, match="a patch to vary must be heard"):
        vary_patch(patch_from_voice(silent), 1, 0.2)


def test_names_of_a_bank_differ_and_keep_to_ten_characters() -> None:
    voices = uniquely_named([Voice().replaced("STRINGS 10")] * 11 + [Voice().replaced("  "), Voice().replaced("OTHER")])
    names = [voice.name for voice in voices]
    assert names[:3] == ["STRINGS 10", "STRINGS 2", "STRINGS 3"]
    assert names[10:] == ["STRINGS 12", "VOICE", "OTHER"]
    assert len(set(names)) == 13


def test_command_writes_patches_sounds_a_bank_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_syx(tmp_path / "bank.syx", VOICES[:3])
    assert main(["vary", f"{tmp_path / 'bank.syx'}#2", "--count", "3", "--output_dir", str(tmp_path / "out")]) == 0
    (folder,) = (tmp_path / "out").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["index.html", "voices.syx", "original.wav", "original.json"]
        + [f"variation_{number:02d}.{kind}" for number in (1, 2, 3) for kind in ("wav", "json")]
    )
    bank = read_syx(folder / "voices.syx").voices
    assert bank[0] == VOICES[1]
    patch = read_patch(folder / "variation_02.json")
    np.testing.assert_array_equal(bank[2].values[:145], patch.values)
    patches = [read_patch(file) for file in folder.glob("*.json")]
    loudest = max(float(np.abs(render_patch(one)).max()) for one in patches)
    written = read_audio(folder / "variation_02.wav").audio
    np.testing.assert_allclose(written, render_patch(patch) / max(loudest, 1.0), atol=1e-6)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["original", "0.00", "0"]
    assert float(lines[3].split()[1]) == pytest.approx(
        vary_patch(read_any_patch(f"{tmp_path / 'bank.syx'}#2"), 2, 0.2)[1].distance, abs=0.006
    )


def test_command_varies_fm_without_a_bank_and_names_bad_amounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_patch(tmp_path / "bell" / "patch.json", fm_patch(2))
    words = ["vary", str(tmp_path / "bell" / "patch.json"), "--count", "1", "--output_dir", str(tmp_path)]
    assert main([*words, "--no-page"]) == 0
    assert sorted(path.name for path in (tmp_path / "bell_varied").iterdir()) == [
        "original.json",
        "original.wav",
        "variation_01.json",
        "variation_01.wav",
    ]
    assert main([*words, "--amount", "1.5"]) == 2
    assert "amount" in capsys.readouterr().err
