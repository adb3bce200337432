"""Inverting sounds: they are fitted to the model without a shift, faults are named, and long files stay small."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from generators.audio import read_audio
from generators.errors import AudioError, ModelError
from generators.parameters import Parameter, ParameterSpace
from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.synth import Synth
from inversynth import inversion
from inversynth.inversion import (
    FRAME,
    Target,
    find_onset,
    invert,
    main,
    measure_levels,
    name_folders,
    read_target,
    write_inversion,
)
from inversynth.patches import read_patch

RATE = 16384


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def save(path: Path, audio: NDArray[np.floating], rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, audio, rate, **options)
    return path


# --- making a sound ready --------------------------------------------------------------------------------------


def test_sound_of_the_right_shape_is_taken_as_it_is(tmp_path: Path, fm: Synth) -> None:
    audio = fm.render_classes(sample_classes(fm.space, 0, 1, seed=0)[0])
    target = read_target(save(tmp_path / "a.wav", audio, subtype="FLOAT"), RATE, fm.length)
    assert np.array_equal(target.audio, audio)
    assert target.treatment == ()


def test_softly_begun_synth_sounds_are_not_shifted(tmp_path: Path) -> None:
    synth = build_synth("fm")
    classes = sample_classes(synth.space, 0, 20, seed=4)
    classes[:, synth.space.index("attack")] = 15
    for number, audio in enumerate(synth.render_classes(classes)):
        path = save(tmp_path / f"{number}.wav", audio, subtype="FLOAT")
        assert read_target(path, RATE, 1.0).source["start"] == 0.0


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_rate_and_channel_count_gives_the_same_tone(tmp_path: Path, kind: str) -> None:
    audio = np.stack([tone(1.0, 44100)] * 2, axis=1)
    target = read_target(save(tmp_path / f"a.{kind}", audio, 44100), RATE, 0.5)
    assert target.audio.shape == (RATE // 2,)
    assert target.audio.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(target.audio))
    assert np.argmax(spectrum) * 2 == 440  # bins of 2 Hz
    assert np.abs(target.audio).max() == pytest.approx(0.5, abs=0.02)
    assert target.treatment[:2] == (
        "Its 2 channels were mixed down to one.",
        "It was resampled from 44,100 Hz to 16,384 Hz.",
    )


def test_short_sound_is_padded_at_its_end(tmp_path: Path) -> None:
    target = read_target(save(tmp_path / "a.wav", tone(0.3), subtype="FLOAT"), RATE, 1.0)
    assert np.array_equal(target.audio[: round(0.3 * RATE)], tone(0.3).astype(np.float32))
    assert not target.audio[round(0.3 * RATE) :].any()
    assert target.treatment == ("0.70 s of silence were added at its end, to reach 1 s.",)


def test_long_sound_is_analysed_from_its_onset(tmp_path: Path) -> None:
    audio = np.concatenate([np.zeros(round(0.75 * RATE)), tone(3.0)])
    target = read_target(save(tmp_path / "a.wav", audio), RATE, 1.0)
    assert target.source["start"] == pytest.approx(0.75, abs=1.5 * FRAME)
    assert np.abs(target.audio[: round(0.02 * RATE)]).max() > 0.4
    assert target.treatment == (
        "It begins at 0.75 s; what lies before was left out.",
        "It goes on after the 1 s that were analysed; 2.00 s were left out.",
    )


def test_leading_silence_of_a_short_sound_is_left_out(tmp_path: Path) -> None:
    target = read_target(save(tmp_path / "a.wav", np.concatenate([np.zeros(RATE // 4), tone(0.5)])), RATE, 1.0)
    assert target.source["start"] == pytest.approx(0.25, abs=1.5 * FRAME)
    assert target.source["padded"] == pytest.approx(0.5, abs=1.5 * FRAME)


def test_onset_is_found_under_noise(tmp_path: Path) -> None:
    audio = np.concatenate([np.zeros(RATE), tone(2.0)]) + 0.01 * np.random.default_rng(0).standard_normal(3 * RATE)
    onset = find_onset(measure_levels(save(tmp_path / "a.wav", audio)).levels)
    assert onset == pytest.approx(1.0, abs=2 * FRAME)


def test_onset_of_a_sound_that_begins_at_once_is_zero() -> None:
    loud, fading = np.full(100, -10.0), np.linspace(0.0, -90.0, 100)
    assert find_onset(loud) == find_onset(fading) == 0.0


def test_gated_sound_begins_before_its_first_gap() -> None:
    levels = np.tile([-10.0] * 20 + [-90.0] * 20, 5)
    assert find_onset(levels) == 0.0
    assert find_onset(np.concatenate([np.full(50, -120.0), levels])) == pytest.approx(50 * FRAME)


def test_start_can_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", np.concatenate([tone(1.0), tone(1.0, hertz=880.0)]))
    target = read_target(path, RATE, 0.5, start=1.0)
    assert np.argmax(np.abs(np.fft.rfft(target.audio))) * 2 == 880
    assert target.treatment[0] == "It was analysed from 1.00 s on, as asked."
    with pytest.raises(AudioError, match=r"lasts 2\.00 s, and --start must lie within\. Received: 2"):
        read_target(path, RATE, 0.5, start=2.0)


def test_resampled_sound_does_not_wrap_around() -> None:
    audio = np.zeros(44100, np.float32)
    audio[-400:] = 1.0  # a loud end must not reach the beginning through a periodic filter
    assert np.abs(inversion._resample(audio, 44100, RATE)[: RATE // 2]).max() < 1e-3


@pytest.mark.parametrize("rate", [1, 5512, 22050, 44099, 96000])
def test_odd_rates_and_single_samples_are_welcome(tmp_path: Path, rate: int) -> None:
    target = read_target(save(tmp_path / "a.wav", np.full(1, 0.5), rate), RATE, 0.25)
    assert target.audio.shape == (RATE // 4,)
    assert np.isfinite(target.audio).all()


def test_ten_minutes_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2) as file:
        second = np.zeros((44100, 2))
        for _ in range(590):
            file.write(second)
        file.write(np.stack([tone(10.0, 44100)] * 2, axis=1))
    assert path.stat().st_size > 100e6
    tracemalloc.start()
    target = read_target(path, RATE, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert target.source["start"] == pytest.approx(590.0, abs=2 * FRAME)
    assert peak < 60e6


def bad_sounds(folder: Path) -> dict[str, str]:
    """Write sounds that cannot be inverted; returns their names and what is said of them."""
    save(folder / "nan.wav", np.array([0.0, np.nan]), subtype="FLOAT")
    late = tone(3.0)
    late[-1] = np.inf
    save(folder / "infinite.wav", late, subtype="FLOAT")
    save(folder / "silent.wav", np.zeros(1000))
    save(folder / "none.wav", np.zeros(0))
    save(folder / "cancel.wav", np.stack([tone(0.1), -tone(0.1)], axis=1))
    (folder / "text.wav").write_text("no sound")
    (folder / "empty.flac").touch()
    return {
        "nan.wav": "samples must be finite",
        "infinite.wav": "samples must be finite",
        "silent.wav": "must be audible",
        "none.wav": "needs samples",
        "cancel.wav": "cancel each other",
        "text.wav": "cannot read",
        "empty.flac": "cannot read",
        "missing.wav": "no such sound",
        ".": "a sound is a file",
    }


def test_fault_of_a_sound_is_named(tmp_path: Path) -> None:
    for name, message in bad_sounds(tmp_path).items():
        with pytest.raises(AudioError, match=message):
            read_target(tmp_path / name, RATE, 1.0)


# --- inverting -------------------------------------------------------------------------------------------------


def test_true_classes_render_the_target_again(fm: Synth, oracle_of: Callable) -> None:
    classes = sample_classes(fm.space, 0, 1, seed=2)[0]
    target = Target(fm.render_classes(classes), fm.sample_rate, "a")
    found = invert(target, oracle_of(fm, classes), truth=classes)
    assert np.array_equal(found.patch.classes, classes)
    assert np.array_equal(found.match, target.audio)
    scores = found.patch.scores
    assert scores["stft_pcc"] == scores["ft_pcc"] == scores["mpr"] == 100.0
    assert scores["f_delta"] == 0.0
    assert scores["top_1"] == 1.0


def test_wrong_classes_score_less_and_mpr_needs_the_truth(fm: Synth, oracle_of: Callable) -> None:
    classes, others = sample_classes(fm.space, 0, 2, seed=2)
    found = invert(Target(fm.render_classes(classes), fm.sample_rate, "a"), oracle_of(fm, others))
    assert found.patch.scores["ft_pcc"] < 90.0
    assert found.patch.scores["f_delta"] > 100.0
    assert "mpr" not in found.patch.scores


def test_model_of_normalised_sounds_gets_and_gives_a_peak_of_one(
    tmp_path: Path, fm: Synth, oracle_of: Callable
) -> None:
    classes = sample_classes(fm.space, 0, 1, seed=2)[0]
    path = save(tmp_path / "a.wav", 0.1 * fm.render_classes(classes), subtype="FLOAT")
    target = read_target(path, fm.sample_rate, fm.length, normalise=True)
    found = invert(target, oracle_of(fm, classes, features={"normalise": True}))
    assert np.abs(target.audio).max() == pytest.approx(1.0)
    assert np.allclose(found.match, target.audio, atol=1e-5)
    assert "peak of 1" in target.treatment[-1]


def test_model_of_a_changed_synth_is_refused(fm: Synth, oracle_of: Callable) -> None:
    model = oracle_of(fm, sample_classes(fm.space, 0, 1, seed=0)[0])
    first, *others = fm.space.parameters
    old = ParameterSpace("fm", (Parameter(first.name, first.levels[:8], first.unit), *others))
    model.card = type(model.card)(**{**vars(model.card), "space": old.to_json()})
    with pytest.raises(ModelError, match=r"synth 'fm' as it is now\. Received: levels of 'f_sin': 8 .* against 16"):
        invert(Target(np.ones(fm.samples, np.float32), fm.sample_rate, "a"), model)


def test_folder_of_an_inversion_holds_four_files_that_agree(tmp_path: Path, fm: Synth, oracle_of: Callable) -> None:
    classes, others = sample_classes(fm.space, 0, 2, seed=5)
    found = invert(Target(fm.render_classes(classes), fm.sample_rate, "a"), oracle_of(fm, others))
    report = write_inversion(found, tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "match.wav",
        "patch.json",
        "report.html",
        "target.wav",
    ]
    assert report == tmp_path / "a" / "report.html"
    patch = read_patch(tmp_path / "a" / "patch.json")
    assert np.array_equal(patch.classes, others)
    assert np.array_equal(read_audio(tmp_path / "a" / "match.wav").audio, fm.render(patch.values))
    assert np.array_equal(read_audio(tmp_path / "a" / "target.wav").audio, found.target.audio)


def test_sounds_of_one_name_get_folders_of_their_own() -> None:
    paths = [Path("a/kick.wav"), Path("b/kick.wav"), Path("Kick.flac"), Path("index.html.wav")]
    assert [name for _, name in name_folders(paths)] == ["kick", "kick-2", "Kick-3", "index.html-2"]


# --- the door --------------------------------------------------------------------------------------------------


def test_door_writes_what_can_be_inverted_and_names_the_rest(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = bad_sounds(tmp_path)
    save(tmp_path / "first.wav", tone(0.25, 8000), 8000)
    save(tmp_path / "last.flac", tone(2.0, 44100), 44100)
    code = main(["first.wav", *faults, "last.flac", "--model", str(model_file), "--output_directory", "out"])
    told = capsys.readouterr()
    assert code == 2
    lines = told.err.strip().splitlines()
    assert len(lines) == len(faults)
    assert all(message in line for message, line in zip(faults.values(), lines, strict=True))
    for name in ("first", "last"):
        assert (tmp_path / "out" / name / "report.html").is_file()
        assert f"{name}: STFT PCC" in told.out
    index = (tmp_path / "out" / "index.html").read_text()
    assert 'href="first/report.html"' in index
    assert index.count("AudioError") == len(faults)
    assert json.loads((tmp_path / "out" / "last" / "patch.json").read_text())["model"] == "tiny"


def test_door_tells_the_assumptions_without_a_sound(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(model_file.parent), "--synth_info"]) == 0
    told = capsys.readouterr().out
    for words in ("sine", "8,000 Hz", "0.25 s", "4 parameters, 12 classes", "tiny", "sha256", "512 samples every 256"):
        assert words in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav"], "--model is required"),
        (["--model", "nowhere", "a.wav"], "no such model: nowhere"),
        (["--model", "nowhere"], "name one or more sounds"),
        (["a.wav", "--model", "nowhere", "--start", "-1"], "start must be greater than or equal to 0"),
        (["a.wav", "--modle", "nowhere"], "Did you mean --model?"),
    ],
)
def test_door_names_what_is_missing_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


def test_door_refuses_an_output_that_cannot_be_written(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.wav", tone(0.25, 8000), 8000)
    (tmp_path / "out").write_text("a file")
    assert main(["a.wav", "--model", str(model_file), "--output_directory", "out"]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_help_and_faults_of_sounds_need_no_tensorflow(tmp_path: Path, model_file: Path) -> None:
    code = f"""
import sys
from inversynth.inversion import main
assert main(["missing.wav", "--model", {str(model_file)!r}]) == 2
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
