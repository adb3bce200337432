"""The benchmarks of pitch, onsets and real sounds, on sounds that are made here."""

import numpy as np
import pytest
import soundfile

from benchmarks.conditions import CONDITIONS, RATE
from benchmarks.inverted_conditions import calibration_error
from benchmarks.pitch import Played, _f_measure, _matched
from benchmarks.real_sounds import (
    METHODS,
    Row,
    bare_waveforms,
    find_recordings,
    search_by_cma,
    summary_table,
)
from generators.analysis.alignment import fit_offset
from generators.analysis.distance import LogMelDistance
from generators.analysis.pitch import NotePitch, find_note
from generators.audio import resample
from generators.errors import AudioError
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes


def fm_patch(seed=3):
    synth = FmSynth(RATE)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, 1, seed))[0]
    return values, synth.render(values).astype(np.float64)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_says_where_its_sound_begins(name):
    values, sound = fm_patch()
    recorded = CONDITIONS[name](sound, values, np.random.default_rng(1))
    audio = resample(recorded.audio.astype(np.float32), recorded.rate, RATE)
    begin = round(recorded.begin)
    fit = fit_offset(audio - audio.mean() * ("offset" in name), sound, (begin - 40, begin + 40))
    assert fit.offset == pytest.approx(recorded.begin, abs=0.2)
    assert fit.polarity == (-1 if "inverted" in name else 1)
    again = CONDITIONS[name](sound, values, np.random.default_rng(1))
    np.testing.assert_array_equal(recorded.audio, again.audio)


def test_claims_are_calibrated_where_as_many_are_right():
    right = np.arange(1000) % 10 < 8
    assert calibration_error(np.full(1000, 0.8), right) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(np.full(1000, 1.0), right) == pytest.approx(0.2)
    both = np.concatenate([np.full(1000, 0.95), np.full(1000, 0.65)])  # wrong by 0.15 in either direction
    assert calibration_error(both, np.tile(right, 2)) == pytest.approx(0.15)


def test_bare_waveforms_keep_pitch_and_envelope():
    time = np.arange(RATE) / RATE
    sound = (np.sin(2 * np.pi * 330 * time) * np.exp(-5 * time)).astype(np.float32)
    bare = bare_waveforms(sound, RATE, find_note(sound, RATE), np.random.default_rng(0))
    assert find_note(bare["saw"], RATE).midi == pytest.approx(64.02, abs=0.1)
    assert float(LogMelDistance(sound, RATE).distance(bare["sine"])) < 3.0
    for wave in bare.values():
        halves = np.square(wave[: RATE // 4]).sum() / np.square(wave).sum()
        assert halves == pytest.approx(1 - np.exp(-2.5), abs=0.05)


def test_cma_comes_nearer_within_its_renders():
    synth = FmSynth(RATE, 0.25)
    rows = synth.space.classes_to_values(sample_classes(synth.space, 0, 2, 9))
    measured = []

    def measure(audio):
        measured.append(len(audio))
        return LogMelDistance(synth.render(rows[0]), RATE).distance(audio)

    found, values = search_by_cma(synth, measure, rows[1], 60, seed=1)
    assert found <= float(LogMelDistance(synth.render(rows[0]), RATE).distance(synth.render(rows[1])))
    assert 60 <= sum(measured) < 60 + 20
    assert found == pytest.approx(float(measure(synth.render(values))), abs=1e-5)


def test_recordings_are_spread_over_a_folder_and_loops_are_left_out(tmp_path):
    for name in ("a", "b", "c", "d", "loop_amen"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(10), RATE)
    assert [path.stem for path in find_recordings(tmp_path, 2)] == ["a", "d"]
    assert len(find_recordings(tmp_path, 99)) == 4
    with pytest.raises(AudioError, match="recordings must lie in a folder"):
        find_recordings(tmp_path / "none", 3)


def test_the_summary_counts_how_often_the_search_is_nearer():
    near, far = dict.fromkeys(METHODS, 5.0), dict.fromkeys(METHODS, 5.0)
    near["search"], far["search"] = 1.0, 9.0
    rows = [Row("near", NotePitch(60.0, 0.9), 10, 0.5, near, {}), Row("far", None, 10, 0.5, far, {})]
    lines = summary_table(rows).splitlines()
    assert any("all" in line and "nearest baseline" in line and "50 %" in line for line in lines)
    assert any("pitched" in line and "nearest baseline" in line and "100 %" in line for line in lines)


def test_notes_match_by_onset_and_pitch():
    time = np.arange(RATE // 2) / RATE
    tones = [sum(np.sin(2 * np.pi * k * f * time) / k for k in range(1, 9)) * np.exp(-3 * time) for f in (220.0, 330.0)]
    audio = np.concatenate([*tones, np.zeros(1000)]).astype(np.float32)
    right = _matched(Played(0, (57, 64), audio, (0.0, 0.5)))
    assert right.tolist() == [2, 2, 2]
    assert _f_measure(right) == 1.0
    assert _matched(Played(0, (57, 65), audio, (0.0, 0.5))).tolist() == [1, 2, 2]
    assert _matched(Played(0, (57, 64), audio, (0.0, 0.8))).tolist() == [1, 2, 2]
