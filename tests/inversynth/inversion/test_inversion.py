"""Inverting sounds: true settings render the target again, and a faulty sound is named without losing the others."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from generators.audio import read_audio
from generators.errors import ModelError
from generators.parameters import Parameter, ParameterSpace
from generators.sampling import sample_classes
from generators.synth import Synth
from inversynth.inversion.command import main, name_folders
from inversynth.inversion.inversion import invert
from inversynth.inversion.result import write_inversion
from inversynth.inversion.target import Target, read_target
from inversynth.patches.patch import read_patch
from tests.inversynth.sounds import bad_sounds, save, tone

# --- inverting -------------------------------------------------------------------------------------------------


def test_true_classes_render_the_target_again(fm: Synth, oracle_of: Callable) -> None:
    classes = sample_classes(fm.space, 0, 1, seed=2)[0]
    target = Target(fm.render_classes(classes), fm.sample_rate, "a")
    found = invert(target, oracle_of(fm, classes), truth=classes)
    assert np.array_equal(found.patch.classes, classes)
    assert np.array_equal(found.audio, target.audio)
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
    assert np.allclose(found.audio, target.audio, atol=1e-5)
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
    assert name_folders(paths) == ["kick", "kick-2", "Kick-3", "index.html-2"]


# --- the command --------------------------------------------------------------------------------------------------


def test_command_writes_what_can_be_inverted_and_names_the_rest(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "without").mkdir()
    faults = {"without": "a folder holds sounds", **bad_sounds(tmp_path)}
    del faults["."]  # a folder with sounds, which are taken
    save(tmp_path / "first.wav", tone(0.25, 8000), 8000)
    save(tmp_path / "last.flac", tone(2.0, 44100), 44100)
    code = main(["first.wav", *faults, "last.flac", "--model", str(model_file), "--output_dir", "out"])
    printed = capsys.readouterr()
    assert code == 2
    lines = printed.err.strip().splitlines()
    assert len(lines) == len(faults)
    assert all(message in line for message, line in zip(faults.values(), lines, strict=True))
    for name in ("first", "last"):
        assert (tmp_path / "out" / name / "report.html").is_file()
        assert re.search(rf"^{name}: (reachable|close|similar|far) \([\d.]+ dB\)\. ", printed.out, re.MULTILINE)
    index = (tmp_path / "out" / "index.html").read_text()
    assert 'href="first/report.html"' in index
    assert index.count("AudioError") == len(faults)
    assert json.loads((tmp_path / "out" / "last" / "patch.json").read_text())["model"] == "tiny"


def test_folders_are_inverted_but_for_what_earlier_runs_wrote(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "below/b.wav"):
        (tmp_path / "kit" / name).parent.mkdir(parents=True, exist_ok=True)
        save(tmp_path / "kit" / name, tone(0.25, 8000), 8000)
    words = ["kit", "--model", str(model_file), "--output_dir", "kit/out", "--budget", "none"]
    for _ in range(2):
        assert main(words) == 0
        reports = [line for line in capsys.readouterr().out.splitlines() if "report.html" in line]
        assert [line.split(":")[0] for line in reports] == ["a", "b"]


def test_a_name_with_an_end_of_line_is_printed_in_one_line(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "two\nlines.wav", tone(0.2, 8000), 8000)
    assert main(["two\nlines.wav", "--model", str(model_file), "--budget", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("two\\nlines: ") for line in lines[:2]] == [True, True]
    assert (tmp_path / "output" / "two\nlines" / "report.html").is_file()


def test_command_inverts_every_note_of_a_sound(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = np.concatenate([np.zeros(2000), tone(0.2, 8000), np.zeros(4000), tone(0.2, 8000, 880.0), np.zeros(2000)])
    save(tmp_path / "two.wav", audio, 8000)
    assert main(["two.wav", "--model", str(model_file), "--every_onset", "--budget", "none"]) == 0
    for number in ("001", "002"):
        assert (tmp_path / "output" / "two" / number / "report.html").is_file()
    assert 'href="two/002/report.html"' in (tmp_path / "output" / "index.html").read_text()
    assert capsys.readouterr().out.count("two-00") >= 2


def test_command_tells_the_assumptions_without_a_sound(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(model_file.parent), "--synth_info"]) == 0
    printed = capsys.readouterr().out
    for words in ("sine", "8,000 Hz", "0.25 s", "4 parameters, 12 classes", "tiny", "sha256", "512 samples every 256"):
        assert words in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.wav"], "nowhere.wav"),
        (["--model", "nowhere", "a.wav"], "no such model: nowhere"),
        (["--model", "nowhere"], "name one or more sounds"),
        (["a.wav", "--model", "nowhere", "--start", "-1"], "start must be greater than or equal to 0"),
        (["a.wav", "--model", "x", "--every_onset", "--start", "1"], "--every_onset finds the beginnings by itself"),
        (["a.wav", "--modle", "nowhere"], "Did you mean --model?"),
    ],
)
def test_command_names_what_is_missing_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_command_refuses_an_output_that_cannot_be_written(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.wav", tone(0.25, 8000), 8000)
    (tmp_path / "out").write_text("a file")
    assert main(["a.wav", "--model", str(model_file), "--output_dir", "out"]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_help_and_faults_of_sounds_need_no_tensorflow(tmp_path: Path, model_file: Path) -> None:
    code = f"""
import sys
from inversynth.inversion.command import main
assert main(["missing.wav", "--model", {str(model_file)!r}]) == 2
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
